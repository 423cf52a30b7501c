/* max_pool: x(N,H,W,C) -> y(N,Ho,Wo,C), Ho = (H + 2 pad - k)/stride + 1, the largest of each
 *   window; padding never wins
 * max_pool_scatter: g(N,Ho,Wo,C), x -> (N,H,W,C), each g added where its window of x has its
 *   maximum, the first one in reading order when several are equal
 * max_pool_gather: u(N,H,W,C), x -> (N,Ho,Wo,C), u there
 * gradient: max_pool by scatter; scatter and gather are linear in their first input and each
 *   other's gradients, and constant in x almost everywhere      saves: x
 * plan: GX_E_SHAPE if no window fits, or pad > k/2
 * parity: torch.nn.MaxPool2d, exact; gradients 2e-6 of max|dx| */
#include "op/pool.h"

struct gx_node *gx_max_pool(struct gx_graph *g, struct gx_node *x, int k, int stride, int pad)
{
    struct pool attr = {.k = k, .stride = stride, .pad = pad};
    return gx_graph_add(g, &gx_op_max_pool, &x, 1, &attr);
}

static int max_pool_shape(struct gx_node *y, struct gx_err *err)
{
    return pool_shape(y->attr, y->in[0]->shape, &y->shape, err);
}

static int scatter_shape(struct gx_node *y, struct gx_err *err)
{
    struct gx_shape pooled;
    const int code = pool_shape(y->attr, y->in[1]->shape, &pooled, err);
    if (code)
        return code;
    if (!gx_shape_equal(pooled, y->in[0]->shape))
        return gx_fail(err, GX_E_SHAPE, "values " SHAPE_FORMAT " for windows " SHAPE_FORMAT,
                       SHAPE_PARTS(y->in[0]->shape), SHAPE_PARTS(pooled));
    y->shape = y->in[1]->shape;
    return 0;
}

static int gather_shape(struct gx_node *y, struct gx_err *err)
{
    if (!gx_shape_equal(y->in[0]->shape, y->in[1]->shape))
        return gx_fail(err, GX_E_SHAPE, "values " SHAPE_FORMAT " for pixels " SHAPE_FORMAT,
                       SHAPE_PARTS(y->in[0]->shape), SHAPE_PARTS(y->in[1]->shape));
    return pool_shape(y->attr, y->in[1]->shape, &y->shape, err);
}

static void max_pool_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                              const bool *need, struct gx_node **dx)
{
    struct gx_node *in[] = {dy, y->in[0]};
    if (need[0])
        dx[0] = gx_graph_add(g, &gx_op_max_pool_scatter, in, 2, y->attr);
}

static void scatter_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                             const bool *need, struct gx_node **dx)
{
    struct gx_node *in[] = {dy, y->in[1]};
    if (need[0])
        dx[0] = gx_graph_add(g, &gx_op_max_pool_gather, in, 2, y->attr);
}

static void gather_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                            const bool *need, struct gx_node **dx)
{
    struct gx_node *in[] = {dy, y->in[1]};
    if (need[0])
        dx[0] = gx_graph_add(g, &gx_op_max_pool_scatter, in, 2, y->attr);
}

static struct gx_pool_sizes sizes_of(const struct gx_call *call, struct gx_shape x,
                                     struct gx_shape y)
{
    const struct pool *p = call->node->attr;
    return (struct gx_pool_sizes){x.n, x.h, x.w, x.c, p->k, p->stride, p->pad, y.h, y.w};
}

static void max_pool_forward(const struct gx_call *call)
{
    const struct gx_pool_sizes s = sizes_of(call, call->node->in[0]->shape, call->node->shape);
    call->kernels->max_pool(&s, call->x[0], call->x[0], call->y, call->threads);
}

static void gather_forward(const struct gx_call *call)
{
    const struct gx_pool_sizes s = sizes_of(call, call->node->in[1]->shape, call->node->shape);
    call->kernels->max_pool(&s, call->x[0], call->x[1], call->y, call->threads);
}

static void scatter_forward(const struct gx_call *call)
{
    const struct gx_pool_sizes s = sizes_of(call, call->node->shape, call->node->in[0]->shape);
    call->kernels->max_pool_scatter(&s, call->x[0], call->x[1], call->y, call->threads);
}

const struct gx_op gx_op_max_pool = {
    .name = "max_pool",
    .attr_size = sizeof(struct pool),
    .shape = max_pool_shape,
    .gradient = max_pool_gradient,
    .forward = max_pool_forward,
};

const struct gx_op gx_op_max_pool_scatter = {
    .name = "max_pool_scatter",
    .attr_size = sizeof(struct pool),
    .shape = scatter_shape,
    .gradient = scatter_gradient,
    .forward = scatter_forward,
};

const struct gx_op gx_op_max_pool_gather = {
    .name = "max_pool_gather",
    .attr_size = sizeof(struct pool),
    .shape = gather_shape,
    .gradient = gather_gradient,
    .forward = gather_forward,
};
