/* Objectives: finite for large outputs, found by their names; pixel losses. Losses and gradients of
 * both players are held against PyTorch's by build/tests/parity. */
#include "../test.h"

#include "ganx/loss.h"
#include "ganx/plan.h"

#include <math.h>
#include <string.h>

enum { COUNT = 18 };
static const struct gx_shape shape = {2, 3, 3, 1};

struct player { /* what one player minimises, and its gradients */
    double loss;
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
    if (discriminator) {
        struct gx_node *real, *fake;
        a->discriminator(g, x[0], x[1], &real, &fake);
        loss = gx_add(g, real, fake);
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
    copy_gradient(plan, d[0], p.dr);
    copy_gradient(plan, d[1], p.df);
    gx_plan_free(&plan);
    gx_graph_free(&g);
    return p;
}

/* wgan_gp is wgan but for the penalty, which is no function of r and f. */
static void test_penalised(void **state)
{
    (void)state;
    float r[COUNT], f[COUNT];
    for (int i = 0; i < COUNT; i++) {
        r[i] = sinf((float)i);
        f[i] = cosf((float)i);
    }
    for (int discriminator = 0; discriminator < 2; discriminator++) {
        struct player plain = evaluate(gx_adversarial_find("wgan"), discriminator, r, f);
        struct player with = evaluate(gx_adversarial_find("wgan_gp"), discriminator, r, f);
        assert_memory_equal(&plain, &with, sizeof plain);
    }
}

static void test_large_outputs(void **state)
{
    (void)state;
    float r[COUNT], f[COUNT];
    for (int i = 0; i < COUNT; i++) {
        r[i] = i % 2 ? 1e4F : -1e4F;
        f[i] = i % 3 ? 1e4F : -1e4F;
    }
    for (int i = 0; gx_adversarial_at(i); i++) {
        for (int discriminator = 0; discriminator < 2; discriminator++) {
            const struct gx_adversarial *a = gx_adversarial_at(i);
            struct player p = evaluate(a, discriminator, r, f);
            bool finite = isfinite(p.loss);
            for (int k = 0; k < COUNT; k++)
                finite &= isfinite(p.dr[k]) && isfinite(p.df[k]);
            if (!finite)
                fail_msg("%s is not finite at 1e4", a->name);
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
    assert_null(gx_pixel_loss_at(3));
    assert_ptr_equal(gx_pixel_loss_find("mse"), gx_pixel_loss_find("l2"));
    assert_null(gx_pixel_loss_find("l3"));
}

/* torch.nn.functional's l1_loss, mse_loss and smooth_l1_loss of the differences below. */
static void test_pixel_losses(void **state)
{
    (void)state;
    static const float difference[] = {0.5F, -2.0F, 0.0F, 1.5F};
    static const float gradient[][4] = {
        {0.25F, -0.25F, 0, 0.25F}, {0.25F, -1.0F, 0, 0.75F}, {0.125F, -0.25F, 0, 0.25F}};
    static const float loss[] = {1.0F, 1.625F, 0.65625F};
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
        cmocka_unit_test(test_penalised),
        cmocka_unit_test(test_large_outputs),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_pixel_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
