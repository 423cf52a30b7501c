/* Data sets of several domains: folders, and pictures with a table of attributes. */
#include "image/loader.h"
#include "pictures.h"

#include <stdarg.h>

enum { SIDE = 4 };

static struct gx_dataset_options options;
static struct gx_dataset set;

/* Pictures under a folder, which is made; the list ends with NULL. */
static void pictures(const char *under, ...)
{
    va_list names;
    make_folder(under);
    va_start(names, under);
    for (const char *name; (name = va_arg(names, const char *));) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", under, name);
        flat(path, SIDE, SIDE, name[0]);
    }
    va_end(names);
}

static void open_ok(void)
{
    struct gx_err err = {""};
    if (gx_dataset_open(&set, "domains", folder, &options, &err))
        fail_msg("%s", err.text);
}

static void said(const char *text)
{
    if (!strstr(set.said, text))
        fail_msg("'%s' does not say '%s'", set.said, text);
}

static void says(const char *text)
{
    struct gx_err err = {""};
    assert_int_equal(gx_dataset_open(&set, "domains", folder, &options, &err), -GX_E_CONFIG);
    if (!strstr(err.text, text))
        fail_msg("'%s' does not say '%s'", err.text, text);
    gx_dataset_clear(&set);
}

/* The names of a split's pictures and their labels: "a:10 b:01". */
static void holds(const struct gx_split *split, const char *expected)
{
    char text[256] = "";
    for (size_t i = 0; i < split->count[0]; i++) {
        size_t at = strlen(text);
        const char *name = strrchr(split->view[0][i].path, '/') + 1;
        at += (size_t)sprintf(text + at, "%s%.*s:", i ? " " : "", (int)strcspn(name, "."), name);
        for (int k = 0; k < set.domains; k++)
            at += (size_t)sprintf(text + at, "%.0f", split->label[i * (size_t)set.domains + k]);
    }
    assert_string_equal(text, expected);
}

static void folders(void **state)
{
    (void)state;
    options = (struct gx_dataset_options){.holdout = 2};
    empty_folder();
    pictures("train/dogs", "d.png", "e.png", NULL);
    pictures("train/cats", "a.png", "b.png", "c.png", NULL);
    open_ok();
    assert_int_equal(set.domains, 2);
    assert_string_equal(set.domain[0], "cats");
    assert_string_equal(set.domain[1], "dogs");
    assert_int_equal(set.groups, 1);
    assert_int_equal(set.group[0], 1);
    assert_int_equal(set.group[1], 1);
    assert_true(set.exclusive);
    holds(&set.train, "a:10 d:01 c:10");
    holds(&set.held, "b:10 e:01");
    said("5 pictures of 2 domains in");
    said("(cats 3, dogs 2), no val/ or test/, so one picture in 2 (2) is held out");
    gx_dataset_clear(&set);
    options.holdout = 0;
    open_ok();
    holds(&set.train, "a:10 d:01 b:10 e:01 c:10");
    assert_int_equal(set.held.count[0], 0);
    gx_dataset_clear(&set);
    pictures("test/dogs", "x.png", "y.png", NULL);
    options.holdout = 2;
    open_ok();
    assert_int_equal(set.train.count[0], 5);
    holds(&set.held, "x:01 y:01");
    said("/test' for validation");
    gx_dataset_clear(&set);
    pictures("test/cows", "x.png", NULL);
    says("test/cows' is of no domain: '");
}

static void folders_explained(void **state)
{
    (void)state;
    options = (struct gx_dataset_options){.holdout = 2};
    empty_folder();
    says("found no folders in '");
    pictures("cats", "a.png", NULL);
    pictures("test/cats", "z.png", NULL); /* no domain */
    says("found one folder in '");
    pictures("dogs", NULL);
    says("found no pictures of the domain 'dogs': '");
    flat("dogs/b.png", SIDE, SIDE, 1);
    flat("loose.png", SIDE, SIDE, 1);
    open_ok();
    holds(&set.train, "a:10 b:01");
    holds(&set.held, "z:10");
    said("; 1 pictures beside the folders left out");
    gx_dataset_clear(&set);
    pictures("red+blue", "c.png", NULL);
    says("'red+blue' cannot be the name of a domain: '+' has a meaning");
    options.attributes = "cats";
    says("and data.labels names none");
    options.attributes = "";
    empty_folder();
    pictures("trainA", "a.png", NULL);
    pictures("trainB", "b.png", NULL);
    says("that is an unpaired set, for ganx cycle; star expects");
}

static const char *table(const char *text)
{
    static char path[256];
    snprintf(path, sizeof path, "%s", save_bytes(text, strlen(text), "table.csv"));
    return path;
}

static void attributes(void **state)
{
    (void)state;
    empty_folder();
    pictures("images", "a.png", "b.jpg", "c.png", "d.png", NULL);
    options = (struct gx_dataset_options){
        .holdout = 4,
        .labels = table("file,young,black,blond,age\na.png,1,1,0,30\nb.png,0,0,1,7\n"
                        "c.png,1,0,0,8\nd.png,1,0,1,9\nx.png,0,0,0,4\n")};
    says("; data.attributes can choose other columns");
    says("table.csv:2: 'age' is '30'");
    options.attributes = "blond, young ,black";
    open_ok();
    assert_int_equal(set.domains, 3);
    assert_string_equal(set.domain[1], "young");
    holds(&set.train, "a:011 b:100 c:010");
    holds(&set.held, "d:110");
    assert_int_equal(set.groups, 0);
    assert_int_equal(set.group[0], 0);
    assert_false(set.exclusive);
    said("3 pictures in '");
    said("with 3 attributes of '");
    said("(blond 1, young 2, black 1)");
    said("; 1 row has no picture: 'x.png'");
    gx_dataset_clear(&set);

    pictures("images", "n.png", NULL);
    pictures("test", "x.png", "unknown.png", NULL);
    options.exclusive = "black,blond";
    open_ok();
    assert_int_equal(set.groups, 1);
    assert_int_equal(set.group[0], 1);
    assert_int_equal(set.group[1], 0);
    assert_int_equal(set.group[2], 1);
    assert_false(set.exclusive);
    holds(&set.held, "x:000");
    said("2 pictures without a row in the table are left out: '");
    assert_null(strstr(set.said, "no picture"));
    gx_dataset_clear(&set);
}

static void exclusive(void **state)
{
    (void)state;
    empty_folder();
    pictures("train", "a.png", "b.png", NULL);
    options = (struct gx_dataset_options){
        .labels = table("2\nx y z\na.png 1 -1 -1\nb.png -1 -1 1\n"), .exclusive = "z,y,x"};
    open_ok();
    assert_true(set.exclusive);
    said("with all 3 attributes");
    gx_dataset_clear(&set);
    options.exclusive = "x,y";
    open_ok(); /* z goes with any */
    assert_false(set.exclusive);
    gx_dataset_clear(&set);
    options.labels = table("2\nx y z\na.png 1 1 -1\nb.png -1 -1 1\n");
    options.exclusive = "x,y,z";
    open_ok();
    assert_false(set.exclusive);
    said("; 1 pictures have several attributes that data.exclusive says exclude each other");
    gx_dataset_clear(&set);
    options.labels = table("2\nw x y z\na.png 1 1 -1 1\nb.png -1 -1 1 1\n");
    options.exclusive = "x, z; w,y";
    open_ok();
    assert_int_equal(set.groups, 2);
    assert_int_equal(set.group[0], 2);
    assert_int_equal(set.group[3], 1);
    gx_dataset_clear(&set);
    options.exclusive = "x;y";
    says("data.exclusive: 'x' has nothing to exclude");
    options.exclusive = "x,q";
    says("data.exclusive: 'q' is no attribute");
    options.exclusive = "x,y;z,x";
    says("data.exclusive names 'x' twice");
}

static void tables_explained(void **state)
{
    (void)state;
    empty_folder();
    options = (struct gx_dataset_options){.labels = in_folder("none.csv")};
    says("cannot open '");
    options.labels = table("f,a,b,c,d\nx.png,1,0,0,0\n");
    says("found no pictures in '");
    pictures("train", "p.png", NULL);
    says("no picture in '");
    says("the table begins with 'x.png', and there are '");
    options.attributes = "a,e";
    says("has no column 'e'; it has 'a', 'b', 'c' and 1 more");
    options.attributes = "a,b,a";
    says("data.attributes names 'a' twice");
    options.attributes = "";
    options.labels = table("f,a=b,c\np.png,1,0\n");
    says("'a=b' cannot be the name of a domain: '=' has a meaning");
    options.labels = table("f,a,b\np.png,1\n");
    says("table.csv:2: 1 values where there are 2 columns");
}

/* Labels come with their pictures, whatever the order. */
static void loaded(void **state)
{
    (void)state;
    enum { COUNT = 5, BATCH = 2, STEPS = 10 };
    float pixels[BATCH * SIDE * SIDE * 3], label[BATCH * 3];
    float *const to[1] = {pixels};
    const char *name[BATCH];
    struct gx_loader *loader;
    struct gx_err err = {""};
    empty_folder();
    pictures("train/a", "1.png", "2.png", NULL);
    pictures("train/b", "3.png", "4.png", NULL);
    pictures("train/c", "5.png", NULL);
    options = (struct gx_dataset_options){0};
    open_ok();
    const struct gx_loader_options loading = {.prepare = {.channels = {3}, .hi = 255},
                                              .shuffle = true,
                                              .batch = BATCH,
                                              .workers = 2,
                                              .cache_bytes = 1 << 16};
    assert_int_equal(gx_loader_new(&loader, &set, &set.train, &loading, &err), 0);
    for (int i = 0; i < STEPS; i++) {
        assert_int_equal(gx_loader_next(loader, to, label, name, &err), 0);
        for (int k = 0; k < BATCH; k++) {
            int which = (int)pixels[k * SIDE * SIDE * 3] - '1';
            assert_int_equal(strrchr(name[k], '/')[1], '1' + which);
            for (int d = 0; d < 3; d++)
                assert_true(label[k * 3 + d] == (d == which / 2));
        }
    }
    gx_loader_free(&loader);
    gx_dataset_clear(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders),          cmocka_unit_test(folders_explained),
        cmocka_unit_test(attributes),       cmocka_unit_test(exclusive),
        cmocka_unit_test(tables_explained), cmocka_unit_test(loaded),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
