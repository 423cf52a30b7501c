/* Defaults, file and flags in their order; saving, reading back, and resuming. */
#include "../scratch.h"
#include "../test.h"

#include "config/dump.h"
#include "config/resolve.h"
#include "util/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char root[4096], folder[256];

static int enter(void **state)
{
    (void)state;
    return !getcwd(root, sizeof root) || scratch_make(folder, sizeof folder) || chdir(folder);
}

static int leave(void **state)
{
    (void)state;
    return unlink("pix2pix.yaml") || unlink("other.yaml") || chdir(root) || rmdir(folder);
}

static void write_text(const char *path, const char *text)
{
    assert_int_equal(gx_file_write(path, text, strlen(text), NULL), 0);
}

/* Splits a line at blanks. */
static int resolve(struct gx_config *config, enum gx_verb verb, const char *line,
                   struct gx_err *err)
{
    static char copy[1000];
    char *argv[40], *rest = NULL;
    int argc = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;
    return gx_config_resolve(config, "pix2pix", verb, argc, argv, err);
}

static void later_sources_win(void **state)
{
    (void)state;
    struct gx_config c;
    struct gx_err err = {""};
    write_text("pix2pix.yaml", "threads: 3\noptim:\n  lr: 0.1\n  beta1: 0.3\n");
    write_text("other.yaml", "threads: 5\n");

    assert_int_equal(resolve(&c, GX_VERB_TRAIN, "--set optim.lr=0.5 --data x", &err), 0);
    assert_true(c.threads == 3 && c.optim.lr == 0.5 && c.optim.beta1 == 0.3 &&
                c.optim.beta2 == 0.999);
    assert_string_equal(gx_config_where(&c, "threads"), "pix2pix.yaml:1:10");
    assert_string_equal(gx_config_where(&c, "optim.beta1"), "pix2pix.yaml:4:10");
    assert_string_equal(gx_config_where(&c, "optim.lr"), "--set optim.lr");
    assert_string_equal(gx_config_where(&c, "data.path"), "--data");
    assert_string_equal(gx_config_where(&c, "optim.eps"), "the defaults");
    gx_config_clear(&c);

    assert_int_equal(resolve(&c, GX_VERB_TRAIN, "--config other.yaml", &err), 0);
    assert_true(c.threads == 5 && c.optim.lr == 0.0002);
    gx_config_clear(&c);

    assert_int_equal(resolve(&c, GX_VERB_TRAIN, "--config=other.yaml --threads=7 -j 8", &err), 0);
    assert_int_equal(c.threads, 8);
    gx_config_clear(&c);

    assert_int_equal(resolve(&c, GX_VERB_TRANSLATE, "a b", &err), 0); /* reads no file */
    assert_int_equal(c.threads, 0);
    gx_config_clear(&c);
}

static void words_are_split_as_usual(void **state)
{
    (void)state;
    struct gx_config c;
    struct gx_err err = {""};
    assert_int_equal(
        resolve(&c, GX_VERB_TRANSLATE, "in -rfmx.safetensors - --size 9 -- --size", &err), 0);
    assert_true(c.translate.recursive && c.translate.force && c.translate.size == 9);
    assert_string_equal(c.translate.model, "x.safetensors");
    assert_int_equal(c.operands, 3);
    assert_string_equal(c.operand[0], "in");
    assert_string_equal(c.operand[1], "-");
    assert_string_equal(c.operand[2], "--size");
    gx_config_clear(&c);
    assert_int_equal(resolve(&c, GX_VERB_TRAIN, "--help --nonsense", &err), 0);
    assert_true(c.help);
    gx_config_clear(&c);
}

static struct {
    enum gx_verb verb;
    const char *line, *says;
} wrong[] = {
    {GX_VERB_TRAIN, "--dat x", "unknown option '--dat'; did you mean '--data'?"},
    {GX_VERB_TRAIN, "--qqqqqqqq", "unknown option '--qqqqqqqq'; see --help"},
    {GX_VERB_TRAIN, "--model x", "unknown option '--model'"},
    {GX_VERB_TRAIN, "-z", "unknown option '-z'"},
    {GX_VERB_TRAIN, "--json=1", "takes no value"},
    {GX_VERB_TRAIN, "--data", "option '--data' needs a value: --data DIR"},
    {GX_VERB_TRAIN, "--steps many", "option '--steps': 'many' is not a whole number"},
    {GX_VERB_TRAIN, "--direction AtoC", "'AtoC' is none of AtoB, BtoA; did you mean 'AtoB'?"},
    {GX_VERB_TRAIN, "--set optim.lr", "expects key=value"},
    {GX_VERB_TRAIN, "--set optim.rl=1", "'optim.rl'; did you mean 'optim.lr'?"},
    {GX_VERB_TRAIN, "--set optim.lr=x", "option '--set optim.lr': 'x' is not a number"},
    {GX_VERB_TRAIN, "--set quiet=true", "not a key but an option: --quiet"},
    {GX_VERB_TRAIN, "--set family=cycle", "this configuration is of 'cycle'"},
    {GX_VERB_TRAIN, "--data \xff", "the value is not UTF-8"},
    {GX_VERB_TRAIN, "--steps 1 --epochs 2", "either --steps or --epochs"},
    {GX_VERB_TRANSLATE, "--quality 101", "out of range: from 0 to 100"},
    {GX_VERB_TRANSLATE, "-m", "option '-m' needs a value: -m MODEL"},
};

static void wrong_lines_are_usage_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct gx_config c;
        struct gx_err err = {""};
        int code = resolve(&c, wrong[i].verb, wrong[i].line, &err);
        print_message("%s -> %s\n", wrong[i].line, err.text);
        assert_int_equal(code, -GX_E_USAGE);
        assert_non_null(strstr(err.text, wrong[i].says));
        gx_config_clear(&c);
    }
}

static void wrong_configurations_name_their_place(void **state)
{
    (void)state;
    struct gx_config c;
    struct gx_err err = {""};
    assert_int_equal(resolve(&c, GX_VERB_TRAIN, "--config none.yaml", &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "none.yaml"));
    gx_config_clear(&c);
    write_text("other.yaml", "data:\n  load_size: 100\n");
    assert_int_equal(resolve(&c, GX_VERB_TRAIN, "--config other.yaml", &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "other.yaml:2:14: data.crop_size (256) is larger"));
    gx_config_clear(&c);
    assert_int_equal(/* which does not scale */
                     resolve(&c, GX_VERB_TRAIN, "--config other.yaml --set data.preprocess=crop",
                             &err),
                     0);
    gx_config_clear(&c);
    assert_int_equal(resolve(&c, GX_VERB_TRAIN, "--set optim.schedule=multistep", &err),
                     -GX_E_CONFIG);
    gx_config_clear(&c);
}

static void the_closer_length_counts(void **state)
{
    (void)state;
    struct gx_config c;
    struct gx_err err = {""};
    write_text("other.yaml", "train:\n  steps: 70\n");
    assert_int_equal(resolve(&c, GX_VERB_TRAIN, "--config other.yaml", &err), 0);
    assert_int_equal(c.train.steps, 70);
    gx_config_clear(&c);
    assert_int_equal(resolve(&c, GX_VERB_TRAIN, "--config other.yaml --epochs 3", &err), 0);
    assert_true(c.train.steps == 0 && c.train.epochs == 3);
    gx_config_clear(&c);
}

/* Values that need every kind of quoting come back; the dump of a dump is the same text. */
static void saved_text_reads_back(void **state)
{
    (void)state;
    static char *odd[] = {"--data", "no",
                          "--set",  "train.init=a \"b\"\\\t\xc3\xa9: #",
                          "--run",  "-x",
                          "--seed", "18446744073709551615",
                          "--set",  "optim.lr=0.1",
                          "--set",  "optim.milestones=5,6",
                          "--set",  "net.generator=007"};
    struct gx_config c, back;
    struct gx_err err = {""};
    assert_int_equal(
        gx_config_resolve(&c, "pix2pix", GX_VERB_TRAIN, sizeof odd / sizeof *odd, odd, &err), 0);
    char *text = gx_config_yaml(&c);
    assert_true(!strncmp(text, "family: pix2pix\ndata:\n  path: \"no\"\n  direction: AtoB\n", 48));
    assert_int_equal(gx_config_read_text(&back, text, strlen(text), "saved", &err), 0);
    for (int i = 0; i < gx_options_count; i++)
        if (!(gx_options[i].flags & GX_OPTION_FLAG_ONLY))
            assert_true(gx_option_equal(&gx_options[i], &c, &back));
    char *again = gx_config_yaml(&back);
    assert_string_equal(text, again);
    free(again);
    free(text);
    gx_config_clear(&back);
    gx_config_clear(&c);
    assert_int_equal(gx_config_read_text(&back, "threads: 1\n", 11, "saved", &err), -GX_E_CONFIG);
    assert_int_equal(gx_config_read_text(&back, "family: dog\n", 12, "saved", &err), -GX_E_CONFIG);
}

static void resuming_keeps_what_was_not_given(void **state)
{
    (void)state;
    struct gx_config saved, c;
    struct gx_err err = {""};
    write_text("pix2pix.yaml", "threads: 3\n");
    assert_int_equal(resolve(&saved, GX_VERB_TRAIN, "--set net.ngf=8 --steps 100 --seed 5", &err),
                     0);

    assert_int_equal(
        resolve(&c, GX_VERB_TRAIN, "--resume --set optim.lr=0.5 --set net.ngf=8", &err), 0);
    assert_int_equal(gx_config_continue(&c, &saved, &err), 0);
    assert_true(c.net.ngf == 8 && c.train.steps == 100 && c.train.seed == 5 && c.optim.lr == 0.5);
    assert_true(c.train.resume && c.threads == 3);
    assert_string_equal(gx_config_where(&c, "train.seed"), "the saved run");
    gx_config_clear(&c);

    assert_int_equal(resolve(&c, GX_VERB_TRAIN, "--resume --epochs 4", &err), 0);
    assert_int_equal(gx_config_continue(&c, &saved, &err), 0);
    assert_true(c.train.steps == 0 && c.train.epochs == 4);
    gx_config_clear(&c);

    assert_int_equal(resolve(&c, GX_VERB_TRAIN, "--resume --set net.ngf=16 --seed 6", &err), 0);
    assert_int_equal(gx_config_continue(&c, &saved, &err), -GX_E_CONFIG);
    assert_string_equal(err.text, "a resumed run cannot change net.ngf (8 in the run, 16 from "
                                  "--set net.ngf), train.seed (5 in the run, 6 from --seed)");
    gx_config_clear(&c);
    gx_config_clear(&saved);
}

/* configs/FAMILY.yaml says what the defaults are, every one of them. */
static void installed_recipes_are_the_defaults(void **state)
{
    (void)state;
    for (int f = 0; f < GX_FAMILIES; f++) {
        char path[5000], *text;
        size_t size;
        struct gx_config plain, recipe;
        struct gx_err err = {""};
        snprintf(path, sizeof path, "%s/configs/%s.yaml", root, gx_family_names[f]);
        assert_int_equal(gx_file_read(path, 1 << 20, &text, &size, &err), 0);
        assert_int_equal(gx_config_init(&plain, gx_family_names[f], &err), 0);
        if (gx_config_read_text(&recipe, text, size, path, &err))
            fail_msg("%s", err.text);
        for (int i = 0; i < gx_options_count; i++) {
            const struct gx_option *o = &gx_options[i];
            if ((o->flags & GX_OPTION_FLAG_ONLY) || !gx_option_applies(o, plain.family))
                continue;
            bool given = recipe.origin[i].line || !strcmp(o->key, "family");
            if (!given || !gx_option_equal(o, &plain, &recipe))
                fail_msg("%s: %s is missing or not the default", path, o->key);
        }
        gx_config_clear(&recipe);
        gx_config_clear(&plain);
        free(text);
    }
}

static void unknown_families_are_usage_errors(void **state)
{
    (void)state;
    struct gx_config c;
    struct gx_err err = {""};
    assert_int_equal(gx_config_init(&c, "pix2pux", &err), -GX_E_USAGE);
    assert_string_equal(err.text, "unknown family 'pix2pux'; did you mean 'pix2pix'?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_sources_win),
        cmocka_unit_test(words_are_split_as_usual),
        cmocka_unit_test(wrong_lines_are_usage_errors),
        cmocka_unit_test(wrong_configurations_name_their_place),
        cmocka_unit_test(the_closer_length_counts),
        cmocka_unit_test(saved_text_reads_back),
        cmocka_unit_test(resuming_keeps_what_was_not_given),
        cmocka_unit_test(installed_recipes_are_the_defaults),
        cmocka_unit_test(unknown_families_are_usage_errors),
    };
    return cmocka_run_group_tests(tests, enter, leave);
}
