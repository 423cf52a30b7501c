/* Filters of training data: separable and full kernels over pictures whose edges are mirrored
 * without the last pixel (OpenCV's reflect-101), and unsharp masking. */
#include "image/clip.h"
#include "image/degrade_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the border ---- */

static int mirror(int k, int side)
{
    if (side == 1)
        return 0;
    while (k < 0 || k >= side)
        k = k < 0 ? -k : 2 * side - 2 - k;
    return k;
}

/* from: h x w x c -> to: (h + 2r) x (w + 2r) x c */
static void pad(const float *from, int h, int w, int c, int r, float *to)
{
    size_t row = (size_t)(w + 2 * r) * c, pixel = (size_t)c * sizeof *to;
    for (int y = 0; y < h + 2 * r; y++) {
        const float *in = from + (size_t)mirror(y - r, h) * w * c;
        float *out = to + y * row;
        memcpy(out + (size_t)r * c, in, (size_t)w * pixel);
        for (int x = 0; x < r; x++) {
            memcpy(out + (size_t)x * c, in + (size_t)mirror(x - r, w) * c, pixel);
            memcpy(out + (size_t)(r + w + x) * c, in + (size_t)mirror(w + x, w) * c, pixel);
        }
    }
}

/* ---- sums of shifted rows ---- */

/* to[i] += sum of kernel[k] * from[i + k * step]; four at a time, for the loads and stores. */
static void add_shifted(const float *from, size_t step, const float *kernel, int size, size_t count,
                        float *to)
{
    int k = 0;
    for (; k + 4 <= size; k += 4) {
        const float *a = from + k * step, *b = a + step, *c = b + step, *d = c + step;
        float wa = kernel[k], wb = kernel[k + 1], wc = kernel[k + 2], wd = kernel[k + 3];
#pragma omp simd
        for (size_t i = 0; i < count; i++)
            to[i] += (wa * a[i] + wb * b[i]) + (wc * c[i] + wd * d[i]);
    }
    for (; k < size; k++) {
        const float *a = from + k * step;
#pragma omp simd
        for (size_t i = 0; i < count; i++)
            to[i] += kernel[k] * a[i];
    }
}

/* padded: what pad gives for a kernel of `size`; middle: h x (w + size - 1) x c floats. */
static void separable(const float *padded, int h, int w, int c, const float *kernel, int size,
                      float *middle, float *to)
{
    size_t wide = (size_t)(w + size - 1) * c, row = (size_t)w * c;
    memset(middle, 0, (size_t)h * wide * sizeof *middle);
    memset(to, 0, (size_t)h * row * sizeof *to);
    for (int y = 0; y < h; y++) {
        add_shifted(padded + y * wide, wide, kernel, size, wide, middle + y * wide);
        add_shifted(middle + y * wide, (size_t)c, kernel, size, row, to + y * row);
    }
}

static void full(const float *padded, int h, int w, int c, const float *kernel, int size, float *to)
{
    size_t wide = (size_t)(w + size - 1) * c, row = (size_t)w * c;
    memset(to, 0, (size_t)h * row * sizeof *to);
    for (int y = 0; y < h; y++)
        for (int k = 0; k < size; k++)
            add_shifted(padded + (y + k) * wide, (size_t)c, kernel + k * size, size, row,
                        to + y * row);
}

static int apply(const float *from, int h, int w, int c, const float *kernel, int size,
                 bool is_separable, float *to, struct gx_err *err)
{
    int r = size / 2;
    size_t floats = (size_t)(h + 2 * r) * (size_t)(w + 2 * r) * (size_t)c;
    float *padded = malloc(floats * sizeof *padded);
    float *middle = is_separable ? malloc(floats * sizeof *middle) : NULL;
    bool ready = padded && (middle || !is_separable);
    if (ready) {
        pad(from, h, w, c, r, padded);
        if (is_separable)
            separable(padded, h, w, c, kernel, size, middle, to);
        else
            full(padded, h, w, c, kernel, size, to);
    }
    free(padded);
    free(middle);
    return ready ? 0 : gx_fail(err, GX_E_NOMEM, "out of memory while filtering %dx%d", w, h);
}

int gx_filter(const float *from, int h, int w, int c, const struct gx_kernel *kernel, float *to,
              struct gx_err *err)
{
    return apply(from, h, w, c, kernel->weight, kernel->size, kernel->separable, to, err);
}

/* ---- unsharp masking ---- */

const struct gx_usm gx_usm_defaults = {.radius = 50, .weight = 0.5, .threshold = 10};

/* size weights of a Gaussian, 1 in sum. */
static void gaussian(float *kernel, int size, double sigma)
{
    double sum = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < size; k++) {
            double x = k - size / 2, v = exp(-x * x / (2 * sigma * sigma));
            if (pass)
                kernel[k] = (float)(v / sum);
            else
                sum += v;
        }
}

int gx_sharpen(const struct gx_usm *usm, const float *from, int h, int w, int c, float *to,
               struct gx_err *err)
{
    float kernel[GX_USM_RADIUS_MAX + 1];
    int size = usm->radius | 1;
    size_t count = (size_t)h * (size_t)w * (size_t)c;
    double sigma = usm->sigma > 0 ? usm->sigma : 0.3 * (size / 2 - 1) + 0.8;
    float *mask = malloc(2 * count * sizeof *mask), *soft = mask ? mask + count : NULL;
    if (!mask)
        return gx_fail(err, GX_E_NOMEM, "out of memory while sharpening %dx%d", w, h);
    gaussian(kernel, size, sigma);
    int code = apply(from, h, w, c, kernel, size, true, to, err);
    for (size_t i = 0; i < count && !code; i++) {
        float beyond = from[i] - to[i], v = from[i] + (float)usm->weight * beyond;
        mask[i] = fabsf(beyond) * 255 > (float)usm->threshold;
        to[i] = gx_clip(v);
    }
    if (!code)
        code = apply(mask, h, w, c, kernel, size, true, soft, err);
    for (size_t i = 0; i < count && !code; i++)
        to[i] = soft[i] * to[i] + (1 - soft[i]) * from[i];
    free(mask);
    return code;
}
