/* Plans: buffers that live together never overlap; dead nodes are dropped; phases see parameters as
 * they are when they run; state updates run once; repeated phases; a budget is kept; a file-backed
 * arena gives the same numbers; inference makes what depends on weights once. */
#include "../test.h"
#include "ganx/params.h"
#include "ganx/plan.h"
#include "plan/memory.h"
#include "util/random.h"

#include <string.h>

static void placement(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    struct gx_buffer b[COUNT];
    struct gx_random r = gx_random_at(1, GX_STREAM_TEST, 0);
    int64_t busiest = 0;
    for (int i = 0; i < COUNT; i++) {
        int first = (int)gx_random_below(&r, 200);
        b[i] = (struct gx_buffer){.bytes = 1 + gx_random_below(&r, 100000),
                                  .first = first,
                                  .last = first + (int)gx_random_below(&r, 20)};
    }
    int64_t size = gx_buffers_place(b, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_true(b[i].offset % 64 == 0 && b[i].offset + b[i].bytes <= size);
        for (int j = 0; j < i; j++)
            if (b[i].first <= b[j].last && b[j].first <= b[i].last)
                assert_true(b[i].offset + b[i].bytes <= b[j].offset ||
                            b[j].offset + b[j].bytes <= b[i].offset);
    }
    for (int t = 0; t < 220; t++) {
        int64_t live = 0;
        for (int i = 0; i < COUNT; i++)
            live += b[i].first <= t && t <= b[i].last ? b[i].bytes : 0;
        busiest = live > busiest ? live : busiest;
    }
    assert_true(size >= busiest && size < busiest + busiest / 4);
}

static struct gx_plan *make_plan(struct gx_graph *g, struct gx_plan_settings settings)
{
    struct gx_plan *plan;
    struct gx_err err = {""};
    settings.threads = 2;
    assert_int_equal(gx_plan_new(&plan, g, &settings, &err), 0);
    assert_int_equal(gx_plan_allocate(plan, &err), 0);
    return plan;
}

/* loss = mean((tanh(w x))^2) over a chain of reuses; its gradient by w, and that one's. */
static void gradients(void **state)
{
    (void)state;
    struct gx_graph *g = gx_graph_new();
    struct gx_shape one = {1, 1, 1, 1};
    struct gx_node *w = gx_input(g, one, "w"), *dw, *ddw;
    struct gx_node *y = gx_square(g, gx_tanh(g, gx_scale(g, w, 0.5f)));
    gx_gradients(g, y, NULL, &w, 1, &dw);
    gx_gradients(g, dw, NULL, &w, 1, &ddw);
    gx_keep(y), gx_keep(dw), gx_keep(ddw);
    struct gx_plan *plan = make_plan(g, (struct gx_plan_settings){0});
    *gx_plan_value(plan, w) = 0.7f;
    gx_plan_run(plan, 0, 0, 0);
    /* t = tanh 0.35: y' = t (1 - t^2), y'' = (1 - t^2)(1 - 3 t^2) / 2 */
    double t = 0.33637554, d = 1 - t * t;
    assert_float_equal(*gx_plan_value(plan, y), t * t, 1e-6);
    assert_float_equal(*gx_plan_value(plan, dw), t * d, 1e-6);
    assert_float_equal(*gx_plan_value(plan, ddw), 0.5 * d * (1 - 3 * t * t), 1e-6);
    gx_plan_free(&plan);
    gx_graph_free(&g);
}

struct fixture {
    struct gx_params params;
    struct gx_param *w, *s;
    struct gx_graph *g;
};

static void setup(struct fixture *f)
{
    gx_params_init(&f->params);
    f->w = gx_params_declare(&f->params, "w", GX_PARAM_BIAS, (struct gx_shape){1, 1, 1, 4});
    f->s = gx_params_declare(&f->params, "s", GX_PARAM_RUNNING_MEAN, (struct gx_shape){1, 1, 1, 4});
    assert_int_equal(gx_params_allocate(&f->params, NULL), 0);
    assert_int_equal(gx_params_allocate_gradients(&f->params, NULL), 0);
    for (int i = 0; i < 4; i++)
        f->w->data[i] = (float)(i + 1);
    f->g = gx_graph_new();
}

static void teardown(struct fixture *f)
{
    gx_graph_free(&f->g);
    gx_params_clear(&f->params);
}

static void phases_and_updates(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct gx_node *w = gx_parameter(f.g, f.w);
    struct gx_node *x = gx_input(f.g, (struct gx_shape){1, 1, 1, 4}, "x");
    struct gx_node *early = gx_mul(f.g, x, w);
    gx_store_gradients(f.g, gx_sum(f.g, early, GX_AXES_ALL), &f.params);
    gx_update_average(f.g, f.s, early, 0.5f);
    gx_graph_phase(f.g);
    struct gx_node *late = gx_keep(gx_add(f.g, early, gx_mul(f.g, x, w)));
    gx_exp(f.g, gx_exp(f.g, late)); /* read by nobody */
    struct gx_plan *plan = make_plan(f.g, (struct gx_plan_settings){.repeated_phases = 2});
    assert_int_equal(gx_plan_facts(plan).nodes, 7);
    float *in = gx_plan_value(plan, x);
    for (int i = 0; i < 4; i++)
        in[i] = 2;
    gx_plan_run(plan, 0, 0, 0);
    for (int i = 0; i < 4; i++) {
        assert_float_equal(f.w->grad[i], 2, 0);
        assert_float_equal(f.s->data[i], (float)(i + 1), 0); /* half of 2 w */
        f.w->data[i] = 10;
    }
    for (int round = 0; round < 3; round++) { /* the earlier phase's value survives repetition */
        gx_plan_run(plan, 1, 0, 0);
        for (int i = 0; i < 4; i++)
            assert_float_equal(gx_plan_value(plan, late)[i], 2 * (i + 1) + 20, 0);
    }
    gx_plan_free(&plan);
    teardown(&f);
}

static void inference_makes_weights_once(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct gx_node *x = gx_input(f.g, (struct gx_shape){1, 1, 1, 4}, "x");
    struct gx_node *y = gx_keep(gx_mul(f.g, x, gx_exp(f.g, gx_parameter(f.g, f.w))));
    struct gx_plan *plan = make_plan(f.g, (struct gx_plan_settings){.inference = true});
    gx_plan_value(plan, x)[0] = 1;
    f.w->data[0] = 0; /* not seen before a refresh */
    gx_plan_run(plan, 0, 0, 0);
    assert_float_equal(gx_plan_value(plan, y)[0], 2.7182818f, 1e-5);
    gx_plan_refresh(plan);
    gx_plan_run(plan, 0, 0, 0);
    assert_float_equal(gx_plan_value(plan, y)[0], 1, 1e-6);
    gx_plan_free(&plan);
    teardown(&f);
}

/* A chain over a picture of 1 MiB: reuse keeps it near two buffers; budgets refuse or use disk. */
static void budget(void **state)
{
    (void)state;
    struct gx_graph *g = gx_graph_new();
    struct gx_node *x = gx_input(g, (struct gx_shape){1, 256, 256, 4}, "x"), *y = x;
    for (int i = 0; i < 20; i++)
        y = gx_affine(g, y, 1, 1);
    gx_keep(y);
    struct gx_plan_settings settings = {.max_memory = 1 << 20, .threads = 1};
    struct gx_plan *plan;
    struct gx_err err = {""};
    assert_int_equal(gx_plan_new(&plan, g, &settings, &err), 0);
    assert_true(gx_plan_facts(plan).arena <= (2 << 20) + 256);
    assert_int_equal(gx_plan_allocate(plan, &err), -GX_E_NOMEM);
    assert_non_null(strstr(err.text, "2 MiB"));
    gx_plan_free(&plan);

    settings.temp_folder = "/tmp";
    settings.max_temp = 1 << 20;
    assert_int_equal(gx_plan_new(&plan, g, &settings, &err), 0);
    assert_int_equal(gx_plan_allocate(plan, &err), -GX_E_NOMEM);
    assert_non_null(strstr(err.text, "--max-temp"));
    gx_plan_free(&plan);

    settings.max_temp = 0;
    assert_int_equal(gx_plan_new(&plan, g, &settings, &err), 0);
    assert_int_equal(gx_plan_allocate(plan, &err), 0);
    gx_plan_value(plan, x)[5] = 3;
    gx_plan_run(plan, 0, 0, 0);
    assert_float_equal(gx_plan_value(plan, y)[5], 23, 0);
    gx_plan_free(&plan);
    gx_graph_free(&g);
}

/* Two plans in one arena: as large as the larger, and each right after its inputs are written. */
static void shared_arena(void **state)
{
    (void)state;
    struct gx_graph *g[2];
    struct gx_node *x[2], *y[2];
    struct gx_plan *plan[2];
    struct gx_err err = {""};
    for (int k = 0; k < 2; k++) {
        g[k] = gx_graph_new();
        x[k] = gx_input(g[k], (struct gx_shape){1, 16, 16 + 16 * k, 4}, "x");
        y[k] = gx_keep(gx_affine(g[k], x[k], 1, (float)k + 1));
        struct gx_plan_settings settings = {.inference = k};
        assert_int_equal(gx_plan_new(&plan[k], g[k], &settings, &err), 0);
    }
    int64_t larger = gx_plan_facts(plan[1]).arena;
    assert_true(larger > gx_plan_facts(plan[0]).arena);
    gx_plan_share(plan[0], plan[1]);
    assert_int_equal(gx_plan_facts(plan[0]).arena, larger);
    assert_int_equal(gx_plan_allocate(plan[0], &err), 0);
    assert_int_equal(gx_plan_allocate(plan[1], &err), 0);
    for (int k = 0; k < 2; k++) {
        *gx_plan_value(plan[k], x[k]) = 5;
        gx_plan_run(plan[k], 0, 0, 0);
        assert_float_equal(*gx_plan_value(plan[k], y[k]), 6 + k, 0);
    }
    for (int k = 1; k >= 0; k--) {
        gx_plan_free(&plan[k]);
        gx_graph_free(&g[k]);
    }
}

/* The first error stays, and the plan reports it. */
static void sticky_errors(void **state)
{
    (void)state;
    struct gx_graph *g = gx_graph_new();
    struct gx_node *a = gx_input(g, (struct gx_shape){1, 2, 2, 3}, "a");
    struct gx_node *b = gx_input(g, (struct gx_shape){1, 2, 2, 4}, "b");
    struct gx_node *bad = gx_add(g, a, b);
    gx_keep(gx_concat(g, bad, gx_matmul(g, bad, b, false, false), GX_AXIS_C));
    struct gx_plan *plan;
    struct gx_plan_settings settings = {0};
    struct gx_err err = {""};
    assert_int_equal(gx_plan_new(&plan, g, &settings, &err), -GX_E_SHAPE);
    assert_string_equal(err.text, "1 x 2 x 2 x 3 and 1 x 2 x 2 x 4 do not combine");
    gx_graph_free(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placement),
        cmocka_unit_test(gradients),
        cmocka_unit_test(phases_and_updates),
        cmocka_unit_test(inference_makes_weights_once),
        cmocka_unit_test(budget),
        cmocka_unit_test(shared_arena),
        cmocka_unit_test(sticky_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
