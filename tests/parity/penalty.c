/* Kind "gradient_penalty": the slope of D at x, the penalty on it, and the penalty's gradient to
 * every weight: a gradient of a gradient through the whole network. */
#include "parity.h"

#include "ganx/loss.h"
#include "ganx/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest difference of any weight's gradient over the l2 norm of all of them. */
static int gradients_deviation(const struct gx_params *params, struct gx_weights *data,
                               double *deviation, struct gx_err *err)
{
    double worst = 0, square = 0;
    int r = 0;
    for (int i = 0; i < params->count && !r; i++) {
        const struct gx_param *param = params->param[i];
        size_t count = (size_t)gx_count(param->shape);
        char name[256];
        if (!gx_param_trained(param))
            continue;
        snprintf(name, sizeof name, "grad.%s", param->name);
        int at = gx_weights_find(data, name);
        if (at < 0) /* PyTorch has none where the penalty does not depend on the weight */
            continue;
        if (gx_weights_info(data, at)->count != gx_count(param->shape))
            return gx_fail(err, GX_E_FORMAT, "tensor '%s' has another size", name);
        float *want = malloc(count * sizeof *want), *got = malloc(count * sizeof *got);
        r = gx_weights_read(data, at, want, err);
        gx_param_to_disk(param, param->grad, got);
        for (size_t k = 0; k < count && !r; k++) {
            double d = fabs((double)got[k] - want[k]);
            if (!(d <= worst))
                worst = isnan(worst) ? worst : d;
            square += (double)want[k] * want[k];
        }
        free(want);
        free(got);
    }
    if (!r && !(square > 0))
        r = gx_fail(err, GX_E_FORMAT, "the fixture has no gradients");
    *deviation = worst / sqrt(square);
    return r;
}

struct wanted {
    struct fixture_tensor x, dx, penalty;
};

static int run(const struct fixture *f, const struct gx_network_spec *spec,
               struct gx_params *params, const struct wanted *want, struct gx_weights *data,
               struct gx_err *err)
{
    int output = (int)fixture_value(f->json, "output", 0);
    const char *stats = fixture_word(f->json, "stats", "batch");
    double tolerance, gradients = 0;
    struct gx_graph *g = gx_graph_new();
    struct gx_plan *plan = NULL;
    const struct gx_plan_settings settings = {.threads = 0};
    struct gx_build build = {.graph = g,
                             .params = params,
                             .spec = spec,
                             .stats = strcmp(stats, "running") ? GX_STATS_BATCH : GX_STATS_RUNNING};
    struct gx_node *x = gx_input(g, want->x.shape, "x"), *out[GX_OUTPUTS_MAX], *dx;
    int outputs = spec->network->build(&build, x, NULL, out);
    if (output < 0 || output >= outputs)
        gx_graph_fail(g, GX_E_SHAPE, "the network has no output %d", output), output = 0;
    gx_gradients(g, out[output], NULL, &x, 1, &dx);
    if (dx)
        gx_keep(dx);
    else
        gx_graph_fail(g, GX_E_SHAPE, "output %d does not depend on the input", output);
    struct gx_node *penalty =
        gx_keep(gx_gradient_penalty(g, out[output], x, (float)fixture_value(f->json, "centre", 1),
                                    json_is_true(json_object_get(f->json, "one_sided"))));
    gx_store_gradients(g, penalty, params);

    int r = fixture_number(f->json, "tolerance", &tolerance, err);
    if (!r)
        r = gx_plan_new(&plan, g, &settings, err);
    if (!r)
        r = gx_plan_allocate(plan, err);
    if (!r) {
        memcpy(gx_plan_value(plan, x), want->x.data, (size_t)gx_count(x->shape) * sizeof(float));
        gx_plan_run(plan, 0, 1, 0);
        r = gradients_deviation(params, data, &gradients, err);
    }
    if (!r) {
        const float *slope = gx_plan_value(plan, dx), *value = gx_plan_value(plan, penalty);
        parity_check(f, fixture_deviation(slope, want->dx.data, gx_count(want->dx.shape)),
                     tolerance, "dx");
        parity_check(f, fixture_deviation(value, want->penalty.data, 1), tolerance, "penalty");
        parity_check(f, gradients, tolerance, "gradients of the penalty");
    }
    gx_plan_free(&plan);
    gx_graph_free(&g);
    return r;
}

int parity_gradient_penalty(const struct fixture *f, struct gx_err *err)
{
    const json_t *net = json_object_get(f->json, "net");
    const char *file;
    struct gx_network_spec spec;
    struct gx_weights *data = NULL;
    struct gx_params params;
    struct wanted want = {.x = {.data = NULL}};
    int r;
    if (!fixture_networks_known(f, net))
        return 0;
    gx_params_init(&params);
    if (!(r = fixture_text(f->json, "data", &file, err)) &&
        !(r = fixture_open(f, file, &data, err)) && !(r = fixture_spec(&spec, net, err)) &&
        !(r = fixture_params(&spec, &params, data, "weights.", err)) &&
        !(r = gx_params_allocate_gradients(&params, err)) &&
        !(r = fixture_tensor(data, "x", &want.x, err)) &&
        !(r = fixture_tensor(data, "dx", &want.dx, err)) &&
        !(r = fixture_tensor(data, "penalty", &want.penalty, err))) {
        if (gx_shape_equal(want.x.shape, want.dx.shape))
            r = run(f, &spec, &params, &want, data, err);
        else
            r = gx_fail(err, GX_E_FORMAT, "'x' and 'dx' have different shapes");
    }
    free(want.x.data);
    free(want.dx.data);
    free(want.penalty.data);
    gx_weights_close(&data);
    gx_params_clear(&params);
    return r;
}
