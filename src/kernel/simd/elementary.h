/* Exponential, logarithm and their kin without branches, so that loops over them vectorise.
 * Taylor series on the reduced argument, whose first dropped term is below half a unit in the last
 * place; errors are a few units, and below 1e-6 of the result. Infinities, zeros and values that
 * are not numbers give what the C library gives. */
#ifndef GX_KERNEL_ELEMENTARY_H
#define GX_KERNEL_ELEMENTARY_H

#include <math.h>
#include <stdint.h>

static inline uint32_t gx_bits(float x)
{
    union {
        float f;
        uint32_t u;
    } both = {.f = x};
    return both.u;
}

static inline float gx_float(uint32_t u)
{
    union {
        uint32_t u;
        float f;
    } both = {.u = u};
    return both.f;
}

/* e^x = 2^n e^r with |r| <= ln 2 / 2; adding 1.5 * 2^23 rounds, and leaves n in the low bits. */
static inline float gx_expf(float x)
{
    const float magic = 12582912.0f;
    x = x > 89.0f ? 89.0f : x;     /* infinity */
    x = x < -104.0f ? -104.0f : x; /* zero */
    float shifted = x * 1.44269504f + magic, n = shifted - magic;
    float r = (x - n * 0.693359375f) + n * 2.12194440e-4f; /* ln 2 in two parts */
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r * r + r + 1.0f;
    /* In two steps: 2^n itself may be out of range where the product is not. */
    int32_t k = (int32_t)(gx_bits(shifted) - gx_bits(magic)), half = k >> 1;
    return p * gx_float((uint32_t)(half + 127) << 23) * gx_float((uint32_t)(k - half + 127) << 23);
}

/* log(2^k m) = k ln 2 + 2 artanh((m - 1) / (m + 1)), with m between sqrt(1/2) and sqrt(2). */
static inline float gx_logf(float x)
{
    const uint32_t root_half = 0x3f3504f3;
    float small = x < 1.17549435e-38f ? 1.0f : 0.0f;
    float scaled = x < 1.17549435e-38f ? x * 8388608.0f : x;
    uint32_t u = gx_bits(scaled) + (0x3f800000 - root_half);
    float k = (float)((int32_t)(u >> 23) - 127) - 23.0f * small;
    float f = gx_float((u & 0x7fffff) + root_half) - 1.0f;
    float s = f / (2.0f + f), z = s * s;
    float p = 1.0f / 9;
    p = p * z + 1.0f / 7;
    p = p * z + 1.0f / 5;
    p = p * z + 1.0f / 3;
    /* f - s f is 2 s: it keeps the digits of f */
    float y = f - s * (f - 2.0f * z * p) - k * 2.12194440e-4f + k * 0.693359375f;
    y = x > 3.4028235e38f ? x : y;
    y = x == 0.0f ? -INFINITY : y;
    return x >= 0.0f ? y : NAN;
}

/* Near 0 Lambert's continued fraction, five deep; else through e^(2|x|). */
static inline float gx_tanhf(float x)
{
    float a = fabsf(x), z = x * x;
    float near = x * (945.0f + z * (105.0f + z)) / (945.0f + z * (420.0f + z * 15.0f));
    float far = 1.0f - 2.0f / (gx_expf(2.0f * a) + 1.0f);
    far = x < 0.0f ? -far : far;
    return a < 0.625f ? near : far;
}

static inline float gx_sigmoidf(float x)
{
    return 1.0f / (1.0f + gx_expf(-x));
}

/* log(1 + u) as log(w) with w = 1 + u rounded, and what the rounding lost given back. */
static inline float gx_softplusf(float x)
{
    float u = gx_expf(-fabsf(x)), w = 1.0f + u;
    return (x > 0.0f ? x : 0.0f) + (gx_logf(w) + (u - (w - 1.0f)) / w);
}

#endif
