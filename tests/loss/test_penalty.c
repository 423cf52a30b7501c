/* Gradient penalties where they are easy to get wrong. Through whole discriminators they are held
 * against PyTorch's by build/tests/parity. */
#include "../test.h"

#include "ganx/loss.h"
#include "ganx/plan.h"

#include <string.h>

/* y = x^2 in one pixel: the gradient 2x has norm 2|x|, at 0 too, where nothing may become NaN. */
static void test_zero_gradient(void **state)
{
    (void)state;
    struct gx_graph *g = gx_graph_new();
    struct gx_node *x = gx_input(g, (struct gx_shape){3, 1, 1, 1}, "x"), *dx;
    struct gx_node *norm = gx_keep(gx_gradient_norm(g, gx_square(g, x), x));
    struct gx_node *penalty = gx_keep(gx_gradient_penalty(g, gx_square(g, x), x, 1, false));
    gx_gradients(g, penalty, NULL, &x, 1, &dx);
    gx_keep(dx);
    struct gx_plan *plan = NULL;
    const struct gx_plan_settings settings = {.threads = 1};
    assert_int_equal(gx_plan_new(&plan, g, &settings, NULL), 0);
    assert_int_equal(gx_plan_allocate(plan, NULL), 0);
    memcpy(gx_plan_value(plan, x), (float[]){0, 2, -1}, 3 * sizeof(float));
    gx_plan_run(plan, 0, 1, 0);
    const float *n = gx_plan_value(plan, norm), *d = gx_plan_value(plan, dx);
    assert_float_equal(n[0], 0, 1e-6);
    assert_float_equal(n[1], 4, 1e-5);
    assert_float_equal(n[2], 2, 1e-5);
    assert_float_equal(*gx_plan_value(plan, penalty), (1.0 + 9 + 1) / 3, 1e-5);
    /* d/dx (2|x| - 1)^2 / 3 = 4 sign(x) (2|x| - 1) / 3 */
    assert_float_equal(d[0], 0, 1e-6);
    assert_float_equal(d[1], 4, 1e-5);
    assert_float_equal(d[2], -4.0 / 3, 1e-5);
    gx_plan_free(&plan);
    gx_graph_free(&g);
}

/* The same slopes, 0, 4 and 2 long, under the other penalties; and their gradients. */
static void test_centres_and_sides(void **state)
{
    (void)state;
    static const struct {
        float centre;
        bool one_sided;
        float value, dx[3];
    } rows[] = {
        {1, true, (9 + 1) / 3.0F, {0, 4, -4 / 3.0F}},
        {3, true, 1 / 3.0F, {0, 4 / 3.0F, 0}},
        {3, false, (9 + 1 + 1) / 3.0F, {0, 4 / 3.0F, 4 / 3.0F}},
        {0, false, (16 + 4) / 3.0F, {0, 16 / 3.0F, -8 / 3.0F}}, /* 4 x^2 */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gx_graph *g = gx_graph_new();
        struct gx_node *x = gx_input(g, (struct gx_shape){3, 1, 1, 1}, "x"), *dx;
        struct gx_node *penalty =
            gx_keep(gx_gradient_penalty(g, gx_square(g, x), x, rows[i].centre, rows[i].one_sided));
        gx_gradients(g, penalty, NULL, &x, 1, &dx);
        gx_keep(dx);
        struct gx_plan *plan = NULL;
        const struct gx_plan_settings settings = {.threads = 1};
        assert_int_equal(gx_plan_new(&plan, g, &settings, NULL), 0);
        assert_int_equal(gx_plan_allocate(plan, NULL), 0);
        memcpy(gx_plan_value(plan, x), (float[]){0, 2, -1}, 3 * sizeof(float));
        gx_plan_run(plan, 0, 1, 0);
        assert_float_equal(*gx_plan_value(plan, penalty), rows[i].value, 1e-5);
        for (int k = 0; k < 3; k++)
            assert_float_equal(gx_plan_value(plan, dx)[k], rows[i].dx[k], 1e-5);
        gx_plan_free(&plan);
        gx_graph_free(&g);
    }
}

static void test_interpolates(void **state)
{
    (void)state;
    struct gx_graph *g = gx_graph_new();
    struct gx_shape shape = {4, 3, 3, 2};
    struct gx_node *real = gx_constant(g, shape, 1), *fake = gx_constant(g, shape, 0);
    struct gx_node *mixed = gx_keep(gx_interpolate(g, real, fake));
    struct gx_plan *plan = NULL;
    const struct gx_plan_settings settings = {.threads = 1};
    assert_int_equal(gx_plan_new(&plan, g, &settings, NULL), 0);
    assert_int_equal(gx_plan_allocate(plan, NULL), 0);
    gx_plan_run(plan, 0, 7, 0);
    const float *m = gx_plan_value(plan, mixed);
    for (int n = 0; n < shape.n; n++) { /* one share for all of a picture, another for the next */
        assert_true(m[n * 18] >= 0 && m[n * 18] < 1);
        assert_true(!n || m[n * 18] != m[n * 18 - 18]);
        for (int i = 1; i < 18; i++)
            assert_true(m[n * 18 + i] == m[n * 18]);
    }
    gx_plan_free(&plan);
    gx_graph_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_gradient),
        cmocka_unit_test(test_centres_and_sides),
        cmocka_unit_test(test_interpolates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
