/* The option table: every row is sound by itself, and values keep their types and ranges. */
#include "../test.h"

#include "config/options.h"
#include "config/resolve.h"

#include <string.h>

static void rows_are_sound(void **state)
{
    (void)state;
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *o = &gx_options[i];
        print_message("%s\n", o->key);
        assert_non_null(o->help);
        assert_true(strlen(o->help) > 5 && o->help[strlen(o->help) - 1] != '.');
        assert_true(o->verbs != 0);
        assert_true(o->type == GX_TYPE_BOOL || o->metavar);
        assert_true(o->flag || !(o->flags & GX_OPTION_FLAG_ONLY)); /* reachable somehow */
        assert_ptr_equal(gx_option_by_key(o->key), o);             /* one row a key */
        assert_false((o->flags & GX_OPTION_FLAG_ONLY) && strchr(o->key, '.'));
        bool closed = o->type == GX_TYPE_WORD || o->type == GX_TYPE_CHOICE;
        assert_true(!closed || (o->choices && !(o->flags & GX_OPTION_OPEN)));
        bool number = o->type == GX_TYPE_INT || o->type == GX_TYPE_COUNT ||
                      o->type == GX_TYPE_BYTES || o->type == GX_TYPE_REAL;
        assert_true(!number || o->low < o->high);
        for (int j = 0; j < i; j++) { /* no verb has a flag or a letter twice, nor two fields */
            const struct gx_option *p = &gx_options[j];
            if (o->type != GX_TYPE_SET)
                assert_int_not_equal(o->offset, p->offset);
            if (!(o->verbs & p->verbs))
                continue;
            assert_false(o->flag && p->flag && !strcmp(o->flag, p->flag));
            assert_false(o->letter && o->letter == p->letter);
        }
    }
}

static void defaults_of_every_family_are_valid(void **state)
{
    (void)state;
    for (int f = 0; f <= GX_FAMILIES; f++) {
        struct gx_config config;
        struct gx_err err;
        assert_int_equal(gx_config_init(&config, f < GX_FAMILIES ? gx_family_names[f] : "", &err),
                         0);
        assert_int_equal(gx_config_check(&config, &err), 0);
        for (int i = 0; i < gx_options_count; i++)
            assert_non_null(gx_option_format(&gx_options[i], &config));
        gx_config_clear(&config);
    }
}

static void pix2pix_is_the_published_recipe(void **state)
{
    (void)state;
    struct gx_config c;
    assert_int_equal(gx_config_init(&c, "pix2pix", NULL), 0);
    assert_string_equal(c.net.generator, "unet_256");
    assert_string_equal(c.net.norm, "batch");
    assert_true(c.net.dropout && c.data.flip && c.data.shuffle);
    assert_int_equal(c.data.load_size, 286);
    assert_int_equal(c.data.crop_size, 256);
    assert_true(c.loss.l1 == 100 && c.loss.d == 0.5 && c.optim.lr == 2e-4);
    assert_true(c.optim.beta1 == 0.5 && c.optim.beta2 == 0.999 && c.optim.decay_from == 0.5);
    assert_int_equal(c.train.epochs, 200);
    assert_int_equal(c.train.batch, 1);
    assert_string_equal(c.train.run, "runs/pix2pix");
    assert_string_equal(c.loss.gan, "vanilla");
    gx_config_clear(&c);
}

static struct {
    const char *key, *text, *reads; /* reads: what it is written as; NULL: refused */
    const char *says;
} values[] = {
    {"data.load_size", "300", "300", NULL},
    {"data.load_size", "0300", "300", NULL},
    {"data.load_size", "-1", NULL, "out of range: from 0 to 16384"},
    {"data.load_size", "3e2", NULL, "not a whole number"},
    {"data.load_size", " 3", NULL, "not a whole number"},
    {"data.load_size", "", NULL, "not a whole number"},
    {"data.load_size", "99999999999999999999", NULL, "not a whole number"},
    {"net.input_channels", "4", "4", NULL},
    {"net.input_channels", "2", NULL, "none of 1, 3, 4"},
    {"loss.gan", "x", NULL, "f_gan, f_gan_ns"}, /* the longest list, to its end */
    {"train.steps", "10k", "10000", NULL},
    {"train.steps", "1.5M", "1500000", NULL},
    {"train.steps", "1.5", NULL, "like 3000 or 10k"},
    {"max_memory", "1GiB", "1073741824", NULL},
    {"max_memory", "512MiB", "536870912", NULL},
    {"max_memory", "1GB", "1000000000", NULL},
    {"max_memory", "1.5k", "1536", NULL},
    {"max_memory", "1 GiB", NULL, "of bytes"},
    {"max_memory", "9999999TiB", NULL, "out of range"},
    {"train.seed", "18446744073709551615", "18446744073709551615", NULL},
    {"train.seed", "18446744073709551616", NULL, "whole number from 0"},
    {"train.seed", "-1", NULL, "whole number from 0"},
    {"optim.lr", "1e-4", "0.0001", NULL},
    {"optim.lr", "0.1000000000000000055511151231257827", "0.1", NULL},
    {"optim.lr", "nan", NULL, "not a number"},
    {"optim.lr", "0x1p3", NULL, "not a number"},
    {"optim.lr", "-1", NULL, "out of range"},
    {"optim.lr", "1e999", NULL, "not a number"},
    {"degrade.blur_sigma", "0.2,3", "0.2,3", NULL},
    {"degrade.blur_sigma", "0.2", NULL, "'0.2' is not 2 numbers, like 0.2,3"},
    {"degrade.blur_sigma", "1,2,3", NULL, "is not 2 numbers"},
    {"degrade.blur_sigma", "1,", NULL, "'' is not a number"},
    {"degrade.blur_sigma", "", NULL, "'' is not a number"},
    {"degrade.blur_sigma", "1 2", NULL, "'1 2' is not a number"},
    {"degrade.blur_sigma", "1,101", NULL, "101 is out of range"},
    {"data.flip", "off", "false", NULL},
    {"data.flip", "1", NULL, "neither true nor false"},
    {"data.direction", "BtoA", "BtoA", NULL},
    {"data.direction", "BtoB", NULL, "did you mean"},
    {"net.norm", "instanse", NULL, "did you mean 'instance'?"},
    {"net.generator", "unet_512", "unet_512", NULL},
    {"optim.milestones", "10,200,3000", "10,200,3000", NULL},
    {"optim.milestones", "10,5", NULL, "rising"},
    {"optim.milestones", "10,", NULL, "rising"},
    {"optim.milestones", "0", NULL, "rising"},
};

static void values_keep_type_and_range(void **state)
{
    (void)state;
    struct gx_config config;
    assert_int_equal(gx_config_init(&config, "pix2pix", NULL), 0);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const struct gx_option *o = gx_option_by_key(values[i].key);
        struct gx_err err = {""};
        print_message("%s: %s\n", values[i].key, values[i].text);
        int code = gx_option_parse(o, &config, values[i].text, &err);
        assert_int_equal(code, values[i].reads ? 0 : -GX_E_CONFIG);
        if (values[i].reads)
            assert_string_equal(gx_option_format(o, &config), values[i].reads);
        else
            assert_non_null(strstr(err.text, values[i].says));
    }
    gx_config_clear(&config);
}

static void suggestions_are_near(void **state)
{
    (void)state;
    static const char *const names[] = {"train", "translate", "info", "bench", NULL};
    assert_string_equal(gx_suggest("trian", names), "train");
    assert_string_equal(gx_suggest("tranlsate", names), "translate");
    assert_string_equal(gx_suggest("inf", names), "info");
    assert_null(gx_suggest("xyzzy", names));
    assert_null(gx_suggest("a", names));
    assert_null(gx_suggest("", names));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sound),
        cmocka_unit_test(defaults_of_every_family_are_valid),
        cmocka_unit_test(pix2pix_is_the_published_recipe),
        cmocka_unit_test(values_keep_type_and_range),
        cmocka_unit_test(suggestions_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
