/* Lowering: operators that the network named are replaced by the ones that compute them best here.
 * It comes after differentiation, so what it puts in needs no gradient. */
#ifndef GX_PLAN_LOWER_H
#define GX_PLAN_LOWER_H

#include "plan/program.h"

/* 3x3 convolutions with stride 1 become Winograd's, with the transformed weights as a value of
 * their own that is made once a phase (once for all in inference). */
void gx_lower_winograd(struct gx_graph *g, struct gx_program *program,
                       const struct gx_kernels *kernels);

#endif
