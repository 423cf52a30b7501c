/* Weights of 16 bits take half the memory and half the time to come from there. They are widened
 * where they are packed or transformed, a few at a time that stay in the first cache; arithmetic is
 * float32's. */
#ifndef GX_KERNEL_HALF_H
#define GX_KERNEL_HALF_H

#include "kernel/simd/block.h"
#include "util/half.h"

/* Weights where they lie: GX_F32, GX_F16 or GX_BF16. */
struct gx_weight {
    const void *at;
    enum gx_dtype dtype;
};

static inline struct gx_weight gx_weight_at(struct gx_weight w, int64_t elements)
{
    return (struct gx_weight){(const char *)w.at + elements * (w.dtype == GX_F32 ? 4 : 2), w.dtype};
}

/* One of them. */
static inline float gx_weight_one(struct gx_weight w, int64_t at)
{
    if (w.dtype == GX_F32)
        return ((const float *)w.at)[at];
    uint16_t half = ((const uint16_t *)w.at)[at];
    return w.dtype == GX_F16 ? gx_half_to_float(half) : gx_bfloat_to_float(half);
}

/* to (count) = the weights from w on. */
void GX_TIERED(widen)(struct gx_weight w, int64_t count, float *to);

/* As pack and pack_transposed (block.h), of such weights. */
void GX_TIERED(pack_weights)(struct gx_weight b, int64_t ldb, int depth, int cols, float *slab);
void GX_TIERED(pack_weights_transposed)(struct gx_weight b, int64_t ldb, int at, int depth,
                                        int total, int cols, float *slab);

#endif
