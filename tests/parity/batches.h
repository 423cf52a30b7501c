/* What a training fixture shows its networks at each step: pictures from folders, in the order of
 * their names, or tensors made beforehand. */
#ifndef GX_TESTS_PARITY_BATCHES_H
#define GX_TESTS_PARITY_BATCHES_H

#include "parity.h"

#include "family/family.h"
#include "ganx/plan.h"
#include "util/file.h"

struct batches {
    const struct layout *layout;
    struct { /* of each slot: a folder of pictures, or one half of them */
        char folder[4096];
        struct gx_names names;
        int half, channels; /* 0: the whole picture; 1: its left half, 2: its right one */
    } slot[GX_SLOTS_MAX];
    int slots;
    struct gx_weights *tensors;
    double low, high; /* what 0 and 255 become */
    int w, h;         /* of a slot */
};

/* Whether fixture.json names a layout of data that is known; says why not in `why`. */
bool batches_known(const json_t *data, char *why, size_t size);
/* Looks at the data that fixture.json names. */
GX_MUST_CHECK int batches_open(struct batches *batches, const struct fixture *f,
                               const struct gx_game *game, struct gx_err *err);
/* Writes the at-th batch, from 0, into the inputs of the step. `alpha`: the node that mixes real
 * and generated pictures for a gradient penalty, an input by now; NULL: none. Pictures begin again
 * after the last. */
GX_MUST_CHECK int batches_load(const struct batches *batches, int at, const struct gx_step *step,
                               const struct gx_node *alpha, const struct gx_plan *plan,
                               struct gx_err *err);
void batches_clear(struct batches *batches);

#endif
