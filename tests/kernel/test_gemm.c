/* The matrix product: the reference by hand, and every tier against it. */
#include "../test.h"
#include "kernel/kernel.h"
#include "util/random.h"

#include <math.h>

enum { MOST = 80 };

static void by_hand(void **state)
{
    (void)state;
    const float a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {1, 0, 2, -1, 3, 1};
    float c[4] = {1, 1, 1, 1};
    gx_kernels_reference.gemm(2, 2, 3, a, 3, false, b, 2, false, 2, c, 2, 1);
    assert_true(c[0] == 16 && c[1] == 3 && c[2] == 34 && c[3] == 3);
    c[0] = NAN; /* beta 0 reads nothing */
    gx_kernels_reference.gemm(2, 2, 3, a, 2, true, b, 3, true, 0, c, 2, 1);
    assert_true(c[0] == 11 && c[1] == 1 * -1 + 3 * 3 + 5 * 1);
    assert_true(c[2] == 14 && c[3] == 2 * -1 + 4 * 3 + 6 * 1);
}

static void tiers(void **state)
{
    (void)state;
    static float a[MOST * MOST], b[MOST * MOST], c[MOST * MOST], want[MOST * MOST];
    const int shapes[][3] = {{1, 1, 1},   {3, 5, 7},   {64, 1, 33}, {1, 70, 80},
                             {17, 33, 4}, {80, 64, 1}, {13, 80, 64}};
    struct gx_random r = gx_random_at(3, GX_STREAM_TEST, 0);
    const struct gx_kernels *k;
    for (int j = 0; j < MOST * MOST; j++) {
        a[j] = gx_random_uniform(&r) - 0.5f;
        b[j] = gx_random_uniform(&r) - 0.5f;
    }
    for (int t = 1; (k = gx_kernels_at(t)); t++)
        for (int j = 0; j < 7 * 8; j++) {
            const int *s = shapes[j / 8];
            bool ta = j & 1, tb = j & 2;
            float beta = j & 4 ? 0.5f : 0;
            for (int q = 0; q < MOST * MOST; q++)
                c[q] = want[q] = (float)(q % 7);
            gx_kernels_reference.gemm(s[0], s[1], s[2], a, MOST, ta, b, MOST, tb, beta, want, MOST,
                                      1);
            k->gemm(s[0], s[1], s[2], a, MOST, ta, b, MOST, tb, beta, c, MOST, 1 + j % 3);
            for (int q = 0; q < MOST * MOST; q++)
                if (!(fabsf(c[q] - want[q]) < 1e-5f))
                    fail_msg("%s: %dx%dx%d, case %d: %g, not %g", k->name, s[0], s[1], s[2], j,
                             (double)c[q], (double)want[q]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(by_hand), cmocka_unit_test(tiers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
