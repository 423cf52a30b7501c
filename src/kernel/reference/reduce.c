/* Sums over rows and over everything, in double. */
#include "kernel/reference/reference.h"

#include <math.h>

size_t gx_ref_reduce_scratch(int64_t outer, int64_t rows, int64_t cols, int threads)
{
    (void)outer, (void)rows, (void)cols, (void)threads;
    return 0;
}

void gx_ref_sum_rows(const float *x, float *y, int64_t outer, int64_t rows, int64_t cols,
                     void *scratch, int threads)
{
    (void)scratch, (void)threads;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t c = 0; c < cols; c++) {
            double sum = 0;
            for (int64_t r = 0; r < rows; r++)
                sum += x[(o * rows + r) * cols + c];
            y[o * cols + c] = (float)sum;
        }
}

void gx_ref_moments(const float *x, float *m, int64_t groups, int64_t rows, int64_t c,
                    void *scratch, int threads)
{
    (void)scratch, (void)threads;
    for (int64_t g = 0; g < groups; g++, x += rows * c, m += 2 * c)
        for (int64_t k = 0; k < c; k++) {
            double sum = 0, square = 0;
            for (int64_t r = 0; r < rows; r++)
                sum += x[r * c + k];
            double mean = sum / (double)rows;
            for (int64_t r = 0; r < rows; r++)
                square += (x[r * c + k] - mean) * (x[r * c + k] - mean);
            m[k] = (float)mean;
            m[c + k] = (float)(square / (double)rows);
        }
}

void gx_ref_norm_sums(const float *g, const float *x, const float *m, float eps, float *s,
                      int64_t groups, int64_t rows, int64_t c, void *scratch, int threads)
{
    (void)scratch, (void)threads;
    for (int64_t k = 0; k < groups; k++, g += rows * c, x += rows * c, m += 2 * c, s += 2 * c)
        for (int64_t j = 0; j < c; j++) {
            double rstd = 1 / sqrt((double)m[c + j] + eps), plain = 0, product = 0;
            for (int64_t r = 0; r < rows; r++) {
                plain += g[r * c + j];
                product += g[r * c + j] * ((double)x[r * c + j] - m[j]) * rstd;
            }
            s[j] = (float)plain;
            s[c + j] = (float)product;
        }
}

double gx_ref_sum_squares(const float *x, int64_t n, int threads)
{
    (void)threads;
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i] * x[i];
    return sum;
}
