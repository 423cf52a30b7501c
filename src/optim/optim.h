/* Optimizers over the trained part of a network's parameters: one sweep over contiguous memory.
 *
 * With d = scale * gradient + weight_decay * w (L2 decay, as torch.optim; scale is from clipping):
 *   adam     m = beta1 m + (1 - beta1) d,  v = beta2 v + (1 - beta2) d^2,
 *            w -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)   Kingma, Ba 2015
 *   rmsprop  v = alpha v + (1 - alpha) d^2,  w -= lr * d / (sqrt(v) + eps)
 *   sgd      m = momentum m + d (the first time m = d),  w -= lr * (nesterov ? d + momentum m : m)
 * Parity: torch.optim.Adam, RMSprop and SGD in float32, to rounding.
 *
 * The padding between tensors has zero weights and gradients, and stays zero. */
#ifndef GX_OPTIM_OPTIM_H
#define GX_OPTIM_OPTIM_H

#include "ganx/params.h"
#include "kernel/kernel.h"

enum gx_optim_kind { GX_OPTIM_ADAM, GX_OPTIM_RMSPROP, GX_OPTIM_SGD };

struct gx_optim_settings {
    enum gx_optim_kind kind;
    double beta1, beta2; /* adam: [0, 1) */
    double alpha;        /* rmsprop: [0, 1) */
    double momentum;     /* sgd: [0, 1) */
    bool nesterov;       /* sgd; needs momentum */
    double eps;          /* adam, rmsprop: > 0 */
    double weight_decay; /* >= 0 */
    double clip_norm;    /* longer gradients are scaled to this length; 0: never */
    double clamp;        /* weights are clamped to [-clamp, clamp] after each step; 0: never */
};

struct gx_optim {
    struct gx_optim_settings settings;
    const struct gx_params *params; /* borrowed, until cleared too */
    float *m, *v;                   /* moments in the order of params->grad, or NULL */
    int64_t t;                      /* steps taken; saved with the moments */
    double norm; /* length of the last gradient before clipping; 0 without clip_norm */
};

/* torch's defaults: adam .9 .999 1e-8, rmsprop alpha .99 eps 1e-8, sgd without momentum. */
struct gx_optim_settings gx_optim_defaults(enum gx_optim_kind kind);
/* "adam", "rmsprop", "sgd"; -1 for another name. */
int gx_optim_kind_named(const char *name);

/* Bytes that init will allocate; params must be laid out (gx_params_layout), not allocated. */
size_t gx_optim_bytes(const struct gx_optim_settings *settings, const struct gx_params *params);
/* Zero moments for params, which it borrows. -GX_E_CONFIG names a setting out of range;
 * -GX_E_NOMEM. clear is legal after a failure. */
GX_MUST_CHECK int gx_optim_init(struct gx_optim *optim, const struct gx_optim_settings *settings,
                                const struct gx_params *params, struct gx_err *err);
void gx_optim_clear(struct gx_optim *optim);
/* As after init: no moments, no steps. */
void gx_optim_restart(struct gx_optim *optim);

/* One step with params->grad. Clipping is torch.nn.utils.clip_grad_norm_: scale is
 * min(1, clip_norm / (norm + 1e-6)) over the whole network's gradient, which is left as it is.
 * Gives whether the gradient was finite: if not, weights and moments are lost, and gx_optim_check
 * says where. */
bool gx_optim_step(struct gx_optim *optim, double lr, const struct gx_kernels *kernels,
                   int threads);

/* State for checkpoints, t aside: the i-th array of gx_count((*param)->shape) floats in memory's
 * order (gx_param_to_disk gives torch's), with torch's name for it: "exp_avg", "exp_avg_sq",
 * "square_avg" or "momentum_buffer". NULL past the end. */
float *gx_optim_state(const struct gx_optim *optim, int i, const struct gx_param **param,
                      const char **name);

/* 0, or -GX_E_NUMERIC naming the first parameter whose gradient is not finite. One sweep. */
GX_MUST_CHECK int gx_optim_check(const struct gx_params *params, const struct gx_kernels *kernels,
                                 int threads, struct gx_err *err);

/* The same for the weights and statistics themselves. */
GX_MUST_CHECK int gx_optim_check_weights(const struct gx_params *params,
                                         const struct gx_kernels *kernels, int threads,
                                         struct gx_err *err);

/* An exponential moving average of the weights; statistics are copied, not averaged. */
struct gx_average {
    const struct gx_params *params; /* borrowed, until cleared too */
    float *data;                    /* params->total floats, in its order */
    double decay;                   /* average = decay average + (1 - decay) w */
};

size_t gx_average_bytes(const struct gx_params *params);
/* Starts from the weights as they are now. decay in [0, 1), else -GX_E_CONFIG; -GX_E_NOMEM. */
GX_MUST_CHECK int gx_average_init(struct gx_average *average, const struct gx_params *params,
                                  double decay, struct gx_err *err);
void gx_average_clear(struct gx_average *average);
/* Starts over from the weights as they are now. */
void gx_average_restart(struct gx_average *average);
void gx_average_update(struct gx_average *average, const struct gx_kernels *kernels, int threads);
/* Exchanges average and weights: evaluate or save between two calls. */
void gx_average_swap(struct gx_average *average);

#endif
