/* Weights on disk and in memory.
 *
 * On disk a convolution is (o, i, taps), as PyTorch has it, in memory (taps, i, o): for each i a
 * matrix is transposed, whose rows lie far apart on both sides. It is done in blocks of a cache line
 * each way, so that both sides are read and written whole lines at a time: strides are mostly powers
 * of two, and lines that are touched in turns would push one another out of the cache.
 *
 * Large weights are written past the caches: they are not read until all are there, and a store
 * through the cache first reads what it overwrites. With that, loading takes half of the time. */
#include "ganx/params.h"

#include <string.h>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

enum {
    LINE = 16,         /* floats of a cache line */
    BAND = 2 * LINE,   /* rows of one i that are written beside each other */
    STREAMED = 1 << 18 /* floats from which on weights are written past the caches */
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

/* For `count` matrices m: to[m part + c step + r] = from[m width + r skip + c], c < width. */
struct turn {
    int64_t count, width, skip, part, step;
    bool past; /* the caches */
};

#if defined(__SSE__)
/* LINE rows of 4 floats. */
static inline __attribute__((always_inline)) void turn_four(const struct turn *t, const float *from,
                                                            float *to, const bool past)
{
    __m128 v[LINE];
    for (int r = 0; r < LINE; r++)
        v[r] = _mm_loadu_ps(from + r * t->skip);
    for (int r = 0; r < LINE; r += 4)
        _MM_TRANSPOSE4_PS(v[r], v[r + 1], v[r + 2], v[r + 3]);
    for (int c = 0; c < 4; c++)
        for (int r = 0; r < LINE; r += 4)
            if (past)
                _mm_stream_ps(to + c * t->step + r, v[r + c]);
            else
                _mm_storeu_ps(to + c * t->step + r, v[r + c]);
}

/* LINE rows of floats, as many of their columns as fours have; gives how many. */
static int64_t turn_fours(const struct turn *t, const float *from, int64_t columns, float *to)
{
    int64_t c = 0;
    for (; t->past && c + 4 <= columns; c += 4)
        turn_four(t, from + c, to + c * t->step, true);
    for (; c + 4 <= columns; c += 4)
        turn_four(t, from + c, to + c * t->step, false);
    return c;
}
#endif

/* At most LINE rows and columns, through a small square. */
static inline __attribute__((always_inline)) void turn_any(const struct turn *t, const char *from,
                                                           int64_t rows, int64_t columns, char *to,
                                                           const size_t bytes)
{
    char square[LINE][LINE * sizeof(float)];
    for (int64_t r = 0; r < rows; r++)
        memcpy(square[r], from + r * t->skip * bytes, (size_t)columns * bytes);
    for (int64_t c = 0; c < columns; c++)
        for (int64_t r = 0; r < rows; r++)
            memcpy(to + (c * t->step + r) * bytes, square[r] + c * bytes, bytes);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Rows first .. last, which are what lies at `from`; elements have 4 bytes or 2. */
static inline __attribute__((always_inline)) void turn(const struct turn *t, int64_t first,
                                                       int64_t last, const char *from, char *to,
                                                       const size_t bytes)
{
    for (int64_t band = first; band < last; band += BAND)
        for (int64_t m = 0; m < t->count; m++)
            for (int64_t r = band; r < least(band + BAND, last); r += LINE)
                for (int64_t c = 0; c < t->width; c += LINE) {
                    int64_t rows = least(LINE, last - r), columns = least(LINE, t->width - c);
                    const char *a = from + (m * t->width + (r - first) * t->skip + c) * bytes;
                    char *b = to + (m * t->part + c * t->step + r) * bytes;
                    int64_t done = 0;
#if defined(__SSE__)
                    if (bytes == sizeof(float) && rows == LINE)
                        done = turn_fours(t, (const float *)a, columns, (float *)b);
#endif
                    if (done < columns)
                        turn_any(t, a + done * bytes, rows, columns - done,
                                 b + done * t->step * bytes, bytes);
                }
}

/* A kernel of a single tap is a matrix, whose columns then count as taps. */
static struct turn turn_of(const struct gx_param *param, bool to_disk)
{
    int64_t taps = (int64_t)param->shape.n * param->shape.h;
    int64_t in = taps > 1 ? param->shape.w : 1, out = param->shape.c;
    taps = taps > 1 ? taps : param->shape.w;
    if (to_disk)
        return (struct turn){in, out, in * out, taps, in * taps, false};
    return (struct turn){in, taps, in * taps, out, in * out, false};
}

void gx_param_rows_from_disk(const struct gx_param *param, int64_t first, int64_t rows,
                             const void *disk, void *memory)
{
    int64_t dims[4], count = gx_count(param->shape);
    gx_param_dims(param, dims);
    int64_t row = count / dims[0];
    if (!gx_param_is_conv(param)) {
        memcpy((float *)memory + first * row, disk, (size_t)(rows * row) * sizeof(float));
        return;
    }
    struct turn t = turn_of(param, false);
    if (param->dtype != GX_F32) {
        turn(&t, first, first + rows, disk, memory, sizeof(uint16_t));
        return;
    }
    bool lines = (uintptr_t)memory % (LINE * sizeof(float)) == 0 && dims[0] % LINE == 0;
    t.past = lines && first % LINE == 0 && count >= STREAMED;
    turn(&t, first, first + rows, disk, memory, sizeof(float));
#if defined(__SSE__)
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
