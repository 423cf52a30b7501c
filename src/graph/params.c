#include "ganx/params.h"
#include "kernel/kernel.h"
#include "util/arena.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    LINE = 64 / sizeof(float), /* floats in the unit that a tensor starts on */
    SQUARE = 16                /* of the reordering: one cache line of floats each way */
};

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

static bool convolution(const struct gx_param *param)
{
    return param->kind == GX_PARAM_CONV || param->kind == GX_PARAM_CONV_TRANSPOSED;
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
        if (convolution(param) && wide)
            param->dtype = dtype, halved++;
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

/* On disk a convolution is (o, i, taps), in memory (taps, i, o). What lies at `from` are o (to
 * memory) or taps (to disk) from `first` up to `last`. It passes through a small square, so that
 * each side is read and written a whole cache line at a time: strides are mostly powers of two, and
 * lines that are touched in turns would push one another out of the cache. Elements have 4 bytes or
 * 2. */
static inline __attribute__((always_inline)) void reorder(const struct gx_param *param,
                                                          int64_t first, int64_t last,
                                                          const char *from, char *to, bool to_disk,
                                                          const size_t bytes)
{
    int64_t taps = (int64_t)param->shape.n * param->shape.h;
    int64_t in = param->shape.w, out = param->shape.c;
    int64_t row = to_disk ? out : taps, column = to_disk ? taps : out; /* contiguous: from, to */
    int64_t skip = to_disk ? in * out : in * taps, step = to_disk ? in * taps : in * out;
    char square[SQUARE][SQUARE * sizeof(float)];
    for (int64_t c0 = first; c0 < last; c0 += SQUARE)
        for (int64_t i = 0; i < in; i++)
            for (int64_t r0 = 0; r0 < row; r0 += SQUARE) {
                int64_t rows = row - r0 < SQUARE ? row - r0 : SQUARE;
                int64_t columns = last - c0 < SQUARE ? last - c0 : SQUARE;
                for (int64_t c = 0; c < columns; c++)
                    memcpy(square[c], from + ((c0 - first + c) * skip + i * row + r0) * bytes,
                           (size_t)rows * bytes);
                for (int64_t r = 0; r < rows; r++)
                    for (int64_t c = 0; c < columns; c++)
                        memcpy(to + ((r0 + r) * step + i * column + c0 + c) * bytes,
                               square[c] + r * bytes, bytes);
            }
}

void gx_param_rows_from_disk(const struct gx_param *param, int64_t first, int64_t rows,
                             const void *disk, void *memory)
{
    int64_t dims[4];
    gx_param_dims(param, dims);
    int64_t row = gx_count(param->shape) / dims[0];
    if (convolution(param) && param->dtype == GX_F32)
        reorder(param, first, first + rows, disk, memory, false, sizeof(float));
    else if (convolution(param))
        reorder(param, first, first + rows, disk, memory, false, sizeof(uint16_t));
    else
        memcpy((float *)memory + first * row, disk, (size_t)(rows * row) * sizeof(float));
}

void gx_param_from_disk(const struct gx_param *param, const float *disk, float *memory)
{
    int64_t dims[4];
    gx_param_dims(param, dims);
    gx_param_rows_from_disk(param, 0, dims[0], disk, memory);
}

void gx_param_to_disk(const struct gx_param *param, const float *memory, float *disk)
{
    if (convolution(param))
        reorder(param, 0, (int64_t)param->shape.n * param->shape.h, (const char *)memory,
                (char *)disk, true, sizeof(float));
    else
        memcpy(disk, memory, (size_t)gx_count(param->shape) * sizeof(float));
}
