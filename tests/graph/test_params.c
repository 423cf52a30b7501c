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

static void disk_dims(void **state)
{
    (void)state;
    int64_t dims[4];
    struct gx_param conv = {.kind = GX_PARAM_CONV, .shape = {2, 3, 5, 7}};
    assert_int_equal(gx_param_dims(&conv, dims), 4);
    assert_true(dims[0] == 7 && dims[1] == 5 && dims[2] == 2 && dims[3] == 3);
    conv.kind = GX_PARAM_CONV_TRANSPOSED;
    assert_int_equal(gx_param_dims(&conv, dims), 4);
    assert_true(dims[0] == 7 && dims[1] == 5 && dims[2] == 2 && dims[3] == 3);
    struct gx_param linear = {.kind = GX_PARAM_LINEAR, .shape = {1, 1, 4, 9}};
    assert_int_equal(gx_param_dims(&linear, dims), 2);
    assert_true(dims[0] == 4 && dims[1] == 9);
    struct gx_param bias = {.kind = GX_PARAM_BIAS, .shape = {1, 1, 1, 9}};
    assert_int_equal(gx_param_dims(&bias, dims), 1);
    assert_true(dims[0] == 9);
}

static void disk_order(void **state)
{
    (void)state;
    enum { KH = 2, KW = 3, IN = 5, OUT = 7, COUNT = KH * KW * IN * OUT };
    float disk[COUNT], memory[COUNT], back[COUNT];
    struct gx_param conv = {.kind = GX_PARAM_CONV, .shape = {KH, KW, IN, OUT}};
    for (int i = 0; i < COUNT; i++)
        disk[i] = (float)i;
    gx_param_from_disk(&conv, disk, memory);
    for (int y = 0; y < KH; y++)
        for (int x = 0; x < KW; x++)
            for (int i = 0; i < IN; i++)
                for (int o = 0; o < OUT; o++)
                    assert_true(memory[((y * KW + x) * IN + i) * OUT + o] ==
                                disk[((o * IN + i) * KH + y) * KW + x]);
    gx_param_to_disk(&conv, memory, back);
    assert_memory_equal(back, disk, sizeof disk);

    struct gx_param linear = {.kind = GX_PARAM_LINEAR, .shape = {1, 1, 10, 21}};
    gx_param_from_disk(&linear, disk, memory);
    assert_memory_equal(memory, disk, sizeof disk);
    gx_param_to_disk(&linear, memory, back);
    assert_memory_equal(back, disk, sizeof disk);
}

/* Row by row, in parts of any size, as all at once; sizes beyond the square they pass through. */
static void disk_order_in_parts(void **state)
{
    (void)state;
    enum { KH = 3, KW = 7, IN = 5, OUT = 37, ROW = KH * KW * IN, COUNT = ROW * OUT };
    static float disk[COUNT], whole[COUNT], parts[COUNT], back[COUNT];
    const struct gx_param params[] = {
        {.kind = GX_PARAM_CONV, .shape = {KH, KW, IN, OUT}},
        {.kind = GX_PARAM_LINEAR, .shape = {1, 1, OUT, ROW}},
    };
    for (int i = 0; i < COUNT; i++)
        disk[i] = (float)i;
    for (size_t k = 0; k < sizeof params / sizeof *params; k++) {
        gx_param_from_disk(&params[k], disk, whole);
        gx_param_to_disk(&params[k], whole, back);
        assert_memory_equal(back, disk, sizeof disk);
        for (int rows = 1; rows <= OUT; rows += 6) {
            memset(parts, 0, sizeof parts);
            for (int at = 0; at < OUT; at += rows)
                gx_param_rows_from_disk(&params[k], at, OUT - at < rows ? OUT - at : rows,
                                        disk + at * ROW, parts);
            assert_memory_equal(parts, whole, sizeof whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared_once),
        cmocka_unit_test(block_layout),
        cmocka_unit_test(empty),
#if !defined(__SANITIZE_ADDRESS__)
        cmocka_unit_test(too_large),
#endif
        cmocka_unit_test(disk_dims),
        cmocka_unit_test(disk_order),
        cmocka_unit_test(disk_order_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
