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
 * Fine pictures are rounded to the sum of two numbers, in two patches alike, and both are
 * multiplied with the same weights.
 *
 * The weights of a panel, 32 channels of the result, are laid out as the unit wants them
 * (bf16_lay.h), for as many panels at once as fit into the cache beside the patch. Copies are few,
 * and reading the weights takes most of their time: there a part of the depth is laid out for all
 * panels, so that weights are read as they lie, and the sums wait in memory for the next part. */
#include "kernel/simd/bf16.h"

#include "kernel/simd/after.h"
#include "kernel/simd/bf16_lay.h"

#include <string.h>

#if defined(__AVX512F__) && defined(__linux__)
#include <immintrin.h>
#define AMX __attribute__((target("avx512bf16,amx-tile,amx-bf16")))

enum {
    HIGH = 16,             /* rows of a tile */
    DEEP = 32,             /* its numbers a row, of 2 bytes */
    PANEL = 32,            /* channels: two tiles */
    TILE = 1024,           /* bytes */
    CHUNK = GX_BF16_CHUNK, /* bytes of a panel's weights for DEEP of the depth */
    PATCH = 1 << 20,       /* bytes: most of a patch */
    ENOUGH = 5 << 17,      /* bytes of a patch that is made larger by whole rows */
    GROUP = 5 << 18,       /* bytes: most weights at a time */
    RUN = 1 << 16,         /* bytes: most of a run that is copied out */
    NEAR = 5,              /* tiles across a patch */
    TILES = 256,           /* most of a patch */
    COPIED = 64,           /* the same, of those that are copied out */
    SUMS = 1 << 18,        /* bytes */
    ROOM = 2 * PATCH + GROUP + 2 * RUN + SUMS,
    COPIES = 150, /* multiplications in the time that rounding or laying out a number takes */
};

/* One convolution of stride `windows.step` (of dx: one of its classes). */
struct job {
    bool fine; /* pictures as two terms, of which the second is what the first rounds off */
    struct gx_windows windows;
    struct gx_target to;
    const struct gx_after *after;
    bool mirrored;      /* beyond its edge the picture is its own mirror image, not zero */
    int x_step, y_step; /* floats from a pixel to the next: of the picture, the whole result */
    int cols;           /* channels of the result */
    int images, run, row,
        deep; /* run: numbers under a kernel row; row, deep: its chunks, and all */
    struct gx_bf16_weights weights;
};

/* A thread's scratch. The second terms of a patch lie PATCH bytes behind the first, those of a
 * run RUN bytes. */
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

/* Sixteen positions, numbered as the windows', or fewer of which the others are not wanted. */
struct tile {
    const char *at;
    int64_t m;
    int count;
};

/* ---- pictures ---- */

/* to = from, rounded to the nearest; what that rounds off `rest` bytes behind, but for rest 0. */
AMX static inline void round_numbers(const float *from, int64_t count, char *to, int64_t rest)
{
    for (; count > 0; count -= DEEP, from += DEEP, to += 2 * DEEP) {
        __mmask32 some = count < DEEP ? (1u << count) - 1 : ~0u;
        __m512 low = _mm512_maskz_loadu_ps((__mmask16)some, from);
        __m512 high = _mm512_maskz_loadu_ps((__mmask16)(some >> 16), from + 16);
        __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        _mm512_mask_storeu_epi16(to, some, both);
        if (!rest)
            continue;
        low -= (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(both)), 16);
        high -= (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(both, 1)),
                                          16);
        _mm512_mask_storeu_epi16(to + rest, some, (__m512i)_mm512_cvtne2ps_pbh(high, low));
    }
}

/* The line or column that is shown at this place; -1: none. */
static inline int shown(int at, int size, bool mirrored)
{
    int other = at < 0 ? -at : 2 * (size - 1) - at;
    if (at >= 0 && at < size)
        return at;
    return mirrored && other >= 0 && other < size ? other : -1;
}

/* `count` pixels of a line from column x on; zeros where the line is NULL. */
AMX static void round_pixels(const struct job *j, const float *line, int x, int count, char *to,
                             int64_t rest)
{
    int64_t c = j->windows.c;
    if (line && j->x_step == c) {
        round_numbers(line + x * c, count * c, to, rest);
        return;
    }
    for (int k = 0; line && k < count; k++)
        round_numbers(line + (int64_t)(x + k) * j->x_step, c, to + k * c * 2, rest);
    if (!line)
        memset(to, 0, (size_t)(count * c) * 2);
    if (!line && rest)
        memset(to + rest, 0, (size_t)(count * c) * 2);
}

/* The same of picture line y; outside of the picture is zero, or what a mirror shows. */
static void round_row(const struct job *j, int64_t image, int y, int x, int count, char *to,
                      int64_t rest)
{
    const struct gx_windows *v = &j->windows;
    int low = gx_least(x < 0 ? -x : 0, count), high = gx_least(v->w - x, count), pixel = v->c * 2;
    int row = shown(y, v->h, j->mirrored);
    const float *line = row < 0 ? NULL : v->x + (image * v->h + row) * v->w * j->x_step;
    high = high < low ? low : high;
    for (int k = 0; k < count; k++) {
        int at = shown(x + k, v->w, j->mirrored);
        if (k == low && k < high) {
            round_pixels(j, line, x + k, high - low, to + k * pixel, rest);
            k = high - 1;
        } else
            round_pixels(j, at < 0 ? NULL : line, at, 1, to + k * pixel, rest);
    }
}

/* ---- products ---- */

/* What comes of the sums of so many channels, a vector's at most, of a tile. `after`, NULL for
 * nothing but to add a vector, is for the first of the channels. */
static inline __attribute__((always_inline)) void
finish_channels(const struct gx_after *after, vf add, int count, const float *sums,
                float *const *rows, const int64_t *pixel, const int channels)
{
    for (int r = 0; r < count; r++) {
        vf x = gx_load(sums + r * PANEL) + add;
        if (after)
            x = gx_after_vector(after, x, pixel[r], channels);
        gx_store_some(rows[r], x, channels);
    }
}

/* What comes of the sums (HIGH, PANEL) of a tile for channels n .. n + count. */
static void finish_tile(const struct job *j, const struct tile *tile, int n, int count,
                        const float *sums)
{
    bool more = gx_after_more(j->after);
    const float *bias = gx_after_bias_of(j->after);
    struct gx_target column = j->to;
    float *rows[HIGH];
    int64_t pixel[HIGH];
    column.y += n;
    GX_TIERED(place)(&j->windows, &column, tile->m, tile->count, rows);
    for (int r = 0; r < tile->count && more; r++)
        pixel[r] = (rows[r] - n - j->to.first) / j->y_step;
    for (int v = 0; v < count; v += GX_LANES, sums += GX_LANES) {
        int some = gx_least(GX_LANES, count - v);
        vf add = bias ? gx_load_some(bias + n + v, some) : (vf){0};
        struct gx_after after = {0};
        if (more)
            after = gx_after_from(j->after, n + v, j->to.channels);
        if (some == GX_LANES)
            finish_channels(more ? &after : NULL, add, tile->count, sums, rows, pixel, GX_LANES);
        else
            finish_channels(more ? &after : NULL, add, tile->count, sums, rows, pixel, some);
        for (int r = 0; r < tile->count; r++)
            rows[r] += GX_LANES;
    }
}

/* The same of one or two tiles, for a panel. */
static void finish(const struct job *j, const struct tile *tile, int tiles, int panel,
                   const float *sums)
{
    int n = panel * PANEL;
    for (int t = 0; t < tiles; t++)
        finish_tile(j, tile + t, n, gx_least(PANEL, j->cols - n), sums + t * HIGH * PANEL);
}

/* Keeps the vector units awake. */
AMX static inline void stay_awake(__m512 zero)
{
    __asm__ volatile("vaddps %0, %0, %%zmm31" ::"v"(zero) : "xmm31");
}

/* sums (high HIGH, PANEL) of one or two tiles of positions, times one or two of channels. */
AMX static inline __attribute__((always_inline)) void
multiply(const int high, const int wide, const bool fine, const struct left *left,
         const struct tile *tile, const char *weights, float *sums)
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
                _tile_loadd(4, a + term * PATCH, left->apart);
                _tile_dpbf16ps(0, 4, 6);
                if (wide > 1)
                    _tile_dpbf16ps(1, 4, 7);
                if (high > 1) {
                    _tile_loadd(5, b + term * PATCH, left->apart);
                    _tile_dpbf16ps(2, 5, 6);
                    if (wide > 1)
                        _tile_dpbf16ps(3, 5, 7);
                }
            }
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
                               const char *weights, float *sums);

#define DEFINE(high, wide, fine)                                                                   \
    AMX static void multiply_##high##_##wide##_##fine(                                             \
        const struct left *left, const struct tile *tile, const char *weights, float *sums)        \
    {                                                                                              \
        multiply(high, wide, fine, left, tile, weights, sums);                                     \
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
                           int count, const char *weights, float *sums)
{
#define ROW(high, wide)                                                                            \
    {                                                                                              \
        multiply_##high##_##wide##_0, multiply_##high##_##wide##_1                                 \
    }
    static multiply_function *const functions[2][2][2] = {{ROW(1, 1), ROW(1, 2)},
                                                          {ROW(2, 1), ROW(2, 2)}};
#undef ROW
    functions[tiles - 1][count > 16][fine](left, tile, weights, sums);
}

static inline int channels_of(const struct job *j, int panel)
{
    return gx_least(PANEL, j->cols - panel * PANEL);
}

/* Lays out chunks k .. k + chunks of panels p .. p + panels, one panel after the other, in the
 * order in which the weights lie. */
static void lay_panels(const struct job *j, int p, int panels, int k, int chunks, char *to)
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

/* The positions (high, wide) from (py, px) of an image on. */
struct block {
    int64_t image;
    int py, px, high, wide;
};

/* Numbers in a row of a patch for so many positions. */
static inline int64_t line_of(const struct gx_windows *v, int wide)
{
    return ((int64_t)(wide - 1) * v->step + v->kw) * v->c;
}

static inline int64_t patch_bytes(const struct gx_windows *v, int high, int wide)
{
    return ((int64_t)(high - 1) * v->step + v->kh) * line_of(v, wide) * 2 + 2 * DEEP;
}

static void round_patch(const struct job *j, const struct block *b, char *to)
{
    const struct gx_windows *v = &j->windows;
    int64_t line = line_of(v, b->wide);
    for (int r = 0; r < (b->high - 1) * v->step + v->kh; r++, to += line * 2)
        round_row(j, b->image, b->py * v->step + v->oy + r, b->px * v->step + v->ox,
                  (b->wide - 1) * v->step + v->kw, to, j->fine ? PATCH : 0);
    memset(to, 0, 2 * DEEP); /* the last chunk's end */
    if (j->fine)
        memset(to + PATCH, 0, 2 * DEEP);
}

/* The last tile of a row overlaps the one before. */
static void run_block(const struct job *j, int first, int panels, const struct block *b,
                      const struct room *room)
{
    const struct gx_windows *v = &j->windows;
    int64_t line = line_of(v, b->wide) * 2, pixel = (int64_t)v->step * v->c * 2;
    const struct left left = {line, 2 * DEEP, pixel, v->kh, j->row, false};
    struct tile tile[TILES];
    int count = 0;
    round_patch(j, b, room->patch);
    for (int y = 0; y < b->high; y++)
        for (int x = 0; x < b->wide; x += HIGH) {
            int at = gx_least(x, b->wide - HIGH);
            tile[count++] =
                (struct tile){room->patch + y * v->step * line + at * pixel,
                              (b->image * v->ph + b->py + y) * v->pw + b->px + at, HIGH};
        }
    for (int p = 0; p < panels; p++)
        for (int t = 0; t < count; t += 2) {
            int some = gx_least(2, count - t), n = first + p;
            multiply_tiles(j->fine, &left, tile + t, some, channels_of(j, n),
                           room->weights + (int64_t)p * j->deep * CHUNK, room->sums);
            finish(j, tile + t, some, n, room->sums);
        }
}

/* Lines (image, py) from .. to, patch by patch; several beside each other have two tiles at
 * least. */
static void run_lines(const struct job *j, int first, int panels, int64_t from, int64_t to,
                      const struct room *room)
{
    const struct gx_windows *v = &j->windows;
    int tiles = (v->pw + HIGH - 1) / HIGH, parts = (tiles + NEAR - 1) / NEAR, most = 1;
    while (parts < tiles / 2 && patch_bytes(v, 1, (tiles + parts - 1) / parts * HIGH) > PATCH)
        parts++;
    int wide = gx_least((tiles + parts - 1) / parts * HIGH, v->pw);
    while (patch_bytes(v, most + 1, wide) <= (j->fine ? ENOUGH / 2 : ENOUGH) &&
           (most + 1) * NEAR <= TILES)
        most++;
    for (int64_t line = from; line < to;) {
        struct block b = {.image = line / v->ph, .py = (int)(line % v->ph)};
        b.high = gx_least(gx_least(most, v->ph - b.py), to - line);
        for (int part = 0; part < parts; part++) {
            b.px = tiles * part / parts * HIGH;
            b.wide = gx_least(tiles * (part + 1) / parts * HIGH, v->pw) - b.px;
            run_block(j, first, panels, &b, room);
        }
        line += b.high;
    }
}

/* ---- copies ---- */

/* The runs of positions m .. m + count, as whole tiles. */
AMX static void copy_runs(const struct job *j, int64_t m, int count, const struct room *room)
{
    const struct gx_windows *v = &j->windows;
    for (int r = 0; r < count; r++, m++) {
        int px = (int)(m % v->pw), py = (int)(m / v->pw % v->ph);
        char *to = room->patch + (int64_t)(r / HIGH) * j->deep * TILE + r % HIGH * 2 * DEEP;
        for (int ty = 0; ty < v->kh; ty++, to += j->row * TILE) {
            round_row(j, m / v->pw / v->ph, py * v->step + v->oy + ty, px * v->step + v->ox, v->kw,
                      room->run, j->fine ? RUN : 0);
            for (int term = 0; term < (j->fine ? 2 : 1); term++) {
                char *run = room->run + term * RUN;
                memset(run + (int64_t)j->run * 2, 0, (size_t)(j->row * DEEP - j->run) * 2);
                for (int k = 0; k < j->row; k++)
                    _mm512_store_si512(to + term * PATCH + k * TILE,
                                       _mm512_load_si512(run + 2 * DEEP * k));
            }
        }
    }
}

/* Some tiles times panels first .. first + panels, whose weights are laid out once: all panels'
 * for a part of the depth, then for the next one, so that they are read as they lie. */
static void run_parts(const struct job *j, int first, int panels, const struct tile *tile,
                      int tiles, const struct room *room)
{
    int most = GROUP / CHUNK / panels, pairs = (tiles + 1) / 2, k = 0;
    do {
        int chunks = gx_least(most, j->deep - k);
        const struct left left = {0, TILE, 2 * DEEP, 1, chunks, k > 0};
        lay_panels(j, first, panels, k, chunks, room->weights);
        for (int p = 0; p < panels; p++)
            for (int t = 0; t < tiles; t += 2) {
                struct tile pair[2] = {tile[t], tile[gx_least(t + 1, tiles - 1)]};
                pair[0].at += (int64_t)k * TILE;
                pair[1].at += (int64_t)k * TILE;
                multiply_tiles(j->fine, &left, pair, gx_least(2, tiles - t),
                               channels_of(j, first + p),
                               room->weights + (int64_t)p * chunks * CHUNK,
                               room->sums + (p * pairs + t / 2) * 2 * HIGH * PANEL);
            }
        k += chunks;
    } while (k < j->deep);
    for (int p = 0; p < panels; p++)
        for (int t = 0; t < tiles; t += 2)
            finish(j, tile + t, gx_least(2, tiles - t), first + p,
                   room->sums + (p * pairs + t / 2) * 2 * HIGH * PANEL);
}

/* Tiles from .. to of all positions, as many at a time as there is room for. */
static void run_copies(const struct job *j, int first, int panels, int64_t from, int64_t to,
                       const struct room *room)
{
    int64_t all = (int64_t)j->images * j->windows.ph * j->windows.pw;
    int most = gx_least(PATCH / TILE / (j->deep ? j->deep : 1), COPIED);
    struct tile tile[COPIED];
    for (int64_t t = from; t < to; t += most) {
        int tiles = gx_least(most, to - t), count = gx_least((int64_t)tiles * HIGH, all - t * HIGH);
        int pairs = (tiles + 1) / 2, together = SUMS / (2 * HIGH * PANEL * 4) / pairs;
        copy_runs(j, t * HIGH, count, room);
        for (int k = 0; k < tiles; k++)
            tile[k] = (struct tile){room->patch + (int64_t)k * j->deep * TILE, (t + k) * HIGH,
                                    gx_least(HIGH, count - k * HIGH)};
        for (int p = 0; p < panels; p += together)
            run_parts(j, first + p, gx_least(together, panels - p), tile, tiles, room);
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

/* Share `id` of `threads`: lines, or tiles of copies, times panels; a group of panels after the
 * other. */
AMX static void run_share(const struct job *j, int id, int threads, const struct room *room)
{
    const struct gx_windows *v = &j->windows;
    bool copies = v->pw < HIGH;
    int64_t lines = (int64_t)j->images * v->ph;
    int panels = (j->cols + PANEL - 1) / PANEL, most = j->deep ? GROUP / CHUNK / j->deep : panels;
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
    char *run = base + 2 * PATCH + GROUP;
    return (struct room){base, base + 2 * PATCH, run, (float *)(run + 2 * RUN)};
}

static struct job job_of(bool fine, const struct gx_windows *windows, const struct gx_target *to,
                         int images, int cols, const struct gx_after *after)
{
    struct job j = {.fine = fine,
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
    struct job j = job_of(s->fine, &windows, &to, s->n, s->o, after);
    j.mirrored = s->mirrored;
    j.x_step = s->x_step ? s->x_step : s->i;
    j.y_step = (int)step;
    j.weights = (struct gx_bf16_weights){.run = j.run, .w = w, .o = s->o};
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        struct room room = room_of(scratch, id);
        configure();
        run_share(&j, id, threads, &room);
        release();
    }
}

static struct job dx_job(const struct gx_conv_sizes *s, int number, const float *g, const void *w,
                         const struct gx_after *after, float *dx)
{
    struct gx_class c = gx_class_of(s, number, g, w, dx);
    struct job j = job_of(s->fine, &c.windows, &c.to, s->n, s->i, after);
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
            struct job j = dx_job(s, c, g, w, after, dx);
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
    bool fits =
        deep * CHUNK <= GROUP && run <= RUN - 2 * DEEP && patch_bytes(&v, 1, 3 * HIGH) <= PATCH;
    bool is = s->dtype == GX_BF16 && product != GX_CONV_DW && fits && gx_cpu_has_amx();
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
