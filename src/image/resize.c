/* Scaling float pictures: separable, antialiased, each output sample a renormalised sum.
 *
 * Keys 1981, "Cubic convolution interpolation for digital image processing" (a = -0.5), widened by
 * the scale when shrinking. The same rule as PIL and PyTorch's antialiased interpolate, which the
 * reference implementations prepare their training data with; libvips' resize treats edges
 * differently. One thread: callers scale many pictures at once. */
#include "image/image.h"

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

static const struct {
    double (*at)(double x);
    double support;
} filters[] = {
    [GX_FILTER_BILINEAR] = {bilinear, 1},
    [GX_FILTER_BICUBIC] = {bicubic, 2},
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

static int taps_init(struct taps *t, int in, int out, enum gx_filter filter)
{
    double scale = (double)in / out, wide = scale > 1 ? scale : 1;
    double support = filters[filter].support * wide;
    t->most = (int)ceil(support) * 2 + 1;
    t->first = malloc((size_t)out * sizeof *t->first);
    t->count = malloc((size_t)out * sizeof *t->count);
    t->weight = malloc((size_t)out * t->most * sizeof *t->weight);
    if (!t->first || !t->count || !t->weight)
        return -1;
    for (int i = 0; i < out; i++) {
        double centre = (i + 0.5) * scale, sum = 0;
        int from = (int)(centre - support + 0.5), to = (int)(centre + support + 0.5);
        from = from < 0 ? 0 : from;
        to = to > in ? in : to;
        float *w = t->weight + (size_t)i * t->most;
        for (int k = from; k < to; k++)
            sum += filters[filter].at((k - centre + 0.5) / wide);
        for (int k = from; k < to; k++)
            w[k - from] = (float)(filters[filter].at((k - centre + 0.5) / wide) / sum);
        t->first[i] = from;
        t->count[i] = to - from;
    }
    return 0;
}

/* from: h x w x c -> to: h x out x c */
static void across(const float *from, int h, int w, int c, float *to, int out, const struct taps *t)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < out; x++) {
            const float *weight = t->weight + (size_t)x * t->most;
            const float *in = from + ((size_t)y * w + t->first[x]) * c;
            float *sum = to + ((size_t)y * out + x) * c;
            for (int i = 0; i < c; i++)
                sum[i] = 0;
            for (int k = 0; k < t->count[x]; k++)
                for (int i = 0; i < c; i++)
                    sum[i] += weight[k] * in[(size_t)k * c + i];
        }
}

/* from: h x row -> to: out x row */
static void down(const float *from, size_t row, float *to, int out, const struct taps *t)
{
    for (int y = 0; y < out; y++) {
        const float *weight = t->weight + (size_t)y * t->most;
        float *sum = to + y * row;
        memset(sum, 0, row * sizeof *sum);
        for (int k = 0; k < t->count[y]; k++) {
            const float *in = from + (size_t)(t->first[y] + k) * row;
            for (size_t i = 0; i < row; i++)
                sum[i] += weight[k] * in[i];
        }
    }
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
    float *middle = malloc((size_t)h * to_w * channels * sizeof *middle);
    bool ready =
        middle && !taps_init(&columns, w, to_w, filter) && !taps_init(&rows, h, to_h, filter);
    for (int n = 0; n < count && ready; n++) {
        across(from + n * whole, h, w, channels, middle, to_w, &columns);
        down(middle, (size_t)to_w * channels, to + n * result, to_h, &rows);
    }
    taps_clear(&columns);
    taps_clear(&rows);
    free(middle);
    return ready ? 0 : gx_fail(err, GX_E_NOMEM, "out of memory while scaling to %dx%d", to_w, to_h);
}
