/* Normalisation and its gradient: per channel a few factors, then one sweep at memory speed. What
 * comes after a norm is done to each piece of some hundred floats, in the nearest cache. */
#include "kernel/simd/simd.h"
#include "kernel/simd/parts.h"

#include <math.h>

struct factors { /* of a tile's channels, repeated when rows are folded */
    float mean[GX_TILE], scale[GX_TILE], bias[GX_TILE], slope[GX_TILE];
};

struct work {
    const float *x, *m, *weight;
    const struct gx_after *after; /* norm; else NULL */
    const float *g, *s;           /* norm_dx; else NULL */
    float eps;
    float *y;
    int64_t step; /* from a row of y to the next */
    int64_t groups, rows, c;
    int fold;              /* rows taken as one */
    int64_t width, tiles;  /* channels in a tile, tiles in a row */
    int64_t block, blocks; /* rows in a block, blocks in a group */
};

static void split(struct work *k)
{
    k->fold = k->step == k->c ? gx_fold(k->c) : 1;
    k->width = k->c < GX_TILE ? k->c : GX_TILE;
    k->tiles = (k->c + k->width - 1) / k->width;
    k->block = (8192 / (k->width * k->fold) + 1) * k->fold;
    k->blocks = (k->rows + k->block - 1) / k->block;
}

/* y = (x - mean) scale + bias, and slope for what comes after; or dx = scale (g - bias - (x - mean) slope). */
static void make_factors(const struct work *k, int64_t group, int64_t c, int width,
                         struct factors *f)
{
    const float *mean = k->m + group * 2 * k->c + c, *variance = mean + k->c;
    const float share = k->g ? 1.0f / (float)k->rows : 0;
    for (int i = 0; i < width; i++) {
        float rstd = 1.0f / sqrtf(variance[i] + k->eps);
        f->mean[i] = mean[i];
        f->scale[i] = k->weight ? rstd * k->weight[c + i] : rstd;
        if (k->g) {
            const float *s = k->s + group * 2 * k->c + c;
            f->bias[i] = s[i] * share;
            f->slope[i] = s[k->c + i] * share * rstd;
        } else {
            const struct gx_after *a = k->after;
            f->bias[i] = a && a->bias ? a->bias[c + i] : 0;
            f->slope[i] = !a ? 0 : a->slopes ? a->slopes[c + i] : a->slope;
        }
    }
    for (int i = width; i < width * k->fold; i++) {
        f->mean[i] = f->mean[i - width];
        f->scale[i] = f->scale[i - width];
        f->bias[i] = f->bias[i - width];
        f->slope[i] = f->slope[i - width];
    }
}

static void sweep(const struct work *k, const struct factors *f, int64_t at, float *y, int width)
{
    const float *x = k->x + at;
    if (k->g) {
        const float *g = k->g + at;
#pragma omp simd
        for (int i = 0; i < width; i++)
            y[i] = f->scale[i] * (g[i] - f->bias[i] - (x[i] - f->mean[i]) * f->slope[i]);
    } else {
#pragma omp simd
        for (int i = 0; i < width; i++)
            y[i] = (x[i] - f->mean[i]) * f->scale[i] + f->bias[i];
    }
}

static void finish(const struct gx_after *a, const struct factors *f, float *y, int64_t at,
                   int width)
{
    if (a->gated) {
        const float *sign = a->gate.x ? a->gate.x + at : y;
#pragma omp simd
        for (int i = 0; i < width; i++)
            y[i] = sign[i] > 0.0f ? y[i] : f->slope[i] * y[i];
    }
    for (int j = 0; j < a->sums; j++) {
        const float scale = a->sum[j].scale, *with = a->sum[j].with.x;
        if (with) {
#pragma omp simd
            for (int i = 0; i < width; i++)
                y[i] = scale * y[i] + with[at + i];
        } else {
#pragma omp simd
            for (int i = 0; i < width; i++)
                y[i] *= scale;
        }
    }
}

static void units(const struct work *k, int64_t unit, int64_t end)
{
    struct factors f;
    int64_t made = -1;
    for (; unit < end; unit++) {
        int64_t r = unit % k->blocks * k->block, tile = unit / k->blocks;
        int64_t group = tile / k->tiles, c = tile % k->tiles * k->width;
        int width = (int)(k->c - c < k->width ? k->c - c : k->width);
        int64_t last = r + k->block < k->rows ? r + k->block : k->rows;
        if (made != tile)
            make_factors(k, group, c, width, &f);
        made = tile;
        for (; r < last; r += k->fold) {
            int rows = last - r < k->fold ? (int)(last - r) : k->fold;
            int64_t row = group * k->rows + r, at = row * k->c + c;
            float *y = k->y + row * k->step + c;
            sweep(k, &f, at, y, width * rows);
            if (k->after)
                finish(k->after, &f, y, at, width * rows);
        }
    }
}

static void run(struct work *k, int threads)
{
    if (k->groups * k->rows * k->c == 0)
        return;
    split(k);
    const int64_t count = k->groups * k->tiles * k->blocks;
    const int parts = gx_parts(k->groups * k->rows * k->c, threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (int p = 0; p < parts; p++)
        units(k, gx_share(count, 1, p, parts), gx_share(count, 1, p + 1, parts));
}

void GX_TIERED(norm)(const float *x, const float *m, const float *weight,
                     const struct gx_after *after, float eps, float *y, int64_t y_step,
                     int64_t groups, int64_t rows, int64_t c, int threads)
{
    struct work k = {.x = x,
                     .m = m,
                     .weight = weight,
                     .after = after,
                     .eps = eps,
                     .y = y,
                     .step = y_step ? y_step : c,
                     .groups = groups,
                     .rows = rows,
                     .c = c};
    run(&k, threads);
}

void GX_TIERED(norm_dx)(const float *g, const float *x, const float *m, const float *weight,
                        const float *s, float eps, float *dx, int64_t groups, int64_t rows,
                        int64_t c, int threads)
{
    struct work k = {.x = x,
                     .m = m,
                     .weight = weight,
                     .g = g,
                     .s = s,
                     .eps = eps,
                     .y = dx,
                     .step = c,
                     .groups = groups,
                     .rows = rows,
                     .c = c};
    run(&k, threads);
}
