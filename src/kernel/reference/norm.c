/* Normalisation with given statistics, and its gradient once the sums are known. */
#include "kernel/reference/reference.h"

#include <math.h>

void gx_ref_norm(const float *x, const float *m, const float *weight, const struct gx_after *after,
                 float eps, float *y, int64_t y_step, int64_t groups, int64_t rows, int64_t c,
                 int threads)
{
    (void)threads;
    for (int64_t row = 0; row < groups * rows; row++, x += c, y += y_step ? y_step : c) {
        const float *mean = m + row / rows * 2 * c;
        for (int64_t k = 0; k < c; k++) {
            double xhat = ((double)x[k] - mean[k]) / sqrt((double)mean[c + k] + eps);
            y[k] = gx_ref_after(after, xhat * (weight ? weight[k] : 1), row, (int)k, (int)c);
        }
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
