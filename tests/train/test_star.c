/* StarGAN through the loop: labels come with the pictures, the critic's steps are counted, domains go
 * into the model, and held-out pictures are drawn but not measured. */
#include "tiny.h"

#include "family/model_keys.h"
#include "ganx/image.h"
#include "util/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int setup(void **state)
{
    int code = tiny_setup(state);
    tiny_family("star");
    return code;
}

static void the_critic_is_counted(void **state)
{
    (void)state;
    double step[TINY_LINES], value[TINY_LINES];
    tiny_train("counted", "train.steps=4 train.n_critic=3");
    assert_int_equal(tiny_curve("counted", "critic", step), 4);
    assert_int_equal(tiny_curve("counted", "D_acc", value), 4);
    for (int i = 0; i < 4; i++) {
        assert_true(step[i] == 3 * (i + 1));
        assert_true(fabs(value[i] * 3 - round(value[i] * 3)) < 1e-6); /* of a batch of 3 */
        assert_true(value[i] >= 0 && value[i] <= 1);
    }
    char *page = tiny_read("counted", "report.html");
    assert_non_null(strstr(page, "D_acc"));
    free(page);
}

/* The pictures of each domain look alike, so labels that go with them can be learnt. */
static void labels_go_with_their_pictures(void **state)
{
    (void)state;
    enum { STEPS = 40 };
    double loss[TINY_LINES], share = 0, value[TINY_LINES];
    tiny_train("learnt", "train.steps=40 optim.lr=0.002 optim.schedule=constant train.batch=4 "
                         "data.flip=false loss.gp=1");
    assert_int_equal(tiny_curve("learnt", "D_cls", loss), STEPS);
    assert_int_equal(tiny_curve("learnt", "D_acc", value), STEPS);
    for (int i = STEPS - 10; i < STEPS; i++)
        share += value[i] / 10;
    assert_true(loss[0] > 0.9); /* log 3 = 1.1 */
    assert_true(loss[STEPS - 1] < 0.5);
    assert_true(share > 0.75);
}

static void domains_are_told(void **state)
{
    (void)state;
    float *data;
    tiny_train("facts", "train.steps=1");
    const struct {
        const char *key, *value;
    } row[] = {{GX_KEY_FAMILY, "star"},
               {GX_KEY_DOMAINS, "[\"cool\", \"hot\", \"warm\"]"},
               {GX_KEY_DOMAIN_GROUPS, "[[\"cool\", \"hot\", \"warm\"]]"},
               {GX_KEY_SIZE, "16"},
               {GX_KEY_NORM_STATS, "image"},
               {GX_KEY_DROPOUT, "off"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char *text = tiny_text("facts", "model.safetensors", row[i].key);
        assert_string_equal(text, row[i].value);
        free(text);
    }
    assert_int_equal(tiny_tensor("facts", "model.safetensors", "main.0.weight", &data),
                     4 * (3 + 3) * 7 * 7);
    free(data);
}

static void attributes_are_learnt_from_a_table(void **state)
{
    (void)state;
    static const char table[] = "file,Black,Age,Blond,Old\n0.png,1,30,0,1\n1.png,0,40,1,0\n"
                                "2.png,0,50,0,1\n3.png,1,60,0,0\n4.png,0,70,1,1\n";
    char words[1024], *text;
    double value[TINY_LINES];
    assert_int_equal(gx_file_write(tiny_path("table.csv"), table, strlen(table), NULL), 0);
    snprintf(words, sizeof words,
             "data.path=%s data.labels=%s data.attributes=Blond,Black,Old "
             "data.exclusive=Black,Blond data.holdout=5 train.steps=3",
             tiny_path("unpaired/trainA"), tiny_path("table.csv"));
    tiny_train("tagged", words);
    assert_int_equal(tiny_curve("tagged", "D_cls", value), 3);
    assert_true(value[0] > 1.5 && value[0] < 3); /* 3 log 2 = 2.1 */
    text = tiny_text("tagged", "model.safetensors", GX_KEY_DOMAINS);
    assert_string_equal(text, "[\"Blond\", \"Black\", \"Old\"]");
    free(text);
    text = tiny_text("tagged", "model.safetensors", GX_KEY_DOMAIN_GROUPS);
    assert_string_equal(text, "[[\"Blond\", \"Black\"]]");
    free(text);
}

static void held_out_pictures_are_drawn_only(void **state)
{
    (void)state;
    double value[TINY_LINES];
    struct tiny_outcome o = tiny_try("held", 0, "train.steps=2 train.checkpoint_every=1");
    assert_int_equal(o.code, 0);
    assert_null(strstr(o.said, "! "));
    assert_int_equal(tiny_curve("held", "l1", value), 0);
    assert_int_equal(access(tiny_path("runs/held/best"), F_OK), -1);
    struct gx_picture *sheet;
    assert_int_equal(gx_picture_open(&sheet, tiny_path("runs/held/samples/000002.png"), NULL, NULL),
                     0);
    assert_true(gx_picture_facts(sheet)->width > 5 * TINY_CROP); /* input, 3 domains, and back */
    assert_true(gx_picture_facts(sheet)->height > 3 * TINY_CROP);
    gx_picture_free(&sheet);
    o = tiny_try("plateau", 0, "train.steps=1 optim.schedule=plateau");
    assert_int_equal(o.code, -GX_E_CONFIG);
    assert_non_null(strstr(o.err.text, "optim.schedule plateau"));
}

/* Stops between and at checkpoints, in the middle of an epoch of 11. */
static void resumed_is_uninterrupted(void **state)
{
    (void)state;
    static const char words[] = "train.steps=7 optim.ema=0.9 optim.lr=0.01 train.n_critic=2 "
                                "train.checkpoint_every=4 train.sample_every=3 train.keep=2";
    tiny_train("whole", words);
    tiny_stop("parts", 1, words);
    tiny_stop("parts", 4, "--resume");
    tiny_stop("parts", 6, "--resume");
    tiny_train("parts", "--resume");
    tiny_assert_same("whole", "parts", "checkpoints/000007.safetensors");
    tiny_assert_same("whole", "parts", "model.safetensors");
    tiny_assert_same_metrics("whole", "parts");
    tiny_assert_same_link("whole", "parts", "latest");
}

static void other_domains_are_refused(void **state)
{
    (void)state;
    tiny_train("named", "train.steps=1");
    assert_int_equal(rename(tiny_path("domains/train/hot"), tiny_path("domains/train/icy")), 0);
    assert_int_equal(rename(tiny_path("domains/test/hot"), tiny_path("domains/test/icy")), 0);
    struct tiny_outcome o = tiny_try("named", 0, "--resume train.steps=2");
    assert_int_equal(o.code, -GX_E_CONFIG);
    assert_non_null(strstr(o.err.text, "[\"cool\", \"hot\", \"warm\"]"));
    assert_int_equal(rename(tiny_path("domains/train/icy"), tiny_path("domains/train/hot")), 0);
    assert_int_equal(rename(tiny_path("domains/test/icy"), tiny_path("domains/test/hot")), 0);
    tiny_train("named", "--resume train.steps=2");
}

/* One domain fewer changes the shapes of both networks: the names are told, not the shapes. */
static void fewer_domains_are_refused(void **state)
{
    (void)state;
    tiny_train("three", "train.steps=1");
    assert_int_equal(rename(tiny_path("domains/train/hot"), tiny_path("hot")), 0);
    assert_int_equal(rename(tiny_path("domains/test/hot"), tiny_path("held")), 0);
    struct tiny_outcome o = tiny_try("three", 0, "--resume train.steps=2");
    assert_int_equal(o.code, -GX_E_CONFIG);
    assert_non_null(strstr(o.err.text, "[\"cool\", \"hot\", \"warm\"]"));
    assert_int_equal(rename(tiny_path("hot"), tiny_path("domains/train/hot")), 0);
    assert_int_equal(rename(tiny_path("held"), tiny_path("domains/test/hot")), 0);
    tiny_train("three", "--resume train.steps=2");
}

/* CycleGAN's held-out pictures may be pairs, told by their names; then they are measured. */
static void unpaired_pictures_are_measured_if_names_agree(void **state)
{
    (void)state;
    double value[TINY_LINES];
    tiny_family("cycle");
    tiny_train("named-pairs", "train.steps=1");
    assert_int_equal(tiny_curve("named-pairs", "l1", value), 1);
    assert_int_equal(rename(tiny_path("unpaired/testB/1.png"), tiny_path("unpaired/testB/x.png")),
                     0);
    struct tiny_outcome o = tiny_try("no-pairs", 0, "train.steps=1");
    assert_int_equal(o.code, 0);
    assert_non_null(strstr(o.said, "validation: the held-out pictures are not pairs by name"));
    assert_null(strstr(o.said, "! "));
    assert_int_equal(tiny_curve("no-pairs", "l1", value), 0);
    assert_true(gx_is_file(tiny_path("runs/no-pairs/samples/000001.png")));
    assert_int_equal(rename(tiny_path("unpaired/testB/x.png"), tiny_path("unpaired/testB/1.png")),
                     0);
    tiny_family("star");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_critic_is_counted),
        cmocka_unit_test(labels_go_with_their_pictures),
        cmocka_unit_test(domains_are_told),
        cmocka_unit_test(fewer_domains_are_refused),
        cmocka_unit_test(attributes_are_learnt_from_a_table),
        cmocka_unit_test(held_out_pictures_are_drawn_only),
        cmocka_unit_test(resumed_is_uninterrupted),
        cmocka_unit_test(other_domains_are_refused),
        cmocka_unit_test(unpaired_pictures_are_measured_if_names_agree),
    };
    return cmocka_run_group_tests(tests, setup, tiny_teardown);
}
