/* LPIPS: windows make no difference, what is refused, values in any range. Its figures are held
 * against the reference implementation's by build/tests/parity. */
#include "../scratch.h"
#include "../test.h"

#include "ganx/network.h"
#include "model/lpips.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[256], model[300];

/* A narrow VGG16 with random weights, and heads that count every channel. */
static int make_narrow(void **state)
{
    static const int channels[5] = {2, 4, 8, 16, 16};
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_entries rows = {0};
    struct gx_weights_writer *writer = NULL;
    struct gx_err err = {""};
    (void)state;
    assert_int_equal(scratch_make(folder, sizeof folder), 0);
    snprintf(model, sizeof model, "%s/narrow.safetensors", folder);
    gx_params_init(&params);
    assert_int_equal(gx_spec_from_name(&spec, "vgg16", &err), 0);
    assert_int_equal(gx_spec_set(&spec, "width", 2, &err), 0);
    assert_int_equal(gx_network_declare(&spec, &params, &err), 0);
    for (int i = 0; i < 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "lin%d.model.1.weight", i);
        assert_non_null(gx_params_declare(&params, name, GX_PARAM_CONV,
                                          (struct gx_shape){1, 1, channels[i], 1}));
    }
    assert_int_equal(gx_params_allocate(&params, &err), 0);
    gx_params_initialise(&params, GX_INIT_KAIMING, 1, 5, "lpips");
    for (int i = 0; i < params.count; i++)
        for (int64_t k = 0; *params.param[i]->name == 'l' && k < gx_count(params.param[i]->shape);
             k++)
            params.param[i]->data[k] = 1 + (float)k / 8;
    gx_params_entries(&rows, &params, GX_PARTS_ALL, "", GX_F32);
    if (gx_weights_write_begin(&writer, model, rows.row, rows.count, NULL, 0, &err) ||
        gx_params_write(&params, GX_PARTS_ALL, params.data, writer, &err) ||
        gx_weights_write_commit(&writer, &err))
        fail_msg("%s", err.text);
    gx_entries_clear(&rows);
    gx_params_clear(&params);
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    return scratch_remove(folder);
}

static struct gx_lpips *opened(int64_t max_memory, int threads)
{
    struct gx_lpips *l;
    struct gx_err err;
    const struct gx_lpips_settings settings = {.threads = threads, .max_memory = max_memory};
    if (gx_lpips_open(&l, model, &settings, &err))
        fail_msg("%s", err.text);
    return l;
}

/* Noise over waves, and other noise over the same waves. */
static float *make_picture(int h, int w, int c, unsigned seed)
{
    float *x = malloc((size_t)h * w * c * sizeof *x);
    for (int i = 0; i < h * w * c; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = 0.5F + 0.25F * sinf((float)i / 37) + (float)(seed >> 8) / (1 << 26);
    }
    return x;
}

static double measured(struct gx_lpips *l, const struct gx_pair *pair)
{
    struct gx_err err;
    double value;
    if (gx_lpips_measure(l, pair, &value, &err))
        fail_msg("%s", err.text);
    return value;
}

/* Whole, in a few windows, in many; odd sizes; one side short. */
static void test_windows(void **state)
{
    (void)state;
    static const int sizes[][2] = {{323, 300}, {17, 900}, {400, 31}};
    static const int64_t budgets[] = {8 << 20, 6 << 20};
    for (int i = 0; i < 3; i++) {
        int h = sizes[i][0], w = sizes[i][1];
        float *a = make_picture(h, w, 3, 1), *b = make_picture(h, w, 3, 2);
        const struct gx_pair pair = {a, b, 1, h, w, 3, 0, 1};
        struct gx_lpips *l = opened(0, 1);
        double whole = measured(l, &pair);
        assert_true(whole > 0.01);
        gx_lpips_close(&l);
        for (int k = 0; k < 2; k++) {
            l = opened(budgets[k], 1 + k % 2);
            assert_float_equal(measured(l, &pair), whole, 1e-6 * whole);
            gx_lpips_close(&l);
        }
        free(a);
        free(b);
    }
}

static void test_values(void **state)
{
    (void)state;
    float *a = make_picture(2 * 40, 33, 3, 3), *b = make_picture(2 * 40, 33, 3, 4), *c, *d;
    struct gx_lpips *l = opened(0, 1);
    struct gx_pair pair = {a, b, 1, 40, 33, 3, 0, 1}, second = pair, both = pair, same = pair;
    second.a = a + 40 * 33 * 3;
    second.b = b + 40 * 33 * 3;
    both.count = 2;
    same.b = a;
    double one = measured(l, &pair);
    assert_float_equal(measured(l, &both), (one + measured(l, &second)) / 2, 1e-9);
    assert_true(measured(l, &same) == 0);
    assert_false(one == measured(l, &second));

    /* another range; grey is three equal colours; alpha is left out */
    c = malloc(40 * 33 * 4 * sizeof *c);
    d = malloc(40 * 33 * 4 * sizeof *d);
    for (int i = 0; i < 40 * 33 * 3; i++) {
        c[i] = 2 * a[i] - 1;
        d[i] = 2 * b[i] - 1;
    }
    pair = (struct gx_pair){c, d, 1, 40, 33, 3, -1, 1};
    assert_float_equal(measured(l, &pair), one, 1e-5);
    pair = (struct gx_pair){a, b, 1, 40, 33, 1, 0, 1};
    double grey = measured(l, &pair);
    for (int i = 0; i < 40 * 33 * 4; i++) {
        c[i] = i % 4 == 3 ? 0.25F : a[i / 4];
        d[i] = i % 4 == 3 ? 0.75F : b[i / 4];
    }
    pair = (struct gx_pair){c, d, 1, 40, 33, 4, 0, 1};
    assert_float_equal(measured(l, &pair), grey, 1e-7);
    gx_lpips_close(&l);
    free(a);
    free(b);
    free(c);
    free(d);
}

static void test_refused(void **state)
{
    (void)state;
    struct gx_lpips *l;
    struct gx_err err;
    double value;
    float *a = make_picture(600, 600, 3, 1);
    const struct gx_pair small = {a, a, 1, 15, 16, 3, 0, 1}, large = {a, a, 1, 600, 600, 3, 0, 1};
    l = opened(0, 1);
    assert_int_equal(gx_lpips_measure(l, &small, &value, &err), -GX_E_SHAPE);
    assert_string_equal(err.text, "LPIPS takes pictures from 16 x 16 pixels, not 16 x 15");
    gx_lpips_close(&l);

    l = opened(1 << 20, 1);
    assert_int_equal(gx_lpips_measure(l, &large, &value, &err), -GX_E_NOMEM);
    assert_non_null(strstr(err.text, "even in windows of"));
    gx_lpips_close(&l);
    free(a);

    const struct gx_lpips_settings settings = {.max_memory = 1000};
    assert_int_equal(gx_lpips_open(&l, model, &settings, &err), -GX_E_NOMEM);
    assert_null(l);
    assert_int_equal(
        gx_lpips_open(&l, "tests/reference/forward/vgg19_narrow/weights.pth", NULL, &err),
        -GX_E_FORMAT);
    assert_non_null(strstr(err.text, "it holds 'vgg19', and LPIPS needs 'vgg16'"));
    assert_int_equal(
        gx_lpips_open(&l, "tests/reference/forward/vgg16_narrow/weights.pth", NULL, &err),
        -GX_E_FORMAT);
    assert_non_null(strstr(err.text, "'lin0.model.1.weight' (1, 2, 1, 1) is missing"));
    assert_int_equal(gx_lpips_open(&l, "no/such.safetensors", NULL, &err), -GX_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, make_narrow, remove_all);
}
