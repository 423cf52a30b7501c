/* A program: the nodes that run, in order. A phase's nodes lie together. */
#ifndef GX_PLAN_PROGRAM_H
#define GX_PLAN_PROGRAM_H

#include "ganx/plan.h"
#include "op/op.h"

struct gx_program {
    struct gx_node **node;
    int count, capacity;
};

/* Puts a node before the one at `at`. */
void gx_program_insert(struct gx_program *program, int at, struct gx_node *node);

/* The node whose memory this one is seen in: itself, or through views what they are views of. */
static inline struct gx_node *gx_viewed(struct gx_node *node)
{
    while (node->op->flags & GX_OP_VIEW)
        node = node->in[0];
    return node;
}

#endif
