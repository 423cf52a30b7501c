/* Data sets: layouts recognised, and errors that say what lies there. */
#include "image/dataset.h"
#include "pictures.h"

enum { SIDE = 8 };

/* A pair side by side: left half level, right half level + 100. */
static void halves(const char *name, int side, int level)
{
    VipsImage *image = make_image(2 * side, side, 3);
    for (int i = 0; i < 2 * side * side * 3; i++)
        VIPS_IMAGE_ADDR(image, 0, 0)
    [i] = (unsigned char)(level + (i / 3 % (2 * side) < side ? 0 : 100));
    save_image(image, name);
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
        cmocka_unit_test(side_by_side), cmocka_unit_test(by_name),  cmocka_unit_test(direct),
        cmocka_unit_test(explained),    cmocka_unit_test(unpaired), cmocka_unit_test(places),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
