/* Inside a model: what opening (model.c) leaves for translating (translate.c). */
#ifndef GX_MODEL_MODEL_H
#define GX_MODEL_MODEL_H

#include "ganx/model.h"
#include "ganx/plan.h"
#include "model/card.h"
#include "model/domains.h"
#include "util/arena.h"

#include <pthread.h>

struct gx_model_plan { /* ready for pictures of one size, one at a time */
    struct gx_model_plan *next;
    int w, h, beside; /* what it was asked for with */
    int threads;
    bool allocated, busy;
    struct gx_graph *graph;
    struct gx_plan *plan;
    struct gx_node *in, *label, *out; /* label: NULL where the network takes none */
    int64_t bytes;
    uint64_t used; /* at which translation, for keeping the latest ones */
};

struct gx_model {
    struct gx_arena arena; /* texts */
    struct gx_model_settings settings;
    struct gx_model_facts facts;
    struct gx_card card;
    struct gx_domains domains; /* count 0: the network takes no label */
    struct gx_params params;
    const struct gx_kernels *kernels;
    int64_t budget; /* bytes for values */
    /* the rest under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct gx_model_plan *plans;
    uint64_t uses;
    int idle;               /* threads */
    uint64_t asked, served; /* calls that wanted some, in their order */
};

/* A plan for pictures of this size, from before or new, which may cost older ones their place; and
 * its threads, for which it waits. Both are the caller's until gx_model_leave; what the plan holds
 * stays there until the next gx_model_prepare of anybody. `beside` as gx_model_translate_beside. */
GX_MUST_CHECK int gx_model_prepare(struct gx_model *model, int w, int h, int beside,
                                   struct gx_model_plan **ready, struct gx_err *err);
void gx_model_leave(struct gx_model *model, struct gx_model_plan *plan);

/* Whether none of them is infinite or not a number. */
bool gx_all_finite(const float *x, int64_t count);

/* The type of the weights that it is about. */
enum gx_dtype gx_model_dtype(enum gx_model_precision precision);

/* Frees every plan; none is in use. */
void gx_model_forget(struct gx_model *model);

#endif
