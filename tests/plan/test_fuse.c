/* Fusion: what is fused and what must not be, by how many nodes run; and the same numbers as the
 * graph gives as it is written, node by node and through whole networks. */
#include "../test.h"
#include "ganx/network.h"
#include "ganx/plan.h"
#include "kernel/kernel.h"
#include "util/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill(float *to, int64_t count, uint64_t key)
{
    struct gx_random r = gx_random_at(3, GX_STREAM_TEST, key);
    for (int64_t i = 0; i < count; i++)
        to[i] = gx_random_uniform(&r) - 0.5F;
}

static struct gx_plan *plan_of(struct gx_graph *g, const struct gx_kernels *kernels,
                               bool as_written)
{
    struct gx_plan *plan;
    struct gx_err err = {""};
    struct gx_plan_settings settings = {
        .kernels = kernels, .threads = 2, .as_written = as_written, .inference = true};
    if (gx_plan_new(&plan, g, &settings, &err) || gx_plan_allocate(plan, &err))
        fail_msg("%s", err.text);
    return plan;
}

/* ---- small graphs ---- */

enum { INPUTS = 5 };
static const struct gx_shape picture = {2, 9, 7, 16}, weights = {3, 3, 16, 16}, row = {1, 1, 1, 16};

struct small { /* the node that each case ends in, and how many nodes run */
    struct gx_graph *g;
    struct gx_node *x, *y, *w, *bias, *slopes;
};

static struct gx_node *conv(const struct small *s)
{
    return gx_conv2d(s->g, s->x, s->w, s->bias, (struct gx_conv){1, 1, 0});
}

static struct gx_node *activated(const struct small *s)
{
    return gx_leaky_relu(s->g, conv(s), 0.2F);
}

static struct gx_node *residual(const struct small *s)
{
    return gx_add(s->g, gx_scale(s->g, gx_prelu(s->g, conv(s), s->slopes), 0.2F), s->y);
}

/* As in RRDBNet; a third sum remains. */
static struct gx_node *residuals(const struct small *s)
{
    struct gx_node *y = gx_add(s->g, s->x, gx_scale(s->g, conv(s), 0.2F));
    y = gx_scale(s->g, gx_scale(s->g, y, 0.5F), 0.4F);
    return gx_add(s->g, gx_add(s->g, y, s->y), s->x);
}

static struct gx_node *transposed(const struct small *s)
{
    struct gx_node *up = gx_conv2d_transposed(s->g, s->x, s->w, NULL, (struct gx_conv){1, 1, 0});
    return gx_relu(s->g, up);
}

/* Its gradient's gate is that of the first convolution's activation. */
static struct gx_node *gradient(const struct small *s)
{
    struct gx_node *y = activated(s), *dx;
    y = gx_conv2d(s->g, y, s->w, NULL, (struct gx_conv){1, 1, 0});
    gx_gradients(s->g, gx_sum(s->g, y, GX_AXES_ALL), NULL, (struct gx_node *[]){s->x}, 1, &dx);
    return dx;
}

static struct gx_node *two_readers(const struct small *s)
{
    struct gx_node *y = conv(s);
    return gx_mul(s->g, gx_relu(s->g, y), y);
}

static struct gx_node *kept(const struct small *s)
{
    return gx_relu(s->g, gx_keep(conv(s)));
}

static struct gx_node *later_phase(const struct small *s)
{
    struct gx_node *y = conv(s);
    gx_graph_phase(s->g);
    return gx_relu(s->g, y);
}

/* The sum's other part comes after the convolution, and is larger than what that reads. */
static struct gx_node *not_there_yet(const struct small *s)
{
    struct gx_node *y = conv(s);
    return gx_add(s->g, y, gx_exp(s->g, s->y));
}

static struct gx_node *broadcast(const struct small *s)
{
    return gx_add(s->g, conv(s), s->slopes);
}

static struct gx_node *wrong_order(const struct small *s)
{
    return gx_relu(s->g, gx_add(s->g, conv(s), s->y)); /* the sum is fused */
}

/* Each convolution sees all that came before: the concatenations copy nothing, or, where the first
 * part has a reader who needs it dense, that part alone. */
static struct gx_node *dense(const struct small *s, bool copied)
{
    struct gx_graph *g = s->g;
    struct gx_conv same = {1, 1, 0};
    struct gx_node *w2 = gx_concat(g, s->w, s->w, GX_AXIS_W);
    struct gx_node *w3 = gx_concat(g, w2, s->w, GX_AXIS_W);
    struct gx_node *a = conv(s), *b = gx_leaky_relu(g, gx_conv2d(g, a, s->w, NULL, same), 0.1F);
    struct gx_node *two = gx_concat(g, a, b, GX_AXIS_C);
    struct gx_node *c = gx_add(g, gx_conv2d(g, two, w2, NULL, same), a);
    struct gx_node *y = gx_conv2d(g, gx_concat(g, two, c, GX_AXIS_C), w3, NULL, same);
    return copied ? gx_mul(g, y, gx_exp(g, a)) : gx_add(g, y, a);
}

static struct gx_node *dense_wide(const struct small *s)
{
    return dense(s, false);
}

static struct gx_node *dense_copied(const struct small *s)
{
    return dense(s, true);
}

/* Mirrored by the convolution; not so when something else reads what is reflected. */
static struct gx_node *reflected(const struct small *s)
{
    struct gx_node *x = gx_pad_reflect(s->g, s->x, (struct gx_pad){1, 1, 1, 1});
    return gx_conv2d(s->g, x, s->w, s->bias, (struct gx_conv){1, 0, 0});
}

static struct gx_node *reflected_twice(const struct small *s)
{
    struct gx_node *x = gx_pad_reflect(s->g, s->x, (struct gx_pad){1, 1, 1, 1});
    struct gx_node *y = gx_conv2d(s->g, x, s->w, s->bias, (struct gx_conv){1, 0, 0});
    return gx_mul(s->g, y, gx_sum(s->g, x, GX_AXES_ALL));
}

/* Shuffled into 2x2 by the convolution, with all that follows; not into 4x4, and not where what is
 * not yet shuffled has another reader. */
static struct gx_node *shuffling(const struct small *s, int r, bool twice)
{
    struct gx_graph *g = s->g;
    struct gx_node *w = s->w, *bias = s->bias, *y, *z;
    for (int i = 0; i < 3; i++) {
        w = gx_concat(g, w, w, GX_AXIS_C);
        bias = gx_concat(g, bias, bias, GX_AXIS_C);
    }
    y = gx_conv2d(g, s->x, w, bias, (struct gx_conv){1, 1, 0});
    z = gx_leaky_relu(g, gx_pixel_shuffle(g, y, r), 0.2F);
    return twice ? gx_mul(g, z, gx_sum(g, y, GX_AXES_ALL)) : z;
}

static struct gx_node *shuffled(const struct small *s)
{
    return shuffling(s, 2, false);
}

static struct gx_node *shuffled_by_four(const struct small *s)
{
    return shuffling(s, 4, false);
}

static struct gx_node *shuffled_apart(const struct small *s)
{
    return shuffling(s, 2, true);
}

static struct gx_node *shuffled_narrow(const struct small *s)
{
    return gx_relu(s->g, gx_pixel_shuffle(s->g, conv(s), 2));
}

/* As in U-Net: of two parts, one is activated by its norm, the other when they are put together. Not
 * along other axes; and a norm that is read elsewhere too stays as it is. */
static struct gx_node *joined(const struct small *s, int axis, bool twice)
{
    struct gx_graph *g = s->g;
    struct gx_node *x = conv(s), *m = gx_moments(g, x, GX_OVER_BATCH);
    struct gx_node *y = gx_norm(g, x, m, s->slopes, s->bias, 1e-5F);
    struct gx_node *z = gx_leaky_relu(g, gx_concat(g, s->y, y, axis), 0.3F);
    return twice ? gx_mul(g, z, gx_sum(g, y, GX_AXES_ALL)) : z;
}

static struct gx_node *joined_parts(const struct small *s)
{
    return joined(s, GX_AXIS_C, false);
}

static struct gx_node *joined_across(const struct small *s)
{
    return joined(s, GX_AXIS_W, false);
}

static struct gx_node *joined_apart(const struct small *s)
{
    return joined(s, GX_AXIS_C, true);
}

static struct gx_node *shifted(const struct small *s)
{
    return gx_affine(s->g, conv(s), 2, 1);
}

/* The gradient of weights that were applied to two pictures of `side` pixels. */
static struct gx_node *shared(const struct small *s, int side)
{
    struct gx_graph *g = s->g;
    struct gx_shape part = {2, side, side, 16};
    struct gx_conv same = {1, 1, 0};
    struct gx_node *a = gx_slice(g, s->x, (struct gx_shape){0, 1, 1, 0}, part), *dw;
    struct gx_node *b = gx_slice(g, s->y, (struct gx_shape){0, 2, 0, 0}, part);
    a = gx_square(g, gx_conv2d(g, a, s->w, NULL, same));
    b = gx_square(g, gx_conv2d(g, b, s->w, NULL, same));
    gx_gradients(g, gx_sum(g, gx_add(g, a, b), GX_AXES_ALL), NULL, (struct gx_node *[]){s->w}, 1,
                 &dw);
    return dw;
}

static struct gx_node *shared_weights(const struct small *s)
{
    return shared(s, 3);
}

static struct gx_node *shared_by_more(const struct small *s)
{
    return shared(s, 5);
}

static const struct {
    struct gx_node *(*build)(const struct small *s);
    int nodes;
} small_cases[] = {
    {activated, 1},       {residual, 1},        {residuals, 2},     {transposed, 1},
    {gradient, -1},       {two_readers, 3},     {kept, 2},          {later_phase, 2},
    {not_there_yet, 3},   {broadcast, 2},       {wrong_order, 2},   {reflected, 1},
    {reflected_twice, 4}, {dense_wide, 8},      {dense_copied, 10}, {shifted, 2},
    {shared_weights, -1}, {shared_by_more, 15}, {shuffled, 7},      {shuffled_by_four, 9},
    {shuffled_apart, 11}, {shuffled_narrow, 3}, {joined_parts, 4},  {joined_across, 5},
    {joined_apart, 6}};

static float *run_small(int which, const struct gx_kernels *k, bool as_written, int *nodes,
                        int64_t *count)
{
    struct small s = {.g = gx_graph_new()};
    s.x = gx_input(s.g, picture, "x");
    s.y = gx_input(s.g, picture, "y");
    s.w = gx_input(s.g, weights, "w");
    s.bias = gx_input(s.g, row, "bias");
    s.slopes = gx_input(s.g, row, "slopes");
    struct gx_node *out = gx_keep(small_cases[which].build(&s));
    struct gx_node *in[INPUTS] = {s.x, s.y, s.w, s.bias, s.slopes};
    struct gx_plan *plan = plan_of(s.g, k, as_written);
    for (int i = 0; i < INPUTS; i++)
        fill(gx_plan_value(plan, in[i]), gx_count(in[i]->shape), (uint64_t)i);
    gx_plan_run(plan, 0, 0, 0);
    gx_plan_run(plan, 1, 0, 0);
    *nodes = gx_plan_facts(plan).nodes;
    *count = gx_count(out->shape);
    size_t bytes = (size_t)*count * sizeof(float);
    float *values = memcpy(malloc(bytes), gx_plan_value(plan, out), bytes);
    gx_plan_free(&plan);
    gx_graph_free(&s.g);
    return values;
}

static void expect_same(const char *what, const float *a, const float *b, int64_t count)
{
    double most = 0, largest = 1e-30;
    for (int64_t i = 0; i < count; i++) {
        double d = fabs((double)a[i] - b[i]);
        most = d > most || isnan(d) ? d : most;
        largest = fabs(b[i]) > largest ? fabs(b[i]) : largest;
    }
    if (!(most <= 1e-6 * largest))
        fail_msg("%s: fused differs by %g of %g", what, most, largest);
}

static void small_graphs(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    int cases = sizeof small_cases / sizeof *small_cases, plain, fused;
    for (int at = 0; (k = gx_kernels_at(at / cases)); at++) {
        int64_t count;
        int i = at % cases;
        float *want = run_small(i, k, true, &plain, &count);
        float *got = run_small(i, k, false, &fused, &count);
        char what[32];
        snprintf(what, sizeof what, "%s, case %d", k->name, i);
        /* the reference's convolution neither mirrors nor shuffles */
        int by_loops = at < cases && small_cases[i].build == reflected;
        by_loops += at < cases && small_cases[i].build == shuffled ? 2 : 0;
        expect_same(what, got, want, count);
        if (small_cases[i].nodes > 0)
            assert_int_equal(fused, small_cases[i].nodes + by_loops);
        else
            assert_int_equal(fused, plain - 2); /* both gates; both gradients */
        free(want), free(got);
    }
}

/* ---- networks ---- */

static float *run_network(const char *name, const char *size, int value, const struct gx_kernels *k,
                          bool as_written, int *nodes, int64_t *count)
{
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_err err = {""};
    gx_params_init(&params);
    assert_int_equal(gx_spec_from_name(&spec, name, &err), 0);
    assert_int_equal(gx_spec_set(&spec, size, value, &err), 0);
    assert_int_equal(gx_network_declare(&spec, &params, &err), 0);
    assert_int_equal(gx_params_allocate(&params, &err), 0);
    fill(params.data, params.total, 7);
    struct gx_graph *g = gx_graph_new();
    struct gx_node *x = gx_input(g, (struct gx_shape){1, 32, 32, 3}, "x"), *out[GX_OUTPUTS_MAX];
    struct gx_build b = {.graph = g, .params = &params, .spec = &spec};
    spec.network->build(&b, x, NULL, out);
    gx_keep(out[0]);
    struct gx_plan *plan = plan_of(g, k, as_written);
    fill(gx_plan_value(plan, x), gx_count(x->shape), 8);
    gx_plan_run(plan, 0, 0, 0);
    *nodes = gx_plan_facts(plan).nodes;
    *count = gx_count(out[0]->shape);
    size_t bytes = (size_t)*count * sizeof(float);
    float *values = memcpy(malloc(bytes), gx_plan_value(plan, out[0]), bytes);
    gx_plan_free(&plan);
    gx_graph_free(&g);
    gx_params_clear(&params);
    return values;
}

static void networks(void **state)
{
    (void)state;
    const struct {
        const char *name, *size;
        int value;
    } rows[] = {{"rrdbnet", "nb", 1},  {"srvgg", "nconv", 3},  {"msrresnet", "nb", 2},
                {"srresnet", "nb", 2}, {"unet_32", "ngf", 16}, {"resnet_2blocks", "ngf", 16},
                {"basic", "ndf", 16}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int plain, fused;
        int64_t count;
        const struct gx_kernels *k;
        for (int tier = 1; (k = gx_kernels_at(tier)); tier++) {
            float *want =
                run_network(rows[i].name, rows[i].size, rows[i].value, k, true, &plain, &count);
            float *got =
                run_network(rows[i].name, rows[i].size, rows[i].value, k, false, &fused, &count);
            expect_same(rows[i].name, got, want, count);
            assert_true(fused < plain);
            free(want), free(got);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_graphs),
        cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
