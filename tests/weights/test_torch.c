/* PyTorch's files against their known values (tests/reference/make_weights.py): both forms, every
 * type, views with strides, nested dictionaries, what stands beside tensors in checkpoints. */
#include "../test.h"
#include "ganx/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER "tests/reference/weights/"

static struct gx_weights *open_file(const char *name, const char *format)
{
    struct gx_err err = {""};
    struct gx_weights *w;
    char path[128];
    snprintf(path, sizeof path, FOLDER "%s", name);
    if (gx_weights_open(&w, path, &err) || gx_weights_verify(w, &err))
        fail_msg("%s", err.text);
    assert_string_equal(gx_weights_format(w), format);
    return w;
}

/* Element i of a float tensor with that salt; see make_weights.py. */
static float expected(int64_t i, int salt)
{
    return (float)((7 * i + salt) % 23 - 11) / 8;
}

static float *read_tensor(struct gx_weights *w, const char *name, enum gx_dtype dtype,
                          int64_t count)
{
    struct gx_err err = {""};
    int i = gx_weights_find(w, name);
    if (i < 0)
        fail_msg("no tensor '%s'", name);
    const struct gx_tensor_info *info = gx_weights_info(w, i);
    assert_string_equal(info->name, name);
    assert_int_equal(info->dtype, dtype);
    assert_int_equal(info->count, count);
    float *x = calloc((size_t)count + 1, sizeof *x);
    if (gx_weights_read(w, i, x, &err))
        fail_msg("%s", err.text);
    /* In two parts it must be the same. */
    float *parts = calloc((size_t)count + 1, sizeof *x);
    int64_t cut = count / 3;
    assert_int_equal(gx_weights_read_part(w, i, 0, cut, parts, &err), 0);
    assert_int_equal(gx_weights_read_part(w, i, cut, count - cut, parts + cut, &err), 0);
    assert_memory_equal(x, parts, (size_t)count * sizeof *x);
    free(parts);
    return x;
}

static void expect_plain(struct gx_weights *w, const char *name, enum gx_dtype dtype, int64_t count,
                         int salt)
{
    float *x = read_tensor(w, name, dtype, count);
    for (int64_t i = 0; i < count; i++) {
        float e = expected(i, salt);
        if (dtype == GX_BOOL)
            e = i % 3 == 0;
        else if (dtype >= GX_I64)
            e = e * 8 + (dtype == GX_U8 ? 11 : 0);
        if (x[i] != e)
            fail_msg("%s[%d] is %g, not %g", name, (int)i, x[i], e);
    }
    free(x);
}

static void expect_views(struct gx_weights *w)
{
    float *x = read_tensor(w, "transposed", GX_F32, 24), *y;
    for (int a = 0, i = 0; a < 2; a++)
        for (int b = 0; b < 4; b++)
            for (int c = 0; c < 3; c++, i++)
                assert_true(x[i] == expected((b * 3 + c) * 2 + a, 0));
    free(x);
    x = read_tensor(w, "transposed.half", GX_F16, 20);
    for (int a = 0, i = 0; a < 4; a++)
        for (int b = 0; b < 5; b++, i++)
            assert_true(x[i] == expected(b * 4 + a, 0));
    free(x);
    x = read_tensor(w, "shared.row", GX_F32, 6);
    y = read_tensor(w, "shared.column", GX_F32, 4);
    for (int i = 0; i < 6; i++)
        assert_true(x[i] == expected(2 * 6 + i, 0));
    for (int i = 0; i < 4; i++)
        assert_true(y[i] == expected(i * 6 + 3, 0));
    free(x);
    free(y);
    x = read_tensor(w, "shared.every.other", GX_F32, 6);
    for (int a = 0, i = 0; a < 2; a++)
        for (int b = 0; b < 3; b++, i++)
            assert_true(x[i] == expected(2 * a * 6 + 1 + 2 * b, 0));
    free(x);
}

static void every_type(void **state)
{
    (void)state;
    static const struct {
        const char *file, *format;
    } files[] = {{"types.pth", "torch zip"},
                 {"types_protocol4.pth", "torch zip"},
                 {"types_legacy.pth", "torch legacy"},
                 {"types_legacy_protocol4.pth", "torch legacy"},
                 {"types.safetensors", "safetensors"}};
    static const struct {
        const char *name;
        enum gx_dtype dtype;
        int count;
    } plain[] = {{"float32", GX_F32, 6}, {"float16", GX_F16, 6},   {"bfloat16", GX_BF16, 6},
                 {"float64", GX_F64, 6}, {"int64", GX_I64, 6},     {"int32", GX_I32, 6},
                 {"int16", GX_I16, 6},   {"int8", GX_I8, 6},       {"uint8", GX_U8, 6},
                 {"bool", GX_BOOL, 6},   {"scalar", GX_F32, 1},    {"empty", GX_F32, 0},
                 {"shared", GX_F32, 24}, {"parameter", GX_F32, 3}, {"eight", GX_F32, 16}};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        struct gx_weights *w = open_file(files[f].file, files[f].format);
        assert_int_equal(gx_weights_count(w), 20);
        for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
            expect_plain(w, plain[i].name, plain[i].dtype, plain[i].count, 0);
        expect_views(w);
        assert_int_equal(gx_weights_info(w, gx_weights_find(w, "scalar"))->rank, 0);
        assert_int_equal(gx_weights_info(w, gx_weights_find(w, "empty"))->dims[1], 3);
        assert_int_equal(gx_weights_info(w, gx_weights_find(w, "eight"))->rank, 8);
        assert_int_equal(gx_weights_find(w, "nowhere"), -1);
        gx_weights_close(&w);
        assert_null(w);
    }
}

/* Of each file the dictionary that is meant, told by the salt of its values. */
static void dictionaries(void **state)
{
    (void)state;
    static const struct {
        const char *file, *format;
        int count, salt;
    } files[] = {{"ema.pth", "torch zip", 2, 2},
                 {"training.pth", "torch zip", 2, 3},
                 {"wrapped.pth", "torch zip", 2, 4},
                 {"no_crc.pth", "torch zip", 2, 7},
                 {"python2_legacy.pth", "torch legacy", 2, 8}};
    for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
        struct gx_weights *w = open_file(files[f].file, files[f].format);
        assert_int_equal(gx_weights_count(w), files[f].count);
        assert_string_equal(gx_weights_info(w, 0)->name, "conv.weight");
        expect_plain(w, "conv.weight", GX_F32, 18, files[f].salt);
        expect_plain(w, "conv.bias", GX_F32, 2, files[f].salt);
        gx_weights_close(&w);
    }
}

static void several_networks(void **state)
{
    (void)state;
    struct gx_weights *w = open_file("several.pth", "torch zip");
    assert_int_equal(gx_weights_count(w), 6);
    expect_plain(w, "netG.conv.weight", GX_F32, 18, 5);
    expect_plain(w, "netD.conv.bias", GX_F32, 2, 6);
    assert_true(gx_weights_find(w, "extra.0") >= 0 && gx_weights_find(w, "extra.1.x") >= 0);
    gx_weights_close(&w);
}

static void a_lone_tensor(void **state)
{
    (void)state;
    struct gx_weights *w = open_file("tensor.pth", "torch zip");
    assert_int_equal(gx_weights_count(w), 1);
    expect_plain(w, "tensor", GX_F32, 3, 0);
    gx_weights_close(&w);
}

static void parts_outside_are_refused(void **state)
{
    (void)state;
    struct gx_err err;
    float x[4];
    struct gx_weights *w = open_file("tensor.pth", "torch zip");
    assert_int_equal(gx_weights_read_part(w, 0, 1, 3, x, &err), -GX_E_USAGE);
    assert_non_null(strstr(err.text, "tensor 'tensor' has no 3 elements after the first 1"));
    assert_int_equal(gx_weights_read_part(w, 0, -1, 1, x, &err), -GX_E_USAGE);
    assert_int_equal(gx_weights_read_part(w, 0, INT64_MAX, 1, x, &err), -GX_E_USAGE);
    assert_int_equal(gx_weights_read_part(w, 0, 3, 0, x, &err), 0);
    gx_weights_close(&w);
}

static void metadata_of_safetensors(void **state)
{
    (void)state;
    struct gx_weights *w = open_file("types.safetensors", "safetensors");
    assert_int_equal(gx_weights_metadata_count(w), 2);
    assert_string_equal(gx_weights_metadata(w, "format"), "pt");
    assert_string_equal(gx_weights_metadata(w, "note"), "\xc3\xa9");
    assert_null(gx_weights_metadata(w, "nothing"));
    gx_weights_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(dictionaries),
        cmocka_unit_test(several_networks),
        cmocka_unit_test(a_lone_tensor),
        cmocka_unit_test(parts_outside_are_refused),
        cmocka_unit_test(metadata_of_safetensors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
