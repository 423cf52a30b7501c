/* A list of pictures through a model: on each thread one at a time, which is decoded, computed and
 * encoded there. A picture is decoded once, however many outputs it has. */
#ifndef GX_CMD_BATCH_H
#define GX_CMD_BATCH_H

#include "cmd/label.h"
#include "cmd/pictures.h"
#include "cmd/pipeline.h"
#include "ganx/image.h"
#include "ganx/model.h"

struct gx_batch {
    struct gx_report *report;
    struct gx_model *model;
    const struct gx_jobs *jobs;
    const struct gx_targets *targets; /* one for each output of a job, unless they are one sheet;
                                       * none for a model without domains */
    struct gx_open_options open;
    struct gx_write_options write; /* format is each job's own */
    int size;                      /* pictures become such squares, and results as large as they
                                    * were; 0: as they are. The model's own, and not of sheets. */
    int64_t max_memory;            /* bytes for the pictures in flight; 0: what the machine has */
};

/* Reports each job that fails or is skipped, in text or JSON, and with --json each output that is
 * written. A job is done when all of its outputs are; after one that fails the others are left.
 * Ends early, after what is being computed, when an output cannot be written or a signal came. */
void gx_batch_run(const struct gx_batch *batch, struct gx_batch_result *result);

#endif
