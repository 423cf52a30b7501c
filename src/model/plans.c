/* Plans by picture size: the memory and the threads that pictures are translated with. Several
 * pictures of one size at a time have a plan each. */
#include "model/model.h"

#include <math.h>
#include <stdlib.h>

/* What plans in use may hold, if they are several, and what idle ones may when no limit was asked
 * for. */
static const int64_t usual_bytes = (int64_t)1 << 30;

enum { SIZES = 4 }; /* idle plans that are kept, besides one a thread */

static void plan_free(struct gx_model_plan *p)
{
    gx_plan_free(&p->plan);
    gx_graph_free(&p->graph);
    free(p);
}

void gx_model_forget(struct gx_model *model)
{
    for (struct gx_model_plan *p; (p = model->plans);) {
        model->plans = p->next;
        plan_free(p);
    }
}

/* How much is missing to the next multiple. */
static int missing(int size, int multiple)
{
    return (multiple - size % multiple) % multiple;
}

void gx_model_result_size(const struct gx_model_facts *facts, int w, int h, int *to_w, int *to_h)
{
    *to_w = (w * facts->scale + facts->shrink - 1) / facts->shrink;
    *to_h = (h * facts->scale + facts->shrink - 1) / facts->shrink;
}

static struct gx_node *build_graph(struct gx_model *model, struct gx_model_plan *p)
{
    const struct gx_model_facts *facts = &model->facts;
    struct gx_graph *g = p->graph = gx_graph_new();
    struct gx_build how = {.graph = g,
                           .params = &model->params,
                           .spec = &model->card.spec,
                           .stats = facts->running ? GX_STATS_RUNNING : GX_STATS_BATCH,
                           .dropout = facts->dropout};
    struct gx_node *out[GX_OUTPUTS_MAX];
    struct gx_pad pad = {.bottom = missing(p->h, facts->multiple),
                         .right = missing(p->w, facts->multiple)};
    bool padded = pad.bottom || pad.right;
    p->in = gx_input(g, (struct gx_shape){1, p->h, p->w, facts->channels_in}, "picture");
    struct gx_node *x = padded ? gx_pad_reflect(g, p->in, pad) : p->in;
    if (facts->domains)
        p->label = gx_input(g, (struct gx_shape){1, 1, 1, facts->domains}, "label");
    model->card.spec.network->build(&how, x, p->label, out);
    const struct gx_shape corner = {0};
    struct gx_shape cut = {.n = 1, .c = facts->channels_out};
    gx_model_result_size(facts, p->w, p->h, &cut.w, &cut.h);
    return gx_keep(padded ? gx_slice(g, out[0], corner, cut) : out[0]);
}

/* Gives a plan of so many threads, without memory. */
static int build(struct gx_model *model, int w, int h, int threads, struct gx_model_plan **made,
                 struct gx_err *err)
{
    const struct gx_plan_settings settings = {.kernels = model->kernels,
                                              .threads = threads,
                                              .inference = true,
                                              .max_memory = model->budget,
                                              .temp_folder = model->settings.temp_folder,
                                              .max_temp = model->settings.max_temp};
    struct gx_model_plan *p = gx_new(sizeof *p);
    struct gx_shape size = {.n = 1, .c = model->facts.channels_out};
    *p = (struct gx_model_plan){.w = w, .h = h, .threads = threads};
    gx_model_result_size(&model->facts, w, h, &size.w, &size.h);
    p->out = build_graph(model, p);
    int code = gx_plan_new(&p->plan, p->graph, &settings, err);
    if (!code && !gx_shape_equal(p->out->shape, size))
        code = gx_fail(err, GX_E_SHAPE, "the network does not make pictures of %d x %d", size.w,
                       size.h);
    if (!code)
        p->bytes = gx_plan_facts(p->plan).arena;
    else
        plan_free(p);
    *made = code ? NULL : p;
    return code;
}

/* ---- threads, and memory for what they do ----
 * A picture that needs a part of the memory gets the same part of the threads, if that is more than
 * its share: so all that are translated at a time fit. Of the budget half is divided like that, for
 * the pictures themselves are somewhere too, and never much: large pictures gain little. */

static int threads_for(const struct gx_model *model, int64_t bytes)
{
    int64_t half = model->budget / 2, most = half < usual_bytes ? half : usual_bytes;
    double part = (double)bytes / (double)most * model->facts.threads;
    return part < model->facts.threads ? (int)ceil(part) : model->facts.threads;
}

static int build_share(struct gx_model *model, int w, int h, int beside,
                       struct gx_model_plan **made, struct gx_err *err)
{
    int threads = beside < model->facts.threads ? model->facts.threads / beside : 1;
    for (;;) {
        int code = build(model, w, h, threads, made, err);
        if (code)
            return code;
        (*made)->beside = beside;
        int least = threads_for(model, (*made)->bytes);
        if (least <= threads)
            return 0;
        threads = least;
        plan_free(*made);
    }
}

static void take_threads(struct gx_model *model, int count)
{
    uint64_t turn = model->asked++;
    while (turn != model->served || model->idle < count)
        pthread_cond_wait(&model->changed, &model->lock);
    model->served++;
    model->idle -= count;
    pthread_cond_broadcast(&model->changed);
}

static void leave_threads(struct gx_model *model, int count)
{
    model->idle += count;
    pthread_cond_broadcast(&model->changed);
}

/* Frees the idle plans that were not used for longest, until the others are few enough, and their
 * memory little enough beside those in use. */
static void make_room(struct gx_model *model)
{
    for (;;) {
        struct gx_model_plan **oldest = NULL, *p;
        int64_t idle = 0, busy = 0;
        int count = 0;
        for (struct gx_model_plan **at = &model->plans; (p = *at); at = &p->next) {
            *(p->busy ? &busy : &idle) += p->bytes;
            count += !p->busy;
            if (!p->busy && (!oldest || p->used < (*oldest)->used))
                oldest = at;
        }
        int64_t most = model->settings.max_memory ? model->budget - busy : usual_bytes;
        if (!oldest || (idle <= most && count <= SIZES + model->facts.threads))
            return;
        p = *oldest;
        *oldest = p->next;
        plan_free(p);
    }
}

/* One of those that are there, or a new one; `any` may be in use. */
static int find(struct gx_model *model, int w, int h, int beside, bool any,
                struct gx_model_plan **found, struct gx_err *err)
{
    struct gx_model_plan *p = model->plans;
    while (p && (p->w != w || p->h != h || p->beside != beside || (p->busy && !any)))
        p = p->next;
    int code = p ? 0 : build_share(model, w, h, beside, &p, err);
    if (!code && !p->used) { /* a new one */
        p->next = model->plans;
        model->plans = p;
    }
    if (!code)
        p->used = ++model->uses;
    *found = p;
    return code;
}

static int occupy(struct gx_model *model, struct gx_model_plan *p, struct gx_err *err)
{
    p->busy = true;
    make_room(model);
    int code = p->allocated ? 0 : gx_plan_allocate(p->plan, err);
    p->allocated = !code;
    p->busy = !code;
    return code;
}

int gx_model_prepare(struct gx_model *model, int w, int h, int beside, struct gx_model_plan **ready,
                     struct gx_err *err)
{
    pthread_mutex_lock(&model->lock);
    int code = find(model, w, h, beside, true, ready, err);
    if (!code) {
        int threads = (*ready)->threads;
        take_threads(model, threads); /* meanwhile others may use or free it */
        code = find(model, w, h, beside, false, ready, err);
        if (!code)
            code = occupy(model, *ready, err);
        if (code)
            leave_threads(model, threads);
    }
    pthread_mutex_unlock(&model->lock);
    return code;
}

void gx_model_leave(struct gx_model *model, struct gx_model_plan *p)
{
    pthread_mutex_lock(&model->lock);
    p->busy = false;
    leave_threads(model, p->threads);
    pthread_mutex_unlock(&model->lock);
}

int gx_model_needs(struct gx_model *model, int w, int h, int64_t *bytes, struct gx_err *err)
{
    struct gx_model_plan *made;
    int size = model->settings.size;
    int code =
        build(model, size > 0 ? size : w, size > 0 ? size : h, model->facts.threads, &made, err);
    if (code)
        return code;
    *bytes = made->bytes;
    plan_free(made);
    return 0;
}
