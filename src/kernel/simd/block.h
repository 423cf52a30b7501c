/* Blocks and panels: how pictures and matrices are brought into the form that tile.h multiplies.
 *
 * A convolution is a product whose left matrix is never built whole: its row m is one position of
 * the kernel on the picture, its column k one (ky, kx, channel) under it. gather copies a block of
 * it (at most GX_DEPTH columns), with zeros outside of the picture. */
#ifndef GX_KERNEL_BLOCK_H
#define GX_KERNEL_BLOCK_H

#include "kernel/simd/parts.h"
#include "kernel/simd/tile.h"

enum {
    GX_BLOCK_ROWS = 98,           /* rows of c in one block of a: 100 KiB, stays in L2 */
    GX_SLAB_COLS = 512,           /* most columns packed at once: 512 KiB */
    GX_BLOCK = GX_DEPTH * GX_LDA, /* floats of the largest block (GX_DEPTH rows, read down) */
    GX_SLAB = GX_DEPTH * GX_SLAB_COLS,
    GX_WORK = GX_BLOCK + GX_SLAB + GX_BLOCK_ROWS * GX_SLAB_COLS,
};

/* Windows: a kernel (kh,kw) at every position on a picture x (n,h,w,c): position (py, px) of
 * (ph,pw) has its first tap at picture row py step + oy, column px step + ox. Positions are
 * numbered m, px fastest, then py, then n. */
struct gx_windows {
    const float *x;
    int h, w, c, kh, kw, step, oy, ox, ph, pw;
};

/* Where the result for a position goes: y + n image + py row + px col. The whole result begins at
 * `first`, pixels of so many channels. */
struct gx_target {
    float *y;
    int64_t image, row, col;
    const float *first;
    int channels;
};

/* Rows m .. m + count of the windows, columns k .. k + depth, to block rows GX_LDA apart. What
 * follows them in a row of the block is undefined. */
void GX_TIERED(gather)(const struct gx_windows *windows, int64_t m, int count, int k, int depth,
                       float *block);

/* The addresses of the results of positions m .. m + count. */
void GX_TIERED(place)(const struct gx_windows *windows, const struct gx_target *to, int64_t m,
                      int count, float **rows);

/* b (depth, cols), rows ldb apart, into panels; zeros fill the last one up. */
void GX_TIERED(pack)(const float *b, int64_t ldb, int depth, int cols, float *slab);

/* The same from the transpose, element (k, n) is b[n ldb + k], into rows at .. at + depth of panels
 * that have `total` rows. */
void GX_TIERED(pack_transposed)(const float *b, int64_t ldb, int at, int depth, int total, int cols,
                                float *slab);

/* Panels of the same depth, so many floats from one another; where those that follow them begin,
 * if in no cache yet, or NULL. */
struct gx_panels {
    const float *at;
    int64_t apart;
    const float *next;
};

/* Those that were packed into a slab. */
static inline struct gx_panels gx_packed(const float *slab, int depth)
{
    return (struct gx_panels){slab, (int64_t)depth * GX_COLS, NULL};
}

/* rows[r][0 .. cols) (+)= block times the panels. `first`: the sums start from bias (or 0 when it is
 * NULL), else from what is there. rows are the block's rows, or its columns when `down`. */
void GX_TIERED(multiply)(int count, int cols, int depth, bool down, const float *block,
                         struct gx_panels panels, float *const *rows, bool first,
                         const float *bias);

/* A thread's part of a product: rows m0 .. m1, columns n0 .. n1. */
struct gx_part {
    int64_t m0, m1;
    int n0, n1;
};

/* Part `id` of `threads` of a product of m rows and n columns, so that the least is computed,
 * copied and packed in all. Gathering or packing an element counts as ten multiplications. */
struct gx_part GX_TIERED(split)(int64_t m, int n, int id, int threads);

/* Each thread's scratch: one block, one slab, and their product where it is not the result. */
struct gx_work {
    float *block, *slab, *sums;
};

static inline struct gx_work gx_work_of(void *scratch, int id)
{
    float *base = (float *)scratch + (size_t)id * GX_WORK;
    return (struct gx_work){base, base + GX_BLOCK, base + GX_BLOCK + GX_SLAB};
}

static inline int gx_least(int64_t a, int64_t b)
{
    return (int)(a < b ? a : b);
}

static inline void gx_copy(float *to, const float *from, int64_t count)
{
    int64_t i = 0;
    for (; i + GX_LANES <= count; i += GX_LANES)
        gx_store(to + i, gx_load(from + i));
#if GX_LANES > 4
    for (; i + 4 <= count; i += 4)
        *(vf4 *)(to + i) = *(const vf4 *)(from + i);
#endif
    for (; i < count; i++)
        to[i] = from[i];
}

/* The same up to a whole vector: may read and write GX_LANES - 1 floats more. */
static inline void gx_copy_over(float *to, const float *from, int64_t count)
{
    for (int64_t i = 0; i < count; i += GX_LANES)
        gx_store(to + i, gx_load(from + i));
}

/* The first `count` lanes of a vector; the others are zero, or not written. */
static inline vf gx_load_some(const float *from, int count)
{
    vf v = {0};
    if (count >= GX_LANES)
        return gx_load(from);
    gx_copy((float *)&v, from, count);
    return v;
}

static inline void gx_store_some(float *to, vf v, int count)
{
    if (count >= GX_LANES)
        gx_store(to, v);
    else
        gx_copy(to, (const float *)&v, count);
}

static inline void gx_zero(float *to, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = 0;
}

#endif
