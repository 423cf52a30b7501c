/* What the YAML reader takes and refuses, and the places in its messages (reliability, case 13). */
#include "../test.h"

#include "config/resolve.h"
#include "config/yaml.h"
#include "util/arena.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
    const char *text, *says; /* says: NULL, it is taken */
} cases[] = {
    {"", NULL},
    {"# nothing\n", NULL},
    {"---\n...\n", NULL},
    {"data:\n  load_size: 30\n  crop_size: 20\n", NULL},
    {"data: {load_size: 30, crop_size: 20}", NULL},
    {"data.load_size: 300", NULL},
    {"data: {}\n", NULL},
    {"family: pix2pix\nthreads: 2\n", NULL},
    {"optim:\n  milestones: [100, 200]\n", NULL},
    {"train:\n  init: \"\"\n", NULL},
    {"data:\n  load_sise: 3\n",
     "c.yaml:2:3: unknown key 'data.load_sise'; did you mean 'data.load_size'?"},
    {"dta:\n  load_size: 3\n", "c.yaml:1:1: unknown key 'dta'; did you mean"},
    {"lr: 3\n", "c.yaml:1:1: unknown key 'lr'; did you mean 'optim.lr'?"},
    {"quiet: true\n", "c.yaml:1:1: 'quiet' is not a key but an option: --quiet"},
    {"data: 3\n", "c.yaml:1:1: 'data' is a section"},
    {"threads:\n  a: 3\n", "c.yaml:2:3: 'threads' is a value, not a section"},
    {"data:\n  load_size: large\n", "c.yaml:2:14: data.load_size: 'large' is not a whole number"},
    {"data:\n  load_size: \"300\"\n",
     "c.yaml:2:14: data.load_size: a number is expected, not a quoted text"},
    {"data:\n  flip: 'true'\n", "c.yaml:2:9: data.flip: true or false is expected"},
    {"data:\n  load_size: 99999\n",
     "c.yaml:2:14: data.load_size: 99999 is out of range: from 0 to 16384"},
    {"data:\n  load_size:\n", "c.yaml:2:13: data.load_size has no value"},
    {"data:\n  path: ~\n", "c.yaml:2:9: data.path has no value; write \"\" for none"},
    {"data:\n  load_size: [3]\n", "c.yaml:2:14: data.load_size: one value is expected, not a list"},
    {"net:\n  norm: bach\n",
     "c.yaml:2:9: net.norm: 'bach' is none of batch, instance, none; did you mean 'batch'?"},
    {"family: cycle\n", "c.yaml:1:9: this configuration is of 'cycle', the command of 'pix2pix'"},
    {"threads: 1\nthreads: 2\n", "c.yaml:2:1: 'threads' was given in line 1 already"},
    {"data:\n  flip: on\ndata:\n  path: x\n", "c.yaml:3:1: 'data' was given in line 1 already"},
    {"data:\n  flip: on\ndata.flip: on\n", "c.yaml:3:1: 'data.flip' was given in line 2"},
    {"threads: &a 1\n", "c.yaml:1:10: anchors and aliases are not allowed"},
    {"threads: *a\n", "c.yaml:1:10: anchors and aliases are not allowed"},
    {"threads: !!int 1\n", "c.yaml:1:10: tags are not allowed"},
    {"!x {threads: 1}\n", "c.yaml:1:1: tags are not allowed"},
    {"data: !!map {}\n", "c.yaml:1:7: tags are not allowed"},
    {"<<: {threads: 1}\n", "c.yaml:1:1: unknown key '<<'"},
    {"%YAML 1.1\n---\nthreads: 1\n", "c.yaml:1:1: directives are not allowed"},
    {"threads: 1\n---\nthreads: 2\n", "c.yaml:2:1: a second document is not allowed"},
    {"- 1\n", "c.yaml:1:1: keys and values are expected"},
    {"hello\n", "c.yaml:1:1: keys and values are expected"},
    {"[1]: 2\n", "c.yaml:1:1: "},
    {"? {a: 1}\n: 2\n", "c.yaml:1:3: a key is expected here"},
    {"data: [[1]]\n", "c.yaml:1:8: a list holds plain values only"},
    {"a: {a: {a: {a: {a: {a: {a: {a: {a: 1}}}}}}}}\n", "nested too deeply"},
    {"threads: {\n", "c.yaml:2:1: "},
    {"threads:\t- 1\n  x\n", "c.yaml:"},
    {"threads: 1\n\xff\xfe: 2\n", "c.yaml:2:1: invalid leading UTF-8 octet"},
    {"data:\n  path: \"a\\0b\"\n", "c.yaml:2:9: a text contains a NUL"},
};

static void takes_and_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gx_config config;
        struct gx_err err = {""};
        assert_int_equal(gx_config_init(&config, "pix2pix", &err), 0);
        int code = gx_config_apply_yaml(&config, cases[i].text, strlen(cases[i].text), "c.yaml",
                                        GX_FROM_FILE, &err);
        print_message("%s-> %s\n", cases[i].text, err.text);
        assert_int_equal(code, cases[i].says ? -GX_E_CONFIG : 0);
        if (cases[i].says)
            assert_non_null(strstr(err.text, cases[i].says));
        gx_config_clear(&config);
    }
}

static void bombs_are_refused_at_once(void **state)
{
    (void)state;
    static const char *const units[] = {"[", "{", "a: {", "- ", "? ", "!", "&a [*a,*a,"};
    size_t room = 100000 * 10;
    char *text = malloc(room);
    assert_non_null(text);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t length = strlen(units[i]);
        for (size_t j = 0; j < 100000; j++)
            memcpy(text + j * length, units[i], length);
        struct gx_arena arena = {0};
        struct gx_yaml yaml;
        struct gx_err err = {""};
        clock_t start = clock();
        assert_int_equal(gx_yaml_read(&yaml, &arena, text, 100000 * length, "bomb", &err),
                         -GX_E_CONFIG);
        print_message("%s: %s\n", units[i], err.text);
        assert_true(!strncmp(err.text, "bomb:1:", 7));
        assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 1);
        gx_arena_clear(&arena);
    }
    free(text);
}

static void sizes_are_capped(void **state)
{
    (void)state;
    size_t size = GX_YAML_BYTES_MAX + 1;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, '#', size);
    struct gx_arena arena = {0};
    struct gx_yaml yaml;
    struct gx_err err;
    assert_int_equal(gx_yaml_read(&yaml, &arena, text, size, "big", &err), -GX_E_CONFIG);
    assert_int_equal(gx_yaml_read(&yaml, &arena, text, size - 1, "big", &err), 0);
    assert_int_equal(yaml.count, 0);
    free(text);
    gx_arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_and_refuses),
        cmocka_unit_test(bombs_are_refused_at_once),
        cmocka_unit_test(sizes_are_capped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
