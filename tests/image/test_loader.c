/* The loader: the same batches for any number of workers, any cache, and from any step on. */
#include "image/loader.h"
#include "pictures.h"

#include <sys/stat.h>

enum { COUNT = 7, SIDE = 10, CROP = 8, BATCH = 2, STEPS = 12, FLOATS = BATCH * CROP * CROP * 3 };

static struct gx_dataset set;

static int make_set(void **state)
{
    if (setup(state))
        return -1;
    for (int i = 0; i < COUNT; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.png", i);
        VipsImage *image = make_image(2 * SIDE, SIDE, 3);
        VIPS_IMAGE_ADDR(image, 0, 0)[0] = (unsigned char)i;
        for (int k = 0; k < 2 * SIDE * SIDE * 3; k++)
            VIPS_IMAGE_ADDR(image, 0, 0)[k] += (unsigned char)(i * 17);
        save_image(image, name);
    }
    const struct gx_dataset_options options = {0};
    return gx_dataset_open(&set, "pairs", folder, &options, NULL);
}

static int drop_set(void **state)
{
    gx_dataset_clear(&set);
    return teardown(state);
}

static struct gx_loader_options usual(void)
{
    return (struct gx_loader_options){
        .prepare = {.crop_size = CROP,
                    .augment = true,
                    .flip = true,
                    .channels = {3, 3},
                    .lo = -1,
                    .hi = 1},
        .seed = 11,
        .shuffle = true,
        .batch = BATCH,
        .workers = 1,
    };
}

struct record {
    float a[FLOATS], b[FLOATS];
    const char *name[BATCH];
};

/* Steps first..last-1 into record[first..]. */
static void load_from(const struct gx_dataset *from, const struct gx_loader_options *options,
                      int first, int last, struct record *record)
{
    struct gx_loader *loader;
    struct gx_err err = {""};
    struct gx_loader_options o = *options;
    o.first_step = first;
    if (gx_loader_new(&loader, from, &from->train, &o, &err))
        fail_msg("%s", err.text);
    for (int step = first; step < last; step++) {
        float *const to[2] = {record[step].a, record[step].b};
        if (gx_loader_next(loader, to, NULL, record[step].name, &err))
            fail_msg("%s", err.text);
        if (step == first + 2)
            usleep(3000); /* let the workers run into the full ring */
    }
    gx_loader_free(&loader);
    assert_null(loader);
}

static void load(const struct gx_loader_options *options, int first, int last,
                 struct record *record)
{
    load_from(&set, options, first, last, record);
}

static void same_for_all(void **state)
{
    (void)state;
    static struct record one[STEPS], other[STEPS];
    struct gx_loader_options options = usual();
    load(&options, 0, STEPS, one);
    int seen[COUNT] = {0};
    for (int i = 0; i < COUNT; i++) /* the first epoch has each sample once */
        seen[strrchr(one[i / BATCH].name[i % BATCH], '/')[1] - '0']++;
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    options.workers = 3;
    load(&options, 0, STEPS, other);
    assert_memory_equal(one, other, sizeof one);
    options.cache_bytes = 1 << 20;
    memset(other, 0, sizeof other);
    load(&options, 0, STEPS, other);
    assert_memory_equal(one, other, sizeof one);
    options.cache_bytes = 2 * SIDE * SIDE * 3 * 2; /* room for two samples */
    memset(other, 0, sizeof other);
    load(&options, 0, 5, other);
    load(&options, 5, STEPS, other); /* resumed in the middle of an epoch */
    assert_memory_equal(one, other, sizeof one);
    options.seed = 12;
    load(&options, 0, STEPS, other);
    assert_memory_not_equal(one, other, sizeof one);
}

static void ranks_share_the_work(void **state)
{
    (void)state;
    static struct record both[2], one[2];
    struct gx_loader_options options = usual();
    load(&options, 0, 2, both);
    options.batch = 1;
    options.ranks = 2;
    for (int rank = 0; rank < 2; rank++) {
        options.rank = rank;
        load(&options, 0, 2, one);
        for (int step = 0; step < 2; step++)
            assert_memory_equal(one[step].a, both[step].a + rank * FLOATS / BATCH,
                                FLOATS / BATCH * sizeof(float));
    }
}

static void by_name(void **state)
{
    (void)state;
    static struct record record[4];
    struct gx_loader_options options = usual();
    options.shuffle = options.prepare.augment = false;
    load(&options, 0, 4, record);
    for (int i = 0; i < 8; i++) /* and on into the next epoch */
        assert_int_equal(strrchr(record[i / BATCH].name[i % BATCH], '/')[1], '0' + i % COUNT);
    assert_memory_equal(record[0].a, record[3].a + FLOATS / BATCH, FLOATS / BATCH * sizeof(float));
}

enum { ALONE_A = 3, ALONE_B = 5, EPOCHS = 24 };

static void make_alone(struct gx_dataset *alone)
{
    struct gx_err err = {""};
    const struct gx_dataset_options none = {0};
    if (gx_folder_make(in_folder("alone/trainA"), &err) ||
        gx_folder_make(in_folder("alone/trainB"), &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < ALONE_A + ALONE_B; i++) { /* channels: which picture, x, y */
        bool b = i >= ALONE_A;
        int side = b ? SIDE + 2 : SIDE, number = b ? i - ALONE_A : i;
        char name[32];
        snprintf(name, sizeof name, "alone/train%c/%d.png", b ? 'B' : 'A', number);
        VipsImage *image = make_image(side, side, 3);
        for (int k = 0; k < side * side; k++) {
            unsigned char *pixel = VIPS_IMAGE_ADDR(image, k % side, k / side);
            pixel[0] = (unsigned char)number;
            pixel[1] = (unsigned char)(k % side);
            pixel[2] = (unsigned char)(k / side);
        }
        save_image(image, name);
    }
    if (gx_dataset_open(alone, "unpaired", in_folder("alone"), &none, &err))
        fail_msg("%s", err.text);
}

/* What a picture of `make_alone` shows: its number, where it was cut, whether it was mirrored. */
struct seen {
    int number, x, y;
    bool flip;
};

static struct seen look(const float *pixels)
{
    bool flip = pixels[1] > pixels[4];
    return (struct seen){(int)pixels[0], (int)pixels[flip ? 3 * (CROP - 1) + 1 : 1], (int)pixels[2],
                         flip};
}

/* Sizes and counts differ; partners are drawn, each side has its own cut, and nothing depends on
 * workers, the cache, or where it began. */
static void unpaired(void **state)
{
    (void)state;
    static struct record one[EPOCHS * ALONE_B / BATCH], other[EPOCHS * ALONE_B / BATCH];
    enum { BATCHES = EPOCHS * ALONE_B / BATCH };
    struct gx_dataset alone;
    struct gx_loader_options options = usual();
    options.prepare.lo = 0;
    options.prepare.hi = 255;
    make_alone(&alone);
    load_from(&alone, &options, 0, BATCHES, one);
    options.workers = 3;
    options.cache_bytes = 1 << 20;
    load_from(&alone, &options, 0, 7, other);
    load_from(&alone, &options, 7, BATCHES, other);
    assert_memory_equal(one, other, sizeof one);

    int met[ALONE_A][ALONE_B] = {{0}}, differ[3] = {0}, far = 0;
    for (int i = 0; i < EPOCHS * ALONE_B; i++) {
        int at = i % BATCH * CROP * CROP * 3;
        struct seen a = look(one[i / BATCH].a + at), b = look(one[i / BATCH].b + at);
        assert_int_equal(strrchr(one[i / BATCH].name[i % BATCH], '/')[1], '0' + a.number);
        met[a.number][b.number]++;
        assert_in_range(a.x, 0, SIDE - CROP);
        assert_in_range(b.y, 0, SIDE + 2 - CROP);
        differ[0] += a.x != b.x;
        differ[1] += a.y != b.y;
        differ[2] += a.flip != b.flip;
        far += b.x > SIDE - CROP;
    }
    for (int i = 0; i < ALONE_A * ALONE_B; i++)
        assert_in_range(met[i / ALONE_B][i % ALONE_B], 1, 30); /* 8 on average */
    for (int k = 0; k < 3; k++)
        assert_in_range(differ[k], 30, EPOCHS * ALONE_B);
    assert_true(far > 20);

    options.shuffle = options.prepare.augment = false;
    load_from(&alone, &options, 0, 5, one);
    for (int i = 0; i < 5 * BATCH; i++) {
        int at = i % BATCH * CROP * CROP * 3;
        assert_int_equal(look(one[i / BATCH].a + at).number, i % ALONE_B % ALONE_A);
        assert_int_equal(look(one[i / BATCH].b + at).number, i % ALONE_B);
    }
    gx_dataset_clear(&alone);
}

struct told {
    int count;
    char text[512];
};

static void hear(void *user, const char *text)
{
    struct told *told = user;
    told->count++;
    snprintf(told->text, sizeof told->text, "%s", text);
}

static char name_at(const struct record *record, int i)
{
    return strrchr(record[i / BATCH].name[i % BATCH], '/')[1];
}

/* Instead of a damaged picture the next is taken: told once for a data set, by any number of workers,
 * and as well from a step on. Only when none is left that is an error. */
static void damage(void **state)
{
    (void)state;
    static struct record one[STEPS], other[STEPS];
    struct told told = {0};
    struct gx_dataset again;
    struct gx_err err = {""};
    struct gx_loader_options options = usual();
    const struct gx_dataset_options none = {0};
    options.warn = hear;
    options.user = &told;
    options.cache_bytes = 1 << 20;
    if (gx_dataset_open(&again, "pairs", folder, &none, &err))
        fail_msg("%s", err.text);
    cut_file(in_folder("5.png"), 0.6, "5.png");
    assert_int_equal(unlink(in_folder("6.png")), 0);
    load_from(&again, &options, 0, STEPS, one);
    assert_int_equal(told.count, 2);
    assert_non_null(strstr(told.text, ".png"));
    assert_non_null(strstr(told.text, "; another is taken instead"));
    load_from(&again, &options, 0, STEPS, other);
    assert_int_equal(told.count, 2);
    assert_memory_equal(one, other, sizeof one);
    int seen[COUNT] = {0};
    for (int i = 0; i < 2 * COUNT; i++)
        seen[name_at(one, i) - '0']++;
    assert_int_equal(seen[0], 6); /* for 5 and 6 */
    assert_int_equal(seen[5] + seen[6], 0);
    gx_dataset_clear(&again);

    save_image(make_image(2 * SIDE, SIDE, 3), "6.png");
    if (gx_dataset_open(&again, "pairs", folder, &none, &err))
        fail_msg("%s", err.text);
    assert_int_equal(unlink(in_folder("6.png")), 0);
    options.workers = 3;
    options.cache_bytes = 0;
    memset(other, 0, sizeof other);
    load_from(&again, &options, 0, 5, other);
    load_from(&again, &options, 5, STEPS, other);
    for (int step = 0; step < STEPS; step++) {
        assert_memory_equal(one[step].a, other[step].a, sizeof one[step].a);
        assert_memory_equal(one[step].b, other[step].b, sizeof one[step].b);
    }
    gx_dataset_clear(&again);
}

static void nothing_left(void **state)
{
    (void)state;
    struct gx_dataset again;
    struct gx_loader *loader;
    struct gx_err err = {""};
    struct told told = {0};
    static struct record record;
    float *const to[2] = {record.a, record.b};
    struct gx_loader_options options = usual();
    const struct gx_dataset_options none = {0};
    empty_folder();
    flat("x.png", 2 * SIDE, SIDE, 5);
    flat("y.png", 2 * SIDE, SIDE, 5);
    assert_int_equal(gx_dataset_open(&again, "pairs", folder, &none, &err), 0);
    cut_file(in_folder("x.png"), 0.6, "x.png");
    cut_file(in_folder("y.png"), 0.6, "y.png");
    options.warn = hear;
    options.user = &told;
    assert_int_equal(gx_loader_new(&loader, &again, &again.train, &options, &err), 0);
    for (int i = 0; i < 2; i++) { /* and it stays */
        assert_int_equal(gx_loader_next(loader, to, NULL, NULL, &err), -GX_E_CONFIG);
        assert_non_null(strstr(err.text, "none of the 2 pictures beside '"));
    }
    assert_int_equal(told.count, 2);
    assert_non_null(strstr(told.text, ".png'"));
    gx_loader_free(&loader);
    gx_dataset_clear(&again);
}

static void errors_name_the_file(void **state)
{
    (void)state;
    struct gx_loader *loader;
    struct gx_err err = {""};
    struct gx_loader_options options = usual();
    static struct record record;
    float *const to[2] = {record.a, record.b};
    options.shuffle = false;
    options.workers = 3;
    const struct gx_split none = {{0}};
    assert_int_equal(gx_loader_new(&loader, &set, &none, &options, &err), -GX_E_CONFIG);
    options.prepare.load_size = 4;
    assert_int_equal(gx_loader_new(&loader, &set, &set.train, &options, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "data.crop_size 8 is larger than data.load_size 4"));
    options.prepare.load_size = 0;
    assert_int_equal(gx_loader_new(&loader, &set, &set.train, &options, &err), 0);
    assert_true(gx_loader_needs(&set, &set.train, &options, CROP, CROP) >=
                2 * FLOATS * sizeof(float));
    gx_loader_free(&loader);
    gx_loader_free(&loader);
    options.prepare.crop_size = 0;
    options.height = options.width = CROP; /* a buffer's size, and no picture's */
    assert_int_equal(gx_loader_new(&loader, &set, &set.train, &options, &err), 0);
    assert_int_equal(gx_loader_next(loader, to, NULL, NULL, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "0.png' is 10x10 where others are 8x8"));
    gx_loader_free(&loader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_for_all),
        cmocka_unit_test(ranks_share_the_work),
        cmocka_unit_test(by_name),
        cmocka_unit_test(unpaired),
        cmocka_unit_test(errors_name_the_file),
        cmocka_unit_test(damage),
        cmocka_unit_test(nothing_left),
    };
    return cmocka_run_group_tests(tests, make_set, drop_set);
}
