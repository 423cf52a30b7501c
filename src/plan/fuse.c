#include "plan/fuse.h"

#include "op/op.h"
#include "util/arena.h"

#include <stdlib.h>

struct fusion {
    struct gx_graph *graph;
    const struct gx_kernels *kernels;
    bool *live;
    struct reading {
        struct gx_node *by; /* the last reader */
        int count;
    } * reading; /* by node id */
};

static void find_readers(struct fusion *f)
{
    int count = gx_graph_nodes(f->graph);
    f->reading = gx_new((size_t)count * sizeof *f->reading);
    for (int id = 0; id < count; id++) {
        struct gx_node *node = gx_graph_node(f->graph, id);
        for (int j = 0; f->live[id] && j < node->inputs; j++) {
            f->reading[node->in[j]->id].by = node;
            f->reading[node->in[j]->id].count++;
        }
    }
}

/* The node that alone reads x, and may take its place; NULL: there is none. */
static struct gx_node *sole_reader(const struct fusion *f, const struct gx_node *x)
{
    const struct reading *r = &f->reading[x->id];
    bool fits = r->count == 1 && !x->keep && !x->gradient_of && !r->by->gradient_of &&
                r->by->phase == x->phase;
    return fits ? r->by : NULL;
}

/* A value of x's shape that is there before x begins, at `start`, and so need not wait for it. */
static bool beside(const struct gx_node *value, const struct gx_node *x,
                   const struct gx_node *start)
{
    return gx_shape_equal(value->shape, x->shape) &&
           (value->id < start->id || value->op->flags & GX_OP_LEAF);
}

/* Goes on with v scale + with, the two at once where only a factor came before. */
static bool add_sum(struct gx_then *then, float scale, struct gx_node *with)
{
    int last = then->sums - 1;
    if (last >= 0 && !then->sum[last].with) {
        then->sum[last].scale *= scale;
        then->sum[last].with = with;
        return true;
    }
    if (then->sums == GX_SUMS)
        return false;
    then->sum[then->sums].scale = scale;
    then->sum[then->sums++].with = with;
    return true;
}

/* Whether `next` can be done to x, which begins at `start`; adds it to what was done before. */
static bool goes_on(const struct fusion *f, const struct gx_node *start, const struct gx_node *x,
                    const struct gx_node *next, struct gx_then *then)
{
    bool fresh = !then->gated && !then->sums;
    float a, b;
    if (x == start && gx_pixel_shuffle_is(next, 2))
        return then->shuffled = gx_conv2d_shuffles(start, f->kernels);
    if (!gx_shape_equal(next->shape, x->shape))
        return false;
    if (fresh && gx_unary_is(next, GX_LEAKY_RELU, &then->slope, &b)) {
        then->gated = true;
    } else if (fresh && next->op == &gx_op_prelu && next->in[0] == x) {
        then->gated = true;
        then->slopes = next->in[1];
    } else if (fresh && gx_binary_is(next, GX_LEAKY_GATE, &a) && next->in[0] == x &&
               beside(next->in[1], x, start)) {
        then->gated = true;
        then->slope = a;
        then->gate = next->in[1];
    } else if (fresh && next->op == &gx_op_prelu_gate && next->in[0] == x &&
               beside(next->in[1], x, start)) {
        then->gated = true;
        then->gate = next->in[1];
        then->slopes = next->in[2];
    } else if (gx_unary_is(next, GX_AFFINE, &a, &b) && b == 0) {
        return add_sum(then, a, NULL);
    } else if (gx_binary_is(next, GX_ADD, &a) && beside(next->in[next->in[0] == x], x, start)) {
        return add_sum(then, 1, next->in[next->in[0] == x]);
    } else {
        return false;
    }
    return true;
}

/* Whether a state is changed between the two: then what the first reads may be another by the
 * second. */
static bool state_moves(const struct fusion *f, const struct gx_node *from,
                        const struct gx_node *to)
{
    for (int id = from->id; id < to->id; id++)
        if (f->live[id] && gx_graph_node(f->graph, id)->op->flags & GX_OP_EFFECT)
            return true;
    return false;
}

typedef bool become_function(struct gx_graph *g, struct gx_node *node, const struct gx_node *start,
                             const struct gx_then *then);

/* How an operator becomes one that goes on; NULL: it does not. */
static become_function *become_of(const struct gx_node *start)
{
    if (start->op == &gx_op_conv2d || start->op == &gx_op_conv2d_dx)
        return gx_conv2d_become;
    if (start->op == &gx_op_norm || start->op == &gx_op_norm_fixed)
        return gx_norm_become;
    return NULL;
}

static void fuse_from(struct fusion *f, struct gx_node *start)
{
    struct gx_node *end = start, *next;
    struct gx_then then = {0};
    while ((next = sole_reader(f, end)) && !state_moves(f, end, next) &&
           goes_on(f, start, end, next, &then))
        end = next;
    if (end == start || !become_of(start)(f->graph, end, start, &then))
        return;
    if (start->name && !end->name)
        end->name = start->name;
    for (struct gx_node *x = start; x != end; x = f->reading[x->id].by)
        f->live[x->id] = false;
}

/* The activation of a concatenation: of its parts. */
static void activate_parts(struct fusion *f, struct gx_node *concat)
{
    struct gx_node *next = sole_reader(f, concat);
    struct gx_then then = {.gated = true};
    float unused, slope[2];
    if (!next || !gx_concat_holds(concat, 0) || state_moves(f, concat, next) ||
        !gx_unary_is(next, GX_LEAKY_RELU, &then.slope, &unused))
        return;
    for (int j = 0; j < 2; j++) {
        struct gx_node *part = concat->in[j];
        bool by_part = sole_reader(f, part) == concat && become_of(part) &&
                       become_of(part)(f->graph, part, part, &then);
        slope[j] = by_part ? 1 : then.slope;
    }
    gx_concat_become(f->graph, next, concat, slope);
    f->live[concat->id] = false;
}

static bool read_by_it_alone(const struct fusion *f, const struct gx_node *x,
                             const struct gx_node *sum)
{
    return f->reading[x->id].count == 1 && !x->keep && !x->gradient_of && x->phase == sum->phase;
}

/* A sum of two gradients of the same weights. */
static void join_at(struct fusion *f, struct gx_node *sum)
{
    const struct gx_node *a = sum->in[0], *b = sum->in[1];
    if (sum->inputs != 2 || !read_by_it_alone(f, a, sum) || !read_by_it_alone(f, b, sum) ||
        !gx_conv2d_dw_join(f->graph, sum))
        return;
    f->live[a->id] = f->live[b->id] = false;
}

/* Readers of a reflected picture read the picture, if all can. */
static void mirror(struct fusion *f, const struct gx_kernels *kernels, struct gx_node *x)
{
    int count = gx_graph_nodes(f->graph);
    bool all = !x->keep;
    for (int pass = 0; pass < 2 && all; pass++)
        for (int id = x->id + 1; id < count; id++) {
            struct gx_node *node = gx_graph_node(f->graph, id);
            bool reads = false;
            for (int j = 0; j < node->inputs && f->live[id]; j++)
                reads |= node->in[j] == x;
            if (reads && pass)
                gx_conv2d_mirror(f->graph, node);
            else if (reads)
                all &= gx_conv2d_mirrors(node, kernels);
        }
    f->live[x->id] = !all;
}

void gx_fuse(struct gx_graph *graph, const struct gx_kernels *kernels, bool *live)
{
    struct fusion f = {graph, kernels, live};
    for (int id = 0; id < gx_graph_nodes(graph); id++)
        if (live[id] && gx_graph_node(graph, id)->op == &gx_op_reflect)
            mirror(&f, kernels, gx_graph_node(graph, id));
    find_readers(&f);
    for (int id = 0; id < gx_graph_nodes(graph); id++) {
        struct gx_node *node = gx_graph_node(graph, id);
        if (live[id] && become_of(node))
            fuse_from(&f, node);
        else if (live[id] && node->op == &gx_op_concat)
            activate_parts(&f, node);
        else if (live[id])
            join_at(&f, node);
    }
    free(f.reading);
}
