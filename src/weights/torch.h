/* What both forms of PyTorch's .pth share: from a pickle's value to the table of tensors. */
#ifndef GX_WEIGHTS_TORCH_H
#define GX_WEIGHTS_TORCH_H

#include "weights/pickle.h"

/* Where a storage's bytes lie in the file. */
struct gx_extent {
    int64_t offset, bytes;
    bool has_crc;
    uint32_t crc;
};

/* Finds the extent of a storage; on failure the text says what is wrong, the caller adds whose. */
typedef int gx_extent_fn(void *context, const struct gx_value *storage, struct gx_extent *to,
                         struct gx_err *err);

/* Adds the tensors of what was saved. A dictionary's `params_ema`, `params` or `state_dict` is
 * entered; else, where no tensor lies at the top, the only member that holds some; else everything
 * is taken, with dots between the names of the levels. What is no tensor is passed over. */
int gx_torch_collect(struct gx_weights *w, const struct gx_value *root, gx_extent_fn *find_extent,
                     void *context, struct gx_err *err);

#endif
