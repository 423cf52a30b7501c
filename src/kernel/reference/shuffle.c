/* Pixel shuffle, element by element. */
#include "kernel/reference/reference.h"

void gx_ref_pixel_shuffle(const float *from, float *to, int64_t rows, int64_t cols, int64_t c,
                          int r, bool back, int threads)
{
    (void)threads;
    for (int64_t h = 0; h < rows * r; h++)
        for (int64_t w = 0; w < cols * r; w++)
            for (int64_t i = 0; i < c; i++) {
                int64_t x = (h / r * cols + w / r) * c * r * r + i * r * r + h % r * r + w % r;
                int64_t y = (h * cols * r + w) * c + i;
                to[back ? x : y] = from[back ? y : x];
            }
}
