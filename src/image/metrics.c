#include "image/metrics.h"
#include "util/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int colours(const struct gx_pair *p)
{
    return p->c < 3 ? 1 : 3;
}

static const float *picture(const struct gx_pair *p, const float *of, int n)
{
    return of + (size_t)n * p->h * p->w * p->c;
}

/* ---- planes: one channel, or luma, of one picture as doubles in 0..255 ---- */

enum { LUMA = -1 };

struct plane { /* made row by row: whole ones in double would take more than both pictures */
    int h, w;
    const double *made;         /* the values themselves; NULL: */
    const struct gx_pair *pair; /* of this picture of a pair */
    const float *from;
    int channel; /* or LUMA */
};

static struct plane plane_of(const struct gx_pair *p, const float *from, int channel)
{
    return (struct plane){.h = p->h, .w = p->w, .pair = p, .from = from, .channel = channel};
}

/* BT.601, studio range: 16 + (65.481 R + 128.553 G + 24.966 B), colours in 0..1. */
static void luma_row(const struct gx_pair *p, const float *from, double *to)
{
    static const double weight[3] = {65.481, 128.553, 24.966};
    const double scale = 1 / ((double)p->hi - p->lo);
    const int green = colours(p) == 3, blue = 2 * green;
    for (int x = 0; x < p->w; x++, from += p->c)
        to[x] = 16 +
                (weight[0] * (from[0] - (double)p->lo) + weight[1] * (from[green] - (double)p->lo) +
                 weight[2] * (from[blue] - (double)p->lo)) *
                    scale;
}

static void plane_rows(const struct plane *p, int first, int rows, double *to)
{
    for (int y = first; y < first + rows; y++, to += p->w) {
        if (p->made) {
            memcpy(to, p->made + (size_t)y * p->w, (size_t)p->w * sizeof *to);
            continue;
        }
        const float *from = p->from + (size_t)y * p->w * p->pair->c;
        const double lo = p->pair->lo, scale = 255 / (p->pair->hi - lo);
        if (p->channel == LUMA)
            luma_row(p->pair, from, to);
        else
            for (int x = 0; x < p->w; x++)
                to[x] = (from[(size_t)x * p->pair->c + p->channel] - lo) * scale;
    }
}

/* ---- crop ---- */

bool gx_pair_crop(struct gx_pair *pair, int border, float *a, float *b)
{
    int h = pair->h - 2 * border, w = pair->w - 2 * border, c = pair->c;
    size_t row = (size_t)w * c, done = 0;
    if (h < 1 || w < 1 || border < 0)
        return false;
    for (int n = 0; n < pair->count; n++)
        for (int y = 0; y < h; y++, done += row) {
            size_t at = (((size_t)n * pair->h + y + border) * pair->w + border) * c;
            memmove(a + done, pair->a + at, row * sizeof *a);
            memmove(b + done, pair->b + at, row * sizeof *b);
        }
    *pair = (struct gx_pair){a, b, pair->count, h, w, c, pair->lo, pair->hi};
    return true;
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
    double *row = gx_new((size_t)p->w * 2 * sizeof *row), *other = row + p->w;
    for (int n = 0; n < p->count; n++) {
        struct plane a = plane_of(p, picture(p, p->a, n), LUMA);
        struct plane b = plane_of(p, picture(p, p->b, n), LUMA);
        double sum = 0;
        for (int y = 0; y < p->h; y++) {
            plane_rows(&a, y, 1, row);
            plane_rows(&b, y, 1, other);
            for (int x = 0; x < p->w; x++)
                sum += (row[x] - other[x]) * (row[x] - other[x]);
        }
        mean += 10 * log10(255.0 * 255 / (sum / ((double)p->h * p->w)));
    }
    free(row);
    return mean / p->count;
}

/* ---- structural similarity ---- */

enum { WINDOW = 11, BAND = 32, SCALES = 5 };

struct window {
    double weight[WINDOW];
    int size;
};

static struct window gaussian(int h, int w)
{
    int least = h < w ? h : w;
    struct window k = {.size = least < WINDOW ? (least - 1) | 1 : WINDOW};
    k.size = k.size > least ? k.size - 2 : k.size;
    double sum = 0;
    for (int i = 0; i < k.size; i++)
        sum += k.weight[i] = exp(-(i - k.size / 2) * (i - k.size / 2) / (2 * 1.5 * 1.5));
    for (int i = 0; i < k.size; i++)
        k.weight[i] /= sum;
    return k;
}

/* Sums weighted neighbours: of from[x], from[x + step], ... into to[x]. */
static void blur(const double *from, size_t step, const struct window *k, int w, double *to)
{
    memset(to, 0, (size_t)w * sizeof *to);
    for (int i = 0; i < k->size; i++)
        for (int x = 0; x < w; x++)
            to[x] += k->weight[i] * from[i * step + x];
}

struct similarity { /* means over the plane */
    double whole, contrast;
};

/* Adds up one row of the result; the five means are of a, b, aa, bb, ab. */
static void add_row(struct similarity *sum, double *const *mean, int w)
{
    const double c1 = 0.01 * 255 * 0.01 * 255, c2 = 0.03 * 255 * 0.03 * 255;
    for (int x = 0; x < w; x++) {
        double ma = mean[0][x], mb = mean[1][x];
        double va = mean[2][x] - ma * ma, vb = mean[3][x] - mb * mb, ab = mean[4][x] - ma * mb;
        double contrast = (2 * ab + c2) / (va + vb + c2);
        sum->contrast += contrast;
        sum->whole += contrast * (2 * ma * mb + c1) / (ma * ma + mb * mb + c1);
    }
}

/* Band by band: rows of both planes, their products, each blurred along the rows and then across. */
static struct similarity compare(const struct plane *a, const struct plane *b)
{
    const struct window k = gaussian(a->h, a->w);
    const int w = a->w, ow = w - k.size + 1, oh = a->h - k.size + 1, most = BAND + k.size - 1;
    struct similarity sum = {0};
    double *room = gx_new((size_t)w * (8 * (size_t)most + 5) * sizeof *room);
    double *in[2] = {room, room + (size_t)most * w}, *product = in[1] + (size_t)most * w;
    double *along[5], *mean[5];
    for (int m = 0; m < 5; m++) {
        along[m] = product + (size_t)(m + 1) * most * w;
        mean[m] = product + (size_t)6 * most * w + (size_t)m * w;
    }
    for (int top = 0; top < oh; top += BAND) {
        int rows = oh - top < BAND ? oh - top : BAND, needed = rows + k.size - 1;
        plane_rows(a, top, needed, in[0]);
        plane_rows(b, top, needed, in[1]);
        for (int m = 0; m < 5; m++) {
            const double *x = in[m == 1 || m == 3], *y = in[m >= 3];
            for (size_t i = 0; i < (size_t)needed * w && m >= 2; i++)
                product[i] = x[i] * y[i];
            for (int y0 = 0; y0 < needed; y0++)
                blur((m < 2 ? x : product) + (size_t)y0 * w, 1, &k, ow, along[m] + (size_t)y0 * w);
        }
        for (int y0 = 0; y0 < rows; y0++) {
            for (int m = 0; m < 5; m++)
                blur(along[m] + (size_t)y0 * w, (size_t)w, &k, ow, mean[m]);
            add_row(&sum, mean, ow);
        }
    }
    free(room);
    double count = (double)oh * ow;
    return (struct similarity){sum.whole / count, sum.contrast / count};
}

/* Means of 2x2; an odd last row or column is left out. A new plane, whose values are to be freed. */
static struct plane halved(const struct plane *p)
{
    struct plane half = {.h = p->h / 2, .w = p->w / 2};
    double *to = gx_new((size_t)half.h * half.w * sizeof *to);
    double *rows = gx_new((size_t)p->w * 2 * sizeof *rows);
    half.made = to;
    for (int y = 0; y < half.h; y++) {
        plane_rows(p, 2 * y, 2, rows);
        for (int x = 0; x < half.w; x++) {
            const double *at = rows + (size_t)2 * x;
            *to++ = (at[0] + at[1] + at[p->w] + at[p->w + 1]) / 4;
        }
    }
    free(rows);
    return half;
}

static double compare_scales(struct plane a, struct plane b)
{
    static const double weight[SCALES] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};
    double value = 1;
    if (a.h >> (SCALES - 1) < 1 || a.w >> (SCALES - 1) < 1)
        return NAN;
    for (int i = 0; i < SCALES; i++) {
        struct similarity s = compare(&a, &b);
        double part = i == SCALES - 1 ? s.whole : s.contrast;
        value *= pow(part > 0 ? part : 0, weight[i]);
        struct plane half[2] = {{0}, {0}};
        if (i < SCALES - 1) {
            half[0] = halved(&a);
            half[1] = halved(&b);
        }
        free((void *)a.made);
        free((void *)b.made);
        a = half[0];
        b = half[1];
    }
    return value;
}

static double similarity(const struct gx_pair *p, bool luma, bool scales)
{
    double sum = 0;
    int channels = luma ? 1 : colours(p);
    for (int n = 0; n < p->count; n++)
        for (int k = 0; k < channels; k++) {
            struct plane a = plane_of(p, picture(p, p->a, n), luma ? LUMA : k);
            struct plane b = plane_of(p, picture(p, p->b, n), luma ? LUMA : k);
            sum += scales ? compare_scales(a, b) : compare(&a, &b).whole;
        }
    return sum / ((double)p->count * channels);
}

double gx_metric_ssim(const struct gx_pair *p)
{
    return similarity(p, false, false);
}

double gx_metric_ssim_y(const struct gx_pair *p)
{
    return similarity(p, true, false);
}

double gx_metric_ms_ssim(const struct gx_pair *p)
{
    return similarity(p, false, true);
}

double gx_metric_ms_ssim_y(const struct gx_pair *p)
{
    return similarity(p, true, true);
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
    {"l1", gx_metric_l1, false},
    {"psnr", gx_metric_psnr, true},
    {"psnr_y", gx_metric_psnr_y, true},
    {"ssim", gx_metric_ssim, true},
    {"ssim_y", gx_metric_ssim_y, true},
    {"ms_ssim", gx_metric_ms_ssim, true},
    {"ms_ssim_y", gx_metric_ms_ssim_y, true},
    {0},
};

const struct gx_metric *gx_metric_find(const char *name)
{
    for (const struct gx_metric *m = gx_metrics; m->name; m++)
        if (!strcmp(m->name, name))
            return m;
    return NULL;
}
