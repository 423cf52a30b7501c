/* pixel_shuffle: x(N,H,W,C r r) -> y(N,H r,W r,C),
 *   y[n, h r + dy, w r + dx, c] = x[n, h, w, c r r + dy r + dx]
 * pixel_unshuffle: its inverse and transpose
 * gradient: each other                        saves: nothing
 * plan: GX_E_SHAPE if r < 1, or channels (or sides) are not a multiple of r r (or r)
 * parity: torch.nn.PixelShuffle, torch.nn.PixelUnshuffle, exact
 * source: Shi et al. 2016, "Real-time single image and video super-resolution" */
#include "op/move.h"

struct shuffle {
    int r;
};

struct gx_node *gx_pixel_shuffle(struct gx_graph *g, struct gx_node *x, int r)
{
    struct shuffle attr = {r};
    return gx_graph_add(g, &gx_op_pixel_shuffle, &x, 1, &attr);
}

struct gx_node *gx_pixel_unshuffle(struct gx_graph *g, struct gx_node *x, int r)
{
    struct shuffle attr = {r};
    return gx_graph_add(g, &gx_op_pixel_unshuffle, &x, 1, &attr);
}

bool gx_pixel_shuffle_is(const struct gx_node *node, int r)
{
    return node->op == &gx_op_pixel_shuffle && ((const struct shuffle *)node->attr)->r == r;
}

static int shuffle_shape(struct gx_node *y, struct gx_err *err)
{
    const int64_t r = ((const struct shuffle *)y->attr)->r;
    const struct gx_shape s = y->in[0]->shape;
    if (r < 1 || s.c % (r * r) != 0)
        return gx_fail(err, GX_E_SHAPE, "%d channels do not make blocks of %lldx%lld", s.c,
                       (long long)r, (long long)r);
    return shape_set(y, s.n, s.h * r, s.w * r, s.c / (r * r), err);
}

static int unshuffle_shape(struct gx_node *y, struct gx_err *err)
{
    const int64_t r = ((const struct shuffle *)y->attr)->r;
    const struct gx_shape s = y->in[0]->shape;
    if (r < 1 || s.h % r != 0 || s.w % r != 0)
        return gx_fail(err, GX_E_SHAPE, "a picture of %dx%d does not cut into blocks of %lldx%lld",
                       s.w, s.h, (long long)r, (long long)r);
    if (s.c > INT_MAX / r / r)
        return gx_fail(err, GX_E_SHAPE, "%d channels and blocks of %lld are too many", s.c,
                       (long long)r);
    return shape_set(y, s.n, s.h / r, s.w / r, s.c * r * r, err);
}

static void shuffle_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                             const bool *need, struct gx_node **dx)
{
    if (need[0])
        dx[0] = gx_pixel_unshuffle(g, dy, ((const struct shuffle *)y->attr)->r);
}

static void unshuffle_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                               const bool *need, struct gx_node **dx)
{
    if (need[0])
        dx[0] = gx_pixel_shuffle(g, dy, ((const struct shuffle *)y->attr)->r);
}

static void shuffle_forward(const struct gx_call *call)
{
    const int r = ((const struct shuffle *)call->node->attr)->r;
    const struct gx_shape x = call->node->in[0]->shape;
    call->kernels->pixel_shuffle(call->x[0], call->y, (int64_t)x.n * x.h, x.w, call->node->shape.c,
                                 r, false, call->threads);
}

static void unshuffle_forward(const struct gx_call *call)
{
    const int r = ((const struct shuffle *)call->node->attr)->r;
    const struct gx_shape x = call->node->shape;
    call->kernels->pixel_shuffle(call->x[0], call->y, (int64_t)x.n * x.h, x.w,
                                 call->node->in[0]->shape.c, r, true, call->threads);
}

const struct gx_op gx_op_pixel_shuffle = {
    .name = "pixel_shuffle",
    .attr_size = sizeof(struct shuffle),
    .shape = shuffle_shape,
    .gradient = shuffle_gradient,
    .forward = shuffle_forward,
};

const struct gx_op gx_op_pixel_unshuffle = {
    .name = "pixel_unshuffle",
    .attr_size = sizeof(struct shuffle),
    .shape = unshuffle_shape,
    .gradient = unshuffle_gradient,
    .forward = unshuffle_forward,
};
