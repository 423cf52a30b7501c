/* unary: y = f(x; a, b), element by element; kernel.h lists the functions
 * gradient: products of dy with the function's derivative, written with y where that is cheaper
 *   (x may then be overwritten); steps (sign, inside) have none
 * parity: the torch functions of the same names, 2e-6 of max|y| */
#include "op/op.h"

struct unary {
    enum gx_unary_kind kind;
    float a, b;
};

static int unary_shape(struct gx_node *y, struct gx_err *err)
{
    (void)err;
    y->shape = y->in[0]->shape;
    return 0;
}

static void unary_forward(const struct gx_call *call)
{
    const struct unary *u = call->node->attr;
    call->kernels->unary(u->kind, call->x[0], call->y, gx_count(call->node->shape), u->a, u->b,
                         call->threads);
}

static struct gx_node *apply(struct gx_graph *g, enum gx_unary_kind kind, struct gx_node *x,
                             float a, float b)
{
    struct unary u = {kind, a, b};
    return gx_graph_add(g, &gx_op_unary, &x, 1, &u);
}

static void unary_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                           const bool *need, struct gx_node **dx)
{
    (void)need;
    const struct unary *u = y->attr;
    struct gx_node *x = y->in[0];
    switch (u->kind) {
    case GX_AFFINE:
        dx[0] = gx_scale(g, dy, u->a);
        break;
    case GX_ABS:
        dx[0] = gx_mul(g, dy, gx_sign(g, x));
        break;
    case GX_SQRT:
        dx[0] = gx_div(g, gx_scale(g, dy, 0.5f), y);
        break;
    case GX_POW:
        dx[0] = gx_mul(g, dy, gx_scale(g, gx_pow(g, x, u->a - 1), u->a));
        break;
    case GX_EXP:
        dx[0] = gx_mul(g, dy, y);
        break;
    case GX_LOG:
        dx[0] = gx_div(g, dy, x);
        break;
    case GX_TANH:
        dx[0] = gx_mul(g, dy, gx_affine(g, gx_square(g, y), -1, 1));
        break;
    case GX_SIGMOID:
        dx[0] = gx_mul(g, dy, gx_mul(g, y, gx_affine(g, y, -1, 1)));
        break;
    case GX_SOFTPLUS:
        dx[0] = gx_mul(g, dy, gx_sigmoid(g, x));
        break;
    case GX_LEAKY_RELU: /* y has x's sign */
        dx[0] = gx_leaky_gate(g, dy, y, u->a);
        break;
    case GX_CLAMP:
        dx[0] = gx_mul(g, dy, apply(g, GX_INSIDE, x, u->a, u->b));
        break;
    case GX_SIGN:
    case GX_INSIDE:
    case GX_UNARY_KINDS:
        break;
    }
}

const struct gx_op gx_op_unary = {
    .name = "unary",
    .attr_size = sizeof(struct unary),
    .flags = GX_OP_INPLACE_0,
    .shape = unary_shape,
    .gradient = unary_gradient,
    .forward = unary_forward,
};

bool gx_unary_is(const struct gx_node *node, enum gx_unary_kind kind, float *a, float *b)
{
    const struct unary *u = node->attr;
    if (node->op != &gx_op_unary || u->kind != kind)
        return false;
    *a = u->a;
    *b = u->b;
    return true;
}

struct gx_node *gx_affine(struct gx_graph *g, struct gx_node *x, float a, float b)
{
    return apply(g, GX_AFFINE, x, a, b);
}

struct gx_node *gx_scale(struct gx_graph *g, struct gx_node *x, float a)
{
    return apply(g, GX_AFFINE, x, a, 0);
}

struct gx_node *gx_abs(struct gx_graph *g, struct gx_node *x)
{
    return apply(g, GX_ABS, x, 0, 0);
}

struct gx_node *gx_sign(struct gx_graph *g, struct gx_node *x)
{
    return apply(g, GX_SIGN, x, 0, 0);
}

struct gx_node *gx_sqrt(struct gx_graph *g, struct gx_node *x)
{
    return apply(g, GX_SQRT, x, 0, 0);
}

struct gx_node *gx_pow(struct gx_graph *g, struct gx_node *x, float exponent)
{
    return apply(g, GX_POW, x, exponent, 0);
}

struct gx_node *gx_square(struct gx_graph *g, struct gx_node *x)
{
    return gx_mul(g, x, x);
}

struct gx_node *gx_exp(struct gx_graph *g, struct gx_node *x)
{
    return apply(g, GX_EXP, x, 0, 0);
}

struct gx_node *gx_log(struct gx_graph *g, struct gx_node *x)
{
    return apply(g, GX_LOG, x, 0, 0);
}

struct gx_node *gx_tanh(struct gx_graph *g, struct gx_node *x)
{
    return apply(g, GX_TANH, x, 0, 0);
}

struct gx_node *gx_sigmoid(struct gx_graph *g, struct gx_node *x)
{
    return apply(g, GX_SIGMOID, x, 0, 0);
}

struct gx_node *gx_softplus(struct gx_graph *g, struct gx_node *x)
{
    return apply(g, GX_SOFTPLUS, x, 0, 0);
}

struct gx_node *gx_relu(struct gx_graph *g, struct gx_node *x)
{
    return apply(g, GX_LEAKY_RELU, x, 0, 0);
}

struct gx_node *gx_leaky_relu(struct gx_graph *g, struct gx_node *x, float slope)
{
    if (slope < 0)
        gx_graph_fail(g, GX_E_SHAPE, "leaky_relu with the negative slope %g", slope);
    return apply(g, GX_LEAKY_RELU, x, slope, 0);
}

struct gx_node *gx_clamp(struct gx_graph *g, struct gx_node *x, float low, float high)
{
    return apply(g, GX_CLAMP, x, low, high);
}
