/* Pixel losses: the mean over every element of a distance. Parity: torch.nn.L1Loss, MSELoss and
 * SmoothL1Loss(beta=1); BasicSR's CharbonnierLoss(eps=1e-12). */
#include "loss/loss.h"

static struct gx_node *l1(struct gx_graph *g, struct gx_node *x, struct gx_node *target)
{
    return gx_expect(g, gx_abs(g, gx_sub(g, x, target)));
}

const struct gx_pixel_loss gx_pixel_loss_l1 = {
    .name = "l1",
    .alias = "mae",
    .help = "absolute difference",
    .build = l1,
};

static struct gx_node *l2(struct gx_graph *g, struct gx_node *x, struct gx_node *target)
{
    return gx_expect(g, gx_square(g, gx_sub(g, x, target)));
}

const struct gx_pixel_loss gx_pixel_loss_l2 = {
    .name = "l2",
    .alias = "mse",
    .help = "squared difference",
    .build = l2,
};

/* d^2 / 2 below 1, d - 1/2 above: both are m (d - m / 2) with m = min(d, 1). */
static struct gx_node *smooth_l1(struct gx_graph *g, struct gx_node *x, struct gx_node *target)
{
    struct gx_node *d = gx_abs(g, gx_sub(g, x, target));
    struct gx_node *m = gx_clamp(g, d, 0, 1);
    return gx_expect(g, gx_mul(g, m, gx_sub(g, d, gx_scale(g, m, 0.5F))));
}

const struct gx_pixel_loss gx_pixel_loss_smooth_l1 = {
    .name = "smooth_l1",
    .alias = "huber",
    .help = "squared near 0, absolute beyond 1",
    .build = smooth_l1,
};

/* sqrt(d^2 + eps), eps as it stands (Charbonnier et al. 1994; Lai et al. 2017 for pictures). */
static struct gx_node *charbonnier(struct gx_graph *g, struct gx_node *x, struct gx_node *target)
{
    const float eps = 1e-12F;
    struct gx_node *squared = gx_square(g, gx_sub(g, x, target));
    return gx_expect(g, gx_sqrt(g, gx_affine(g, squared, 1, eps)));
}

const struct gx_pixel_loss gx_pixel_loss_charbonnier = {
    .name = "charbonnier",
    .help = "absolute difference, smooth at 0",
    .build = charbonnier,
};
