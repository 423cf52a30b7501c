/* Weights on disk and in memory.
 *
 * On disk a convolution is (o, i, taps), as PyTorch has it, in memory (taps, i, o): for each i a
 * matrix is transposed; or panels of it, (taps, o / panel, i, panel). Panels of a transposed one are
 * (taps, i / panel, o, panel), a matrix for each o. Large weights are written past the caches: none
 * is read until all are there. */
#include "ganx/params.h"
#include "kernel/turn.h"

#include <string.h>

enum { STREAMED = 1 << 20 }; /* bytes from which on weights are large */

int gx_param_dims(const struct gx_param *param, int64_t dims[4])
{
    struct gx_shape s = param->shape;
    if (gx_param_is_conv(param)) {
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

/* A kernel of a single tap is a matrix, whose columns then count as taps. */
static struct gx_turn turn_of(const struct gx_param *param, bool to_disk)
{
    int64_t taps = (int64_t)param->shape.n * param->shape.h;
    int64_t in = taps > 1 ? param->shape.w : 1, out = param->shape.c;
    taps = taps > 1 ? taps : param->shape.w;
    struct gx_turn t = {.count = in, .panel = INT64_MAX};
    t.width = t.apart = to_disk ? out : taps;
    t.skip = in * (to_disk ? out : taps);
    t.part = to_disk ? taps : out;
    t.step = in * (to_disk ? taps : out);
    return t;
}

/* Into panels; of a transposed one its matrices are `rows` of the disk's. */
static struct gx_turn turn_to_panels(const struct gx_param *param, int64_t rows)
{
    int64_t taps = (int64_t)param->shape.n * param->shape.h, wide = param->shape.w;
    int64_t deep = param->shape.c, panel = param->panel;
    struct gx_turn t = {.count = wide, .width = taps, .apart = taps, .skip = wide * taps};
    t.part = t.panel = panel;
    t.step = wide * deep;
    t.deep = wide * panel;
    if (param->kind == GX_PARAM_CONV_TRANSPOSED) {
        t.count = rows;
        t.apart = wide * taps;
        t.skip = taps;
        t.deep = deep * panel;
    } else if (taps == 1) { /* columns count as taps */
        t.count = 1;
        t.width = wide;
        t.step = panel;
    }
    return t;
}

void gx_param_rows_from_disk(const struct gx_param *param, int64_t first, int64_t rows,
                             const void *disk, void *memory)
{
    int64_t dims[4], count = gx_count(param->shape), last = first + rows;
    gx_param_dims(param, dims);
    int64_t row = count / dims[0];
    if (!gx_param_is_conv(param)) {
        memcpy((float *)memory + first * row, disk, (size_t)(rows * row) * sizeof(float));
        return;
    }
    struct gx_turn t = param->panel ? turn_to_panels(param, rows) : turn_of(param, false);
    int64_t bytes = param->dtype == GX_F32 ? sizeof(float) : sizeof(uint16_t);
    bool lines = (uintptr_t)memory % GX_TURN_LINE == 0 &&
                 (first * bytes | dims[0] * bytes) % GX_TURN_LINE == 0;
    t.past = lines && count * bytes >= STREAMED && param->panel * bytes % GX_TURN_LINE == 0;
    if (param->panel && param->kind == GX_PARAM_CONV_TRANSPOSED) {
        memory = (float *)memory + first * param->panel;
        first = 0, last = dims[1];
    }
    gx_turn(&t, first, last, disk, memory, (size_t)bytes);
}

void gx_param_from_disk(const struct gx_param *param, const float *disk, float *memory)
{
    int64_t dims[4];
    gx_param_dims(param, dims);
    gx_param_rows_from_disk(param, 0, dims[0], disk, memory);
}

void gx_param_to_disk(const struct gx_param *param, const float *memory, float *disk)
{
    struct gx_turn t = turn_of(param, true);
    if (gx_param_is_conv(param))
        gx_turn(&t, 0, t.part, memory, disk, sizeof(float));
    else
        memcpy(disk, memory, (size_t)gx_count(param->shape) * sizeof(float));
}
