/* The inner loop of every product of matrices: a register tile of c, rows x GX_COLS, is kept while
 * k runs (Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication").
 *
 * a lies in a block of rows that are GX_LDA floats apart, so that all of a tile's rows are reached
 * from one pointer; it is read along rows (a block holds rows of c) or down columns (a block holds
 * the rows of its transpose). b is a packed panel: k rows of GX_COLS floats, or of GX_LANES where
 * the product is that narrow. */
#ifndef GX_KERNEL_TILE_H
#define GX_KERNEL_TILE_H

#include "kernel/simd/simd.h"

enum {
    GX_DEPTH = 256,         /* most k in one block */
    GX_LDA = GX_DEPTH + 16, /* not a multiple of the cache's set stride */
    GX_COLS = 2 * GX_LANES,
#if defined(__AVX512F__)
    GX_ROWS = 14, /* 28 of the 32 registers */
#elif defined(__AVX__)
    GX_ROWS = 6, /* 12 of the 16 */
#else
    GX_ROWS = 4, /* products need a register too */
#endif
    GX_LINE = 16, /* floats of a cache line */
};

/* What is read next and is in no cache yet: asked for while a tile is made, `step` floats further for
 * each row of b. Where two vectors are more than a line, in two places: the CPU foresees each
 * within its page of memory, and so more is on the way when one ends. */
struct gx_soon {
    const float *at;
    int step;
    int64_t apart; /* from the first place to the second */
};

/* Share i of n of so many floats from `at` on, for a tile of `depth` rows of b. */
static inline struct gx_soon gx_soon_of(const float *at, int64_t floats, int depth, int i, int n)
{
    int places = (GX_COLS + GX_LINE - 1) / GX_LINE;
    int64_t each = floats / places, rows = (int64_t)depth * n;
    return (struct gx_soon){at + each / n * i, (int)((each + rows - 1) / rows), each};
}

/* c[r] points to row r of the tile. The sums start from init (one row, for all) or, when it is
 * NULL, from c. `wide`: two vectors of columns, else one. `down`: a(r, j) is a[j GX_LDA + r], else
 * a[r GX_LDA + j]. 1 <= rows <= GX_ROWS. soon may be NULL. */
void GX_TIERED(tile)(int rows, bool wide, bool down, int k, const float *a, const float *b,
                     float *const *c, const float *init, const struct gx_soon *soon);

#endif
