/* PyTorch's runs, reached from configuration alone: the program trains on a fixture's pairs from
 * its first weights, and metrics.jsonl has its losses. (tests/parity builds the same steps by hand,
 * and compares gradients too.) */
#include "tiny.h"

#include "util/file.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *name, const char *file)
{
    char path[256];
    json_error_t error;
    snprintf(path, sizeof path, "tests/reference/train/%s/%s", name, file);
    json_t *json = json_load_file(path, 0, &error);
    if (!json)
        fail_msg("%s: %s", path, error.text);
    return json;
}

/* A number by path: number(fixture, "nets.G", "ngf"). */
static double number(json_t *json, const char *path, const char *key)
{
    char text[64], *rest = NULL;
    snprintf(text, sizeof text, "%s", path);
    for (char *part = strtok_r(text, ".", &rest); part; part = strtok_r(NULL, ".", &rest))
        json = json_object_get(json, part);
    json_t *value = json_object_get(json, key);
    if (!json_is_number(value))
        fail_msg("no number '%s.%s'", path, key);
    return json_number_value(value);
}

static const char *word(json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));
    assert_non_null(text);
    return text;
}

/* ---- a fixture's recipe as options ---- */

static char *append(char *line, const char *format, ...) GX_PRINTF(2, 3);
static char *append(char *line, const char *format, ...)
{
    char *more, *longer;
    va_list args;
    va_start(args, format);
    assert_true(vasprintf(&more, format, args) > 0);
    va_end(args);
    assert_true(asprintf(&longer, "%s %s", line, more) > 0);
    free(line);
    free(more);
    return longer;
}

static char *append_network(char *line, json_t *g)
{
    if (!strcmp(word(g, "network"), "unet"))
        return append(line, "--set net.generator=unet_%.0f", exp2(number(g, "", "downs")));
    return append(line, "--set net.generator=resnet_%.0fblocks", number(g, "", "blocks"));
}

static char *append_pix2pix(char *line, json_t *fixture)
{
    return append(line, "--direction %s --set loss.l1=%g --set data.holdout=0",
                  word(fixture, "direction"), number(fixture, "weights", "G_L1"));
}

static char *append_cycle(char *line, json_t *fixture)
{
    const char *g = "nets.G_A";
    if (number(fixture, g, "cin") == number(fixture, g, "cout"))
        line = append(line, "--set loss.identity=%g", number(fixture, "weights", "identity"));
    return append(line,
                  "--set loss.cycle=%g --set train.pool=%.0f --set net.input_channels=%.0f "
                  "--set net.output_channels=%.0f",
                  number(fixture, "weights", "cycle"), number(fixture, "", "pool"),
                  number(fixture, g, "cin"), number(fixture, g, "cout"));
}

/* What a family has of its own; its first networks, which have one norm. */
static const struct family {
    const char *name, *generator, *discriminator;
    char *(*append)(char *line, json_t *fixture);
} families[] = {
    {"pix2pix", "G", "D", append_pix2pix},
    {"cycle", "G_A", "D_A", append_cycle},
};

static void train_as(const char *name, json_t *fixture)
{
    const struct family *family = families;
    while (strcmp(family->name, word(fixture, "family")) != 0)
        family++;
    json_t *g = json_object_get(json_object_get(fixture, "nets"), family->generator);
    json_t *d = json_object_get(json_object_get(fixture, "nets"), family->discriminator);
    assert_string_equal(word(g, "norm"), word(d, "norm"));
    char *line = strdup("exec timeout 120");
    line = append(line, "'%s' %s train --quiet --threads 2 --run '%s'", tiny_program(),
                  family->name, tiny_path("runs/%s", name));
    line = append(line,
                  "--data tests/reference/train/%s/data --init tests/reference/train/%s/init.pth "
                  "--steps %.0f",
                  name, name, number(fixture, "", "steps"));
    line = append(line, "--set optim.schedule=constant --set data.load_size=0 "
                        "--set data.crop_size=0 --set data.flip=false --set data.shuffle=false "
                        "--set net.dropout=false --set health.every=0");
    line = append_network(line, g);
    line = append(line, "--set net.ngf=%.0f --set net.ndf=%.0f --set net.n_layers=%.0f",
                  number(g, "", "ngf"), number(d, "", "ndf"), number(d, "", "n_layers"));
    line =
        append(line, "--set net.norm=%s --set loss.gan=%s --set loss.d=%g --set train.batch=%.0f",
               word(g, "norm"), word(fixture, "gan"), number(fixture, "weights", "D"),
               number(fixture, "", "batch"));
    line = append(line,
                  "--set optim.lr=%g --set optim.beta1=%g --set optim.beta2=%g --set optim.eps=%g",
                  number(fixture, "optimizer", "lr"), number(fixture, "optimizer", "beta1"),
                  number(fixture, "optimizer", "beta2"), number(fixture, "optimizer", "eps"));
    line = family->append(line, fixture);
    if (system(line))
        fail_msg("%s", line);
    free(line);
}

/* Every loss of every step, within the fixture's tolerance for that step. */
static void compare(const char *name, json_t *fixture)
{
    json_t *reference = load(name, "losses.json"), *value;
    json_t *steps = json_object_get(reference, "steps"), *first = json_array_get(steps, 0);
    json_t *tolerance = json_object_get(fixture, "tolerance");
    const char *loss;
    json_object_foreach(first, loss, value)
    {
        double ours[TINY_LINES];
        int count = tiny_curve(name, loss, ours);
        assert_int_equal(count, json_array_size(steps));
        for (int s = 0; s < count; s++) {
            double theirs = number(json_array_get(steps, (size_t)s), "", loss);
            double share = json_number_value(json_array_get(tolerance, (size_t)s));
            if (fabs(ours[s] - theirs) >
                fmax(share * fabs(theirs), 1e-3 * fabs(json_number_value(value))))
                fail_msg("%s, step %d: %s is %g, not %g", name, s + 1, loss, ours[s], theirs);
        }
    }
    json_decref(reference);
}

static void losses_are_pytorchs(void **state)
{
    (void)state;
    static const char *const names[] = {"pix2pix_vanilla_batch", "pix2pix_lsgan_instance2",
                                        "cycle_lsgan_instance", "cycle_grey_to_colour"};
    for (int i = 0; i < 4; i++) {
        json_t *fixture = load(names[i], "fixture.json");
        train_as(names[i], fixture);
        compare(names[i], fixture);
        json_decref(fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(losses_are_pytorchs)};
    return cmocka_run_group_tests(tests, tiny_setup, tiny_teardown);
}
