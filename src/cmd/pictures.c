#include "cmd/pictures.h"

#include "cmd/stop.h"
#include "model/find.h"
#include "util/arena.h"
#include "util/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- before ---- */

int gx_pictures_prepare(const struct gx_config *c, struct gx_open_options *open,
                        struct gx_write_options *write, struct gx_err *err)
{
    *open = (struct gx_open_options){.max_pixels = c->translate.max_pixels,
                                     .allow_truncated = c->translate.allow_truncated};
    *write = gx_write_defaults;
    write->quality = c->translate.quality;
    write->strip = c->translate.strip;
    int code = gx_background_parse(c->translate.background, write->background, err);
    return code ? code : gx_image_start(c->translate.loaders, 1, err);
}

int gx_pictures_plan(struct gx_jobs *jobs, const struct gx_config *c, struct gx_report *report,
                     const char *const *variant, int variants, enum gx_stage *stage,
                     struct gx_err *err)
{
    const struct gx_jobs_request request = {.operand = c->operand,
                                            .operands = c->operands,
                                            .files_from = c->translate.files_from,
                                            .recursive = c->translate.recursive,
                                            .force = c->translate.force,
                                            .variant = variant,
                                            .variants = variants,
                                            .format = c->translate.format,
                                            .fallback = "png",
                                            .is_input = gx_picture_name,
                                            .format_off = gx_picture_name_off,
                                            .format_of = gx_format_of_name};
    int code = gx_jobs_plan(jobs, &request, err);
    *stage = code == -GX_E_IO ? GX_AT_INPUT : GX_AT_START; /* the list of --files-from */
    if (code)
        return code;
    if (jobs->passed_over)
        gx_report(report, GX_WARNING, "passed_over",
                  "passed over %d %s that --loaders would allow, such as '%s' (--loaders %s)",
                  jobs->passed_over, jobs->passed_over == 1 ? "picture" : "pictures",
                  jobs->passed_over_name, jobs->passed_over_format);
    *stage = GX_AT_INPUT;
    return jobs->count
               ? 0
               : gx_fail(err, GX_E_IO, "no pictures in '%s'",
                         *c->translate.files_from ? c->translate.files_from : c->operand[0]);
}

enum gx_model_precision gx_pictures_precision(const struct gx_config *config)
{
    return !strcmp(config->precision, "f16")    ? GX_MODEL_F16
           : !strcmp(config->precision, "bf16") ? GX_MODEL_BF16
                                                : GX_MODEL_F32;
}

struct gx_model_settings gx_pictures_model_settings(const struct gx_config *c)
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
        .precision = gx_pictures_precision(c),
        .max_memory = c->max_memory,
        /* not /tmp, which often lies in memory itself */
        .temp_folder = temp && *temp ? temp : "/var/tmp",
        .max_temp = c->translate.max_temp,
    };
}

int gx_pictures_model(const struct gx_config *c, const char *asked, char **path, bool *chosen,
                      struct gx_err *err)
{
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

int gx_pictures_open(struct gx_picture **picture, const char *path,
                     const struct gx_open_options *options, struct gx_err *err)
{
    if (strcmp(path, "-") != 0)
        return gx_picture_open(picture, path, options, err);
    gx_stop_at_once(true);
    int code = gx_picture_open_fd(picture, STDIN_FILENO, gx_shown_in(path), options, err);
    gx_stop_at_once(false);
    return code;
}

int gx_pictures_check(const struct gx_config *c, struct gx_err *err)
{
    const char *path = c->translate.failed_list;
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

/* ---- afterwards ---- */

static void summarise(struct gx_report *report, const struct gx_batch_result *r, const char *verb)
{
    int done = r->count[GX_DONE], skipped = r->count[GX_SKIPPED], failed = r->count[GX_FAILED];
    int left = r->count[GX_NOT_ATTEMPTED];
    const struct gx_number numbers[] = {
        {verb, done}, {"skipped", skipped}, {"failed", failed}, {"not_attempted", left}};
    char rest[96] = "";
    if (skipped)
        snprintf(rest, sizeof rest, ", %d skipped", skipped);
    if (failed)
        snprintf(rest + strlen(rest), sizeof rest - strlen(rest), ", %d failed", failed);
    if (left)
        snprintf(rest + strlen(rest), sizeof rest - strlen(rest), ", %d not attempted", left);
    gx_report_numbers(report, failed || left ? GX_WARNING : GX_INFO, "summary", numbers, 4,
                      "%d %s%s", done, verb, rest);
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

int gx_pictures_end(const struct gx_config *c, struct gx_report *report, const struct gx_jobs *jobs,
                    struct gx_batch_result *result, const char *verb)
{
    struct gx_err err;
    int code = exit_code(jobs, result);
    if (jobs->batch)
        summarise(report, result, verb);
    if (*c->translate.failed_list && write_failed(c->translate.failed_list, jobs, result, &err)) {
        gx_report(report, GX_ERROR, "error", "%s", err.text);
        code = code == GX_EXIT_DONE || code == GX_EXIT_SOME_FAILED ? GX_EXIT_CANNOT_WRITE : code;
    }
    free(result->outcome);
    result->outcome = NULL;
    return code;
}

/* ---- messages ---- */

const char *gx_shown_in(const char *path)
{
    return strcmp(path, "-") ? path : "standard input";
}

const char *gx_shown_out(const char *path)
{
    return strcmp(path, "-") ? path : "standard output";
}
