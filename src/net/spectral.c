#include "net/spectral.h"

#include <stdio.h>

/* x / max(|x|, 1e-12) */
static struct gx_node *normalised(struct gx_graph *g, struct gx_node *x)
{
    struct gx_node *norm = gx_sqrt(g, gx_sum(g, gx_square(g, x), GX_AXES_ALL));
    return gx_div(g, x, gx_max(g, norm, gx_constant(g, norm->shape, 1e-12F)));
}

/* The order of v: (i,kh,kw) where it is kept, as torch has it; (kh,kw,i), as a column, where it is
 * multiplied. */
static struct gx_node *v_to_column(struct gx_graph *g, struct gx_node *v, struct gx_shape w)
{
    v = gx_reshape(g, v, (struct gx_shape){1, w.w, w.n, w.h});
    v = gx_permute(g, v, (const int[]){0, 2, 3, 1});
    return gx_reshape(g, v, (struct gx_shape){1, 1, w.n * w.h * w.w, 1});
}

static struct gx_node *v_from_column(struct gx_graph *g, struct gx_node *v, struct gx_shape w)
{
    v = gx_reshape(g, v, (struct gx_shape){1, w.n, w.h, w.w});
    return gx_permute(g, v, (const int[]){0, 3, 1, 2});
}

static struct gx_param *declare(const struct gx_build *b, const char *name, const char *part,
                                enum gx_param_kind kind, struct gx_shape shape)
{
    char key[256];
    snprintf(key, sizeof key, "%s.%s", name, part);
    return gx_params_declare(b->params, key, kind, shape);
}

/* Both as they are now, as a column of v and a row of u: a copy, because a later training pass may
 * move them before a gradient reads them. */
static void stored(struct gx_graph *g, struct gx_param *pu, struct gx_param *pv, struct gx_shape w,
                   struct gx_node **u, struct gx_node **v)
{
    *u = gx_affine(g, gx_parameter(g, pu), 1, 0);
    *v = v_to_column(g, gx_affine(g, gx_parameter(g, pv), 1, 0), w);
}

/* One power iteration. m is (1,1,i kh kw,o), so W^T u is m u and W v is m^T v. */
static void iterate(struct gx_graph *g, struct gx_node *m, struct gx_param *pu, struct gx_param *pv,
                    struct gx_shape w, struct gx_node **u, struct gx_node **v)
{
    m = gx_stop_gradient(g, m);
    *v = normalised(g, gx_matmul(g, m, gx_parameter(g, pu), false, true));
    *u = normalised(g, gx_matmul(g, *v, m, true, false));
    gx_update_average(g, pu, *u, 1);
    gx_update_average(g, pv, v_from_column(g, *v, w), 1);
}

struct gx_node *gx_spectral_weight(const struct gx_build *b, struct gx_shape shape,
                                   const char *name)
{
    struct gx_graph *g = b->graph;
    int columns = shape.n * shape.h * shape.w;
    struct gx_param *weight = declare(b, name, "weight_orig", GX_PARAM_CONV, shape);
    struct gx_param *pu =
        declare(b, name, "weight_u", GX_PARAM_STATE, (struct gx_shape){1, 1, 1, shape.c});
    struct gx_param *pv =
        declare(b, name, "weight_v", GX_PARAM_STATE, (struct gx_shape){1, 1, 1, columns});
    struct gx_node *w = gx_parameter(g, weight), *u, *v;
    if (gx_graph_check(g, NULL))
        return w;
    struct gx_node *m = gx_reshape(g, w, (struct gx_shape){1, 1, columns, shape.c});
    if (b->update_running)
        iterate(g, m, pu, pv, shape, &u, &v);
    else
        stored(g, pu, pv, shape, &u, &v);
    struct gx_node *sigma = gx_sum(g, gx_mul(g, u, gx_matmul(g, v, m, true, false)), GX_AXES_ALL);
    return gx_name(g, gx_div(g, w, sigma), "%s.weight", name);
}
