/* Models that take a label: results as PyTorch's, any size, names of domains from files and people,
 * and what must be refused. */
#include "../test.h"
#include "making.h"

#include "ganx/image.h"
#include "ganx/model.h"
#include "ganx/weights.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define STAR  "tests/reference/forward/star_g/"
#define NAMES "[\"black_hair\", \"blond_hair\", \"young\"]"

static const char tiny_sizes[] = "dim=2,c_dim=3,blocks=1";

static void read_tensor(struct gx_weights *file, const char *name, float *to, int64_t count)
{
    int at = gx_weights_find(file, name);
    assert_true(at >= 0);
    assert_int_equal(gx_weights_info(file, at)->count, count);
    assert_int_equal(gx_weights_read(file, at, to, NULL), 0);
}

static void test_as_pytorch(void **state)
{
    (void)state;
    static const struct {
        enum gx_model_stats stats;
        const char *file;
    } cases[] = {{GX_MODEL_STATS_OWN, STAR "output_instance.pth"},
                 {GX_MODEL_STATS_IMAGE, STAR "output_instance.pth"},
                 {GX_MODEL_STATS_RUNNING, STAR "output.pth"}};
    enum { SIDE = 64, PLANE = SIDE * SIDE };
    static float in[3 * PLANE], out[3 * PLANE], want[3 * PLANE];
    float label[3];
    struct gx_weights *expected;
    struct gx_picture *file;
    assert_int_equal(gx_weights_open(&expected, STAR "output.pth", NULL), 0);
    read_tensor(expected, "label", label, 3);
    gx_weights_close(&expected);
    assert_int_equal(gx_picture_open(&file, STAR "input.png", NULL, NULL), 0);
    assert_int_equal(gx_picture_read(file, 3, -1, 1, in, NULL), 0);
    gx_picture_free(&file);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gx_model_settings settings = {.family = "star", .norm_stats = cases[i].stats};
        struct gx_model *model = open_model(STAR "weights.pth", &settings);
        const struct gx_model_facts *facts = gx_model_facts(model);
        assert_int_equal(facts->domains, 3);
        assert_string_equal(facts->domain[2], "3");
        assert_int_equal(facts->domain_group[2], 0);
        assert_int_equal(facts->channels_in, 3);
        assert_int_equal(facts->multiple, 4);
        assert_int_equal(gx_weights_open(&expected, cases[i].file, NULL), 0);
        read_tensor(expected, "output", want, 3 * PLANE);
        assert_int_equal(gx_model_translate(model, in, SIDE, SIDE, label, out, NULL), 0);
        for (int k = 0; k < 3 * PLANE; k++) /* theirs has a plane for each channel */
            assert_true(fabsf(out[k] - want[k % 3 * PLANE + k / 3]) < 1e-3F);
        gx_weights_close(&expected);
        gx_model_close(&model);
    }
}

/* Sides that are no multiple of 4, one plan for all labels, and every number of them counts. */
static void test_any_size_and_label(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {5, 3}, {37, 18}};
    static const float labels[][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0.5F, 1}, {0, 0.6F, 1}};
    enum { LABELS = 4, MOST = 37 * 18 * 3 };
    const struct recipe tiny = {"star_generator", tiny_sizes};
    struct gx_model *model = open_model(make_model(made, "tiny", &tiny), NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int w = sizes[i][0], h = sizes[i][1];
        float in[MOST], out[LABELS][MOST], again[MOST];
        size_t bytes = (size_t)(w * h * 3) * sizeof *in;
        for (int k = 0; k < w * h * 3; k++)
            in[k] = sinf((float)(k * k));
        for (int k = 0; k < LABELS; k++)
            assert_int_equal(gx_model_translate(model, in, w, h, labels[k], out[k], NULL), 0);
        for (int k = 0; k < LABELS; k++) {
            assert_int_equal(gx_model_translate(model, in, w, h, labels[k], again, NULL), 0);
            assert_memory_equal(again, out[k], bytes);
            for (int j = 0; j < k && w * h > 1; j++)
                assert_memory_not_equal(out[j], out[k], bytes);
        }
    }
    gx_model_close(&model);
}

static void test_labels_and_models_fit(void **state)
{
    (void)state;
    const struct recipe tiny = {"star_generator", tiny_sizes}, plain = {"unet_16", "ngf=2,downs=4"};
    const float label[3] = {1, 0, 0};
    float picture[16 * 16 * 3] = {0};
    struct gx_err err;
    struct gx_model *model = open_model(make_model(made, "tiny", &tiny), NULL);
    assert_int_equal(gx_model_translate(model, picture, 16, 16, NULL, picture, &err), -GX_E_SHAPE);
    assert_string_equal(err.text, "the model needs a label of 3 numbers");
    gx_model_close(&model);
    model = open_model(make_model(made, "plain", &plain), NULL);
    assert_int_equal(gx_model_facts(model)->domains, 0);
    assert_int_equal(gx_model_translate(model, picture, 16, 16, label, picture, &err), -GX_E_SHAPE);
    assert_string_equal(err.text, "the model takes no label");
    gx_model_close(&model);
}

/* ---- names ---- */

static void test_names_of_the_file(void **state)
{
    (void)state;
    const struct recipe named = {
        .network = "star_generator",
        .sizes = tiny_sizes,
        .key = "ganx.domains",
        .value = NAMES,
        .more_key = "ganx.domain_groups",
        .more_value = "[[], [\"blond_hair\", \"black_hair\"]]",
    };
    const char *path = make_model(made, "named", &named);
    for (int asked = 0; asked < 2; asked++) {
        struct gx_model_settings settings = {.domains = asked ? "a,b c,d" : NULL};
        static const char *const names[2][3] = {{"black_hair", "blond_hair", "young"},
                                                {"a", "b c", "d"}};
        struct gx_model *model = open_model(path, &settings);
        const struct gx_model_facts *facts = gx_model_facts(model);
        assert_int_equal(facts->domains, 3);
        for (int i = 0; i < 3; i++)
            assert_string_equal(facts->domain[i], names[asked][i]);
        assert_true(facts->domain_group[0] && facts->domain_group[0] == facts->domain_group[1]);
        assert_int_equal(facts->domain_group[2], 0);
        gx_model_close(&model);
    }
}

static void refuses(const char *path, const char *domains, int code, const char *text)
{
    struct gx_model_settings settings = {.domains = domains};
    struct gx_model *model;
    struct gx_err err;
    assert_int_equal(gx_model_open(&model, path, &settings, &err), code);
    assert_null(model);
    if (!strstr(err.text, text))
        fail_msg("%s", err.text);
}

static void test_names_that_do_not_fit(void **state)
{
    (void)state;
    static const struct {
        const char *names, *groups, *text;
    } cases[] = {
        {"[\"a\", \"b\"]", NULL, "names 2 domains, and its network has 3"},
        {"[\"a\", \"b\", \"a\"]", NULL, "must be a JSON array of different names"},
        {"[\"a\", \"b\", \"\"]", NULL, "must be a JSON array of different names"},
        {"[\"a\", \"b\", \"c\\n\"]", NULL, "must be a JSON array of different names"},
        {"[\"a\", \"b\", 3]", NULL, "must be a JSON array of different names"},
        {"{\"a\": 1}", NULL, "must be a JSON array of different names"},
        {"[\"a\"", NULL, "must be a JSON array of different names"},
        {NAMES, "[\"young\"]", "'ganx.domain_groups' must be a JSON array of arrays"},
        {NAMES, "young", "'ganx.domain_groups' must be a JSON array of arrays"},
        {NAMES, "[[\"old\"]]", "holds 'old', which is no domain"},
        {NAMES, "[[5]]", "holds '', which is no domain"},
        {NAMES, "[[\"young\"], [\"young\"]]", "holds 'young' twice"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct recipe wrong = {
            .network = "star_generator",
            .sizes = tiny_sizes,
            .key = "ganx.domains",
            .value = cases[i].names,
            .more_key = cases[i].groups ? "ganx.domain_groups" : NULL,
            .more_value = cases[i].groups,
        };
        refuses(make_model(made, "wrong", &wrong), NULL, -GX_E_FORMAT, cases[i].text);
    }
    const char *path = STAR "weights.pth";
    refuses(path, "a,b", -GX_E_USAGE, "it has 3 domains, and 2 names were given");
    refuses(path, "a", -GX_E_USAGE, "it has 3 domains, and 1 name was given");
    refuses(path, "a,b,a", -GX_E_USAGE, "different names, not 'a' twice");
    refuses(path, "a,,b", -GX_E_USAGE, "different names, not ''");
}

/* As the authors of StarGAN saved it: bare names, no running statistics, the old kind of file. */
static void test_authors_layout(void **state)
{
    (void)state;
    struct gx_model_settings settings = {.family = "star"};
    struct gx_model *model = open_model("tests/reference/weights/star.ckpt", &settings);
    float picture[8 * 8 * 3] = {0};
    assert_string_equal(gx_model_facts(model)->family, "star");
    assert_int_equal(gx_model_facts(model)->domains, 3);
    assert_int_equal(
        gx_model_translate(model, picture, 8, 8, (const float[]){0, 1, 0}, picture, NULL), 0);
    gx_model_close(&model);
    settings.norm_stats = GX_MODEL_STATS_RUNNING;
    struct gx_err err;
    assert_int_equal(gx_model_open(&model, "tests/reference/weights/star.ckpt", &settings, &err),
                     -GX_E_FORMAT);
    assert_non_null(strstr(err.text, "no running statistics"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_pytorch),
        cmocka_unit_test(test_any_size_and_label),
        cmocka_unit_test(test_labels_and_models_fit),
        cmocka_unit_test(test_names_of_the_file),
        cmocka_unit_test(test_names_that_do_not_fit),
        cmocka_unit_test(test_authors_layout),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
