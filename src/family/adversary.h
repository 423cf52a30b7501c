/* What every family asks of its discriminators: judging in their own turn, and being fooled in the
 * generator's. The objective, its labels, the penalty, the noise and what else keeps D in bounds
 * come from the configuration here, so that each works with every family. */
#ifndef GX_FAMILY_ADVERSARY_H
#define GX_FAMILY_ADVERSARY_H

#include "family/family.h"

struct gx_verdict {
    struct gx_node *real[GX_OUTPUTS_MAX], *fake[GX_OUTPUTS_MAX]; /* D's outputs; [0] is r and f */
    struct gx_node *d_real, *d_fake;                             /* the objective's two parts */
    struct gx_node *penalty;                                     /* times its weight; NULL: none */
    struct gx_node *loss; /* what D minimises: loss.d (d_real + d_fake) + penalty */
};

/* The discriminator's turn: `net` sees real and generated pictures (no gradient goes back to
 * them). */
void gx_judge(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *real,
              struct gx_node *fake, struct gx_verdict *verdict);

/* The generator's turn: the adversarial loss, unweighted. `real`: what D would be shown, for
 * objectives that compare. `out` (may be NULL) gets D's outputs on `fake`. */
struct gx_node *gx_fool(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *real,
                        struct gx_node *fake, struct gx_node *out[GX_OUTPUTS_MAX]);

/* The same loss of D's outputs on them; r may be NULL where the objective needs none. */
struct gx_node *gx_fooled(const struct gx_game *game, struct gx_graph *g, struct gx_node *r,
                          struct gx_node *f);

/* What the generators minimise: `loss` and, with loss.orthogonal, the regularisation of all of
 * them, logged as G_orth. */
struct gx_node *gx_regularise(struct gx_game *game, struct gx_step *step, struct gx_node *loss);

/* Settings of loss.* that contradict one another: -GX_E_CONFIG with the reason. */
GX_MUST_CHECK int gx_adversary_check(const struct gx_config *config, struct gx_err *err);
/* What is likely to go wrong with them and what to try, or NULL. */
const char *gx_adversary_warning(const struct gx_config *config);

/* Deviation of the noise before generator update `step` of `total`. */
double gx_adversary_noise(const struct gx_config *config, int64_t step, int64_t total);

#endif
