/* Dropout: a mask out of Philox (util/random.h), many blocks side by side, each round of the cipher
 * a vector operation over them. */
#include "kernel/simd/simd.h"
#include "kernel/simd/parts.h"

enum { BLOCKS = 64, WORDS = 4 * BLOCKS };

/* Words of blocks index.. of (seed, stream), in the order of gx_random_block's. */
static void fill(uint64_t seed, uint64_t stream, uint64_t index, uint32_t *restrict word)
{
#pragma omp simd
    for (int i = 0; i < BLOCKS; i++) {
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
        uint32_t c0 = (uint32_t)(index + (uint64_t)i), c1 = (uint32_t)((index + (uint64_t)i) >> 32);
        uint32_t c2 = (uint32_t)stream, c3 = (uint32_t)(stream >> 32);
#pragma GCC unroll 10
        for (int round = 0; round < 10; round++) {
            const uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
            c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
            c1 = (uint32_t)p1;
            c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c3 = (uint32_t)p0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        word[4 * i] = c0;
        word[4 * i + 1] = c1;
        word[4 * i + 2] = c2;
        word[4 * i + 3] = c3;
    }
}

void GX_TIERED(dropout)(const float *x, float *y, int64_t count, uint64_t seed, uint64_t stream,
                        uint64_t index, uint32_t below, float scale, int threads)
{
    const int64_t groups = (count + WORDS - 1) / WORDS;
    const int parts = gx_parts(count, threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (int64_t group = 0; group < groups; group++) {
        const int64_t from = group * WORDS;
        const int some = count - from < WORDS ? (int)(count - from) : WORDS;
        uint32_t word[WORDS];
        fill(seed, stream, index + (uint64_t)(group * BLOCKS), word);
#pragma omp simd
        for (int i = 0; i < some; i++)
            y[from + i] = word[i] < below ? 0.0f : x[from + i] * scale;
    }
}
