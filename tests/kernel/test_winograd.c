/* Winograd's method: every tier that this CPU runs against the reference, with each number of points,
 * and when it is chosen. */
#include "conv.h"
#include "kernel/reference/reference.h"

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
            check_product(k, &s, product, &a, threads, want, count[product]);
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

/* y as pixel_shuffle writes it, from weights of each kind, going on in each way. */
static void winograd_shuffled(void **state)
{
    (void)state;
    const struct gx_kernels *k, *r = &gx_kernels_reference;
    for (int way = 0; way < WAYS; way++) {
        int o = way % 2 ? 256 : 128, c = o / 4, wide = way == 5 ? c + 3 : c;
        struct gx_conv_sizes s =
            sizes(way == 1 ? 2 : 1, 6 + way, 9, 33, o, 3 + way % 2, 1, way % 3);
        size_t sums = (size_t)s.n * s.oh * s.ow * o, in = (size_t)s.n * s.h * s.w * s.i;
        float *x = numbers(in, 1), *plain = numbers(sums, 3), *want = numbers(sums, 4);
        float *row = numbers((size_t)2 * CHANNELS, 5), *beside = numbers(sums + 2, 6);
        s.dtype = (enum gx_dtype)(way % 3);
        void *w = weights((size_t)s.kh * s.kw * s.i * o, s.dtype);
        struct gx_after after = after_of(way, row, beside), bias = {.bias = after.bias},
                        rest = after;
        rest.bias = NULL;
        r->conv2d(&s, x, w, &bias, plain, NULL, 1);
        r->pixel_shuffle(plain, want, (int64_t)s.n * s.oh, s.ow, c, 2, false, 1);
        for (size_t j = 0; j < sums; j++)
            want[j] = gx_ref_after(&rest, want[j], (int64_t)(j / c), (int)(j % c), c);
        s.method = GX_CONV_WINOGRAD_6;
        assert_true(gx_winograd_shuffles(&s));
        s.shuffled = true;
        struct operands a = {x, NULL, w, &after};
        for (int t = way % 3 ? 1 : 0; (k = gx_kernels_at(t)); t++) {
            check_product(k, &s, GX_CONV_Y, &a, 1 + way % 3, want, sums);
            check_panels(k, s, GX_CONV_Y, a, 2, want, sums);
            struct gx_conv_sizes stepped = s;
            stepped.y_step = wide;
            struct room y = room_of(sums / c * wide * sizeof *x);
            struct room scratch = room_of(k->winograd_scratch(&s, GX_CONV_Y, 2));
            k->winograd_y(&stepped, x, w, &after, floats(&y), scratch.start, 2);
            for (size_t p = 0; p < sums / c; p++)
                assert_true(distance(floats(&y) + p * wide, want + p * c, c) < 1e-4);
            free(y.start), free(scratch.start);
        }
        free(x), free(w), free(plain), free(want), free(row), free(beside);
    }
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
        cmocka_unit_test(winograd),         cmocka_unit_test(winograd_mirrored),
        cmocka_unit_test(winograd_steps),   cmocka_unit_test(winograd_shuffled),
        cmocka_unit_test(winograd_threads), cmocka_unit_test(methods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
