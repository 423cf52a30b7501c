/* Numbers of 16 bits: half precision (IEEE 754) and bfloat16, a float32 without its lower half. In
 * integers, so that results are the same with every compiler and processor; to nearest, ties to
 * even. */
#ifndef GX_UTIL_HALF_H
#define GX_UTIL_HALF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float gx_float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t gx_bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float gx_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31;
    uint32_t fraction = half & 0x3ff;
    if (exponent == 0) /* zero and the subnormal ones: fraction * 2^-24, exact in float32 */
        return gx_float_of_bits(sign | gx_bits_of_float((float)fraction * 0x1p-24f));
    exponent = exponent == 31 ? 255 : exponent + 112;
    return gx_float_of_bits(sign | exponent << 23 | fraction << 13);
}

static inline uint16_t gx_float_to_half(float value)
{
    uint32_t bits = gx_bits_of_float(value), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (magnitude > 0x7f800000) /* not a number: stay one */
        return sign | 0x7e00;
    if (magnitude >= 0x47800000) /* 65536 and above */
        return sign | 0x7c00;
    if (magnitude < 0x38800000) /* below 2^-14: steps of 2^-24; rintf rounds ties to even */
        return sign | (uint16_t)rintf(gx_float_of_bits(magnitude) * 0x1p24f);
    magnitude -= 112u << 23;
    magnitude += 0xfff + (magnitude >> 13 & 1); /* may carry into the exponent, up to infinity */
    return sign | (uint16_t)(magnitude >> 13);
}

static inline float gx_bfloat_to_float(uint16_t bfloat)
{
    return gx_float_of_bits((uint32_t)bfloat << 16);
}

static inline uint16_t gx_float_to_bfloat(float value)
{
    uint32_t bits = gx_bits_of_float(value);
    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#endif
