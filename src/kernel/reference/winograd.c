/* Winograd's method, Lavin and Gray 2016, tile by tile: with P points, r taps and m = P + 1 - r
 * outputs a side, y = A' [sum over channels of (G w G') . (B' x B)] A, and as its transpose in w
 * dw = G' [sum over tiles of (A g A') . (B' x B)] G.
 *
 * The points of six are 0, +-1/sqrt 2, +-sqrt 2 and infinity: half the error of the usual 0, +-1,
 * +-2. With p a point and m(x) the product of (x - p) over the finite ones: a row of B' holds the
 * coefficients of m(x) / (x - p), and for infinity of m(x); a row of G is (1, p, ... p^(r-1)) /
 * m'(p), and one of A is (1, p, ... p^(m-1)); for infinity, the last alone is 1.
 *
 * With stride 2, the taps of even row and even column meet pixels of one phase, and so on: four
 * convolutions of stride 1 with half the taps, a side. A kernel of three has a fourth tap, zero. */
#include "kernel/reference/reference.h"

#define P 0.70710678118654752440
#define Q 1.41421356237309504880

enum { MOST = 6, LARGEST = MOST * MOST }; /* points, and elements of a tile */

static const double points_of_3[] = {0, 1}, points_of_4[] = {0, 1, -1};
static const double points_of_6[] = {0, P, -P, Q, -Q};
static const double *const point[] = {[3] = points_of_3, [4] = points_of_4, [6] = points_of_6};

/* What every function here starts with. */
struct form {
    int points, r, m;
    double b[LARGEST]; /* B' */
};

/* coefficients (points) of the product of (x - p) over the finite points but `without`; returns its
 * value at `at`. */
static double product(int points, int without, double at, double *coefficients)
{
    double value = 1;
    for (int j = 0; j < points; j++)
        coefficients[j] = j == 0;
    for (int t = 0; t < points - 1; t++) {
        if (t == without)
            continue;
        double p = point[points][t];
        value *= at - p;
        for (int j = points - 1; j >= 0; j--)
            coefficients[j] = (j ? coefficients[j - 1] : 0) - p * coefficients[j];
    }
    return value;
}

static struct form form_of(const struct gx_conv_sizes *s)
{
    struct form f = {(int)s->method, (s->kh + s->stride - 1) / s->stride};
    f.m = f.points + 1 - f.r;
    for (int t = 0; t < f.points; t++)
        product(f.points, t, 0, f.b + t * f.points);
    return f;
}

/* The matrix (points, n) of powers, over m'(p) for the kernel; `turned`: its transpose. */
static void powers(int points, int n, bool kernel, bool turned, double *to)
{
    double unused[MOST];
    for (int t = 0; t < points; t++) {
        bool infinity = t == points - 1;
        double p = infinity ? 0 : point[points][t], power = 1;
        double slope = kernel ? product(points, t, p, unused) : 1;
        for (int j = 0; j < n; j++, power *= p)
            to[turned ? j * points + t : t * n + j] = infinity ? j == n - 1 : power / slope;
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
 * (row + j step, col + k step), with zeros outside, or the picture mirrored. */
static void read_tile(const float *x, int h, int w, int c, bool mirrored, int row, int col,
                      int step, int size, double *d)
{
    for (int t = 0; t < size * size; t++) {
        int y = row + t / size * step, z = col + t % size * step;
        if (mirrored) {
            y = y < 0 ? -y : y >= h ? 2 * (h - 1) - y : y;
            z = z < 0 ? -z : z >= w ? 2 * (w - 1) - z : z;
        }
        bool inside = y >= 0 && y < h && z >= 0 && z < w;
        d[t] = inside ? x[((size_t)y * w + z) * c] : 0;
    }
}

/* G w G' of a phase of a pair of channels, or of its taps in reverse order. */
static void read_taps(const struct gx_conv_sizes *s, const struct form *f, const void *w, int i,
                      int o, int phase, bool reverse, double *u)
{
    int r = f->r;
    double g[LARGEST], tap[LARGEST];
    for (int t = 0; t < r * r; t++) {
        int from = reverse ? r * r - 1 - t : t;
        int ky = from / r * s->stride + phase / s->stride;
        int kx = from % r * s->stride + phase % s->stride;
        bool known = ky < s->kh && kx < s->kw;
        tap[t] = known ? gx_ref_weight(s, w, ky, kx, i, o) : 0;
    }
    powers(f->points, r, true, false, g);
    sandwich(f->points, r, g, tap, u);
}

/* Writes the sum for channel o of a pixel, which may be channel o / 4 of one of 2x2 pixels. */
static void put(const struct gx_conv_sizes *s, const struct gx_after *after, double sum, int n,
                int row, int col, int o, float *y)
{
    int wide = s->shuffled ? 2 : 1, channels = s->o / (wide * wide), c = o / (wide * wide);
    struct gx_after rest = after ? *after : (struct gx_after){0};
    if (rest.bias)
        sum += rest.bias[o];
    rest.bias = NULL;
    int64_t line = ((int64_t)n * s->oh + row) * wide + o / wide % wide;
    int64_t pixel = (line * s->ow + col) * wide + o % wide;
    y[pixel * (s->y_step ? s->y_step : channels) + c] =
        gx_ref_after(&rest, sum, pixel, c, channels);
}

void gx_ref_winograd_y(const struct gx_conv_sizes *s, const float *x, const void *w,
                       const struct gx_after *after, float *y, void *scratch, int threads)
{
    (void)scratch, (void)threads;
    struct form f = form_of(s);
    int m = f.m, size = f.points, phases = s->stride * s->stride;
    double d[LARGEST], v[LARGEST], u[LARGEST], sum[LARGEST], a[LARGEST], tile[LARGEST];
    powers(size, m, false, true, a);
    int x_step = s->x_step ? s->x_step : s->i;
    for (int n = 0; n < s->n; n++, x += (size_t)s->h * s->w * x_step)
        for (int at = 0; at < s->oh * s->ow * s->o; at++) {
            int o = at % s->o, col = at / s->o % s->ow, row = at / s->o / s->ow;
            if (row % m || col % m)
                continue;
            for (int t = 0; t < size * size; t++)
                sum[t] = 0;
            for (int c = 0; c < s->i * phases; c++) {
                int i = c / phases, phase = c % phases;
                read_tile(x + i, s->h, s->w, x_step, s->mirrored,
                          row * s->stride + phase / s->stride - s->pad,
                          col * s->stride + phase % s->stride - s->pad, s->stride, size, d);
                sandwich(size, size, f.b, d, v);
                read_taps(s, &f, w, i, o, phase, false, u);
                for (int t = 0; t < size * size; t++)
                    sum[t] += u[t] * v[t];
            }
            sandwich(m, size, a, sum, tile);
            for (int t = 0; t < m * m; t++) {
                if (row + t / m < s->oh && col + t % m < s->ow)
                    put(s, after, tile[t], n, row + t / m, col + t % m, o, y);
            }
        }
}

/* Pixel stride e + phase - pad of dx comes from g at e - r + 1 .. e. */
void gx_ref_winograd_dx(const struct gx_conv_sizes *s, const float *g, const void *w,
                        const struct gx_after *after, float *dx, void *scratch, int threads)
{
    (void)scratch, (void)threads;
    struct form f = form_of(s);
    int r = f.r, m = f.m, size = f.points, phases = s->stride * s->stride;
    int down = (s->h - 1 + s->pad) / s->stride + 1, across = (s->w - 1 + s->pad) / s->stride + 1;
    double d[LARGEST], v[LARGEST], u[LARGEST], sum[LARGEST], a[LARGEST], tile[LARGEST];
    powers(size, m, false, true, a);
    for (int n = 0; n < s->n; n++, g += (size_t)s->oh * s->ow * s->o)
        for (int at = 0; at < down * across * s->i * phases; at++) {
            int c = at % (s->i * phases), i = c / phases, phase = c % phases;
            int col = at / phases / s->i % across, row = at / phases / s->i / across;
            if (row % m || col % m)
                continue;
            for (int t = 0; t < size * size; t++)
                sum[t] = 0;
            for (int o = 0; o < s->o; o++) {
                read_tile(g + o, s->oh, s->ow, s->o, false, row - r + 1, col - r + 1, 1, size, d);
                sandwich(size, size, f.b, d, v);
                read_taps(s, &f, w, i, o, phase, true, u);
                for (int t = 0; t < size * size; t++)
                    sum[t] += u[t] * v[t];
            }
            sandwich(m, size, a, sum, tile);
            for (int t = 0; t < m * m; t++) {
                int y = (row + t / m) * s->stride + phase / s->stride - s->pad;
                int z = (col + t % m) * s->stride + phase % s->stride - s->pad;
                int64_t pixel = (int64_t)(n * s->h + y) * s->w + z;
                if (y >= 0 && y < s->h && z >= 0 && z < s->w)
                    dx[pixel * s->i + i] = gx_ref_after(after, tile[t], pixel, i, s->i);
            }
        }
}

/* The sums over the tiles of all pictures, for one input channel, its phase, and one output. */
static void pair_sums(const struct gx_conv_sizes *s, const struct form *f, int phase,
                      const float *x, const float *g, double *sum)
{
    int m = f->m, size = f->points;
    double in[LARGEST], out[LARGEST], v[LARGEST], z[LARGEST], a[LARGEST];
    powers(size, m, false, false, a);
    for (int t = 0; t < size * size; t++)
        sum[t] = 0;
    for (int n = 0; n < s->n; n++) {
        for (int row = 0; row < s->oh; row += m)
            for (int col = 0; col < s->ow; col += m) {
                read_tile(x, s->h, s->w, s->i, s->mirrored,
                          row * s->stride + phase / s->stride - s->pad,
                          col * s->stride + phase % s->stride - s->pad, s->stride, size, in);
                read_tile(g, s->oh, s->ow, s->o, false, row, col, 1, m, out);
                sandwich(size, size, f->b, in, v);
                sandwich(size, m, a, out, z);
                for (int t = 0; t < size * size; t++)
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
    struct form f = form_of(s);
    int r = f.r;
    double sum[LARGEST], tap[LARGEST], back[LARGEST];
    powers(f.points, r, true, true, back);
    for (int phase = 0; phase < s->stride * s->stride; phase++)
        for (int i = 0; i < s->i; i++)
            for (int o = 0; o < s->o; o++) {
                pair_sums(s, &f, phase, x + i, g + o, sum);
                sandwich(r, f.points, back, sum, tap);
                for (int t = 0; t < r * r; t++) {
                    int ky = t / r * s->stride + phase / s->stride;
                    int kx = t % r * s->stride + phase % s->stride;
                    if (ky < s->kh && kx < s->kw)
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

bool gx_ref_winograd_keeps(const struct gx_conv_sizes *s, int threads)
{
    (void)s, (void)threads;
    return false;
}
