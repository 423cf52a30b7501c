#include "cmd/pipeline.h"

#include "cmd/stop.h"

#include <stdlib.h>

/* What the pictures in flight may hold for each thread, unless there is only one of them. */
static const int64_t thread_bytes = (int64_t)85 << 20;

/* ---- between the threads ---- */

bool gx_pipeline_stopping(const struct gx_pipeline *p)
{
    return p->stop || gx_stop_signal();
}

bool gx_pipeline_take(struct gx_pipeline *p, int64_t bytes)
{
    pthread_mutex_lock(&p->lock);
    while (p->held && p->held + bytes > p->threads * thread_bytes && !gx_pipeline_stopping(p))
        pthread_cond_wait(&p->changed, &p->lock);
    bool go = !gx_pipeline_stopping(p);
    p->held += go ? bytes : 0;
    pthread_mutex_unlock(&p->lock);
    return go;
}

void gx_pipeline_give_back(struct gx_pipeline *p, int64_t bytes)
{
    pthread_mutex_lock(&p->lock);
    p->held -= bytes;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

void gx_pipeline_cannot_write(struct gx_pipeline *p)
{
    pthread_mutex_lock(&p->lock);
    p->stop = p->result->cannot_write = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

/* ---- outcomes ---- */

void gx_pipeline_settle(struct gx_pipeline *p, int job, enum gx_outcome outcome)
{
    struct gx_batch_result *r = p->result;
    pthread_mutex_lock(&p->lock);
    r->outcome[job] = outcome;
    r->count[outcome]++;
    int settled = r->count[GX_DONE] + r->count[GX_SKIPPED] + r->count[GX_FAILED];
    pthread_mutex_unlock(&p->lock);
    if (p->jobs->batch && !p->own_progress)
        gx_report_progress(p->report, settled, p->jobs->count, "%s", p->jobs->job[job].in);
}

void gx_pipeline_fail(struct gx_pipeline *p, int job, int code, enum gx_stage stage,
                      const struct gx_err *err)
{
    gx_report(p->report, GX_ERROR, "failed", "%s", err->text);
    pthread_mutex_lock(&p->lock);
    p->result->numeric += code == -GX_E_NUMERIC;
    p->result->code = code == -GX_E_NUMERIC ? (int)GX_EXIT_MODEL : (int)gx_exit_of(code, stage);
    pthread_mutex_unlock(&p->lock);
    gx_pipeline_settle(p, job, GX_FAILED);
}

/* ---- the threads ---- */

struct gx_pipeline_source {
    struct gx_pipeline_source *next;
    void *source;
    int output, outputs; /* the next one, and how many there are */
};

/* Behind those that were opened before. */
static void publish(struct gx_pipeline *p, void *source, int outputs)
{
    struct gx_pipeline_source *s = gx_new(sizeof *s), **end = &p->opened;
    *s = (struct gx_pipeline_source){.source = source, .outputs = outputs};
    while (*end)
        end = &(*end)->next;
    *end = s;
}

static void open_job(struct gx_pipeline *p, int i)
{
    const struct gx_job *job = &p->jobs->job[i];
    struct gx_err err;
    void *source = NULL;
    int outputs = 0;
    if (job->skip) {
        gx_report(p->report, GX_INFO, "skipped", "skipped '%s': %s", job->in, job->skip);
        gx_pipeline_settle(p, i, GX_SKIPPED);
    } else if (job->problem) {
        int code = gx_fail(&err, GX_E_IO, "%s", job->problem);
        gx_pipeline_fail(p, i, code, GX_AT_INPUT, &err);
    } else {
        source = p->steps->open(p, i, &outputs);
    }
    pthread_mutex_lock(&p->lock);
    if (source)
        publish(p, source, outputs);
    p->opening--;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

struct task {
    void *source; /* NULL: a job is to be opened */
    int number;   /* of the output, or the job */
};

/* Outputs of what is open come first. False: nothing is left to do. */
static bool next_task(struct gx_pipeline *p, struct task *task)
{
    struct gx_pipeline_source *first;
    pthread_mutex_lock(&p->lock);
    bool more = p->next < p->jobs->count && !gx_pipeline_stopping(p);
    while (!(first = p->opened) && !more && p->opening)
        pthread_cond_wait(&p->changed, &p->lock);
    if (first) {
        *task = (struct task){first->source, first->output++};
        if (first->output == first->outputs) {
            p->opened = first->next;
            free(first);
        }
    } else if (more) {
        *task = (struct task){NULL, p->next++};
        p->opening++;
    }
    pthread_mutex_unlock(&p->lock);
    return first || more;
}

static void *work(void *argument)
{
    struct gx_pipeline *p = argument;
    struct task task;
    while (next_task(p, &task))
        if (task.source)
            p->steps->make(p, task.source, task.number);
        else
            open_job(p, task.number);
    return NULL;
}

void gx_pipeline_run(struct gx_pipeline *p)
{
    struct gx_batch_result *r = p->result;
    pthread_t *thread = gx_new((size_t)p->threads * sizeof *thread);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    *r = (struct gx_batch_result){.code = GX_EXIT_DONE};
    r->outcome = gx_new(((size_t)p->jobs->count + 1) * sizeof *r->outcome);
    if (p->jobs->batch && !p->own_progress)
        gx_report_progress(p->report, 0, p->jobs->count, "%s", "");
    for (int i = 1; i < p->threads; i++)
        if (pthread_create(&thread[i], NULL, work, p))
            abort(); /* as every other small allocation that fails */
    work(p);
    for (int i = 1; i < p->threads; i++)
        pthread_join(thread[i], NULL);
    free(thread);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    r->count[GX_NOT_ATTEMPTED] =
        p->jobs->count - r->count[GX_DONE] - r->count[GX_SKIPPED] - r->count[GX_FAILED];
    gx_report_progress_end(p->report);
}
