#include "cmd/batch.h"

#include "cmd/cmd.h"
#include "cmd/stop.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { QUEUE = 2 }; /* pictures that wait between two threads */

/* Beyond the one that is computed, pictures wait decoded only up to this. */
static const int64_t ahead_bytes = (int64_t)256 << 20;

struct item { /* a picture on its way */
    int job;
    struct gx_picture *picture;
    float *data; /* in, later out: room for the more channels of the two */
    int w, h;
    int64_t bytes;
    double seconds;
};

struct queue {
    struct item *item[QUEUE];
    int count;
    bool ended;
};

struct work {
    const struct gx_batch *batch;
    const struct gx_model_facts *model;
    struct gx_batch_result *result;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct queue decoded, computed;
    int64_t held; /* bytes of the items that exist */
    atomic_bool stop;
};

/* ---- between the threads ---- */

static bool stopping(const struct work *w)
{
    return w->stop || gx_stop_signal();
}

static void push(struct work *w, struct queue *q, struct item *item)
{
    pthread_mutex_lock(&w->lock);
    while (q->count == QUEUE)
        pthread_cond_wait(&w->changed, &w->lock);
    q->item[q->count++] = item;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* NULL: nothing more will come. */
static struct item *pop(struct work *w, struct queue *q)
{
    struct item *item = NULL;
    pthread_mutex_lock(&w->lock);
    while (!q->count && !q->ended)
        pthread_cond_wait(&w->changed, &w->lock);
    if (q->count) {
        item = q->item[0];
        memmove(q->item, q->item + 1, (size_t)--q->count * sizeof *q->item);
    }
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return item;
}

static void end(struct work *w, struct queue *q)
{
    pthread_mutex_lock(&w->lock);
    q->ended = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* Waits until little enough is in flight; false when the work ends instead. */
static bool take_bytes(struct work *w, int64_t bytes)
{
    pthread_mutex_lock(&w->lock);
    while (w->held && w->held + bytes > ahead_bytes && !stopping(w))
        pthread_cond_wait(&w->changed, &w->lock);
    bool go = !stopping(w);
    w->held += go ? bytes : 0;
    pthread_mutex_unlock(&w->lock);
    return go;
}

static void drop(struct work *w, struct item *item)
{
    gx_picture_free(&item->picture);
    free(item->data);
    pthread_mutex_lock(&w->lock);
    w->held -= item->bytes;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    free(item);
}

/* ---- outcomes ---- */

static const char *shown(const char *path, const char *stream)
{
    return strcmp(path, "-") ? path : stream;
}

static void settle(struct work *w, int job, enum gx_outcome outcome)
{
    struct gx_batch_result *r = w->result;
    const struct gx_jobs *jobs = w->batch->jobs;
    pthread_mutex_lock(&w->lock);
    r->outcome[job] = outcome;
    r->count[outcome]++;
    int settled = r->count[GX_DONE] + r->count[GX_SKIPPED] + r->count[GX_FAILED];
    pthread_mutex_unlock(&w->lock);
    if (jobs->batch)
        gx_report_progress(w->batch->report, settled, jobs->count, "%s", jobs->job[job].in);
}

static void fail(struct work *w, int job, int code, enum gx_stage stage, const struct gx_err *err)
{
    gx_report(w->batch->report, GX_ERROR, "failed", "%s", err->text);
    pthread_mutex_lock(&w->lock);
    w->result->numeric += code == -GX_E_NUMERIC;
    w->result->code = code == -GX_E_NUMERIC ? (int)GX_EXIT_MODEL : (int)gx_exit_of(code, stage);
    pthread_mutex_unlock(&w->lock);
    settle(w, job, GX_FAILED);
}

static void report_done(struct work *w, const struct item *item)
{
    const struct gx_job *job = &w->batch->jobs->job[item->job];
    const struct gx_number numbers[] = {
        {"width", item->w}, {"height", item->h}, {"seconds", item->seconds}};
    if (w->batch->report->json)
        gx_report_numbers(w->batch->report, GX_INFO, "picture", numbers, 3, "%s -> %s",
                          shown(job->in, "standard input"), shown(job->out, "standard output"));
    settle(w, item->job, GX_DONE);
}

/* ---- the first thread: open, check, decode ---- */

static int open_picture(const struct work *w, const struct gx_job *job, struct gx_picture **picture,
                        struct gx_err *err)
{
    if (strcmp(job->in, "-") != 0)
        return gx_picture_open(picture, job->in, &w->batch->open, err);
    gx_stop_at_once(true);
    int code = gx_picture_open_fd(picture, STDIN_FILENO, "standard input", &w->batch->open, err);
    gx_stop_at_once(false);
    return code;
}

/* What is known from the header alone: the output's format can hold it, and memory can. */
static int check_size(const struct work *w, const struct gx_job *job, struct item *item,
                      struct gx_err *err)
{
    const struct gx_facts *facts = gx_picture_facts(item->picture);
    int ci = w->model->channels_in, co = w->model->channels_out;
    item->w = facts->width;
    item->h = facts->height;
    item->bytes = (int64_t)facts->width * facts->height * (ci > co ? ci : co) * 4;
    int code = gx_format_check(job->format, facts->width, facts->height, err);
    int64_t most = w->batch->max_memory ? w->batch->max_memory : gx_memory_available();
    if (!code && item->bytes > most)
        code = gx_fail(err, GX_E_NOMEM, "its %d x %d pixels need %.0f MiB of memory of %.0f",
                       item->w, item->h, (double)item->bytes / 0x1p20, (double)most / 0x1p20);
    return code ? gx_context(err, code, "cannot translate '%s'", job->in) : 0;
}

static int decode(const struct work *w, struct item *item, struct gx_err *err)
{
    const struct gx_model_facts *m = w->model;
    item->data = malloc((size_t)item->bytes);
    if (!item->data)
        return gx_fail(err, GX_E_NOMEM, "no memory for a picture of %d x %d", item->w, item->h);
    return gx_picture_read(item->picture, m->channels_in, m->low, m->high, item->data, err);
}

/* Animations and documents lose what follows their first picture; nobody should find out later. */
static void warn_of_pages(struct work *w, const struct gx_job *job, const struct item *item)
{
    int pages = gx_picture_facts(item->picture)->pages;
    if (pages > 1)
        gx_report(w->batch->report, GX_WARNING, "pages",
                  "'%s' has %d frames or pages, and only the first is translated",
                  shown(job->in, "standard input"), pages);
}

/* Gives the item, or NULL: it failed, or the work ends. */
static struct item *read_one(struct work *w, int at)
{
    const struct gx_job *job = &w->batch->jobs->job[at];
    struct gx_picture *picture;
    struct gx_err err;
    int code = open_picture(w, job, &picture, &err);
    if (code) {
        fail(w, at, code, GX_AT_INPUT, &err);
        return NULL;
    }
    struct item *item = gx_new(sizeof *item);
    item->job = at;
    item->picture = picture;
    code = check_size(w, job, item, &err);
    if (code || !take_bytes(w, item->bytes))
        item->bytes = 0; /* none were taken */
    else if (!(code = decode(w, item, &err))) {
        warn_of_pages(w, job, item);
        return item;
    }
    if (code)
        fail(w, at, code, GX_AT_INPUT, &err);
    drop(w, item);
    return NULL;
}

static void *read_all(void *argument)
{
    struct work *w = argument;
    const struct gx_jobs *jobs = w->batch->jobs;
    for (int i = 0; i < jobs->count && !stopping(w); i++) {
        const struct gx_job *job = &jobs->job[i];
        struct gx_err err;
        if (job->skip) {
            gx_report(w->batch->report, GX_INFO, "skipped", "skipped '%s': %s", job->in, job->skip);
            settle(w, i, GX_SKIPPED);
        } else if (job->problem) {
            int code = gx_fail(&err, GX_E_IO, "%s", job->problem);
            fail(w, i, code, GX_AT_INPUT, &err);
        } else {
            struct item *item = read_one(w, i);
            if (item)
                push(w, &w->decoded, item);
        }
    }
    end(w, &w->decoded);
    return NULL;
}

/* ---- the last thread: encode and write ---- */

static int write_one(const struct work *w, struct item *item, bool *closed, struct gx_err *err)
{
    const struct gx_job *job = &w->batch->jobs->job[item->job];
    const struct gx_model_facts *m = w->model;
    struct gx_write_options options = w->batch->write;
    const struct gx_pixels pixels = {.data = item->data,
                                     .width = item->w,
                                     .height = item->h,
                                     .channels = m->channels_out,
                                     .lo = m->low,
                                     .hi = m->high};
    options.format = job->format;
    *closed = false;
    if (!strcmp(job->out, "-"))
        return gx_picture_write_fd(&pixels, item->picture, &options, STDOUT_FILENO,
                                   "standard output", closed, err);
    int code = *job->folder ? gx_folder_make(job->folder, err) : 0;
    return code ? code : gx_picture_write(&pixels, item->picture, &options, job->out, err);
}

static void *write_all(void *argument)
{
    struct work *w = argument;
    struct item *item;
    while ((item = pop(w, &w->computed))) {
        struct gx_err err;
        bool closed = false;
        int code = w->stop ? 0 : write_one(w, item, &closed, &err);
        if (code && !closed)
            fail(w, item->job, code, GX_AT_OUTPUT, &err);
        else if (!w->stop)
            report_done(w, item); /* who closed our output early has seen enough of it */
        if (code == -GX_E_IO && !closed) {
            pthread_mutex_lock(&w->lock);
            w->stop = w->result->cannot_write = true;
            pthread_cond_broadcast(&w->changed);
            pthread_mutex_unlock(&w->lock);
        }
        drop(w, item);
    }
    return NULL;
}

/* ---- the arithmetic between them ---- */

static void compute_all(struct work *w)
{
    struct item *item;
    while ((item = pop(w, &w->decoded))) {
        struct gx_err err;
        if (stopping(w)) {
            drop(w, item);
            continue;
        }
        double began = gx_clock();
        int code = gx_model_translate(w->batch->model, item->data, item->w, item->h, NULL,
                                      item->data, &err);
        item->seconds = gx_clock() - began;
        if (!code) {
            push(w, &w->computed, item);
            continue;
        }
        gx_context(&err, code, "cannot translate '%s'",
                   shown(w->batch->jobs->job[item->job].in, "standard input"));
        fail(w, item->job, code, GX_AT_WORK, &err);
        drop(w, item);
    }
    end(w, &w->computed);
}

void gx_batch_run(const struct gx_batch *batch, struct gx_batch_result *result)
{
    struct work w = {.batch = batch,
                     .model = gx_model_facts(batch->model),
                     .result = result,
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .changed = PTHREAD_COND_INITIALIZER};
    pthread_t reader, writer;
    *result = (struct gx_batch_result){.code = GX_EXIT_DONE};
    result->outcome = gx_new(((size_t)batch->jobs->count + 1) * sizeof *result->outcome);
    if (batch->jobs->batch)
        gx_report_progress(batch->report, 0, batch->jobs->count, "%s", "");
    if (pthread_create(&reader, NULL, read_all, &w) || pthread_create(&writer, NULL, write_all, &w))
        abort(); /* as every other small allocation that fails */
    compute_all(&w);
    pthread_join(reader, NULL);
    pthread_join(writer, NULL);
    pthread_cond_destroy(&w.changed);
    pthread_mutex_destroy(&w.lock);
    int settled = result->count[GX_DONE] + result->count[GX_SKIPPED] + result->count[GX_FAILED];
    result->count[GX_NOT_ATTEMPTED] = batch->jobs->count - settled;
    if (batch->jobs->batch)
        gx_report_progress_end(batch->report);
}
