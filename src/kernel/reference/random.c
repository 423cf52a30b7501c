/* Dropout, a block of the generator at a time. */
#include "kernel/reference/reference.h"

#include "util/random.h"

void gx_ref_dropout(const float *x, float *y, int64_t count, uint64_t seed, uint64_t stream,
                    uint64_t index, uint32_t below, float scale, int threads)
{
    (void)threads;
    uint32_t word[4];
    for (int64_t i = 0; i < count; i++) {
        if (i % 4 == 0)
            gx_random_block(seed, stream, index + (uint64_t)i / 4, word);
        y[i] = word[i % 4] < below ? 0 : x[i] * scale;
    }
}
