/* Sums, moments and normalisation: every tier against the reference over odd sizes, one to three
 * threads, in place and not; and variances that a careless sum would lose. */
#include "point.h"

struct size {
    int64_t groups, rows, c;
};

static const struct size sizes[] = {{1, 1, 1},     {1, 1, 512},  {1, 2, 3},     {3, 5, 1},
                                    {1, 40001, 1}, {2, 257, 3},  {1, 13001, 3}, {5, 70, 17},
                                    {1, 1000, 63}, {1, 700, 64}, {3, 200, 64},  {2, 37, 512},
                                    {1, 300, 512}, {1, 3, 2500}, {1, 130, 1300}};
enum { SIZES = sizeof sizes / sizeof *sizes };

typedef void check_fn(const struct gx_kernels *k, struct size s, int threads);

static void over_all(check_fn *check)
{
    const struct gx_kernels *k;
    for (int i = 0; i < SIZES; i++)
        for (int tier = 0; (k = gx_kernels_at(tier)); tier++)
            for (int threads = 1; threads <= 3; threads++)
                check(k, sizes[i], threads);
}

static void check_sum(const struct gx_kernels *k, struct size s, int threads)
{
    int64_t count = s.groups * s.rows * s.c, out = s.groups * s.c;
    float *x = random_floats(count, 1), *y = random_floats(out, 2), *want = random_floats(out, 2);
    void *scratch = scratch_for(k, s.groups, s.rows, s.c, threads);
    gx_kernels_reference.sum_rows(x, want, s.groups, s.rows, s.c, NULL, 1);
    k->sum_rows(x, y, s.groups, s.rows, s.c, scratch, threads);
    expect_near("sum_rows", k->name, y, want, out, 1e-9, 2e-7);
    free(x);
    free(y);
    free(want);
    free(scratch);
}

static void check_moments(const struct gx_kernels *k, struct size s, int threads)
{
    int64_t count = s.groups * s.rows * s.c, out = 2 * s.groups * s.c;
    float *x = random_floats(count, 1), *m = random_floats(out, 2), *want = random_floats(out, 2);
    void *scratch = scratch_for(k, s.groups, s.rows, s.c, threads);
    gx_kernels_reference.moments(x, want, s.groups, s.rows, s.c, NULL, 1);
    k->moments(x, m, s.groups, s.rows, s.c, scratch, threads);
    expect_near("moments", k->name, m, want, out, 1e-9, 2e-7);
    /* and again: not a bit differs, whatever the scratch held */
    float *again = random_floats(out, 3);
    k->moments(x, again, s.groups, s.rows, s.c, scratch, threads);
    assert_memory_equal(m, again, (size_t)out * sizeof *m);
    free(again);
    free(x);
    free(m);
    free(want);
    free(scratch);
}

/* Positive variances beside random means. */
static float *random_moments(struct size s)
{
    float *m = random_floats(2 * s.groups * s.c, 4);
    for (int64_t g = 0; g < s.groups; g++)
        for (int64_t i = 0; i < s.c; i++)
            m[(2 * g + 1) * s.c + i] = fabsf(m[(2 * g + 1) * s.c + i]) + 0.1f;
    return m;
}

static void check_norm(const struct gx_kernels *k, struct size s, int threads)
{
    int64_t count = s.groups * s.rows * s.c;
    size_t bytes = (size_t)count * sizeof(float);
    float *x = random_floats(count, 1), *m = random_moments(s), *weight = random_floats(s.c, 5);
    float *bias = random_floats(s.c, 6), *y = gx_new(bytes), *want = gx_new(bytes);
    float *beside = random_floats(count + 2, 8);
    for (int with = 0; with < 9; with++) {
        const float *w = with & 1 ? weight : NULL;
        struct gx_after after = {.bias = with & 2 ? bias : NULL, .gated = with >= 4, .slope = 0.2f};
        const struct gx_after *b = with ? &after : NULL;
        after.slopes = with == 6 ? weight : NULL;
        after.gate.x = with == 7 ? beside : NULL;
        after.sums = with == 7 ? 2 : with == 5;
        after.sum[0].scale = 0.5f, after.sum[0].with.x = with == 5 ? beside + 1 : NULL;
        after.sum[1].scale = -2, after.sum[1].with.x = beside + 2;
        gx_kernels_reference.norm(x, m, w, b, 1e-5f, want, 0, s.groups, s.rows, s.c, 1);
        k->norm(x, m, w, b, 1e-5f, y, 0, s.groups, s.rows, s.c, threads);
        expect_near("norm", k->name, y, want, count, 3e-6, 1e-6);
        float *z = copy_floats(x, count);
        k->norm(z, m, w, b, 1e-5f, z, 0, s.groups, s.rows, s.c, threads);
        assert_memory_equal(z, y, bytes);
        if (s.groups == 1 &&
            (with < 5 || with == 6)) { /* bands of rows give the whole, bit for bit */
            int64_t cut = s.rows / 3;
            k->norm(x, m, w, b, 1e-5f, z, 0, 1, cut, s.c, threads);
            k->norm(x + cut * s.c, m, w, b, 1e-5f, z + cut * s.c, 0, 1, s.rows - cut, s.c, threads);
            assert_memory_equal(z, y, bytes);
        }
        int64_t step = s.c + 5; /* some channels of a wider picture, whose others stay */
        float *wide = gx_new((size_t)(s.groups * s.rows * step) * sizeof(float));
        k->norm(x, m, w, b, 1e-5f, wide, step, s.groups, s.rows, s.c, threads);
        for (int64_t r = 0; r < s.groups * s.rows; r++) {
            assert_memory_equal(wide + r * step, y + r * s.c, (size_t)s.c * sizeof(float));
            for (int64_t j = s.c; j < step; j++)
                assert_true(wide[r * step + j] == 0);
        }
        free(z), free(wide);
    }
    free(x), free(m), free(weight), free(bias), free(y), free(want), free(beside);
}

static void check_gradient(const struct gx_kernels *k, struct size s, int threads)
{
    int64_t count = s.groups * s.rows * s.c, out = 2 * s.groups * s.c;
    size_t bytes = (size_t)count * sizeof(float);
    float *x = random_floats(count, 1), *g = random_floats(count, 7), *m = random_moments(s);
    float *weight = random_floats(s.c, 5), *sums = random_floats(out, 2);
    float *want_sums = random_floats(out, 2), *dx = gx_new(bytes), *want = gx_new(bytes);
    void *scratch = scratch_for(k, s.groups, s.rows, s.c, threads);
    gx_kernels_reference.norm_sums(g, x, m, 1e-5f, want_sums, s.groups, s.rows, s.c, NULL, 1);
    k->norm_sums(g, x, m, 1e-5f, sums, s.groups, s.rows, s.c, scratch, threads);
    expect_near("norm_sums", k->name, sums, want_sums, out, 1e-9, 3e-7);
    for (int with = 0; with < 2; with++) {
        const float *w = with ? weight : NULL;
        gx_kernels_reference.norm_dx(g, x, m, w, want_sums, 1e-5f, want, s.groups, s.rows, s.c, 1);
        k->norm_dx(g, x, m, w, want_sums, 1e-5f, dx, s.groups, s.rows, s.c, threads);
        expect_near("norm_dx", k->name, dx, want, count, 3e-5, 1e-6);
        float *z = copy_floats(g, count);
        k->norm_dx(z, x, m, w, want_sums, 1e-5f, z, s.groups, s.rows, s.c, threads);
        assert_memory_equal(z, dx, bytes);
        free(z);
    }
    free(x), free(g), free(m), free(weight), free(sums), free(want_sums), free(dx), free(want);
    free(scratch);
}

static void sums(void **state)
{
    (void)state;
    over_all(check_sum);
}

static void moments(void **state)
{
    (void)state;
    over_all(check_moments);
}

static void norm(void **state)
{
    (void)state;
    over_all(check_norm);
}

static void gradient(void **state)
{
    (void)state;
    over_all(check_gradient);
}

/* Data far from zero: mean 1000, deviation 0.01; its exact variance is known from integers. */
static void far_from_zero(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    const int64_t channels[] = {1, 3, 64};
    for (int i = 0; i < 3; i++) {
        enum { ROWS = 20000 };
        int64_t c = channels[i];
        float *x = gx_new((size_t)(ROWS * c) * sizeof *x), m[128];
        struct gx_random r = gx_random_at(1, GX_STREAM_TEST, 9);
        double sum = 0, square = 0; /* of channel c - 1, in units of 2^-14, about 1000 */
        for (int64_t j = 0; j < ROWS * c; j++) {
            double unit = nearbyint(164 * gx_random_normal(&r));
            x[j] = (float)(1000 + unit * 0x1p-14);
            if (j % c == c - 1) {
                sum += unit;
                square += unit * unit;
            }
        }
        double variance = (square - sum * sum / ROWS) / ROWS * 0x1p-28;
        for (int tier = 0; (k = gx_kernels_at(tier)); tier++)
            for (int threads = 1; threads <= 3; threads++) {
                void *scratch = scratch_for(k, 1, ROWS, c, threads);
                k->moments(x, m, 1, ROWS, c, scratch, threads);
                assert_true(fabs(m[c - 1] - 1000) < 0.001);
                assert_true(fabs(m[2 * c - 1] - variance) < 1e-6 * variance);
                free(scratch);
            }
        free(x);
    }
}

/* The same number everywhere has no variance at all; a number that is none is not hidden. */
static void constant_and_nan(void **state)
{
    (void)state;
    enum { ROWS = 15000, C = 3 };
    const struct gx_kernels *k;
    float *x = gx_new(ROWS * C * sizeof *x), m[2 * C];
    for (int tier = 0; (k = gx_kernels_at(tier)); tier++) {
        void *scratch = scratch_for(k, 1, ROWS, C, 2);
        for (int i = 0; i < ROWS * C; i++)
            x[i] = 0.1f;
        k->moments(x, m, 1, ROWS, C, scratch, 2);
        for (int i = 0; i < C; i++)
            assert_true(m[i] == 0.1f && m[C + i] < 1e-30f && m[C + i] >= 0);
        x[ROWS * C - 2] = NAN;
        k->moments(x, m, 1, ROWS, C, scratch, 2);
        assert_true(isnan(m[1]) && isnan(m[C + 1]) && !isnan(m[0]) && !isnan(m[C + 2]));
        free(scratch);
    }
    free(x);
}

/* Numbers of all magnitudes that cancel: what is left shows in which order they were added. */
static void any_number_of_threads(void **state)
{
    enum { ROWS = 5001, COLS = 24 };
    const struct gx_kernels *k;
    float *x = random_floats(ROWS * COLS, 1), *power = random_floats(ROWS * COLS, 2);
    float y[COLS], want[COLS];
    (void)state;
    for (int i = 0; i < ROWS * COLS; i++)
        x[i] = i < ROWS / 2 * COLS ? ldexpf(x[i], (int)(20 * power[i]))
                                   : -x[(ROWS - 1 - i / COLS) * COLS + i % COLS];
    for (int tier = 0; (k = gx_kernels_at(tier)); tier++)
        for (int threads = 1; threads <= 5; threads++) {
            void *scratch = scratch_for(k, 1, ROWS, COLS, threads);
            k->sum_rows(x, threads == 1 ? want : y, 1, ROWS, COLS, scratch, threads);
            free(scratch);
            if (threads > 1)
                assert_memory_equal(y, want, sizeof y);
        }
    free(x);
    free(power);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),
        cmocka_unit_test(moments),
        cmocka_unit_test(norm),
        cmocka_unit_test(gradient),
        cmocka_unit_test(far_from_zero),
        cmocka_unit_test(constant_and_nan),
        cmocka_unit_test(any_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
