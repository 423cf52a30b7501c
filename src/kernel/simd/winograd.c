/* Winograd F(4x4,3x3), Lavin and Gray 2016, on the tiles of tile.h; winograd.h has the transforms.
 *
 * A thread takes a batch of tiles, transforms all their channels into left blocks, and then for
 * each panel of output channels multiplies the 36 products and transforms them back while they are
 * in cache. Weights therefore lie as (panel, 36, in, panel width): each is read once a batch, in
 * order. Where `in` is small, several of the 36 share a row of a block. */
#include "kernel/simd/winograd.h"

enum { SLAB = GX_DEPTH * GX_COLS };

/* As many tiles as stay in L2 with all their channels: 1.5 MiB. */
static struct gx_layout layout_of(int in)
{
    int width = (in + GX_LANES - 1) / GX_LANES * GX_LANES;
    int fit = (3 << 17) / 36 / width / GX_ROWS * GX_ROWS;
    return gx_layout_of(in, fit > GX_BLOCK_ROWS ? GX_BLOCK_ROWS : fit < 12 ? 12 : fit);
}

struct room {
    float *blocks, *sums, *slab, *patch;
    size_t floats;
};

static struct room room_of(int in, float *base)
{
    struct gx_layout l = layout_of(in);
    size_t blocks = gx_layout_floats(&l), sums = (size_t)36 * l.tiles * GX_COLS;
    struct room r;
    r.blocks = base;
    r.sums = base + blocks;
    r.slab = r.sums + sums;
    r.patch = r.slab + SLAB;
    r.floats = (blocks + sums + SLAB + (size_t)36 * l.width + 15) / 16 * 16;
    return r;
}

size_t GX_TIERED(winograd_scratch)(const struct gx_conv_sizes *s, enum gx_conv_product product,
                                   int threads)
{
    if (product == GX_CONV_DW)
        return GX_TIERED(winograd_dw_floats)(s, threads) * sizeof(float);
    return room_of(product == GX_CONV_Y ? s->i : s->o, NULL).floats * sizeof(float) * threads;
}

/* Measured on both tiers (make tune). Transforming costs by the channel of each side, what it saves
 * by pairs of them. The gradient of the weights also writes and reads 36 sums a pair, which only
 * some number of tiles repays, more where the sums do not stay in a cache. */
enum gx_conv_method GX_TIERED(conv2d_method)(const struct gx_conv_sizes *s,
                                             enum gx_conv_product product)
{
    bool winograd =
        s->kh == 3 && s->kw == 3 && s->stride == 1 && s->pad <= 2 && s->i >= 16 && s->o >= 16;
    if (winograd && product == GX_CONV_DW) {
        int64_t tiles = (int64_t)s->n * ((s->oh + 3) / 4) * ((s->ow + 3) / 4);
        int64_t pixels = (int64_t)s->n * s->oh * s->ow;
        winograd = tiles >= ((int64_t)s->i * s->o > 1 << 17 ? 32 : 12) && pixels >= 8 * tiles;
    }
    return winograd ? GX_CONV_WINOGRAD : GX_CONV_GEMM;
}

/* ---- weights ---- */

/* out (6) = D E in (3). */
GX_INLINE void transform_weights(const vf *in, const int in_step, vf *out, const int out_step)
{
    gx_evaluate(3, in, in_step, out, out_step);
    for (int t = 1; t < 5; t++)
        out[t * out_step] *= gx_factor(t);
}

/* One vector of outputs: taps[9] -> u[36]. */
static void transform_taps(const vf *taps, vf *u)
{
    vf half[18];
    for (int col = 0; col < 3; col++)
        transform_weights(taps + col, 3, half + col, 3);
    for (int row = 0; row < 6; row++)
        transform_weights(half + 3 * row, 1, u + 6 * row, 1);
}

enum { WEIGHTS = 16 }; /* inputs whose taps are gathered at once: a cache line of them */

/* Taps of inputs k.. (up to WEIGHTS) and a panel of outputs: each line of w is read once. */
static void gather_taps(const float *w, int i, int o, bool rotate, int k, int inputs, int panel,
                        int width, float taps[WEIGHTS][9][GX_COLS])
{
    for (int t = 0; t < 9; t++)
        if (rotate)
            for (int j = 0; j < width; j++) {
                const float *from = w + ((int64_t)(8 - t) * i + panel + j) * o + k;
                for (int m = 0; m < inputs; m++)
                    taps[m][t][j] = from[m];
            }
        else
            for (int m = 0; m < inputs; m++)
                gx_copy(taps[m][t], w + ((int64_t)t * i + k + m) * o + panel, width);
}

void GX_TIERED(winograd_weights)(const struct gx_conv_sizes *s, enum gx_conv_product product,
                                 const float *w, float *u, int threads)
{
    bool rotate = product == GX_CONV_DX;
    int i = s->i, o = s->o;
    int in = rotate ? o : i, out = rotate ? i : o;
#pragma omp parallel for collapse(2) schedule(static) num_threads(threads)
    for (int panel = 0; panel < out; panel += GX_COLS)
        for (int k = 0; k < in; k += WEIGHTS) {
            int width = gx_least(GX_COLS, out - panel), inputs = gx_least(WEIGHTS, in - k);
            float taps[WEIGHTS][9][GX_COLS] = {{{0}}};
            gather_taps(w, i, o, rotate, k, inputs, panel, width, taps);
            for (int m = 0; m < inputs; m++)
                for (int n = 0; n < width; n += GX_LANES) {
                    vf moved[9], result[36];
                    for (int t = 0; t < 9; t++)
                        moved[t] = gx_load(taps[m][t] + n);
                    transform_taps(moved, result);
                    float *to = u + (int64_t)36 * in * panel + (int64_t)(k + m) * width + n;
                    for (int t = 0; t < 36; t++, to += (int64_t)in * width)
                        gx_copy(to, (const float *)&result[t], gx_least(GX_LANES, width - n));
                }
        }
}

/* ---- input ---- */

struct gx_view GX_TIERED(winograd_view)(const struct gx_tiles *v, int64_t tile, int width,
                                        float *patch)
{
    struct gx_corner k = gx_corner_of(v, tile);
    int row = k.row * v->stride + v->oy, col = k.col * v->stride + v->ox;
    int reach = (v->side - 1) * v->stride;
    int64_t line = (int64_t)v->w * v->c;
    const float *at = v->x + k.n * v->h * line + row * line + (int64_t)col * v->c;
    struct gx_view view = {at, v->stride * line, (int64_t)v->stride * v->c};
    if (row >= 0 && row + reach < v->h && col >= 0 && col + reach < v->w && width == v->c)
        return view;
    for (int i = 0; i < v->side; i++)
        for (int j = 0; j < v->side; j++) {
            int y = row + i * v->stride, z = col + j * v->stride;
            float *to = patch + ((int64_t)i * v->side + j) * width;
            int known = y >= 0 && y < v->h && z >= 0 && z < v->w ? v->c : 0;
            gx_copy(to, at + i * view.row + j * view.col, known);
            gx_zero(to + known, width - known);
        }
    return (struct gx_view){patch, (int64_t)v->side * width, width};
}

void GX_TIERED(winograd_input)(const struct gx_tiles *v, int64_t first, int count, int at,
                               const struct gx_layout *l, float *blocks, float *patch)
{
    for (int tile = 0; tile < count; tile++) {
        struct gx_view from = GX_TIERED(winograd_view)(v, first + tile, l->width, patch);
        for (int c = 0; c < l->width; c += GX_LANES) {
            vf half[36], out[6];
            for (int j = 0; j < 6; j++) {
                vf in[6];
                for (int i = 0; i < 6; i++)
                    in[i] = gx_load(from.x + i * from.row + j * from.col + c);
                gx_interpolate(in, 1, half + j, 6);
            }
            for (int i = 0; i < 6; i++) {
                gx_interpolate(half + 6 * i, 1, out, 1);
                for (int j = 0; j < 6; j++)
                    gx_store(gx_element(l, blocks, 6 * i + j, c) + (int64_t)(at + tile) * GX_LDA,
                             out[j]);
            }
        }
    }
}

/* ---- output ---- */

/* The tiles, weights and sizes of one call. */
struct job {
    struct gx_tiles tiles;
    const float *u, *bias;
    float *y;
    int in, out, oh, ow;
    struct gx_layout layout;
};

/* A vector of channels of one tile: its 36 sums are `step` floats apart. */
static inline void output_vector(const struct job *j, const float *sums, int64_t step,
                                 struct gx_corner k, int n, int count)
{
    vf half[24], bias = j->bias ? gx_load_some(j->bias + n, count) : (vf){0};
    for (int b = 0; b < 6; b++) {
        vf in[6];
        for (int a = 0; a < 6; a++)
            in[a] = gx_load(sums + (6 * a + b) * step);
        gx_collect(4, in, 1, half + b, 6);
    }
    int high = gx_least(4, j->oh - k.row), wide = gx_least(4, j->ow - k.col);
    for (int a = 0; a < high; a++) {
        vf out[4];
        gx_collect(4, half + 6 * a, 1, out, 1);
        float *y = j->y + (((k.n * j->oh) + k.row + a) * j->ow + k.col) * j->out + n;
        for (int b = 0; b < wide; b++)
            gx_store_some(y + (int64_t)b * j->out, out[b] + bias, count);
    }
}

/* ---- products ---- */

/* The 36 products of a batch with the panel of `width` weights at channel n, into sums
 * (36, tiles, padded). */
static void multiply_panel(const struct job *j, int n, int width, int padded, int count,
                           struct room *room)
{
    const struct gx_layout *l = &j->layout;
    const float *u = j->u + (int64_t)36 * j->in * n;
    const float zero[GX_COLS] = {0};
    int tiles = (count + GX_ROWS - 1) / GX_ROWS;
    for (int t = 0; t < 36; t++)
        for (int k = 0; k < j->in; k += GX_DEPTH) {
            int depth = gx_least(GX_DEPTH, j->in - k);
            const float *a = gx_element(l, room->blocks, t, k), *panel = u;
            if (width < padded) {
                GX_TIERED(pack)(u, width, depth, width, room->slab);
                panel = room->slab;
            }
            for (int q = 0; q < tiles; q++) {
                int r0 = count * q / tiles, high = count * (q + 1) / tiles - r0;
                float *to[GX_ROWS];
                for (int r = 0; r < high; r++)
                    to[r] = room->sums + ((int64_t)t * l->tiles + r0 + r) * padded;
                GX_TIERED(tile)
                (high, padded == GX_COLS, false, depth, a + (int64_t)r0 * GX_LDA, panel, to,
                 k ? NULL : zero);
            }
            u += (int64_t)depth * width;
        }
}

static void run_part(const struct job *j, struct gx_part part, struct room room)
{
    for (int64_t m = part.m0; m < part.m1; m += j->layout.tiles) {
        int count = gx_least(j->layout.tiles, part.m1 - m);
        if (part.n1 > part.n0)
            GX_TIERED(winograd_input)(&j->tiles, m, count, 0, &j->layout, room.blocks, room.patch);
        for (int n = part.n0; n < part.n1; n += GX_COLS) {
            int width = gx_least(GX_COLS, j->out - n);
            int padded = width > GX_LANES ? GX_COLS : GX_LANES;
            multiply_panel(j, n, width, padded, count, &room);
            for (int t = 0; t < count; t++)
                for (int v = 0; v < width; v += GX_LANES)
                    output_vector(j, room.sums + (int64_t)t * padded + v,
                                  (int64_t)j->layout.tiles * padded, gx_corner_of(&j->tiles, m + t),
                                  n + v, gx_least(GX_LANES, width - v));
        }
    }
}

void GX_TIERED(winograd_conv)(const struct gx_conv_sizes *s, enum gx_conv_product product,
                              const float *in, const float *u, const float *bias, float *out,
                              void *scratch, int threads)
{
    struct job job = {.u = u, .bias = bias, .y = out};
    if (product == GX_CONV_Y) {
        job.in = s->i, job.out = s->o, job.oh = s->oh, job.ow = s->ow;
        job.tiles = (struct gx_tiles){in, s->h, s->w, s->i, 1, -s->pad, -s->pad, 6, 4};
    } else {
        int pad = 2 - s->pad;
        job.in = s->o, job.out = s->i, job.oh = s->h, job.ow = s->w;
        job.tiles = (struct gx_tiles){in, s->oh, s->ow, s->o, 1, -pad, -pad, 6, 4};
    }
    job.tiles.down = (job.oh + 3) / 4;
    job.tiles.across = (job.ow + 3) / 4;
    job.layout = layout_of(job.in);
    int64_t tiles = (int64_t)s->n * job.tiles.down * job.tiles.across;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct room room = room_of(job.in, NULL);
        room = room_of(job.in, (float *)scratch + id * room.floats);
        run_part(&job, GX_TIERED(split)(tiles, job.out, id, threads), room);
    }
}
