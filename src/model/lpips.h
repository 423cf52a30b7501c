/* LPIPS 0.1 with VGG16 (Zhang et al. 2018, "The unreasonable effectiveness of deep features as a
 * perceptual metric"): how different two pictures look, 0 for equal ones, about 0.1 to 0.5 for what
 * super-resolution gets wrong; less is better.
 *
 * Pictures in -1..1, shifted and scaled as LPIPS does; features relu1_2, relu2_2, relu3_3, relu4_3,
 * relu5_3, each position made a unit vector over the channels (1e-10 added to its length); squared
 * differences weighted by channel, averaged over positions; the sum of the five layers.
 *
 * Large pictures go through in windows that overlap by what the deepest layer sees, so that the
 * result is that of the whole picture (to float rounding) and memory does not grow with it: about a
 * KiB a pixel of the window, and 300 MiB for the weights.
 *
 * parity: tests/reference/lpips, 1e-4 */
#ifndef GX_MODEL_LPIPS_H
#define GX_MODEL_LPIPS_H

#include "ganx/error.h"
#include "image/metrics.h"

#include <stdint.h>

struct gx_kernels;
struct gx_lpips;

enum { GX_LPIPS_SIDE = 16 }; /* the least that a picture's sides can be */

struct gx_lpips_settings {            /* all zero: the best kernels, all threads */
    const struct gx_kernels *kernels; /* NULL: the best for this CPU */
    int threads;                      /* 0: all that this process may use */
    int64_t max_memory; /* bytes for weights and values; 0: half of what is free, 2 GiB at most */
};

/* Opens and loads VGG16 with LPIPS' weightings (models/vgg16.md): a file, or NULL for the installed
 * model "vgg16". settings may be NULL. -GX_E_IO: there is none; -GX_E_FORMAT: it is something else;
 * -GX_E_NOMEM. *lpips is NULL on failure. */
GX_MUST_CHECK int gx_lpips_open(struct gx_lpips **lpips, const char *path,
                                const struct gx_lpips_settings *settings, struct gx_err *err);
void gx_lpips_close(struct gx_lpips **lpips);

/* The mean over pair->count pictures; grey counts as three equal colours, a fourth channel is left
 * out. What is needed for pictures of one size is kept until another size comes. -GX_E_SHAPE: a side
 * below GX_LPIPS_SIDE; -GX_E_NOMEM: not even a small window fits the budget. */
GX_MUST_CHECK int gx_lpips_measure(struct gx_lpips *lpips, const struct gx_pair *pair,
                                   double *value, struct gx_err *err);

#endif
