#include "ganx/params.h"
#include "util/arena.h"

#include <stdlib.h>
#include <string.h>

enum { LINE = 64 / sizeof(float) }; /* floats in the unit that a tensor starts on */

static int64_t padded(int64_t count)
{
    return (count + LINE - 1) / LINE * LINE;
}

void gx_params_init(struct gx_params *params)
{
    *params = (struct gx_params){0};
}

void gx_params_clear(struct gx_params *params)
{
    for (int i = 0; i < params->count; i++) {
        free(params->param[i]->name);
        free(params->param[i]);
    }
    free(params->param);
    free(params->data);
    free(params->grad);
    gx_params_init(params);
}

struct gx_param *gx_params_find(const struct gx_params *params, const char *name)
{
    for (int i = 0; i < params->count; i++)
        if (!strcmp(params->param[i]->name, name))
            return params->param[i];
    return NULL;
}

struct gx_param *gx_params_declare(struct gx_params *params, const char *name,
                                   enum gx_param_kind kind, struct gx_shape shape)
{
    struct gx_param *param = gx_params_find(params, name);
    if (param)
        return param->kind == kind && gx_shape_equal(param->shape, shape) ? param : NULL;
    if (params->data || params->grad) /* the block has no room for another */
        return NULL;
    size_t size = strlen(name) + 1;
    param = gx_new(sizeof *param);
    param->name = memcpy(gx_new(size), name, size);
    param->kind = kind;
    param->shape = shape;
    params->param = gx_grow(params->param, ((size_t)params->count + 1) * sizeof *params->param);
    params->param[params->count++] = param;
    return param;
}

void gx_params_layout(struct gx_params *params)
{
    int64_t end = 0;
    for (int trained = 1; trained >= 0; trained--) {
        for (int i = 0; i < params->count; i++) {
            struct gx_param *param = params->param[i];
            if (gx_param_trained(param) != trained)
                continue;
            param->offset = end;
            end += padded(gx_count(param->shape));
        }
        if (trained)
            params->trained = end;
    }
    params->total = end;
}

static float *block(int64_t floats, const char *what, struct gx_err *err)
{
    size_t bytes = (size_t)(floats > 0 ? floats : LINE) * sizeof(float);
    float *memory = aligned_alloc(64, bytes);
    if (!memory) {
        (void)gx_fail(err, GX_E_NOMEM, "cannot allocate %zu bytes for %s", bytes, what);
        return NULL;
    }
    return memset(memory, 0, bytes);
}

int gx_params_allocate(struct gx_params *params, struct gx_err *err)
{
    if (params->data)
        return 0;
    gx_params_layout(params);
    params->data = block(params->total, "weights", err);
    if (!params->data)
        return -GX_E_NOMEM;
    for (int i = 0; i < params->count; i++)
        params->param[i]->data = params->data + params->param[i]->offset;
    return 0;
}

int gx_params_allocate_gradients(struct gx_params *params, struct gx_err *err)
{
    if (params->grad)
        return 0;
    gx_params_layout(params);
    params->grad = block(params->trained, "gradients", err);
    if (!params->grad)
        return -GX_E_NOMEM;
    for (int i = 0; i < params->count; i++)
        if (gx_param_trained(params->param[i]))
            params->param[i]->grad = params->grad + params->param[i]->offset;
    return 0;
}

static bool convolution(const struct gx_param *param)
{
    return param->kind == GX_PARAM_CONV || param->kind == GX_PARAM_CONV_TRANSPOSED;
}

int gx_param_dims(const struct gx_param *param, int64_t dims[4])
{
    struct gx_shape s = param->shape;
    if (convolution(param)) {
        dims[0] = s.c;
        dims[1] = s.w;
        dims[2] = s.n;
        dims[3] = s.h;
        return 4;
    }
    if (param->kind == GX_PARAM_LINEAR) {
        dims[0] = s.w;
        dims[1] = s.c;
        return 2;
    }
    dims[0] = gx_count(s);
    return 1;
}

/* On disk a convolution is (o, i, taps), in memory (taps, i, o). With o in the middle loop both
 * sides are read and written along whole cache lines. */
static void reorder(const struct gx_param *param, const float *from, float *to, bool to_disk)
{
    int64_t taps = (int64_t)param->shape.n * param->shape.h;
    int64_t in = param->shape.w, out = param->shape.c;
    for (int64_t i = 0; i < in; i++) {
        for (int64_t o = 0; o < out; o++) {
            for (int64_t t = 0; t < taps; t++) {
                int64_t disk = (o * in + i) * taps + t, memory = (t * in + i) * out + o;
                if (to_disk)
                    to[disk] = from[memory];
                else
                    to[memory] = from[disk];
            }
        }
    }
}

static void copy(const struct gx_param *param, const float *from, float *to, bool to_disk)
{
    if (convolution(param))
        reorder(param, from, to, to_disk);
    else
        memcpy(to, from, (size_t)gx_count(param->shape) * sizeof(float));
}

void gx_param_from_disk(const struct gx_param *param, const float *disk, float *memory)
{
    copy(param, disk, memory, false);
}

void gx_param_to_disk(const struct gx_param *param, const float *memory, float *disk)
{
    copy(param, memory, disk, true);
}
