/* Order: the same nodes in an order that needs less memory. */
#ifndef GX_PLAN_ORDER_H
#define GX_PLAN_ORDER_H

#include "plan/storage.h"

/* A graph is written down forward passes first, then gradients; a pass whose gradient does not wait
 * for the others can be finished before they begin. Each phase is put in depth-first order: what a
 * node has made possible comes next, what frees memory comes at once, and what depends on weights
 * alone comes when it is needed. Values do not change by this; state updates keep their order with
 * respect to whatever reads or writes the same state.
 *
 * `storage` is assigned for the program as it is, and afterwards for what it has become. It is left
 * as it was when that saves less than a thirty-second part. */
void gx_program_reorder(struct gx_program *program, struct gx_storage *storage);

#endif
