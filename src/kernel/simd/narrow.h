/* Convolutions that write few channels. There the tiles are mostly padding, or copying a pixel for
 * each tap that meets it costs much beside the few multiplications. So each source pixel is
 * multiplied with the whole kernel, whose (kh, kw, channels) are the columns, and the results are
 * added where they belong: dx of a convolution of few input channels, and y of one of stride 1 and
 * few output channels, unless dots.h does it better. dw of the latter is the like product over the pixels of x. */
#ifndef GX_KERNEL_NARROW_H
#define GX_KERNEL_NARROW_H

#include "kernel/simd/block.h"

/* Whether the product is better done here. Depends on kernel and channels only. */
bool GX_TIERED(narrow_is)(const struct gx_conv_sizes *s, enum gx_conv_product product);

/* As the members of struct gx_kernels; scratch is gx_work of each thread. */
GX_KERNEL_TYPE(conv2d) GX_TIERED(narrow_y);
GX_KERNEL_TYPE(conv2d_dx) GX_TIERED(narrow_dx);
GX_KERNEL_TYPE(conv2d_dw) GX_TIERED(narrow_dw);

#endif
