#include "train/pool.h"

#include "ganx/error.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int gx_pool_init(struct gx_pool *pool, int size, int64_t floats)
{
    *pool = (struct gx_pool){.size = size, .floats = floats};
    pool->data = calloc((size_t)size * (size_t)floats, sizeof *pool->data);
    return pool->data ? 0 : -GX_E_NOMEM;
}

void gx_pool_clear(struct gx_pool *pool)
{
    free(pool->data);
    *pool = (struct gx_pool){0};
}

void gx_pool_exchange(struct gx_pool *pool, struct gx_random random, const float *made,
                      float *shown, int count)
{
    size_t bytes = (size_t)pool->floats * sizeof *made;
    for (int i = 0; i < count; i++, made += pool->floats, shown += pool->floats) {
        const float *show = made;
        float *keep = NULL;
        bool old = gx_random_u32(&random) & 1;
        uint32_t which = gx_random_below(&random, (uint32_t)pool->size);
        if (pool->filled < pool->size) {
            keep = pool->data + pool->floats * pool->filled++;
        } else if (old) {
            show = keep = pool->data + pool->floats * which;
        }
        memcpy(shown, show, bytes);
        if (keep)
            memcpy(keep, made, bytes);
    }
}
