/* What commands that make pictures of pictures have in common: which files become which, how they
 * are opened and written, the model, and what is said at the end. */
#ifndef GX_CMD_PICTURES_H
#define GX_CMD_PICTURES_H

#include "cmd/cmd.h"
#include "cmd/jobs.h"
#include "cmd/pipeline.h"
#include "ganx/image.h"
#include "ganx/model.h"

/* Options of reading and writing, and libvips started. -GX_E_USAGE. */
GX_MUST_CHECK int gx_pictures_prepare(const struct gx_config *config, struct gx_open_options *open,
                                      struct gx_write_options *write, struct gx_err *err);

/* gx_jobs_plan for config's operands; tells what was passed over. `variant` as there. *stage is
 * where an error came up; no pictures at all are one. Clear jobs in every case. */
GX_MUST_CHECK int gx_pictures_plan(struct gx_jobs *jobs, const struct gx_config *config,
                                   struct gx_report *report, const char *const *variant,
                                   int variants, enum gx_stage *stage, struct gx_err *err);

/* What --precision says. */
enum gx_model_precision gx_pictures_precision(const struct gx_config *config);

/* What models are opened with, from the options of `translate`. */
struct gx_model_settings gx_pictures_model_settings(const struct gx_config *config);

/* The file of the model `asked` for, or the family's installed one for "": a path to free; *chosen:
 * the user did not point at it, so it should be named. As gx_model_find. */
GX_MUST_CHECK int gx_pictures_model(const struct gx_config *config, const char *asked, char **path,
                                    bool *chosen, struct gx_err *err);

/* gx_picture_open, or standard input for "-": a signal ends the program while that is awaited. */
GX_MUST_CHECK int gx_pictures_open(struct gx_picture **picture, const char *path,
                                   const struct gx_open_options *options, struct gx_err *err);

/* Before hours of work: whether --failed-list can be written. */
GX_MUST_CHECK int gx_pictures_check(const struct gx_config *config, struct gx_err *err);
/* After them: the summary ("3 translated, 1 failed") of a batch, --failed-list, the exit code. Frees
 * what `result` holds. */
int gx_pictures_end(const struct gx_config *config, struct gx_report *report,
                    const struct gx_jobs *jobs, struct gx_batch_result *result, const char *verb);

/* A path as messages show it: "-" is a stream. */
const char *gx_shown_in(const char *path);
const char *gx_shown_out(const char *path);

#endif
