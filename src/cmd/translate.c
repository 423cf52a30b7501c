/* ganx FAMILY translate: pictures through a trained model. */
#include "cmd/batch.h"
#include "cmd/cmd.h"
#include "cmd/stop.h"
#include "model/find.h"
#include "util/arena.h"
#include "util/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct gx_model_settings settings_of(const struct gx_config *c)
{
    const char *temp = getenv("TMPDIR"), *stats = c->translate.norm_stats;
    const char *dropout = c->translate.dropout;
    return (struct gx_model_settings){
        .family = c->family,
        .direction = c->translate.direction,
        .domains = *c->translate.domains ? c->translate.domains : NULL,
        .norm_stats = !strcmp(stats, "image")     ? GX_MODEL_STATS_IMAGE
                      : !strcmp(stats, "running") ? GX_MODEL_STATS_RUNNING
                                                  : GX_MODEL_STATS_OWN,
        .dropout = !strcmp(dropout, "on")    ? GX_MODEL_DROPOUT_ON
                   : !strcmp(dropout, "off") ? GX_MODEL_DROPOUT_OFF
                                             : GX_MODEL_DROPOUT_OWN,
        .seed = c->train.seed,
        .size = c->translate.size,
        .threads = c->threads,
        .kernels = c->cpu,
        .max_memory = c->max_memory,
        /* not /tmp, which often lies in memory itself */
        .temp_folder = temp && *temp ? temp : "/var/tmp",
        .max_temp = c->translate.max_temp,
    };
}

static int plan_jobs(const struct gx_config *c, const struct gx_targets *targets,
                     struct gx_jobs *jobs, struct gx_err *err)
{
    const char **folder = gx_new(((size_t)targets->count + 1) * sizeof *folder);
    for (int i = 0; i < targets->count; i++)
        folder[i] = targets->target[i].folder;
    const struct gx_jobs_request request = {.operand = c->operand,
                                            .operands = c->operands,
                                            .files_from = c->translate.files_from,
                                            .recursive = c->translate.recursive,
                                            .force = c->translate.force,
                                            .variant = folder,
                                            .variants = targets->folders ? targets->count : 0,
                                            .format = c->translate.format,
                                            .fallback = "png",
                                            .is_input = gx_picture_name,
                                            .format_off = gx_picture_name_off,
                                            .format_of = gx_format_of_name};
    int code = gx_jobs_plan(jobs, &request, err);
    free(folder);
    return code;
}

/* ---- --dry-run ---- */

/* "out/a/x.png" or "standard output"; of several the first, and how many more. */
static void say_outputs(const struct gx_batch *b, const struct gx_job *job, char *text, size_t size)
{
    const char *first = "";
    int wanted = 0;
    for (int i = 0; i < b->jobs->outputs; i++)
        if (!job->output[i].exists && !wanted++)
            first = job->output[i].path;
    size_t used =
        (size_t)snprintf(text, size, "%s", strcmp(first, "-") != 0 ? first : "standard output");
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

/* ---- afterwards ---- */

static void summarise(struct gx_report *report, const struct gx_batch_result *r)
{
    int done = r->count[GX_DONE], skipped = r->count[GX_SKIPPED], failed = r->count[GX_FAILED];
    int left = r->count[GX_NOT_ATTEMPTED];
    const struct gx_number numbers[] = {
        {"translated", done}, {"skipped", skipped}, {"failed", failed}, {"not_attempted", left}};
    char rest[96] = "";
    if (skipped)
        snprintf(rest, sizeof rest, ", %d skipped", skipped);
    if (failed)
        snprintf(rest + strlen(rest), sizeof rest - strlen(rest), ", %d failed", failed);
    if (left)
        snprintf(rest + strlen(rest), sizeof rest - strlen(rest), ", %d not attempted", left);
    gx_report_numbers(report, failed || left ? GX_WARNING : GX_INFO, "summary", numbers, 4,
                      "%d translated%s", done, rest);
}

/* One name a line; NUL-ended like --files-from reads them if a name has lines of its own. */
static int write_failed(const char *path, const struct gx_jobs *jobs,
                        const struct gx_batch_result *r, struct gx_err *err)
{
    size_t size = 0, room = 1;
    char end = '\n';
    for (int i = 0; i < jobs->count; i++) {
        room += strlen(jobs->job[i].in) + 1;
        if (r->outcome[i] == GX_FAILED && strchr(jobs->job[i].in, '\n'))
            end = '\0';
    }
    char *text = gx_new(room);
    int code = 0;
    for (int i = 0; i < jobs->count; i++)
        if (r->outcome[i] == GX_FAILED) {
            size_t length = strlen(jobs->job[i].in);
            memcpy(text + size, jobs->job[i].in, length);
            size += length;
            text[size++] = end;
        }
    if (strcmp(path, "-") != 0)
        code = gx_file_write(path, text, size, err);
    else
        fwrite(text, 1, size, stdout); /* main checks the stream when all is done */
    free(text);
    return code;
}

/* Before hours of work, not after them. */
static int check_failed_list(const char *path, struct gx_err *err)
{
    const char *slash = strrchr(path, '/');
    struct gx_arena arena = {0};
    if (!*path || !strcmp(path, "-"))
        return 0;
    const char *folder = !slash ? "." : slash == path ? "/" : NULL;
    if (!folder)
        folder = gx_arena_format(&arena, "%.*s", (int)(slash - path), path);
    int code = 0;
    if (gx_is_folder(path))
        code = gx_fail(err, GX_E_IO, "cannot write '%s': it is a folder", path);
    else if (access(folder, W_OK | X_OK))
        code = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", path);
    gx_arena_clear(&arena);
    return code;
}

static int exit_code(const struct gx_jobs *jobs, const struct gx_batch_result *r)
{
    int done = r->count[GX_DONE] + r->count[GX_SKIPPED], failed = r->count[GX_FAILED];
    if (r->cannot_write)
        return GX_EXIT_CANNOT_WRITE;
    if (gx_stop_signal() && r->count[GX_NOT_ATTEMPTED])
        return GX_EXIT_SIGNAL + gx_stop_signal();
    if (!jobs->batch || !failed)
        return r->code;
    if (done)
        return GX_EXIT_SOME_FAILED;
    return r->numeric == failed ? GX_EXIT_MODEL : GX_EXIT_NO_INPUT;
}

static int run_batch(const struct gx_config *c, const struct gx_batch *batch)
{
    struct gx_batch_result result;
    struct gx_err err;
    if (check_failed_list(c->translate.failed_list, &err))
        return gx_fail_at(batch->report, -GX_E_IO, GX_AT_OUTPUT, &err);
    gx_stop_catch();
    gx_batch_run(batch, &result);
    int code = exit_code(batch->jobs, &result);
    if (batch->jobs->batch)
        summarise(batch->report, &result);
    if (*c->translate.failed_list &&
        write_failed(c->translate.failed_list, batch->jobs, &result, &err)) {
        gx_report(batch->report, GX_ERROR, "error", "%s", err.text);
        code = code == GX_EXIT_DONE || code == GX_EXIT_SOME_FAILED ? GX_EXIT_CANNOT_WRITE : code;
    }
    free(result.outcome);
    return code;
}

/* ---- before ---- */

struct task {
    const struct gx_config *config;
    struct gx_batch batch;
    struct gx_jobs jobs;
    struct gx_targets targets;
    enum gx_stage stage; /* that an error came up at */
};

static int prepare(const struct gx_config *c, struct gx_batch *batch, struct gx_err *err)
{
    batch->open = (struct gx_open_options){.max_pixels = c->translate.max_pixels,
                                           .allow_truncated = c->translate.allow_truncated};
    batch->write = gx_write_defaults;
    batch->write.quality = c->translate.quality;
    batch->write.strip = c->translate.strip;
    batch->max_memory = c->max_memory;
    int code = gx_background_parse(c->translate.background, batch->write.background, err);
    return code ? code : gx_image_start(c->translate.loaders, 1, err);
}

/* -m, or the family's installed model; *chosen: the user did not point at it. */
static int find_model(const struct gx_config *c, char **path, bool *chosen, struct gx_err *err)
{
    const char *asked = c->translate.model;
    *chosen = !*asked || access(asked, F_OK);
    if (*asked)
        return gx_model_find(asked, path, err);
    int code = gx_model_installed(c->family, path, NULL);
    if (!code)
        return 0;
    struct gx_arena arena = {0};
    const char *own = gx_model_own_folder(&arena);
    gx_fail(
        err, -code,
        "no model is installed for '%s': give one with -m, such as the run's folder of 'ganx %s "
        "train', or put %s.safetensors into '%s'",
        c->family, c->family, c->family, own ? own : "models");
    gx_arena_clear(&arena);
    return code;
}

static int open_model(const struct gx_config *c, struct gx_batch *batch, struct gx_err *err)
{
    struct gx_model_settings settings = settings_of(c);
    char *path = NULL;
    bool chosen;
    int code = find_model(c, &path, &chosen, err);
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
    struct gx_report *report = t->batch.report;
    const struct gx_jobs *jobs = &t->jobs;
    t->stage = GX_AT_START;
    int code = plan_jobs(t->config, &t->targets, &t->jobs, err);
    if (code == -GX_E_IO)
        t->stage = GX_AT_INPUT; /* the list of --files-from */
    if (code)
        return code;
    if (jobs->passed_over)
        gx_report(report, GX_WARNING, "passed_over",
                  "passed over %d %s that --loaders would allow, such as '%s' (--loaders %s)",
                  jobs->passed_over, jobs->passed_over == 1 ? "picture" : "pictures",
                  jobs->passed_over_name, jobs->passed_over_format);
    t->stage = GX_AT_INPUT;
    return jobs->count ? 0
                       : gx_fail(err, GX_E_IO, "no pictures in '%s'",
                                 *t->config->translate.files_from ? t->config->translate.files_from
                                                                  : t->config->operand[0]);
}

/* The names are planned before the model is loaded, so that a slip of the pen is told at once; but
 * where --to chooses, it is the model that says how many outputs there are. */
static int make_ready(struct task *t, struct gx_err *err)
{
    bool chooses = gx_option_applies(gx_option_by_key("to"), t->config->family);
    t->stage = GX_AT_START;
    int code = prepare(t->config, &t->batch, err);
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
    .summary = "translate pictures with a trained model",
    .usage = (const char *const[]){"[-m MODEL] [options] IN... OUT",
                                   "[-m MODEL] [options] --files-from LIST OUT", NULL},
    .run = run_translate,
};
