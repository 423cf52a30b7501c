/* What the files of degrade*.c share; the rest of the program sees degrade.h. Pictures are
 * h x w x c floats in 0..1. */
#ifndef GX_IMAGE_DEGRADE_PARTS_H
#define GX_IMAGE_DEGRADE_PARTS_H

#include "image/degrade.h"
#include "util/random.h"

/* ---- drawing ---- */

/* Uniform in range[0]..range[1]. */
double gx_draw(struct gx_random *random, const double range[2]);
/* An index of prob, as often as its share of their sum. */
int gx_draw_one(struct gx_random *random, const double *prob, int count);

/* ---- kernels (degrade_kernels.c) ---- */

struct gx_kernel {
    int size; /* odd; 1: nothing is done */
    bool separable;
    float weight[GX_KERNEL_MAX * GX_KERNEL_MAX]; /* size x size, or size; 1 in sum */
};

/* A Gaussian-like shape: deviations along its axes, the angle of the first, the exponent. */
void gx_kernel_shape(struct gx_kernel *kernel, int size, enum gx_blur_shape shape,
                     const double sigma[2], double angle, double beta);
/* The low-pass filter of a circle in frequency, radius `cutoff` (pi: the highest there is). */
void gx_kernel_sinc(struct gx_kernel *kernel, int size, double cutoff);
/* One at random; without prob. */
void gx_kernel_draw(struct gx_kernel *kernel, const struct gx_blur *blur, struct gx_random *random);
/* ... of the last ringing. */
void gx_kernel_draw_sinc(struct gx_kernel *kernel, const struct gx_blur *blur,
                         struct gx_random *random);

/* to = from under the kernel; edges mirrored without the last pixel. -GX_E_NOMEM. */
GX_MUST_CHECK int gx_filter(const float *from, int h, int w, int c, const struct gx_kernel *kernel,
                            float *to, struct gx_err *err);

/* ---- noise (degrade_noise.c), clipped to 0..1 ----
 * The numbers are those of (random's seed, its stream, block): the caller gives each picture a
 * range of 2^32 blocks of its own. */

void gx_noise_gaussian(float *picture, int h, int w, int c, double deviation, bool grey,
                       const struct gx_random *random, uint64_t block);
/* Shot noise of a sensor that counts as many photons as the picture has levels (rounded up to a power
 * of 2), times `strength`. -GX_E_NOMEM. */
GX_MUST_CHECK int gx_noise_poisson(float *picture, int h, int w, int c, double strength, bool grey,
                                   const struct gx_random *random, uint64_t block,
                                   struct gx_err *err);

/* ---- JPEG (degrade_jpeg.c) ---- */

/* There and back at this quality (1..100), chroma at half the size. -GX_E_NOMEM, also for what else
 * libvips fails of. */
GX_MUST_CHECK int gx_jpeg(float *picture, int h, int w, int c, int quality, struct gx_err *err);

#endif
