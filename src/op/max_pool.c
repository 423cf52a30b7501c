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

#include <string.h>

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

/* The maximum of `count` channels over a window of one image, and its pixel's index; as in torch, a
 * value that is not a number wins. */
static void window_max(const float *image, struct gx_shape s, struct range rows, struct range cols,
                       int count, float *best, int64_t *pixel)
{
    const int64_t first = rows.from * s.w + cols.from;
    for (int i = 0; i < count; i++) {
        best[i] = image[first * s.c + i];
        pixel[i] = first;
    }
    for (int64_t h = rows.from; h < rows.to; h++)
        for (int64_t w = cols.from; w < cols.to; w++) {
            const int64_t at = h * s.w + w;
            const float *x = image + at * s.c;
            for (int i = 0; i < count; i++) {
                const bool wins = x[i] > best[i] || x[i] != x[i];
                best[i] = wins ? x[i] : best[i];
                pixel[i] = wins ? at : pixel[i];
            }
        }
}

/* max_pool, and max_pool_gather where `u` is another picture than x. */
static void pool_rows(const struct gx_call *call, const float *u, const float *x,
                      struct gx_shape in)
{
    const struct pool *p = call->node->attr;
    const struct gx_shape s = call->node->shape;
    const int64_t rows = (int64_t)s.n * s.h, image = (int64_t)in.h * in.w * in.c;
#pragma omp parallel for num_threads(move_threads(call, gx_count(in))) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const int64_t start = row / s.h * image;
        const struct range v = pool_window(p, row % s.h, in.h);
        float best[POOL_CHUNK], *y = call->y + row * s.w * s.c;
        int64_t pixel[POOL_CHUNK];
        for (int w = 0; w < s.w; w++, y += s.c)
            for (int c = 0; c < s.c; c += POOL_CHUNK) {
                const int count = s.c - c < POOL_CHUNK ? s.c - c : POOL_CHUNK;
                window_max(x + start + c, in, v, pool_window(p, w, in.w), count, best, pixel);
                for (int i = 0; i < count; i++)
                    y[c + i] = u == x ? best[i] : u[start + pixel[i] * in.c + c + i];
            }
    }
}

static void max_pool_forward(const struct gx_call *call)
{
    pool_rows(call, call->x[0], call->x[0], call->node->in[0]->shape);
}

static void gather_forward(const struct gx_call *call)
{
    pool_rows(call, call->x[0], call->x[1], call->node->in[1]->shape);
}

/* Rows of the picture that one task owns: windows on its border are searched by both neighbours. */
enum { BAND = 16 };

/* Adds to the pixels [rows) of one image the values whose window has its maximum there. */
static void scatter_band(const struct pool *p, const float *g, const float *x, float *y,
                         struct gx_shape s, struct gx_shape pooled, struct range rows)
{
    const struct range touching = pool_touching(p, rows, pooled.h);
    float best[POOL_CHUNK];
    int64_t pixel[POOL_CHUNK];
    for (int64_t h = touching.from; h < touching.to; h++)
        for (int64_t w = 0; w < pooled.w; w++)
            for (int c = 0; c < s.c; c += POOL_CHUNK) {
                const int count = s.c - c < POOL_CHUNK ? s.c - c : POOL_CHUNK;
                const float *from = g + (h * pooled.w + w) * s.c + c;
                window_max(x + c, s, pool_window(p, h, s.h), pool_window(p, w, s.w), count, best,
                           pixel);
                for (int i = 0; i < count; i++)
                    if (pixel[i] >= rows.from * s.w && pixel[i] < rows.to * s.w)
                        y[pixel[i] * s.c + c + i] += from[i];
            }
}

static void scatter_forward(const struct gx_call *call)
{
    const struct gx_shape s = call->node->shape, pooled = call->node->in[0]->shape;
    const int64_t bands = (s.h + BAND - 1) / BAND;
    const int64_t image = (int64_t)s.h * s.w * s.c;
#pragma omp parallel for num_threads(move_threads(call, gx_count(s))) schedule(static)
    for (int64_t task = 0; task < s.n * bands; task++) {
        const int64_t n = task / bands;
        struct range rows = {task % bands * BAND, (task % bands + 1) * BAND};
        if (rows.to > s.h)
            rows.to = s.h;
        float *y = call->y + n * image;
        memset(y + rows.from * s.w * s.c, 0,
               (size_t)((rows.to - rows.from) * s.w * s.c) * sizeof *y);
        scatter_band(call->node->attr, call->x[0] + n * pooled.h * pooled.w * pooled.c,
                     call->x[1] + n * image, y, s, pooled, rows);
    }
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
