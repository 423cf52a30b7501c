/* Pooling and softmax: PyTorch's numbers, finite differences, threads, and what they refuse. */
#include "../test.h"
#include "gradcheck.h"

#define CASE(name, expression)                                                                     \
    static struct gx_node *build_##name(struct gx_graph *g, struct gx_node *const *x)              \
    {                                                                                              \
        return expression;                                                                         \
    }
#define POOLS(name, k, stride, pad)                                                                \
    CASE(max_##name, gx_max_pool(g, x[0], k, stride, pad))                                         \
    CASE(avg_##name, gx_avg_pool(g, x[0], k, stride, pad))

POOLS(2x2, 2, 2, 0)
POOLS(3x3_stride, 3, 2, 1)
POOLS(3x3, 3, 1, 1)
POOLS(3x3_valid, 3, 1, 0)
POOLS(4x4, 4, 3, 2)
POOLS(1x1, 1, 1, 0)
POOLS(skip, 2, 3, 0)
POOLS(overlap, 5, 2, 2)
POOLS(wide, 2, 1, 0)
POOLS(padded_far, 3, 1, 2)
POOLS(still, 2, 0, 0)
CASE(avg_global, gx_avg_pool(g, x[0], 5, 1, 0))
CASE(log_softmax, gx_log_softmax(g, x[0]))
CASE(softmax, gx_softmax(g, x[0]))

#define POOL_ROWS(name, as)                                                                        \
    {"max_" #name, build_max_##as},                                                                \
    {                                                                                              \
        "avg_" #name, build_avg_##as, CASE_LINEAR                                                  \
    }
static const struct op_case cases[] = {
    POOL_ROWS(2x2, 2x2),
    POOL_ROWS(2x2_odd, 2x2),
    POOL_ROWS(3x3_stride, 3x3_stride),
    POOL_ROWS(3x3, 3x3),
    POOL_ROWS(3x3_valid, 3x3_valid),
    POOL_ROWS(4x4, 4x4),
    POOL_ROWS(1x1, 1x1),
    POOL_ROWS(point, 3x3),
    POOL_ROWS(skip, skip),
    POOL_ROWS(tall, 2x2),
    POOL_ROWS(tall_overlap, overlap),
    POOL_ROWS(wide, wide),
    {"max_ties", build_max_2x2, CASE_KINK},
    {"max_ties_overlap", build_max_3x3, CASE_KINK},
    {"avg_global", build_avg_global, CASE_LINEAR},
    {"log_softmax", build_log_softmax},
    {"log_softmax_one", build_log_softmax},
    {"log_softmax_far", build_log_softmax},
    {"softmax", build_softmax},
    {"softmax_two", build_softmax},
};
static struct op_table table = {"pool", cases, sizeof cases / sizeof *cases};

static void threads(void **state)
{
    (void)state;
    const struct op_case large[] = {
        POOL_ROWS(2x2, 2x2), POOL_ROWS(overlap, overlap), {"log_softmax", build_log_softmax}};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        check_threads(&large[i], (struct gx_shape[]){{2, 67, 71, 9}, {0}});
}

static void refusals(void **state)
{
    (void)state;
    const struct op_case bad[] = {POOL_ROWS(overlap, 3x3_valid), POOL_ROWS(far, padded_far),
                                  POOL_ROWS(still, still)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_refused(&bad[i], (struct gx_shape[]){{1, 2, 7, 3}, {0}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(check_parity, &table),
        cmocka_unit_test_prestate(check_differences, &table),
        cmocka_unit_test(threads),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
