#include "cmd/batch.h"

#include "cmd/grid.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct work {
    const struct gx_batch *batch;
    const struct gx_model_facts *model;
    int *before; /* outputs of earlier jobs, for each job */
    int outputs; /* in all */
};

struct source { /* a picture on its way */
    int job;
    struct gx_picture *picture;
    float *data;    /* room for the more channels of model's in and out */
    float *label;   /* one for each target, or NULL */
    int w, h;       /* of the picture */
    int in_w, in_h; /* of what the model gets */
    int64_t bytes;  /* of it and of those of its outputs that exist at a time */
    int wanted;     /* outputs */
    atomic_int written;
    atomic_int left; /* outputs that are not made yet */
    atomic_bool failed;
};

struct item { /* one output of it */
    struct source *source;
    int output;
    struct gx_pixels pixels;
    float *data; /* theirs */
    double seconds;
};

/* ---- outcomes ---- */

/* Of a picture's outputs the first that fails is told. */
static void fail_source(struct gx_pipeline *p, struct source *source, int code, enum gx_stage stage,
                        const struct gx_err *err)
{
    if (!atomic_exchange(&source->failed, true))
        gx_pipeline_fail(p, source->job, code, stage, err);
}

static void report_written(struct gx_pipeline *p, const struct item *item)
{
    const struct gx_job *job = &p->jobs->job[item->source->job];
    const struct gx_number numbers[] = {
        {"width", item->pixels.width}, {"height", item->pixels.height}, {"seconds", item->seconds}};
    if (p->report->json)
        gx_report_numbers(p->report, GX_INFO, "picture", numbers, 3, "%s -> %s",
                          gx_shown_in(job->in), gx_shown_out(job->output[item->output].path));
}

/* One output less; the last one settles the job. */
static void release(struct gx_pipeline *p, struct source *source, int written)
{
    source->written += written;
    if (--source->left)
        return;
    gx_pipeline_give_back(p, source->bytes);
    if (!source->failed && source->wanted && source->written == source->wanted)
        gx_pipeline_settle(p, source->job, GX_DONE);
    gx_picture_free(&source->picture);
    free(source->label);
    free(source->data);
    free(source);
}

/* ---- open, check, decode ---- */

/* Bytes of the values that the model gets, or makes of them, whichever are more. */
static int64_t values_bytes(const struct work *w, const struct source *s)
{
    int to_w, to_h;
    gx_model_result_size(w->model, s->in_w, s->in_h, &to_w, &to_h);
    int64_t in = (int64_t)s->in_w * s->in_h * w->model->channels_in;
    int64_t out = (int64_t)to_w * to_h * w->model->channels_out;
    return (in > out ? in : out) * (int64_t)sizeof(float);
}

/* What is known from the header alone: the output's format can hold it, and memory can. */
static int check_size(const struct work *w, const struct gx_job *job, struct source *s,
                      struct gx_err *err)
{
    const struct gx_facts *facts = gx_picture_facts(s->picture);
    bool grid = w->batch->targets->grid;
    bool scaled = w->batch->size && !grid;
    s->w = facts->width;
    s->h = facts->height;
    s->in_w = scaled ? w->batch->size : s->w;
    s->in_h = scaled ? w->batch->size : s->h;
    for (int i = 0; i < w->batch->jobs->outputs; i++)
        s->wanted += !job->output[i].exists;
    /* a single output lies where the picture did; a sheet needs more, and its own room */
    int made = s->wanted < w->model->threads ? s->wanted : w->model->threads;
    int at_a_time = grid ? 2 + 2 * facts->alpha : s->wanted > 1 ? 1 + made : 1;
    int to_w, to_h;
    gx_model_result_size(w->model, s->w, s->h, &to_w, &to_h);
    int64_t samples = (int64_t)s->w * s->h + (int64_t)to_w * to_h * made;
    s->bytes = values_bytes(w, s) * at_a_time + samples * 3 * (facts->bits / 8) +
               (grid ? gx_grid_bytes(w->batch->targets, s->w, s->h) : 0);
    int code = grid ? 0 : gx_format_check(job->format, to_w, to_h, err);
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
    return gx_picture_read_scaled(s->picture, m->channels_in, m->low, m->high, s->in_w, s->in_h,
                                  s->data, err);
}

/* Animations and documents lose what follows their first picture; nobody should find out later. */
static void warn_of_pages(const struct work *w, const struct gx_job *job,
                          const struct source *source)
{
    int pages = gx_picture_facts(source->picture)->pages;
    if (pages > 1)
        gx_report(w->batch->report, GX_WARNING, "pages",
                  "'%s' has %d frames or pages, and only the first is translated",
                  gx_shown_in(job->in), pages);
}

static void *open_one(struct gx_pipeline *p, int at, int *outputs)
{
    struct work *w = p->state;
    const struct gx_job *job = &p->jobs->job[at];
    struct gx_picture *picture;
    struct gx_err err;
    int code = gx_pictures_open(&picture, job->in, &w->batch->open, &err);
    if (code) {
        gx_pipeline_fail(p, at, code, GX_AT_INPUT, &err);
        return NULL;
    }
    struct source *source = gx_new(sizeof *source);
    source->job = at;
    source->picture = picture;
    source->left = 1; /* this */
    code = read_label(w, job, source, &err);
    if (!code)
        code = check_size(w, job, source, &err);
    if (code || !gx_pipeline_take(p, source->bytes))
        source->bytes = 0; /* none were taken */
    else if (!(code = decode(w, source, &err))) {
        warn_of_pages(w, job, source);
        source->left = *outputs = source->wanted;
        return source;
    }
    if (code)
        fail_source(p, source, code, GX_AT_INPUT, &err);
    release(p, source, 0);
    return NULL;
}

/* ---- compute ---- */

/* Outputs are computed one a thread; of the last ones, which are fewer than threads, each has
 * several. */
static int computed_beside(const struct work *w, int output)
{
    int threads = w->model->threads, last = w->outputs % threads;
    return output < w->outputs - last ? threads : last;
}

/* Where the picture lies, if nothing else needs that. */
static int compute_picture(const struct work *w, int beside, struct item *item, struct gx_err *err)
{
    const struct gx_model_facts *m = w->model;
    struct source *s = item->source;
    const float *label = s->label ? s->label + (size_t)item->output * (size_t)m->domains : NULL;
    float *to = s->data;
    if (s->wanted > 1)
        to = item->data = malloc((size_t)values_bytes(w, s));
    if (!to)
        return gx_fail(err, GX_E_NOMEM, "no memory for a picture of %d x %d", s->w, s->h);
    item->pixels = (struct gx_pixels){to, 0, 0, m->channels_out, m->low, m->high};
    gx_model_result_size(m, s->w, s->h, &item->pixels.width, &item->pixels.height);
    if (s->in_w != s->w || s->in_h != s->h)
        gx_model_result_size(m, s->in_w, s->in_h, &item->pixels.from_width,
                             &item->pixels.from_height);
    return gx_model_translate_beside(w->batch->model, beside, s->data, s->in_w, s->in_h, label, to,
                                     err);
}

static int compute_one(const struct work *w, int beside, struct item *item, struct gx_err *err)
{
    const struct gx_batch *b = w->batch;
    struct source *s = item->source;
    double began = gx_clock();
    int code = b->targets->grid
                   ? gx_grid_make(b->model, beside, b->targets, s->label, s->data, s->picture, s->w,
                                  s->h, &item->pixels, &item->data, err)
                   : compute_picture(w, beside, item, err);
    item->seconds = gx_clock() - began;
    return code ? gx_context(err, code, "cannot translate '%s'",
                             gx_shown_in(b->jobs->job[s->job].in))
                : 0;
}

/* ---- encode and write ---- */

static int write_one(const struct work *w, const struct item *item, bool *closed,
                     struct gx_err *err)
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

/* Gives whether the output counts as written. */
static bool write_item(struct gx_pipeline *p, const struct item *item)
{
    struct gx_err err;
    bool closed;
    int code = write_one(p->state, item, &closed, &err);
    if (code && !closed)
        fail_source(p, item->source, code, GX_AT_OUTPUT, &err);
    else
        report_written(p, item); /* who closed our output early has seen enough of it */
    if (code == -GX_E_IO && !closed)
        gx_pipeline_cannot_write(p);
    return !code || closed;
}

/* The output of a job that is the number-th of those wanted. */
static int wanted_output(const struct gx_pipeline *p, int job, int number)
{
    const struct gx_output *output = p->jobs->job[job].output;
    int i = 0;
    while (output[i].exists || number--)
        i++;
    return i;
}

static void make_one(struct gx_pipeline *p, void *source, int number)
{
    const struct work *w = p->state;
    struct source *s = source;
    struct item item = {.source = s, .output = wanted_output(p, s->job, number)};
    struct gx_err err;
    bool written = false;
    if (!gx_pipeline_stopping(p) && !s->failed) {
        int beside = computed_beside(w, w->before[s->job] + number);
        int code = compute_one(w, beside, &item, &err);
        if (code)
            fail_source(p, s, code, GX_AT_WORK, &err);
        else if (!p->stop && !s->failed) /* what a signal comes upon is finished */
            written = write_item(p, &item);
    }
    free(item.data);
    release(p, s, written);
}

static void count_outputs(struct work *w, const struct gx_jobs *jobs)
{
    w->before = gx_new(((size_t)jobs->count + 1) * sizeof *w->before);
    for (int i = 0; i < jobs->count; i++) {
        const struct gx_job *job = &jobs->job[i];
        w->before[i] = w->outputs;
        for (int k = 0; !job->skip && !job->problem && k < jobs->outputs; k++)
            w->outputs += !job->output[k].exists;
    }
}

/* A thread more than compute, so that files are waited for meanwhile. */
static int threads_for(const struct work *w)
{
    int most = w->model->threads + 1;
    return w->outputs < 1 ? 1 : w->outputs < most ? w->outputs : most;
}

void gx_batch_run(const struct gx_batch *batch, struct gx_batch_result *result)
{
    static const struct gx_steps steps = {open_one, make_one};
    struct work w = {.batch = batch, .model = gx_model_facts(batch->model)};
    count_outputs(&w, batch->jobs);
    struct gx_pipeline p = {.report = batch->report,
                            .jobs = batch->jobs,
                            .steps = &steps,
                            .state = &w,
                            .threads = threads_for(&w),
                            .result = result};
    gx_pipeline_run(&p);
    free(w.before);
}
