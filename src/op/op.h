/* The operators: one file in this folder each, ending in a const row; list.h names them all. */
#ifndef GX_OP_OP_H
#define GX_OP_OP_H

#include "ganx/graph.h"
#include "ganx/params.h"
#include "graph/operator.h"
#include "kernel/kernel.h"

#define GX_OP(name) extern const struct gx_op gx_op_##name;
#include "op/list.h"
#undef GX_OP

/* Sums x over the dimensions in which it is larger than `shape`: the transpose of broadcasting. */
struct gx_node *gx_sum_to(struct gx_graph *g, struct gx_node *x, struct gx_shape shape);

/* Derivatives with a step in them: 1 where x > y, 1/2 where equal; g where y > 0, else slope g. */
struct gx_node *gx_greater(struct gx_graph *g, struct gx_node *x, struct gx_node *y);
struct gx_node *gx_leaky_gate(struct gx_graph *g, struct gx_node *x, struct gx_node *y,
                              float slope);
/* x y where y < 0, else 0. */
struct gx_node *gx_mul_below(struct gx_graph *g, struct gx_node *x, struct gx_node *y);

/* Whether a node is this function of one or two inputs, and its settings. */
bool gx_unary_is(const struct gx_node *node, enum gx_unary_kind kind, float *a, float *b);
bool gx_binary_is(const struct gx_node *node, enum gx_binary_kind kind, float *a);
/* Whether it is a pixel_shuffle into blocks of r x r. */
bool gx_pixel_shuffle_is(const struct gx_node *node, int r);

/* What an operator goes on to do with its result before it writes it: struct gx_after as nodes.
 * slopes (1,1,1,c) or one for all; the others have the result's shape. `shuffled`: before all that,
 * four channels become one of 2x2 pixels. */
struct gx_then {
    bool shuffled;
    bool gated;
    float slope;
    struct gx_node *slopes, *gate; /* NULL: none */
    int sums;
    struct {
        float scale;
        struct gx_node *with; /* NULL: a factor alone */
    } sum[GX_SUMS];
};

/* Adds the nodes to an operator's inputs, which are `inputs`, as far as there is room; gives how
 * many it would have. */
int gx_then_inputs(const struct gx_then *then, struct gx_node **in, int inputs);
/* The same of a call whose inputs from `first` on are those nodes. (The operator's settings hold a
 * copy of `then`, in which only counts whether there is a node.) */
struct gx_after gx_then_after(const struct gx_then *then, const struct gx_call *call, int first);

/* Makes `node` the convolution `conv` (a conv2d or conv2d_dx) that goes on as told, under its
 * readers' eyes; false where that takes too many inputs. Such a node has no gradient: only a plan
 * makes it (plan/fuse.h). */
bool gx_conv2d_become(struct gx_graph *g, struct gx_node *node, const struct gx_node *conv,
                      const struct gx_then *then);
/* Whether these kernels can shuffle the pixels of a conv2d (struct gx_then). */
bool gx_conv2d_shuffles(const struct gx_node *node, const struct gx_kernels *kernels);
/* The same for a norm or norm_fixed. */
bool gx_norm_become(struct gx_graph *g, struct gx_node *node, const struct gx_node *norm,
                    const struct gx_then *then);

/* Whether y is a concatenation along channels that holds this part as it is. */
bool gx_concat_holds(const struct gx_node *y, int part);
/* Makes `node` the concatenation along channels with these slopes (1: none) for what is negative in
 * its parts. */
void gx_concat_become(struct gx_graph *g, struct gx_node *node, const struct gx_node *concat,
                      const float slope[2]);

/* Makes `sum`, of two conv2d_dw that nothing else reads, the one of the pictures of both, if it
 * is that and there is far less of the pictures than of the weights. It has no gradient either. */
bool gx_conv2d_dw_join(struct gx_graph *g, struct gx_node *sum);

/* Whether a conv2d or conv2d_dw reads a reflected picture, and these kernels could mirror it
 * themselves; and makes it do so. */
bool gx_conv2d_mirrors(const struct gx_node *node, const struct gx_kernels *kernels);
void gx_conv2d_mirror(struct gx_graph *g, struct gx_node *node);

/* Whether these kernels do a conv2d, conv2d_dx or conv2d_dw by Winograd's method; false for others. */
bool gx_conv2d_by_winograd(const struct gx_node *node, const struct gx_kernels *kernels);

/* Whether `node` and `before`, which runs before it, are convolutions by Winograd's method that
 * differ in channels alone, and it reads what that reads and more channels behind. */
bool gx_conv2d_goes_on(const struct gx_node *node, const struct gx_node *before,
                       const struct gx_kernels *kernels);
/* The bytes of scratch of a conv2d that keeps so many channels there; 0: that does not pay. */
size_t gx_conv2d_keeps(const struct gx_node *node, const struct gx_kernels *kernels, int threads,
                       int channels);

#endif
