/* Batch and instance norms, with and without affine, and with statistics from elsewhere: PyTorch's
 * numbers and finite differences, both to the second order. */
#include "../test.h"
#include "gradcheck.h"

#define CASE(name, expression)                                                                     \
    static struct gx_node *build_##name(struct gx_graph *g, struct gx_node *const *x)              \
    {                                                                                              \
        return expression;                                                                         \
    }

CASE(moments_batch, gx_moments(g, x[0], GX_OVER_BATCH))
CASE(moments_image, gx_moments(g, x[0], GX_OVER_IMAGE))
CASE(batch, gx_norm(g, x[0], gx_moments(g, x[0], GX_OVER_BATCH), x[1], x[2], 1e-5f))
CASE(batch_plain, gx_norm(g, x[0], gx_moments(g, x[0], GX_OVER_BATCH), NULL, NULL, 1e-5f))
CASE(image, gx_norm(g, x[0], gx_moments(g, x[0], GX_OVER_IMAGE), x[1], x[2], 1e-5f))
CASE(image_plain, gx_norm(g, x[0], gx_moments(g, x[0], GX_OVER_IMAGE), NULL, NULL, 1e-5f))
CASE(image_soft, gx_norm(g, x[0], gx_moments(g, x[0], GX_OVER_IMAGE), x[1], x[2], 0.5f))
CASE(fixed, gx_norm_fixed(g, x[0], x[1], x[2], x[3], 1e-5f))
CASE(fixed_plain, gx_norm_fixed(g, x[0], x[1], NULL, NULL, 1e-5f))

static const struct op_case cases[] = {
    {"moments_batch", build_moments_batch},
    {"moments_image", build_moments_image},
    {"batch", build_batch},
    {"batch_plain", build_batch_plain},
    {"batch_one", build_batch},
    {"batch_pixels", build_batch},
    {"batch_wide", build_batch},
    {"image", build_image},
    {"image_plain", build_image_plain},
    {"image_one", build_image_plain},
    {"image_two", build_image_soft},
    {"image_point", build_image_soft},
    {"image_shifted", build_image_plain},
    {"fixed", build_fixed},
    {"fixed_plain", build_fixed_plain},
    {"fixed_image", build_fixed},
};
static struct op_table table = {"norm", cases, sizeof cases / sizeof *cases};

static void refusals(void **state)
{
    (void)state;
    const struct op_case batch = {"batch", build_batch}, fixed = {"fixed", build_fixed_plain};
    check_refused(&batch, (struct gx_shape[]){{2, 3, 3, 4}, {1, 1, 1, 3}, {1, 1, 1, 4}, {0}});
    check_refused(&fixed, (struct gx_shape[]){{2, 3, 3, 4}, {1, 1, 1, 4}, {0}});
    check_refused(&fixed, (struct gx_shape[]){{2, 3, 3, 4}, {3, 1, 2, 4}, {0}});
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
