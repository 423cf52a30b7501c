/* Largest values of windows, and where they are, a chunk of channels at a time: the chunk's maxima
 * and the numbers of the pixels that have them stay in the first cache while the window's pixels go
 * by, and each loop over channels is a vector loop.
 *
 * The transpose is done in bands of rows; a band's columns are cleared as its first row of windows
 * comes to them, and filled while they are in cache. Windows on a band's border are searched by both
 * neighbours, and each adds to its own rows: where windows do not overlap a band is as high as the
 * stride, so that without padding there are none. */
#include "kernel/simd/simd.h"
#include "kernel/simd/parts.h"

#include <string.h>

enum { CHUNK = 256, BAND = 16 };

struct best { /* of a chunk */
    float value[CHUNK];
    int32_t pixel[CHUNK]; /* number in the window, in reading order */
};

struct range {
    int64_t from, to; /* to is past the end */
};

/* The pixels, of `size`, under window `at`. */
static struct range window(const struct gx_pool_sizes *s, int64_t at, int64_t size)
{
    const int64_t from = at * s->stride - s->pad, to = from + s->k;
    return (struct range){from > 0 ? from : 0, to < size ? to : size};
}

/* The windows, of `count`, that touch pixels [from, to). */
static struct range touching(const struct gx_pool_sizes *s, int64_t from, int64_t to, int64_t count)
{
    const int64_t low = from + s->pad - s->k + 1, last = (to - 1 + s->pad) / s->stride + 1;
    return (struct range){low <= 0 ? 0 : (low + s->stride - 1) / s->stride,
                          last < count ? last : count};
}

/* The maxima of `count` channels from image[0] on over a window, into y. */
static void largest(const struct gx_pool_sizes *s, const float *image, struct range rows,
                    struct range cols, int count, float *restrict y)
{
    memcpy(y, image + (rows.from * s->w + cols.from) * s->c, (size_t)count * sizeof *y);
    for (int64_t h = rows.from; h < rows.to; h++)
        for (int64_t w = cols.from; w < cols.to; w++) {
            const float *restrict x = image + (h * s->w + w) * s->c;
#pragma omp simd
            for (int i = 0; i < count; i++)
                y[i] = x[i] > y[i] || x[i] != x[i] ? x[i] : y[i];
        }
}

/* The same, and where they are. */
static void search(const struct gx_pool_sizes *s, const float *image, struct range rows,
                   struct range cols, int count, struct best *best)
{
    float *restrict value = best->value;
    int32_t *restrict pixel = best->pixel, number = 0;
    memcpy(value, image + (rows.from * s->w + cols.from) * s->c, (size_t)count * sizeof *value);
    memset(pixel, 0, (size_t)count * sizeof *pixel);
    for (int64_t h = rows.from; h < rows.to; h++)
        for (int64_t w = cols.from; w < cols.to; w++, number++) {
            const float *restrict x = image + (h * s->w + w) * s->c;
#pragma omp simd
            for (int i = 0; i < count; i++) {
                const bool wins = x[i] > value[i] || x[i] != x[i];
                value[i] = wins ? x[i] : value[i];
                pixel[i] = wins ? number : pixel[i];
            }
        }
}

/* y = u where the search found the maximum. */
static void gather(const struct gx_pool_sizes *s, const float *u, struct range rows,
                   struct range cols, int count, const struct best *best, float *restrict y)
{
    int32_t number = 0;
    for (int64_t h = rows.from; h < rows.to; h++)
        for (int64_t w = cols.from; w < cols.to; w++, number++) {
            const float *restrict from = u + (h * s->w + w) * s->c;
#pragma omp simd
            for (int i = 0; i < count; i++)
                y[i] = best->pixel[i] == number ? from[i] : y[i];
        }
}

/* One row of the result. */
static void pool_row(const struct gx_pool_sizes *s, const float *u, const float *x, float *y,
                     int64_t row)
{
    const int64_t start = row / s->oh * s->h * s->w * s->c;
    const struct range rows = window(s, row % s->oh, s->h);
    struct best best;
    y += row * s->ow * s->c;
    for (int w = 0; w < s->ow; w++, y += s->c) {
        const struct range cols = window(s, w, s->w);
        for (int c = 0; c < s->c; c += CHUNK) {
            const int count = s->c - c < CHUNK ? s->c - c : CHUNK;
            if (u == x) {
                largest(s, x + start + c, rows, cols, count, y + c);
            } else {
                search(s, x + start + c, rows, cols, count, &best);
                gather(s, u + start + c, rows, cols, count, &best, y + c);
            }
        }
    }
}

void GX_TIERED(max_pool)(const struct gx_pool_sizes *s, const float *u, const float *x, float *y,
                         int threads)
{
    const int parts = gx_parts((int64_t)s->n * s->h * s->w * s->c, threads);
    const int64_t rows = (int64_t)s->n * s->oh;
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (int64_t row = 0; row < rows; row++)
        pool_row(s, u, x, y, row);
}

/* Adds g to the pixels of rows [from, to) that the search found. `dx` is the image's. */
static void spread(const struct gx_pool_sizes *s, const float *restrict g, struct range rows,
                   struct range cols, int64_t from, int64_t to, int count, const struct best *best,
                   float *dx)
{
    int32_t number = 0;
    for (int64_t h = rows.from; h < rows.to; h++)
        for (int64_t w = cols.from; w < cols.to; w++, number++) {
            float *restrict y = dx + (h * s->w + w) * s->c;
            if (h < from || h >= to)
                continue;
#pragma omp simd
            for (int i = 0; i < count; i++)
                y[i] += best->pixel[i] == number ? g[i] : 0.0f;
        }
}

/* Zeros in columns [left, right) of rows [from, to). */
static void clear(const struct gx_pool_sizes *s, float *dx, int64_t from, int64_t to, int64_t left,
                  int64_t right)
{
    for (int64_t h = from; h < to && left < right; h++)
        memset(dx + (h * s->w + left) * s->c, 0, (size_t)((right - left) * s->c) * sizeof *dx);
}

/* Rows [from, to) of one image of dx. */
static void scatter_band(const struct gx_pool_sizes *s, const float *g, const float *x, float *dx,
                         int64_t from, int64_t to)
{
    const struct range all = touching(s, from, to, s->oh);
    struct best best;
    int64_t cleared = 0;
    for (int64_t h = all.from; h < all.to; h++) {
        const struct range rows = window(s, h, s->h);
        for (int64_t w = 0; w < s->ow; w++) {
            const struct range cols = window(s, w, s->w);
            clear(s, dx, from, to, cleared, cols.to);
            cleared = cols.to > cleared ? cols.to : cleared;
            for (int c = 0; c < s->c; c += CHUNK) {
                const int count = s->c - c < CHUNK ? s->c - c : CHUNK;
                search(s, x + c, rows, cols, count, &best);
                spread(s, g + (h * s->ow + w) * s->c + c, rows, cols, from, to, count, &best,
                       dx + c);
            }
        }
        clear(s, dx, from, to, cleared, s->w);
        cleared = s->w;
    }
    clear(s, dx, from, to, cleared, s->w);
}

void GX_TIERED(max_pool_scatter)(const struct gx_pool_sizes *s, const float *g, const float *x,
                                 float *dx, int threads)
{
    const int parts = gx_parts((int64_t)s->n * s->h * s->w * s->c, threads);
    const int64_t band = s->stride < s->k ? BAND : s->stride, bands = (s->h + band - 1) / band;
    const int64_t image = (int64_t)s->h * s->w * s->c, pooled = (int64_t)s->oh * s->ow * s->c;
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (int64_t task = 0; task < s->n * bands; task++) {
        const int64_t n = task / bands, from = task % bands * band;
        const int64_t to = from + band < s->h ? from + band : s->h;
        scatter_band(s, g + n * pooled, x + n * image, dx + n * image, from, to);
    }
}
