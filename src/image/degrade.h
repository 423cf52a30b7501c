/* Degradation: small pictures as a camera, an editor or a web site would have made them from the
 * sharp ones, to learn super-resolution from.
 *
 * `real` is the high-order degradation of Wang et al. 2021, "Real-ESRGAN: training real-world blind
 * super-resolution with pure synthetic data": blur, resize, noise and JPEG, twice, with ringing at
 * the end. Where we differ: JPEG is a real encoder's, of whole qualities, and sees 8 bits. */
#ifndef GX_IMAGE_DEGRADE_H
#define GX_IMAGE_DEGRADE_H

#include "image/dataset.h"

/* How the small picture is made. */
enum gx_degrade_kind {
    GX_DEGRADE_BICUBIC, /* MATLAB's imresize, nothing else */
    GX_DEGRADE_CLASSIC, /* blur, imresize, noise, JPEG, by stage[0] but for its resizing */
    GX_DEGRADE_REAL,    /* two stages, then ringing and the last resize, around the second JPEG */
    GX_DEGRADE_LEARNT   /* by a network (family/learnt.h), never here */
};

/* Shapes of blur kernels (Wang et al. 2021, section 3.1), in the order of their probabilities:
 * Gaussians, exp(-q/2); generalised ones, exp(-q^beta/2); plateaus, 1/(1 + q^beta), where q is the
 * squared distance by the covariance matrix. iso: round. */
enum gx_blur_shape {
    GX_BLUR_ISO,
    GX_BLUR_ANISO,
    GX_BLUR_GENERALISED_ISO,
    GX_BLUR_GENERALISED_ANISO,
    GX_BLUR_PLATEAU_ISO,
    GX_BLUR_PLATEAU_ANISO,
    GX_BLUR_SHAPES
};

enum { GX_KERNEL_MAX = 51 }; /* sides are odd */

/* Ranges are [least, most], drawn from evenly; probabilities of alternatives need not sum to 1. */
struct gx_blur {
    double prob;
    double size[2]; /* side of the kernel, odd */
    double shape_prob[GX_BLUR_SHAPES];
    double sinc_prob; /* of a sinc filter, which rings, instead of a shape */
    double sigma[2];
    double betag[2], betap[2]; /* beta below or above 1 equally often */
};

struct gx_degrade_stage {
    struct gx_blur blur;
    double resize_prob[3];    /* larger, smaller, as it is */
    double resize_range[2];   /* factors: [least when smaller, most when larger] */
    double noise_prob;        /* of any noise */
    double gaussian_prob;     /* that it is Gaussian, else Poisson */
    double gaussian_range[2]; /* deviation, of 255 */
    double poisson_range[2];  /* multiplies Poisson's */
    double grey_prob;         /* the same noise in all channels */
    double jpeg_prob;
    double jpeg_range[2]; /* quality */
};

struct gx_degradation {
    enum gx_degrade_kind kind;
    bool
        eight_bit; /* rounded to the 256 levels of a file, as prepared data sets have it; else clipped
                       to 0..1 only */
    int margin;    /* classic, real: at least so many pixels around the cut are degraded with it */
    struct gx_degrade_stage stage[2];
    double final_sinc_prob; /* real: of the last ringing */
};

/* Real-ESRGAN's numbers; eight_bit; kind bicubic. */
extern const struct gx_degradation gx_degradation_defaults;

/* -GX_E_CONFIG where a range is upside down or a side even; the text has the name in `degrade.` of
 * the configuration. */
GX_MUST_CHECK int gx_degradation_check(const struct gx_degradation *d, struct gx_err *err);

/* from: h x w x c in 0..1, h and w multiples of scale; c is 1 or 3. to: h/scale x w/scale x c in
 * 0..1. What is drawn at random depends on `chance` and nothing else. -GX_E_NOMEM. */
GX_MUST_CHECK int gx_degrade(const struct gx_degradation *d, const float *from, int h, int w, int c,
                             int scale, const struct gx_chance *chance, float *to,
                             struct gx_err *err);

/* Pixels left and right of the cut (margin[0]), above and below it (margin[1]), in the sharp picture,
 * that the small one shall be made with. bicubic: what it depends on, so that a cut of the small
 * picture is what cutting the sharp one gives. Else more at random, for JPEG's grid of 8 pixels to
 * lie anywhere. */
void gx_degrade_margin(const struct gx_degradation *d, int scale, const struct gx_chance *chance,
                       int margin[2]);

/* Unsharp masking as Real-ESRGAN sharpens its targets: where a picture differs by more than
 * `threshold` from its blurred self, the difference is added `weight` times; the border of such
 * places is blurred too. */
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
