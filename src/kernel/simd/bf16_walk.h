/* The lines of a result cut into blocks, whose patches fit beside the weights into a thread's cache
 * (bf16.c). */
#ifndef GX_KERNEL_BF16_WALK_H
#define GX_KERNEL_BF16_WALK_H

#include "kernel/simd/bf16_unit.h"

enum {
    GX_BF16_ENOUGH = 5 << 16, /* bytes of a patch that is made larger by whole lines; twice that, */
    GX_BF16_FEW = 6,          /* for fewer lines, since neighbours of a block are rounded again */
    GX_BF16_NEAR = 5,         /* tiles across a block */
    GX_BF16_TILES = 256,      /* most of it */
};

/* Numbers in a row of a patch for so many positions. */
static inline int64_t gx_bf16_line(const struct gx_windows *v, int wide)
{
    return ((int64_t)(wide - 1) * v->step + v->kw) * v->c;
}

static inline int64_t gx_bf16_patch_bytes(const struct gx_windows *v, int high, int wide)
{
    return ((int64_t)(high - 1) * v->step + v->kh) * gx_bf16_line(v, wide) * 2 + 2 * GX_BF16_DEEP;
}

/* Lines (image, py) on their way; blocks beside each other have two tiles across at least. */
struct gx_bf16_walk {
    const struct gx_windows *windows;
    int64_t line, to;
    int part, parts, tiles, most; /* most: lines of a block */
};

static inline struct gx_bf16_walk gx_bf16_walk_of(const struct gx_bf16_job *j, int64_t from,
                                                  int64_t to)
{
    enum { HIGH = GX_BF16_HIGH };
    const struct gx_windows *v = &j->windows;
    struct gx_bf16_walk w = {.windows = v, .line = from, .to = to, .most = 1};
    int enough = j->fine ? GX_BF16_ENOUGH / 2 : GX_BF16_ENOUGH;
    w.tiles = (v->pw + HIGH - 1) / HIGH;
    w.parts = (w.tiles + GX_BF16_NEAR - 1) / GX_BF16_NEAR;
    while (w.parts < w.tiles / 2 &&
           gx_bf16_patch_bytes(v, 1, (w.tiles + w.parts - 1) / w.parts * HIGH) > GX_BF16_PATCH)
        w.parts++;
    int wide = gx_least((w.tiles + w.parts - 1) / w.parts * HIGH, v->pw);
    while ((w.most + 1) * GX_BF16_NEAR <= GX_BF16_TILES &&
           gx_bf16_patch_bytes(v, w.most + 1, wide) <= (w.most < GX_BF16_FEW ? 2 : 1) * enough)
        w.most++;
    return w;
}

/* False: there is none left. */
static inline bool gx_bf16_next_block(struct gx_bf16_walk *w, struct gx_bf16_block *b)
{
    enum { HIGH = GX_BF16_HIGH };
    const struct gx_windows *v = w->windows;
    if (w->line >= w->to)
        return false;
    b->image = w->line / v->ph;
    b->py = (int)(w->line % v->ph);
    b->high = gx_least(gx_least(w->most, v->ph - b->py), w->to - w->line);
    b->px = w->tiles * w->part / w->parts * HIGH;
    b->wide = gx_least(w->tiles * (w->part + 1) / w->parts * HIGH, v->pw) - b->px;
    if (++w->part == w->parts) {
        w->part = 0;
        w->line += b->high;
    }
    return true;
}

#endif
