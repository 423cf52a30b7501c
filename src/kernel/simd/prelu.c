/* PReLU and its derivative: slopes are repeated until they fill a row worth a loop. */
#include "kernel/simd/block.h"

enum { ROW = GX_TILE }; /* most slopes that are held */

/* y = sign > 0 ? x : slope x; `each`: slope[i], else slope[0]. */
static void run(const float *x, const float *sign, const float *slope, bool each, float *y,
                int64_t n)
{
    const float one = slope[0];
    if (each) {
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] = sign[i] > 0.0f ? x[i] : slope[i] * x[i];
    } else {
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] = sign[i] > 0.0f ? x[i] : one * x[i];
    }
}

/* Rows of slopes of their own, so many taken as one that they fill `held`. */
static void run_rows(const float *x, const float *sign, const float *slopes, float *y, int64_t rows,
                     int64_t c)
{
    float held[ROW];
    int64_t fold = ROW / c;
    for (int64_t i = 0; i < fold * c; i++)
        held[i] = slopes[i % c];
    for (int64_t r = 0; r < rows; r += fold ? fold : 1) {
        int64_t n = fold ? gx_least(fold, rows - r) * c : c;
        run(x + r * c, sign + r * c, fold ? held : slopes, true, y + r * c, n);
    }
}

void GX_TIERED(prelu)(const float *x, const float *sign, const float *slopes, bool each, float *y,
                      int64_t rows, int64_t c, int threads)
{
    const int parts = gx_parts(rows * c, threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (int p = 0; p < parts; p++) {
        int64_t from = gx_share(rows, 16, p, parts),
                count = gx_share(rows, 16, p + 1, parts) - from;
        int64_t at = from * c;
        if (each)
            run_rows(x + at, sign + at, slopes, y + at, count, c);
        else
            run(x + at, sign + at, slopes, false, y + at, count * c);
    }
}
