/* Feature and style losses: numbers of PyTorch, gradients by differences, and that nothing reaches
 * the target. */
#include "../test.h"

#include "ganx/loss.h"
#include "ganx/plan.h"

#include <math.h>
#include <string.h>

typedef struct gx_node *(*loss_builder)(struct gx_graph *, struct gx_node *, struct gx_node *,
                                        const struct gx_pixel_loss *);

static const struct gx_shape shape = {2, 3, 2, 3};
enum { COUNT = 36 };

struct made { /* a loss of x and a target, and its gradient by x */
    struct gx_graph *g;
    struct gx_plan *plan;
    struct gx_node *x, *target, *loss, *dx[2];
};

static struct made make(loss_builder build, const char *kind)
{
    const struct gx_plan_settings settings = {.threads = 1};
    struct made m = {.g = gx_graph_new()};
    m.x = gx_input(m.g, shape, "x");
    m.target = gx_input(m.g, shape, "target");
    m.loss = gx_keep(build(m.g, m.x, m.target, gx_pixel_loss_find(kind)));
    gx_gradients(m.g, m.loss, NULL, (struct gx_node *[]){m.x, m.target}, 2, m.dx);
    gx_keep(m.dx[0]);
    assert_int_equal(gx_plan_new(&m.plan, m.g, &settings, NULL), 0);
    assert_int_equal(gx_plan_allocate(m.plan, NULL), 0);
    for (int i = 0; i < COUNT; i++) {
        gx_plan_value(m.plan, m.x)[i] = sinf((float)i);
        gx_plan_value(m.plan, m.target)[i] = cosf(2 * (float)i) - 0.25F;
    }
    return m;
}

static void clear(struct made *m)
{
    gx_plan_free(&m->plan);
    gx_graph_free(&m->g);
}

static double loss_of(const struct made *m)
{
    gx_plan_run(m->plan, 0, 1, 0);
    return *gx_plan_value(m->plan, m->loss);
}

/* By torch, in double, of the values above: F.l1_loss(x, t), and with m = x.reshape(2, 6, 3) and
 * gram = m.transpose(1, 2) @ m / 18: F.l1_loss and F.mse_loss of the two grams. */
static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        loss_builder build;
        const char *kind;
        double loss;
    } cases[] = {
        {gx_feature_loss, "l1", 0.821558685},
        {gx_feature_loss, "l2", 1.111303391},
        {gx_style_loss, "l1", 0.106922796},
        {gx_style_loss, "l2", 0.018461511},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m = make(cases[i].build, cases[i].kind);
        assert_float_equal(loss_of(&m), cases[i].loss, 1e-6);
        clear(&m);
    }
}

static void test_gradients(void **state)
{
    (void)state;
    static const loss_builder builders[] = {gx_feature_loss, gx_style_loss};
    static const char *const kinds[] = {"l2", "charbonnier", "l1"};
    for (int i = 0; i < 6; i++) {
        struct made m = make(builders[i % 2], kinds[i / 2]);
        float gradient[COUNT], *x = gx_plan_value(m.plan, m.x), kept[COUNT];
        const float step = 1.0F / 1024;
        assert_null(m.dx[1]);
        memcpy(kept, x, sizeof kept);
        loss_of(&m);
        memcpy(gradient, gx_plan_value(m.plan, m.dx[0]), sizeof gradient);
        for (int k = 0; k < COUNT; k++) {
            double up, down;
            x = gx_plan_value(m.plan, m.x);
            memcpy(x, kept, sizeof kept);
            x[k] = kept[k] + step;
            up = loss_of(&m);
            memcpy(x, kept, sizeof kept);
            x[k] = kept[k] - step;
            down = loss_of(&m);
            assert_float_equal(gradient[k], (up - down) / (2 * (double)step), 1e-4);
        }
        clear(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
