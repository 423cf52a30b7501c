/* Operators of one and two inputs, sums and repetition: PyTorch's numbers, finite differences. */
#include "../test.h"
#include "gradcheck.h"

#define CASE(name, expression)                                                                     \
    static struct gx_node *build_##name(struct gx_graph *g, struct gx_node *const *x)              \
    {                                                                                              \
        return expression;                                                                         \
    }

CASE(affine, gx_affine(g, x[0], 1.5f, -0.25f))
CASE(scale, gx_scale(g, x[0], -0.3f))
CASE(abs, gx_abs(g, x[0]))
CASE(sign, gx_sign(g, x[0]))
CASE(sqrt, gx_sqrt(g, x[0]))
CASE(pow, gx_pow(g, x[0], 2.5f))
CASE(pow_inverse, gx_pow(g, x[0], -1))
CASE(pow_cube, gx_pow(g, x[0], 3))
CASE(square, gx_square(g, x[0]))
CASE(exp, gx_exp(g, x[0]))
CASE(log, gx_log(g, x[0]))
CASE(tanh, gx_tanh(g, x[0]))
CASE(sigmoid, gx_sigmoid(g, x[0]))
CASE(softplus, gx_softplus(g, x[0]))
CASE(relu, gx_relu(g, x[0]))
CASE(leaky_relu, gx_leaky_relu(g, x[0], 0.2f))
CASE(clamp, gx_clamp(g, x[0], -0.7f, 0.8f))
CASE(stop_gradient, gx_mul(g, x[0], gx_stop_gradient(g, x[0])))
CASE(add, gx_add(g, x[0], x[1]))
CASE(sub, gx_sub(g, x[0], x[1]))
CASE(mul, gx_mul(g, x[0], x[1]))
CASE(div, gx_div(g, x[0], x[1]))
CASE(max, gx_max(g, x[0], x[1]))
CASE(prelu, gx_prelu(g, x[0], x[1]))
CASE(sum_n, gx_sum(g, x[0], GX_AXIS_N))
CASE(sum_h, gx_sum(g, x[0], GX_AXIS_H))
CASE(sum_w, gx_sum(g, x[0], GX_AXIS_W))
CASE(sum_c, gx_sum(g, x[0], GX_AXIS_C))
CASE(sum_hw, gx_sum(g, x[0], GX_AXIS_H | GX_AXIS_W))
CASE(sum_nhw, gx_sum(g, x[0], GX_AXES_ALL & ~GX_AXIS_C))
CASE(sum_hwc, gx_sum(g, x[0], GX_AXES_ALL & ~GX_AXIS_N))
CASE(sum_nc, gx_sum(g, x[0], GX_AXIS_N | GX_AXIS_C))
CASE(sum_nhwc, gx_sum(g, x[0], GX_AXES_ALL))
CASE(mean_hw, gx_mean(g, x[0], GX_AXIS_H | GX_AXIS_W))
CASE(mean_nhw, gx_mean(g, x[0], GX_AXES_ALL & ~GX_AXIS_C))
CASE(mean_c, gx_mean(g, x[0], GX_AXIS_C))
CASE(mean_nhwc, gx_mean(g, x[0], GX_AXES_ALL))
CASE(broadcast, gx_broadcast(g, x[0], (struct gx_shape){2, 3, 4, 3}))

static const struct op_case cases[] = {
    {"affine", build_affine},
    {"scale", build_scale},
    {"abs", build_abs},
    {"abs_zero", build_abs, CASE_KINK},
    {"sign", build_sign},
    {"sqrt", build_sqrt},
    {"pow", build_pow},
    {"pow_inverse", build_pow_inverse},
    {"pow_cube", build_pow_cube},
    {"square", build_square},
    {"exp", build_exp},
    {"log", build_log},
    {"tanh", build_tanh},
    {"tanh_far", build_tanh, .slack = 4}, /* 1 - y y cancels far out */
    {"sigmoid", build_sigmoid},
    {"sigmoid_far", build_sigmoid},
    {"softplus", build_softplus},
    {"softplus_far", build_softplus},
    {"relu", build_relu},
    {"relu_zero", build_relu, CASE_KINK},
    {"leaky_relu", build_leaky_relu},
    {"clamp", build_clamp},
    {"stop_gradient", build_stop_gradient, CASE_KINK},
    {"add_same", build_add},
    {"add_scalar", build_add},
    {"add_channel", build_add},
    {"add_channel_first", build_add},
    {"add_image", build_add},
    {"add_pixel", build_add},
    {"add_image_channel", build_add},
    {"add_row", build_add},
    {"add_column", build_add},
    {"add_both", build_add},
    {"add_odd", build_add},
    {"mul_same", build_mul},
    {"mul_scalar", build_mul},
    {"mul_channel", build_mul},
    {"mul_channel_first", build_mul},
    {"mul_image", build_mul},
    {"mul_pixel", build_mul},
    {"mul_image_channel", build_mul},
    {"mul_row", build_mul},
    {"mul_column", build_mul},
    {"mul_both", build_mul},
    {"mul_odd", build_mul},
    {"sub_same", build_sub},
    {"sub_channel", build_sub},
    {"sub_channel_first", build_sub},
    {"sub_both", build_sub},
    {"div_same", build_div},
    {"div_channel", build_div},
    {"div_channel_first", build_div},
    {"div_both", build_div},
    {"max_same", build_max},
    {"max_channel", build_max},
    {"max_both", build_max},
    {"max_tie", build_max, CASE_KINK},
    {"prelu", build_prelu},
    {"prelu_one", build_prelu},
    {"sum_n", build_sum_n},
    {"sum_h", build_sum_h},
    {"sum_w", build_sum_w},
    {"sum_c", build_sum_c},
    {"sum_hw", build_sum_hw},
    {"sum_nhw", build_sum_nhw},
    {"sum_hwc", build_sum_hwc},
    {"sum_nc", build_sum_nc},
    {"sum_nhwc", build_sum_nhwc},
    {"mean_hw", build_mean_hw},
    {"mean_nhw", build_mean_nhw},
    {"mean_c", build_mean_c},
    {"mean_nhwc", build_mean_nhwc},
    {"broadcast_scalar", build_broadcast},
    {"broadcast_channel", build_broadcast},
    {"broadcast_row", build_broadcast},
    {"broadcast_image", build_broadcast},
};
static struct op_table table = {"pointwise", cases, sizeof cases / sizeof *cases};

static void refusals(void **state)
{
    (void)state;
    const struct op_case add = {"add", build_add}, repeat = {"broadcast", build_broadcast};
    check_refused(&add, (struct gx_shape[]){{1, 3, 4, 2}, {1, 3, 4, 3}, {0}});
    check_refused(&repeat, (struct gx_shape[]){{2, 3, 4, 2}, {0}});
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
