/* Winograd F(4x4,3x3), Lavin and Gray 2016, on the tiles of tile.h. The reference's winograd.c
 * explains the transforms and their points.
 *
 * A thread takes a batch of tiles, transforms all their channels into left blocks, and then for
 * each panel of output channels multiplies the 36 products and transforms them back while they are
 * in cache. Weights therefore lie as (panel, 36, in, panel width): each is read once a batch, in
 * order. Where `in` is small, several of the 36 share a row of a block. */
#include "kernel/simd/block.h"

#define P 0.70710678118654752f
#define Q 1.41421356237309505f

enum { SLAB = GX_DEPTH * GX_COLS };

/* How the 36 transformed pictures of a batch lie in blocks of `tiles` rows. */
struct layout {
    int tiles;  /* most in a batch */
    int width;  /* channels, up to whole vectors */
    int shared; /* how many of the 36 share a row; 0: each takes `chunks` blocks */
    int chunks;
};

static struct layout layout_of(int in)
{
    struct layout l;
    l.width = (in + GX_LANES - 1) / GX_LANES * GX_LANES;
    l.shared = l.width <= GX_DEPTH ? GX_DEPTH / l.width : 0;
    l.chunks = (l.width + GX_DEPTH - 1) / GX_DEPTH;
    int fit = (3 << 17) / 36 / l.width; /* 1.5 MiB of floats */
    fit = fit / GX_ROWS * GX_ROWS;
    l.tiles = fit > GX_BLOCK_ROWS ? GX_BLOCK_ROWS : fit < 12 ? 12 : fit;
    return l;
}

/* Where channel c of transformed element t of the batch's first tile lies. */
static inline float *element(const struct layout *l, float *blocks, int t, int c)
{
    int block = l->shared ? t / l->shared : t * l->chunks + c / GX_DEPTH;
    int column = l->shared ? t % l->shared * l->width + c : c % GX_DEPTH;
    return blocks + (int64_t)block * l->tiles * GX_LDA + column;
}

struct room {
    float *blocks, *sums, *slab, *patch;
    size_t floats;
};

static struct room room_of(int in, float *base)
{
    struct layout l = layout_of(in);
    size_t count = l.shared ? (36 + l.shared - 1) / l.shared : 36 * l.chunks, blocks, sums;
    struct room r;
    blocks = count * l.tiles * GX_LDA;
    sums = (size_t)36 * l.tiles * GX_COLS;
    r.blocks = base;
    r.sums = base + blocks;
    r.slab = r.sums + sums;
    r.patch = r.slab + SLAB;
    r.floats = (blocks + sums + SLAB + (size_t)36 * l.width + 15) / 16 * 16;
    return r;
}

size_t GX_TIERED(winograd_scratch)(int in, int out, int threads)
{
    (void)out;
    return room_of(in, NULL).floats * sizeof(float) * threads;
}

enum gx_conv_method GX_TIERED(conv2d_method)(const struct gx_conv_sizes *s,
                                             enum gx_conv_product product)
{
    bool possible = s->kh == 3 && s->kw == 3 && s->stride == 1 && s->pad <= 2;
    return product != GX_CONV_DW && possible && s->i >= 16 && s->o >= 16 ? GX_CONV_WINOGRAD
                                                                         : GX_CONV_GEMM;
}

/* ---- weights ---- */

/* out (6) = G in (3), elements `step` apart. */
static inline void transform_weights(const vf *in, int in_step, vf *out, int out_step)
{
    vf a = in[0], b = in[in_step], c = in[2 * in_step];
    vf even = (a + 0.5f * c) * (-1 / 1.5f), odd = b * (-P / 1.5f);
    vf even2 = (a + 2 * c) * (1 / 6.0f), odd2 = b * (Q / 6);
    out[0] = a;
    out[out_step] = even + odd;
    out[2 * out_step] = even - odd;
    out[3 * out_step] = even2 + odd2;
    out[4 * out_step] = even2 - odd2;
    out[5 * out_step] = c;
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

void GX_TIERED(winograd_weights)(int i, int o, enum gx_conv_product product, const float *w,
                                 float *u, int threads)
{
    bool rotate = product == GX_CONV_DX;
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

/* out (6) = B' in (6). */
static inline __attribute__((always_inline)) void transform_input(const vf in[6], vf out[6])
{
    vf a = in[4] - 2 * in[2], b = P * in[3] - Q * in[1];
    vf c = in[4] - 0.5f * in[2], d = Q * in[3] - P * in[1];
    out[0] = in[0] - 2.5f * in[2] + in[4];
    out[1] = a + b;
    out[2] = a - b;
    out[3] = c + d;
    out[4] = c - d;
    out[5] = in[1] - 2.5f * in[3] + in[5];
}

/* One tile of all channels: x is its first pixel, rows and pixels so many floats apart. */
static void input_tile(const struct layout *l, const float *x, int64_t row, int64_t pixel, int tile,
                       float *blocks)
{
    for (int c = 0; c < l->width; c += GX_LANES) {
        vf half[6][6];
        for (int j = 0; j < 6; j++) {
            vf in[6], out[6];
            for (int i = 0; i < 6; i++)
                in[i] = gx_load(x + i * row + j * pixel + c);
            transform_input(in, out);
            for (int i = 0; i < 6; i++)
                half[i][j] = out[i];
        }
        for (int i = 0; i < 6; i++) {
            vf out[6];
            transform_input(half[i], out);
            for (int j = 0; j < 6; j++)
                gx_store(element(l, blocks, 6 * i + j, c) + (int64_t)tile * GX_LDA, out[j]);
        }
    }
}

/* The picture, its tiles, and the sizes of one call. */
struct job {
    const float *x, *u, *bias;
    float *y;
    int h, w, in, out, pad, oh, ow, down, across;
    struct layout layout;
};

struct corner {
    int64_t n;
    int row, col; /* of the output */
};

static inline struct corner corner_of(const struct job *j, int64_t tile)
{
    int64_t line = tile / j->across;
    return (struct corner){line / j->down, (int)(line % j->down) * 4, (int)(tile % j->across) * 4};
}

static void input_batch(const struct job *j, int64_t first, int count, struct room *room)
{
    for (int t = 0; t < count; t++) {
        struct corner k = corner_of(j, first + t);
        int row = k.row - j->pad, col = k.col - j->pad, width = j->layout.width;
        const float *x = j->x + k.n * j->h * j->w * j->in;
        const float *at = x + ((int64_t)row * j->w + col) * j->in;
        if (row >= 0 && row + 6 <= j->h && col >= 0 && col + 6 <= j->w && width == j->in) {
            input_tile(&j->layout, at, (int64_t)j->w * j->in, j->in, t, room->blocks);
            continue;
        }
        for (int p = 0; p < 36; p++) {
            int y = row + p / 6, z = col + p % 6;
            float *to = room->patch + (int64_t)p * width;
            int known = y >= 0 && y < j->h && z >= 0 && z < j->w ? j->in : 0;
            gx_copy(to, at + ((int64_t)(p / 6) * j->w + p % 6) * j->in, known);
            gx_zero(to + known, width - known);
        }
        input_tile(&j->layout, room->patch, 6 * width, width, t, room->blocks);
    }
}

/* ---- output ---- */

/* out (4) = A' in (6). */
static inline __attribute__((always_inline)) void transform_output(const vf in[6], vf out[4])
{
    vf a = in[1] + in[2], b = in[1] - in[2], c = in[3] + in[4], d = in[3] - in[4];
    out[0] = in[0] + a + c;
    out[1] = P * b + Q * d;
    out[2] = 0.5f * a + 2 * c;
    out[3] = (P / 2) * b + (2 * Q) * d + in[5];
}

/* A vector of channels of one tile: its 36 sums are `step` floats apart. */
static inline void output_vector(const struct job *j, const float *sums, int64_t step,
                                 struct corner k, int n, int count)
{
    vf half[4][6], bias = {0};
    if (j->bias)
        gx_copy((float *)&bias, j->bias + n, count);
    for (int b = 0; b < 6; b++) {
        vf in[6], out[4];
        for (int a = 0; a < 6; a++)
            in[a] = gx_load(sums + (6 * a + b) * step);
        transform_output(in, out);
        for (int a = 0; a < 4; a++)
            half[a][b] = out[a];
    }
    int high = gx_least(4, j->oh - k.row), wide = gx_least(4, j->ow - k.col);
    for (int a = 0; a < high; a++) {
        vf out[4];
        transform_output(half[a], out);
        float *y = j->y + (((k.n * j->oh) + k.row + a) * j->ow + k.col) * j->out + n;
        for (int b = 0; b < wide; b++) {
            vf sum = out[b] + bias;
            if (count == GX_LANES)
                gx_store(y + (int64_t)b * j->out, sum);
            else
                gx_copy(y + (int64_t)b * j->out, (const float *)&sum, count);
        }
    }
}

/* ---- products ---- */

/* The 36 products of a batch with the panel of `width` weights at channel n, into sums
 * (36, tiles, padded). */
static void multiply_panel(const struct job *j, int n, int width, int padded, int count,
                           struct room *room)
{
    const struct layout *l = &j->layout;
    const float *u = j->u + (int64_t)36 * j->in * n;
    const float zero[GX_COLS] = {0};
    int tiles = (count + GX_ROWS - 1) / GX_ROWS;
    for (int t = 0; t < 36; t++)
        for (int k = 0; k < j->in; k += GX_DEPTH) {
            int depth = gx_least(GX_DEPTH, j->in - k);
            const float *a = element(l, room->blocks, t, k), *panel = u;
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
            input_batch(j, m, count, &room);
        for (int n = part.n0; n < part.n1; n += GX_COLS) {
            int width = gx_least(GX_COLS, j->out - n);
            int padded = width > GX_LANES ? GX_COLS : GX_LANES;
            multiply_panel(j, n, width, padded, count, &room);
            for (int t = 0; t < count; t++)
                for (int v = 0; v < width; v += GX_LANES)
                    output_vector(j, room.sums + (int64_t)t * padded + v,
                                  (int64_t)j->layout.tiles * padded, corner_of(j, m + t), n + v,
                                  gx_least(GX_LANES, width - v));
        }
    }
}

void GX_TIERED(winograd_conv)(int n, int h, int w, int in, int out, int in_pad, const float *x,
                              const float *u, const float *bias, float *y, void *scratch,
                              int threads)
{
    struct job job = {x, u, bias, y, h, w, in, out, in_pad, h + 2 * in_pad - 2, w + 2 * in_pad - 2};
    job.down = (job.oh + 3) / 4;
    job.across = (job.ow + 3) / 4;
    job.layout = layout_of(in);
    int64_t tiles = (int64_t)n * job.down * job.across;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct room room = room_of(in, NULL);
        room = room_of(in, (float *)scratch + id * room.floats);
        run_part(&job, GX_TIERED(split)(tiles, out, id, threads), room);
    }
}
