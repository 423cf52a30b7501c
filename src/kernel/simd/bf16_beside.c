/* The work beside the matrix unit (bf16_unit.h): pictures are rounded on the way to it, and its
 * sums finished. It comes in small portions, which bf16.c spreads among the products: the unit takes
 * 64 cycles for what the core has handed to it in a few, and rounds or finishes meanwhile. */
#include "kernel/simd/bf16_unit.h"

#include <string.h>

#if defined(__AVX512F__) && defined(__linux__)
#include <immintrin.h>

enum { DEEP = GX_BF16_DEEP, HIGH = GX_BF16_HIGH, PANEL = GX_BF16_PANEL, PORTION = 4 * DEEP };

/* ---- pictures ---- */

static inline __m512 upper_halves(__m512 x)
{
    return (__m512)_mm512_and_si512((__m512i)x, _mm512_set1_epi32(-65536));
}

GX_BF16_UNIT static inline __m512i rounded(__m512 low, __m512 high)
{
    return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

GX_BF16_UNIT static inline void round_vectors(__m512 low, __m512 high, __mmask32 some, char *to,
                                              int64_t rest)
{
    if (rest) {
        __m512 first = upper_halves(low), second = upper_halves(high);
        _mm512_mask_storeu_epi16(to + rest, some, rounded(low - first, high - second));
        low = first;
        high = second;
    }
    _mm512_mask_storeu_epi16(to, some, rounded(low, high));
}

/* to = from, rounded to the nearest; or the upper halves of the numbers, and what those leave,
 * rounded, `rest` bytes behind. */
GX_BF16_UNIT static inline void round_numbers(const float *from, int64_t count, char *to,
                                              int64_t rest)
{
    for (; count >= DEEP; count -= DEEP, from += DEEP, to += 2 * DEEP)
        round_vectors(_mm512_loadu_ps(from), _mm512_loadu_ps(from + 16), ~0u, to, rest);
    if (count > 0) {
        __mmask32 some = (1u << count) - 1;
        round_vectors(_mm512_maskz_loadu_ps((__mmask16)some, from),
                      _mm512_maskz_loadu_ps((__mmask16)(some >> 16), from + 16), some, to, rest);
    }
}

GX_BF16_UNIT void GX_TIERED(bf16_round_all)(const float *from, int64_t count, char *to,
                                            int64_t rest)
{
    round_numbers(from, count, to, rest);
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
GX_BF16_UNIT static inline void round_pixels(const struct gx_bf16_job *j, const float *line, int x,
                                             int count, char *to, int64_t rest)
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

GX_BF16_UNIT void GX_TIERED(bf16_round)(const struct gx_bf16_job *j, int64_t image, int y, int x,
                                        int count, char *to, int64_t rest)
{
    const struct gx_windows *v = &j->windows;
    int64_t pixel = (int64_t)v->c * 2;
    int row = shown(y, v->h, j->mirrored);
    const float *line = row < 0 ? NULL : v->x + (image * v->h + row) * v->w * j->x_step;
    while (count > 0) {
        int at = shown(x, v->w, j->mirrored),
            some = at >= 0 && x == at ? gx_least(v->w - x, count) : 1;
        round_pixels(j, at < 0 ? NULL : line, at, some, to, rest);
        to += some * pixel;
        x += some;
        count -= some;
    }
}

struct gx_bf16_rounding GX_TIERED(bf16_rounding)(const struct gx_bf16_job *j,
                                                 const struct gx_bf16_block *b, char *to)
{
    const struct gx_windows *v = &j->windows;
    int some = PORTION / v->c;
    return (struct gx_bf16_rounding){.job = j,
                                     .image = b->image,
                                     .y = b->py * v->step + v->oy,
                                     .x = b->px * v->step + v->ox,
                                     .rows = (b->high - 1) * v->step + v->kh,
                                     .wide = (b->wide - 1) * v->step + v->kw,
                                     .some = some ? some : 1,
                                     .to = to};
}

void GX_TIERED(bf16_round_some)(struct gx_bf16_rounding *r)
{
    int64_t pixel = (int64_t)r->job->windows.c * 2, rest = r->job->fine ? GX_BF16_TERMS : 0;
    int count = gx_least(r->some, r->wide - r->col);
    GX_TIERED(bf16_round)
    (r->job, r->image, r->y + r->row, r->x + r->col, count, r->to, rest);
    r->to += count * pixel;
    r->col += count;
    if (r->col < r->wide)
        return;
    r->col = 0;
    if (++r->row < r->rows)
        return;
    memset(r->to, 0, 2 * DEEP); /* the last chunk's end */
    if (rest)
        memset(r->to + rest, 0, 2 * DEEP);
}

/* ---- results ---- */

void GX_TIERED(bf16_panel)(const struct gx_bf16_job *j, int panel, struct gx_bf16_panel *to)
{
    const struct gx_after *after = j->after;
    const float *bias = gx_after_bias_of(after);
    int first = panel * PANEL;
    *to = (struct gx_bf16_panel){.channels = gx_least(PANEL, j->cols - first)};
    if (gx_after_more(after))
        to->kind = after->gate.x || after->sums ? GX_BF16_MORE : GX_BF16_ACTIVATED;
    for (int v = 0; v < PANEL / GX_LANES && v * GX_LANES < to->channels; v++) {
        int n = first + v * GX_LANES, some = gx_least(GX_LANES, j->cols - n);
        to->bias[v] = bias ? gx_load_some(bias + n, some) : (vf){0};
        to->slope[v] = gx_splat(to->kind == GX_BF16_SUM ? 1 : after->slope);
        if (to->kind != GX_BF16_SUM && after->slopes)
            to->slope[v] = gx_load_some(after->slopes + n, some);
        if (to->kind == GX_BF16_MORE)
            to->after[v] = gx_after_from(after, n, j->to.channels);
    }
}

static inline __attribute__((always_inline)) void finish_vector(const struct gx_bf16_panel *p,
                                                                int v, vf x, float *to,
                                                                int64_t pixel, const int channels)
{
    x += p->bias[v];
    if (p->kind == GX_BF16_MORE)
        x = gx_after_vector(&p->after[v], x, pixel, channels);
    else
        x = gx_leaky(x, x, p->slope[v]);
    gx_store_some(to, x, channels);
}

static inline __attribute__((always_inline)) void
finish_one(const struct gx_bf16_panel *p, const float *sums, float *to, int64_t pixel)
{
    for (int v = 0; v < PANEL / GX_LANES; v++, sums += GX_LANES, to += GX_LANES) {
        int some = p->channels - v * GX_LANES;
        if (some >= GX_LANES)
            finish_vector(p, v, gx_load(sums), to, pixel, GX_LANES);
        else if (some > 0)
            finish_vector(p, v, gx_load(sums), to, pixel, some);
    }
}

void GX_TIERED(bf16_finish_one)(const struct gx_bf16_panel *p, const float *sums, float *to,
                                int64_t pixel)
{
    finish_one(p, sums, to, pixel);
}

/* The first `count` positions from `at` on of a tile of whole vectors, with no picture beside. */
static inline void finish_plain(const struct gx_bf16_panel *p, const float *sums, float *to,
                                int64_t apart, int count)
{
    const vf bias = p->bias[0], bias2 = p->bias[1], slope = p->slope[0], slope2 = p->slope[1];
    for (int r = 0; r < count; r++, sums += PANEL, to += apart) {
        vf x = gx_load(sums) + bias, x2 = gx_load(sums + GX_LANES) + bias2;
        gx_store(to, gx_leaky(x, x, slope));
        gx_store(to + GX_LANES, gx_leaky(x2, x2, slope2));
    }
}

void GX_TIERED(bf16_finish_some)(struct gx_bf16_finish *f, int count)
{
    int at = f->done % HIGH, tile = f->done / HIGH;
    const float *sums = f->sums + f->done * PANEL;
    float *to = f->to[tile] + at * f->apart;
    count = gx_least(count, HIGH - at);
    if (f->panel->channels == PANEL && f->panel->kind != GX_BF16_MORE)
        finish_plain(f->panel, sums, to, f->apart, count);
    else
        for (int r = 0; r < count; r++)
            finish_one(f->panel, sums + r * PANEL, to + r * f->apart,
                       f->pixel[tile] + (at + r) * f->pixels_apart);
    f->done += count;
}

#endif
