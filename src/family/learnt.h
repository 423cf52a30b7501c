/* A degradation that was learnt (degrade.kind learnt): the generator of a model that makes pictures
 * small, as unpaired super-resolution leaves one (cycle.c), takes the place of blur, noise and JPEG.
 * It is a network of the game that nobody trains, and draws other noise at every step.
 * Source: Guan et al. 2019, "SRDGAN: learning the noise prior for super resolution with dual
 * generative adversarial networks", which degrades first and then trains, too. */
#ifndef GX_FAMILY_LEARNT_H
#define GX_FAMILY_LEARNT_H

#include "family/family.h"

/* Appends the network "degradation" to the game where degrade.kind asks for it: that of the model
 * degrade.model. -GX_E_CONFIG: there is none, or it makes pictures otherwise than net.scale times
 * smaller, from 0 to 1. */
GX_MUST_CHECK int gx_learnt_setup(struct gx_game *game, struct gx_err *err);

/* The sharp picture made small, in [0, 1]; no gradient goes through it. NULL: nothing is learnt, and
 * the sample has a small one. */
struct gx_node *gx_learnt_small(struct gx_game *game, struct gx_graph *g, struct gx_node *sharp);

#endif
