/* Run folders: whose they are, what stays in them, and what is left after faults. */
#include "../scratch.h"
#include "../test.h"
#include "train/run.h"
#include "util/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 5000 };

static char root[256], path[300];
static float values[COUNT];
static struct gx_record record;
static struct gx_err err;

static char warned[4][1024];
static int warnings;

static void warn(void *user, const char *text)
{
    assert_ptr_equal(user, &warnings);
    snprintf(warned[warnings++ % 4], sizeof warned[0], "%s", text);
}

static int setup(void **state)
{
    (void)state;
    if (scratch_make(root, sizeof root))
        return -1;
    snprintf(path, sizeof path, "%s/a/run", root);
    gx_record_init(&record);
    gx_record_add_array(&record, "values", COUNT, values);
    warnings = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gx_record_clear(&record);
    return scratch_remove(root);
}

static void open_run(struct gx_run *run, bool resume)
{
    if (gx_run_open(run, path, resume, NULL, &err))
        fail_msg("%s", err.text);
}

/* Every value and the record's text say the step. */
static void save(struct gx_run *run, int64_t step)
{
    for (int i = 0; i < COUNT; i++)
        values[i] = (float)step;
    gx_record_set(&record, "ganx.step", "%lld", (long long)step);
    if (gx_run_save(run, &record, step, &err))
        fail_msg("%s", err.text);
}

static void expect_restored(struct gx_run *run, int64_t expected)
{
    int64_t step = -7;
    memset(values, 0, sizeof values);
    if (gx_run_restore(run, &record, &step, warn, &warnings, &err))
        fail_msg("%s", err.text);
    assert_int_equal(step, expected);
    for (int i = 0; i < COUNT; i++)
        assert_true(values[i] == (float)expected);
    assert_int_equal(atoll(gx_record_get(&record, "ganx.step")), expected);
}

/* The names in a folder of the run, hidden ones too, joined by spaces. */
static const char *names_in(const struct gx_run *run, const char *folder)
{
    static char text[1024];
    char *name = gx_run_file(run, "%s", folder);
    struct gx_names names;
    assert_int_equal(gx_folder_list(name, &names, NULL), 0);
    text[0] = 0;
    for (size_t i = 0; i < names.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "",
                 names.name[i]);
    gx_names_free(&names);
    free(name);
    return text;
}

static void expect_link(const struct gx_run *run, const char *name, const char *to)
{
    char *file = gx_run_file(run, "%s", name), found[256];
    ssize_t length = readlink(file, found, sizeof found - 1);
    found[length > 0 ? length : 0] = 0;
    assert_string_equal(found, to);
    free(file);
}

static void expect_file(const struct gx_run *run, const char *name, const char *text)
{
    char *file = gx_run_file(run, "%s", name), *data;
    size_t size;
    assert_int_equal(gx_file_read(file, 1 << 20, &data, &size, &err), 0);
    assert_string_equal(data, text);
    free(data);
    free(file);
}

static void put(const struct gx_run *run, const char *name, const char *text)
{
    assert_int_equal(gx_run_write(run, name, text, strlen(text), &err), 0);
}

static void whose_folder(void **state)
{
    (void)state;
    struct gx_run run;
    bool locked = true;
    assert_int_equal(gx_run_open(&run, path, true, &locked, &err), -GX_E_USAGE);
    assert_non_null(strstr(err.text, "no run in"));
    assert_false(locked);
    assert_false(gx_is_folder(path));
    gx_run_close(&run); /* harmless after a failure */
    open_run(&run, false);
    gx_run_close(&run);
    open_run(&run, false); /* nothing in it yet */
    put(&run, "config.yaml", "seed: 1\n");
    expect_file(&run, "config.yaml", "seed: 1\n");
    gx_run_close(&run);
    assert_int_equal(gx_run_open(&run, path, false, &locked, &err), -GX_E_USAGE);
    assert_non_null(strstr(err.text, "--resume"));
    assert_non_null(strstr(err.text, "--run"));
    assert_false(locked);
    open_run(&run, true);
    gx_run_close(&run);
}

static void folders_of_others_stay_as_they_are(void **state)
{
    (void)state;
    struct gx_run run = {.path = path};
    assert_int_equal(gx_folder_make(path, &err), 0);
    put(&run, "letter.txt", "dear");
    for (int resume = 0; resume < 2; resume++) {
        assert_int_equal(gx_run_open(&run, path, resume, NULL, &err), -GX_E_USAGE);
        assert_non_null(strstr(err.text, "no run"));
        run.path = path;
        assert_string_equal(names_in(&run, "."), "letter.txt");
        char *lock = gx_run_file(&run, ".lock");
        assert_false(gx_is_file(lock));
        free(lock);
    }
}

static void one_process_at_a_time(void **state)
{
    (void)state;
    struct gx_run run;
    open_run(&run, false);
    save(&run, 5);
    char mine[32];
    snprintf(mine, sizeof mine, "process %ld", (long)getpid());
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        int failures = 0;
        for (int resume = 0; resume < 2; resume++) {
            struct gx_run other;
            bool locked = false;
            int result = gx_run_open(&other, path, resume, &locked, &err);
            failures += result != -GX_E_USAGE || !locked || !strstr(err.text, mine);
        }
        _exit(failures);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    gx_run_close(&run);
    open_run(&run, true);
    gx_run_close(&run);
}

static void rotation_keeps_newest_and_best(void **state)
{
    (void)state;
    struct gx_run run;
    open_run(&run, false);
    run.keep = 2;
    assert_int_equal(gx_run_mark_best(&run, 100, &err), -GX_E_USAGE);
    for (int64_t step = 100; step <= 500; step += 100) {
        save(&run, step);
        if (step == 200)
            assert_int_equal(gx_run_mark_best(&run, step, &err), 0);
    }
    assert_string_equal(names_in(&run, "checkpoints"),
                        "000200.safetensors 000400.safetensors 000500.safetensors");
    expect_link(&run, "best", "checkpoints/000200.safetensors");
    expect_link(&run, "latest", "checkpoints/000500.safetensors");
    assert_int_equal(gx_run_mark_best(&run, 500, &err), 0);
    save(&run, 1234567);
    assert_string_equal(names_in(&run, "checkpoints"), "000500.safetensors 1234567.safetensors");
    expect_restored(&run, 1234567);
    assert_int_equal(warnings, 0);
    gx_run_close(&run);
}

static void damage(const struct gx_run *run, int64_t step, bool flip)
{
    char *name = gx_run_file(run, "checkpoints/%06lld.safetensors", (long long)step);
    struct stat st;
    assert_int_equal(stat(name, &st), 0);
    if (flip) {
        int fd = open(name, O_RDWR);
        char byte;
        assert_int_equal(pread(fd, &byte, 1, st.st_size - 100), 1);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, st.st_size - 100), 1);
        close(fd);
    } else {
        assert_int_equal(truncate(name, st.st_size / 2), 0);
    }
    free(name);
}

static void damaged_checkpoints_fall_back(void **state)
{
    (void)state;
    struct gx_run run;
    int64_t step;
    open_run(&run, false);
    expect_link(&run, "latest", "");
    assert_int_equal(gx_run_restore(&run, &record, &step, warn, &warnings, &err), 0);
    assert_int_equal(step, -1);
    for (int64_t s = 1; s <= 3; s++)
        save(&run, s);
    assert_int_equal(gx_run_mark_best(&run, 3, &err), 0);
    damage(&run, 3, true);
    damage(&run, 2, false);
    expect_restored(&run, 1);
    assert_int_equal(warnings, 2);
    assert_non_null(strstr(warned[0], "000003.safetensors"));
    assert_non_null(strstr(warned[0], "checksum"));
    assert_non_null(strstr(warned[1], "000002.safetensors"));
    assert_string_equal(names_in(&run, "checkpoints"),
                        "000001.safetensors 000002.safetensors.torn 000003.safetensors.torn");
    expect_link(&run, "latest", "checkpoints/000001.safetensors");
    expect_link(&run, "best", "");
    damage(&run, 1, true);
    for (int again = 0; again < 2; again++) { /* the second time all are set aside already */
        assert_int_equal(gx_run_restore(&run, &record, &step, warn, &warnings, &err), -GX_E_FORMAT);
        assert_non_null(strstr(err.text, "whole"));
        assert_int_equal(step, -1);
    }
    gx_run_close(&run);
}

static void another_network_is_no_damage(void **state)
{
    (void)state;
    struct gx_run run;
    int64_t step;
    float more[3];
    open_run(&run, false);
    save(&run, 1);
    save(&run, 2);
    gx_record_add_array(&record, "more", 3, more);
    assert_int_equal(gx_run_restore(&run, &record, &step, warn, &warnings, &err), -GX_E_SHAPE);
    assert_non_null(strstr(err.text, "'more' is missing (3)"));
    assert_int_equal(warnings, 0);
    assert_string_equal(names_in(&run, "checkpoints"), "000001.safetensors 000002.safetensors");
    gx_run_close(&run);
}

static void metrics_are_lines(void **state)
{
    (void)state;
    struct gx_run run;
    open_run(&run, false);
    assert_int_equal(gx_run_cut_metrics(&run, 3, &err), 0); /* none yet */
    assert_int_equal(gx_run_log(&run, "{\"step\":1}", &err), 0);
    assert_int_equal(gx_run_log(&run, "{\"note\":\"x\"}", &err), 0);
    expect_file(&run, "metrics.jsonl", "{\"step\":1}\n{\"note\":\"x\"}\n");
    gx_run_close(&run);
    open_run(&run, true);
    assert_int_equal(gx_run_log(&run, "{\"step\":2}", &err), 0);
    assert_int_equal(gx_run_log(&run, "{\"step\":3,\"val\":{\"l1\":1}}", &err), 0);
    assert_int_equal(gx_run_log(&run, "{\"step\":10}", &err), 0);
    assert_int_equal(gx_run_cut_metrics(&run, 3, &err), 0);
    const char *kept =
        "{\"step\":1}\n{\"note\":\"x\"}\n{\"step\":2}\n{\"step\":3,\"val\":{\"l1\":1}}\n";
    expect_file(&run, "metrics.jsonl", kept);
    /* Torn lines: the last without its end, one in the middle, one whole but unfinished. */
    static const char *const torn[] = {"{\"step\":3,", "{\"st\n{\"step\":3}", "{\"step\":3}"};
    for (int i = 0; i < 3; i++) {
        char text[512];
        snprintf(text, sizeof text, "%s%s", kept, torn[i]);
        put(&run, "metrics.jsonl", text);
        assert_int_equal(gx_run_cut_metrics(&run, 3, &err), 0);
        expect_file(&run, "metrics.jsonl", kept);
    }
    assert_int_equal(gx_run_log(&run, "{\"step\":4}", &err), 0);
    assert_int_equal(gx_run_cut_metrics(&run, -1, &err), 0);
    expect_file(&run, "metrics.jsonl", "{\"note\":\"x\"}\n");
    assert_string_equal(names_in(&run, "."), "checkpoints metrics.jsonl samples");
    gx_run_close(&run);
}

/* What a kill -9 leaves: temporary files of every kind, and a link that lags behind. */
static void leftovers_are_removed(void **state)
{
    (void)state;
    struct gx_run run;
    open_run(&run, false);
    save(&run, 1);
    save(&run, 2);
    put(&run, "checkpoints/000003.safetensors.ganx-a1b2c3", "half");
    put(&run, "samples/000003.png.ganx-zzzzzz", "half");
    put(&run, "config.yaml.ganx-000000", "half");
    put(&run, "samples/holiday.ganx-Photos", "mine");
    char *latest = gx_run_file(&run, "latest"), *sample = gx_run_sample(&run, 12);
    assert_int_equal(gx_link_replace(latest, "checkpoints/000001.safetensors", &err), 0);
    assert_string_equal(sample + strlen(path), "/samples/000012.png");
    free(latest);
    free(sample);
    gx_run_close(&run);
    open_run(&run, true);
    assert_string_equal(names_in(&run, "."), "checkpoints latest samples");
    assert_string_equal(names_in(&run, "checkpoints"), "000001.safetensors 000002.safetensors");
    assert_string_equal(names_in(&run, "samples"), "holiday.ganx-Photos");
    expect_restored(&run, 2);
    expect_link(&run, "latest", "checkpoints/000002.safetensors");
    gx_run_close(&run);
}

/* No file may grow past a limit, as on a full disk: nothing that stood is lost. */
static void full_disk(void **state)
{
    (void)state;
    struct gx_run run;
    open_run(&run, false);
    run.keep = 1;
    save(&run, 1);
    assert_int_equal(gx_run_log(&run, "{\"step\":1}", &err), 0);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    static const rlim_t limits[] = {0, 100, 15000};
    for (int i = 0; i < 3; i++) {
        small = old;
        small.rlim_cur = limits[i];
        gx_record_set(&record, "ganx.step", "2");
        setrlimit(RLIMIT_FSIZE, &small);
        int saved = gx_run_save(&run, &record, 2, &err);
        setrlimit(RLIMIT_FSIZE, &old);
        assert_int_equal(saved, -GX_E_IO);
        assert_non_null(strstr(err.text, "000002"));
        assert_string_equal(names_in(&run, "checkpoints"), "000001.safetensors");
        expect_restored(&run, 1);
    }
    small = old;
    small.rlim_cur = 14; /* the second line does not fit as a whole */
    setrlimit(RLIMIT_FSIZE, &small);
    int logged = gx_run_log(&run, "{\"step\":2}", &err);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(logged, -GX_E_IO);
    expect_file(&run, "metrics.jsonl", "{\"step\":1}\n");
    assert_int_equal(gx_run_log(&run, "{\"step\":2}", &err), 0);
    expect_file(&run, "metrics.jsonl", "{\"step\":1}\n{\"step\":2}\n");
    gx_run_close(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whose_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_of_others_stay_as_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(one_process_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(rotation_keeps_newest_and_best, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_checkpoints_fall_back, setup, teardown),
        cmocka_unit_test_setup_teardown(another_network_is_no_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(metrics_are_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(leftovers_are_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
