/* Convolutions with stride 2 that run by Winograd's method: value and both gradients against a
 * sample of PyTorch's numbers and the sums of each channel, which nothing escapes. Every tier, with
 * each number of points that its rule chooses. */
#include "../test.h"

#include "ganx/plan.h"
#include "ganx/weights.h"
#include "op/op.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 101, PRODUCTS = 3, POINTS = 6 }; /* make_op.py: STRIDE_STEP */

/* x0, the weights' side and output channels. */
static const struct sample {
    const char *name;
    struct gx_shape x;
    int k, o;
    bool transposed;
} samples[] = {
    {"conv_three", {3, 20, 22, 128}, 4, 96, false},   {"conv_four", {1, 53, 55, 16}, 4, 36, false},
    {"conv_six", {3, 57, 59, 16}, 4, 24, false},      {"conv_odd", {2, 57, 59, 32}, 3, 128, false},
    {"conv_odd_six", {3, 67, 69, 32}, 3, 128, false}, {"transposed", {1, 26, 27, 36}, 4, 16, true},
};

struct run {
    const struct gx_kernels *kernels;
    struct gx_graph *graph;
    struct gx_plan *plan;
    struct gx_node *x[2], *dy, *y, *dx[2];
};

static struct run run_of(const struct sample *s, const struct gx_kernels *kernels, int threads)
{
    struct gx_err err = {""};
    struct gx_graph *g = gx_graph_new();
    struct run r = {kernels, g};
    struct gx_shape w = {s->k, s->k, s->x.c, s->o};
    if (s->transposed)
        w.w = s->o, w.c = s->x.c;
    r.x[0] = gx_input(g, s->x, "x");
    r.x[1] = gx_input(g, w, "w");
    r.y = gx_keep((s->transposed ? gx_conv2d_transposed : gx_conv2d)(g, r.x[0], r.x[1], NULL,
                                                                     (struct gx_conv){2, 1, 0}));
    r.dy = gx_input(g, r.y->shape, "dy");
    gx_gradients(g, r.y, r.dy, r.x, 2, r.dx);
    for (int i = 0; i < 2; i++)
        gx_keep(r.dx[i]);
    struct gx_plan_settings settings = {.kernels = kernels, .threads = threads};
    if (gx_graph_check(g, &err) || gx_plan_new(&r.plan, g, &settings, &err) ||
        gx_plan_allocate(r.plan, &err))
        fail_msg("%s: %s", s->name, err.text);
    return r;
}

static void clear_run(struct run *r)
{
    gx_plan_free(&r->plan);
    gx_graph_free(&r->graph);
}

/* make_op.py's pattern() of x0 and x1, and cotangent(). */
static void fill(const struct run *r)
{
    for (int which = 0; which < 2; which++) {
        float *x = gx_plan_value(r->plan, r->x[which]);
        for (int64_t i = 0; i < gx_count(r->x[which]->shape); i++)
            x[i] = (float)((i * (i % 1021) + 131 * which) % 257 - 128) / 64;
    }
    float *dy = gx_plan_value(r->plan, r->dy);
    for (int64_t i = 0; i < gx_count(r->dy->shape); i++)
        dy[i] = (float)(i * 7919 % 257 - 128) / 64;
}

static float *numbers(struct gx_weights *file, const char *name, const char *key, const char *end,
                      int64_t count)
{
    char full[96];
    snprintf(full, sizeof full, "%s/%s%s", name, key, end);
    int at = gx_weights_find(file, full);
    if (at < 0 || gx_weights_info(file, at)->count != count)
        fail_msg("the file has no '%s' of %d numbers", full, (int)count);
    float *to = malloc((size_t)count * sizeof *to);
    struct gx_err err;
    assert_non_null(to);
    assert_int_equal(gx_weights_read(file, at, to, &err), 0);
    return to;
}

/* `allowed`, of the largest magnitude, and for a sum so many times that. */
static void compare(const struct run *r, struct gx_weights *file, const char *name, const char *key,
                    const struct gx_node *node, double allowed)
{
    const float *got = gx_plan_value(r->plan, node);
    int64_t count = gx_count(node->shape), c = node->shape.c;
    float *some = numbers(file, name, key, "", (count + STEP - 1) / STEP);
    float *sums = numbers(file, name, key, "_sums", c);
    double most = 0, *sum = calloc((size_t)c, sizeof *sum);
    assert_non_null(sum);
    for (int64_t i = 0; i < count; i++) {
        sum[i % c] += got[i];
        most = fmax(most, fabs((double)got[i]));
    }
    for (int64_t i = 0; i < count; i += STEP)
        if (!(fabs((double)got[i] - some[i / STEP]) <= allowed * most))
            fail_msg("%s/%s, %s: number %d is %g, not %g, where the largest is %g", name, key,
                     r->kernels->name, (int)i, got[i], some[i / STEP], most);
    for (int64_t i = 0; i < c; i++)
        if (!(fabs(sum[i] - sums[i]) <= allowed * most * (double)(count / c)))
            fail_msg("%s/%s, %s: channel %d sums to %g, not %g", name, key, r->kernels->name,
                     (int)i, sum[i], sums[i]);
    free(some), free(sums), free(sum);
}

/* The methods that the products run by: Winograd's. The transposed one is its convolution's dx. */
static void find_methods(const struct sample *s, const struct run *r, enum gx_conv_method *methods)
{
    struct gx_shape x = s->transposed ? r->y->shape : s->x, w = r->x[1]->shape;
    struct gx_shape y = s->transposed ? s->x : r->y->shape;
    struct gx_conv_sizes sizes = {x.n, x.h, x.w, w.w, w.c, s->k, s->k, 2, 1, y.h, y.w};
    const struct gx_node *products[] = {r->y, r->dx[0], r->dx[1]};
    for (int p = 0; p < PRODUCTS; p++) {
        methods[p] = r->kernels->conv2d_method(&sizes, (enum gx_conv_product)p);
        if (methods[p] < GX_CONV_WINOGRAD_3 || !gx_conv2d_by_winograd(products[p], r->kernels))
            fail_msg("%s, %s: product %d is not by Winograd's method", s->name, r->kernels->name,
                     p);
    }
}

/* Marks for each product by how many points it ran. */
static void check(const struct sample *s, struct gx_weights *file, const struct gx_kernels *kernels,
                  int threads, bool (*ran)[POINTS + 1])
{
    struct run r = run_of(s, kernels, threads);
    enum gx_conv_method methods[PRODUCTS];
    double allowed[PRODUCTS];
    find_methods(s, &r, methods);
    for (int p = 0; p < PRODUCTS; p++) {
        allowed[p] = methods[p] == GX_CONV_WINOGRAD_6 ? 3e-5 : 2e-6;
        ran[p][methods[p]] = true;
    }
    fill(&r);
    gx_plan_run(r.plan, 0, 0, 0);
    compare(&r, file, s->name, "y", r.y, allowed[s->transposed ? GX_CONV_DX : GX_CONV_Y]);
    compare(&r, file, s->name, "dx0", r.dx[0], allowed[s->transposed ? GX_CONV_Y : GX_CONV_DX]);
    compare(&r, file, s->name, "dx1", r.dx[1], allowed[GX_CONV_DW]);
    clear_run(&r);
}

static void parity(void **state)
{
    (void)state;
    struct gx_weights *file = NULL;
    struct gx_err err;
    const struct gx_kernels *kernels;
    if (gx_weights_open(&file, "tests/reference/op/stride.safetensors", &err))
        fail_msg("%s", err.text);
    for (int tier = 1; (kernels = gx_kernels_at(tier)); tier++) {
        bool ran[PRODUCTS][POINTS + 1] = {{false}};
        for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
            check(&samples[i], file, kernels, 1 + (int)i % 2, ran);
        for (int p = 0; p < PRODUCTS; p++)
            assert_true(ran[p][3] && ran[p][4] && ran[p][6]);
    }
    gx_weights_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(parity)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
