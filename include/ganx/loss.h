/* Losses: graph nodes of one value (1,1,1,1), means over every element.
 *
 * An adversarial objective says what the discriminator and the generator minimise, given the
 * discriminator's raw outputs (no sigmoid): r on real and f on generated pictures, of any equal
 * shape. The formulas are rows of src/loss/list.h; each stays finite, with its gradient, for
 * outputs up to 1e4, but for those that are exponential by nature (max_likelihood, f_kl,
 * f_reverse_kl, f_hellinger): they overflow to infinity beyond 88. */
#ifndef GANX_LOSS_H
#define GANX_LOSS_H

#include "ganx/graph.h"

enum gx_target_kind {
    GX_TARGETS_NONE,
    GX_TARGETS_ENTROPY, /* 1 for real and 0 for generated pictures: may be smoothed */
    GX_TARGETS_SQUARES  /* any labels */
};

struct gx_adversarial {
    const char *name;
    const char *alias; /* another name, or NULL */
    const char *help;
    /* The discriminator's loss in two parts, logged as D_real and D_fake; it minimises their sum
     * (times what the family weighs it by), plus the gradient penalty. */
    void (*discriminator)(struct gx_graph *g, struct gx_node *r, struct gx_node *f,
                          struct gx_node **real, struct gx_node **fake);
    /* The generator's loss. r may be NULL where generator_needs_real is false. */
    struct gx_node *(*generator)(struct gx_graph *g, struct gx_node *r, struct gx_node *f);
    bool generator_needs_real;
    bool gradient_penalty; /* the objective includes gx_gradient_penalty */
    enum gx_target_kind targets;
};

const struct gx_adversarial *gx_adversarial_find(const char *name); /* or alias; NULL: none */
const struct gx_adversarial *gx_adversarial_at(int i);              /* NULL past the end */

/* Labels other than the rows' own, where a row has labels: real pictures of cross-entropy have 1 -
 * smooth (Salimans et al. 2016); least squares have the three below, the real one lowered by smooth
 * (Mao et al. 2017: 0 1 1, or -1 1 0). */
struct gx_targets {
    float smooth;
    float fake, real; /* what the discriminator calls generated and real pictures */
    float wanted;     /* what the generator wants to hear */
};
/* A row's discriminator and generator with these labels. */
void gx_adversarial_judge(const struct gx_adversarial *a, const struct gx_targets *t,
                          struct gx_graph *g, struct gx_node *r, struct gx_node *f,
                          struct gx_node **real, struct gx_node **fake);
struct gx_node *gx_adversarial_fool(const struct gx_adversarial *a, const struct gx_targets *t,
                                    struct gx_graph *g, struct gx_node *r, struct gx_node *f);

/* Orthogonal regularisation (Brock et al. 2019, "Large scale GAN training"): the sum over
 * all convolutions of || W^T W o (1 - I) ||_F^2, the products of different filters. A filter is all
 * that one output channel weighs, transposed or not. */
struct gx_params;
struct gx_node *gx_orthogonality(struct gx_graph *g, const struct gx_params *params);

/* a real + (1 - a) fake, a uniform in [0, 1) for each picture. No gradient reaches either. */
struct gx_node *gx_interpolate(struct gx_graph *g, struct gx_node *real, struct gx_node *fake);

/* || d sum(y) / dx || over (h,w,c): (n,1,1,1). 0 where y does not depend on x. Gulrajani 2017 asks
 * for the gradient of each picture's own output; with batch norm the outputs of the others move too
 * and are counted, as in the reference implementations. */
struct gx_node *gx_gradient_norm(struct gx_graph *g, struct gx_node *y, struct gx_node *x);

/* The mean over the batch of (norm - centre)^2, or one-sided max(0, norm - centre)^2: y is D(x). On
 * interpolates with centre 1 it is Gulrajani's, on real pictures with centre 0 twice the R1 of
 * Mescheder 2018. The caller multiplies by lambda. */
struct gx_node *gx_gradient_penalty(struct gx_graph *g, struct gx_node *y, struct gx_node *x,
                                    float centre, bool one_sided);

/* ---- pixel losses: x and its target, of equal shape ---- */

struct gx_pixel_loss {
    const char *name, *alias, *help;
    struct gx_node *(*build)(struct gx_graph *g, struct gx_node *x, struct gx_node *target);
};

const struct gx_pixel_loss *gx_pixel_loss_find(const char *name);
const struct gx_pixel_loss *gx_pixel_loss_at(int i);

/* ---- perceptual losses: one layer's features of a picture and of its target (n,h,w,c) ----
 *
 * Features come from a network that is not trained (VGG; src/net/vgg.h). No gradient reaches the
 * target's. The caller weighs layers and adds them up. */

/* The row's mean over the features: Johnson et al. 2016 with "l2", BasicSR's PerceptualLoss with
 * criterion l1 or mse. */
struct gx_node *gx_feature_loss(struct gx_graph *g, struct gx_node *x, struct gx_node *target,
                                const struct gx_pixel_loss *kind);
/* The same of the Gram matrices (c,c) of each picture, sum over positions of f f^T / (c h w)
 * (Johnson et al. 2016, "Perceptual losses for real-time style transfer", equation 3). It is a mean
 * over the matrix: with "l2" theirs divided by c^2, and BasicSR's style loss as it is. Sizes of x
 * and target may differ, channels not. */
struct gx_node *gx_style_loss(struct gx_graph *g, struct gx_node *x, struct gx_node *target,
                              const struct gx_pixel_loss *kind);

#endif
