/* What Winograd's products share: the six points, the transforms, and how transformed pictures lie.
 *
 * A product of polynomials of degree below six is found by their values at six points (Toom and
 * Cook): 0, +-1/sqrt 2, +-sqrt 2 and infinity, where the "value" is the last coefficient. A
 * convolution of six inputs with r taps has m = 7 - r outputs, and is the transpose of such a
 * product (Winograd 1980; Lavin and Gray 2016). All of it is made of
 *   evaluate: E, the values at the points of a polynomial of n coefficients,
 *   collect:  its transpose E', from six values to n,
 *   interpolate: B', the transpose of finding six coefficients from six values,
 *   and one factor a point, D, which every transform of the kernel takes:
 *
 *   y  = E_m' [(D E_r w) . (B' x)]                          outputs from taps
 *   dw = E_r' D [sum over tiles of (E_m g) . (B' x)]        taps from outputs
 *
 * each in both directions of the picture. 3x3 has r = 3, 4x4 has r = 4.
 *
 * A convolution with stride 2 is four of stride 1 with half the taps: phase (p, q) of the kernel,
 * its taps (2a + p, 2b + q), meets phase (p, q) of the picture, its pixels (2y + p, 2x + q); they
 * are summed as if each were so many channels more. As dx is that transposed, each phase of dx
 * comes from all of g. So 4x4 with stride 2 has r = 2. */
#ifndef GX_KERNEL_WINOGRAD_H
#define GX_KERNEL_WINOGRAD_H

#include "kernel/simd/block.h"

#define GX_P 0.70710678118654752f
#define GX_Q 1.41421356237309505f

/* How a convolution is done: m outputs a side of each tile from r taps, phases stride x stride. */
struct gx_winograd {
    int r, m, stride;
};

static inline struct gx_winograd gx_winograd_of(const struct gx_conv_sizes *s)
{
    int r = s->kh / s->stride;
    return (struct gx_winograd){r, 7 - r, s->stride};
}

/* What is defined once for each r: X(r). */
#define GX_EACH_FORM(X) X(2) X(3) X(4)

#define GX_INLINE static inline __attribute__((always_inline))

/* The factor 1 / m'(p) of point t. */
GX_INLINE float gx_factor(int t)
{
    return t == 1 || t == 2 ? -1 / 1.5f : t == 3 || t == 4 ? 1 / 6.0f : 1;
}

/* out (6) = E in (n), n from 2 to 5; elements so many apart. */
GX_INLINE void gx_evaluate(const int n, const vf *in, const int in_step, vf *out,
                           const int out_step)
{
    vf even = in[0], odd = GX_P * in[in_step], even2 = in[0], odd2 = GX_Q * in[in_step];
    if (n > 2) {
        even += 0.5f * in[2 * in_step];
        even2 += 2 * in[2 * in_step];
    }
    if (n > 3) {
        odd += (GX_P / 2) * in[3 * in_step];
        odd2 += (2 * GX_Q) * in[3 * in_step];
    }
    if (n > 4) {
        even += 0.25f * in[4 * in_step];
        even2 += 4 * in[4 * in_step];
    }
    out[0] = in[0];
    out[out_step] = even + odd;
    out[2 * out_step] = even - odd;
    out[3 * out_step] = even2 + odd2;
    out[4 * out_step] = even2 - odd2;
    out[5 * out_step] = in[(n - 1) * in_step];
}

/* out (n) = E' in (6). */
GX_INLINE void gx_collect(const int n, const vf *in, const int in_step, vf *out, const int out_step)
{
    vf a = in[in_step] + in[2 * in_step], b = in[in_step] - in[2 * in_step];
    vf c = in[3 * in_step] + in[4 * in_step], d = in[3 * in_step] - in[4 * in_step];
    out[0] = in[0] + a + c;
    out[out_step] = GX_P * b + GX_Q * d;
    if (n > 2)
        out[2 * out_step] = 0.5f * a + 2 * c;
    if (n > 3)
        out[3 * out_step] = (GX_P / 2) * b + (2 * GX_Q) * d;
    if (n > 4)
        out[4 * out_step] = 0.25f * a + 4 * c;
    out[(n - 1) * out_step] += in[5 * in_step];
}

/* out (6) = B' in (6). */
GX_INLINE void gx_interpolate(const vf *in, const int in_step, vf *out, const int out_step)
{
    vf i0 = in[0], i1 = in[in_step], i2 = in[2 * in_step];
    vf i3 = in[3 * in_step], i4 = in[4 * in_step], i5 = in[5 * in_step];
    vf a = i4 - 2 * i2, b = GX_P * i3 - GX_Q * i1;
    vf c = i4 - 0.5f * i2, d = GX_Q * i3 - GX_P * i1;
    out[0] = i0 - 2.5f * i2 + i4;
    out[out_step] = a + b;
    out[2 * out_step] = a - b;
    out[3 * out_step] = c + d;
    out[4 * out_step] = c - d;
    out[5 * out_step] = i1 - 2.5f * i3 + i5;
}

/* So many floats, and enough more that 36 arrays of them, which are written and read side by side,
 * do not meet in one set of the caches. */
static inline int64_t gx_apart(int64_t count)
{
    return (count + 1023) / 1024 * 1024 + 80;
}

/* The 36 transformed pictures of a batch of tiles, as left blocks: a tile a row, channels across. */
struct gx_layout {
    int tiles;    /* most in a batch */
    int64_t step; /* floats from one block to the next */
    int width;    /* channels, up to whole vectors */
    int shared;   /* how many of the 36 share a row; 0: each takes `chunks` blocks */
    int chunks;
};

static inline struct gx_layout gx_layout_of(int channels, int tiles)
{
    struct gx_layout l = {tiles, gx_apart((int64_t)tiles * GX_LDA)};
    l.width = (channels + GX_LANES - 1) / GX_LANES * GX_LANES;
    l.shared = l.width <= GX_DEPTH ? GX_DEPTH / l.width : 0;
    l.chunks = (l.width + GX_DEPTH - 1) / GX_DEPTH;
    return l;
}

static inline size_t gx_layout_floats(const struct gx_layout *l)
{
    return (size_t)(l->shared ? (36 + l->shared - 1) / l->shared : 36 * l->chunks) * l->step;
}

/* Where channel c of transformed element t of the batch's first tile lies. */
static inline float *gx_element(const struct gx_layout *l, float *blocks, int t, int c)
{
    int block = l->shared ? t / l->shared : t * l->chunks + c / GX_DEPTH;
    int column = l->shared ? t % l->shared * l->width + c : c % GX_DEPTH;
    return blocks + (int64_t)block * l->step + column;
}

/* A picture seen as a grid, whose point (row, col) is its pixel (row stride + oy, col stride + ox),
 * or zero outside of it; and the grid cut into tiles of `side` points that lie `step` apart. */
struct gx_tiles {
    const float *x;
    int h, w, c, stride, oy, ox, side, step;
    int down, across; /* tiles of one picture */
    int pixel;        /* floats from a pixel to the next; 0: c */
};

struct gx_corner {
    int64_t n;
    int row, col; /* of the grid */
};

static inline struct gx_corner gx_corner_of(const struct gx_tiles *v, int64_t tile)
{
    int64_t line = tile / v->across;
    return (struct gx_corner){line / v->down, (int)(line % v->down) * v->step,
                              (int)(tile % v->across) * v->step};
}

/* A tile as it is read: point (i, j) is at x + i row + j col, with whole vectors of channels. */
struct gx_view {
    const float *x;
    int64_t row, col;
};

/* Tile number `tile`, in place where it lies in the picture whole, else copied to `patch`, which
 * has room for its points of `width` channels. */
struct gx_view GX_TIERED(winograd_view)(const struct gx_tiles *v, int64_t tile, int width,
                                        float *patch);

/* Transforms the tiles first .. first + count, of six points a side, of each phase of v (whose own
 * oy and ox are phase 0's) into blocks, from row `at` of each on. Channels of a phase follow those
 * of the one before. patch: 36 points of a phase. */
void GX_TIERED(winograd_input)(const struct gx_tiles *v, int phases, int64_t first, int count,
                               int at, const struct gx_layout *layout, float *blocks, float *patch);

/* Scratch of winograd_dw (winograd_dw.c), in floats. */
size_t GX_TIERED(winograd_dw_floats)(const struct gx_conv_sizes *s, int threads);

#endif
