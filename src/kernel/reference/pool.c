/* Pooling, a window at a time. */
#include "kernel/reference/reference.h"

#include <string.h>

/* Where in its image the window at row oh and column ow of the result has the maximum of channel c:
 * the offset of a float. */
static int64_t maximum(const struct gx_pool_sizes *s, const float *image, int oh, int ow, int c)
{
    int64_t best = -1;
    for (int i = 0; i < s->k; i++)
        for (int j = 0; j < s->k; j++) {
            const int64_t h = (int64_t)oh * s->stride - s->pad + i;
            const int64_t w = (int64_t)ow * s->stride - s->pad + j;
            const int64_t at = (h * s->w + w) * s->c + c;
            if (h < 0 || h >= s->h || w < 0 || w >= s->w)
                continue;
            if (best < 0 || image[at] > image[best] || image[at] != image[at])
                best = at;
        }
    return best;
}

void gx_ref_max_pool(const struct gx_pool_sizes *s, const float *u, const float *x, float *y,
                     int threads)
{
    (void)threads;
    for (int n = 0; n < s->n; n++) {
        const int64_t image = (int64_t)n * s->h * s->w * s->c;
        for (int h = 0; h < s->oh; h++)
            for (int w = 0; w < s->ow; w++)
                for (int c = 0; c < s->c; c++)
                    *y++ = u[image + maximum(s, x + image, h, w, c)];
    }
}

void gx_ref_max_pool_scatter(const struct gx_pool_sizes *s, const float *g, const float *x,
                             float *dx, int threads)
{
    (void)threads;
    const int64_t size = (int64_t)s->h * s->w * s->c;
    memset(dx, 0, (size_t)(s->n * size) * sizeof *dx);
    for (int n = 0; n < s->n; n++, x += size, dx += size)
        for (int h = 0; h < s->oh; h++)
            for (int w = 0; w < s->ow; w++)
                for (int c = 0; c < s->c; c++)
                    dx[maximum(s, x, h, w, c)] += *g++;
}
