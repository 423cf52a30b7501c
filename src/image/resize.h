/* Scaling as training data are made; the rest of the program scales with gx_resize. */
#ifndef GX_IMAGE_RESIZE_H
#define GX_IMAGE_RESIZE_H

#include "ganx/image.h"

enum gx_plain { GX_PLAIN_BILINEAR, GX_PLAIN_BICUBIC, GX_PLAIN_AREA };

/* As OpenCV's resize and PyTorch's interpolate do it: area takes means of what an output pixel
 * covers; bilinear and bicubic (a = -0.75) look at the 2 or 4 nearest pixels even when shrinking,
 * so that fine patterns alias, and repeat the last pixel beyond the edges. h x w x channels ->
 * to_h x to_w x channels. -GX_E_NOMEM. */
GX_MUST_CHECK int gx_resize_plain(const float *from, int h, int w, int channels, float *to,
                                  int to_h, int to_w, enum gx_plain filter, struct gx_err *err);

#endif
