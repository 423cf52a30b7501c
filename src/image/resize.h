/* Scaling as training data are made; the rest of the program scales with gx_resize. */
#ifndef GX_IMAGE_RESIZE_H
#define GX_IMAGE_RESIZE_H

#include "ganx/image.h"

/* A picture's way through scaling: rows come one after the other and go the same way. */
struct gx_row_way {
    void *state; /* the functions' first argument */
    /* Gives row y, the next one, which it may have put into `room`; else it must stay where it is,
     * and the next row follow it in memory. */
    const float *(*read)(void *state, int y, float *room);
    float *to; /* room for the whole result; or NULL: */
    void (*write)(void *state, int y, const float *row);
};

/* As gx_resize, but for what it does where both sizes are the same. -GX_E_NOMEM. */
GX_MUST_CHECK int gx_resize_rows(const struct gx_row_way *way, int h, int w, int channels, int to_h,
                                 int to_w, enum gx_filter filter, struct gx_err *err);

enum gx_plain { GX_PLAIN_BILINEAR, GX_PLAIN_BICUBIC, GX_PLAIN_AREA };

/* As OpenCV's resize and PyTorch's interpolate do it: area takes means of what an output pixel
 * covers; bilinear and bicubic (a = -0.75) look at the 2 or 4 nearest pixels even when shrinking,
 * so that fine patterns alias, and repeat the last pixel beyond the edges. h x w x channels ->
 * to_h x to_w x channels. -GX_E_NOMEM. */
GX_MUST_CHECK int gx_resize_plain(const float *from, int h, int w, int channels, float *to,
                                  int to_h, int to_w, enum gx_plain filter, struct gx_err *err);

#endif
