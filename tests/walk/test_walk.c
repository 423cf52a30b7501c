/* The parity walker says what is wrong: it is of use only if it can fail. */
#include "../test.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/ganx-test-walk-XXXXXX";
static char program[PATH_MAX]; /* build/tests/parity: this program is build/tests/walk/test_walk */

/* Walks the folder; gives the exit status and what was printed. */
static int walk(char *text, size_t size)
{
    char command[PATH_MAX + 64];
    snprintf(command, sizeof command, "'%s' '%s' 2>&1", program, folder);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    size_t got = fread(text, 1, size - 1, p);
    text[got] = 0;
    int status = pclose(p);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void write_text(const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

/* The files of a fixture of tests/reference, as links; fixture.json is then the test's own. */
static json_t *borrow(const char *name, const char *const *files)
{
    char from[PATH_MAX], to[PATH_MAX], root[PATH_MAX];
    json_error_t why;
    assert_non_null(realpath("tests/reference", root));
    for (int i = 0; files[i]; i++) {
        assert_true(snprintf(from, sizeof from, "%s/%s/%s", root, name, files[i]) < PATH_MAX);
        snprintf(to, sizeof to, "%s/%s", folder, files[i]);
        unlink(to);
        assert_int_equal(symlink(from, to), 0);
    }
    assert_true(snprintf(from, sizeof from, "%s/%s/fixture.json", root, name) < PATH_MAX);
    json_t *json = json_load_file(from, 0, &why);
    assert_non_null(json);
    return json;
}

static void expect(json_t *json, int status, const char *line, const char *last)
{
    char text[8192], *dumped = json_dumps(json, 0);
    write_text("fixture.json", dumped);
    free(dumped);
    json_decref(json);
    assert_int_equal(walk(text, sizeof text), status);
    if (!strstr(text, line) || !strstr(text, last))
        fail_msg("neither '%s' nor '%s':\n%s", line, last, text);
}

static int clean(void **state)
{
    static const char *const files[] = {
        "fixture.json", "data.pth",    "losses.json", "init.pth",        "data",
        "input.png",    "weights.pth", "output.pth",  "output_eval.pth", "first_gradients.pth",
        "step.pth"};
    char path[PATH_MAX];
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    return 0;
}

static void test_nothing(void **state)
{
    char text[1024];
    (void)state;
    assert_int_equal(walk(text, sizeof text), 1);
    assert_string_equal(text, "0 passed, 0 failed, 0 skipped\n");
}

static void test_unknown(void **state)
{
    (void)state;
    expect(json_pack("{ss}", "kind", "smell"), 1, "skipped: kind smell is not known yet",
           "0 passed, 0 failed, 1 skipped\n");
    expect(json_pack("{ss, s{ss}}", "kind", "forward", "net", "network", "nose"), 1,
           "skipped: network nose is not known yet", "0 passed, 0 failed, 1 skipped\n");
    expect(json_object(), 1, "NOT OK: the fixture has no text 'kind'",
           "0 passed, 1 failed, 0 skipped\n");
    expect(json_pack("{ss, s{}}", "kind", "objectives", "cases"), 1, "NOT OK: 'real' has 0 numbers",
           "0 passed, 1 failed, 0 skipped\n");
}

static const char *const pixel_files[] = {"input.png", "weights.pth", "output.pth",
                                          "output_eval.pth", NULL};

static void test_outputs(void **state)
{
    (void)state;
    json_t *json = borrow("forward/pixel_d_batch", pixel_files);
    expect(json_incref(json), 0, "  ok\n", "3 passed, 0 failed, 0 skipped\n");
    json_object_set_new(json, "tolerance", json_real(1e-12));
    expect(json_incref(json), 1, "NOT OK\n", "1 passed, 2 failed, 0 skipped\n");
    /* other statistics give another answer */
    json_object_set_new(json, "tolerance", json_real(1e-4));
    json_object_set_new(json_array_get(json_object_get(json, "outputs"), 0), "stats",
                        json_string("running"));
    expect(json_incref(json), 1, "NOT OK\n", "2 passed, 1 failed, 0 skipped\n");
    json_object_set_new(json_object_get(json, "net"), "ndf", json_integer(9));
    expect(json, 1, "NOT OK: the weights do not fit", "0 passed, 1 failed, 0 skipped\n");
}

static void test_penalty(void **state)
{
    static const char *const files[] = {"data.pth", NULL};
    (void)state;
    json_t *json = borrow("second_order/star_d", files);
    json_object_set_new(json, "tolerance", json_real(1e-12));
    expect(json_incref(json), 1, "NOT OK\n", " failed, 0 skipped\n");
    json_object_set_new(json, "output", json_integer(1));
    json_object_set_new(json, "tolerance", json_real(1e-4));
    expect(json, 1, "NOT OK\n", "0 passed, 3 failed, 0 skipped\n");
}

/* The recipe counts: another weight, another direction, another rate is another trajectory. */
static void test_training(void **state)
{
    static const char *const files[] = {"data", "init.pth", "losses.json", "first_gradients.pth",
                                        NULL};
    (void)state;
    json_t *json = borrow("train/pix2pix_hinge_resnet_pixel", files), *changed;
    expect(json_incref(json), 0, "  ok\n", "3 passed, 0 failed, 0 skipped\n");

    changed = json_deep_copy(json);
    json_object_set_new(json_object_get(changed, "weights"), "D", json_real(0.25));
    expect(changed, 1, "NOT OK\n", " failed, 0 skipped\n");
    changed = json_deep_copy(json);
    json_object_set_new(changed, "direction", json_string("BtoA"));
    expect(changed, 1, "NOT OK\n", "0 passed, 3 failed, 0 skipped\n");
    changed = json_deep_copy(json);
    json_object_set_new(json_object_get(changed, "optimizer"), "lr", json_real(0.1));
    /* G sees D after its step */
    expect(changed, 1, "NOT OK\n", "1 passed, 2 failed, 0 skipped\n");
    json_object_set_new(json, "gan", json_string("taste"));
    expect(json, 1, "skipped: objective taste is not known yet", "0 passed, 0 failed, 1 skipped\n");
}

/* Of two sides the smaller begins again; pools that would draw at random are told apart. */
static void test_unpaired_training(void **state)
{
    static const char *const files[] = {"data", "init.pth", "losses.json", "first_gradients.pth",
                                        NULL};
    (void)state;
    json_t *json = borrow("train/cycle_lsgan_instance", files), *changed;
    expect(json_incref(json), 0, "  ok\n", "5 passed, 0 failed, 0 skipped\n");

    static const char *const weights[] = {"cycle", "identity"};
    for (int i = 0; i < 2; i++) {
        changed = json_deep_copy(json);
        json_object_set_new(json_object_get(changed, "weights"), weights[i], json_real(0.9));
        expect(changed, 1, "NOT OK\n", "2 passed, 3 failed, 0 skipped\n"); /* not D's gradients */
    }
    changed = json_deep_copy(json);
    json_object_set_new(changed, "identity_times_cycle", json_false());
    expect(changed, 1, "NOT OK\n", "2 passed, 3 failed, 0 skipped\n");
    changed = json_deep_copy(json);
    json_object_set_new(changed, "order", json_pack("[ss]", "D", "G"));
    expect(changed, 1, "NOT OK: network G_A steps first here", "0 passed, 1 failed, 0 skipped\n");
    changed = json_deep_copy(json);
    json_object_set_new(json_object_get(changed, "weights"), "beauty", json_real(1));
    expect(changed, 1, "skipped: weight beauty is not known", "0 passed, 0 failed, 1 skipped\n");
    json_object_set_new(json, "pool", json_integer(5));
    expect(json, 1, "skipped: a pool that fills up", "0 passed, 0 failed, 1 skipped\n");
}

/* Labels, the critic's steps and the weights that only D's or only G's loss has. */
static void test_labelled_training(void **state)
{
    static const char *const files[] = {"step.pth", "init.pth", "losses.json",
                                        "first_gradients.pth", NULL};
    (void)state;
    json_t *json = borrow("train/star_domains", files), *changed;
    expect(json_incref(json), 0, "  ok\n", "3 passed, 0 failed, 0 skipped\n");
    static const struct {
        const char *weight, *passed; /* gradients of the player without that loss */
    } rows[] = {{"gp", "1 passed"}, {"cls", "0 passed"}, {"rec", "1 passed"}};
    for (int i = 0; i < 3; i++) {
        changed = json_deep_copy(json);
        json_object_set_new(json_object_get(changed, "weights"), rows[i].weight, json_real(3));
        expect(changed, 1, "NOT OK\n", rows[i].passed);
    }
    changed = json_deep_copy(json);
    json_object_set_new(changed, "labels", json_string("sigmoid"));
    expect(changed, 1, "NOT OK\n", "0 passed, 3 failed, 0 skipped\n");
    json_object_set_new(json, "n_critic", json_integer(4)); /* too late for G's losses */
    expect(json, 1, "NOT OK\n", " failed, 0 skipped\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_nothing, clean),
        cmocka_unit_test_teardown(test_unknown, clean),
        cmocka_unit_test_teardown(test_outputs, clean),
        cmocka_unit_test_teardown(test_penalty, clean),
        cmocka_unit_test_teardown(test_training, clean),
        cmocka_unit_test_teardown(test_unpaired_training, clean),
        cmocka_unit_test_teardown(test_labelled_training, clean),
    };
    char self[PATH_MAX] = "";
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0 || !mkdtemp(folder))
        return 1;
    *strrchr(self, '/') = 0;
    if (snprintf(program, sizeof program, "%s/../parity", self) >= (int)sizeof program)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
