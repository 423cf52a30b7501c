/* Decoded samples -> NHWC floats: range, grey and colour, alpha, and colours under transparency. */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

/* One row of samples -> floats by table[v] (8 bits) or lo + v * step (16 bits). */
struct scale {
    float table[256];
    float lo, step;
    int bits;
};

static struct scale scale_of(int bits, float lo, float hi)
{
    double most = bits == 16 ? 65535 : 255;
    struct scale s = {.lo = lo, .step = (float)(((double)hi - lo) / most), .bits = bits};
    for (int v = 0; v < 256; v++)
        s.table[v] = (float)(lo + v * ((double)hi - lo) / 255);
    return s;
}

static inline float value(const struct scale *s, const void *samples, size_t at)
{
    return s->bits == 16 ? s->lo + s->step * (float)((const uint16_t *)samples)[at]
                         : s->table[((const uint8_t *)samples)[at]];
}

static float luma(const float *rgb)
{
    return 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
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

int gx_picture_read(struct gx_picture *p, int channels, float lo, float hi, float *to,
                    struct gx_err *err)
{
    if (channels != 1 && channels != 3 && channels != 4)
        return gx_fail(err, GX_E_USAGE, "cannot read '%s' as %d channels: 1, 3 or 4", p->name,
                       channels);
    int result = gx_picture_decode(p, err);
    if (result)
        return result;
    const void *samples = gx_picture_samples(p);
    const struct scale s = scale_of(p->facts.bits, lo, hi);
    int colours = p->facts.channels, bands = colours + p->facts.alpha;
    size_t pixels = (size_t)p->facts.width * p->facts.height;
    for (size_t i = 0; i < pixels; i++) {
        size_t at = i * bands;
        float v[4] = {value(&s, samples, at)};
        for (int k = 1; k < 3; k++)
            v[k] = colours == 3 ? value(&s, samples, at + k) : v[0];
        v[3] = p->facts.alpha ? value(&s, samples, at + colours) : hi;
        if (channels == 1)
            to[i] = colours == 3 ? luma(v) : v[0];
        else
            memcpy(to + i * channels, v, (size_t)channels * sizeof *v);
    }
    return p->facts.alpha && channels < 4 ? bleed(p, to, channels, err) : 0;
}
