/* See bf16_lay.h. */
#include "kernel/simd/bf16_lay.h"

#if defined(__AVX512F__)
#include <immintrin.h>

enum {
    DEEP = 32, /* rows of a chunk */
    TILE = GX_BF16_CHUNK / 2,
};

/* Two rows of the weights side by side: 16 pairs. */
static inline __m512i pairs(const uint16_t *row, const uint16_t *next, __mmask16 some)
{
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    __m512i both = _mm512_castsi256_si512(_mm256_maskz_loadu_epi16(some, row));
    if (next)
        both = _mm512_inserti64x4(both, _mm256_maskz_loadu_epi16(some, next), 1);
    else
        both = _mm512_inserti64x4(both, _mm256_setzero_si256(), 1);
    return _mm512_permutexvar_epi16(order, both);
}

static void lay_rows(const struct gx_bf16_weights *w, int ty, int at, int n, int count, char *to)
{
    int rows = gx_least(DEEP, w->run - at * DEEP);
    const uint16_t *from = w->w + ((int64_t)ty * w->run + at * DEEP) * w->o + n;
    for (int half = 0; half < 2; half++) {
        int some = count - half * 16;
        __mmask16 mask = some >= 16 ? 0xffff : some > 0 ? (__mmask16)((1 << some) - 1) : 0;
        for (int q = 0; q < DEEP; q += 2, to += 64) {
            const uint16_t *row = from + (int64_t)q * w->o + half * 16;
            __builtin_prefetch(row + DEEP * w->o);
            __builtin_prefetch(row + (DEEP + 1) * w->o);
            _mm512_store_si512(to, q < rows && mask
                                       ? pairs(row, q + 1 < rows ? row + w->o : NULL, mask)
                                       : _mm512_setzero_si512());
        }
    }
}

/* to (16,16) = transpose of r, of elements of 4 bytes: in pairs, fours, and halves of halves. */
static inline void transpose(__m512i *r, char *to)
{
    __m512i a[16], b[16];
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int q = 0; q < 2; q++) {
            b[i + 2 * q] = _mm512_unpacklo_epi64(a[i + q], a[i + q + 2]);
            b[i + 2 * q + 1] = _mm512_unpackhi_epi64(a[i + q], a[i + q + 2]);
        }
    for (int i = 0; i < 4; i++) { /* b[4 k + i]: columns i, i + 4, i + 8, i + 12 of rows 4 k .. */
        __m512i c = _mm512_shuffle_i32x4(b[i], b[4 + i], 0x88);
        __m512i d = _mm512_shuffle_i32x4(b[i], b[4 + i], 0xdd);
        __m512i e = _mm512_shuffle_i32x4(b[8 + i], b[12 + i], 0x88);
        __m512i f = _mm512_shuffle_i32x4(b[8 + i], b[12 + i], 0xdd);
        _mm512_store_si512(to + 64 * i, _mm512_shuffle_i32x4(c, e, 0x88));
        _mm512_store_si512(to + 64 * (i + 4), _mm512_shuffle_i32x4(d, f, 0x88));
        _mm512_store_si512(to + 64 * (i + 8), _mm512_shuffle_i32x4(c, e, 0xdd));
        _mm512_store_si512(to + 64 * (i + 12), _mm512_shuffle_i32x4(d, f, 0xdd));
    }
}

/* Numbers at .. at + DEEP of the run of channel n: 0 behind its end. */
static inline __m512i run_of(const struct gx_bf16_weights *w, int ty, int at, int n)
{
    const struct gx_taps *t = &w->taps;
    int tx = at / t->o, skip = at % t->o;
    if (skip + DEEP <= t->o) {
        const uint16_t *from = (const uint16_t *)gx_taps_at(t, ty, tx, n).at + skip;
        __builtin_prefetch(from + 4 * DEEP);
        return _mm512_loadu_si512(from);
    }
    uint16_t numbers[DEEP] = {0};
    for (int k = 0; k < DEEP && at + k < w->run; k++)
        numbers[k] = ((const uint16_t *)gx_taps_at(t, ty, (at + k) / t->o, n).at)[(at + k) % t->o];
    return _mm512_loadu_si512(numbers);
}

static void lay_turned(const struct gx_bf16_weights *w, int ty, int at, int n, int count, char *to)
{
    for (int half = 0; half < 2; half++, to += TILE) {
        __m512i r[16];
        for (int k = 0; k < 16; k++)
            r[k] = half * 16 + k < count ? run_of(w, ty, at * DEEP, n + half * 16 + k)
                                         : _mm512_setzero_si512();
        transpose(r, to);
    }
}

void GX_TIERED(bf16_lay)(const struct gx_bf16_weights *w, int ty, int at, int n, int count,
                         char *to)
{
    (w->turned ? lay_turned : lay_rows)(w, ty, at, n, count, to);
}

#endif
