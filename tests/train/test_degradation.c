/* degrade.* of the configuration is what Real-ESRGAN's numbers are, until it says otherwise. */
#include "../test.h"
#include "config/options.h"
#include "config/resolve.h"
#include "train/degradation.h"

#include <string.h>

static void same(const double *a, const double *b, int count)
{
    for (int i = 0; i < count; i++)
        assert_true(a[i] == b[i]);
}

static void same_stage(const struct gx_degrade_stage *a, const struct gx_degrade_stage *b)
{
    same(&a->blur.prob, &b->blur.prob, 1);
    same(a->blur.size, b->blur.size, 2);
    same(a->blur.shape_prob, b->blur.shape_prob, GX_BLUR_SHAPES);
    same(&a->blur.sinc_prob, &b->blur.sinc_prob, 1);
    same(a->blur.sigma, b->blur.sigma, 2);
    same(a->blur.betag, b->blur.betag, 2);
    same(a->blur.betap, b->blur.betap, 2);
    same(a->resize_prob, b->resize_prob, 3);
    same(a->resize_range, b->resize_range, 2);
    same(&a->noise_prob, &b->noise_prob, 1);
    same(&a->gaussian_prob, &b->gaussian_prob, 1);
    same(a->gaussian_range, b->gaussian_range, 2);
    same(a->poisson_range, b->poisson_range, 2);
    same(&a->grey_prob, &b->grey_prob, 1);
    same(&a->jpeg_prob, &b->jpeg_prob, 1);
    same(a->jpeg_range, b->jpeg_range, 2);
}

static void defaults(void **state)
{
    (void)state;
    struct gx_config c;
    struct gx_degrading d;
    const struct gx_degradation *known = &gx_degradation_defaults;
    assert_int_equal(gx_config_init(&c, "sr", NULL), 0);
    assert_int_equal(gx_degrading_init(&d, &c, NULL), 0);
    assert_int_equal(d.training.kind, known->kind);
    assert_int_equal(d.training.eight_bit, known->eight_bit);
    assert_int_equal(d.training.margin, known->margin);
    same(&d.training.final_sinc_prob, &known->final_sinc_prob, 1);
    for (int i = 0; i < 2; i++)
        same_stage(&d.training.stage[i], &known->stage[i]);
    assert_int_equal(d.usm.radius, gx_usm_defaults.radius);
    assert_true(d.usm.weight == gx_usm_defaults.weight);
    assert_true(d.usm.threshold == gx_usm_defaults.threshold);
    gx_config_clear(&c);
}

static void set(struct gx_config *c, const char *key, const char *value)
{
    struct gx_err err;
    if (gx_option_parse(gx_option_by_key(key), c, value, &err))
        fail_msg("%s", err.text);
}

static void said(void **state)
{
    (void)state;
    struct gx_config c;
    struct gx_degrading d;
    struct gx_err err;
    assert_int_equal(gx_config_init(&c, "sr", NULL), 0);
    set(&c, "degrade.kind", "real");
    set(&c, "degrade.eight_bit", "false");
    set(&c, "degrade.blur_sigma", "1,2.5");
    set(&c, "degrade.jpeg_range2", "40,41");
    assert_int_equal(gx_degrading_init(&d, &c, &err), 0);
    assert_int_equal(d.training.kind, GX_DEGRADE_REAL);
    assert_int_equal(d.held.kind, GX_DEGRADE_BICUBIC);
    assert_false(d.held.eight_bit);
    assert_true(d.training.stage[0].blur.sigma[1] == 2.5);
    assert_true(d.training.stage[1].jpeg_range[0] == 40);
    set(&c, "degrade.jpeg_range2", "42,41");
    assert_int_equal(gx_degrading_init(&d, &c, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "degrade.jpeg_range2 is 42,41"));
    gx_config_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(defaults), cmocka_unit_test(said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
