#include "cmd/batch.h"

#include "cmd/cmd.h"
#include "cmd/grid.h"
#include "cmd/stop.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    QUEUE = 2,            /* pictures that wait between two threads */
    AT_A_TIME = QUEUE + 3 /* of one picture: itself, one computed, those that wait, one written */
};

/* Beyond the one that is computed, pictures wait decoded only up to this. */
static const int64_t ahead_bytes = (int64_t)256 << 20;

struct source { /* a picture on its way */
    int job;
    struct gx_picture *picture;
    float *data;  /* room for the more channels of model's in and out; NULL: an output took it */
    float *label; /* one for each target, or NULL */
    int w, h;
    int64_t bytes;       /* of it and of those of its outputs that exist at a time */
    int wanted, written; /* outputs; written under the lock, as is users */
    int users;           /* items, and the arithmetic */
    atomic_bool failed;
};

struct item { /* one output of it */
    struct source *source;
    int output;
    struct gx_pixels pixels;
    float *data; /* theirs */
    double seconds;
};

struct queue {
    void *item[QUEUE]; /* sources, or items */
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
    int64_t held; /* bytes of the sources that exist */
    atomic_bool stop;
};

/* ---- between the threads ---- */

static bool stopping(const struct work *w)
{
    return w->stop || gx_stop_signal();
}

static void push(struct work *w, struct queue *q, void *item)
{
    pthread_mutex_lock(&w->lock);
    while (q->count == QUEUE)
        pthread_cond_wait(&w->changed, &w->lock);
    q->item[q->count++] = item;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
}

/* NULL: nothing more will come. */
static void *pop(struct work *w, struct queue *q)
{
    void *item = NULL;
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

/* Of a picture's outputs the first that fails is told. */
static void fail_source(struct work *w, struct source *source, int code, enum gx_stage stage,
                        const struct gx_err *err)
{
    if (!atomic_exchange(&source->failed, true))
        fail(w, source->job, code, stage, err);
}

static void report_written(struct work *w, const struct item *item)
{
    const struct gx_job *job = &w->batch->jobs->job[item->source->job];
    const struct gx_number numbers[] = {
        {"width", item->pixels.width}, {"height", item->pixels.height}, {"seconds", item->seconds}};
    if (w->batch->report->json)
        gx_report_numbers(w->batch->report, GX_INFO, "picture", numbers, 3, "%s -> %s",
                          shown(job->in, "standard input"),
                          shown(job->output[item->output].path, "standard output"));
}

/* One user less; the last one settles the job. */
static void release(struct work *w, struct source *source, int written)
{
    pthread_mutex_lock(&w->lock);
    source->written += written;
    bool last = !--source->users;
    if (last)
        w->held -= source->bytes;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (!last)
        return;
    if (!source->failed && source->wanted && source->written == source->wanted)
        settle(w, source->job, GX_DONE);
    gx_picture_free(&source->picture);
    free(source->label);
    free(source->data);
    free(source);
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

/* Bytes of a picture's values: in, or out, whichever are more. */
static int64_t values_bytes(const struct work *w, const struct source *s)
{
    int ci = w->model->channels_in, co = w->model->channels_out;
    return (int64_t)s->w * s->h * (ci > co ? ci : co) * (int64_t)sizeof(float);
}

/* What is known from the header alone: the output's format can hold it, and memory can. */
static int check_size(const struct work *w, const struct gx_job *job, struct source *s,
                      struct gx_err *err)
{
    const struct gx_facts *facts = gx_picture_facts(s->picture);
    bool grid = w->batch->targets->grid;
    s->w = facts->width;
    s->h = facts->height;
    for (int i = 0; i < w->batch->jobs->outputs; i++)
        s->wanted += !job->output[i].exists;
    /* the last output lies where the picture did; a sheet needs more, and its own room */
    int at_a_time = grid ? 2 + 2 * facts->alpha : s->wanted < AT_A_TIME ? s->wanted : AT_A_TIME;
    s->bytes =
        values_bytes(w, s) * at_a_time + (grid ? gx_grid_bytes(w->batch->targets, s->w, s->h) : 0);
    int code = grid ? 0 : gx_format_check(job->format, facts->width, facts->height, err);
    int64_t most = w->batch->max_memory ? w->batch->max_memory : gx_memory_available();
    if (!code && s->bytes > most)
        code = gx_fail(err, GX_E_NOMEM, "its %d x %d pixels need %.0f MiB of memory of %.0f", s->w,
                       s->h, (double)s->bytes / 0x1p20, (double)most / 0x1p20);
    return code ? gx_context(err, code, "cannot translate '%s'", job->in) : 0;
}

static int read_label(const struct work *w, const struct gx_job *job, struct source *s,
                      struct gx_err *err)
{
    const struct gx_targets *t = w->batch->targets;
    if (!t->count)
        return 0;
    s->label = gx_new((size_t)t->count * (size_t)w->model->domains * sizeof *s->label);
    return gx_targets_label(t, job->in, s->label, err);
}

static int decode(const struct work *w, struct source *s, struct gx_err *err)
{
    const struct gx_model_facts *m = w->model;
    s->data = malloc((size_t)values_bytes(w, s));
    if (!s->data)
        return gx_fail(err, GX_E_NOMEM, "no memory for a picture of %d x %d", s->w, s->h);
    return gx_picture_read(s->picture, m->channels_in, m->low, m->high, s->data, err);
}

/* Animations and documents lose what follows their first picture; nobody should find out later. */
static void warn_of_pages(struct work *w, const struct gx_job *job, const struct source *source)
{
    int pages = gx_picture_facts(source->picture)->pages;
    if (pages > 1)
        gx_report(w->batch->report, GX_WARNING, "pages",
                  "'%s' has %d frames or pages, and only the first is translated",
                  shown(job->in, "standard input"), pages);
}

/* Gives the picture, or NULL: it failed, or the work ends. */
static struct source *read_one(struct work *w, int at)
{
    const struct gx_job *job = &w->batch->jobs->job[at];
    struct gx_picture *picture;
    struct gx_err err;
    int code = open_picture(w, job, &picture, &err);
    if (code) {
        fail(w, at, code, GX_AT_INPUT, &err);
        return NULL;
    }
    struct source *source = gx_new(sizeof *source);
    source->job = at;
    source->picture = picture;
    source->users = 1;
    code = read_label(w, job, source, &err);
    if (!code)
        code = check_size(w, job, source, &err);
    if (code || !take_bytes(w, source->bytes))
        source->bytes = 0; /* none were taken */
    else if (!(code = decode(w, source, &err))) {
        warn_of_pages(w, job, source);
        return source;
    }
    if (code)
        fail_source(w, source, code, GX_AT_INPUT, &err);
    release(w, source, 0);
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
            struct source *source = read_one(w, i);
            if (source)
                push(w, &w->decoded, source);
        }
    }
    end(w, &w->decoded);
    return NULL;
}

/* ---- the last thread: encode and write ---- */

static int write_one(const struct work *w, struct item *item, bool *closed, struct gx_err *err)
{
    const struct gx_job *job = &w->batch->jobs->job[item->source->job];
    const struct gx_output *to = &job->output[item->output];
    struct gx_write_options options = w->batch->write;
    /* a sheet of several pictures has neither the one's transparency nor its date */
    struct gx_picture *like = w->batch->targets->grid ? NULL : item->source->picture;
    options.format = job->format;
    *closed = false;
    if (!strcmp(to->path, "-"))
        return gx_picture_write_fd(&item->pixels, like, &options, STDOUT_FILENO, "standard output",
                                   closed, err);
    int code = *to->folder ? gx_folder_make(to->folder, err) : 0;
    return code ? code : gx_picture_write(&item->pixels, like, &options, to->path, err);
}

static void *write_all(void *argument)
{
    struct work *w = argument;
    struct item *item;
    while ((item = pop(w, &w->computed))) {
        struct gx_err err;
        bool closed = false;
        bool leave = w->stop || item->source->failed;
        int code = leave ? 0 : write_one(w, item, &closed, &err);
        if (code && !closed)
            fail_source(w, item->source, code, GX_AT_OUTPUT, &err);
        else if (!leave)
            report_written(w, item); /* who closed our output early has seen enough of it */
        if (code == -GX_E_IO && !closed) {
            pthread_mutex_lock(&w->lock);
            w->stop = w->result->cannot_write = true;
            pthread_cond_broadcast(&w->changed);
            pthread_mutex_unlock(&w->lock);
        }
        release(w, item->source, !leave && (!code || closed));
        free(item->data);
        free(item);
    }
    return NULL;
}

/* ---- the arithmetic between them ---- */

/* One output, where the picture lies if nothing needs that any more. */
static int compute_picture(struct work *w, struct source *s, struct item *item, bool last,
                           struct gx_err *err)
{
    const struct gx_model_facts *m = w->model;
    const float *label = s->label ? s->label + (size_t)item->output * (size_t)m->domains : NULL;
    item->data = last ? s->data : malloc((size_t)values_bytes(w, s));
    if (!item->data)
        return gx_fail(err, GX_E_NOMEM, "no memory for a picture of %d x %d", s->w, s->h);
    item->pixels = (struct gx_pixels){item->data, s->w, s->h, m->channels_out, m->low, m->high};
    int code = gx_model_translate(w->batch->model, s->data, s->w, s->h, label, item->data, err);
    if (last)
        s->data = NULL;
    return code;
}

static int compute_one(struct work *w, struct source *s, struct item *item, bool last,
                       struct gx_err *err)
{
    const struct gx_batch *b = w->batch;
    double began = gx_clock();
    int code = b->targets->grid ? gx_grid_make(b->model, b->targets, s->label, s->data, s->picture,
                                               s->w, s->h, &item->pixels, &item->data, err)
                                : compute_picture(w, s, item, last, err);
    item->seconds = gx_clock() - began;
    return code;
}

static void compute_outputs(struct work *w, struct source *s)
{
    const struct gx_job *job = &w->batch->jobs->job[s->job];
    int left = s->wanted;
    for (int i = 0; i < w->batch->jobs->outputs && !stopping(w) && !s->failed; i++) {
        struct gx_err err;
        if (job->output[i].exists)
            continue;
        struct item *item = gx_new(sizeof *item);
        *item = (struct item){.source = s, .output = i};
        int code = compute_one(w, s, item, !--left, &err);
        if (!code) {
            pthread_mutex_lock(&w->lock);
            s->users++;
            pthread_mutex_unlock(&w->lock);
            push(w, &w->computed, item);
            continue;
        }
        gx_context(&err, code, "cannot translate '%s'", shown(job->in, "standard input"));
        fail_source(w, s, code, GX_AT_WORK, &err);
        free(item->data);
        free(item);
    }
}

static void compute_all(struct work *w)
{
    struct source *source;
    while ((source = pop(w, &w->decoded))) {
        compute_outputs(w, source);
        release(w, source, 0);
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
