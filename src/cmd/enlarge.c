#include "cmd/enlarge_film.h"

#include "cmd/stop.h"
#include "util/clock.h"
#include "util/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const double side_max = 10e6; /* libvips' */

/* What is needed besides tiles and weights: by the program, and by libvips for each sample of a row. */
static const int64_t program_bytes = (int64_t)80 << 20, sample_bytes = 2000;

/* ---- sizes ---- */

static bool asked(const struct gx_enlarge_size *s)
{
    return s->scale > 0 || s->width || s->height || s->fit_width;
}

int gx_enlarge_target(struct gx_enlarge_target *t, const struct gx_enlarge_size *s, int width,
                      int height, int network_scale, struct gx_err *err)
{
    double x = s->scale > 0 ? s->scale : network_scale, y = x;
    if (s->fit_width)
        x = y = fmin((double)s->fit_width / width, (double)s->fit_height / height);
    if (s->width)
        x = y = (double)s->width / width;
    if (s->height)
        y = (double)s->height / height;
    if (s->height && !s->width)
        x = y;
    double w = fmax(1, round(width * x)), h = fmax(1, round(height * y));
    if (w > side_max || h > side_max)
        return gx_fail(err, GX_E_LIMIT, "%.0f x %.0f pixels are too many: at most %.0f a side", w,
                       h, side_max);
    *t = (struct gx_enlarge_target){.width = (int)w, .height = (int)h};
    t->plain = asked(s) && network_scale > 1 && t->width < width && t->height < height;
    return 0;
}

int gx_enlarge_height(const struct gx_facts *picture)
{
    return picture->height / picture->frames;
}

/* Channels that the model is given of such a picture. */
static int channels_of(const struct gx_model_facts *model, const struct gx_facts *picture)
{
    bool grey = model->channels_in == 1 || picture->channels == 1;
    return (grey ? 1 : 3) + picture->alpha;
}

int gx_enlarge_plan(const struct gx_enlarge *e, struct gx_upscale *plan,
                    const struct gx_facts *picture, const struct gx_enlarge_target *target,
                    struct gx_err *err)
{
    const struct gx_model_facts *model = gx_model_facts(e->model);
    struct gx_upscale_settings settings = e->settings;
    int channels = channels_of(model, picture), made = picture->width * model->scale;
    int64_t wide = made > target->width ? made : target->width;
    int64_t besides = program_bytes + wide * channels * sample_bytes;
    int64_t most = settings.max_memory / 4 * 3;
    settings.max_memory -= besides < most ? besides : most;
    return gx_upscale_plan(plan, e->model, picture->width, gx_enlarge_height(picture), channels,
                           &settings, err);
}

/* ---- a picture on its way ---- */

struct work {
    const struct gx_enlarge *e;
    struct gx_pipeline *pipeline;
    pthread_mutex_t turn; /* of the one that is computed */
    /* progress, in pixels of the inputs; under the pipeline's lock */
    int64_t opened_pixels, done_pixels;
    int opened, left; /* jobs: opened, and not looked at yet */
};

struct source {
    struct work *work;
    int job;
    struct gx_picture *picture;
    struct gx_film_in *film; /* or it is one */
    struct gx_stream_in *in;
    struct gx_stream_out *out;
    struct gx_enlarge_target target;
    int width, height, frames, frame;
    int64_t bytes;
    bool closed;         /* by who reads our output */
    bool stopped;        /* by a signal, or since nothing can be written */
    enum gx_stage stage; /* that an error came up at */
    double seconds;
};

static const struct gx_job *job_of(const struct source *s)
{
    return &s->work->pipeline->jobs->job[s->job];
}

static int64_t pixels_of(const struct source *s)
{
    return (int64_t)s->width * s->height * s->frames;
}

static void show_progress(struct work *w, int64_t of_this, const char *name)
{
    pthread_mutex_lock(&w->pipeline->lock);
    int64_t done = w->done_pixels + of_this, total = w->opened_pixels;
    if (w->opened) /* those to come are like these */
        total += (int64_t)((double)w->opened_pixels / w->opened * w->left);
    pthread_mutex_unlock(&w->pipeline->lock);
    if (total)
        gx_report_progress(w->pipeline->report, done, total, "%s", name);
}

static void note_opened(struct work *w, const struct source *s)
{
    pthread_mutex_lock(&w->pipeline->lock);
    w->opened++;
    w->opened_pixels += pixels_of(s);
    pthread_mutex_unlock(&w->pipeline->lock);
}

static void note_left(struct work *w)
{
    pthread_mutex_lock(&w->pipeline->lock);
    w->left--;
    pthread_mutex_unlock(&w->pipeline->lock);
}

static void free_source(struct gx_pipeline *p, struct source *s)
{
    gx_stream_abandon(&s->out);
    gx_stream_close(&s->in);
    gx_film_close(&s->film);
    gx_picture_free(&s->picture);
    gx_pipeline_give_back(p, s->bytes);
    free(s);
}

/* ---- open, check, begin to decode ---- */

static bool holds_frames(const char *format)
{
    return !strcmp(format, "gif") || !strcmp(format, "webp");
}

static bool holds_profile(const char *format)
{
    return strcmp(format, "gif") != 0 && strcmp(format, "ppm") != 0;
}

/* What is on standard input shows when it comes. */
static int open_stream(const struct gx_job *job, struct gx_picture **picture,
                       struct gx_film_in **film, const struct gx_open_options *options,
                       struct gx_err *err)
{
    gx_stop_at_once(true);
    int code = gx_film_open(film, picture, STDIN_FILENO, gx_shown_in(job->in), options, err);
    if (code || !*film)
        gx_stop_at_once(false); /* a film leaves nothing to make whole */
    if (!code && *film && strcmp(job->output->path, "-") != 0) {
        code = gx_fail(err, GX_E_USAGE,
                       "standard input is a film, which goes to standard output: give - as OUT");
        gx_film_close(film);
    }
    return code;
}

int gx_enlarge_open(const struct gx_enlarge *e, const struct gx_job *job,
                    struct gx_picture **picture, struct gx_film_in **film,
                    struct gx_enlarge_target *target, struct gx_err *err)
{
    const struct gx_model_facts *model = gx_model_facts(e->model);
    struct gx_open_options options = e->open;
    options.all_frames = holds_frames(job->format);
    options.keep_profile = holds_profile(job->format) && !e->write.strip;
    *picture = NULL;
    int code = film && !strcmp(job->in, "-") ? open_stream(job, picture, film, &options, err)
                                             : gx_picture_open(picture, job->in, &options, err);
    if (code || !*picture)
        return code;
    const struct gx_facts *facts = gx_picture_facts(*picture);
    code = gx_enlarge_target(target, &e->size, facts->width, gx_enlarge_height(facts), model->scale,
                             err);
    if (!code)
        code = gx_format_check(job->format, target->width, target->height, err);
    if (!code)
        return 0;
    gx_picture_free(picture);
    return gx_context(err, code, "cannot upscale '%s'", gx_shown_in(job->in));
}

static void warn_of_pages(struct gx_report *report, const struct gx_job *job,
                          const struct gx_facts *facts)
{
    if (facts->pages > facts->frames)
        gx_report(report, GX_WARNING, "pages",
                  "'%s' has %d frames or pages, and only the first is upscaled",
                  gx_shown_in(job->in), facts->pages);
}

static void *open_one(struct gx_pipeline *p, int at, int *outputs)
{
    struct work *w = p->state;
    const struct gx_model_facts *model = gx_model_facts(w->e->model);
    struct source *s = gx_new(sizeof *s);
    struct gx_err err;
    *s = (struct source){.work = w, .job = at};
    int code = gx_enlarge_open(w->e, job_of(s), &s->picture, &s->film, &s->target, &err);
    note_left(w);
    if (!code && s->picture) {
        const struct gx_facts *facts = gx_picture_facts(s->picture);
        int channels = channels_of(model, facts);
        s->width = facts->width;
        s->height = gx_enlarge_height(facts);
        s->frames = facts->frames;
        s->bytes = pixels_of(s) * channels; /* some decoders hold a whole picture */
        if (!gx_pipeline_take(p, s->bytes)) {
            s->bytes = 0;
            free_source(p, s);
            return NULL;
        }
        warn_of_pages(p->report, job_of(s), facts);
        note_opened(w, s);
        code = gx_stream_open(&s->in, s->picture, channels, model->low, model->high, &err);
    }
    *outputs = 1;
    if (!code)
        return s;
    gx_pipeline_fail(p, at, code, GX_AT_INPUT, &err);
    free_source(p, s);
    return NULL;
}

/* ---- the arithmetic ---- */

static int read_rows(void *state, int rows, float *to, struct gx_err *err)
{
    struct source *s = state;
    int code = gx_stream_read(s->in, rows, to, err);
    if (code)
        s->stage = GX_AT_INPUT;
    return code;
}

static int write_rows(void *state, int rows, const float *from, struct gx_err *err)
{
    struct source *s = state;
    int code = gx_stream_write(s->out, rows, from, err);
    if (code)
        s->stage = GX_AT_OUTPUT;
    return code;
}

static int after_tile(void *state, int64_t done, struct gx_err *err)
{
    struct source *s = state;
    show_progress(s->work, done + (int64_t)s->frame * s->width * s->height, job_of(s)->in);
    if (!gx_pipeline_stopping(s->work->pipeline))
        return 0;
    s->stopped = true;
    return gx_fail(err, GX_E_IO, "stopped");
}

static int begin_output(struct source *s, int channels, struct gx_err *err)
{
    const struct gx_enlarge *e = s->work->e;
    const struct gx_model_facts *model = gx_model_facts(e->model);
    const struct gx_job *job = job_of(s);
    struct gx_write_options options = e->write;
    int scale = s->target.plain ? 1 : model->scale;
    const struct gx_stream_shape shape = {.width = s->width * scale,
                                          .height = s->height * scale,
                                          .channels = channels,
                                          .lo = model->low,
                                          .hi = model->high,
                                          .to_width = s->target.width,
                                          .to_height = s->target.height,
                                          .frames = s->frames};
    options.format = job->format;
    s->stage = GX_AT_OUTPUT;
    if (!strcmp(job->output->path, "-"))
        return gx_stream_begin_fd(&s->out, &shape, s->picture, &options, STDOUT_FILENO,
                                  "standard output", &s->closed, err);
    int code = *job->output->folder ? gx_folder_make(job->output->folder, err) : 0;
    return code ? code
                : gx_stream_begin(&s->out, &shape, s->picture, &options, job->output->path, err);
}

/* Rows as they are: libvips makes them smaller on their way out. */
static int copy_rows(struct source *s, int channels, struct gx_err *err)
{
    float *row = malloc((size_t)s->width * (size_t)channels * sizeof *row);
    int code = row ? 0 : gx_fail(err, GX_E_NOMEM, "no memory for a row");
    for (int y = 0; !code && y < s->height; y++) {
        code = read_rows(s, 1, row, err);
        if (!code)
            code = write_rows(s, 1, row, err);
    }
    free(row);
    return code ? code : after_tile(s, (int64_t)s->width * s->height, err);
}

static int enlarge(struct source *s, struct gx_err *err)
{
    const struct gx_enlarge *e = s->work->e;
    const struct gx_upscale_rows rows = {s, read_rows, write_rows, after_tile};
    int channels = channels_of(gx_model_facts(e->model), gx_picture_facts(s->picture));
    struct gx_upscale plan;
    int code = 0;
    s->stage = GX_AT_WORK;
    if (!s->target.plain)
        code = gx_enlarge_plan(e, &plan, gx_picture_facts(s->picture), &s->target, err);
    if (!code)
        code = begin_output(s, channels, err);
    for (s->frame = 0; !code && s->frame < s->frames; s->frame++) {
        s->stage = GX_AT_WORK;
        code = s->target.plain ? copy_rows(s, channels, err)
                               : gx_upscale_run(&plan, e->model, &rows, err);
    }
    return code;
}

/* What kept the output from being written ends the work; who closed it early has seen enough. */
static void fail_output(struct gx_pipeline *p, struct source *s, int code, const struct gx_err *err)
{
    if (s->closed) {
        gx_pipeline_settle(p, s->job, GX_DONE);
        return;
    }
    gx_pipeline_fail(p, s->job, code, GX_AT_OUTPUT, err);
    if (code == -GX_E_IO)
        gx_pipeline_cannot_write(p);
}

static void fail_one(struct gx_pipeline *p, struct source *s, int code, struct gx_err *err)
{
    if (s->stage == GX_AT_WORK)
        gx_context(err, code, "cannot upscale '%s'", gx_shown_in(job_of(s)->in));
    if (s->stage == GX_AT_OUTPUT)
        fail_output(p, s, code, err);
    else
        gx_pipeline_fail(p, s->job, code, s->stage, err);
}

static void compute_film(struct gx_pipeline *p, struct source *s)
{
    const struct gx_enlarge *e = s->work->e;
    struct gx_err err;
    int code = gx_enlarge_film(e, s->film, e->format, &s->closed, &s->stage, &err);
    if (code)
        fail_one(p, s, code, &err);
    else
        gx_pipeline_settle(p, s->job, GX_DONE);
    free_source(p, s);
}

/* Gives whether there is an output to end; else the source is freed. */
static bool compute_one(struct gx_pipeline *p, struct source *s)
{
    struct work *w = p->state;
    struct gx_err err;
    double began = gx_clock();
    if (s->film) {
        compute_film(p, s);
        return false;
    }
    if (gx_pipeline_stopping(p)) {
        free_source(p, s);
        return false;
    }
    show_progress(w, 0, job_of(s)->in);
    int code = enlarge(s, &err);
    s->seconds = gx_clock() - began;
    pthread_mutex_lock(&p->lock);
    w->done_pixels += pixels_of(s);
    pthread_mutex_unlock(&p->lock);
    if (!code)
        return true;
    if (!s->stopped) /* else it was not attempted */
        fail_one(p, s, code, &err);
    free_source(p, s);
    return false;
}

/* ---- the encoder's end ---- */

static void write_one(struct gx_pipeline *p, struct source *s)
{
    const struct gx_job *job = job_of(s);
    struct gx_err err;
    if (p->stop) { /* what another picture could not be written for would keep this one too */
        free_source(p, s);
        return;
    }
    int code = gx_stream_commit(&s->out, &err);
    const struct gx_number numbers[] = {{"width", s->target.width},
                                        {"height", s->target.height},
                                        {"frames", s->frames},
                                        {"seconds", s->seconds}};
    if (code) {
        fail_output(p, s, code, &err);
    } else {
        if (p->report->json)
            gx_report_numbers(p->report, GX_INFO, "picture", numbers, 4, "%s -> %s",
                              gx_shown_in(job->in), gx_shown_out(job->output->path));
        gx_pipeline_settle(p, s->job, GX_DONE);
    }
    free_source(p, s);
}

/* Each is computed by all threads; meanwhile the next is opened, and the last one encoded. */
static void make_one(struct gx_pipeline *p, void *source, int output)
{
    struct work *w = p->state;
    (void)output;
    pthread_mutex_lock(&w->turn);
    bool made = compute_one(p, source);
    pthread_mutex_unlock(&w->turn);
    if (made)
        write_one(p, source);
}

void gx_enlarge_run(const struct gx_enlarge *e, struct gx_batch_result *result)
{
    static const struct gx_steps steps = {open_one, make_one};
    struct work w = {.e = e};
    struct gx_pipeline p = {.report = e->report,
                            .jobs = e->jobs,
                            .steps = &steps,
                            .state = &w,
                            .threads = e->jobs->count < 3 ? 1 + (e->jobs->count > 1) : 3,
                            .own_progress = true,
                            .result = result};
    w.pipeline = &p;
    for (int i = 0; i < e->jobs->count; i++)
        w.left += !e->jobs->job[i].skip && !e->jobs->job[i].problem;
    pthread_mutex_init(&w.turn, NULL);
    gx_pipeline_run(&p);
    pthread_mutex_destroy(&w.turn);
}
