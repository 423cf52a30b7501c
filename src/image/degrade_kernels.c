/* Blur kernels by their formulas, and how one is drawn. */
#include "image/degrade_parts.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

double gx_draw(struct gx_random *random, const double range[2])
{
    return range[0] + (range[1] - range[0]) * (double)gx_random_uniform(random);
}

int gx_draw_one(struct gx_random *random, const double *prob, int count)
{
    double sum = 0, u = gx_random_uniform(random);
    int last = 0;
    for (int i = 0; i < count; i++)
        sum += prob[i];
    for (int i = 0; i < count; i++) {
        if (prob[i] > 0 && u * sum < prob[i])
            return i;
        u -= prob[i] / sum;
        last = prob[i] > 0 ? i : last;
    }
    return last;
}

/* Values become weights. */
static void normalise(struct gx_kernel *kernel, const double *value, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += value[i];
    for (int i = 0; i < count; i++)
        kernel->weight[i] = (float)(value[i] / sum);
}

/* A round Gaussian is the product of two. */
static void separable_gaussian(struct gx_kernel *kernel, int size, double sigma)
{
    double value[GX_KERNEL_MAX];
    for (int i = 0; i < size; i++) {
        double x = i - size / 2;
        value[i] = exp(-x * x / (2 * sigma * sigma));
    }
    kernel->size = size;
    kernel->separable = true;
    normalise(kernel, value, size);
}

void gx_kernel_shape(struct gx_kernel *kernel, int size, enum gx_blur_shape shape,
                     const double sigma[2], double angle, double beta)
{
    double value[GX_KERNEL_MAX * GX_KERNEL_MAX], c = cos(angle), s = sin(angle);
    if (shape == GX_BLUR_ISO) {
        separable_gaussian(kernel, size, sigma[0]);
        return;
    }
    kernel->size = size;
    kernel->separable = false;
    for (int i = 0; i < size * size; i++) {
        double x = i % size - size / 2, y = i / size - size / 2;
        double u = (c * x + s * y) / sigma[0], v = (c * y - s * x) / sigma[1];
        double q = u * u + v * v;
        if (shape == GX_BLUR_ANISO)
            value[i] = exp(-q / 2);
        else if (shape == GX_BLUR_GENERALISED_ISO || shape == GX_BLUR_GENERALISED_ANISO)
            value[i] = exp(-pow(q, beta) / 2);
        else
            value[i] = 1 / (1 + pow(q, beta));
    }
    normalise(kernel, value, size * size);
}

void gx_kernel_sinc(struct gx_kernel *kernel, int size, double cutoff)
{
    double value[GX_KERNEL_MAX * GX_KERNEL_MAX];
    kernel->size = size;
    kernel->separable = false;
    for (int i = 0; i < size * size; i++) {
        double x = i % size - size / 2, y = i / size - size / 2, r = sqrt(x * x + y * y);
        value[i] = r > 0 ? cutoff * j1(cutoff * r) / (2 * pi * r) : cutoff * cutoff / (4 * pi);
    }
    normalise(kernel, value, size * size);
}

static int draw_size(const struct gx_blur *blur, struct gx_random *random)
{
    int least = (int)blur->size[0], most = (int)blur->size[1];
    return least + 2 * (int)gx_random_below(random, (uint32_t)(most - least) / 2 + 1);
}

/* Below or above 1 equally often, whatever the range has more of. */
static double draw_beta(const double range[2], struct gx_random *random)
{
    double u = gx_random_uniform(random);
    const double below[2] = {range[0], 1}, above[2] = {1, range[1]};
    return gx_draw(random, u < 0.5 ? below : above);
}

void gx_kernel_draw(struct gx_kernel *kernel, const struct gx_blur *blur, struct gx_random *random)
{
    int size = draw_size(blur, random);
    if ((double)gx_random_uniform(random) < blur->sinc_prob) {
        const double cutoff[2] = {size < 13 ? pi / 3 : pi / 5, pi};
        gx_kernel_sinc(kernel, size, gx_draw(random, cutoff));
        return;
    }
    const double turn[2] = {-pi, pi};
    enum gx_blur_shape shape =
        (enum gx_blur_shape)gx_draw_one(random, blur->shape_prob, GX_BLUR_SHAPES);
    bool round =
        shape == GX_BLUR_ISO || shape == GX_BLUR_GENERALISED_ISO || shape == GX_BLUR_PLATEAU_ISO;
    bool plateau = shape == GX_BLUR_PLATEAU_ISO || shape == GX_BLUR_PLATEAU_ANISO;
    double sigma[2] = {gx_draw(random, blur->sigma)};
    sigma[1] = round ? sigma[0] : gx_draw(random, blur->sigma);
    double angle = gx_draw(random, turn);
    gx_kernel_shape(kernel, size, shape, sigma, angle,
                    draw_beta(plateau ? blur->betap : blur->betag, random));
}

void gx_kernel_draw_sinc(struct gx_kernel *kernel, const struct gx_blur *blur,
                         struct gx_random *random)
{
    const double cutoff[2] = {pi / 3, pi};
    int size = draw_size(blur, random);
    gx_kernel_sinc(kernel, size, gx_draw(random, cutoff));
}
