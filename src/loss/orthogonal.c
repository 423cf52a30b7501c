#include "ganx/loss.h"

#include "ganx/params.h"

/* || W^T W ||_F^2 without the diagonal, whose entries are the filters' squared lengths. w is
 * (kh,kw,i,o); a transposed convolution's filters are its third dimension. */
static struct gx_node *between_filters(struct gx_graph *g, struct gx_node *w, bool transposed)
{
    struct gx_shape s = w->shape;
    struct gx_node *products, *lengths;
    if (transposed) {
        products = gx_sum(g, gx_matmul(g, w, w, false, true), GX_AXIS_N | GX_AXIS_H);
        lengths = gx_sum(g, gx_square(g, w), GX_AXIS_N | GX_AXIS_H | GX_AXIS_C);
    } else {
        struct gx_node *m = gx_reshape(g, w, (struct gx_shape){1, 1, s.n * s.h * s.w, s.c});
        products = gx_matmul(g, m, m, true, false);
        lengths = gx_sum(g, gx_square(g, m), GX_AXIS_W);
    }
    return gx_sub(g, gx_sum(g, gx_square(g, products), GX_AXES_ALL),
                  gx_sum(g, gx_square(g, lengths), GX_AXES_ALL));
}

struct gx_node *gx_orthogonality(struct gx_graph *g, const struct gx_params *params)
{
    struct gx_node *sum = NULL;
    for (int i = 0; i < params->count; i++) {
        struct gx_param *p = params->param[i];
        if (p->kind != GX_PARAM_CONV && p->kind != GX_PARAM_CONV_TRANSPOSED)
            continue;
        struct gx_node *one =
            between_filters(g, gx_parameter(g, p), p->kind == GX_PARAM_CONV_TRANSPOSED);
        sum = sum ? gx_add(g, sum, one) : one;
    }
    return sum ? sum : gx_constant(g, (struct gx_shape){1, 1, 1, 1}, 0);
}
