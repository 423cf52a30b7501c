/* Kernels: the arithmetic under the operators, one table of functions per CPU tier.
 *
 * `gx_kernels_reference` is plain C, easy to read, and stays for ever: it defines what each
 * function means. The fast tiers are one source (simd/) compiled once for each instruction set,
 * written with vector extensions; cpu.c picks the best that this machine runs, or the one that
 * --cpu names. Tests hold every tier against the reference.
 *
 * Conventions. Tensors are NHWC float32, dense. Weights are (kh,kw,i,o), and may be of 16 bits. y never overlaps an input
 * unless it says "in place". Threads are OpenMP threads inside the call; the split of the work is a
 * function of the sizes and `threads` alone, so results are bit-identical for the same tier and
 * thread count. `scratch` is 64-byte aligned and holds what the matching _scratch function said.
 * Nothing allocates, nothing fails. OpenBLAS is called single-threaded from within those. */
#ifndef GX_KERNEL_KERNEL_H
#define GX_KERNEL_KERNEL_H

#include "ganx/dtype.h"
#include "ganx/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a convolution is done: as a product of matrices, that of bfloat16 numbers on a unit for it, or
 * by the method of Winograd 1980, Lavin and Gray 2016 with its fewer multiplications, on so many
 * points. */
enum gx_conv_method {
    GX_CONV_GEMM,
    GX_CONV_BF16,
    GX_CONV_WINOGRAD_3 = 3,
    GX_CONV_WINOGRAD_4,
    GX_CONV_WINOGRAD_6 = 6
};

/* A convolution seen from its forward direction, whichever of the three products is meant:
 * x (n,h,w,i), w (kh,kw,i,o), y (n,oh,ow,o); oh = (h + 2 pad - kh) / stride + 1, rounded down.
 * The steps are for winograd_y, and for conv2d where the method is GX_CONV_BF16, which read and write
 * channels of wider pictures; the method is for all winograd_ functions. */
struct gx_conv_sizes {
    int n, h, w, i, o, kh, kw, stride, pad, oh, ow;
    bool mirrored;      /* beyond its edge x is its own mirror image: winograd_dw and those two */
    int x_step, y_step; /* floats from a pixel to the next; 0: as many as it has channels */
    /* Of w where it is read: GX_F32; GX_F16 or GX_BF16, which are widened. With GX_BF16 the picture
     * that conv2d and conv2d_dx read may be rounded to bfloat16 too, or, if it is to be fine, to the
     * sum of two such numbers, 16 digits instead of 8; sums are float32. */
    enum gx_dtype dtype;
    bool fine;
    /* With GX_F32, where conv2d reads few channels: both may be rounded to such sums. */
    bool terms;
    /* Of w, of GX_F32, where it is read: 0, or it lies as panels of so many output channels, which is
     * how products read it: for each tap (out/panel, in, panel), in and out being i and o for
     * conv2d and o and i for conv2d_dx. It is what struct gx_kernels tells. */
    int panel;
    enum gx_conv_method method;
    /* winograd_y alone, where gx_winograd_shuffles: y is (n,2 oh,2 ow,o/4), the pixel_shuffle of the
     * sums, and what comes after is for that, but for the bias, which is still (o). */
    bool shuffled;
    /* Convolutions that differ in channels alone may follow one another, each reading what the
     * one before read and more channels behind it. winograd_y can then keep what it makes of each
     * channel in `scratch`, which is the same for all of them and nobody else's until the last is
     * done. `kept`: channels that the last one reads (0: nothing is kept); `have`: those that the
     * one before read, 0 for the first. */
    int kept, have;
};

/* A picture beside the one that is written, pixel by pixel. */
struct gx_beside {
    const float *x; /* NULL: none */
    int step;       /* floats from a pixel to the next; 0: as many as the result has channels */
};

/* What becomes of a convolution's sums, or a norm's result, on the way to memory, of c channels:
 *   v = sum + bias;  where gated: v = (gate or v) > 0 ? v : slope v;  for each sum: v = scale v + with.
 * A gate apart is that of a gradient: the activation's own result. NULL instead of all: the sum. */
enum { GX_SUMS = 2 };

struct gx_after {
    const float *bias; /* (c) or NULL */
    bool gated;
    float slope;         /* of all channels, */
    const float *slopes; /* (c), or of each; NULL */
    struct gx_beside gate;
    int sums;
    struct {
        float scale;
        struct gx_beside with;
    } sum[GX_SUMS];
};

enum gx_conv_product { GX_CONV_Y, GX_CONV_DX, GX_CONV_DW };

/* Pooling: x (n,h,w,c), windows of k x k pixels -> y (n,oh,ow,c). */
struct gx_pool_sizes {
    int n, h, w, c, k, stride, pad, oh, ow;
};

/* Whether s->method is one of Winograd's that there is for it: 3x3 and 4x4 with stride 1 and six
 * points, and with stride 2 and any where input channels come in sixteens. */
static inline bool gx_winograd_does(const struct gx_conv_sizes *s)
{
    bool known =
        s->method == GX_CONV_WINOGRAD_6 ||
        (s->stride == 2 && (s->method == GX_CONV_WINOGRAD_3 || s->method == GX_CONV_WINOGRAD_4));
    bool size = s->kh == s->kw && (s->kh == 3 || s->kh == 4);
    return known && size && (s->stride == 1 || (s->stride == 2 && s->i % 16 == 0));
}

/* Whether its y can be written shuffled: whole panels for each of four pixels. */
static inline bool gx_winograd_shuffles(const struct gx_conv_sizes *s)
{
    return gx_winograd_does(s) && s->stride == 1 && s->o % 128 == 0;
}

/* y = f(x; a, b). */
enum gx_unary_kind {
    GX_AFFINE, /* a x + b */
    GX_ABS,
    GX_SIGN, /* -1, 0, 1 */
    GX_SQRT,
    GX_POW, /* x^a */
    GX_EXP,
    GX_LOG,
    GX_TANH,
    GX_SIGMOID,
    GX_SOFTPLUS,   /* log(1 + e^x), without overflow */
    GX_LEAKY_RELU, /* x > 0 ? x : a x */
    GX_CLAMP,      /* to [a, b] */
    GX_INSIDE,     /* 1 where a <= x <= b, else 0 */
    GX_UNARY_KINDS
};

/* z = f(x, y; a). */
enum gx_binary_kind {
    GX_ADD,
    GX_SUB,
    GX_MUL,
    GX_DIV,
    GX_MAX,
    GX_GREATER,    /* 1 where x > y, 1/2 where equal, else 0: the derivative of max */
    GX_LEAKY_GATE, /* y > 0 ? x : a x: the derivative of leaky_relu, y its input or output */
    GX_MUL_BELOW,  /* y < 0 ? x y : 0: the derivative of prelu in its slope, y its input */
    GX_BINARY_KINDS
};

/* One operand's walk over an (outer, rows, cols) box: element offsets; 0: repeated. cols: 0, 1. */
struct gx_walk {
    int64_t outer, row, col;
};

/* How a row is scaled: where in it the taps of each output begin, how many there are, and their
 * weights. */
struct gx_blend {
    int *first, *count;
    float *weight; /* outputs x most */
    int most;
};

struct gx_kernels {
    const char *name; /* "reference", "generic", "v3", "v4" */
    /* The width of the panels that conv2d and conv2d_dx, and Winograd's, read fastest (gx_conv_sizes),
     * of which output channels are a multiple; 0: none. */
    int panel;

    /* y = after(conv(x, w)), c = o; after may be NULL. */
    void (*conv2d)(const struct gx_conv_sizes *s, const float *x, const void *w,
                   const struct gx_after *after, float *y, void *scratch, int threads);
    /* dx = after(transpose of conv in x applied to g (n,oh,ow,o)), c = i; after may be NULL. */
    void (*conv2d_dx)(const struct gx_conv_sizes *s, const float *g, const void *w,
                      const struct gx_after *after, float *dx, void *scratch, int threads);
    /* dw (kh,kw,i,o) = transpose of conv in w: sum over pixels of x and g (n,oh,ow,o). */
    void (*conv2d_dw)(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw,
                      void *scratch, int threads);
    size_t (*conv2d_scratch)(const struct gx_conv_sizes *s, enum gx_conv_product product,
                             int threads);

    /* The same by Winograd's method, for what gx_winograd_does. Scratch is as winograd_scratch. */
    void (*winograd_y)(const struct gx_conv_sizes *s, const float *x, const void *w,
                       const struct gx_after *after, float *y, void *scratch, int threads);
    void (*winograd_dx)(const struct gx_conv_sizes *s, const float *g, const void *w,
                        const struct gx_after *after, float *dx, void *scratch, int threads);
    void (*winograd_dw)(const struct gx_conv_sizes *s, const float *x, const float *g, float *dw,
                        void *scratch, int threads);
    size_t (*winograd_scratch)(const struct gx_conv_sizes *s, enum gx_conv_product product,
                               int threads);
    /* Whether winograd_y is faster with s->kept. Results are the same bits. */
    bool (*winograd_keeps)(const struct gx_conv_sizes *s, int threads);
    /* Which method is fastest here, whatever s->method is. With stride 1, that of y and dx depends
     * on channel and kernel sizes alone, so that any tiling of a picture gives the same result; with
     * stride 2 also on h and w; that of dw on all sizes. */
    enum gx_conv_method (*conv2d_method)(const struct gx_conv_sizes *s,
                                         enum gx_conv_product product);

    /* c (m,p) = op(a) op(b) + beta c, row-major, dense rows of lda, ldb, ldc floats. Threaded. */
    void (*gemm)(int m, int p, int k, const float *a, int lda, bool ta, const float *b, int ldb,
                 bool tb, float beta, float *c, int ldc, int threads);

    /* Element by element, in place allowed. */
    void (*unary)(enum gx_unary_kind kind, const float *x, float *y, int64_t count, float a,
                  float b, int threads);
    /* z (outer,rows,cols) dense; x and y walk as told, in place where an operand is dense. */
    void (*binary)(enum gx_binary_kind kind, const float *x, struct gx_walk wx, const float *y,
                   struct gx_walk wy, float *z, int64_t outer, int64_t rows, int64_t cols, float a,
                   int threads);
    /* y = sign > 0 ? x : slope x, rows of c; slopes (c), or one for all unless `each`. sign may be x;
     * in place allowed. */
    void (*prelu)(const float *x, const float *sign, const float *slopes, bool each, float *y,
                  int64_t rows, int64_t c, int threads);
    /* y = x > 0 ? x : slope x, of c channels of pixels so many floats apart; a slope of 1 copies. */
    void (*lay)(const float *x, int64_t x_step, float slope, float *y, int64_t y_step, int64_t rows,
                int64_t c, int threads);

    /* to (16 bits each: dtype GX_F16 or GX_BF16) = from, rounded to the nearest; `to` may be `from`
     * where threads is 1. */
    void (*halve)(enum gx_dtype dtype, const float *from, void *to, int64_t count, int threads);

    /* Sums over the middle dimension: x (outer,rows,cols) -> y (outer,cols). In double inside. */
    void (*sum_rows)(const float *x, float *y, int64_t outer, int64_t rows, int64_t cols,
                     void *scratch, int threads);
    /* Mean and biased variance over rows: x (groups,rows,c) -> m (groups,2,c). */
    void (*moments)(const float *x, float *m, int64_t groups, int64_t rows, int64_t c,
                    void *scratch, int threads);
    /* y = after((x - mean) rstd weight), rstd = 1/sqrt(var + eps); weight (c) or NULL; y may be x.
     * m is (groups,2,c). after may be NULL; pictures beside are dense, and not y. Rows of y lie y_step
     * floats apart; 0: c. */
    void (*norm)(const float *x, const float *m, const float *weight, const struct gx_after *after,
                 float eps, float *y, int64_t y_step, int64_t groups, int64_t rows, int64_t c,
                 int threads);
    /* s (groups,2,c) = sum over rows of g, and of g xhat, with xhat = (x - mean) rstd. */
    void (*norm_sums)(const float *g, const float *x, const float *m, float eps, float *s,
                      int64_t groups, int64_t rows, int64_t c, void *scratch, int threads);
    /* dx = weight rstd (g - s0/rows - xhat s1/rows); weight (c) or NULL; dx may be g. */
    void (*norm_dx)(const float *g, const float *x, const float *m, const float *weight,
                    const float *s, float eps, float *dx, int64_t groups, int64_t rows, int64_t c,
                    int threads);
    /* Scratch of sum_rows, moments and norm_sums. */
    size_t (*reduce_scratch)(int64_t outer, int64_t rows, int64_t cols, int threads);

    /* One fused sweep of an optimizer over n contiguous floats (optim/optim.h has the formulas);
     * gives whether all of g was finite: where it was not, the rest is spoilt. */
    bool (*adam)(float *w, const float *g, float *m, float *v, int64_t n, float lr, float beta1,
                 float beta2, float eps, float correction1, float correction2, float decay,
                 float scale, int threads);
    bool (*rmsprop)(float *w, const float *g, float *v, int64_t n, float lr, float alpha, float eps,
                    float decay, float scale, int threads);
    bool (*sgd)(float *w, const float *g, float *m, int64_t n, float lr, float momentum,
                bool nesterov, bool first, float decay, float scale, int threads);
    /* average = decay average + (1 - decay) w. */
    void (*average)(float *average, const float *w, int64_t n, float decay, int threads);
    /* Sum of squares in double; not finite if any element is not. */
    double (*sum_squares)(const float *x, int64_t n, int threads);

    /* y = u where x has the maximum of its window, the first one in reading order when several are
     * equal; a value that is not a number wins, the last one when there are several. u may be x. */
    void (*max_pool)(const struct gx_pool_sizes *s, const float *u, const float *x, float *y,
                     int threads);
    /* Its transpose: dx (n,h,w,c) = each g (n,oh,ow,c) where its window of x has its maximum. */
    void (*max_pool_scatter)(const struct gx_pool_sizes *s, const float *g, const float *x,
                             float *dx, int threads);
    /* x (rows,cols,c r r) -> y (rows r,cols r,c), y[h r + i, w r + j, k] = x[h, w, (k r + i) r + j];
     * or back, from y to x. */
    void (*pixel_shuffle)(const float *from, float *to, int64_t rows, int64_t cols, int64_t c,
                          int r, bool back, int threads);
    /* y = 0 where the element's random word is less than `below`, else scale x; in place allowed.
     * Element 4 k + j has word j of block index + k of (seed, stream) (util/random.h). */
    void (*dropout)(const float *x, float *y, int64_t count, uint64_t seed, uint64_t stream,
                    uint64_t index, uint32_t below, float scale, int threads);

    /* Of pictures, which callers do several of at once: one thread each.
     * y = the sum of rows x[k] (count), each by its weight. */
    void (*blend_rows)(const float *const *x, const float *weight, int taps, float *y,
                       int64_t count);
    /* y[row] (out,c) = the sums of pixels of x[row] (w,c) that t says. `beyond`: the float behind
     * each of those rows may be read. */
    void (*blend_pixels)(const struct gx_blend *t, const float *const *x, bool beyond,
                         float *const *y, int rows, int w, int out, int c);
    void (*bytes_to_floats)(const uint8_t *x, float *y, int64_t count);
    /* y = 255 (x - lo) scale, to the nearest, and those beyond 0..255; what is no number is 0. */
    void (*floats_to_bytes)(const float *x, uint8_t *y, int64_t count, float lo, float scale);
};

extern const struct gx_kernels gx_kernels_reference;

/* What OPENBLAS_CORETYPE must say when the library is loaded for OpenBLAS to use that tier's
 * instructions too; NULL: no matter, or no such tier. */
const char *gx_kernels_blas_core(const struct gx_kernels *kernels);

/* The best tier that this CPU runs, or the one that was preferred. Also makes OpenBLAS
 * single-threaded: call it before any kernel (the engine does). */
const struct gx_kernels *gx_kernels_best(void);
/* From now on gx_kernels_best gives the tier of that name, if there is one. Before threads call it. */
void gx_kernels_prefer(const char *name);
/* The tier of that name, or NULL when it is unknown or this CPU does not run it. */
const struct gx_kernels *gx_kernels_named(const char *name);
/* What --cpu names: a tier, or "auto", "" or NULL for the best. -GX_E_USAGE lists what there is. */
GX_MUST_CHECK int gx_kernels_choose(const struct gx_kernels **kernels, const char *name,
                                    struct gx_err *err);
/* The i-th tier that this CPU runs, the reference first; NULL past the end. */
const struct gx_kernels *gx_kernels_at(int i);

/* Whether tiles of bfloat16 numbers may be multiplied (AMX). The first call asks Linux for them. */
bool gx_cpu_has_amx(void);

/* What `ganx version` prints: CPU model, features, OpenBLAS version and core. */
struct gx_cpu_facts {
    char model[64], features[160], blas[128], blas_core[32];
    int threads; /* that this process may use (affinity) */
};
void gx_cpu_describe(struct gx_cpu_facts *facts);

#endif
