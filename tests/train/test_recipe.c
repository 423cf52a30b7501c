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

/* The fixture's recipe as options; both networks have one norm. */
static void train_as(const char *name, json_t *fixture)
{
    char command[2048];
    json_t *g = json_object_get(json_object_get(fixture, "nets"), "G");
    json_t *d = json_object_get(json_object_get(fixture, "nets"), "D");
    assert_string_equal(word(g, "norm"), word(d, "norm"));
    snprintf(command, sizeof command,
             "timeout 120 '%s' pix2pix train --quiet --threads 2 --run '%s' "
             "--data tests/reference/train/%s/data --init tests/reference/train/%s/init.pth "
             "--steps %.0f --direction %s --set optim.schedule=constant --set data.load_size=0 "
             "--set data.crop_size=0 --set data.flip=false --set data.shuffle=false "
             "--set data.holdout=0 --set net.dropout=false --set net.generator=unet_%.0f "
             "--set net.ngf=%.0f --set net.ndf=%.0f --set net.n_layers=%.0f --set net.norm=%s "
             "--set loss.gan=%s --set loss.l1=%g --set loss.d=%g --set train.batch=%.0f "
             "--set optim.lr=%g --set optim.beta1=%g --set optim.beta2=%g --set optim.eps=%g",
             tiny_program(), tiny_path("runs/%s", name), name, name, number(fixture, "", "steps"),
             word(fixture, "direction"), exp2(number(fixture, "nets.G", "downs")),
             number(fixture, "nets.G", "ngf"), number(fixture, "nets.D", "ndf"),
             number(fixture, "nets.D", "n_layers"), word(g, "norm"), word(fixture, "gan"),
             number(fixture, "weights", "G_L1"), number(fixture, "weights", "D"),
             number(fixture, "", "batch"), number(fixture, "optimizer", "lr"),
             number(fixture, "optimizer", "beta1"), number(fixture, "optimizer", "beta2"),
             number(fixture, "optimizer", "eps"));
    if (system(command))
        fail_msg("%s", command);
}

/* Within the measured tolerance of the step, relative; the floor is 1e-3 of the first value. */
static void compare(const char *name, json_t *fixture)
{
    static const char *const losses[] = {"G_GAN", "G_L1", "D_real", "D_fake"};
    json_t *reference = load(name, "losses.json");
    json_t *steps = json_object_get(reference, "steps");
    json_t *tolerance = json_object_get(fixture, "tolerance");
    for (int i = 0; i < 4; i++) {
        double ours[TINY_LINES], first = number(json_array_get(steps, 0), "", losses[i]);
        int count = tiny_curve(name, losses[i], ours);
        assert_int_equal(count, json_array_size(steps));
        for (int s = 0; s < count; s++) {
            double theirs = number(json_array_get(steps, (size_t)s), "", losses[i]);
            double share = json_number_value(json_array_get(tolerance, (size_t)s));
            if (fabs(ours[s] - theirs) > fmax(share * fabs(theirs), 1e-3 * fabs(first)))
                fail_msg("%s, step %d: %s is %g, not %g", name, s + 1, losses[i], ours[s], theirs);
        }
    }
    json_decref(reference);
}

static void losses_are_pytorchs(void **state)
{
    (void)state;
    static const char *const names[] = {"pix2pix_vanilla_batch", "pix2pix_lsgan_instance2"};
    for (int i = 0; i < 2; i++) {
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
