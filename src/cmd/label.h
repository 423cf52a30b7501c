/* What --to, --edit, --labels and --grid ask of a model with domains: which outputs each picture
 * gets, and the label of each.
 *
 *   --to NAME            one domain, or one attribute that the picture shall have
 *   --to NAME=0.6        a strength: labels are numbers, mostly 0 and 1
 *   --to a,b             one output with both
 *   --to all             an output for each domain
 *   --edit +a,-b         changes to what the picture has now, which --labels tells
 *
 * A label starts from what the picture has, if --labels was given, else from zeros. A name that is
 * set clears the others of its group, but for those that the same text sets to a strength. */
#ifndef GX_CMD_LABEL_H
#define GX_CMD_LABEL_H

#include "config/config.h"
#include "ganx/model.h"
#include "image/labels.h"
#include "util/arena.h"

struct gx_target {      /* one output of each picture */
    const char *text;   /* as it was asked for */
    const char *folder; /* the same, fit for a file system */
    struct gx_change *change;
    int changes;
};

struct gx_targets {
    struct gx_arena arena;
    const struct gx_model_facts *model; /* borrowed */
    struct gx_target *target;
    int count;              /* 0: a model without domains */
    bool folders;           /* each target is written into a folder of its own */
    bool grid;              /* all of a picture's are one sheet */
    struct gx_labels table; /* what pictures have now */
    int *column;            /* of the table, for each domain; NULL: there is no table */
};

/* Reads config->translate; facts of the model that is used, which must outlive the targets.
 * -GX_E_USAGE: nothing was asked for, or names that the model lacks: the text lists those that it
 * has; others are gx_labels_read's, or the table lacks a domain. Clear it in every case. */
GX_MUST_CHECK int gx_targets_plan(struct gx_targets *targets, const struct gx_config *config,
                                  const struct gx_model_facts *model, struct gx_err *err);

/* The labels of the picture with that path, one for each target: labels gets targets->count times
 * model->domains numbers. -GX_E_CONFIG: --labels has no row for it. */
GX_MUST_CHECK int gx_targets_label(const struct gx_targets *targets, const char *path,
                                   float *labels, struct gx_err *err);
void gx_targets_clear(struct gx_targets *targets);

#endif
