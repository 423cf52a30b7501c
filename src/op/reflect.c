/* reflect: x(N,H,W,C) -> y(N,H+top+bottom,W+left+right,C), the picture mirrored without repeating
 *   its edge; again and again where the pad exceeds the picture, and a side of one pixel is
 *   repeated, so that any picture takes any pad
 * reflect_dx: its transpose, y -> x
 * gradient: each other                        saves: nothing
 * plan: GX_E_SHAPE if a pad is negative
 * parity: torch.nn.ReflectionPad2d where pad < side (exact; its gradient to 2e-6 of max|dx|);
 *   beyond that numpy.pad(mode="reflect") */
#include "op/move.h"

#include <string.h>

struct gx_node *gx_pad_reflect(struct gx_graph *g, struct gx_node *x, struct gx_pad pad)
{
    return gx_graph_add(g, &gx_op_reflect, &x, 1, &pad);
}

static int check_pad(struct gx_pad p, struct gx_err *err)
{
    if (p.top < 0 || p.left < 0 || p.bottom < 0 || p.right < 0)
        return gx_fail(err, GX_E_SHAPE, "a reflection pad is negative: %d, %d, %d, %d", p.top,
                       p.left, p.bottom, p.right);
    return 0;
}

static int reflect_shape(struct gx_node *y, struct gx_err *err)
{
    const struct gx_pad p = *(const struct gx_pad *)y->attr;
    const struct gx_shape s = y->in[0]->shape;
    const int code = check_pad(p, err);
    return code ? code
                : shape_set(y, s.n, (int64_t)s.h + p.top + p.bottom,
                            (int64_t)s.w + p.left + p.right, s.c, err);
}

static int reflect_dx_shape(struct gx_node *y, struct gx_err *err)
{
    const struct gx_pad p = *(const struct gx_pad *)y->attr;
    const struct gx_shape s = y->in[0]->shape;
    const int code = check_pad(p, err);
    return code ? code
                : shape_set(y, s.n, (int64_t)s.h - p.top - p.bottom,
                            (int64_t)s.w - p.left - p.right, s.c, err);
}

static void reflect_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                             const bool *need, struct gx_node **dx)
{
    if (need[0])
        dx[0] = gx_graph_add(g, &gx_op_reflect_dx, &dy, 1, y->attr);
}

static void reflect_dx_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                                const bool *need, struct gx_node **dx)
{
    if (need[0])
        dx[0] = gx_graph_add(g, &gx_op_reflect, &dy, 1, y->attr);
}

/* The mirrored positions repeat with this period. */
static int64_t period(int64_t size)
{
    return size == 1 ? 1 : 2 * (size - 1);
}

static int64_t modulo(int64_t a, int64_t b)
{
    return (a % b + b) % b;
}

/* Which of 0..size-1 a position before, in or after the picture shows. */
static int64_t mirror(int64_t at, int64_t size)
{
    const int64_t p = period(size), m = modulo(at, p);
    return m < size ? m : p - m;
}

/* The first position from `from` on that shows `index`. */
static int64_t first_showing(int64_t index, int64_t size, int64_t from)
{
    const int64_t p = period(size);
    const int64_t up = modulo(index - from, p), down = modulo(-index - from, p);
    return from + (up < down ? up : down);
}

static void reflect_forward(const struct gx_call *call)
{
    const struct gx_pad p = *(const struct gx_pad *)call->node->attr;
    const struct gx_shape s = call->node->shape, in = call->node->in[0]->shape;
    const int64_t rows = (int64_t)s.n * s.h;
    const size_t pixel = (size_t)s.c * sizeof(float);
#pragma omp parallel for num_threads(move_threads(call, gx_count(s))) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const int64_t from = row / s.h * in.h + mirror(row % s.h - p.top, in.h);
        const float *x = call->x[0] + from * in.w * in.c;
        float *y = call->y + row * s.w * s.c;
        for (int64_t w = 0; w < p.left; w++)
            memcpy(y + w * s.c, x + mirror(w - p.left, in.w) * s.c, pixel);
        memcpy(y + (int64_t)p.left * s.c, x, (size_t)in.w * pixel);
        for (int64_t w = (int64_t)p.left + in.w; w < s.w; w++)
            memcpy(y + w * s.c, x + mirror(w - p.left, in.w) * s.c, pixel);
    }
}

static void add(float *y, const float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        y[i] += x[i];
}

/* A row of dx gathers the rows of dy that show it, of which there is one for most; inside the row
 * each pixel of dy adds to its own. One thread owns a row, so the order of the sums is fixed. */
static void reflect_dx_forward(const struct gx_call *call)
{
    const struct gx_pad p = *(const struct gx_pad *)call->node->attr;
    const struct gx_shape s = call->node->shape, in = call->node->in[0]->shape;
    const int64_t rows = (int64_t)s.n * s.h, end = (int64_t)in.h - p.top;
#pragma omp parallel for num_threads(move_threads(call, gx_count(in))) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const int64_t n = row / s.h, index = row % s.h;
        float *dx = call->y + row * s.w * s.c;
        bool empty = true;
        for (int64_t at = first_showing(index, s.h, -(int64_t)p.top); at < end;
             at = first_showing(index, s.h, at + 1)) {
            const float *dy = call->x[0] + (n * in.h + at + p.top) * in.w * in.c;
            const float *middle = dy + (int64_t)p.left * s.c;
            if (empty)
                memcpy(dx, middle, (size_t)s.w * s.c * sizeof *dx);
            else
                add(dx, middle, (int64_t)s.w * s.c);
            empty = false;
            for (int64_t w = 0; w < p.left; w++)
                add(dx + mirror(w - p.left, s.w) * s.c, dy + w * s.c, s.c);
            for (int64_t w = (int64_t)p.left + s.w; w < in.w; w++)
                add(dx + mirror(w - p.left, s.w) * s.c, dy + w * s.c, s.c);
        }
    }
}

const struct gx_op gx_op_reflect = {
    .name = "reflect",
    .attr_size = sizeof(struct gx_pad),
    .shape = reflect_shape,
    .gradient = reflect_gradient,
    .forward = reflect_forward,
};

const struct gx_op gx_op_reflect_dx = {
    .name = "reflect_dx",
    .attr_size = sizeof(struct gx_pad),
    .shape = reflect_dx_shape,
    .gradient = reflect_dx_gradient,
    .forward = reflect_dx_forward,
};
