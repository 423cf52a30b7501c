/* Scaling float pictures: separable, antialiased, each output sample a renormalised sum.
 *
 * Keys 1981, "Cubic convolution interpolation for digital image processing" (a = -0.5), widened by
 * the scale when shrinking. The same rule as PIL and PyTorch's antialiased interpolate, which the
 * reference implementations prepare their training data with; libvips' resize treats edges
 * differently. One thread: callers scale many pictures at once. */
#include "image/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double bicubic(double x)
{
    x = fabs(x);
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* OpenCV's and PyTorch's cubic, a = -0.75. */
static double sharp_bicubic(double x)
{
    x = fabs(x);
    if (x < 1)
        return (1.25 * x - 2.25) * x * x + 1;
    return x < 2 ? ((-0.75 * x + 3.75) * x - 6) * x + 3 : 0;
}

enum edge {
    CUT,     /* taps outside are left out, the others weigh more */
    MIRROR,  /* the picture goes on as its mirror image, the last pixel twice */
    REPEATED /* ... as its last pixel */
};

struct rule {
    double (*at)(double x);
    double support;
    bool widen; /* when it shrinks */
    enum edge edge;
};

static const struct rule filters[] = {
    [GX_FILTER_BILINEAR] = {bilinear, 1, true, CUT},
    [GX_FILTER_BICUBIC] = {bicubic, 2, true, CUT},
};

static const struct rule matlab = {bicubic, 2, true, MIRROR};

static const struct rule plain[] = {
    [GX_PLAIN_BILINEAR] = {bilinear, 1, false, REPEATED},
    [GX_PLAIN_BICUBIC] = {sharp_bicubic, 2, false, REPEATED},
};

/* For each output position: where its taps begin, how many there are, and their weights. */
struct taps {
    int *first, *count;
    float *weight; /* out x most */
    int most;
};

static void taps_clear(struct taps *t)
{
    free(t->first);
    free(t->count);
    free(t->weight);
}

static int taps_reserve(struct taps *t, int out, int most)
{
    t->most = most;
    t->first = malloc((size_t)out * sizeof *t->first);
    t->count = malloc((size_t)out * sizeof *t->count);
    t->weight = calloc((size_t)out * (size_t)most, sizeof *t->weight);
    return t->first && t->count && t->weight ? 0 : -1;
}

/* Where position k of a side of `in` pixels is found. */
static int inside(int k, int in, enum edge edge)
{
    while (edge == MIRROR && (k < 0 || k >= in))
        k = k < 0 ? -1 - k : 2 * in - 1 - k;
    return k < 0 ? 0 : k >= in ? in - 1 : k;
}

/* The taps of output i, positions from..to-1 around `centre`. */
static void taps_fill(struct taps *t, int i, int in, const struct rule *rule, double centre,
                      double wide, int from, int to)
{
    double sum = 0;
    int first = in, last = 0;
    float *w = t->weight + (size_t)i * (size_t)t->most;
    for (int k = from; k < to; k++) {
        int at = inside(k, in, rule->edge);
        first = at < first ? at : first;
        last = at > last ? at : last;
        sum += rule->at((k - centre + 0.5) / wide);
    }
    for (int k = from; k < to; k++)
        w[inside(k, in, rule->edge) - first] += (float)(rule->at((k - centre + 0.5) / wide) / sum);
    t->first[i] = first;
    t->count[i] = last - first + 1;
}

/* `ratio` is input pixels for an output pixel. */
static int taps_init(struct taps *t, int in, int out, double ratio, const struct rule *rule)
{
    double wide = ratio > 1 && rule->widen ? ratio : 1, support = rule->support * wide;
    if (taps_reserve(t, out, (int)ceil(support) * 2 + 1))
        return -1;
    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * ratio;
        int from = (int)floor(centre - support + 0.5), to = (int)floor(centre + support + 0.5);
        if (rule->edge == CUT) {
            from = from < 0 ? 0 : from;
            to = to > in ? in : to;
        }
        taps_fill(t, i, in, rule, centre, wide, from, to);
    }
    return 0;
}

/* Means over what an output pixel covers, in whole pixels. */
static int taps_area(struct taps *t, int in, int out)
{
    if (taps_reserve(t, out, in / out + 2))
        return -1;
    for (int i = 0; i < out; i++) {
        int from = (int)((int64_t)i * in / out),
            to = (int)(((int64_t)(i + 1) * in + out - 1) / out);
        t->first[i] = from;
        t->count[i] = to - from;
        for (int k = 0; k < to - from; k++)
            t->weight[(size_t)i * (size_t)t->most + (size_t)k] = 1.0f / (float)(to - from);
    }
    return 0;
}

/* Four floats at a time; those of a pixel with three channels and the next one's first. */
typedef float vf4 __attribute__((vector_size(16), aligned(4), may_alias));

/* The sum of three channels over some taps, reading one float beyond the last pixel's. */
static void sum_three(const float *in, const float *weight, int count, float *sum)
{
    vf4 even = {0}, odd = {0};
    int k = 0;
    for (; k + 1 < count; k += 2) {
        even += weight[k] * *(const vf4 *)(in + 3 * k);
        odd += weight[k + 1] * *(const vf4 *)(in + 3 * k + 3);
    }
    if (k < count)
        even += weight[k] * *(const vf4 *)(in + 3 * k);
    even += odd;
    for (int i = 0; i < 3; i++)
        sum[i] = even[i];
}

/* from: h x w x c -> to: h x out x c */
static void across(const float *from, int h, int w, int c, float *to, int out, const struct taps *t)
{
    const float *end = from + (size_t)h * w * c;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < out; x++) {
            const float *weight = t->weight + (size_t)x * t->most;
            const float *in = from + ((size_t)y * w + t->first[x]) * c;
            float *sum = to + ((size_t)y * out + x) * c;
            if (c == 3 && in + 3 * t->count[x] < end) {
                sum_three(in, weight, t->count[x], sum);
                continue;
            }
            for (int i = 0; i < c; i++)
                sum[i] = 0;
            for (int k = 0; k < t->count[x]; k++)
                for (int i = 0; i < c; i++)
                    sum[i] += weight[k] * in[(size_t)k * c + i];
        }
}

enum { PART = 64 }; /* floats of a row that stay in registers while the taps run */

static void sum_rows(const float *in, size_t row, const float *weight, int taps, float *to,
                     size_t count)
{
    float sum[PART] = {0};
    for (int k = 0; k < taps; k++, in += row)
        if (count == PART) {
#pragma omp simd
            for (int i = 0; i < PART; i++)
                sum[i] += weight[k] * in[i];
        } else {
            for (size_t i = 0; i < count; i++)
                sum[i] += weight[k] * in[i];
        }
    memcpy(to, sum, count * sizeof *sum);
}

/* from: h x row -> to: out x row */
static void down(const float *from, size_t row, float *to, int out, const struct taps *t)
{
    for (int y = 0; y < out; y++) {
        const float *weight = t->weight + (size_t)y * t->most;
        float *sum = to + y * row;
        for (size_t i = 0; i < row; i += PART) {
            size_t count = row - i < PART ? row - i : PART;
            sum_rows(from + (size_t)t->first[y] * row + i, row, weight, t->count[y], sum + i,
                     count);
        }
    }
}

/* Whichever direction comes first, the sums are the same but for rounding: the cheaper order. */
static int apply(const float *from, int h, int w, int c, float *to, int to_h, int to_w,
                 const struct taps *rows, const struct taps *columns, struct gx_err *err)
{
    bool rows_first = to_h < h;
    size_t middle_h = (size_t)(rows_first ? to_h : h), middle_w = (size_t)(rows_first ? w : to_w);
    float *middle = malloc(middle_h * middle_w * (size_t)c * sizeof *middle);
    if (!middle)
        return gx_fail(err, GX_E_NOMEM, "out of memory while scaling to %dx%d", to_w, to_h);
    if (rows_first) {
        down(from, (size_t)w * (size_t)c, middle, to_h, rows);
        across(middle, to_h, w, c, to, to_w, columns);
    } else {
        across(from, h, w, c, middle, to_w, columns);
        down(middle, (size_t)to_w * (size_t)c, to, to_h, rows);
    }
    free(middle);
    return 0;
}

int gx_resize(const float *from, int count, int h, int w, int channels, float *to, int to_h,
              int to_w, enum gx_filter filter, struct gx_err *err)
{
    size_t whole = (size_t)h * w * channels, result = (size_t)to_h * to_w * channels;
    if (h == to_h && w == to_w) {
        memcpy(to, from, (size_t)count * whole * sizeof *to);
        return 0;
    }
    struct taps columns = {0}, rows = {0};
    const struct rule *rule = &filters[filter];
    int code = taps_init(&columns, w, to_w, (double)w / to_w, rule) ||
                       taps_init(&rows, h, to_h, (double)h / to_h, rule)
                   ? gx_fail(err, GX_E_NOMEM, "out of memory while scaling to %dx%d", to_w, to_h)
                   : 0;
    for (int n = 0; n < count && !code; n++)
        code = apply(from + n * whole, h, w, channels, to + n * result, to_h, to_w, &rows, &columns,
                     err);
    taps_clear(&columns);
    taps_clear(&rows);
    return code;
}

int gx_imresize_side(int side, double scale)
{
    return (int)ceil(side * scale - 1e-6);
}

int gx_imresize(const float *from, int h, int w, int channels, double scale, float *to,
                struct gx_err *err)
{
    int to_h = gx_imresize_side(h, scale), to_w = gx_imresize_side(w, scale);
    struct taps columns = {0}, rows = {0};
    int code = taps_init(&columns, w, to_w, 1 / scale, &matlab) ||
                       taps_init(&rows, h, to_h, 1 / scale, &matlab)
                   ? gx_fail(err, GX_E_NOMEM, "out of memory while scaling to %dx%d", to_w, to_h)
                   : apply(from, h, w, channels, to, to_h, to_w, &rows, &columns, err);
    taps_clear(&columns);
    taps_clear(&rows);
    return code;
}

static int plain_taps(struct taps *t, int in, int out, enum gx_plain filter)
{
    if (filter == GX_PLAIN_AREA)
        return taps_area(t, in, out);
    return taps_init(t, in, out, (double)in / out, &plain[filter]);
}

int gx_resize_plain(const float *from, int h, int w, int channels, float *to, int to_h, int to_w,
                    enum gx_plain filter, struct gx_err *err)
{
    struct taps columns = {0}, rows = {0};
    int code = plain_taps(&columns, w, to_w, filter) || plain_taps(&rows, h, to_h, filter)
                   ? gx_fail(err, GX_E_NOMEM, "out of memory while scaling to %dx%d", to_w, to_h)
                   : apply(from, h, w, channels, to, to_h, to_w, &rows, &columns, err);
    taps_clear(&columns);
    taps_clear(&rows);
    return code;
}
