/* Kind "spectral_norm": a discriminator with power iterations, trained for some steps to call one
 * batch real. Before them its output with u and v as they are stored; at each step the loss; at the
 * end every weight, u and v. */
#include "parity.h"

#include "ganx/loss.h"
#include "ganx/plan.h"
#include "optim/optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct judge {
    struct gx_network_spec spec;
    struct gx_params params;
    struct fixture_tensor x;
    struct gx_optim optim;
};

/* One tensor per parameter, by its name; other tensors may lie in the file. */
static int load(struct gx_params *params, struct gx_weights *file, struct gx_err *err)
{
    for (int i = 0; i < params->count; i++) {
        const struct gx_param *param = params->param[i];
        struct fixture_tensor t;
        int at = gx_weights_find(file, param->name);
        int64_t count = gx_count(param->shape);
        if (at < 0 || gx_weights_info(file, at)->count != count)
            return gx_fail(err, GX_E_FORMAT, "the fixture's '%s' is missing or of another size",
                           param->name);
        t.data = malloc((size_t)count * sizeof *t.data);
        int r = gx_weights_read(file, at, t.data, err);
        if (!r)
            gx_param_from_disk(param, t.data, param->data);
        free(t.data);
        if (r)
            return r;
    }
    return 0;
}

/* Its output, and with `training` the loss and the gradients of one step, as a graph. */
static struct gx_plan *planned(struct judge *j, struct gx_graph *g, bool training,
                               struct gx_node **x, struct gx_node **y, struct gx_err *err)
{
    const struct gx_plan_settings settings = {.threads = 0};
    struct gx_build build = {.graph = g,
                             .params = &j->params,
                             .spec = &j->spec,
                             .stats = GX_STATS_BATCH,
                             .update_running = training};
    struct gx_node *out[GX_OUTPUTS_MAX], *unused;
    struct gx_plan *plan = NULL;
    *x = gx_input(g, j->x.shape, "x");
    j->spec.network->build(&build, *x, NULL, out);
    *y = out[0];
    if (training) {
        gx_adversarial_find("non_saturating")->discriminator(g, out[0], out[0], y, &unused);
        gx_store_gradients(g, *y, &j->params);
    }
    gx_keep(*y);
    if (gx_plan_new(&plan, g, &settings, err) || gx_plan_allocate(plan, err))
        gx_plan_free(&plan);
    else
        memcpy(gx_plan_value(plan, *x), j->x.data, (size_t)gx_count(j->x.shape) * sizeof(float));
    return plan;
}

static int check_before(const struct fixture *f, struct judge *j, struct gx_weights *final,
                        double tolerance, struct gx_err *err)
{
    struct fixture_tensor want;
    struct gx_node *x, *y;
    int r = fixture_tensor(final, "output_eval_before", &want, err);
    if (r)
        return r;
    struct gx_graph *g = gx_graph_new();
    struct gx_plan *plan = planned(j, g, false, &x, &y, err);
    r = plan ? 0 : -GX_E_SHAPE;
    if (!r && !gx_shape_equal(y->shape, want.shape))
        r = gx_fail(err, GX_E_FORMAT, "'output_eval_before' has another shape");
    if (!r) {
        gx_plan_run(plan, 0, 1, 0);
        parity_check(f, fixture_deviation(gx_plan_value(plan, y), want.data, gx_count(want.shape)),
                     tolerance, "output before training");
    }
    gx_plan_free(&plan);
    gx_graph_free(&g);
    free(want.data);
    return r;
}

static int check_steps(const struct fixture *f, struct judge *j, struct gx_weights *final,
                       double tolerance, struct gx_err *err)
{
    const json_t *how = json_object_get(f->json, "optimizer");
    double steps = 0, lr = 0, worst = 0;
    struct fixture_tensor want = {.data = NULL};
    struct gx_node *x, *y;
    struct gx_plan *plan = NULL;
    struct gx_graph *g = gx_graph_new();
    int r;
    if (!(r = fixture_number(f->json, "steps", &steps, err)) &&
        !(r = fixture_number(how, "lr", &lr, err)) &&
        !(r = fixture_tensor(final, "losses", &want, err)) &&
        !(plan = planned(j, g, true, &x, &y, err)))
        r = -GX_E_SHAPE;
    if (!r && gx_count(want.shape) != (int64_t)steps)
        r = gx_fail(err, GX_E_FORMAT, "'losses' are not %g", steps);
    for (int i = 0; i < steps && !r; i++) {
        gx_plan_run(plan, 0, 1, (uint64_t)i);
        worst = fmax(worst, fixture_deviation(gx_plan_value(plan, y), &want.data[i], 1));
        gx_optim_step(&j->optim, lr, gx_kernels_best(), 1);
    }
    if (!r)
        parity_check(f, worst, tolerance, "losses of %g steps", steps);
    gx_plan_free(&plan);
    gx_graph_free(&g);
    free(want.data);
    return r;
}

/* Adam makes a full step of a gradient that is nearly zero, whatever its sign: weights are compared
 * by their mean difference; u and v by their largest. */
static int check_after(const struct fixture *f, struct judge *j, struct gx_weights *final,
                       double tolerance, struct gx_err *err)
{
    struct gx_params want;
    double weights = 0, state = 0;
    gx_params_init(&want);
    int r = gx_network_declare(&j->spec, &want, err);
    if (!r)
        r = gx_params_allocate(&want, err);
    if (!r)
        r = load(&want, final, err);
    for (int i = 0; i < want.count && !r; i++) {
        const struct gx_param *w = want.param[i], *got = j->params.param[i];
        int64_t count = gx_count(w->shape);
        double sum = 0, size = 1e-30;
        for (int64_t k = 0; k < count; k++) {
            sum += fabs((double)got->data[k] - w->data[k]);
            size += fabs(w->data[k]);
        }
        if (w->kind == GX_PARAM_STATE)
            state = fmax(state, fixture_deviation(got->data, w->data, count));
        else
            weights = fmax(weights, sum / size);
    }
    if (!r)
        parity_check(f, weights, tolerance, "weights after training");
    if (!r)
        parity_check(f, state, tolerance, "u and v after training");
    gx_params_clear(&want);
    return r;
}

static int start(const struct fixture *f, struct judge *j, struct gx_weights *init,
                 struct gx_err *err)
{
    const json_t *how = json_object_get(f->json, "optimizer");
    struct gx_optim_settings settings = gx_optim_defaults(GX_OPTIM_ADAM);
    settings.beta1 = fixture_value(how, "beta1", settings.beta1);
    settings.beta2 = fixture_value(how, "beta2", settings.beta2);
    settings.eps = fixture_value(how, "eps", settings.eps);
    int r;
    if (strcmp(fixture_word(how, "name", ""), "adam") ||
        strcmp(fixture_word(f->json, "loss", ""), "bce_with_logits") ||
        fixture_value(f->json, "target", 0) != 1)
        return gx_fail(err, GX_E_FORMAT, "only adam and bce_with_logits to 1 are known here");
    if ((r = fixture_spec(&j->spec, json_object_get(f->json, "net"), err)) ||
        (r = gx_network_declare(&j->spec, &j->params, err)) ||
        (r = gx_params_allocate(&j->params, err)) ||
        (r = gx_params_allocate_gradients(&j->params, err)) || (r = load(&j->params, init, err)) ||
        (r = gx_optim_init(&j->optim, &settings, &j->params, err)))
        return r;
    return fixture_tensor(init, "x", &j->x, err);
}

int parity_spectral_norm(const struct fixture *f, struct gx_err *err)
{
    const json_t *files = json_object_get(f->json, "files");
    struct judge j = {.x = {.data = NULL}};
    struct gx_weights *init = NULL, *final = NULL;
    const char *name;
    double tolerance;
    int r;
    if (!fixture_networks_known(f, json_object_get(f->json, "net")))
        return 0;
    gx_params_init(&j.params);
    if (!(r = fixture_number(f->json, "tolerance", &tolerance, err)) &&
        !(r = fixture_text(files, "init", &name, err)) &&
        !(r = fixture_open(f, name, &init, err)) &&
        !(r = fixture_text(files, "final", &name, err)) &&
        !(r = fixture_open(f, name, &final, err)) && !(r = start(f, &j, init, err)) &&
        !(r = check_before(f, &j, final, tolerance, err)) &&
        !(r = check_steps(f, &j, final, tolerance, err)))
        r = check_after(f, &j, final, tolerance, err);
    gx_weights_close(&init);
    gx_weights_close(&final);
    gx_optim_clear(&j.optim);
    gx_params_clear(&j.params);
    free(j.x.data);
    return r;
}
