/* Reading what a fixture.json names. */
#include "parity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fixture_text(const json_t *object, const char *key, const char **text, struct gx_err *err)
{
    *text = json_string_value(json_object_get(object, key));
    return *text ? 0 : gx_fail(err, GX_E_FORMAT, "the fixture has no text '%s'", key);
}

int fixture_number(const json_t *object, const char *key, double *number, struct gx_err *err)
{
    const json_t *value = json_object_get(object, key);
    *number = json_number_value(value);
    return json_is_number(value) ? 0
                                 : gx_fail(err, GX_E_FORMAT, "the fixture has no number '%s'", key);
}

const char *fixture_word(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : otherwise;
}

double fixture_value(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

int fixture_open(const struct fixture *f, const char *file, struct gx_weights **weights,
                 struct gx_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", f->folder, file);
    return gx_weights_open(weights, path, err);
}

int fixture_tensor(struct gx_weights *file, const char *name, struct fixture_tensor *t,
                   struct gx_err *err)
{
    int at = gx_weights_find(file, name);
    if (at < 0)
        return gx_fail(err, GX_E_FORMAT, "the fixture has no tensor '%s'", name);
    const struct gx_tensor_info *info = gx_weights_info(file, at);
    int64_t d[4] = {1, 1, 1, 1};
    if (info->rank > 4)
        return gx_fail(err, GX_E_FORMAT, "tensor '%s' has %d dimensions", name, info->rank);
    memcpy(d, info->dims, (size_t)info->rank * sizeof *d);
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

int fixture_tensor_at(const struct fixture *f, const char *where, struct fixture_tensor *t,
                      struct gx_err *err)
{
    char name[1024];
    struct gx_weights *file = NULL;
    snprintf(name, sizeof name, "%s", where);
    char *colon = strchr(name, ':');
    if (!colon)
        return gx_fail(err, GX_E_FORMAT, "'%s' is not FILE:TENSOR", where);
    *colon = 0;
    int r = fixture_open(f, name, &file, err);
    if (!r)
        r = fixture_tensor(file, colon + 1, t, err);
    gx_weights_close(&file);
    return r;
}

bool fixture_networks_known(const struct fixture *f, const json_t *net)
{
    const char *name = json_string_value(json_object_get(net, "network")), *key;
    json_t *inner;
    if (name && !gx_network_find(name)) {
        parity_skipped(f, "network %s is not known yet", name);
        return false;
    }
    if (!name)
        json_object_foreach((json_t *)net, key,
                            inner) if (!fixture_networks_known(f, inner)) return false;
    return true;
}

/* "layout" says which names the tensors have, which the files show. */
int fixture_spec(struct gx_network_spec *spec, const json_t *net, struct gx_err *err)
{
    json_t *sizes = json_copy((json_t *)net);
    json_object_del(sizes, "layout");
    char *text = json_dumps(sizes, 0);
    json_decref(sizes);
    if (!text)
        return gx_fail(err, GX_E_FORMAT, "the fixture describes no network");
    int r = gx_spec_from_json(spec, text, err);
    free(text);
    return r;
}

int fixture_params(const struct gx_network_spec *spec, struct gx_params *params,
                   struct gx_weights *file, const char *prefix, struct gx_err *err)
{
    int r = gx_network_declare(spec, params, err);
    if (!r)
        r = gx_params_allocate(params, err);
    return r ? r : gx_params_load(params, file, prefix, err);
}

double fixture_deviation(const float *got, const float *want, int64_t count)
{
    double worst = 0, most = 1e-30;
    for (int64_t i = 0; i < count; i++) {
        double d = fabs((double)got[i] - want[i]);
        if (!(d <= worst)) /* not a number counts as worse, and stays */
            worst = isnan(worst) ? worst : d;
        if (fabs(want[i]) > most)
            most = fabs(want[i]);
    }
    return worst / most;
}
