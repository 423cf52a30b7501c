/* Plain matrix products: OpenBLAS, single-threaded, on each thread's rows or columns of c. */
#include "kernel/simd/block.h"

#include <cblas.h>

void GX_TIERED(gemm)(int m, int p, int k, const float *a, int lda, bool ta, const float *b, int ldb,
                     bool tb, float beta, float *c, int ldc, int threads)
{
#pragma omp parallel for schedule(static, 1) num_threads(threads)
    for (int id = 0; id < threads; id++) {
        int r0 = m >= p ? (int)gx_share(m, GX_ROWS, id, threads) : 0;
        int r1 = m >= p ? (int)gx_share(m, GX_ROWS, id + 1, threads) : m;
        int c0 = m >= p ? 0 : (int)gx_share(p, GX_COLS, id, threads);
        int c1 = m >= p ? p : (int)gx_share(p, GX_COLS, id + 1, threads);
        if (r1 > r0 && c1 > c0)
            cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans,
                        tb ? CblasTrans : CblasNoTrans, r1 - r0, c1 - c0, k, 1,
                        a + (int64_t)r0 * (ta ? 1 : lda), lda, b + (int64_t)c0 * (tb ? ldb : 1),
                        ldb, beta, c + (int64_t)r0 * ldc + c0, ldc);
    }
}
