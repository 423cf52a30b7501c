/* upsample_nearest: x(N,H,W,C) -> y(N,H f,W f,C), each pixel repeated f by f times
 * gradient: avg_pool over the f x f block, times f f      saves: nothing
 * plan: GX_E_SHAPE if f < 1
 * parity: torch's interpolate(mode="nearest"), exact */
#include "op/move.h"

#include <string.h>

struct upsample {
    int factor;
};

struct gx_node *gx_upsample_nearest(struct gx_graph *g, struct gx_node *x, int factor)
{
    struct upsample attr = {factor};
    return gx_graph_add(g, &gx_op_upsample_nearest, &x, 1, &attr);
}

static int shape(struct gx_node *y, struct gx_err *err)
{
    const int64_t f = ((const struct upsample *)y->attr)->factor;
    const struct gx_shape s = y->in[0]->shape;
    if (f < 1)
        return gx_fail(err, GX_E_SHAPE, "cannot enlarge %lld times", (long long)f);
    return shape_set(y, s.n, s.h * f, s.w * f, s.c, err);
}

static void gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy, const bool *need,
                     struct gx_node **dx)
{
    const int f = ((const struct upsample *)y->attr)->factor;
    if (need[0])
        dx[0] = gx_scale(g, gx_avg_pool(g, dy, f, f, 0), (float)f * (float)f);
}

static void forward(const struct gx_call *call)
{
    const int f = ((const struct upsample *)call->node->attr)->factor;
    const struct gx_shape s = call->node->shape, in = call->node->in[0]->shape;
    const int64_t rows = (int64_t)in.n * in.h, length = (int64_t)s.w * s.c;
#pragma omp parallel for num_threads(move_threads(call, gx_count(s))) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float *x = call->x[0] + row * in.w * in.c;
        float *first = call->y + row * f * length, *y = first;
        for (int w = 0; w < in.w; w++, x += in.c)
            for (int i = 0; i < f; i++, y += s.c)
                memcpy(y, x, (size_t)s.c * sizeof *y);
        for (int i = 1; i < f; i++)
            memcpy(first + i * length, first, (size_t)length * sizeof *y);
    }
}

const struct gx_op gx_op_upsample_nearest = {
    .name = "upsample_nearest",
    .attr_size = sizeof(struct upsample),
    .shape = shape,
    .gradient = gradient,
    .forward = forward,
};
