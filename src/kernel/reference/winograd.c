/* Winograd's method, Lavin and Gray 2016, tile by tile: with r taps and m = 7 - r outputs a side,
 * y = A' [sum over channels of (G w G') . (B' x B)] A, and as its transpose in w
 * dw = G' [sum over tiles of (A g A') . (B' x B)] G.
 *
 * The interpolation points are 0, +-1/sqrt 2, +-sqrt 2 and infinity: half the error of the usual
 * 0, +-1, +-2. With p a point and m(x) = x (x^2 - 1/2) (x^2 - 2): a row of B' holds the
 * coefficients of m(x) / (x - p), a row of G is (1, p, ... p^(r-1)) / m'(p), and one of A is
 * (1, p, ... p^(m-1)).
 *
 * With stride 2, the taps of even row and even column meet pixels of one phase, and so on: four
 * convolutions of stride 1 with half the taps, a side. */
#include "kernel/reference/reference.h"

#define P 0.70710678118654752440
#define Q 1.41421356237309504880

static const double B[6][6] = {
    {1, 0, -2.5, 0, 1, 0},  {0, -Q, -2, P, 1, 0},   {0, Q, -2, -P, 1, 0},
    {0, -P, -0.5, Q, 1, 0}, {0, P, -0.5, -Q, 1, 0}, {0, 1, 0, -2.5, 0, 1},
};
static const double point[5] = {0, P, -P, Q, -Q}, slope[5] = {1, -1.5, -1.5, 6, 6}; /* m'(p) */

/* The matrix (6, n) of powers, over m'(p) for the kernel; `turned`: its transpose (n, 6). */
static void powers(int n, bool kernel, bool turned, double *to)
{
    for (int t = 0; t < 6; t++) {
        double power = 1;
        for (int j = 0; j < n; j++) {
            double value = t == 5 ? j == n - 1 : kernel ? power / slope[t] : power;
            to[turned ? j * 6 + t : t * n + j] = value;
            power *= t == 5 ? 0 : point[t];
        }
    }
}

/* out (r,r) = t in t', with t (r,c) and in (c,c). */
static void sandwich(int r, int c, const double *t, const double *in, double *out)
{
    for (int a = 0; a < r; a++)
        for (int b = 0; b < r; b++) {
            double sum = 0;
            for (int j = 0; j < c; j++)
                for (int k = 0; k < c; k++)
                    sum += t[a * c + j] * in[j * c + k] * t[b * c + k];
            out[a * r + b] = sum;
        }
}

/* The tile (size, size) of a picture (h,w), pixels c floats apart, whose pixel (j, k) is
 * (row + j step, col + k step), with zeros outside. */
static void read_tile(const float *x, int h, int w, int c, int row, int col, int step, int size,
                      double *d)
{
    for (int t = 0; t < size * size; t++) {
        int y = row + t / size * step, z = col + t % size * step;
        bool inside = y >= 0 && y < h && z >= 0 && z < w;
        d[t] = inside ? x[((size_t)y * w + z) * c] : 0;
    }
}

/* G w G' of a phase of a pair of channels, or of its taps in reverse order. */
static void read_taps(const struct gx_conv_sizes *s, const void *w, int i, int o, int phase,
                      bool reverse, double *u)
{
    int r = s->kh / s->stride;
    double g[24], tap[16];
    for (int t = 0; t < r * r; t++) {
        int from = reverse ? r * r - 1 - t : t;
        int ky = from / r * s->stride + phase / s->stride;
        int kx = from % r * s->stride + phase % s->stride;
        tap[t] = gx_ref_weight(s, w, ky, kx, i, o);
    }
    powers(r, true, false, g);
    sandwich(6, r, g, tap, u);
}

void gx_ref_winograd_y(const struct gx_conv_sizes *s, const float *x, const void *w,
                       const struct gx_after *after, float *y, void *scratch, int threads)
{
    (void)scratch, (void)threads;
    int m = 7 - s->kh / s->stride, phases = s->stride * s->stride;
    int x_step = s->x_step ? s->x_step : s->i, y_step = s->y_step ? s->y_step : s->o;
    double d[36], v[36], u[36], sum[36], a[30], tile[25];
    powers(m, false, true, a);
    for (int n = 0; n < s->n; n++, x += (size_t)s->h * s->w * x_step)
        for (int at = 0; at < s->oh * s->ow * s->o; at++) {
            int o = at % s->o, col = at / s->o % s->ow, row = at / s->o / s->ow;
            if (row % m || col % m)
                continue;
            for (int t = 0; t < 36; t++)
                sum[t] = 0;
            for (int c = 0; c < s->i * phases; c++) {
                int i = c / phases, phase = c % phases;
                read_tile(x + i, s->h, s->w, x_step, row * s->stride + phase / s->stride - s->pad,
                          col * s->stride + phase % s->stride - s->pad, s->stride, 6, d);
                sandwich(6, 6, &B[0][0], d, v);
                read_taps(s, w, i, o, phase, false, u);
                for (int t = 0; t < 36; t++)
                    sum[t] += u[t] * v[t];
            }
            sandwich(m, 6, a, sum, tile);
            for (int t = 0; t < m * m; t++) {
                int64_t pixel = (int64_t)(n * s->oh + row + t / m) * s->ow + col + t % m;
                if (row + t / m < s->oh && col + t % m < s->ow)
                    y[pixel * y_step + o] = gx_ref_after(after, tile[t], pixel, o, s->o);
            }
        }
}

/* Pixel stride e + phase - pad of dx comes from g at e - r + 1 .. e. */
void gx_ref_winograd_dx(const struct gx_conv_sizes *s, const float *g, const void *w,
                        const struct gx_after *after, float *dx, void *scratch, int threads)
{
    (void)scratch, (void)threads;
    int r = s->kh / s->stride, m = 7 - r, phases = s->stride * s->stride;
    int down = (s->h - 1 + s->pad) / s->stride + 1, across = (s->w - 1 + s->pad) / s->stride + 1;
    double d[36], v[36], u[36], sum[36], a[30], tile[25];
    powers(m, false, true, a);
    for (int n = 0; n < s->n; n++, g += (size_t)s->oh * s->ow * s->o)
        for (int at = 0; at < down * across * s->i * phases; at++) {
            int c = at % (s->i * phases), i = c / phases, phase = c % phases;
            int col = at / phases / s->i % across, row = at / phases / s->i / across;
            if (row % m || col % m)
                continue;
            for (int t = 0; t < 36; t++)
                sum[t] = 0;
            for (int o = 0; o < s->o; o++) {
                read_tile(g + o, s->oh, s->ow, s->o, row - r + 1, col - r + 1, 1, 6, d);
                sandwich(6, 6, &B[0][0], d, v);
                read_taps(s, w, i, o, phase, true, u);
                for (int t = 0; t < 36; t++)
                    sum[t] += u[t] * v[t];
            }
            sandwich(m, 6, a, sum, tile);
            for (int t = 0; t < m * m; t++) {
                int y = (row + t / m) * s->stride + phase / s->stride - s->pad;
                int z = (col + t % m) * s->stride + phase % s->stride - s->pad;
                int64_t pixel = (int64_t)(n * s->h + y) * s->w + z;
                if (y >= 0 && y < s->h && z >= 0 && z < s->w)
                    dx[pixel * s->i + i] = gx_ref_after(after, tile[t], pixel, i, s->i);
            }
        }
}

/* The 36 sums over the tiles of all pictures, for one input channel, its phase, and one output. */
static void pair_sums(const struct gx_conv_sizes *s, int m, int phase, const float *x,
                      const float *g, double sum[36])
{
    double in[36], out[25], v[36], z[36], a[30];
    powers(m, false, false, a);
    for (int t = 0; t < 36; t++)
        sum[t] = 0;
    for (int n = 0; n < s->n; n++) {
        for (int row = 0; row < s->oh; row += m)
            for (int col = 0; col < s->ow; col += m) {
                read_tile(x, s->h, s->w, s->i, row * s->stride + phase / s->stride - s->pad,
                          col * s->stride + phase % s->stride - s->pad, s->stride, 6, in);
                read_tile(g, s->oh, s->ow, s->o, row, col, 1, m, out);
                sandwich(6, 6, &B[0][0], in, v);
                sandwich(6, m, a, out, z);
                for (int t = 0; t < 36; t++)
                    sum[t] += v[t] * z[t];
            }
        x += (size_t)s->h * s->w * s->i;
        g += (size_t)s->oh * s->ow * s->o;
    }
}

void gx_ref_winograd_dw(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw,
                        void *scratch, int threads)
{
    (void)scratch, (void)threads;
    int r = s->kh / s->stride;
    double sum[36], tap[16], back[24];
    powers(r, true, true, back);
    for (int phase = 0; phase < s->stride * s->stride; phase++)
        for (int i = 0; i < s->i; i++)
            for (int o = 0; o < s->o; o++) {
                pair_sums(s, 7 - r, phase, x + i, g + o, sum);
                sandwich(r, 6, back, sum, tap);
                for (int t = 0; t < r * r; t++) {
                    int ky = t / r * s->stride + phase / s->stride;
                    int kx = t % r * s->stride + phase % s->stride;
                    dw[(((size_t)ky * s->kw + kx) * s->i + i) * s->o + o] = (float)tap[t];
                }
            }
}

size_t gx_ref_winograd_scratch(const struct gx_conv_sizes *s, enum gx_conv_product product,
                               int threads)
{
    (void)s, (void)product, (void)threads;
    return 0;
}
