/* Wide pictures: a concatenation along channels whose parts are written where they belong.
 *
 * A part lies in the memory of the concatenation from the start, as some channels of a picture with
 * more, when whatever writes it and all that read it can step over the other channels (gx_op.steps).
 * The concatenation then has nothing to copy; it may itself be such a part of another. In a dense
 * block each feature map is written once, and read in place by every convolution after it. */
#ifndef GX_PLAN_WIDE_H
#define GX_PLAN_WIDE_H

#include "plan/storage.h"

/* Sets `into` and `channel` of the places, whose `step` and `once` are known. */
void gx_wide_find(struct gx_storage *storage, const struct gx_program *program);

/* The node in whose memory this one lies, itself or a concatenation; *channel: from which on. */
const struct gx_node *gx_wide_whole(const struct gx_storage *storage, const struct gx_node *node,
                                    int *channel);

#endif
