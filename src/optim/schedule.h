/* Learning-rate schedules: the rate of a unit of the run as a pure function of its number.
 *
 * Units are generator updates, or epochs when the run counts epochs; u counts from 0, so u = 0 is
 * the first. With S = decay_from * total rounded to the nearest unit:
 *
 *   constant   lr
 *   linear     lr * (1 - max(0, u + 1 - S) / (total - S + 1)): constant, then evenly down, so that
 *              one unit more would reach 0 (pytorch-CycleGAN-and-pix2pix's lambda_rule with
 *              n_epochs = S, n_epochs_decay = total - S)
 *   step       lr * gamma^(u / every, rounded down)                       torch StepLR
 *   multistep  lr * gamma^(number of milestones <= u)                     torch MultiStepLR
 *   cosine     min_lr + (lr - min_lr) (1 + cos(pi u / total)) / 2         torch CosineAnnealingLR
 *   cosine_restarts  the same within each period, the rate times the period's weight: periods end at
 *              the milestones (that unit included: it is still at the bottom) and at `total`;
 *              milestones from `total` on do not count      BasicSR CosineAnnealingRestartLR
 *   plateau    lr, lowered by gx_plateau_update                           torch ReduceLROnPlateau
 *
 * Past the end (u > total) linear stays at 0, the cosines at min_lr. */
#ifndef GX_OPTIM_SCHEDULE_H
#define GX_OPTIM_SCHEDULE_H

#include "ganx/error.h"

#include <stdbool.h>
#include <stdint.h>

enum gx_schedule_kind {
    GX_SCHEDULE_CONSTANT,
    GX_SCHEDULE_LINEAR,
    GX_SCHEDULE_STEP,
    GX_SCHEDULE_MULTISTEP,
    GX_SCHEDULE_COSINE,
    GX_SCHEDULE_RESTARTS,
    GX_SCHEDULE_PLATEAU
};

enum { GX_MILESTONES_MAX = 32 };

struct gx_schedule {
    enum gx_schedule_kind kind;
    double lr;         /* the initial rate */
    double decay_from; /* linear: share of the run, [0, 1] */
    double gamma;      /* step, multistep, plateau */
    double min_lr;     /* cosine, cosine_restarts, plateau */
    int64_t total;     /* linear, both cosines: units in the run, > 0 */
    int64_t every;     /* step: units, > 0; plateau: patience, updates without progress allowed */
    int64_t milestone[GX_MILESTONES_MAX];
    int milestones;
    double weight[GX_MILESTONES_MAX + 1]; /* cosine_restarts: of each period */
    int weights;                          /* 0: all 1; else one for each period */
};

/* "constant", "linear", "step", "multistep", "cosine", "cosine_restarts", "plateau"; -1 for another
 * name. */
int gx_schedule_kind_named(const char *name);

/* Reads "1000,2000" into schedule->milestone; spaces around numbers are allowed. -GX_E_CONFIG when
 * they are not rising positive numbers, or too many. An empty text is no milestone. */
GX_MUST_CHECK int gx_schedule_milestones(struct gx_schedule *schedule, const char *text,
                                         struct gx_err *err);
/* Reads "1,0.5" into schedule->weight likewise: numbers of 0 or more; an empty text is none. */
GX_MUST_CHECK int gx_schedule_weights(struct gx_schedule *schedule, const char *text,
                                      struct gx_err *err);
/* -GX_E_CONFIG names the field that is out of the range above for this kind. */
GX_MUST_CHECK int gx_schedule_check(const struct gx_schedule *schedule, struct gx_err *err);

/* The rate of unit u. Plateau gives the initial rate: ask struct gx_plateau. */
double gx_schedule_lr(const struct gx_schedule *schedule, int64_t u);

/* ReduceLROnPlateau, mode min, relative threshold 1e-4, no cooldown. Plain data: save it whole. */
struct gx_plateau {
    double lr, best; /* best: infinity at first */
    int64_t bad;     /* updates in a row without progress */
};

void gx_plateau_init(struct gx_plateau *plateau, const struct gx_schedule *schedule);
/* Takes one validation's value, of which less is better and 0 the least; true if lr fell. */
bool gx_plateau_update(struct gx_plateau *plateau, const struct gx_schedule *schedule,
                       double value);

#endif
