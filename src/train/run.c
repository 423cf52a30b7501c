#include "train/run.h"

#include "util/arena.h"
#include "util/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char suffix[] = ".safetensors";

/* ---- names ---- */

static char *file_name(const char *folder, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    size_t start = strlen(folder), room = (size_t)length + 1;
    char *name = gx_new(start + 1 + room);
    memcpy(name, folder, start);
    name[start] = '/';
    vsnprintf(name + start + 1, room, format, arguments);
    return name;
}

char *gx_run_file(const struct gx_run *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *name = file_name(run->path, format, arguments);
    va_end(arguments);
    return name;
}

static char *checkpoint_file(const struct gx_run *run, int64_t step)
{
    return gx_run_file(run, "checkpoints/%06lld%s", (long long)step, suffix);
}

char *gx_run_sample(const struct gx_run *run, int64_t step)
{
    return gx_run_file(run, "samples/%06lld.png", (long long)step);
}

/* The step that a checkpoint's name says; -1: it is no checkpoint. */
static int64_t step_of(const char *name)
{
    const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
    size_t digits = strspn(base, "0123456789");
    if (digits < 6 || digits > 18 || strcmp(base + digits, suffix) != 0)
        return -1;
    return strtoll(base, NULL, 10);
}

/* ---- opening ---- */

/* base.ganx-abc123: what gx_staged_open makes beside its target. */
static bool is_temporary(const char *name)
{
    const char *mark = strrchr(name, '.');
    if (!mark || strncmp(mark, ".ganx-", 6) != 0 || strlen(mark) != 12)
        return false;
    for (const char *c = mark + 6; *c; c++)
        if (!islower((unsigned char)*c) && !isdigit((unsigned char)*c))
            return false;
    return true;
}

/* Only with the lock held: nobody else writes here. */
static void remove_temporaries(const struct gx_run *run, const char *folder)
{
    char *path = gx_run_file(run, "%s", folder);
    struct gx_names names;
    if (!gx_folder_list(path, &names, NULL)) {
        for (size_t i = 0; i < names.count; i++) {
            char *file = gx_run_file(run, "%s/%s", folder, names.name[i]);
            if (is_temporary(names.name[i]))
                unlink(file);
            free(file);
        }
        gx_names_free(&names);
    }
    free(path);
}

/* Files, and folders with something in them; what a start that failed leaves behind is nothing. */
static bool holds(const struct gx_run *run, const char *name)
{
    if (is_temporary(name))
        return false;
    char *path = gx_run_file(run, "%s", name);
    struct gx_names inside = {0};
    bool nothing = gx_is_folder(path) && !gx_folder_list(path, &inside, NULL) && !inside.count;
    gx_names_free(&inside);
    free(path);
    return !nothing;
}

/* Whether the folder holds anything, and whether it is a run's. */
static int look(const struct gx_run *run, bool *empty, bool *is_run, struct gx_err *err)
{
    struct gx_names names;
    int result = gx_folder_list(run->path, &names, err);
    if (result)
        return result;
    char *lock = gx_run_file(run, ".lock");
    *is_run = gx_is_file(lock);
    *empty = true;
    for (size_t i = 0; i < names.count; i++) {
        if (holds(run, names.name[i]))
            *empty = false;
        if (!strcmp(names.name[i], "config.yaml") || !strcmp(names.name[i], "checkpoints"))
            *is_run = true;
    }
    free(lock);
    gx_names_free(&names);
    return 0;
}

static int take_lock(struct gx_run *run, bool *locked, struct gx_err *err)
{
    char *lock = gx_run_file(run, ".lock");
    int result = gx_file_lock(lock, &run->lock, err);
    free(lock);
    if (result != -GX_E_USAGE)
        return result;
    *locked = true;
    return gx_context(err, result, "another process trains in '%s'", run->path);
}

/* Refusals come before anything is written into a folder that is not ours. */
static int take_folder(struct gx_run *run, bool resume, bool *locked, struct gx_err *err)
{
    bool empty, is_run;
    if (resume && !gx_is_folder(run->path))
        return gx_fail(err, GX_E_USAGE,
                       "there is no run in '%s' to resume: leave out --resume to start one",
                       run->path);
    int result = gx_folder_make(run->path, err);
    if (!result)
        result = look(run, &empty, &is_run, err);
    if (result)
        return result;
    if (!empty && !is_run)
        return gx_fail(err, GX_E_USAGE,
                       "'%s' holds other files and no run: choose another folder with --run",
                       run->path);
    result = take_lock(run, locked, err);
    if (!result && !empty && !resume)
        result = gx_fail(err, GX_E_USAGE,
                         "'%s' holds a run already: continue it with --resume, or choose another "
                         "folder with --run",
                         run->path);
    return result;
}

int gx_run_open(struct gx_run *run, const char *path, bool resume, bool *locked, struct gx_err *err)
{
    static const char *const folders[] = {".", "checkpoints", "samples"};
    bool unused;
    *run = (struct gx_run){.keep = 3, .lock = -1, .metrics = -1};
    locked = locked ? locked : &unused;
    *locked = false;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    run->path = memcpy(gx_new(length + 1), path, length);
    int result = take_folder(run, resume, locked, err);
    for (int i = 0; i < 3 && !result; i++) {
        char *folder = gx_run_file(run, "%s", folders[i]);
        result = gx_folder_make(folder, err);
        free(folder);
        if (!result)
            remove_temporaries(run, folders[i]);
    }
    if (result)
        gx_run_close(run);
    return result;
}

void gx_run_close(struct gx_run *run)
{
    if (run->path) { /* a zeroed struct has no descriptors */
        if (run->metrics >= 0)
            close(run->metrics);
        if (run->lock >= 0)
            close(run->lock);
    }
    free(run->path);
    *run = (struct gx_run){.lock = -1, .metrics = -1};
}

int gx_run_write(const struct gx_run *run, const char *name, const void *data, size_t size,
                 struct gx_err *err)
{
    char *path = gx_run_file(run, "%s", name);
    int result = gx_file_write(path, data, size, err);
    free(path);
    return result;
}

/* ---- metrics ---- */

static int open_metrics(struct gx_run *run, const char *path, struct gx_err *err)
{
    while (run->metrics < 0) {
        run->metrics = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
        if (run->metrics < 0 && errno != EINTR)
            return gx_fail_errno(err, GX_E_IO, "cannot write '%s'", path);
    }
    return 0;
}

int gx_run_log(struct gx_run *run, const char *line, struct gx_err *err)
{
    char *path = gx_run_file(run, "metrics.jsonl");
    size_t size = strlen(line) + 1, done = 0;
    char *text = memcpy(gx_new(size), line, size);
    text[size - 1] = '\n';
    int result = open_metrics(run, path, err);
    struct stat before = {0};
    if (!result && fstat(run->metrics, &before))
        result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", path);
    while (!result && done < size) {
        ssize_t put = write(run->metrics, text + done, size - done);
        if (put < 0 && errno != EINTR)
            result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", path);
        done += put > 0 ? (size_t)put : 0;
    }
    /* Should this fail too, the torn line stays until gx_run_cut_metrics. */
    if (result && done && ftruncate(run->metrics, before.st_size))
        gx_context(err, result, "a line is torn");
    free(text);
    free(path);
    return result;
}

/* Whether a line, newline included, is whole and not past the step. */
static bool line_stays(const char *line, size_t length, int64_t step)
{
    if (!length || line[length - 1] != '\n')
        return false;
    json_t *object = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    json_t *number = json_object_get(object, "step");
    bool stays = json_is_object(object) && (!number || json_integer_value(number) <= step);
    json_decref(object);
    return stays;
}

static int copy_lines(FILE *from, const char *path, int64_t step, struct gx_err *err)
{
    struct gx_staged staged;
    int result = gx_staged_open(&staged, path, err);
    if (result)
        return result;
    char *line = NULL;
    size_t room = 0;
    ssize_t length;
    bool dropped = false, failed = false;
    while (!failed && (length = getline(&line, &room, from)) > 0) {
        if (line_stays(line, (size_t)length, step))
            failed = fwrite(line, 1, (size_t)length, staged.file) != (size_t)length;
        else
            dropped = true;
    }
    free(line);
    if (failed)
        result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", path);
    else if (ferror(from))
        result = gx_fail_errno(err, GX_E_IO, "cannot read '%s'", path);
    if (!result && dropped)
        return gx_staged_commit(&staged, err);
    gx_staged_discard(&staged);
    return result;
}

int gx_run_cut_metrics(struct gx_run *run, int64_t step, struct gx_err *err)
{
    char *path = gx_run_file(run, "metrics.jsonl");
    int result = 0;
    if (run->metrics >= 0)
        close(run->metrics);
    run->metrics = -1;
    FILE *from = fopen(path, "rbe");
    if (from) {
        result = copy_lines(from, path, step, err);
        fclose(from);
    } else if (errno != ENOENT) {
        result = gx_fail_errno(err, GX_E_IO, "cannot open '%s'", path);
    }
    free(path);
    return result;
}

/* ---- checkpoints ---- */

struct checkpoints {
    int64_t *step; /* newest first */
    int count;
    bool torn; /* there are some that were set aside */
};

static int newest_first(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

static int list_checkpoints(const struct gx_run *run, struct checkpoints *list, struct gx_err *err)
{
    *list = (struct checkpoints){0};
    char *folder = gx_run_file(run, "checkpoints");
    struct gx_names names;
    int result = gx_folder_list(folder, &names, err);
    free(folder);
    if (result)
        return result;
    list->step = gx_new((names.count + 1) * sizeof *list->step);
    for (size_t i = 0; i < names.count; i++) {
        size_t length = strlen(names.name[i]);
        int64_t step = step_of(names.name[i]);
        if (step >= 0)
            list->step[list->count++] = step;
        else if (length > 5 && !strcmp(names.name[i] + length - 5, ".torn"))
            list->torn = true;
    }
    gx_names_free(&names);
    qsort(list->step, (size_t)list->count, sizeof *list->step, newest_first);
    return 0;
}

/* The step that a link of the run points to; -1: none. */
static int64_t linked_step(const struct gx_run *run, const char *name)
{
    char to[PATH_MAX], *path = gx_run_file(run, "%s", name);
    ssize_t length = readlink(path, to, sizeof to - 1);
    free(path);
    to[length > 0 ? length : 0] = 0;
    return step_of(to);
}

static int point(const struct gx_run *run, const char *name, int64_t step, struct gx_err *err)
{
    char *path = gx_run_file(run, "%s", name), to[64];
    snprintf(to, sizeof to, "checkpoints/%06lld%s", (long long)step, suffix);
    int result = gx_link_replace(path, to, err);
    free(path);
    return result;
}

/* Removes what is neither among the newest nor the best. One that cannot be removed does no harm:
 * the next rotation meets it again. */
static int rotate(const struct gx_run *run, struct gx_err *err)
{
    struct checkpoints list;
    int result = list_checkpoints(run, &list, err);
    int64_t best = linked_step(run, "best");
    for (int i = run->keep > 1 ? run->keep : 1; i < list.count && !result; i++) {
        char *path = checkpoint_file(run, list.step[i]);
        if (list.step[i] != best)
            unlink(path);
        free(path);
    }
    free(list.step);
    return result;
}

/* What a checkpoint follows must not be lost where the checkpoint is not. */
static int flush_metrics(const struct gx_run *run, struct gx_err *err)
{
    int failed = 0;
    do
        failed = run->metrics >= 0 ? fsync(run->metrics) : 0;
    while (failed && errno == EINTR);
    if (!failed || errno == EINVAL || errno == ENOTSUP) /* a file system without fsync */
        return 0;
    return gx_fail_errno(err, GX_E_IO, "cannot write '%s/metrics.jsonl'", run->path);
}

int gx_run_save(struct gx_run *run, const struct gx_record *record, int64_t step,
                struct gx_err *err)
{
    char *path = checkpoint_file(run, step);
    int result = flush_metrics(run, err);
    if (!result)
        result = gx_record_write(record, path, err);
    free(path);
    if (!result)
        result = point(run, "latest", step, err);
    return result ? result : rotate(run, err);
}

int gx_run_mark_best(struct gx_run *run, int64_t step, struct gx_err *err)
{
    char *path = checkpoint_file(run, step);
    bool there = gx_is_file(path);
    free(path);
    if (!there)
        return gx_fail(err, GX_E_USAGE, "there is no checkpoint of step %lld to be the best",
                       (long long)step);
    int result = point(run, "best", step, err);
    return result ? result : rotate(run, err);
}

static int set_aside(const char *path, const struct gx_err *why,
                     void (*warn)(void *user, const char *text), void *user, struct gx_err *err)
{
    size_t room = strlen(path) + sizeof ".torn";
    char *aside = gx_new(room);
    snprintf(aside, room, "%s.torn", path);
    int result = rename(path, aside)
                     ? gx_fail_errno(err, GX_E_IO, "cannot rename '%s' to '%s'", path, aside)
                     : 0;
    if (!result && warn) {
        char text[sizeof why->text + 128];
        snprintf(text, sizeof text, "%s; set aside as .torn, the one before is used", why->text);
        warn(user, text);
    }
    free(aside);
    return result;
}

/* Links that a kill or a set-aside checkpoint left behind. */
static int mend_links(const struct gx_run *run, int64_t step, struct gx_err *err)
{
    int result = linked_step(run, "latest") == step ? 0 : point(run, "latest", step, err);
    char *best = gx_run_file(run, "best");
    if (!result && linked_step(run, "best") >= 0 && !gx_is_file(best))
        unlink(best);
    free(best);
    return result;
}

int gx_run_restore(struct gx_run *run, struct gx_record *record, int64_t *step,
                   void (*warn)(void *user, const char *text), void *user, struct gx_err *err)
{
    struct checkpoints list;
    int result = list_checkpoints(run, &list, err);
    bool none = !list.count && !list.torn, found = false;
    *step = -1;
    for (int i = 0; i < list.count && !found && !result; i++) {
        char *path = checkpoint_file(run, list.step[i]);
        struct gx_err why = {""};
        result = gx_record_read(record, path, &why);
        if (result == -GX_E_FORMAT || result == -GX_E_LIMIT)
            result = set_aside(path, &why, warn, user, err);
        else if (result)
            result = gx_fail(err, (enum gx_error) - result, "%s", why.text);
        else
            found = true;
        if (found)
            *step = list.step[i];
        free(path);
    }
    free(list.step);
    if (result || none)
        return result;
    if (!found)
        return gx_fail(err, GX_E_FORMAT, "no checkpoint in '%s/checkpoints' is whole", run->path);
    return mend_links(run, *step, err);
}
