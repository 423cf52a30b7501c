/* Noise, with numbers from counters: pixel i of a picture has the same whatever was drawn before. */
#include "image/clip.h"
#include "image/degrade_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Gaussian ---- */

/* Four normal numbers of a block (Box and Muller). */
static void normals(const struct gx_random *random, uint64_t block, float out[4])
{
    uint32_t word[4];
    gx_random_block(random->seed, random->stream, block, word);
    for (int i = 0; i < 4; i += 2) {
        float u = ((float)(word[i] >> 8) + 0.5f) * 0x1p-24f;
        float angle = 6.2831853f * (float)(word[i + 1] >> 8) * 0x1p-24f;
        float length = sqrtf(-2 * logf(u));
        out[i] = length * cosf(angle);
        out[i + 1] = length * sinf(angle);
    }
}

void gx_noise_gaussian(float *picture, int h, int w, int c, double deviation, bool grey,
                       const struct gx_random *random, uint64_t block)
{
    size_t count = (size_t)h * (size_t)w * (grey ? 1 : (size_t)c);
    size_t each = grey ? (size_t)c : 1;
    float sigma = (float)deviation;
    for (size_t i = 0; i < count; i += 4) {
        float noise[4];
        normals(random, block + i / 4, noise);
        for (size_t k = 0; k < 4 && i + k < count; k++)
            for (size_t j = 0; j < each; j++) {
                float *p = &picture[(i + k) * each + j];
                *p = gx_clip(*p + sigma * noise[k]);
            }
    }
}

/* ---- Poisson ----
 * Pictures are taken in 256 levels, so there are 256 means at most: each has a table of its
 * distribution, made when it is first met, and a number is looked up in it. */

enum { LEVELS = 256, LONGEST = 288 }; /* of a mean of 256: 8 deviations to both sides, and more */

struct distribution {
    int first, count;       /* 0: not made */
    uint32_t upto[LONGEST]; /* 2^32 times the share of numbers up to first + k */
};

static void distribution_init(struct distribution *d, double mean)
{
    double share[LONGEST], sum = 0, reach = 8 * sqrt(mean) + 8;
    int first = mean > reach ? (int)(mean - reach) : 0;
    int count = (int)(mean + reach) - first + 1;
    count = count < LONGEST ? count : LONGEST;
    for (int k = 0; k < count; k++) {
        int n = first + k;
        share[k] = mean > 0 ? exp(n * log(mean) - mean - lgamma(n + 1.0)) : n == 0;
        sum += share[k];
    }
    double upto = 0;
    for (int k = 0; k < count; k++) {
        upto += share[k] / sum;
        d->upto[k] = upto * 0x1p32 < 0xFFFFFFFFu ? (uint32_t)(upto * 0x1p32) : 0xFFFFFFFFu;
    }
    d->upto[count - 1] = 0xFFFFFFFFu;
    d->first = first;
    d->count = count;
}

static int distribution_at(const struct distribution *d, uint32_t u)
{
    int low = 0, high = d->count - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (u < d->upto[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return d->first + low;
}

static unsigned char level_of(float v)
{
    return (unsigned char)lrintf(gx_clip(v) * 255);
}

/* The levels whose noise is drawn, h x w x 1 if grey; gives the photons that white stands for. */
static int take_levels(const float *picture, size_t pixels, int c, bool grey, unsigned char *level)
{
    bool met[LEVELS] = {false};
    int levels = 0, photons = 1;
    size_t count = grey ? pixels : pixels * (size_t)c;
    for (size_t i = 0; i < count; i++) {
        const float *p = grey ? picture + i * (size_t)c : picture + i;
        level[i] = level_of(grey && c == 3 ? 0.2989f * p[0] + 0.587f * p[1] + 0.114f * p[2] : *p);
        levels += !met[level[i]];
        met[level[i]] = true;
    }
    while (photons < levels)
        photons *= 2;
    return photons;
}

int gx_noise_poisson(float *picture, int h, int w, int c, double strength, bool grey,
                     const struct gx_random *random, uint64_t block, struct gx_err *err)
{
    size_t pixels = (size_t)h * (size_t)w, count = grey ? pixels : pixels * (size_t)c;
    size_t each = grey ? (size_t)c : 1;
    struct distribution *table = calloc(LEVELS, sizeof *table);
    unsigned char *level = malloc(count);
    if (!table || !level) {
        free(table);
        free(level);
        return gx_fail(err, GX_E_NOMEM, "out of memory for noise of %dx%d", w, h);
    }
    int photons = take_levels(picture, pixels, c, grey, level);
    uint32_t word[4];
    for (size_t i = 0; i < count; i++) {
        struct distribution *d = &table[level[i]];
        if (i % 4 == 0)
            gx_random_block(random->seed, random->stream, block + i / 4, word);
        if (!d->count)
            distribution_init(d, level[i] / 255.0 * photons);
        double counted = (double)distribution_at(d, word[i % 4]) / photons;
        float noise = (float)(strength * (counted - level[i] / 255.0));
        for (size_t j = 0; j < each; j++)
            picture[i * each + j] = gx_clip(picture[i * each + j] + noise);
    }
    free(table);
    free(level);
    return 0;
}
