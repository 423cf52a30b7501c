/* Transforms that are kept along a dense block: where they are, and that nothing changes by it. */
#include "../test.h"
#include "ganx/graph.h"
#include "ganx/plan.h"
#include "plan/fuse.h"
#include "plan/storage.h"
#include "util/random.h"

#include <stdlib.h>
#include <string.h>

enum { SIDE = 33, WEIGHTS = 6 };

/* A graph of convolutions, each with weights of its own. */
struct net {
    struct gx_graph *g;
    struct gx_node *x, *w[WEIGHTS];
    int convs;
};

static struct gx_node *conv(struct net *n, struct gx_node *x, int out, int k, int pad)
{
    struct gx_shape shape = {k, k, x->shape.c, out};
    struct gx_node *w = n->w[n->convs++] = gx_input(n->g, shape, "w");
    return gx_conv2d(n->g, x, w, NULL, (struct gx_conv){1, pad, 0});
}

static struct gx_node *active(struct net *n, struct gx_node *x, int out)
{
    return gx_leaky_relu(n->g, conv(n, x, out, 3, 1), 0.2F);
}

static struct gx_node *behind(struct net *n, struct gx_node *x, struct gx_node *y)
{
    return gx_concat(n->g, x, y, GX_AXIS_C);
}

/* As in RRDBNet. */
static struct gx_node *block(struct net *n)
{
    struct gx_node *all = n->x;
    for (int i = 0; i < 3; i++)
        all = behind(n, all, active(n, all, 16));
    return gx_add(n->g, conv(n, all, 32, 3, 1), n->x);
}

/* The first two of it alone, as the third reads the same channels in another order. */
static struct gx_node *other_order(struct net *n)
{
    struct gx_node *two = behind(n, n->x, active(n, n->x, 16)), *c = active(n, two, 16);
    return conv(n, behind(n, c, two), 32, 3, 1);
}

static struct gx_node *changed(struct net *n)
{
    struct gx_node *y = active(n, n->x, 16);
    return conv(n, behind(n, gx_exp(n->g, n->x), y), 16, 3, 1);
}

static struct gx_node *something_between(struct net *n)
{
    struct gx_node *y = gx_exp(n->g, active(n, n->x, 16));
    return conv(n, behind(n, n->x, y), 16, 3, 1);
}

static struct gx_node *other_kernel(struct net *n)
{
    return conv(n, behind(n, n->x, active(n, n->x, 16)), 16, 4, 1);
}

static struct gx_node *other_padding(struct net *n)
{
    return conv(n, behind(n, n->x, active(n, n->x, 16)), 16, 3, 2);
}

static struct gx_node *other_size(struct net *n)
{
    struct gx_node *y = active(n, n->x, 16);
    struct gx_shape corner = {0}, part = {1, SIDE - 4, SIDE - 4, n->x->shape.c};
    struct gx_node *x = gx_slice(n->g, n->x, corner, part);
    part.c = 16;
    return conv(n, behind(n, x, gx_slice(n->g, y, corner, part)), 16, 3, 1);
}

/* Too few outputs for Winograd's method. */
static struct gx_node *few(struct net *n)
{
    return conv(n, behind(n, n->x, active(n, n->x, 16)), 3, 3, 1);
}

static struct gx_node *later(struct net *n)
{
    struct gx_node *y = gx_keep(active(n, n->x, 16));
    gx_graph_phase(n->g);
    return conv(n, behind(n, n->x, y), 16, 3, 1);
}

static const struct {
    struct gx_node *(*build)(struct net *n);
    int kept[WEIGHTS], have[WEIGHTS]; /* of each convolution, in order */
} cases[] = {
    {block, {80, 80, 80, 80}, {0, 32, 48, 64}},
    {other_order, {48, 48}, {0, 32}},
    {changed, {0}, {0}},
    {something_between, {0}, {0}},
    {other_kernel, {0}, {0}},
    {other_padding, {0}, {0}},
    {other_size, {0}, {0}},
    {few, {0}, {0}},
    {later, {0}, {0}},
};

static struct net net_of(int which, struct gx_node **out)
{
    struct net n = {.g = gx_graph_new()};
    n.x = gx_input(n.g, (struct gx_shape){1, SIDE, SIDE, 32}, "x");
    *out = gx_keep(cases[which].build(&n));
    assert_int_equal(gx_graph_check(n.g, NULL), 0);
    return n;
}

/* What is kept by each convolution of a graph, as the plan sees it. */
static void recognition(void **state)
{
    (void)state;
    for (size_t which = 0; which < sizeof cases / sizeof *cases; which++) {
        struct gx_node *out;
        struct net n = net_of((int)which, &out);
        int count = gx_graph_nodes(n.g), convs = 0;
        struct gx_plan_settings settings = {gx_kernels_at(1), 2, true, 0, false, 0, NULL, 0};
        struct gx_program program = {.node = malloc((size_t)count * sizeof *program.node)};
        bool *live = malloc((size_t)count);
        memset(live, 1, (size_t)count);
        gx_fuse(n.g, settings.kernels, live);
        for (int id = 0; id < count; id++)
            if (live[id] && !(gx_graph_node(n.g, id)->op->flags & GX_OP_LEAF))
                program.node[program.count++] = gx_graph_node(n.g, id);
        struct gx_storage s;
        gx_storage_init(&s, n.g, &settings, &program);
        gx_storage_assign(&s, &program);
        const struct gx_place *before = NULL;
        for (int i = 0; i < program.count; i++) {
            const struct gx_place *place = &s.place[program.node[i]->id];
            if (strncmp(program.node[i]->op->name, "conv2d", 6) != 0)
                continue;
            assert_int_equal(place->kept.channels, cases[which].kept[convs]);
            assert_int_equal(place->kept.have, cases[which].have[convs]);
            if (place->kept.have)
                assert_int_equal(place->scratch, before->scratch);
            assert_true(s.buffer[place->scratch].first <= i && s.buffer[place->scratch].last >= i);
            before = place;
            convs++;
        }
        assert_int_equal(convs, n.convs);
        gx_storage_clear(&s);
        free(program.node), free(live);
        gx_graph_free(&n.g);
    }
}

static void fill(float *to, int64_t count, uint64_t key)
{
    struct gx_random r = gx_random_at(5, GX_STREAM_TEST, key);
    for (int64_t i = 0; i < count; i++)
        to[i] = gx_random_uniform(&r) - 0.5F;
}

/* The block's result, or its gradient in the first weights, by a tier in so much memory; *arena:
 * what it takes. */
static float *run_block(const struct gx_kernels *k, bool training, int threads, int64_t most,
                        int64_t *arena)
{
    struct gx_node *out;
    struct net n = net_of(0, &out);
    if (training) {
        gx_gradients(n.g, gx_sum(n.g, gx_square(n.g, out), GX_AXES_ALL), NULL, n.w, 1, &out);
        gx_keep(out);
    }
    struct gx_plan *plan;
    struct gx_plan_settings settings = {k, threads, !training, 0, false, most, NULL, 0};
    struct gx_err err = {""};
    if (gx_plan_new(&plan, n.g, &settings, &err) || gx_plan_allocate(plan, &err))
        fail_msg("%s", err.text);
    fill(gx_plan_value(plan, n.x), gx_count(n.x->shape), 1);
    for (int i = 0; i < n.convs; i++)
        fill(gx_plan_value(plan, n.w[i]), gx_count(n.w[i]->shape), (uint64_t)i + 2);
    gx_plan_run(plan, 0, 0, 0);
    gx_plan_run(plan, 0, 0, 0);
    *arena = gx_plan_facts(plan).arena;
    size_t bytes = (size_t)gx_count(out->shape) * sizeof(float);
    float *y = memcpy(malloc(bytes), gx_plan_value(plan, out), bytes);
    gx_plan_free(&plan);
    gx_graph_free(&n.g);
    return y;
}

/* The same bits, whatever the memory and the threads; without where there is too little. */
static void same_bits(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    for (int i = 0; (k = gx_kernels_at(1 + i / 2)); i++) {
        int64_t plain, kept, other;
        bool training = i % 2;
        size_t bytes = (training ? 9 * 32 * 16 : SIDE * SIDE * 32) * sizeof(float);
        float *want = run_block(k, training, 2, 0, &kept);
        float *again = run_block(k, training, 2, kept - 1, &plain);
        float *one = run_block(k, training, 1, 0, &other);
        assert_true(plain < kept);
        assert_memory_equal(want, again, bytes);
        assert_memory_equal(want, one, bytes);
        free(want), free(again), free(one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recognition),
        cmocka_unit_test(same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
