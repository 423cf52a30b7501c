/* Optimizer steps, one parameter at a time; the formulas are torch.optim's. */
#include "kernel/reference/reference.h"

#include <math.h>

bool gx_ref_adam(float *w, const float *g, float *m, float *v, int64_t n, float lr, float beta1,
                 float beta2, float eps, float correction1, float correction2, float decay,
                 float scale, int threads)
{
    (void)threads;
    bool finite = true;
    for (int64_t i = 0; i < n; i++) {
        float d = scale * g[i] + decay * w[i];
        finite = finite && isfinite(g[i]);
        m[i] = beta1 * m[i] + (1 - beta1) * d;
        v[i] = beta2 * v[i] + (1 - beta2) * d * d;
        w[i] -= lr / correction1 * (m[i] / (sqrtf(v[i]) / sqrtf(correction2) + eps));
    }
    return finite;
}

bool gx_ref_rmsprop(float *w, const float *g, float *v, int64_t n, float lr, float alpha, float eps,
                    float decay, float scale, int threads)
{
    (void)threads;
    bool finite = true;
    for (int64_t i = 0; i < n; i++) {
        float d = scale * g[i] + decay * w[i];
        finite = finite && isfinite(g[i]);
        v[i] = alpha * v[i] + (1 - alpha) * d * d;
        w[i] -= lr * (d / (sqrtf(v[i]) + eps));
    }
    return finite;
}

bool gx_ref_sgd(float *w, const float *g, float *m, int64_t n, float lr, float momentum,
                bool nesterov, bool first, float decay, float scale, int threads)
{
    (void)threads;
    bool finite = true;
    for (int64_t i = 0; i < n; i++) {
        float d = scale * g[i] + decay * w[i];
        finite = finite && isfinite(g[i]);
        if (momentum != 0) {
            m[i] = first ? d : momentum * m[i] + d;
            d = nesterov ? d + momentum * m[i] : m[i];
        }
        w[i] -= lr * d;
    }
    return finite;
}

void gx_ref_average(float *average, const float *w, int64_t n, float decay, int threads)
{
    (void)threads;
    for (int64_t i = 0; i < n; i++)
        average[i] = decay * average[i] + (1 - decay) * w[i];
}
