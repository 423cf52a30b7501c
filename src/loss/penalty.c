/* Gradient penalties: a loss made of another gradient, which the graph differentiates once more.
 * Gulrajani et al. 2017, "Improved training of Wasserstein GANs"; one-sided there in section 4;
 * around 0 as Mescheder et al. 2018, "Which training methods for GANs do actually converge?". */
#include "ganx/loss.h"

struct gx_node *gx_interpolate(struct gx_graph *g, struct gx_node *real, struct gx_node *fake)
{
    struct gx_node *a = gx_uniform(g, (struct gx_shape){real->shape.n, 1, 1, 1}, 0, 1);
    struct gx_node *mixed = gx_add(g, fake, gx_mul(g, a, gx_sub(g, real, fake)));
    return gx_stop_gradient(g, mixed);
}

/* || d sum(y) / dx ||^2 for each picture; NULL where y does not depend on x. */
static struct gx_node *squared_norm(struct gx_graph *g, struct gx_node *y, struct gx_node *x)
{
    struct gx_node *dx = NULL;
    gx_gradients(g, gx_sum(g, y, GX_AXES_ALL), NULL, &x, 1, &dx);
    return dx ? gx_sum(g, gx_square(g, dx), GX_AXIS_H | GX_AXIS_W | GX_AXIS_C) : NULL;
}

struct gx_node *gx_gradient_norm(struct gx_graph *g, struct gx_node *y, struct gx_node *x)
{
    struct gx_node *square = squared_norm(g, y, x);
    if (!square)
        return gx_constant(g, (struct gx_shape){x->shape.n, 1, 1, 1}, 0);
    /* So little that no norm above 1e-6 notices, but a norm of 0 keeps a gradient of 0, not NaN. */
    return gx_sqrt(g, gx_affine(g, square, 1, 1e-16F));
}

struct gx_node *gx_gradient_penalty(struct gx_graph *g, struct gx_node *y, struct gx_node *x,
                                    float centre, bool one_sided)
{
    struct gx_node *square = centre == 0 ? squared_norm(g, y, x) : NULL;
    if (!square) { /* around another centre, or there is no gradient */
        struct gx_node *above = gx_affine(g, gx_gradient_norm(g, y, x), 1, -centre);
        square = gx_square(g, one_sided ? gx_relu(g, above) : above);
    }
    return gx_mean(g, square, GX_AXES_ALL);
}
