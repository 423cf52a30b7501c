/* What the operators that move memory share: shape arithmetic that cannot overflow, and how many
 * threads are worth waking. */
#ifndef GX_OP_MOVE_H
#define GX_OP_MOVE_H

#include "op/op.h"

#include <limits.h>

#define SHAPE_FORMAT   "%dx%dx%dx%d"
#define SHAPE_PARTS(s) (s).n, (s).h, (s).w, (s).c

static inline void shape_to_array(struct gx_shape s, int d[4])
{
    d[0] = s.n, d[1] = s.h, d[2] = s.w, d[3] = s.c;
}

static inline struct gx_shape shape_from_array(const int d[4])
{
    return (struct gx_shape){d[0], d[1], d[2], d[3]};
}

/* Sets y->shape, or fails when a size is below 1 or past what an int holds. */
GX_MUST_CHECK static inline int shape_set(struct gx_node *y, int64_t n, int64_t h, int64_t w,
                                          int64_t c, struct gx_err *err)
{
    if (n < 1 || h < 1 || w < 1 || c < 1 || n > INT_MAX || h > INT_MAX || w > INT_MAX ||
        c > INT_MAX)
        return gx_fail(err, GX_E_SHAPE, "the result would be %lldx%lldx%lldx%lld", (long long)n,
                       (long long)h, (long long)w, (long long)c);
    y->shape = (struct gx_shape){(int)n, (int)h, (int)w, (int)c};
    return 0;
}

/* Threads for a pass over `count` floats: below some thousands, waking them costs more than it
 * saves. Results never depend on it: each element is computed by one thread in one order. */
static inline int move_threads(const struct gx_call *call, int64_t count)
{
    return count < 16384 ? 1 : call->threads;
}

#endif
