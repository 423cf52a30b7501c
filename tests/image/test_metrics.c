/* Metrics against figures computed elsewhere, and against cases known by hand. */
#include "image/metrics.h"
#include "pictures.h"

#include <math.h>

enum { SIDE = 256 };

static float a[SIDE * SIDE * 4], b[SIDE * SIDE * 4];

static void near(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.9f is not %.9f", value, expected);
}

static void reference(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        double psnr, psnr_y, ssim_y, ssim, l1, ms_ssim_y;
    } rows[] = {
        {"tests/reference/metrics/badlands1_blur.png", 25.739769589848372, 27.298636835309892,
         0.7241592859265716, 0.7122411542945623, 0.03231531834377269, 0.9387763883110912},
        {"tests/reference/metrics/badlands1_noise.png", 26.626724673624274, 31.49195745491348,
         0.8084741154392917, 0.6418869712022598, 0.03725582391521423, 0.9747062354729326},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gx_facts facts = read_floats("tests/reference/metrics/badlands1.png", 3, -1, 1, a);
        read_floats(rows[i].file, 3, -1, 1, b);
        const struct gx_pair pair = {a, b, 1, facts.height, facts.width, 3, -1, 1};
        near(gx_metric_psnr(&pair), rows[i].psnr, 1e-4);
        near(gx_metric_psnr_y(&pair), rows[i].psnr_y, 1e-4);
        near(gx_metric_ssim(&pair), rows[i].ssim, 1e-6);
        near(gx_metric_ssim_y(&pair), rows[i].ssim_y, 1e-6);
        near(gx_metric_l1(&pair), rows[i].l1, 1e-6);
        near(gx_metric_ms_ssim_y(&pair), rows[i].ms_ssim_y, 1e-6);
        const struct gx_pair top = {a, b, 2, facts.height / 2, facts.width, 3, -1, 1};
        near(gx_metric_l1(&top), rows[i].l1, 1e-6); /* two halves as a batch */
    }
}

static void by_hand(void **state)
{
    (void)state;
    for (int i = 0; i < 30 * 20 * 4; i++) {
        a[i] = (float)((i * 7) % 11) / 10;
        b[i] = a[i] + (i % 4 == 3 ? 0.9f : 0.1f); /* the fourth channel is left out */
    }
    const struct gx_pair pair = {a, b, 1, 20, 30, 4, 0, 1}, same = {a, a, 1, 20, 30, 4, 0, 1};
    near(gx_metric_l1(&pair), 0.1, 1e-6);
    near(gx_metric_psnr(&pair), 20, 1e-4);
    near(gx_metric_ssim(&same), 1, 1e-12);
    near(gx_metric_l1(&same), 0, 0);
    assert_true(isinf(gx_metric_psnr(&same)));
    for (int h = 1; h < 13; h++) { /* sides below the window */
        const struct gx_pair small = {a, a, 1, h, 13 - h, 3, 0, 1};
        near(gx_metric_ssim(&small), 1, 1e-12);
    }
    const struct gx_pair least = {a, a, 1, 16, 17, 3, 0, 1}, less = {a, a, 1, 15, 17, 3, 0, 1};
    near(gx_metric_ms_ssim(&least), 1, 1e-12);
    near(gx_metric_ms_ssim_y(&least), 1, 1e-12);
    assert_true(isnan(gx_metric_ms_ssim(&less)));
    assert_ptr_equal(gx_metric_find("psnr")->measure, gx_metric_psnr);
    assert_true(gx_metric_find("psnr")->more_is_better);
    assert_false(gx_metric_find("l1")->more_is_better);
    assert_null(gx_metric_find("beauty"));
}

/* Equal pictures, and structure turned over, whose negative means count as 0. */
static void scales(void **state)
{
    (void)state;
    enum { HEIGHT = 180, WIDTH = 200 };
    for (int i = 0; i < HEIGHT * WIDTH; i++) {
        a[i] = (float)((i * 7919) % 256) / 255;
        b[i] = a[i];
    }
    struct gx_pair pair = {a, b, 1, HEIGHT, WIDTH, 1, 0, 1};
    near(gx_metric_ms_ssim(&pair), 1, 1e-12);
    for (int i = 0; i < HEIGHT * WIDTH; i++)
        b[i] = 1 - a[i];
    near(gx_metric_ms_ssim(&pair), 0, 0);
}

static void crop(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * 7 * 6 * 3; i++) {
        a[i] = (float)i;
        b[i] = (float)-i;
    }
    struct gx_pair pair = {a, b, 2, 7, 6, 3, 0, 1};
    assert_false(gx_pair_crop(&pair, 3, a, b)); /* 6 columns less 6 */
    assert_false(gx_pair_crop(&pair, -1, a, b));
    assert_int_equal(pair.h, 7);
    assert_true(gx_pair_crop(&pair, 2, a, b));
    assert_int_equal(pair.h, 3);
    assert_int_equal(pair.w, 2);
    for (int n = 0; n < 2; n++)
        for (int y = 0; y < 3; y++)
            for (int k = 0; k < 2 * 3; k++) {
                int was = ((n * 7 + y + 2) * 6 + 2) * 3 + k, is = (n * 3 + y) * 6 + k;
                near(pair.a[is], was, 0);
                near(pair.b[is], -was, 0);
            }
    assert_true(gx_pair_crop(&pair, 0, a, b));
    assert_int_equal(pair.w, 2);
}

static void sharpness(void **state)
{
    (void)state;
    for (int y = 0; y < 10; y++)
        for (int x = 0; x < 12; x++) {
            a[y * 12 + x] = 0.03f * (float)x + 0.04f * (float)y; /* gradient 0.05 everywhere */
            b[y * 12 + x] = 0.3f;
        }
    near(gx_sharpness(a, 1, 10, 12, 1, 0, 1), 0.05, 1e-6);
    near(gx_sharpness(a, 1, 10, 12, 1, -1, 1), 0.025, 1e-6);
    near(gx_sharpness(b, 1, 10, 12, 1, 0, 1), 0, 0);
    near(gx_sharpness(a, 1, 1, 12, 1, 0, 1), 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference), cmocka_unit_test(by_hand),   cmocka_unit_test(scales),
        cmocka_unit_test(crop),      cmocka_unit_test(sharpness),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
