/* What the tests of pointwise, norm and optimizer kernels share: arrays of random numbers, and the
 * comparison with the reference. */
#ifndef GX_TESTS_KERNEL_POINT_H
#define GX_TESTS_KERNEL_POINT_H

#include "../test.h"
#include "kernel/kernel.h"
#include "util/arena.h"
#include "util/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* count numbers in [-2, 2), to be freed; the same for the same key. */
static inline float *random_floats(int64_t count, uint64_t key)
{
    float *x = gx_new((size_t)count * sizeof *x);
    uint32_t word[4];
    for (int64_t i = 0; i < count; i++) {
        if (i % 4 == 0)
            gx_random_block(1, key, (uint64_t)i, word);
        x[i] = (float)(word[i % 4] >> 8) * 0x1p-22f - 2;
    }
    return x;
}

static inline float *copy_floats(const float *x, int64_t count)
{
    return memcpy(gx_new((size_t)count * sizeof *x), x, (size_t)count * sizeof *x);
}

static inline void *scratch_for(const struct gx_kernels *k, int64_t outer, int64_t rows,
                                int64_t cols, int threads)
{
    size_t bytes = k->reduce_scratch(outer, rows, cols, threads);
    void *memory = aligned_alloc(64, (bytes + 64) / 64 * 64);
    return memset(memory, 0xff, bytes); /* whatever lay there is not a sum */
}

/* Each element within `absolute` + `relative` |want|, or both not a number, or equal infinities. */
static inline void expect_near(const char *what, const char *tier, const float *got,
                               const float *want, int64_t count, double absolute, double relative)
{
    for (int64_t i = 0; i < count; i++) {
        double a = got[i], b = want[i];
        if (a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= absolute + relative * fabs(b))
            continue;
        fail_msg("%s [%s]: element %lld is %.9g, not %.9g", what, tier, (long long)i, a, b);
    }
}

#endif
