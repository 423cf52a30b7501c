/* The three products of a convolution, on the tiles of tile.h.
 *
 * y: a product of the gathered picture (positions, kh kw i) and the weights as they lie. Where they
 * lie as panels already, nothing is packed; those of the next piece are asked for meanwhile, as a
 * picture of few pixels is done with each in less time than memory takes to bring one.
 * dx: each of its classes (classes.h) is a convolution of g with stride 1.
 * dw: the transpose of the gathered picture times g.
 * Where the result has few channels, tiles would be mostly padding: dots.h, narrow.h. Where there
 * are few pixels, packing weights would cost more than multiplying them: few.h. Where weights are
 * bfloat16 and the processor multiplies such numbers faster: bf16.h.
 *
 * Threads share out positions, columns or both, whichever copies less: never a sum. So a result
 * does not depend on their number. Scratch is one block and one slab a thread. */
#include "kernel/simd/after.h"
#include "kernel/simd/bf16.h"
#include "kernel/simd/classes.h"
#include "kernel/simd/dots.h"
#include "kernel/simd/few.h"
#include "kernel/simd/narrow.h"

enum {
    SWEEP = 1 << 18,                 /* floats of a result that stay in L2: 1 MiB */
    SWEEP_ROWS = 16 * GX_BLOCK_ROWS, /* fewer would not repay packing the weights again */
};

size_t GX_TIERED(conv2d_scratch)(const struct gx_conv_sizes *s, enum gx_conv_product product,
                                 int threads)
{
    const struct gx_bf16 *bf16 = GX_TIERED(bf16_of)(s, product);
    if (bf16 && !GX_TIERED(few_is)(s, product))
        return bf16->scratch(threads);
    return (size_t)threads * GX_WORK * sizeof(float);
}

/* The right matrix: the taps' weights, `in` rows each. */
struct right {
    /* Its rows k .. k + depth and columns n .. n + cols: packed into the slab, or where they lie. */
    struct gx_panels (*panels)(const struct right *right, int k, int depth, int n, int cols,
                               float *slab);
    struct gx_weights taps;
    int across, in; /* taps in a row, and the channels under one */
    int panel;      /* how wide those that lie ready are; 0: none do */
};

/* What comes after the sums of positions m .. m + count, columns n .. n + cols: `first` is the whole
 * result, whose channels lie one behind the other. */
static void finish(const struct gx_after *after, const struct gx_target *to, int n, int cols,
                   int count, float *const *rows)
{
    struct gx_after at = gx_after_from(after, n, to->channels);
    for (int r = 0; r < count; r++)
        gx_after_row(&at, rows[r], (rows[r] - to->first) / to->channels, cols);
}

/* Whether any position of a tap lies inside the picture. */
static bool meets(const struct gx_windows *v, int tap)
{
    int row = v->oy + tap / v->kw, col = v->ox + tap % v->kw;
    bool down = false, across = false;
    for (int p = 0; p < v->ph && !down; p++)
        down = row + p * v->step >= 0 && row + p * v->step < v->h;
    for (int p = 0; p < v->pw && !across; p++)
        across = col + p * v->step >= 0 && col + p * v->step < v->w;
    return down && across;
}

/* One share of (windows) x (their kh kw c columns) times the right matrix: columns n .. n + cols
 * of the windows m0 .. m1. */
static void sweep(const struct gx_windows *windows, const struct gx_target *to, int64_t m0,
                  int64_t m1, int n, int cols, const struct right *right,
                  const struct gx_after *after, struct gx_work work)
{
    const float *bias = gx_after_bias_of(after);
    int all = windows->kh * windows->kw * windows->c, piece = right->panel ? right->in : GX_DEPTH;
    struct gx_target column = *to;
    float *rows[GX_BLOCK_ROWS];
    bool first = true;
    column.y += n;
    for (int k = 0, depth; first || k < all; k += depth) {
        depth = gx_least(gx_least(GX_DEPTH, all - k), piece - k % piece);
        bool last = k + depth >= all;
        if (!last && right->panel && !meets(windows, k / piece))
            continue;
        struct gx_panels panels = right->panels(right, k, depth, n, cols, work.slab);
        for (int64_t m = m0; m < m1; m += GX_BLOCK_ROWS) {
            int count = gx_least(GX_BLOCK_ROWS, m1 - m);
            if (depth)
                GX_TIERED(gather)(windows, m, count, k, depth, work.block);
            GX_TIERED(place)(windows, &column, m, count, rows);
            GX_TIERED(multiply)
            (count, cols, depth, false, work.block, panels, rows, first, bias ? bias + n : NULL);
            if (gx_after_more(after) && last)
                finish(after, to, n, cols, count, rows);
        }
        first = false;
    }
}

/* A share of a product, in sweeps whose results stay in L2 while the depth runs. */
static void product(const struct gx_windows *windows, const struct gx_target *to,
                    struct gx_part share, const struct right *right, const struct gx_after *after,
                    struct gx_work work)
{
    for (int n = share.n0; n < share.n1; n += GX_SLAB_COLS) {
        int cols = gx_least(GX_SLAB_COLS, share.n1 - n);
        int most = SWEEP / cols > SWEEP_ROWS ? SWEEP / cols : SWEEP_ROWS;
        most = most / GX_BLOCK_ROWS * GX_BLOCK_ROWS;
        for (int64_t m = share.m0; m < share.m1; m += most)
            sweep(windows, to, m, m + gx_least(most, share.m1 - m), n, cols, right, after, work);
    }
}

static struct gx_panels pack_plain(const struct right *right, int k, int depth, int n, int cols,
                                   float *slab)
{
    const struct gx_weights *t = &right->taps;
    GX_TIERED(pack_weights)
    (gx_weight_at(t->w, k * t->in + n), (int)t->in, depth, cols, slab);
    return gx_packed(slab, depth);
}

static int64_t tap_of(const struct right *right, int tap)
{
    return tap / right->across * right->taps.row + tap % right->across * right->taps.col;
}

/* Weights that were laid out as panels (gx_conv_sizes). */
static struct gx_panels ready(const struct right *right, int k, int depth, int n, int cols,
                              float *slab)
{
    (void)cols, (void)slab;
    const float *at[2];
    for (int j = 0; j < 2; j++, k += depth) /* they, and what comes next, if it does */
        at[j] = (const float *)right->taps.w.at + tap_of(right, k / right->in) +
                (int64_t)n * right->in + (int64_t)(k % right->in) * right->panel;
    return (struct gx_panels){at[0], (int64_t)right->in * right->panel, at[1]};
}

void GX_TIERED(conv2d)(const struct gx_conv_sizes *s, const float *x, const void *w,
                       const struct gx_after *after, float *y, void *scratch, int threads)
{
    if (GX_TIERED(few_is)(s, GX_CONV_Y)) {
        GX_TIERED(few_y)(s, x, w, after, y, scratch, threads);
        return;
    }
    const struct gx_bf16 *bf16 = GX_TIERED(bf16_of)(s, GX_CONV_Y);
    if (bf16) {
        bf16->y(s, x, w, after, y, scratch, threads);
        return;
    }
    bool dots = GX_TIERED(dots_is)(s, GX_CONV_Y);
    if (!dots && GX_TIERED(narrow_is)(s, GX_CONV_Y)) {
        GX_TIERED(narrow_y)(s, x, w, after, y, scratch, threads);
        return;
    }
    struct gx_windows windows = {x,         s->h,    s->w,    s->i,  s->kh, s->kw,
                                 s->stride, -s->pad, -s->pad, s->oh, s->ow};
    struct gx_target to = {y, (int64_t)s->oh * s->ow * s->o, (int64_t)s->ow * s->o, s->o, y, s->o};
    struct gx_weights weights = {
        {w, s->dtype}, (int64_t)s->kw * s->i * s->o, (int64_t)s->i * s->o, 1, s->o};
    struct right right = {s->panel ? ready : pack_plain, weights, s->kw, s->i, s->panel};
    int64_t m = (int64_t)s->n * s->oh * s->ow;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct gx_work work = gx_work_of(scratch, id);
        if (dots)
            GX_TIERED(dots)(&windows, &to, &weights, s->n, s->o, id, threads, after, work);
        else
            product(&windows, &to, GX_TIERED(split)(m, s->o, id, threads), &right, after, work);
    }
}

/* ---- dx ---- */

static struct gx_panels pack_taps(const struct right *right, int k, int depth, int n, int cols,
                                  float *slab)
{
    const struct gx_weights *t = &right->taps;
    for (int done = 0, part; done < depth; done += part) {
        int tap = (k + done) / right->in, skip = (k + done) % right->in;
        part = gx_least(right->in - skip, depth - done);
        GX_TIERED(pack_weights_transposed)
        (gx_weight_at(t->w, tap_of(right, tap) + n * t->out + skip), (int)t->out, done, part, depth,
         cols, slab);
    }
    return gx_packed(slab, depth);
}

static void dx_class(const struct gx_conv_sizes *s, int number, const float *g, const void *w,
                     const struct gx_after *after, float *dx, int id, int threads,
                     struct gx_work work)
{
    struct gx_class c = gx_class_of(s, number, g, w, dx);
    int64_t m = (int64_t)s->n * c.windows.ph * c.windows.pw;
    struct gx_weights weights = {
        gx_weight_at(c.taps.w, (int64_t)(c.taps.ky * s->kw + c.taps.kx) * s->i * s->o),
        -(int64_t)s->stride * s->kw * s->i * s->o, -(int64_t)s->stride * s->i * s->o, s->o, 1};
    struct right right = {s->panel ? ready : pack_taps, weights, c.windows.kw, s->o, s->panel};
    if (m && GX_TIERED(dots_is)(s, GX_CONV_DX))
        GX_TIERED(dots)(&c.windows, &c.to, &weights, s->n, s->i, id, threads, after, work);
    else if (m)
        product(&c.windows, &c.to, GX_TIERED(split)(m, s->i, id, threads), &right, after, work);
}

void GX_TIERED(conv2d_dx)(const struct gx_conv_sizes *s, const float *g, const void *w,
                          const struct gx_after *after, float *dx, void *scratch, int threads)
{
    if (GX_TIERED(few_is)(s, GX_CONV_DX)) {
        GX_TIERED(few_dx)(s, g, w, after, dx, scratch, threads);
        return;
    }
    const struct gx_bf16 *bf16 = GX_TIERED(bf16_of)(s, GX_CONV_DX);
    if (bf16) {
        bf16->dx(s, g, w, after, dx, scratch, threads);
        return;
    }
    if (!GX_TIERED(dots_is)(s, GX_CONV_DX) && GX_TIERED(narrow_is)(s, GX_CONV_DX)) {
        GX_TIERED(narrow_dx)(s, g, w, after, dx, scratch, threads);
        return;
    }
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++)
        for (int c = 0; c < s->stride * s->stride; c++)
            dx_class(s, c, g, w, after, dx, id, threads, gx_work_of(scratch, id));
}

/* ---- dw ---- */

void GX_TIERED(conv2d_dw)(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw,
                          void *scratch, int threads)
{
    if ((uintptr_t)dw % 64 == 0 && GX_TIERED(few_is)(s, GX_CONV_DW)) {
        GX_TIERED(few_dw)(s, x, g, dw, scratch, threads);
        return;
    }
    if (GX_TIERED(narrow_is)(s, GX_CONV_DW)) {
        GX_TIERED(narrow_dw)(s, x, g, dw, scratch, threads);
        return;
    }
    struct gx_windows windows = {x,         s->h,    s->w,    s->i,  s->kh, s->kw,
                                 s->stride, -s->pad, -s->pad, s->oh, s->ow};
    int64_t taps = (int64_t)s->kh * s->kw * s->i, pixels = (int64_t)s->n * s->oh * s->ow;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct gx_part share = GX_TIERED(split)(taps, s->o, id, threads);
        struct gx_work work = gx_work_of(scratch, id);
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
                    GX_TIERED(gather)(&windows, p, depth, (int)m, count, work.block);
                    GX_TIERED(multiply)
                    (count, cols, depth, true, work.block, gx_packed(work.slab, depth), rows, !p,
                     NULL);
                }
            }
    }
}
