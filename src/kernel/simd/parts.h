/* How kernels split their work: functions of sizes and threads alone, so that a result depends on
 * nothing else. */
#ifndef GX_KERNEL_PARTS_H
#define GX_KERNEL_PARTS_H

#include <stdint.h>

enum {
    GX_SERIAL = 32768, /* fewer elements are not worth waking other threads */
    GX_TILE = 1024     /* channels whose sums or factors are held at once, in the first cache */
};

static inline int gx_parts(int64_t elements, int threads)
{
    return elements < GX_SERIAL || threads < 1 ? 1 : threads;
}

/* Where share i of n begins; every share but the last is a multiple of `unit`. */
static inline int64_t gx_share(int64_t count, int64_t unit, int i, int n)
{
    int64_t start = (count + unit - 1) / unit * i / n * unit;
    return start < count ? start : count;
}

/* Few channels do not fill vectors: so many rows are taken as one row of channels times this. */
static inline int gx_fold(int64_t channels)
{
    return channels >= 64 ? 1 : channels >= 4 ? 16 : 64;
}

#endif
