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

/* For the plan's lowering (op/winograd.c): whether a convolution is better done by Winograd's
 * method here, and which way; the transformed weights as a node; the exchange itself. */
bool gx_conv_wants_winograd(const struct gx_node *node, const struct gx_kernels *kernels,
                            enum gx_conv_product *product);
enum gx_conv_product gx_winograd_product(const struct gx_node *weights);
struct gx_node *gx_winograd_weights_node(struct gx_graph *g, struct gx_node *w,
                                         enum gx_conv_product product);
void gx_winograd_replace(struct gx_graph *g, struct gx_node *conv, struct gx_node *u,
                         enum gx_conv_product product);

#endif
