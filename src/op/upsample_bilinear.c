/* upsample_bilinear: x(N,H,W,C) -> y(N,h,w,C), linear between pixel centres, edges repeated;
 *   smaller sizes sample without averaging
 * upsample_bilinear_dx: its transpose, (N,h,w,C) -> (N,H,W,C)
 * gradient: each other                        saves: nothing
 * plan: GX_E_SHAPE if a size is below 1
 * parity: torch's interpolate(mode="bilinear", align_corners=False), 2e-6 of max|y|: positions are
 *   computed in float as torch does, but for whole factors the same at every pixel */
#include "op/move.h"

#include <string.h>

struct resize {
    int h, w; /* of the result */
};

struct gx_node *gx_upsample_bilinear(struct gx_graph *g, struct gx_node *x, int h, int w)
{
    struct resize attr = {h, w};
    return gx_graph_add(g, &gx_op_upsample_bilinear, &x, 1, &attr);
}

static int shape(struct gx_node *y, struct gx_err *err)
{
    const struct resize *size = y->attr;
    const struct gx_shape s = y->in[0]->shape;
    return shape_set(y, s.n, size->h, size->w, s.c, err);
}

static void gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy, const bool *need,
                     struct gx_node **dx)
{
    struct resize attr = {y->in[0]->shape.h, y->in[0]->shape.w};
    if (need[0])
        dx[0] = gx_graph_add(g, &gx_op_upsample_bilinear_dx, &dy, 1, &attr);
}

static void dx_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy, const bool *need,
                        struct gx_node **dx)
{
    if (need[0])
        dx[0] = gx_upsample_bilinear(g, dy, y->in[0]->shape.h, y->in[0]->shape.w);
}

/* A side: its small size, and how it becomes the large one. */
struct side {
    int small;
    int whole; /* the factor, where it is whole: else 0 */
    float scale;
};

static struct side side_of(int small, int large)
{
    return (struct side){.small = small,
                         .whole = large % small == 0 ? large / small : 0,
                         .scale = (float)small / (float)large};
}

/* Position `at` of the large side lies between pixels i0 and i1 of the small one. */
struct tap {
    int i0, i1;
    float w0, w1;
};

static struct tap tap_at(int at, const struct side *s)
{
    /* Whole factors have the same weights at every pixel, so that a tile gets those of its picture:
     * then only the place within the pixel is computed in float. */
    const int whole = s->whole ? at / s->whole : 0, part = s->whole ? at % s->whole : at;
    const float source = s->scale * ((float)part + 0.5f) - 0.5f;
    const int below = source < 0; /* it lies between the pixel before and this one */
    struct tap t = {.i0 = whole + (int)source - below, .w1 = source - (float)((int)source - below)};
    if (t.i0 < 0)
        t = (struct tap){.i0 = 0};
    if (t.i0 > s->small - 1)
        t.i0 = s->small - 1;
    t.i1 = t.i0 < s->small - 1 ? t.i0 + 1 : t.i0;
    t.w0 = 1 - t.w1;
    return t;
}

/* Scratch: the taps of a row, up to whole cache lines, and for each thread two rows of x made as wide
 * as those of y. */
static size_t tap_bytes(const struct gx_node *y)
{
    return ((size_t)y->shape.w + 3) / 4 * 4 * sizeof(struct tap);
}

static size_t scratch(const struct gx_node *y, const struct gx_kernels *kernels, int threads)
{
    (void)kernels;
    return tap_bytes(y) + sizeof(float) * 2 * (size_t)threads * y->shape.w * y->shape.c;
}

static void widen(const float *x, const struct tap *u, int w, int64_t c, float *y)
{
    for (; w > 0; w--, u++)
        for (int64_t a = u->i0 * c, b = u->i1 * c, end = a + c; a < end; a++, b++)
            *y++ = u->w0 * x[a] + u->w1 * x[b];
}

/* Rows first .. end of y. Those of x are widened as they come into sight: two that follow one another
 * are there at a time, the even and the odd. */
static void rows(const struct gx_call *call, const struct tap *taps, float *wide, int64_t first,
                 int64_t end)
{
    const struct gx_shape s = call->node->shape, in = call->node->in[0]->shape;
    const struct side high = side_of(in.h, s.h);
    const int64_t length = (int64_t)s.w * s.c;
    int64_t held[2] = {-1, -1};
    for (int64_t row = first; row < end; row++) {
        const struct tap v = tap_at((int)(row % s.h), &high);
        const int64_t image = row / s.h * in.h, need[2] = {image + v.i0, image + v.i1};
        const float *from[2];
        float *y = call->y + row * length;
        for (int k = 0; k < 2; k++) {
            const int odd = (int)(need[k] % 2);
            float *to = wide + odd * length;
            if (held[odd] != need[k])
                widen(call->x[0] + need[k] * in.w * in.c, taps, s.w, s.c, to);
            held[odd] = need[k];
            from[k] = to;
        }
        for (int64_t i = 0; i < length; i++)
            y[i] = v.w0 * from[0][i] + v.w1 * from[1][i];
    }
}

static void forward(const struct gx_call *call)
{
    const struct gx_shape s = call->node->shape;
    const struct side across = side_of(call->node->in[0]->shape.w, s.w);
    const int threads = move_threads(call, gx_count(s));
    const int64_t count = (int64_t)s.n * s.h, wide = (int64_t)2 * s.w * s.c;
    struct tap *taps = call->scratch;
    float *room = (float *)((char *)call->scratch + tap_bytes(call->node));
    for (int w = 0; w < s.w; w++)
        taps[w] = tap_at(w, &across);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int id = 0; id < threads; id++)
        rows(call, taps, room + id * wide, count * id / threads, count * (id + 1) / threads);
}

/* dx += weight * (the transpose of interpolating this row) dy. */
static void spread_row(const float *dy, float weight, float *dx, const struct side *wide, int large,
                       int64_t c)
{
    for (int w = 0; w < large; w++, dy += c) {
        const struct tap u = tap_at(w, wide);
        float *left = dx + u.i0 * c, *right = dx + u.i1 * c;
        for (int64_t i = 0; i < c; i++)
            left[i] += weight * u.w0 * dy[i];
        for (int64_t i = 0; i < c; i++)
            right[i] += weight * u.w1 * dy[i];
    }
}

/* A row of dx gathers from every row of dy that has it as a tap: they follow one another, the first
 * not before the position of row - 1 (one earlier, against rounding). One thread owns a row. */
static void dx_forward(const struct gx_call *call)
{
    const struct gx_shape s = call->node->shape, in = call->node->in[0]->shape;
    const struct side high = side_of(s.h, in.h), wide = side_of(s.w, in.w);
    const int64_t rows = (int64_t)s.n * s.h;
#pragma omp parallel for num_threads(move_threads(call, gx_count(in))) schedule(static)
    for (int64_t row = 0; row < rows; row++) {
        const int h = (int)(row % s.h);
        const double first = (h - 0.5) * in.h / s.h - 1.5;
        float *dx = call->y + row * s.w * s.c;
        memset(dx, 0, (size_t)s.w * s.c * sizeof *dx);
        for (int at = first > 0 ? (int)first : 0; at < in.h; at++) {
            const struct tap v = tap_at(at, &high);
            const float weight = (v.i0 == h ? v.w0 : 0) + (v.i1 == h ? v.w1 : 0);
            if (v.i0 > h)
                break;
            if (weight != 0)
                spread_row(call->x[0] + (row / s.h * in.h + at) * in.w * in.c, weight, dx, &wide,
                           in.w, s.c);
        }
    }
}

const struct gx_op gx_op_upsample_bilinear = {
    .name = "upsample_bilinear",
    .attr_size = sizeof(struct resize),
    .shape = shape,
    .gradient = gradient,
    .scratch = scratch,
    .forward = forward,
};

const struct gx_op gx_op_upsample_bilinear_dx = {
    .name = "upsample_bilinear_dx",
    .attr_size = sizeof(struct resize),
    .shape = shape,
    .gradient = dx_gradient,
    .forward = dx_forward,
};
