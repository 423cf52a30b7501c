/* Kernels that move values about: every tier against the reference over odd sizes and one to three
 * threads; sums of few values, so equal to the last bit. */
#include "point.h"

static const struct gx_pool_sizes pools[] = {
    {1, 2, 2, 1, 2, 2, 0, 1, 1},     {2, 96, 20, 64, 2, 2, 0, 48, 10},
    {2, 17, 9, 67, 2, 2, 0, 8, 4},   {1, 37, 21, 3, 3, 2, 1, 19, 11},
    {1, 40, 8, 300, 3, 1, 1, 40, 8}, {1, 9, 8, 5, 2, 3, 0, 3, 3},
    {3, 50, 7, 33, 5, 2, 2, 25, 4},  {1, 33, 4, 40, 4, 4, 2, 9, 2},
    {1, 4, 4, 600, 1, 1, 0, 4, 4}};
enum { POOLS = sizeof pools / sizeof *pools };

/* Few different values, so that windows have several maxima; and some that are not numbers. */
static float *levels(int64_t count, uint64_t key)
{
    float *x = random_floats(count, key);
    for (int64_t i = 0; i < count; i++)
        x[i] = x[i] < -1.99f ? NAN : roundf(3 * x[i]);
    return x;
}

static void expect_same(const char *what, const char *tier, const float *got, const float *want,
                        int64_t count)
{
    expect_near(what, tier, got, want, count, 0, 0);
}

static void check_pool(const struct gx_kernels *k, const struct gx_pool_sizes *s, int threads)
{
    const int64_t in = (int64_t)s->n * s->h * s->w * s->c;
    const int64_t out = (int64_t)s->n * s->oh * s->ow * s->c;
    float *x = levels(in, 1), *u = random_floats(in, 2), *g = levels(out, 3);
    float *y = random_floats(out, 4), *want = random_floats(out, 4);
    float *dx = random_floats(in, 5), *want_dx = random_floats(in, 5);
    gx_kernels_reference.max_pool(s, x, x, want, 1);
    k->max_pool(s, x, x, y, threads);
    expect_same("max_pool", k->name, y, want, out);
    gx_kernels_reference.max_pool(s, u, x, want, 1);
    k->max_pool(s, u, x, y, threads);
    expect_same("max_pool of another", k->name, y, want, out);
    gx_kernels_reference.max_pool_scatter(s, g, x, want_dx, 1);
    k->max_pool_scatter(s, g, x, dx, threads);
    expect_same("max_pool_scatter", k->name, dx, want_dx, in);
    free(x), free(u), free(g), free(y), free(want), free(dx), free(want_dx);
}

static void pool(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    for (int i = 0; i < POOLS; i++)
        for (int tier = 0; (k = gx_kernels_at(tier)); tier++)
            for (int threads = 1; threads <= 3; threads++)
                check_pool(k, &pools[i], threads);
}

static void shuffle(void **state)
{
    (void)state;
    static const struct {
        int64_t rows, cols, c;
        int r;
    } sizes[] = {{1, 1, 1, 2},  {7, 5, 3, 2}, {9, 31, 64, 2}, {4, 6, 37, 2},
                 {5, 3, 17, 3}, {2, 4, 8, 1}, {3, 2, 4, 4}};
    const struct gx_kernels *k;
    for (int i = 0; i < 7; i++)
        for (int tier = 0; (k = gx_kernels_at(tier)); tier++)
            for (int threads = 1; threads <= 3; threads++) {
                const int64_t rows = sizes[i].rows, cols = sizes[i].cols, c = sizes[i].c;
                const int64_t count = rows * cols * c * sizes[i].r * sizes[i].r;
                float *x = random_floats(count, 1), *y = random_floats(count, 2);
                float *want = random_floats(count, 3), *back = random_floats(count, 4);
                gx_kernels_reference.pixel_shuffle(x, want, rows, cols, c, sizes[i].r, false, 1);
                k->pixel_shuffle(x, y, rows, cols, c, sizes[i].r, false, threads);
                expect_same("pixel_shuffle", k->name, y, want, count);
                k->pixel_shuffle(y, back, rows, cols, c, sizes[i].r, true, threads);
                expect_same("pixel_shuffle back", k->name, back, x, count);
                free(x), free(y), free(want), free(back);
            }
}

static void dropout(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 7, 256, 1003, 40001};
    const struct gx_kernels *k;
    for (int i = 0; i < 5; i++)
        for (int tier = 0; (k = gx_kernels_at(tier)); tier++)
            for (int threads = 1; threads <= 3; threads++) {
                /* a counter that passes 2^32 on the way */
                const uint64_t seed = 0x123456789abcdef, stream = 4ULL << 56 | 7, at = 0x5fffffff0;
                float *x = random_floats(counts[i], 1), *y = random_floats(counts[i], 2);
                float *want = random_floats(counts[i], 3);
                gx_kernels_reference.dropout(x, want, counts[i], seed, stream, at, 1U << 31, 2, 1);
                k->dropout(x, y, counts[i], seed, stream, at, 1U << 31, 2, threads);
                expect_same("dropout", k->name, y, want, counts[i]);
                k->dropout(x, x, counts[i], seed, stream, at, 1U << 31, 2, threads);
                expect_same("dropout in place", k->name, x, want, counts[i]);
                free(x), free(y), free(want);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool),
        cmocka_unit_test(shuffle),
        cmocka_unit_test(dropout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
