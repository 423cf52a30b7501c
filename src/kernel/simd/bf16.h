/* Convolutions in bfloat16 on the matrix unit that some x86 processors have (Intel's AMX): sixteen
 * times as many multiplications a cycle as in float32. Weights are bfloat16 already; pictures are
 * rounded to it; sums are float32. */
#ifndef GX_KERNEL_BF16_H
#define GX_KERNEL_BF16_H

#include "kernel/simd/block.h"

/* As the members of struct gx_kernels. */
struct gx_bf16 {
    GX_KERNEL_TYPE(conv2d) * y;
    GX_KERNEL_TYPE(conv2d_dx) * dx;
    size_t (*scratch)(int threads);
};

/* NULL: the product is not done here. It is for weights of bfloat16, where this processor has the
 * unit and one position's depth fits into the cache. */
const struct gx_bf16 *GX_TIERED(bf16_of)(const struct gx_conv_sizes *s,
                                         enum gx_conv_product product);

#endif
