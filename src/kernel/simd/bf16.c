/* See bf16.h. The unit multiplies a tile of 16 rows of 32 numbers with one of 32 rows of 16, and
 * adds to a tile of 16 x 16 sums; four tiles of sums, two of positions times two of channels, are
 * kept while the depth runs.
 *
 * A thread rounds a patch of the picture into its cache. There the numbers under one kernel row are
 * one run of (kx, channel) for every position, and sixteen neighbours' runs start a pixel apart: so
 * a tile is loaded from the patch as it lies, and nothing is copied for each tap. Runs are taken in
 * chunks of 32; what a last chunk sees behind the run meets weights of zero. Results of fewer than
 * sixteen columns have no such tiles: their runs are copied out, sixteen positions a tile.
 *
 * While tiles alone are multiplied, the vector units fall asleep after some 2000 cycles, and the tiles'
 * store, which needs them, waits about 900 for them to wake (measured); so each chunk adds a vector.
 *
 * The core hands the unit its work in a fraction of the time that the unit takes for it. Meanwhile
 * it rounds the next patch and finishes the sums of the last pair of tiles, a little after each
 * chunk (bf16_beside.c).
 *
 * Fine pictures are rounded to the sum of two numbers, in two patches alike, and both are
 * multiplied with the same weights. Float32 weights for pictures of few channels become two terms
 * as well; the product of both second terms is left out, as small as what is rounded off.
 *
 * The weights of a panel, 32 channels of the result, are laid out as the unit wants them
 * (bf16_lay.h), for as many panels at once as fit into the cache beside the patch. Copies are few,
 * and reading the weights takes most of their time: there a part of the depth is laid out for all
 * panels, so that weights are read as they lie, and the sums wait in memory for the next part. */
#include "kernel/simd/bf16.h"

#include "kernel/simd/bf16_unit.h"
#include "kernel/simd/bf16_walk.h"

#include <string.h>

#if defined(__AVX512F__) && defined(__linux__)
#include <immintrin.h>
#define AMX GX_BF16_UNIT

enum {
    HIGH = GX_BF16_HIGH,
    DEEP = GX_BF16_DEEP,
    PANEL = GX_BF16_PANEL,
    PATCH = GX_BF16_PATCH,
    TERMS = GX_BF16_TERMS,
    RUN = GX_BF16_RUN,     /* bytes: most of a run that is copied out */
    TILE = 1024,           /* bytes */
    CHUNK = GX_BF16_CHUNK, /* bytes of a panel's weights for DEEP of the depth */
    GROUP = 5 << 18,       /* bytes: most weights at a time */
    TILES = GX_BF16_TILES,
    COPIED = 64,             /* the same, of those that are copied out */
    PAIR = 2 * HIGH * PANEL, /* sums of two tiles for a panel */
    SUMS = 1 << 18,          /* bytes */
    ROOM = 2 * TERMS + GROUP + 2 * RUN + SUMS,
    COPIES = 150, /* multiplications in the time that rounding or laying out a number takes */
};

/* A thread's scratch: two patches behind one another, or as much of copies, the second terms TERMS
 * bytes behind the first; those of a run RUN bytes. */
struct room {
    char *patch, *weights, *run;
    float *sums; /* (.., 2 HIGH, PANEL): of pairs of tiles times panels */
};

/* Where tiles of positions lie: chunk k of kernel row r is at r * row + k * chunk bytes from
 * their first, and their rows `apart`. So many rows and chunks are multiplied; `more`: and added
 * to the sums that are there. */
struct left {
    int64_t row, chunk, apart;
    int rows, chunks;
    bool more;
};

/* Sixteen positions: where they are read, and where the first one's result goes. */
struct tile {
    const char *at;
    float *to;
};

/* What is done beside the products, so much after each chunk. */
struct beside {
    struct gx_bf16_finish finish;  /* the last pair's */
    struct gx_bf16_rounding round; /* the next patch's */
    int finish_some, round_some;
    int turn, panels; /* which of two sums, and of two panels, is in use */
    struct gx_bf16_panel panel[2];
};

static inline void work_beside(struct beside *b)
{
    if (gx_bf16_finishing(&b->finish))
        GX_TIERED(bf16_finish_some)(&b->finish, b->finish_some);
    for (int k = 0; k < b->round_some && gx_bf16_rounds(&b->round); k++)
        GX_TIERED(bf16_round_some)(&b->round);
}

static void finish_all(struct beside *b)
{
    while (gx_bf16_finishing(&b->finish))
        GX_TIERED(bf16_finish_some)(&b->finish, HIGH);
}

static void round_all(struct beside *b)
{
    while (gx_bf16_rounds(&b->round))
        GX_TIERED(bf16_round_some)(&b->round);
}

/* ---- products ---- */

/* Keeps the vector units awake. */
AMX static inline void stay_awake(__m512 zero)
{
    __asm__ volatile("vaddps %0, %0, %%zmm31" ::"v"(zero) : "xmm31");
}

/* sums (high HIGH, PANEL) of one or two tiles of positions, times one or two of channels. */
AMX static inline __attribute__((always_inline)) void
multiply(const int high, const int wide, const bool fine, const struct left *left,
         const struct tile *tile, const char *weights, float *sums, struct beside *beside)
{
    __asm__ volatile("" ::: "memory"); /* gcc does not know that tiles are loaded from memory */
    if (left->more) {
        _tile_loadd(0, sums, PANEL * sizeof *sums);
        _tile_loadd(1, sums + 16, PANEL * sizeof *sums);
        _tile_loadd(2, sums + HIGH * PANEL, PANEL * sizeof *sums);
        _tile_loadd(3, sums + HIGH * PANEL + 16, PANEL * sizeof *sums);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    const __m512 zero = _mm512_setzero_ps();
    for (int r = 0; r < left->rows; r++) {
        const char *a = tile[0].at + r * left->row, *b = tile[high - 1].at + r * left->row;
        for (int k = 0; k < left->chunks;
             k++, a += left->chunk, b += left->chunk, weights += CHUNK) {
            stay_awake(zero);
            _tile_loadd(6, weights, 64);
            if (wide > 1)
                _tile_loadd(7, weights + TILE, 64);
            for (int term = 0; term < (fine ? 2 : 1); term++) {
                _tile_loadd(4, a + term * TERMS, left->apart);
                _tile_dpbf16ps(0, 4, 6);
                if (wide > 1)
                    _tile_dpbf16ps(1, 4, 7);
                if (high > 1) {
                    _tile_loadd(5, b + term * TERMS, left->apart);
                    _tile_dpbf16ps(2, 5, 6);
                    if (wide > 1)
                        _tile_dpbf16ps(3, 5, 7);
                }
            }
            work_beside(beside);
        }
    }
    _tile_stored(0, sums, PANEL * sizeof *sums);
    if (wide > 1)
        _tile_stored(1, sums + 16, PANEL * sizeof *sums);
    if (high > 1)
        _tile_stored(2, sums + HIGH * PANEL, PANEL * sizeof *sums);
    if (high > 1 && wide > 1)
        _tile_stored(3, sums + HIGH * PANEL + 16, PANEL * sizeof *sums);
}

typedef void multiply_function(const struct left *left, const struct tile *tile,
                               const char *weights, float *sums, struct beside *beside);

#define DEFINE(high, wide, fine)                                                                   \
    AMX static void multiply_##high##_##wide##_##fine(                                             \
        const struct left *left, const struct tile *tile, const char *weights, float *sums,        \
        struct beside *beside)                                                                     \
    {                                                                                              \
        multiply(high, wide, fine, left, tile, weights, sums, beside);                             \
    }
DEFINE(1, 1, 0)
DEFINE(1, 1, 1)
DEFINE(1, 2, 0)
DEFINE(1, 2, 1)
DEFINE(2, 1, 0)
DEFINE(2, 1, 1)
DEFINE(2, 2, 0)
DEFINE(2, 2, 1)

/* sums of one or two tiles times a panel of so many channels. */
static void multiply_tiles(bool fine, const struct left *left, const struct tile *tile, int tiles,
                           int count, const char *weights, float *sums, struct beside *beside)
{
#define ROW(high, wide)                                                                            \
    {                                                                                              \
        multiply_##high##_##wide##_0, multiply_##high##_##wide##_1                                 \
    }
    static multiply_function *const functions[2][2][2] = {{ROW(1, 1), ROW(1, 2)},
                                                          {ROW(2, 1), ROW(2, 2)}};
#undef ROW
    functions[tiles - 1][count > 16][fine](left, tile, weights, sums, beside);
}

static inline int channels_of(const struct gx_bf16_job *j, int panel)
{
    return gx_least(PANEL, j->cols - panel * PANEL);
}

/* Lays out chunks k .. k + chunks of panels p .. p + panels, one panel after the other, in the
 * order in which the weights lie. */
static void lay_panels(const struct gx_bf16_job *j, int p, int panels, int k, int chunks, char *to)
{
    for (int i = 0; i < chunks * panels; i++) {
        int at = j->weights.turned ? i % chunks : i / panels;
        int q = j->weights.turned ? i / chunks : i % panels;
        GX_TIERED(bf16_lay)
        (&j->weights, (k + at) / j->row, (k + at) % j->row, (p + q) * PANEL, channels_of(j, p + q),
         to + ((int64_t)q * chunks + at) * CHUNK);
    }
}

/* ---- patches ---- */

/* The block's positions as tiles, of which the last in a line overlaps the one before. */
static int tiles_of(const struct gx_bf16_job *j, const struct gx_bf16_block *b, const char *patch,
                    struct tile *tile)
{
    const struct gx_windows *v = &j->windows;
    const struct gx_target *to = &j->to;
    int64_t line = gx_bf16_line(v, b->wide) * 2, pixel = (int64_t)v->step * v->c * 2;
    float *y = to->y + b->image * to->image + b->py * to->row + b->px * to->col;
    int count = 0;
    for (int row = 0; row < b->high; row++)
        for (int x = 0; x < b->wide; x += HIGH) {
            int at = gx_least(x, b->wide - HIGH);
            tile[count++] = (struct tile){patch + row * v->step * line + at * pixel,
                                          y + row * to->row + at * to->col};
        }
    return count;
}

static struct gx_bf16_finish finish_of(const struct gx_bf16_job *j, const struct tile *tile,
                                       int tiles, int n, const struct gx_bf16_panel *panel,
                                       const float *sums)
{
    struct gx_bf16_finish f = {.panel = panel,
                               .sums = sums,
                               .rows = tiles * HIGH,
                               .apart = j->to.col,
                               .pixels_apart = j->to.col / j->y_step};
    for (int t = 0; t < tiles; t++) {
        f.to[t] = tile[t].to + n;
        if (panel->kind == GX_BF16_MORE)
            f.pixel[t] = (tile[t].to - j->to.first) / j->y_step;
    }
    return f;
}

/* A block, whose patch is there, for some panels. */
static void run_block(const struct gx_bf16_job *j, int first, int panels,
                      const struct gx_bf16_block *b, const char *patch, const struct room *room,
                      struct beside *beside)
{
    const struct gx_windows *v = &j->windows;
    const struct left left = {
        gx_bf16_line(v, b->wide) * 2, 2 * DEEP, (int64_t)v->step * v->c * 2, v->kh, j->row, false};
    struct left again = left;
    again.more = true;
    struct tile tile[TILES];
    int count = tiles_of(j, b, patch, tile);
    int steps = (count + 1) / 2 * panels * j->deep, portions = gx_bf16_portions(&beside->round);
    beside->finish_some = j->deep ? (2 * HIGH + j->deep - 1) / j->deep : 0;
    beside->round_some = steps ? (portions + steps - 1) / steps : 0;
    for (int p = first; p < first + panels; p++) {
        struct gx_bf16_panel *panel = &beside->panel[beside->panels ^= 1];
        GX_TIERED(bf16_panel)(j, p, panel);
        for (int t = 0; t < count; t += 2) {
            int some = gx_least(2, count - t);
            float *sums = room->sums + (beside->turn ^= 1) * PAIR;
            const char *weights = room->weights + (int64_t)(p - first) * j->deep * CHUNK;
            multiply_tiles(j->fine, &left, tile + t, some, panel->channels, weights, sums, beside);
            if (j->terms)
                multiply_tiles(false, &again, tile + t, some, panel->channels, weights + GROUP / 2,
                               sums, beside);
            finish_all(beside);
            beside->finish = finish_of(j, tile + t, some, p * PANEL, panel, sums);
        }
    }
}

/* Lines from .. to, block by block; while one is multiplied, the next one's patch is rounded. */
static void run_lines(const struct gx_bf16_job *j, int first, int panels, int64_t from, int64_t to,
                      const struct room *room)
{
    struct gx_bf16_walk walk = gx_bf16_walk_of(j, from, to);
    struct gx_bf16_block block, next;
    struct beside beside = {0};
    bool more = gx_bf16_next_block(&walk, &block);
    if (more)
        beside.round = GX_TIERED(bf16_rounding)(j, &block, room->patch);
    for (int k = 0; more; k ^= 1, block = next) {
        round_all(&beside);
        more = gx_bf16_next_block(&walk, &next);
        if (more)
            beside.round = GX_TIERED(bf16_rounding)(j, &next, room->patch + (k ^ 1) * PATCH);
        run_block(j, first, panels, &block, room->patch + k * PATCH, room, &beside);
    }
    finish_all(&beside);
}

/* ---- copies ---- */

/* The runs of positions m .. m + count, as whole tiles. */
AMX static void copy_runs(const struct gx_bf16_job *j, int64_t m, int count,
                          const struct room *room)
{
    const struct gx_windows *v = &j->windows;
    for (int r = 0; r < count; r++, m++) {
        int px = (int)(m % v->pw), py = (int)(m / v->pw % v->ph);
        char *to = room->patch + (int64_t)(r / HIGH) * j->deep * TILE + r % HIGH * 2 * DEEP;
        for (int ty = 0; ty < v->kh; ty++, to += j->row * TILE) {
            GX_TIERED(bf16_round)
            (j, m / v->pw / v->ph, py * v->step + v->oy + ty, px * v->step + v->ox, v->kw,
             room->run, j->fine ? RUN : 0);
            for (int term = 0; term < (j->fine ? 2 : 1); term++) {
                char *run = room->run + term * RUN;
                memset(run + (int64_t)j->run * 2, 0, (size_t)(j->row * DEEP - j->run) * 2);
                for (int k = 0; k < j->row; k++)
                    _mm512_store_si512(to + term * TERMS + k * TILE,
                                       _mm512_load_si512(run + 2 * DEEP * k));
            }
        }
    }
}

/* What comes of a tile's sums, of positions m .. m + count. */
static void finish_copy(const struct gx_bf16_job *j, const struct gx_bf16_panel *panel, int n,
                        int64_t m, int count, const float *sums)
{
    float *rows[HIGH];
    GX_TIERED(place)(&j->windows, &j->to, m, count, rows);
    for (int r = 0; r < count; r++)
        GX_TIERED(bf16_finish_one)
    (panel, sums + r * PANEL, rows[r] + n, (rows[r] - j->to.first) / j->y_step);
}

/* Positions m .. m + count, copied out as tiles, times panels first .. first + panels, whose weights
 * are laid out once: all panels' for a part of the depth, then for the next one, so that they are
 * read as they lie. */
static void run_parts(const struct gx_bf16_job *j, int first, int panels, int64_t m, int count,
                      const struct room *room)
{
    int tiles = (count + HIGH - 1) / HIGH, pairs = (tiles + 1) / 2, k = 0;
    int most = GROUP / CHUNK / panels;
    struct beside nothing = {0};
    do {
        int chunks = gx_least(most, j->deep - k);
        const struct left left = {0, TILE, 2 * DEEP, 1, chunks, k > 0};
        lay_panels(j, first, panels, k, chunks, room->weights);
        for (int p = 0; p < panels; p++)
            for (int t = 0; t < tiles; t += 2) {
                const char *at = room->patch + ((int64_t)t * j->deep + k) * TILE;
                const struct tile pair[2] = {{at}, {at + (int64_t)j->deep * TILE}};
                multiply_tiles(j->fine, &left, pair, gx_least(2, tiles - t),
                               channels_of(j, first + p),
                               room->weights + (int64_t)p * chunks * CHUNK,
                               room->sums + (p * pairs + t / 2) * PAIR, &nothing);
            }
        k += chunks;
    } while (k < j->deep);
    for (int p = 0; p < panels; p++) {
        struct gx_bf16_panel panel;
        GX_TIERED(bf16_panel)(j, first + p, &panel);
        for (int t = 0; t < tiles; t++)
            finish_copy(j, &panel, (first + p) * PANEL, m + t * HIGH,
                        gx_least(HIGH, count - t * HIGH),
                        room->sums + (p * pairs * 2 + t) * (PAIR / 2));
    }
}

/* Tiles from .. to of all positions, as many at a time as there is room for. */
static void run_copies(const struct gx_bf16_job *j, int first, int panels, int64_t from, int64_t to,
                       const struct room *room)
{
    int64_t all = (int64_t)j->images * j->windows.ph * j->windows.pw;
    int most = gx_least(TERMS / TILE / (j->deep ? j->deep : 1), COPIED);
    for (int64_t t = from; t < to; t += most) {
        int tiles = gx_least(most, to - t), count = gx_least((int64_t)tiles * HIGH, all - t * HIGH);
        int pairs = (tiles + 1) / 2, together = SUMS / (PAIR * 4) / pairs;
        copy_runs(j, t * HIGH, count, room);
        for (int p = 0; p < panels; p += together)
            run_parts(j, first + p, gx_least(together, panels - p), t * HIGH, count, room);
    }
}

/* ---- shares ---- */

/* How many parts the panels are cut into, so that threads round and lay out the least. */
static int parts_of(int64_t lines, int positions, int panels, int threads)
{
    int best = 1;
    double least = 0;
    for (int parts = 1; parts <= threads; parts++) {
        if (threads % parts)
            continue;
        int down = threads / parts;
        double wide = (double)((panels + parts - 1) / parts) * PANEL;
        double high = (double)((lines + down - 1) / down) * positions;
        double cost = wide * high + COPIES * (wide + high);
        if (parts == 1 || cost < least)
            best = parts, least = cost;
    }
    return best;
}

/* As lay_panels, of both terms; the second ones' half a GROUP behind. */
static void lay_terms(const struct gx_bf16_job *j, int p, int panels, const struct room *room)
{
    struct gx_bf16_job terms = *j;
    GX_TIERED(bf16_round_all)
    (j->terms, (int64_t)j->windows.kh * j->run * j->cols, room->run, RUN);
    for (int term = 0; term < 2; term++) {
        terms.weights.w = (const uint16_t *)(room->run + term * RUN);
        lay_panels(&terms, p, panels, 0, j->deep, room->weights + term * (GROUP / 2));
    }
}

/* Share `id` of `threads`: lines, or tiles of copies, times panels; a group of panels after the
 * other. */
AMX static void run_share(const struct gx_bf16_job *j, int id, int threads, const struct room *room)
{
    const struct gx_windows *v = &j->windows;
    bool copies = v->pw < HIGH;
    int64_t lines = (int64_t)j->images * v->ph;
    int panels = (j->cols + PANEL - 1) / PANEL, most = panels;
    if (j->deep)
        most = GROUP / (j->terms ? 2 : 1) / CHUNK / j->deep;
    if (copies)
        lines = (lines * v->pw + HIGH - 1) / HIGH;
    int parts = parts_of(lines, copies ? HIGH : v->pw, panels, threads), down = threads / parts;
    int64_t from = gx_share(lines, 1, id / parts, down),
            to = gx_share(lines, 1, id / parts + 1, down);
    int p = (int)gx_share(panels, 1, id % parts, parts);
    int last = (int)gx_share(panels, 1, id % parts + 1, parts);
    if (copies && p < last)
        run_copies(j, p, last - p, from, to, room);
    for (; !copies && p < last && from < to; p += most) {
        int some = gx_least(most, last - p);
        if (j->terms)
            lay_terms(j, p, some, room);
        else
            lay_panels(j, p, some, 0, j->deep, room->weights);
        run_lines(j, p, some, from, to, room);
    }
}

AMX static void configure(void)
{
    static const struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } tiles = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&tiles);
}

AMX static void release(void)
{
    _tile_release();
}

static struct room room_of(void *scratch, int id)
{
    char *base = (char *)scratch + (size_t)id * ROOM;
    char *run = base + 2 * TERMS + GROUP;
    return (struct room){base, base + 2 * TERMS, run, (float *)(run + 2 * RUN)};
}

static struct gx_bf16_job job_of(bool fine, const struct gx_windows *windows,
                                 const struct gx_target *to, int images, int cols,
                                 const struct gx_after *after)
{
    struct gx_bf16_job j = {.fine = fine,
                            .windows = *windows,
                            .to = *to,
                            .after = after,
                            .x_step = windows->c,
                            .y_step = to->channels,
                            .cols = cols,
                            .images = images};
    j.run = windows->kw * windows->c;
    j.row = (j.run + DEEP - 1) / DEEP;
    j.deep = windows->kh * j.row;
    return j;
}

static void bf16_y(const struct gx_conv_sizes *s, const float *x, const void *w,
                   const struct gx_after *after, float *y, void *scratch, int threads)
{
    struct gx_windows windows = {x,         s->h,    s->w,    s->i,  s->kh, s->kw,
                                 s->stride, -s->pad, -s->pad, s->oh, s->ow};
    int64_t step = s->y_step ? s->y_step : s->o;
    struct gx_target to = {y, s->oh * s->ow * step, s->ow * step, step, y, s->o};
    struct gx_bf16_job j = job_of(s->fine || s->terms, &windows, &to, s->n, s->o, after);
    j.mirrored = s->mirrored;
    j.x_step = s->x_step ? s->x_step : s->i;
    j.y_step = (int)step;
    j.terms = s->dtype == GX_F32 ? w : NULL;
    j.weights = (struct gx_bf16_weights){.run = j.run, .w = w, .o = s->o};
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct room room = room_of(scratch, id);
        configure();
        run_share(&j, id, threads, &room);
        release();
    }
}

static struct gx_bf16_job dx_job(const struct gx_conv_sizes *s, int number, const float *g,
                                 const void *w, const struct gx_after *after, float *dx)
{
    struct gx_class c = gx_class_of(s, number, g, w, dx);
    struct gx_bf16_job j = job_of(s->fine, &c.windows, &c.to, s->n, s->i, after);
    j.weights = (struct gx_bf16_weights){.run = j.run, .turned = true, .taps = c.taps};
    return j;
}

static void bf16_dx(const struct gx_conv_sizes *s, const float *g, const void *w,
                    const struct gx_after *after, float *dx, void *scratch, int threads)
{
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct room room = room_of(scratch, id);
        configure();
        for (int c = 0; c < s->stride * s->stride; c++) {
            struct gx_bf16_job j = dx_job(s, c, g, w, after, dx);
            if (j.windows.ph > 0 && j.windows.pw > 0)
                run_share(&j, id, threads, &room);
        }
        release();
    }
}

static size_t bf16_scratch(int threads)
{
    return (size_t)threads * ROOM;
}

const struct gx_bf16 *GX_TIERED(bf16_of)(const struct gx_conv_sizes *s,
                                         enum gx_conv_product product)
{
    static const struct gx_bf16 products = {bf16_y, bf16_dx, bf16_scratch};
    int c = product == GX_CONV_DX ? s->o : s->i, step = product == GX_CONV_DX ? 1 : s->stride;
    struct gx_windows v = {.c = c, .kh = s->kh, .kw = s->kw, .step = step};
    int64_t run = (int64_t)s->kw * c * 2, deep = (run + 2 * DEEP - 1) / (2 * DEEP) * s->kh;
    bool fits = deep * CHUNK <= GROUP && run <= RUN - 2 * DEEP &&
                gx_bf16_patch_bytes(&v, 1, 3 * HIGH) <= PATCH;
    bool few = s->dtype == GX_F32 && s->terms && product == GX_CONV_Y && s->o >= PANEL &&
               s->i < HIGH && s->ow >= HIGH && (int64_t)s->kh * s->kw * s->i * s->o * 2 <= RUN &&
               2 * deep * CHUNK <= GROUP;
    bool is = (s->dtype == GX_BF16 || few) && product != GX_CONV_DW && fits && gx_cpu_has_amx();
    return is ? &products : NULL;
}

#else

const struct gx_bf16 *GX_TIERED(bf16_of)(const struct gx_conv_sizes *s,
                                         enum gx_conv_product product)
{
    (void)s, (void)product;
    return NULL;
}

#endif
