/* binary: z = f(x, y; a), element by element; a dimension of 1 in either is repeated to fit
 * gradient: the usual ones, summed over what was repeated; steps (greater) have none
 * plan: GX_E_SHAPE if a dimension differs and neither is 1
 * parity: torch's +, -, *, /, maximum, 2e-6 of max|z| */
#include "op/op.h"
#include "op/walk.h"

struct binary {
    enum gx_binary_kind kind;
    float a;
};

static int common(int a, int b)
{
    return a == b || b == 1 ? a : a == 1 ? b : -1;
}

static int binary_shape(struct gx_node *y, struct gx_err *err)
{
    struct gx_shape a = y->in[0]->shape, b = y->in[1]->shape;
    y->shape =
        (struct gx_shape){common(a.n, b.n), common(a.h, b.h), common(a.w, b.w), common(a.c, b.c)};
    if (y->shape.n < 0 || y->shape.h < 0 || y->shape.w < 0 || y->shape.c < 0)
        return gx_fail(err, GX_E_SHAPE, "%d x %d x %d x %d and %d x %d x %d x %d do not combine",
                       a.n, a.h, a.w, a.c, b.n, b.h, b.w, b.c);
    return 0;
}

static void binary_forward(const struct gx_call *call)
{
    const struct binary *op = call->node->attr;
    struct gx_walks w =
        gx_walks_of(call->node->shape, call->node->in[0]->shape, call->node->in[1]->shape);
    int64_t box = w.outer * w.rows * w.cols;
    for (int64_t t = 0; t < w.times; t++)
        call->kernels->binary(op->kind, call->x[0] + t * w.jump[0], w.walk[0],
                              call->x[1] + t * w.jump[1], w.walk[1], call->y + t * box, w.outer,
                              w.rows, w.cols, op->a, call->threads);
}

static struct gx_node *apply(struct gx_graph *g, enum gx_binary_kind kind, struct gx_node *x,
                             struct gx_node *y, float a)
{
    struct binary op = {kind, a};
    return gx_graph_add(g, &gx_op_binary, (struct gx_node *[]){x, y}, 2, &op);
}

static void binary_gradient(struct gx_graph *g, struct gx_node *z, struct gx_node *dz,
                            const bool *need, struct gx_node **d)
{
    const struct binary *op = z->attr;
    struct gx_node *x = z->in[0], *y = z->in[1], *dx = NULL, *dy = NULL;
    switch (op->kind) {
    case GX_ADD:
        dx = dy = dz;
        break;
    case GX_SUB:
        dx = dz;
        dy = need[1] ? gx_scale(g, dz, -1) : NULL;
        break;
    case GX_MUL:
        dx = need[0] ? gx_mul(g, dz, y) : NULL;
        dy = need[1] ? gx_mul(g, dz, x) : NULL;
        break;
    case GX_DIV:
        dx = need[0] ? gx_div(g, dz, y) : NULL;
        dy = need[1] ? gx_scale(g, gx_div(g, gx_mul(g, dz, z), y), -1) : NULL;
        break;
    case GX_MAX:
        dx = need[0] ? gx_mul(g, dz, gx_greater(g, x, y)) : NULL;
        dy = need[1] ? gx_mul(g, dz, gx_greater(g, y, x)) : NULL;
        break;
    case GX_LEAKY_GATE:
        dx = need[0] ? gx_leaky_gate(g, dz, y, op->a) : NULL;
        break;
    case GX_MUL_BELOW:
        dx = need[0] ? gx_mul_below(g, dz, y) : NULL;
        dy = need[1] ? gx_mul(g, dz, x) : NULL;
        dy = dy ? gx_sub(g, dy, gx_leaky_gate(g, dy, y, 0)) : NULL;
        break;
    case GX_GREATER:
    case GX_BINARY_KINDS:
        break;
    }
    d[0] = dx && need[0] ? gx_sum_to(g, dx, x->shape) : NULL;
    d[1] = dy && need[1] ? gx_sum_to(g, dy, y->shape) : NULL;
}

const struct gx_op gx_op_binary = {
    .name = "binary",
    .attr_size = sizeof(struct binary),
    .flags = GX_OP_INPLACE_0 | GX_OP_INPLACE_1,
    .shape = binary_shape,
    .gradient = binary_gradient,
    .forward = binary_forward,
};

struct gx_node *gx_add(struct gx_graph *g, struct gx_node *a, struct gx_node *b)
{
    return apply(g, GX_ADD, a, b, 0);
}

struct gx_node *gx_sub(struct gx_graph *g, struct gx_node *a, struct gx_node *b)
{
    return apply(g, GX_SUB, a, b, 0);
}

struct gx_node *gx_mul(struct gx_graph *g, struct gx_node *a, struct gx_node *b)
{
    return apply(g, GX_MUL, a, b, 0);
}

struct gx_node *gx_div(struct gx_graph *g, struct gx_node *a, struct gx_node *b)
{
    return apply(g, GX_DIV, a, b, 0);
}

struct gx_node *gx_max(struct gx_graph *g, struct gx_node *a, struct gx_node *b)
{
    return apply(g, GX_MAX, a, b, 0);
}

struct gx_node *gx_greater(struct gx_graph *g, struct gx_node *x, struct gx_node *y)
{
    return apply(g, GX_GREATER, x, y, 0);
}

struct gx_node *gx_leaky_gate(struct gx_graph *g, struct gx_node *x, struct gx_node *y, float slope)
{
    return apply(g, GX_LEAKY_GATE, x, y, slope);
}

struct gx_node *gx_mul_below(struct gx_graph *g, struct gx_node *x, struct gx_node *y)
{
    return apply(g, GX_MUL_BELOW, x, y, 0);
}

bool gx_binary_is(const struct gx_node *node, enum gx_binary_kind kind, float *a)
{
    const struct binary *op = node->attr;
    if (node->op != &gx_op_binary || op->kind != kind)
        return false;
    *a = op->a;
    return true;
}
