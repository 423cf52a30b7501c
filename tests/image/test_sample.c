/* One sample made ready: parts, scaling, cuts, flips, and the errors about sizes. */
#include "image/dataset.h"
#include "pictures.h"

#include <math.h>

static void open_pairs(struct gx_dataset *set)
{
    struct gx_err err = {""};
    const struct gx_dataset_options options = {0};
    if (gx_dataset_open(set, "pairs", folder, &options, &err))
        fail_msg("%s", err.text);
}

static float a[64 * 64 * 4], b[64 * 64 * 4];
static float *const to[2] = {a, b};

/* Decodes the first sample of a set and places it as height x width. */
static int first_sample(const struct gx_dataset *set, const struct gx_prepare *prepare,
                        int64_t epoch, int height, int width, struct gx_err *err)
{
    struct gx_raster raster[GX_SLOTS];
    struct gx_view view[2] = {set->train.view[0][0], set->train.view[1][0]};
    int result = gx_sample_decode(view, 2, prepare, raster, err);
    if (result)
        return result;
    const struct gx_chance chance = {1, epoch, 0, 0};
    result = gx_sample_place(raster, 2, prepare, &chance, height, width, to, view[0].path, err);
    free(raster[0].samples);
    free(raster[1].samples);
    return result;
}

static void samples(void **state)
{
    (void)state;
    struct gx_dataset set;
    struct gx_err err = {""};
    struct gx_prepare prepare = {.channels = {3, 1}, .lo = -1, .hi = 1};
    empty_folder();
    VipsImage *image = make_image(14, 5, 3); /* every sample differs */
    save_image(image, "p.png");
    open_pairs(&set);
    assert_int_equal(first_sample(&set, &prepare, 0, 5, 7, &err), 0);
    for (int i = 0; i < 35; i++) {
        int x = i % 7, y = i / 7;
        for (int k = 0; k < 3; k++)
            assert_true(fabs(a[i * 3 + k] - (sample_at(x, y, k) / 127.5 - 1)) < 1e-6);
        double luma = 0.299 * sample_at(x + 7, y, 0) + 0.587 * sample_at(x + 7, y, 1) +
                      0.114 * sample_at(x + 7, y, 2);
        assert_true(fabs(b[i] - (luma / 127.5 - 1)) < 0.5 / 127.5 + 1e-5);
    }
    prepare.crop_size = 3; /* in the middle: x 2, y 1 */
    assert_int_equal(first_sample(&set, &prepare, 0, 3, 3, &err), 0);
    assert_true(fabs(a[0] - (sample_at(2, 1, 0) / 127.5 - 1)) < 1e-6);
    prepare.crop_size = 6;
    assert_int_equal(first_sample(&set, &prepare, 0, 6, 6, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "smaller than data.crop_size 6"));
    prepare.crop_size = 0;
    assert_int_equal(first_sample(&set, &prepare, 0, 7, 7, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "is 7x5 where others are 7x7: set data.load_size"));
    prepare.load_size = 9;
    assert_int_equal(first_sample(&set, &prepare, 0, 9, 9, &err), 0);
    int height, width;
    assert_int_equal(gx_sample_size(&set.train.view[0][0], 0, &prepare, &height, &width, &err), 0);
    assert_int_equal(width, 9);
    prepare.load_size = 0;
    assert_int_equal(gx_sample_size(&set.train.view[0][0], 0, &prepare, &height, &width, &err), 0);
    assert_int_equal(width, 7);
    assert_int_equal(height, 5);
    gx_dataset_clear(&set);
}

static void different_sizes(void **state)
{
    (void)state;
    struct gx_dataset set;
    struct gx_err err;
    struct gx_prepare prepare = {.channels = {3, 3}, .lo = -1, .hi = 1};
    empty_folder();
    make_folder("A");
    make_folder("B");
    flat("A/x.png", 8, 8, 255);
    flat("B/x.png", 9, 8, 0);
    open_pairs(&set);
    assert_int_equal(first_sample(&set, &prepare, 0, 8, 8, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "B/x.png' is 9x8: set data.load_size"));
    prepare.load_size = 6;
    assert_int_equal(first_sample(&set, &prepare, 0, 6, 6, &err), 0);
    for (int i = 0; i < 6 * 6 * 3; i++) {
        assert_true(a[i] == 1);
        assert_true(b[i] == -1);
    }
    gx_dataset_clear(&set);
}

/* The cut and the flip are the same for A and B, stay inside, vary by epoch, and repeat by key. */
static void augmentation(void **state)
{
    (void)state;
    struct gx_dataset set;
    struct gx_err err = {""};
    struct gx_prepare prepare = {
        .crop_size = 6, .augment = true, .flip = true, .channels = {3, 3}, .lo = 0, .hi = 255};
    empty_folder();
    VipsImage *image = make_image(20, 10, 3); /* A: (x, y, 0); B: the same, third channel 9 */
    for (int i = 0; i < 200; i++) {
        const unsigned char pixel[3] = {i % 20 % 10, i / 20, i % 20 < 10 ? 0 : 9};
        memcpy(VIPS_IMAGE_ADDR(image, i % 20, i / 20), pixel, 3);
    }
    save_image(image, "p.png");
    open_pairs(&set);
    bool flipped[2] = {0}, left[5] = {0}, top[5] = {0};
    for (int epoch = 0; epoch < 60; epoch++) {
        assert_int_equal(first_sample(&set, &prepare, epoch, 6, 6, &err), 0);
        bool flip = a[0] > a[3];
        int x = (int)(flip ? a[15] : a[0]), y = (int)a[1];
        assert_true(x >= 0 && x <= 4 && y >= 0 && y <= 4);
        flipped[flip] = left[x] = top[y] = true;
        for (int i = 0; i < 36; i++) {
            assert_true(a[i * 3] == (float)(x + (flip ? 5 - i % 6 : i % 6)));
            assert_true(a[i * 3 + 1] == (float)(y + i / 6));
            assert_true(b[i * 3] == a[i * 3] && b[i * 3 + 1] == a[i * 3 + 1]);
            assert_true(b[i * 3 + 2] == 9);
        }
        float before[36 * 3];
        memcpy(before, a, sizeof before);
        assert_int_equal(first_sample(&set, &prepare, epoch, 6, 6, &err), 0);
        assert_memory_equal(a, before, sizeof before);
        prepare.flip = false;
        assert_int_equal(first_sample(&set, &prepare, epoch, 6, 6, &err), 0);
        assert_true(a[0] == (float)x && a[1] == (float)y); /* the place does not depend on flip */
        prepare.flip = true;
    }
    assert_true(flipped[0] && flipped[1]);
    for (int i = 0; i < 5; i++)
        assert_true(left[i] && top[i]);
    gx_dataset_clear(&set);
}

/* Sizes as the reference's transforms give them, and the pixels by gx_resize. */
static void preprocess(void **state)
{
    (void)state;
    static const struct {
        int w, h, center;
        enum gx_scaling scaling;
        int load, crop, to_w, to_h; /* before the cut */
    } row[] = {
        {23, 17, 0, GX_SCALE_SQUARE, 20, 16, 20, 20}, {23, 17, 0, GX_SCALE_SQUARE, 0, 0, 23, 17},
        {23, 17, 0, GX_SCALE_WIDTH, 40, 0, 40, 29},  /* 29.57 */
        {23, 17, 0, GX_SCALE_WIDTH, 20, 16, 20, 16}, /* 14.78: stretched for the cut */
        {17, 23, 0, GX_SCALE_WIDTH, 20, 16, 20, 27},  {23, 17, 0, GX_SCALE_WIDTH, 0, 16, 23, 17},
        {23, 17, 0, GX_SCALE_NONE, 40, 16, 23, 17},   {23, 17, 0, GX_SCALE_FOUR, 40, 0, 24, 16},
        {22, 18, 0, GX_SCALE_FOUR, 0, 0, 24, 16}, /* 5.5 and 4.5: both to the even one */
        {1, 9, 0, GX_SCALE_FOUR, 0, 0, 4, 8},         {23, 17, 12, GX_SCALE_SQUARE, 8, 8, 8, 8},
        {23, 17, 20, GX_SCALE_SQUARE, 20, 0, 20, 20}, /* the largest square there is */
        {16, 17, 17, GX_SCALE_NONE, 0, 0, 16, 16},
    };
    struct gx_err err = {""};
    empty_folder();
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct gx_prepare p = {.center_crop = row[i].center,
                               .scaling = row[i].scaling,
                               .load_size = row[i].load,
                               .crop_size = row[i].crop,
                               .channels = {3},
                               .hi = 255};
        const struct gx_view view = {save_image(make_image(row[i].w, row[i].h, 3), "p.png"),
                                     GX_WHOLE};
        struct gx_raster raster;
        int height, width;
        if (gx_sample_decode(&view, 1, &p, &raster, &err))
            fail_msg("row %zu: %s", i, err.text);
        assert_int_equal(raster.width, row[i].to_w);
        assert_int_equal(raster.height, row[i].to_h);
        assert_int_equal(gx_sample_size(&view, 0, &p, &height, &width, &err), 0);
        assert_int_equal(width, row[i].crop ? row[i].crop : row[i].to_w);
        assert_int_equal(height, row[i].crop ? row[i].crop : row[i].to_h);
        int side = row[i].w < row[i].h ? row[i].w : row[i].h, w = row[i].w, h = row[i].h;
        if (row[i].center)
            w = h = side < row[i].center ? side : row[i].center;
        for (int k = 0; k < w * h * 3; k++)
            a[k] = (float)sample_at((row[i].w - w) / 2 + k / 3 % w, (row[i].h - h) / 2 + k / 3 / w,
                                    k % 3);
        assert_int_equal(
            gx_resize(a, 1, h, w, 3, b, raster.height, raster.width, GX_FILTER_BICUBIC, &err), 0);
        for (int k = 0; k < raster.width * raster.height * 3; k++) {
            float expected = b[k] < 0 ? 0 : b[k] > 255 ? 255 : b[k];
            assert_true(fabsf(((unsigned char *)raster.samples)[k] - expected) <= 0.5f);
        }
        free(raster.samples);
    }
}

static void does_not_fit(void **state)
{
    (void)state;
    struct gx_err err = {""};
    struct gx_raster raster;
    struct gx_prepare p = {
        .scaling = GX_SCALE_WIDTH, .load_size = 40, .max_pixels = 3000, .channels = {3}, .hi = 1};
    const struct gx_view view = {in_folder("p.png"), GX_WHOLE};
    const struct gx_chance chance = {0};
    empty_folder();
    save_image(make_image(10, 20, 3), "p.png");
    assert_int_equal(gx_sample_decode(&view, 1, &p, &raster, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "p.png' would be scaled to 40x80, more than the 3000 pixels"));
    p.max_pixels = 0;
    assert_int_equal(gx_sample_decode(&view, 1, &p, &raster, &err), 0);
    assert_int_equal(gx_sample_place(&raster, 1, &p, &chance, 40, 40, to, "p.png", &err),
                     -GX_E_CONFIG);
    assert_string_equal(err.text, "'p.png' is 40x80 where others are 40x40: set data.preprocess to "
                                  "resize_and_crop, which makes all one size");
    free(raster.samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples),      cmocka_unit_test(different_sizes),
        cmocka_unit_test(augmentation), cmocka_unit_test(preprocess),
        cmocka_unit_test(does_not_fit),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
