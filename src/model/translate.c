/* The way of one picture through a plan. */
#include "model/model.h"

#include "ganx/image.h"

#include <stdlib.h>
#include <string.h>

bool gx_all_finite(const float *x, int64_t count)
{
    float sum = 0; /* 0 * x is 0 for every finite x, and not a number for the others */
    for (int64_t i = 0; i < count; i++)
        sum += 0.0F * x[i];
    return sum == 0;
}

/* A picture on its way through. */
struct way {
    struct gx_model *model;
    int beside;
    const float *label;
};

static int as_it_is(const struct way *way, const float *in, int w, int h, float *out,
                    struct gx_err *err)
{
    struct gx_model *model = way->model;
    struct gx_model_plan *p;
    int code = gx_model_prepare(model, w, h, way->beside, &p, err);
    if (code)
        return code;
    int64_t count = gx_count(p->out->shape);
    memcpy(gx_plan_value(p->plan, p->in), in, (size_t)gx_count(p->in->shape) * sizeof *in);
    if (p->label)
        memcpy(gx_plan_value(p->plan, p->label), way->label,
               (size_t)model->facts.domains * sizeof *way->label);
    gx_plan_run(p->plan, 0, model->settings.seed, 0);
    memcpy(out, gx_plan_value(p->plan, p->out), (size_t)count * sizeof *out);
    gx_model_leave(model, p);
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

static int scaled(const struct way *way, const float *in, int w, int h, float *out,
                  struct gx_err *err)
{
    const struct gx_model_facts *facts = &way->model->facts;
    int size = way->model->settings.size, ci = facts->channels_in, co = facts->channels_out;
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
        code = as_it_is(way, small, size, size, result, err);
    if (!code)
        code = scale(facts, result, made_w, made_h, co, out, to_w, to_h, err);
    free(small);
    return code;
}

int gx_model_translate_beside(struct gx_model *model, int beside, const float *in, int w, int h,
                              const float *label, float *out, struct gx_err *err)
{
    const struct way way = {model, beside > 1 ? beside : 1, label};
    int size = model->settings.size, domains = model->facts.domains;
    if (w < 1 || h < 1)
        return gx_fail(err, GX_E_SHAPE, "a picture of %d x %d", w, h);
    if (!label != !domains)
        return domains ? gx_fail(err, GX_E_SHAPE, "the model needs a label of %d numbers", domains)
                       : gx_fail(err, GX_E_SHAPE, "the model takes no label");
    return size > 0 && (w != size || h != size) ? scaled(&way, in, w, h, out, err)
                                                : as_it_is(&way, in, w, h, out, err);
}

int gx_model_translate(struct gx_model *model, const float *in, int w, int h, const float *label,
                       float *out, struct gx_err *err)
{
    return gx_model_translate_beside(model, 1, in, w, h, label, out, err);
}
