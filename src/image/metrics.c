#include "image/metrics.h"
#include "util/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- planes: one channel, or luma, of one picture as doubles in 0..255 ---- */

static int colours(const struct gx_pair *p)
{
    return p->c < 3 ? 1 : 3;
}

static const float *picture(const struct gx_pair *p, const float *of, int n)
{
    return of + (size_t)n * p->h * p->w * p->c;
}

static void plane_of(const struct gx_pair *p, const float *from, int channel, double *to)
{
    double scale = 255 / ((double)p->hi - p->lo);
    for (size_t i = 0; i < (size_t)p->h * p->w; i++)
        to[i] = (from[i * p->c + channel] - (double)p->lo) * scale;
}

/* BT.601, studio range: 16 + (65.481 R + 128.553 G + 24.966 B), colours in 0..1. */
static void luma_of(const struct gx_pair *p, const float *from, double *to)
{
    static const double weight[3] = {65.481, 128.553, 24.966};
    double scale = 1 / ((double)p->hi - p->lo);
    for (size_t i = 0; i < (size_t)p->h * p->w; i++) {
        double y = 16;
        for (int k = 0; k < 3; k++)
            y += weight[k] * (from[i * p->c + (colours(p) == 3 ? k : 0)] - (double)p->lo) * scale;
        to[i] = y;
    }
}

/* ---- differences ---- */

double gx_metric_l1(const struct gx_pair *p)
{
    double sum = 0;
    size_t pixels = (size_t)p->count * p->h * p->w;
    for (size_t i = 0; i < pixels; i++)
        for (int k = 0; k < colours(p); k++)
            sum += fabs((double)p->a[i * p->c + k] - p->b[i * p->c + k]);
    return sum / ((double)pixels * colours(p)) / ((double)p->hi - p->lo);
}

double gx_metric_psnr(const struct gx_pair *p)
{
    double mean = 0, range = (double)p->hi - p->lo;
    size_t pixels = (size_t)p->h * p->w;
    for (int n = 0; n < p->count; n++) {
        const float *a = picture(p, p->a, n), *b = picture(p, p->b, n);
        double sum = 0;
        for (size_t i = 0; i < pixels; i++)
            for (int k = 0; k < colours(p); k++) {
                double d = ((double)a[i * p->c + k] - b[i * p->c + k]) / range;
                sum += d * d;
            }
        mean += -10 * log10(sum / ((double)pixels * colours(p)));
    }
    return mean / p->count;
}

double gx_metric_psnr_y(const struct gx_pair *p)
{
    double mean = 0;
    size_t pixels = (size_t)p->h * p->w;
    double *a = gx_new(pixels * sizeof *a), *b = gx_new(pixels * sizeof *b);
    for (int n = 0; n < p->count; n++) {
        double sum = 0;
        luma_of(p, picture(p, p->a, n), a);
        luma_of(p, picture(p, p->b, n), b);
        for (size_t i = 0; i < pixels; i++)
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        mean += 10 * log10(255.0 * 255 / (sum / (double)pixels));
    }
    free(a);
    free(b);
    return mean / p->count;
}

/* ---- structural similarity ---- */

enum { WINDOW = 11 };

/* from: h x w -> to: (h - size + 1) x (w - size + 1), each a weighted mean; middle: h x w. */
static void blur(const double *from, int h, int w, const double *weight, int size, double *middle,
                 double *to)
{
    int ow = w - size + 1, oh = h - size + 1;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < ow; x++) {
            double sum = 0;
            for (int k = 0; k < size; k++)
                sum += weight[k] * from[(size_t)y * w + x + k];
            middle[(size_t)y * ow + x] = sum;
        }
    for (int y = 0; y < oh; y++) {
        double *row = to + (size_t)y * ow;
        memset(row, 0, (size_t)ow * sizeof *row);
        for (int k = 0; k < size; k++)
            for (int x = 0; x < ow; x++)
                row[x] += weight[k] * middle[(size_t)(y + k) * ow + x];
    }
}

static int gaussian(double *weight, int h, int w)
{
    int least = h < w ? h : w, size = least < WINDOW ? (least - 1) | 1 : WINDOW;
    size = size > least ? size - 2 : size;
    double sum = 0;
    for (int k = 0; k < size; k++)
        sum += weight[k] = exp(-(k - size / 2) * (k - size / 2) / (2 * 1.5 * 1.5));
    for (int k = 0; k < size; k++)
        weight[k] /= sum;
    return size;
}

/* a, b: planes in 0..255; scratch: 7 planes. */
static double ssim_plane(const double *a, const double *b, int h, int w, double *scratch)
{
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
    size_t plane = (size_t)h * w;
    double weight[WINDOW], *middle = scratch, *product = scratch + plane, *mean[5];
    int size = gaussian(weight, h, w);
    for (int m = 0; m < 5; m++) { /* of a, b, aa, bb, ab */
        const double *x = m == 0 || m == 2 || m == 4 ? a : b, *y = m == 2 ? a : b;
        for (size_t i = 0; i < plane && m >= 2; i++)
            product[i] = x[i] * y[i];
        mean[m] = scratch + (size_t)(2 + m) * plane;
        blur(m < 2 ? x : product, h, w, weight, size, middle, mean[m]);
    }
    size_t count = (size_t)(h - size + 1) * (w - size + 1);
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double ma = mean[0][i], mb = mean[1][i];
        double va = mean[2][i] - ma * ma, vb = mean[3][i] - mb * mb, ab = mean[4][i] - ma * mb;
        sum += (2 * ma * mb + c1) * (2 * ab + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
    }
    return sum / (double)count;
}

static double ssim(const struct gx_pair *p, bool luma)
{
    size_t plane = (size_t)p->h * p->w;
    double *planes = gx_new(plane * 9 * sizeof *planes), *a = planes, *b = planes + plane, sum = 0;
    int channels = luma ? 1 : colours(p);
    for (int n = 0; n < p->count; n++)
        for (int k = 0; k < channels; k++) {
            if (luma) {
                luma_of(p, picture(p, p->a, n), a);
                luma_of(p, picture(p, p->b, n), b);
            } else {
                plane_of(p, picture(p, p->a, n), k, a);
                plane_of(p, picture(p, p->b, n), k, b);
            }
            sum += ssim_plane(a, b, p->h, p->w, planes + 2 * plane);
        }
    free(planes);
    return sum / ((double)p->count * channels);
}

double gx_metric_ssim(const struct gx_pair *p)
{
    return ssim(p, false);
}

double gx_metric_ssim_y(const struct gx_pair *p)
{
    return ssim(p, true);
}

/* ---- sharpness ---- */

double gx_sharpness(const float *a, int count, int h, int w, int c, float lo, float hi)
{
    double sum = 0;
    int channels = c < 3 ? 1 : 3;
    size_t row = (size_t)w * c;
    if (h < 2 || w < 2)
        return 0;
    for (int n = 0; n < count; n++, a += h * row)
        for (int y = 0; y < h - 1; y++)
            for (int x = 0; x < w - 1; x++)
                for (int k = 0; k < channels; k++) {
                    const float *at = a + y * row + (size_t)x * c + k;
                    double dx = (double)at[c] - at[0], dy = (double)at[row] - at[0];
                    sum += sqrt(dx * dx + dy * dy);
                }
    double samples = (double)count * (h - 1) * (w - 1) * channels;
    return sum / samples / ((double)hi - lo);
}

/* ---- by name ---- */

const struct gx_metric gx_metrics[] = {
    {"l1", gx_metric_l1, false},        {"psnr", gx_metric_psnr, true},
    {"psnr_y", gx_metric_psnr_y, true}, {"ssim", gx_metric_ssim, true},
    {"ssim_y", gx_metric_ssim_y, true}, {0},
};

const struct gx_metric *gx_metric_find(const char *name)
{
    for (const struct gx_metric *m = gx_metrics; m->name; m++)
        if (!strcmp(m->name, name))
            return m;
    return NULL;
}
