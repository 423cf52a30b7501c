/* avg_pool: x(N,H,W,C) -> y(N,Ho,Wo,C), Ho = (H + 2 pad - k)/stride + 1, the sum of each window
 *   over k k: zeros of the padding count
 * avg_pool_dx: its transpose
 * gradient: each other                        saves: nothing
 * plan: GX_E_SHAPE if no window fits, or pad > k/2
 * parity: torch.nn.AvgPool2d(count_include_pad=True), 2e-6 of max|y| */
#include "op/pool.h"

#include <string.h>

struct gx_node *gx_avg_pool(struct gx_graph *g, struct gx_node *x, int k, int stride, int pad)
{
    struct pool attr = {.k = k, .stride = stride, .pad = pad};
    return gx_graph_add(g, &gx_op_avg_pool, &x, 1, &attr);
}

static int avg_pool_shape(struct gx_node *y, struct gx_err *err)
{
    return pool_shape(y->attr, y->in[0]->shape, &y->shape, err);
}

static int avg_pool_dx_shape(struct gx_node *y, struct gx_err *err)
{
    const struct pool *p = y->attr;
    const struct gx_shape s = y->in[0]->shape;
    struct gx_shape pooled;
    y->shape = (struct gx_shape){s.n, p->h, p->w, s.c};
    const int code = pool_shape(p, y->shape, &pooled, err);
    if (code)
        return code;
    if (!gx_shape_equal(pooled, s))
        return gx_fail(err, GX_E_SHAPE, "values " SHAPE_FORMAT " for windows " SHAPE_FORMAT,
                       SHAPE_PARTS(s), SHAPE_PARTS(pooled));
    return 0;
}

static void avg_pool_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                              const bool *need, struct gx_node **dx)
{
    struct pool attr = *(const struct pool *)y->attr;
    attr.h = y->in[0]->shape.h;
    attr.w = y->in[0]->shape.w;
    if (need[0])
        dx[0] = gx_graph_add(g, &gx_op_avg_pool_dx, &dy, 1, &attr);
}

static void avg_pool_dx_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                                 const bool *need, struct gx_node **dx)
{
    const struct pool *p = y->attr;
    if (need[0])
        dx[0] = gx_avg_pool(g, dy, p->k, p->stride, p->pad);
}

/* The mean of `count` channels over a window: in double, as windows may be whole pictures. */
static void window_mean(const float *image, struct gx_shape s, struct range rows, struct range cols,
                        int count, double factor, float *y)
{
    double sum[POOL_CHUNK] = {0};
    for (int64_t h = rows.from; h < rows.to; h++)
        for (int64_t w = cols.from; w < cols.to; w++) {
            const float *x = image + (h * s.w + w) * s.c;
            for (int i = 0; i < count; i++)
                sum[i] += x[i];
        }
    for (int i = 0; i < count; i++)
        y[i] = (float)(sum[i] * factor);
}

static void avg_pool_forward(const struct gx_call *call)
{
    const struct pool *p = call->node->attr;
    const struct gx_shape s = call->node->shape, in = call->node->in[0]->shape;
    const int64_t rows = (int64_t)s.n * s.h, image = (int64_t)in.h * in.w * in.c;
    const double factor = 1.0 / ((double)p->k * p->k);
#pragma omp parallel for num_threads(move_threads(call, gx_count(in))) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float *x = call->x[0] + row / s.h * image;
        const struct range v = pool_window(p, row % s.h, in.h);
        float *y = call->y + row * s.w * s.c;
        for (int w = 0; w < s.w; w++, y += s.c)
            for (int c = 0; c < s.c; c += POOL_CHUNK) {
                const int count = s.c - c < POOL_CHUNK ? s.c - c : POOL_CHUNK;
                window_mean(x + c, in, v, pool_window(p, w, in.w), count, factor, y + c);
            }
    }
}

/* A row of dx gathers from the rows of windows that touch it; one thread owns it. */
static void avg_pool_dx_forward(const struct gx_call *call)
{
    const struct pool *p = call->node->attr;
    const struct gx_shape s = call->node->shape, in = call->node->in[0]->shape;
    const int64_t rows = (int64_t)s.n * s.h;
    const float factor = (float)(1.0 / ((double)p->k * p->k));
#pragma omp parallel for num_threads(move_threads(call, gx_count(s))) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const int64_t h = row % s.h;
        const struct range v = pool_touching(p, (struct range){h, h + 1}, in.h);
        float *dx = call->y + row * s.w * s.c;
        memset(dx, 0, (size_t)s.w * s.c * sizeof *dx);
        for (int64_t at = v.from; at < v.to; at++) {
            const float *dy = call->x[0] + (row / s.h * in.h + at) * in.w * in.c;
            for (int w = 0; w < in.w; w++, dy += s.c) {
                const struct range u = pool_window(p, w, s.w);
                for (int64_t to = u.from; to < u.to; to++)
                    for (int64_t c = 0; c < s.c; c++)
                        dx[to * s.c + c] += factor * dy[c];
            }
        }
    }
}

const struct gx_op gx_op_avg_pool = {
    .name = "avg_pool",
    .attr_size = sizeof(struct pool),
    .shape = avg_pool_shape,
    .gradient = avg_pool_gradient,
    .forward = avg_pool_forward,
};

const struct gx_op gx_op_avg_pool_dx = {
    .name = "avg_pool_dx",
    .attr_size = sizeof(struct pool),
    .shape = avg_pool_dx_shape,
    .gradient = avg_pool_dx_gradient,
    .forward = avg_pool_dx_forward,
};
