/* Decoded samples -> NHWC floats: range, grey and colour, alpha, and colours under transparency. */
#include "image/image.h"
#include "image/resize.h"
#include "kernel/kernel.h"

#include <stdlib.h>
#include <string.h>

struct gx_scale gx_scale_of(int bits, float lo, float hi)
{
    double most = bits == 16 ? 65535 : 255;
    struct gx_scale s = {.lo = lo,
                         .hi = hi,
                         .step = (float)(((double)hi - lo) / most),
                         .bits = bits,
                         .plain = bits == 8 && lo == 0 && hi == 255};
    for (int v = 0; v < 256; v++)
        s.table[v] = (float)(lo + v * ((double)hi - lo) / 255);
    return s;
}

static inline float value(const struct gx_scale *s, const void *samples, size_t at)
{
    return s->bits == 16 ? s->lo + s->step * (float)((const uint16_t *)samples)[at]
                         : s->table[((const uint8_t *)samples)[at]];
}

static float luma(const float *rgb)
{
    return 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
}

void gx_samples_to_floats(const struct gx_scale *s, const struct gx_facts *facts,
                          const void *samples, size_t pixels, int channels, float *to)
{
    int colours = facts->channels, bands = colours + facts->alpha;
    int wanted = channels <= 2 ? 1 : 3;
    if (s->bits == 8 && bands == channels && colours == wanted && !facts->alpha) {
        const uint8_t *from = samples;
        size_t count = pixels * (size_t)channels;
        if (s->plain)
            gx_kernels_best()->bytes_to_floats(from, to, (int64_t)count);
        for (size_t i = 0; i < count && !s->plain; i++)
            to[i] = s->table[from[i]];
        return;
    }
    for (size_t i = 0; i < pixels; i++, to += channels) {
        size_t at = i * bands;
        float v[3] = {value(s, samples, at)};
        for (int k = 1; k < 3; k++)
            v[k] = colours == 3 ? value(s, samples, at + k) : v[0];
        if (wanted == 1)
            to[0] = colours == 3 ? luma(v) : v[0];
        else
            memcpy(to, v, sizeof v);
        if (channels > wanted)
            to[wanted] = facts->alpha ? value(s, samples, at + colours) : s->hi;
    }
}

/* ---- colours under transparency ----
 * A pyramid of weighted means is built up to one pixel; on the way down each pixel that has no
 * weight takes the colour of the pixel above it. Only wholly transparent pixels change. */

/* colour: h x w x c; seen: h x w, 1 where the colour counts, else 0. */
static int fill_unseen(float *colour, float *seen, int h, int w, int c)
{
    if (h == 1 && w == 1)
        return 0;
    int hh = (h + 1) / 2, hw = (w + 1) / 2;
    float *up = calloc((size_t)hh * hw * (c + 1), sizeof *up), *weight;
    if (!up)
        return -1;
    weight = up + (size_t)hh * hw * c;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)y * w + x, to = (size_t)(y / 2) * hw + x / 2;
            weight[to] += seen[at];
            for (int i = 0; i < c; i++)
                up[to * c + i] += seen[at] * colour[at * c + i];
        }
    for (size_t to = 0; to < (size_t)hh * hw; to++) {
        for (int i = 0; weight[to] > 0 && i < c; i++)
            up[to * c + i] /= weight[to];
        weight[to] = weight[to] > 0;
    }
    int failed = fill_unseen(up, weight, hh, hw, c);
    for (int y = 0; y < h && !failed; y++)
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)y * w + x, from = (size_t)(y / 2) * hw + x / 2;
            if (seen[at] == 0)
                memcpy(colour + at * c, up + from * c, (size_t)c * sizeof *colour);
        }
    free(up);
    return failed;
}

static int bleed(const struct gx_picture *p, float *colour, int c, struct gx_err *err)
{
    const void *samples = gx_picture_samples(p);
    size_t pixels = (size_t)p->facts.width * p->facts.height, unseen = 0;
    int bands = p->facts.channels + 1;
    float *seen = malloc(pixels * sizeof *seen);
    for (size_t i = 0; seen && i < pixels; i++) {
        size_t at = i * bands + bands - 1;
        seen[i] = p->facts.bits == 16 ? ((const uint16_t *)samples)[at] != 0
                                      : ((const uint8_t *)samples)[at] != 0;
        unseen += seen[i] == 0;
    }
    int failed = !seen;
    if (seen && unseen > 0 && unseen < pixels)
        failed = fill_unseen(colour, seen, p->facts.height, p->facts.width, c);
    free(seen);
    return failed ? gx_fail(err, GX_E_NOMEM, "out of memory for the transparency of '%s'", p->name)
                  : 0;
}

/* Whether colours come from elsewhere than their own pixel. */
static bool bleeds(const struct gx_picture *p, int channels)
{
    return p->facts.alpha && channels % 2;
}

static int check_channels(const struct gx_picture *p, int channels, struct gx_err *err)
{
    return channels < 1 || channels > 4
               ? gx_fail(err, GX_E_USAGE, "cannot read '%s' as %d channels: 1 to 4", p->name,
                         channels)
               : 0;
}

int gx_picture_read(struct gx_picture *p, int channels, float lo, float hi, float *to,
                    struct gx_err *err)
{
    int result = check_channels(p, channels, err);
    if (!result)
        result = gx_picture_decode(p, err);
    if (result)
        return result;
    const struct gx_scale s = gx_scale_of(p->facts.bits, lo, hi);
    gx_samples_to_floats(&s, &p->facts, gx_picture_samples(p),
                         (size_t)p->facts.width * p->facts.height, channels, to);
    return bleeds(p, channels) ? bleed(p, to, channels, err) : 0;
}

/* ---- scaled, without the floats of the whole picture ----
 * Samples are scaled as they are, strips of rows as they are decoded where that can be done in
 * order, and the result is brought to its range. */

enum { STRIP = 16, REASON = 256 };

struct scaled {
    struct gx_picture *picture;
    struct gx_scale scale;
    int channels, to_w, to_h;
    float *to;
    VipsRegion *region; /* of what is being decoded; NULL: all is */
    bool failed;
    int code; /* of what has failed besides */
    struct gx_err *err;
};

/* NULL: it cannot be decoded. */
static const void *samples_at(struct scaled *s, int y)
{
    const struct gx_facts *facts = &s->picture->facts;
    size_t row =
        (size_t)facts->width * (size_t)(facts->channels + facts->alpha) * (size_t)(facts->bits / 8);
    if (!s->region)
        return (const char *)gx_picture_samples(s->picture) + (size_t)y * row;
    int left = facts->height - y;
    const VipsRect strip = {0, y, facts->width, left < STRIP ? left : STRIP};
    if (y % STRIP == 0 && !s->failed)
        s->failed = vips_region_prepare(s->region, &strip);
    return s->failed ? NULL : VIPS_REGION_ADDR(s->region, 0, y);
}

static const float *read_row(void *state, int y, float *room)
{
    struct scaled *s = state;
    size_t width = (size_t)s->picture->facts.width;
    const void *samples = samples_at(s, y);
    if (samples)
        gx_samples_to_floats(&s->scale, &s->picture->facts, samples, width, s->channels, room);
    else
        memset(room, 0, width * (size_t)s->channels * sizeof *room);
    return room;
}

static int scale_rows(struct scaled *s)
{
    const struct gx_facts *facts = &s->picture->facts;
    const struct gx_row_way way = {.state = s, .read = read_row, .to = s->to};
    return gx_resize_rows(&way, facts->height, facts->width, s->channels, s->to_h, s->to_w,
                          GX_FILTER_BICUBIC, s->err);
}

static int decode_rows(void *of)
{
    struct scaled *s = of;
    VipsImage *image;
    if (gx_picture_pipeline(s->picture, &image))
        return -1;
    s->region = vips_region_new(image);
    s->failed = !s->region || gx_picture_same(s->picture, image);
    s->code = s->failed ? 0 : scale_rows(s);
    if (s->region)
        g_object_unref(s->region);
    g_object_unref(image);
    return s->failed ? -1 : 0;
}

/* Transparency is wanted again when the result is written: then all is decoded. */
static int read_rows(struct scaled *s)
{
    char reason[REASON];
    if (s->picture->facts.alpha || !gx_picture_ordered(s->picture)) {
        int code = gx_picture_decode(s->picture, s->err);
        return code ? code : scale_rows(s);
    }
    if (gx_vips_try(decode_rows, s, reason, sizeof reason))
        return gx_picture_fail(s->picture, reason, s->err);
    return s->code;
}

static int read_whole(struct gx_picture *p, int channels, float most, int to_w, int to_h, float *to,
                      struct gx_err *err)
{
    int w = p->facts.width, h = p->facts.height;
    float *whole = malloc((size_t)w * (size_t)h * (size_t)channels * sizeof *whole);
    int result = whole ? gx_picture_read(p, channels, 0, most, whole, err)
                       : gx_fail(err, GX_E_NOMEM, "out of memory for '%s'", p->name);
    if (!result)
        result = gx_resize(whole, 1, h, w, channels, to, to_h, to_w, GX_FILTER_BICUBIC, err);
    free(whole);
    return result;
}

/* From 0..most, which bicubic leaves by a little. */
static void bring_to_range(float *to, size_t count, float most, float lo, float hi)
{
    float step = (float)(((double)hi - lo) / most);
#pragma omp simd
    for (size_t i = 0; i < count; i++) {
        float v = lo + step * to[i];
        v = v < lo ? lo : v;
        to[i] = v > hi ? hi : v;
    }
}

int gx_picture_read_scaled(struct gx_picture *p, int channels, float lo, float hi, int to_w,
                           int to_h, float *to, struct gx_err *err)
{
    int w = p->facts.width, h = p->facts.height, result = check_channels(p, channels, err);
    if (result || (w == to_w && h == to_h))
        return result ? result : gx_picture_read(p, channels, lo, hi, to, err);
    float most = p->facts.bits == 16 ? 65535 : 255;
    struct scaled s = {p, gx_scale_of(p->facts.bits, 0, most), channels, to_w, to_h, to};
    s.err = err;
    result =
        bleeds(p, channels) ? read_whole(p, channels, most, to_w, to_h, to, err) : read_rows(&s);
    if (!result)
        bring_to_range(to, (size_t)to_w * (size_t)to_h * (size_t)channels, most, lo, hi);
    return result;
}
