/* Plans by picture size, and the way of one picture through one. */
#include "model/model.h"

#include "ganx/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What idle plans may hold when no limit was asked for. */
static const int64_t idle_bytes = (int64_t)1 << 30;

static void forget(struct gx_model_plan *p)
{
    gx_plan_free(&p->plan);
    gx_graph_free(&p->graph);
    *p = (struct gx_model_plan){.w = 0};
}

void gx_model_forget(struct gx_model *model)
{
    for (int i = 0; i < GX_MODEL_PLANS; i++)
        if (model->plan[i].graph)
            forget(&model->plan[i]);
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

static int build(struct gx_model *model, int w, int h, struct gx_model_plan *p, struct gx_err *err)
{
    const struct gx_model_facts *facts = &model->facts;
    struct gx_graph *g = gx_graph_new();
    *p = (struct gx_model_plan){.w = w, .h = h, .graph = g};
    struct gx_build how = {.graph = g,
                           .params = &model->params,
                           .spec = &model->card.spec,
                           .stats = facts->running ? GX_STATS_RUNNING : GX_STATS_BATCH,
                           .dropout = facts->dropout};
    struct gx_node *out[GX_OUTPUTS_MAX];
    struct gx_pad pad = {.bottom = missing(h, facts->multiple),
                         .right = missing(w, facts->multiple)};
    bool padded = pad.bottom || pad.right;
    p->in = gx_input(g, (struct gx_shape){1, h, w, facts->channels_in}, "picture");
    struct gx_node *x = padded ? gx_pad_reflect(g, p->in, pad) : p->in;
    if (facts->domains)
        p->label = gx_input(g, (struct gx_shape){1, 1, 1, facts->domains}, "label");
    model->card.spec.network->build(&how, x, p->label, out);
    const struct gx_shape corner = {0};
    struct gx_shape cut = {.n = 1, .c = facts->channels_out};
    gx_model_result_size(facts, w, h, &cut.w, &cut.h);
    p->out = gx_keep(padded ? gx_slice(g, out[0], corner, cut) : out[0]);
    const struct gx_plan_settings settings = {.kernels = model->kernels,
                                              .threads = model->settings.threads,
                                              .inference = true,
                                              .max_memory = model->budget,
                                              .temp_folder = model->settings.temp_folder,
                                              .max_temp = model->settings.max_temp};
    int code = gx_plan_new(&p->plan, g, &settings, err);
    if (!code && !gx_shape_equal(p->out->shape, cut))
        code =
            gx_fail(err, GX_E_SHAPE, "the network does not make pictures of %d x %d", cut.w, cut.h);
    if (code)
        forget(p);
    else
        p->bytes = gx_plan_facts(p->plan).arena;
    return code;
}

/* Frees the plan that was not used for longest; false when there is none. */
static bool forget_oldest(struct gx_model *model)
{
    struct gx_model_plan *oldest = NULL;
    for (int i = 0; i < GX_MODEL_PLANS; i++) {
        struct gx_model_plan *p = &model->plan[i];
        if (p->graph && (!oldest || p->used < oldest->used))
            oldest = p;
    }
    if (oldest)
        forget(oldest);
    return oldest;
}

/* An empty place, after making room for `bytes` more. */
static struct gx_model_plan *make_room(struct gx_model *model, int64_t bytes)
{
    int64_t most = model->settings.max_memory ? model->budget : bytes + idle_bytes;
    for (;;) {
        struct gx_model_plan *empty = NULL;
        int64_t held = bytes;
        for (int i = 0; i < GX_MODEL_PLANS; i++) {
            held += model->plan[i].bytes;
            if (!model->plan[i].graph)
                empty = &model->plan[i];
        }
        if ((empty && held <= most) || !forget_oldest(model))
            return empty;
    }
}

int gx_model_prepare(struct gx_model *model, int w, int h, struct gx_model_plan **ready,
                     struct gx_err *err)
{
    struct gx_model_plan made;
    for (int i = 0; i < GX_MODEL_PLANS; i++)
        if (model->plan[i].graph && model->plan[i].w == w && model->plan[i].h == h) {
            *ready = &model->plan[i];
            (*ready)->used = ++model->uses;
            return 0;
        }
    int code = build(model, w, h, &made, err);
    if (code)
        return code;
    made.used = ++model->uses;
    *ready = make_room(model, made.bytes);
    if ((code = gx_plan_allocate(made.plan, err)))
        forget(&made);
    else
        **ready = made;
    return code;
}

bool gx_all_finite(const float *x, int64_t count)
{
    float sum = 0; /* 0 * x is 0 for every finite x, and not a number for the others */
    for (int64_t i = 0; i < count; i++)
        sum += 0.0F * x[i];
    return sum == 0;
}

static int translate_as_it_is(struct gx_model *model, const float *in, int w, int h,
                              const float *label, float *out, struct gx_err *err)
{
    struct gx_model_plan *p;
    int code = gx_model_prepare(model, w, h, &p, err);
    if (code)
        return code;
    int64_t count = gx_count(p->out->shape);
    memcpy(gx_plan_value(p->plan, p->in), in, (size_t)gx_count(p->in->shape) * sizeof *in);
    if (p->label)
        memcpy(gx_plan_value(p->plan, p->label), label,
               (size_t)model->facts.domains * sizeof *label);
    gx_plan_run(p->plan, 0, model->settings.seed, 0);
    memcpy(out, gx_plan_value(p->plan, p->out), (size_t)count * sizeof *out);
    if (!gx_all_finite(out, count))
        return gx_fail(err, GX_E_NUMERIC, "the model's result holds values that are not finite");
    return 0;
}

static void clip(float *x, int64_t count, float low, float high)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        x[i] = x[i] < low ? low : x[i] > high ? high : x[i];
}

/* Bicubic, without its overshoot: a picture file has none either. */
static int scale(const struct gx_model_facts *facts, const float *from, int w, int h, int channels,
                 float *to, int to_w, int to_h, struct gx_err *err)
{
    int code = gx_resize(from, 1, h, w, channels, to, to_h, to_w, GX_FILTER_BICUBIC, err);
    if (!code)
        clip(to, (int64_t)to_w * to_h * channels, facts->low, facts->high);
    return code;
}

static int translate_scaled(struct gx_model *model, const float *in, int w, int h,
                            const float *label, float *out, struct gx_err *err)
{
    const struct gx_model_facts *facts = &model->facts;
    int size = model->settings.size, ci = facts->channels_in, co = facts->channels_out;
    int made_w, made_h, to_w, to_h;
    gx_model_result_size(facts, size, size, &made_w, &made_h);
    gx_model_result_size(facts, w, h, &to_w, &to_h);
    size_t pixels = (size_t)size * (size_t)size, made = (size_t)made_w * (size_t)made_h;
    float *small = malloc((pixels * (size_t)ci + made * (size_t)co) * sizeof *small), *result;
    if (!small)
        return gx_fail(err, GX_E_NOMEM, "no memory for a picture of %d x %d", size, size);
    result = small + pixels * (size_t)ci;
    int code = scale(facts, in, w, h, ci, small, size, size, err);
    if (!code)
        code = translate_as_it_is(model, small, size, size, label, result, err);
    if (!code)
        code = scale(facts, result, made_w, made_h, co, out, to_w, to_h, err);
    free(small);
    return code;
}

int gx_model_translate(struct gx_model *model, const float *in, int w, int h, const float *label,
                       float *out, struct gx_err *err)
{
    int size = model->settings.size, domains = model->facts.domains;
    if (w < 1 || h < 1)
        return gx_fail(err, GX_E_SHAPE, "a picture of %d x %d", w, h);
    if (!label != !domains)
        return domains ? gx_fail(err, GX_E_SHAPE, "the model needs a label of %d numbers", domains)
                       : gx_fail(err, GX_E_SHAPE, "the model takes no label");
    return size > 0 && (w != size || h != size)
               ? translate_scaled(model, in, w, h, label, out, err)
               : translate_as_it_is(model, in, w, h, label, out, err);
}

int gx_model_needs(struct gx_model *model, int w, int h, int64_t *bytes, struct gx_err *err)
{
    struct gx_model_plan made;
    int size = model->settings.size;
    int code = build(model, size > 0 ? size : w, size > 0 ? size : h, &made, err);
    if (code)
        return code;
    *bytes = made.bytes;
    forget(&made);
    return 0;
}
