/* One sample: decode and scale; place.c has the rest. As pytorch-CycleGAN-and-pix2pix prepares it:
 * bicubic to load_size squared or as `scaling` says (rounded to whole levels), then one random cut
 * and flip for all that belongs together. */
#include "image/dataset.h"
#include "image/image.h"

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

/* Part of a picture, in pixels. */
struct part {
    int x, y, w, h;
};

/* What a slot takes of its file: all or one half, of that the square in the middle. */
static struct part part_of(enum gx_half half, int center_crop, int w, int h)
{
    struct part p = {.w = half == GX_WHOLE ? w : w / 2, .h = h};
    p.x = half == GX_RIGHT ? p.w : 0;
    if (center_crop) {
        int side = p.w < p.h ? p.w : p.h;
        side = side < center_crop ? side : center_crop;
        p.x += (p.w - side) / 2;
        p.y += (p.h - side) / 2;
        p.w = p.h = side;
    }
    return p;
}

static int64_t to_four(int side)
{
    int64_t rounded = 4 * llrint(side / 4.0);
    return rounded > 4 ? rounded : 4;
}

/* The size that a part of w x h is scaled to. -GX_E_CONFIG when that is beyond the limit. */
static int scaled_size(const struct gx_prepare *p, const char *path, const struct part *part,
                       int *height, int *width, struct gx_err *err)
{
    int64_t w = part->w, h = part->h, most = p->max_pixels ? p->max_pixels : GX_MAX_PIXELS;
    if (p->scaling == GX_SCALE_FOUR) {
        w = to_four(part->w);
        h = to_four(part->h);
    } else if (p->load_size && p->scaling == GX_SCALE_SQUARE)
        w = h = p->load_size;
    else if (p->load_size && p->scaling == GX_SCALE_WIDTH) {
        int64_t least = p->crop_size ? p->crop_size : 1;
        w = p->load_size;
        h = w * part->h / part->w;
        h = h < least ? least : h;
    }
    if (w * h > most)
        return gx_fail(err, GX_E_CONFIG,
                       "'%s' would be scaled to %lldx%lld, more than the %lld pixels allowed", path,
                       (long long)w, (long long)h, (long long)most);
    *width = (int)w;
    *height = (int)h;
    return 0;
}

/* The part of a picture `wide` pixels wide; to: part->h x part->w x c. */
static void take_part(const float *whole, int wide, int c, const struct part *part, float *to)
{
    size_t row = (size_t)part->w * c;
    for (int y = 0; y < part->h; y++)
        memcpy(to + y * row, whole + ((size_t)(part->y + y) * wide + part->x) * c,
               row * sizeof *to);
}

/* Copies what needs no conversion: most photographs. */
static int take_samples(struct gx_picture *picture, const struct part *part,
                        struct gx_raster *raster, const char *path, struct gx_err *err)
{
    int result = gx_picture_decode(picture, err);
    if (result)
        return result;
    const char *from = gx_picture_samples(picture);
    size_t pixel = (size_t)raster->channels * (size_t)(raster->bits / 8);
    size_t wide = (size_t)gx_picture_facts(picture)->width, row = (size_t)part->w * pixel;
    char *to = raster->samples = malloc(gx_raster_bytes(raster));
    if (!to)
        return out_of_memory(path, err);
    for (int y = 0; y < part->h; y++)
        memcpy(to + (size_t)y * row,
               from + ((size_t)(part->y + y) * wide + (size_t)part->x) * pixel, row);
    return 0;
}

/* One slot from an open picture. */
static int decode_slot(struct gx_picture *picture, const struct gx_view *view, int channels,
                       const struct gx_prepare *prepare, struct gx_raster *raster,
                       struct gx_err *err)
{
    const struct gx_facts *facts = gx_picture_facts(picture);
    int h, w;
    if (view->half != GX_WHOLE && facts->width % 2)
        return gx_fail(err, GX_E_CONFIG, "'%s' is %dx%d: a side-by-side pair has an even width",
                       view->path, facts->width, facts->height);
    struct part part = part_of(view->half, prepare->center_crop, facts->width, facts->height);
    int result = scaled_size(prepare, view->path, &part, &h, &w, err);
    if (result)
        return result;
    *raster = (struct gx_raster){h, w, channels, facts->bits, NULL};
    if (h == part.h && w == part.w && facts->channels == channels && !facts->alpha)
        return take_samples(picture, &part, raster, view->path, err);
    bool all = part.w == facts->width && part.h == facts->height;
    size_t pixel = (size_t)channels * sizeof(float);
    float *whole = malloc((size_t)facts->height * facts->width * pixel);
    float *taken = all ? whole : malloc((size_t)part.h * part.w * pixel);
    float *scaled = malloc((size_t)h * w * pixel);
    result = whole && taken && scaled ? 0 : out_of_memory(view->path, err);
    if (!result)
        result = gx_picture_read(picture, channels, 0, facts->bits == 16 ? 65535 : 255, whole, err);
    if (!result && !all)
        take_part(whole, facts->width, channels, &part, taken);
    if (!result)
        result =
            gx_resize(taken, 1, part.h, part.w, channels, scaled, h, w, GX_FILTER_BICUBIC, err);
    if (!result)
        result = quantise(scaled, raster, view->path, err);
    if (!all)
        free(taken);
    free(whole);
    free(scaled);
    return result;
}

/* Slot 0's size is the measure; a sharp picture that it is to be 1/n of may have up to n - 1 pixels
 * more. */
static int check_sizes(const struct gx_view *view, int slots, const struct gx_prepare *prepare,
                       const struct gx_raster *raster, struct gx_err *err)
{
    for (int k = 1; k < slots; k++) {
        int ratio = gx_shrink_of(prepare, 0) / gx_shrink_of(prepare, k);
        if (raster[k].height / ratio == raster[0].height &&
            raster[k].width / ratio == raster[0].width)
            continue;
        if (ratio > 1)
            return gx_fail(err, GX_E_CONFIG, "'%s' is %dx%d, which is not 1/%d of '%s', %dx%d",
                           view[0].path, raster[0].width, raster[0].height, ratio, view[k].path,
                           raster[k].width, raster[k].height);
        return gx_fail(err, GX_E_CONFIG, "'%s' is %dx%d but '%s' is %dx%d: set %s to scale both",
                       view[0].path, raster[0].width, raster[0].height, view[k].path,
                       raster[k].width, raster[k].height,
                       prepare->scaling == GX_SCALE_SQUARE ? "data.load_size"
                                                           : "data.preprocess to resize_and_crop");
    }
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
            result = decode_slot(picture, &view[k], prepare->channels[k], prepare, &raster[k], err);
    }
    gx_picture_free(&picture);
    if (!result)
        result = check_sizes(view, slots, prepare, raster, err);
    for (int k = 0; k < slots && result; k++) {
        free(raster[k].samples);
        raster[k].samples = NULL;
    }
    return result;
}

/* ---- sizes ---- */

int gx_sample_size(const struct gx_view *view, int slot, const struct gx_prepare *prepare,
                   int *height, int *width, struct gx_err *err)
{
    bool square = prepare->scaling == GX_SCALE_SQUARE;
    *height = *width = prepare->crop_size ? prepare->crop_size : square ? prepare->load_size : 0;
    if (*height)
        return 0;
    struct gx_picture *picture;
    const struct gx_open_options options = {.max_pixels = prepare->max_pixels};
    if (gx_picture_open(&picture, view->path, &options, err))
        return -GX_E_CONFIG;
    const struct gx_facts *facts = gx_picture_facts(picture);
    struct part part = part_of(view->half, prepare->center_crop, facts->width, facts->height);
    int result = scaled_size(prepare, view->path, &part, height, width, err);
    gx_picture_free(&picture);
    int own = gx_shrink_of(prepare, slot), most = 1;
    for (int k = 0; k < GX_SLOTS; k++)
        most = gx_shrink_of(prepare, k) > most ? gx_shrink_of(prepare, k) : most;
    *height = *height * own / most * most;
    *width = *width * own / most * most;
    return result;
}
