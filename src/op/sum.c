/* sum: x -> y, the dimensions that `axes` names summed to 1 (in double inside)
 * broadcast: the transpose, dimensions of 1 repeated to a shape
 * gradient: each other                        saves: nothing
 * parity: torch.sum(keepdim=True), 2e-6 of max|y| */
#include "op/op.h"
#include "op/walk.h"

#include <string.h>

/* One run of neighbouring dimensions at a time, so that it is a sum over rows of a box. */
struct sum {
    int first, count; /* dimensions, 0..3 */
};

static int *dim(struct gx_shape *s, int i)
{
    return i == 0 ? &s->n : i == 1 ? &s->h : i == 2 ? &s->w : &s->c;
}

struct box {
    int64_t outer, rows, cols;
};

static struct box box_of(const struct gx_node *y)
{
    const struct sum *a = y->attr;
    struct gx_shape s = y->in[0]->shape;
    struct box b = {1, 1, 1};
    for (int i = 0; i < 4; i++) {
        int64_t *part = i < a->first ? &b.outer : i < a->first + a->count ? &b.rows : &b.cols;
        *part *= *dim(&s, i);
    }
    return b;
}

static int sum_shape(struct gx_node *y, struct gx_err *err)
{
    (void)err;
    const struct sum *a = y->attr;
    y->shape = y->in[0]->shape;
    for (int i = a->first; i < a->first + a->count; i++)
        *dim(&y->shape, i) = 1;
    return 0;
}

static void sum_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                         const bool *need, struct gx_node **dx)
{
    (void)need;
    dx[0] = gx_broadcast(g, dy, y->in[0]->shape);
}

static size_t sum_scratch(const struct gx_node *y, const struct gx_kernels *kernels, int threads)
{
    struct box b = box_of(y);
    return kernels->reduce_scratch(b.outer, b.rows, b.cols, threads);
}

static void sum_forward(const struct gx_call *call)
{
    struct box b = box_of(call->node);
    call->kernels->sum_rows(call->x[0], call->y, b.outer, b.rows, b.cols, call->scratch,
                            call->threads);
}

const struct gx_op gx_op_sum = {
    .name = "sum",
    .attr_size = sizeof(struct sum),
    .shape = sum_shape,
    .gradient = sum_gradient,
    .scratch = sum_scratch,
    .forward = sum_forward,
};

struct gx_node *gx_sum(struct gx_graph *g, struct gx_node *x, int axes)
{
    for (int i = 0; i < 4; i++) {
        if (!(axes >> i & 1) || *dim(&x->shape, i) == 1)
            continue;
        struct sum a = {i, 1};
        while (i + 1 < 4 && (axes >> (i + 1) & 1)) {
            a.count++;
            i++;
        }
        x = gx_graph_add(g, &gx_op_sum, &x, 1, &a);
    }
    return x;
}

struct gx_node *gx_mean(struct gx_graph *g, struct gx_node *x, int axes)
{
    struct gx_node *total = gx_sum(g, x, axes);
    return gx_scale(g, total, (float)((double)gx_count(total->shape) / (double)gx_count(x->shape)));
}

struct gx_node *gx_sum_to(struct gx_graph *g, struct gx_node *x, struct gx_shape shape)
{
    int axes = 0;
    for (int i = 0; i < 4; i++)
        if (*dim(&shape, i) != *dim(&x->shape, i))
            axes |= 1 << i;
    return axes ? gx_sum(g, x, axes) : x;
}

/* ---- broadcast ---- */

static int broadcast_shape(struct gx_node *y, struct gx_err *err)
{
    struct gx_shape from = y->in[0]->shape;
    memcpy(&y->shape, y->attr, sizeof y->shape);
    for (int i = 0; i < 4; i++)
        if (*dim(&from, i) != 1 && *dim(&from, i) != *dim(&y->shape, i))
            return gx_fail(err, GX_E_SHAPE,
                           "%d x %d x %d x %d cannot be repeated to %d x %d x %d x %d", from.n,
                           from.h, from.w, from.c, y->shape.n, y->shape.h, y->shape.w, y->shape.c);
    return 0;
}

static void broadcast_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                               const bool *need, struct gx_node **dx)
{
    (void)need;
    dx[0] = gx_sum_to(g, dy, y->in[0]->shape);
}

static void broadcast_forward(const struct gx_call *call)
{
    struct gx_shape from = call->node->in[0]->shape;
    struct gx_walks w = gx_walks_of(call->node->shape, from, from);
    struct gx_walk walk = w.walk[0];
    int64_t lines = w.times * w.outer * w.rows;
#pragma omp parallel for num_threads(call->threads) if (lines * w.cols > 65536)
    for (int64_t line = 0; line < lines; line++) {
        int64_t row = line % w.rows, outer = line / w.rows % w.outer, t = line / w.rows / w.outer;
        const float *x = call->x[0] + t * w.jump[0] + outer * walk.outer + row * walk.row;
        float *y = call->y + line * w.cols;
        if (walk.col)
            memcpy(y, x, (size_t)w.cols * sizeof *y);
        else
            for (int64_t i = 0; i < w.cols; i++)
                y[i] = *x;
    }
}

const struct gx_op gx_op_broadcast = {
    .name = "broadcast",
    .attr_size = sizeof(struct gx_shape),
    .shape = broadcast_shape,
    .gradient = broadcast_gradient,
    .forward = broadcast_forward,
};

struct gx_node *gx_broadcast(struct gx_graph *g, struct gx_node *x, struct gx_shape shape)
{
    return gx_graph_add(g, &gx_op_broadcast, &x, 1, &shape);
}
