/* Dropout and random values: their distribution, that a step replays, that steps and draws differ,
 * and dropout's gradients through the same zeros. */
#include "../test.h"
#include "gradcheck.h"

#include "ganx/plan.h"

#include <math.h>
#include <string.h>

static const struct gx_shape SIZE = {2, 32, 32, 17};

struct drawn {
    struct gx_graph *graph;
    struct gx_plan *plan;
};

static struct drawn plan_of(struct gx_graph *g)
{
    struct drawn d = {.graph = g};
    struct gx_err err;
    const struct gx_plan_settings settings = {.threads = 2};
    if (gx_plan_new(&d.plan, g, &settings, &err) || gx_plan_allocate(d.plan, &err))
        fail_msg("%s", err.text);
    return d;
}

static void release(struct drawn *d)
{
    gx_plan_free(&d->plan);
    gx_graph_free(&d->graph);
}

static void check_moments(const float *x, int64_t count, double mean, double deviation)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++)
        sum += x[i];
    sum /= (double)count;
    for (int64_t i = 0; i < count; i++)
        squares += (x[i] - sum) * (x[i] - sum);
    /* four standard errors */
    assert_true(fabs(sum - mean) < 4 * deviation / sqrt((double)count));
    assert_true(fabs(sqrt(squares / (double)count) / deviation - 1) < 4 / sqrt((double)count));
}

static void distributions(void **state)
{
    (void)state;
    struct gx_graph *g = gx_graph_new();
    struct gx_node *u = gx_keep(gx_uniform(g, SIZE, -1, 3));
    struct gx_node *z = gx_keep(gx_normal(g, SIZE, 0.5f, 2));
    struct drawn d = plan_of(g);
    gx_plan_run(d.plan, 0, 11, 0);
    const float *x = gx_plan_value(d.plan, u), *normal = gx_plan_value(d.plan, z);
    int beyond = 0;
    for (int64_t i = 0; i < gx_count(SIZE); i++) {
        assert_true(x[i] >= -1 && x[i] < 3);
        beyond += fabsf(normal[i] - 0.5f) > 4; /* two deviations: 4.55% */
    }
    check_moments(x, gx_count(SIZE), 1, 4 / sqrt(12));
    check_moments(normal, gx_count(SIZE), 0.5, 2);
    assert_true(fabs(beyond / (double)gx_count(SIZE) - 0.0455) < 0.004);
    release(&d);
}

static void replay(void **state)
{
    (void)state;
    static float first[2 * 32 * 32 * 17];
    struct gx_graph *g = gx_graph_new();
    struct gx_node *a = gx_keep(gx_normal(g, SIZE, 0, 1)), *b = gx_keep(gx_normal(g, SIZE, 0, 1));
    struct drawn d = plan_of(g);
    gx_plan_run(d.plan, 0, 11, 7);
    const float *x = gx_plan_value(d.plan, a), *y = gx_plan_value(d.plan, b);
    assert_memory_not_equal(x, y, sizeof first);
    memcpy(first, x, sizeof first);
    gx_plan_run(d.plan, 0, 11, 8);
    assert_memory_not_equal(first, x, sizeof first);
    gx_plan_run(d.plan, 0, 12, 7);
    assert_memory_not_equal(first, x, sizeof first);
    gx_plan_run(d.plan, 0, 11, 7);
    assert_memory_equal(first, x, sizeof first);
    release(&d);
}

/* Zeros as often as asked, the rest scaled, and the gradient through the same zeros. */
static void dropout(void **state)
{
    (void)state;
    const float p = 0.3f;
    struct gx_graph *g = gx_graph_new();
    struct gx_node *x = gx_constant(g, SIZE, 2), *dx[1];
    struct gx_node *y = gx_keep(gx_dropout(g, x, p));
    gx_gradients(g, y, NULL, &x, 1, dx);
    gx_keep(dx[0]);
    struct drawn d = plan_of(g);
    for (uint64_t step = 0; step < 2; step++) {
        gx_plan_run(d.plan, 0, 11, step);
        const float *value = gx_plan_value(d.plan, y), *gradient = gx_plan_value(d.plan, dx[0]);
        int zeros = 0;
        for (int64_t i = 0; i < gx_count(SIZE); i++) {
            zeros += value[i] == 0;
            assert_true(value[i] == 0 ? gradient[i] == 0 : fabsf(gradient[i] * 0.7f - 1) < 1e-6f);
            assert_true(value[i] == 0 || fabsf(value[i] * 0.35f - 1) < 1e-6f);
        }
        /* four standard errors of 34816 draws */
        assert_true(fabs(zeros / (double)gx_count(SIZE) - p) < 0.01);
    }
    release(&d);
}

static struct gx_node *build_dropout(struct gx_graph *g, struct gx_node *const *x)
{
    return gx_dropout(g, gx_mul(g, x[0], gx_dropout(g, x[0], 0.5f)), 0.3f);
}

static struct gx_node *build_kept(struct gx_graph *g, struct gx_node *const *x)
{
    return gx_square(g, gx_dropout(g, x[0], 0));
}

static void differences(void **state)
{
    (void)state;
    const struct op_case drop = {"dropout", build_dropout}, keep = {"kept", build_kept};
    check_differences_at(&drop, (struct gx_shape[]){{2, 3, 5, 3}, {0}});
    check_differences_at(&keep, (struct gx_shape[]){{1, 2, 3, 1}, {0}});
    check_threads(&drop, (struct gx_shape[]){{2, 32, 32, 17}, {0}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions),
        cmocka_unit_test(replay),
        cmocka_unit_test(dropout),
        cmocka_unit_test(differences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
