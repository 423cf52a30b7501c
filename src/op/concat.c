/* concat: a, b -> y, b after a along one axis (one GX_AXIS_ flag); all other sizes equal
 * concat_then: the same along channels of a or leaky_relu(a) and b or leaky_relu(b); made by plans
 * gradient: a slice of dy each                saves: nothing
 * plan: GX_E_SHAPE if another size differs or the axis is not one flag
 * parity: torch.cat, exact */
#include "op/move.h"

#include <string.h>

struct concat {
    int axis; /* 0..3; -1 if the caller's flag was none of the four */
};

struct concat_then {
    struct concat concat;
    float slope[2]; /* of what is negative in each part; 1: as it is */
};

struct gx_node *gx_concat(struct gx_graph *g, struct gx_node *a, struct gx_node *b, int axis)
{
    struct concat attr = {-1};
    for (int i = 0; i < 4; i++)
        if (axis == 1 << i)
            attr.axis = i;
    struct gx_node *in[] = {a, b};
    return gx_graph_add(g, &gx_op_concat, in, 2, &attr);
}

static int shape(struct gx_node *y, struct gx_err *err)
{
    const int axis = ((const struct concat *)y->attr)->axis;
    if (axis < 0)
        return gx_fail(err, GX_E_SHAPE, "concat takes one GX_AXIS_ flag");
    int a[4], b[4];
    shape_to_array(y->in[0]->shape, a);
    shape_to_array(y->in[1]->shape, b);
    for (int i = 0; i < 4; i++)
        if (i != axis && a[i] != b[i])
            return gx_fail(
                err, GX_E_SHAPE, SHAPE_FORMAT " and " SHAPE_FORMAT " differ outside axis '%c'",
                SHAPE_PARTS(y->in[0]->shape), SHAPE_PARTS(y->in[1]->shape), "nhwc"[axis]);
    int64_t d[4] = {a[0], a[1], a[2], a[3]};
    d[axis] += b[axis];
    return shape_set(y, d[0], d[1], d[2], d[3], err);
}

static void gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy, const bool *need,
                     struct gx_node **dx)
{
    const int axis = ((const struct concat *)y->attr)->axis;
    int at[4] = {0}, a[4];
    shape_to_array(y->in[0]->shape, a);
    if (need[0])
        dx[0] = gx_slice(g, dy, shape_from_array(at), y->in[0]->shape);
    at[axis] = a[axis];
    if (need[1])
        dx[1] = gx_slice(g, dy, shape_from_array(at), y->in[1]->shape);
}

static float slope_of(const struct gx_node *y, int part)
{
    return y->op == &gx_op_concat_then ? ((const struct concat_then *)y->attr)->slope[part] : 1;
}

bool gx_concat_holds(const struct gx_node *y, int part)
{
    bool concat = y->op == &gx_op_concat || y->op == &gx_op_concat_then;
    return concat && ((const struct concat *)y->attr)->axis == 3 && slope_of(y, part) == 1;
}

/* Along channels: parts that lie where they belong are there already. */
static void forward_channels(const struct gx_call *call)
{
    const struct gx_node *node = call->node;
    const int64_t pixels = gx_count(node->shape) / node->shape.c;
    const int64_t y_step = call->y_step ? call->y_step : node->shape.c;
    const int at[2] = {0, node->in[0]->shape.c};
    for (int k = 0; k < 2; k++) {
        const int c = node->in[k]->shape.c;
        if (call->x[k] != call->y + at[k])
            call->kernels->lay(call->x[k], call->x_step[k] ? call->x_step[k] : c, slope_of(node, k),
                               call->y + at[k], y_step, pixels, c, call->threads);
    }
}

static bool steps(const struct gx_node *y, const struct gx_kernels *kernels, int input)
{
    (void)kernels, (void)input;
    return ((const struct concat *)y->attr)->axis == 3;
}

static void forward(const struct gx_call *call)
{
    const struct gx_node *node = call->node;
    const int axis = ((const struct concat *)node->attr)->axis;
    int d[4];
    if (axis == 3) {
        forward_channels(call);
        return;
    }
    shape_to_array(node->shape, d);
    int64_t outer = 1;
    for (int i = 0; i < axis; i++)
        outer *= d[i];
    const int64_t a = gx_count(node->in[0]->shape) / outer;
    const int64_t b = gx_count(node->in[1]->shape) / outer;
#pragma omp parallel for num_threads(move_threads(call, gx_count(node->shape))) schedule(static)
    for (int64_t i = 0; i < outer; i++) {
        float *y = call->y + i * (a + b);
        memcpy(y, call->x[0] + i * a, (size_t)a * sizeof *y);
        memcpy(y + a, call->x[1] + i * b, (size_t)b * sizeof *y);
    }
}

const struct gx_op gx_op_concat = {
    .name = "concat",
    .attr_size = sizeof(struct concat),
    .shape = shape,
    .gradient = gradient,
    .forward = forward,
    .steps = steps,
};

const struct gx_op gx_op_concat_then = {
    .name = "concat_then",
    .attr_size = sizeof(struct concat_then),
    .shape = shape,
    .forward = forward,
    .steps = steps,
};

void gx_concat_become(struct gx_graph *g, struct gx_node *node, const struct gx_node *concat,
                      const float slope[2])
{
    struct concat_then a = {*(const struct concat *)concat->attr, {slope[0], slope[1]}};
    gx_graph_replace(g, node, &gx_op_concat_then, concat->in, 2, &a);
}
