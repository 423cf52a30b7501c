/* Kind "forward": each weight file must load and give each output; and a file's keys and shapes
 * must tell the network that the fixture says it is. */
#include "parity.h"

#include "ganx/plan.h"
#include "net/vgg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYERS_MAX = 32 };

struct given { /* what a network is run on */
    struct fixture_tensor x, label;
};

/* The picture mapped to its range, then its mean and deviation taken off. */
static int read_input(const struct fixture *f, const struct gx_network_spec *spec,
                      struct fixture_tensor *t, struct gx_err *err)
{
    const json_t *input = json_object_get(f->json, "input");
    const json_t *range = json_object_get(input, "range"), *mean = json_object_get(input, "mean"),
                 *std = json_object_get(input, "std");
    double low = json_number_value(json_array_get(range, 0));
    double high = json_number_value(json_array_get(range, 1));
    const char *file;
    char path[4096];
    struct fixture_picture p;
    int colours = gx_spec_get(spec, "cin"); /* 0: the network knows */
    int r = fixture_text(input, "file", &file, err);
    if (r)
        return r;
    snprintf(path, sizeof path, "%s/%s", f->folder, file);
    r = fixture_picture(path, colours ? colours : 3, &p, err);
    if (r)
        return r;
    t->shape = (struct gx_shape){1, p.h, p.w, p.c};
    t->data = malloc((size_t)gx_count(t->shape) * sizeof *t->data);
    for (int64_t i = 0; i < gx_count(t->shape); i++) {
        size_t c = (size_t)(i % p.c);
        double v = low + (high - low) * p.data[i] / 255;
        if (mean)
            v = (v - json_number_value(json_array_get(mean, c))) /
                json_number_value(json_array_get(std, c));
        t->data[i] = (float)v;
    }
    free(p.data);
    return 0;
}

/* What is looked at: the network's outputs, or layers by name. */
struct view {
    const char *layer[LAYERS_MAX];
    int layers; /* 0: the outputs */
    struct gx_node *out[LAYERS_MAX];
    int count;
};

static int read_view(struct view *view, const json_t *output, struct gx_err *err)
{
    const json_t *layers = json_object_get(output, "layers"), *name;
    size_t i;
    *view = (struct view){.layers = (int)json_array_size(layers)};
    if (view->layers > LAYERS_MAX)
        return gx_fail(err, GX_E_FORMAT, "'layers' are too many");
    json_array_foreach(layers, i, name) if (!(view->layer[i] = json_string_value(
                                                  name))) return gx_fail(err, GX_E_FORMAT,
                                                                         "'layers' must be names");
    return 0;
}

static void build_view(struct view *view, const struct gx_build *b, struct gx_node *x,
                       struct gx_node *label)
{
    if (!view->layers)
        view->count = b->spec->network->build(b, x, label, view->out);
    else if (!gx_is_vgg(b->spec->network))
        gx_graph_fail(b->graph, GX_E_CONFIG, "'%s' has no named layers", b->spec->network->name);
    else if (!gx_vgg_features_normalised(b, x, view->layer, view->layers, view->out))
        view->count = view->layers;
    for (int i = 0; i < view->count; i++)
        gx_keep(view->out[i]);
}

/* Compares with the layers, or output, output1, ... of `expected`; *worst is the largest deviation.
 */
static int compare(struct gx_plan *plan, const struct view *view, struct gx_weights *expected,
                   double *worst, struct gx_err *err)
{
    *worst = 0;
    int r = 0;
    for (int i = 0; i < view->count && !r; i++) {
        const struct gx_node *out = view->out[i];
        char name[64] = "output";
        struct fixture_tensor want = {.data = NULL};
        if (view->layers)
            snprintf(name, sizeof name, "%s", view->layer[i]);
        else if (i)
            snprintf(name, sizeof name, "output%d", i);
        r = fixture_tensor(expected, name, &want, err);
        if (!r && !gx_shape_equal(want.shape, out->shape))
            r = gx_fail(err, GX_E_SHAPE, "'%s' is %dx%dx%d pixels and channels, should be %dx%dx%d",
                        name, out->shape.h, out->shape.w, out->shape.c, want.shape.h, want.shape.w,
                        want.shape.c);
        if (!r) {
            double d = fixture_deviation(gx_plan_value(plan, out), want.data, gx_count(want.shape));
            *worst = d <= *worst ? *worst : d;
        }
        free(want.data);
    }
    return r;
}

static int run(const struct gx_network_spec *spec, struct gx_params *params, enum gx_stats stats,
               const struct given *given, struct view *view, struct gx_weights *expected,
               double *worst, struct gx_err *err)
{
    struct gx_graph *g = gx_graph_new();
    struct gx_plan *plan = NULL;
    const struct gx_plan_settings settings = {.inference = true};
    struct gx_build build = {.graph = g, .params = params, .spec = spec, .stats = stats};
    struct gx_node *x = gx_input(g, given->x.shape, "x");
    struct gx_node *label = given->label.data ? gx_input(g, given->label.shape, "label") : NULL;
    build_view(view, &build, x, label);
    int r = gx_plan_new(&plan, g, &settings, err);
    if (!r)
        r = gx_plan_allocate(plan, err);
    if (!r) {
        size_t size = (size_t)gx_count(given->x.shape) * sizeof(float);
        memcpy(gx_plan_value(plan, x), given->x.data, size);
        if (label)
            memcpy(gx_plan_value(plan, label), given->label.data,
                   (size_t)gx_count(given->label.shape) * sizeof(float));
        gx_plan_run(plan, 0, 1, 0);
        r = compare(plan, view, expected, worst, err);
    }
    gx_plan_free(&plan);
    gx_graph_free(&g);
    return r;
}

/* Parameters that are in one list and not, with the same shape, in the other. */
static int missing(const struct gx_params *a, const struct gx_params *b)
{
    int count = 0;
    for (int i = 0; i < a->count; i++) {
        const struct gx_param *other = gx_params_find(b, a->param[i]->name);
        count += !other || !gx_shape_equal(other->shape, a->param[i]->shape);
    }
    return count;
}

/* Sizes that leave no trace in a file (a U-Net's dropout) cannot be told: what is compared is the
 * parameters that the recognised network has. */
static int recognise(const struct fixture *f, const char *name, struct gx_weights *file,
                     const struct gx_network_spec *spec, const struct gx_params *params,
                     struct gx_err *err)
{
    struct gx_network_spec seen;
    struct gx_params theirs;
    gx_params_init(&theirs);
    int r = gx_network_infer(&seen, file, "", err);
    if (!r)
        r = gx_network_declare(&seen, &theirs, err);
    if (!r && seen.network != spec->network)
        r = gx_fail(err, GX_E_FORMAT, "'%s' was taken for network '%s'", name, seen.network->name);
    if (!r)
        parity_check(f, missing(&theirs, params) + missing(params, &theirs), 0,
                     "%s, sizes by its keys", name);
    gx_params_clear(&theirs);
    return r;
}

static int check_output(const struct fixture *f, const struct gx_network_spec *spec,
                        struct gx_params *params, const struct given *given, const char *weights,
                        const json_t *output, struct gx_err *err)
{
    struct gx_weights *expected = NULL;
    const char *file, *stats = fixture_word(output, "stats", "batch");
    double worst = 0, tolerance;
    struct view view;
    int r;
    if ((r = read_view(&view, output, err)) ||
        (r = fixture_number(f->json, "tolerance", &tolerance, err)) ||
        (r = fixture_text(output, "file", &file, err)) ||
        (r = fixture_open(f, file, &expected, err)))
        return r;
    r = run(spec, params, strcmp(stats, "running") ? GX_STATS_BATCH : GX_STATS_RUNNING, given,
            &view, expected, &worst, err);
    gx_weights_close(&expected);
    if (!r)
        parity_check(f, worst, tolerance, "%s -> %s", weights, file);
    return r;
}

/* A description does not say whether an RRDBNet of some names folds pixels; its file does. */
static int settle_layout(const struct fixture *f, struct gx_network_spec *spec,
                         const struct gx_weights *file, struct gx_err *err)
{
    struct gx_network_spec seen;
    if (!json_object_get(json_object_get(f->json, "net"), "layout") ||
        !gx_spec_has(spec, "direct") || gx_network_infer(&seen, file, "", NULL))
        return 0;
    return gx_spec_set(spec, "direct", gx_spec_get(&seen, "direct"), err);
}

static int check_weights(const struct fixture *f, struct gx_network_spec *spec,
                         const struct given *given, const char *name, struct gx_err *err)
{
    struct gx_weights *file = NULL;
    struct gx_params params;
    size_t i;
    const json_t *output;
    gx_params_init(&params);
    int r = name ? fixture_open(f, name, &file, err)
                 : gx_fail(err, GX_E_FORMAT, "'weights' must be names of files");
    if (!r)
        r = settle_layout(f, spec, file, err);
    if (!r)
        r = fixture_params(spec, &params, file, "", err);
    if (!r)
        r = recognise(f, name, file, spec, &params, err);
    if (!r)
        json_array_foreach(json_object_get(f->json, "outputs"), i, output) if (!r) r =
            check_output(f, spec, &params, given, name, output, err);
    gx_params_clear(&params);
    gx_weights_close(&file);
    return r;
}

int parity_forward(const struct fixture *f, struct gx_err *err)
{
    const json_t *net = json_object_get(f->json, "net"), *name;
    const char *label = fixture_word(f->json, "label", NULL);
    struct given given = {.x = {.data = NULL}};
    struct gx_network_spec spec;
    size_t i;
    if (!fixture_networks_known(f, net))
        return 0;
    int r = fixture_spec(&spec, net, err);
    if (!r)
        r = read_input(f, &spec, &given.x, err);
    if (!r && label)
        r = fixture_tensor_at(f, label, &given.label, err);
    if (!r)
        json_array_foreach(json_object_get(f->json, "weights"), i, name) if (!r) r =
            check_weights(f, &spec, &given, json_string_value(name), err);
    free(given.x.data);
    free(given.label.data);
    return r;
}
