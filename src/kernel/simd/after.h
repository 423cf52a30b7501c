/* What becomes of a convolution's sums (struct gx_after), while they are in registers or in the
 * nearest cache. */
#ifndef GX_KERNEL_AFTER_H
#define GX_KERNEL_AFTER_H

#include "kernel/simd/block.h"

/* Whether there is more to do than to add a bias. */
static inline bool gx_after_more(const struct gx_after *a)
{
    return a && (a->gated || a->scale != 1 || a->residual.x);
}

static inline const float *gx_after_bias_of(const struct gx_after *a)
{
    return a ? a->bias : NULL;
}

/* For channels from n on, of a result of c channels: the same without those before. */
static inline struct gx_after gx_after_from(const struct gx_after *a, int n, int c)
{
    struct gx_after b = *a;
    b.bias = a->bias ? a->bias + n : NULL;
    b.slopes = a->slopes ? a->slopes + n : NULL;
    b.gate = (struct gx_beside){a->gate.x ? a->gate.x + n : NULL, a->gate.step ? a->gate.step : c};
    b.residual = (struct gx_beside){a->residual.x ? a->residual.x + n : NULL,
                                    a->residual.step ? a->residual.step : c};
    return b;
}

/* A vector of `count` channels of a pixel, the sums with their bias added; all of `a` is for the
 * first of the channels. */
static inline vf gx_after_vector(const struct gx_after *a, vf v, int64_t pixel, int count)
{
    if (a->gated) {
        vf sign = a->gate.x ? gx_load_some(a->gate.x + pixel * a->gate.step, count) : v;
        vf slope = a->slopes ? gx_load_some(a->slopes, count) : gx_splat(a->slope);
        vi above = sign > 0;
        v = (vf)((above & (vi)v) | (~above & (vi)(slope * v)));
    }
    v *= a->scale;
    if (a->residual.x)
        v += gx_load_some(a->residual.x + pixel * a->residual.step, count);
    return v;
}

/* The same for `cols` channels that lie in memory. */
static inline void gx_after_row(const struct gx_after *a, float *y, int64_t pixel, int cols)
{
    for (int n = 0; n < cols; n += GX_LANES) {
        int count = gx_least(GX_LANES, cols - n);
        struct gx_after at = gx_after_from(a, n, 0);
        gx_store_some(y + n, gx_after_vector(&at, gx_load_some(y + n, count), pixel, count), count);
    }
}

#endif
