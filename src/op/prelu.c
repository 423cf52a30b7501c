/* prelu:      x(N,H,W,C), s(1,1,1,C) or one for all -> y = x > 0 ? x : s x
 * prelu_gate: dy, x, s -> dy where x > 0, else s dy
 * gradient: dx = prelu_gate(dy, x, s), ds = sum of dy x where x < 0. prelu_gate is linear in dy and
 *   in s, and a step in x; both are differentiable again           saves: x (slopes may be negative)
 * plan: GX_E_SHAPE if there is another number of slopes
 * parity: torch.nn.PReLU, 2e-6 of max|y|
 * source: He et al. 2015, "Delving deep into rectifiers" */
#include "op/op.h"

static int check_slopes(struct gx_shape x, struct gx_shape s, struct gx_err *err)
{
    if (gx_count(s) != 1 && (s.c != x.c || gx_count(s) != x.c))
        return gx_fail(err, GX_E_SHAPE, "%d slopes for %d channels", (int)gx_count(s), x.c);
    return 0;
}

static void run(const struct gx_call *call, const float *sign, const float *slopes, bool each)
{
    struct gx_shape s = call->node->shape;
    call->kernels->prelu(call->x[0], sign, slopes, each, call->y, gx_count(s) / s.c, s.c,
                         call->threads);
}

/* ---- prelu: in = x, s ---- */

static int prelu_shape(struct gx_node *y, struct gx_err *err)
{
    y->shape = y->in[0]->shape;
    return check_slopes(y->shape, y->in[1]->shape, err);
}

static void prelu_forward(const struct gx_call *call)
{
    run(call, call->x[0], call->x[1], call->node->in[1]->shape.c > 1);
}

static struct gx_node *gate(struct gx_graph *g, struct gx_node *dy, struct gx_node *x,
                            struct gx_node *slope)
{
    return gx_graph_add(g, &gx_op_prelu_gate, (struct gx_node *[]){dy, x, slope}, 3, NULL);
}

static void prelu_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                           const bool *need, struct gx_node **dx)
{
    struct gx_node *x = y->in[0], *slope = y->in[1];
    if (need[0])
        dx[0] = gate(g, dy, x, slope);
    if (need[1])
        dx[1] = gx_sum_to(g, gx_mul_below(g, dy, x), slope->shape);
}

const struct gx_op gx_op_prelu = {
    .name = "prelu",
    .flags = GX_OP_INPLACE_0,
    .shape = prelu_shape,
    .gradient = prelu_gradient,
    .forward = prelu_forward,
};

struct gx_node *gx_prelu(struct gx_graph *g, struct gx_node *x, struct gx_node *slope)
{
    return gx_graph_add(g, &gx_op_prelu, (struct gx_node *[]){x, slope}, 2, NULL);
}

/* ---- prelu_gate: in = dy, x, s ---- */

static int gate_shape(struct gx_node *y, struct gx_err *err)
{
    y->shape = y->in[0]->shape;
    if (!gx_shape_equal(y->shape, y->in[1]->shape))
        return gx_fail(err, GX_E_SHAPE, "a gate of another shape");
    return check_slopes(y->shape, y->in[2]->shape, err);
}

static void gate_forward(const struct gx_call *call)
{
    run(call, call->x[1], call->x[2], call->node->in[2]->shape.c > 1);
}

static void gate_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *u,
                          const bool *need, struct gx_node **dx)
{
    struct gx_node *dy = y->in[0], *x = y->in[1], *slope = y->in[2];
    if (need[0])
        dx[0] = gate(g, u, x, slope);
    if (need[2]) { /* u dy where x <= 0 */
        struct gx_node *product = gx_mul(g, u, dy);
        struct gx_node *below = gx_sub(g, product, gx_leaky_gate(g, product, x, 0));
        dx[2] = gx_sum_to(g, below, slope->shape);
    }
}

const struct gx_op gx_op_prelu_gate = {
    .name = "prelu_gate",
    .flags = GX_OP_INPLACE_0,
    .shape = gate_shape,
    .gradient = gate_gradient,
    .forward = gate_forward,
};
