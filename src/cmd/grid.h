/* --grid: a picture and what a model with domains makes of it, as one sheet with captions. */
#ifndef GX_CMD_GRID_H
#define GX_CMD_GRID_H

#include "cmd/label.h"
#include "ganx/image.h"

/* Translates `in` (h x w, the picture as the model takes it) to every target, by its label of
 * `labels` and `beside` others, and draws all of them, scaled down to at most 512 pixels a side, beside the picture, all
 * with its transparency. *sheet shows *data, to free in every case. As gx_model_translate_beside. */
GX_MUST_CHECK int gx_grid_make(struct gx_model *model, int beside, const struct gx_targets *targets,
                               const float *labels, const float *in, struct gx_picture *picture,
                               int w, int h, struct gx_pixels *sheet, float **data,
                               struct gx_err *err);

/* About what memory it needs besides values of the picture's size. */
int64_t gx_grid_bytes(const struct gx_targets *targets, int w, int h);

#endif
