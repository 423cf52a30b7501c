/* Optimizer sweeps: every tier against the reference over odd sizes and one to three threads. That
 * the reference is PyTorch's arithmetic is shown in tests/optim. */
#include "point.h"

static const int64_t sizes[] = {0, 1, 15, 1003, 40005};

struct arrays {
    float *w, *g, *m, *v;
};

static struct arrays make(int64_t n)
{
    struct arrays a = {random_floats(n, 1), random_floats(n, 2), random_floats(n, 3),
                       random_floats(n, 4)};
    for (int64_t i = 0; i < n; i++)
        a.v[i] *= a.v[i];
    return a;
}

static void drop(struct arrays *a)
{
    free(a->w), free(a->g), free(a->m), free(a->v);
}

typedef bool step_fn(const struct gx_kernels *k, struct arrays a, int64_t n, int variant,
                     int threads);

static bool adam(const struct gx_kernels *k, struct arrays a, int64_t n, int variant, int threads)
{
    return k->adam(a.w, a.g, a.m, a.v, n, 0.01f, 0.5f, 0.999f, 1e-8f, 0.75f, 0.002f,
                   variant & 1 ? 0.1f : 0, variant & 2 ? 0.3f : 1, threads);
}

static bool rmsprop(const struct gx_kernels *k, struct arrays a, int64_t n, int variant,
                    int threads)
{
    return k->rmsprop(a.w, a.g, a.v, n, 0.01f, 0.99f, 1e-8f, variant & 1 ? 0.1f : 0,
                      variant & 2 ? 0.3f : 1, threads);
}

static bool sgd(const struct gx_kernels *k, struct arrays a, int64_t n, int variant, int threads)
{
    return k->sgd(a.w, a.g, a.m, n, 0.01f, variant & 1 ? 0.9f : 0, variant & 2, variant & 4, 0.1f,
                  0.3f, threads);
}

static bool average(const struct gx_kernels *k, struct arrays a, int64_t n, int variant,
                    int threads)
{
    k->average(a.m, a.w, n, variant ? 0.999f : 0, threads);
    return true;
}

static void check(const char *name, step_fn *step, int variants)
{
    const struct gx_kernels *k;
    for (int s = 0; s < 5; s++) {
        for (int variant = 0; variant < variants; variant++) {
            int64_t n = sizes[s];
            struct arrays want = make(n);
            step(&gx_kernels_reference, want, n, variant, 1);
            for (int tier = 1; (k = gx_kernels_at(tier)); tier++) {
                for (int threads = 1; threads <= 3; threads++) {
                    struct arrays a = make(n);
                    assert_true(step(k, a, n, variant, threads));
                    expect_near(name, k->name, a.w, want.w, n, 3e-7, 1e-6);
                    expect_near(name, k->name, a.m, want.m, n, 3e-7, 1e-6);
                    expect_near(name, k->name, a.v, want.v, n, 3e-7, 1e-6);
                    assert_memory_equal(a.g, want.g, (size_t)n * sizeof *a.g);
                    drop(&a);
                }
            }
            drop(&want);
        }
    }
}

static void steps(void **state)
{
    (void)state;
    check("adam", adam, 4);
    check("rmsprop", rmsprop, 4);
    check("sgd", sgd, 8);
    check("average", average, 2);
}

/* The padding behind a tensor has no weight, no gradient and no moments: it must stay so. */
static void zeros_stay(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    for (int tier = 0; (k = gx_kernels_at(tier)); tier++) {
        float w[16] = {0}, g[16] = {0}, m[16] = {0}, v[16] = {0}, zero[16] = {0};
        struct arrays a = {w, g, m, v};
        adam(k, a, 16, 3, 1);
        rmsprop(k, a, 16, 3, 1);
        sgd(k, a, 16, 7, 1);
        for (int i = 0; i < 16; i++)
            assert_true(w[i] == zero[i] && m[i] == 0 && v[i] == 0);
    }
}

/* One gradient that is no finite number is noticed wherever it is. */
static void not_finite(void **state)
{
    (void)state;
    step_fn *const steps[] = {adam, rmsprop, sgd, sgd};
    const float bad[] = {NAN, INFINITY, -INFINITY, 3e38f};
    const struct gx_kernels *k;
    for (int tier = 0; (k = gx_kernels_at(tier)); tier++)
        for (int threads = 1; threads <= 3; threads++)
            for (int i = 0; i < 16; i++) {
                enum { N = 40005 };
                const int64_t where[] = {0, 17777, N - 1};
                struct arrays a = make(N);
                a.g[where[i % 3]] = bad[i % 4];
                assert_int_equal(steps[i / 4](k, a, N, i / 12, threads), i % 4 == 3);
                drop(&a);
            }
}

static void sum_squares(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    for (int s = 0; s < 5; s++) {
        int64_t n = sizes[s];
        float *x = random_floats(n, 5);
        double want = gx_kernels_reference.sum_squares(x, n, 1);
        for (int tier = 0; (k = gx_kernels_at(tier)); tier++)
            for (int threads = 1; threads <= 3; threads++) {
                assert_true(fabs(k->sum_squares(x, n, threads) - want) <= 1e-13 * want);
                if (n == 0)
                    continue;
                const float bad[] = {NAN, INFINITY, -INFINITY};
                float held = x[n - 1];
                for (int i = 0; i < 3; i++) {
                    x[n - 1] = bad[i];
                    assert_false(isfinite(k->sum_squares(x, n, threads)));
                }
                x[n - 1] = 3.4e38f; /* large, but finite */
                assert_true(isfinite(k->sum_squares(x, n, threads)));
                x[n - 1] = held;
            }
        free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps),
        cmocka_unit_test(zeros_stay),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(sum_squares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
