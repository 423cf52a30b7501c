/* slice: x -> y of size `size`, y[i] = x[at + i]
 * embed: x -> y of size `size`, y[at + i] = x[i], zero elsewhere (zero padding is an embed)
 * gradient: each other                        saves: nothing
 * plan: GX_E_SHAPE if the small box does not lie inside the large one
 * parity: indexing, and torch.nn.functional.pad with zeros; exact */
#include "op/move.h"

#include <string.h>

struct box {
    struct gx_shape at, size;
};

struct gx_node *gx_slice(struct gx_graph *g, struct gx_node *x, struct gx_shape at,
                         struct gx_shape size)
{
    struct box attr = {at, size};
    return gx_graph_add(g, &gx_op_slice, &x, 1, &attr);
}

struct gx_node *gx_embed(struct gx_graph *g, struct gx_node *x, struct gx_shape at,
                         struct gx_shape size)
{
    struct box attr = {at, size};
    return gx_graph_add(g, &gx_op_embed, &x, 1, &attr);
}

struct gx_node *gx_pad_zero(struct gx_graph *g, struct gx_node *x, struct gx_pad pad)
{
    const struct gx_shape s = x->shape;
    const int64_t h = (int64_t)s.h + pad.top + pad.bottom, w = (int64_t)s.w + pad.left + pad.right;
    if (h > INT_MAX || w > INT_MAX) {
        gx_graph_fail(g, GX_E_SHAPE, "padding makes a picture of %lldx%lld", (long long)w,
                      (long long)h);
        return x;
    }
    return gx_embed(g, x, (struct gx_shape){0, pad.top, pad.left, 0},
                    (struct gx_shape){s.n, (int)h, (int)w, s.c});
}

static int check_inside(struct gx_shape small, struct gx_shape at, struct gx_shape large,
                        struct gx_err *err)
{
    int s[4], a[4], l[4];
    shape_to_array(small, s);
    shape_to_array(at, a);
    shape_to_array(large, l);
    for (int i = 0; i < 4; i++)
        if (s[i] < 1 || a[i] < 0 || a[i] > l[i] - s[i])
            return gx_fail(err, GX_E_SHAPE,
                           "a box " SHAPE_FORMAT " at " SHAPE_FORMAT " is not inside " SHAPE_FORMAT,
                           SHAPE_PARTS(small), SHAPE_PARTS(at), SHAPE_PARTS(large));
    return 0;
}

static int slice_shape(struct gx_node *y, struct gx_err *err)
{
    const struct box *box = y->attr;
    y->shape = box->size;
    return check_inside(box->size, box->at, y->in[0]->shape, err);
}

static int embed_shape(struct gx_node *y, struct gx_err *err)
{
    const struct box *box = y->attr;
    y->shape = box->size;
    return check_inside(y->in[0]->shape, box->at, box->size, err);
}

static void slice_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                           const bool *need, struct gx_node **dx)
{
    if (need[0])
        dx[0] = gx_embed(g, dy, ((const struct box *)y->attr)->at, y->in[0]->shape);
}

static void embed_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                           const bool *need, struct gx_node **dx)
{
    if (need[0])
        dx[0] = gx_slice(g, dy, ((const struct box *)y->attr)->at, y->in[0]->shape);
}

static int64_t offset(struct gx_shape s, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return ((n * s.h + h) * s.w + w) * s.c + c;
}

static void slice_forward(const struct gx_call *call)
{
    const struct gx_shape s = call->node->shape, large = call->node->in[0]->shape;
    const struct gx_shape at = ((const struct box *)call->node->attr)->at;
    const int64_t rows = (int64_t)s.n * s.h;
#pragma omp parallel for num_threads(move_threads(call, gx_count(s))) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const float *x = call->x[0] + offset(large, at.n + row / s.h, at.h + row % s.h, at.w, at.c);
        float *y = call->y + row * s.w * s.c;
        if (s.c == large.c)
            memcpy(y, x, (size_t)s.w * s.c * sizeof *y);
        else
            for (int64_t w = 0; w < s.w; w++)
                memcpy(y + w * s.c, x + w * large.c, (size_t)s.c * sizeof *y);
    }
}

/* One row of the large box that crosses the small one, zeros left and right of it. */
static void embed_row(const float *x, float *y, struct gx_shape s, struct gx_shape at,
                      struct gx_shape large)
{
    const int64_t start = (int64_t)at.w * large.c, all = (int64_t)large.w * large.c;
    const int64_t length = (int64_t)s.w * large.c;
    memset(y, 0, (size_t)start * sizeof *y);
    memset(y + start + length, 0, (size_t)(all - start - length) * sizeof *y);
    y += start;
    if (s.c == large.c) {
        memcpy(y, x, (size_t)length * sizeof *y);
        return;
    }
    for (int64_t w = 0; w < s.w; w++, x += s.c, y += large.c) {
        memset(y, 0, (size_t)at.c * sizeof *y);
        memcpy(y + at.c, x, (size_t)s.c * sizeof *y);
        memset(y + at.c + s.c, 0, (size_t)(large.c - at.c - s.c) * sizeof *y);
    }
}

static void embed_forward(const struct gx_call *call)
{
    const struct gx_shape large = call->node->shape, s = call->node->in[0]->shape;
    const struct gx_shape at = ((const struct box *)call->node->attr)->at;
    const int64_t rows = (int64_t)large.n * large.h;
#pragma omp parallel for num_threads(move_threads(call, gx_count(large))) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const int64_t n = row / large.h - at.n, h = row % large.h - at.h;
        float *y = call->y + row * large.w * large.c;
        if (n < 0 || n >= s.n || h < 0 || h >= s.h)
            memset(y, 0, (size_t)large.w * large.c * sizeof *y);
        else
            embed_row(call->x[0] + offset(s, n, h, 0, 0), y, s, at, large);
    }
}

const struct gx_op gx_op_slice = {
    .name = "slice",
    .attr_size = sizeof(struct box),
    .shape = slice_shape,
    .gradient = slice_gradient,
    .forward = slice_forward,
};

const struct gx_op gx_op_embed = {
    .name = "embed",
    .attr_size = sizeof(struct box),
    .shape = embed_shape,
    .gradient = embed_gradient,
    .forward = embed_forward,
};
