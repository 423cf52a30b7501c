/* A list of jobs on several threads, each of which opens a job's picture, or computes and writes an
 * output of one that is open, until all is done. */
#ifndef GX_CMD_PIPELINE_H
#define GX_CMD_PIPELINE_H

#include "cmd/cmd.h"
#include "cmd/jobs.h"

#include <pthread.h>
#include <stdatomic.h>

enum gx_outcome { GX_NOT_ATTEMPTED, GX_DONE, GX_SKIPPED, GX_FAILED };

struct gx_batch_result {
    enum gx_outcome *outcome; /* one a job, in their order; free it */
    int count[GX_FAILED + 1]; /* jobs by outcome */
    int numeric;              /* failed because the result was not finite */
    int code;                 /* exit code of the latest failure, as if it had been the only job */
    bool cannot_write;        /* and that ended the work; the signal that did: gx_stop_signal */
};

struct gx_pipeline;
struct gx_steps {
    /* For each job that is not skipped: gives what outputs are made of, and how many those are; or
     * NULL, and the job has failed or the work ends. */
    void *(*open)(struct gx_pipeline *p, int job, int *outputs);
    /* For each of them, of several at a time; the last one that returns frees the source. Called
     * for all, even when the work shall end: then it has nothing else to do. */
    void (*make)(struct gx_pipeline *p, void *source, int output);
};

struct gx_pipeline {
    struct gx_report *report;
    const struct gx_jobs *jobs;
    const struct gx_steps *steps;
    void *state;       /* the steps' own */
    int threads;       /* on which steps run */
    bool own_progress; /* the steps tell it; else it is told by the jobs that are settled */
    struct gx_batch_result *result;
    /* the rest is gx_pipeline_run's */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct gx_pipeline_source *opened; /* whose outputs wait for a thread; a list */
    int next, opening; /* jobs: the first that nobody has opened, and on their way */
    int64_t held;      /* bytes */
    atomic_bool stop;
};

/* Runs all jobs; fills in *p->result. Reports each that fails or is skipped. Ends early, after what
 * is being computed, when an output cannot be written or a signal came. */
void gx_pipeline_run(struct gx_pipeline *p);

/* Whether the work shall end. */
bool gx_pipeline_stopping(const struct gx_pipeline *p);
/* From now on it shall: an output cannot be written. */
void gx_pipeline_cannot_write(struct gx_pipeline *p);

/* Waits until with these bytes little enough is in flight, or nothing is; false: the work ends
 * instead, and nothing was taken. */
bool gx_pipeline_take(struct gx_pipeline *p, int64_t bytes);
void gx_pipeline_give_back(struct gx_pipeline *p, int64_t bytes);

/* How a job ended; a failure is reported. Each job once. */
void gx_pipeline_settle(struct gx_pipeline *p, int job, enum gx_outcome outcome);
void gx_pipeline_fail(struct gx_pipeline *p, int job, int code, enum gx_stage stage,
                      const struct gx_err *err);

#endif
