/* A film from standard input to standard output: while a frame is computed, the next one is read and
 * the last one written. */
#include "cmd/enlarge_film.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct work {
    const struct gx_enlarge *e;
    struct gx_film_in *in;
    struct gx_film_out *out;
    struct gx_film_facts from, to;
    struct gx_enlarge_target target;
    int scale;       /* of what is computed */
    float low, high; /* of the model's values */
    float *frame[2]; /* as they are read */
    float *large;    /* as it is computed */
    float *fitted;   /* as it is written; NULL: as it is computed */
    const float *current;
    int read_rows, written_rows; /* of the current frame */
    int64_t frames;
    bool *closed;
    /* the threads beside the arithmetic */
    pthread_t reader, writer;
    bool reading, writing, more;
    float *read_to;
    int read_code, write_code;
    struct gx_err read_err, write_err;
};

static size_t floats(int width, int height, int channels)
{
    return (size_t)width * (size_t)height * (size_t)channels;
}

/* ---- beside the arithmetic ---- */

static void *read_frame(void *argument)
{
    struct work *w = argument;
    w->read_code = gx_film_read(w->in, w->read_to, &w->more, &w->read_err);
    return NULL;
}

static void *write_frame(void *argument)
{
    struct work *w = argument;
    const float *frame = w->large;
    int c = w->from.channels;
    if (w->fitted) {
        frame = w->fitted;
        w->write_code = gx_resize(w->large, 1, w->from.height * w->scale, w->from.width * w->scale,
                                  c, w->fitted, w->target.height, w->target.width,
                                  GX_FILTER_BICUBIC, &w->write_err);
    }
    if (!w->write_code)
        w->write_code = gx_film_write(w->out, frame, w->closed, &w->write_err);
    return NULL;
}

static void begin(pthread_t *thread, bool *runs, void *(*what)(void *), struct work *w)
{
    *runs = !pthread_create(thread, NULL, what, w);
    if (!*runs)
        what(w);
}

static void end(pthread_t *thread, bool *runs)
{
    if (*runs)
        pthread_join(*thread, NULL);
    *runs = false;
}

static int end_writing(struct work *w, struct gx_err *err)
{
    end(&w->writer, &w->writing);
    if (w->write_code)
        *err = w->write_err;
    return w->write_code;
}

/* ---- a frame ---- */

static int give_rows(void *state, int rows, float *to, struct gx_err *err)
{
    struct work *w = state;
    size_t row = floats(w->from.width, 1, w->from.channels);
    const float *from = w->current + (size_t)w->read_rows * row;
    (void)err;
    for (size_t i = 0; i < (size_t)rows * row; i++)
        to[i] = w->low + (w->high - w->low) * from[i];
    w->read_rows += rows;
    return 0;
}

/* The room is free when the frame before has been written. */
static int take_rows(void *state, int rows, const float *from, struct gx_err *err)
{
    struct work *w = state;
    size_t row = floats(w->from.width * w->scale, 1, w->from.channels);
    float *to = w->large + (size_t)w->written_rows * row;
    int code = end_writing(w, err);
    for (size_t i = 0; !code && i < (size_t)rows * row; i++) {
        float value = (from[i] - w->low) / (w->high - w->low);
        to[i] = value < 0 ? 0 : value > 1 ? 1 : value; /* before it is resampled */
    }
    w->written_rows += rows;
    return code;
}

static int enlarge_frame(struct work *w, const struct gx_upscale *plan, struct gx_err *err)
{
    const struct gx_upscale_rows rows = {w, give_rows, take_rows, NULL};
    w->read_rows = w->written_rows = 0;
    if (!w->target.plain)
        return gx_upscale_run(plan, w->e->model, &rows, err);
    int code = end_writing(w, err);
    memcpy(w->large, w->current,
           floats(w->from.width, w->from.height, w->from.channels) * sizeof *w->large);
    return code;
}

static int enlarge_frames(struct work *w, const struct gx_upscale *plan, enum gx_stage *stage,
                          struct gx_err *err)
{
    int code = 0, now = 0;
    w->read_to = w->frame[now];
    read_frame(w);
    while (!code && !w->read_code && w->more) {
        w->current = w->frame[now];
        w->read_to = w->frame[now = !now];
        begin(&w->reader, &w->reading, read_frame, w);
        code = enlarge_frame(w, plan, err);
        end(&w->reader, &w->reading);
        if (!code)
            begin(&w->writer, &w->writing, write_frame, w);
        gx_report_progress(w->e->report, ++w->frames, 0, "frames");
    }
    end(&w->writer, &w->writing);
    *stage = w->write_code ? GX_AT_OUTPUT : code ? GX_AT_WORK : GX_AT_INPUT;
    if (w->write_code || (!code && w->read_code))
        *err = w->write_code ? w->write_err : w->read_err;
    return w->write_code ? w->write_code : code ? code : w->read_code;
}

/* ---- all of them ---- */

static int allocate(struct work *w, struct gx_upscale_settings *settings, struct gx_err *err)
{
    int c = w->from.channels, width = w->from.width * w->scale, height = w->from.height * w->scale;
    size_t frame = floats(w->from.width, w->from.height, c), large = floats(width, height, c);
    bool fits = width == w->target.width && height == w->target.height;
    size_t fitted = fits ? 0 : floats(w->target.width, w->target.height, c);
    int64_t bytes = (int64_t)((2 * frame + large + fitted) * sizeof(float));
    if (bytes >= settings->max_memory)
        return gx_fail(err, GX_E_NOMEM, "its frames need %.1f MiB of memory of %.1f",
                       (double)bytes / 0x1p20, (double)settings->max_memory / 0x1p20);
    settings->max_memory -= bytes;
    for (int i = 0; i < 2; i++)
        w->frame[i] = malloc(frame * sizeof(float));
    w->large = malloc(large * sizeof(float));
    w->fitted = fits ? NULL : malloc(fitted * sizeof(float));
    if (!w->frame[0] || !w->frame[1] || !w->large || (!fits && !w->fitted))
        return gx_fail(err, GX_E_NOMEM, "no memory for frames of %d x %d", width, height);
    return 0;
}

/* The film to be: as the one that came, but for the size, and for the format if that was asked for. */
static int choose_output(struct work *w, const char *format, struct gx_err *err)
{
    w->to = w->from;
    w->to.width = w->target.width;
    w->to.height = w->target.height;
    if (!*format || !strcmp(format, w->from.format))
        return 0;
    if (strcmp(format, "png") != 0)
        return gx_fail(err, GX_E_USAGE,
                       "a film cannot be written as '%s'; its formats are y4m and "
                       "png",
                       format);
    w->to.format = "png";
    w->to.bits = w->from.bits > 8 ? 16 : 8;
    return 0;
}

int gx_enlarge_film(const struct gx_enlarge *e, struct gx_film_in *film, const char *format,
                    bool *closed, enum gx_stage *stage, struct gx_err *err)
{
    const struct gx_model_facts *m = gx_model_facts(e->model);
    struct gx_upscale_settings settings = e->settings;
    struct gx_upscale plan;
    struct work w = {.e = e,
                     .in = film,
                     .from = *gx_film_facts(film),
                     .low = m->low,
                     .high = m->high,
                     .closed = closed};
    *stage = GX_AT_WORK;
    int code = gx_enlarge_target(&w.target, &e->size, w.from.width, w.from.height, m->scale, err);
    w.scale = w.target.plain ? 1 : m->scale;
    if (!code)
        code = choose_output(&w, format, err);
    if (!code)
        code = allocate(&w, &settings, err);
    if (!code && !w.target.plain)
        code = gx_upscale_plan(&plan, e->model, w.from.width, w.from.height, w.from.channels,
                               &settings, err);
    if (!code)
        code = gx_film_begin(&w.out, &w.to, STDOUT_FILENO, "standard output", err);
    if (!code)
        code = enlarge_frames(&w, &plan, stage, err);
    gx_film_end(&w.out);
    for (int i = 0; i < 2; i++)
        free(w.frame[i]);
    free(w.large);
    free(w.fitted);
    return code;
}
