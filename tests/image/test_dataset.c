/* Data sets: layouts recognised, errors that say what lies there, and one sample made ready. */
#include "image/dataset.h"
#include "pictures.h"

#include <math.h>
#include <sys/stat.h>

enum { SIDE = 8 };

/* A picture whose every sample is `level`. */
static void flat(const char *name, int width, int height, int level)
{
    const unsigned char colour[3] = {(unsigned char)level, (unsigned char)level,
                                     (unsigned char)level};
    save_image(make_flat(width, height, 3, colour), name);
}

/* A pair side by side: left half level, right half level + 100. */
static void halves(const char *name, int side, int level)
{
    VipsImage *image = make_image(2 * side, side, 3);
    for (int i = 0; i < 2 * side * side * 3; i++)
        VIPS_IMAGE_ADDR(image, 0, 0)
    [i] = (unsigned char)(level + (i / 3 % (2 * side) < side ? 0 : 100));
    save_image(image, name);
}

static void make_folder(const char *name)
{
    struct gx_err err = {""};
    if (gx_folder_make(in_folder(name), &err))
        fail_msg("%s", err.text);
}

static void empty_folder(void)
{
    teardown(NULL);
    assert_int_equal(mkdir(folder, 0700), 0);
}

static const char *layout = "pairs"; /* that open_ok and says ask for */

static void open_ok(struct gx_dataset *set, bool swap, int holdout)
{
    struct gx_err err = {""};
    const struct gx_dataset_options options = {swap, holdout};
    if (gx_dataset_open(set, layout, folder, &options, &err))
        fail_msg("%s", err.text);
}

static void says(const char *text)
{
    struct gx_err err = {""};
    struct gx_dataset set;
    const struct gx_dataset_options options = {0};
    assert_int_equal(gx_dataset_open(&set, layout, folder, &options, &err), -GX_E_CONFIG);
    if (!strstr(err.text, text))
        fail_msg("'%s' does not say '%s'", err.text, text);
    gx_dataset_clear(&set);
}

static void side_by_side(void **state)
{
    (void)state;
    struct gx_dataset set;
    empty_folder();
    make_folder("train");
    char name[32];
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "train/%d.png", i);
        halves(name, SIDE, i);
    }
    save_bytes("words", 5, "train/notes.txt");
    open_ok(&set, false, 3);
    assert_int_equal(set.train.count[0], 5);
    assert_int_equal(set.held.count[1], 2); /* the third and the sixth */
    assert_non_null(strstr(set.held.view[0][0].path, "train/2.png"));
    assert_int_equal(set.held.view[0][0].half, GX_LEFT);
    assert_int_equal(set.held.view[1][0].half, GX_RIGHT);
    assert_non_null(strstr(set.said, "one pair in 3 (2) is held out"));
    gx_dataset_clear(&set);
    open_ok(&set, true, 20); /* fewer than twenty */
    assert_int_equal(set.train.count[0], 7);
    assert_int_equal(set.held.count[0], 0);
    assert_int_equal(set.train.view[0][0].half, GX_RIGHT);
    gx_dataset_clear(&set);
    make_folder("test");
    halves("test/x.png", SIDE, 1);
    open_ok(&set, false, 3);
    assert_int_equal(set.train.count[0], 7);
    assert_int_equal(set.held.count[0], 1);
    assert_non_null(strstr(set.said, "/test' for validation"));
    gx_dataset_clear(&set);
    make_folder("val");
    halves("val/y.png", SIDE, 1);
    open_ok(&set, false, 0);
    assert_non_null(strstr(set.held.view[0][0].path, "val/y.png"));
    gx_dataset_clear(&set);
    flat("train/odd.png", 15, 8, 0);
    says("odd.png' is 15x8: a side-by-side pair, A left and B right, has an even width");
    save_bytes("<html>", 6, "train/odd.png");
    says("odd.png': not a picture (HTML text)");
}

static void by_name(void **state)
{
    (void)state;
    struct gx_dataset set;
    empty_folder();
    make_folder("A");
    make_folder("B");
    flat("A/one.png", SIDE, SIDE, 1);
    says("no picture in");
    flat("B/one.jpg", SIDE, SIDE, 2);
    flat("A/two.png", SIDE, SIDE, 3);
    flat("B/two.png", SIDE, SIDE, 4);
    flat("B/three.png", SIDE, SIDE, 4);
    open_ok(&set, true, 0);
    assert_int_equal(set.train.count[0], 2);
    assert_non_null(strstr(set.train.view[0][0].path, "B/one.jpg"));
    assert_non_null(strstr(set.train.view[1][0].path, "A/one.png"));
    assert_int_equal(set.train.view[1][1].half, GX_WHOLE);
    assert_non_null(strstr(set.said, "left out: '"));
    assert_non_null(strstr(set.said, "B/three.png'"));
    gx_dataset_clear(&set);
    flat("A/one.jpg", SIDE, SIDE, 1);
    says("would be the same sample");
}

static void direct(void **state)
{
    (void)state;
    struct gx_dataset set;
    empty_folder();
    halves("a.png", SIDE, 1);
    halves("b.png", SIDE, 2);
    open_ok(&set, false, 0);
    assert_int_equal(set.train.count[0], 2);
    gx_dataset_clear(&set);
}

static void explained(void **state)
{
    (void)state;
    struct gx_dataset set;
    struct gx_err err;
    const struct gx_dataset_options options = {0};
    empty_folder();
    says("it has nothing); pix2pix expects train/ with side-by-side pairs");
    save_bytes("x", 1, "readme.txt");
    make_folder("stuff");
    says("it has stuff/, 0 pictures, 1 other files)");
    make_folder("A");
    says("has A/ but no B/");
    empty_folder();
    make_folder("trainA");
    make_folder("trainB");
    says("has trainA/ and trainB/: that is an unpaired set, for ganx cycle; pix2pix expects");
    empty_folder();
    make_folder("train");
    make_folder("train/cats");
    make_folder("train/dogs");
    flat("train/cats/a.png", SIDE, SIDE, 1);
    flat("train/dogs/a.png", SIDE, SIDE, 1);
    says("a set for ganx star");
    assert_int_equal(gx_dataset_open(&set, "pairs", in_folder("none"), &options, &err),
                     -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "is not a folder"));
    assert_int_equal(gx_dataset_open(&set, "heaps", folder, &options, &err), -GX_E_CONFIG);
}

static void said_of(const struct gx_dataset *set, const char *text)
{
    if (!strstr(set->said, text))
        fail_msg("'%s' does not say '%s'", set->said, text);
}

static void unpaired(void **state)
{
    (void)state;
    struct gx_dataset set;
    char name[32];
    layout = "unpaired";
    empty_folder();
    make_folder("trainA");
    flat("trainA/0.png", SIDE, SIDE, 1);
    says("has trainA/ but no trainB/; cycle expects trainA/ and trainB/");
    make_folder("trainB");
    says("/trainB' (it has nothing)");
    for (int i = 0; i < 5; i++) {
        snprintf(name, sizeof name, "trainB/%d.png", i);
        flat(name, SIDE + i, SIDE, i);
    }
    flat("trainA/1.png", SIDE, SIDE, 1);
    open_ok(&set, false, 2);
    assert_int_equal(set.train.count[0], 1);
    assert_int_equal(set.train.count[1], 3);
    assert_int_equal(gx_split_samples(&set.train), 3);
    assert_non_null(strstr(set.held.view[0][0].path, "trainA/1.png"));
    assert_non_null(strstr(set.held.view[1][1].path, "trainB/3.png"));
    said_of(&set, "': trainA 2 pictures, trainB 5; no testA/ and testB/, so one picture in 2 "
                  "(1 and 2) is held out for validation");
    gx_dataset_clear(&set);
    open_ok(&set, true, 3); /* too few in trainA */
    assert_int_equal(set.train.count[0], 5);
    assert_int_equal(set.train.count[1], 2);
    assert_int_equal(gx_split_samples(&set.held), 0);
    said_of(&set, "none held out");
    gx_dataset_clear(&set);
    make_folder("test/A");
    make_folder("test/B");
    flat("test/A/x.png", SIDE, SIDE, 1);
    flat("test/B/y.png", SIDE, SIDE, 1);
    open_ok(&set, false, 2);
    assert_int_equal(set.train.count[0], 2);
    assert_non_null(strstr(set.held.view[1][0].path, "test/B/y.png"));
    said_of(&set, "; test/A 1, test/B 1 for validation");
    gx_dataset_clear(&set);
    make_folder("testA");
    says("has testA/ but no testB/");

    empty_folder();
    says("found no two folders of pictures in");
    make_folder("train");
    halves("train/x.png", SIDE, 1);
    says("a set for ganx pix2pix; cycle expects");
    make_folder("train/A");
    make_folder("train/B");
    flat("train/A/x.png", SIDE, SIDE, 1);
    flat("train/B/x.png", SIDE, SIDE, 1);
    open_ok(&set, false, 2);
    said_of(&set, "': train/A 1 pictures, train/B 1; none held out");
    gx_dataset_clear(&set);
    empty_folder();
    make_folder("train/cats");
    make_folder("train/dogs");
    flat("train/cats/a.png", SIDE, SIDE, 1);
    flat("train/dogs/a.png", SIDE, SIDE, 1);
    says("a set for ganx star; cycle expects");
    layout = "pairs";
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
    open_ok(&set, false, 0);
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
    assert_int_equal(gx_sample_size(&set.train.view[0][0], &prepare, &height, &width, &err), 0);
    assert_int_equal(width, 9);
    prepare.load_size = 0;
    assert_int_equal(gx_sample_size(&set.train.view[0][0], &prepare, &height, &width, &err), 0);
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
    open_ok(&set, false, 0);
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
    open_ok(&set, false, 0);
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

static void places(void **state)
{
    (void)state;
    int seen[3][7] = {{0}};
    for (int step = 0; step < 4; step++)
        for (int rank = 0; rank < 2; rank++)
            for (int item = 0; item < 2; item++) {
                struct gx_place place = gx_place_at(7, step, 2, item, rank, 2);
                seen[place.epoch][place.position]++;
            }
    for (int i = 0; i < 7; i++) {
        assert_int_equal(seen[0][i], 1); /* each once before the second epoch begins */
        assert_int_equal(seen[1][i], 1);
    }
    assert_int_equal(seen[2][0] + seen[2][1], 2);
    assert_int_equal(gx_steps_of_epochs(7, 2, 2, 2), 4);
    assert_int_equal(gx_steps_of_epochs(8, 2, 2, 2), 4);
    assert_int_equal(gx_steps_of_epochs(100, 200, 1, 1), 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(side_by_side), cmocka_unit_test(by_name),
        cmocka_unit_test(direct),       cmocka_unit_test(explained),
        cmocka_unit_test(unpaired),     cmocka_unit_test(samples),
        cmocka_unit_test(augmentation), cmocka_unit_test(different_sizes),
        cmocka_unit_test(places),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
