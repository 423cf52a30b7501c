/* What the matrix unit for bfloat16 reads and writes otherwise than as whole pictures, channels of
 * wider ones and mirrored edges: the same bits as from pictures laid out for it. And pictures of few
 * channels, which it multiplies in two terms. */
#include "conv.h"

enum { WIDE = 137, AT = 5, O = 40, THREADS = 2 };

static void *scratch_of(const struct gx_kernels *k, const struct gx_conv_sizes *s)
{
    void *scratch = aligned_alloc(64, (k->conv2d_scratch(s, GX_CONV_Y, THREADS) + 63) / 64 * 64);
    assert_non_null(scratch);
    return scratch;
}

static struct gx_conv_sizes sizes_of(int h, int w, int i, bool fine)
{
    return (struct gx_conv_sizes){.n = 2,
                                  .h = h,
                                  .w = w,
                                  .i = i,
                                  .o = O,
                                  .kh = 3,
                                  .kw = 3,
                                  .stride = 1,
                                  .pad = 1,
                                  .oh = h,
                                  .ow = w,
                                  .dtype = GX_BF16,
                                  .fine = fine};
}

static void steps_of(const struct gx_kernels *k, const struct gx_conv_sizes *dense)
{
    struct gx_conv_sizes s = *dense;
    size_t pixels = (size_t)s.n * s.h * s.w;
    float *x = numbers(pixels * WIDE, 1), *w = numbers((size_t)9 * s.i * O, 2);
    float *beside = numbers(pixels * WIDE, 3), *narrow = numbers(pixels * s.i, 4);
    float *want = numbers(pixels * O, 5), *y = numbers(pixels * WIDE, 6);
    float *before = numbers(pixels * WIDE, 6);
    void *scratch = scratch_of(k, &s);
    struct gx_after after = {.sums = 1, .sum = {{0.5F, {beside, WIDE}}}};
    k->halve(GX_BF16, w, w, (int64_t)9 * s.i * O, 1);
    for (size_t p = 0; p < pixels; p++)
        memcpy(narrow + p * s.i, x + p * WIDE + AT, (size_t)s.i * sizeof *x);
    k->conv2d(&s, narrow, w, &after, want, scratch, THREADS);
    s.x_step = s.y_step = WIDE;
    k->conv2d(&s, x + AT, w, &after, y + AT, scratch, THREADS);
    for (size_t p = 0; p < pixels; p++) {
        float *at = y + p * WIDE + AT;
        assert_memory_equal(at, want + p * O, O * sizeof *y);
        memcpy(at, before + p * WIDE + AT, O * sizeof *y);
    }
    assert_memory_equal(y, before, pixels * WIDE * sizeof *y); /* the other channels */
    free(x), free(w), free(beside), free(narrow), free(want), free(y), free(before), free(scratch);
}

static int mirrored(int at, int size)
{
    at = at < 0 ? -at : at;
    return at < size ? at : 2 * (size - 1) - at;
}

/* `pad` from 1 on, with kernels of 3: results are larger than the picture for pads above. */
static void mirrors_of(const struct gx_kernels *k, const struct gx_conv_sizes *inside, int pad)
{
    struct gx_conv_sizes s = *inside, padded;
    s.pad = pad;
    s.oh = s.h + 2 * pad - 2;
    s.ow = s.w + 2 * pad - 2;
    padded = s;
    padded.pad = 0;
    padded.h += 2 * pad;
    padded.w += 2 * pad;
    size_t bytes = (size_t)s.i * sizeof(float), out = (size_t)s.n * s.oh * s.ow * O;
    size_t pixels = (size_t)s.n * padded.h * padded.w;
    float *x = numbers((size_t)s.n * s.h * s.w * s.i, 1), *large = numbers(pixels * s.i, 2);
    float *w = numbers((size_t)9 * s.i * O, 3), *want = numbers(out, 4), *y = numbers(out, 5);
    void *scratch = scratch_of(k, &s), *other = scratch_of(k, &padded);
    k->halve(GX_BF16, w, w, (int64_t)9 * s.i * O, 1);
    for (size_t p = 0; p < pixels; p++) {
        int col = mirrored((int)p % padded.w - pad, s.w), line = (int)p / padded.w;
        int row = mirrored(line % padded.h - pad, s.h) + line / padded.h * s.h;
        memcpy(large + p * s.i, x + ((size_t)row * s.w + col) * s.i, bytes);
    }
    k->conv2d(&padded, large, w, NULL, want, other, THREADS);
    s.mirrored = true;
    k->conv2d(&s, x, w, NULL, y, scratch, THREADS);
    assert_memory_equal(y, want, out * sizeof *y);
    free(x), free(large), free(w), free(want), free(y), free(scratch), free(other);
}

/* Patches, and runs that are copied out; one term and two. Kernels without the unit do not claim
 * that they could. */
static void as_laid_out(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    for (int t = 0; (k = gx_kernels_at(t)); t++)
        for (int q = 0; q < 16; q++) {
            const struct gx_conv_sizes s =
                sizes_of(q & 1 ? 9 : 20, q & 2 ? 7 : 37, q & 4 ? 33 : 64, q & 8);
            enum gx_conv_method method = k->conv2d_method(&s, GX_CONV_Y);
            assert_true(method != GX_CONV_BF16 || !strcmp(k->name, "v4"));
            if (method != GX_CONV_BF16)
                continue;
            steps_of(k, &s);
            for (int pad = 1; pad <= 3; pad++)
                mirrors_of(k, &s, pad);
        }
}

/* Pictures of few channels, whose products are float32's but for 2^-14 of the largest result: other
 * sizes are left to float32. Several strides, pads and ends. */
static void few_channels(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    for (int t = 0; (k = gx_kernels_at(t)); t++)
        for (int q = 0; q < 12; q++) {
            const int of[][4] = {{3, 7, 1, 3}, {8, 7, 1, 3}, {6, 4, 2, 1}, {1, 3, 1, 1}};
            const int *v = of[q % 4];
            struct gx_conv_sizes s = sizes_of(q < 8 ? 19 : 40, q < 4 ? 90 : 37, v[0], false);
            s.dtype = GX_F32;
            s.terms = true;
            s.kh = s.kw = v[1], s.stride = v[2], s.pad = v[3];
            s.oh = (s.h + 2 * s.pad - s.kh) / s.stride + 1;
            s.ow = (s.w + 2 * s.pad - s.kw) / s.stride + 1;
            size_t count = (size_t)s.n * s.oh * s.ow * O;
            float *x = numbers((size_t)s.n * s.h * s.w * s.i, 1), *want = numbers(count, 2);
            float *w = numbers((size_t)s.kh * s.kw * s.i * O, 3), *y = numbers(count, 4);
            float *bias = numbers(O, 5), *other = numbers(count, 6);
            void *scratch = scratch_of(k, &s);
            struct gx_after after = {.bias = bias, .gated = true, .slope = 0.2F};
            gx_kernels_reference.conv2d(&s, x, w, &after, want, NULL, 1);
            k->conv2d(&s, x, w, &after, y, scratch, THREADS);
            assert_true(distance(y, want, count) < 0x1p-14);
            k->conv2d(&s, x, w, &after, other, scratch, 1);
            assert_memory_equal(y, other, count * sizeof *y);
            free(x), free(want), free(w), free(y), free(bias), free(other), free(scratch);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_laid_out),
                                       cmocka_unit_test(few_channels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
