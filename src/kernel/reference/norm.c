/* Normalisation with given statistics, and its gradient once the sums are known. */
#include "kernel/reference/reference.h"

#include <math.h>

void gx_ref_norm(const float *x, const float *m, const float *weight, const float *bias, float eps,
                 float *y, int64_t groups, int64_t rows, int64_t c, int threads)
{
    (void)threads;
    for (int64_t g = 0; g < groups; g++, m += 2 * c)
        for (int64_t r = 0; r < rows; r++, x += c, y += c)
            for (int64_t k = 0; k < c; k++) {
                double xhat = ((double)x[k] - m[k]) / sqrt((double)m[c + k] + eps);
                y[k] = (float)(xhat * (weight ? weight[k] : 1) + (bias ? bias[k] : 0));
            }
}

void gx_ref_norm_dx(const float *g, const float *x, const float *m, const float *weight,
                    const float *s, float eps, float *dx, int64_t groups, int64_t rows, int64_t c,
                    int threads)
{
    (void)threads;
    double share = 1 / (double)rows;
    for (int64_t k = 0; k < groups; k++, m += 2 * c, s += 2 * c)
        for (int64_t r = 0; r < rows; r++, g += c, x += c, dx += c)
            for (int64_t j = 0; j < c; j++) {
                double rstd = 1 / sqrt((double)m[c + j] + eps);
                double xhat = ((double)x[j] - m[j]) * rstd;
                double inner = g[j] - s[j] * share - xhat * s[c + j] * share;
                dx[j] = (float)(rstd * inner * (weight ? weight[j] : 1));
            }
}
