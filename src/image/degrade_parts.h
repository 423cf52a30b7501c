/* What the files of degrade*.c share; the rest of the program sees degrade.h. */
#ifndef GX_IMAGE_DEGRADE_PARTS_H
#define GX_IMAGE_DEGRADE_PARTS_H

#include "image/degrade.h"

/* to = from (h x w x c) under a kernel of `size` (odd) squared, or, separable, of `size` weights in
 * both directions; edges mirrored without the last pixel. -GX_E_NOMEM. */
GX_MUST_CHECK int gx_filter(const float *from, int h, int w, int c, const float *kernel, int size,
                            bool is_separable, float *to, struct gx_err *err);

#endif
