/* Weights of bfloat16 as the matrix unit wants them (bf16.h): for 32 rows, a chunk of the depth, and
 * a panel of 32 channels two tiles, in which the pairs of a channel's rows lie side by side. */
#ifndef GX_KERNEL_BF16_LAY_H
#define GX_KERNEL_BF16_LAY_H

#include "kernel/simd/classes.h"

enum { GX_BF16_CHUNK = 2048 }; /* bytes */

/* The rows of the kernel are runs of so many numbers for each channel. */
struct gx_bf16_weights {
    int run;
    bool turned; /* dx: those of `taps`; else y's: w (rows, o) */
    const uint16_t *w;
    int o;
    struct gx_taps taps;
};

/* Chunk `at` of kernel row ty for channels n .. n + count; zeros behind the run and the count. */
void GX_TIERED(bf16_lay)(const struct gx_bf16_weights *weights, int ty, int at, int n, int count,
                         char *to);

#endif
