/* ganx FAMILY translate: pictures through a trained model. */
#include "cmd/batch.h"
#include "cmd/stop.h"
#include "util/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- --dry-run ---- */

/* "out/a/x.png" or "standard output"; of several the first, and how many more. */
static void say_outputs(const struct gx_batch *b, const struct gx_job *job, char *text, size_t size)
{
    const char *first = "";
    int wanted = 0;
    for (int i = 0; i < b->jobs->outputs; i++)
        if (!job->output[i].exists && !wanted++)
            first = job->output[i].path;
    size_t used = (size_t)snprintf(text, size, "%s", gx_shown_out(first));
    if (wanted > 1 && used < size)
        snprintf(text + used, size - used, " and %d more", wanted - 1);
}

/* Says what one job would become and what its values would need; true if it can be opened. */
static bool say_one(const struct gx_batch *b, const struct gx_job *job, int64_t *most)
{
    struct gx_picture *picture = NULL;
    struct gx_err err;
    int64_t bytes = 0;
    int code = 0;
    char out[4200];
    if (job->skip) {
        gx_report(b->report, GX_INFO, "skipped", "would skip '%s': %s", job->in, job->skip);
        return true;
    }
    say_outputs(b, job, out, sizeof out);
    if (!strcmp(job->in, "-")) {
        gx_report(b->report, GX_INFO, "picture", "standard input -> %s", out);
        return true;
    }
    if (job->problem)
        code = gx_fail(&err, GX_E_IO, "%s", job->problem);
    else
        code = gx_picture_open(&picture, job->in, &b->open, &err);
    const struct gx_facts *facts = code ? NULL : gx_picture_facts(picture);
    if (!code)
        code = gx_model_needs(b->model, facts->width, facts->height, &bytes, &err);
    if (code) {
        gx_report(b->report, GX_ERROR, "failed", "%s", err.text);
    } else {
        const struct gx_number numbers[] = {
            {"width", facts->width}, {"height", facts->height}, {"bytes", (double)bytes}};
        gx_report_numbers(b->report, GX_INFO, "picture", numbers, 3,
                          "%s -> %s: %d x %d, %.1f MiB of values", job->in, out, facts->width,
                          facts->height, (double)bytes / 0x1p20);
    }
    gx_picture_free(&picture);
    *most = bytes > *most ? bytes : *most;
    return !code;
}

static int say_all(const struct gx_batch *b)
{
    int64_t most = 0, weights = gx_model_facts(b->model)->parameters * 4;
    int sound = 0;
    for (int i = 0; i < b->jobs->count; i++)
        sound += say_one(b, &b->jobs->job[i], &most);
    const struct gx_number numbers[] = {{"pictures", b->jobs->count},
                                        {"bytes", (double)(most + weights)}};
    gx_report_numbers(b->report, GX_INFO, "plan", numbers, 2,
                      "%d of %d pictures can be read; memory: %.1f MiB of weights and at most "
                      "%.1f MiB of values",
                      sound, b->jobs->count, (double)weights / 0x1p20, (double)most / 0x1p20);
    return sound == b->jobs->count ? GX_EXIT_DONE : sound ? GX_EXIT_SOME_FAILED : GX_EXIT_NO_INPUT;
}

/* ---- the work ---- */

static int run_batch(const struct gx_config *c, const struct gx_batch *batch)
{
    struct gx_batch_result result;
    struct gx_err err;
    if (gx_pictures_check(c, &err))
        return gx_fail_at(batch->report, -GX_E_IO, GX_AT_OUTPUT, &err);
    gx_stop_catch();
    gx_batch_run(batch, &result);
    return gx_pictures_end(c, batch->report, batch->jobs, &result, "translated");
}

/* ---- before ---- */

struct task {
    const struct gx_config *config;
    struct gx_batch batch;
    struct gx_jobs jobs;
    struct gx_targets targets;
    enum gx_stage stage; /* that an error came up at */
};

static int open_model(const struct gx_config *c, struct gx_batch *batch, struct gx_err *err)
{
    struct gx_model_settings settings = gx_pictures_model_settings(c);
    char *path = NULL;
    bool chosen;
    int code = gx_pictures_model(c, c->translate.model, &path, &chosen, err);
    if (!code)
        code = gx_model_open(&batch->model, path, &settings, err);
    if (!code && chosen)
        gx_report(batch->report, GX_INFO, "model", "using the model '%s'", path);
    free(path);
    return code;
}

static int open_targets(struct task *t, struct gx_err *err)
{
    t->stage = GX_AT_MODEL;
    int code = open_model(t->config, &t->batch, err);
    if (code)
        return code;
    t->stage = GX_AT_START;
    return gx_targets_plan(&t->targets, t->config, gx_model_facts(t->batch.model), err);
}

static int plan_outputs(struct task *t, struct gx_err *err)
{
    const struct gx_targets *targets = &t->targets;
    const char **folder = gx_new(((size_t)targets->count + 1) * sizeof *folder);
    for (int i = 0; i < targets->count; i++)
        folder[i] = targets->target[i].folder;
    int code = gx_pictures_plan(&t->jobs, t->config, t->batch.report, folder,
                                targets->folders ? targets->count : 0, &t->stage, err);
    free(folder);
    return code;
}

/* The names are planned before the model is loaded, so that a slip of the pen is told at once; but
 * where --to chooses, it is the model that says how many outputs there are. */
static int make_ready(struct task *t, struct gx_err *err)
{
    bool chooses = gx_option_applies(gx_option_by_key("to"), t->config->family);
    t->stage = GX_AT_START;
    t->batch.max_memory = t->config->max_memory;
    t->batch.size = t->config->translate.size;
    int code = gx_pictures_prepare(t->config, &t->batch.open, &t->batch.write, err);
    if (!code && chooses)
        code = open_targets(t, err);
    if (!code)
        code = plan_outputs(t, err);
    return code || chooses ? code : open_targets(t, err);
}

static int run_translate(struct gx_config *config, struct gx_report *report)
{
    struct task t = {.config = config, .batch = {.report = report}};
    struct gx_err err;
    t.batch.jobs = &t.jobs;
    t.batch.targets = &t.targets;
    int code = make_ready(&t, &err);
    if (code)
        code = gx_fail_at(report, code, t.stage, &err);
    else
        code = config->dry_run ? say_all(&t.batch) : run_batch(config, &t.batch);
    gx_model_close(&t.batch.model);
    gx_targets_clear(&t.targets);
    gx_jobs_clear(&t.jobs);
    return code;
}

const struct gx_command gx_command_translate = {
    .name = "translate",
    .verb = GX_VERB_TRANSLATE,
    .of_family = true,
    .families = ~GX_IN(sr),
    .summary = "translate pictures with a trained model",
    .usage = (const char *const[]){"[-m MODEL] [options] IN... OUT",
                                   "[-m MODEL] [options] --files-from LIST OUT", NULL},
    .run = run_translate,
};
