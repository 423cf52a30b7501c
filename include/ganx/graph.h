/* Graphs: values, the operators between them, and their gradients.
 *
 * A graph is a straight-line program. Each call below appends one node and gives a pointer to it;
 * nodes are evaluated in the order in which they were made, and those that nothing needs are
 * dropped. Every value is float32 with four dimensions (n, h, w, c), channels contiguous; vectors
 * and matrices use the same four, with ones. Convolution weights are (kh, kw, in, out).
 *
 * Errors are sticky: an operator whose shapes do not fit records the first error in the graph and
 * gives a harmless node, so that a network builder reads like the paper's figure; the caller asks
 * gx_graph_check once at the end. The graph owns its nodes; gx_graph_free frees them all.
 *
 * A gradient is itself graph nodes (gx_gradients), so a gradient can be differentiated again. */
#ifndef GANX_GRAPH_H
#define GANX_GRAPH_H

#include "ganx/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gx_shape {
    int n, h, w, c;
};

static inline int64_t gx_count(struct gx_shape s)
{
    return (int64_t)s.n * s.h * s.w * s.c;
}
static inline bool gx_shape_equal(struct gx_shape a, struct gx_shape b)
{
    return a.n == b.n && a.h == b.h && a.w == b.w && a.c == b.c;
}

enum { GX_AXIS_N = 1, GX_AXIS_H = 2, GX_AXIS_W = 4, GX_AXIS_C = 8, GX_AXES_ALL = 15 };

enum { GX_INPUTS_MAX = 5 };

struct gx_op;
struct gx_param;
struct gx_graph;

struct gx_node {
    const struct gx_op *op;
    const void *attr; /* the operator's own settings, or NULL */
    struct gx_shape shape;
    struct gx_node *in[GX_INPUTS_MAX];
    int inputs;
    int id;                       /* position in the graph */
    int phase;                    /* see gx_graph_phase */
    const char *name;             /* for messages and profiles; may be NULL */
    struct gx_param *param;       /* of a leaf that reads a parameter, or of a state update */
    struct gx_param *gradient_of; /* written into this parameter's grad instead of the arena */
    bool keep;                    /* an output: readable after the run */
};

struct gx_graph *gx_graph_new(void);
void gx_graph_free(struct gx_graph **graph);

/* 0, or the first error that a builder call met. */
GX_MUST_CHECK int gx_graph_check(const struct gx_graph *graph, struct gx_err *err);

/* Records an error by hand (a builder's own check); the first one stays. */
void gx_graph_fail(struct gx_graph *graph, enum gx_error code, const char *format, ...)
    GX_PRINTF(3, 4);

/* Ends the current phase and begins the next; gives the new phase's number (the first is 0). An
 * executor runs one phase at a time; parameters may change between phases. */
int gx_graph_phase(struct gx_graph *graph);

int gx_graph_nodes(const struct gx_graph *graph);
struct gx_node *gx_graph_node(const struct gx_graph *graph, int id);

/* Appends a node of any operator: what the builder calls below stand on (see src/op/op.h). */
struct gx_node *gx_graph_add(struct gx_graph *graph, const struct gx_op *op,
                             struct gx_node *const *in, int inputs, const void *attr);

/* Names a node, in printf form; gives the node. */
struct gx_node *gx_name(struct gx_graph *g, struct gx_node *x, const char *format, ...)
    GX_PRINTF(3, 4);

/* Marks a value as an output that stays readable after the run; gives the node. */
struct gx_node *gx_keep(struct gx_node *x);

/* ---- leaves ---- */

struct gx_node *gx_input(struct gx_graph *g, struct gx_shape shape, const char *name);
struct gx_node *gx_constant(struct gx_graph *g, struct gx_shape shape, float value);
/* The value of a parameter (params.h), read when it is used; asked twice, the same node. */
struct gx_node *gx_parameter(struct gx_graph *g, struct gx_param *param);
/* Uniform in [low, high), normal with the given mean and deviation: other numbers at every step. */
struct gx_node *gx_uniform(struct gx_graph *g, struct gx_shape shape, float low, float high);
struct gx_node *gx_normal(struct gx_graph *g, struct gx_shape shape, float mean, float deviation);

/* ---- state updates: run once where they stand, never recomputed ---- */

/* param = (1 - rate) * param + rate * x. */
void gx_update_average(struct gx_graph *g, struct gx_param *param, struct gx_node *x, float rate);

/* ---- one input, element by element ---- */

struct gx_node *gx_affine(struct gx_graph *g, struct gx_node *x, float a, float b); /* a x + b */
struct gx_node *gx_scale(struct gx_graph *g, struct gx_node *x, float a);
struct gx_node *gx_abs(struct gx_graph *g, struct gx_node *x); /* gradient at 0: 0 */
struct gx_node *gx_sign(struct gx_graph *g, struct gx_node *x);
struct gx_node *gx_sqrt(struct gx_graph *g, struct gx_node *x);
struct gx_node *gx_pow(struct gx_graph *g, struct gx_node *x, float exponent);
struct gx_node *gx_square(struct gx_graph *g, struct gx_node *x);
struct gx_node *gx_exp(struct gx_graph *g, struct gx_node *x);
struct gx_node *gx_log(struct gx_graph *g, struct gx_node *x);
struct gx_node *gx_tanh(struct gx_graph *g, struct gx_node *x);
struct gx_node *gx_sigmoid(struct gx_graph *g, struct gx_node *x);
struct gx_node *gx_softplus(struct gx_graph *g, struct gx_node *x); /* log(1 + e^x), any x */
struct gx_node *gx_relu(struct gx_graph *g, struct gx_node *x);
struct gx_node *gx_leaky_relu(struct gx_graph *g, struct gx_node *x, float slope); /* slope >= 0 */
struct gx_node *gx_clamp(struct gx_graph *g, struct gx_node *x, float low, float high);
struct gx_node *gx_stop_gradient(struct gx_graph *g, struct gx_node *x);
/* Zero with probability p, else x / (1 - p); the same zeros wherever the node's value is needed. */
struct gx_node *gx_dropout(struct gx_graph *g, struct gx_node *x, float p);

/* ---- two inputs; a dimension of 1 is repeated to fit ---- */

struct gx_node *gx_add(struct gx_graph *g, struct gx_node *a, struct gx_node *b);
struct gx_node *gx_sub(struct gx_graph *g, struct gx_node *a, struct gx_node *b);
struct gx_node *gx_mul(struct gx_graph *g, struct gx_node *a, struct gx_node *b);
struct gx_node *gx_div(struct gx_graph *g, struct gx_node *a, struct gx_node *b);
struct gx_node *gx_max(struct gx_graph *g, struct gx_node *a, struct gx_node *b); /* ties: halves */
struct gx_node *gx_prelu(struct gx_graph *g, struct gx_node *x, struct gx_node *slope);

/* ---- shape ---- */

struct gx_node *gx_broadcast(struct gx_graph *g, struct gx_node *x, struct gx_shape shape);
struct gx_node *gx_reshape(struct gx_graph *g, struct gx_node *x, struct gx_shape shape);
/* Dimension i of the result is dimension order[i] of x: {0, 3, 1, 2} gives (n, c, h, w). */
struct gx_node *gx_permute(struct gx_graph *g, struct gx_node *x, const int order[4]);
struct gx_node *gx_concat(struct gx_graph *g, struct gx_node *a, struct gx_node *b, int axis);
/* The box of size `size` whose corner is at `at`; and its transpose, x in a box of zeros. */
struct gx_node *gx_slice(struct gx_graph *g, struct gx_node *x, struct gx_shape at,
                         struct gx_shape size);
struct gx_node *gx_embed(struct gx_graph *g, struct gx_node *x, struct gx_shape at,
                         struct gx_shape size);

struct gx_pad {
    int top, left, bottom, right;
};
struct gx_node *gx_pad_zero(struct gx_graph *g, struct gx_node *x, struct gx_pad pad);
/* Mirrors without repeating the edge; again and again where the pad exceeds the picture; a side of
 * one pixel is repeated. torch.nn.ReflectionPad2d where that is defined. */
struct gx_node *gx_pad_reflect(struct gx_graph *g, struct gx_node *x, struct gx_pad pad);
struct gx_node *gx_pixel_shuffle(struct gx_graph *g, struct gx_node *x, int r);
struct gx_node *gx_pixel_unshuffle(struct gx_graph *g, struct gx_node *x, int r);
struct gx_node *gx_upsample_nearest(struct gx_graph *g, struct gx_node *x, int factor);
/* torch's interpolate(mode="bilinear", align_corners=False) to h x w. */
struct gx_node *gx_upsample_bilinear(struct gx_graph *g, struct gx_node *x, int h, int w);

/* ---- sums: kept dimensions stay, summed ones become 1 (GX_AXIS_ flags) ---- */

struct gx_node *gx_sum(struct gx_graph *g, struct gx_node *x, int axes);
struct gx_node *gx_mean(struct gx_graph *g, struct gx_node *x, int axes);

/* ---- products ---- */

struct gx_conv {
    int stride;         /* >= 1, the same both ways */
    int pad;            /* zeros on every side */
    int output_padding; /* transposed convolution only: extra rows and columns, < stride */
};
/* x (n,h,w,i), w (kh,kw,i,o), bias (1,1,1,o) or NULL -> (n, (h+2p-kh)/s+1, (w+2p-kw)/s+1, o). */
struct gx_node *gx_conv2d(struct gx_graph *g, struct gx_node *x, struct gx_node *w,
                          struct gx_node *bias, struct gx_conv conv);
/* x (n,h,w,o), w (kh,kw,i,o), bias (1,1,1,i) or NULL -> (n, (h-1)s-2p+kh+op, ..., i): torch's
 * ConvTranspose2d, whose weight (in, out, kh, kw) is (o, i, kh, kw) here. */
struct gx_node *gx_conv2d_transposed(struct gx_graph *g, struct gx_node *x, struct gx_node *w,
                                     struct gx_node *bias, struct gx_conv conv);
/* Rows (w) by columns (c) of each (n, h): a (n,h,m,k) b (n,h,k,p) -> (n,h,m,p); ta: a is
 * (n,h,k,m). */
struct gx_node *gx_matmul(struct gx_graph *g, struct gx_node *a, struct gx_node *b, bool ta,
                          bool tb);
/* x (n,1,1,i), w (1,1,o,i), bias (1,1,1,o) or NULL -> (n,1,1,o). */
struct gx_node *gx_linear(struct gx_graph *g, struct gx_node *x, struct gx_node *w,
                          struct gx_node *bias);

/* ---- norms ---- */

enum gx_norm_over { GX_OVER_BATCH, GX_OVER_IMAGE }; /* statistics over (n,h,w), or over (h,w) */

/* Mean and biased variance: (1,1,2,c) over the batch, (n,1,2,c) over each image. */
struct gx_node *gx_moments(struct gx_graph *g, struct gx_node *x, enum gx_norm_over over);
/* (x - mean) / sqrt(var + eps) * weight + bias; weight and bias (1,1,1,c) or both NULL. `moments`
 * must be gx_moments of this x: the gradient is the whole one, through the statistics. */
struct gx_node *gx_norm(struct gx_graph *g, struct gx_node *x, struct gx_node *moments,
                        struct gx_node *weight, struct gx_node *bias, float eps);
/* The same with statistics from elsewhere (running ones), which get gradients of their own. */
struct gx_node *gx_norm_fixed(struct gx_graph *g, struct gx_node *x, struct gx_node *moments,
                              struct gx_node *weight, struct gx_node *bias, float eps);

/* ---- pooling and classes ---- */

struct gx_node *gx_max_pool(struct gx_graph *g, struct gx_node *x, int k, int stride, int pad);
struct gx_node *gx_avg_pool(struct gx_graph *g, struct gx_node *x, int k, int stride, int pad);
struct gx_node *gx_log_softmax(struct gx_graph *g, struct gx_node *x); /* over c */
struct gx_node *gx_softmax(struct gx_graph *g, struct gx_node *x);

/* ---- gradients ---- */

/* dx[i] = d sum(y * dy) / d x[i], as new nodes of the current phase; dy NULL means ones (a scalar
 * loss); dx[i] is NULL where y does not depend on x[i]. */
void gx_gradients(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                  struct gx_node *const *x, int count, struct gx_node **dx);

/* The same for a whole set of parameters (params.h), written into their grad memory, where an
 * optimizer finds them. Parameters that the scalar `loss` does not depend on keep what is there. */
struct gx_params;
void gx_store_gradients(struct gx_graph *g, struct gx_node *loss, struct gx_params *params);

#endif
