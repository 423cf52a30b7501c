/* Operators that move memory: PyTorch's numbers (numpy's for pads beyond the picture), finite
 * differences, threads, and what they refuse. */
#include "../test.h"
#include "ganx/plan.h"
#include "gradcheck.h"

#include <string.h>

#define CASE(name, expression)                                                                     \
    static struct gx_node *build_##name(struct gx_graph *g, struct gx_node *const *x)              \
    {                                                                                              \
        return expression;                                                                         \
    }
#define SHAPE(...) ((struct gx_shape){__VA_ARGS__})
#define PAD(...)   ((struct gx_pad){__VA_ARGS__})
#define ORDER(...) ((const int[4]){__VA_ARGS__})

CASE(reshape, gx_reshape(g, x[0], SHAPE(1, 5, 2, 12)))
CASE(permute_0312, gx_permute(g, x[0], ORDER(0, 3, 1, 2)))
CASE(permute_0213, gx_permute(g, x[0], ORDER(0, 2, 1, 3)))
CASE(permute_3210, gx_permute(g, x[0], ORDER(3, 2, 1, 0)))
CASE(permute_1023, gx_permute(g, x[0], ORDER(1, 0, 2, 3)))
CASE(permute_0123, gx_permute(g, x[0], ORDER(0, 1, 2, 3)))
CASE(permute_0231, gx_permute(g, x[0], ORDER(0, 2, 3, 1)))
CASE(permute_0132, gx_permute(g, x[0], ORDER(0, 1, 3, 2)))
CASE(permute_twice, gx_permute(g, x[0], ORDER(0, 1, 1, 3)))
CASE(concat_n, gx_concat(g, x[0], x[1], GX_AXIS_N))
CASE(concat_h, gx_concat(g, x[0], x[1], GX_AXIS_H))
CASE(concat_w, gx_concat(g, x[0], x[1], GX_AXIS_W))
CASE(concat_c, gx_concat(g, x[0], x[1], GX_AXIS_C))
CASE(concat_two_axes, gx_concat(g, x[0], x[1], GX_AXIS_C | GX_AXIS_W))
CASE(concat_self, gx_concat(g, x[0], x[0], GX_AXIS_C))
CASE(slice, gx_slice(g, x[0], SHAPE(1, 1, 2, 1), SHAPE(1, 2, 3, 2)))
CASE(slice_rows, gx_slice(g, x[0], SHAPE(0, 1, 1, 0), SHAPE(2, 1, 3, 4)))
CASE(slice_all, gx_slice(g, x[0], SHAPE(0, 0, 0, 0), SHAPE(2, 3, 5, 4)))
CASE(slice_large, gx_slice(g, x[0], SHAPE(0, 3, 5, 2), SHAPE(2, 40, 60, 5)))
CASE(embed, gx_embed(g, x[0], SHAPE(1, 2, 0, 1), SHAPE(3, 4, 4, 5)))
CASE(embed_rows, gx_embed(g, x[0], SHAPE(0, 1, 2, 0), SHAPE(2, 3, 6, 2)))
CASE(pad_zero, gx_pad_zero(g, x[0], PAD(1, 2, 3, 0)))
CASE(reflect, gx_pad_reflect(g, x[0], PAD(1, 3, 2, 4)))
CASE(reflect_three, gx_pad_reflect(g, x[0], PAD(3, 3, 3, 3)))
CASE(reflect_none, gx_pad_reflect(g, x[0], PAD(0, 0, 0, 0)))
CASE(reflect_far, gx_pad_reflect(g, x[0], PAD(8, 11, 5, 14)))
CASE(reflect_two, gx_pad_reflect(g, x[0], PAD(5, 4, 3, 6)))
CASE(reflect_one, gx_pad_reflect(g, x[0], PAD(2, 3, 4, 0)))
CASE(reflect_line, gx_pad_reflect(g, x[0], PAD(2, 3, 1, 4)))
CASE(reflect_negative, gx_pad_reflect(g, x[0], PAD(1, -1, 1, 1)))
CASE(shuffle_1, gx_pixel_shuffle(g, x[0], 1))
CASE(shuffle_2, gx_pixel_shuffle(g, x[0], 2))
CASE(shuffle_3, gx_pixel_shuffle(g, x[0], 3))
CASE(shuffle_4, gx_pixel_shuffle(g, x[0], 4))
CASE(unshuffle_1, gx_pixel_unshuffle(g, x[0], 1))
CASE(unshuffle_2, gx_pixel_unshuffle(g, x[0], 2))
CASE(unshuffle_3, gx_pixel_unshuffle(g, x[0], 3))
CASE(unshuffle_4, gx_pixel_unshuffle(g, x[0], 4))
CASE(nearest_0, gx_upsample_nearest(g, x[0], 0))
CASE(nearest_1, gx_upsample_nearest(g, x[0], 1))
CASE(nearest_2, gx_upsample_nearest(g, x[0], 2))
CASE(nearest_3, gx_upsample_nearest(g, x[0], 3))
CASE(nearest_huge, gx_upsample_nearest(g, x[0], 1 << 30))
CASE(bilinear_double, gx_upsample_bilinear(g, x[0], 6, 8))
CASE(bilinear_odd, gx_upsample_bilinear(g, x[0], 7, 11))
CASE(bilinear_down, gx_upsample_bilinear(g, x[0], 4, 3))
CASE(bilinear_mixed, gx_upsample_bilinear(g, x[0], 3, 10))
CASE(bilinear_same, gx_upsample_bilinear(g, x[0], 3, 4))
CASE(bilinear_point, gx_upsample_bilinear(g, x[0], 3, 2))
CASE(bilinear_to_point, gx_upsample_bilinear(g, x[0], 1, 1))
CASE(bilinear_none, gx_upsample_bilinear(g, x[0], 3, 0))
CASE(bilinear_large, gx_upsample_bilinear(g, x[0], 93, 41))

#define ROW(name)                                                                                  \
    {                                                                                              \
#name, build_##name, CASE_LINEAR                                                           \
    }
static const struct op_case cases[] = {
    ROW(reshape),        ROW(permute_0312),    ROW(permute_0213),   ROW(permute_3210),
    ROW(permute_1023),   ROW(permute_0123),    ROW(permute_0231),   ROW(permute_0132),
    ROW(concat_n),       ROW(concat_h),        ROW(concat_w),       ROW(concat_c),
    ROW(concat_self),    ROW(slice),           ROW(slice_rows),     ROW(slice_all),
    ROW(embed),          ROW(embed_rows),      ROW(pad_zero),       ROW(reflect),
    ROW(reflect_three),  ROW(reflect_none),    ROW(reflect_far),    ROW(reflect_two),
    ROW(reflect_one),    ROW(reflect_line),    ROW(shuffle_1),      ROW(shuffle_2),
    ROW(shuffle_3),      ROW(shuffle_4),       ROW(unshuffle_1),    ROW(unshuffle_2),
    ROW(unshuffle_3),    ROW(unshuffle_4),     ROW(nearest_1),      ROW(nearest_2),
    ROW(nearest_3),      ROW(bilinear_double), ROW(bilinear_odd),   ROW(bilinear_down),
    ROW(bilinear_mixed), ROW(bilinear_same),   ROW(bilinear_point), ROW(bilinear_to_point),
};
static struct op_table table = {"move", cases, sizeof cases / sizeof *cases};

static void threads(void **state)
{
    (void)state;
    const struct gx_shape large[] = {{2, 47, 66, 9}, {0}}, shuffled[] = {{2, 44, 60, 8}, {0}};
    const struct op_case plain[] = {
        ROW(permute_0312), ROW(permute_0213), ROW(concat_self), ROW(slice_large),
        ROW(pad_zero),     ROW(reflect),      ROW(nearest_2),   ROW(bilinear_large),
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        check_threads(&plain[i], large);
    check_threads(&(struct op_case)ROW(shuffle_2), shuffled);
    check_threads(&(struct op_case)ROW(unshuffle_2), shuffled);
}

/* A row of pixels made three times as wide, and a piece of it far from the start: the same bits. */
static void bilinear_of_a_tile(void **state)
{
    (void)state;
    enum { WIDTH = 5000, FROM = 4001, PIECE = 60, FACTOR = 3 };
    static float whole[FACTOR * WIDTH], tile[FACTOR * PIECE];
    for (int piece = 0; piece < 2; piece++) {
        int w = piece ? PIECE : WIDTH;
        const struct gx_plan_settings settings = {.inference = true};
        struct gx_graph *g = gx_graph_new();
        struct gx_plan *plan;
        struct gx_node *x = gx_input(g, SHAPE(1, 1, w, 1), "x");
        struct gx_node *y = gx_keep(gx_upsample_bilinear(g, x, 1, FACTOR * w));
        assert_int_equal(gx_plan_new(&plan, g, &settings, NULL), 0);
        assert_int_equal(gx_plan_allocate(plan, NULL), 0);
        for (int i = 0; i < w; i++)
            gx_plan_value(plan, x)[i] = (float)((i + (piece ? FROM : 0)) * 37 % 101) / 101;
        gx_plan_run(plan, 0, 0, 0);
        memcpy(piece ? tile : whole, gx_plan_value(plan, y), sizeof(float) * FACTOR * (size_t)w);
        gx_plan_free(&plan);
        gx_graph_free(&g);
    }
    assert_memory_equal(tile + FACTOR, whole + FACTOR * (FROM + 1),
                        sizeof(float) * FACTOR * (PIECE - 2));
}

static void refusals(void **state)
{
    (void)state;
    const struct op_case one[] = {
        ROW(permute_twice), ROW(slice),       ROW(embed),     ROW(reflect_negative),
        ROW(shuffle_2),     ROW(unshuffle_2), ROW(nearest_0), ROW(nearest_huge),
        ROW(bilinear_none), ROW(reshape),
    };
    for (size_t i = 0; i < sizeof one / sizeof *one; i++)
        check_refused(&one[i], (struct gx_shape[]){{2, 3, 4, 7}, {0}});
    const struct op_case concat = ROW(concat_c), two_axes = ROW(concat_two_axes);
    check_refused(&concat, (struct gx_shape[]){{2, 3, 4, 7}, {2, 3, 5, 7}, {0}});
    check_refused(&two_axes, (struct gx_shape[]){{2, 3, 4, 7}, {2, 3, 4, 7}, {0}});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(check_parity, &table),
        cmocka_unit_test_prestate(check_differences, &table),
        cmocka_unit_test(threads),
        cmocka_unit_test(bilinear_of_a_tile),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
