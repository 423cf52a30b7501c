/* Layers: which statistics a norm uses, and how it moves the stored ones. */
#include "../test.h"

#include "ganx/plan.h"
#include "net/layers.h"

#include <math.h>
#include <string.h>

/* Two pictures of two pixels; mean 3, variance 14/4 (14/3 unbiased). */
static const struct gx_shape shape = {2, 1, 2, 1};
static const float x[] = {1, 2, 3, 6};

struct normed {
    float y[4], mean, var;
};

enum layer { BATCH, INSTANCE, TRACKED };

/* Runs a norm over x, its weight 2, bias 1, running mean 0.5 and variance 4 (as far as it has
 * them). */
static struct normed run(enum layer layer, enum gx_stats stats, bool update)
{
    struct gx_params params;
    struct gx_plan *plan = NULL;
    struct gx_graph *g = gx_graph_new();
    const struct gx_plan_settings settings = {.threads = 1};
    struct gx_build b = {.graph = g, .params = &params, .stats = stats, .update_running = update};
    gx_params_init(&params);
    struct gx_node *in = gx_input(g, shape, "x"), *y;
    if (layer == TRACKED)
        y = gx_layer_instance_norm_tracked(&b, in, "norm");
    else
        y = gx_layer_norm(&b, in, layer == BATCH ? GX_NORM_BATCH : GX_NORM_INSTANCE, "norm");
    gx_keep(y);
    assert_int_equal(gx_params_allocate(&params, NULL), 0);
    assert_int_equal(gx_plan_new(&plan, g, &settings, NULL), 0);
    assert_int_equal(gx_plan_allocate(plan, NULL), 0);

    struct gx_param *mean = gx_params_find(&params, "norm.running_mean");
    struct gx_param *var = gx_params_find(&params, "norm.running_var");
    struct normed result = {.mean = NAN, .var = NAN};
    assert_int_equal(params.count, layer == INSTANCE ? 0 : 4);
    if (mean && var) {
        *gx_params_find(&params, "norm.weight")->data = 2;
        *gx_params_find(&params, "norm.bias")->data = 1;
        *mean->data = 0.5F;
        *var->data = 4;
    }
    memcpy(gx_plan_value(plan, in), x, sizeof x);
    gx_plan_run(plan, 0, 1, 0);
    memcpy(result.y, gx_plan_value(plan, y), sizeof result.y);
    if (mean && var) {
        result.mean = *mean->data;
        result.var = *var->data;
    }
    gx_plan_free(&plan);
    gx_graph_free(&g);
    gx_params_clear(&params);
    return result;
}

static void check(const float *y, const double *want)
{
    for (int i = 0; i < 4; i++)
        assert_float_equal(y[i], want[i], 1e-4);
}

static void test_batch(void **state)
{
    (void)state;
    struct normed still = run(BATCH, GX_STATS_BATCH, false),
                  moved = run(BATCH, GX_STATS_BATCH, true);
    double s = 2 / sqrt(3.5);
    check(still.y, (double[]){1 - 2 * s, 1 - s, 1, 1 + 3 * s});
    check(moved.y, (double[]){1 - 2 * s, 1 - s, 1, 1 + 3 * s});
    assert_float_equal(still.mean, 0.5, 0);
    assert_float_equal(still.var, 4, 0);
    assert_float_equal(moved.mean, 0.9 * 0.5 + 0.1 * 3, 1e-6);
    assert_float_equal(moved.var, 0.9 * 4 + 0.1 * 14 / 3, 1e-6);
}

static void test_running(void **state)
{
    (void)state;
    struct normed batch = run(BATCH, GX_STATS_RUNNING, true);
    check(batch.y, (double[]){1.5, 2.5, 3.5, 6.5}); /* (x - 0.5) / 2 * 2 + 1 */
    assert_float_equal(batch.mean, 0.5, 0);
    check(run(TRACKED, GX_STATS_RUNNING, false).y, (double[]){1.5, 2.5, 3.5, 6.5});
}

/* Each picture on its own: (1, 2) and (3, 6) both become (-1, 1). */
static void test_instance(void **state)
{
    (void)state;
    check(run(INSTANCE, GX_STATS_BATCH, true).y, (double[]){-1, 1, -1, 1});
    check(run(INSTANCE, GX_STATS_RUNNING, false).y, (double[]){-1, 1, -1, 1});
    struct normed tracked = run(TRACKED, GX_STATS_BATCH, true);
    check(tracked.y, (double[]){-1, 3, -1, 3});
    assert_float_equal(tracked.mean, 0.9 * 0.5 + 0.1 * (1.5 + 4.5) / 2, 1e-6);
    assert_float_equal(tracked.var, 0.9 * 4 + 0.1 * (0.5 + 4.5) / 2, 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch),
        cmocka_unit_test(test_running),
        cmocka_unit_test(test_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
