/* The weight gradient of a 3x3 convolution with stride 1 by Winograd's method: F(3x3,4x4), the
 * transpose of F(4x4,3x3) in its weights (winograd.h):
 *
 *   dw = E_3' D [sum over tiles of (E_4 g) . (B' x)] D E_3,  x 6x6 and g 4x4 to a tile.
 *
 * The sum over tiles makes 36 products of matrices, (i, tiles) times (tiles, o), with a quarter of
 * the direct method's multiplications. A batch of tiles is transformed, all threads sharing its
 * tiles; then each thread adds the products of some of the 36 elements to their sums; after the
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
    struct gx_tiles x, g;
    int i, o, right; /* right: o up to whole panels' rows */
    int64_t tiles;
    struct gx_layout left;
    float *blocks, *panels, *sums, *patches;
    int64_t panel_step, sum_step; /* floats from one element's to the next's */
    size_t patch;                 /* floats of a thread's */
    float *dw;
};

static struct job job_of(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw)
{
    struct job j = {.i = s->i, .o = s->o, .dw = dw};
    int down = (s->oh + 3) / 4, across = (s->ow + 3) / 4;
    j.x = (struct gx_tiles){x, s->h, s->w, s->i, 1, -s->pad, -s->pad, 6, 4, down, across};
    j.g = (struct gx_tiles){g, s->oh, s->ow, s->o, 1, 0, 0, 4, 4, down, across};
    j.right = (s->o + GX_LANES - 1) / GX_LANES * GX_LANES;
    j.tiles = (int64_t)s->n * down * across;
    int width = gx_layout_of(s->i, 0).width;
    int most = BATCH / 36 / (width + j.right);
    most = most > GX_DEPTH ? GX_DEPTH : most < LEAST ? LEAST : most;
    int64_t batches = (j.tiles + most - 1) / most;
    j.left = gx_layout_of(s->i, (int)((j.tiles + batches - 1) / batches));
    j.panel_step = gx_apart((int64_t)j.left.tiles * j.right);
    j.sum_step = gx_apart((int64_t)s->i * s->o);
    j.patch = (size_t)36 * (width > j.right ? width : j.right);
    return j;
}

/* Lays the job's parts out from `base` on; the floats that they take with so many threads. */
static size_t lay(struct job *j, float *base, int threads)
{
    size_t blocks = gx_layout_floats(&j->left), panels = 36 * j->panel_step;
    size_t sums = 36 * j->sum_step;
    j->blocks = base;
    j->panels = base + blocks;
    j->sums = j->panels + panels;
    j->patches = j->sums + sums;
    return blocks + panels + sums + threads * j->patch;
}

size_t GX_TIERED(winograd_dw_floats)(const struct gx_conv_sizes *s, int threads)
{
    struct job j = job_of(s, NULL, NULL, NULL);
    return lay(&j, NULL, threads);
}

/* Tiles at .. at + count of the batch that begins at tile `first` and has `batch`: E_4 g, in the
 * panels that tile.h multiplies with. */
static void evaluate_tiles(const struct job *j, int64_t first, int batch, int at, int count,
                           float *patch)
{
    for (int tile = at; tile < at + count; tile++) {
        struct gx_view from = GX_TIERED(winograd_view)(&j->g, first + tile, j->right, patch);
        for (int c = 0; c < j->right; c += GX_LANES) {
            int panel = c / GX_COLS * GX_COLS, width = gx_least(GX_COLS, j->right - panel);
            float *to = j->panels + (int64_t)panel * batch + (int64_t)tile * width + (c - panel);
            vf half[24], out[6];
            for (int b = 0; b < 4; b++) {
                vf in[4];
                for (int a = 0; a < 4; a++)
                    in[a] = gx_load(from.x + a * from.row + b * from.col + c);
                gx_evaluate(4, in, 1, half + b, 4);
            }
            for (int a = 0; a < 6; a++) {
                gx_evaluate(4, half + 4 * a, 1, out, 1);
                for (int b = 0; b < 6; b++)
                    gx_store(to + (6 * a + b) * j->panel_step, out[b]);
            }
        }
    }
}

/* sums (36,i,o) of element t (+)= the products of a batch. */
static void multiply_element(const struct job *j, int t, int batch, bool first)
{
    float *rows[GX_DEPTH];
    for (int i = 0; i < j->i; i += GX_DEPTH) {
        int count = gx_least(GX_DEPTH, j->i - i);
        for (int r = 0; r < count; r++)
            rows[r] = j->sums + t * j->sum_step + (int64_t)(i + r) * j->o;
        const float *left = gx_element(&j->left, j->blocks, t, i);
        /* The tiles read down columns, which the CPU does not foresee: fetched along rows first. */
        for (int r = 0; r < batch; r++)
            for (int k = 0; k < count; k += LINE)
                __builtin_prefetch(left + (int64_t)r * GX_LDA + k, 0, 2);
        GX_TIERED(multiply)
        (count, j->o, batch, true, left, j->panels + t * j->panel_step, rows, first, NULL);
    }
}

/* The nine gradients of input channel i and a vector of output channels. */
static void collect_vector(const struct job *j, int i, int o, int count)
{
    int64_t step = (int64_t)j->i * j->o, at = (int64_t)i * j->o + o;
    vf half[18], out[3];
    for (int b = 0; b < 6; b++) {
        vf in[6];
        for (int a = 0; a < 6; a++) {
            in[a] = gx_load_some(j->sums + (6 * a + b) * j->sum_step + at, count);
            in[a] *= gx_factor(a) * gx_factor(b);
        }
        gx_collect(3, in, 1, half + b, 6);
    }
    for (int a = 0; a < 3; a++) {
        gx_collect(3, half + 6 * a, 1, out, 1);
        for (int b = 0; b < 3; b++)
            gx_store_some(j->dw + (3 * a + b) * step + at, out[b], count);
    }
}

void GX_TIERED(winograd_dw)(const struct gx_conv_sizes *s, const float *x, const float *g,
                            float *dw, void *scratch, int threads)
{
    struct job j = job_of(s, x, g, dw);
    lay(&j, scratch, threads);
    for (int64_t first = 0; first < j.tiles; first += j.left.tiles) {
        int batch = gx_least(j.left.tiles, j.tiles - first);
#pragma omp parallel for schedule(static, 1) num_threads(threads)
        for (int id = 0; id < threads; id++) {
            int at = (int)gx_share(batch, 1, id, threads);
            int count = (int)gx_share(batch, 1, id + 1, threads) - at;
            float *patch = j.patches + id * j.patch;
            GX_TIERED(winograd_input)(&j.x, first + at, count, at, &j.left, j.blocks, patch);
            evaluate_tiles(&j, first, batch, at, count, patch);
        }
#pragma omp parallel for schedule(static, 1) num_threads(threads)
        for (int t = 0; t < 36; t++)
            multiply_element(&j, t, batch, !first);
    }
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int i = 0; i < j.i; i++)
        for (int o = 0; o < j.o; o += GX_LANES)
            collect_vector(&j, i, o, gx_least(GX_LANES, j.o - o));
}
