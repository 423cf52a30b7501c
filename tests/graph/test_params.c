/* Parameters: declaring and finding, the layout of the block, and the disk's order. */
#include "../test.h"
#include "ganx/params.h"

#include <stdlib.h>
#include <string.h>

static void declared_once(void **state)
{
    (void)state;
    struct gx_params params;
    gx_params_init(&params);
    struct gx_shape shape = {3, 3, 5, 7};
    struct gx_param *w = gx_params_declare(&params, "a.weight", GX_PARAM_CONV, shape);
    struct gx_param *b =
        gx_params_declare(&params, "a.bias", GX_PARAM_BIAS, (struct gx_shape){1, 1, 1, 7});
    assert_non_null(w);
    assert_non_null(b);
    assert_ptr_equal(gx_params_declare(&params, "a.weight", GX_PARAM_CONV, shape), w);
    assert_ptr_equal(gx_params_find(&params, "a.bias"), b);
    assert_null(gx_params_find(&params, "a"));
    assert_int_equal(params.count, 2);
    /* a network that contradicts itself */
    assert_null(
        gx_params_declare(&params, "a.weight", GX_PARAM_CONV, (struct gx_shape){3, 3, 7, 5}));
    assert_null(gx_params_declare(&params, "a.weight", GX_PARAM_CONV_TRANSPOSED, shape));
    assert_int_equal(params.count, 2);
    gx_params_clear(&params);
    assert_int_equal(params.count, 0);
    assert_null(params.param);
}

static void block_layout(void **state)
{
    (void)state;
    struct gx_params params;
    struct gx_err err;
    gx_params_init(&params);
    struct gx_shape seven = {1, 1, 1, 7};
    struct gx_param *w =
        gx_params_declare(&params, "w", GX_PARAM_CONV, (struct gx_shape){1, 1, 3, 7});
    struct gx_param *mean = gx_params_declare(&params, "mean", GX_PARAM_RUNNING_MEAN, seven);
    struct gx_param *u = gx_params_declare(&params, "u", GX_PARAM_STATE, seven);
    struct gx_param *b =
        gx_params_declare(&params, "b", GX_PARAM_NORM_BIAS, (struct gx_shape){1, 1, 1, 16});
    gx_params_layout(&params);
    assert_null(params.data);
    /* the trained ones first, each on 16 floats, then the statistics */
    assert_int_equal(w->offset, 0);
    assert_int_equal(b->offset, 32);
    assert_int_equal(params.trained, 48);
    assert_int_equal(mean->offset, 48);
    assert_int_equal(u->offset, 64);
    assert_int_equal(params.total, 80);

    assert_int_equal(gx_params_allocate_gradients(&params, &err), 0);
    assert_int_equal(gx_params_allocate(&params, &err), 0);
    assert_int_equal((uintptr_t)params.data % 64, 0);
    assert_int_equal((uintptr_t)params.grad % 64, 0);
    assert_ptr_equal(u->data, params.data + 64);
    assert_ptr_equal(b->grad, params.grad + 32);
    assert_null(mean->grad);
    for (int64_t i = 0; i < params.total; i++)
        assert_true(params.data[i] == 0);
    for (int64_t i = 0; i < params.trained; i++)
        assert_true(params.grad[i] == 0);
    /* a second time changes nothing, and a block that stands cannot grow */
    float *before = params.data;
    assert_int_equal(gx_params_allocate(&params, &err), 0);
    assert_ptr_equal(params.data, before);
    assert_null(gx_params_declare(&params, "late", GX_PARAM_BIAS, seven));
    assert_ptr_equal(gx_params_declare(&params, "u", GX_PARAM_STATE, seven), u);
    gx_params_clear(&params);
}

/* What lies in panels: wide float32 convolutions, and none beside a state. */
static void in_panels(void **state)
{
    (void)state;
    static const struct {
        enum gx_param_kind kind;
        struct gx_shape shape;
        int panel;
    } rows[] = {{GX_PARAM_CONV, {3, 3, 32, 64}, 32},
                {GX_PARAM_CONV, {3, 3, 31, 64}, 0},
                {GX_PARAM_CONV, {3, 3, 64, 48}, 0},
                {GX_PARAM_CONV_TRANSPOSED, {4, 4, 64, 48}, 32},
                {GX_PARAM_CONV_TRANSPOSED, {4, 4, 48, 64}, 0},
                {GX_PARAM_LINEAR, {1, 1, 64, 64}, 0},
                {GX_PARAM_BIAS, {1, 1, 1, 64}, 0}};
    enum { ROWS = sizeof rows / sizeof *rows };
    struct gx_params params;
    gx_params_init(&params);
    for (int i = 0; i < ROWS; i++)
        gx_params_declare(&params, (char[]){(char)('a' + i), '\0'}, rows[i].kind, rows[i].shape);
    gx_params_panels(&params, 32);
    for (int i = 0; i < ROWS; i++)
        assert_int_equal(params.param[i]->panel, rows[i].panel);
    params.param[0]->dtype = GX_F16;
    gx_params_panels(&params, 32);
    assert_int_equal(params.param[0]->panel, 0);
    assert_int_equal(params.param[3]->panel, 32);
    gx_params_declare(&params, "u", GX_PARAM_STATE, (struct gx_shape){1, 1, 1, 64});
    gx_params_panels(&params, 32);
    for (int i = 0; i < params.count; i++)
        assert_int_equal(params.param[i]->panel, 0);
    gx_params_clear(&params);
}

static void empty(void **state)
{
    (void)state;
    struct gx_params params;
    gx_params_init(&params);
    assert_int_equal(gx_params_allocate(&params, NULL), 0);
    assert_int_equal(gx_params_allocate_gradients(&params, NULL), 0);
    assert_int_equal(params.total, 0);
    gx_params_clear(&params);
}

#if !defined(__SANITIZE_ADDRESS__) /* which ends the program instead of giving NULL */
static void too_large(void **state)
{
    (void)state;
    struct gx_params params;
    struct gx_err err;
    gx_params_init(&params);
    gx_params_declare(&params, "w", GX_PARAM_CONV,
                      (struct gx_shape){1 << 10, 1 << 15, 1 << 15, 1 << 15});
    assert_int_equal(gx_params_allocate(&params, &err), -GX_E_NOMEM);
    assert_string_equal(err.text, "cannot allocate 144115188075855872 bytes for weights");
    assert_null(params.data);
    gx_params_clear(&params);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared_once),
        cmocka_unit_test(block_layout),
        cmocka_unit_test(in_panels),
        cmocka_unit_test(empty),
#if !defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(too_large),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
