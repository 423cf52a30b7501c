#include "optim/optim.h"

#include "util/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {"adam", "rmsprop", "sgd"};

int gx_optim_kind_named(const char *name)
{
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, kind_names[i]))
            return i;
    return -1;
}

struct gx_optim_settings gx_optim_defaults(enum gx_optim_kind kind)
{
    return (struct gx_optim_settings){
        .kind = kind, .beta1 = 0.9, .beta2 = 0.999, .alpha = 0.99, .eps = 1e-8};
}

static bool has_m(const struct gx_optim_settings *s)
{
    return s->kind == GX_OPTIM_ADAM || (s->kind == GX_OPTIM_SGD && s->momentum != 0);
}

static bool has_v(const struct gx_optim_settings *s)
{
    return s->kind != GX_OPTIM_SGD;
}

static int check_settings(const struct gx_optim_settings *s, struct gx_err *err)
{
    const struct {
        const char *name;
        double value;
        bool used;
    } below_one[] = {{"beta1", s->beta1, s->kind == GX_OPTIM_ADAM},
                     {"beta2", s->beta2, s->kind == GX_OPTIM_ADAM},
                     {"alpha", s->alpha, s->kind == GX_OPTIM_RMSPROP},
                     {"momentum", s->momentum, s->kind == GX_OPTIM_SGD}};
    for (int i = 0; i < 4; i++)
        if (below_one[i].used && !(below_one[i].value >= 0 && below_one[i].value < 1))
            return gx_fail(err, GX_E_CONFIG, "optimizer %s: %s is %g, not in [0, 1)",
                           kind_names[s->kind], below_one[i].name, below_one[i].value);
    if (has_v(s) && !((float)s->eps > 0))
        return gx_fail(err, GX_E_CONFIG, "optimizer %s: eps is %g, not above 0",
                       kind_names[s->kind], s->eps);
    if (!(s->weight_decay >= 0 && s->clip_norm >= 0 && s->clamp >= 0))
        return gx_fail(err, GX_E_CONFIG, "optimizer %s: weight decay and limits cannot be negative",
                       kind_names[s->kind]);
    if (s->kind == GX_OPTIM_SGD && s->nesterov && s->momentum == 0)
        return gx_fail(err, GX_E_CONFIG, "optimizer sgd: nesterov needs momentum");
    return 0;
}

static size_t moment_bytes(const struct gx_params *params)
{
    return (size_t)params->trained * sizeof(float);
}

size_t gx_optim_bytes(const struct gx_optim_settings *settings, const struct gx_params *params)
{
    return moment_bytes(params) * (size_t)(has_m(settings) + has_v(settings));
}

int gx_optim_init(struct gx_optim *optim, const struct gx_optim_settings *settings,
                  const struct gx_params *params, struct gx_err *err)
{
    *optim = (struct gx_optim){.settings = *settings, .params = params};
    int code = check_settings(settings, err);
    if (code)
        return code;
    if (has_m(settings))
        optim->m = gx_block_new(moment_bytes(params));
    if (has_v(settings))
        optim->v = gx_block_new(moment_bytes(params));
    if ((has_m(settings) && !optim->m) || (has_v(settings) && !optim->v))
        return gx_fail(err, GX_E_NOMEM, "cannot allocate %zu bytes for the optimizer's moments",
                       gx_optim_bytes(settings, params));
    return 0;
}

void gx_optim_restart(struct gx_optim *optim)
{
    float *const block[] = {optim->m, optim->v};
    for (int i = 0; i < 2; i++)
        if (block[i])
            memset(block[i], 0, moment_bytes(optim->params));
    optim->t = 0;
}

void gx_optim_clear(struct gx_optim *optim)
{
    if (optim->params) {
        gx_block_free(optim->m, moment_bytes(optim->params));
        gx_block_free(optim->v, moment_bytes(optim->params));
    }
    *optim = (struct gx_optim){0};
}

bool gx_optim_step(struct gx_optim *optim, double lr, const struct gx_kernels *kernels, int threads)
{
    const struct gx_optim_settings *s = &optim->settings;
    float *w = optim->params->data;
    const float *grad = optim->params->grad;
    int64_t n = optim->params->trained;
    float scale = 1, decay = (float)s->weight_decay, rate = (float)lr;
    if (s->clip_norm > 0) {
        optim->norm = sqrt(kernels->sum_squares(grad, n, threads));
        scale = (float)fmin(1, s->clip_norm / (optim->norm + 1e-6));
    }
    bool first = optim->t++ == 0, finite = true;
    /* The corrections are those of the betas as the kernel sees them, rounded to float: they then
     * undo exactly what the moments lack. */
    float beta1 = (float)s->beta1, beta2 = (float)s->beta2;
    switch (s->kind) {
    case GX_OPTIM_ADAM:
        finite = kernels->adam(w, grad, optim->m, optim->v, n, rate, beta1, beta2, (float)s->eps,
                               (float)(1 - pow(beta1, (double)optim->t)),
                               (float)(1 - pow(beta2, (double)optim->t)), decay, scale, threads);
        break;
    case GX_OPTIM_RMSPROP:
        finite = kernels->rmsprop(w, grad, optim->v, n, rate, (float)s->alpha, (float)s->eps, decay,
                                  scale, threads);
        break;
    case GX_OPTIM_SGD:
        finite = kernels->sgd(w, grad, optim->m, n, rate, (float)s->momentum, s->nesterov, first,
                              decay, scale, threads);
        break;
    }
    if (s->clamp > 0)
        kernels->unary(GX_CLAMP, w, w, n, -(float)s->clamp, (float)s->clamp, threads);
    return finite;
}

float *gx_optim_state(const struct gx_optim *optim, int i, const struct gx_param **param,
                      const char **name)
{
    const char *const m_name =
        optim->settings.kind == GX_OPTIM_ADAM ? "exp_avg" : "momentum_buffer";
    const char *const v_name = optim->settings.kind == GX_OPTIM_ADAM ? "exp_avg_sq" : "square_avg";
    int arrays = (optim->m != NULL) + (optim->v != NULL);
    if (!arrays)
        return NULL;
    int wanted = i / arrays;
    bool second = i % arrays == 1 || !optim->m;
    for (int k = 0; k < optim->params->count; k++) {
        const struct gx_param *p = optim->params->param[k];
        if (!gx_param_trained(p) || wanted-- > 0)
            continue;
        *param = p;
        *name = second ? v_name : m_name;
        return (second ? optim->v : optim->m) + p->offset;
    }
    return NULL;
}

/* One sweep over a block with the offsets of params; a second one only to name the culprit. */
static int check_block(const struct gx_params *params, const float *block, int64_t floats,
                       bool trained, const char *what, const struct gx_kernels *kernels,
                       int threads, struct gx_err *err)
{
    if (isfinite(kernels->sum_squares(block, floats, threads)))
        return 0;
    for (int i = 0; i < params->count; i++) {
        const struct gx_param *p = params->param[i];
        if ((!trained || gx_param_trained(p)) &&
            !isfinite(kernels->sum_squares(block + p->offset, gx_count(p->shape), threads)))
            return gx_fail(err, GX_E_NUMERIC, "the %s'%s' is not finite", what, p->name);
    }
    return gx_fail(err, GX_E_NUMERIC, "the %snetwork is not finite", what);
}

int gx_optim_check(const struct gx_params *params, const struct gx_kernels *kernels, int threads,
                   struct gx_err *err)
{
    return check_block(params, params->grad, params->trained, true, "gradient of ", kernels,
                       threads, err);
}

int gx_optim_check_weights(const struct gx_params *params, const struct gx_kernels *kernels,
                           int threads, struct gx_err *err)
{
    return check_block(params, params->data, params->total, false, "", kernels, threads, err);
}

size_t gx_average_bytes(const struct gx_params *params)
{
    return (size_t)params->total * sizeof(float);
}

int gx_average_init(struct gx_average *average, const struct gx_params *params, double decay,
                    struct gx_err *err)
{
    *average = (struct gx_average){.params = params, .decay = decay};
    if (!(decay >= 0 && decay < 1))
        return gx_fail(err, GX_E_CONFIG, "the decay of averaged weights is %g, not in [0, 1)",
                       decay);
    average->data = gx_block_new(gx_average_bytes(params));
    if (!average->data)
        return gx_fail(err, GX_E_NOMEM, "cannot allocate %zu bytes for averaged weights",
                       gx_average_bytes(params));
    gx_average_restart(average);
    return 0;
}

void gx_average_restart(struct gx_average *average)
{
    memcpy(average->data, average->params->data, gx_average_bytes(average->params));
}

void gx_average_clear(struct gx_average *average)
{
    if (average->data)
        gx_block_free(average->data, gx_average_bytes(average->params));
    *average = (struct gx_average){0};
}

void gx_average_update(struct gx_average *average, const struct gx_kernels *kernels, int threads)
{
    const struct gx_params *p = average->params;
    kernels->average(average->data, p->data, p->trained, (float)average->decay, threads);
    memcpy(average->data + p->trained, p->data + p->trained,
           (size_t)(p->total - p->trained) * sizeof(float));
}

void gx_average_swap(struct gx_average *average)
{
    float *w = average->params->data, *a = average->data;
    for (int64_t i = 0; i < average->params->total; i++) {
        float held = w[i];
        w[i] = a[i];
        a[i] = held;
    }
}
