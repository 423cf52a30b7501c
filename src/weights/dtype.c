/* The types that weight files hold, and their conversion to and from float32. */
#include "util/half.h"
#include "weights/weights.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weight files are little-endian");

static const struct {
    const char *name;
    int bytes;
} types[] = {
    [GX_F32] = {"F32", 4}, [GX_F16] = {"F16", 2},   [GX_BF16] = {"BF16", 2}, [GX_F64] = {"F64", 8},
    [GX_I64] = {"I64", 8}, [GX_I32] = {"I32", 4},   [GX_I16] = {"I16", 2},   [GX_I8] = {"I8", 1},
    [GX_U8] = {"U8", 1},   [GX_BOOL] = {"BOOL", 1},
};

const char *gx_dtype_name(enum gx_dtype dtype)
{
    return types[dtype].name;
}

int gx_dtype_bytes(enum gx_dtype dtype)
{
    return types[dtype].bytes;
}

static int64_t float_to_integer(float value)
{
    if (!(value < 0x1p63f)) /* too large, or not a number */
        return isnan(value) ? 0 : INT64_MAX;
    return value < -0x1p63f ? INT64_MIN : (int64_t)llrintf(value);
}

#define EACH(type, expression)                                                                     \
    do {                                                                                           \
        const uint8_t *bytes = from;                                                               \
        for (int64_t i = 0; i < count; i++) {                                                      \
            type v;                                                                                \
            memcpy(&v, bytes + (size_t)i * sizeof v, sizeof v);                                    \
            to[i] = (float)(expression);                                                           \
        }                                                                                          \
    } while (0)

void gx_to_float(enum gx_dtype dtype, const void *from, int64_t count, float *to)
{
    switch (dtype) {
    case GX_F32:
        memcpy(to, from, (size_t)count * sizeof *to);
        break;
    case GX_F16:
        EACH(uint16_t, gx_half_to_float(v));
        break;
    case GX_BF16:
        EACH(uint16_t, gx_bfloat_to_float(v));
        break;
    case GX_F64:
        EACH(double, v);
        break;
    case GX_I64:
        EACH(int64_t, v);
        break;
    case GX_I32:
        EACH(int32_t, v);
        break;
    case GX_I16:
        EACH(int16_t, v);
        break;
    case GX_I8:
        EACH(int8_t, v);
        break;
    case GX_U8:
        EACH(uint8_t, v);
        break;
    case GX_BOOL:
        EACH(uint8_t, v != 0);
        break;
    }
}

void gx_from_float(enum gx_dtype dtype, const float *from, int64_t count, void *to)
{
    uint16_t *half = to;
    int64_t *integer = to;
    if (dtype == GX_F32)
        memcpy(to, from, (size_t)count * sizeof *from);
    for (int64_t i = 0; i < count && dtype != GX_F32; i++) {
        if (dtype == GX_F16)
            half[i] = gx_float_to_half(from[i]);
        else if (dtype == GX_BF16)
            half[i] = gx_float_to_bfloat(from[i]);
        else if (dtype == GX_I64)
            integer[i] = float_to_integer(from[i]);
    }
}
