/* The weight gradient of a convolution by Winograd's method (winograd.h):
 *
 *   dw = E_r' D [sum over tiles of (E_m g E_m') . (B' x B)] D E_r,  x (P,P), g (m,m) to a tile.
 *
 * The sum over tiles makes P^2 products of matrices, (i, tiles) times (tiles, o): for 3x3 a quarter
 * of the direct method's multiplications. A batch of tiles is transformed, all threads sharing its
 * tiles; then each thread adds some of the elements' products to their sums; after the
 * last batch each transforms some rows of sums back. No sum is shared, so the result does not
 * depend on the number of threads; a batch has at most GX_DEPTH tiles, so that no chain of float32
 * additions is longer than in the direct method. */
#include "kernel/simd/winograd.h"

enum {
    BATCH = 5 << 20, /* floats of a batch: 20 MiB, for L3 */
    LEAST = 32,      /* tiles */
    LINE = 16,       /* floats of a cache line */
};

struct job {
    struct gx_winograd form;
    struct gx_tiles x, g;
    int elements, channels, i, o, k; /* channels: i of all phases; the kernel is (k,k,i,o) */
    int right;                       /* o, up to whole vectors */
    int64_t tiles;
    struct gx_layout left;
    float *blocks, *panels, *sums, *patches;
    int64_t panel_step, sum_step; /* floats from one element's to the next's */
    size_t patch;                 /* floats of a thread's */
    float *dw;
};

static struct job job_of(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw)
{
    struct job j = {.form = gx_winograd_of(s), .i = s->i, .o = s->o, .k = s->kh};
    int points = j.form.points, m = j.form.m, down = (s->oh + m - 1) / m,
        across = (s->ow + m - 1) / m;
    j.x = (struct gx_tiles){x,       s->h,   s->w, s->i, s->stride, -s->pad,
                            -s->pad, points, m,    down, across};
    j.x.mirrored = s->mirrored;
    j.g = (struct gx_tiles){g, s->oh, s->ow, s->o, 1, 0, 0, m, m, down, across};
    j.dw = dw;
    j.elements = points * points;
    j.channels = s->i * s->stride * s->stride;
    j.right = (s->o + GX_LANES - 1) / GX_LANES * GX_LANES;
    j.tiles = (int64_t)s->n * down * across;
    int width = (j.channels + GX_LANES - 1) / GX_LANES * GX_LANES;
    int most = BATCH / j.elements / (width + j.right);
    most = most > GX_DEPTH ? GX_DEPTH : most < LEAST ? LEAST : most;
    int64_t batches = (j.tiles + most - 1) / most;
    j.left = gx_layout_of(j.elements, j.channels, (int)((j.tiles + batches - 1) / batches));
    j.panel_step = gx_apart((int64_t)j.left.tiles * j.right);
    j.sum_step = gx_apart((int64_t)j.channels * s->o);
    j.patch = (size_t)j.elements * (width > j.right ? width : j.right);
    return j;
}

static size_t floats_of(const struct job *j, int threads)
{
    return gx_layout_floats(&j->left) + j->elements * (j->panel_step + j->sum_step) +
           threads * j->patch;
}

static void lay(struct job *j, float *base)
{
    j->blocks = base;
    j->panels = base + gx_layout_floats(&j->left);
    j->sums = j->panels + j->elements * j->panel_step;
    j->patches = j->sums + j->elements * j->sum_step;
}

size_t GX_TIERED(winograd_dw_floats)(const struct gx_conv_sizes *s, int threads)
{
    struct job j = job_of(s, NULL, NULL, NULL);
    return floats_of(&j, threads);
}

/* E_m g E_m' of a vector of channels, to `to` and so on, `step` apart. */
GX_INLINE void evaluate_vector(const int points, const int m, struct gx_view from, int c, float *to,
                               int64_t step)
{
    vf half[GX_POINTS * GX_OUTPUTS], out[GX_POINTS];
    for (int b = 0; b < m; b++) {
        vf in[GX_OUTPUTS];
        for (int a = 0; a < m; a++)
            in[a] = gx_load(from.x + a * from.row + b * from.col + c);
        gx_evaluate(points, m, false, in, 1, half + b, m);
    }
    for (int a = 0; a < points; a++) {
        gx_evaluate(points, m, false, half + m * a, 1, out, 1);
        for (int b = 0; b < points; b++)
            gx_store(to + (points * a + b) * step, out[b]);
    }
}

/* The r x r gradients of row `row` of the sums (its channel of its phase) and of a vector of
 * outputs. Those of taps that the phase lacks are not written: they come from elements that are
 * not known. */
GX_INLINE void collect_vector(const int points, const int r, const struct job *j, int row, int o,
                              int count)
{
    struct gx_phase phase = gx_phase_of(&j->form, row / j->i);
    const float *sums = j->sums + (int64_t)row * j->o + o;
    float *dw = j->dw + (int64_t)(row % j->i) * j->o + o;
    vf half[GX_TAPS * GX_POINTS], out[GX_TAPS];
    for (int b = 0; b < points; b++) {
        vf in[GX_POINTS];
        for (int a = 0; a < points; a++)
            in[a] = gx_load_some(sums + (points * a + b) * j->sum_step, count) *
                    (gx_factor(points, a) * gx_factor(points, b));
        gx_collect(points, r, in, 1, half + b, points);
    }
    for (int a = 0; a < r; a++) {
        gx_collect(points, r, half + points * a, 1, out, 1);
        for (int b = 0; b < r; b++) {
            int ky = a * j->form.stride + phase.row, kx = b * j->form.stride + phase.col;
            if (ky < j->k && kx < j->k)
                gx_store_some(dw + (int64_t)(ky * j->k + kx) * j->i * j->o, out[b], count);
        }
    }
}

typedef void evaluate_function(struct gx_view from, int c, float *to, int64_t step);
typedef void collect_function(const struct job *j, int row, int o, int count);

#define DEFINE(p, r)                                                                               \
    static void evaluate_##p##_##r(struct gx_view from, int c, float *to, int64_t step)            \
    {                                                                                              \
        evaluate_vector(p, p + 1 - r, from, c, to, step);                                          \
    }                                                                                              \
    static void collect_##p##_##r(const struct job *j, int row, int o, int count)                  \
    {                                                                                              \
        collect_vector(p, r, j, row, o, count);                                                    \
    }
GX_EACH_FORM(DEFINE)
#define ROW(p, r) [p][r] = {evaluate_##p##_##r, collect_##p##_##r},
static const struct {
    evaluate_function *evaluate;
    collect_function *collect;
} functions[GX_POINTS + 1][GX_TAPS + 1] = {GX_EACH_FORM(ROW)};

/* Tiles at .. at + count of the batch that begins at tile `first` and has `batch`, to the panels
 * that tile.h multiplies with. */
static void evaluate_tiles(const struct job *j, int64_t first, int batch, int at, int count,
                           float *patch)
{
    for (int tile = at; tile < at + count; tile++) {
        struct gx_view from = GX_TIERED(winograd_view)(&j->g, first + tile, j->right, patch);
        for (int c = 0; c < j->right; c += GX_LANES) {
            int panel = c / GX_COLS * GX_COLS, width = gx_least(GX_COLS, j->right - panel);
            functions[j->form.points][j->form.r].evaluate(
                from, c, j->panels + (int64_t)panel * batch + (int64_t)tile * width + (c - panel),
                j->panel_step);
        }
    }
}

/* sums (elements,channels,o) of element t, channels `from` to at most from + GX_DEPTH, (+)= the products
 * of a batch. */
static void multiply_piece(const struct job *j, int t, int from, int batch, bool first)
{
    struct gx_phases phases = gx_phases_at(&j->form, t);
    int end = gx_least(phases.end * j->i, from + GX_DEPTH);
    int i = from > phases.first * j->i ? from : phases.first * j->i, count = end - i;
    float *rows[GX_DEPTH];
    if (count <= 0)
        return;
    for (int r = 0; r < count; r++)
        rows[r] = j->sums + t * j->sum_step + (int64_t)(i + r) * j->o;
    const float *left = j->blocks + j->left.element[t] + gx_channel(&j->left, i);
    /* The tiles read down columns, which the CPU does not foresee: fetched along rows first. */
    for (int r = 0; r < batch; r++)
        for (int k = 0; k < count; k += LINE)
            __builtin_prefetch(left + (int64_t)r * GX_LDA + k, 0, 2);
    GX_TIERED(multiply)
    (count, j->o, batch, true, left, gx_packed(j->panels + t * j->panel_step, batch), rows, first,
     NULL);
}

void GX_TIERED(winograd_dw)(const struct gx_conv_sizes *s, const float *x, const float *g,
                            float *dw, void *scratch, int threads)
{
    struct job j = job_of(s, x, g, dw);
    int pieces = (j.channels + GX_DEPTH - 1) / GX_DEPTH;
    lay(&j, scratch);
    for (int64_t first = 0; first < j.tiles; first += j.left.tiles) {
        int batch = gx_least(j.left.tiles, j.tiles - first);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
        for (int id = 0; id < threads; id++) {
            int at = (int)gx_share(batch, 1, id, threads);
            int count = (int)gx_share(batch, 1, id + 1, threads) - at;
            float *patch = j.patches + id * j.patch;
            GX_TIERED(winograd_input)
            (&j.form, &j.x, true, first + at, count, at, &j.left, j.blocks, patch);
            evaluate_tiles(&j, first, batch, at, count, patch);
        }
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int unit = 0; unit < j.elements * pieces; unit++)
            multiply_piece(&j, unit / pieces, unit % pieces * GX_DEPTH, batch, !first);
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int row = 0; row < j.channels; row++)
        for (int o = 0; o < j.o; o += GX_LANES)
            functions[j.form.points][j.form.r].collect(&j, row, o, gx_least(GX_LANES, j.o - o));
}
