/* Convolutions, transposed ones, matrix products: PyTorch's numbers and finite differences. */
#include "../test.h"
#include "gradcheck.h"

#define CASE(name, expression)                                                                     \
    static struct gx_node *build_##name(struct gx_graph *g, struct gx_node *const *x)              \
    {                                                                                              \
        return expression;                                                                         \
    }
#define CONV(stride, pad, bias) gx_conv2d(g, x[0], x[1], bias, (struct gx_conv){stride, pad, 0})
#define TRANSPOSED(stride, pad, extra, bias)                                                       \
    gx_conv2d_transposed(g, x[0], x[1], bias, (struct gx_conv){stride, pad, extra})

CASE(conv_1_0, CONV(1, 0, NULL))
CASE(conv_1_0_bias, CONV(1, 0, x[2]))
CASE(conv_1_1, CONV(1, 1, NULL))
CASE(conv_1_1_bias, CONV(1, 1, x[2]))
CASE(conv_1_2_bias, CONV(1, 2, x[2]))
CASE(conv_1_3_bias, CONV(1, 3, x[2]))
CASE(conv_2_0, CONV(2, 0, NULL))
CASE(conv_2_1, CONV(2, 1, NULL))
CASE(conv_2_1_bias, CONV(2, 1, x[2]))
CASE(conv_3_0_bias, CONV(3, 0, x[2]))
CASE(transposed_1_0, TRANSPOSED(1, 0, 0, NULL))
CASE(transposed_1_1_bias, TRANSPOSED(1, 1, 0, x[2]))
CASE(transposed_2_1, TRANSPOSED(2, 1, 0, NULL))
CASE(transposed_2_1_bias, TRANSPOSED(2, 1, 0, x[2]))
CASE(transposed_2_1_1_bias, TRANSPOSED(2, 1, 1, x[2]))
CASE(transposed_3_0_2_bias, TRANSPOSED(3, 0, 2, x[2]))
CASE(matmul_nn, gx_matmul(g, x[0], x[1], false, false))
CASE(matmul_nt, gx_matmul(g, x[0], x[1], false, true))
CASE(matmul_tn, gx_matmul(g, x[0], x[1], true, false))
CASE(matmul_tt, gx_matmul(g, x[0], x[1], true, true))
CASE(linear, gx_linear(g, x[0], x[1], x[2]))
CASE(linear_plain, gx_linear(g, x[0], x[1], NULL))

static const struct op_case cases[] = {
    {"conv_1x1", build_conv_1_0_bias, CASE_LINEAR},
    {"conv_1x1_stride", build_conv_2_0, CASE_LINEAR},
    {"conv_3x3", build_conv_1_1_bias, CASE_LINEAR},
    {"conv_3x3_valid", build_conv_1_0, CASE_LINEAR},
    {"conv_3x3_wide", build_conv_1_2_bias, CASE_LINEAR},
    {"conv_3x3_stride", build_conv_2_1_bias, CASE_LINEAR},
    {"conv_4x4_stride", build_conv_2_1_bias, CASE_LINEAR},
    {"conv_4x4", build_conv_1_1, CASE_LINEAR},
    {"conv_7x7", build_conv_1_3_bias, CASE_LINEAR},
    {"conv_flat", build_conv_1_1_bias, CASE_LINEAR},
    {"conv_skip", build_conv_3_0_bias, CASE_LINEAR},
    {"conv_point", build_conv_1_1_bias, CASE_LINEAR},
    {"conv_point_stride", build_conv_2_1, CASE_LINEAR},
    {"conv_winograd", build_conv_1_1_bias, CASE_LINEAR | CASE_WINOGRAD},
    {"conv_winograd_valid", build_conv_1_0, CASE_LINEAR | CASE_WINOGRAD},
    {"conv_winograd_4x4", build_conv_1_1_bias, CASE_LINEAR | CASE_WINOGRAD},
    {"conv_stride_sixteen", build_conv_2_1_bias, CASE_LINEAR},
    {"transposed_4x4", build_transposed_2_1_bias, CASE_LINEAR},
    {"transposed_3x3", build_transposed_2_1_1_bias, CASE_LINEAR},
    {"transposed_3x3_odd", build_transposed_2_1, CASE_LINEAR},
    {"transposed_plain", build_transposed_1_1_bias, CASE_LINEAR},
    {"transposed_gap", build_transposed_3_0_2_bias, CASE_LINEAR},
    {"transposed_1x1", build_transposed_1_0, CASE_LINEAR},
    {"transposed_point", build_transposed_2_1_bias, CASE_LINEAR},
    {"transposed_winograd", build_transposed_1_1_bias, CASE_LINEAR | CASE_WINOGRAD},
    {"matmul_nn", build_matmul_nn, CASE_LINEAR},
    {"matmul_nt", build_matmul_nt, CASE_LINEAR},
    {"matmul_tn", build_matmul_tn, CASE_LINEAR},
    {"matmul_tt", build_matmul_tt, CASE_LINEAR},
    {"matmul_dot", build_matmul_nn, CASE_LINEAR},
    {"linear", build_linear, CASE_LINEAR},
    {"linear_plain", build_linear_plain, CASE_LINEAR},
};
static struct op_table table = {"product", cases, sizeof cases / sizeof *cases};

static void refusals(void **state)
{
    (void)state;
    const struct op_case conv = {"conv", build_conv_1_0}, biased = {"bias", build_conv_1_0_bias};
    const struct op_case extra = {"output padding", build_transposed_3_0_2_bias};
    const struct op_case matmul = {"matmul", build_matmul_nn};
    const struct op_case linear = {"linear", build_linear};
    check_refused(&conv, (struct gx_shape[]){{1, 2, 4, 3}, {3, 3, 3, 5}, {0}});
    check_refused(&conv, (struct gx_shape[]){{1, 4, 4, 2}, {3, 3, 3, 5}, {0}});
    check_refused(&biased, (struct gx_shape[]){{1, 4, 4, 3}, {3, 3, 3, 5}, {1, 1, 1, 4}, {0}});
    check_refused(&extra, (struct gx_shape[]){{1, 4, 4, 3}, {3, 3, 2, 5}, {1, 1, 1, 2}, {0}});
    check_refused(&matmul, (struct gx_shape[]){{1, 2, 4, 3}, {1, 2, 4, 3}, {0}});
    check_refused(&linear, (struct gx_shape[]){{2, 1, 1, 3}, {1, 1, 5, 4}, {1, 1, 1, 5}, {0}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(check_parity, &table),
        cmocka_unit_test_prestate(check_differences, &table),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
