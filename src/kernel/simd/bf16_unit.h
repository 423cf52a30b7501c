/* A convolution on the matrix unit (bf16.h) from the inside: what is multiplied, where it lies, and
 * the work that is done in vectors beside the products (bf16_beside.c). */
#ifndef GX_KERNEL_BF16_UNIT_H
#define GX_KERNEL_BF16_UNIT_H

#include "kernel/simd/after.h"
#include "kernel/simd/bf16_lay.h"

#define GX_BF16_UNIT __attribute__((target("avx512bf16,amx-tile,amx-bf16")))

enum {
    GX_BF16_HIGH = 16,       /* rows of a tile */
    GX_BF16_DEEP = 32,       /* its numbers a row, of 2 bytes */
    GX_BF16_PANEL = 32,      /* channels: two tiles */
    GX_BF16_PATCH = 5 << 17, /* bytes: most of a patch */
    /* Bytes from first terms to second ones: of patches, of which there are two, and of runs. */
    GX_BF16_TERMS = 2 * GX_BF16_PATCH,
    GX_BF16_RUN = 1 << 16,
};

/* One convolution of stride `windows.step` (of dx: one of its classes). */
struct gx_bf16_job {
    bool fine; /* pictures as two terms, of which the second is what the first rounds off */
    /* NULL, or weights (deep, cols) that are two terms too, made into `weights`. */
    const float *terms;
    struct gx_windows windows;
    struct gx_target to;
    const struct gx_after *after;
    bool mirrored;      /* beyond its edge the picture is its own mirror image, not zero */
    int x_step, y_step; /* floats from a pixel to the next: of the picture, the whole result */
    int cols;           /* channels of the result */
    int images;
    int run, row, deep; /* numbers under a kernel row; its chunks; all chunks */
    struct gx_bf16_weights weights;
};

/* The positions (high, wide) from (py, px) of an image on. */
struct gx_bf16_block {
    int64_t image;
    int py, px, high, wide;
};

/* `count` pixels of picture line y, from column x on, rounded; outside of the picture is zero, or
 * what a mirror shows. Second terms `rest` bytes behind; 0: none. */
void GX_TIERED(bf16_round)(const struct gx_bf16_job *j, int64_t image, int y, int x, int count,
                           char *to, int64_t rest);

/* to = from, rounded to the nearest; or for a `rest` as pictures are. */
void GX_TIERED(bf16_round_all)(const float *from, int64_t count, char *to, int64_t rest);

/* A block's patch on its way: line by line a few pixels at a time. */
struct gx_bf16_rounding {
    const struct gx_bf16_job *job;
    int64_t image;
    int y, x; /* of the patch's corner */
    int rows, wide;
    int row, col; /* how far it is */
    int some;     /* pixels at a time */
    char *to;
};

static inline bool gx_bf16_rounds(const struct gx_bf16_rounding *r)
{
    return r->row < r->rows;
}

/* How many portions are left at the start of a line. */
static inline int gx_bf16_portions(const struct gx_bf16_rounding *r)
{
    return r->rows ? (r->rows - r->row) * ((r->wide + r->some - 1) / r->some) : 0;
}

/* The patch of some positions, from nothing on. */
struct gx_bf16_rounding GX_TIERED(bf16_rounding)(const struct gx_bf16_job *job,
                                                 const struct gx_bf16_block *block, char *to);
/* Rounds the next few pixels; `row` reaches `rows` with the last ones. */
void GX_TIERED(bf16_round_some)(struct gx_bf16_rounding *r);

/* The sum and its bias alone; then an activation of itself; all else. */
enum gx_bf16_kind { GX_BF16_SUM, GX_BF16_ACTIVATED, GX_BF16_MORE };

/* What becomes of the sums for a panel's channels. */
struct gx_bf16_panel {
    int channels;
    enum gx_bf16_kind kind;
    vf bias[GX_BF16_PANEL / GX_LANES], slope[GX_BF16_PANEL / GX_LANES]; /* for each vector */
    struct gx_after after[GX_BF16_PANEL / GX_LANES];
};

/* A pair of tiles, each of positions beside one another, on its way: position by position. */
struct gx_bf16_finish {
    const struct gx_bf16_panel *panel;
    const float *sums; /* (rows, PANEL) */
    int rows, done;
    float *to[2]; /* of each tile the first position, */
    int64_t pixel[2];
    int64_t apart, pixels_apart; /* and from there to the next: floats, and pixels of the result */
};

static inline bool gx_bf16_finishing(const struct gx_bf16_finish *f)
{
    return f->done < f->rows;
}

void GX_TIERED(bf16_panel)(const struct gx_bf16_job *j, int panel, struct gx_bf16_panel *to);

/* One position's sums (PANEL), for this pixel of the result, of which `to` is the first channel. */
void GX_TIERED(bf16_finish_one)(const struct gx_bf16_panel *p, const float *sums, float *to,
                                int64_t pixel);
/* The next positions, so many or as many as are left of a tile. */
void GX_TIERED(bf16_finish_some)(struct gx_bf16_finish *f, int count);

#endif
