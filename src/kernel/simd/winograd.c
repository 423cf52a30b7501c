/* y and dx of a convolution by Winograd's method, Lavin and Gray 2016, on the tiles of tile.h;
 * winograd.h tells the transforms, and what is a phase.
 *
 * A thread takes a batch of tiles and transforms all their channels into left blocks. Then for each
 * panel of output channels it transforms a chunk of the weights, multiplies the 36 products while
 * both are in cache, and so on for all chunks; the sums are transformed back from there. Weights
 * are transformed anew for each batch: that costs less than to read the many more transformed ones
 * from memory, and nothing has to be kept. Where channels are few, several of the 36 share a row of
 * a block. */
#include "kernel/simd/winograd.h"

#include "kernel/simd/after.h"
#include "kernel/simd/half.h"

enum {
    CHUNK = 128, /* input channels whose weights are transformed at once; GX_DEPTH is a multiple */
    GROUP = 16,  /* those that are gathered at once: a cache line */
    TAPS = 16,   /* most of a part of the kernel */
    SLAB_STEP = CHUNK * GX_COLS + 80, /* floats from one of the 36 to the next: see gx_apart */
    LEAST = 2 * GX_ROWS,              /* tiles for which weights are transformed */
};

/* The sizes of one call: the picture read (in channels, in_phases), and that written. */
struct job {
    struct gx_winograd form;
    struct gx_tiles tiles;
    struct gx_weight w;
    const struct gx_after *after;
    float *y;
    int y_step;    /* floats from a pixel of y to the next */
    int wi, wo, k; /* of the weights (k,k,wi,wo) */
    bool rotated;
    int images, in, out, in_phases, out_phases, oh, ow;
    int first; /* grid point (0, 0) of phase (p, q) is pixel (first + p, first + q) of y */
    struct gx_layout layout;
};

/* For a batch of as many tiles as stay in L2 with their channels, or as there are. */
static struct gx_layout layout_of(int channels, int64_t tiles)
{
    int width = (channels + GX_LANES - 1) / GX_LANES * GX_LANES;
    int fit = (3 << 17) / 36 / width / GX_ROWS * GX_ROWS; /* 1.5 MiB */
    fit = fit > GX_BLOCK_ROWS ? GX_BLOCK_ROWS : fit < LEAST ? LEAST : fit;
    return gx_layout_of(channels, gx_least(tiles, fit));
}

static int64_t tiles_of(const struct job *j)
{
    return (int64_t)j->images * j->tiles.down * j->tiles.across;
}

static struct job job_of(const struct gx_conv_sizes *s, bool forward)
{
    struct job j = {.form = gx_winograd_of(s), .wi = s->i, .wo = s->o, .k = s->kh};
    struct gx_tiles *v = &j.tiles;
    int step = s->stride, down, across;
    j.rotated = !forward;
    if (forward) {
        *v = (struct gx_tiles){NULL, s->h, s->w, s->i, step, -s->pad, -s->pad, 6, j.form.m};
        v->pixel = s->x_step;
        j.y_step = s->y_step ? s->y_step : s->o;
        j.in = s->i, j.out = s->o, j.oh = down = s->oh, j.ow = across = s->ow;
        j.in_phases = step, j.out_phases = 1;
    } else {
        /* Grid point e of phase p is pixel step e + p - pad of dx, and meets g from e - r + 1 to e. */
        int e = s->pad / step, from = e - j.form.r + 1;
        *v = (struct gx_tiles){NULL, s->oh, s->ow, s->o, 1, from, from, 6, j.form.m};
        j.y_step = s->i;
        j.in = s->o, j.out = s->i, j.oh = s->h, j.ow = s->w;
        j.in_phases = 1, j.out_phases = step;
        j.first = step * e - s->pad;
        down = (s->h - 1 + s->pad) / step - e + 1;
        across = (s->w - 1 + s->pad) / step - e + 1;
    }
    v->down = (down + j.form.m - 1) / j.form.m;
    v->across = (across + j.form.m - 1) / j.form.m;
    j.images = s->n;
    j.layout = layout_of(j.in * j.in_phases * j.in_phases, tiles_of(&j));
    return j;
}

/* A thread's scratch. */
struct room {
    float *blocks, *sums, *slab, *taps, *patch;
};

static size_t room_floats(const struct job *j)
{
    return gx_layout_floats(&j->layout) + (size_t)36 * j->layout.tiles * GX_COLS +
           (size_t)36 * SLAB_STEP + (size_t)TAPS * GROUP * GX_COLS + (size_t)36 * j->layout.width;
}

static struct room room_of(const struct job *j, float *base)
{
    struct room r = {.blocks = base};
    r.sums = base + gx_layout_floats(&j->layout);
    r.slab = r.sums + (size_t)36 * j->layout.tiles * GX_COLS;
    r.taps = r.slab + (size_t)36 * SLAB_STEP;
    r.patch = r.taps + (size_t)TAPS * GROUP * GX_COLS;
    return r;
}

size_t GX_TIERED(winograd_scratch)(const struct gx_conv_sizes *s, enum gx_conv_product product,
                                   int threads)
{
    if (product == GX_CONV_DW)
        return GX_TIERED(winograd_dw_floats)(s, threads) * sizeof(float);
    struct job j = job_of(s, product == GX_CONV_Y);
    return room_floats(&j) * sizeof(float) * threads;
}

/* ---- input ---- */

struct gx_view GX_TIERED(winograd_view)(const struct gx_tiles *v, int64_t tile, int width,
                                        float *patch)
{
    struct gx_corner k = gx_corner_of(v, tile);
    int row = k.row * v->stride + v->oy, col = k.col * v->stride + v->ox;
    int reach = (v->side - 1) * v->stride;
    int64_t pixel = v->pixel ? v->pixel : v->c, line = v->w * pixel;
    const float *at = v->x + k.n * v->h * line + row * line + col * pixel;
    struct gx_view view = {at, v->stride * line, v->stride * pixel};
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

/* One phase of the picture, to the channels from `channel` on. */
static void input_phase(const struct gx_tiles *v, int64_t first, int count, int at, int channel,
                        const struct gx_layout *l, float *blocks, float *patch)
{
    int width = (v->c + GX_LANES - 1) / GX_LANES * GX_LANES;
    for (int tile = 0; tile < count; tile++) {
        struct gx_view from = GX_TIERED(winograd_view)(v, first + tile, width, patch);
        for (int c = 0; c < width; c += GX_LANES) {
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
                    gx_store(gx_element(l, blocks, 6 * i + j, channel + c) +
                                 (int64_t)(at + tile) * GX_LDA,
                             out[j]);
            }
        }
    }
}

void GX_TIERED(winograd_input)(const struct gx_tiles *v, int phases, int64_t first, int count,
                               int at, const struct gx_layout *l, float *blocks, float *patch)
{
    for (int p = 0; p < phases * phases; p++) {
        struct gx_tiles phase = *v;
        phase.oy += p / phases;
        phase.ox += p % phases;
        input_phase(&phase, first, count, at, p * v->c, l, blocks, patch);
    }
}

/* ---- weights ---- */

/* Where the weights of an input channel lie: tap t of input m, output n at tap[t] + m row + n. */
struct taps {
    const float *tap[TAPS];
    int64_t row;
};

/* The taps of inputs k .. k + inputs and outputs n .. n + width of a phase of the kernel: in place
 * or widened into `copy`; or for dx, which reads them turned and with inputs along rows, transposed
 * into it. */
static struct taps taps_of(const struct job *j, int phase, int k, int inputs, int n, int width,
                           float *copy)
{
    int r = j->form.r, step = j->form.stride, padded = width > GX_LANES ? GX_COLS : GX_LANES;
    int p = j->rotated ? phase : k / j->in, c = j->rotated ? k : k % j->in;
    bool in_place = !j->rotated && j->w.dtype == GX_F32;
    struct taps taps = {.row = in_place ? j->wo : padded};
    for (int t = 0; t < r * r; t++) {
        int a = j->rotated ? r - 1 - t / r : t / r, b = j->rotated ? r - 1 - t % r : t % r;
        int64_t at = (int64_t)((a * step + p / step) * j->k + b * step + p % step) * j->wi * j->wo;
        at += j->rotated ? (int64_t)n * j->wo + c : (int64_t)c * j->wo + n;
        struct gx_weight w = gx_weight_at(j->w, at);
        float *to = copy + (int64_t)t * GROUP * GX_COLS;
        taps.tap[t] = in_place ? w.at : to;
        if (j->rotated)
            GX_TIERED(pack_weights_transposed)(w, j->wo, 0, inputs, inputs, width, to);
        for (int m = 0; m < inputs && !j->rotated && !in_place; m++)
            GX_TIERED(widen)(gx_weight_at(w, (int64_t)m * j->wo), width, to + m * padded);
    }
    return taps;
}

/* D E_r w E_r' D of one input channel and a vector of outputs, to `to` and so on, SLAB_STEP
 * apart. */
GX_INLINE void transform_taps(const int r, const struct taps *taps, int64_t at, int count,
                              float *to)
{
    vf in[TAPS], half[24], out[6];
    for (int t = 0; t < r * r; t++)
        in[t] = gx_load_some(taps->tap[t] + at, count);
    for (int b = 0; b < r; b++)
        gx_evaluate(r, in + b, r, half + b, r);
    for (int a = 0; a < 6; a++) {
        gx_evaluate(r, half + r * a, 1, out, 1);
        for (int b = 0; b < 6; b++)
            gx_store(to + (6 * a + b) * SLAB_STEP, out[b] * (gx_factor(a) * gx_factor(b)));
    }
}

typedef void taps_function(const struct taps *taps, int inputs, int width, float *slab);

/* For r taps: all of a group, into the slab's rows of whole vectors. */
#define DEFINE_TAPS(r)                                                                             \
    static void taps_##r(const struct taps *taps, int inputs, int width, float *slab)              \
    {                                                                                              \
        for (int m = 0; m < inputs; m++)                                                           \
            for (int v = 0; v < width; v += GX_LANES, slab += GX_LANES)                            \
                transform_taps(r, taps, m * taps->row + v, width - v, slab);                       \
    }
GX_EACH_FORM(DEFINE_TAPS)

/* Weights of inputs k .. k + depth for a panel, as 36 panels SLAB_STEP apart. */
static void transform_weights(const struct job *j, int phase, int k, int depth, int n, int width,
                              const struct room *room)
{
#define ROW(r) [r] = taps_##r,
    static taps_function *const functions[] = {GX_EACH_FORM(ROW)};
#undef ROW
    int padded = width > GX_LANES ? GX_COLS : GX_LANES;
    for (int g = 0; g < depth; g += GROUP) {
        int inputs = gx_least(GROUP, depth - g);
        struct taps taps = taps_of(j, phase, k + g, inputs, n, width, room->taps);
        functions[j->form.r](&taps, inputs, width, room->slab + (int64_t)g * padded);
    }
}

/* ---- output ---- */

/* A vector of channels n .. n + count of one tile: its 36 sums are `step` floats apart. */
GX_INLINE void output_vector(const int m, const struct job *j, int phase, const float *sums,
                             int64_t step, struct gx_corner k, int n, int count)
{
    vf half[30], out[5], bias = {0};
    bool more = gx_after_more(j->after);
    struct gx_after after;
    if (j->after) {
        after = gx_after_from(j->after, n, j->out);
        bias = after.bias ? gx_load_some(after.bias, count) : bias;
    }
    for (int b = 0; b < 6; b++) {
        vf in[6];
        for (int a = 0; a < 6; a++)
            in[a] = gx_load(sums + (6 * a + b) * step);
        gx_collect(m, in, 1, half + b, 6);
    }
    int apart = j->out_phases, row = k.row * apart + j->first + phase / apart;
    int col = k.col * apart + j->first + phase % apart;
    for (int a = 0; a < m; a++, row += apart) {
        if (row < 0 || row >= j->oh)
            continue;
        gx_collect(m, half + 6 * a, 1, out, 1);
        int64_t pixel = (k.n * j->oh + row) * j->ow + col;
        for (int b = 0; b < m; b++, pixel += apart)
            if (col + b * apart >= 0 && col + b * apart < j->ow) {
                vf v = out[b] + bias;
                if (more)
                    v = gx_after_vector(&after, v, pixel, count);
                gx_store_some(j->y + pixel * j->y_step + n, v, count);
            }
    }
}

/* Asks for the lines of y that a tile will be written to: they lie too far apart for the CPU to
 * foresee. */
static void prefetch_output(const struct job *j, int phase, struct gx_corner k, int n, int width)
{
    int apart = j->out_phases, row = k.row * apart + j->first + phase / apart;
    int col = k.col * apart + j->first + phase % apart;
    const float *y = j->y + ((k.n * j->oh + row) * j->ow + col) * j->y_step + n;
    for (int a = 0; a < j->form.m; a++)
        for (int b = 0; b < j->form.m; b++)
            for (int v = 0; v < width; v += 16)
                __builtin_prefetch(y + ((int64_t)a * j->ow + b) * apart * j->y_step + v, 1);
}

typedef void output_function(const struct job *j, int phase, const float *sums, int64_t step,
                             struct gx_corner k, int n, int count);

#define DEFINE_OUTPUT(r)                                                                           \
    static void output_##r(const struct job *j, int phase, const float *sums, int64_t step,        \
                           struct gx_corner k, int n, int count)                                   \
    {                                                                                              \
        output_vector(7 - r, j, phase, sums, step, k, n, count);                                   \
    }
GX_EACH_FORM(DEFINE_OUTPUT)

/* ---- products ---- */

/* The 36 products of a batch with the panel of weights at channel n of a phase, into sums
 * (36, tiles, padded). */
static void multiply_panel(const struct job *j, int phase, int n, int width, int padded, int count,
                           const struct room *room)
{
    const struct gx_layout *l = &j->layout;
    const float zero[GX_COLS] = {0};
    int tiles = (count + GX_ROWS - 1) / GX_ROWS, in = j->in * j->in_phases * j->in_phases;
    for (int k = 0; k < in; k += CHUNK) {
        int depth = gx_least(CHUNK, in - k);
        transform_weights(j, phase, k, depth, n, width, room);
        for (int t = 0; t < 36; t++)
            for (int q = 0; q < tiles; q++) {
                int r0 = count * q / tiles, high = count * (q + 1) / tiles - r0;
                float *to[GX_ROWS];
                for (int r = 0; r < high; r++)
                    to[r] = room->sums + ((int64_t)t * l->tiles + r0 + r) * padded;
                GX_TIERED(tile)
                (high, padded == GX_COLS, false, depth,
                 gx_element(l, room->blocks, t, k) + (int64_t)r0 * GX_LDA,
                 room->slab + (int64_t)t * SLAB_STEP, to, k ? NULL : zero);
            }
    }
}

static void run_panel(const struct job *j, int phase, int64_t first, int count, int n, int width,
                      const struct room *room)
{
#define ROW(r) [r] = output_##r,
    static output_function *const functions[] = {GX_EACH_FORM(ROW)};
#undef ROW
    int padded = width > GX_LANES ? GX_COLS : GX_LANES;
    multiply_panel(j, phase, n, width, padded, count, room);
    for (int t = 0; t < count; t++) {
        struct gx_corner k = gx_corner_of(&j->tiles, first + t);
        prefetch_output(j, phase, gx_corner_of(&j->tiles, first + t + 1), n, width);
        for (int v = 0; v < width; v += GX_LANES)
            functions[j->form.r](j, phase, room->sums + (int64_t)t * padded + v,
                                 (int64_t)j->layout.tiles * padded, k, n + v,
                                 gx_least(GX_LANES, width - v));
    }
}

static void run_part(const struct job *j, struct gx_part part, const struct room *room)
{
    for (int64_t m = part.m0; m < part.m1 && part.n0 < part.n1; m += j->layout.tiles) {
        int count = gx_least(j->layout.tiles, part.m1 - m);
        GX_TIERED(winograd_input)
        (&j->tiles, j->in_phases, m, count, 0, &j->layout, room->blocks, room->patch);
        for (int phase = 0; phase < j->out_phases * j->out_phases; phase++)
            for (int n = part.n0; n < part.n1; n += GX_COLS)
                run_panel(j, phase, m, count, n, gx_least(GX_COLS, part.n1 - n), room);
    }
}

static void run(const struct job *j, void *scratch, int threads)
{
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct room room = room_of(j, (float *)scratch + id * room_floats(j));
        run_part(j, GX_TIERED(split)(tiles_of(j), j->out, id, threads), &room);
    }
}

void GX_TIERED(winograd_y)(const struct gx_conv_sizes *s, const float *x, const void *w,
                           const struct gx_after *after, float *y, void *scratch, int threads)
{
    struct job j = job_of(s, true);
    j.tiles.x = x, j.w = (struct gx_weight){w, s->dtype}, j.after = after, j.y = y;
    run(&j, scratch, threads);
}

void GX_TIERED(winograd_dx)(const struct gx_conv_sizes *s, const float *g, const void *w,
                            const struct gx_after *after, float *dx, void *scratch, int threads)
{
    struct job j = job_of(s, false);
    j.tiles.x = g, j.w = (struct gx_weight){w, s->dtype}, j.after = after, j.y = dx;
    run(&j, scratch, threads);
}

/* ---- choice ---- */

/* Measured on both tiers (make tune). Transforms cost by the channel of each side, what they save
 * by pairs of channels. With stride 2 a pair of weights becomes nine times as many, which only
 * pictures repay that are larger than those that have so many channels. The gradient of the weights
 * writes and reads 36 sums a pair: some number of tiles repays it, more where they fit no cache. */
enum gx_conv_method GX_TIERED(conv2d_method)(const struct gx_conv_sizes *s,
                                             enum gx_conv_product product)
{
    int64_t pairs = (int64_t)s->i * s->o * s->stride * s->stride;
    bool worth = gx_winograd_does(s) && s->i >= 16 && s->o >= 16;
    if (worth && product == GX_CONV_DW) {
        int m = gx_winograd_of(s).m, down = (s->oh + m - 1) / m, across = (s->ow + m - 1) / m;
        int64_t tiles = (int64_t)s->n * down * across, pixels = (int64_t)s->n * s->oh * s->ow;
        worth = tiles >= (s->stride == 2    ? 48
                          : pairs > 1 << 17 ? 32
                                            : 12) &&
                2 * pixels >= m * m * tiles;
    } else if (worth && s->stride == 2) {
        worth = product == GX_CONV_Y ? s->i <= 128 : s->i <= 256 && s->o <= 512;
    }
    return worth ? GX_CONV_WINOGRAD : GX_CONV_GEMM;
}
