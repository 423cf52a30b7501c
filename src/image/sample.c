/* One sample: decode, scale, cut, mirror, to floats. As pytorch-CycleGAN-and-pix2pix prepares it:
 * bicubic to load_size squared (rounded to whole levels), then one random cut and flip for all that
 * belongs together. */
#include "ganx/image.h"
#include "image/dataset.h"
#include "util/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t gx_raster_bytes(const struct gx_raster *r)
{
    return (size_t)r->height * r->width * r->channels * (size_t)(r->bits / 8);
}

/* ---- decoding ---- */

static int out_of_memory(const char *path, struct gx_err *err)
{
    return gx_fail(err, GX_E_NOMEM, "out of memory for '%s'", path);
}

/* from: height x width x channels in 0..most, rounded and clipped into raster. */
static int quantise(const float *from, struct gx_raster *raster, const char *path,
                    struct gx_err *err)
{
    size_t count = (size_t)raster->height * raster->width * raster->channels;
    float most = raster->bits == 16 ? 65535 : 255;
    raster->samples = malloc(gx_raster_bytes(raster));
    if (!raster->samples)
        return out_of_memory(path, err);
    for (size_t i = 0; i < count; i++) {
        float v = from[i] > 0 ? from[i] < most ? from[i] : most : 0;
        if (raster->bits == 16)
            ((uint16_t *)raster->samples)[i] = (uint16_t)lrintf(v);
        else
            ((uint8_t *)raster->samples)[i] = (uint8_t)lrintf(v);
    }
    return 0;
}

/* The columns of one half of a picture w wide; whole: h x w x c, to: h x (w / 2) x c. */
static void take_half(const float *whole, int h, int w, int c, enum gx_half half, float *to)
{
    size_t row = (size_t)(w / 2) * c;
    for (int y = 0; y < h; y++)
        memcpy(to + y * row, whole + (size_t)y * w * c + (half == GX_RIGHT ? row : 0),
               row * sizeof *to);
}

/* One slot from an open picture. */
static int decode_slot(struct gx_picture *picture, const struct gx_view *view, int channels,
                       int load_size, struct gx_raster *raster, struct gx_err *err)
{
    const struct gx_facts *facts = gx_picture_facts(picture);
    int h = facts->height, w = facts->width;
    if (view->half != GX_WHOLE && w % 2)
        return gx_fail(err, GX_E_CONFIG, "'%s' is %dx%d: a side-by-side pair has an even width",
                       view->path, w, h);
    size_t bytes = (size_t)h * w * channels * sizeof(float);
    float *whole = malloc(bytes), *part = malloc(bytes), *scaled = NULL, *now = whole;
    int result = whole && part ? 0 : out_of_memory(view->path, err);
    if (!result)
        result = gx_picture_read(picture, channels, 0, facts->bits == 16 ? 65535 : 255, whole, err);
    if (!result && view->half != GX_WHOLE) {
        take_half(whole, h, w, channels, view->half, part);
        now = part;
        w /= 2;
    }
    if (!result && load_size) {
        scaled = malloc((size_t)load_size * load_size * channels * sizeof *scaled);
        result = scaled ? gx_resize(now, 1, h, w, channels, scaled, load_size, load_size,
                                    GX_FILTER_BICUBIC, err)
                        : out_of_memory(view->path, err);
        now = scaled;
        h = w = load_size;
    }
    if (!result) {
        *raster = (struct gx_raster){h, w, channels, facts->bits, NULL};
        result = quantise(now, raster, view->path, err);
    }
    free(whole);
    free(part);
    free(scaled);
    return result;
}

static int check_sizes(const struct gx_view *view, int slots, const struct gx_raster *raster,
                       struct gx_err *err)
{
    for (int k = 1; k < slots; k++)
        if (raster[k].height != raster[0].height || raster[k].width != raster[0].width)
            return gx_fail(err, GX_E_CONFIG,
                           "'%s' is %dx%d but '%s' is %dx%d: set data.load_size to scale both",
                           view[0].path, raster[0].width, raster[0].height, view[k].path,
                           raster[k].width, raster[k].height);
    return 0;
}

int gx_sample_decode(const struct gx_view *view, int slots, const struct gx_prepare *prepare,
                     struct gx_raster *raster, struct gx_err *err)
{
    const struct gx_open_options options = {.max_pixels = prepare->max_pixels};
    struct gx_picture *picture = NULL;
    int result = 0;
    memset(raster, 0, (size_t)slots * sizeof *raster);
    for (int k = 0; k < slots && !result; k++) {
        if (!k || strcmp(view[k].path, view[k - 1].path)) { /* two halves of one file: one decode */
            gx_picture_free(&picture);
            result = gx_picture_open(&picture, view[k].path, &options, err);
        }
        if (!result)
            result = decode_slot(picture, &view[k], prepare->channels[k], prepare->load_size,
                                 &raster[k], err);
    }
    gx_picture_free(&picture);
    if (!result)
        result = check_sizes(view, slots, raster, err);
    for (int k = 0; k < slots && result; k++) {
        free(raster[k].samples);
        raster[k].samples = NULL;
    }
    return result;
}

/* ---- cutting ---- */

struct cut {
    int x, y, height, width;
    bool flip;
};

static void place_slot(const struct gx_raster *raster, const struct cut *cut, float lo, float hi,
                       float *to)
{
    int c = raster->channels;
    double most = raster->bits == 16 ? 65535 : 255;
    float step = (float)(((double)hi - lo) / most);
    for (int y = 0; y < cut->height; y++)
        for (int x = 0; x < cut->width; x++) {
            int column = cut->x + (cut->flip ? cut->width - 1 - x : x);
            size_t from = ((size_t)(cut->y + y) * raster->width + column) * c;
            float *out = to + ((size_t)y * cut->width + x) * c;
            for (int k = 0; k < c; k++) {
                unsigned v = raster->bits == 16 ? ((const uint16_t *)raster->samples)[from + k]
                                                : ((const uint8_t *)raster->samples)[from + k];
                out[k] = lo + step * (float)v;
            }
        }
}

int gx_sample_place(const struct gx_raster *raster, int slots, const struct gx_prepare *prepare,
                    const struct gx_chance *chance, int height, int width, float *const *to,
                    const char *name, struct gx_err *err)
{
    struct cut cut = {.height = raster->height, .width = raster->width};
    if (prepare->crop_size)
        cut.height = cut.width = prepare->crop_size;
    if (cut.height > raster->height || cut.width > raster->width)
        return gx_fail(err, GX_E_CONFIG, "'%s' is %dx%d, smaller than data.crop_size %d", name,
                       raster->width, raster->height, prepare->crop_size);
    if (cut.height != height || cut.width != width)
        return gx_fail(err, GX_E_CONFIG,
                       "'%s' is %dx%d where others are %dx%d: set data.load_size or data.crop_size",
                       name, cut.width, cut.height, width, height);
    int right = raster->width - cut.width, down = raster->height - cut.height;
    cut.x = right / 2;
    cut.y = down / 2;
    if (prepare->augment) {
        struct gx_random random =
            gx_random_at(chance->seed, GX_STREAM_AUGMENT,
                         (uint64_t)chance->epoch << 32 | (uint32_t)chance->index);
        random.index = (uint64_t)chance->slot << 32;
        cut.x = (int)gx_random_below(&random, (uint32_t)right + 1);
        cut.y = (int)gx_random_below(&random, (uint32_t)down + 1);
        bool mirrored = gx_random_below(&random, 2);
        cut.flip = prepare->flip && mirrored;
    }
    for (int k = 0; k < slots; k++)
        place_slot(&raster[k], &cut, prepare->lo, prepare->hi, to[k]);
    return 0;
}

int gx_sample_size(const struct gx_view *view, const struct gx_prepare *prepare, int *height,
                   int *width, struct gx_err *err)
{
    int side = prepare->crop_size ? prepare->crop_size : prepare->load_size;
    *height = *width = side;
    if (side)
        return 0;
    struct gx_picture *picture;
    const struct gx_open_options options = {.max_pixels = prepare->max_pixels};
    if (gx_picture_open(&picture, view->path, &options, err))
        return -GX_E_CONFIG;
    *height = gx_picture_facts(picture)->height;
    *width = gx_picture_facts(picture)->width / (view->half == GX_WHOLE ? 1 : 2);
    gx_picture_free(&picture);
    return 0;
}
