/* Convolutions: the reference against values worked out by hand, and every tier that this CPU runs
 * against the reference, over odd shapes, the three products and several thread counts. */
#include "../test.h"
#include "kernel/kernel.h"
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

static void *scratch_of(size_t bytes)
{
    void *scratch = aligned_alloc(64, (bytes + 127) / 64 * 64);
    assert_non_null(scratch);
    memset(scratch, 0xff, bytes); /* not a number, everywhere */
    return scratch;
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
    r->conv2d(&s, x, w, bias, y, NULL, 1);
    for (int j = 0; j < 4; j++)
        assert_true(y[j] == want_y[j]);
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

/* The largest difference over the largest value. */
static double distance(const float *a, const float *b, size_t count)
{
    double most = 0, largest = 1e-30;
    for (size_t j = 0; j < count; j++) {
        double d = fabs((double)a[j] - b[j]);
        if (!(d <= most)) /* also when it is not a number */
            most = d;
        if (fabs(b[j]) > largest)
            largest = fabs(b[j]);
    }
    return most / largest;
}

static void compare(const struct gx_kernels *k, const struct gx_conv_sizes *s, const char *what,
                    const float *got, const float *want, size_t count, double limit)
{
    double d = distance(got, want, count);
    if (!(d <= limit))
        fail_msg("%s %s of n%d %dx%d i%d o%d k%dx%d s%d p%d: off by %g", k->name, what, s->n, s->h,
                 s->w, s->i, s->o, s->kh, s->kw, s->stride, s->pad, d);
}

/* All three products of one shape, by every tier, with this many threads. */
static void check(const struct gx_conv_sizes *s, int threads)
{
    const struct gx_kernels *k, *r = &gx_kernels_reference;
    size_t nx = (size_t)s->n * s->h * s->w * s->i, ny = (size_t)s->n * s->oh * s->ow * s->o;
    size_t nw = (size_t)s->kh * s->kw * s->i * s->o, most = nx > ny ? nx : ny;
    float *x = numbers(nx, 1), *w = numbers(nw, 2), *g = numbers(ny, 3), *bias = numbers(1024, 4);
    float *want[3] = {numbers(ny, 5), numbers(nx, 5), numbers(nw, 5)};
    float *got = numbers((most > nw ? most : nw) + 1, 6);
    const float *b = threads % 2 ? bias : NULL;
    r->conv2d(s, x, w, b, want[0], NULL, 1);
    r->conv2d_dx(s, g, w, b, want[1], NULL, 1);
    r->conv2d_dw(s, x, g, want[2], NULL, 1);
    for (int t = 1; (k = gx_kernels_at(t)); t++) {
        void *scratch = scratch_of(k->conv2d_scratch(s, GX_CONV_Y, threads));
        got[ny] = 7;
        k->conv2d(s, x, w, b, got, scratch, threads);
        compare(k, s, "y", got, want[0], ny, 2e-6);
        assert_true(got[ny] == 7);
        free(scratch);
        scratch = scratch_of(k->conv2d_scratch(s, GX_CONV_DX, threads));
        got[nx] = 7;
        k->conv2d_dx(s, g, w, b, got, scratch, threads);
        compare(k, s, "dx", got, want[1], nx, 2e-6);
        assert_true(got[nx] == 7);
        free(scratch);
        scratch = scratch_of(k->conv2d_scratch(s, GX_CONV_DW, threads));
        got[nw] = 7;
        k->conv2d_dw(s, x, g, got, scratch, threads);
        compare(k, s, "dw", got, want[2], nw, 2e-6);
        assert_true(got[nw] == 7);
        free(scratch);
    }
    free(x), free(w), free(g), free(bias), free(got);
    for (int j = 0; j < 3; j++)
        free(want[j]);
}

/* A shape from a number: kernel 1..7, stride 1..3, pad 0..3, odd channels. */
static void odd_shapes(void **state)
{
    (void)state;
    const int channels[] = {1, 3, 4, 5, 17, 33, 64, 70};
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
        check(&s, 1 + shape % 3);
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
        /* dx by patches */ sizes(1, 6, 6, 4, 4, 2, 3, 0), /* stride over kernel */
        sizes(1, 3, 3, 600, 3, 1, 1, 0),
        sizes(1, 1, 1, 3, 600, 3, 1, 1),
    };
    for (size_t j = 0; j < sizeof chosen / sizeof *chosen; j++)
        for (int threads = 1; threads <= 4; threads++)
            check(&chosen[j], threads);
    struct gx_conv_sizes flat = {2, 6, 9, 5, 7, 1, 3, 2, 1, 4, 5}; /* kh and kw differ */
    check(&flat, 3);
}

/* The same bits on every run; and scratch that does not grow with the picture. */
static void steady(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    struct gx_conv_sizes s = sizes(2, 13, 11, 20, 37, 4, 2, 1),
                         large = sizes(8, 4096, 4096, 20, 37, 4, 2, 1);
    size_t nx = 2 * 13 * 11 * 20, ny = (size_t)2 * s.oh * s.ow * 37;
    float *x = numbers(nx, 1), *w = numbers(16 * 20 * 37, 2), *a = numbers(ny, 3),
          *b = numbers(ny, 4);
    for (int t = 1; (k = gx_kernels_at(t)); t++) {
        size_t bytes = k->conv2d_scratch(&s, GX_CONV_Y, 3);
        void *scratch = scratch_of(bytes);
        k->conv2d(&s, x, w, NULL, a, scratch, 3);
        k->conv2d(&s, x, w, NULL, b, scratch, 3);
        assert_memory_equal(a, b, ny * sizeof *a);
        for (int p = GX_CONV_Y; p <= GX_CONV_DW; p++)
            assert_true(k->conv2d_scratch(&large, p, 3) <= (size_t)3 * 4 << 20);
        free(scratch);
    }
    free(x), free(w), free(a), free(b);
}

static void check_winograd(const struct gx_kernels *k, int n, int h, int w, int in, int out,
                           enum gx_conv_product product, int pad, int threads)
{
    bool dx = product == GX_CONV_DX;
    /* dx of a convolution that has `pad` padding: its input is g, its picture is oh x ow */
    struct gx_conv_sizes s = sizes(n, h, w, in, out, 3, 1, pad);
    size_t nx = (size_t)n * h * w * in, ny = (size_t)n * s.oh * s.ow * out;
    float *x = numbers(dx ? ny : nx, 1), *tap = numbers((size_t)9 * in * out, 2);
    float *u = numbers((size_t)36 * in * out, 3), *bias = numbers(1024, 4);
    float *want = numbers(dx ? nx : ny, 5), *got = numbers(dx ? nx : ny, 6);
    const float *b = threads == 2 ? NULL : bias;
    void *scratch = scratch_of(dx ? k->winograd_scratch(out, in, threads)
                                  : k->winograd_scratch(in, out, threads));
    k->winograd_weights(in, out, product, tap, u, threads);
    if (dx) {
        gx_kernels_reference.conv2d_dx(&s, x, tap, b, want, NULL, 1);
        k->winograd_conv(n, s.oh, s.ow, out, in, 2 - pad, x, u, b, got, scratch, threads);
    } else {
        gx_kernels_reference.conv2d(&s, x, tap, b, want, NULL, 1);
        k->winograd_conv(n, h, w, in, out, pad, x, u, b, got, scratch, threads);
    }
    compare(k, &s, dx ? "winograd dx" : "winograd", got, want, dx ? nx : ny, 1e-5);
    free(x), free(tap), free(u), free(bias), free(want), free(got), free(scratch);
}

static void winograd(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    const int shapes[][5] = {{1, 4, 4, 16, 16},  {2, 7, 9, 5, 3},     {1, 3, 3, 33, 70},
                             {1, 1, 1, 17, 4},   {1, 21, 18, 64, 33}, {3, 6, 5, 1, 1},
                             {1, 8, 12, 70, 64}, {1, 2, 30, 3, 17},   {1, 5, 5, 300, 40}};
    for (int t = 0; (k = gx_kernels_at(t)); t++)
        for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++)
            for (int pad = 0; pad <= 2; pad++)
                for (int p = GX_CONV_Y; p <= GX_CONV_DX; p++) {
                    const int *s = shapes[j];
                    if (s[1] + 2 * pad >= 3 && s[2] + 2 * pad >= 3 && (t || s[3] * s[4] < 400))
                        check_winograd(k, s[0], s[1], s[2], s[3], s[4], p, pad,
                                       1 + (int)(j + pad) % 3);
                }
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
            struct gx_conv_sizes strided = sizes(1, 8, 8, i, 64, 3, 2, 1),
                                 four = sizes(1, 8, 8, i, 64, 4, 1, 1);
            for (int p = GX_CONV_Y; p <= GX_CONV_DX; p++) {
                assert_int_equal(k->conv2d_method(&small, p), k->conv2d_method(&large, p));
                assert_int_equal(k->conv2d_method(&strided, p), GX_CONV_GEMM);
                assert_int_equal(k->conv2d_method(&four, p), GX_CONV_GEMM);
            }
            assert_int_equal(k->conv2d_method(&small, GX_CONV_DW), GX_CONV_GEMM);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand), cmocka_unit_test(odd_shapes), cmocka_unit_test(chosen_shapes),
        cmocka_unit_test(steady),  cmocka_unit_test(winograd),   cmocka_unit_test(methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
