/* See few.h. Threads share out the columns of y, of dx or of dw: never a sum. */
#include "kernel/simd/few.h"

#include "kernel/simd/after.h"
#include "kernel/simd/half.h"

#define UNROLL _Pragma("GCC unroll 16")

enum {
#if defined(__AVX512F__)
    PAIRS = 64, /* most pixels of y, and so pairs of a tap ... */
#else
    PAIRS = 32,
#endif
    PAIRS_Y = 32,      /* ... for y, whose sums go through memory */
    PAIRS_LINE = 16,   /* up to so many are kept as closely as that, for it */
    PAIRS_HALVES = 32, /* ... and for dx from weights of 16 bits; more are bf16.h's */
    WEIGHTS = 1 << 18, /* fewer stay in a cache, where packing them costs little */
    STRIP = 8192,      /* floats that stay in the first cache: of the sums for y, of g for dw */
    DOT_ROWS = 4,      /* rows of w that are multiplied with rows of g at once */
    OUT_ROWS = 4,      /* rows of dw that are made at once */
    ACROSS = 4,        /* vectors of w's rows that are held at once, for y */
#if defined(__AVX512F__)
    DOWN = 4, /* rows that they are of */
    WITH = 6, /* rows of g that rows of w are multiplied with at once */
    OUT_ACROSS = 4,
#else
    DOWN = 2,
    WITH = 2,
    OUT_ACROSS = 2,
#endif
};

/* Floats from x of a channel to that of the next one, for y. */
static int apart_of(const struct gx_conv_sizes *s)
{
    return (int64_t)s->n * s->oh * s->ow > PAIRS_LINE ? PAIRS_Y : PAIRS_LINE;
}

bool GX_TIERED(few_is)(const struct gx_conv_sizes *s, enum gx_conv_product product)
{
    bool halves = product == GX_CONV_DX && s->dtype != GX_F32;
    int most = product == GX_CONV_Y ? PAIRS_Y : halves ? PAIRS_HALVES : PAIRS;
    return !s->panel && (int64_t)s->n * s->oh * s->ow <= most && s->i % 16 == 0 && s->o % 16 == 0 &&
           s->i <= GX_BLOCK / apart_of(s) && s->o <= GX_SLAB / DOT_ROWS &&
           (int64_t)s->kh * s->kw * s->i * s->o >= WEIGHTS;
}

/* The pairs of pixels of x (n,h,w) and y (n,oh,ow) that meet under tap (ky,kx). */
static int pairs_of(const struct gx_conv_sizes *s, int ky, int kx, int64_t *of_x, int64_t *of_y)
{
    int count = 0;
    for (int n = 0; n < s->n; n++)
        for (int y = 0; y < s->oh; y++)
            for (int x = 0; x < s->ow; x++) {
                int row = y * s->stride + ky - s->pad, col = x * s->stride + kx - s->pad;
                if (row < 0 || row >= s->h || col < 0 || col >= s->w)
                    continue;
                of_x[count] = ((int64_t)n * s->h + row) * s->w + col;
                of_y[count++] = ((int64_t)n * s->oh + y) * s->ow + x;
            }
    return count;
}

/* `count` rows of w, `cols` columns each from element `at` on, *step apart: in place, or widened. */
static const float *rows_of(struct gx_weight w, int64_t at, int count, int cols, int64_t *step,
                            float *wide)
{
    if (w.dtype == GX_F32)
        return (const float *)w.at + at;
    for (int r = 0; r < count; r++)
        GX_TIERED(widen)(gx_weight_at(w, at + r * *step), cols, wide + (int64_t)r * cols);
    *step = cols;
    return wide;
}

/* What comes after the sums: channels n .. n + cols of a pixel. */
static void finish(const struct gx_after *after, int channels, int64_t pixel, int n, int cols,
                   float *y)
{
    if (!gx_after_more(after))
        return;
    struct gx_after at = gx_after_from(after, n, channels);
    gx_after_row(&at, y + pixel * channels + n, pixel, cols);
}

/* ---- y ---- */

/* sums[of_y[r]][0 .. wide vectors) += x[0 .. DOWN)[r] times so many rows of w, for each pair r. */
static inline __attribute__((always_inline)) void add_rows(const int wide, int pairs,
                                                           const float *x, int apart,
                                                           const float *w, int64_t ldw,
                                                           float *const *sums, int n)
{
    vf right[DOWN][ACROSS];
    UNROLL
    for (int d = 0; d < DOWN; d++) {
        UNROLL
        for (int v = 0; v < wide; v++) {
            __builtin_prefetch(w + (d + 2 * DOWN) * ldw + v * GX_LANES);
            right[d][v] = gx_load(w + d * ldw + v * GX_LANES);
        }
    }
    for (int r = 0; r < pairs; r++) {
        float *to = sums[r] + n;
        vf sum[ACROSS];
        UNROLL
        for (int v = 0; v < wide; v++)
            sum[v] = gx_load(to + v * GX_LANES);
        UNROLL
        for (int d = 0; d < DOWN; d++) {
            vf a = gx_splat(x[d * apart + r]);
            UNROLL
            for (int v = 0; v < wide; v++)
                sum[v] += a * right[d][v];
        }
        UNROLL
        for (int v = 0; v < wide; v++)
            gx_store(to + v * GX_LANES, sum[v]);
    }
}

/* One tap: `cols` columns of the sums += those of the pairs' x (depth, apart) times w. */
static void add_tap(int pairs, const float *x, int apart, int depth, struct gx_weight w,
                    int64_t ldw, int cols, float *const *sums, float *wide)
{
    for (int k = 0; k < depth; k += DOWN, x += DOWN * apart) {
        int64_t step = ldw;
        const float *rows = rows_of(w, k * ldw, DOWN, cols, &step, wide);
        int n = 0;
        for (; n + ACROSS * GX_LANES <= cols; n += ACROSS * GX_LANES)
            add_rows(ACROSS, pairs, x, apart, rows + n, step, sums, n);
        for (; n < cols; n += GX_LANES)
            add_rows(1, pairs, x, apart, rows + n, step, sums, n);
    }
}

/* Columns n .. n + cols of y. Rows of y and of x often lie a power of two apart, so that they
 * displace one another in the cache: sums and x are kept as copies. */
static void y_strip(const struct gx_conv_sizes *s, const float *x, struct gx_weight w,
                    const struct gx_after *after, float *y, int n, int cols, struct gx_work work)
{
    int64_t of_x[PAIRS_Y], of_y[PAIRS_Y], rows = (int64_t)s->n * s->oh * s->ow;
    const float *bias = gx_after_bias_of(after);
    float *sums[PAIRS_Y];
    int apart = apart_of(s);
    for (int64_t r = 0; r < rows; r++)
        for (int c = 0; c < cols; c++)
            work.sums[r * (cols + 16) + c] = bias ? bias[n + c] : 0;
    for (int tap = 0; tap < s->kh * s->kw; tap++) {
        int pairs = pairs_of(s, tap / s->kw, tap % s->kw, of_x, of_y);
        for (int r = 0; r < pairs; r++) {
            const float *from = x + of_x[r] * s->i;
            sums[r] = work.sums + of_y[r] * (cols + 16);
            for (int k = 0; k < s->i; k++)
                work.block[k * apart + r] = from[k];
        }
        if (pairs)
            add_tap(pairs, work.block, apart, s->i, gx_weight_at(w, (int64_t)tap * s->i * s->o + n),
                    s->o, cols, sums, work.slab);
    }
    for (int64_t r = 0; r < rows; r++) {
        gx_copy(y + r * s->o + n, work.sums + r * (cols + 16), cols);
        finish(after, s->o, r, n, cols, y);
    }
}

void GX_TIERED(few_y)(const struct gx_conv_sizes *s, const float *x, const void *w,
                      const struct gx_after *after, float *y, void *scratch, int threads)
{
    int strip = gx_least(s->o, STRIP / (s->n * s->oh * s->ow) / 16 * 16);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        int n1 = (int)gx_share(s->o, 16, id + 1, threads);
        for (int n = (int)gx_share(s->o, 16, id, threads); n < n1; n += strip)
            y_strip(s, x, (struct gx_weight){w, s->dtype}, after, y, n, gx_least(strip, n1 - n),
                    gx_work_of(scratch, id));
    }
}

/* ---- dx ---- */

/* dx[r][0 .. DOT_ROWS) += g[r] times so many rows of w, for `with` pairs r. */
static inline __attribute__((always_inline)) void
dot_rows(const int with, int depth, const float *const *g, const float *w, float *const *dx, int n)
{
    vf sum[WITH][DOT_ROWS];
    UNROLL
    for (int r = 0; r < with; r++) {
        UNROLL
        for (int j = 0; j < DOT_ROWS; j++)
            sum[r][j] = (vf){0};
    }
    for (int k = 0; k < depth; k += GX_LANES) {
        vf right[DOT_ROWS];
        UNROLL
        for (int j = 0; j < DOT_ROWS; j++) {
            __builtin_prefetch(w + (int64_t)(DOT_ROWS + j) * depth + k);
            right[j] = gx_load(w + (int64_t)j * depth + k);
        }
        UNROLL
        for (int r = 0; r < with; r++) {
            vf left = gx_load(g[r] + k);
            GX_KEEP(left);
            UNROLL
            for (int j = 0; j < DOT_ROWS; j++)
                sum[r][j] += left * right[j];
        }
    }
    UNROLL
    for (int r = 0; r < with; r++)
        *(vf4 *)(dx[r] + n) += gx_sum_lanes(sum[r]);
}

static void start_from(const float *bias, int64_t rows, int channels, int c0, int c1, float *y)
{
    for (int64_t r = 0; r < rows; r++)
        for (int c = c0; c < c1; c++)
            y[r * channels + c] = bias ? bias[c] : 0;
}

static void dx_columns(const struct gx_conv_sizes *s, const float *g, struct gx_weight w, float *dx,
                       int n0, int n1, float *wide)
{
    int64_t of_x[PAIRS], of_y[PAIRS];
    const float *left[PAIRS];
    float *to[PAIRS];
    for (int tap = 0; tap < s->kh * s->kw; tap++) {
        int pairs = pairs_of(s, tap / s->kw, tap % s->kw, of_x, of_y);
        for (int r = 0; r < pairs; r++) {
            left[r] = g + of_y[r] * s->o;
            to[r] = dx + of_x[r] * s->i;
        }
        for (int n = n0; n < n1; n += DOT_ROWS) {
            int64_t step = s->o;
            const float *rows =
                rows_of(w, ((int64_t)tap * s->i + n) * s->o, DOT_ROWS, s->o, &step, wide);
            int r = 0;
            for (; r + WITH <= pairs; r += WITH)
                dot_rows(WITH, s->o, left + r, rows, to + r, n);
            for (; r + 2 <= pairs; r += 2)
                dot_rows(2, s->o, left + r, rows, to + r, n);
            for (; r < pairs; r++)
                dot_rows(1, s->o, left + r, rows, to + r, n);
        }
    }
}

void GX_TIERED(few_dx)(const struct gx_conv_sizes *s, const float *g, const void *w,
                       const struct gx_after *after, float *dx, void *scratch, int threads)
{
    int64_t pixels = (int64_t)s->n * s->h * s->w;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        int n0 = (int)gx_share(s->i, 16, id, threads),
            n1 = (int)gx_share(s->i, 16, id + 1, threads);
        start_from(gx_after_bias_of(after), pixels, s->i, n0, n1, dx);
        dx_columns(s, g, (struct gx_weight){w, s->dtype}, dx, n0, n1, gx_work_of(scratch, id).slab);
        for (int64_t p = 0; p < pixels; p++)
            finish(after, s->i, p, n0, n1 - n0, dx);
    }
}

/* ---- dw ---- */

/* dw (rows, wide vectors; rows ldw apart) = the sum of the pairs' x[r][m .. m + rows) times g[r],
 * from n on. */
static inline __attribute__((always_inline)) void outer(const int rows, const int wide, int pairs,
                                                        const float *const *x, int m,
                                                        const float *const *g, int n, float *dw,
                                                        int64_t ldw)
{
    vf sum[OUT_ROWS][OUT_ACROSS];
    UNROLL
    for (int j = 0; j < rows; j++) {
        UNROLL
        for (int v = 0; v < wide; v++)
            sum[j][v] = (vf){0};
    }
    for (int r = 0; r < pairs; r++) {
        const float *left = x[r] + m, *from = g[r] + n;
        vf right[OUT_ACROSS];
        UNROLL
        for (int v = 0; v < wide; v++)
            right[v] = gx_load(from + v * GX_LANES);
        UNROLL
        for (int j = 0; j < rows; j++) {
            vf a = gx_splat(left[j]);
            UNROLL
            for (int v = 0; v < wide; v++)
                sum[j][v] += a * right[v];
        }
    }
    UNROLL
    for (int j = 0; j < rows; j++) {
        UNROLL
        for (int v = 0; v < wide; v++)
            gx_stream(dw + j * ldw + v * GX_LANES, sum[j][v]);
    }
}

/* Columns n .. n + cols of dw, from a copy of theirs of g. */
static void dw_strip(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw,
                     int n, int cols, struct gx_work work)
{
    int64_t of_x[PAIRS], of_y[PAIRS], rows = (int64_t)s->n * s->oh * s->ow;
    const float *left[PAIRS], *right[PAIRS];
    for (int64_t r = 0; r < rows; r++)
        gx_copy(work.sums + r * (cols + 16), g + r * s->o + n, cols);
    for (int tap = 0; tap < s->kh * s->kw; tap++) {
        int pairs = pairs_of(s, tap / s->kw, tap % s->kw, of_x, of_y);
        for (int r = 0; r < pairs; r++) {
            left[r] = x + of_x[r] * s->i;
            right[r] = work.sums + of_y[r] * (cols + 16);
        }
        for (int m = 0; m < s->i; m += OUT_ROWS) {
            float *to = dw + ((int64_t)tap * s->i + m) * s->o + n;
            int c = 0;
            for (; c + OUT_ACROSS * GX_LANES <= cols; c += OUT_ACROSS * GX_LANES)
                outer(OUT_ROWS, OUT_ACROSS, pairs, left, m, right, c, to + c, s->o);
            for (; c < cols; c += GX_LANES)
                outer(OUT_ROWS, 1, pairs, left, m, right, c, to + c, s->o);
        }
    }
}

void GX_TIERED(few_dw)(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw,
                       void *scratch, int threads)
{
    int strip = gx_least(s->o, STRIP / (s->n * s->oh * s->ow) / 16 * 16);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        int n1 = (int)gx_share(s->o, 16, id + 1, threads);
        for (int n = (int)gx_share(s->o, 16, id, threads); n < n1; n += strip)
            dw_strip(s, x, g, dw, n, gx_least(strip, n1 - n), gx_work_of(scratch, id));
        gx_stream_end();
    }
}
