#include "cmd/pipeline.h"

#include "cmd/stop.h"

#include <stdlib.h>
#include <string.h>

/* Beyond the one that is computed, pictures wait decoded only up to this. */
static const int64_t ahead_bytes = (int64_t)256 << 20;

/* ---- between the threads ---- */

bool gx_pipeline_stopping(const struct gx_pipeline *p)
{
    return p->stop || gx_stop_signal();
}

static void push(struct gx_pipeline *p, struct gx_pipeline_queue *q, void *item)
{
    pthread_mutex_lock(&p->lock);
    while (q->count == GX_QUEUE)
        pthread_cond_wait(&p->changed, &p->lock);
    q->item[q->count++] = item;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

void gx_pipeline_hand_on(struct gx_pipeline *p, void *item)
{
    push(p, &p->computed, item);
}

/* NULL: nothing more will come. */
static void *pop(struct gx_pipeline *p, struct gx_pipeline_queue *q)
{
    void *item = NULL;
    pthread_mutex_lock(&p->lock);
    while (!q->count && !q->ended)
        pthread_cond_wait(&p->changed, &p->lock);
    if (q->count) {
        item = q->item[0];
        memmove(q->item, q->item + 1, (size_t)--q->count * sizeof *q->item);
    }
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return item;
}

static void end(struct gx_pipeline *p, struct gx_pipeline_queue *q)
{
    pthread_mutex_lock(&p->lock);
    q->ended = true;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

bool gx_pipeline_take(struct gx_pipeline *p, int64_t bytes)
{
    pthread_mutex_lock(&p->lock);
    while (p->held && p->held + bytes > ahead_bytes && !gx_pipeline_stopping(p))
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

static void *open_all(void *argument)
{
    struct gx_pipeline *p = argument;
    for (int i = 0; i < p->jobs->count && !gx_pipeline_stopping(p); i++) {
        const struct gx_job *job = &p->jobs->job[i];
        struct gx_err err;
        if (job->skip) {
            gx_report(p->report, GX_INFO, "skipped", "skipped '%s': %s", job->in, job->skip);
            gx_pipeline_settle(p, i, GX_SKIPPED);
        } else if (job->problem) {
            int code = gx_fail(&err, GX_E_IO, "%s", job->problem);
            gx_pipeline_fail(p, i, code, GX_AT_INPUT, &err);
        } else {
            void *source = p->steps->open(p, i);
            if (source)
                push(p, &p->opened, source);
        }
    }
    end(p, &p->opened);
    return NULL;
}

static void *write_all(void *argument)
{
    struct gx_pipeline *p = argument;
    void *item;
    while ((item = pop(p, &p->computed)))
        p->steps->write(p, item);
    return NULL;
}

void gx_pipeline_run(struct gx_pipeline *p)
{
    struct gx_batch_result *r = p->result;
    pthread_t first, last;
    void *source;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    *r = (struct gx_batch_result){.code = GX_EXIT_DONE};
    r->outcome = gx_new(((size_t)p->jobs->count + 1) * sizeof *r->outcome);
    if (p->jobs->batch && !p->own_progress)
        gx_report_progress(p->report, 0, p->jobs->count, "%s", "");
    if (pthread_create(&first, NULL, open_all, p) || pthread_create(&last, NULL, write_all, p))
        abort(); /* as every other small allocation that fails */
    while ((source = pop(p, &p->opened)))
        p->steps->compute(p, source);
    end(p, &p->computed);
    pthread_join(first, NULL);
    pthread_join(last, NULL);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    r->count[GX_NOT_ATTEMPTED] =
        p->jobs->count - r->count[GX_DONE] - r->count[GX_SKIPPED] - r->count[GX_FAILED];
    gx_report_progress_end(p->report);
}
