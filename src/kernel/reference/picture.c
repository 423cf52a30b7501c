/* Scaling and bytes, number by number. */
#include "kernel/reference/reference.h"

#include <math.h>

void gx_ref_blend_rows(const float *const *x, const float *weight, int taps, float *y,
                       int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int k = 0; k < taps; k++)
            sum += (double)weight[k] * x[k][i];
        y[i] = (float)sum;
    }
}

void gx_ref_blend_pixels(const struct gx_blend *t, const float *const *x, bool beyond,
                         float *const *y, int rows, int w, int out, int c)
{
    (void)beyond;
    (void)w;
    for (int row = 0; row < rows; row++)
        for (int i = 0; i < out; i++)
            for (int j = 0; j < c; j++) {
                double sum = 0;
                for (int k = 0; k < t->count[i]; k++)
                    sum += (double)t->weight[i * t->most + k] * x[row][(t->first[i] + k) * c + j];
                y[row][i * c + j] = (float)sum;
            }
}

void gx_ref_bytes_to_floats(const uint8_t *x, float *y, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i];
}

void gx_ref_floats_to_bytes(const float *x, uint8_t *y, int64_t count, float lo, float scale)
{
    for (int64_t i = 0; i < count; i++) {
        float v = (x[i] - lo) * scale;
        y[i] = (uint8_t)lrintf(255 * (v > 0 ? v < 1 ? v : 1 : 0));
    }
}
