/* A list of pictures through a super-resolution model. Each goes through row by row: its decoder,
 * the arithmetic and its encoder run beside each other, and beside those of its neighbours. */
#ifndef GX_CMD_ENLARGE_H
#define GX_CMD_ENLARGE_H

#include "cmd/pictures.h"

struct gx_enlarge_size { /* what was asked for; all 0: as the network makes it */
    double scale;
    int width, height, fit_width, fit_height;
};

struct gx_enlarge {
    struct gx_report *report;
    struct gx_model *model;
    const struct gx_jobs *jobs;
    struct gx_open_options open; /* all_frames and keep_profile are each job's own */
    const char *format; /* asked for, or "": of films, whose jobs' formats are of pictures */
    struct gx_write_options write; /* format is each job's own */
    struct gx_enlarge_size size;
    struct gx_upscale_settings settings; /* max_memory: of all but the weights */
};

struct gx_enlarge_target {
    int width, height; /* of the result */
    bool plain;        /* smaller than the picture: the network has nothing to add */
};

/* What becomes of a picture of that size. -GX_E_LIMIT: more than 10 million pixels a side. */
GX_MUST_CHECK int gx_enlarge_target(struct gx_enlarge_target *target,
                                    const struct gx_enlarge_size *size, int width, int height,
                                    int network_scale, struct gx_err *err);

/* Of one frame. */
int gx_enlarge_height(const struct gx_facts *picture);

/* Opens a job's picture and says what becomes of it: format and target fit each other. Standard
 * input may turn out to be a film instead: *picture is NULL then. `film` may be NULL for others. */
struct gx_film_in;
GX_MUST_CHECK int gx_enlarge_open(const struct gx_enlarge *e, const struct gx_job *job,
                                  struct gx_picture **picture, struct gx_film_in **film,
                                  struct gx_enlarge_target *target, struct gx_err *err);

/* Its tiles. Of the memory a share is kept for libvips and for pictures on their way: as measured,
 * but at most three quarters. Errors as gx_upscale_plan. */
GX_MUST_CHECK int gx_enlarge_plan(const struct gx_enlarge *e, struct gx_upscale *plan,
                                  const struct gx_facts *picture,
                                  const struct gx_enlarge_target *target, struct gx_err *err);

/* As gx_pipeline_run, whose result this is. On a signal the picture at hand is given up. */
void gx_enlarge_run(const struct gx_enlarge *e, struct gx_batch_result *result);

#endif
