/* Models of two generators, there and back: which one is used, and what is refused. */
#include "../test.h"
#include "making.h"

#include "ganx/model.h"
#include "ganx/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether both make the same of a picture in colour. */
static bool same(struct gx_model *a, struct gx_model *b)
{
    enum { SIDE = 24, COUNT = SIDE * SIDE * 3 };
    static float in[COUNT], x[COUNT], y[COUNT];
    for (int i = 0; i < COUNT; i++)
        in[i] = (float)(i * 37 % 101) / 50 - 1;
    assert_int_equal(gx_model_translate(a, in, SIDE, SIDE, NULL, x, NULL), 0);
    assert_int_equal(gx_model_translate(b, in, SIDE, SIDE, NULL, y, NULL), 0);
    return !memcmp(x, y, sizeof x);
}

struct two_way {
    const char *networks[2]; /* channels of G_A and G_B, "1 to 3"; NULL: not there */
    const char *said;        /* ganx.direction, or NULL */
    bool texts;              /* without them names and shapes have to do */
    bool averaged;           /* "average.G_A.…" too, and under the plain names other weights */
};

static void declare(struct gx_params *params, struct gx_network_spec *spec, const char *channels,
                    uint64_t seed)
{
    int in, out;
    assert_int_equal(sscanf(channels, "%d to %d", &in, &out), 2);
    assert_int_equal(gx_spec_from_name(spec, "resnet_6blocks", NULL), 0);
    assert_int_equal(gx_spec_set(spec, "cin", in, NULL), 0);
    assert_int_equal(gx_spec_set(spec, "cout", out, NULL), 0);
    assert_int_equal(gx_spec_set(spec, "ngf", 2, NULL), 0);
    gx_params_init(params);
    assert_int_equal(gx_network_declare(spec, params, NULL), 0);
    assert_int_equal(gx_params_allocate(params, NULL), 0);
    gx_params_initialise(params, GX_INIT_NORMAL, 0.2, seed, "G");
}

static const char *make_two_way(const char *name, const struct two_way *recipe)
{
    static const char *const names[] = {"G_A", "G_B"};
    static char path[512];
    struct gx_params params[2][2];
    struct gx_entries rows = {0};
    struct gx_text_pair texts[4];
    struct gx_weights_writer *writer;
    char *json[2] = {NULL, NULL}, key[2][32];
    int count = 0;
    for (int i = 0; i < 2; i++)
        for (int k = 0; recipe->networks[i] && k <= recipe->averaged; k++) {
            struct gx_network_spec spec;
            char prefix[32];
            bool real = k == recipe->averaged;
            declare(&params[i][k], &spec, recipe->networks[i], real ? 1 + (uint64_t)i : 9);
            snprintf(prefix, sizeof prefix, "%s%s.", k ? "average." : "", names[i]);
            gx_params_entries(&rows, &params[i][k], GX_PARTS_ALL, prefix, GX_F32);
            if (!recipe->texts || k)
                continue;
            snprintf(key[i], sizeof key[i], "ganx.network.%s", names[i]);
            texts[count++] = (struct gx_text_pair){key[i], json[i] = gx_spec_to_json(&spec)};
        }
    if (recipe->texts)
        texts[count++] = (struct gx_text_pair){"ganx.family", "cycle"};
    if (recipe->said)
        texts[count++] = (struct gx_text_pair){"ganx.direction", recipe->said};
    snprintf(path, sizeof path, "%s/%s", made, name);
    assert_int_equal(
        gx_weights_write_begin(&writer, path, rows.row, rows.count, texts, count, NULL), 0);
    for (int i = 0; i < 2; i++)
        for (int k = 0; recipe->networks[i] && k <= recipe->averaged; k++) {
            struct gx_params *p = &params[i][k];
            assert_int_equal(gx_params_write(p, GX_PARTS_ALL, p->data, writer, NULL), 0);
            gx_params_clear(p);
        }
    assert_int_equal(gx_weights_write_commit(&writer, NULL), 0);
    gx_entries_clear(&rows);
    free(json[0]);
    free(json[1]);
    return path;
}

/* The direction that is used when `asked` is asked for, and that it is the generator of that
 * number of input channels: "AtoB 1". */
static const char *used(const char *path, const char *asked)
{
    static char text[32];
    struct gx_model_settings settings = {.direction = asked, .family = "cycle"};
    struct gx_model *model = open_model(path, &settings);
    const struct gx_model_facts *facts = gx_model_facts(model);
    snprintf(text, sizeof text, "%s %d", facts->direction, facts->channels_in);
    gx_model_close(&model);
    return text;
}

static void test_two_generators(void **state)
{
    (void)state;
    static const struct {
        struct two_way recipe;
        const char *none, *a_to_b, *b_to_a; /* what is used; NULL: refused */
    } cases[] = {
        {{{"1 to 3", "3 to 1"}, "AtoB", true, false}, "AtoB 1", "AtoB 1", "BtoA 3"},
        {{{"1 to 3", "3 to 1"}, "BtoA", true, false}, "BtoA 1", "AtoB 3", "BtoA 1"},
        {{{"1 to 3", "3 to 1"}, NULL, false, false}, "AtoB 1", "AtoB 1", "BtoA 3"},
        {{{"1 to 3", "3 to 1"}, "AtoB", true, true}, "AtoB 1", "AtoB 1", "BtoA 3"},
        {{{"1 to 3", NULL}, NULL, true, false}, "AtoB 1", "AtoB 1", NULL},
        {{{NULL, "3 to 1"}, NULL, false, false}, "BtoA 3", NULL, "BtoA 3"},
        {{{NULL, "3 to 1"}, "AtoB", true, false}, "BtoA 3", NULL, "BtoA 3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = make_two_way("two", &cases[i].recipe);
        const struct {
            const char *asked, *expected;
        } ask[] = {{NULL, cases[i].none}, {"AtoB", cases[i].a_to_b}, {"BtoA", cases[i].b_to_a}};
        for (int k = 0; k < 3; k++) {
            struct gx_model_settings settings = {.direction = ask[k].asked};
            if (ask[k].expected)
                assert_string_equal(used(path, ask[k].asked), ask[k].expected);
            else
                assert_non_null(strstr(refused(path, &settings, -GX_E_FORMAT),
                                       k == 1 ? "BtoA only, not AtoB" : "AtoB only, not BtoA"));
        }
    }
    struct gx_model_settings settings = {.direction = "up"};
    assert_non_null(strstr(refused(make_two_way("two", &cases[0].recipe), &settings, -GX_E_USAGE),
                           "no direction 'up'"));
}

/* Averaged weights are the model, there and back. */
static void test_two_averaged(void **state)
{
    (void)state;
    static const char *const directions[] = {"AtoB", "BtoA"};
    const struct two_way plain = {{"3 to 3", "3 to 3"}, NULL, true, false};
    const struct two_way averaged = {{"3 to 3", "3 to 3"}, NULL, true, true};
    char a[512], b[512];
    snprintf(a, sizeof a, "%s", make_two_way("plain", &plain));
    snprintf(b, sizeof b, "%s", make_two_way("averaged", &averaged));
    struct gx_model *model[2][2];
    for (int i = 0; i < 2; i++) {
        struct gx_model_settings settings = {.direction = directions[i]};
        model[0][i] = open_model(a, &settings);
        model[1][i] = open_model(b, &settings);
        assert_true(same(model[0][i], model[1][i]));
    }
    assert_false(same(model[0][0], model[0][1]));
    for (int i = 0; i < 4; i++)
        gx_model_close(&model[i / 2][i % 2]);
}

/* A file that does not say what it does is taken at the asker's word. */
static void test_a_direction_at_ones_word(void **state)
{
    (void)state;
    const char *file = "tests/reference/forward/cycle_resnet9/weights_legacy.pth";
    assert_string_equal(used(file, NULL), " 3");
    assert_string_equal(used(file, "AtoB"), "AtoB 3");
    assert_string_equal(used(file, "BtoA"), "BtoA 3");
    const struct recipe backwards = {"resnet_6blocks", "ngf=2", "ganx.direction", "BtoA"};
    const struct gx_model_settings settings = {.direction = "AtoB"};
    const char *path = make_model(made, "backwards", &backwards);
    assert_string_equal(used(path, "BtoA"), "BtoA 3");
    assert_non_null(strstr(refused(path, &settings, -GX_E_FORMAT),
                           "backwards': it translates BtoA only, not AtoB"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_generators),
        cmocka_unit_test(test_two_averaged),
        cmocka_unit_test(test_a_direction_at_ones_word),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
