#include "ganx/params.h"
#include "kernel/kernel.h"
#include "util/arena.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

enum { LINE = 64 / sizeof(float) }; /* floats in the unit that a tensor starts on */

static int64_t padded(int64_t count)
{
    return (count + LINE - 1) / LINE * LINE;
}

/* Room for a parameter in the block. */
static int64_t floats_of(const struct gx_param *param)
{
    int64_t count = gx_count(param->shape);
    return padded(param->dtype == GX_F32 ? count : (count + 1) / 2);
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
    gx_block_free(params->data, (size_t)params->total * sizeof(float));
    gx_block_free(params->grad, (size_t)params->trained * sizeof(float));
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
            end += floats_of(param);
        }
        if (trained)
            params->trained = end;
    }
    params->total = end;
}

static float *block(int64_t floats, const char *what, struct gx_err *err)
{
    size_t bytes = (size_t)floats * sizeof(float);
    float *memory = gx_block_new(bytes);
    if (!memory)
        (void)gx_fail(err, GX_E_NOMEM, "cannot allocate %zu bytes for %s", bytes, what);
    return memory;
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

/* Copies the weights of a block where all are float32 into the present one. */
static void round_weights(struct gx_params *params, const float *block)
{
    const struct gx_kernels *kernels = gx_kernels_best();
    int64_t at = 0;
    for (int trained = 1; trained >= 0; trained--)
        for (int i = 0; i < params->count; i++) {
            const struct gx_param *param = params->param[i];
            int64_t count = gx_count(param->shape);
            if (gx_param_trained(param) != trained)
                continue;
            if (param->dtype == GX_F32)
                memcpy(param->data, block + at, (size_t)count * sizeof *block);
            else
                kernels->halve(param->dtype, block + at, param->data, count, 1);
            at += padded(count);
        }
}

int gx_params_halve(struct gx_params *params, enum gx_dtype dtype, struct gx_err *err)
{
    float *block = params->data;
    size_t bytes = (size_t)params->total * sizeof *block;
    int halved = 0;
    for (int i = 0; i < params->count; i++) {
        struct gx_param *param = params->param[i];
        bool wide = param->shape.w >= GX_HALF_LEAST && param->shape.c >= GX_HALF_LEAST;
        if (gx_param_is_conv(param) && wide)
            param->dtype = dtype, halved++;
        param->terms = gx_param_is_conv(param) && !wide && dtype == GX_BF16;
    }
    for (int i = 0; i < params->count; i++)
        params->param[i]->fine = halved > GX_HALF_SHALLOW;
    if (!block || dtype == GX_F32)
        return 0;
    params->data = NULL;
    int code = gx_params_allocate(params, err);
    if (!code)
        round_weights(params, block);
    gx_block_free(block, bytes);
    return code;
}

void gx_params_panels(struct gx_params *params, int width)
{
    for (int i = 0; i < params->count; i++)
        width = params->param[i]->kind == GX_PARAM_STATE ? 0 : width;
    for (int i = 0; i < params->count; i++) {
        struct gx_param *param = params->param[i];
        bool turned = param->kind == GX_PARAM_CONV_TRANSPOSED;
        int in = turned ? param->shape.c : param->shape.w;
        int out = turned ? param->shape.w : param->shape.c;
        bool fits = width && param->dtype == GX_F32 && in >= GX_PANEL_LEAST && out % width == 0;
        param->panel = gx_param_is_conv(param) && fits ? width : 0;
    }
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
