/* A pool of earlier generated pictures (Shrivastava et al. 2017, "Learning from simulated and
 * unsupervised images through adversarial training", as CycleGAN uses it): the discriminator is
 * shown a history of the generator's work, not its latest alone. */
#ifndef GX_TRAIN_POOL_H
#define GX_TRAIN_POOL_H

#include "util/random.h"

#include <stddef.h>

struct gx_pool {
    int size, filled;
    int64_t floats; /* of a picture */
    float *data;    /* size x floats, the first `filled` in use */
};

/* -GX_E_NOMEM is the only failure: nonzero. */
int gx_pool_init(struct gx_pool *pool, int size, int64_t floats);
void gx_pool_clear(struct gx_pool *pool);

/* For each of `count` pictures in `made`, one in `shown`: until the pool is full, the picture
 * itself, which the pool keeps; then, at even chances, the picture itself, or a kept one chosen at
 * random, whose place it takes. */
void gx_pool_exchange(struct gx_pool *pool, struct gx_random random, const float *made,
                      float *shown, int count);

#endif
