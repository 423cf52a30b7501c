/* Where a plan's time goes: for `ganx FAMILY bench --profile`. */
#ifndef GX_CMD_PROFILE_H
#define GX_CMD_PROFILE_H

#include "ganx/plan.h"

#include <stdbool.h>

struct gx_step;

/* Bytes that a node reads and writes, each value once: what must go through memory if nothing stays
 * in a cache. 0 for a view. */
double gx_traffic(const struct gx_node *node);

/* Prints on standard output what was measured over `rounds` rounds: each operator that took at least
 * a 500th of the time, the slowest first; then the same summed over operators of one kind and one
 * set of shapes, in full; then by kind alone. `step` (NULL: inference) says how often a phase runs
 * in a round. json: a line each, as objects. */
void gx_profile_print(const struct gx_plan *plan, const struct gx_step *step, int rounds,
                      bool json);

#endif
