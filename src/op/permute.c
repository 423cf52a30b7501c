/* permute: x -> y, dimension i of y is dimension order[i] of x, data moved
 * gradient: permute by the inverse order      saves: nothing
 * plan: GX_E_SHAPE if `order` is not a permutation of 0..3
 * parity: torch.Tensor.permute, exact */
#include "op/move.h"

#include <string.h>

struct permute {
    int order[4];
};

struct gx_node *gx_permute(struct gx_graph *g, struct gx_node *x, const int order[4])
{
    struct permute attr;
    memcpy(attr.order, order, sizeof attr.order);
    return gx_graph_add(g, &gx_op_permute, &x, 1, &attr);
}

static int shape(struct gx_node *y, struct gx_err *err)
{
    const int *order = ((const struct permute *)y->attr)->order;
    int from[4], to[4];
    unsigned seen = 0;
    shape_to_array(y->in[0]->shape, from);
    for (int i = 0; i < 4; i++) {
        if (order[i] < 0 || order[i] > 3 || (seen & 1u << order[i]))
            return gx_fail(err, GX_E_SHAPE, "(%d, %d, %d, %d) is not an order of four dimensions",
                           order[0], order[1], order[2], order[3]);
        seen |= 1u << order[i];
        to[i] = from[order[i]];
    }
    y->shape = shape_from_array(to);
    return 0;
}

static void gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy, const bool *need,
                     struct gx_node **dx)
{
    const int *order = ((const struct permute *)y->attr)->order;
    int inverse[4];
    for (int i = 0; i < 4; i++)
        inverse[order[i]] = i;
    if (need[0])
        dx[0] = gx_permute(g, dy, inverse);
}

static void forward(const struct gx_call *call)
{
    const int *order = ((const struct permute *)call->node->attr)->order;
    const struct gx_shape s = call->node->shape;
    int from[4];
    shape_to_array(call->node->in[0]->shape, from);
    int64_t stride[4] = {0, 0, 0, 1}, step[4];
    for (int i = 2; i >= 0; i--)
        stride[i] = stride[i + 1] * from[i + 1];
    for (int i = 0; i < 4; i++)
        step[i] = stride[order[i]];
    const int64_t rows = (int64_t)s.n * s.h;
#pragma omp parallel for num_threads(move_threads(call, gx_count(s))) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float *x = call->x[0] + row / s.h * step[0] + row % s.h * step[1];
        float *y = call->y + row * s.w * s.c;
        for (int w = 0; w < s.w; w++, x += step[2], y += s.c) {
            if (step[3] == 1)
                memcpy(y, x, (size_t)s.c * sizeof *y);
            else
                for (int c = 0; c < s.c; c++)
                    y[c] = x[c * step[3]];
        }
    }
}

const struct gx_op gx_op_permute = {
    .name = "permute",
    .attr_size = sizeof(struct permute),
    .shape = shape,
    .gradient = gradient,
    .forward = forward,
};
