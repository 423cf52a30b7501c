/* It is done by the cache line, so that both sides are read and written whole lines at a time:
 * strides are mostly powers of two, and lines that are touched in turns would push one another out of
 * the cache. What is not read soon is written past the caches, since a store through them first reads
 * what it overwrites: weights load in half the time so. */
#include "kernel/turn.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    LINE = GX_TURN_LINE,
    BLOCK = 16, /* elements each way */
    BAND = 32   /* rows whose parts for one matrix are written beside each other */
};

#define UNROLL _Pragma("GCC unroll 16")

static int64_t place(const struct gx_turn *t, int64_t row)
{
    return row / t->panel * t->deep + row % t->panel;
}

#if defined(__SSE2__)
enum { SQUARES = LINE / sizeof(__m128i) }; /* in a line */

/* As many rows and columns as a vector has elements. Each round takes turns between the first half
 * of the rows and the second. */
static inline __attribute__((always_inline)) void turn_square(__m128i *v, const size_t bytes)
{
    const int side = (int)(sizeof *v / bytes), half = side / 2;
    __m128i w[sizeof *v / sizeof(uint16_t)];
    UNROLL
    for (int round = 1; round < side; round *= 2) {
        UNROLL
        for (int r = 0; r < half; r++) {
            __m128i a = v[r], b = v[r + half];
            w[2 * r] = bytes == 4 ? _mm_unpacklo_epi32(a, b) : _mm_unpacklo_epi16(a, b);
            w[2 * r + 1] = bytes == 4 ? _mm_unpackhi_epi32(a, b) : _mm_unpackhi_epi16(a, b);
        }
        UNROLL
        for (int r = 0; r < side; r++)
            v[r] = w[r];
    }
}

/* A line of rows, and as many columns as a square has: so many whole lines. */
static inline __attribute__((always_inline)) void turn_squares(const struct gx_turn *t,
                                                               const char *from, char *to,
                                                               const size_t bytes, const bool past)
{
    const int side = (int)(sizeof(__m128i) / bytes);
    __m128i v[LINE / sizeof(uint16_t)];
    UNROLL
    for (int k = 0; k < SQUARES; k++) {
        UNROLL
        for (int r = k * side; r < (k + 1) * side; r++)
            v[r] = _mm_loadu_si128((const __m128i *)(from + r * t->skip * bytes));
        turn_square(v + k * side, bytes);
    }
    UNROLL
    for (int c = 0; c < side; c++) {
        __m128i *at = (__m128i *)(to + c * t->step * bytes);
        UNROLL
        for (int k = 0; k < SQUARES; k++)
            if (past)
                _mm_stream_si128(at + k, v[k * side + c]);
            else
                _mm_storeu_si128(at + k, v[k * side + c]);
    }
}

/* A line of rows, as many of their columns as squares have; gives how many. */
static inline __attribute__((always_inline)) int64_t
turn_line(const struct gx_turn *t, const char *from, int64_t columns, char *to, const size_t bytes)
{
    const int side = (int)(sizeof(__m128i) / bytes);
    int64_t c = 0;
    for (; t->past && c + side <= columns; c += side)
        turn_squares(t, from + c * bytes, to + c * t->step * bytes, bytes, true);
    for (; c + side <= columns; c += side)
        turn_squares(t, from + c * bytes, to + c * t->step * bytes, bytes, false);
    return c;
}
#endif

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What squares leave, through a small one; at most BAND rows and BLOCK columns. */
static inline __attribute__((always_inline)) void turn_any(const struct gx_turn *t,
                                                           const char *from, int64_t rows,
                                                           int64_t columns, char *to,
                                                           const size_t bytes)
{
    char block[BAND][BLOCK * sizeof(float)];
    for (int64_t r = 0; r < rows; r++)
        memcpy(block[r], from + r * t->skip * bytes, (size_t)columns * bytes);
    for (int64_t c = 0; c < columns; c++)
        for (int64_t r = 0; r < rows; r++)
            memcpy(to + (c * t->step + r) * bytes, block[r] + c * bytes, bytes);
}

static inline __attribute__((always_inline)) void turn(const struct gx_turn *t, int64_t first,
                                                       int64_t last, const char *from, char *to,
                                                       const size_t bytes)
{
    const int64_t line = LINE / (int64_t)bytes;
    for (int64_t band = first; band < last; band += BAND)
        for (int64_t m = 0; m < t->count; m++)
            for (int64_t r = band, rows; r < least(band + BAND, last); r += rows) {
                const char *a = from + (m * t->apart + (r - first) * t->skip) * bytes;
                char *b = to + (m * t->part + place(t, r)) * bytes;
                int64_t c = 0;
                rows = least(least(line, last - r), t->panel - r % t->panel);
#if defined(__SSE2__)
                if (rows == line)
                    c = turn_line(t, a, t->width, b, bytes);
#endif
                for (; c < t->width; c += BLOCK)
                    turn_any(t, a + c * bytes, rows, least(BLOCK, t->width - c),
                             b + c * t->step * bytes, bytes);
            }
}

void gx_turn(const struct gx_turn *t, int64_t first, int64_t last, const void *from, void *to,
             size_t bytes)
{
    if (bytes == sizeof(float))
        turn(t, first, last, from, to, sizeof(float));
    else
        turn(t, first, last, from, to, sizeof(uint16_t));
#if defined(__SSE2__)
    _mm_sfence(); /* other threads see what was written past the caches */
#endif
}
