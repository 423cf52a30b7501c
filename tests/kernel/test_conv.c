/* Convolutions: the reference against values worked out by hand, and every tier that this CPU runs
 * against the reference, over odd shapes, the three products and several thread counts. */
#include "../test.h"
#include "ganx/params.h"
#include "kernel/kernel.h"
#include "util/half.h"
#include "util/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float *numbers(size_t count, uint64_t key)
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

static struct room room_of(size_t bytes)
{
    struct room r = {aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64), bytes};
    assert_non_null(r.start);
    memset(r.start, POISON, bytes);
    memset(r.start + bytes, WATCH, GUARD);
    return r;
}

static void poison(const struct room *r)
{
    memset(r->start, POISON, r->bytes);
}

static float *floats(const struct room *r)
{
    return (float *)r->start;
}

/* Whether nothing was written behind the end. */
static bool within(const struct room *r)
{
    for (int j = 0; j < GUARD; j++)
        if (r->start[r->bytes + j] != WATCH)
            return false;
    return true;
}

/* Rounds a picture as kernels for weights of bfloat16 may do. */
static void round_for(const struct gx_conv_sizes *s, float *x, size_t count)
{
    for (size_t j = 0; j < count && s->dtype == GX_BF16; j++) {
        float first = gx_float_of_bits(gx_bits_of_float(x[j]) & 0xffff0000u);
        float second = gx_bfloat_to_float(gx_float_to_bfloat(x[j] - first));
        x[j] = s->fine ? first + second : gx_bfloat_to_float(gx_float_to_bfloat(x[j]));
    }
}

/* Some weights, and the same numbers in 16 bits. */
static float *weights(size_t count, enum gx_dtype dtype)
{
    float *w = numbers(count, 2);
    if (dtype != GX_F32)
        gx_kernels_reference.halve(dtype, w, w, (int64_t)count, 1);
    return w;
}

static struct gx_conv_sizes sizes(int n, int h, int w, int i, int o, int k, int stride, int pad)
{
    struct gx_conv_sizes s = {n, h, w, i, o, k, k, stride, pad, 0, 0};
    s.oh = (h + 2 * pad - k) / stride + 1;
    s.ow = (w + 2 * pad - k) / stride + 1;
    return s;
}

static void by_hand(void **state)
{
    (void)state;
    const struct gx_kernels *r = &gx_kernels_reference;
    struct gx_conv_sizes s = sizes(1, 3, 3, 1, 1, 2, 1, 0);
    const float x[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, w[4] = {1, 0, 0, -2}, bias[1] = {10};
    const float want_y[4] = {1, 0, -2, -3}; /* x[0] - 2 x[4] + 10, ... */
    float y[9];
    struct gx_after after = {.bias = bias};
    r->conv2d(&s, x, w, &after, y, NULL, 1);
    for (int j = 0; j < 4; j++)
        assert_true(y[j] == want_y[j]);
    /* gated by themselves; then by others; then doubled, and added to x */
    const float want_gated[] = {1, 0, -1, -1.5F}, want_by[] = {.5F, 0, -2, -1.5F};
    const float sign[] = {0, 5, 1, -1}, want_more[] = {1 + 1, 0 + 2, -4 + 3, -3 + 4};
    after.gated = true;
    after.slope = 0.5F;
    r->conv2d(&s, x, w, &after, y, NULL, 1);
    for (int j = 0; j < 4; j++)
        assert_true(y[j] == want_gated[j]);
    after.gate.x = sign;
    r->conv2d(&s, x, w, &after, y, NULL, 1);
    for (int j = 0; j < 4; j++)
        assert_true(y[j] == want_by[j]);
    after.sums = 1;
    after.sum[0].scale = 2;
    after.sum[0].with.x = x;
    r->conv2d(&s, x, w, &after, y, NULL, 1);
    for (int j = 0; j < 4; j++)
        assert_true(y[j] == want_more[j]);
    const float g[4] = {1, 2, 3, 4}, want_dx[9] = {1, 2, 0, 3, 2, -4, 0, -6, -8};
    r->conv2d_dx(&s, g, w, NULL, y, NULL, 1);
    for (int j = 0; j < 9; j++)
        assert_true(y[j] == want_dx[j]);
    const float want_dw[4] = {37, 47, 67, 77}; /* 1*1 + 2*2 + 3*4 + 4*5, ... */
    r->conv2d_dw(&s, x, g, y, NULL, 1);
    for (int j = 0; j < 4; j++)
        assert_true(y[j] == want_dw[j]);
    /* stride 2 and padding: 4x4 onto one pixel of a 2x2 picture, taps 1..2 inside */
    s = sizes(1, 2, 2, 1, 1, 4, 2, 1);
    float big[16];
    for (int j = 0; j < 16; j++)
        big[j] = (float)j;
    r->conv2d(&s, x, big, NULL, y, NULL, 1);
    assert_true(y[0] == 1 * 5 + 2 * 6 + 3 * 9 + 4 * 10);
}

/* The largest difference over the largest value; not a number if any of a is not. */
static double distance(const float *a, const float *b, size_t count)
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

static void compare(const struct gx_kernels *k, const struct gx_conv_sizes *s, const char *what,
                    int threads, const struct room *got, const struct room *scratch,
                    const float *want, double limit)
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
static struct gx_after after_of(int way, const float *row, const float *beside)
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

/* One product of one tier, on fresh poison. */
static void check_product(const struct gx_kernels *k, const struct gx_conv_sizes *s,
                          enum gx_conv_product product, const struct operands *a, int threads,
                          const float *want, size_t count)
{
    static const char *const names[] = {"y", "dx", "dw"};
    struct room scratch = room_of(k->conv2d_scratch(s, product, threads));
    struct room got = room_of(count * sizeof(float));
    if (product == GX_CONV_Y)
        k->conv2d(s, a->x, a->w, a->after, floats(&got), scratch.start, threads);
    else if (product == GX_CONV_DX)
        k->conv2d_dx(s, a->g, a->w, a->after, floats(&got), scratch.start, threads);
    else
        k->conv2d_dw(s, a->x, a->g, floats(&got), scratch.start, threads);
    compare(k, s, names[product], threads, &got, &scratch, want, 2e-6);
    free(got.start), free(scratch.start);
}

/* Largest error of Winograd's y, dx and dw of numbers of about one size, over the largest result:
 * for three and four points, whose transforms only add and subtract, and for six. */
static const double winograd_limit[2][3] = {{2e-6, 2e-6, 2e-6}, {1e-5, 1e-5, 5e-6}};

/* One product by one tier with s->method, on fresh poison. */
static void check_method(const struct gx_kernels *k, const struct gx_conv_sizes *s,
                         enum gx_conv_product product, const struct operands *a, int threads,
                         const float *want, size_t count)
{
    static const char *const names[] = {"winograd y", "winograd dx", "winograd dw"};
    struct room got = room_of(count * sizeof(float));
    struct room scratch = room_of(k->winograd_scratch(s, product, threads));
    if (product == GX_CONV_Y)
        k->winograd_y(s, a->x, a->w, a->after, floats(&got), scratch.start, threads);
    else if (product == GX_CONV_DX)
        k->winograd_dx(s, a->g, a->w, a->after, floats(&got), scratch.start, threads);
    else
        k->winograd_dw(s, a->x, a->g, floats(&got), scratch.start, threads);
    compare(k, s, names[product], threads, &got, &scratch, want,
            winograd_limit[s->method == GX_CONV_WINOGRAD_6][product]);
    free(got.start), free(scratch.start);
}

/* y or dx of one tier from weights that lie as panels, by each method, of w as the reference reads
 * it. Without: the tier has no such, or the shape does not fit. */
static void check_panels(const struct gx_kernels *k, struct gx_conv_sizes s,
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
    if (s.method == GX_CONV_GEMM)
        check_product(k, &s, product, &a, threads, want, count);
    else
        check_method(k, &s, product, &a, threads, want, count);
    free(w);
}

/* All three products of one shape, by every tier, with each of these numbers of threads (the last
 * is 0). */
static void check(const struct gx_conv_sizes *s, enum gx_dtype dtype, const int *threads)
{
    const struct gx_kernels *k, *r = &gx_kernels_reference;
    size_t count[3] = {(size_t)s->n * s->oh * s->ow * s->o, (size_t)s->n * s->h * s->w * s->i,
                       (size_t)s->kh * s->kw * s->i * s->o};
    struct gx_conv_sizes typed = *s;
    typed.dtype = dtype;
    float *x = numbers(count[1], 1), *w = weights(count[2], typed.dtype);
    float *g = numbers(count[0], 3), *row = numbers((size_t)2 * CHANNELS, 4), *want[3];
    float *beside = numbers(count[0] + count[1] + 1, 6);
    typed.fine = (s->h + s->i) % 2;
    round_for(&typed, x, count[1]);
    round_for(&typed, g, count[0]);
    for (; *threads; threads++) {
        int way = (s->h + s->i + *threads) % (WAYS + 1);
        struct gx_after after = after_of(way, row, beside);
        struct operands a = {x, g, w, way == WAYS ? NULL : &after};
        for (int p = 0; p < 3; p++)
            want[p] = numbers(count[p], 5);
        r->conv2d(&typed, x, w, a.after, want[0], NULL, 1);
        r->conv2d_dx(&typed, g, w, a.after, want[1], NULL, 1);
        r->conv2d_dw(s, x, g, want[2], NULL, 1);
        for (int t = 1; (k = gx_kernels_at(t)); t++)
            for (int p = 0; p < 3; p++) {
                check_product(k, &typed, (enum gx_conv_product)p, &a, *threads, want[p], count[p]);
                check_panels(k, typed, (enum gx_conv_product)p, a, *threads, want[p], count[p]);
            }
        for (int p = 0; p < 3; p++)
            free(want[p]);
    }
    free(x), free(w), free(g), free(row), free(beside);
}

/* A shape from a number: kernel 1..7, stride 1..3, pad 0..3, odd channels. */
static void odd_shapes(void **state)
{
    (void)state;
    const int channels[] = {1, 3, 4, 5, 17, 33, 64, 70}, threads[] = {1, 2, 3, 5};
    struct gx_random r = gx_random_at(5, GX_STREAM_TEST, 0);
    for (int shape = 0; shape < 150; shape++) {
        int k = 1 + (int)gx_random_below(&r, 7), pad = (int)gx_random_below(&r, 4);
        int least = k > 2 * pad ? k - 2 * pad : 1;
        int h = least + (int)gx_random_below(&r, 7), w = least + (int)gx_random_below(&r, 9);
        struct gx_conv_sizes s =
            sizes(1 + (int)gx_random_below(&r, 3), h, w, channels[gx_random_below(&r, 8)],
                  channels[gx_random_below(&r, 8)], k, 1 + (int)gx_random_below(&r, 3), pad);
        if ((double)s.n * s.oh * s.ow * s.kh * s.kw * s.i * s.o > 1e6)
            s.n = 1;
        if ((double)s.oh * s.ow * s.kh * s.kw * s.i * s.o > 2e6)
            s.i = 5;
        check(&s, (enum gx_dtype)(shape % 3), (const int[]){threads[shape % 4], 0});
    }
}

static void chosen_shapes(void **state)
{
    (void)state;
    const struct gx_conv_sizes chosen[] = {
        sizes(1, 1, 1, 5, 3, 1, 1, 0),
        sizes(1, 1, 1, 64, 70, 3, 1, 1),
        sizes(1, 2, 2, 300, 40, 4, 2, 1), /* more than one block of channels */
        sizes(1, 4, 4, 40, 300, 4, 2, 1),
        sizes(3, 18, 17, 3, 9, 4, 2, 1),
        sizes(1, 9, 9, 70, 1, 4, 1, 1),  /* PatchGAN's last */
        sizes(1, 40, 33, 6, 3, 3, 1, 1), /* more than one block of pixels */
        sizes(1, 5, 120, 3, 4, 7, 1, 3),
        sizes(2, 9, 8, 120, 8, 7, 1, 3),
        /* few outputs, many taps */
        sizes(1, 45, 40, 9, 200, 1, 1, 0), /* several sweeps */
        sizes(2, 12, 11, 40, 90, 4, 2, 1),
        sizes(1, 9, 210, 30, 70, 3, 2, 1),
        sizes(1, 12, 12, 64, 300, 4, 2, 1),
        sizes(1, 9, 21, 64, 3, 3, 1, 1), /* fewer still, and of dx in the last */
        sizes(2, 7, 5, 32, 2, 7, 1, 3),
        sizes(1, 10, 19, 48, 1, 4, 2, 1),
        sizes(1, 6, 17, 3, 64, 7, 1, 3),
        /* few pixels, many weights */
        sizes(1, 4, 4, 128, 128, 4, 2, 1),
        sizes(1, 2, 2, 144, 160, 4, 2, 1), /* only the inner taps meet pixels */
        sizes(3, 4, 6, 112, 208, 4, 2, 1),
        sizes(5, 5, 5, 176, 176, 3, 2, 0),
        sizes(2, 4, 4, 64, 528, 4, 1, 1),
        /* dx by patches */ sizes(1, 6, 6, 4, 4, 2, 3, 0), /* stride over kernel */
        sizes(1, 3, 3, 600, 3, 1, 1, 0),
        sizes(1, 1, 1, 3, 600, 3, 1, 1),
        /* panels: fewer channels than a chunk, more, taps that meet nothing */
        sizes(1, 9, 11, 32, 64, 4, 2, 1),
        sizes(1, 12, 10, 288, 96, 3, 1, 1),
        sizes(1, 2, 2, 64, 64, 4, 2, 1),
        sizes(1, 1, 1, 96, 32, 7, 1, 3),
    };
    for (size_t j = 0; j < sizeof chosen / sizeof *chosen; j++)
        check(&chosen[j], j % 2 && chosen[j].i % 32 ? GX_F16 : GX_F32,
              (const int[]){1, 2, 3, 4, 5, 0});
    struct gx_conv_sizes most = sizes(5, 8, 6, 128, 128, 4, 2, 1); /* of few pixels */
    check(&most, GX_F32, (const int[]){2, 0});
    struct gx_conv_sizes flat = {2, 6, 9, 5, 7, 1, 3, 2, 1, 4, 5}; /* kh and kw differ */
    check(&flat, GX_F16, (const int[]){3, 5, 0});
}

/* Patches of several rows and columns, runs that are copied out, several groups of panels; widths
 * that are no whole tiles. */
static void bfloat16(void **state)
{
    (void)state;
    const struct gx_conv_sizes chosen[] = {
        sizes(1, 50, 90, 16, 33, 7, 1, 3),  sizes(1, 18, 70, 65, 64, 3, 2, 1),
        sizes(2, 17, 33, 32, 70, 3, 1, 0),  sizes(1, 4, 3, 512, 80, 4, 2, 1),
        sizes(3, 3, 3, 600, 33, 1, 1, 0),   sizes(1, 40, 33, 64, 48, 4, 2, 1),
        sizes(1, 3, 150, 40, 200, 3, 1, 1), sizes(1, 1, 1, 64, 70, 3, 1, 1),
        sizes(1, 6, 6, 40, 40, 2, 3, 0),    sizes(1, 2, 2, 1024, 20, 4, 2, 1),
        sizes(2, 4, 4, 128, 144, 4, 2, 1),
    };
    for (size_t j = 0; j < sizeof chosen / sizeof *chosen; j++)
        check(&chosen[j], GX_BF16, (const int[]){1 + (int)j % 3, 4, 0});
}

/* The same bits on every run; and scratch that does not grow with the picture. */
static void steady(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    struct gx_conv_sizes s = sizes(2, 13, 11, 20, 37, 4, 2, 1),
                         large = sizes(8, 4096, 4096, 20, 37, 4, 2, 1);
    size_t nx = 2 * 13 * 11 * 20, ny = (size_t)2 * s.oh * s.ow * 37;
    float *x = numbers(nx, 1), *w = numbers(16 * 20 * 37, 2);
    for (int t = 1; (k = gx_kernels_at(t)); t++) {
        struct room a = room_of(ny * sizeof *x), b = room_of(ny * sizeof *x);
        struct room scratch = room_of(k->conv2d_scratch(&s, GX_CONV_Y, 3));
        k->conv2d(&s, x, w, NULL, floats(&a), scratch.start, 3);
        poison(&scratch);
        k->conv2d(&s, x, w, NULL, floats(&b), scratch.start, 3);
        assert_memory_equal(a.start, b.start, a.bytes);
        for (int p = GX_CONV_Y; p <= GX_CONV_DW; p++)
            assert_true(k->conv2d_scratch(&large, p, 3) <= (size_t)3 * 4 << 20);
        free(a.start), free(b.start), free(scratch.start);
    }
    free(x), free(w);
}

/* One product by every tier with every number of points. */
static void check_winograd(struct gx_conv_sizes s, enum gx_conv_product product, int threads)
{
    const enum gx_conv_method methods[] = {GX_CONV_WINOGRAD_6, GX_CONV_WINOGRAD_4,
                                           GX_CONV_WINOGRAD_3};
    const struct gx_kernels *k, *r = &gx_kernels_reference;
    size_t count[3] = {(size_t)s.n * s.oh * s.ow * s.o, (size_t)s.n * s.h * s.w * s.i,
                       (size_t)s.kh * s.kw * s.i * s.o};
    bool small = (double)s.n * s.h * s.w * s.i * s.o < 2e4; /* enough for the reference's */
    s.dtype = (enum gx_dtype)((s.h + s.o + s.pad) % 3);
    float *x = numbers(count[1], 1), *w = weights(count[2], s.dtype), *g = numbers(count[0], 3);
    float *row = numbers((size_t)2 * CHANNELS, 4), *want = numbers(count[product], 5);
    float *beside = numbers(count[0] + count[1] + 1, 6);
    struct gx_after after = after_of((s.h + s.o + s.pad) % WAYS, row, beside);
    struct operands a = {x, g, w, threads == 2 && s.pad ? NULL : &after};
    if (product == GX_CONV_Y)
        r->conv2d(&s, x, w, a.after, want, NULL, 1);
    else if (product == GX_CONV_DX)
        r->conv2d_dx(&s, g, w, a.after, want, NULL, 1);
    else
        r->conv2d_dw(&s, x, g, want, NULL, 1);
    for (int m = 0; m < 3; m++) {
        s.method = methods[m];
        for (int t = small ? 0 : 1; gx_winograd_does(&s) && (k = gx_kernels_at(t)); t++) {
            check_method(k, &s, product, &a, threads, want, count[product]);
            check_panels(k, s, product, a, threads, want, count[product]);
        }
    }
    free(x), free(w), free(g), free(row), free(beside), free(want);
}

/* A shape with each kernel size, stride and padding that there is for it. */
static void winograd(void **state)
{
    (void)state;
    const int shapes[][5] = {{1, 4, 4, 16, 16},  {2, 7, 9, 5, 3},     {1, 3, 3, 33, 70},
                             {1, 1, 1, 17, 4},   {1, 21, 18, 64, 33}, {3, 6, 5, 1, 1},
                             {1, 8, 12, 70, 64}, {1, 2, 30, 3, 17},   {1, 5, 5, 300, 40},
                             {2, 9, 22, 48, 40}, {1, 6, 14, 16, 70},  {2, 49, 54, 16, 9},
                             {1, 5, 6, 64, 288}, {1, 4, 3, 288, 64}};
    const int kinds[][3] = {{3, 1, 0}, {3, 1, 1}, {3, 1, 2}, {4, 1, 0}, {4, 1, 1}, {4, 1, 3},
                            {4, 2, 0}, {4, 2, 1}, {4, 2, 2}, {3, 2, 0}, {3, 2, 1}, {3, 2, 2}};
    for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++)
        for (size_t q = 0; q < sizeof kinds / sizeof *kinds; q++)
            for (int p = GX_CONV_Y; p <= GX_CONV_DW; p++) {
                const int *v = shapes[j], *c = kinds[q];
                if (v[1] + 2 * c[2] < c[0] || v[2] + 2 * c[2] < c[0])
                    continue;
                struct gx_conv_sizes s = sizes(v[0], v[1], v[2], v[3], v[4], c[0], c[1], c[2]);
                check_winograd(s, p, 1 + (int)(j + q) % 3);
            }
}

/* Beyond its edge a picture may be its own mirror image, as if it had been padded so. */
static void winograd_mirrored(void **state)
{
    (void)state;
    const int sides[][2] = {{2, 3}, {9, 7}, {12, 5}, {13, 14}};
    const struct gx_kernels *k, *r = &gx_kernels_reference;
    for (int at = 0; at < 4; at++) {
        int h = sides[at][0], w = sides[at][1], pad = at == 1 ? 2 : 1;
        struct gx_conv_sizes s = sizes(2, h, w, 20, 17, at == 3 ? 4 : 3, 1, pad);
        struct gx_conv_sizes padded = sizes(2, h + 2 * pad, w + 2 * pad, 20, 17, s.kh, 1, 0);
        size_t count = (size_t)2 * h * w * 20, taps = (size_t)s.kh * s.kw * 20 * 17;
        size_t out = (size_t)2 * s.oh * s.ow * 17;
        float *x = numbers(count, 1), *weight = numbers(taps, 2), *g = numbers(out, 3);
        float *large = numbers((size_t)2 * padded.h * padded.w * 20, 4);
        float *y = numbers(out, 5), *dw = numbers(taps, 6);
        for (int p = 0; p < 2 * padded.h * padded.w; p++) {
            int n = p / padded.w / padded.h, row = p / padded.w % padded.h - pad;
            int col = abs(p % padded.w - pad);
            row = abs(row);
            row = row >= h ? 2 * (h - 1) - row : row;
            col = col >= w ? 2 * (w - 1) - col : col;
            memcpy(large + (size_t)p * 20, x + ((size_t)(n * h + row) * w + col) * 20, 80);
        }
        r->conv2d(&padded, large, weight, NULL, y, NULL, 1);
        r->conv2d_dw(&padded, large, g, dw, NULL, 1);
        s.mirrored = true;
        s.method = GX_CONV_WINOGRAD_6;
        for (int t = 0; (k = gx_kernels_at(t)); t++) {
            struct room got = room_of(out * sizeof *x), got_dw = room_of(taps * sizeof *x);
            struct room scratch = room_of(k->winograd_scratch(&s, GX_CONV_Y, 2));
            struct room more = room_of(k->winograd_scratch(&s, GX_CONV_DW, 2));
            k->winograd_y(&s, x, weight, NULL, floats(&got), scratch.start, 2);
            k->winograd_dw(&s, x, g, floats(&got_dw), more.start, 2);
            compare(k, &s, "mirrored y", 2, &got, &scratch, y, 1e-5);
            compare(k, &s, "mirrored dw", 2, &got_dw, &more, dw, 1e-5);
            free(got.start), free(got_dw.start), free(scratch.start), free(more.start);
        }
        free(x), free(weight), free(g), free(large), free(y), free(dw);
    }
}

/* From some channels of a wide picture to some of another, beside a third. */
static void winograd_steps(void **state)
{
    (void)state;
    enum { WIDE = 101, AT = 5 };
    const struct gx_kernels *k;
    for (int i = 16; i <= 32; i += 4) {
        struct gx_conv_sizes s = sizes(2, 9, 7, i, 40, 3, 1, 1), dense;
        s.method = GX_CONV_WINOGRAD_6;
        dense = s;
        size_t pixels = (size_t)s.n * s.h * s.w;
        float *x = numbers(pixels * WIDE, 1), *w = numbers((size_t)9 * i * 40, 2), *want, *narrow;
        float *beside = numbers(pixels * WIDE, 3);
        want = numbers(pixels * 40, 4);
        narrow = numbers(pixels * i, 5);
        for (size_t p = 0; p < pixels; p++)
            memcpy(narrow + p * i, x + p * WIDE + AT, (size_t)i * sizeof *x);
        s.x_step = s.y_step = WIDE;
        struct gx_after after = {.sums = 1, .sum = {{0.5F, {beside, WIDE}}}};
        gx_kernels_reference.winograd_y(&dense, narrow, w, &after, want, NULL, 1);
        for (int t = 0; (k = gx_kernels_at(t)); t++) {
            float *y = numbers(pixels * WIDE, 6), *before = numbers(pixels * WIDE, 6);
            struct room scratch = room_of(k->winograd_scratch(&s, GX_CONV_Y, 2));
            k->winograd_y(&s, x + AT, w, &after, y + AT, scratch.start, 2);
            for (size_t p = 0; p < pixels; p++) {
                float *at = y + p * WIDE, *was = before + p * WIDE;
                assert_true(distance(at + AT, want + p * 40, 40) < 2e-5);
                memcpy(at + AT, was + AT, 40 * sizeof *x);
            }
            assert_memory_equal(y, before, pixels * WIDE * sizeof *y); /* the other channels */
            free(y), free(before), free(scratch.start);
        }
        free(x), free(w), free(want), free(narrow), free(beside);
    }
}

/* Nor do few pixels' sums depend on the number of threads. */
static void few_threads(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    struct gx_conv_sizes s = sizes(2, 4, 6, 128, 144, 4, 2, 1);
    float *x = numbers(48 * 128, 1), *w = numbers(16 * 128 * 144, 2), *g = numbers(12 * 144, 3);
    for (int t = 1; (k = gx_kernels_at(t)); t++)
        for (int threads = 2; threads <= 5; threads++) {
            const size_t counts[] = {12 * 144, 48 * 128, 16 * 128 * 144};
            for (int p = GX_CONV_Y; p <= GX_CONV_DW; p++) {
                struct room got[2];
                for (int j = 0; j < 2; j++) {
                    int use = j ? threads : 1;
                    struct room scratch = room_of(k->conv2d_scratch(&s, p, use));
                    got[j] = room_of(counts[p] * sizeof *x);
                    if (p == GX_CONV_Y)
                        k->conv2d(&s, x, w, NULL, floats(&got[j]), scratch.start, use);
                    else if (p == GX_CONV_DX)
                        k->conv2d_dx(&s, g, w, NULL, floats(&got[j]), scratch.start, use);
                    else
                        k->conv2d_dw(&s, x, g, floats(&got[j]), scratch.start, use);
                    free(scratch.start);
                }
                assert_memory_equal(got[0].start, got[1].start, got[0].bytes);
                free(got[0].start), free(got[1].start);
            }
        }
    free(x), free(w), free(g);
}

/* Each product is the same for every number of threads, bit for bit: of many tiles, which they share
 * out, and of few tiles with many channels, whose panels they do. */
static void winograd_threads(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    struct gx_conv_sizes shapes[] = {sizes(1, 30, 26, 40, 24, 3, 1, 1),
                                     sizes(2, 6, 5, 80, 136, 4, 2, 1)};
    shapes[0].method = GX_CONV_WINOGRAD_6;
    shapes[1].method = GX_CONV_WINOGRAD_3;
    for (int j = 0; j < 2; j++) {
        const struct gx_conv_sizes *s = &shapes[j];
        size_t count[3] = {(size_t)s->n * s->oh * s->ow * s->o, (size_t)s->n * s->h * s->w * s->i,
                           (size_t)s->kh * s->kw * s->i * s->o};
        float *x = numbers(count[1], 1), *g = numbers(count[0], 2), *w = numbers(count[2], 3);
        for (int t = 1; (k = gx_kernels_at(t)); t++)
            for (int p = GX_CONV_Y; p <= GX_CONV_DW; p++) {
                struct room one = room_of(count[p] * sizeof *x), more = room_of(one.bytes);
                for (int threads = 1; threads <= 5; threads++) {
                    struct room scratch = room_of(k->winograd_scratch(s, p, threads));
                    float *to = floats(threads == 1 ? &one : &more);
                    if (p == GX_CONV_Y)
                        k->winograd_y(s, x, w, NULL, to, scratch.start, threads);
                    else if (p == GX_CONV_DX)
                        k->winograd_dx(s, g, w, NULL, to, scratch.start, threads);
                    else
                        k->winograd_dw(s, x, g, to, scratch.start, threads);
                    free(scratch.start);
                    if (threads > 1)
                        assert_memory_equal(one.start, more.start, one.bytes);
                }
                free(one.start), free(more.start);
            }
        free(x), free(g), free(w);
    }
}

/* Rounded to the nearest, ties to even: the same bits from every tier; large numbers, tiny ones and
 * those that are none too. */
static void halving(void **state)
{
    (void)state;
    enum { COUNT = 1003 };
    const struct gx_kernels *k;
    float *x = numbers(COUNT, 1);
    uint16_t want[COUNT], got[COUNT + 1];
    const float odd[] = {
        0,      -0.0F, 1,      65504,    65519,        65520,        7e4F,        -1e30F,     6e-5F,
        -6e-8F, 2e-8F, 1e-40F, INFINITY, 1 + 0x1p-11F, 1 + 0x3p-11F, 1 + 0x1p-8F, 1 + 0x3p-8F};
    memcpy(x + 500, odd, sizeof odd);
    for (enum gx_dtype dtype = GX_F16; dtype <= GX_BF16; dtype++) {
        gx_kernels_reference.halve(dtype, x, want, COUNT, 1);
        if (dtype == GX_F16) /* 1.0 in half precision; ties */
            assert_true(want[502] == 0x3c00 && want[513] == 0x3c00 && want[514] == 0x3c02);
        else
            assert_true(want[502] == 0x3f80 && want[515] == 0x3f80 && want[516] == 0x3f82);
        for (int t = 1; (k = gx_kernels_at(t)); t++) {
            got[COUNT] = 7;
            k->halve(dtype, x, got, COUNT, 1 + t);
            assert_memory_equal(got, want, sizeof want);
            assert_int_equal(got[COUNT], 7);
        }
    }
    free(x);
}

/* The method must not depend on the picture's size, and Winograd only where it is possible. */
static void methods(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    for (int t = 0; (k = gx_kernels_at(t)); t++) {
        for (int i = 1; i <= 512; i *= 4) {
            struct gx_conv_sizes small = sizes(1, 3, 3, i, 64, 3, 1, 1),
                                 large = sizes(9, 999, 99, i, 64, 3, 1, 1);
            struct gx_conv_sizes five = sizes(1, 8, 8, i, 64, 5, 1, 1),
                                 seven = sizes(9, 999, 99, i, 64, 7, 1, 1);
            for (int p = GX_CONV_Y; p <= GX_CONV_DX; p++) {
                assert_int_equal(k->conv2d_method(&small, p), k->conv2d_method(&large, p));
                assert_int_equal(k->conv2d_method(&five, p), GX_CONV_GEMM);
                assert_int_equal(k->conv2d_method(&seven, p), GX_CONV_GEMM);
            }
            assert_int_equal(k->conv2d_method(&seven, GX_CONV_DW), GX_CONV_GEMM);
            if (t && i >= 16) {
                assert_int_equal(k->conv2d_method(&large, GX_CONV_DW), GX_CONV_WINOGRAD_6);
                assert_int_equal(k->conv2d_method(&small, GX_CONV_DW), GX_CONV_GEMM);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(odd_shapes),
        cmocka_unit_test(chosen_shapes),
        cmocka_unit_test(bfloat16),
        cmocka_unit_test(steady),
        cmocka_unit_test(winograd),
        cmocka_unit_test(winograd_steps),
        cmocka_unit_test(winograd_threads),
        cmocka_unit_test(methods),
        cmocka_unit_test(halving),
        cmocka_unit_test(winograd_mirrored),
        cmocka_unit_test(few_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
