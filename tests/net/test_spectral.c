/* Spectral norm: one iteration a training pass, in the order of the passes, none otherwise. Whole
 * networks with it are held against PyTorch's by build/tests/parity. */
#include "../test.h"

#include "ganx/network.h"
#include "ganx/plan.h"
#include "net/spectral.h"

#include <math.h>
#include <string.h>

enum { KH = 2, KW = 3, IN = 3, OUT = 4, COLUMNS = IN * KH * KW };
static const struct gx_shape shape = {KH, KW, IN, OUT};

static struct gx_params declared(const struct gx_network_spec *spec)
{
    struct gx_params params;
    gx_params_init(&params);
    assert_int_equal(gx_network_declare(spec, &params, NULL), 0);
    assert_int_equal(gx_params_allocate(&params, NULL), 0);
    gx_params_initialise(&params, GX_INIT_NORMAL, 0.5, 3, "D");
    return params;
}

/* The definition, on the matrix (o, i kh kw). */
static double reference(const float *w, double *u, double *v, bool iterate)
{
    double norm = 0, sigma = 0;
    for (int c = 0; c < COLUMNS && iterate; c++) {
        v[c] = 0;
        for (int o = 0; o < OUT; o++)
            v[c] += w[o * COLUMNS + c] * u[o];
        norm += v[c] * v[c];
    }
    for (int c = 0; c < COLUMNS && iterate; c++)
        v[c] /= sqrt(norm);
    norm = 0;
    for (int o = 0; o < OUT && iterate; o++) {
        u[o] = 0;
        for (int c = 0; c < COLUMNS; c++)
            u[o] += w[o * COLUMNS + c] * v[c];
        norm += u[o] * u[o];
    }
    for (int o = 0; o < OUT && iterate; o++)
        u[o] /= sqrt(norm);
    for (int o = 0; o < OUT; o++)
        for (int c = 0; c < COLUMNS; c++)
            sigma += u[o] * w[o * COLUMNS + c] * v[c];
    return sigma;
}

/* Passes T (training) and . (use) in one graph and phase, run twice: the sigma of each. */
static void test_order_of_iterations(void **state)
{
    (void)state;
    static const char passes[] = ".TT.T";
    enum { PASSES = sizeof passes - 1 };
    struct gx_params params;
    struct gx_node *made[PASSES];
    struct gx_plan *plan = NULL;
    struct gx_graph *g = gx_graph_new();
    struct gx_build build = {.graph = g, .params = &params};
    gx_params_init(&params);
    for (int i = 0; i < PASSES; i++) {
        build.update_running = passes[i] == 'T';
        made[i] = gx_keep(gx_spectral_weight(&build, shape, "conv"));
    }
    assert_int_equal(gx_params_allocate(&params, NULL), 0);
    gx_params_initialise(&params, GX_INIT_NORMAL, 1, 1, "D");
    const struct gx_plan_settings settings = {.threads = 2};
    assert_int_equal(gx_plan_new(&plan, g, &settings, NULL), 0);
    assert_int_equal(gx_plan_allocate(plan, NULL), 0);

    const struct gx_param *weight = gx_params_find(&params, "conv.weight_orig");
    const float *pu = gx_params_find(&params, "conv.weight_u")->data;
    const float *pv = gx_params_find(&params, "conv.weight_v")->data;
    float disk[OUT * COLUMNS];
    double u[OUT], v[COLUMNS];
    gx_param_to_disk(weight, weight->data, disk);
    for (int o = 0; o < OUT; o++)
        u[o] = pu[o];
    for (int c = 0; c < COLUMNS; c++)
        v[c] = pv[c];
    for (int run = 0; run < 2; run++) {
        gx_plan_run(plan, 0, 1, (uint64_t)run);
        for (int i = 0; i < PASSES; i++) {
            double sigma = reference(disk, u, v, passes[i] == 'T');
            for (int k = 0; k < OUT * COLUMNS; k++)
                assert_float_equal(gx_plan_value(plan, made[i])[k], weight->data[k] / sigma, 2e-6);
        }
        for (int o = 0; o < OUT; o++)
            assert_float_equal(pu[o], u[o], 1e-6);
        for (int c = 0; c < COLUMNS; c++)
            assert_float_equal(pv[c], v[c], 1e-6);
    }
    gx_plan_free(&plan);
    gx_graph_free(&g);
    gx_params_clear(&params);
}

/* A gradient that is asked for after a later training pass belongs to the u and v of its own: the
 * derivative of sum(c W / sigma) with sigma = u^T W v, by differences of the definition. */
static void test_gradient_keeps_its_state(void **state)
{
    (void)state;
    struct gx_params params;
    struct gx_graph *g = gx_graph_new();
    struct gx_build build = {.graph = g, .params = &params};
    gx_params_init(&params);
    struct gx_node *used = gx_spectral_weight(&build, shape, "conv"), *dw;
    build.update_running = true;
    gx_spectral_weight(&build, shape, "conv");
    struct gx_param *weight = gx_params_find(&params, "conv.weight_orig");
    struct gx_node *w = gx_parameter(g, weight);
    gx_gradients(g, gx_sum(g, gx_square(g, used), GX_AXES_ALL), NULL, &w, 1, &dw);
    gx_keep(dw);
    assert_int_equal(gx_params_allocate(&params, NULL), 0);
    gx_params_initialise(&params, GX_INIT_NORMAL, 1, 1, "D");
    struct gx_plan *plan = NULL;
    const struct gx_plan_settings settings = {.threads = 1};
    assert_int_equal(gx_plan_new(&plan, g, &settings, NULL), 0);
    assert_int_equal(gx_plan_allocate(plan, NULL), 0);

    float disk[OUT * COLUMNS], got[OUT * COLUMNS];
    double u[OUT], v[COLUMNS];
    gx_param_to_disk(weight, weight->data, disk);
    for (int o = 0; o < OUT; o++)
        u[o] = gx_params_find(&params, "conv.weight_u")->data[o];
    for (int c = 0; c < COLUMNS; c++)
        v[c] = gx_params_find(&params, "conv.weight_v")->data[c];
    gx_plan_run(plan, 0, 1, 0);
    gx_param_to_disk(weight, gx_plan_value(plan, dw), got);
    double sigma = reference(disk, u, v, false), square = 0;
    for (int k = 0; k < OUT * COLUMNS; k++)
        square += disk[k] * disk[k];
    for (int o = 0; o < OUT; o++) /* 2 W / sigma^2 - 2 |W|^2 / sigma^3 u v^T */
        for (int c = 0; c < COLUMNS; c++) {
            double want = 2 * disk[o * COLUMNS + c] / (sigma * sigma) -
                          2 * square / (sigma * sigma * sigma) * u[o] * v[c];
            assert_float_equal(got[o * COLUMNS + c], want, 2e-5 * (1 + fabs(want)));
        }
    gx_plan_free(&plan);
    gx_graph_free(&g);
    gx_params_clear(&params);
}

static void test_names(void **state)
{
    (void)state;
    struct gx_network_spec spec;
    assert_int_equal(gx_spec_from_name(&spec, "patchgan", NULL), 0);
    assert_int_equal(gx_spec_set_word(&spec, "spectral", "yes", NULL), 0);
    struct gx_params params = declared(&spec);
    int plain = 0, orig = 0;
    for (int i = 0; i < params.count; i++) {
        plain += params.param[i]->kind == GX_PARAM_CONV &&
                 !strstr(params.param[i]->name, ".weight_orig");
        orig += !!strstr(params.param[i]->name, ".weight_orig");
    }
    assert_int_equal(plain, 0);
    assert_int_equal(orig, 5);
    const struct gx_param *u = gx_params_find(&params, "model.2.weight_u");
    const struct gx_param *v = gx_params_find(&params, "model.2.weight_v");
    assert_int_equal(gx_count(u->shape), 128);
    assert_int_equal(gx_count(v->shape), 64 * 16);
    double length = 0;
    for (int i = 0; i < 128; i++)
        length += u->data[i] * u->data[i];
    assert_float_equal(length, 1, 1e-5);
    assert_false(gx_param_trained(u) || gx_param_trained(v));
    gx_params_clear(&params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_iterations),
        cmocka_unit_test(test_gradient_keeps_its_state),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
