/* The last phase of a step's graph, which only looks: for each watch (family.h), the length of the
 * adversarial gradient at the generator's output, how steep the objective still is there, and how
 * far the generator's answers to two inputs lie apart. It changes no state, and the loop runs it
 * every health.every steps. */
#ifndef GX_FAMILY_HEALTH_H
#define GX_FAMILY_HEALTH_H

#include "family/family.h"

/* Appends it, and sets step->health, where there is anything to watch. */
void gx_step_health(struct gx_game *game, struct gx_step *step);

#endif
