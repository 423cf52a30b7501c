/* A fast tier's table. */
#include "kernel/simd/tile.h"

#define ROW(member) .member = GX_TIERED(member),

const struct gx_kernels GX_TIERED(kernels) = {.name = GX_TEXT(GX_TIER),
                                              .panel = GX_COLS,
                                              GX_KERNELS_CONV(ROW) GX_KERNELS_POINT(ROW)
                                                  GX_KERNELS_MOVE(ROW) GX_KERNELS_PICTURE(ROW)};
