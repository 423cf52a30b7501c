/* What every file of a fast tier starts with. The files here are compiled once per tier (the
 * Makefile passes -DGX_TIER=v3 and the like): each function with external linkage is therefore
 * named GX_TIERED(name), and vectors are as wide as the tier's registers. Loads and stores through
 * a vf pointer may be unaligned. */
#ifndef GX_KERNEL_SIMD_H
#define GX_KERNEL_SIMD_H

#include "kernel/list.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define GX_PASTE_(tier, name) gx_##tier##_##name
#define GX_PASTE(tier, name)  GX_PASTE_(tier, name)
#define GX_TIERED(name)       GX_PASTE(GX_TIER, name)
#define GX_TEXT_(tier)        #tier
#define GX_TEXT(tier)         GX_TEXT_(tier)

#if defined(__AVX512F__)
#define GX_VECTOR_BYTES 64
#elif defined(__AVX__)
#define GX_VECTOR_BYTES 32
#else
#define GX_VECTOR_BYTES 16
#endif
#define GX_LANES (GX_VECTOR_BYTES / 4)

typedef float vf __attribute__((vector_size(GX_VECTOR_BYTES), aligned(4), may_alias));
typedef float vf4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(GX_VECTOR_BYTES), aligned(4), may_alias));

#define GX_DECLARE(member) GX_KERNEL_TYPE(member) GX_TIERED(member);
GX_KERNELS_CONV(GX_DECLARE)
GX_KERNELS_POINT(GX_DECLARE)
GX_KERNELS_MOVE(GX_DECLARE)
GX_KERNELS_PICTURE(GX_DECLARE)
#undef GX_DECLARE

extern const struct gx_kernels GX_TIERED(kernels);

static inline vf gx_load(const float *p)
{
    return *(const vf *)p;
}

static inline void gx_store(float *p, vf v)
{
    *(vf *)p = v;
}

/* Stores to memory past the caches, which large results that are not read soon would only flood:
 * p is a multiple of the vector's bytes. Other threads see them after gx_stream_end. */
static inline void gx_stream(float *p, vf v)
{
#if defined(__AVX512F__)
    _mm512_stream_ps(p, (__m512)v);
#elif defined(__AVX__)
    _mm256_stream_ps(p, (__m256)v);
#elif defined(__SSE__)
    _mm_stream_ps(p, (__m128)v);
#else
    gx_store(p, v);
#endif
}

static inline void gx_stream_end(void)
{
#if defined(__SSE__)
    _mm_sfence();
#endif
}

/* Lanes of two vectors, numbered through. */
#if defined(__clang__) || __GNUC__ >= 12
#define GX_LANES_OF(ints, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define GX_LANES_OF(ints, a, b, ...) __builtin_shuffle(a, b, (ints){__VA_ARGS__})
#endif

/* Of two vectors of four. */
#define GX_SHUFFLE(a, b, ...)                                                                      \
    GX_LANES_OF(int32_t __attribute__((vector_size(16))), a, b, __VA_ARGS__)

/* The same in each four lanes of two whole vectors. */
#define GX_LANE(i, four) ((i) < 4 ? (i) + 4 * (four) : (i)-4 + 4 * (four) + GX_LANES)
#define GX_FOUR(i, j, k, l, four)                                                                  \
    GX_LANE(i, four), GX_LANE(j, four), GX_LANE(k, four), GX_LANE(l, four)
#if GX_LANES == 16
#define GX_SHUFFLE_FOURS(a, b, ...)                                                                \
    GX_LANES_OF(vi, a, b, GX_FOUR(__VA_ARGS__, 0), GX_FOUR(__VA_ARGS__, 1),                        \
                GX_FOUR(__VA_ARGS__, 2), GX_FOUR(__VA_ARGS__, 3))
#elif GX_LANES == 8
#define GX_SHUFFLE_FOURS(a, b, ...)                                                                \
    GX_LANES_OF(vi, a, b, GX_FOUR(__VA_ARGS__, 0), GX_FOUR(__VA_ARGS__, 1))
#else
#define GX_SHUFFLE_FOURS GX_SHUFFLE
#endif

/* Lane i of every four, of four vectors: of each two of them in the first half of a vector, and of
 * all the halves of those. */
#if GX_LANES == 16
#define GX_FOURTHS(a, b, i)                                                                        \
    GX_LANES_OF(vi, a, b, (i), (i) + 4, (i) + 8, (i) + 12, (i) + 16, (i) + 20, (i) + 24, (i) + 28, \
                0, 0, 0, 0, 0, 0, 0, 0)
#define GX_HALVES(a, b)                                                                            \
    GX_LANES_OF(vi, a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#elif GX_LANES == 8
#define GX_FOURTHS(a, b, i) GX_LANES_OF(vi, a, b, (i), (i) + 4, (i) + 8, (i) + 12, 0, 0, 0, 0)
#define GX_HALVES(a, b)     GX_LANES_OF(vi, a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#else
#define GX_FOURTHS(a, b, i) GX_LANES_OF(vi, a, b, (i), (i) + 4, 0, 0)
#define GX_HALVES(a, b)     GX_LANES_OF(vi, a, b, 0, 1, 4, 5)
#endif

/* Number i of every four floats, from two rows of two vectors. */
static inline vf gx_every_fourth(const float *first, const float *second, int i)
{
    vf a = gx_load(first), b = gx_load(first + GX_LANES);
    vf c = gx_load(second), d = gx_load(second + GX_LANES);
    switch (i) {
    case 0:
        return GX_HALVES(GX_FOURTHS(a, b, 0), GX_FOURTHS(c, d, 0));
    case 1:
        return GX_HALVES(GX_FOURTHS(a, b, 1), GX_FOURTHS(c, d, 1));
    case 2:
        return GX_HALVES(GX_FOURTHS(a, b, 2), GX_FOURTHS(c, d, 2));
    default:
        return GX_HALVES(GX_FOURTHS(a, b, 3), GX_FOURTHS(c, d, 3));
    }
}

/* The sums of the lanes of each of four vectors. */
static inline vf4 gx_sum_lanes(const vf *v)
{
    union {
        vf whole;
        vf4 four[GX_LANES / 4];
    } u;
    vf a = v[0], b = v[1], c = v[2], d = v[3];
    vf ab = GX_SHUFFLE_FOURS(a, b, 0, 4, 1, 5) + GX_SHUFFLE_FOURS(a, b, 2, 6, 3, 7);
    vf cd = GX_SHUFFLE_FOURS(c, d, 0, 4, 1, 5) + GX_SHUFFLE_FOURS(c, d, 2, 6, 3, 7);
    u.whole = GX_SHUFFLE_FOURS(ab, cd, 0, 1, 4, 5) + GX_SHUFFLE_FOURS(ab, cd, 2, 3, 6, 7);
    vf4 sum = u.four[0];
    for (int j = 1; j < GX_LANES / 4; j++)
        sum += u.four[j];
    return sum;
}

/* That v is loaded once, rather than again by each instruction that can. */
#if defined(__x86_64__)
#define GX_KEEP(v) __asm__("" : "+v"(v))
#else
#define GX_KEEP(v) (void)0
#endif

/* The same number in every lane. */
static inline vf gx_splat(float a)
{
    return a - (vf){0};
}

#endif
