/* Weights on disk and in memory.
 *
 * On disk a convolution is (o, i, taps), as PyTorch has it, in memory (taps, i, o): for each i a
 * matrix is transposed, whose rows lie far apart on both sides; or panels of it, (taps, o / panel,
 * i, panel). Panels of a transposed one are (taps, i / panel, o, panel), a matrix for each o. It is done by the cache line,
 * so that both sides are read and written whole lines at a time: strides are mostly powers
 * of two, and lines that are touched in turns would push one another out of the cache.
 *
 * Large weights are written past the caches: they are not read until all are there, and a store
 * through the cache first reads what it overwrites. With that, loading takes half of the time. */
#include "ganx/params.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    BLOCK = 16,        /* elements each way */
    BAND = 32,         /* rows whose parts for one i are written beside each other */
    LINE = 64,         /* bytes */
    STREAMED = 1 << 20 /* bytes from which on weights are written past the caches */
};

int gx_param_dims(const struct gx_param *param, int64_t dims[4])
{
    struct gx_shape s = param->shape;
    if (gx_param_is_conv(param)) {
        dims[0] = s.c;
        dims[1] = s.w;
        dims[2] = s.n;
        dims[3] = s.h;
        return 4;
    }
    if (param->kind == GX_PARAM_LINEAR) {
        dims[0] = s.w;
        dims[1] = s.c;
        return 2;
    }
    dims[0] = gx_count(s);
    return 1;
}

#define UNROLL _Pragma("GCC unroll 16")

/* For `count` matrices m: to[m part + c step + place(r)] = from[m apart + r skip + c], c < width. Rows
 * are placed side by side; as panels, `panel` of them, then those of the next panel `deep` further. */
struct turn {
    int64_t count, width, apart, skip, part, step, panel, deep;
    bool past; /* the caches */
};

static int64_t place(const struct turn *t, int64_t row)
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
static inline __attribute__((always_inline)) void
turn_squares(const struct turn *t, const char *from, char *to, const size_t bytes, const bool past)
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
turn_line(const struct turn *t, const char *from, int64_t columns, char *to, const size_t bytes)
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
static inline __attribute__((always_inline)) void turn_any(const struct turn *t, const char *from,
                                                           int64_t rows, int64_t columns, char *to,
                                                           const size_t bytes)
{
    char block[BAND][BLOCK * sizeof(float)];
    for (int64_t r = 0; r < rows; r++)
        memcpy(block[r], from + r * t->skip * bytes, (size_t)columns * bytes);
    for (int64_t c = 0; c < columns; c++)
        for (int64_t r = 0; r < rows; r++)
            memcpy(to + (c * t->step + r) * bytes, block[r] + c * bytes, bytes);
}

/* Rows first .. last, which are what lies at `from`; elements have 4 bytes or 2. */
static inline __attribute__((always_inline)) void turn(const struct turn *t, int64_t first,
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

/* A kernel of a single tap is a matrix, whose columns then count as taps. */
static struct turn turn_of(const struct gx_param *param, bool to_disk)
{
    int64_t taps = (int64_t)param->shape.n * param->shape.h;
    int64_t in = taps > 1 ? param->shape.w : 1, out = param->shape.c;
    taps = taps > 1 ? taps : param->shape.w;
    struct turn t = {.count = in, .panel = INT64_MAX};
    t.width = t.apart = to_disk ? out : taps;
    t.skip = in * (to_disk ? out : taps);
    t.part = to_disk ? taps : out;
    t.step = in * (to_disk ? taps : out);
    return t;
}

/* Into panels; of a transposed one its matrices are `rows` of the disk's. */
static struct turn turn_to_panels(const struct gx_param *param, int64_t rows)
{
    struct gx_shape s = param->shape;
    int64_t taps = (int64_t)s.n * s.h, panel = param->panel, tap = (int64_t)s.w * s.c;
    if (param->kind == GX_PARAM_CONV_TRANSPOSED)
        return (struct turn){rows, taps, s.w * taps, taps, panel, tap, panel, s.c * panel, false};
    if (taps == 1)
        return (struct turn){1, s.w, 0, s.w, 0, panel, panel, s.w * panel, false};
    return (struct turn){s.w, taps, taps, s.w * taps, panel, tap, panel, s.w * panel, false};
}

void gx_param_rows_from_disk(const struct gx_param *param, int64_t first, int64_t rows,
                             const void *disk, void *memory)
{
    int64_t dims[4], count = gx_count(param->shape), last = first + rows;
    gx_param_dims(param, dims);
    int64_t row = count / dims[0];
    if (!gx_param_is_conv(param)) {
        memcpy((float *)memory + first * row, disk, (size_t)(rows * row) * sizeof(float));
        return;
    }
    struct turn t = param->panel ? turn_to_panels(param, rows) : turn_of(param, false);
    int64_t bytes = param->dtype == GX_F32 ? sizeof(float) : sizeof(uint16_t);
    bool lines = (uintptr_t)memory % LINE == 0 && (first * bytes | dims[0] * bytes) % LINE == 0;
    t.past = lines && count * bytes >= STREAMED && param->panel * bytes % LINE == 0;
    if (param->panel && param->kind == GX_PARAM_CONV_TRANSPOSED) {
        memory = (float *)memory + first * param->panel;
        first = 0, last = dims[1];
    }
    if (param->dtype == GX_F32)
        turn(&t, first, last, disk, memory, sizeof(float));
    else
        turn(&t, first, last, disk, memory, sizeof(uint16_t));
#if defined(__SSE2__)
    _mm_sfence(); /* other threads see what was written past the caches */
#endif
}

void gx_param_from_disk(const struct gx_param *param, const float *disk, float *memory)
{
    int64_t dims[4];
    gx_param_dims(param, dims);
    gx_param_rows_from_disk(param, 0, dims[0], disk, memory);
}

void gx_param_to_disk(const struct gx_param *param, const float *memory, float *disk)
{
    struct turn t = turn_of(param, true);
    if (gx_param_is_conv(param))
        turn(&t, 0, t.part, (const char *)memory, (char *)disk, sizeof(float));
    else
        memcpy(disk, memory, (size_t)gx_count(param->shape) * sizeof(float));
}
