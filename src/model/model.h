/* Inside a model: what opening (model.c) leaves for translating (translate.c). */
#ifndef GX_MODEL_MODEL_H
#define GX_MODEL_MODEL_H

#include "ganx/model.h"
#include "ganx/plan.h"
#include "model/card.h"
#include "model/domains.h"
#include "util/arena.h"

enum { GX_MODEL_PLANS = 4 };

struct gx_model_plan { /* ready for pictures of one size */
    int w, h;
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
    struct gx_model_plan plan[GX_MODEL_PLANS];
    uint64_t uses;
};

/* The plan for pictures of this size, from before or new, which may cost older ones their place. */
GX_MUST_CHECK int gx_model_prepare(struct gx_model *model, int w, int h,
                                   struct gx_model_plan **ready, struct gx_err *err);

/* Whether none of them is infinite or not a number. */
bool gx_all_finite(const float *x, int64_t count);

/* The type of the weights that it is about. */
enum gx_dtype gx_model_dtype(enum gx_model_precision precision);

/* Frees every plan. */
void gx_model_forget(struct gx_model *model);

#endif
