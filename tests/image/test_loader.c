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
static void load(const struct gx_loader_options *options, int first, int last,
                 struct record *record)
{
    struct gx_loader *loader;
    struct gx_err err = {""};
    struct gx_loader_options o = *options;
    o.first_step = first;
    if (gx_loader_new(&loader, &set, &set.train, &o, &err))
        fail_msg("%s", err.text);
    for (int step = first; step < last; step++) {
        float *const to[2] = {record[step].a, record[step].b};
        if (gx_loader_next(loader, to, record[step].name, &err))
            fail_msg("%s", err.text);
        if (step == first + 2)
            usleep(3000); /* let the workers run into the full ring */
    }
    gx_loader_free(&loader);
    assert_null(loader);
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
    cut_file(in_folder("5.png"), 0.6, "5.png"); /* the second of the third batch */
    assert_int_equal(gx_loader_new(&loader, &set, &set.train, &options, &err), 0);
    assert_true(gx_loader_needs(&set, &set.train, &options, CROP, CROP) >=
                2 * FLOATS * sizeof(float));
    assert_int_equal(gx_loader_next(loader, to, NULL, &err), 0);
    assert_int_equal(gx_loader_next(loader, to, NULL, &err), 0);
    assert_int_equal(gx_loader_next(loader, to, NULL, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "5.png': truncated"));
    assert_int_equal(gx_loader_next(loader, to, NULL, &err), -GX_E_CONFIG); /* and it stays */
    gx_loader_free(&loader);
    gx_loader_free(&loader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_for_all),
        cmocka_unit_test(ranks_share_the_work),
        cmocka_unit_test(by_name),
        cmocka_unit_test(errors_name_the_file),
    };
    return cmocka_run_group_tests(tests, make_set, drop_set);
}
