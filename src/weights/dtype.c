/* The types that weight files hold, and their conversion to and from float32. Half and bfloat16 are
 * done in integers, so that the result is the same with every compiler and processor. */
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

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t to_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31;
    uint32_t fraction = half & 0x3ff;
    if (exponent == 0) /* zero and the subnormal ones: fraction * 2^-24, exact in float32 */
        return from_bits(sign | to_bits((float)fraction * 0x1p-24f));
    exponent = exponent == 31 ? 255 : exponent + 112;
    return from_bits(sign | exponent << 23 | fraction << 13);
}

static uint16_t float_to_half(float value)
{
    uint32_t bits = to_bits(value), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude > 0x7f800000) /* not a number: stay one */
        return sign | 0x7e00;
    if (magnitude >= 0x47800000) /* 65536 and above */
        return sign | 0x7c00;
    if (magnitude < 0x38800000) /* below 2^-14: steps of 2^-24; rintf rounds ties to even */
        return sign | (uint16_t)rintf(from_bits(magnitude) * 0x1p24f);
    magnitude -= 112u << 23;
    magnitude += 0xfff + (magnitude >> 13 & 1); /* may carry into the exponent, up to infinity */
    return sign | (uint16_t)(magnitude >> 13);
}

static uint16_t float_to_bfloat(float value)
{
    uint32_t bits = to_bits(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
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
        EACH(uint16_t, half_to_float(v));
        break;
    case GX_BF16:
        EACH(uint16_t, from_bits((uint32_t)v << 16));
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
            half[i] = float_to_half(from[i]);
        else if (dtype == GX_BF16)
            half[i] = float_to_bfloat(from[i]);
        else if (dtype == GX_I64)
            integer[i] = float_to_integer(from[i]);
    }
}
