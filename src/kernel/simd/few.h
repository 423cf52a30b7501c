/* Convolutions of few pixels and large weights, whose time is that of reading or writing the
 * weights once. Each is done tap by tap with w[tap] (i,o) in its place, in the order in which it
 * lies, on the pairs of a pixel of x and one of y that meet under that tap: for y, rows of w times
 * numbers of x are added to rows of y; for dx, each row of w is multiplied with the rows of g; dw
 * is the outer products of the pairs' rows. Taps that meet only padding are not read. Weights
 * of 16 bits are widened a few rows at a time. */
#ifndef GX_KERNEL_FEW_H
#define GX_KERNEL_FEW_H

#include "kernel/simd/block.h"

/* Whether the product is better done here. Depends on sizes only. */
bool GX_TIERED(few_is)(const struct gx_conv_sizes *s, enum gx_conv_product product);

/* As the members of struct gx_kernels; scratch is gx_work of each thread, dw 64-byte aligned. */
GX_KERNEL_TYPE(conv2d) GX_TIERED(few_y);
GX_KERNEL_TYPE(conv2d_dx) GX_TIERED(few_dx);
GX_KERNEL_TYPE(conv2d_dw) GX_TIERED(few_dw);

#endif
