/* ganx sr upscale: pictures made larger by a super-resolution model. */
#include "cmd/enlarge.h"
#include "cmd/stop.h"
#include "util/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS_MAX = 16 };

struct task {
    const struct gx_config *config;
    struct gx_jobs jobs;
    struct gx_enlarge work;
    enum gx_stage stage; /* that an error came up at */
};

/* Whether the option was given. */
static bool given(const struct gx_config *c, const char *key)
{
    return c->origin[gx_option_by_key(key) - gx_options].source != GX_FROM_DEFAULT;
}

/* ---- sizes ---- */

static int read_size(const struct gx_config *c, struct gx_enlarge_size *size, struct gx_err *err)
{
    char rest;
    *size = (struct gx_enlarge_size){
        .scale = c->upscale.scale, .width = c->upscale.width, .height = c->upscale.height};
    bool sides = size->width || size->height, fits = *c->upscale.fit;
    if ((size->scale > 0) + sides + fits > 1)
        return gx_fail(err, GX_E_USAGE,
                       "--scale, --width or --height, and --fit exclude each other");
    if (fits &&
        (sscanf(c->upscale.fit, "%dx%d%c", &size->fit_width, &size->fit_height, &rest) != 2 ||
         size->fit_width < 1 || size->fit_height < 1))
        return gx_fail(err, GX_E_USAGE, "option '--fit': '%s' is no size like 1920x1080",
                       c->upscale.fit);
    return 0;
}

/* ---- the model, or several that are blended ---- */

struct share { /* of one model */
    const char *path;
    double weight; /* below 0: none was given */
};

/* "a" or "a=0.5"; a file may have such a name. */
static int read_share(struct share *share, char *line, struct gx_err *err)
{
    char *equals = strrchr(line, '='), *end;
    *share = (struct share){.path = line, .weight = -1};
    if (!equals || gx_is_file(line) || gx_is_folder(line))
        return 0;
    double weight = strtod(equals + 1, &end);
    if (end == equals + 1 || *end)
        return 0; /* part of a name that is told to be missing */
    if (!(weight >= 0 && weight <= 1))
        return gx_fail(err, GX_E_USAGE, "option '--model': the weight of '%s' is not from 0 to 1",
                       line);
    *equals = '\0';
    share->weight = weight;
    return 0;
}

/* Those without a weight share what is left of 1. */
static int settle_shares(struct share *share, int count, const struct gx_config *c,
                         struct gx_err *err)
{
    double sum = 0;
    int open = 0;
    for (int i = 0; i < count; i++) {
        open += share[i].weight < 0;
        sum += share[i].weight < 0 ? 0 : share[i].weight;
    }
    if (given(c, "denoise")) {
        if (count != 2 || open != 2)
            return gx_fail(err, GX_E_USAGE,
                           "--denoise blends two models that are given by -m without weights: -m "
                           "realesr-general-x4v3 -m realesr-general-wdn-x4v3");
        share[0].weight = c->upscale.denoise;
        share[1].weight = 1 - c->upscale.denoise;
        return 0;
    }
    if (sum > 1 + 1e-6 || (!open && count && (sum < 1 - 1e-6)))
        return gx_fail(err, GX_E_USAGE, "the weights of the models are %g in all, not 1", sum);
    for (int i = 0; i < count; i++)
        if (share[i].weight < 0)
            share[i].weight = (1 - sum) / open;
    return 0;
}

static struct gx_model_settings model_settings(const struct gx_config *c)
{
    struct gx_model_settings settings = gx_pictures_model_settings(c);
    settings.max_memory = c->upscale.max_memory;
    settings.temp_folder = NULL; /* tiles are made to fit */
    return settings;
}

static int add_model(struct task *t, const struct share *share, int i, struct gx_err *err)
{
    struct gx_model_settings settings = model_settings(t->config);
    char *path = NULL;
    bool chosen;
    int code = gx_pictures_model(t->config, share[i].path, &path, &chosen, err);
    if (!code && !i)
        code = gx_model_open(&t->work.model, path, &settings, err);
    else if (!code)
        code =
            gx_model_blend(t->work.model, i == 1 ? share[0].weight : 1, path, share[i].weight, err);
    if (!code && chosen)
        gx_report(t->work.report, GX_INFO, "model", "using the model '%s'", path);
    free(path);
    return code;
}

static int open_models(struct task *t, struct gx_err *err)
{
    struct share share[MODELS_MAX] = {{"", 1}};
    char *lines = gx_new_text(t->config->upscale.models), *rest = NULL;
    int count = 0, code = 0;
    t->stage = GX_AT_START;
    for (char *line = strtok_r(lines, "\n", &rest); line && !code;
         line = strtok_r(NULL, "\n", &rest))
        code = count < MODELS_MAX ? read_share(&share[count++], line, err)
                                  : gx_fail(err, GX_E_USAGE, "more than %d models", MODELS_MAX);
    if (!code)
        code = settle_shares(share, count, t->config, err);
    if (!code)
        t->stage = GX_AT_MODEL;
    for (int i = 0; !code && i < (count ? count : 1); i++)
        code = add_model(t, share, i, err);
    free(lines);
    return code;
}

/* ---- before ---- */

static void set_tiles(struct task *t)
{
    const struct gx_config *c = t->config;
    t->work.settings = (struct gx_upscale_settings){
        .tile = c->upscale.tile,
        .own_border = given(c, "tile-pad"),
        .border = c->upscale.tile_pad,
        .max_memory = c->upscale.max_memory - gx_model_facts(t->work.model)->parameters * 4,
        .tta = c->upscale.tta,
        .alpha = strcmp(c->upscale.alpha, "bicubic") ? GX_ALPHA_NETWORK : GX_ALPHA_BICUBIC};
}

/* The names are planned before the model is loaded, so that a slip of the pen is told at once. */
static int make_ready(struct task *t, struct gx_err *err)
{
    const struct gx_config *c = t->config;
    t->stage = GX_AT_START;
    t->work.format = c->translate.format;
    int code = read_size(c, &t->work.size, err);
    if (!code)
        code = gx_pictures_prepare(c, &t->work.open, &t->work.write, err);
    if (!code)
        code = gx_pictures_plan(&t->jobs, c, t->work.report, NULL, 0, &t->stage, err);
    if (!code)
        code = open_models(t, err);
    if (!code)
        set_tiles(t);
    return code;
}

/* ---- --dry-run ---- */

/* Says what one job would become; true if it can be opened. */
static bool say_one(const struct gx_enlarge *e, const struct gx_job *job)
{
    struct gx_picture *picture = NULL;
    struct gx_enlarge_target target;
    struct gx_upscale plan = {.bytes = 0};
    struct gx_err err;
    if (job->skip) {
        gx_report(e->report, GX_INFO, "skipped", "would skip '%s': %s", job->in, job->skip);
        return true;
    }
    if (!strcmp(job->in, "-")) {
        gx_report(e->report, GX_INFO, "picture", "standard input -> %s",
                  gx_shown_out(job->output->path));
        return true;
    }
    int code = job->problem ? gx_fail(&err, GX_E_IO, "%s", job->problem)
                            : gx_enlarge_open(e, job, &picture, NULL, &target, &err);
    const struct gx_facts *facts = code ? NULL : gx_picture_facts(picture);
    if (!code && !target.plain)
        code = gx_enlarge_plan(e, &plan, facts, &target, &err);
    if (code) {
        gx_report(e->report, GX_ERROR, "failed", "%s", err.text);
    } else {
        const struct gx_number numbers[] = {
            {"width", target.width}, {"height", target.height}, {"columns", plan.x.count},
            {"bands", plan.y.count}, {"border", plan.x.border}, {"bytes", (double)plan.bytes}};
        char tiles[160] = "made smaller, without the model";
        if (!target.plain)
            snprintf(tiles, sizeof tiles,
                     "%d x %d tiles of %d x %d, %.2f times the work%s, %.1f MiB", plan.x.count,
                     plan.y.count, plan.x.region, plan.y.region, plan.work,
                     plan.exact ? "" : ", not exact", (double)plan.bytes / 0x1p20);
        gx_report_numbers(e->report, GX_INFO, "picture", numbers, 6,
                          "%s -> %s: %d x %d -> %d x %d, %s", job->in,
                          gx_shown_out(job->output->path), facts->width, gx_enlarge_height(facts),
                          target.width, target.height, tiles);
    }
    gx_picture_free(&picture);
    return !code;
}

static int say_all(const struct gx_enlarge *e)
{
    int sound = 0, count = e->jobs->count;
    for (int i = 0; i < count; i++)
        sound += say_one(e, &e->jobs->job[i]);
    const struct gx_number numbers[] = {{"pictures", count}, {"sound", sound}};
    gx_report_numbers(e->report, GX_INFO, "plan", numbers, 2, "%d of %d pictures can be upscaled",
                      sound, count);
    return sound == count ? GX_EXIT_DONE : sound ? GX_EXIT_SOME_FAILED : GX_EXIT_NO_INPUT;
}

/* ---- the work ---- */

static int run_batch(const struct task *t)
{
    struct gx_batch_result result;
    struct gx_err err;
    if (gx_pictures_check(t->config, &err))
        return gx_fail_at(t->work.report, -GX_E_IO, GX_AT_OUTPUT, &err);
    gx_stop_catch();
    gx_enlarge_run(&t->work, &result);
    return gx_pictures_end(t->config, t->work.report, &t->jobs, &result, "upscaled");
}

static int run_upscale(struct gx_config *config, struct gx_report *report)
{
    struct task t = {.config = config, .work = {.report = report}};
    struct gx_err err;
    t.work.jobs = &t.jobs;
    int code = make_ready(&t, &err);
    if (code)
        code = gx_fail_at(report, code, t.stage, &err);
    else
        code = config->dry_run ? say_all(&t.work) : run_batch(&t);
    gx_model_close(&t.work.model);
    gx_jobs_clear(&t.jobs);
    return code;
}

const struct gx_command gx_command_upscale = {
    .name = "upscale",
    .other_name = "translate",
    .verb = GX_VERB_UPSCALE,
    .of_family = true,
    .families = GX_IN(sr),
    .summary = "make pictures larger with a super-resolution model",
    .usage = (const char *const[]){"[-m MODEL] [--scale X] [options] IN... OUT",
                                   "[-m MODEL] [--fit WxH] [options] --files-from LIST OUT", NULL},
    .run = run_upscale,
};
