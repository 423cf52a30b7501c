/* How far an output pixel sees: a change farther off leaves every bit of it, one at that distance
 * shows. With the plainest kernels, since Winograd's method rounds by the tile. */
#include "../test.h"

#include "ganx/network.h"
#include "ganx/plan.h"
#include "kernel/kernel.h"

#include <stdlib.h>
#include <string.h>

static const char *const networks[] = {
    "{\"network\": \"srvgg\", \"nf\": 2, \"nconv\": 3, \"scale\": 4}",
    "{\"network\": \"srvgg\", \"nf\": 2, \"nconv\": 1, \"scale\": 1}",
    "{\"network\": \"msrresnet\", \"nf\": 2, \"nb\": 2, \"scale\": 2}",
    "{\"network\": \"msrresnet\", \"nf\": 2, \"nb\": 1, \"scale\": 3}",
    "{\"network\": \"msrresnet\", \"nf\": 2, \"nb\": 1, \"scale\": 4}",
    "{\"network\": \"srresnet\", \"nf\": 2, \"nb\": 1, \"scale\": 2}",
    "{\"network\": \"srresnet\", \"nf\": 2, \"nb\": 1, \"scale\": 3}",
    "{\"network\": \"srresnet\", \"nf\": 2, \"nb\": 2, \"scale\": 4}",
    "{\"network\": \"rrdbnet\", \"nf\": 2, \"nb\": 1, \"gc\": 2, \"scale\": 4}",
    "{\"network\": \"rrdbnet\", \"nf\": 2, \"nb\": 1, \"gc\": 2, \"scale\": 2}",
    "{\"network\": \"rrdbnet\", \"nf\": 2, \"nb\": 1, \"gc\": 2, \"scale\": 1}",
    "{\"network\": \"rrdbnet\", \"nf\": 2, \"nb\": 1, \"gc\": 2, \"scale\": 1, \"direct\": true}",
    "{\"network\": \"rrdbnet\", \"nf\": 2, \"nb\": 1, \"gc\": 2, \"scale\": 2, \"direct\": true}",
    "{\"network\": \"rrdbnet\", \"nf\": 2, \"nb\": 1, \"gc\": 2, \"scale\": 8, \"direct\": true}",
};

enum { ROWS = 4 }; /* the pictures are long and low: folded pixels need as many */

struct subject {
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_graph *graph;
    struct gx_plan *plan;
    struct gx_node *x, *y;
    int reach, scale, width;
};

/* Positive weights that sum to 1 for each output: what comes in goes on, whatever the depth. `tap`:
 * of a kernel the first column alone (-1), the last (1), or all (0). */
static void fill(struct gx_param *p, int tap)
{
    struct gx_shape s = p->shape;
    bool conv = p->kind == GX_PARAM_CONV;
    for (int64_t i = 0; i < gx_count(s); i++) {
        int column = (int)(i / ((int64_t)s.c * s.w) % s.h);
        bool on = !conv || !tap || column == (tap < 0 ? 0 : s.h - 1);
        int taps = tap ? 1 : s.h;
        p->data[i] = conv ? (on ? 1.0F / (float)(s.n * taps * s.w) : 0)
                          : (p->kind == GX_PARAM_NORM_WEIGHT || p->kind == GX_PARAM_RUNNING_VAR ||
                             p->kind == GX_PARAM_SLOPE);
    }
}

static void make(struct subject *s, const char *json, int tap)
{
    struct gx_err err = {""};
    struct gx_node *out[GX_OUTPUTS_MAX];
    assert_int_equal(gx_spec_from_json(&s->spec, json, &err), 0);
    s->reach = gx_network_reach(&s->spec, GX_STATS_RUNNING);
    s->scale = gx_network_scale(&s->spec);
    s->width = (2 * s->reach + 7) / 4 * 4 + 4;
    gx_params_init(&s->params);
    assert_int_equal(gx_network_declare(&s->spec, &s->params, &err), 0);
    assert_int_equal(gx_params_allocate(&s->params, &err), 0);
    for (int i = 0; i < s->params.count; i++)
        fill(s->params.param[i], tap);
    s->graph = gx_graph_new();
    s->x = gx_input(s->graph, (struct gx_shape){1, ROWS, s->width, 3}, "x");
    struct gx_build b = {
        .graph = s->graph, .params = &s->params, .spec = &s->spec, .stats = GX_STATS_RUNNING};
    s->spec.network->build(&b, s->x, NULL, out);
    s->y = gx_keep(out[0]);
    struct gx_plan_settings settings = {
        .inference = true, .threads = 1, .kernels = gx_kernels_named("reference")};
    if (gx_plan_new(&s->plan, s->graph, &settings, &err) || gx_plan_allocate(s->plan, &err))
        fail_msg("%s: %s", json, err.text);
}

static void unmake(struct subject *s)
{
    gx_plan_free(&s->plan);
    gx_graph_free(&s->graph);
    gx_params_clear(&s->params);
}

/* The output for a black picture whose column `at` is white, to free: what is not black depends on
 * it, however little. */
static float *result(struct subject *s, int at)
{
    size_t count = (size_t)gx_count(s->y->shape);
    float *y = malloc(count * sizeof *y), *x = gx_plan_value(s->plan, s->x);
    for (int i = 0; i < ROWS * s->width * 3; i++)
        x[i] = i / 3 % s->width == at;
    gx_plan_run(s->plan, 0, 0, 0);
    return memcpy(y, gx_plan_value(s->plan, s->y), count * sizeof *y);
}

/* The farthest columns of the input, to the left and to the right of what changed, in which output
 * pixels lie that differ. */
static void spread(const struct subject *s, const float *a, const float *b, int at, int *left,
                   int *right)
{
    int wide = s->width * s->scale, c = s->y->shape.c;
    *left = *right = 0;
    for (int i = 0; i < ROWS * s->scale * wide * c; i++) {
        int column = i / c % wide / s->scale;
        if (a[i] != b[i] && at - column > *left)
            *left = at - column;
        if (a[i] != b[i] && column - at > *right)
            *right = column - at;
    }
}

/* Every place within a fold of pixels; the spread is measured there, and the farthest counts. */
static void measure(const char *json, int tap, int *left, int *right, int *reach)
{
    struct subject s;
    make(&s, json, tap);
    float *plain = result(&s, -1);
    *left = *right = 0;
    *reach = s.reach;
    for (int at = s.width / 2; at < s.width / 2 + s.spec.network->multiple(&s.spec); at++) {
        int l, r;
        float *changed = result(&s, at);
        spread(&s, plain, changed, at, &l, &r);
        *left = l > *left ? l : *left;
        *right = r > *right ? r : *right;
        free(changed);
    }
    free(plain);
    unmake(&s);
}

static void test_not_beyond(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        int left, right, reach;
        measure(networks[i], 0, &left, &right, &reach);
        if (left > reach || right > reach)
            fail_msg("%s: seen from %d and %d, reach %d", networks[i], left, right, reach);
    }
}

/* Kernels of their first column alone look to the left as far as can be. */
static void test_that_far(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        int left, right, nothing, reach;
        measure(networks[i], -1, &nothing, &right, &reach);
        measure(networks[i], 1, &left, &nothing, &reach);
        if (left != reach && right != reach)
            fail_msg("%s: seen from %d and %d, reach %d", networks[i], left, right, reach);
        if (left > reach || right > reach)
            fail_msg("%s: seen from %d and %d, reach %d", networks[i], left, right, reach);
    }
}

static void test_figures(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int scale, reach;
    } known[] = {{"srvgg_32", 4, 34},
                 {"rrdbnet_23", 4, 349},
                 {"msrresnet_16", 4, 35},
                 {"unet_256", 1, -1},
                 {"resnet_9blocks", 1, -1}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct gx_network_spec spec;
        assert_int_equal(gx_spec_from_name(&spec, known[i].name, NULL), 0);
        assert_int_equal(gx_network_scale(&spec), known[i].scale);
        assert_int_equal(gx_network_reach(&spec, GX_STATS_RUNNING), known[i].reach);
    }
}

/* Batch norm by the picture's own statistics sees all of it. */
static void test_statistics(void **state)
{
    (void)state;
    struct gx_network_spec spec;
    assert_int_equal(gx_spec_from_name(&spec, "srresnet", NULL), 0);
    assert_int_equal(gx_network_reach(&spec, GX_STATS_BATCH), -1);
    assert_int_equal(gx_network_reach(&spec, GX_STATS_RUNNING), 4 + 2 * 16 + 1 + 1 + 2);
    assert_int_equal(gx_spec_from_name(&spec, "msrresnet", NULL), 0);
    assert_int_equal(gx_network_reach(&spec, GX_STATS_BATCH),
                     gx_network_reach(&spec, GX_STATS_RUNNING));
}

/* A scale that the network cannot have is refused where it is built. */
static void test_no_such_scale(void **state)
{
    (void)state;
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_err err = {""};
    assert_int_equal(gx_spec_from_json(&spec, "{\"network\": \"rrdbnet\", \"scale\": 3}", &err), 0);
    gx_params_init(&params);
    assert_int_equal(gx_network_declare(&spec, &params, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "rrdbnet makes pictures 1, 2 or 4 times as large, not 3"));
    gx_params_clear(&params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_not_beyond),    cmocka_unit_test(test_that_far),
        cmocka_unit_test(test_figures),       cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_no_such_scale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
