#include "loss/loss.h"

struct gx_node *gx_feature_loss(struct gx_graph *g, struct gx_node *x, struct gx_node *target,
                                const struct gx_pixel_loss *kind)
{
    return kind->build(g, x, gx_stop_gradient(g, target));
}

/* (n,h,w,c) -> (n,1,c,c). */
static struct gx_node *gram(struct gx_graph *g, struct gx_node *x)
{
    struct gx_shape s = x->shape;
    struct gx_node *rows = gx_reshape(g, x, (struct gx_shape){s.n, 1, s.h * s.w, s.c});
    float rate = (float)(1 / ((double)s.c * s.h * s.w));
    return gx_scale(g, gx_matmul(g, rows, rows, true, false), rate);
}

struct gx_node *gx_style_loss(struct gx_graph *g, struct gx_node *x, struct gx_node *target,
                              const struct gx_pixel_loss *kind)
{
    return kind->build(g, gram(g, x), gx_stop_gradient(g, gram(g, target)));
}
