/* matmul: a(n,h,m,k) b(n,h,k,p) -> y(n,h,m,p), one product for each (n,h); ta, tb: transposed first
 * linear: x(n,1,1,i) w(1,1,o,i) + b(o) -> (n,1,1,o), by one matmul
 * gradient: two products again                saves: a, b
 * parity: torch.matmul, torch.nn.Linear, 2e-6 of max|y| */
#include "op/op.h"

struct matmul {
    bool ta, tb;
};

struct sizes {
    int m, k, p;
};

static struct sizes sizes_of(const struct gx_node *y)
{
    const struct matmul *op = y->attr;
    struct gx_shape a = y->in[0]->shape;
    return (struct sizes){y->shape.w, op->ta ? a.w : a.c, y->shape.c};
}

static int matmul_shape(struct gx_node *y, struct gx_err *err)
{
    const struct matmul *op = y->attr;
    struct gx_shape a = y->in[0]->shape, b = y->in[1]->shape;
    int k = op->ta ? a.w : a.c, other = op->tb ? b.c : b.w;
    if (a.n != b.n || a.h != b.h || k != other)
        return gx_fail(err, GX_E_SHAPE,
                       "matrices %d x %d x %d x %d and %d x %d x %d x %d do not multiply", a.n, a.h,
                       a.w, a.c, b.n, b.h, b.w, b.c);
    y->shape = (struct gx_shape){a.n, a.h, op->ta ? a.c : a.w, op->tb ? b.w : b.c};
    return 0;
}

static void matmul_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                            const bool *need, struct gx_node **dx)
{
    const struct matmul *op = y->attr;
    struct gx_node *a = y->in[0], *b = y->in[1];
    if (need[0])
        dx[0] = op->ta ? gx_matmul(g, b, dy, op->tb, true) : gx_matmul(g, dy, b, false, !op->tb);
    if (need[1])
        dx[1] = op->tb ? gx_matmul(g, dy, a, true, op->ta) : gx_matmul(g, a, dy, !op->ta, false);
}

static void matmul_forward(const struct gx_call *call)
{
    const struct matmul *op = call->node->attr;
    struct gx_shape a = call->node->in[0]->shape, b = call->node->in[1]->shape;
    struct gx_shape y = call->node->shape;
    struct sizes s = sizes_of(call->node);
    for (int64_t i = 0; i < (int64_t)a.n * a.h; i++)
        call->kernels->gemm(s.m, s.p, s.k, call->x[0] + i * a.w * a.c, a.c, op->ta,
                            call->x[1] + i * b.w * b.c, b.c, op->tb, 0, call->y + i * y.w * y.c,
                            y.c, call->threads);
}

static double matmul_flops(const struct gx_node *y)
{
    return 2.0 * (double)gx_count(y->shape) * sizes_of(y).k;
}

const struct gx_op gx_op_matmul = {
    .name = "matmul",
    .attr_size = sizeof(struct matmul),
    .shape = matmul_shape,
    .gradient = matmul_gradient,
    .forward = matmul_forward,
    .flops = matmul_flops,
};

struct gx_node *gx_matmul(struct gx_graph *g, struct gx_node *a, struct gx_node *b, bool ta,
                          bool tb)
{
    struct matmul op = {ta, tb};
    return gx_graph_add(g, &gx_op_matmul, (struct gx_node *[]){a, b}, 2, &op);
}

struct gx_node *gx_linear(struct gx_graph *g, struct gx_node *x, struct gx_node *w,
                          struct gx_node *bias)
{
    int n = x->shape.n;
    struct gx_node *rows =
        gx_reshape(g, x, (struct gx_shape){1, 1, n, (int)(gx_count(x->shape) / n)});
    struct gx_node *y = gx_matmul(g, rows, w, false, true);
    y = gx_reshape(g, y, (struct gx_shape){n, 1, 1, w->shape.w});
    return bias ? gx_add(g, y, bias) : y;
}
