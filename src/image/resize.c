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

/* A row of w pixels -> one of `out`. `beyond`: a float behind it may be read. */
static void across(const float *from, int w, int c, bool beyond, float *to, int out,
                   const struct taps *t)
{
    for (int x = 0; x < out; x++, to += c) {
        const float *weight = t->weight + (size_t)x * t->most, *in = from + (size_t)t->first[x] * c;
        if (c == 3 && (beyond || t->first[x] + t->count[x] < w)) {
            sum_three(in, weight, t->count[x], to);
            continue;
        }
        for (int i = 0; i < c; i++)
            to[i] = 0;
        for (int k = 0; k < t->count[x]; k++)
            for (int i = 0; i < c; i++)
                to[i] += weight[k] * in[(size_t)k * c + i];
    }
}

enum { PART = 64 }; /* floats of a row that stay in registers while the taps run */

/* The weighted sum of rows of `count` floats. */
static void down(const float *const *row, const float *weight, int taps, float *to, size_t count)
{
    size_t at = 0;
    for (; at + PART <= count; at += PART) {
        float sum[PART] = {0};
        for (int k = 0; k < taps; k++)
#pragma omp simd
            for (int i = 0; i < PART; i++)
                sum[i] += weight[k] * row[k][at + i];
        memcpy(to + at, sum, sizeof sum);
    }
    for (; at < count; at++) {
        float sum = 0;
        for (int k = 0; k < taps; k++)
            sum += weight[k] * row[k][at];
        to[at] = sum;
    }
}

/* ---- a picture, row by row ----
 * Those rows are kept that the next sums need. Whichever direction comes first, the sums are the
 * same but for rounding: the cheaper order. */

struct scaling {
    const struct gx_row_way *way;
    int h, w, c, to_h, to_w;
    const struct taps *rows, *columns;
    bool rows_first;
    int held, slots;    /* rows of the picture that were read, and that are kept at a time */
    size_t kept_size;   /* floats of one that is kept, and one more */
    float *kept;        /* slots of them */
    float *row;         /* of the picture, or of sums: for what is not kept */
    float *out;         /* one row, if there is no room for all */
    const float **line; /* of each slot: in there, or elsewhere */
    const float **tap;  /* the lines of a sum */
};

static void read_row(struct scaling *s)
{
    int y = s->held++, slot = y % s->slots;
    float *kept = s->kept + (size_t)slot * s->kept_size, *room = s->rows_first ? kept : s->row;
    const float *row = s->way->read(s->way->state, y, room);
    s->line[slot] = row;
    if (s->rows_first)
        return;
    across(row, s->w, s->c, y + 1 < s->h, kept, s->to_w, s->columns);
    s->line[slot] = kept;
}

static void make_row(struct scaling *s, int y)
{
    int first = s->rows->first[y], count = s->rows->count[y];
    size_t size = (size_t)s->to_w * (size_t)s->c;
    float *out = s->way->to ? s->way->to + (size_t)y * size : s->out;
    const float *weight = s->rows->weight + (size_t)y * (size_t)s->rows->most;
    while (s->held < first + count)
        read_row(s);
    for (int k = 0; k < count; k++)
        s->tap[k] = s->line[(first + k) % s->slots];
    if (s->rows_first) {
        down(s->tap, weight, count, s->row, (size_t)s->w * (size_t)s->c);
        across(s->row, s->w, s->c, y + 1 < s->to_h, out, s->to_w, s->columns);
    } else {
        down(s->tap, weight, count, out, size);
    }
    if (!s->way->to)
        s->way->write(s->way->state, y, out);
}

static int scale(struct scaling *s, struct gx_err *err)
{
    size_t wide = (size_t)s->w * (size_t)s->c + 1, to_wide = (size_t)s->to_w * (size_t)s->c + 1;
    s->rows_first = s->to_h < s->h;
    s->slots = s->rows->most < s->h ? s->rows->most : s->h;
    s->kept_size = s->rows_first ? wide : to_wide;
    s->kept = malloc(((size_t)s->slots * s->kept_size + wide + to_wide) * sizeof *s->kept);
    s->line = malloc(2 * (size_t)s->rows->most * sizeof *s->line);
    int code = s->kept && s->line ? 0
                                  : gx_fail(err, GX_E_NOMEM, "out of memory while scaling to %dx%d",
                                            s->to_w, s->to_h);
    if (!code) {
        s->row = s->kept + (size_t)s->slots * s->kept_size;
        s->out = s->row + wide;
        s->tap = s->line + s->rows->most;
    }
    for (int y = 0; !code && y < s->to_h; y++)
        make_row(s, y);
    free(s->kept);
    free(s->line);
    return code;
}

/* ---- whole pictures ---- */

struct whole {
    const float *from;
    size_t row;
};

static const float *row_of(void *state, int y, float *room)
{
    const struct whole *whole = state;
    (void)room;
    return whole->from + (size_t)y * whole->row;
}

static int apply(const float *from, int h, int w, int c, float *to, int to_h, int to_w,
                 const struct taps *rows, const struct taps *columns, struct gx_err *err)
{
    struct whole whole = {from, (size_t)w * (size_t)c};
    const struct gx_row_way way = {.state = &whole, .read = row_of, .to = to};
    struct scaling s = {&way, h, w, c, to_h, to_w, rows, columns};
    return scale(&s, err);
}

static int filter_taps(struct taps *rows, struct taps *columns, int h, int w, int to_h, int to_w,
                       enum gx_filter filter, struct gx_err *err)
{
    const struct rule *rule = &filters[filter];
    return taps_init(columns, w, to_w, (double)w / to_w, rule) ||
                   taps_init(rows, h, to_h, (double)h / to_h, rule)
               ? gx_fail(err, GX_E_NOMEM, "out of memory while scaling to %dx%d", to_w, to_h)
               : 0;
}

int gx_resize_rows(const struct gx_row_way *way, int h, int w, int channels, int to_h, int to_w,
                   enum gx_filter filter, struct gx_err *err)
{
    struct taps columns = {0}, rows = {0};
    int code = filter_taps(&rows, &columns, h, w, to_h, to_w, filter, err);
    struct scaling s = {way, h, w, channels, to_h, to_w, &rows, &columns};
    if (!code)
        code = scale(&s, err);
    taps_clear(&columns);
    taps_clear(&rows);
    return code;
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
    int code = filter_taps(&rows, &columns, h, w, to_h, to_w, filter, err);
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
