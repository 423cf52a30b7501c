/* What becomes of a convolution's sums (struct gx_after), while they are in registers or in the
 * nearest cache. */
#ifndef GX_KERNEL_AFTER_H
#define GX_KERNEL_AFTER_H

#include "kernel/simd/block.h"

/* Whether there is more to do than to add a bias. */
static inline bool gx_after_more(const struct gx_after *a)
{
    return a && (a->gated || a->sums);
}

/* Whether that is an activation of one slope, and no more. */
static inline bool gx_after_activates(const struct gx_after *a)
{
    return a->gated && !a->gate.x && !a->slopes && !a->sums;
}

static inline const float *gx_after_bias_of(const struct gx_after *a)
{
    return a ? a->bias : NULL;
}

static inline struct gx_beside gx_beside_from(struct gx_beside b, int n, int c)
{
    return (struct gx_beside){b.x ? b.x + n : NULL, b.step ? b.step : c};
}

/* For channels from n on, of a result of c channels: the same without those before. */
static inline struct gx_after gx_after_from(const struct gx_after *a, int n, int c)
{
    struct gx_after b = *a;
    b.bias = a->bias ? a->bias + n : NULL;
    b.slopes = a->slopes ? a->slopes + n : NULL;
    b.gate = gx_beside_from(a->gate, n, c);
    for (int k = 0; k < a->sums; k++)
        b.sum[k].with = gx_beside_from(a->sum[k].with, n, c);
    return b;
}

static inline vf gx_leaky(vf v, vf sign, vf slope)
{
    vi above = sign > 0;
    return (vf)((above & (vi)v) | (~above & (vi)(slope * v)));
}

/* A vector of `count` channels of a pixel, the sums with their bias added; all of `a` is for the
 * first of the channels. */
static inline vf gx_after_vector(const struct gx_after *a, vf v, int64_t pixel, int count)
{
    if (a->gated) {
        vf sign = a->gate.x ? gx_load_some(a->gate.x + pixel * a->gate.step, count) : v;
        vf slope = a->slopes ? gx_load_some(a->slopes, count) : gx_splat(a->slope);
        v = gx_leaky(v, sign, slope);
    }
    for (int k = 0; k < a->sums; k++) {
        const struct gx_beside *with = &a->sum[k].with;
        v *= a->sum[k].scale;
        if (with->x)
            v += gx_load_some(with->x + pixel * with->step, count);
    }
    return v;
}

/* The same for `cols` channels that lie in memory. */
static inline void gx_after_row(const struct gx_after *a, float *y, int64_t pixel, int cols)
{
    int n = 0;
    bool activation_alone = gx_after_activates(a);
    vf slope = gx_splat(a->slope);
    for (; activation_alone && n + GX_LANES <= cols; n += GX_LANES) {
        vf v = gx_load(y + n);
        gx_store(y + n, gx_leaky(v, v, slope));
    }
    for (; n < cols; n += GX_LANES) {
        int count = gx_least(GX_LANES, cols - n);
        struct gx_after at = gx_after_from(a, n, 0);
        gx_store_some(y + n, gx_after_vector(&at, gx_load_some(y + n, count), pixel, count), count);
    }
}

#endif
