/* Plans: a graph made ready to run. Every buffer is placed in one arena before the first step, from
 * the values' lifetimes; running allocates nothing and cannot fail.
 *
 *   gx_plan_new -> gx_plan_facts (a dry run stops here) -> gx_plan_allocate -> for each step:
 *   write the inputs (gx_plan_value), gx_plan_run(phase) for each phase in order, read outputs.
 *
 * What a convolution's result goes through next is done while it is written (fusion), so nodes that
 * are not kept may never have a value of their own. Unless it is for inference, a plan saves memory where that costs next to nothing: nodes run in
 * the order that needs least, and cheap values are made again instead of kept. With max_memory it
 * also trades time for memory, down to that many bytes or as far as it can. Results are the same
 * bits in any case. */
#ifndef GANX_PLAN_H
#define GANX_PLAN_H

#include "ganx/graph.h"

struct gx_kernels;

struct gx_plan_settings {
    const struct gx_kernels *kernels; /* NULL: the best for this CPU */
    int threads;                      /* 0: all that this process may use */
    bool inference;           /* parameters never change: what depends on them alone runs once */
    uint64_t repeated_phases; /* bit k: phase k may run several times in a step (n_critic) */
    bool as_written;          /* in the graph's own order, nothing fused, nothing made again */
    int64_t max_memory;       /* bytes for the arena; 0: no limit */
    const char *temp_folder;  /* an arena beyond max_memory lies in a file here; NULL: refused */
    int64_t max_temp;         /* bytes for that file; 0: no limit */
};

struct gx_plan_facts {
    int64_t arena;  /* bytes: values and scratch, after reuse */
    int64_t values; /* bytes if nothing were reused */
    int nodes;      /* that will run */
    int phases;
    double flops;      /* of one run of every phase, multiplications and additions of products */
    double recomputed; /* flops besides, of values that are made again to save memory */
    double recompute_cost; /* an estimate of the time for all that, as a part of the step's own */
};

struct gx_plan;

/* Takes over the graph: it may not grow afterwards, and must outlive the plan (the caller frees
 * it). -GX_E_SHAPE and others from the graph's own errors. */
GX_MUST_CHECK int gx_plan_new(struct gx_plan **plan, struct gx_graph *graph,
                              const struct gx_plan_settings *settings, struct gx_err *err);
void gx_plan_free(struct gx_plan **plan);

struct gx_plan_facts gx_plan_facts(const struct gx_plan *plan);

/* Maps the arena; the graph's parameters must have memory by now. -GX_E_NOMEM with the numbers when
 * the budget is too small, -GX_E_IO when the temporary file cannot be had. */
GX_MUST_CHECK int gx_plan_allocate(struct gx_plan *plan, struct gx_err *err);

/* Before gx_plan_allocate: `guest` shall lie in the memory of `host`, whose arena grows to the
 * larger of the two. The host is allocated first and freed last. A run of either overwrites the
 * other's values, inputs and kept ones too; a guest for inference is refreshed first. */
void gx_plan_share(struct gx_plan *host, struct gx_plan *guest);

/* Where a value lies: an input's memory to fill, or a kept node's to read. */
float *gx_plan_value(const struct gx_plan *plan, const struct gx_node *node);

/* Runs one phase. Random operators depend on (seed, step) and their place in the graph. */
void gx_plan_run(struct gx_plan *plan, int phase, uint64_t seed, uint64_t step);

/* After the weights were changed under an inference plan: what was derived from them is redone. */
void gx_plan_refresh(struct gx_plan *plan);

/* Profile: the i-th node that runs, and the seconds that it has taken since allocation (0 before it), or since the
 * times were cleared (after a first round, which touches all memory for the first time). */
void gx_plan_clear_times(struct gx_plan *plan);
const struct gx_node *gx_plan_step(const struct gx_plan *plan, int i, double *seconds);

#endif
