/* What the tests of convolutions share: operands, memory that shows what is written past its end, and
 * one product by one tier against the reference's result. */
#ifndef GX_TESTS_KERNEL_CONV_H
#define GX_TESTS_KERNEL_CONV_H

#include "../test.h"
#include "ganx/params.h"
#include "kernel/kernel.h"
#include "util/half.h"
#include "util/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static inline float *numbers(size_t count, uint64_t key)
{
    struct gx_random r = gx_random_at(11, GX_STREAM_TEST, key);
    float *x = malloc((count ? count : 1) * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < count; i++)
        x[i] = gx_random_uniform(&r) - 0.5f;
    return x;
}

enum { GUARD = 256, POISON = 0xff, WATCH = 0x5a }; /* bytes of POISON are not a number */

/* Memory for a kernel to write: `bytes` of not a number, and as much behind them as a vector or a
 * row might reach, which must stay as it is. `start` is 64-byte aligned. */
struct room {
    unsigned char *start;
    size_t bytes;
};

static inline struct room room_of(size_t bytes)
{
    struct room r = {aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64), bytes};
    assert_non_null(r.start);
    memset(r.start, POISON, bytes);
    memset(r.start + bytes, WATCH, GUARD);
    return r;
}

static inline void poison(const struct room *r)
{
    memset(r->start, POISON, r->bytes);
}

static inline float *floats(const struct room *r)
{
    return (float *)r->start;
}

/* Whether nothing was written behind the end. */
static inline bool within(const struct room *r)
{
    for (int j = 0; j < GUARD; j++)
        if (r->start[r->bytes + j] != WATCH)
            return false;
    return true;
}

/* Rounds a picture as kernels for weights of bfloat16 may do. */
static inline void round_for(const struct gx_conv_sizes *s, float *x, size_t count)
{
    for (size_t j = 0; j < count && s->dtype == GX_BF16; j++) {
        float first = gx_float_of_bits(gx_bits_of_float(x[j]) & 0xffff0000u);
        float second = gx_bfloat_to_float(gx_float_to_bfloat(x[j] - first));
        x[j] = s->fine ? first + second : gx_bfloat_to_float(gx_float_to_bfloat(x[j]));
    }
}

/* Some weights, and the same numbers in 16 bits. */
static inline float *weights(size_t count, enum gx_dtype dtype)
{
    float *w = numbers(count, 2);
    if (dtype != GX_F32)
        gx_kernels_reference.halve(dtype, w, w, (int64_t)count, 1);
    return w;
}

static inline struct gx_conv_sizes sizes(int n, int h, int w, int i, int o, int k, int stride,
                                         int pad)
{
    struct gx_conv_sizes s = {n, h, w, i, o, k, k, stride, pad, 0, 0};
    s.oh = (h + 2 * pad - k) / stride + 1;
    s.ow = (w + 2 * pad - k) / stride + 1;
    return s;
}

/* The largest difference over the largest value; not a number if any of a is not. */
static inline double distance(const float *a, const float *b, size_t count)
{
    double most = 0, largest = 1e-30;
    for (size_t j = 0; j < count; j++) {
        double d = fabs((double)a[j] - b[j]);
        if (isnan(d))
            return d;
        if (d > most)
            most = d;
        if (fabs(b[j]) > largest)
            largest = fabs(b[j]);
    }
    return most / largest;
}

static inline void compare(const struct gx_kernels *k, const struct gx_conv_sizes *s,
                           const char *what, int threads, const struct room *got,
                           const struct room *scratch, const float *want, double limit)
{
    double d = distance(floats(got), want, got->bytes / sizeof(float));
    const char *past = !within(got)       ? ", and wrote past its result"
                       : !within(scratch) ? ", and wrote past its scratch"
                                          : "";
    if (!(d <= limit) || *past)
        fail_msg("%s %s(%d) of n%d %dx%d i%d o%d k%dx%d s%d p%d by %d threads: off by %g%s",
                 k->name, what, (int)s->method, s->n, s->h, s->w, s->i, s->o, s->kh, s->kw,
                 s->stride, s->pad, threads, d, past);
}

struct operands {
    const float *x, *g;
    const void *w;
    const struct gx_after *after;
};

enum { CHANNELS = 1024, WAYS = 7 };

/* A way to go on after the sums; row (2, CHANNELS), and beside, at least as large as the result. */
static inline struct gx_after after_of(int way, const float *row, const float *beside)
{
    struct gx_after a = {.bias = way != 1 ? row : NULL};
    a.gated = way >= 2 && way != 5;
    a.slope = 0.25F;
    a.slopes = way == 3 || way == 6 ? row + CHANNELS : NULL;
    a.gate.x = way == 4 || way == 6 ? beside : NULL;
    a.sums = way == 6 ? 2 : way == 5;
    a.sum[0].scale = 0.2F;
    a.sum[0].with.x = beside + 1;
    a.sum[1].scale = -3;
    a.sum[1].with.x = beside + 2;
    return a;
}

/* Largest error over the largest result: of the direct method, and of Winograd's y, dx and dw of
 * numbers of about one size, for three and four points, whose transforms only add and subtract, and
 * for six. */
static const double direct_limit = 2e-6;
static const double winograd_limit[2][3] = {{2e-6, 2e-6, 2e-6}, {1e-5, 1e-5, 5e-6}};

/* One product by one tier with s->method, on fresh poison. */
static inline void check_product(const struct gx_kernels *k, const struct gx_conv_sizes *s,
                                 enum gx_conv_product product, const struct operands *a,
                                 int threads, const float *want, size_t count)
{
    static const char *const names[] = {"y", "dx", "dw"};
    bool w = s->method != GX_CONV_GEMM;
    struct room scratch =
        room_of((w ? k->winograd_scratch : k->conv2d_scratch)(s, product, threads));
    struct room got = room_of(count * sizeof(float));
    if (product == GX_CONV_Y)
        (w ? k->winograd_y : k->conv2d)(s, a->x, a->w, a->after, floats(&got), scratch.start,
                                        threads);
    else if (product == GX_CONV_DX)
        (w ? k->winograd_dx : k->conv2d_dx)(s, a->g, a->w, a->after, floats(&got), scratch.start,
                                            threads);
    else
        (w ? k->winograd_dw : k->conv2d_dw)(s, a->x, a->g, floats(&got), scratch.start, threads);
    compare(k, s, names[product], threads, &got, &scratch, want,
            w ? winograd_limit[s->method == GX_CONV_WINOGRAD_6][product] : direct_limit);
    free(got.start), free(scratch.start);
}

/* y or dx of one tier from weights that lie as panels, by each method, of w as the reference reads
 * it. Without: the tier has no such, or the shape does not fit. */
static inline void check_panels(const struct gx_kernels *k, struct gx_conv_sizes s,
                                enum gx_conv_product product, struct operands a, int threads,
                                const float *want, size_t count)
{
    bool turned = product == GX_CONV_DX;
    int in = turned ? s.o : s.i, out = turned ? s.i : s.o, taps = s.kh * s.kw, p = k->panel;
    if (!p || out % p || in < GX_PANEL_LEAST || s.dtype != GX_F32 || product == GX_CONV_DW)
        return;
    float *w = malloc((size_t)taps * in * out * sizeof *w);
    for (int64_t t = 0; t < taps; t++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t o = 0; o < out; o++)
                w[((t * (out / p) + o / p) * in + i) * p + o % p] =
                    ((const float *)a.w)[t * in * out + (turned ? o * in + i : i * out + o)];
    s.panel = p;
    a.w = w;
    check_product(k, &s, product, &a, threads, want, count);
    free(w);
}

#endif
