/* What an operator is, as the graph sees it: a shape rule, how to run, and its gradient as nodes.
 *
 * Where a gradient would be long, an operator may state `expand` instead: the same value from
 * primitive operators, which are then differentiated in its place (so a fused operator never has a
 * gradient of its own). src/op/ has a file for each, ending in a const row of this type. */
#ifndef GX_GRAPH_OPERATOR_H
#define GX_GRAPH_OPERATOR_H

#include "ganx/graph.h"

struct gx_kernels;

/* Where scratch outlasts a convolution (plan/keep.h): gx_conv_sizes has the two. */
struct gx_kept {
    int channels, have;
};

/* One evaluation of one node. Shapes were proved by the plan; nothing here can fail. */
struct gx_call {
    const struct gx_node *node;
    const struct gx_kernels *kernels;
    int threads;
    const float *x[GX_INPUTS_MAX];
    float *y;
    /* Floats from a pixel to the next; 0: as many as channels. Others only where .steps agrees. */
    int x_step[GX_INPUTS_MAX], y_step;
    void *scratch;       /* what .scratch asked for, 64-byte aligned; NULL if nothing */
    struct gx_kept kept; /* there; zero with most */
    uint64_t seed, step; /* random operators are keyed by (seed, step, the draw's own number) */
};

enum gx_op_flags {
    GX_OP_LEAF = 1,      /* has no forward: the executor knows where the value is */
    GX_OP_VIEW = 2,      /* y is in[0]'s memory with another shape */
    GX_OP_INPLACE_0 = 4, /* y may be written over in[0] when that dies here (same count) */
    GX_OP_INPLACE_1 = 8, /* likewise in[1] */
    GX_OP_EFFECT = 16,   /* changes a parameter: must run, once, even if nothing reads it */
    GX_OP_RANDOM = 32,   /* another value at every step */
    GX_OP_HALF_1 = 64    /* in[1] may be a parameter of 16 bits or in panels (params.h) */
};

struct gx_op {
    const char *name;
    size_t attr_size;
    unsigned flags;
    /* Sets y->shape from y->in and y->attr. */
    int (*shape)(struct gx_node *y, struct gx_err *err);
    /* dx[i] = d sum(y dy) / d in[i], left NULL where there is none; need[i] says which are asked.
     * NULL with no expand either: no gradient flows through. */
    void (*gradient)(struct gx_graph *g, struct gx_node *y, struct gx_node *dy, const bool *need,
                     struct gx_node **dx);
    struct gx_node *(*expand)(struct gx_graph *g, struct gx_node *y);
    size_t (*scratch)(const struct gx_node *y, const struct gx_kernels *kernels, int threads);
    void (*forward)(const struct gx_call *call);
    /* Whether an input (-1: the result) may be some channels of a wider picture, so that its pixels
     * lie farther apart. NULL: none. */
    bool (*steps)(const struct gx_node *y, const struct gx_kernels *kernels, int input);
    double (*flops)(const struct gx_node *y); /* NULL: counts as moving memory only */
};

/* Makes an evaluated `node` the value of another operator, which must have its shape: its readers
 * read that. For passes over a graph that nothing differentiates any more. */
void gx_graph_replace(struct gx_graph *graph, struct gx_node *node, const struct gx_op *op,
                      struct gx_node *const *in, int inputs, const void *attr);

#endif
