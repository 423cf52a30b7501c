/* --to, --edit, --labels, --grid: from words to labels, folders and refusals. */
#include "../scratch.h"
#include "../test.h"

#include "cmd/label.h"
#include "util/file.h"

#include <string.h>

static const char *const names[] = {"black_hair", "blond_hair", "Young", "a=b", "x,y"};
static const int groups[] = {1, 1, 0, 0, 0};
static const struct gx_model_facts model = {.domains = 5, .domain = names, .domain_group = groups};

static char table[300], said[2000];

static struct gx_config config_of(const char *to, const char *edit, const char *labels, bool grid)
{
    struct gx_config c = {.operands = 0};
    c.translate.to = to;
    c.translate.edit = edit;
    c.translate.labels = labels;
    c.translate.grid = grid;
    return c;
}

/* The targets as "FOLDER:0 1 0.5 0 0 " for a picture, or the error; a slash after the folders if
 * they are used. */
static int plan(const struct gx_config *c, const char *path)
{
    struct gx_targets t;
    struct gx_err err = {""};
    float labels[8 * 5];
    size_t used = 0;
    int code = gx_targets_plan(&t, c, &model, &err);
    assert_true(t.count <= 8);
    if (!code)
        code = gx_targets_label(&t, path, labels, &err);
    snprintf(said, sizeof said, "%s", err.text);
    for (int k = 0; !code && k < t.count; k++) {
        used += (size_t)snprintf(said + used, sizeof said - used, "%s%s%s:", k ? "  " : "",
                                 t.target[k].folder, t.folders ? "/" : "");
        for (int i = 0; i < 5; i++)
            used += (size_t)snprintf(said + used, sizeof said - used, "%s%g", i ? " " : "",
                                     labels[k * 5 + i]);
    }
    gx_targets_clear(&t);
    return code;
}

static void gives(const char *to, const char *edit, const char *labels, bool grid,
                  const char *expected)
{
    struct gx_config c = config_of(to, edit, labels, grid);
    if (plan(&c, "in/2.png"))
        fail_msg("%s", said);
    assert_string_equal(said, expected);
}

static void refuses(const char *to, const char *edit, const char *labels, int code,
                    const char *text)
{
    struct gx_config c = config_of(to, edit, labels, false);
    assert_int_equal(plan(&c, "in/2.png"), code);
    if (!strstr(said, text))
        fail_msg("%s\nis not\n%s", said, text);
}

static void domains(void **state)
{
    (void)state;
    gives("Young", "", "", false, "Young:0 0 1 0 0");
    gives("young", "", "", false, "young:0 0 1 0 0"); /* the only one but for capitals */
    gives("young=0.6", "", "", false, "young=0.6:0 0 0.6 0 0");
    gives("black_hair=-.5", "", "", false, "black_hair=-.5:-0.5 0 0 0 0");
    gives("Young,black_hair", "", "", false, "Young,black_hair:1 0 1 0 0");
    gives("Young\nblack_hair", "", "", false, "Young/:0 0 1 0 0  black_hair/:1 0 0 0 0");
    gives("all", "", "", false,
          "black_hair/:1 0 0 0 0  blond_hair/:0 1 0 0 0  Young/:0 0 1 0 0  a=b/:0 0 0 1 0  "
          "x,y/:0 0 0 0 1");
    gives("a=b", "", "", false, "a=b:0 0 0 1 0"); /* a name may hold what else has a meaning */
    gives("a=b=2", "", "", false, "a=b=2:0 0 0 2 0");
    gives("x,y", "", "", false, "x,y:0 0 0 0 1");
    gives("black_hair=0.5,blond_hair=0.5", "", "", false,
          "black_hair=0.5,blond_hair=0.5:0.5 0.5 0 0 0");
}

static void sheets(void **state)
{
    (void)state;
    gives("", "", "", true,
          "black_hair:1 0 0 0 0  blond_hair:0 1 0 0 0  Young:0 0 1 0 0  a=b:0 0 0 1 0  "
          "x,y:0 0 0 0 1");
    gives("young\na=b", "", "", true, "young:0 0 1 0 0  a=b:0 0 0 1 0");
    gives("", "+young", table, true, "+young:0 1 1 0 0");
}

/* The picture has blond hair. */
static void changes(void **state)
{
    (void)state;
    gives("young", "", table, false, "young:0 1 1 0 0");
    gives("black_hair", "", table, false, "black_hair:1 0 0 0 0"); /* blond_hair goes */
    gives("", "+black_hair", table, false, "+black_hair:1 0 0 0 0");
    gives("", "+black_hair,-Young", table, false, "+black_hair,-Young:1 0 0 0 0");
    gives("", "-blond_hair", table, false, "_-blond_hair:0 0 0 0 0");
    gives("", "-black_hair", table, false, "_-black_hair:0 1 0 0 0");
    gives("", "+young=0.25,-blond_hair", table, false, "+young=0.25,-blond_hair:0 0 0.25 0 0");
    gives("", "-blond_hair,+black_hair", table, false, "_-blond_hair,+black_hair:1 0 0 0 0");
    gives("black_hair", "+young", table, false, "black_hair/:1 0 0 0 0  +young/:0 1 1 0 0");
}

static void refusals(void **state)
{
    (void)state;
    static const char list[] = ": black_hair, blond_hair, Young, a=b, x,y";
    refuses("", "", "", -GX_E_USAGE, "say what to make of the pictures: --to NAME (or all)");
    refuses("", "", "", -GX_E_USAGE, list);
    refuses("blak_hair", "", "", -GX_E_USAGE, "option '--to': 'blak_hair' is none of");
    refuses("blak_hair", "", "", -GX_E_USAGE, list);
    refuses("blak_hair", "", "", -GX_E_USAGE, "did you mean 'black_hair'?");
    refuses("young,,a=b", "", "", -GX_E_USAGE, "'' is none of the model's");
    refuses("young=", "", "", -GX_E_USAGE, "the strength of 'young' is '', must be a number");
    refuses("young=inf", "", "", -GX_E_USAGE, "the strength of 'young' is 'inf'");
    refuses("young=1e60", "", "", -GX_E_USAGE, "the strength of 'young' is '1e60'");
    refuses("young=1x", "", "", -GX_E_USAGE, "the strength of 'young' is '1x'");
    refuses("young,young=0.5", "", "", -GX_E_USAGE, "'Young' is named twice");
    refuses("black_hair,blond_hair", "", "", -GX_E_USAGE,
            "'black_hair' and 'blond_hair' exclude each other");
    refuses("young\nyoung", "", "", -GX_E_USAGE,
            "'young' and 'young' would both be written into 'young/'");
    refuses("", "+young", "", -GX_E_USAGE, "--edit changes what a picture has now");
    refuses("", "young", table, -GX_E_USAGE, "'young' must begin with + or -");
    refuses("", "-young=0.5", table, -GX_E_USAGE, "'-young=0.5' takes away");
    refuses("", "+young,-young", table, -GX_E_USAGE, "'Young' is named twice");
    refuses("young", "", "nowhere.csv", -GX_E_IO, "cannot open 'nowhere.csv'");
}

static void write_table(const char *text)
{
    assert_int_equal(gx_file_write(table, text, strlen(text), NULL), 0);
}

static void tables(void **state)
{
    (void)state;
    struct gx_config c = config_of("young", "", table, false);
    assert_int_equal(plan(&c, "in/4.png"), -GX_E_CONFIG);
    assert_non_null(strstr(said, "has no row for 'in/4.png'"));
    write_table("file,black_hair,Young,a=b\n2.png,1,0,0\n");
    refuses("young", "", table, -GX_E_CONFIG, "has no column for the model's domain 'blond_hair'");
    write_table("file,black_hair,blond_hair,Young,a=b,\"x,y\"\n2.png,1,0,37,0,1\n");
    refuses("young", "", table, -GX_E_CONFIG, "37");
}

static char folder[256];

static int enter(void **state)
{
    (void)state;
    if (scratch_make(folder, sizeof folder))
        return 1;
    snprintf(table, sizeof table, "%s/table.csv", folder);
    write_table("file,age,\"x,y\",blond_hair,black_hair,Young,a=b\n"
                "1.png,3,1,1,0,1,1\n"
                "2.png,5,0,1,0,0,0\n");
    return 0;
}

static int leave(void **state)
{
    (void)state;
    return scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(domains, enter, leave),
        cmocka_unit_test_setup_teardown(sheets, enter, leave),
        cmocka_unit_test_setup_teardown(changes, enter, leave),
        cmocka_unit_test_setup_teardown(refusals, enter, leave),
        cmocka_unit_test_setup_teardown(tables, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
