/* How far a picture is from another: validation and `ganx eval`.
 *
 * Pictures are NHWC floats, count x h x w x c with c 1 or 3 (a fourth channel is left out), values
 * in lo..hi; everything is computed in double, over all of `count` for the mean of the pictures'
 * figures. Values are taken as they are, without rounding to 8 bits.
 *
 *   l1         mean |a - b|, as a share of the range (0..1); less is better
 *   psnr       10 log10(1 / mean squared difference) over all channels, dB; infinity where equal
 *   psnr_y     the same on BT.601 studio range luma (16..235), peak 255
 *   ssim       Wang et al. 2004: Gaussian window 11, sigma 1.5, K 0.01 0.03, valid region (no
 *              padding); mean over channels. A side shorter than 11 takes the largest odd window
 *              that fits
 *   ssim_y     the same on that luma
 *   ms_ssim    Wang et al. 2003: contrast and structure at five scales, each the 2x2 means of the one
 *              before, and luminance at the last, to the powers 0.0448 0.2856 0.3001 0.2363 0.1333
 *              (a negative mean counts as 0); mean over channels. Not a number where a side is below
 *              16; below 176 the last scales take smaller windows, as ssim
 *   ms_ssim_y  the same on that luma
 *   sharpness  of one picture: mean length of the gradient by forward differences, as a share of
 *              the range a pixel, mean over channels
 *
 * Besides both pictures ssim needs a few rows, ms_ssim a quarter of the pictures' memory.
 *
 * parity: tests/image/test_metrics.c and tests/reference/metrics; similarities and l1 1e-6, psnr 1e-4
 * source: Wang et al. 2004, "Image quality assessment: from error visibility..."; Wang, Simoncelli
 * and Bovik 2003, "Multiscale structural similarity for image quality assessment" */
#ifndef GX_IMAGE_METRICS_H
#define GX_IMAGE_METRICS_H

#include <stdbool.h>

struct gx_pair {
    const float *a, *b;
    int count, h, w, c;
    float lo, hi;
};

double gx_metric_l1(const struct gx_pair *pair);
double gx_metric_psnr(const struct gx_pair *pair);
double gx_metric_psnr_y(const struct gx_pair *pair);
double gx_metric_ssim(const struct gx_pair *pair);
double gx_metric_ssim_y(const struct gx_pair *pair);
double gx_metric_ms_ssim(const struct gx_pair *pair);
double gx_metric_ms_ssim_y(const struct gx_pair *pair);
double gx_sharpness(const float *a, int count, int h, int w, int c, float lo, float hi);

/* Leaves `border` pixels on every side out, as those who measure super-resolution do: copies what is
 * left of a into `a` and of b into `b`, each room for that or the picture itself, and makes *pair
 * that. False, and nothing is changed: nothing would be left. */
bool gx_pair_crop(struct gx_pair *pair, int border, float *a, float *b);

/* Metrics by name, a row each; the last has no name. */
struct gx_metric {
    const char *name;
    double (*measure)(const struct gx_pair *pair);
    bool more_is_better;
};
extern const struct gx_metric gx_metrics[];
const struct gx_metric *gx_metric_find(const char *name); /* NULL: unknown */

#endif
