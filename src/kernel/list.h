/* The members of struct gx_kernels as lists, so that the prototypes and the tables of every tier
 * are written once: X(member). */
#ifndef GX_KERNEL_LIST_H
#define GX_KERNEL_LIST_H

#include "kernel/kernel.h"

#define GX_KERNELS_CONV(X)                                                                         \
    X(conv2d)                                                                                      \
    X(conv2d_dx)                                                                                   \
    X(conv2d_dw)                                                                                   \
    X(conv2d_scratch)                                                                              \
    X(conv2d_method)                                                                               \
    X(winograd_y)                                                                                  \
    X(winograd_dx)                                                                                 \
    X(winograd_dw)                                                                                 \
    X(winograd_scratch)                                                                            \
    X(winograd_keeps)                                                                              \
    X(gemm)

#define GX_KERNELS_POINT(X)                                                                        \
    X(unary)                                                                                       \
    X(binary)                                                                                      \
    X(prelu)                                                                                       \
    X(lay)                                                                                         \
    X(halve)                                                                                       \
    X(sum_rows)                                                                                    \
    X(moments)                                                                                     \
    X(norm)                                                                                        \
    X(norm_sums)                                                                                   \
    X(norm_dx)                                                                                     \
    X(reduce_scratch)                                                                              \
    X(adam)                                                                                        \
    X(rmsprop)                                                                                     \
    X(sgd)                                                                                         \
    X(average)                                                                                     \
    X(sum_squares)

#define GX_KERNELS_MOVE(X)                                                                         \
    X(max_pool)                                                                                    \
    X(max_pool_scatter)                                                                            \
    X(pixel_shuffle)                                                                               \
    X(dropout)

#define GX_KERNELS_PICTURE(X)                                                                      \
    X(blend_rows)                                                                                  \
    X(blend_pixels)                                                                                \
    X(bytes_to_floats)                                                                             \
    X(floats_to_bytes)

/* The function type behind a member. */
#define GX_KERNEL_TYPE(member) __typeof__(*((struct gx_kernels *)0)->member)

#endif
