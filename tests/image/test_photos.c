/* Photographs for super-resolution: which files a set takes, and what its samples are. */
#include "image/degrade.h"
#include "image/loader.h"
#include "pictures.h"

#include <math.h>

static const struct gx_degradation bicubic = {.kind = GX_DEGRADE_BICUBIC};

static void open_set(struct gx_dataset *set, const char *layout,
                     const struct gx_dataset_options *options)
{
    struct gx_err err = {""};
    if (gx_dataset_open(set, layout, folder, options, &err))
        fail_msg("%s", err.text);
}

static void refused(const char *layout, const struct gx_dataset_options *options, const char *why)
{
    struct gx_dataset set;
    struct gx_err err = {""};
    assert_int_equal(gx_dataset_open(&set, layout, folder, options, &err), -GX_E_CONFIG);
    if (!strstr(err.text, why))
        fail_msg("'%s' is not in: %s", why, err.text);
}

static void has(const char *text, const char *part)
{
    if (!text || !strstr(text, part))
        fail_msg("'%s' is not in: %s", part, text ? text : "nothing");
}

/* ---- layouts ---- */

static void folders(void **state)
{
    (void)state;
    struct gx_dataset set;
    const struct gx_dataset_options options = {.holdout = 2, .scale = 4, .least = 12};
    empty_folder();
    refused("photos", &options, "found no photographs in");
    flat("small.png", 40, 11, 0);
    save_bytes("<html>", 6, "web.jpg");
    refused("photos", &options, "smaller than 12 pixels: ");
    flat("b.png", 12, 12, 0);
    make_folder("in");
    make_folder("in/deep");
    flat("in/c.png", 20, 20, 0);
    flat("in/deep/d.jpg", 20, 20, 0);
    save_bytes("", 0, "notes.txt");
    open_set(&set, "photos", &options);
    assert_true(set.made);
    assert_int_equal(set.train.count[0], 2);
    assert_int_equal(set.train.count[1], 2);
    assert_int_equal(set.held.count[1], 1);
    assert_string_equal(set.train.view[0][0].path, in_folder("b.png"));
    assert_string_equal(set.train.view[1][1].path, in_folder("in/deep/d.jpg"));
    assert_string_equal(set.held.view[1][0].path, in_folder("in/c.png"));
    has(set.said, "2 photographs in");
    has(set.said, "no val/ or test/, so one photograph in 2 (1) is held out");
    has(set.warning, "left out, smaller than 12 pixels: ");
    has(set.warning, "small.png'; no pictures that can be read: ");
    has(set.warning, "web.jpg'");
    gx_dataset_clear(&set);

    make_folder("val");
    flat("val/v.png", 9, 9, 0); /* smaller than a cut, which validation does not make */
    open_set(&set, "photos", &options);
    assert_int_equal(set.train.count[1], 3);
    assert_int_equal(set.held.count[0], 1);
    has(set.said, "/val' for validation");
    gx_dataset_clear(&set);

    make_folder("train");
    flat("train/t.png", 20, 20, 0);
    open_set(&set, "photos", &options);
    assert_int_equal(set.train.count[1], 1);
    assert_null(set.warning);
    gx_dataset_clear(&set);
}

static void pairs(void **state)
{
    (void)state;
    struct gx_dataset set;
    const struct gx_dataset_options options = {.scale = 4};
    empty_folder();
    make_folder("LR");
    refused("photos", &options, "has LR/ but no HR/");
    make_folder("HR");
    flat("LR/ax4.png", 3, 2, 0);
    flat("HR/b.png", 20, 16, 0);
    refused("photos", &options, "has a partner of the same name in");
    flat("HR/a.jpg", 15, 8, 0); /* 3 pixels more than 4 x 3 */
    flat("LR/a-bx4.png", 4, 4, 0);
    flat("HR/a-b.png", 16, 16, 0);
    open_set(&set, "photos", &options);
    assert_false(set.made);
    assert_int_equal(set.train.count[0], 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(strrchr(set.train.view[0][i].path, '/')[2],
                         strrchr(set.train.view[1][i].path, '/')[2] == '.' ? 'x' : '-');
    has(set.said, "2 pairs by name (LR/ and HR/)");
    has(set.warning, "without a partner: ");
    gx_dataset_clear(&set);

    flat("LR/bx4.png", 5, 5, 0);
    refused("photos", &options, "HR/b.png' is 20x16, and ");
    refused("photos", &options, "is 5x5 instead of 5x4");
    flat("LR/bx4.png", 5, 4, 0);
    flat("LR/b.png", 5, 4, 0);
    refused("photos", &options, "would be the same sample");
}

static void unpaired(void **state)
{
    (void)state;
    struct gx_dataset set;
    const struct gx_dataset_options options = {.scale = 2, .least = 8};
    empty_folder();
    make_folder("LR");
    flat("LR/x.png", 5, 4, 0);
    flat("LR/y.png", 5, 3, 0);
    refused("photos_unpaired", &options, "has no HR/");
    make_folder("HR");
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "HR/%d.png", i);
        flat(name, 9 - i, 8, 0);
    }
    open_set(&set, "photos_unpaired", &options);
    assert_int_equal(set.train.count[0], 1);
    assert_int_equal(set.train.count[1], 2);
    has(set.warning, "LR/y.png'");
    has(set.warning, "HR/2.png'");
    gx_dataset_clear(&set);
}

/* ---- samples ---- */

enum { W = 41, H = 31, CROP = 12, SCALE = 4, LOW = CROP / SCALE };

/* A picture whose pixels tell where they are. */
static void map(const char *name, int w, int h)
{
    VipsImage *image = make_image(w, h, 3);
    for (int k = 0; k < w * h; k++) {
        unsigned char *pixel = VIPS_IMAGE_ADDR(image, k % w, k / w);
        pixel[0] = (unsigned char)(k % w * 5);
        pixel[1] = (unsigned char)(k / w * 7);
        pixel[2] = (unsigned char)(k * k % 251);
    }
    save_image(image, name);
}

static struct gx_prepare prepare_of(const struct gx_degradation *degradation)
{
    return (struct gx_prepare){.scaling = GX_SCALE_NONE,
                               .crop_size = CROP,
                               .augment = true,
                               .flip = true,
                               .rotate = true,
                               .channels = {3, 3, 3},
                               .lo = 0,
                               .hi = 1,
                               .shrink = {SCALE, 1},
                               .degradation = degradation};
}

/* How a sample was mirrored and turned, and from where it is, by its sharp picture. */
struct seen {
    int x, y;
    bool flip, flop, turn;
};

static struct seen look(const float *sharp)
{
    struct seen s;
    int x[3], y[3]; /* of the corners at the start, to its right, below it */
    const int corner[3] = {0, CROP - 1, (CROP - 1) * CROP};
    for (int i = 0; i < 3; i++) {
        x[i] = (int)lrintf(sharp[corner[i] * 3] * 255 / 5);
        y[i] = (int)lrintf(sharp[corner[i] * 3 + 1] * 255 / 7);
    }
    s.turn = x[1] == x[0];
    s.flip = s.turn ? x[2] < x[0] : x[1] < x[0];
    s.flop = s.turn ? y[1] < y[0] : y[2] < y[0];
    s.x = s.flip ? x[0] - CROP + 1 : x[0];
    s.y = s.flop ? y[0] - CROP + 1 : y[0];
    return s;
}

/* The small picture of the whole, cut there, mirrored and turned: pixel (x, y). */
static const float *low_at(const float *low, int wide, const struct seen *s, int x, int y)
{
    int column = s->turn ? y : x, row = s->turn ? x : y;
    column = s->x / SCALE + (s->flip ? LOW - 1 - column : column);
    row = s->y / SCALE + (s->flop ? LOW - 1 - row : row);
    return low + ((size_t)row * wide + column) * 3;
}

/* The whole picture's small one, from the first place that a cut at s lies on the grid of. */
static float *low_of(const float *all, const struct seen *s, int *wide)
{
    static float part[W * H * 3], low[W * H * 3];
    int left = s->x % SCALE, top = s->y % SCALE;
    int w = (W - left) / SCALE * SCALE, h = (H - top) / SCALE * SCALE;
    for (int y = 0; y < h; y++)
        memcpy(part + (size_t)y * w * 3, all + ((size_t)(y + top) * W + left) * 3,
               (size_t)w * 3 * sizeof *part);
    assert_int_equal(gx_imresize(part, h, w, 3, 1.0 / SCALE, low, NULL), 0);
    *wide = w / SCALE;
    return low;
}

/* A small picture made around the cut is the cut of the small picture of the whole: at every place,
 * mirrored and turned in all eight ways. */
static void made(void **state)
{
    (void)state;
    enum { STEPS = 300 };
    struct gx_dataset set;
    struct gx_loader *loader;
    static float all[W * H * 3], low[LOW * LOW * 3], sharp[CROP * CROP * 3];
    float *const to[] = {low, sharp};
    const struct gx_dataset_options options = {.scale = SCALE, .least = CROP};
    struct gx_loader_options o = {
        .prepare = prepare_of(&bicubic), .seed = 3, .shuffle = true, .workers = 2};
    int ways[8] = {0};
    empty_folder();
    map("a.png", W, H);
    read_floats(in_folder("a.png"), 3, 0, 1, all);
    open_set(&set, "photos", &options);
    assert_int_equal(gx_loader_new(&loader, &set, &set.train, &o, NULL), 0);
    for (int step = 0; step < STEPS; step++) {
        assert_int_equal(gx_loader_next(loader, to, NULL, NULL, NULL), 0);
        struct seen s = look(sharp);
        assert_in_range(s.x, 0, W - CROP);
        assert_in_range(s.y, 0, H - CROP);
        ways[s.flip + 2 * s.flop + 4 * s.turn]++;
        int wide;
        const float *whole = low_of(all, &s, &wide);
        for (int i = 0; i < LOW * LOW; i++) {
            const float *expected = low_at(whole, wide, &s, i % LOW, i / LOW);
            for (int k = 0; k < 3; k++) {
                float v = expected[k] < 0 ? 0 : expected[k] > 1 ? 1 : expected[k];
                assert_true(fabsf(low[i * 3 + k] - v) < 2e-6f);
            }
        }
    }
    for (int i = 0; i < 8; i++)
        assert_in_range(ways[i], STEPS / 20, STEPS / 5);
    gx_loader_free(&loader);

    o.prepare.flip = false; /* then turned only: no picture is its mirror image */
    assert_int_equal(gx_loader_new(&loader, &set, &set.train, &o, NULL), 0);
    for (int step = 0; step < 40; step++) {
        assert_int_equal(gx_loader_next(loader, to, NULL, NULL, NULL), 0);
        struct seen s = look(sharp);
        assert_int_equal((s.flip + s.flop + s.turn) % 2, 0);
    }
    gx_loader_free(&loader);
    o.prepare.degradation = NULL;
    assert_int_equal(gx_loader_new(&loader, &set, &set.train, &o, NULL), -GX_E_USAGE);
    gx_dataset_clear(&set);
}

/* Pictures of LR/ are cut where those of HR/ are. */
static void given(void **state)
{
    (void)state;
    struct gx_dataset set;
    struct gx_loader *loader;
    static float low[LOW * LOW * 3], sharp[CROP * CROP * 3], usm[CROP * CROP * 3];
    float *const to[] = {low, sharp, usm};
    const struct gx_dataset_options options = {.scale = SCALE};
    struct gx_loader_options o = {.prepare = prepare_of(NULL), .seed = 3, .shuffle = true};
    empty_folder();
    make_folder("HR");
    make_folder("LR");
    map("HR/a.png", W, H);
    VipsImage *small = make_image(W / SCALE, H / SCALE, 3);
    for (int y = 0; y < H / SCALE; y++)
        for (int x = 0; x < W / SCALE; x++) {
            unsigned char *pixel = VIPS_IMAGE_ADDR(small, x, y);
            pixel[0] = (unsigned char)x;
            pixel[1] = (unsigned char)y;
        }
    save_image(small, "LR/a.png");
    open_set(&set, "photos", &options);
    o.prepare.usm = &gx_usm_defaults;
    assert_int_equal(gx_loader_new(&loader, &set, &set.train, &o, NULL), 0);
    int differ = 0;
    for (int step = 0; step < 60; step++) {
        assert_int_equal(gx_loader_next(loader, to, NULL, NULL, NULL), 0);
        struct seen s = look(sharp);
        assert_int_equal(s.x % SCALE, 0);
        assert_int_equal(s.y % SCALE, 0);
        for (int i = 0; i < LOW * LOW; i++) {
            int x = i % LOW, y = i / LOW, column = s.turn ? y : x, row = s.turn ? x : y;
            column = s.x / SCALE + (s.flip ? LOW - 1 - column : column);
            row = s.y / SCALE + (s.flop ? LOW - 1 - row : row);
            assert_int_equal(lrintf(low[i * 3] * 255), column);
            assert_int_equal(lrintf(low[i * 3 + 1] * 255), row);
        }
        differ += memcmp(sharp, usm, sizeof usm) != 0;
    }
    assert_int_equal(differ, 60);
    gx_loader_free(&loader);
    gx_dataset_clear(&set);
}

static void apart(void **state)
{
    (void)state;
    struct gx_dataset set;
    struct gx_loader *loader;
    static float real[LOW * LOW * 3], sharp[CROP * CROP * 3], clean[LOW * LOW * 3];
    float *const to[] = {real, sharp, clean};
    const struct gx_dataset_options options = {.scale = SCALE, .least = CROP};
    struct gx_loader_options o = {.prepare = prepare_of(&bicubic), .seed = 3, .shuffle = true};
    empty_folder();
    make_folder("HR");
    make_folder("LR");
    flat("LR/x.png", 5, 7, 9);
    flat("HR/a.png", 20, 16, 100);
    flat("HR/b.png", 16, 20, 200);
    open_set(&set, "photos_unpaired", &options);
    o.prepare.shrink[2] = SCALE;
    assert_int_equal(gx_loader_new(&loader, &set, &set.train, &o, NULL), 0);
    for (int step = 0; step < 20; step++) {
        assert_int_equal(gx_loader_next(loader, to, NULL, NULL, NULL), 0);
        for (int i = 0; i < LOW * LOW * 3; i++) {
            assert_int_equal(lrintf(real[i] * 255), 9);
            assert_true(fabsf(clean[i] - sharp[0]) < 1e-6f);
        }
    }
    gx_loader_free(&loader);
    gx_dataset_clear(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders), cmocka_unit_test(pairs), cmocka_unit_test(unpaired),
        cmocka_unit_test(made),    cmocka_unit_test(given), cmocka_unit_test(apart),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
