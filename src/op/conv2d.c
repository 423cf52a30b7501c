/* conv2d:    x(n,h,w,i) * w(kh,kw,i,o) + b(o) -> y(n,oh,ow,o),  oh = (h + 2p - kh)/s + 1
 * conv2d_dx: g(n,oh,ow,o), w -> x's shape (+ b(i)): the transpose in x, so also the transposed
 *            convolution of torch.nn.ConvTranspose2d, whose output padding only enlarges the shape
 * conv2d_dw: x, g -> w's shape: the transpose in w
 * conv2d_dw_both: x, g, x', g' -> the sum of the two weight gradients; made by plans
 * conv2d_then, conv2d_dx_then: the first two, going on as struct gx_then says; made by plans
 * gradient: the three are closed under differentiation; with <a,b> the sum of products,
 *   <u, conv2d(x,w)> = <conv2d_dx(u,w), x> = <conv2d_dw(x,u), w>.
 * plan: GX_E_SHAPE if channels differ or the kernel is larger than the padded picture
 * parity: torch.nn.Conv2d, ConvTranspose2d, 2e-6 of max|y| (3e-5 where Winograd's method runs) */
#include "op/op.h"

#include <string.h>

struct conv2d {
    int stride, pad;
    int h, w;     /* what cannot be told from the inputs: dx's picture, dw's kernel */
    int mirrored; /* bool: x beyond its edge, which is else zero: made by plans */
};

struct conv2d_then {
    struct conv2d conv;
    bool bias;
    struct gx_then then;
};

static int out_size(int in, int k, int stride, int pad)
{
    return in + 2 * pad < k ? 0 : (in + 2 * pad - k) / stride + 1;
}

/* The sizes of the forward convolution that these pictures and weights belong to. */
static struct gx_conv_sizes sizes_of(struct gx_shape x, struct gx_shape w, struct gx_shape y,
                                     const struct conv2d *a)
{
    return (struct gx_conv_sizes){.n = x.n,
                                  .h = x.h,
                                  .w = x.w,
                                  .i = w.w,
                                  .o = w.c,
                                  .kh = w.n,
                                  .kw = w.h,
                                  .stride = a->stride,
                                  .pad = a->pad,
                                  .mirrored = a->mirrored,
                                  .oh = y.h,
                                  .ow = y.w};
}

static int check(struct gx_shape x, struct gx_shape w, const struct conv2d *a, struct gx_err *err)
{
    if (a->stride < 1 || a->pad < 0)
        return gx_fail(err, GX_E_SHAPE, "convolution with stride %d and padding %d", a->stride,
                       a->pad);
    if (x.c != w.w)
        return gx_fail(err, GX_E_SHAPE, "convolution of %d channels with weights for %d", x.c, w.w);
    if (!out_size(x.h, w.n, a->stride, a->pad) || !out_size(x.w, w.h, a->stride, a->pad))
        return gx_fail(err, GX_E_SHAPE,
                       "a %d x %d picture is too small for a %d x %d convolution with padding %d",
                       x.w, x.h, w.h, w.n, a->pad);
    return 0;
}

static int check_bias(const struct gx_node *y, struct gx_err *err)
{
    bool bias = y->inputs == 3 && (y->op == &gx_op_conv2d || y->op == &gx_op_conv2d_dx);
    if (bias && gx_count(y->in[2]->shape) != y->shape.c)
        return gx_fail(err, GX_E_SHAPE, "a bias of %d for %d channels",
                       (int)gx_count(y->in[2]->shape), y->shape.c);
    return 0;
}

/* Which product a node is, and the forward convolution that it belongs to. */
struct work {
    enum gx_conv_product product;
    struct gx_conv_sizes sizes;
};

static struct work work_of(const struct gx_node *y)
{
    struct gx_shape a = y->in[0]->shape, b = y->in[1]->shape;
    struct work w = {GX_CONV_DW};
    if (y->op == &gx_op_conv2d || y->op == &gx_op_conv2d_then)
        w = (struct work){GX_CONV_Y, sizes_of(a, b, y->shape, y->attr)};
    else if (y->op == &gx_op_conv2d_dx || y->op == &gx_op_conv2d_dx_then)
        w = (struct work){GX_CONV_DX, sizes_of(y->shape, b, a, y->attr)};
    else
        w.sizes = sizes_of(a, y->shape, b, y->attr);
    if (y->op == &gx_op_conv2d_dw_both)
        w.sizes.n += y->in[2]->shape.n;
    if (y->op == &gx_op_conv2d_then && ((const struct conv2d_then *)y->attr)->then.shuffled) {
        w.sizes.shuffled = true;
        w.sizes.oh /= 2, w.sizes.ow /= 2;
    }
    if (w.product != GX_CONV_DW && y->in[1]->op == &gx_op_parameter) {
        w.sizes.dtype = y->in[1]->param->dtype;
        w.sizes.fine = y->in[1]->param->fine;
        w.sizes.terms = y->in[1]->param->terms;
        w.sizes.panel = y->in[1]->param->panel;
    }
    return w;
}

/* The same, with the method that these kernels choose. */
static struct work chosen(const struct gx_node *y, const struct gx_kernels *k)
{
    struct work w = work_of(y);
    w.sizes.method = k->conv2d_method(&w.sizes, w.product);
    return w;
}

static bool winograd(const struct work *w)
{
    return w->sizes.method >= GX_CONV_WINOGRAD_3;
}

static void forward(const struct gx_call *call);

bool gx_conv2d_by_winograd(const struct gx_node *y, const struct gx_kernels *kernels)
{
    if (y->op->forward != forward)
        return false;
    struct work w = chosen(y, kernels);
    return winograd(&w);
}

static size_t scratch(const struct gx_node *y, const struct gx_kernels *k, int threads)
{
    struct work w = chosen(y, k);
    return (winograd(&w) ? k->winograd_scratch : k->conv2d_scratch)(&w.sizes, w.product, threads);
}

/* What comes after the sums of the node. */
static struct gx_after after_of(const struct gx_call *call)
{
    const struct gx_node *y = call->node;
    if (y->op == &gx_op_conv2d || y->op == &gx_op_conv2d_dx)
        return (struct gx_after){.bias = y->inputs == 3 ? call->x[2] : NULL};
    const struct conv2d_then *t = y->attr;
    struct gx_after after = gx_then_after(&t->then, call, t->bias ? 3 : 2);
    after.bias = t->bias ? call->x[2] : NULL;
    return after;
}

static void forward(const struct gx_call *call)
{
    const struct gx_kernels *k = call->kernels;
    struct work w = chosen(call->node, k);
    bool by_winograd = winograd(&w);
    const float *a = call->x[0], *b = call->x[1]; /* b: as sizes.dtype says */
    if (w.product == GX_CONV_DW) {
        (by_winograd ? k->winograd_dw : k->conv2d_dw)(&w.sizes, a, b, call->y, call->scratch,
                                                      call->threads);
        return;
    }
    const struct gx_after after = after_of(call);
    w.sizes.x_step = call->x_step[0];
    w.sizes.y_step = call->y_step;
    w.sizes.kept = call->kept.channels;
    w.sizes.have = call->kept.have;
    if (w.product == GX_CONV_Y)
        (by_winograd ? k->winograd_y : k->conv2d)(&w.sizes, a, b, &after, call->y, call->scratch,
                                                  call->threads);
    else
        (by_winograd ? k->winograd_dx : k->conv2d_dx)(&w.sizes, a, b, &after, call->y,
                                                      call->scratch, call->threads);
}

/* Pictures beside the result may lie anywhere, the others where y is no plain product. */
static bool steps(const struct gx_node *y, const struct gx_kernels *k, int input)
{
    struct work w = chosen(y, k);
    if (input >= 2)
        return gx_shape_equal(y->in[input]->shape, y->shape);
    return input < 1 && w.product == GX_CONV_Y && w.sizes.method != GX_CONV_GEMM;
}

/* ---- keeping what becomes of a picture ---- */

bool gx_conv2d_goes_on(const struct gx_node *y, const struct gx_node *before,
                       const struct gx_kernels *k)
{
    if (!gx_conv2d_by_winograd(y, k) || !gx_conv2d_by_winograd(before, k))
        return false;
    struct work a = chosen(before, k), b = chosen(y, k);
    const struct gx_conv_sizes *s = &a.sizes, *t = &b.sizes;
    bool alike = s->n == t->n && s->h == t->h && s->w == t->w && s->kh == t->kh && s->kw == t->kw &&
                 s->stride == t->stride && s->pad == t->pad && s->mirrored == t->mirrored &&
                 s->method == t->method && s->shuffled == t->shuffled;
    const struct gx_node *x = y->in[0];
    return a.product == GX_CONV_Y && b.product == GX_CONV_Y && alike && x->op == &gx_op_concat &&
           x->in[0] == before->in[0] && t->i > s->i;
}

size_t gx_conv2d_keeps(const struct gx_node *y, const struct gx_kernels *k, int threads,
                       int channels)
{
    struct work w = chosen(y, k);
    w.sizes.kept = channels;
    return k->winograd_keeps(&w.sizes, threads) ? k->winograd_scratch(&w.sizes, w.product, threads)
                                                : 0;
}

/* Counted as the direct method's, so that figures compare. */
static double flops(const struct gx_node *y)
{
    struct gx_conv_sizes s = work_of(y).sizes;
    return 2.0 * s.n * s.oh * s.ow * s.o * s.kh * s.kw * s.i;
}

/* ---- conv2d ---- */

static int conv2d_shape(struct gx_node *y, struct gx_err *err)
{
    const struct conv2d *a = y->attr;
    struct gx_shape x = y->in[0]->shape, w = y->in[1]->shape;
    int code = check(x, w, a, err);
    if (code)
        return code;
    y->shape = (struct gx_shape){x.n, out_size(x.h, w.n, a->stride, a->pad),
                                 out_size(x.w, w.h, a->stride, a->pad), w.c};
    return check_bias(y, err);
}

static struct gx_node *add_dx(struct gx_graph *g, struct gx_node *dy, struct gx_node *w,
                              struct gx_node *bias, const struct conv2d *a, int h, int width);
static struct gx_node *add_dw(struct gx_graph *g, struct gx_node *x, struct gx_node *dy,
                              const struct conv2d *a, int kh, int kw);
static struct gx_node *add_conv(struct gx_graph *g, struct gx_node *x, struct gx_node *w,
                                struct gx_node *bias, const struct conv2d *a);

enum { AXES_NHW = GX_AXIS_N | GX_AXIS_H | GX_AXIS_W };

static void bias_gradient(struct gx_graph *g, const struct gx_node *y, struct gx_node *dy,
                          const bool *need, struct gx_node **dx)
{
    if (y->inputs == 3 && need[2])
        dx[2] = gx_reshape(g, gx_sum(g, dy, AXES_NHW), y->in[2]->shape);
}

static void conv2d_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                            const bool *need, struct gx_node **dx)
{
    struct gx_node *x = y->in[0], *w = y->in[1];
    if (need[1])
        dx[1] = add_dw(g, x, dy, y->attr, w->shape.n, w->shape.h);
    bias_gradient(g, y, dy, need, dx);
    if (need[0])
        dx[0] = add_dx(g, dy, w, NULL, y->attr, x->shape.h, x->shape.w);
}

const struct gx_op gx_op_conv2d = {
    .name = "conv2d",
    .attr_size = sizeof(struct conv2d),
    .flags = GX_OP_HALF_1,
    .shape = conv2d_shape,
    .gradient = conv2d_gradient,
    .scratch = scratch,
    .forward = forward,
    .flops = flops,
    .steps = steps,
};

static struct gx_node *add_conv(struct gx_graph *g, struct gx_node *x, struct gx_node *w,
                                struct gx_node *bias, const struct conv2d *a)
{
    struct conv2d attr = {a->stride, a->pad, 0, 0};
    return gx_graph_add(g, &gx_op_conv2d, (struct gx_node *[]){x, w, bias}, bias ? 3 : 2, &attr);
}

struct gx_node *gx_conv2d(struct gx_graph *g, struct gx_node *x, struct gx_node *w,
                          struct gx_node *bias, struct gx_conv conv)
{
    struct conv2d a = {conv.stride, conv.pad, 0, 0};
    return add_conv(g, x, w, bias, &a);
}

/* ---- conv2d_dx ---- */

static int conv2d_dx_shape(struct gx_node *y, struct gx_err *err)
{
    const struct conv2d *a = y->attr;
    struct gx_shape dy = y->in[0]->shape, w = y->in[1]->shape;
    y->shape = (struct gx_shape){dy.n, a->h, a->w, w.w};
    if (dy.c != w.c)
        return gx_fail(err, GX_E_SHAPE, "transposed convolution of %d channels with weights for %d",
                       dy.c, w.c);
    int code = check(y->shape, w, a, err);
    if (code)
        return code;
    if (out_size(a->h, w.n, a->stride, a->pad) != dy.h ||
        out_size(a->w, w.h, a->stride, a->pad) != dy.w)
        return gx_fail(err, GX_E_SHAPE,
                       "a %d x %d picture cannot become %d x %d by this transposed "
                       "convolution",
                       dy.w, dy.h, a->w, a->h);
    return check_bias(y, err);
}

static void conv2d_dx_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *u,
                               const bool *need, struct gx_node **dx)
{
    struct gx_node *dy = y->in[0], *w = y->in[1];
    if (need[1])
        dx[1] = add_dw(g, u, dy, y->attr, w->shape.n, w->shape.h);
    bias_gradient(g, y, u, need, dx);
    if (need[0])
        dx[0] = add_conv(g, u, w, NULL, y->attr);
}

const struct gx_op gx_op_conv2d_dx = {
    .name = "conv2d_dx",
    .attr_size = sizeof(struct conv2d),
    .flags = GX_OP_HALF_1,
    .shape = conv2d_dx_shape,
    .gradient = conv2d_dx_gradient,
    .scratch = scratch,
    .forward = forward,
    .flops = flops,
};

static struct gx_node *add_dx(struct gx_graph *g, struct gx_node *dy, struct gx_node *w,
                              struct gx_node *bias, const struct conv2d *a, int h, int width)
{
    struct conv2d attr = {a->stride, a->pad, h, width};
    return gx_graph_add(g, &gx_op_conv2d_dx, (struct gx_node *[]){dy, w, bias}, bias ? 3 : 2,
                        &attr);
}

struct gx_node *gx_conv2d_transposed(struct gx_graph *g, struct gx_node *x, struct gx_node *w,
                                     struct gx_node *bias, struct gx_conv conv)
{
    struct conv2d a = {conv.stride, conv.pad, 0, 0};
    if (conv.output_padding < 0 || (conv.output_padding && conv.output_padding >= conv.stride))
        gx_graph_fail(g, GX_E_SHAPE, "output padding %d with stride %d", conv.output_padding,
                      conv.stride);
    int h = (x->shape.h - 1) * conv.stride - 2 * conv.pad + w->shape.n + conv.output_padding;
    int width = (x->shape.w - 1) * conv.stride - 2 * conv.pad + w->shape.h + conv.output_padding;
    return add_dx(g, x, w, bias, &a, h, width);
}

/* ---- conv2d_dw ---- */

static int conv2d_dw_shape(struct gx_node *y, struct gx_err *err)
{
    const struct conv2d *a = y->attr;
    struct gx_shape x = y->in[0]->shape, dy = y->in[1]->shape;
    y->shape = (struct gx_shape){a->h, a->w, x.c, dy.c};
    int code = check(x, y->shape, a, err);
    if (!code && (x.n != dy.n || out_size(x.h, a->h, a->stride, a->pad) != dy.h ||
                  out_size(x.w, a->w, a->stride, a->pad) != dy.w))
        code = gx_fail(err, GX_E_SHAPE, "the pictures of a weight gradient do not belong together");
    return code;
}

static void conv2d_dw_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *u,
                               const bool *need, struct gx_node **dx)
{
    struct gx_node *x = y->in[0], *dy = y->in[1];
    if (need[0])
        dx[0] = add_dx(g, dy, u, NULL, y->attr, x->shape.h, x->shape.w);
    if (need[1])
        dx[1] = add_conv(g, x, u, NULL, y->attr);
}

const struct gx_op gx_op_conv2d_dw = {
    .name = "conv2d_dw",
    .attr_size = sizeof(struct conv2d),
    .shape = conv2d_dw_shape,
    .gradient = conv2d_dw_gradient,
    .scratch = scratch,
    .forward = forward,
    .flops = flops,
};

static struct gx_node *add_dw(struct gx_graph *g, struct gx_node *x, struct gx_node *dy,
                              const struct conv2d *a, int kh, int kw)
{
    struct conv2d attr = {a->stride, a->pad, kh, kw};
    return gx_graph_add(g, &gx_op_conv2d_dw, (struct gx_node *[]){x, dy}, 2, &attr);
}

/* ---- conv2d_dw_both ---- */

/* Floats of its inputs k and k + 2 one after another, up to whole cache lines. */
static int64_t joined(const struct gx_node *y, int k)
{
    return (gx_count(y->in[k]->shape) + gx_count(y->in[k + 2]->shape) + 15) / 16 * 16;
}

static size_t dw_both_scratch(const struct gx_node *y, const struct gx_kernels *k, int threads)
{
    return (size_t)(joined(y, 0) + joined(y, 1)) * sizeof(float) + scratch(y, k, threads);
}

static void dw_both_forward(const struct gx_call *call)
{
    const struct gx_node *y = call->node;
    struct gx_call both = *call;
    float *to[4] = {call->scratch, (float *)call->scratch + joined(y, 0)};
    to[2] = to[0] + gx_count(y->in[0]->shape);
    to[3] = to[1] + gx_count(y->in[1]->shape);
#pragma omp parallel for schedule(static, 1) num_threads(call->threads)
    for (int i = 0; i < 4; i++)
        memcpy(to[i], call->x[i], (size_t)gx_count(y->in[i]->shape) * sizeof(float));
    both.x[0] = to[0];
    both.x[1] = to[1];
    both.scratch = to[1] + joined(y, 1);
    forward(&both);
}

const struct gx_op gx_op_conv2d_dw_both = {
    .name = "conv2d_dw_both",
    .attr_size = sizeof(struct conv2d),
    .shape = conv2d_dw_shape,
    .scratch = dw_both_scratch,
    .forward = dw_both_forward,
    .flops = flops,
};

bool gx_conv2d_dw_join(struct gx_graph *g, struct gx_node *sum)
{
    float unused;
    if (!gx_binary_is(sum, GX_ADD, &unused))
        return false;
    const struct gx_node *a = sum->in[0], *b = sum->in[1];
    if (a->op != &gx_op_conv2d_dw || b->op != &gx_op_conv2d_dw ||
        ((const struct conv2d *)a->attr)->mirrored ||
        memcmp(a->attr, b->attr, sizeof(struct conv2d)))
        return false;
    struct gx_node *in[] = {a->in[0], a->in[1], b->in[0], b->in[1]};
    int64_t pictures = 0;
    for (int i = 0; i < 4; i++)
        pictures += gx_count(in[i]->shape);
    for (int i = 0; i < 2; i++)
        if (in[i]->shape.h != in[i + 2]->shape.h || in[i]->shape.w != in[i + 2]->shape.w)
            return false;
    if (2 * pictures > gx_count(sum->shape)) /* they are copied, and so lie there twice */
        return false;
    gx_graph_replace(g, sum, &gx_op_conv2d_dw_both, in, 4, a->attr);
    return true;
}

/* ---- conv2d_then, conv2d_dx_then ---- */

const struct gx_op gx_op_conv2d_then = {
    .name = "conv2d_then",
    .attr_size = sizeof(struct conv2d_then),
    .flags = GX_OP_HALF_1,
    .shape = conv2d_shape,
    .scratch = scratch,
    .forward = forward,
    .flops = flops,
    .steps = steps,
};

const struct gx_op gx_op_conv2d_dx_then = {
    .name = "conv2d_dx_then",
    .attr_size = sizeof(struct conv2d_then),
    .flags = GX_OP_HALF_1,
    .shape = conv2d_dx_shape,
    .scratch = scratch,
    .forward = forward,
    .flops = flops,
    .steps = steps,
};

bool gx_conv2d_become(struct gx_graph *g, struct gx_node *node, const struct gx_node *conv,
                      const struct gx_then *then)
{
    struct conv2d_then a = {*(const struct conv2d *)conv->attr, conv->inputs == 3, *then};
    struct gx_node *in[GX_INPUTS_MAX] = {conv->in[0], conv->in[1], conv->in[2]};
    int inputs = gx_then_inputs(then, in, conv->inputs);
    if (inputs > GX_INPUTS_MAX)
        return false;
    bool forwards = conv->op == &gx_op_conv2d;
    gx_graph_replace(g, node, forwards ? &gx_op_conv2d_then : &gx_op_conv2d_dx_then, in, inputs,
                     &a);
    return true;
}

bool gx_conv2d_shuffles(const struct gx_node *node, const struct gx_kernels *kernels)
{
    if (node->op != &gx_op_conv2d)
        return false;
    struct work w = chosen(node, kernels);
    return winograd(&w) && gx_winograd_shuffles(&w.sizes);
}

/* ---- reflection ---- */

/* How far the picture is reflected on every side; 0: not on every side alike. */
static int reflected(const struct gx_node *x)
{
    const struct gx_pad *p = x->attr;
    bool same = x->op == &gx_op_reflect && p->left == p->top && p->bottom == p->top &&
                p->right == p->top && p->top < x->in[0]->shape.h && p->top < x->in[0]->shape.w;
    return same ? p->top : 0;
}

/* The node that mirrors what this one reads reflected. */
static struct gx_node mirroring(const struct gx_node *node, struct conv2d *attr)
{
    struct gx_node same = *node;
    *attr = *(const struct conv2d *)node->attr;
    attr->pad = reflected(node->in[0]);
    attr->mirrored = true;
    same.in[0] = node->in[0]->in[0];
    same.attr = attr;
    return same;
}

bool gx_conv2d_mirrors(const struct gx_node *node, const struct gx_kernels *kernels)
{
    struct conv2d attr;
    bool reads = (node->op == &gx_op_conv2d || node->op == &gx_op_conv2d_dw) &&
                 reflected(node->in[0]) && node->in[0] != node->in[1] &&
                 !((const struct conv2d *)node->attr)->pad;
    if (!reads)
        return false;
    struct gx_node same = mirroring(node, &attr);
    return chosen(&same, kernels).sizes.method != GX_CONV_GEMM;
}

void gx_conv2d_mirror(struct gx_graph *g, struct gx_node *node)
{
    struct conv2d attr;
    struct gx_node same = mirroring(node, &attr);
    gx_graph_replace(g, node, node->op, same.in, same.inputs, &attr);
}
