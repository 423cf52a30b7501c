/* Broadcasting as a walk: how operands of a four-dimensional result step through their memory when
 * dimensions of 1 are repeated, with neighbouring dimensions merged where every operand allows. */
#ifndef GX_OP_WALK_H
#define GX_OP_WALK_H

#include "ganx/graph.h"
#include "kernel/kernel.h"

/* The result is `times` dense boxes (outer, rows, cols) one after another; operand k walks through
 * box t from t * jump[k] on, as walk[k] says. */
struct gx_walks {
    int64_t times, outer, rows, cols;
    int64_t jump[2];
    struct gx_walk walk[2];
};

/* Each dimension of a and b equals y's or is 1. */
struct gx_walks gx_walks_of(struct gx_shape y, struct gx_shape a, struct gx_shape b);

#endif
