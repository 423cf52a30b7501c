/* A fast tier's table. */
#include "kernel/simd/simd.h"
#include "kernel/reference/reference.h"

#define ROW(member)  .member = gx_ref_##member,
#define FAST(member) .member = GX_TIERED(member),

const struct gx_kernels GX_TIERED(kernels) = {.name = GX_TEXT(GX_TIER),
                                              GX_KERNELS_CONV(FAST) GX_KERNELS_POINT(ROW)};
