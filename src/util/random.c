#include "util/random.h"

#include <math.h>

void gx_random_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4])
{
    uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t c[4] = {(uint32_t)index, (uint32_t)(index >> 32), (uint32_t)stream,
                     (uint32_t)(stream >> 32)};
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c[0];
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t next[4] = {(uint32_t)(p1 >> 32) ^ c[1] ^ key[0], (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ c[3] ^ key[1], (uint32_t)p0};
        for (int i = 0; i < 4; i++)
            c[i] = next[i];
        key[0] += 0x9E3779B9u;
        key[1] += 0xBB67AE85u;
    }
    for (int i = 0; i < 4; i++)
        out[i] = c[i];
}

struct gx_random gx_random_at(uint64_t seed, enum gx_stream stream, uint64_t key)
{
    uint64_t whole = (uint64_t)stream << 56 | (key & (((uint64_t)1 << 56) - 1));
    return (struct gx_random){.seed = seed, .stream = whole};
}

uint32_t gx_random_u32(struct gx_random *r)
{
    uint32_t word[4];
    gx_random_block(r->seed, r->stream, r->index >> 2, word);
    return word[r->index++ & 3];
}

float gx_random_uniform(struct gx_random *r)
{
    return (float)(gx_random_u32(r) >> 8) * 0x1p-24f;
}

float gx_random_normal(struct gx_random *r)
{
    /* Box and Muller; the first uniform is moved off 0 so that the logarithm is finite. */
    double u = ((double)gx_random_u32(r) + 0.5) * 0x1p-32;
    double v = (double)gx_random_u32(r) * 0x1p-32;
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

uint32_t gx_random_below(struct gx_random *r, uint32_t n)
{
    uint32_t reject = (uint32_t)-n % n; /* the lowest words that would favour small results */
    for (;;) {
        uint32_t word = gx_random_u32(r);
        if (word >= reject)
            return word % n;
    }
}

void gx_random_permutation(struct gx_random *r, uint32_t *order, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        order[i] = i;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = gx_random_below(r, i), t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
}
