/* Winograd F(4x4,3x3), Lavin and Gray 2016, tile by tile: y = A' [(G w G') . (B' x B)] A, and as
 * its transpose in w dw = G' [sum over tiles of (A g A') . (B' x B)] G.
 *
 * The interpolation points are 0, +-1/sqrt 2, +-sqrt 2 and infinity: half the error of the usual
 * 0, +-1, +-2. With p a point and m(x) = x (x^2 - 1/2) (x^2 - 2): a row of B' holds the
 * coefficients of m(x) / (x - p), a row of G is (1, p, p^2) / m'(p), and a column of A' is (1, p,
 * p^2, p^3). */
#include "kernel/reference/reference.h"

#define P 0.70710678118654752440
#define Q 1.41421356237309504880

static const double B[6][6] = {
    {1, 0, -2.5, 0, 1, 0},  {0, -Q, -2, P, 1, 0},   {0, Q, -2, -P, 1, 0},
    {0, -P, -0.5, Q, 1, 0}, {0, P, -0.5, -Q, 1, 0}, {0, 1, 0, -2.5, 0, 1},
};
static const double G[6][3] = {
    {1, 0, 0},
    {-1 / 1.5, -P / 1.5, -0.5 / 1.5},
    {-1 / 1.5, P / 1.5, -0.5 / 1.5},
    {1 / 6.0, Q / 6, 2 / 6.0},
    {1 / 6.0, -Q / 6, 2 / 6.0},
    {0, 0, 1},
};
static const double A[4][6] = {
    {1, 1, 1, 1, 1, 0},
    {0, P, -P, Q, -Q, 0},
    {0, 0.5, 0.5, 2, 2, 0},
    {0, P / 2, -P / 2, 2 * Q, -2 * Q, 1},
};

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

void gx_ref_winograd_weights(const struct gx_conv_sizes *s, enum gx_conv_product product,
                             const float *w, float *u, int threads)
{
    (void)threads;
    int i = s->i, o = s->o;
    bool rotate = product == GX_CONV_DX;
    for (int ci = 0; ci < i; ci++)
        for (int co = 0; co < o; co++) {
            double tap[9], out[36];
            for (int t = 0; t < 9; t++)
                tap[t] = w[((size_t)(rotate ? 8 - t : t) * i + ci) * o + co];
            sandwich(6, 3, &G[0][0], tap, out);
            size_t at = rotate ? (size_t)co * i + ci : (size_t)ci * o + co;
            for (int t = 0; t < 36; t++)
                u[(size_t)t * i * o + at] = (float)out[t];
        }
}

/* The tile of a picture (h,w,c) whose first pixel is (row, col), with zeros outside: size x size. */
static void read_tile(const float *x, int h, int w, int c, int row, int col, int size, double *d)
{
    for (int t = 0; t < size * size; t++) {
        int y = row + t / size, z = col + t % size;
        bool inside = y >= 0 && y < h && z >= 0 && z < w;
        d[t] = inside ? x[((size_t)y * w + z) * c] : 0;
    }
}

/* The 36 sums over channels of the tile whose first input pixel is (row, col), for one output. */
static void tile_sums(int h, int w, int in, int out, int row, int col, const float *x,
                      const float *u, double sum[36])
{
    double d[36], v[36];
    for (int t = 0; t < 36; t++)
        sum[t] = 0;
    for (int c = 0; c < in; c++) {
        read_tile(x + c, h, w, in, row, col, 6, d);
        sandwich(6, 6, &B[0][0], d, v);
        for (int t = 0; t < 36; t++)
            sum[t] += v[t] * u[((size_t)t * in + c) * out];
    }
}

void gx_ref_winograd_conv(const struct gx_conv_sizes *s, enum gx_conv_product product,
                          const float *x, const float *u, const float *bias, float *y,
                          void *scratch, int threads)
{
    (void)scratch, (void)threads;
    bool forward = product == GX_CONV_Y;
    int h = forward ? s->h : s->oh, w = forward ? s->w : s->ow, in = forward ? s->i : s->o;
    int oh = forward ? s->oh : s->h, ow = forward ? s->ow : s->w, out = forward ? s->o : s->i;
    int pad = forward ? s->pad : 2 - s->pad;
    for (int b = 0; b < s->n; b++, x += (size_t)h * w * in, y += (size_t)oh * ow * out)
        for (int row = 0; row < oh; row += 4)
            for (int col = 0; col < ow; col += 4)
                for (int c = 0; c < out; c++) {
                    double sum[36], tile[16];
                    tile_sums(h, w, in, out, row - pad, col - pad, x, u + c, sum);
                    sandwich(4, 6, &A[0][0], sum, tile);
                    for (int t = 0; t < 16; t++) {
                        int r = row + t / 4, k = col + t % 4;
                        if (r < oh && k < ow)
                            y[((size_t)r * ow + k) * out + c] =
                                (float)(tile[t] + (bias ? bias[c] : 0));
                    }
                }
}

/* The 36 sums over the tiles of all pictures, for one input and one output channel. */
static void pair_sums(const struct gx_conv_sizes *s, const float *x, const float *g, double sum[36])
{
    double in[36], out[16], v[36], z[36], across[6][4];
    for (int t = 0; t < 36; t++)
        sum[t] = 0;
    for (int t = 0; t < 24; t++)
        across[t / 4][t % 4] = A[t % 4][t / 4];
    for (int b = 0; b < s->n;
         b++, x += (size_t)s->h * s->w * s->i, g += (size_t)s->oh * s->ow * s->o)
        for (int row = 0; row < s->oh; row += 4)
            for (int col = 0; col < s->ow; col += 4) {
                read_tile(x, s->h, s->w, s->i, row - s->pad, col - s->pad, 6, in);
                read_tile(g, s->oh, s->ow, s->o, row, col, 4, out);
                sandwich(6, 6, &B[0][0], in, v);
                sandwich(6, 4, &across[0][0], out, z);
                for (int t = 0; t < 36; t++)
                    sum[t] += v[t] * z[t];
            }
}

void gx_ref_winograd_dw(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw,
                        void *scratch, int threads)
{
    (void)scratch, (void)threads;
    double sum[36], tap[9], back[3][6];
    for (int t = 0; t < 18; t++)
        back[t / 6][t % 6] = G[t % 6][t / 6];
    for (int i = 0; i < s->i; i++)
        for (int o = 0; o < s->o; o++) {
            pair_sums(s, x + i, g + o, sum);
            sandwich(3, 6, &back[0][0], sum, tap);
            for (int t = 0; t < 9; t++)
                dw[((size_t)t * s->i + i) * s->o + o] = (float)tap[t];
        }
}

size_t gx_ref_winograd_scratch(const struct gx_conv_sizes *s, enum gx_conv_product product,
                               int threads)
{
    (void)s, (void)product, (void)threads;
    return 0;
}
