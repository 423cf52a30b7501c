/* Every configuration of configs/ begins: read, its networks built, its steps planned, for pictures as
 * large as it asks for. The data sets that some of them name are not looked at. */
#include "tiny.h"

#include "ganx/image.h"
#include "util/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIDE = 272 }; /* the largest crop, and a little */

static void write_plain(const char *path)
{
    static float data[SIDE * SIDE * 3];
    struct gx_err err = {""};
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        data[i] = (float)(i % 251) / 251;
    struct gx_pixels pixels = {data, SIDE, SIDE, 3, 0, 1};
    if (gx_picture_write(&pixels, NULL, &gx_write_defaults, path, &err))
        fail_msg("%s", err.text);
}

/* The family that a configuration is of. */
static const char *family_of(const char *text)
{
    static const struct {
        const char *line, *data;
    } rows[] = {{"family: pix2pix", "data"},
                {"family: cycle", "unpaired"},
                {"family: star", "domains"},
                {"family: sr", "large"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *at = strstr(text, rows[i].line);
        if (at && at[strlen(rows[i].line)] == '\n')
            return rows[i].data;
    }
    return NULL;
}

static void begins(const char *name)
{
    char path[512], *text = NULL;
    size_t size;
    struct gx_err err = {""};
    struct gx_config c;
    struct gx_train_needs needs = {0};
    snprintf(path, sizeof path, "configs/%s", name);
    assert_int_equal(gx_file_read(path, 1 << 20, &text, &size, &err), 0);
    const char *data = family_of(text);
    if (!data)
        fail_msg("%s names no family that is known here", path);
    if (gx_config_read_text(&c, text, size, path, &err))
        fail_msg("%s", err.text);
    free(text);
    bool pairless = !strcmp(c.family, "cycle") && c.net.scale > 1;
    c.data.path = tiny_path("%s", pairless ? "pairless-large" : data);
    c.data.labels = "";
    c.train.run = tiny_path("runs/none");
    if (*c.degrade.model)
        c.degrade.model = tiny_path("runs/degrading");
    if (gx_train_dry_run(&c, NULL, &needs, &err))
        fail_msg("%s: %s", path, err.text);
    assert_true(needs.steps > 0 && needs.total > 0);
    gx_config_clear(&c);
}

static void every_recipe_begins(void **state)
{
    (void)state;
    struct gx_names names;
    struct gx_err err = {""};
    int recipes = 0;
    assert_int_equal(gx_folder_make(tiny_path("large"), &err), 0);
    write_plain(tiny_path("large/a.png"));
    write_plain(tiny_path("large/b.png"));
    assert_int_equal(gx_folder_make(tiny_path("pairless-large/LR"), &err), 0);
    assert_int_equal(gx_folder_make(tiny_path("pairless-large/HR"), &err), 0);
    write_plain(tiny_path("pairless-large/LR/a.png"));
    write_plain(tiny_path("pairless-large/HR/b.png"));
    tiny_family("unpaired-sr");
    tiny_train("degrading", "train.steps=1 net.scale=4 net.discriminator=pixel");
    assert_int_equal(gx_folder_list("configs", &names, &err), 0);
    for (size_t i = 0; i < names.count; i++) {
        size_t length = strlen(names.name[i]);
        if (length < 5 || strcmp(names.name[i] + length - 5, ".yaml") != 0)
            continue;
        print_message("%s\n", names.name[i]);
        begins(names.name[i]);
        recipes++;
    }
    gx_names_free(&names);
    assert_true(recipes > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_recipe_begins)};
    return cmocka_run_group_tests(tests, tiny_setup, tiny_teardown);
}
