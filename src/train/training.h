/* The state of a run, shared by its parts, a file each: what all of them ask (training.c), what is
 * planned (plan.c) and started (start.c), saved (save.c), measured on held-out pictures
 * (validate.c) and of the game's health (monitor.c); loop.c alone sees them all. */
#ifndef GX_TRAIN_TRAINING_H
#define GX_TRAIN_TRAINING_H

#include "family/family.h"
#include "ganx/plan.h"
#include "image/loader.h"
#include "image/metrics.h"
#include "model/lpips.h"
#include "optim/optim.h"
#include "optim/schedule.h"
#include "train/degradation.h"
#include "train/health.h"
#include "train/pool.h"
#include "train/record.h"
#include "train/run.h"
#include "train/train.h"

enum { GX_LPIPS_BYTES = 512 << 20 }; /* that LPIPS may take, weights included */

/* Held-out pictures through the generator as translation would use it. */
struct gx_validation {
    struct gx_preview preview;
    struct gx_plan *plan;
    int64_t count;                  /* held-out samples; 0: none, and the rest is empty */
    bool measured;                  /* there are pictures that the output should equal */
    int64_t arena;                  /* bytes */
    int height, width;              /* of held-out samples */
    const struct gx_metric *metric; /* that chooses `best` */
    bool by_lpips;                  /* LPIPS is measured */
    struct gx_lpips *lpips;         /* from the first validation on */
    double best;                    /* so far; NAN: none yet */
    int64_t best_step;
};

struct gx_training {
    struct gx_config *config;
    const struct gx_train_events *events;
    struct gx_game game;
    struct gx_dataset data;
    struct gx_degrading degrading; /* how small pictures are made */
    struct gx_loader *loader;
    size_t cache;      /* bytes of decoded pictures that the loader may keep */
    int height, width; /* of samples: of their largest pictures */
    struct gx_step step;
    struct gx_plan *plan;
    /* With train.pixel_steps: until then, step and plan are those of the pixel loss alone, and these
     * the game's. Afterwards they are exchanged. */
    struct gx_step other_step;
    struct gx_plan *other_plan;
    bool pixels; /* the first are current */
    const struct gx_kernels *kernels;
    int threads;
    struct gx_optim optim[GX_TRAINEES_MAX];
    struct gx_average average[GX_TRAINEES_MAX];      /* of generators, with optim.ema */
    struct gx_pool pool[GX_POOLS_MAX];               /* behind the taps of the step */
    struct gx_health_memory *health[GX_WATCHES_MAX]; /* behind the step's watches; or NULL */
    struct gx_health_loss health_loss;
    struct gx_schedule schedule;
    bool by_epoch; /* the schedule counts epochs, not steps */
    struct gx_plateau plateau;
    int batches_per_step; /* that one generator update consumes */
    int64_t done, total;  /* generator updates */
    int64_t saved;        /* the step of the newest checkpoint; -1: none */
    struct gx_run run;
    struct gx_record record;
    struct gx_validation validation;
};

/* ---- training.c: what every part asks ---- */

void gx_training_say(const struct gx_training *t, bool warning, const char *event,
                     const char *format, ...) GX_PRINTF(4, 5);
/* For loaders: `t` is the training. */
void gx_training_warn(void *t, const char *text);
/* How pictures are made ready: with chance, for training; or as they are best looked at, which is
 * scaled straight to the cut's size, or the cut's centre. */
struct gx_prepare gx_training_prepare(const struct gx_training *t, bool chance);
/* What the loader decodes, but for the step to start from and the room for its cache. */
struct gx_loader_options gx_training_loading(const struct gx_training *t);
struct gx_optim_settings gx_training_optimizer(const struct gx_training *t, int net);
/* The epoch that a step belongs to, from 0; the rate that it is taken with. */
int64_t gx_training_epoch(const struct gx_training *t, int64_t step);
double gx_training_rate(const struct gx_training *t, int64_t step);
/* Exchanges weights and averages, where there are averages: around the generator's use. */
void gx_training_swap_average(struct gx_training *t);
/* -GX_E_NUMERIC names the first weight or statistic that is not finite: such a state is not saved;
 * or the first gradient of the networks (bits) that are to take a step. */
GX_MUST_CHECK int gx_training_check(const struct gx_training *t, struct gx_err *err);
GX_MUST_CHECK int gx_training_check_gradients(const struct gx_training *t, unsigned nets,
                                              struct gx_err *err);
void gx_training_clear(struct gx_training *t);

/* Batches that steps before `step` have consumed. */
int64_t gx_training_batch(const struct gx_training *t, int64_t step);

/* ---- stage.c: the pixel loss alone first, then the game; nothing of it without
 * train.pixel_steps ---- */

GX_MUST_CHECK int gx_stage_build(struct gx_training *t, struct gx_err *err);
GX_MUST_CHECK int gx_stage_plan(struct gx_training *t, const struct gx_plan_settings *settings,
                                struct gx_err *err);
/* Once t->done is known: which of the two it is. */
void gx_stage_start(struct gx_training *t);
/* Before each step: changes over where it is time. */
GX_MUST_CHECK int gx_stage_advance(struct gx_training *t, struct gx_err *err);
double gx_stage_rate(const struct gx_training *t, int64_t step);
void gx_stage_clear(struct gx_training *t);

/* ---- plan.c: from a struct that is zero but for an opened run ---- */

GX_MUST_CHECK int gx_training_plan(struct gx_training *t, struct gx_config *config,
                                   const struct gx_train_events *events, struct gx_err *err);
void gx_training_needs(const struct gx_training *t, struct gx_train_needs *needs);
/* Bytes that --max-memory leaves to the step and to held-out pictures; 0: there is no limit. */
int64_t gx_training_room(const struct gx_training *t);

/* ---- start.c ---- */

/* Whether --init and the files of fixed networks can be used: asked before the run's folder is made.
 */
GX_MUST_CHECK int gx_training_check_files(const struct gx_training *t, struct gx_err *err);
GX_MUST_CHECK int gx_training_start(struct gx_training *t, struct gx_err *err);

/* ---- save.c: registration of all state, saving, restoring, the model file ---- */

void gx_training_register(struct gx_training *t);
GX_MUST_CHECK int gx_training_save(struct gx_training *t, struct gx_err *err);
/* The generators alone as RUN/NAME, with their averages where there are some. */
GX_MUST_CHECK int gx_training_write_model(struct gx_training *t, const char *name,
                                          struct gx_err *err);
GX_MUST_CHECK int gx_training_restore(struct gx_training *t, struct gx_err *err);

/* ---- validate.c ---- */

GX_MUST_CHECK int gx_validation_plan(struct gx_training *t, struct gx_err *err);
/* Measures the held-out pairs, logs them, and says in *better whether they are the best so far. */
GX_MUST_CHECK int gx_validation_run(struct gx_training *t, bool *better, struct gx_err *err);
/* Draws RUN/samples/STEP.png. */
GX_MUST_CHECK int gx_validation_draw(struct gx_training *t, struct gx_err *err);
void gx_validation_clear(struct gx_training *t);

/* ---- monitor.c: the health of the game; nothing of it where the step has no health phase ---- */

void gx_monitor_allocate(struct gx_training *t);
void gx_monitor_clear(struct gx_training *t);
void gx_monitor_register(struct gx_training *t);
/* After each step: measures, and where it is due a line of metrics.jsonl and warnings.
 * -GX_E_NUMERIC: the generator's loss has left all bounds. */
GX_MUST_CHECK int gx_monitor_step(struct gx_training *t, struct gx_err *err);
/* Whether that is about to be found: such a state is not saved. */
bool gx_monitor_doubts(const struct gx_training *t);
/* One line at the end. */
void gx_monitor_summary(const struct gx_training *t);

#endif
