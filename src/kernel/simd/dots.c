/* See dots.h. */
#include "kernel/simd/dots.h"

#include "kernel/simd/after.h"

#define UNROLL _Pragma("GCC unroll 16")

enum {
    OUTS = 3,      /* most channels */
    UNDER = 10240, /* most floats under a tile: they stay in the first cache */
#if defined(__AVX512F__)
    PIXELS = 8, /* and pixels: 24 of 32 registers */
#else
    PIXELS = 4,
#endif
};

bool GX_TIERED(dots_is)(const struct gx_conv_sizes *s, enum gx_conv_product product)
{
    bool dx = product == GX_CONV_DX;
    int to = dx ? s->i : s->o, from = dx ? s->o : s->i;
    int width = (PIXELS - 1) * s->stride + s->kw;
    return to <= OUTS && from % 16 == 0 && (!dx || s->stride == 1) &&
           (int64_t)s->kh * width * from <= UNDER;
}

/* Sums (OUTS, PIXELS): pixels of x that lie `pixel` floats apart, `rows` runs each that lie `row`
 * apart, times the weights (rows, outs, run). */
static inline __attribute__((always_inline)) void tile(const int outs, int rows, int run,
                                                       const float *x, int64_t row, int64_t pixel,
                                                       const float *w, float *sums)
{
    vf sum[OUTS][PIXELS];
    UNROLL
    for (int n = 0; n < outs; n++) {
        UNROLL
        for (int p = 0; p < PIXELS; p++)
            sum[n][p] = (vf){0};
    }
    for (int y = 0; y < rows; y++, x += row, w += (int64_t)outs * run) {
        const float *at[PIXELS];
        UNROLL
        for (int p = 0; p < PIXELS; p++)
            at[p] = x + p * pixel;
        for (int64_t j = 0; j < run; j += GX_LANES) {
            vf right[OUTS];
            UNROLL
            for (int n = 0; n < outs; n++)
                right[n] = gx_load(w + (int64_t)n * run + j);
            UNROLL
            for (int p = 0; p < PIXELS; p++) {
                vf left = gx_load(at[p] + j);
                GX_KEEP(left);
                UNROLL
                for (int n = 0; n < outs; n++)
                    sum[n][p] += left * right[n];
            }
        }
    }
    UNROLL
    for (int n = 0; n < outs; n++) {
        UNROLL
        for (int p = 0; p < PIXELS; p += 4)
            *(vf4 *)(sums + n * PIXELS + p) = gx_sum_lanes(&sum[n][p]);
    }
}

typedef void tile_function(int rows, int run, const float *x, int64_t row, int64_t pixel,
                           const float *w, float *sums);

#define DEFINE(outs)                                                                               \
    static void tile_##outs(int rows, int run, const float *x, int64_t row, int64_t pixel,         \
                            const float *w, float *sums)                                           \
    {                                                                                              \
        tile(outs, rows, run, x, row, pixel, w, sums);                                             \
    }
DEFINE(1)
DEFINE(2)
DEFINE(3)

static tile_function *const tiles[OUTS] = {tile_1, tile_2, tile_3};

/* The weights as (kh, outs, kw, c). */
static void arrange(const struct gx_windows *v, const struct gx_weights *w, int outs, float *to)
{
    for (int ky = 0; ky < v->kh; ky++)
        for (int n = 0; n < outs; n++)
            for (int kx = 0; kx < v->kw; kx++)
                for (int c = 0; c < v->c; c++)
                    *to++ = gx_weight_one(w->w, ky * w->row + kx * w->col + n * w->out + c * w->in);
}

/* Rows y0 .. y1 and `width` columns from x0 on of a picture, with zeros outside. */
static void copy_with_edges(const struct gx_windows *v, const float *picture, int y0, int y1,
                            int x0, int width, float *to)
{
    int before = gx_least(width, x0 < 0 ? -x0 : 0), end = gx_least(width, v->w - x0);
    for (int y = y0; y < y1; y++, to += (int64_t)width * v->c) {
        int inside = end > before ? end - before : 0;
        gx_zero(to, (int64_t)before * v->c);
        if (inside)
            gx_copy(to + (int64_t)before * v->c, picture + ((int64_t)y * v->w + x0 + before) * v->c,
                    (int64_t)inside * v->c);
        gx_zero(to + (int64_t)(before + inside) * v->c, (int64_t)(width - before - inside) * v->c);
    }
}

/* Positions `from` .. `count` of a tile, whose first goes to y. */
static void finish(const struct gx_target *to, int outs, const float *sums, float *y, int from,
                   int count, const struct gx_after *after)
{
    const float *bias = gx_after_bias_of(after);
    for (int p = from; p < count; p++) {
        float *pixel = y + p * to->col;
        for (int n = 0; n < outs; n++)
            pixel[n] = sums[n * PIXELS + p] + (bias ? bias[n] : 0);
        if (gx_after_more(after)) {
            struct gx_after at = gx_after_from(after, 0, outs);
            gx_after_row(&at, pixel, (pixel - to->first) / outs, outs);
        }
    }
}

void GX_TIERED(dots)(const struct gx_windows *v, const struct gx_target *to,
                     const struct gx_weights *weights, int n, int outs, int id, int threads,
                     const struct gx_after *after, struct gx_work work)
{
    int run = v->kw * v->c, width = (PIXELS - 1) * v->step + v->kw;
    float sums[OUTS][PIXELS];
    int64_t lines = (int64_t)n * v->ph, end = gx_share(lines, 1, id + 1, threads);
    arrange(v, weights, outs, work.slab);
    for (int64_t line = gx_share(lines, 1, id, threads); line < end; line++) {
        const float *picture = v->x + line / v->ph * v->h * v->w * v->c;
        int py = (int)(line % v->ph), row = py * v->step + v->oy;
        int y0 = row < 0 ? gx_least(-row, v->kh) : 0, y1 = gx_least(v->kh, v->h - row);
        float *y = to->y + line / v->ph * to->image + py * to->row;
        for (int done = 0; done < v->pw; done += PIXELS) {
            /* the last tile begins earlier rather than end outside */
            int px = done + PIXELS > v->pw && v->pw >= PIXELS ? v->pw - PIXELS : done;
            int col = px * v->step + v->ox;
            const float *x = picture + ((int64_t)(row + y0) * v->w + col) * v->c;
            int64_t stride = (int64_t)v->w * v->c;
            if (col < 0 || col + width > v->w) {
                copy_with_edges(v, picture, row + y0, row + y1, col, width, work.block);
                x = work.block;
                stride = (int64_t)width * v->c;
            }
            tiles[outs - 1](y1 - y0, run, x, stride, (int64_t)v->step * v->c,
                            work.slab + (int64_t)y0 * outs * run, sums[0]);
            finish(to, outs, sums[0], y + px * to->col, done - px, gx_least(PIXELS, v->pw - px),
                   after);
        }
    }
}
