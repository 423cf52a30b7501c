/* The reference tier's table. */
#include "kernel/reference/reference.h"

#define ROW(member) .member = gx_ref_##member,

const struct gx_kernels gx_kernels_reference = {.name = "reference",
                                                GX_KERNELS_CONV(ROW) GX_KERNELS_POINT(ROW)
                                                    GX_KERNELS_MOVE(ROW) GX_KERNELS_PICTURE(ROW)};
