/* A run's folder:
 *
 *   RUN/config.yaml  metrics.jsonl  model.safetensors  report.html  samples/000500.png
 *   RUN/checkpoints/000500.safetensors     the newest few, and the one that `best` points to
 *   RUN/latest  RUN/best                   relative links into checkpoints/
 *   RUN/.lock                              held while a process trains here
 *
 * Whatever has a final name is whole: files are staged, flushed and renamed, and a line of
 * metrics.jsonl is one write. A checkpoint is removed only after a newer one stands. */
#ifndef GX_TRAIN_RUN_H
#define GX_TRAIN_RUN_H

#include "train/record.h"

#include <stddef.h>

struct gx_run {
    char *path;
    int keep; /* checkpoints that stay, at least 1; set by gx_run_open to 3, free to change */
    int lock, metrics; /* descriptors; -1: not open */
};

/* Takes the folder: made if absent, locked, what killed runs left of temporary files removed.
 *   not `resume`: -GX_E_USAGE when it holds anything
 *   `resume`:     -GX_E_USAGE when it is absent, or holds files but no run; a run that was stopped
 *                 before its first checkpoint is one
 * When another process trains there: -GX_E_USAGE, the text names it, and *locked is true (else it
 * is false; `locked` may be NULL). */
GX_MUST_CHECK int gx_run_open(struct gx_run *run, const char *path, bool resume, bool *locked,
                              struct gx_err *err);
/* Unlocks. Legal on a zeroed struct, and after a failed open. */
void gx_run_close(struct gx_run *run);

/* RUN/ + the printf-formed name; free it. */
char *gx_run_file(const struct gx_run *run, const char *format, ...) GX_PRINTF(2, 3);
/* RUN/samples/000500.png; free it. */
char *gx_run_sample(const struct gx_run *run, int64_t step);
/* Writes RUN/name whole, atomically. */
GX_MUST_CHECK int gx_run_write(const struct gx_run *run, const char *name, const void *data,
                               size_t size, struct gx_err *err);

/* Appends a line to metrics.jsonl (without its newline: one JSON object). -GX_E_IO leaves no part
 * of it behind. */
GX_MUST_CHECK int gx_run_log(struct gx_run *run, const char *line, struct gx_err *err);
/* Drops the lines whose "step" is past `step`, and those that are torn. */
GX_MUST_CHECK int gx_run_cut_metrics(struct gx_run *run, int64_t step, struct gx_err *err);

/* Saves checkpoints/STEP.safetensors, points `latest` at it, then removes those that are too many.
 * -GX_E_IO: every older checkpoint is still there. */
GX_MUST_CHECK int gx_run_save(struct gx_run *run, const struct gx_record *record, int64_t step,
                              struct gx_err *err);
/* Points `best` at the checkpoint of a step, which must be there. */
GX_MUST_CHECK int gx_run_mark_best(struct gx_run *run, int64_t step, struct gx_err *err);

/* Reads the newest checkpoint that is whole; one that is torn or flipped is set aside as .torn,
 * with a call of warn (may be NULL) that says so, and the one before is tried.
 *   0             *step is its step; or -1 when the run has no checkpoint yet (record untouched)
 *   -GX_E_FORMAT  there are checkpoints, and none is whole
 *   -GX_E_SHAPE   the newest whole one holds other arrays than the record; nothing is set aside */
GX_MUST_CHECK int gx_run_restore(struct gx_run *run, struct gx_record *record, int64_t *step,
                                 void (*warn)(void *user, const char *text), void *user,
                                 struct gx_err *err);

#endif
