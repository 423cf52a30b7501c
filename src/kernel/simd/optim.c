/* Optimizer steps: one fused sweep, so that each array crosses the memory bus once. */
#include "kernel/simd/simd.h"
#include "kernel/simd/parts.h"

#include <math.h>

/* Runs `body` for every index, in equal parts on the threads. It adds to `odd` what is 0 of finite
 * numbers and no number of others; `finite` becomes whether the sum of all is 0. */
/* clang-format off */
#define SWEEP(n, threads, finite, body)                                                            \
    do {                                                                                           \
        const int parts = gx_parts(n, threads);                                                    \
        float all = 0;                                                                             \
        _Pragma("omp parallel for num_threads(parts) schedule(static) reduction(+ : all)")         \
        for (int p = 0; p < parts; p++) {                                                          \
            const int64_t to = gx_share(n, 16, p + 1, parts);                                      \
            float odd = 0;                                                                         \
            _Pragma("omp simd reduction(+ : odd)")                                                 \
            for (int64_t i = gx_share(n, 16, p, parts); i < to; i++)                               \
                body                                                                               \
            all += odd;                                                                            \
        }                                                                                          \
        finite = all == 0;                                                                         \
    } while (0)
/* clang-format on */

bool GX_TIERED(adam)(float *w, const float *g, float *m, float *v, int64_t n, float lr, float beta1,
                     float beta2, float eps, float correction1, float correction2, float decay,
                     float scale, int threads)
{
    const float rate = lr / correction1, root = 1.0f / sqrtf(correction2);
    bool finite;
    SWEEP(n, threads, finite, {
        const float d = scale * g[i] + decay * w[i];
        odd += g[i] - g[i];
        const float first = beta1 * m[i] + (1.0f - beta1) * d;
        const float second = beta2 * v[i] + (1.0f - beta2) * d * d;
        m[i] = first;
        v[i] = second;
        w[i] -= rate * first / (sqrtf(second) * root + eps);
    });
    return finite;
}

bool GX_TIERED(rmsprop)(float *w, const float *g, float *v, int64_t n, float lr, float alpha,
                        float eps, float decay, float scale, int threads)
{
    bool finite;
    SWEEP(n, threads, finite, {
        const float d = scale * g[i] + decay * w[i];
        odd += g[i] - g[i];
        const float second = alpha * v[i] + (1.0f - alpha) * d * d;
        v[i] = second;
        w[i] -= lr * d / (sqrtf(second) + eps);
    });
    return finite;
}

bool GX_TIERED(sgd)(float *w, const float *g, float *m, int64_t n, float lr, float momentum,
                    bool nesterov, bool first, float decay, float scale, int threads)
{
    bool finite;
    if (momentum == 0.0f) {
        SWEEP(n, threads, finite, {
            odd += g[i] - g[i];
            w[i] -= lr * (scale * g[i] + decay * w[i]);
        });
        return finite;
    }
    SWEEP(n, threads, finite, {
        const float d = scale * g[i] + decay * w[i];
        odd += g[i] - g[i];
        const float moment = first ? d : momentum * m[i] + d;
        m[i] = moment;
        w[i] -= lr * (nesterov ? d + momentum * moment : moment);
    });
    return finite;
}

void GX_TIERED(average)(float *average, const float *w, int64_t n, float decay, int threads)
{
    const int parts = gx_parts(n, threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (int p = 0; p < parts; p++) {
        const int64_t to = gx_share(n, 16, p + 1, parts);
#pragma omp simd
        for (int64_t i = gx_share(n, 16, p, parts); i < to; i++)
            average[i] = decay * average[i] + (1.0f - decay) * w[i];
    }
}

static double squares(const float *x, int64_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

double GX_TIERED(sum_squares)(const float *x, int64_t n, int threads)
{
    enum { MOST = 256 };
    double part[MOST], sum = 0;
    int parts = gx_parts(n, threads);
    if (parts == 1)
        return squares(x, n);
    parts = parts < MOST ? parts : MOST;
#pragma omp parallel for num_threads(parts) schedule(static)
    for (int p = 0; p < parts; p++) {
        int64_t from = gx_share(n, 16, p, parts);
        part[p] = squares(x + from, gx_share(n, 16, p + 1, parts) - from);
    }
    for (int p = 0; p < parts; p++)
        sum += part[p];
    return sum;
}
