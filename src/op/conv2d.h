/* What the three convolution products share with Winograd's method (winograd.c). */
#ifndef GX_OP_CONV2D_H
#define GX_OP_CONV2D_H

#include "op/op.h"

struct conv2d {
    int stride, pad;
    int h, w; /* what cannot be told from the inputs: dx's picture, dw's kernel */
};

/* The sizes of the forward convolution behind a conv2d or conv2d_dx node. */
struct gx_conv_sizes gx_conv2d_sizes(const struct gx_node *y);
struct gx_conv_sizes gx_conv2d_dx_sizes(const struct gx_node *dx);

#endif
