/* What Winograd's products share: the points, the transforms, and how transformed pictures lie.
 *
 * A product of polynomials of degree below P is found by their values at P points (Toom and Cook),
 * of which the last is infinity, where the "value" is the last coefficient. A convolution of P
 * inputs with r taps has m = P + 1 - r outputs, and is the transpose of such a product (Winograd
 * 1980; Lavin and Gray 2016). All of it is made of
 *   evaluate: E, the values at the points of a polynomial of n coefficients,
 *   collect:  its transpose E', from P values to n,
 *   interpolate: B', the transpose of finding P coefficients from P values,
 *   and one factor a point, D, which every transform of the kernel takes:
 *
 *   y  = E_m' [(D E_r w) . (B' x)]                          outputs from taps
 *   dw = E_r' D [sum over tiles of (E_m g) . (B' x)]        taps from outputs
 *
 * each in both directions of the picture. Points are 0, +-1/sqrt 2, +-sqrt 2 and infinity; or 0,
 * +-1 and infinity; or 0, 1 and infinity: the more there are, the fewer multiplications an output
 * takes, but the more weights come of a kernel and the larger are the tiles that a picture's edges
 * cut. 3x3 has r = 3, 4x4 has r = 4, both with six points.
 *
 * A convolution with stride 2 is four of stride 1 with half the taps: phase (p, q) of the kernel,
 * its taps (2a + p, 2b + q), meets phase (p, q) of the picture, its pixels (2y + p, 2x + q); they
 * are summed as if each were so many channels more. As dx is that transposed, each phase of dx
 * comes from all of g. So 4x4 with stride 2 has r = 2. 3x3 with stride 2 is the same with taps that
 * are zero, whose phases have the value 0 at infinity (or, since dx turns the kernel, at 0): there
 * they are left out. */
#ifndef GX_KERNEL_WINOGRAD_H
#define GX_KERNEL_WINOGRAD_H

#include "kernel/simd/block.h"

#define GX_P 0.70710678118654752f
#define GX_Q 1.41421356237309505f

enum {
    GX_POINTS = 6, /* most */
    GX_ELEMENTS = GX_POINTS * GX_POINTS,
    GX_TAPS = 4,               /* most r */
    GX_OUTPUTS = GX_POINTS - 1 /* most m */
};

/* How a convolution is done: m outputs a side of each tile from r taps; phases stride x stride.
 * `odd`: a kernel of an odd side and stride 2, whose last tap is zero in half of the phases. */
struct gx_winograd {
    int points, r, m, stride;
    bool odd;
};

static inline struct gx_winograd gx_winograd_of(const struct gx_conv_sizes *s)
{
    int r = (s->kh + s->stride - 1) / s->stride, points = (int)s->method;
    return (struct gx_winograd){points, r, points + 1 - r, s->stride, r * s->stride > s->kh};
}

/* A phase: its first tap. They are numbered so that those without a last row of taps, and those
 * without a last column, leave the others in one piece. */
struct gx_phase {
    int row, col;
};

static inline struct gx_phase gx_phase_of(const struct gx_winograd *f, int number)
{
    if (f->stride == 1)
        return (struct gx_phase){0, 0};
    return (struct gx_phase){number == 0 || number == 3, number >= 2};
}

/* The phases first .. end that an element of the transform (row a, column b) gets something from. */
struct gx_phases {
    int first, end;
};

static inline struct gx_phases gx_phases_at(const struct gx_winograd *f, int element)
{
    bool row = element / f->points == f->points - 1, col = element % f->points == f->points - 1;
    if (!f->odd || (!row && !col))
        return (struct gx_phases){0, f->stride * f->stride};
    return (struct gx_phases){row ? 1 : 0, col ? 2 : 3};
}

/* What is defined once for each pair of points and taps: X(points, r). */
#define GX_EACH_FORM(X) X(3, 2) X(4, 2) X(6, 2) X(6, 3) X(6, 4)

#define GX_INLINE static inline __attribute__((always_inline))

/* The factor of a point: 1 / m'(p), with m the product of (x - p) over the finite points. Where
 * that is -1, interpolate has the sign. */
GX_INLINE float gx_factor(const int points, int t)
{
    if (points == 6)
        return t == 1 || t == 2 ? -1 / 1.5f : t == 3 || t == 4 ? 1 / 6.0f : 1;
    return points == 4 && (t == 1 || t == 2) ? 0.5f : 1;
}

/* f times the values at p and -p, with q = p^2. */
GX_INLINE void gx_evaluate_pair(const int n, const float p, const float q, const float f,
                                const vf *in, const int step, vf *plus, vf *minus)
{
    vf even = f * in[0], odd = in[step];
    if (n > 2)
        even += (f * q) * in[2 * step];
    if (n > 3)
        odd += q * in[3 * step];
    if (n > 4)
        even += (f * q * q) * in[4 * step];
    *plus = even + (f * p) * odd;
    *minus = even - (f * p) * odd;
}

/* out (points) = E in (n), or D E in; n from 2 to 5; elements so many apart. */
GX_INLINE void gx_evaluate(const int points, const int n, const bool factors, const vf *in,
                           const int in_step, vf *out, const int out_step)
{
    out[0] = in[0];
    if (points == 3) {
        out[out_step] = in[0] + in[in_step];
    } else {
        const float p = points == 6 ? GX_P : 1, q = points == 6 ? 0.5f : 1;
        gx_evaluate_pair(n, p, q, factors ? gx_factor(points, 1) : 1, in, in_step, out + out_step,
                         out + 2 * out_step);
    }
    if (points == 6)
        gx_evaluate_pair(n, GX_Q, 2, factors ? gx_factor(points, 3) : 1, in, in_step,
                         out + 3 * out_step, out + 4 * out_step);
    out[(points - 1) * out_step] = in[(n - 1) * in_step];
}

/* out (n) = E' in (points). */
GX_INLINE void gx_collect(const int points, const int n, const vf *in, const int in_step, vf *out,
                          const int out_step)
{
    if (points == 3) {
        out[0] = in[0] + in[in_step];
        out[out_step] = in[in_step] + in[2 * in_step];
        return;
    }
    vf a = in[in_step] + in[2 * in_step], b = in[in_step] - in[2 * in_step];
    if (points == 4) {
        out[0] = in[0] + a;
        out[out_step] = b;
        if (n > 2)
            out[2 * out_step] = a;
    } else {
        vf c = in[3 * in_step] + in[4 * in_step], d = in[3 * in_step] - in[4 * in_step];
        out[0] = in[0] + a + c;
        out[out_step] = GX_P * b + GX_Q * d;
        if (n > 2)
            out[2 * out_step] = 0.5f * a + 2 * c;
        if (n > 3)
            out[3 * out_step] = (GX_P / 2) * b + (2 * GX_Q) * d;
        if (n > 4)
            out[4 * out_step] = 0.25f * a + 4 * c;
    }
    out[(n - 1) * out_step] += in[(points - 1) * in_step];
}

/* out (points) = B' in (points). */
GX_INLINE void gx_interpolate(const int points, const vf *in, const int in_step, vf *out,
                              const int out_step)
{
    vf i0 = in[0], i1 = in[in_step], i2 = in[2 * in_step];
    if (points == 3) {
        out[0] = i0 - i1;
        out[out_step] = i1;
        out[2 * out_step] = i2 - i1;
        return;
    }
    vf i3 = in[3 * in_step];
    if (points == 4) {
        out[0] = i0 - i2;
        out[out_step] = i2 + i1;
        out[2 * out_step] = i2 - i1;
        out[3 * out_step] = i3 - i1;
        return;
    }
    vf i4 = in[4 * in_step], i5 = in[5 * in_step];
    vf a = i4 - 2 * i2, b = i3 - 2 * i1, c = i4 - 0.5f * i2, d = i3 - 0.5f * i1;
    out[0] = i0 + i4 - 2.5f * i2;
    out[out_step] = a + GX_P * b;
    out[2 * out_step] = a - GX_P * b;
    out[3 * out_step] = c + GX_Q * d;
    out[4 * out_step] = c - GX_Q * d;
    out[5 * out_step] = i1 + i5 - 2.5f * i3;
}

/* So many floats, and enough more that the arrays of all elements, which are written and read side
 * by side, do not meet in one set of the caches. */
static inline int64_t gx_apart(int64_t count)
{
    return (count + 1023) / 1024 * 1024 + 80;
}

/* The transformed pictures of a batch of tiles, one an element of the transform, as left blocks: a
 * tile a row, channels across. */
struct gx_layout {
    int tiles;    /* most in a batch */
    int64_t step; /* floats from one block to the next */
    int width;    /* channels, up to whole vectors */
    int shared;   /* elements in a row: as many as there is room for */
    int blocks;
    int64_t element[GX_ELEMENTS]; /* where each begins */
};

static inline struct gx_layout gx_layout_of(int elements, int channels, int tiles)
{
    struct gx_layout l = {tiles, gx_apart((int64_t)tiles * GX_LDA)};
    l.width = (channels + GX_LANES - 1) / GX_LANES * GX_LANES;
    l.shared = l.width <= GX_DEPTH ? GX_DEPTH / l.width : 1;
    int chunks = (l.width + GX_DEPTH - 1) / GX_DEPTH;
    for (int t = 0; t < elements; t++)
        l.element[t] = t / l.shared * chunks * l.step + (int64_t)(t % l.shared) * l.width;
    l.blocks = (elements + l.shared - 1) / l.shared * chunks;
    return l;
}

static inline size_t gx_layout_floats(const struct gx_layout *l)
{
    return (size_t)l->blocks * l->step;
}

/* Where channel c of each element of the batch's first tile lies, from the element's begin on. */
static inline int64_t gx_channel(const struct gx_layout *l, int c)
{
    return c / GX_DEPTH * l->step + c % GX_DEPTH;
}

/* A picture seen as a grid, whose point (row, col) is its pixel (row stride + oy, col stride + ox),
 * or zero outside of it; and the grid cut into tiles of `side` points that lie `step` apart. */
struct gx_tiles {
    const float *x;
    int h, w, c, stride, oy, ox, side, step;
    int down, across; /* tiles of one picture */
    int pixel;        /* floats from a pixel to the next; 0: c */
    bool mirrored;    /* beyond its edge the picture is its own mirror image */
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

static inline void gx_corner_next(const struct gx_tiles *v, struct gx_corner *k)
{
    k->col += v->step;
    if (k->col < v->across * v->step)
        return;
    k->col = 0;
    k->row += v->step;
    if (k->row < v->down * v->step)
        return;
    k->row = 0;
    k->n++;
}

/* One direction of dx, or of some phases of it: grid points first .. first + count. Point e of phase
 * p is pixel stride e + p - pad and meets g from e - r + 1 to e. */
struct gx_line {
    int first, count;
};

/* The points that phases from low to high meet. */
static inline struct gx_line gx_dx_line(const struct gx_conv_sizes *s, int size, int low, int high)
{
    int first = (s->pad - high + s->stride - 1) / s->stride;
    int last = (size - 1 + s->pad - low) / s->stride;
    return (struct gx_line){first, last >= first ? last - first + 1 : 0};
}

struct gx_lines {
    struct gx_line row, col;
};

/* Those of dx's phase p alone, or of all (p negative). */
static inline struct gx_lines gx_dx_lines(const struct gx_conv_sizes *s, int p)
{
    struct gx_winograd f = gx_winograd_of(s);
    struct gx_phase low = {0, 0}, high = {s->stride - 1, s->stride - 1};
    if (p >= 0)
        low = high = gx_phase_of(&f, p);
    return (struct gx_lines){gx_dx_line(s, s->h, low.row, high.row),
                             gx_dx_line(s, s->w, low.col, high.col)};
}

/* Tiles of one picture for that. */
static inline int gx_dx_tiles(const struct gx_conv_sizes *s, int p)
{
    struct gx_lines l = gx_dx_lines(s, p);
    int m = gx_winograd_of(s).m;
    return (l.row.count + m - 1) / m * ((l.col.count + m - 1) / m);
}

/* Whether phases of dx are done one by one, each with tiles of its own: where those are fewer, as
 * tiles for all of them reach past the picture. */
static inline bool gx_dx_apart(const struct gx_conv_sizes *s)
{
    int each = 0, phases = s->stride * s->stride;
    for (int p = 0; p < phases; p++)
        each += gx_dx_tiles(s, p);
    return 8 * each < 7 * phases * gx_dx_tiles(s, -1);
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

/* Transforms the tiles first .. first + count, of a point a side for each of f's, of all phases of v
 * (whose own oy and ox are phase (0, 0)'s) or, if not `phases`, of v itself, into blocks, from row
 * `at` of each on. Channels of a phase follow those of the one before. patch: a tile of a phase. */
void GX_TIERED(winograd_input)(const struct gx_winograd *f, const struct gx_tiles *v, bool phases,
                               int64_t first, int count, int at, const struct gx_layout *layout,
                               float *blocks, float *patch);

/* The picture that is written, pixels `step` floats apart. Point (row, col) of the grid is pixel
 * (apart row + first_row, apart col + first_col) of phase (0, 0). `shuffled`: y whose four phases are
 * made of every fourth weight and bias. */
struct gx_output {
    float *y;
    int h, w, channels, step, first_row, first_col, apart;
    bool shuffled;
    const struct gx_after *after;
};

/* The pixel of a phase at a tile's corner, counted through all pictures. It may lie outside. */
static inline int64_t gx_output_pixel(const struct gx_output *o, struct gx_phase phase,
                                      struct gx_corner k)
{
    return (k.n * o->h + k.row * o->apart + o->first_row + phase.row) * o->w + k.col * o->apart +
           o->first_col + phase.col;
}

/* Transforms sums back: channels n .. n + width of a phase, of the tiles first .. first + count.
 * sums (elements,room,width), width up to one vector or two. */
void GX_TIERED(winograd_output)(const struct gx_winograd *f, const struct gx_output *o,
                                const struct gx_tiles *tiles, struct gx_phase phase,
                                const float *sums, int room, int64_t first, int count, int n,
                                int width);

/* Scratch of winograd_dw (winograd_dw.c), in floats. */
size_t GX_TIERED(winograd_dw_floats)(const struct gx_conv_sizes *s, int threads);

#endif
