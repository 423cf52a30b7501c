/* Storage: which buffer each value of a program lies in, and from when to when.
 *
 * Several nodes may share one buffer: a view is its input under another shape, parts of a
 * concatenation lie in that (wide.h), and an operator that may write over its input does so when nothing reads that input afterwards. A buffer lives from
 * the step that first writes it to the last step that reads any of its nodes.
 *
 * A parameter's gradient is born in the parameter's grad memory; where it is a sum of parts (a
 * network that is used several times), so is the part that would else wait longest. */
#ifndef GX_PLAN_STORAGE_H
#define GX_PLAN_STORAGE_H

#include "plan/memory.h"
#include "plan/program.h"

enum { GX_NOT_RUN = -1 };

/* Of a node, by its id. */
struct gx_place {
    int step;              /* in the program; GX_NOT_RUN: dropped, or a leaf */
    int last;              /* the last step that reads this node or a view of it; keeps: past all */
    bool once;             /* depends on constant parameters alone: runs in gx_plan_refresh */
    int buffer;            /* whose buffer it lies in; -1: in a parameter or its gradient */
    struct gx_param *grad; /* the gradient that it is, or becomes a part of; NULL: none */
    const struct gx_node *into;   /* the concatenation in whose memory it lies; NULL: none */
    int channel;                  /* where in that: wide.h */
    int scratch;                  /* its scratch buffer; -1: none */
    const struct gx_node *before; /* whose scratch it shares; NULL: its own */
    struct gx_kept kept;          /* in that: keep.h */
};

struct gx_storage {
    struct gx_graph *graph;
    struct gx_plan_settings settings; /* kernels and threads are given; max_memory is not read */
    bool written_once;                /* no phase writes a parameter's gradient twice */
    bool keeps;                       /* keep.h: true at first, for the plan to set */
    struct gx_place *place;           /* by node id */
    struct gx_buffer *buffer;
    int buffers;
    int64_t *live; /* bytes in buffers at each step */
    int busiest;   /* the (first) step with the most */
    int64_t peak;  /* that most: what no placement can undercut */
};

/* Borrows the graph. */
void gx_storage_init(struct gx_storage *storage, struct gx_graph *graph,
                     const struct gx_plan_settings *settings, const struct gx_program *program);
/* Fills the rest; to be called again after the program has changed. */
void gx_storage_assign(struct gx_storage *storage, const struct gx_program *program);
void gx_storage_clear(struct gx_storage *storage);

#endif
