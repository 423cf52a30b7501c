/* photographs FOLDER COUNT WxH: pictures that take a decoder and an encoder as long as photographs
 * do, as JPEG: noise whose strength falls with its frequency, as in natural pictures (Field 1987). */
#include "ganx/image.h"
#include "util/arena.h"
#include "util/file.h"
#include "util/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { OCTAVES = 8, DIFFERENT = 4 /* pictures; the others are the last of these again */ };

/* Random values at the corners of squares of `cell` pixels, in between by cosine. */
static float lattice(uint64_t key, int x, int y, int cell)
{
    float corner[4], fx = (float)(x % cell) / (float)cell, fy = (float)(y % cell) / (float)cell;
    for (int k = 0; k < 4; k++) {
        uint64_t at = (uint64_t)(y / cell + k / 2) << 32 | (uint64_t)(x / cell + k % 2);
        struct gx_random r = gx_random_at(key, GX_STREAM_TEST, at);
        corner[k] = 2 * gx_random_uniform(&r) - 1;
    }
    float u = 0.5F - 0.5F * cosf(3.14159265F * fx), v = 0.5F - 0.5F * cosf(3.14159265F * fy);
    float top = corner[0] + u * (corner[1] - corner[0]);
    float bottom = corner[2] + u * (corner[3] - corner[2]);
    return top + v * (bottom - top);
}

static void paint(float *to, int w, int h, uint64_t seed)
{
#pragma omp parallel for
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int c = 0; c < 3; c++) {
                float value = 0;
                for (int k = 0; k < OCTAVES; k++) { /* colour is smoother than light */
                    uint64_t key =
                        seed * 64 + (uint64_t)k * 4 + (k < OCTAVES / 2 ? (uint64_t)c : 3);
                    value += lattice(key, x, y, 256 >> k) * powf(0.6F, (float)k);
                }
                to[((int64_t)y * w + x) * 3 + c] = fmaxf(-1, fminf(1, value * 0.7F));
            }
}

static int write_one(const char *folder, int index, const struct gx_pixels *pixels,
                     struct gx_err *err)
{
    char path[4096];
    struct gx_write_options options = gx_write_defaults;
    options.quality = 90;
    snprintf(path, sizeof path, "%s/%04d.jpg", folder, index);
    return gx_picture_write(pixels, NULL, &options, path, err);
}

int main(int argc, char **argv)
{
    struct gx_err err = {""};
    int w, h, count = argc == 4 ? atoi(argv[2]) : 0;
    if (count < 1 || sscanf(argv[3], "%dx%d", &w, &h) != 2 || w < 1 || h < 1) {
        fprintf(stderr, "photographs FOLDER COUNT WxH\n");
        return 2;
    }
    float *pixels = gx_new((size_t)w * (size_t)h * 3 * sizeof *pixels);
    const struct gx_pixels picture = {pixels, w, h, 3, -1, 1};
    int code = gx_image_start("", 1, &err);
    if (!code)
        code = gx_folder_make(argv[1], &err);
    for (int i = 0; i < count && !code; i++) {
        if (i < DIFFERENT)
            paint(pixels, w, h, (uint64_t)i);
        code = write_one(argv[1], i, &picture, &err);
    }
    free(pixels);
    if (code)
        fprintf(stderr, "photographs: %s\n", err.text);
    return code ? 1 : 0;
}
