/* Recomputation: values that wait long for their next reader are dropped and made again before it.
 *
 * Chen et al. 2016, "Training deep nets with sublinear memory cost", keep every n-th layer; here,
 * as in Kirisame et al. 2021 ("Dynamic tensor rematerialization"), whatever saves most bytes for
 * the least work goes first, but the choice is made before the first step and on the program as a
 * whole: the step that needs most memory is found, of the values that only wait there one is made
 * again later, from what is there anyway or from others made again with it; and so on. Segments of
 * layers that are made again together come out of this by themselves.
 *
 * Values do not change: what is made again has the same operator, settings (a dropout's draw too)
 * and inputs. So a node is never made again after something that it reads has changed: in a later
 * phase not from parameters, pictures or draws, and nowhere from a state that the program moves. */
#ifndef GX_PLAN_RECOMPUTE_H
#define GX_PLAN_RECOMPUTE_H

#include "plan/storage.h"

struct gx_recompute_goal {
    int64_t peak;     /* bytes that are low enough */
    double most_cost; /* work to spend in all, as a part of the program's own */
    bool products;    /* convolutions and matrix products may be made again too */
};

struct gx_recomputed {
    int nodes;    /* that run again */
    double flops; /* of these, as struct gx_op counts them */
    double cost;  /* an estimate of their time, as a part of the program's own */
};

struct gx_recomputation;

/* Borrows both; `storage` is assigned for the program, and stays so for what it becomes. */
struct gx_recomputation *gx_recomputation_new(struct gx_program *program,
                                              struct gx_storage *storage);
void gx_recomputation_free(struct gx_recomputation **r);

/* Goes on from where it stands until the goal is reached or nothing helps any more. Gives whether
 * anything changed. */
bool gx_recomputation_run(struct gx_recomputation *r, const struct gx_recompute_goal *goal);

/* All that was done so far. */
struct gx_recomputed gx_recomputation_done(const struct gx_recomputation *r);

#endif
