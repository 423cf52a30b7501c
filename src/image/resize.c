/* Scaling float pictures: separable, antialiased, each output sample a renormalised sum.
 *
 * Keys 1981, "Cubic convolution interpolation for digital image processing" (a = -0.5), widened by
 * the scale when shrinking. The same rule as PIL and PyTorch's antialiased interpolate, which the
 * reference implementations prepare their training data with; libvips' resize treats edges
 * differently. One thread: callers scale many pictures at once. */
#include "image/resize.h"
#include "kernel/kernel.h"

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

static void taps_clear(struct gx_blend *t)
{
    free(t->first);
    free(t->count);
    free(t->weight);
}

static int taps_reserve(struct gx_blend *t, int out, int most)
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
static void taps_fill(struct gx_blend *t, int i, int in, const struct rule *rule, double centre,
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
static int taps_init(struct gx_blend *t, int in, int out, double ratio, const struct rule *rule)
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
static int taps_area(struct gx_blend *t, int in, int out)
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

/* ---- a picture, row by row ----
 * Those rows are kept that the next sums need. Whichever direction comes first, the sums are the
 * same but for rounding: the cheaper order. Sums along rows are made for some rows at a time. */

enum { GROUP = 4 };

struct scaling {
    const struct gx_row_way *way;
    int h, w, c, to_h, to_w;
    const struct gx_blend *rows, *columns;
    const struct gx_kernels *kernels;
    bool rows_first;
    int held, slots;      /* rows of the picture that were read, and that are kept at a time */
    size_t kept_size;     /* floats of one that is kept, and one more */
    size_t wide, to_wide; /* the same of the picture's and the result's rows */
    float *kept;          /* slots of them */
    float *row;           /* a group of the picture's, or of sums: for what is not kept */
    float *out;           /* a group, if there is no room for all */
    const float **line;   /* of each slot: in there, or elsewhere */
    const float **tap;    /* the lines of a sum */
};

/* The next one, or the next ones. */
static void read_rows(struct scaling *s)
{
    const float *from[GROUP];
    float *to[GROUP];
    int count = s->rows_first ? 1 : s->h - s->held < GROUP ? s->h - s->held : GROUP;
    for (int j = 0; j < count; j++) {
        int y = s->held + j, slot = y % s->slots;
        to[j] = s->kept + (size_t)slot * s->kept_size;
        from[j] =
            s->way->read(s->way->state, y, s->rows_first ? to[j] : s->row + (size_t)j * s->wide);
        s->line[slot] = s->rows_first ? from[j] : to[j];
    }
    s->held += count;
    if (!s->rows_first)
        s->kernels->blend_pixels(s->columns, from, s->held < s->h, to, count, s->w, s->to_w, s->c);
}

static void blend_rows(struct scaling *s, int y, float *to, size_t size)
{
    int first = s->rows->first[y], count = s->rows->count[y];
    while (s->held < first + count)
        read_rows(s);
    for (int k = 0; k < count; k++)
        s->tap[k] = s->line[(first + k) % s->slots];
    s->kernels->blend_rows(s->tap, s->rows->weight + (size_t)y * (size_t)s->rows->most, count, to,
                           (int64_t)size);
}

/* Gives how many. */
static int make_rows(struct scaling *s, int y)
{
    int count = !s->rows_first ? 1 : s->to_h - y < GROUP ? s->to_h - y : GROUP;
    size_t size = (size_t)s->to_w * (size_t)s->c;
    const float *from[GROUP];
    float *out[GROUP];
    for (int j = 0; j < count; j++) {
        float *row = s->row + (size_t)j * s->wide;
        from[j] = row;
        out[j] = s->way->to ? s->way->to + (size_t)(y + j) * size : s->out + (size_t)j * s->to_wide;
        blend_rows(s, y + j, s->rows_first ? row : out[j],
                   s->rows_first ? (size_t)s->w * (size_t)s->c : size);
    }
    if (s->rows_first)
        s->kernels->blend_pixels(s->columns, from, true, out, count, s->w, s->to_w, s->c);
    for (int j = 0; j < count && !s->way->to; j++)
        s->way->write(s->way->state, y + j, out[j]);
    return count;
}

static int scale(struct scaling *s, struct gx_err *err)
{
    int most = s->rows->most + GROUP - 1; /* a group may begin before the first that is needed */
    s->wide = (size_t)s->w * (size_t)s->c + 1;
    s->to_wide = (size_t)s->to_w * (size_t)s->c + 1;
    s->kernels = gx_kernels_best();
    s->rows_first = s->to_h < s->h;
    s->slots = most < s->h ? most : s->h;
    s->kept_size = s->rows_first ? s->wide : s->to_wide;
    size_t kept = (size_t)s->slots * s->kept_size;
    s->kept = malloc((kept + GROUP * (s->wide + s->to_wide)) * sizeof *s->kept);
    s->line = malloc(((size_t)s->slots + (size_t)s->rows->most) * sizeof *s->line);
    int code = s->kept && s->line ? 0
                                  : gx_fail(err, GX_E_NOMEM, "out of memory while scaling to %dx%d",
                                            s->to_w, s->to_h);
    if (!code) {
        s->row = s->kept + kept;
        s->out = s->row + GROUP * s->wide;
        s->tap = s->line + s->slots;
    }
    for (int y = 0; !code && y < s->to_h;)
        y += make_rows(s, y);
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
                 const struct gx_blend *rows, const struct gx_blend *columns, struct gx_err *err)
{
    struct whole whole = {from, (size_t)w * (size_t)c};
    const struct gx_row_way way = {.state = &whole, .read = row_of, .to = to};
    struct scaling s = {&way, h, w, c, to_h, to_w, rows, columns};
    return scale(&s, err);
}

static int filter_taps(struct gx_blend *rows, struct gx_blend *columns, int h, int w, int to_h,
                       int to_w, enum gx_filter filter, struct gx_err *err)
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
    struct gx_blend columns = {0}, rows = {0};
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
    struct gx_blend columns = {0}, rows = {0};
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
    struct gx_blend columns = {0}, rows = {0};
    int code = taps_init(&columns, w, to_w, 1 / scale, &matlab) ||
                       taps_init(&rows, h, to_h, 1 / scale, &matlab)
                   ? gx_fail(err, GX_E_NOMEM, "out of memory while scaling to %dx%d", to_w, to_h)
                   : apply(from, h, w, channels, to, to_h, to_w, &rows, &columns, err);
    taps_clear(&columns);
    taps_clear(&rows);
    return code;
}

static int plain_taps(struct gx_blend *t, int in, int out, enum gx_plain filter)
{
    if (filter == GX_PLAIN_AREA)
        return taps_area(t, in, out);
    return taps_init(t, in, out, (double)in / out, &plain[filter]);
}

int gx_resize_plain(const float *from, int h, int w, int channels, float *to, int to_h, int to_w,
                    enum gx_plain filter, struct gx_err *err)
{
    struct gx_blend columns = {0}, rows = {0};
    int code = plain_taps(&columns, w, to_w, filter) || plain_taps(&rows, h, to_h, filter)
                   ? gx_fail(err, GX_E_NOMEM, "out of memory while scaling to %dx%d", to_w, to_h)
                   : apply(from, h, w, channels, to, to_h, to_w, &rows, &columns, err);
    taps_clear(&columns);
    taps_clear(&rows);
    return code;
}
