/* Convolutions: the reference against values worked out by hand, and every tier that this CPU runs
 * against the reference, over odd shapes, the three products and several thread counts. */
#include "conv.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),  cmocka_unit_test(odd_shapes), cmocka_unit_test(chosen_shapes),
        cmocka_unit_test(bfloat16), cmocka_unit_test(steady),     cmocka_unit_test(few_threads),
        cmocka_unit_test(halving),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
