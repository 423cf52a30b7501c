/* Convolution and matrix product, as plain loops: what the fast tiers are held against. Sums are in
 * double. Threads are not used. */
#include "kernel/reference/reference.h"

#include "util/half.h"

/* The element of an NHWC picture, or 0 outside of it. */
static float at(const float *x, int h, int w, int c, int n, int y, int col, int channel)
{
    if (y < 0 || y >= h || col < 0 || col >= w)
        return 0;
    return x[(((size_t)n * h + y) * w + col) * c + channel];
}

float gx_ref_after(const struct gx_after *a, double sum, int64_t pixel, int channel, int channels)
{
    if (!a)
        return (float)sum;
    float v = (float)(sum + (a->bias ? a->bias[channel] : 0));
    const struct gx_beside *g = &a->gate;
    if (a->gated) {
        float sign = g->x ? g->x[pixel * (g->step ? g->step : channels) + channel] : v;
        v *= sign > 0 ? 1 : a->slopes ? a->slopes[channel] : a->slope;
    }
    for (int k = 0; k < a->sums; k++) {
        const struct gx_beside *with = &a->sum[k].with;
        int step = with->step ? with->step : channels;
        v = a->sum[k].scale * v + (with->x ? with->x[pixel * step + channel] : 0);
    }
    return v;
}

float gx_ref_weight(const struct gx_conv_sizes *s, const void *w, int ky, int kx, int i, int o)
{
    size_t at = (((size_t)ky * s->kw + kx) * s->i + i) * s->o + o;
    if (s->dtype == GX_F32)
        return ((const float *)w)[at];
    uint16_t half = ((const uint16_t *)w)[at];
    return s->dtype == GX_F16 ? gx_half_to_float(half) : gx_bfloat_to_float(half);
}

void gx_ref_halve(enum gx_dtype dtype, const float *from, void *to, int64_t count, int threads)
{
    uint16_t *half = to;
    (void)threads;
    for (int64_t j = 0; j < count; j++)
        half[j] = dtype == GX_F16 ? gx_float_to_half(from[j]) : gx_float_to_bfloat(from[j]);
}

void gx_ref_conv2d(const struct gx_conv_sizes *s, const float *x, const void *w,
                   const struct gx_after *after, float *y, void *scratch, int threads)
{
    (void)scratch, (void)threads;
    int64_t pixel = 0;
    for (int n = 0; n < s->n; n++)
        for (int row = 0; row < s->oh; row++)
            for (int col = 0; col < s->ow; col++, pixel++)
                for (int o = 0; o < s->o; o++) {
                    double sum = 0;
                    for (int ky = 0; ky < s->kh; ky++)
                        for (int kx = 0; kx < s->kw; kx++)
                            for (int i = 0; i < s->i; i++)
                                sum += (double)at(x, s->h, s->w, s->i, n,
                                                  row * s->stride + ky - s->pad,
                                                  col * s->stride + kx - s->pad, i) *
                                       gx_ref_weight(s, w, ky, kx, i, o);
                    *y++ = gx_ref_after(after, sum, pixel, o, s->o);
                }
}

/* One element of dx: the taps whose stride lands on (row, col). */
static double dx_element(const struct gx_conv_sizes *s, const float *g, const void *w, int n,
                         int row, int col, int i)
{
    double sum = 0;
    for (int ky = 0; ky < s->kh; ky++)
        for (int kx = 0; kx < s->kw; kx++) {
            int y = row + s->pad - ky, x = col + s->pad - kx;
            if (y < 0 || x < 0 || y % s->stride || x % s->stride)
                continue;
            for (int o = 0; o < s->o; o++)
                sum += (double)at(g, s->oh, s->ow, s->o, n, y / s->stride, x / s->stride, o) *
                       gx_ref_weight(s, w, ky, kx, i, o);
        }
    return sum;
}

void gx_ref_conv2d_dx(const struct gx_conv_sizes *s, const float *g, const void *w,
                      const struct gx_after *after, float *dx, void *scratch, int threads)
{
    (void)scratch, (void)threads;
    int64_t pixel = 0;
    for (int n = 0; n < s->n; n++)
        for (int row = 0; row < s->h; row++)
            for (int col = 0; col < s->w; col++, pixel++)
                for (int i = 0; i < s->i; i++)
                    *dx++ =
                        gx_ref_after(after, dx_element(s, g, w, n, row, col, i), pixel, i, s->i);
}

void gx_ref_conv2d_dw(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw,
                      void *scratch, int threads)
{
    (void)scratch, (void)threads;
    for (int ky = 0; ky < s->kh; ky++)
        for (int kx = 0; kx < s->kw; kx++)
            for (int i = 0; i < s->i; i++)
                for (int o = 0; o < s->o; o++) {
                    double sum = 0;
                    for (int n = 0; n < s->n; n++)
                        for (int row = 0; row < s->oh; row++)
                            for (int col = 0; col < s->ow; col++)
                                sum += (double)at(x, s->h, s->w, s->i, n,
                                                  row * s->stride + ky - s->pad,
                                                  col * s->stride + kx - s->pad, i) *
                                       at(g, s->oh, s->ow, s->o, n, row, col, o);
                    *dw++ = (float)sum;
                }
}

size_t gx_ref_conv2d_scratch(const struct gx_conv_sizes *s, enum gx_conv_product product,
                             int threads)
{
    (void)s, (void)product, (void)threads;
    return 0;
}

enum gx_conv_method gx_ref_conv2d_method(const struct gx_conv_sizes *s,
                                         enum gx_conv_product product)
{
    (void)s, (void)product;
    return GX_CONV_GEMM;
}

void gx_ref_gemm(int m, int p, int k, const float *a, int lda, bool ta, const float *b, int ldb,
                 bool tb, float beta, float *c, int ldc, int threads)
{
    (void)threads;
    for (int row = 0; row < m; row++)
        for (int col = 0; col < p; col++) {
            float *to = c + (size_t)row * ldc + col;
            double sum = beta != 0 ? (double)beta * *to : 0;
            for (int j = 0; j < k; j++)
                sum += (double)a[ta ? (size_t)j * lda + row : (size_t)row * lda + j] *
                       b[tb ? (size_t)col * ldb + j : (size_t)j * ldb + col];
            *to = (float)sum;
        }
}
