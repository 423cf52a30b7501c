/* log_softmax: x -> y = x - log(sum over c of e^x), for each (n,h,w); no overflow at any x
 * gradient: dy - e^y (sum over c of dy), from primitives        saves: y
 * plan: nothing to fail                        parity: torch.log_softmax, 2e-6 of max|y| */
#include "op/move.h"

#include <math.h>

struct gx_node *gx_log_softmax(struct gx_graph *g, struct gx_node *x)
{
    return gx_graph_add(g, &gx_op_log_softmax, &x, 1, NULL);
}

struct gx_node *gx_softmax(struct gx_graph *g, struct gx_node *x)
{
    return gx_exp(g, gx_log_softmax(g, x));
}

static int shape(struct gx_node *y, struct gx_err *err)
{
    (void)err;
    y->shape = y->in[0]->shape;
    return 0;
}

static void gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy, const bool *need,
                     struct gx_node **dx)
{
    if (need[0])
        dx[0] = gx_sub(g, dy, gx_mul(g, gx_exp(g, y), gx_sum(g, dy, GX_AXIS_C)));
}

static void forward(const struct gx_call *call)
{
    const struct gx_shape s = call->node->shape;
    const int64_t rows = (int64_t)s.n * s.h * s.w;
#pragma omp parallel for num_threads(move_threads(call, gx_count(s))) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float *x = call->x[0] + row * s.c;
        float *y = call->y + row * s.c;
        float most = x[0];
        for (int c = 1; c < s.c; c++)
            most = x[c] > most ? x[c] : most;
        double sum = 0;
        for (int c = 0; c < s.c; c++)
            sum += exp((double)x[c] - most);
        const double shift = most + log(sum);
        for (int c = 0; c < s.c; c++)
            y[c] = (float)(x[c] - shift);
    }
}

const struct gx_op gx_op_log_softmax = {
    .name = "log_softmax",
    .flags = GX_OP_INPLACE_0,
    .shape = shape,
    .gradient = gradient,
    .forward = forward,
};
