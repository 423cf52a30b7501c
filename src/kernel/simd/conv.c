/* The three products of a convolution, on the tiles of tile.h.
 *
 * y: a product of the gathered picture (positions, kh kw i) and the weights as they lie.
 * dx: the pixels of dx whose row and column leave the same remainders by the stride meet the same
 *   taps, so each of the stride^2 classes is a convolution of g with stride 1 and a part of the
 *   kernel. Where dx has few channels, tiles would be mostly padding: there each pixel of g is
 *   multiplied with the whole kernel and the result added where it belongs.
 * dw: the transpose of the gathered picture times g.
 *
 * Threads share out positions, columns or both, whichever copies less: never a sum. So a result
 * does not depend on their number. Scratch is one block and one slab a thread. */
#include "kernel/simd/block.h"

/* Each share's scratch. */
struct work {
    float *block, *slab;
};

static struct work work_of(void *scratch, int id)
{
    float *base = (float *)scratch + (size_t)id * (GX_BLOCK + GX_SLAB);
    return (struct work){base, base + GX_BLOCK};
}

size_t GX_TIERED(conv2d_scratch)(const struct gx_conv_sizes *s, enum gx_conv_product product,
                                 int threads)
{
    (void)s, (void)product;
    return (size_t)threads * (GX_BLOCK + GX_SLAB) * sizeof(float);
}

/* Packs the right matrix: rows k .. k + depth, columns n .. n + cols. */
typedef void pack_function(const void *matrix, int k, int depth, int n, int cols, float *slab);

/* One share of (positions of view) x (its kh kw c columns) times the packed matrix. */
static void product(const struct gx_view *view, const struct gx_target *to, struct gx_part share,
                    pack_function *pack, const void *matrix, const float *bias, struct work work)
{
    int depth_all = view->kh * view->kw * view->c;
    float *rows[GX_BLOCK_ROWS];
    for (int n = share.n0; n < share.n1; n += GX_SLAB_COLS) {
        int cols = gx_least(GX_SLAB_COLS, share.n1 - n), k = 0;
        do {
            int depth = gx_least(GX_DEPTH, depth_all - k);
            pack(matrix, k, depth, n, cols, work.slab);
            for (int64_t m = share.m0; m < share.m1; m += GX_BLOCK_ROWS) {
                int count = gx_least(GX_BLOCK_ROWS, share.m1 - m);
                struct gx_target column = *to;
                column.y += n;
                if (depth)
                    GX_TIERED(gather)(view, m, count, k, depth, work.block);
                GX_TIERED(place)(view, &column, m, count, rows);
                GX_TIERED(multiply)
                (count, cols, depth, false, work.block, work.slab, rows, !k,
                 bias ? bias + n : NULL);
            }
            k += depth;
        } while (k < depth_all);
    }
}

struct plain {
    const float *w;
    int o;
};

static void pack_plain(const void *matrix, int k, int depth, int n, int cols, float *slab)
{
    const struct plain *p = matrix;
    GX_TIERED(pack)(p->w + (int64_t)k * p->o + n, p->o, depth, cols, slab);
}

void GX_TIERED(conv2d)(const struct gx_conv_sizes *s, const float *x, const float *w,
                       const float *bias, float *y, void *scratch, int threads)
{
    struct gx_view view = {x,         s->h,    s->w,    s->i,  s->kh, s->kw,
                           s->stride, -s->pad, -s->pad, s->oh, s->ow};
    struct gx_target to = {y, (int64_t)s->oh * s->ow * s->o, (int64_t)s->ow * s->o, s->o};
    struct plain matrix = {w, s->o};
    int64_t m = (int64_t)s->n * s->oh * s->ow;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++)
        product(&view, &to, GX_TIERED(split)(m, s->o, id, threads), pack_plain, &matrix, bias,
                work_of(scratch, id));
}

/* ---- dx ---- */

/* The taps of one class: kernel rows ky, ky - stride, ... and the same of columns, so that the rows
 * of g that they meet ascend. */
struct taps {
    const float *w;
    int kw, i, o, stride, ky, kx, across;
};

static void pack_taps(const void *matrix, int k, int depth, int n, int cols, float *slab)
{
    const struct taps *t = matrix;
    for (int done = 0; done < depth;) {
        int tap = (k + done) / t->o, skip = (k + done) % t->o;
        int part = gx_least(t->o - skip, depth - done);
        int ky = t->ky - tap / t->across * t->stride, kx = t->kx - tap % t->across * t->stride;
        const float *from = t->w + ((int64_t)(ky * t->kw + kx) * t->i + n) * t->o + skip;
        GX_TIERED(pack_transposed)(from, t->o, done, part, depth, cols, slab);
        done += part;
    }
}

/* One direction of a class: pixels first, first + stride, ... (count of them) meet `taps` taps, the
 * last of which is `last`, and start at g index `origin`. */
struct line {
    int first, count, taps, last, origin;
};

static struct line line_of(int remainder, int size, int k, int stride, int pad)
{
    struct line l;
    l.first = ((remainder - pad) % stride + stride) % stride;
    l.count = size > l.first ? (size - l.first + stride - 1) / stride : 0;
    l.taps = k > remainder ? (k - remainder + stride - 1) / stride : 0;
    l.last = remainder + (l.taps - 1) * stride;
    l.origin = (l.first + pad - remainder) / stride - (l.taps - 1);
    return l;
}

static void dx_class(const struct gx_conv_sizes *s, int ry, int rx, const float *g, const float *w,
                     const float *bias, float *dx, int id, int threads, struct work work)
{
    struct line y = line_of(ry, s->h, s->kh, s->stride, s->pad);
    struct line x = line_of(rx, s->w, s->kw, s->stride, s->pad);
    struct gx_view view = {g, s->oh,    s->ow,    s->o,    y.taps, x.taps,
                           1, y.origin, x.origin, y.count, x.count};
    struct gx_target to = {dx + ((int64_t)y.first * s->w + x.first) * s->i,
                           (int64_t)s->h * s->w * s->i, (int64_t)s->stride * s->w * s->i,
                           (int64_t)s->stride * s->i};
    struct taps matrix = {w, s->kw, s->i, s->o, s->stride, y.last, x.last, x.taps};
    int64_t m = (int64_t)s->n * y.count * x.count;
    if (m)
        product(&view, &to, GX_TIERED(split)(m, s->i, id, threads), pack_taps, &matrix, bias, work);
}

/* Adds the (kh,kw,i) results of `count` pixels of g, from pixel (gy, gx) of one image on, to the
 * rows low .. high of dx. */
static void scatter(const struct gx_conv_sizes *s, const float *sums, int columns, int gy, int gx,
                    int count, float *dx, int low, int high)
{
    int run = s->kw * s->i;
    for (int p = 0; p < count; p++, sums += columns) {
        int x0 = (gx + p) * s->stride - s->pad, y0 = gy * s->stride - s->pad;
        int begin = x0 < 0 ? -x0 * s->i : 0;
        int end = gx_least(run, ((int64_t)s->w - x0) * s->i);
        for (int ky = 0; ky < s->kh; ky++) {
            if (y0 + ky < low || y0 + ky >= high)
                continue;
            float *to = dx + ((int64_t)(y0 + ky) * s->w + x0) * s->i;
            for (int j = begin; j < end; j++)
                to[j] += sums[ky * run + j];
        }
    }
}

/* dx of few channels: rows low .. high of image n, which start as the bias. */
static void dx_narrow(const struct gx_conv_sizes *s, int n, int low, int high, const float *g,
                      const float *w, const float *bias, float *dx, struct work work)
{
    int columns = s->kh * s->kw * s->i;
    int top = low + s->pad - s->kh + 1, bottom = (high - 1 + s->pad) / s->stride;
    struct gx_view view = {g, s->oh, s->ow, s->o, 1, 1, 1, 0, 0, s->oh, s->ow};
    float *rows[GX_BLOCK_ROWS], *sums = work.block + GX_BLOCK_ROWS * GX_LDA;
    top = top > 0 ? (top + s->stride - 1) / s->stride : 0;
    bottom = gx_least(bottom, s->oh - 1);
    dx += (int64_t)n * s->h * s->w * s->i;
    for (int64_t p = (int64_t)low * s->w; p < (int64_t)high * s->w; p++)
        for (int c = 0; c < s->i; c++)
            dx[p * s->i + c] = bias ? bias[c] : 0;
    for (int k = 0; k < s->o; k += GX_DEPTH) {
        int depth = gx_least(GX_DEPTH, s->o - k);
        GX_TIERED(pack_transposed)(w + k, s->o, 0, depth, depth, columns, work.slab);
        for (int gy = top; gy <= bottom; gy++)
            for (int gx = 0; gx < s->ow; gx += GX_BLOCK_ROWS) {
                int count = gx_least(GX_BLOCK_ROWS, s->ow - gx);
                for (int r = 0; r < count; r++)
                    rows[r] = sums + (int64_t)r * columns;
                GX_TIERED(gather)
                (&view, ((int64_t)n * s->oh + gy) * s->ow + gx, count, k, depth, work.block);
                GX_TIERED(multiply)
                (count, columns, depth, false, work.block, work.slab, rows, true, NULL);
                scatter(s, sums, columns, gy, gx, count, dx, low, high);
            }
    }
}

/* Whether padding i to a vector would waste more than the extra additions of dx_narrow cost. */
static bool is_narrow(const struct gx_conv_sizes *s)
{
    return s->i <= GX_LANES / 2 &&
           (int64_t)s->kh * s->kw * s->i <= (GX_DEPTH - GX_BLOCK_ROWS) * GX_LDA / GX_BLOCK_ROWS;
}

void GX_TIERED(conv2d_dx)(const struct gx_conv_sizes *s, const float *g, const float *w,
                          const float *bias, float *dx, void *scratch, int threads)
{
    bool narrow = is_narrow(s);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct work work = work_of(scratch, id);
        int low = (int)gx_share(s->h, 1, id, threads),
            high = (int)gx_share(s->h, 1, id + 1, threads);
        for (int n = 0; narrow && low < high && n < s->n; n++)
            dx_narrow(s, n, low, high, g, w, bias, dx, work);
        for (int c = 0; !narrow && c < s->stride * s->stride; c++)
            dx_class(s, c / s->stride, c % s->stride, g, w, bias, dx, id, threads, work);
    }
}

/* ---- dw ---- */

void GX_TIERED(conv2d_dw)(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw,
                          void *scratch, int threads)
{
    struct gx_view view = {x,         s->h,    s->w,    s->i,  s->kh, s->kw,
                           s->stride, -s->pad, -s->pad, s->oh, s->ow};
    int64_t taps = (int64_t)s->kh * s->kw * s->i, pixels = (int64_t)s->n * s->oh * s->ow;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct gx_part share = GX_TIERED(split)(taps, s->o, id, threads);
        struct work work = work_of(scratch, id);
        float *rows[GX_DEPTH];
        for (int n = share.n0; n < share.n1; n += GX_SLAB_COLS)
            for (int64_t p = 0; p < pixels; p += GX_DEPTH) {
                int cols = gx_least(GX_SLAB_COLS, share.n1 - n);
                int depth = gx_least(GX_DEPTH, pixels - p);
                GX_TIERED(pack)(g + p * s->o + n, s->o, depth, cols, work.slab);
                for (int64_t m = share.m0; m < share.m1; m += GX_DEPTH) {
                    int count = gx_least(GX_DEPTH, share.m1 - m);
                    for (int r = 0; r < count; r++)
                        rows[r] = dw + (m + r) * s->o + n;
                    GX_TIERED(gather)(&view, p, depth, (int)m, count, work.block);
                    GX_TIERED(multiply)
                    (count, cols, depth, true, work.block, work.slab, rows, !p, NULL);
                }
            }
    }
}
