/* Leaves: values that come from outside the graph, and the two that flow back into parameters.
 *
 * input:         written by the caller before a run
 * parameter:     a network's weight or statistic, read where it lies
 * constant:      one number everywhere
 * update:        param = (1 - rate) param + rate x, once, where it stands
 * stop_gradient: the value passes, no gradient does */
#include "op/op.h"

#include <string.h>

/* A leaf's shape is its setting. */
static int shape_given(struct gx_node *y, struct gx_err *err)
{
    (void)err;
    memcpy(&y->shape, y->attr, sizeof y->shape);
    return 0;
}

const struct gx_op gx_op_input = {
    .name = "input",
    .attr_size = sizeof(struct gx_shape),
    .flags = GX_OP_LEAF,
    .shape = shape_given,
};

struct gx_node *gx_input(struct gx_graph *g, struct gx_shape shape, const char *name)
{
    return gx_name(g, gx_graph_add(g, &gx_op_input, NULL, 0, &shape), "%s", name);
}

const struct gx_op gx_op_parameter = {
    .name = "parameter",
    .attr_size = sizeof(struct gx_shape),
    .flags = GX_OP_LEAF,
    .shape = shape_given,
};

struct gx_node *gx_parameter(struct gx_graph *g, struct gx_param *param)
{
    if (!param) {
        gx_graph_fail(g, GX_E_SHAPE, "a parameter is used with two shapes");
        return gx_constant(g, (struct gx_shape){1, 1, 1, 1}, 0);
    }
    for (int id = 0; id < gx_graph_nodes(g); id++) {
        struct gx_node *node = gx_graph_node(g, id);
        if (node->op == &gx_op_parameter && node->param == param)
            return node;
    }
    struct gx_node *node = gx_graph_add(g, &gx_op_parameter, NULL, 0, &param->shape);
    node->param = param;
    node->name = param->name;
    return node;
}

struct constant {
    struct gx_shape shape;
    float value;
};

static void constant_forward(const struct gx_call *call)
{
    const struct constant *a = call->node->attr;
    int64_t count = gx_count(a->shape);
    for (int64_t i = 0; i < count; i++)
        call->y[i] = a->value;
}

const struct gx_op gx_op_constant = {
    .name = "constant",
    .attr_size = sizeof(struct constant),
    .shape = shape_given,
    .forward = constant_forward,
};

struct gx_node *gx_constant(struct gx_graph *g, struct gx_shape shape, float value)
{
    struct constant a = {shape, value};
    return gx_graph_add(g, &gx_op_constant, NULL, 0, &a);
}

/* ---- update: x (as the parameter) -> nothing that is read ---- */

static int update_shape(struct gx_node *y, struct gx_err *err)
{
    (void)err;
    y->shape = (struct gx_shape){1, 1, 1, 1};
    return 0;
}

static void update_forward(const struct gx_call *call)
{
    float rate = *(const float *)call->node->attr, *to = call->node->param->data;
    int64_t count = gx_count(call->node->param->shape);
    for (int64_t i = 0; i < count; i++)
        to[i] = rate < 1 ? (1 - rate) * to[i] + rate * call->x[0][i] : call->x[0][i];
    call->y[0] = 0;
}

const struct gx_op gx_op_update = {
    .name = "update",
    .attr_size = sizeof(float),
    .flags = GX_OP_EFFECT,
    .shape = update_shape,
    .forward = update_forward,
};

void gx_update_average(struct gx_graph *g, struct gx_param *param, struct gx_node *x, float rate)
{
    if (!param || gx_count(param->shape) != gx_count(x->shape)) {
        gx_graph_fail(g, GX_E_SHAPE, "an update does not fit its parameter '%s'",
                      param ? param->name : "?");
        return;
    }
    struct gx_node *node = gx_graph_add(g, &gx_op_update, &x, 1, &rate);
    node->param = param;
    node->name = param->name;
}

/* ---- stop_gradient and reshape: views ---- */

static int same_shape(struct gx_node *y, struct gx_err *err)
{
    (void)err;
    y->shape = y->in[0]->shape;
    return 0;
}

const struct gx_op gx_op_stop_gradient = {
    .name = "stop_gradient",
    .flags = GX_OP_VIEW,
    .shape = same_shape,
};

struct gx_node *gx_stop_gradient(struct gx_graph *g, struct gx_node *x)
{
    return gx_graph_add(g, &gx_op_stop_gradient, &x, 1, NULL);
}

static int reshape_shape(struct gx_node *y, struct gx_err *err)
{
    struct gx_shape from = y->in[0]->shape;
    memcpy(&y->shape, y->attr, sizeof y->shape);
    if (gx_count(from) != gx_count(y->shape))
        return gx_fail(err, GX_E_SHAPE, "reshape from %d x %d x %d x %d to %d x %d x %d x %d",
                       from.n, from.h, from.w, from.c, y->shape.n, y->shape.h, y->shape.w,
                       y->shape.c);
    return 0;
}

static void reshape_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                             const bool *need, struct gx_node **dx)
{
    (void)need;
    dx[0] = gx_reshape(g, dy, y->in[0]->shape);
}

const struct gx_op gx_op_reshape = {
    .name = "reshape",
    .attr_size = sizeof(struct gx_shape),
    .flags = GX_OP_VIEW,
    .shape = reshape_shape,
    .gradient = reshape_gradient,
};

struct gx_node *gx_reshape(struct gx_graph *g, struct gx_node *x, struct gx_shape shape)
{
    return gx_graph_add(g, &gx_op_reshape, &x, 1, &shape);
}
