#include "image/clip.h"
#include "image/degrade_parts.h"

#include "image/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHAPES_PROB                                                                                \
    {                                                                                              \
        0.45, 0.25, 0.12, 0.03, 0.12, 0.03                                                         \
    }

const struct gx_degradation gx_degradation_defaults = {
    .kind = GX_DEGRADE_BICUBIC,
    .eight_bit = true,
    .margin = 16,
    .stage = {{.blur = {.prob = 1,
                        .size = {7, 21},
                        .shape_prob = SHAPES_PROB,
                        .sinc_prob = 0.1,
                        .sigma = {0.2, 3},
                        .betag = {0.5, 4},
                        .betap = {1, 2}},
               .resize_prob = {0.2, 0.7, 0.1},
               .resize_range = {0.15, 1.5},
               .noise_prob = 1,
               .gaussian_prob = 0.5,
               .gaussian_range = {1, 30},
               .poisson_range = {0.05, 3},
               .grey_prob = 0.4,
               .jpeg_prob = 1,
               .jpeg_range = {30, 95}},
              {.blur = {.prob = 0.8,
                        .size = {7, 21},
                        .shape_prob = SHAPES_PROB,
                        .sinc_prob = 0.1,
                        .sigma = {0.2, 1.5},
                        .betag = {0.5, 4},
                        .betap = {1, 2}},
               .resize_prob = {0.3, 0.4, 0.3},
               .resize_range = {0.3, 1.2},
               .noise_prob = 1,
               .gaussian_prob = 0.5,
               .gaussian_range = {1, 25},
               .poisson_range = {0.05, 2.5},
               .grey_prob = 0.4,
               .jpeg_prob = 1,
               .jpeg_range = {30, 95}}},
    .final_sinc_prob = 0.8,
};

/* ---- what is asked for ---- */

static int check_range(const char *name, int stage, const double range[2], double least,
                       double most, struct gx_err *err)
{
    if (range[0] <= range[1] && range[0] >= least && range[1] <= most)
        return 0;
    return gx_fail(err, GX_E_CONFIG,
                   "degrade.%s%s is %g,%g: the least, then the most, from %g to %g", name,
                   stage ? "2" : "", range[0], range[1], least, most);
}

static int check_prob(const char *name, int stage, const double *prob, int count,
                      struct gx_err *err)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += prob[i] >= 0 ? prob[i] : -1e9;
    if (sum > 0)
        return 0;
    return gx_fail(err, GX_E_CONFIG, "degrade.%s%s has nothing to choose, or less", name,
                   stage ? "2" : "");
}

static int check_blur(const struct gx_blur *b, int stage, struct gx_err *err)
{
    const double middle[2] = {1, 1};
    int code = check_range("blur_size", stage, b->size, 1, GX_KERNEL_MAX, err);
    if (!code && ((int)b->size[0] % 2 == 0 || (int)b->size[1] % 2 == 0))
        code = gx_fail(err, GX_E_CONFIG, "degrade.blur_size%s is %g,%g: sides of kernels are odd",
                       stage ? "2" : "", b->size[0], b->size[1]);
    if (!code)
        code = check_range("blur_sigma", stage, b->sigma, 0.01, 100, err);
    if (!code)
        code = check_range("betag_range", stage, b->betag, 0.01, 100, err);
    if (!code)
        code = check_range("betap_range", stage, b->betap, 0.01, 100, err);
    if (!code && (b->betag[0] > middle[0] || b->betag[1] < middle[1]))
        code = gx_fail(err, GX_E_CONFIG, "degrade.betag_range%s is %g,%g: it goes around 1",
                       stage ? "2" : "", b->betag[0], b->betag[1]);
    if (!code && (b->betap[0] > middle[0] || b->betap[1] < middle[1]))
        code = gx_fail(err, GX_E_CONFIG, "degrade.betap_range%s is %g,%g: it goes around 1",
                       stage ? "2" : "", b->betap[0], b->betap[1]);
    return code ? code : check_prob("shape_prob", stage, b->shape_prob, GX_BLUR_SHAPES, err);
}

static int check_stage(const struct gx_degrade_stage *s, int stage, struct gx_err *err)
{
    int code = check_blur(&s->blur, stage, err);
    if (!code)
        code = check_prob("resize_prob", stage, s->resize_prob, 3, err);
    if (!code)
        code = check_range("resize_range", stage, s->resize_range, 0.01, 8, err);
    if (!code && (s->resize_range[0] > 1 || s->resize_range[1] < 1))
        code = gx_fail(err, GX_E_CONFIG, "degrade.resize_range%s is %g,%g: it goes around 1",
                       stage ? "2" : "", s->resize_range[0], s->resize_range[1]);
    if (!code)
        code = check_range("gaussian_range", stage, s->gaussian_range, 0, 255, err);
    if (!code)
        code = check_range("poisson_range", stage, s->poisson_range, 0, 100, err);
    return code ? code : check_range("jpeg_range", stage, s->jpeg_range, 1, 100, err);
}

int gx_degradation_check(const struct gx_degradation *d, struct gx_err *err)
{
    int code = 0, stages = d->kind == GX_DEGRADE_REAL ? 2 : d->kind == GX_DEGRADE_CLASSIC;
    for (int i = 0; i < stages && !code; i++)
        code = check_stage(&d->stage[i], i, err);
    return code;
}

/* ---- random numbers ----
 * The choices for a sample lie at the head of its stream's blocks, the noise of each stage in
 * ranges of 2^32 blocks behind it; each slot of an unaligned sample has a range of its own. */

static uint64_t first_block(const struct gx_chance *chance, int range)
{
    return ((uint64_t)chance->slot * 8 + (uint64_t)range) << 32;
}

static struct gx_random choices_of(const struct gx_chance *chance)
{
    struct gx_random random = gx_random_at(chance->seed, GX_STREAM_DEGRADE,
                                           (uint64_t)chance->epoch << 32 | (uint32_t)chance->index);
    random.index = first_block(chance, 0) * 4;
    return random;
}

void gx_degrade_margin(const struct gx_degradation *d, int scale, const struct gx_chance *chance,
                       int margin[2])
{
    struct gx_random random = choices_of(chance);
    random.index = first_block(chance, 3) * 4;
    for (int i = 0; i < 2; i++) /* half the width of MATLAB's widened cubic, and a rest */
        margin[i] = d->kind == GX_DEGRADE_BICUBIC
                        ? 3 * scale
                        : d->margin + scale * (int)gx_random_below(&random, 8);
}

/* ---- one picture on its way ---- */

struct work {
    const struct gx_degradation *d;
    struct gx_random random;
    const struct gx_chance *chance;
    struct gx_err *err;
    float *now, *next; /* next has room for what is being made of now */
    int h, w, c;
};

static bool happens(struct work *work, double prob)
{
    return (double)gx_random_uniform(&work->random) < prob;
}

/* Room for a picture of that size in `next`. */
static int reserve(struct work *work, int h, int w)
{
    size_t floats = (size_t)h * (size_t)w * (size_t)work->c;
    free(work->next);
    work->next = malloc(floats * sizeof(float));
    return work->next
               ? 0
               : gx_fail(work->err, GX_E_NOMEM, "out of memory for a picture of %dx%d", w, h);
}

static void advance(struct work *work, int h, int w)
{
    float *before = work->now;
    work->now = work->next;
    work->next = before;
    work->h = h;
    work->w = w;
}

static int filter(struct work *work, const struct gx_kernel *kernel)
{
    int code = reserve(work, work->h, work->w);
    if (!code)
        code = gx_filter(work->now, work->h, work->w, work->c, kernel, work->next, work->err);
    if (!code)
        advance(work, work->h, work->w);
    return code;
}

static int blur(struct work *work, const struct gx_blur *blur)
{
    struct gx_kernel kernel;
    bool wanted = happens(work, blur->prob);
    gx_kernel_draw(&kernel, blur, &work->random);
    return wanted ? filter(work, &kernel) : 0;
}

/* To a size, by one of three filters at random. */
static int resize(struct work *work, int h, int w)
{
    enum gx_plain plain = (enum gx_plain)gx_random_below(&work->random, 3);
    if (h == work->h && w == work->w)
        return 0;
    int code = reserve(work, h, w);
    if (!code)
        code = gx_resize_plain(work->now, work->h, work->w, work->c, work->next, h, w, plain,
                               work->err);
    if (!code)
        advance(work, h, w);
    return code;
}

/* Larger, smaller or as it is, of what is h x w at factor 1. */
static int resize_by(struct work *work, const struct gx_degrade_stage *s, int h, int w)
{
    const double larger[2] = {1, s->resize_range[1]}, smaller[2] = {s->resize_range[0], 1};
    int which = gx_draw_one(&work->random, s->resize_prob, 3);
    double factor = gx_draw(&work->random, which ? smaller : larger);
    factor = which == 2 ? 1 : factor;
    int to_h = (int)(h * factor), to_w = (int)(w * factor);
    return resize(work, to_h > 1 ? to_h : 1, to_w > 1 ? to_w : 1);
}

static int add_noise(struct work *work, int stage)
{
    const struct gx_degrade_stage *s = &work->d->stage[stage];
    bool wanted = happens(work, s->noise_prob), gaussian = happens(work, s->gaussian_prob);
    bool grey = happens(work, s->grey_prob);
    double deviation = gx_draw(&work->random, s->gaussian_range) / 255;
    double strength = gx_draw(&work->random, s->poisson_range);
    uint64_t block = first_block(work->chance, 1 + stage);
    if (!wanted)
        return 0;
    if (!gaussian)
        return gx_noise_poisson(work->now, work->h, work->w, work->c, strength, grey, &work->random,
                                block, work->err);
    gx_noise_gaussian(work->now, work->h, work->w, work->c, deviation, grey, &work->random, block);
    return 0;
}

static int compress(struct work *work, const struct gx_degrade_stage *s)
{
    bool wanted = happens(work, s->jpeg_prob);
    int quality = (int)lrint(gx_draw(&work->random, s->jpeg_range));
    return wanted ? gx_jpeg(work->now, work->h, work->w, work->c, quality, work->err) : 0;
}

static int shrink(struct work *work, int h, int w, double scale)
{
    int code = reserve(work, h, w);
    if (!code)
        code = gx_imresize(work->now, work->h, work->w, work->c, scale, work->next, work->err);
    if (!code)
        advance(work, h, w);
    return code;
}

/* ---- the kinds ---- */

static int classic(struct work *work, int h, int w, double scale)
{
    const struct gx_degrade_stage *s = &work->d->stage[0];
    int code = blur(work, &s->blur);
    if (!code)
        code = shrink(work, h, w, scale);
    if (!code)
        code = add_noise(work, 0);
    return code ? code : compress(work, s);
}

/* The last size, and ringing as of a picture that was sharpened too much. */
static int last_resize(struct work *work, int h, int w)
{
    struct gx_kernel kernel;
    int code = resize(work, h, w);
    bool rings = happens(work, work->d->final_sinc_prob);
    gx_kernel_draw_sinc(&kernel, &work->d->stage[1].blur, &work->random);
    return !code && rings ? filter(work, &kernel) : code;
}

static int real(struct work *work, int h, int w)
{
    const struct gx_degrade_stage *s = work->d->stage;
    int code = blur(work, &s[0].blur);
    if (!code)
        code = resize_by(work, &s[0], work->h, work->w);
    if (!code)
        code = add_noise(work, 0);
    if (!code)
        code = compress(work, &s[0]);
    if (!code)
        code = blur(work, &s[1].blur);
    if (!code)
        code = resize_by(work, &s[1], h, w);
    if (!code)
        code = add_noise(work, 1);
    bool before = happens(work, 0.5);
    if (!code && before)
        code = last_resize(work, h, w);
    if (!code)
        code = compress(work, &s[1]);
    if (!code && !before)
        code = last_resize(work, h, w);
    return code;
}

static void finish(const struct gx_degradation *d, const float *from, size_t count, float *to)
{
    for (size_t i = 0; i < count; i++) {
        float v = gx_clip(from[i]);
        to[i] = d->eight_bit ? rintf(v * 255) / 255 : v;
    }
}

int gx_degrade(const struct gx_degradation *d, const float *from, int h, int w, int c, int scale,
               const struct gx_chance *chance, float *to, struct gx_err *err)
{
    int to_h = h / scale, to_w = w / scale;
    size_t floats = (size_t)h * (size_t)w * (size_t)c;
    struct work work = {d, choices_of(chance), chance, err, .h = h, .w = w, .c = c};
    work.now = malloc(floats * sizeof(float));
    if (!work.now)
        return gx_fail(err, GX_E_NOMEM, "out of memory for a picture of %dx%d", w, h);
    memcpy(work.now, from, floats * sizeof(float));
    int code = d->kind == GX_DEGRADE_REAL      ? real(&work, to_h, to_w)
               : d->kind == GX_DEGRADE_CLASSIC ? classic(&work, to_h, to_w, 1.0 / scale)
                                               : shrink(&work, to_h, to_w, 1.0 / scale);
    if (!code)
        finish(d, work.now, (size_t)to_h * (size_t)to_w * (size_t)c, to);
    free(work.now);
    free(work.next);
    return code;
}
