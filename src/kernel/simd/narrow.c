/* See narrow.h. For y, the source pixels are those of x and the taps are mirrored. */
#include "kernel/simd/narrow.h"

#include "kernel/simd/after.h"
#include "kernel/simd/half.h"

enum { DW_DEPTH = GX_DEPTH / 2 };

bool GX_TIERED(narrow_is)(const struct gx_conv_sizes *s, enum gx_conv_product product)
{
    int to = product == GX_CONV_DX ? s->i : s->o, from = product == GX_CONV_DX ? s->o : s->i;
    if (s->panel || s->kw * to > GX_SLAB_COLS || s->kh * s->kw == 1)
        return false;
    if (product == GX_CONV_DX && s->kh * s->kw >= 16 && to <= 64 && from >= 2 * to && from >= 64)
        return true; /* measured: 4x4 gains, 3x3 does not */
    return to <= GX_LANES / 2 && from >= 8 && (product == GX_CONV_DX || s->stride == 1);
}

/* A convolution as source pixels (n,h,width,c) that each add a (kh,kw,out) patch to y
 * (n,yh,yw,out): pixel (row, col) from row step - top, col step - left on. */
struct spread {
    const float *x;
    struct gx_weight w;
    const struct gx_after *after;
    float *y;
    int h, width, c, yh, yw, out, kh, kw, step, top, left;
    bool mirrored;
};

/* Columns (tap, out) of channels k .. k + depth of the kernel rows from ky on, as panels. */
static void pack_kernel(const struct spread *s, int k, int depth, int ky, int columns, float *slab)
{
    int last = s->kh * s->kw - 1 - ky * s->kw;
    if (!s->mirrored) {
        GX_TIERED(pack_weights_transposed)
        (gx_weight_at(s->w, (int64_t)ky * s->kw * s->out * s->c + k), s->c, 0, depth, depth,
         columns, slab);
        return;
    }
    for (int n = 0; n < columns;) {
        int width = columns - n > GX_LANES ? GX_COLS : GX_LANES;
        for (int j = 0; j < width; j++) {
            bool real = n + j < columns;
            int tap = real ? last - (n + j) / s->out : 0;
            struct gx_weight from =
                gx_weight_at(s->w, ((int64_t)tap * s->c + k) * s->out + (n + j) % s->out);
            for (int q = 0; q < depth; q++)
                slab[(int64_t)q * width + j] = real ? gx_weight_one(from, (int64_t)q * s->out) : 0;
        }
        n += width;
        slab += (int64_t)depth * width;
    }
}

/* Adds the patches (kernel rows ky .. ky + high) of `count` source pixels, from (row, col) of an
 * image on, to the rows `band` (from, to) of y. */
static void scatter(const struct spread *s, const float *sums, int row, int col, int count, int ky,
                    int high, float *y, const int band[2])
{
    int run = s->kw * s->out, y0 = row * s->step - s->top + ky;
    for (int p = 0; p < count; p++, sums += high * run) {
        int x0 = (col + p) * s->step - s->left;
        int begin = x0 < 0 ? -x0 * s->out : 0;
        int end = gx_least(run, ((int64_t)s->yw - x0) * s->out);
        for (int q = 0; q < high; q++) {
            if (y0 + q < band[0] || y0 + q >= band[1])
                continue;
            float *to = y + ((int64_t)(y0 + q) * s->yw + x0) * s->out;
            for (int j = begin; j < end; j++)
                to[j] += sums[q * run + j];
        }
    }
}

/* Kernel rows ky .. ky + high, channels k .. k + depth, of image n, to the rows `band` of y. */
static void spread_part(const struct spread *s, int n, int k, int depth, int ky, int high,
                        const int band[2], struct gx_work work)
{
    struct gx_windows windows = {s->x, s->h, s->width, s->c, 1, 1, 1, 0, 0, s->h, s->width};
    int columns = high * s->kw * s->out, parts = (s->width + GX_BLOCK_ROWS - 1) / GX_BLOCK_ROWS;
    int first = band[0] + s->top - ky - high + 1;
    int last = gx_least((band[1] - 1 + s->top - ky) / s->step, s->h - 1);
    float *rows[GX_BLOCK_ROWS];
    for (int r = 0; r < GX_BLOCK_ROWS; r++)
        rows[r] = work.sums + (int64_t)r * columns;
    first = first > 0 ? (first + s->step - 1) / s->step : 0;
    pack_kernel(s, k, depth, ky, columns, work.slab);
    for (int row = first; row <= last; row++)
        for (int part = 0; part < parts; part++) {
            int col = (int)((int64_t)s->width * part / parts);
            int count = (int)((int64_t)s->width * (part + 1) / parts) - col;
            GX_TIERED(gather)
            (&windows, ((int64_t)n * s->h + row) * s->width + col, count, k, depth, work.block);
            GX_TIERED(multiply)
            (count, columns, depth, false, work.block, gx_packed(work.slab, depth), rows, true,
             NULL);
            scatter(s, work.sums, row, col, count, ky, high,
                    s->y + (int64_t)n * s->yh * s->yw * s->out, band);
        }
}

static void spread_band(const struct spread *s, int n, const int band[2], struct gx_work work)
{
    float *y = s->y + (int64_t)n * s->yh * s->yw * s->out;
    int most = GX_SLAB_COLS / (s->kw * s->out);
    const float *bias = gx_after_bias_of(s->after);
    for (int64_t p = (int64_t)band[0] * s->yw; p < (int64_t)band[1] * s->yw; p++)
        for (int c = 0; c < s->out; c++)
            y[p * s->out + c] = bias ? bias[c] : 0;
    for (int k = 0; k < s->c; k += GX_DEPTH)
        for (int ky = 0; ky < s->kh; ky += most)
            spread_part(s, n, k, gx_least(GX_DEPTH, s->c - k), ky, gx_least(most, s->kh - ky), band,
                        work);
    if (!gx_after_more(s->after))
        return;
    struct gx_after after = gx_after_from(s->after, 0, s->out);
    for (int64_t p = (int64_t)band[0] * s->yw; p < (int64_t)band[1] * s->yw; p++)
        gx_after_row(&after, y + p * s->out, (int64_t)n * s->yh * s->yw + p, s->out);
}

/* Threads take rows of y; source rows at a seam are multiplied on both sides of it. */
static void run(const struct spread *s, int n, void *scratch, int threads)
{
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        const int band[2] = {(int)gx_share(s->yh, 1, id, threads),
                             (int)gx_share(s->yh, 1, id + 1, threads)};
        for (int image = 0; band[0] < band[1] && image < n; image++)
            spread_band(s, image, band, gx_work_of(scratch, id));
    }
}

void GX_TIERED(narrow_dx)(const struct gx_conv_sizes *s, const float *g, const void *w,
                          const struct gx_after *after, float *dx, void *scratch, int threads)
{
    struct spread spread = {.x = g,
                            .w = {w, s->dtype},
                            .after = after,
                            .y = dx,
                            .h = s->oh,
                            .width = s->ow,
                            .c = s->o,
                            .yh = s->h,
                            .yw = s->w,
                            .out = s->i,
                            .kh = s->kh,
                            .kw = s->kw,
                            .step = s->stride,
                            .top = s->pad,
                            .left = s->pad};
    run(&spread, s->n, scratch, threads);
}

void GX_TIERED(narrow_y)(const struct gx_conv_sizes *s, const float *x, const void *w,
                         const struct gx_after *after, float *y, void *scratch, int threads)
{
    struct spread spread = {.x = x,
                            .w = {w, s->dtype},
                            .after = after,
                            .y = y,
                            .h = s->h,
                            .width = s->w,
                            .c = s->i,
                            .yh = s->oh,
                            .yw = s->ow,
                            .out = s->o,
                            .kh = s->kh,
                            .kw = s->kw,
                            .step = 1,
                            .top = s->kh - 1 - s->pad,
                            .left = s->kw - 1 - s->pad,
                            .mirrored = true};
    run(&spread, s->n, scratch, threads);
}

/* Sums (count, cols) over all pixels of x of channels m .. m + count times what g holds under the
 * mirrored kernel, columns n .. n + cols of (kh, kw, o). */
static void sum_pixels(const struct gx_conv_sizes *s, const struct gx_windows *x,
                       const struct gx_windows *g, int m, int count, int n, int cols, float **rows,
                       struct gx_work work)
{
    int64_t pixels = (int64_t)s->n * s->h * s->w;
    float *other = work.slab + (int64_t)DW_DEPTH * GX_SLAB_COLS;
    for (int64_t p = 0; p < pixels; p += DW_DEPTH) {
        int depth = gx_least(DW_DEPTH, pixels - p);
        GX_TIERED(gather)(g, p, depth, n, cols, other);
        GX_TIERED(pack)(other, GX_LDA, depth, cols, work.slab);
        GX_TIERED(gather)(x, p, depth, m, count, work.block);
        GX_TIERED(multiply)
        (count, cols, depth, true, work.block, gx_packed(work.slab, depth), rows, !p, NULL);
    }
}

void GX_TIERED(narrow_dw)(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw,
                          void *scratch, int threads)
{
    struct gx_windows vx = {x, s->h, s->w, s->i, 1, 1, 1, 0, 0, s->h, s->w};
    struct gx_windows vg = {
        g, s->oh, s->ow, s->o, s->kh, s->kw, 1, s->pad + 1 - s->kh, s->pad + 1 - s->kw, s->h, s->w};
    int taps = s->kh * s->kw;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct gx_part part = GX_TIERED(split)(s->i, taps * s->o, id, threads);
        struct gx_work work = gx_work_of(scratch, id);
        float *rows[GX_BLOCK_ROWS];
        for (int n = part.n0; n < part.n1; n += GX_DEPTH)
            for (int m = (int)part.m0; m < part.m1; m += GX_BLOCK_ROWS) {
                int cols = gx_least(GX_DEPTH, part.n1 - n);
                int count = gx_least(GX_BLOCK_ROWS, part.m1 - m);
                for (int r = 0; r < count; r++)
                    rows[r] = work.sums + (int64_t)r * cols;
                sum_pixels(s, &vx, &vg, m, count, n, cols, rows, work);
                for (int r = 0; r < count; r++)
                    for (int j = 0; j < cols; j++) {
                        int tap = taps - 1 - (n + j) / s->o;
                        dw[((int64_t)tap * s->i + m + r) * s->o + (n + j) % s->o] = rows[r][j];
                    }
            }
    }
}
