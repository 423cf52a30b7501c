/* The reference tier's functions: gx_ref_MEMBER for each member of struct gx_kernels. */
#ifndef GX_KERNEL_REFERENCE_H
#define GX_KERNEL_REFERENCE_H

#include "kernel/list.h"

#define GX_DECLARE(member) GX_KERNEL_TYPE(member) gx_ref_##member;
GX_KERNELS_CONV(GX_DECLARE)
GX_KERNELS_POINT(GX_DECLARE)
GX_KERNELS_MOVE(GX_DECLARE)
GX_KERNELS_PICTURE(GX_DECLARE)
#undef GX_DECLARE

/* An element of the weights, of whatever type. */
float gx_ref_weight(const struct gx_conv_sizes *s, const void *w, int ky, int kx, int i, int o);

/* What `after` (NULL: nothing) makes of the sum for a channel of a pixel. */
float gx_ref_after(const struct gx_after *after, double sum, int64_t pixel, int channel,
                   int channels);

#endif
