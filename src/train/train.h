/* Training: one run of one family, from a configuration to a folder of results.
 *
 * The loop is the same for every family: load a batch, run the phases of the step, let networks
 * take optimizer steps between them; log, validate, draw samples, save. A run that was stopped
 * anywhere and resumed gives the same bits as one that was not. */
#ifndef GX_TRAIN_TRAIN_H
#define GX_TRAIN_TRAIN_H

#include "config/config.h"

/* What the run tells whoever started it; called from the training thread. */
struct gx_train_events {
    void *user;
    void (*say)(void *user, bool warning, const char *event, const char *text);
    void (*progress)(void *user, int64_t step, int64_t total, const char *losses);
    /* A signal's number once the run shall stop after the step at hand; else 0. */
    int (*stop)(void *user);
};

struct gx_train_result {
    int64_t step; /* generator updates that the run has now */
    int signal;   /* that stopped it, after saving; or 0 */
    bool locked;  /* failed because another process trains in this folder */
};

/* What a run needs, as planned: work, and bytes, of which nothing else grows with the networks or
 * the pictures. */
struct gx_train_needs {
    int64_t weights, gradients, moments, average;
    int64_t step_arena;    /* activations and scratch, after reuse */
    int64_t preview_arena; /* the same for held-out pictures: a part of the step's memory */
    int64_t loader;
    int64_t pool;  /* of earlier generated pictures */
    int64_t lpips; /* of VGG16 in validation */
    int64_t total;
    double flops;          /* of a step, with what it makes again to save memory */
    double recomputed;     /* that, as a part of the arithmetic that it would need otherwise */
    double recompute_cost; /* an estimate of its time, likewise */
    int64_t steps;
    int width, height; /* of the pictures in a step */
};

/* Plans the run and touches nothing. */
GX_MUST_CHECK int gx_train_dry_run(struct gx_config *config, const struct gx_train_events *events,
                                   struct gx_train_needs *needs, struct gx_err *err);

/* Runs until the last step, a signal, or an error:
 *   -GX_E_CONFIG   configuration or data set      -GX_E_FORMAT   checkpoint or --init file
 *   -GX_E_USAGE    the run's folder (or locked)   -GX_E_NOMEM    more memory than --max-memory
 *   -GX_E_IO       cannot write                   -GX_E_NUMERIC  diverged; nothing was saved since
 * `config` may be changed: a resumed run takes the saved values. */
GX_MUST_CHECK int gx_train(struct gx_config *config, const struct gx_train_events *events,
                           struct gx_train_result *result, struct gx_err *err);

#endif
