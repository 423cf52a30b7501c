/* Pixel shuffle: a pixel's channels are r r interleaved runs, which part into r runs for each of r
 * rows. For r = 2 the four are parted, or joined, in one go over the channels, by shuffles. */
#include "kernel/simd/simd.h"
#include "kernel/simd/parts.h"

/* Where things of one row of pixels lie: `parts` of the pixel at 0 and channel 0. */
struct row {
    float *x, *y; /* a row of (cols, c r r), and the first of its r rows of (cols r, c) */
    int64_t cols, c, r;
};

static void part_two(const struct row *k)
{
    const int64_t c = k->c, line = 2 * k->cols * c;
    for (int64_t w = 0; w < k->cols; w++) {
        const float *restrict x = k->x + 4 * w * c;
        float *restrict top = k->y + 2 * w * c, *restrict bottom = top + line;
#pragma omp simd
        for (int64_t i = 0; i < c; i++) {
            top[i] = x[4 * i];
            top[c + i] = x[4 * i + 1];
            bottom[i] = x[4 * i + 2];
            bottom[c + i] = x[4 * i + 3];
        }
    }
}

static void join_two(const struct row *k)
{
    const int64_t c = k->c, line = 2 * k->cols * c;
    for (int64_t w = 0; w < k->cols; w++) {
        float *restrict x = k->x + 4 * w * c;
        const float *restrict top = k->y + 2 * w * c, *restrict bottom = top + line;
#pragma omp simd
        for (int64_t i = 0; i < c; i++) {
            x[4 * i] = top[i];
            x[4 * i + 1] = top[c + i];
            x[4 * i + 2] = bottom[i];
            x[4 * i + 3] = bottom[c + i];
        }
    }
}

/* Any r, run by run. */
static void any(const struct row *k, bool back)
{
    const int64_t c = k->c, r = k->r, squares = r * r;
    for (int64_t w = 0; w < k->cols; w++)
        for (int64_t dy = 0; dy < r; dy++)
            for (int64_t dx = 0; dx < r; dx++) {
                float *x = k->x + w * c * squares + dy * r + dx;
                float *y = k->y + ((dy * k->cols + w) * r + dx) * c;
                for (int64_t i = 0; i < c; i++)
                    if (back)
                        x[i * squares] = y[i];
                    else
                        y[i] = x[i * squares];
            }
}

void GX_TIERED(pixel_shuffle)(const float *from, float *to, int64_t rows, int64_t cols, int64_t c,
                              int r, bool back, int threads)
{
    const int64_t row = cols * c * r * r;
    const int parts = gx_parts(rows * row, threads);
    float *x = back ? to : (float *)from, *y = back ? (float *)from : to;
#pragma omp parallel for num_threads(parts) schedule(static) if (parts > 1)
    for (int64_t i = 0; i < rows; i++) {
        const struct row k = {x + i * row, y + i * row, cols, c, r};
        if (r != 2)
            any(&k, back);
        else if (back)
            join_two(&k);
        else
            part_two(&k);
    }
}
