/* Relativistic objectives (Jolicoeur-Martineau 2018, "The relativistic discriminator"): real and
 * generated pictures are judged against each other, so the generator's loss needs r as well. With
 * s(v) = log(1 + e^v) and E the mean over every element:
 *
 *                                real part (D_real)      fake part (D_fake)
 *   relativistic              D  1/2 E s(f-r)            1/2 E s(f-r)
 *                             G  E s(r-f), undivided
 *   relativistic_average      D  E s(-(r-Ef))            E s(f-Er)
 *                             G  E s(r-Ef)               E s(-(f-Er))
 *   .. _esrgan                   the same, every term halved (Wang et al. 2018, as in BasicSR)
 *   .. _lsgan                 D  E (r-Ef-1)^2            E (f-Er+1)^2
 *                             G  E (r-Ef+1)^2            E (f-Er-1)^2
 *   .. _hinge                 D  E max(0, 1-(r-Ef))      E max(0, 1+(f-Er))
 *                             G  E max(0, 1+(r-Ef))      E max(0, 1-(f-Er))
 *
 * `relativistic` judges pairs in one term, of which either part is half. Gradients flow through the
 * means too, but in the discriminator's turn of _esrgan, where they are constants. */
#include "loss/loss.h"

/* a - E b */
static struct gx_node *above_mean(struct gx_graph *g, struct gx_node *a, struct gx_node *b)
{
    return gx_sub(g, a, gx_expect(g, b));
}

/* ---- pairs ---- */

static void relativistic_d(struct gx_graph *g, struct gx_node *r, struct gx_node *f,
                           struct gx_node **real, struct gx_node **fake)
{
    struct gx_node *loss = gx_expect(g, gx_softplus(g, gx_sub(g, f, r)));
    *real = gx_scale(g, loss, 0.5F);
    *fake = gx_scale(g, loss, 0.5F);
}

static struct gx_node *relativistic_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)
{
    return gx_expect(g, gx_softplus(g, gx_sub(g, r, f)));
}

const struct gx_adversarial gx_adversarial_relativistic = {
    .name = "relativistic",
    .help = "cross-entropy of real against generated, by pairs",
    .discriminator = relativistic_d,
    .generator = relativistic_g,
    .generator_needs_real = true,
};

/* ---- against the other side's mean: cross-entropy ---- */

static struct gx_node *entropy_above(struct gx_graph *g, struct gx_node *v)
{
    return gx_expect(g, gx_softplus(g, gx_scale(g, v, -1)));
}

static struct gx_node *entropy_below(struct gx_graph *g, struct gx_node *v)
{
    return gx_expect(g, gx_softplus(g, v));
}

static void average_d(struct gx_graph *g, struct gx_node *r, struct gx_node *f,
                      struct gx_node **real, struct gx_node **fake)
{
    *real = entropy_above(g, above_mean(g, r, f));
    *fake = entropy_below(g, above_mean(g, f, r));
}

static struct gx_node *average_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)
{
    return gx_add(g, entropy_below(g, above_mean(g, r, f)), entropy_above(g, above_mean(g, f, r)));
}

const struct gx_adversarial gx_adversarial_relativistic_average = {
    .name = "relativistic_average",
    .help = "cross-entropy against the mean of the other side",
    .discriminator = average_d,
    .generator = average_g,
    .generator_needs_real = true,
};

static void average_esrgan_d(struct gx_graph *g, struct gx_node *r, struct gx_node *f,
                             struct gx_node **real, struct gx_node **fake)
{
    struct gx_node *against_fake = above_mean(g, r, gx_stop_gradient(g, f));
    struct gx_node *against_real = above_mean(g, f, gx_stop_gradient(g, r));
    *real = gx_scale(g, entropy_above(g, against_fake), 0.5F);
    *fake = gx_scale(g, entropy_below(g, against_real), 0.5F);
}

static struct gx_node *average_esrgan_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)
{
    return gx_scale(g, average_g(g, r, f), 0.5F);
}

const struct gx_adversarial gx_adversarial_relativistic_average_esrgan = {
    .name = "relativistic_average_esrgan",
    .help = "relativistic_average as ESRGAN halves it, with constant means for the discriminator",
    .discriminator = average_esrgan_d,
    .generator = average_esrgan_g,
    .generator_needs_real = true,
};

/* ---- against the other side's mean: least squares to 1 and -1 ---- */

static struct gx_node *square_to(struct gx_graph *g, struct gx_node *v, float target)
{
    return gx_expect(g, gx_square(g, gx_affine(g, v, 1, -target)));
}

static void average_lsgan_d(struct gx_graph *g, struct gx_node *r, struct gx_node *f,
                            struct gx_node **real, struct gx_node **fake)
{
    *real = square_to(g, above_mean(g, r, f), 1);
    *fake = square_to(g, above_mean(g, f, r), -1);
}

static struct gx_node *average_lsgan_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)
{
    return gx_add(g, square_to(g, above_mean(g, r, f), -1), square_to(g, above_mean(g, f, r), 1));
}

const struct gx_adversarial gx_adversarial_relativistic_average_lsgan = {
    .name = "relativistic_average_lsgan",
    .help = "squared distance to 1 above the mean of the other side, and to 1 below it",
    .discriminator = average_lsgan_d,
    .generator = average_lsgan_g,
    .generator_needs_real = true,
};

/* ---- against the other side's mean: hinge ---- */

/* E max(0, 1 + sign v) */
static struct gx_node *margin(struct gx_graph *g, struct gx_node *v, float sign)
{
    return gx_expect(g, gx_relu(g, gx_affine(g, v, sign, 1)));
}

static void average_hinge_d(struct gx_graph *g, struct gx_node *r, struct gx_node *f,
                            struct gx_node **real, struct gx_node **fake)
{
    *real = margin(g, above_mean(g, r, f), -1);
    *fake = margin(g, above_mean(g, f, r), 1);
}

static struct gx_node *average_hinge_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)
{
    return gx_add(g, margin(g, above_mean(g, r, f), 1), margin(g, above_mean(g, f, r), -1));
}

const struct gx_adversarial gx_adversarial_relativistic_average_hinge = {
    .name = "relativistic_average_hinge",
    .help = "a margin of 1 to the mean of the other side",
    .discriminator = average_hinge_d,
    .generator = average_hinge_g,
    .generator_needs_real = true,
};
