#include "../test.h"

#include "ganx/params.h"

#include <stdlib.h>
#include <string.h>

static void dims(void **state)
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

static void order(void **state)
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
static void in_parts(void **state)
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

/* The definition, for sizes with every way through it: blocks of lines, what is left of them, single
 * taps, and, the last one, writes past the caches, where memory begins on a line and where not. */
static void order_of_sizes(void **state)
{
    (void)state;
    static const struct gx_shape shapes[] = {
        {4, 4, 3, 32}, {3, 3, 5, 48}, {7, 7, 3, 16},  {1, 1, 33, 64},  {1, 1, 6, 5},
        {2, 2, 4, 20}, {1, 3, 2, 33}, {5, 5, 2, 100}, {4, 4, 32, 512},
    };
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int shift = 0; shift < 16; shift += 5) {
            struct gx_param conv = {.kind = GX_PARAM_CONV, .shape = shapes[k]};
            int taps = shapes[k].n * shapes[k].h, in = shapes[k].w, out = shapes[k].c;
            size_t count = (size_t)gx_count(conv.shape), bytes = count * sizeof(float);
            float *disk = malloc(bytes), *back = calloc(1, bytes);
            float *room = aligned_alloc(64, (bytes + 127) / 64 * 64), *memory = room + shift;
            assert_true(disk && back && room);
            for (size_t i = 0; i < count; i++)
                disk[i] = (float)i;
            gx_param_from_disk(&conv, disk, memory);
            for (int t = 0; t < taps; t++)
                for (int i = 0; i < in; i++)
                    for (int o = 0; o < out; o++)
                        if (memory[(t * in + i) * out + o] != disk[(o * in + i) * taps + t])
                            fail_msg("shape %zu: tap %d, in %d, out %d", k, t, i, o);
            gx_param_to_disk(&conv, memory, back);
            assert_memory_equal(back, disk, bytes);
            free(room);
            free(back);
            free(disk);
        }
}

/* Numbers of 16 bits, like the others, in two parts. */
static void order_of_halves(void **state)
{
    (void)state;
    static const struct gx_shape shapes[] = {
        {3, 3, 5, 37}, {4, 4, 3, 32}, {1, 1, 33, 96}, {2, 2, 7, 80}, {4, 4, 64, 512}};
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        struct gx_param conv = {.kind = GX_PARAM_CONV, .shape = shapes[k], .dtype = GX_BF16};
        int taps = shapes[k].n * shapes[k].h, in = shapes[k].w, out = shapes[k].c;
        size_t count = (size_t)gx_count(conv.shape), bytes = (count * 2 + 63) / 64 * 64;
        uint16_t *disk = aligned_alloc(64, bytes), *memory = aligned_alloc(64, bytes);
        assert_true(disk && memory);
        for (size_t i = 0; i < count; i++)
            disk[i] = (uint16_t)(i * 40503 >> 3);
        gx_param_rows_from_disk(&conv, 0, 32, disk, memory);
        gx_param_rows_from_disk(&conv, 32, out - 32, disk + 32 * in * taps, memory);
        for (int t = 0; t < taps; t++)
            for (int i = 0; i < in; i++)
                for (int o = 0; o < out; o++)
                    if (memory[(t * in + i) * out + o] != disk[(o * in + i) * taps + t])
                        fail_msg("shape %zu: tap %d, in %d, out %d", k, t, i, o);
        free(memory);
        free(disk);
    }
}

/* Panels: (taps, out / panel, in, panel), whole and in parts, past the caches and not. */
static void panels(void **state)
{
    (void)state;
    static const struct gx_shape shapes[] = {
        {4, 4, 32, 64}, {3, 3, 32, 96}, {1, 1, 64, 96}, {4, 4, 64, 512}, {2, 2, 512, 160}};
    static const int widths[] = {8, 16, 32};
    for (size_t k = 0; k < 2 * 3 * sizeof shapes / sizeof *shapes; k++) {
        struct gx_param conv = {.kind = k % 2 ? GX_PARAM_CONV : GX_PARAM_CONV_TRANSPOSED,
                                .shape = shapes[k / 6],
                                .panel = widths[k / 2 % 3]};
        int taps = conv.shape.n * conv.shape.h, wide = conv.shape.w, deep = conv.shape.c;
        int in = k % 2 ? wide : deep, out = k % 2 ? deep : wide, p = conv.panel;
        size_t count = (size_t)gx_count(conv.shape), bytes = count * sizeof(float);
        float *disk = malloc(bytes), *memory = aligned_alloc(64, bytes), *want = malloc(bytes);
        for (size_t j = 0; j < count; j++)
            disk[j] = (float)j;
        for (int t = 0; t < taps; t++)
            for (int i = 0; i < in; i++)
                for (int o = 0; o < out; o++) {
                    size_t row = k % 2 ? (size_t)o * wide + i : (size_t)i * wide + o;
                    size_t at = (((size_t)t * (out / p) + o / p) * in + i) * p + o % p;
                    want[at] = disk[row * taps + t];
                }
        for (int rows = deep; rows > 4; rows = rows / 3) {
            memset(memory, 0, bytes);
            for (int at = 0; at < deep; at += rows)
                gx_param_rows_from_disk(&conv, at, deep - at < rows ? deep - at : rows,
                                        disk + (size_t)at * wide * taps, memory);
            assert_memory_equal(memory, want, bytes);
        }
        free(disk), free(memory), free(want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dims),     cmocka_unit_test(order),
        cmocka_unit_test(in_parts), cmocka_unit_test(order_of_sizes),
        cmocka_unit_test(panels),   cmocka_unit_test(order_of_halves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
