/* Labels and orthogonal regularisation against PyTorch's numbers (tests/reference/make_bounds.py),
 * and the latter's gradient against differences. */
#include "../test.h"

#include "ganx/loss.h"
#include "ganx/params.h"
#include "ganx/plan.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *part)
{
    json_error_t error;
    json_t *json = json_load_file("tests/reference/loss/bounds.json", 0, &error);
    assert_non_null(json);
    json_t *cases = json_incref(json_object_get(json, part));
    json_decref(json);
    assert_true(json_array_size(cases) > 0);
    return cases;
}

static double number(const json_t *json, const char *key)
{
    assert_true(json_is_number(json_object_get(json, key)));
    return json_number_value(json_object_get(json, key));
}

static void floats(const json_t *json, const char *key, float *to, size_t count)
{
    json_t *list = json_object_get(json, key);
    assert_int_equal(json_array_size(list), count);
    for (size_t i = 0; i < count; i++)
        to[i] = (float)json_number_value(json_array_get(list, i));
}

static struct gx_plan *planned(struct gx_graph *g)
{
    struct gx_plan *plan = NULL;
    struct gx_err err = {""};
    const struct gx_plan_settings settings = {.threads = 1};
    if (gx_plan_new(&plan, g, &settings, &err) || gx_plan_allocate(plan, &err))
        fail_msg("%s", err.text);
    return plan;
}

static void compare(const float *got, const float *want, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_float_equal(got[i], want[i], 2e-6 * (1 + fabs(want[i])));
}

static void test_labels(void **state)
{
    (void)state;
    enum { COUNT = 6 };
    json_t *cases = load("labels");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        const struct gx_adversarial *a =
            gx_adversarial_find(json_string_value(json_object_get(one, "gan")));
        const struct gx_targets t = {(float)number(one, "smooth"), (float)number(one, "fake"),
                                     (float)number(one, "real"), (float)number(one, "wanted")};
        struct gx_graph *g = gx_graph_new();
        struct gx_shape shape = {1, 2, 3, 1};
        struct gx_node *x[2] = {gx_input(g, shape, "r"), gx_input(g, shape, "f")}, *d[2], *dg;
        struct gx_node *real, *fake;
        gx_adversarial_judge(a, &t, g, x[0], x[1], &real, &fake);
        struct gx_node *fool = gx_keep(gx_adversarial_fool(a, &t, g, NULL, x[1]));
        gx_gradients(g, gx_add(g, gx_keep(real), gx_keep(fake)), NULL, x, 2, d);
        gx_gradients(g, fool, NULL, &x[1], 1, &dg);
        gx_keep(d[0]);
        gx_keep(d[1]);
        gx_keep(dg);
        struct gx_plan *plan = planned(g);
        float want[COUNT];
        floats(one, "r", gx_plan_value(plan, x[0]), COUNT);
        floats(one, "f", gx_plan_value(plan, x[1]), COUNT);
        gx_plan_run(plan, 0, 1, 0);
        assert_float_equal(*gx_plan_value(plan, real), number(one, "d_real"), 1e-6);
        assert_float_equal(*gx_plan_value(plan, fake), number(one, "d_fake"), 1e-6);
        assert_float_equal(*gx_plan_value(plan, fool), number(one, "g"), 1e-6);
        floats(one, "dr", want, COUNT);
        compare(gx_plan_value(plan, d[0]), want, COUNT);
        floats(one, "df", want, COUNT);
        compare(gx_plan_value(plan, d[1]), want, COUNT);
        floats(one, "dg", want, COUNT);
        compare(gx_plan_value(plan, dg), want, COUNT);
        gx_plan_free(&plan);
        gx_graph_free(&g);
    }
    json_decref(cases);
}

/* Which rows have labels to move: the others stay as they are under any. */
static void test_rows_without_labels(void **state)
{
    (void)state;
    const struct gx_targets odd = {0.25F, -3, 4, 5};
    for (int i = 0; gx_adversarial_at(i); i++) {
        const struct gx_adversarial *a = gx_adversarial_at(i);
        bool entropy = !strcmp(a->name, "non_saturating") || !strcmp(a->name, "minimax") ||
                       !strcmp(a->name, "max_likelihood");
        assert_int_equal(a->targets, !strcmp(a->name, "lsgan") ? GX_TARGETS_SQUARES
                                     : entropy                 ? GX_TARGETS_ENTROPY
                                                               : GX_TARGETS_NONE);
        if (a->targets != GX_TARGETS_NONE)
            continue;
        struct gx_graph *g = gx_graph_new();
        struct gx_shape shape = {1, 1, 1, 1};
        struct gx_node *r = gx_constant(g, shape, 0.5F), *f = gx_constant(g, shape, -0.25F), *v[6];
        gx_adversarial_judge(a, &odd, g, r, f, &v[0], &v[1]);
        v[2] = gx_adversarial_fool(a, &odd, g, r, f);
        a->discriminator(g, r, f, &v[3], &v[4]);
        v[5] = a->generator(g, r, f);
        for (int k = 0; k < 6; k++)
            gx_keep(v[k]);
        struct gx_plan *plan = planned(g);
        gx_plan_run(plan, 0, 1, 0);
        for (int k = 0; k < 3; k++)
            assert_true(*gx_plan_value(plan, v[k]) == *gx_plan_value(plan, v[k + 3]));
        gx_plan_free(&plan);
        gx_graph_free(&g);
    }
}

/* Parameters of one convolution; disk holds it as torch does. */
static struct gx_params one_kernel(const json_t *one, struct gx_param **kernel)
{
    struct gx_params params;
    int d[4];
    for (int i = 0; i < 4; i++)
        d[i] = (int)json_integer_value(json_array_get(json_object_get(one, "shape"), (size_t)i));
    bool transposed = json_is_true(json_object_get(one, "transposed"));
    gx_params_init(&params);
    gx_params_declare(&params, "bias", GX_PARAM_BIAS, (struct gx_shape){1, 1, 1, 3});
    *kernel = gx_params_declare(&params, "w", transposed ? GX_PARAM_CONV_TRANSPOSED : GX_PARAM_CONV,
                                (struct gx_shape){d[2], d[3], d[1], d[0]});
    assert_int_equal(gx_params_allocate(&params, NULL), 0);
    assert_int_equal(gx_params_allocate_gradients(&params, NULL), 0);
    return params;
}

static void test_orthogonality(void **state)
{
    (void)state;
    json_t *cases = load("orthogonal");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        struct gx_param *w;
        struct gx_params params = one_kernel(one, &w);
        size_t count = (size_t)gx_count(w->shape);
        float *disk = calloc(count, sizeof *disk), *got = calloc(count, sizeof *got);
        floats(one, "w", disk, count);
        gx_param_from_disk(w, disk, w->data);
        struct gx_graph *g = gx_graph_new();
        struct gx_node *loss = gx_keep(gx_orthogonality(g, &params));
        gx_store_gradients(g, loss, &params);
        struct gx_plan *plan = planned(g);
        gx_plan_run(plan, 0, 1, 0);
        double want = number(one, "loss");
        assert_float_equal(*gx_plan_value(plan, loss), want, 1e-5 * (1 + want));
        gx_param_to_disk(w, w->grad, got);
        floats(one, "dw", disk, count);
        for (size_t k = 0; k < count; k++)
            assert_float_equal(got[k], disk[k], 1e-5 * (1 + want));
        memcpy(got, w->grad, count * sizeof *got); /* the runs below write it anew */
        for (size_t k = 0; k < count; k += 5) {    /* a quartic: differences are nearly exact */
            float held = w->data[k];
            double side[2];
            for (int s = 0; s < 2; s++) {
                w->data[k] = held + (s ? -0.02F : 0.02F);
                gx_plan_run(plan, 0, 1, 0);
                side[s] = *gx_plan_value(plan, loss);
            }
            w->data[k] = held;
            assert_float_equal((side[0] - side[1]) / 0.04, got[k], 2e-4 * (1 + want));
        }
        gx_plan_free(&plan);
        gx_graph_free(&g);
        gx_params_clear(&params);
        free(disk);
        free(got);
    }
    json_decref(cases);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_rows_without_labels),
        cmocka_unit_test(test_orthogonality),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
