/* The register tile, once for each number of rows. */
#include "kernel/simd/tile.h"

#define UNROLL _Pragma("GCC unroll 16")

enum {
    NEAR = 1024 /* floats ahead that a panel is asked for in L2: it may be too short, or too newly
                   written, for the CPU to foresee it */
};

static inline __attribute__((always_inline)) void run(const int rows, const int vectors,
                                                      const bool down, int k, const float *a,
                                                      const float *b, float *const *c,
                                                      const float *init, struct gx_soon soon)
{
    vf sum[GX_ROWS][2];
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            sum[r][v] = (vf){0};
            __builtin_prefetch(c[r] + v * GX_LANES, 1);
        }
    }
    for (int j = 0; j < k; j++) {
        vf right[2];
        UNROLL
        for (int v = 0; v < vectors; v++)
            right[v] = gx_load(b + v * GX_LANES);
        UNROLL
        for (int v = 0; v < vectors * GX_LANES; v += GX_LINE) {
            __builtin_prefetch(b + NEAR + v);
            __builtin_prefetch(soon.at + v / GX_LINE * soon.apart, 0, 2);
        }
        UNROLL
        for (int r = 0; r < rows; r++) {
            vf left = gx_splat(a[down ? r : r * GX_LDA]);
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[r][v] += left * right[v];
        }
        a += down ? GX_LDA : 1;
        b += vectors * GX_LANES;
        soon.at += soon.step;
    }
    UNROLL
    for (int r = 0; r < rows; r++) {
        const float *from = init ? init : c[r];
        UNROLL
        for (int v = 0; v < vectors; v++)
            gx_store(c[r] + v * GX_LANES, gx_load(from + v * GX_LANES) + sum[r][v]);
    }
}

typedef void tile_function(int k, const float *a, const float *b, float *const *c,
                           const float *init, struct gx_soon soon);

#define NAME(rows, vectors, down) rows_##rows##_##vectors##_##down
#define DEFINE(rows, vectors, down)                                                                \
    static void NAME(rows, vectors, down)(int k, const float *a, const float *b, float *const *c,  \
                                          const float *init, struct gx_soon soon)                  \
    {                                                                                              \
        run(rows, vectors, down, k, a, b, c, init, soon);                                          \
    }
#if defined(__AVX512F__)
#define EACH(X, v, d)                                                                              \
    X(1, v, d)                                                                                     \
    X(2, v, d)                                                                                     \
    X(3, v, d)                                                                                     \
    X(4, v, d)                                                                                     \
    X(5, v, d)                                                                                     \
    X(6, v, d)                                                                                     \
    X(7, v, d) X(8, v, d) X(9, v, d) X(10, v, d) X(11, v, d) X(12, v, d) X(13, v, d) X(14, v, d)
#elif defined(__AVX__)
#define EACH(X, v, d) X(1, v, d) X(2, v, d) X(3, v, d) X(4, v, d) X(5, v, d) X(6, v, d)
#else
#define EACH(X, v, d) X(1, v, d) X(2, v, d) X(3, v, d) X(4, v, d)
#endif

EACH(DEFINE, 1, 0)
EACH(DEFINE, 1, 1)
EACH(DEFINE, 2, 0)
EACH(DEFINE, 2, 1)

#define ROW(rows, vectors, down) NAME(rows, vectors, down),

static tile_function *const functions[2][2][GX_ROWS] = {
    {{EACH(ROW, 1, 0)}, {EACH(ROW, 1, 1)}},
    {{EACH(ROW, 2, 0)}, {EACH(ROW, 2, 1)}},
};

void GX_TIERED(tile)(int rows, bool wide, bool down, int k, const float *a, const float *b,
                     float *const *c, const float *init, const struct gx_soon *soon)
{
    struct gx_soon near = {b, GX_LINE, 0};
    functions[wide][down][rows - 1](k, a, b, c, init, soon ? *soon : near);
}
