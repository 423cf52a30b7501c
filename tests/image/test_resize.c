/* Scaling against PyTorch's antialiased interpolate. */
#include "../reference/image/resize.h"
#include "pictures.h"

#include <math.h>

#define ROW(f, filter, h, w)                                                                       \
    {                                                                                              \
        filter, h, w, f##_##h##x##w                                                                \
    }

static void reference(void **state)
{
    (void)state;
    static const struct {
        enum gx_filter filter;
        int h, w;
        const float *expected;
    } rows[] = {
        ROW(bilinear, GX_FILTER_BILINEAR, 7, 9),  ROW(bilinear, GX_FILTER_BILINEAR, 3, 2),
        ROW(bilinear, GX_FILTER_BILINEAR, 11, 3), ROW(bilinear, GX_FILTER_BILINEAR, 1, 1),
        ROW(bicubic, GX_FILTER_BICUBIC, 7, 9),    ROW(bicubic, GX_FILTER_BICUBIC, 3, 2),
        ROW(bicubic, GX_FILTER_BICUBIC, 11, 3),   ROW(bicubic, GX_FILTER_BICUBIC, 1, 1),
    };
    float two[2 * 7 * 5 * 2], to[2 * 11 * 9 * 2];
    memcpy(two, source, sizeof source);
    memcpy(two + 70, source, sizeof source);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int count = rows[i].h * rows[i].w * 2;
        assert_int_equal(gx_resize(two, 2, 7, 5, 2, to, rows[i].h, rows[i].w, rows[i].filter, NULL),
                         0);
        for (int k = 0; k < 2 * count; k++)
            if (!(fabsf(to[k] - rows[i].expected[k % count]) <= 2e-6f))
                fail_msg("row %zu: %f is not %f", i, to[k], rows[i].expected[k % count]);
    }
}

static void same_size_is_a_copy(void **state)
{
    (void)state;
    float to[70];
    assert_int_equal(gx_resize(source, 1, 7, 5, 2, to, 7, 5, GX_FILTER_BICUBIC, NULL), 0);
    assert_memory_equal(to, source, sizeof to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reference),
                                       cmocka_unit_test(same_size_is_a_copy)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
