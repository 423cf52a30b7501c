/* Models at work: results as PyTorch's, any size, nothing between pictures, dropout, budgets, and
 * files that must be refused. */
#include "../test.h"
#include "making.h"

#include "ganx/image.h"
#include "ganx/model.h"
#include "ganx/network.h"
#include "kernel/kernel.h"
#include "util/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNET "tests/reference/forward/pix2pix_unet32_grey_to_rgba/"

static float *picture(int w, int h, int channels, uint64_t seed)
{
    struct gx_random r = gx_random_at(seed, GX_STREAM_TEST, 0);
    float *x = malloc((size_t)w * (size_t)h * (size_t)channels * sizeof *x);
    for (int i = 0; i < w * h * channels; i++)
        x[i] = 2 * gx_random_uniform(&r) - 1;
    return x;
}

static float *translate(struct gx_model *model, const float *in, int w, int h)
{
    struct gx_err err;
    float *out = picture(w, h, gx_model_facts(model)->channels_out, 99);
    if (gx_model_translate(model, in, w, h, NULL, out, &err))
        fail_msg("%d x %d: %s", w, h, err.text);
    return out;
}

static const struct recipe dropping = {"unet_64", "ngf=4,downs=6"};

/* ---- results ---- */

static void test_as_pytorch(void **state)
{
    (void)state;
    static const struct {
        enum gx_model_stats stats;
        const char *file;
    } cases[] = {{GX_MODEL_STATS_OWN, UNET "output.pth"},
                 {GX_MODEL_STATS_IMAGE, UNET "output.pth"},
                 {GX_MODEL_STATS_RUNNING, UNET "output_eval.pth"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gx_model_settings settings = {.family = "pix2pix", .norm_stats = cases[i].stats};
        struct gx_model *model = open_model(UNET "weights.pth", &settings);
        struct gx_picture *file;
        struct gx_weights *expected;
        assert_int_equal(gx_model_facts(model)->channels_in, 1);
        assert_int_equal(gx_model_facts(model)->channels_out, 4);
        assert_int_equal(gx_model_facts(model)->multiple, 32);
        static float in[64 * 96], want[4 * 64 * 96];
        assert_int_equal(gx_picture_open(&file, UNET "input.png", NULL, NULL), 0);
        assert_int_equal(gx_picture_read(file, 1, -1, 1, in, NULL), 0);
        assert_int_equal(gx_weights_open(&expected, cases[i].file, NULL), 0);
        assert_int_equal(gx_weights_info(expected, 0)->count, 4 * 64 * 96);
        assert_int_equal(gx_weights_read(expected, 0, want, NULL), 0);
        float *out = translate(model, in, 96, 64);
        for (int k = 0; k < 4 * 64 * 96; k++) /* theirs has a plane for each channel */
            assert_true(fabsf(out[k] - want[k % 4 * 64 * 96 + k / 4]) < 1e-4F);
        gx_picture_free(&file);
        gx_weights_close(&expected);
        gx_model_close(&model);
        free(out);
    }
}

/* Where a mirrored picture of n pixels has its i-th one. */
static int mirrored(int i, int n)
{
    if (n == 1)
        return 0;
    int period = 2 * (n - 1), k = i % period;
    return k < n ? k : period - k;
}

/* Every tier, whose weights lie as its own kernels read them, makes the reference's picture. */
static void test_every_tier(void **state)
{
    (void)state;
    enum { W = 70, H = 64, COUNT = W * H * 3 };
    static const struct recipe recipes[] = {{"unet_64", "ngf=16,downs=6"},
                                            {"resnet_6blocks", "ngf=16"},
                                            {"rrdbnet", "nf=32,gc=32,nb=1,scale=1"}};
    float *in = picture(W, H, 3, 5);
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++) {
        const char *path = make_model(made, "tiers", &recipes[i]);
        float *want = NULL;
        const struct gx_kernels *k;
        for (int t = 0; (k = gx_kernels_at(t)); t++) {
            struct gx_model *model =
                open_model(path, &(struct gx_model_settings){.kernels = k->name, .threads = 2});
            float *out = translate(model, in, W, H);
            gx_model_close(&model);
            if (!want) {
                want = out; /* the first is the reference */
                continue;
            }
            float largest = 0;
            for (int j = 0; j < COUNT; j++)
                largest = fmaxf(largest, fabsf(want[j]));
            for (int j = 0; j < COUNT; j++)
                if (!(fabsf(out[j] - want[j]) <= 1e-4F * largest))
                    fail_msg("%s by %s: value %d is %g, not %g", recipes[i].network, k->name, j,
                             out[j], want[j]);
            free(out);
        }
        free(want);
    }
    free(in);
}

static void test_any_size(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 7}, {7, 1}, {3, 80}, {33, 32}, {31, 64}, {64, 32}};
    struct gx_model *model = open_model(UNET "weights.pth", NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int w = sizes[i][0], h = sizes[i][1], ww = (w + 31) / 32 * 32, hh = (h + 31) / 32 * 32;
        float *in = picture(w, h, 1, i), *out = translate(model, in, w, h);
        float *whole = malloc((size_t)ww * (size_t)hh * sizeof *whole);
        for (int y = 0; y < hh; y++)
            for (int x = 0; x < ww; x++)
                whole[y * ww + x] = in[mirrored(y, h) * w + mirrored(x, w)];
        float *want = translate(model, whole, ww, hh);
        for (int y = 0; y < h; y++)
            assert_memory_equal(out + (size_t)(4 * y * w), want + (size_t)(4 * y * ww),
                                (size_t)w * 4 * sizeof *out);
        free(in);
        free(out);
        free(whole);
        free(want);
    }
    struct gx_err err;
    float none = 0;
    assert_int_equal(gx_model_translate(model, &none, 0, 5, NULL, &none, &err), -GX_E_SHAPE);
    gx_model_close(&model);
}

/* More sizes than plans are kept, again and again: each picture's result stays what it was. */
static void test_neighbours_do_not_matter(void **state)
{
    (void)state;
    enum { SIZES = 6 };
    struct gx_model *model = open_model(make_model(made, "drop", &dropping), NULL);
    float *first[SIZES];
    assert_true(gx_model_facts(model)->dropout);
    for (int round = 0; round < 3; round++)
        for (int k = 0; k < SIZES; k++) {
            int i = round == 1 ? SIZES - 1 - k : k, w = 20 + i, h = 64 - i;
            float *in = picture(w, h, 3, (uint64_t)i), *out = translate(model, in, w, h);
            if (round)
                assert_memory_equal(out, first[i], (size_t)(w * h * 3) * sizeof *out);
            else
                first[i] = memcpy(picture(w, h, 3, 0), out, (size_t)(w * h * 3) * sizeof *out);
            free(in);
            free(out);
        }
    for (int i = 0; i < SIZES; i++)
        free(first[i]);
    gx_model_close(&model);
}

static void test_out_may_be_in(void **state)
{
    (void)state;
    static const int work_at[] = {0, 16};
    for (int i = 0; i < 2; i++) {
        struct gx_model_settings settings = {.size = work_at[i]};
        struct gx_model *model = open_model(UNET "weights.pth", &settings);
        float *in = picture(20, 10, 4, 1), *out = translate(model, in, 20, 10);
        assert_int_equal(gx_model_translate(model, in, 20, 10, NULL, in, NULL), 0);
        assert_memory_equal(in, out, 20 * 10 * 4 * sizeof *in);
        free(in);
        free(out);
        gx_model_close(&model);
    }
}

static void test_size(void **state)
{
    (void)state;
    struct gx_model_settings settings = {.size = 32};
    struct gx_model *scaling = open_model(UNET "weights.pth", &settings);
    struct gx_model *plain = open_model(UNET "weights.pth", NULL);
    float *in = picture(50, 20, 1, 1), *out = translate(scaling, in, 50, 20);
    float small[32 * 32], want[50 * 20 * 4];
    assert_int_equal(gx_resize(in, 1, 20, 50, 1, small, 32, 32, GX_FILTER_BICUBIC, NULL), 0);
    for (int i = 0; i < 32 * 32; i++)
        small[i] = small[i] < -1 ? -1 : small[i] > 1 ? 1 : small[i];
    float *result = translate(plain, small, 32, 32), *again = translate(scaling, small, 32, 32);
    assert_memory_equal(result, again, 32 * 32 * 4 * sizeof *result); /* nothing to scale */
    assert_int_equal(gx_resize(result, 1, 32, 32, 4, want, 20, 50, GX_FILTER_BICUBIC, NULL), 0);
    for (int i = 0; i < 50 * 20 * 4; i++) {
        want[i] = want[i] < -1 ? -1 : want[i] > 1 ? 1 : want[i];
        assert_true(out[i] == want[i]);
    }
    free(in);
    free(out);
    free(result);
    free(again);
    gx_model_close(&scaling);
    gx_model_close(&plain);
}

static bool same(struct gx_model *a, struct gx_model *b)
{
    float *in = picture(40, 40, 3, 5), *x = translate(a, in, 40, 40), *y = translate(b, in, 40, 40);
    bool equal = !memcmp(x, y, 40 * 40 * 3 * sizeof *x);
    free(in);
    free(x);
    free(y);
    return equal;
}

static void test_dropout(void **state)
{
    (void)state;
    const struct recipe off = {"unet_64", "ngf=4,downs=6", "ganx.dropout", "off"};
    const struct gx_model_settings with[] = {{.seed = 3},
                                             {.seed = 4},
                                             {.seed = 3, .dropout = GX_MODEL_DROPOUT_OFF},
                                             {.seed = 4, .dropout = GX_MODEL_DROPOUT_OFF}};
    struct gx_model *m[4];
    const char *path = make_model(made, "drop", &dropping);
    for (int i = 0; i < 4; i++)
        m[i] = open_model(path, &with[i]);
    struct gx_model *again = open_model(path, &with[0]);
    assert_true(same(m[0], again));
    assert_false(same(m[0], m[1]));
    assert_false(same(m[0], m[2]));
    assert_true(same(m[2], m[3]));
    gx_model_close(&again);
    again = open_model(make_model(made, "off", &off), &with[0]);
    assert_false(gx_model_facts(again)->dropout);
    assert_true(same(again, m[2]));
    gx_model_close(&again);
    const struct gx_model_settings on = {.seed = 3, .dropout = GX_MODEL_DROPOUT_ON};
    again = open_model(path, &on);
    assert_true(same(again, m[0]));
    gx_model_close(&again);
    for (int i = 0; i < 4; i++)
        gx_model_close(&m[i]);
}

/* ---- budgets ---- */

static void test_budget(void **state)
{
    (void)state;
    struct gx_err err;
    const char *path = make_model(made, "drop", &dropping);
    struct gx_model *plain = open_model(path, NULL);
    int64_t bytes = 0, weights = 0;
    float *in = picture(200, 100, 3, 1), *want = translate(plain, in, 200, 100);
    assert_int_equal(gx_model_needs(plain, 200, 100, &bytes, &err), 0);
    weights = gx_model_facts(plain)->parameters * 4;
    assert_true(bytes > 200 * 100 * 3 * 4);

    struct gx_model_settings settings = {.max_memory = weights + bytes - bytes / 8};
    struct gx_model *model = open_model(path, &settings);
    float *out = picture(200, 100, 3, 2);
    assert_int_equal(gx_model_translate(model, in, 200, 100, NULL, out, &err), -GX_E_NOMEM);
    assert_non_null(strstr(err.text, "MiB"));
    free(translate(model, in, 16, 16)); /* a small one still can */
    gx_model_close(&model);

    settings.temp_folder = made;
    model = open_model(path, &settings);
    free(out);
    out = translate(model, in, 200, 100);
    assert_memory_equal(out, want, 200 * 100 * 3 * sizeof *out);
    gx_model_close(&model);

    settings.max_temp = 4096;
    model = open_model(path, &settings);
    assert_int_equal(gx_model_translate(model, in, 200, 100, NULL, out, &err), -GX_E_NOMEM);
    gx_model_close(&model);

    settings.max_memory = weights / 2;
    assert_non_null(strstr(refused(path, &settings, -GX_E_NOMEM), "its weights need"));
    free(in);
    free(out);
    free(want);
    gx_model_close(&plain);
}

/* ---- refusals ---- */

static void test_refusals(void **state)
{
    (void)state;
    struct gx_model_settings settings = {.family = "pix2pix"};
    assert_non_null(
        strstr(refused("tests/reference/forward/star_g/weights.pth", &settings, -GX_E_FORMAT),
               "family 'star'"));
    const struct recipe cycle = {"resnet_6blocks", "ngf=2", "ganx.family", "cycle"};
    const char *path = make_model(made, "cycle", &cycle);
    assert_non_null(strstr(refused(path, &settings, -GX_E_FORMAT),
                           "cycle': it is a model of family 'cycle' (network 'resnet'), not"));
    settings.family = "cycle";
    struct gx_model *model = open_model(path, &settings);
    gx_model_close(&model);

    settings = (struct gx_model_settings){.kernels = "none"};
    assert_non_null(strstr(refused(path, &settings, -GX_E_USAGE), "no kernels 'none'; it has: "));

    static const struct {
        const char *key, *value, *text;
    } cases[] = {{"ganx.dropout", "maybe", "'ganx.dropout' is 'maybe', must be off or on"},
                 {"ganx.norm_stats", "batch", "must be image or running"},
                 {"ganx.direction", "CtoD", "must be AtoB or BtoA"},
                 {"ganx.value_range", "1,-1", "must be like -1,1"},
                 {"ganx.value_range", "-1,1,2", "must be like -1,1"},
                 {"ganx.size", "big", "must be a size"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct recipe wrong = {"resnet_6blocks", "ngf=2", cases[i].key, cases[i].value};
        const char *said = refused(make_model(made, "wrong", &wrong), NULL, -GX_E_FORMAT);
        if (!strstr(said, cases[i].text))
            fail_msg("%s", said);
    }
    const struct recipe wide = {"resnet_6blocks", "ngf=2,cin=5"};
    assert_non_null(strstr(refused(make_model(made, "wide", &wide), NULL, -GX_E_FORMAT),
                           "3 channels of 5, and pictures here have 1, 3 or 4"));
    assert_non_null(strstr(refused(made, NULL, -GX_E_IO), "the folder holds no model.safetensors"));
}

/* Weights that are finite and yet so large that a norm divides infinity by infinity. */
static void test_result_not_finite(void **state)
{
    (void)state;
    const struct recipe huge = {"unet_16", "ngf=2,downs=4", NULL, NULL, 1e30F};
    struct gx_model *model = open_model(make_model(made, "huge", &huge), NULL);
    struct gx_err err;
    float *in = picture(16, 16, 3, 1);
    assert_int_equal(gx_model_translate(model, in, 16, 16, NULL, in, &err), -GX_E_NUMERIC);
    free(in);
    gx_model_close(&model);
}

/* A file without running statistics cannot be asked for them. */
static void test_no_running_statistics(void **state)
{
    (void)state;
    const struct recipe batch = {"unet_16", "ngf=2,downs=4,norm=1"};
    struct gx_weights *file;
    struct gx_weights_writer *writer;
    struct gx_entries rows = {0};
    char path[512], source[512];
    snprintf(source, sizeof source, "%s", make_model(made, "tracked", &batch));
    snprintf(path, sizeof path, "%s/untracked", made);
    assert_int_equal(gx_weights_open(&file, source, NULL), 0);
    for (int pass = 0; pass < 2; pass++) {
        if (pass)
            assert_int_equal(
                gx_weights_write_begin(&writer, path, rows.row, rows.count, NULL, 0, NULL), 0);
        for (int i = 0; i < gx_weights_count(file); i++) {
            const struct gx_tensor_info *t = gx_weights_info(file, i);
            static float values[4096];
            if (strstr(t->name, "running"))
                continue;
            assert_true(t->count <= 4096);
            if (!pass)
                gx_entries_add(&rows, t->name, GX_F32, t->rank, t->dims);
            else if (!gx_weights_read(file, i, values, NULL))
                assert_int_equal(gx_weights_write_next(writer, values, NULL), 0);
        }
    }
    assert_int_equal(gx_weights_write_commit(&writer, NULL), 0);
    gx_entries_clear(&rows);
    gx_weights_close(&file);
    struct gx_model_settings settings = {.norm_stats = GX_MODEL_STATS_RUNNING};
    assert_non_null(strstr(refused(path, &settings, -GX_E_FORMAT), "no running statistics"));
    struct gx_model *model = open_model(path, NULL), *tracked = open_model(source, NULL);
    assert_true(same(model, tracked));
    gx_model_close(&model);
    gx_model_close(&tracked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_pytorch),
        cmocka_unit_test(test_every_tier),
        cmocka_unit_test(test_any_size),
        cmocka_unit_test(test_neighbours_do_not_matter),
        cmocka_unit_test(test_out_may_be_in),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_result_not_finite),
        cmocka_unit_test(test_no_running_statistics),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
