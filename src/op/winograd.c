/* Winograd's method for 3x3 convolutions with stride 1, put in by the plan after differentiation.
 *
 * winograd_weights: w(3,3,i,o) -> u(1,36,i,o) for conv2d; (1,36,o,i), rotated, for conv2d_dx
 * winograd_conv:    x, u (+ bias) -> y, or g, u (+ bias) -> dx
 * The weight gradient chooses its method itself (conv2d.c).
 * gradient: none: only what was differentiated before is replaced
 * parity: conv2d's, 3e-5 of max|y|
 * source: Lavin and Gray 2016, F(4x4, 3x3) */
#include "op/conv2d.h"

struct weights {
    enum gx_conv_product product;
};

struct winograd {
    enum gx_conv_product product;
    struct gx_conv_sizes sizes;
};

static int weights_shape(struct gx_node *u, struct gx_err *err)
{
    (void)err;
    struct gx_shape w = u->in[0]->shape;
    bool forward = gx_winograd_product(u) == GX_CONV_Y;
    u->shape = (struct gx_shape){1, 36, forward ? w.w : w.c, forward ? w.c : w.w};
    return 0;
}

static void weights_forward(const struct gx_call *call)
{
    struct gx_shape w = call->node->in[0]->shape;
    struct gx_conv_sizes s = {.i = w.w, .o = w.c, .kh = w.n, .kw = w.h, .stride = 1};
    call->kernels->winograd_weights(&s, gx_winograd_product(call->node), call->x[0], call->y,
                                    call->threads);
}

const struct gx_op gx_op_winograd_weights = {
    .name = "winograd_weights",
    .attr_size = sizeof(struct weights),
    .shape = weights_shape,
    .forward = weights_forward,
};

static int winograd_shape(struct gx_node *y, struct gx_err *err)
{
    (void)err;
    const struct winograd *a = y->attr;
    const struct gx_conv_sizes *s = &a->sizes;
    y->shape = a->product == GX_CONV_Y ? (struct gx_shape){s->n, s->oh, s->ow, s->o}
                                       : (struct gx_shape){s->n, s->h, s->w, s->i};
    return 0;
}

static size_t winograd_scratch(const struct gx_node *y, const struct gx_kernels *k, int threads)
{
    const struct winograd *a = y->attr;
    return k->winograd_scratch(&a->sizes, a->product, threads);
}

static void winograd_forward(const struct gx_call *call)
{
    const struct winograd *a = call->node->attr;
    call->kernels->winograd_conv(&a->sizes, a->product, call->x[0], call->x[1],
                                 call->node->inputs == 3 ? call->x[2] : NULL, call->y,
                                 call->scratch, call->threads);
}

/* Counted as the direct method's, so that figures compare. */
static double winograd_flops(const struct gx_node *y)
{
    return 2.0 * 9 * (double)gx_count(y->shape) * y->in[0]->shape.c;
}

const struct gx_op gx_op_winograd_conv = {
    .name = "winograd_conv",
    .attr_size = sizeof(struct winograd),
    .shape = winograd_shape,
    .scratch = winograd_scratch,
    .forward = winograd_forward,
    .flops = winograd_flops,
};

static struct gx_conv_sizes sizes_of(const struct gx_node *conv)
{
    return conv->op == &gx_op_conv2d ? gx_conv2d_sizes(conv) : gx_conv2d_dx_sizes(conv);
}

bool gx_conv_wants_winograd(const struct gx_node *node, const struct gx_kernels *kernels,
                            enum gx_conv_product *product)
{
    if (node->op != &gx_op_conv2d && node->op != &gx_op_conv2d_dx)
        return false;
    *product = node->op == &gx_op_conv2d ? GX_CONV_Y : GX_CONV_DX;
    struct gx_conv_sizes s = sizes_of(node);
    return kernels->conv2d_method(&s, *product) == GX_CONV_WINOGRAD;
}

enum gx_conv_product gx_winograd_product(const struct gx_node *weights)
{
    return ((const struct weights *)weights->attr)->product;
}

struct gx_node *gx_winograd_weights_node(struct gx_graph *g, struct gx_node *w,
                                         enum gx_conv_product product)
{
    struct weights a = {product};
    return gx_graph_add(g, &gx_op_winograd_weights, &w, 1, &a);
}

void gx_winograd_replace(struct gx_graph *g, struct gx_node *conv, struct gx_node *u,
                         enum gx_conv_product product)
{
    struct winograd a = {product, sizes_of(conv)};
    struct gx_node *in[3] = {conv->in[0], u, conv->in[2]};
    /* A node made for its settings and then moved into the place of the one that others read. */
    struct gx_node *made = gx_graph_add(g, &gx_op_winograd_conv, in, conv->inputs, &a);
    conv->op = made->op;
    conv->attr = made->attr;
    conv->in[1] = u;
}
