/* y and dx of a convolution by Winograd's method, Lavin and Gray 2016, on the tiles of tile.h;
 * winograd.h tells the transforms, and what is a phase.
 *
 * All channels of a batch of tiles are transformed into left blocks. Then for each panel of
 * output channels a chunk of the weights is transformed, the products of all elements are
 * multiplied while both are in cache, and so on for all chunks; the sums are transformed back
 * from there. Weights are transformed anew for each batch: that costs less than to read the many
 * more transformed ones from memory, and nothing has to be kept. Where channels are few, several
 * elements share a row of a block. Threads take tiles, each with batches of its own; or, where
 * there are too few tiles for each of them to transform all weights, they share the tiles'
 * transforms and take panels.
 *
 * In a dense block each convolution reads what the one before read, and more channels. Then
 * transforms of all its pictures are kept, and each convolution makes those of the new channels
 * alone. They are too many for L2, and what was made for other convolutions is not there in any
 * case; but a product reads its left blocks from end to end, and so they are asked for from L3
 * while the products before it are made. A thread has the same tiles each time. */
#include "kernel/simd/winograd_job.h"

/* ---- weights ---- */

/* Where the weights of an input channel lie: tap t of input m, output n at tap[t] + m row[t] +
 * n. */
struct taps {
    const float *tap[GX_TAPS * GX_TAPS];
    int64_t row[GX_TAPS * GX_TAPS];
};

/* Where tap t of a phase of the kernel begins, a matrix (wi,wo); negative if the phase lacks it.
 * dx reads the kernel turned. */
static int64_t tap_of(const struct gx_winograd_job *j, struct gx_phase phase, int t)
{
    int r = j->form.r, from = j->turned ? r * r - 1 - t : t;
    int ky = from / r * j->form.stride + phase.row, kx = from % r * j->form.stride + phase.col;
    return ky < j->k && kx < j->k ? (int64_t)(ky * j->k + kx) * j->wi * j->wo : -1;
}

/* The phase of the kernel that channel k of a panel of phase `phase` meets. */
static struct gx_phase kernel_phase(const struct gx_winograd_job *j, int phase, int k)
{
    return gx_phase_of(&j->form, j->turned ? phase : k / j->in);
}

/* Whether an input's weights for neighbouring outputs lie `wo` apart. */
static bool across(const struct gx_winograd_job *j)
{
    return j->turned && !j->panel;
}

/* Where in a tap's matrix the weight of input c and output n is; and how far the next input's. */
static int64_t in_tap(const struct gx_winograd_job *j, int c, int n)
{
    return j->panel    ? (int64_t)n * j->in + (int64_t)c * j->panel
           : across(j) ? (int64_t)n * j->wo + c
                       : (int64_t)c * j->wo + n;
}

static int next_input(const struct gx_winograd_job *j)
{
    return j->panel ? j->panel : j->wo;
}

/* The weights of one input that make channels n .. n + GX_COLS of a phase of y, shuffled: every
 * fourth of those from w, which is output 0's, on. */
static void every_fourth(const struct gx_winograd_job *j, struct gx_weight w, int n, int phase,
                         float *to)
{
    float row[4][GX_COLS];
    for (int q = 0; q < 4; q++)
        GX_TIERED(widen)(gx_weight_at(w, in_tap(j, 0, 4 * n + q * GX_COLS)), GX_COLS, row[q]);
    gx_store(to, gx_every_fourth(row[0], row[1], phase));
    gx_store(to + GX_LANES, gx_every_fourth(row[2], row[3], phase));
}

/* The taps of inputs k .. k + inputs and outputs n .. n + width of a phase of the kernel: in
 * place or widened into `copy`, or gathered there; or where they lie across, transposed into it. */
static struct taps taps_of(const struct gx_winograd_job *j, int phase, int k, int inputs, int n,
                           int width, float *copy)
{
    static const float zero[GX_COLS];
    int padded = width > GX_LANES ? GX_COLS : GX_LANES;
    bool in_place = !across(j) && j->w.dtype == GX_F32 && !j->output.shuffled;
    struct taps taps;
    for (int t = 0; t < j->form.r * j->form.r; t++, copy += GX_GROUP * GX_COLS) {
        int64_t tap = tap_of(j, kernel_phase(j, phase, k), t);
        taps.row[t] = tap < 0 ? 0 : in_place ? next_input(j) : padded;
        taps.tap[t] = zero;
        if (tap < 0)
            continue;
        struct gx_weight w = gx_weight_at(j->w, tap + in_tap(j, k % j->in, n));
        taps.tap[t] = in_place ? w.at : copy;
        if (across(j))
            GX_TIERED(pack_weights_transposed)(w, j->wo, 0, inputs, inputs, width, copy);
        else if (j->output.shuffled)
            for (int m = 0; m < inputs; m++)
                every_fourth(j, gx_weight_at(j->w, tap + in_tap(j, k % j->in + m, 0)), n, phase,
                             copy + m * padded);
        else if (!in_place)
            for (int m = 0; m < inputs; m++)
                GX_TIERED(widen)(gx_weight_at(w, (int64_t)m * j->wo), width, copy + m * padded);
    }
    return taps;
}

/* D E_r w E_r' D of `inputs` channels, into the slab's rows of whole vectors; an element of the
 * transform is `step` floats from the next. `whole`: width is whole vectors. */
GX_INLINE void transform_taps(const int points, const int r, const bool whole,
                              const struct taps *taps, int inputs, int width, float *slab,
                              int64_t step)
{
    for (int m = 0; m < inputs; m++)
        for (int v = 0; v < width; v += GX_LANES, slab += GX_LANES) {
            vf in[GX_TAPS * GX_TAPS], half[GX_POINTS * GX_TAPS], out[GX_POINTS];
            for (int t = 0; t < r * r; t++) {
                const float *tap = taps->tap[t] + m * taps->row[t] + v;
                in[t] = whole ? gx_load(tap) : gx_load_some(tap, width - v);
            }
            for (int b = 0; b < r; b++)
                gx_evaluate(points, r, true, in + b, r, half + b, r);
            for (int a = 0; a < points; a++) {
                gx_evaluate(points, r, true, half + r * a, 1, out, 1);
                for (int b = 0; b < points; b++)
                    gx_store(slab + (points * a + b) * step, out[b]);
            }
        }
}

typedef void taps_function(const struct taps *taps, int inputs, int width, float *slab,
                           int64_t step);

#define DEFINE_TAPS(p, r)                                                                          \
    static void taps_##p##_##r(const struct taps *taps, int inputs, int width, float *slab,        \
                               int64_t step)                                                       \
    {                                                                                              \
        if (width % GX_LANES)                                                                      \
            transform_taps(p, r, false, taps, inputs, width, slab, step);                          \
        else                                                                                       \
            transform_taps(p, r, true, taps, inputs, width, slab, step);                           \
    }
GX_EACH_FORM(DEFINE_TAPS)

/* A panel of the result: channels n .. n + width of a phase, and its sums (elements, tiles,
 * padded) of a batch. */
struct panel {
    int phase, n, width, padded;
    float *sums;
};

/* Tiles that are done at once. */
struct batch {
    int64_t first;
    int count;
};

/* The left blocks of a batch for the channels of a chunk: where its first tile is, but for what is
 * added for an element. */
struct left {
    struct gx_layout layout;
    float *at;
};

/* A chunk of the channels, k .. k + depth, and the panel whose weights for it are transformed. */
struct chunk {
    struct panel panel;
    int k, depth;
    struct left left;
};

/* The weights of a chunk, as a panel of each element. */
static void transform_weights(const struct gx_winograd_job *j, const struct chunk *c,
                              const struct gx_winograd_room *room)
{
#define ROW(p, r) [p][r] = taps_##p##_##r,
    static taps_function *const functions[GX_POINTS + 1][GX_TAPS + 1] = {GX_EACH_FORM(ROW)};
#undef ROW
    const struct panel *p = &c->panel;
    for (int g = 0; g < c->depth; g += GX_GROUP) {
        int inputs = gx_least(GX_GROUP, c->depth - g);
        struct taps taps = taps_of(j, p->phase, c->k + g, inputs, p->n, p->width, room->taps);
        functions[j->form.points][j->form.r](&taps, inputs, p->width,
                                             room->slab + (int64_t)g * p->padded, j->slab_step);
    }
}

/* Asks for piece i of n of a chunk's weights, which lie in short pieces far apart. Inline, since gcc
 * drops calls of functions that do nothing but ask. */
GX_INLINE void prefetch_weights(const struct gx_winograd_job *j, const struct chunk *c, int i,
                                int n)
{
    const struct panel *p = &c->panel;
    int taps = j->form.r * j->form.r, rows = across(j) ? p->width : c->depth;
    int high = across(j) ? 1 : GX_GROUP, length = across(j) ? c->depth : p->width;
    int pieces = (rows + high - 1) / high * taps;
    for (int q = pieces * i / n; q < pieces * (i + 1) / n; q++) {
        int row = q / taps * high, k = c->k + (across(j) ? 0 : row);
        int64_t w = tap_of(j, kernel_phase(j, p->phase, k), q % taps);
        if (w < 0)
            continue;
        w += in_tap(j, k % j->in, p->n + (across(j) ? row : 0));
        for (int m = 0; m < high && row + m < rows; m++)
            for (int v = 0; v < length; v += GX_GROUP)
                __builtin_prefetch(gx_weight_at(j->w, w + (int64_t)m * next_input(j) + v).at, 0, 2);
    }
}

/* Asks for the lines of y that piece i of n of a batch will be written to: they lie too far apart
 * for the CPU to foresee. */
GX_INLINE void prefetch_output(const struct gx_winograd_job *j, const struct panel *p,
                               const struct batch *batch, int i, int n)
{
    struct gx_phase phase = gx_out_phase(j, p->phase);
    const struct gx_output *o = &j->output;
    int end = batch->count * (i + 1) / n;
    for (int t = batch->count * i / n; t < end; t++) {
        struct gx_corner k = gx_corner_of(&j->tiles, batch->first + t);
        const float *y = o->y + gx_output_pixel(o, phase, k) * o->step + p->n;
        for (int a = 0; a < j->form.m; a++)
            for (int b = 0; b < j->form.m; b++)
                for (int v = 0; v < p->width; v += GX_GROUP)
                    __builtin_prefetch(y + ((int64_t)a * o->w + b) * o->apart * o->step + v, 1, 2);
    }
}

/* ---- products ---- */

/* The channels first .. end that element t gets anything from. */
struct span {
    int first, end;
};

static struct span span_of(const struct gx_winograd_job *j, struct gx_phase phase, int t)
{
    if (!j->turned) {
        struct gx_phases p = gx_phases_at(&j->form, t);
        return (struct span){p.first * j->in, p.end * j->in};
    }
    bool none = j->form.odd &&
                ((phase.row && t / j->form.points == 0) || (phase.col && t % j->form.points == 0));
    return (struct span){0, none ? 0 : j->in};
}

/* Panel `number`, the i-th of its group. */
static struct panel panel_of(const struct gx_winograd_job *j, int number, int i,
                             const struct gx_winograd_room *room)
{
    int across = gx_winograd_panels(j) / j->out_phases, n = number % across * GX_COLS;
    int width = gx_least(GX_COLS, j->output.channels - n),
        padded = width > GX_LANES ? GX_COLS : GX_LANES;
    return (struct panel){j->phase + number / across, n, width, padded,
                          room->sums + (int64_t)i * j->elements * j->layout.tiles * GX_COLS};
}

/* Of a chunk that begins with channel k. */
static struct left left_of(const struct gx_winograd_job *j, int k, const struct batch *batch,
                           const struct gx_winograd_room *room)
{
    if (!j->kept)
        return (struct left){j->layout, room->blocks + gx_channel(&j->layout, k)};
    int64_t row = batch->first - room->first;
    return (struct left){gx_kept_layout(j, k), room->blocks + gx_kept_floats(j, k) + row * GX_LDA};
}

/* Tile q of an element's products asks for its share of the rows that the elements after these, or
 * the first of the next chunk, lie in. `at` NULL: they are in L2. */
static struct gx_soon soon_of(const struct gx_winograd_job *j, const struct chunk *c,
                              const struct chunk *next, int t, int q, int count)
{
    const struct gx_layout *l = &c->left.layout;
    int tiles = (count + GX_ROWS - 1) / GX_ROWS, after = (t / l->shared + 1) * l->shared;
    const float *at = after < j->elements ? c->left.at + l->element[after]
                      : next              ? next->left.at
                                          : NULL;
    if (!j->kept || !at)
        return (struct gx_soon){0};
    return gx_soon_of(at, (int64_t)count * GX_LDA, c->depth, t % l->shared * tiles + q,
                      l->shared * tiles);
}

/* The product of element t of a batch with what the slab has for channels k .. end of the chunk,
 * while what comes next is asked for. */
static void multiply_element(const struct gx_winograd_job *j, const struct chunk *c,
                             const struct chunk *next, int t, struct span s,
                             const struct batch *batch, const struct gx_winograd_room *room)
{
    const float zero[GX_COLS] = {0};
    const struct panel *p = &c->panel;
    int k = s.first > c->k ? s.first : c->k, end = gx_least(s.end, c->k + c->depth);
    int count = batch->count, tiles = (count + GX_ROWS - 1) / GX_ROWS;
    const float *blocks = c->left.at + c->left.layout.element[t] + (k - c->k);
    const float *slab = room->slab + t * j->slab_step + (int64_t)(k - c->k) * p->padded;
    for (int q = 0; q < tiles; q++) {
        int r0 = count * q / tiles, high = count * (q + 1) / tiles - r0;
        float *to[GX_ROWS];
        for (int r = 0; r < high; r++)
            to[r] = p->sums + ((int64_t)t * j->layout.tiles + r0 + r) * p->padded;
        if (next)
            prefetch_weights(j, next, t * tiles + q, j->elements * tiles);
        if (!j->turned && c->k + c->depth == j->depth)
            prefetch_output(j, p, batch, t * tiles + q, j->elements * tiles);
        struct gx_soon soon = soon_of(j, c, next, t, q, count);
        if (k < end)
            GX_TIERED(tile)
        (high, p->padded == GX_COLS, false, end - k, blocks + (int64_t)r0 * GX_LDA, slab, to,
         k == s.first ? zero : NULL, soon.at ? &soon : NULL);
    }
}

/* Adds the products of a chunk to its panel's sums. */
static void multiply_chunk(const struct gx_winograd_job *j, const struct chunk *c,
                           const struct chunk *next, const struct batch *batch,
                           const struct gx_winograd_room *room)
{
    const struct panel *p = &c->panel;
    transform_weights(j, c, room);
    for (int t = 0; t < j->elements; t++) {
        struct span s = span_of(j, gx_out_phase(j, p->phase), t);
        multiply_element(j, c, next, t, s, batch, room);
        if (s.first == s.end)
            gx_zero(p->sums + (int64_t)t * j->layout.tiles * p->padded,
                    (int64_t)batch->count * p->padded);
    }
}

/* Chunk number i of a group of panels that begins with number `begin`. */
static struct chunk chunk_of(const struct gx_winograd_job *j, int begin, int group, int i,
                             const struct batch *batch, const struct gx_winograd_room *room)
{
    int k = i / group * j->chunk;
    return (struct chunk){panel_of(j, begin + i % group, i % group, room), k,
                          gx_least(j->chunk, j->depth - k), left_of(j, k, batch, room)};
}

/* Panels begin .. end of the results of a batch. */
static void run_panels(const struct gx_winograd_job *j, int begin, int end,
                       const struct batch *batch, const struct gx_winograd_room *room)
{
    for (; begin < end; begin += j->group) {
        int group = gx_least(j->group, end - begin);
        int chunks = (j->depth + j->chunk - 1) / j->chunk * group;
        for (int i = 0; i < chunks; i++) {
            struct chunk c = chunk_of(j, begin, group, i, batch, room), next;
            bool last = i + 1 == chunks;
            /* Those gathered for a shuffle lie in rows so long that the CPU foresees them. */
            bool none = (last && begin + group == end) || j->output.shuffled;
            if (!none)
                next =
                    chunk_of(j, last ? begin + group : begin, group, last ? 0 : i + 1, batch, room);
            multiply_chunk(j, &c, none ? NULL : &next, batch, room);
            if (c.k + c.depth == j->depth)
                GX_TIERED(winograd_output)
            (&j->form, &j->output, &j->tiles, gx_out_phase(j, c.panel.phase), c.panel.sums,
             j->layout.tiles, batch->first, batch->count, c.panel.n, c.panel.width);
        }
    }
}

/* Tiles at .. end of the batch that begins with tile `first`. */
static void transform_tiles(const struct gx_winograd_job *j, int64_t first, int at, int end,
                            const struct gx_winograd_room *room)
{
    GX_TIERED(winograd_input)
    (&j->form, &j->tiles, !j->turned, first + at, end - at, at, &j->layout, room->blocks,
     room->patch);
}

/* The same of the channels that are not there yet. */
static void transform_new(const struct gx_winograd_job *j, const struct batch *batch,
                          const struct gx_winograd_room *room)
{
    for (int k = j->have / GX_LANES * GX_LANES, end; k < j->in; k = end) {
        int chunk = k / j->chunk * j->chunk;
        struct left left = left_of(j, chunk, batch, room);
        struct gx_tiles new = j->tiles;
        end = gx_least(chunk + j->chunk, j->in);
        new.x += k;
        new.c = end - k;
        GX_TIERED(winograd_input)
        (&j->form, &new, false, batch->first, batch->count, 0, &left.layout, left.at + k - chunk,
         room->patch);
    }
}

/* Batch number b of so many batches of the tiles from `first` on. */
static struct batch batch_of(int64_t first, int64_t tiles, int b, int batches)
{
    int64_t at = gx_share(tiles, 1, b, batches);
    return (struct batch){first + at, (int)(gx_share(tiles, 1, b + 1, batches) - at)};
}

/* Tiles first .. end, by one thread. */
static void run_alone(const struct gx_winograd_job *j, int64_t first, int64_t end,
                      const struct gx_winograd_room *room)
{
    int batches = gx_winograd_batches(j, end - first);
    for (int b = 0; b < batches; b++) {
        struct batch batch = batch_of(first, end - first, b, batches);
        if (j->kept)
            transform_new(j, &batch, room);
        else
            transform_tiles(j, batch.first, 0, batch.count, room);
        run_panels(j, 0, gx_winograd_panels(j), &batch, room);
    }
}

/* A batch, by all threads. */
static void run_shared(const struct gx_winograd_job *j, const struct batch *batch, float *scratch,
                       int threads)
{
    int panels = gx_winograd_panels(j), count = batch->count;
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct gx_winograd_room room = GX_TIERED(winograd_room)(j, scratch, id);
        transform_tiles(j, batch->first, (int)gx_share(count, 1, id, threads),
                        (int)gx_share(count, 1, id + 1, threads), &room);
    }
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct gx_winograd_room room = GX_TIERED(winograd_room)(j, scratch, id);
        run_panels(j, (int)gx_share(panels, 1, id, threads),
                   (int)gx_share(panels, 1, id + 1, threads), batch, &room);
    }
}

static void run(const struct gx_winograd_job *j, float *scratch, int threads)
{
    int64_t tiles = gx_winograd_tiles(j);
    if (j->shared) {
        int batches = gx_winograd_batches(j, tiles);
        for (int b = 0; b < batches; b++) {
            struct batch batch = batch_of(0, tiles, b, batches);
            run_shared(j, &batch, scratch, threads);
        }
        return;
    }
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct gx_winograd_room room = GX_TIERED(winograd_room)(j, scratch, id);
        room.first = gx_share(tiles, 1, id, threads);
        run_alone(j, room.first, gx_share(tiles, 1, id + 1, threads), &room);
    }
}

void GX_TIERED(winograd_y)(const struct gx_conv_sizes *s, const float *x, const void *w,
                           const struct gx_after *after, float *y, void *scratch, int threads)
{
    struct gx_winograd_job j = GX_TIERED(winograd_job_y)(s, threads);
    j.tiles.x = x, j.w = (struct gx_weight){w, s->dtype};
    j.output.after = after, j.output.y = y;
    run(&j, scratch, threads);
}

void GX_TIERED(winograd_dx)(const struct gx_conv_sizes *s, const float *g, const void *w,
                            const struct gx_after *after, float *dx, void *scratch, int threads)
{
    for (int p = 0; p < s->stride * s->stride; p += gx_dx_together(s)) {
        struct gx_winograd_job j = GX_TIERED(winograd_job_dx)(s, p, gx_dx_together(s), threads);
        j.tiles.x = g, j.w = (struct gx_weight){w, s->dtype};
        j.output.after = after, j.output.y = dx;
        run(&j, scratch, threads);
    }
}
