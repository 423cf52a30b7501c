/* See half.h. Half precision has instructions of its own from v3 on; bfloat16 is the upper half of
 * a float32. */
#include "kernel/simd/half.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif

typedef uint16_t vh __attribute__((vector_size(GX_VECTOR_BYTES / 2), aligned(2), may_alias));
typedef uint32_t vu __attribute__((vector_size(GX_VECTOR_BYTES), aligned(4), may_alias));

static inline vf widen_vector(enum gx_dtype dtype, const uint16_t *from)
{
    if (dtype == GX_BF16)
        return (vf)(__builtin_convertvector(*(const vh *)from, vu) << 16);
#if defined(__AVX512F__)
    return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const void *)from));
#elif defined(__F16C__)
    return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const void *)from));
#else
    vf v;
    for (int j = 0; j < GX_LANES; j++)
        v[j] = gx_half_to_float(from[j]);
    return v;
#endif
}

void GX_TIERED(widen)(struct gx_weight w, int64_t count, float *to)
{
    const uint16_t *from = w.at;
    int64_t j = 0;
    if (w.dtype == GX_F32) {
        gx_copy(to, w.at, count);
        return;
    }
    for (; j + GX_LANES <= count; j += GX_LANES)
        gx_store(to + j, widen_vector(w.dtype, from + j));
    for (; j < count; j++)
        to[j] = gx_weight_one(w, j);
}

void GX_TIERED(pack_weights)(struct gx_weight b, int64_t ldb, int depth, int cols, float *slab)
{
    int whole = cols / GX_COLS * GX_COLS, rest = cols - whole;
    int width = rest > GX_LANES ? GX_COLS : GX_LANES;
    if (b.dtype == GX_F32) {
        GX_TIERED(pack)(b.at, ldb, depth, cols, slab);
        return;
    }
    const uint16_t *row = b.at;
    for (int k = 0; k < depth; k++, row += ldb) {
        float *to = slab + (int64_t)k * GX_COLS;
        for (int n = 0; n < whole; n += GX_COLS, to += (int64_t)depth * GX_COLS) {
            gx_store(to, widen_vector(b.dtype, row + n));
            gx_store(to + GX_LANES, widen_vector(b.dtype, row + n + GX_LANES));
        }
        if (rest) {
            to = slab + (int64_t)depth * whole + (int64_t)k * width;
            for (int j = 0; j < width; j++)
                to[j] = j < rest ? gx_weight_one(b, k * ldb + whole + j) : 0;
        }
    }
}

void GX_TIERED(pack_weights_transposed)(struct gx_weight b, int64_t ldb, int at, int depth,
                                        int total, int cols, float *slab)
{
    enum { RUN = 64, APART = RUN + 16 };
    float wide[GX_COLS * APART];
    if (b.dtype == GX_F32) {
        GX_TIERED(pack_transposed)(b.at, ldb, at, depth, total, cols, slab);
        return;
    }
    for (int n = 0; n < cols;) {
        int width = cols - n > GX_LANES ? GX_COLS : GX_LANES, count = gx_least(width, cols - n);
        for (int k = 0; k < depth; k += RUN) {
            int run = gx_least(RUN, depth - k);
            for (int j = 0; j < count; j++)
                GX_TIERED(widen)(gx_weight_at(b, (n + j) * ldb + k), run, wide + j * APART);
            GX_TIERED(pack_transposed)(wide, APART, at + k, run, total, count, slab);
        }
        n += count;
        slab += (int64_t)total * width;
    }
}

/* ---- narrowing ---- */

static inline void narrow_vector(enum gx_dtype dtype, const float *from, uint16_t *to)
{
#if defined(__AVX512F__)
    if (dtype == GX_F16) {
        _mm256_storeu_si256((void *)to, _mm512_cvtps_ph((__m512)gx_load(from), 0));
        return;
    }
#elif defined(__F16C__)
    if (dtype == GX_F16) {
        _mm_storeu_si128((void *)to, _mm256_cvtps_ph((__m256)gx_load(from), 0));
        return;
    }
#endif
    for (int j = 0; j < GX_LANES; j++)
        to[j] = dtype == GX_F16 ? gx_float_to_half(from[j]) : gx_float_to_bfloat(from[j]);
}

void GX_TIERED(halve)(enum gx_dtype dtype, const float *from, void *to, int64_t count, int threads)
{
    uint16_t *half = to;
    int parts = gx_parts(count, threads);
#pragma omp parallel for schedule(static, 1) num_threads(parts)
    for (int id = 0; id < parts; id++) {
        int64_t j = gx_share(count, GX_LANES, id, parts);
        int64_t end = gx_share(count, GX_LANES, id + 1, parts);
        for (; j + GX_LANES <= end; j += GX_LANES)
            narrow_vector(dtype, from + j, half + j);
        for (; j < end; j++)
            half[j] = dtype == GX_F16 ? gx_float_to_half(from[j]) : gx_float_to_bfloat(from[j]);
    }
}
