/* Scaling against PyTorch's interpolate and MATLAB's imresize. */
#include "../reference/image/resize.h"
#include "image/resize.h"
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

static void agree(const float *to, const float *expected, int count, const char *what)
{
    for (int k = 0; k < count; k++)
        if (!(fabsf(to[k] - expected[k]) <= 2e-6f))
            fail_msg("%s, number %d: %f is not %f", what, k, to[k], expected[k]);
}

#define PLAIN(f, filter, h, w)                                                                     \
    {                                                                                              \
        filter, h, w, plain_##f##_##h##x##w                                                        \
    }

static void plain(void **state)
{
    (void)state;
    static const struct {
        enum gx_plain filter;
        int h, w;
        const float *expected;
    } rows[] = {
        PLAIN(area, GX_PLAIN_AREA, 9, 12),        PLAIN(area, GX_PLAIN_AREA, 3, 4),
        PLAIN(area, GX_PLAIN_AREA, 2, 1),         PLAIN(bilinear, GX_PLAIN_BILINEAR, 9, 12),
        PLAIN(bilinear, GX_PLAIN_BILINEAR, 3, 4), PLAIN(bilinear, GX_PLAIN_BILINEAR, 2, 1),
        PLAIN(bicubic, GX_PLAIN_BICUBIC, 9, 12),  PLAIN(bicubic, GX_PLAIN_BICUBIC, 3, 4),
        PLAIN(bicubic, GX_PLAIN_BICUBIC, 2, 1),
    };
    float to[9 * 12 * 2];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(
            gx_resize_plain(source, 7, 5, 2, to, rows[i].h, rows[i].w, rows[i].filter, NULL), 0);
        agree(to, rows[i].expected, rows[i].h * rows[i].w * 2, "plain");
    }
}

static void like_matlab(void **state)
{
    (void)state;
    static const struct {
        double scale;
        int h, w;
        const float *expected;
    } rows[] = {{1 / 2.0, 4, 3, matlab_half},
                {1 / 3.0, 3, 2, matlab_third},
                {1 / 4.0, 2, 2, matlab_quarter},
                {2, 14, 10, matlab_double}};
    float to[14 * 10 * 2];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(gx_imresize_side(7, rows[i].scale), rows[i].h);
        assert_int_equal(gx_imresize_side(5, rows[i].scale), rows[i].w);
        assert_int_equal(gx_imresize(source, 7, 5, 2, rows[i].scale, to, NULL), 0);
        agree(to, rows[i].expected, rows[i].h * rows[i].w * 2, "matlab");
    }
    for (int side = 1; side < 2000; side++)
        for (int scale = 1; scale <= 8; scale++)
            assert_int_equal(gx_imresize_side(side * scale, 1.0 / scale), side);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(reference), cmocka_unit_test(plain),
                                       cmocka_unit_test(like_matlab),
                                       cmocka_unit_test(same_size_is_a_copy)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
