/* Objectives: finite for large outputs, found by their names; pixel losses. Losses and gradients of
 * both players are held against PyTorch's by build/tests/parity, which reads the same fixture; here
 * it is seen that no row goes without. */
#include "../test.h"

#include "ganx/loss.h"
#include "ganx/plan.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

enum { COUNT = 18 };
static const struct gx_shape shape = {2, 3, 3, 1};

struct player { /* what one player minimises, and its gradients */
    double loss;
    double part[2]; /* D_real and D_fake; 0 for the generator */
    float dr[COUNT], df[COUNT];
};

static void copy_gradient(const struct gx_plan *plan, const struct gx_node *d, float *to)
{
    memset(to, 0, COUNT * sizeof *to);
    if (d)
        memcpy(to, gx_plan_value(plan, d), COUNT * sizeof *to);
}

static struct player evaluate(const struct gx_adversarial *a, bool discriminator, const float *r,
                              const float *f)
{
    struct gx_graph *g = gx_graph_new();
    struct gx_node *x[2] = {gx_input(g, shape, "r"), gx_input(g, shape, "f")}, *d[2], *loss;
    struct gx_node *part[2] = {NULL, NULL};
    if (discriminator) {
        a->discriminator(g, x[0], x[1], &part[0], &part[1]);
        loss = gx_add(g, gx_keep(part[0]), gx_keep(part[1]));
    } else {
        loss = a->generator(g, a->generator_needs_real ? x[0] : NULL, x[1]);
    }
    gx_keep(loss);
    gx_gradients(g, loss, NULL, x, 2, d);
    for (int i = 0; i < 2; i++)
        if (d[i])
            gx_keep(d[i]);

    struct gx_plan *plan = NULL;
    struct gx_err err = {""};
    const struct gx_plan_settings settings = {.threads = 1};
    if (gx_plan_new(&plan, g, &settings, &err) || gx_plan_allocate(plan, &err))
        fail_msg("%s: %s", a->name, err.text);
    assert_int_equal(gx_count(loss->shape), 1);
    memcpy(gx_plan_value(plan, x[0]), r, COUNT * sizeof *r);
    memcpy(gx_plan_value(plan, x[1]), f, COUNT * sizeof *f);
    gx_plan_run(plan, 0, 1, 0);
    struct player p = {.loss = *gx_plan_value(plan, loss)};
    for (int i = 0; i < 2 && discriminator; i++) {
        assert_int_equal(gx_count(part[i]->shape), 1);
        p.part[i] = *gx_plan_value(plan, part[i]);
    }
    copy_gradient(plan, d[0], p.dr);
    copy_gradient(plan, d[1], p.df);
    gx_plan_free(&plan);
    gx_graph_free(&g);
    return p;
}

static void waves(float *r, float *f)
{
    for (int i = 0; i < COUNT; i++) {
        r[i] = 2 * sinf((float)i);
        f[i] = 3 * cosf((float)i) - 0.5F;
    }
}

/* The rows whose numbers the fixture does not have: the tests below derive them. */
static bool is_derived(const char *name)
{
    return !strcmp(name, "wgan_gp") || !strcmp(name, "relativistic_average_esrgan");
}

static void test_all_have_numbers(void **state)
{
    (void)state;
    json_error_t error;
    json_t *fixture = json_load_file("tests/reference/objectives/fixture.json", 0, &error);
    assert_non_null(fixture);
    json_t *cases = json_object_get(fixture, "cases");
    size_t rows = 0;
    for (int i = 0; gx_adversarial_at(i); i++) {
        const char *name = gx_adversarial_at(i)->name;
        if (!json_object_get(cases, name) == !is_derived(name))
            fail_msg("the fixture and %s", name);
        assert_ptr_equal(gx_adversarial_find(name), gx_adversarial_at(i));
        rows += !is_derived(name);
    }
    assert_int_equal(rows, json_object_size(cases));
    json_decref(fixture);
}

/* wgan_gp is wgan but for the penalty, which is no function of r and f. */
static void test_penalised(void **state)
{
    (void)state;
    float r[COUNT], f[COUNT];
    waves(r, f);
    for (int discriminator = 0; discriminator < 2; discriminator++) {
        struct player plain = evaluate(gx_adversarial_find("wgan"), discriminator, r, f);
        struct player with = evaluate(gx_adversarial_find("wgan_gp"), discriminator, r, f);
        assert_memory_equal(&plain, &with, sizeof plain);
    }
}

/* Half of relativistic_average for the generator; for the discriminator half of its loss, and the
 * gradients of E s(-(r-a)) / 2 + E s(f-b) / 2 with a = Ef and b = Er held constant. */
static void test_esrgan(void **state)
{
    (void)state;
    const struct gx_adversarial *halved = gx_adversarial_find("relativistic_average_esrgan");
    const struct gx_adversarial *whole = gx_adversarial_find("relativistic_average");
    float r[COUNT], f[COUNT];
    double mean_r = 0, mean_f = 0;
    waves(r, f);
    for (int i = 0; i < COUNT; i++) {
        mean_r += r[i] / (double)COUNT;
        mean_f += f[i] / (double)COUNT;
    }
    struct player g = evaluate(halved, false, r, f), g_whole = evaluate(whole, false, r, f);
    struct player d = evaluate(halved, true, r, f), d_whole = evaluate(whole, true, r, f);
    assert_float_equal(g.loss, g_whole.loss / 2, 1e-6);
    for (int k = 0; k < 2; k++)
        assert_float_equal(d.part[k], d_whole.part[k] / 2, 1e-6);
    for (int i = 0; i < COUNT; i++) {
        assert_float_equal(g.df[i], g_whole.df[i] / 2, 1e-6);
        assert_float_equal(d.dr[i], -1 / (1 + exp(r[i] - mean_f)) / (2 * COUNT), 1e-6);
        assert_float_equal(d.df[i], 1 / (1 + exp(mean_r - f[i])) / (2 * COUNT), 1e-6);
    }
}

/* Which part is of which side: better outputs on real pictures lower D_real, and do nothing to
 * D_fake but where it looks at r too. Pairs have one term, and log half of it as either part. */
static void test_parts(void **state)
{
    (void)state;
    float r[COUNT], f[COUNT], better[COUNT];
    waves(r, f);
    for (int i = 0; i < COUNT; i++)
        better[i] = r[i] + 0.125F;
    for (int i = 0; gx_adversarial_at(i); i++) {
        const struct gx_adversarial *a = gx_adversarial_at(i);
        struct player before = evaluate(a, true, r, f), after = evaluate(a, true, better, f);
        assert_float_equal(before.part[0] + before.part[1], before.loss, 1e-5);
        if (!(after.part[0] < before.part[0]))
            fail_msg("%s: D_real goes from %g to %g", a->name, before.part[0], after.part[0]);
        bool relative = strstr(a->name, "relativistic");
        assert_int_equal(after.part[1] != before.part[1], relative);
        assert_int_equal(a->generator_needs_real, relative);
        if (!strcmp(a->name, "relativistic"))
            assert_true(before.part[0] == before.part[1]);
    }
}

static bool is_finite(const struct player *p)
{
    bool finite = isfinite(p->loss);
    for (int k = 0; k < COUNT; k++)
        finite &= isfinite(p->dr[k]) && isfinite(p->df[k]);
    return finite;
}

/* Players whose loss has an e^v or e^-v in it: exponential by nature, so infinite at 1e4. */
static bool is_exponential(const char *name, bool discriminator)
{
    static const char *const both[] = {"f_kl", "f_reverse_kl_ns", "f_hellinger", "f_hellinger_ns"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(name, both[i]))
            return true;
    if (discriminator)
        return !strcmp(name, "f_kl_ns") || !strcmp(name, "f_reverse_kl");
    return !strcmp(name, "max_likelihood");
}

static void test_large_outputs(void **state)
{
    (void)state;
    for (int i = 0; gx_adversarial_at(i); i++) {
        for (int k = 0; k < 4; k++) {
            const struct gx_adversarial *a = gx_adversarial_at(i);
            bool discriminator = k % 2;
            float r[COUNT], f[COUNT], large = k / 2 ? 1e4F : 80;
            for (int n = 0; n < COUNT; n++) {
                r[n] = n % 2 ? large : -large;
                f[n] = n % 3 ? large : -large;
            }
            struct player p = evaluate(a, discriminator, r, f);
            if (large > 80 && is_exponential(a->name, discriminator))
                assert_true(isinf(p.loss)); /* not NaN: the run's guard names it */
            else if (!is_finite(&p))
                fail_msg("%s is not finite at %g", a->name, large);
        }
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_ptr_equal(gx_adversarial_find("vanilla"), gx_adversarial_find("non_saturating"));
    assert_non_null(gx_adversarial_find("vanilla"));
    assert_true(gx_adversarial_find("wgan_gp")->gradient_penalty);
    assert_false(gx_adversarial_find("wgan")->gradient_penalty);
    assert_null(gx_adversarial_find("gan"));
    assert_null(gx_adversarial_at(-1));
    assert_null(gx_pixel_loss_at(4));
    assert_ptr_equal(gx_pixel_loss_find("mse"), gx_pixel_loss_find("l2"));
    assert_null(gx_pixel_loss_find("l3"));
}

/* torch.nn.functional's l1_loss, mse_loss and smooth_l1_loss of the differences below, and the mean
 * of sqrt(d^2 + 1e-12). */
static void test_pixel_losses(void **state)
{
    (void)state;
    static const float difference[] = {0.5F, -2.0F, 0.0F, 1.5F};
    static const float gradient[][4] = {{0.25F, -0.25F, 0, 0.25F},
                                        {0.25F, -1.0F, 0, 0.75F},
                                        {0.125F, -0.25F, 0, 0.25F},
                                        {0.25F, -0.25F, 0, 0.25F}};
    static const float loss[] = {1.0F, 1.625F, 0.65625F, 1.00000025F};
    for (int i = 0; gx_pixel_loss_at(i); i++) {
        struct gx_graph *g = gx_graph_new();
        struct gx_node *x = gx_input(g, (struct gx_shape){1, 1, 4, 1}, "x"), *dx;
        struct gx_node *target = gx_constant(g, x->shape, 0.25F);
        struct gx_node *y = gx_keep(gx_pixel_loss_at(i)->build(g, x, target));
        gx_gradients(g, y, NULL, &x, 1, &dx);
        gx_keep(dx);
        struct gx_plan *plan = NULL;
        const struct gx_plan_settings settings = {.threads = 1};
        assert_int_equal(gx_plan_new(&plan, g, &settings, NULL), 0);
        assert_int_equal(gx_plan_allocate(plan, NULL), 0);
        for (int k = 0; k < 4; k++)
            gx_plan_value(plan, x)[k] = 0.25F + difference[k];
        gx_plan_run(plan, 0, 1, 0);
        assert_float_equal(*gx_plan_value(plan, y), loss[i], 1e-6);
        for (int k = 0; k < 4; k++)
            assert_float_equal(gx_plan_value(plan, dx)[k], gradient[i][k], 1e-6);
        gx_plan_free(&plan);
        gx_graph_free(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_have_numbers), cmocka_unit_test(test_penalised),
        cmocka_unit_test(test_esrgan),           cmocka_unit_test(test_parts),
        cmocka_unit_test(test_large_outputs),    cmocka_unit_test(test_names),
        cmocka_unit_test(test_pixel_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
