/* Degradation: small pictures as a camera, an editor or a web site would have made them from the
 * sharp ones, to learn super-resolution from. */
#ifndef GX_IMAGE_DEGRADE_H
#define GX_IMAGE_DEGRADE_H

#include "image/dataset.h"

/* How the small picture is made. */
enum gx_degrade_kind {
    GX_DEGRADE_BICUBIC /* MATLAB's imresize, nothing else */
};

struct gx_degradation {
    enum gx_degrade_kind kind;
    bool
        eight_bit; /* rounded to the 256 levels of a file, as prepared data sets have it; else clipped
                       to 0..1 only */
};

/* from: h x w x c in 0..1, h and w multiples of scale. to: h/scale x w/scale x c in 0..1. What is
 * drawn at random depends on `chance` and nothing else. -GX_E_NOMEM. */
GX_MUST_CHECK int gx_degrade(const struct gx_degradation *d, const float *from, int h, int w, int c,
                             int scale, const struct gx_chance *chance, float *to,
                             struct gx_err *err);

/* Pixels beside the cut, in the sharp picture, that the small one depends on: with them around it, a
 * cut of the small picture is what cutting the sharp one first gives. */
int gx_degrade_margin(const struct gx_degradation *d, int scale);

/* Unsharp masking as Real-ESRGAN sharpens its targets (Wang et al. 2021): where a picture differs by
 * more than `threshold` from its blurred self, the difference is added `weight` times; the border
 * of such places is blurred too. */
struct gx_usm {
    int radius;       /* of the Gaussian kernel in pixels, 50: 51 of them in all */
    double sigma;     /* 0: 0.3 * (radius / 2 - 1) + 0.8, as OpenCV derives it */
    double weight;    /* 0.5 */
    double threshold; /* 10 of 255 */
};
enum { GX_USM_RADIUS_MAX = 254 };
extern const struct gx_usm gx_usm_defaults;

/* from, to: h x w x c in 0..1. -GX_E_NOMEM. */
GX_MUST_CHECK int gx_sharpen(const struct gx_usm *usm, const float *from, int h, int w, int c,
                             float *to, struct gx_err *err);

#endif
