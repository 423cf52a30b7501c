/* Adversarial objectives that judge real and generated pictures each on their own. With s(v) =
 * log(1 + e^v) and E the mean over every element:
 *
 *                      discriminator                        generator
 *   non_saturating     E s(-r) + E s(f)                     E s(-f)        Goodfellow 2014
 *   minimax            the same                             -E s(f)        Goodfellow 2014
 *   max_likelihood     the same                             -E e^f         Goodfellow 2016
 *   lsgan              E (r-1)^2 + E f^2                    E (f-1)^2      Mao 2017
 *   hinge              E max(0, 1-r) + E max(0, 1+f)        -E f           Lim 2017, Miyato 2018
 *   wgan, wgan_gp      -E r + E f                           -E f           Arjovsky, Gulrajani 2017
 *
 * No factor 1/2: families weigh the discriminator themselves. */
#include "loss/loss.h"

/* ---- binary cross-entropy with logits, labels 1 and 0; three generators ---- */

static void cross_entropy_d(struct gx_graph *g, struct gx_node *r, struct gx_node *f,
                            struct gx_node **real, struct gx_node **fake)
{
    *real = gx_expect(g, gx_softplus(g, gx_scale(g, r, -1)));
    *fake = gx_expect(g, gx_softplus(g, f));
}

static struct gx_node *non_saturating_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)
{
    (void)r;
    return gx_expect(g, gx_softplus(g, gx_scale(g, f, -1)));
}

const struct gx_adversarial gx_adversarial_non_saturating = {
    .name = "non_saturating",
    .alias = "vanilla",
    .help = "binary cross-entropy; the generator maximises what is taken for real",
    .discriminator = cross_entropy_d,
    .generator = non_saturating_g,
    .targets = GX_TARGETS_ENTROPY,
};

/* The zero-sum game: no gradient is left for the generator once the discriminator is sure. */
static struct gx_node *minimax_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)
{
    (void)r;
    return gx_scale(g, gx_expect(g, gx_softplus(g, f)), -1);
}

const struct gx_adversarial gx_adversarial_minimax = {
    .name = "minimax",
    .help = "binary cross-entropy; the generator undoes what the discriminator minimises",
    .discriminator = cross_entropy_d,
    .generator = minimax_g,
    .targets = GX_TARGETS_ENTROPY,
};

/* e^f = D / (1 - D), with D the sigmoid of f (NIPS 2016 tutorial, 3.2.4). */
static struct gx_node *max_likelihood_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)
{
    (void)r;
    return gx_scale(g, gx_expect(g, gx_exp(g, f)), -1);
}

const struct gx_adversarial gx_adversarial_max_likelihood = {
    .name = "max_likelihood",
    .help = "binary cross-entropy; the generator's gradient is that of maximum likelihood",
    .discriminator = cross_entropy_d,
    .generator = max_likelihood_g,
    .targets = GX_TARGETS_ENTROPY,
};

/* ---- least squares ---- */

static void lsgan_d(struct gx_graph *g, struct gx_node *r, struct gx_node *f, struct gx_node **real,
                    struct gx_node **fake)
{
    *real = gx_expect(g, gx_square(g, gx_affine(g, r, 1, -1)));
    *fake = gx_expect(g, gx_square(g, f));
}

static struct gx_node *lsgan_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)
{
    (void)r;
    return gx_expect(g, gx_square(g, gx_affine(g, f, 1, -1)));
}

const struct gx_adversarial gx_adversarial_lsgan = {
    .name = "lsgan",
    .help = "squared distance to 1 for real and 0 for generated",
    .discriminator = lsgan_d,
    .generator = lsgan_g,
    .targets = GX_TARGETS_SQUARES,
};

/* ---- hinge ---- */

static void hinge_d(struct gx_graph *g, struct gx_node *r, struct gx_node *f, struct gx_node **real,
                    struct gx_node **fake)
{
    *real = gx_expect(g, gx_relu(g, gx_affine(g, r, -1, 1)));
    *fake = gx_expect(g, gx_relu(g, gx_affine(g, f, 1, 1)));
}

/* -E f, the critic's view: the generator of hinge, wgan and wgan_gp. */
static struct gx_node *critic_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)
{
    (void)r;
    return gx_scale(g, gx_expect(g, f), -1);
}

const struct gx_adversarial gx_adversarial_hinge = {
    .name = "hinge",
    .help = "nothing more to gain beyond a margin of 1",
    .discriminator = hinge_d,
    .generator = critic_g,
};

/* ---- Wasserstein ---- */

static void wgan_d(struct gx_graph *g, struct gx_node *r, struct gx_node *f, struct gx_node **real,
                   struct gx_node **fake)
{
    *real = gx_scale(g, gx_expect(g, r), -1);
    *fake = gx_expect(g, f);
}

const struct gx_adversarial gx_adversarial_wgan = {
    .name = "wgan",
    .help = "Wasserstein distance, for a critic with clipped weights",
    .discriminator = wgan_d,
    .generator = critic_g,
};

const struct gx_adversarial gx_adversarial_wgan_gp = {
    .name = "wgan_gp",
    .alias = "wgangp",
    .help = "Wasserstein distance, for a critic held to slope 1 by a gradient penalty",
    .discriminator = wgan_d,
    .generator = critic_g,
    .gradient_penalty = true,
};
