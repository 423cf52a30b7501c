/* Scaling, and bytes for floats and back. Rows are blended some vectors at a time, which stay in
 * registers while the taps run. Pixels of three and four channels are a vector of four floats each,
 * those of four rows at a time, so that a weight is loaded once for them, and the sums of even and
 * odd taps apart: eight that do not wait for each other. */
#include "kernel/simd/simd.h"

#include <string.h>

enum { WIDE = 8 /* vectors of a row */, ROWS = 4 /* at a time */ };

static inline void blend_some(const float *const *x, const float *weight, int taps, int64_t at,
                              float *y, int vectors)
{
    vf sum[WIDE] = {{0}};
    for (int k = 0; k < taps; k++) {
        const float *row = x[k] + at;
        const vf w = gx_splat(weight[k]);
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++)
            sum[j] += w * gx_load(row + j * GX_LANES);
    }
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++)
        gx_store(y + at + j * GX_LANES, sum[j]);
}

void GX_TIERED(blend_rows)(const float *const *x, const float *weight, int taps, float *y,
                           int64_t count)
{
    int64_t at = 0;
    for (; at + WIDE * GX_LANES <= count; at += WIDE * GX_LANES)
        blend_some(x, weight, taps, at, y, WIDE);
    for (; at + GX_LANES <= count; at += GX_LANES)
        blend_some(x, weight, taps, at, y, 1);
    for (; at < count; at++) {
        float sum = 0;
        for (int k = 0; k < taps; k++)
            sum += weight[k] * x[k][at];
        y[at] = sum;
    }
}

/* ---- pixels ---- */

/* A pixel of any number of channels. */
static void blend_one(const struct gx_blend *t, const float *x, int i, int c, float *y)
{
    const float *weight = t->weight + (int64_t)i * t->most;
    x += (int64_t)t->first[i] * c;
    for (int j = 0; j < c; j++) {
        float sum = 0;
        for (int k = 0; k < t->count[i]; k++)
            sum += weight[k] * x[(int64_t)k * c + j];
        y[j] = sum;
    }
}

/* A pixel of c = 3 or 4 in each row; with 3 a fourth float, which is the next pixel's, is read, and
 * written if it may be. */
static inline void blend_four(const struct gx_blend *t, const float *const *x, int i, int c,
                              bool spill, float *const *y)
{
    const float *weight = t->weight + (int64_t)i * t->most;
    const int64_t at = (int64_t)t->first[i] * c;
    const int count = t->count[i];
    vf4 even[ROWS] = {{0}}, odd[ROWS] = {{0}};
    int k = 0;
    for (; k + 1 < count; k += 2)
#pragma GCC unroll 4
        for (int j = 0; j < ROWS; j++) {
            even[j] += weight[k] * *(const vf4 *)(x[j] + at + k * c);
            odd[j] += weight[k + 1] * *(const vf4 *)(x[j] + at + k * c + c);
        }
#pragma GCC unroll 4
    for (int j = 0; j < ROWS; j++) {
        if (k < count)
            even[j] += weight[k] * *(const vf4 *)(x[j] + at + k * c);
        even[j] += odd[j];
        if (spill)
            *(vf4 *)(y[j] + (int64_t)i * c) = even[j];
        else
            memcpy(y[j] + (int64_t)i * c, &even[j], (size_t)c * sizeof(float));
    }
}

static inline void blend_fours(const struct gx_blend *t, const float *const *x, bool beyond,
                               float *const *y, int w, int out, int c)
{
    for (int i = 0; i < out; i++)
        if (c == 4 || beyond || t->first[i] + t->count[i] < w)
            blend_four(t, x, i, c, c == 4 || i + 1 < out, y);
        else
            for (int j = 0; j < ROWS; j++)
                blend_one(t, x[j], i, c, y[j] + (int64_t)i * c);
}

void GX_TIERED(blend_pixels)(const struct gx_blend *t, const float *const *x, bool beyond,
                             float *const *y, int rows, int w, int out, int c)
{
    for (int row = 0; row < rows; row += ROWS) {
        const float *from[ROWS];
        float *to[ROWS];
        for (int j = 0; j < ROWS; j++) { /* where there are too few the last one is done again */
            from[j] = x[row + j < rows ? row + j : rows - 1];
            to[j] = y[row + j < rows ? row + j : rows - 1];
        }
        if (c == 3)
            blend_fours(t, from, beyond, to, w, out, 3);
        else if (c == 4)
            blend_fours(t, from, beyond, to, w, out, 4);
        else
            for (int j = 0; j < ROWS && row + j < rows; j++)
                for (int i = 0; i < out; i++)
                    blend_one(t, from[j], i, c, to[j] + (int64_t)i * c);
    }
}

/* ---- bytes ---- */

void GX_TIERED(bytes_to_floats)(const uint8_t *restrict x, float *restrict y, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        y[i] = x[i];
}

/* Adding it leaves a number's nearest integer, if that is small, in the lowest bits. */
#define ROUNDER 0x1.8p23f

void GX_TIERED(floats_to_bytes)(const float *restrict x, uint8_t *restrict y, int64_t count,
                                float lo, float scale)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        float v = (x[i] - lo) * scale;
        float above = v > 0 ? v : 0; /* and what is no number is 0 */
        float rounded = (above < 1 ? above : 1) * 255 + ROUNDER;
        int32_t bits;
        memcpy(&bits, &rounded, sizeof bits);
        y[i] = (uint8_t)bits;
    }
}
