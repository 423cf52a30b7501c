/* Reverse-mode differentiation, as a graph that grows: walking back from y, every node's rule adds
 * the nodes of its inputs' gradients. The result can be differentiated again in the same way. */
#include "ganx/graph.h"

#include "ganx/params.h"
#include "graph/operator.h"
#include "util/arena.h"

#include <stdlib.h>

/* needs[id]: the node depends on one of x (or is one). */
static bool *find_dependent(const struct gx_graph *g, const struct gx_node *y,
                            struct gx_node *const *x, int count)
{
    bool *needs = gx_new((size_t)y->id + 1);
    for (int i = 0; i < count; i++)
        if (x[i] && x[i]->id <= y->id)
            needs[x[i]->id] = true;
    for (int id = 0; id <= y->id; id++) {
        const struct gx_node *node = gx_graph_node(g, id);
        for (int i = 0; i < node->inputs && !needs[id]; i++)
            needs[id] = needs[node->in[i]->id];
    }
    return needs;
}

static void differentiate(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                          struct gx_node *const *x, int count, bool stop_at_x, struct gx_node **dx);

/* The gradients of one node's inputs, by its rule or through its expansion. */
static void apply_rule(struct gx_graph *g, struct gx_node *node, struct gx_node *dy,
                       const bool *need, struct gx_node **dx)
{
    if (node->op->gradient) {
        node->op->gradient(g, node, dy, need, dx);
    } else if (node->op->expand) {
        struct gx_node *same = node->op->expand(g, node);
        struct gx_node *in[GX_INPUTS_MAX] = {NULL};
        for (int i = 0; i < node->inputs; i++)
            in[i] = need[i] ? node->in[i] : NULL;
        differentiate(g, same, dy, in, node->inputs, true, dx);
    }
}

static void accumulate(struct gx_graph *g, struct gx_node **sum, struct gx_node *term,
                       const struct gx_node *of)
{
    if (!gx_shape_equal(term->shape, of->shape))
        gx_graph_fail(g, GX_E_SHAPE, "the gradient of %s has another shape than its value",
                      of->op->name);
    *sum = *sum ? gx_add(g, *sum, term) : term;
}

static void differentiate(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                          struct gx_node *const *x, int count, bool stop_at_x, struct gx_node **dx)
{
    bool *needs = find_dependent(g, y, x, count);
    struct gx_node **grad = gx_new(((size_t)y->id + 1) * sizeof *grad);
    bool *stop = gx_new((size_t)y->id + 1);
    for (int i = 0; stop_at_x && i < count; i++)
        if (x[i] && x[i]->id <= y->id)
            stop[x[i]->id] = true;
    grad[y->id] = dy;
    for (int id = y->id; id >= 0; id--) {
        struct gx_node *node = gx_graph_node(g, id);
        if (!grad[id] || !needs[id] || stop[id] || !node->inputs)
            continue;
        bool need[GX_INPUTS_MAX] = {false}, any = false;
        for (int i = 0; i < node->inputs; i++)
            any |= need[i] = needs[node->in[i]->id];
        struct gx_node *part[GX_INPUTS_MAX] = {NULL};
        if (any)
            apply_rule(g, node, grad[id], need, part);
        for (int i = 0; i < node->inputs; i++)
            if (part[i] && need[i])
                accumulate(g, &grad[node->in[i]->id], part[i], node->in[i]);
    }
    for (int i = 0; i < count; i++) {
        bool repeated = false; /* the same input twice: its gradient is given once */
        for (int j = 0; j < i && stop_at_x; j++)
            repeated |= x[j] == x[i];
        dx[i] = x[i] && x[i]->id <= y->id && !repeated ? grad[x[i]->id] : NULL;
    }
    free(stop);
    free(grad);
    free(needs);
}

void gx_gradients(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                  struct gx_node *const *x, int count, struct gx_node **dx)
{
    for (int i = 0; i < count; i++)
        dx[i] = NULL;
    if (gx_graph_check(g, NULL))
        return;
    if (!dy)
        dy = gx_constant(g, y->shape, 1);
    if (!gx_shape_equal(dy->shape, y->shape)) {
        gx_graph_fail(g, GX_E_SHAPE, "the cotangent has another shape than the value");
        return;
    }
    differentiate(g, y, dy, x, count, false, dx);
}

void gx_store_gradients(struct gx_graph *g, struct gx_node *loss, struct gx_params *params)
{
    struct gx_node **x = gx_new((size_t)params->count * sizeof *x);
    struct gx_node **dx = gx_new((size_t)params->count * sizeof *dx);
    for (int i = 0; i < params->count; i++)
        x[i] = gx_param_trained(params->param[i]) ? gx_parameter(g, params->param[i]) : NULL;
    gx_gradients(g, loss, NULL, x, params->count, dx);
    for (int i = 0; i < params->count; i++) {
        if (!dx[i])
            continue;
        /* A value that already lives somewhere else is copied; others are born in place. */
        bool elsewhere =
            dx[i]->gradient_of || dx[i]->keep || (dx[i]->op->flags & (GX_OP_LEAF | GX_OP_VIEW));
        struct gx_node *stored = elsewhere ? gx_affine(g, dx[i], 1, 0) : dx[i];
        stored->gradient_of = params->param[i];
        gx_name(g, stored, "gradient of %s", params->param[i]->name);
    }
    free(dx);
    free(x);
}
