/* The health of a game between a generator and a discriminator: cheap measures of it while it is
 * trained, and the diagnoses that follow from them.
 *
 *   separation  P(r > f) over pairs of D's outputs on real and generated pictures of one batch,
 *               averaged over the batches since the last look; 1: D wins every time, 0.5: chance.
 *               It means the same for every objective, since only the order counts
 *   gradient    the length of the adversarial loss's gradient at G's output, against its median
 *               over the first looks; and the slope of the objective there (family/health.h)
 *   diversity   the mean distance between G's outputs on different inputs, over that between
 *               targets: the last 16 pictures as 16 x 16 averages of colour and of contrast
 *   moved       how far G's output goes when its input is exchanged (mean absolute difference)
 *   luma        the correlation of an input's and its output's lightness over those 16 x 16 cells
 *   loss        the generator's total against its median over the run so far
 *
 * A look is taken every `every` steps. A diagnosis is entered after several looks in a row that
 * bear it out, and left after two that do not by a wider margin, so that noise makes nothing
 * flicker. All state is a block of floats: a checkpoint that holds it resumes bit for bit. */
#ifndef GX_TRAIN_HEALTH_H
#define GX_TRAIN_HEALTH_H

#include "ganx/graph.h"

#include <stddef.h>

enum gx_health_state {
    GX_HEALTH_STRONG,   /* D wins every time, G gets no gradient */
    GX_HEALTH_CHANCE,   /* D tells nothing apart */
    GX_HEALTH_COLLAPSE, /* outputs are all alike */
    GX_HEALTH_IGNORED,  /* outputs differ, but not by the input */
    GX_HEALTH_INVERTED, /* light is dark */
    GX_HEALTH_STATES
};

enum {
    GX_HEALTH_RING = 16,     /* pictures that diversity looks at */
    GX_HEALTH_GRID = 16,     /* cells each way */
    GX_HEALTH_PLANES = 4,    /* of a cell: red, green, blue, deviation of lightness */
    GX_HEALTH_EARLY = 9,     /* looks whose median gradient is the yardstick */
    GX_HEALTH_RECENT = 6,    /* ... whose gradients show whether it moves */
    GX_HEALTH_OUTPUTS = 256, /* of D's outputs on a batch, at most so many are compared */
    GX_HEALTH_HISTORY = 128, /* of the generator's losses */
    GX_HEALTH_PATIENCE = 20, /* steps of a loss beyond measure */
    GX_HEALTH_THUMB = GX_HEALTH_PLANES * GX_HEALTH_GRID * GX_HEALTH_GRID
};

/* What is remembered of one watch: floats alone. */
struct gx_health_memory {
    float separation, batches;             /* sum and number since the last look */
    float looks;                           /* regular ones */
    float early[GX_HEALTH_EARLY], earlies; /* gradients: of the first looks */
    float recent[GX_HEALTH_RECENT];        /* ... of the last regular ones */
    float shown;                           /* 1: there is an earlier input to exchange with */
    float pictures;                        /* seen so far; the ring holds the last ones */
    float luma[GX_HEALTH_RING][2];         /* correlation of input with output, with target */
    float thumb[2][GX_HEALTH_RING][GX_HEALTH_THUMB]; /* outputs, targets */
    float streak[GX_HEALTH_STATES];                  /* looks in a row that speak for a change */
    float since[GX_HEALTH_STATES]; /* the step at which it was entered; 0: not in it */
    float times[GX_HEALTH_STATES], first[GX_HEALTH_STATES], left[GX_HEALTH_STATES];
};

/* The generator's total loss: floats alone. */
struct gx_health_loss {
    float value[GX_HEALTH_HISTORY]; /* evenly over the run: every stride-th step's */
    float count, stride, seen;
    float bad;  /* steps in a row beyond measure */
    float owed; /* 1: saving was put off meanwhile */
};

/* What the graph measured at a look; NAN: it did not. */
struct gx_health_sight {
    double gradient, slope, moved, differ;
};

struct gx_health_figures {
    double separation, gradient, slope, diversity, moved, luma; /* NAN: not known */
};

/* ---- a watch ---- */

/* The outputs of one batch, of n values each; `step` chooses which of many are compared. */
void gx_health_judge(struct gx_health_memory *m, const float *r, const float *f, int64_t n,
                     int64_t step);
/* One picture (h, w, c of each shape; n is not looked at): what G was given, made and should have
 * made. */
void gx_health_see(struct gx_health_memory *m, const float *input, struct gx_shape in,
                   const float *output, struct gx_shape out, const float *target,
                   struct gx_shape wanted);

/* Whether a step is one to look at: each multiple of `every`, and before the first of them 1, 2,
 * 4, 8 ..., which only serve as a yardstick. */
bool gx_health_due(int64_t step, int every);

/* A look after `step`. Bits of *entered and *left: states that change. */
struct gx_health_figures gx_health_look(struct gx_health_memory *m,
                                        const struct gx_health_sight *sight, int64_t step,
                                        int every, unsigned *entered, unsigned *left);

/* ---- the loss ---- */

/* One step's total; true: it has been beyond 1e4 (1 + its median) for GX_HEALTH_PATIENCE steps. */
bool gx_health_lose(struct gx_health_loss *l, double total);
double gx_health_median_loss(const struct gx_health_loss *l);

/* ---- words ---- */

const char *gx_health_name(enum gx_health_state state); /* "mode collapse" */
const char *gx_health_text(enum gx_health_state state); /* what it is, and what to try */
/* By name; -1: no state is called so. */
int gx_health_named(const char *name);
/* The names of the states that it is in, separated by ", "; "ok" for none. Gives what snprintf
 * would. */
int gx_health_states(const struct gx_health_memory *m, char *text, size_t size);

/* ---- the measures on their own ---- */

/* P(a > b) over all pairs, equal ones half; sorts b. NAN: there are none. */
double gx_health_above(const float *a, int64_t na, float *b, int64_t nb);
/* The picture (h,w,c) as GX_HEALTH_PLANES planes of cells; cells of fewer pixels than one repeat
 * their neighbour's. */
void gx_health_shrink(const float *picture, struct gx_shape shape, float *thumb);
/* The mean over pairs of the root mean square difference; 0 for fewer than two. */
double gx_health_spread(const float (*thumb)[GX_HEALTH_THUMB], int count);
/* Of lightness; NAN where one of them has none to speak of. */
double gx_health_correlation(const float *thumb, const float *other);

#endif
