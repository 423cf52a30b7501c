/* Fixtures of tests/reference: folders with a fixture.json, PyTorch tensors (NCHW) and pictures.
 * Reading them, building the network that they describe, and running it. Errors are returned, so
 * that a program that walks many fixtures can go on after one. */
#ifndef GX_TESTS_FIXTURE_H
#define GX_TESTS_FIXTURE_H

#include "ganx/loss.h"
#include "ganx/network.h"
#include "ganx/plan.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define FIXTURE_FUNCTION __attribute__((unused)) static

struct fixture_tensor { /* NHWC; (n,c) is (n,1,1,c) */
    struct gx_shape shape;
    float *data; /* free it */
};

FIXTURE_FUNCTION json_t *fixture_json(const char *folder, struct gx_err *err)
{
    char path[512];
    json_error_t why;
    snprintf(path, sizeof path, "%s/fixture.json", folder);
    json_t *json = json_load_file(path, 0, &why);
    if (!json)
        gx_fail(err, GX_E_FORMAT, "cannot read '%s': %s", path, why.text);
    return json;
}

/* The network of a description such as {"network": "unet", ...}; keys that are not sizes fail. */
FIXTURE_FUNCTION int fixture_spec(struct gx_network_spec *spec, const json_t *net,
                                  struct gx_err *err)
{
    char *text = json_dumps(net, 0);
    if (!text)
        return gx_fail(err, GX_E_FORMAT, "the fixture describes no network");
    int r = gx_spec_from_json(spec, text, err);
    free(text);
    return r;
}

FIXTURE_FUNCTION int fixture_read(struct gx_weights *file, const char *name,
                                  struct fixture_tensor *t, struct gx_err *err)
{
    int at = gx_weights_find(file, name);
    if (at < 0)
        return gx_fail(err, GX_E_FORMAT, "the fixture has no tensor '%s'", name);
    const struct gx_tensor_info *info = gx_weights_info(file, at);
    int64_t d[4] = {1, 1, 1, 1};
    if (info->rank == 4)
        memcpy(d, info->dims, sizeof d);
    else if (info->rank == 2)
        d[0] = info->dims[0], d[1] = info->dims[1];
    else
        d[0] = info->count;
    int n = (int)d[0], c = (int)d[1], h = (int)d[2], w = (int)d[3];
    float *nchw = malloc((size_t)info->count * sizeof *nchw + 1);
    t->shape = (struct gx_shape){n, h, w, c};
    t->data = malloc((size_t)info->count * sizeof *nchw + 1);
    int r = gx_weights_read(file, at, nchw, err);
    for (int64_t i = 0; !r && i < info->count; i++) {
        int64_t x = i % w, y = i / w % h, k = i / w / h % c, m = i / w / h / c;
        t->data[((m * h + y) * w + x) * c + k] = nchw[i];
    }
    free(nchw);
    return r;
}

/* ---- 8-bit PNGs without interlacing: grey, RGB, RGBA ---- */

static inline uint32_t fixture_big_endian(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline int fixture_paeth(int a, int b, int c)
{
    int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/* Undoes the row filters; rows of `stride` bytes, each behind its filter's number. */
static inline void fixture_unfilter(unsigned char *row, int rows, int stride, int c)
{
    for (int y = 0; y < rows; y++, row += stride + 1) {
        unsigned char *x = row + 1, *above = row - stride;
        for (int i = 0; i < stride; i++) {
            int a = i >= c ? x[i - c] : 0, b = y ? above[i] : 0;
            int corner = y && i >= c ? above[i - c] : 0;
            int guess[] = {0, a, b, (a + b) / 2, fixture_paeth(a, b, corner)};
            x[i] = (unsigned char)(x[i] + guess[row[0] < 5 ? row[0] : 0]);
        }
    }
}

/* The picture of a fixture's "input", mapped to its range, then its mean and deviation taken off.
 */
FIXTURE_FUNCTION int fixture_input(const char *folder, const json_t *input,
                                   struct fixture_tensor *t, struct gx_err *err)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, json_string_value(json_object_get(input, "file")));
    FILE *f = fopen(path, "rb");
    if (!f)
        return gx_fail_errno(err, GX_E_IO, "cannot open '%s'", path);
    static unsigned char bytes[1 << 20], packed[1 << 20];
    size_t size = fread(bytes, 1, sizeof bytes, f), filled = 0;
    fclose(f);
    int w = (int)fixture_big_endian(bytes + 16), h = (int)fixture_big_endian(bytes + 20);
    int c = bytes[25] == 0 ? 1 : bytes[25] == 2 ? 3 : bytes[25] == 6 ? 4 : 0;
    if (size < 33 || bytes[24] != 8 || !c || bytes[28])
        return gx_fail(err, GX_E_FORMAT, "'%s' is not a plain 8-bit PNG", path);
    for (size_t at = 8; at + 12 <= size;) {
        uint32_t length = fixture_big_endian(bytes + at);
        if (!memcmp(bytes + at + 4, "IDAT", 4)) {
            memcpy(packed + filled, bytes + at + 8, length);
            filled += length;
        }
        at += length + 12;
    }
    uLongf room = (uLongf)h * ((uLongf)w * (uLongf)c + 1);
    unsigned char *rows = malloc(room);
    if (uncompress(rows, &room, packed, filled) != Z_OK) {
        free(rows);
        return gx_fail(err, GX_E_FORMAT, "'%s' does not unpack", path);
    }
    fixture_unfilter(rows, h, w * c, c);

    const json_t *range = json_object_get(input, "range"), *mean = json_object_get(input, "mean"),
                 *std = json_object_get(input, "std");
    double low = json_number_value(json_array_get(range, 0));
    double high = json_number_value(json_array_get(range, 1));
    t->shape = (struct gx_shape){1, h, w, c};
    t->data = malloc((size_t)gx_count(t->shape) * sizeof *t->data);
    for (int64_t i = 0; i < gx_count(t->shape); i++) {
        int64_t y = i / (w * c), x = i % (w * c);
        size_t k = (size_t)(i % c);
        double v = low + (high - low) * rows[y * (w * c + 1) + 1 + x] / 255;
        if (mean)
            v = (v - json_number_value(json_array_get(mean, k))) /
                json_number_value(json_array_get(std, k));
        t->data[i] = (float)v;
    }
    free(rows);
    return 0;
}

/* ---- networks ---- */

/* The parameters of a network, read from a file's tensors under a prefix. */
FIXTURE_FUNCTION int fixture_params(const struct gx_network_spec *spec, struct gx_params *params,
                                    struct gx_weights *file, const char *prefix, struct gx_err *err)
{
    int r = gx_network_declare(spec, params, err);
    if (!r)
        r = gx_params_allocate(params, err);
    return r ? r : gx_params_load(params, file, prefix, err);
}

/* The largest difference over the largest magnitude of what was expected. */
FIXTURE_FUNCTION double fixture_deviation(const float *got, const float *want, int64_t count)
{
    double worst = 0, most = 1e-30;
    for (int64_t i = 0; i < count; i++) {
        double d = fabs((double)got[i] - want[i]);
        if (!(d <= worst)) /* not a number counts as worse */
            worst = d;
        if (fabs(want[i]) > most)
            most = fabs(want[i]);
    }
    return worst / most;
}

/* Runs a network once on x; outputs are compared with the tensors output, output1, ... of
 * `expected`; *worst is the largest deviation. */
FIXTURE_FUNCTION int fixture_run(const struct gx_network_spec *spec, struct gx_params *params,
                                 enum gx_stats stats, const struct fixture_tensor *x,
                                 const struct fixture_tensor *label, struct gx_weights *expected,
                                 double *worst, struct gx_err *err)
{
    struct gx_graph *g = gx_graph_new();
    struct gx_plan *plan = NULL;
    struct gx_build build = {.graph = g, .params = params, .spec = spec, .stats = stats};
    struct gx_node *input = gx_input(g, x->shape, "x"), *out[GX_OUTPUTS_MAX];
    struct gx_node *l = label ? gx_input(g, label->shape, "label") : NULL;
    int count = spec->network->build(&build, input, l, out), r;
    for (int i = 0; i < count; i++)
        gx_keep(out[i]);
    struct gx_plan_settings settings = {.inference = true};
    if ((r = gx_plan_new(&plan, g, &settings, err)) || (r = gx_plan_allocate(plan, err)))
        goto done;
    memcpy(gx_plan_value(plan, input), x->data, (size_t)gx_count(x->shape) * sizeof(float));
    if (l)
        memcpy(gx_plan_value(plan, l), label->data, (size_t)gx_count(label->shape) * sizeof(float));
    gx_plan_run(plan, 0, 1, 0);
    *worst = 0;
    for (int i = 0; i < count && !r; i++) {
        char name[24] = "output";
        struct fixture_tensor want = {.data = NULL};
        if (i)
            snprintf(name, sizeof name, "output%d", i);
        r = fixture_read(expected, name, &want, err);
        if (!r && !gx_shape_equal(want.shape, out[i]->shape))
            r = gx_fail(err, GX_E_SHAPE, "'%s' has another shape", name);
        if (!r) {
            double d =
                fixture_deviation(gx_plan_value(plan, out[i]), want.data, gx_count(want.shape));
            *worst = d <= *worst ? *worst : d;
        }
        free(want.data);
    }
done:
    gx_plan_free(&plan);
    gx_graph_free(&g);
    return r;
}

/* The label of a fixture, "FILE:TENSOR", or none. */
FIXTURE_FUNCTION int fixture_label(const char *folder, const json_t *json,
                                   struct fixture_tensor *label, struct gx_err *err)
{
    const char *where = json_string_value(json_object_get(json, "label"));
    label->data = NULL;
    if (!where)
        return 0;
    char path[512];
    int file_name = (int)strcspn(where, ":");
    snprintf(path, sizeof path, "%s/%.*s", folder, file_name, where);
    struct gx_weights *file = NULL;
    int r = gx_weights_open(&file, path, err);
    if (!r)
        r = fixture_read(file, where + file_name + 1, label, err);
    gx_weights_close(&file);
    return r;
}

/* One weight file and one output of a fixture of kind "forward". */
FIXTURE_FUNCTION int fixture_forward(const char *folder, const json_t *json, const char *weights,
                                     const json_t *output, double *worst, struct gx_err *err)
{
    struct gx_weights *file = NULL, *expected = NULL;
    struct fixture_tensor x = {.data = NULL}, label = {.data = NULL};
    struct gx_network_spec spec;
    struct gx_params params;
    const char *stats = json_string_value(json_object_get(output, "stats"));
    char path[512], answer[512];
    int r;
    gx_params_init(&params);
    snprintf(path, sizeof path, "%s/%s", folder, weights);
    snprintf(answer, sizeof answer, "%s/%s", folder,
             json_string_value(json_object_get(output, "file")));
    if ((r = fixture_spec(&spec, json_object_get(json, "net"), err)) ||
        (r = gx_weights_open(&file, path, err)) || (r = gx_weights_open(&expected, answer, err)) ||
        (r = fixture_params(&spec, &params, file, "", err)) ||
        (r = fixture_input(folder, json_object_get(json, "input"), &x, err)) ||
        (r = fixture_label(folder, json, &label, err)))
        goto done;
    bool running = stats && !strcmp(stats, "running");
    r = fixture_run(&spec, &params, running ? GX_STATS_RUNNING : GX_STATS_BATCH, &x,
                    label.data ? &label : NULL, expected, worst, err);
done:
    free(x.data);
    free(label.data);
    gx_params_clear(&params);
    gx_weights_close(&file);
    gx_weights_close(&expected);
    return r;
}

/* ---- gradient penalties ---- */

struct fixture_penalty { /* deviations */
    double dx, value;
    double gradients; /* the largest of any weight's gradient, over the l2 norm of all of them */
};

FIXTURE_FUNCTION int fixture_gradients(const struct gx_params *params, struct gx_weights *data,
                                       double *deviation, struct gx_err *err)
{
    double worst = 0, square = 0;
    int r = 0;
    for (int i = 0; i < params->count && !r; i++) {
        const struct gx_param *param = params->param[i];
        size_t count = (size_t)gx_count(param->shape);
        char name[256];
        if (!gx_param_trained(param))
            continue;
        snprintf(name, sizeof name, "grad.%s", param->name);
        int at = gx_weights_find(data, name);
        if (at < 0 || gx_weights_info(data, at)->count != gx_count(param->shape))
            return gx_fail(err, GX_E_FORMAT, "the fixture has no tensor '%s' of this size", name);
        float *want = malloc(count * sizeof *want), *got = malloc(count * sizeof *got);
        r = gx_weights_read(data, at, want, err);
        gx_param_to_disk(param, param->grad, got);
        for (size_t k = 0; k < count && !r; k++) {
            double d = fabs((double)got[k] - want[k]);
            if (!(d <= worst))
                worst = d;
            square += (double)want[k] * want[k];
        }
        free(want);
        free(got);
    }
    *deviation = worst / sqrt(square);
    return r;
}

/* The penalty of D at x, what it is made of and its gradients, in one run. */
FIXTURE_FUNCTION int fixture_penalty_run(const struct gx_network_spec *spec,
                                         struct gx_params *params, int output,
                                         struct gx_weights *data, struct fixture_penalty *worst,
                                         struct gx_err *err)
{
    struct fixture_tensor x = {.data = NULL}, dx = {.data = NULL}, value = {.data = NULL};
    struct gx_graph *g = gx_graph_new();
    struct gx_plan *plan = NULL;
    int r;
    if ((r = fixture_read(data, "x", &x, err)) || (r = fixture_read(data, "dx", &dx, err)) ||
        (r = fixture_read(data, "penalty", &value, err)))
        goto done;
    const struct gx_plan_settings settings = {.threads = 0};
    struct gx_build build = {.graph = g, .params = params, .spec = spec};
    struct gx_node *input = gx_input(g, x.shape, "x"), *out[GX_OUTPUTS_MAX], *slope;
    spec->network->build(&build, input, NULL, out);
    gx_gradients(g, out[output], NULL, &input, 1, &slope);
    if (slope)
        gx_keep(slope);
    struct gx_node *penalty = gx_keep(gx_gradient_penalty(g, out[output], input, 1));
    gx_store_gradients(g, penalty, params);
    if ((r = gx_plan_new(&plan, g, &settings, err)) || (r = gx_plan_allocate(plan, err)))
        goto done;
    memcpy(gx_plan_value(plan, input), x.data, (size_t)gx_count(x.shape) * sizeof(float));
    gx_plan_run(plan, 0, 1, 0);
    worst->dx = fixture_deviation(gx_plan_value(plan, slope), dx.data, gx_count(dx.shape));
    worst->value = fixture_deviation(gx_plan_value(plan, penalty), value.data, 1);
    r = fixture_gradients(params, data, &worst->gradients, err);
done:
    gx_plan_free(&plan);
    gx_graph_free(&g);
    free(x.data);
    free(dx.data);
    free(value.data);
    return r;
}

/* A fixture of kind "gradient_penalty". */
FIXTURE_FUNCTION int fixture_gradient_penalty(const char *folder, const json_t *json,
                                              struct fixture_penalty *worst, struct gx_err *err)
{
    struct gx_network_spec spec;
    struct gx_weights *data = NULL;
    struct gx_params params;
    char path[512];
    int r, output = (int)json_integer_value(json_object_get(json, "output"));
    gx_params_init(&params);
    snprintf(path, sizeof path, "%s/%s", folder, json_string_value(json_object_get(json, "data")));
    if (!(r = fixture_spec(&spec, json_object_get(json, "net"), err)) &&
        !(r = gx_weights_open(&data, path, err)) &&
        !(r = fixture_params(&spec, &params, data, "weights.", err)) &&
        !(r = gx_params_allocate_gradients(&params, err)))
        r = fixture_penalty_run(&spec, &params, output, data, worst, err);
    gx_weights_close(&data);
    gx_params_clear(&params);
    return r;
}

#endif
