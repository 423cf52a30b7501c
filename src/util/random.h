/* Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011, "Parallel random numbers: as
 * easy as 1, 2, 3"). A number is a pure function of (seed, stream, index): nothing is drawn in
 * order, so a resumed run, another thread count or a replayed dropout sees the same values, and
 * "saving the random state" is saving three integers. */
#ifndef GX_UTIL_RANDOM_H
#define GX_UTIL_RANDOM_H

#include <stdint.h>

/* Who asks; two streams never share a number. */
enum gx_stream {
    GX_STREAM_INIT = 1, /* first weights */
    GX_STREAM_ORDER,    /* order of the samples in an epoch */
    GX_STREAM_AUGMENT,  /* crop, flip */
    GX_STREAM_DROPOUT,  /* dropout and random operators of a graph */
    GX_STREAM_TEST,
    GX_STREAM_PARTNER, /* which pictures of unpaired sets meet */
    GX_STREAM_POOL,    /* which earlier pictures a discriminator sees */
    GX_STREAM_LABEL,   /* which labels pictures shall get */
    GX_STREAM_DEGRADE  /* how small pictures are made of sharp ones */
};

struct gx_random {
    uint64_t seed;
    uint64_t stream; /* enum gx_stream in the top 8 bits, the caller's own key below */
    uint64_t index;  /* the next number's index; the only field that changes */
};

struct gx_random gx_random_at(uint64_t seed, enum gx_stream stream, uint64_t key);

/* Four independent 32-bit words for (seed, stream, index); the pure function below the rest. */
void gx_random_block(uint64_t seed, uint64_t stream, uint64_t index, uint32_t out[4]);

uint32_t gx_random_u32(struct gx_random *r);
float gx_random_uniform(struct gx_random *r);              /* [0, 1), 24 bits */
float gx_random_normal(struct gx_random *r);               /* mean 0, deviation 1 */
uint32_t gx_random_below(struct gx_random *r, uint32_t n); /* [0, n), n > 0, without bias */

/* Fisher-Yates: fills order with a permutation of 0..n-1. */
void gx_random_permutation(struct gx_random *r, uint32_t *order, uint32_t n);

#endif
