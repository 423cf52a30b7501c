/* What families whose outputs have pictures to equal ask of VGG: the distance of features
 * (loss.perceptual) and of their Gram matrices (loss.style), at the layers that
 * loss.perceptual_layers names. VGG is a network of the game that nobody trains. */
#ifndef GX_FAMILY_PERCEPTUAL_H
#define GX_FAMILY_PERCEPTUAL_H

#include "family/family.h"

/* Appends the network "VGG" to the game where the weights ask for one: that in the file
 * loss.perceptual_model, or the installed VGG16. -GX_E_CONFIG: what loss.* says about it is not
 * understood, or that file is no VGG. */
GX_MUST_CHECK int gx_perceptual_setup(struct gx_game *game, struct gx_err *err);

/* What it adds to the generator's loss, logged with the weights as G_perc and G_style; NULL: no VGG.
 * Pictures are in the game's range; no gradient reaches the target. */
struct gx_node *gx_perceptual_loss(struct gx_game *game, struct gx_step *step, struct gx_node *fake,
                                   struct gx_node *target);

#endif
