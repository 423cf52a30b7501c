/* Sums over the middle dimension, in double, in one sweep over the input.
 *
 * A task is a tile of channels and a range of rows; its sums stay in the first cache. Where there
 * are fewer (outer, tile) units than threads, the rows of a unit are split as well, and the parts
 * are added in order afterwards. Variances are sums of squares about the group's first row, which
 * is near the mean wherever that matters: in double nothing is lost to cancellation, and the parts
 * simply add. */
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

static void split(struct work *k, int threads)
{
    k->width = k->cols < GX_TILE ? k->cols : GX_TILE;
    k->tiles = k->width ? (k->cols + k->width - 1) / k->width : 0;
    k->row_parts = 1;
    int64_t units = k->outer * k->tiles, most = k->rows / 64;
    int parts = gx_parts(k->outer * k->rows * k->cols, threads);
    if (parts == 1 || most < 2 || units == 0 || units >= 4 * parts)
        return;
    int64_t wanted = units == 1 ? parts : (4 * parts + units - 1) / units;
    k->row_parts = (int)(wanted < most ? wanted : most);
}

size_t GX_TIERED(reduce_scratch)(int64_t outer, int64_t rows, int64_t cols, int threads)
{
    struct work k = {.outer = outer, .rows = rows, .cols = cols};
    split(&k, threads);
    return k.row_parts == 1 ? 0 : (size_t)(outer * k.tiles * k.row_parts) * sizeof(struct sums_of);
}

/* Adds rows of `width` channels, `stride` floats apart. Four rows at a time, so that the sums are
 * loaded and stored once for four. */
static void add_rows(const struct work *k, const float *x, const float *g, const double *shift,
                     int64_t rows, int64_t stride, int width, struct sums_of *s)
{
    double *restrict first = s->first, *restrict second = s->second;
    for (int64_t r = 0; r < rows; r += 4) {
        const int four = rows - r < 4 ? (int)(rows - r) : 4;
        const int64_t step = stride;
        const float *px = x + r * stride, *pg = g + r * stride;
#define ADD(count)                                                                                 \
    do {                                                                                           \
        if (k->kind == SUM) {                                                                      \
            _Pragma("omp simd") for (int c = 0; c < width; c++)                                    \
            {                                                                                      \
                for (int j = 0; j < (count); j++)                                                  \
                    first[c] += (double)px[j * step + c];                                          \
            }                                                                                      \
        } else if (k->kind == SQUARES) {                                                           \
            _Pragma("omp simd") for (int c = 0; c < width; c++)                                    \
            {                                                                                      \
                for (int j = 0; j < (count); j++) {                                                \
                    const double d = (double)px[j * step + c] - shift[c];                          \
                    first[c] += d;                                                                 \
                    second[c] += d * d;                                                            \
                }                                                                                  \
            }                                                                                      \
        } else {                                                                                   \
            _Pragma("omp simd") for (int c = 0; c < width; c++)                                    \
            {                                                                                      \
                for (int j = 0; j < (count); j++) {                                                \
                    const double d = (double)pg[j * step + c];                                     \
                    first[c] += d;                                                                 \
                    second[c] += d * ((double)px[j * step + c] - shift[c]);                        \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    } while (0)
        if (four == 4)
            ADD(4);
        else
            for (int row = 0; row < four; row++, px += stride, pg += stride)
                ADD(1);
#undef ADD
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
    split(k, threads);
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
