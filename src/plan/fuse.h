/* Fusion: what a value goes through on its way to its one reader is done while it is written. And
 * two gradients of the same weights that are added become one, over the pictures of both, where
 * there is far less of these than of the weights: they are then written once and never read.
 *
 * Runs on the graph of a plan, when nothing will be differentiated any more. The last node of such a
 * chain becomes the whole of it (its readers, name, place in the order and what is kept of it stay),
 * and the others are read by nobody. A chain begins with a convolution or a norm, and goes on with an
 * activation or the gate of an activation's gradient; then, up to two times, a factor and a sum with
 * a value of the same shape that was there before. Where the kernels can write a convolution's pixels
 * shuffled, that is done first.
 *
 * An activation of a concatenation along channels is done to its parts: by the norm or convolution
 * that writes one, if nobody else reads that, or when they are put together.
 *
 * What a gradient reads unfused has a second reader and so stays as it is: leaky_relu is fused in
 * training too, since its gradient needs its result alone, prelu only where nothing is trained. */
#ifndef GX_PLAN_FUSE_H
#define GX_PLAN_FUSE_H

#include "ganx/graph.h"

struct gx_kernels;

/* `live`, by node id: what will run, before and after. A reflected picture whose readers can all
 * mirror it themselves is not made either. */
void gx_fuse(struct gx_graph *graph, const struct gx_kernels *kernels, bool *live);

#endif
