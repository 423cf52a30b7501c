/* Windows of the pooling operators. */
#ifndef GX_OP_POOL_H
#define GX_OP_POOL_H

#include "op/move.h"

struct pool {
    int k, stride, pad;
    int h, w; /* avg_pool_dx: the size of its result, which k, stride and pad leave open */
};

/* Channels that one pass over a window keeps on the stack. */
enum { POOL_CHUNK = 64 };

/* How many windows fit along a side; fails when the settings make no sense or none fits. */
GX_MUST_CHECK static inline int pool_side(const struct pool *p, int side, int64_t *windows,
                                          struct gx_err *err)
{
    if (p->k < 1 || p->stride < 1 || p->pad < 0 || p->pad > p->k / 2)
        return gx_fail(err, GX_E_SHAPE, "pooling with kernel %d, stride %d, padding %d", p->k,
                       p->stride, p->pad);
    const int64_t room = (int64_t)side + 2 * (int64_t)p->pad - p->k;
    if (room < 0)
        return gx_fail(err, GX_E_SHAPE, "a pooling window of %d does not fit a side of %d", p->k,
                       side);
    *windows = room / p->stride + 1;
    return 0;
}

GX_MUST_CHECK static inline int pool_shape(const struct pool *p, struct gx_shape x,
                                           struct gx_shape *y, struct gx_err *err)
{
    int64_t h = 0, w = 0;
    int code = pool_side(p, x.h, &h, err);
    if (!code)
        code = pool_side(p, x.w, &w, err);
    if (!code)
        *y = (struct gx_shape){x.n, (int)h, (int)w, x.c};
    return code;
}

struct range {
    int64_t from, to; /* to is past the end */
};

/* The pixels of a side of `size` under window `at`. */
static inline struct range pool_window(const struct pool *p, int64_t at, int64_t size)
{
    struct range r = {at * p->stride - p->pad, at * p->stride - p->pad + p->k};
    if (r.from < 0)
        r.from = 0;
    if (r.to > size)
        r.to = size;
    return r;
}

/* The windows, of `count`, that touch pixels [from, to). */
static inline struct range pool_touching(const struct pool *p, struct range pixels, int64_t count)
{
    const int64_t low = pixels.from + p->pad - p->k + 1;
    struct range r = {low <= 0 ? 0 : (low + p->stride - 1) / p->stride,
                      (pixels.to - 1 + p->pad) / p->stride + 1};
    if (r.to > count)
        r.to = count;
    return r;
}

#endif
