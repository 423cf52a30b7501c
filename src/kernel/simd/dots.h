/* Convolutions that write few channels from many: tiles of tile.h would be mostly padding. Each
 * result is the dot product of the picture under the kernel, whose rows are runs of kw c floats as
 * they lie, with the weights of its channel: lanes are source channels, a register tile is some
 * pixels side by side times some channels, and the lanes are summed at the end. */
#ifndef GX_KERNEL_DOTS_H
#define GX_KERNEL_DOTS_H

#include "kernel/simd/half.h"

/* Whether the product is better done so. Depends on kernel and channels only. */
bool GX_TIERED(dots_is)(const struct gx_conv_sizes *s, enum gx_conv_product product);

/* The weight of tap (ky,kx) from channel c to channel n is element ky row + kx col + n out + c in. */
struct gx_weights {
    struct gx_weight w;
    int64_t row, col, out, in;
};

/* Share `id` of `threads` of the lines of the windows on n pictures, to `outs` channels. */
void GX_TIERED(dots)(const struct gx_windows *windows, const struct gx_target *to,
                     const struct gx_weights *weights, int n, int outs, int id, int threads,
                     const struct gx_after *after, struct gx_work work);

#endif
