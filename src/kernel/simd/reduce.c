/* Sums over the middle dimension, in double, in one sweep over the input.
 *
 * A task is a tile of channels and a range of rows; its sums stay in the first cache. Where there
 * are few (outer, tile) units, the rows of a unit are split as well, and the parts are added in
 * order afterwards; how, the sizes alone say: sums are the same bits on any number of threads.
 * Variances are sums of squares about the group's first row, which is near the mean wherever that
 * matters: in double nothing is lost to cancellation, and the parts simply add. */
#include "kernel/simd/simd.h"
#include "kernel/simd/parts.h"

#include <math.h>
#include <string.h>

enum sums {
    SUM,     /* of x */
    SQUARES, /* of x - first row, and of its square */
    PRODUCT  /* of g, and of g (x - mean) */
};

struct work {
    enum sums kind;
    const float *x, *g, *m;
    float eps;
    float *out;
    int64_t outer, rows, cols;
    int64_t width, tiles; /* channels in a tile (fewer in the last), tiles in a row */
    int row_parts;
};

struct sums_of { /* one task's: `SUM` uses the first half only */
    double first[GX_TILE], second[GX_TILE];
};

enum { TASKS = 16, PART_ROWS = 64 }; /* at least, if there is something to split; and in each */

static void split(struct work *k)
{
    k->width = k->cols < GX_TILE ? k->cols : GX_TILE;
    k->tiles = k->width ? (k->cols + k->width - 1) / k->width : 0;
    k->row_parts = 1;
    int64_t units = k->outer * k->tiles, most = k->rows / PART_ROWS;
    if (k->outer * k->rows * k->cols < GX_SERIAL || most < 2 || units == 0 || units >= TASKS)
        return;
    int64_t wanted = (TASKS + units - 1) / units;
    k->row_parts = (int)(wanted < most ? wanted : most);
}

size_t GX_TIERED(reduce_scratch)(int64_t outer, int64_t rows, int64_t cols, int threads)
{
    struct work k = {.outer = outer, .rows = rows, .cols = cols};
    (void)threads;
    split(&k);
    return k.row_parts == 1 ? 0 : (size_t)(outer * k.tiles * k.row_parts) * sizeof(struct sums_of);
}

typedef double vd __attribute__((vector_size(GX_VECTOR_BYTES)));

enum {
    DOUBLES = GX_LANES / 2,
    WIDE = GX_VECTOR_BYTES == 64 ? 8 : 4, /* vectors whose sums and shifts fit the registers */
    STRIP = 4096                          /* floats of some rows, that stay in the first cache */
};

/* Floats as doubles: spelt out, since gcc 12 makes one instruction of this and several of others. */
static inline vd widen(const float *p)
{
#if GX_VECTOR_BYTES == 64
    return (vd){p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7]};
#elif GX_VECTOR_BYTES == 32
    return (vd){p[0], p[1], p[2], p[3]};
#else
    return (vd){p[0], p[1]};
#endif
}

/* Adds `rows` rows of `vectors` vectors of channels, which are constants where it is called. */
static inline __attribute__((always_inline)) void
add_vectors(enum sums kind, const int vectors, const float *x, const float *g, const double *shift,
            int64_t rows, int64_t stride, double *first, double *second)
{
    vd one[WIDE], two[WIDE], from[WIDE];
    for (int v = 0; v < vectors; v++) {
        memcpy(&one[v], first + v * DOUBLES, sizeof(vd));
        memcpy(&two[v], second + v * DOUBLES, sizeof(vd));
        memcpy(&from[v], shift + v * DOUBLES, sizeof(vd));
    }
    for (int64_t r = 0; r < rows; r++, x += stride, g += stride)
        for (int v = 0; v < vectors; v++) {
            const vd a = widen(x + v * DOUBLES);
            const vd d = kind == SQUARES ? a - from[v] : kind == SUM ? a : widen(g + v * DOUBLES);
            one[v] += d;
            if (kind != SUM)
                two[v] += d * (kind == SQUARES ? d : a - from[v]);
        }
    for (int v = 0; v < vectors; v++) {
        memcpy(first + v * DOUBLES, &one[v], sizeof(vd));
        memcpy(second + v * DOUBLES, &two[v], sizeof(vd));
    }
}

/* The same for any number of channels. */
static inline __attribute__((always_inline)) void add_channels(enum sums kind, const float *x,
                                                               const float *g, const double *shift,
                                                               int64_t rows, int64_t stride,
                                                               int width, struct sums_of *s)
{
    double *first = s->first, *second = s->second;
    int c = 0;
    for (; c + WIDE * DOUBLES <= width; c += WIDE * DOUBLES)
        add_vectors(kind, WIDE, x + c, g + c, shift + c, rows, stride, first + c, second + c);
    for (; c + WIDE / 2 * DOUBLES <= width; c += WIDE / 2 * DOUBLES)
        add_vectors(kind, WIDE / 2, x + c, g + c, shift + c, rows, stride, first + c, second + c);
    for (; c + DOUBLES <= width; c += DOUBLES)
        add_vectors(kind, 1, x + c, g + c, shift + c, rows, stride, first + c, second + c);
    for (; c < width; c++)
        for (int64_t r = 0; r < rows; r++) {
            const double a = (double)x[r * stride + c];
            const double d = kind == SQUARES ? a - shift[c] : kind == SUM ? a : g[r * stride + c];
            first[c] += d;
            if (kind != SUM)
                second[c] += d * (kind == SQUARES ? d : a - shift[c]);
        }
}

/* Adds rows of `width` channels, `stride` floats apart. The sums of a few vectors of channels stay
 * in registers over some rows, and those rows in the first cache until all channels had their turn.
 */
static void add_rows(const struct work *k, const float *x, const float *g, const double *shift,
                     int64_t rows, int64_t stride, int width, struct sums_of *s)
{
    int64_t strip = width <= WIDE * DOUBLES ? rows : STRIP / width;
    strip = strip ? strip : 1;
    for (int64_t r = 0; r < rows; r += strip, x += strip * stride, g += strip * stride) {
        const int64_t some = rows - r < strip ? rows - r : strip;
        if (k->kind == SUM)
            add_channels(SUM, x, g, shift, some, stride, width, s);
        else if (k->kind == SQUARES)
            add_channels(SQUARES, x, g, shift, some, stride, width, s);
        else
            add_channels(PRODUCT, x, g, shift, some, stride, width, s);
    }
}

/* The sums of rows [r, end) of channels [c, c + width) of one outer index. */
static void task(const struct work *k, int64_t o, int64_t c, int width, int64_t r, int64_t end,
                 struct sums_of *s)
{
    double shift[GX_TILE];
    const float *x = k->x + (o * k->rows) * k->cols + c;
    const float *from = k->kind == PRODUCT ? k->m + o * 2 * k->cols + c : x;
    /* a whole row of few channels is taken many rows at a time */
    int fold = width == k->cols ? gx_fold(k->cols) : 1;
    if (end - r < 2 * fold)
        fold = 1;
    for (int i = 0; i < width * fold; i++)
        shift[i] = k->kind == SUM ? 0 : from[i % width];
    memset(s->first, 0, sizeof(double) * (size_t)(width * fold));
    memset(s->second, 0, sizeof(double) * (size_t)(width * fold));
    x += r * k->cols;
    const float *g = k->kind == PRODUCT ? k->g + (o * k->rows + r) * k->cols + c : x;
    int64_t whole = (end - r) / fold, rest = (end - r) % fold;
    add_rows(k, x, g, shift, whole, k->cols * fold, width * fold, s);
    for (int i = width; i < width * fold; i++) {
        s->first[i % width] += s->first[i];
        s->second[i % width] += s->second[i];
    }
    int64_t done = whole * fold * k->cols;
    add_rows(k, x + done, g + done, shift, rest, k->cols, width, s);
}

static void finish(const struct work *k, int64_t o, int64_t c, int width, const struct sums_of *s)
{
    const double share = 1 / (double)k->rows;
    float *out = k->out + o * k->cols * (k->kind == SUM ? 1 : 2) + c;
    const float *x = k->x + o * k->rows * k->cols + c;
    for (int i = 0; i < width; i++) {
        if (k->kind == SUM) {
            out[i] = (float)s->first[i];
        } else if (k->kind == SQUARES) {
            double offset = s->first[i] * share;
            double variance = s->second[i] * share - offset * offset;
            out[i] = (float)(x[i] + offset);
            out[k->cols + i] = (float)(variance < 0 ? 0 : variance);
        } else {
            double variance = k->m[(o * 2 + 1) * k->cols + c + i];
            out[i] = (float)s->first[i];
            out[k->cols + i] = (float)(s->second[i] / sqrt(variance + k->eps));
        }
    }
}

static void run(struct work *k, struct sums_of *scratch, int threads)
{
    split(k);
    if (k->rows == 0) /* no first row to look at: the sums are zero */
        memset(k->out, 0, sizeof(float) * (size_t)(k->outer * k->cols * (k->kind == SUM ? 1 : 2)));
    int64_t units = k->rows ? k->outer * k->tiles : 0, tasks = units * k->row_parts;
    const int parts = gx_parts(k->outer * k->rows * k->cols, threads);
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (int64_t t = 0; t < tasks; t++) {
        struct sums_of own;
        int64_t unit = t / k->row_parts, o = unit / k->tiles, c = unit % k->tiles * k->width;
        int part = (int)(t % k->row_parts);
        int width = (int)(k->cols - c < k->width ? k->cols - c : k->width);
        task(k, o, c, width, gx_share(k->rows, 4, part, k->row_parts),
             gx_share(k->rows, 4, part + 1, k->row_parts), k->row_parts > 1 ? &scratch[t] : &own);
        if (k->row_parts == 1)
            finish(k, o, c, width, &own);
    }
    if (k->row_parts == 1)
        return;
    for (int64_t unit = 0; unit < units; unit++) {
        struct sums_of *sum = &scratch[unit * k->row_parts];
        int64_t o = unit / k->tiles, c = unit % k->tiles * k->width;
        int width = (int)(k->cols - c < k->width ? k->cols - c : k->width);
        for (int p = 1; p < k->row_parts; p++)
            for (int i = 0; i < width; i++) {
                sum->first[i] += sum[p].first[i];
                sum->second[i] += sum[p].second[i];
            }
        finish(k, o, c, width, sum);
    }
}

void GX_TIERED(sum_rows)(const float *x, float *y, int64_t outer, int64_t rows, int64_t cols,
                         void *scratch, int threads)
{
    struct work k = {.kind = SUM, .x = x, .out = y, .outer = outer, .rows = rows, .cols = cols};
    run(&k, scratch, threads);
}

void GX_TIERED(moments)(const float *x, float *m, int64_t groups, int64_t rows, int64_t c,
                        void *scratch, int threads)
{
    struct work k = {.kind = SQUARES, .x = x, .out = m, .outer = groups, .rows = rows, .cols = c};
    run(&k, scratch, threads);
}

void GX_TIERED(norm_sums)(const float *g, const float *x, const float *m, float eps, float *s,
                          int64_t groups, int64_t rows, int64_t c, void *scratch, int threads)
{
    struct work k = {.kind = PRODUCT,
                     .x = x,
                     .g = g,
                     .m = m,
                     .eps = eps,
                     .out = s,
                     .outer = groups,
                     .rows = rows,
                     .cols = c};
    run(&k, scratch, threads);
}
