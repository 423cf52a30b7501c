/* Winograd's method where transforms are kept for the convolutions that read the same channels
 * again: the same bits as without, from what is kept alone. */
#include "conv.h"

enum { LINKS = 5, MOST = 192 };

/* A chain of convolutions: the first reads `first` channels, each other `more` than the one before;
 * the last makes as many as the first reads, the others `more`. */
struct chain {
    int n, h, w, first, more, k, pad;
    bool mirrored;
};

static struct gx_conv_sizes link(const struct chain *c, int i)
{
    int out = i < LINKS - 1 ? c->more : c->first;
    struct gx_conv_sizes s = sizes(c->n, c->h, c->w, c->first + i * c->more, out, c->k, 1, c->pad);
    s.method = GX_CONV_WINOGRAD_6;
    s.mirrored = c->mirrored;
    s.x_step = MOST;
    return s;
}

/* A convolution's y without, held against the reference's where that takes little time. */
static float *without(const struct gx_kernels *k, const struct gx_conv_sizes *s, const float *x,
                      const float *w, const struct gx_after *after, int threads)
{
    size_t pixels = (size_t)s->n * s->h * s->w, count = (size_t)s->n * s->oh * s->ow * s->o;
    struct room scratch = room_of(k->winograd_scratch(s, GX_CONV_Y, threads));
    float *y = numbers(count, 1);
    k->winograd_y(s, x, w, after, y, scratch.start, threads);
    free(scratch.start);
    if (pixels * s->i * s->o > 20000)
        return y;
    struct gx_conv_sizes dense = *s;
    float *want = numbers(count, 2), *narrow = numbers(pixels * s->i, 3);
    for (size_t p = 0; p < pixels; p++)
        memcpy(narrow + p * s->i, x + p * MOST, (size_t)s->i * sizeof *x);
    dense.x_step = 0;
    gx_kernels_reference.winograd_y(&dense, narrow, w, after, want, NULL, 1);
    assert_true(distance(y, want, count) < winograd_limit[1][GX_CONV_Y]);
    free(want), free(narrow);
    return y;
}

/* Channels that were read are no longer numbers when the next convolution comes. */
static void spoil(const struct gx_conv_sizes *s, float *x)
{
    for (size_t p = 0; p < (size_t)s->n * s->h * s->w; p++)
        for (int c = 0; c < s->i / 16 * 16; c++)
            x[p * MOST + c] = NAN;
}

static void check_chain(const struct gx_kernels *k, const struct chain *c, int threads)
{
    struct gx_conv_sizes s = link(c, LINKS - 1);
    int widest = s.kept = s.i, have = 0;
    float *x = numbers((size_t)c->n * c->h * c->w * MOST, 4);
    struct room scratch = room_of(k->winograd_scratch(&s, GX_CONV_Y, threads));
    for (int i = 0; i < LINKS; i++) {
        s = link(c, i);
        size_t count = (size_t)s.n * s.oh * s.ow * s.o;
        float *w = weights((size_t)s.kh * s.kw * s.i * s.o, i % 2 ? GX_F16 : GX_F32);
        float *row = numbers(s.o, 5);
        struct gx_after after = {.bias = row, .gated = true, .slope = 0.2F};
        s.dtype = i % 2 ? GX_F16 : GX_F32;
        float *whole = numbers((size_t)c->n * c->h * c->w * MOST, 4);
        float *want = without(k, &s, whole, w, &after, threads);
        struct room got = room_of(count * sizeof *want);
        s.kept = widest;
        s.have = have;
        assert_int_equal(k->winograd_scratch(&s, GX_CONV_Y, threads), scratch.bytes);
        k->winograd_y(&s, x, w, &after, floats(&got), scratch.start, threads);
        compare(k, &s, "kept y", threads, &got, &scratch, want, 0);
        have = s.i;
        spoil(&s, x);
        free(w), free(row), free(whole), free(want), free(got.start);
    }
    free(x), free(scratch.start);
}

/* Of more tiles than a batch has and of fewer than there are threads, with channels that are whole
 * vectors, some, or no chunks, and not. */
static void chains(void **state)
{
    (void)state;
    const struct chain all[] = {{2, 13, 22, 64, 32, 3, 1, false}, {1, 9, 7, 48, 24, 3, 1, false},
                                {1, 5, 21, 20, 12, 3, 0, false},  {1, 3, 3, 16, 16, 3, 1, false},
                                {2, 7, 12, 100, 7, 3, 1, true},   {3, 8, 6, 120, 18, 4, 2, false},
                                {1, 75, 90, 16, 1, 3, 1, false}};
    const struct gx_kernels *k;
    for (size_t j = 0; j < sizeof all / sizeof *all; j++)
        for (int t = 1; (k = gx_kernels_at(t)); t++)
            for (int threads = 1; threads <= 3; threads++)
                check_chain(k, &all[j], threads);
}

/* Where it pays. */
static void choice(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    struct gx_conv_sizes block = sizes(1, 64, 64, 96, 32, 3, 1, 1), few = block, many = block;
    few.h = few.w = few.oh = few.ow = 8;
    few.o = 512;
    many.n = 32;
    for (int t = 0; (k = gx_kernels_at(t)); t++) {
        struct gx_conv_sizes *all[] = {&block, &few, &many};
        for (int j = 0; j < 3; j++) {
            all[j]->method = GX_CONV_WINOGRAD_6;
            all[j]->kept = MOST;
            assert_int_equal(k->winograd_keeps(all[j], 2), t > 0 && j == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chains),
        cmocka_unit_test(choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
