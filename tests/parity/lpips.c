/* Kind "lpips": LPIPS of picture pairs, and features of VGG16, with the weights that the fixture
 * names. */
#include "parity.h"

#include "ganx/plan.h"
#include "model/lpips.h"
#include "net/vgg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void path_of(const struct fixture *f, const char *name, char path[4096])
{
    snprintf(path, 4096, "%s/%s", f->folder, name);
}

/* ---- pairs ---- */

static int check_pairs(const struct fixture *f, const char *weights, double tolerance,
                       struct gx_err *err)
{
    char path[4096];
    const char *name;
    struct gx_lpips *lpips = NULL;
    json_error_t why;
    size_t i;
    json_t *row;
    int r = fixture_text(f->json, "pairs", &name, err);
    if (r)
        return r;
    path_of(f, name, path);
    json_t *pairs = json_load_file(path, 0, &why);
    if (!pairs)
        return gx_fail(err, GX_E_FORMAT, "'%s': %s", path, why.text);
    r = gx_lpips_open(&lpips, weights, NULL, err);
    json_array_foreach(pairs, i, row)
    {
        struct fixture_pair pair;
        double want, value = 0;
        if (r || (r = fixture_number(row, "lpips_vgg16", &want, err)) ||
            (r = fixture_pair(f->folder, row, &pair, err)))
            break;
        r = gx_lpips_measure(lpips, &pair.of, &value, err);
        fixture_pair_free(&pair);
        if (!r)
            parity_check(f, fabs(value - want), tolerance, "%s",
                         json_string_value(json_object_get(row, "b")));
    }
    gx_lpips_close(&lpips);
    json_decref(pairs);
    return r;
}

/* ---- features ---- */

/* The part of the picture that is asked for ([left, top, width, height]), mean and deviation taken
 * off. */
static int read_part(const struct fixture *f, struct fixture_tensor *x, struct gx_err *err)
{
    const json_t *crop = json_object_get(f->json, "features_crop");
    const json_t *how = json_object_get(json_object_get(f->json, "normalise"), "features");
    const json_t *mean = json_object_get(how, "mean"), *std = json_object_get(how, "std");
    struct fixture_picture p;
    const char *name;
    char path[4096];
    int at[4];
    int r = fixture_text(f->json, "features_input", &name, err);
    if (r)
        return r;
    path_of(f, name, path);
    if ((r = fixture_picture(path, 3, &p, err)))
        return r;
    for (size_t i = 0; i < 4; i++)
        at[i] = (int)json_integer_value(json_array_get(crop, i));
    if (at[0] < 0 || at[1] < 0 || at[2] < 1 || at[3] < 1 || at[0] + at[2] > p.w ||
        at[1] + at[3] > p.h) {
        free(p.data);
        return gx_fail(err, GX_E_FORMAT, "'features_crop' is not within the picture");
    }
    x->shape = (struct gx_shape){1, at[3], at[2], 3};
    x->data = malloc((size_t)gx_count(x->shape) * sizeof *x->data);
    for (int64_t i = 0; i < gx_count(x->shape); i++) {
        size_t c = (size_t)(i % 3);
        int64_t column = i / 3 % at[2] + at[0], row = i / 3 / at[2] + at[1];
        double v = p.data[(row * p.w + column) * 3 + (int64_t)c] / 255.0;
        x->data[i] = (float)((v - json_number_value(json_array_get(mean, c))) /
                             json_number_value(json_array_get(std, c)));
    }
    free(p.data);
    return 0;
}

/* One layer against the tensor of its name. */
static int check_layer(const struct fixture *f, struct gx_params *params,
                       const struct gx_network_spec *spec, const struct fixture_tensor *x,
                       struct gx_weights *expected, const char *layer, double tolerance,
                       struct gx_err *err)
{
    const struct gx_plan_settings settings = {.inference = true};
    struct fixture_tensor want = {.data = NULL};
    struct gx_graph *g = gx_graph_new();
    struct gx_plan *plan = NULL;
    struct gx_build build = {.graph = g, .params = params, .spec = spec};
    struct gx_node *in = gx_input(g, x->shape, "x"), *out = in;
    int r = gx_vgg_features_normalised(&build, in, &layer, 1, &out);
    gx_keep(out);
    r = gx_plan_new(&plan, g, &settings, err);
    if (!r && !(r = gx_plan_allocate(plan, err)) &&
        !(r = fixture_tensor(expected, layer, &want, err))) {
        memcpy(gx_plan_value(plan, in), x->data, (size_t)gx_count(x->shape) * sizeof(float));
        gx_plan_run(plan, 0, 1, 0);
        if (gx_shape_equal(want.shape, out->shape))
            parity_check(
                f, fixture_deviation(gx_plan_value(plan, out), want.data, gx_count(want.shape)),
                tolerance, "features %s", layer);
        else
            r = gx_fail(err, GX_E_SHAPE, "'%s' has another size", layer);
    }
    free(want.data);
    gx_plan_free(&plan);
    gx_graph_free(&g);
    return r;
}

static int check_features(const struct fixture *f, const char *weights, double tolerance,
                          struct gx_err *err)
{
    struct gx_weights *file = NULL, *expected = NULL;
    struct gx_network_spec spec;
    struct gx_params params;
    struct fixture_tensor x = {.data = NULL};
    const char *name;
    gx_params_init(&params);
    int r = fixture_text(f->json, "features", &name, err);
    if (!r)
        r = fixture_open(f, name, &expected, err);
    if (!r)
        r = gx_weights_open(&file, weights, err);
    if (!r)
        r = gx_network_infer(&spec, file, "", err);
    if (!r)
        r = fixture_params(&spec, &params, file, "", err);
    if (!r)
        r = read_part(f, &x, err);
    for (int i = 0; !r && i < gx_weights_count(expected); i++)
        r = check_layer(f, &params, &spec, &x, expected, gx_weights_info(expected, i)->name,
                        tolerance, err);
    free(x.data);
    gx_params_clear(&params);
    gx_weights_close(&file);
    gx_weights_close(&expected);
    return r;
}

int parity_lpips(const struct fixture *f, struct gx_err *err)
{
    const char *name;
    double tolerance;
    char weights[4096];
    int r = fixture_number(f->json, "tolerance", &tolerance, err);
    if (!r)
        r = fixture_text(f->json, "weights", &name, err);
    if (r)
        return r;
    path_of(f, name, weights);
    r = check_pairs(f, weights, tolerance, err);
    if (!r && json_object_get(f->json, "features"))
        r = check_features(f, weights, tolerance, err);
    return r;
}
