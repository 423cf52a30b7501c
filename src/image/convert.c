/* What libvips decoded -> upright sRGB or grey samples of 8 or 16 bits, alpha after them: a pipeline
 * that computes rows as they are asked for. */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

/* ---- a picture on its way: each step takes the last one's place ---- */

struct chain {
    VipsImage *now;
};

/* Takes `next`. */
static void advance(struct chain *chain, VipsImage *next)
{
    g_object_unref(chain->now);
    chain->now = next;
}

/* ---- what kind of picture it is ---- */

static bool is_float(const VipsImage *image)
{
    return image->BandFmt == VIPS_FORMAT_FLOAT || image->BandFmt == VIPS_FORMAT_DOUBLE;
}

int gx_colour_bands(const VipsImage *image)
{
    switch (image->Type) {
    case VIPS_INTERPRETATION_B_W:
    case VIPS_INTERPRETATION_GREY16:
        return 1;
    case VIPS_INTERPRETATION_CMYK:
        return image->Bands >= 4 ? 4 : 0;
    case VIPS_INTERPRETATION_MULTIBAND:
        return image->Bands <= 2 ? 1 : image->Bands <= 4 ? 3 : 0;
    case VIPS_INTERPRETATION_sRGB:
    case VIPS_INTERPRETATION_RGB:
    case VIPS_INTERPRETATION_RGB16:
    case VIPS_INTERPRETATION_scRGB:
    case VIPS_INTERPRETATION_LAB:
    case VIPS_INTERPRETATION_LABS:
    case VIPS_INTERPRETATION_XYZ:
        return image->Bands >= 3 ? 3 : image->Bands <= 2 ? 1 : 0;
    default:
        return 0;
    }
}

/* ---- colour ---- */

bool gx_profile_fits(const VipsImage *image, int channels)
{
    enum {
        SPACE = 16,
        HEADER = 128
    }; /* of ICC.1: the colour space's signature, the header's end */
    const void *profile;
    size_t size;
    bool samples = image->BandFmt == VIPS_FORMAT_UCHAR || image->BandFmt == VIPS_FORMAT_USHORT;
    bool plain = image->Type != VIPS_INTERPRETATION_LAB && image->Type != VIPS_INTERPRETATION_XYZ &&
                 gx_colour_bands(image) == channels;
    return samples && plain && vips_image_get_typeof(image, VIPS_META_ICC_NAME) &&
           !vips_image_get_blob(image, VIPS_META_ICC_NAME, &profile, &size) && size > HEADER &&
           !memcmp((const char *)profile + SPACE, channels == 1 ? "GRAY" : "RGB ", 4);
}

/* Whether an RGB profile moves no colour by more than one 8-bit level: then it is sRGB by another
 * name, and leaving the samples alone keeps them exact. */
static bool profile_is_srgb(VipsImage *image)
{
    enum { STEPS = 9, COUNT = STEPS * STEPS * STEPS };
    unsigned char grid[COUNT * 3];
    for (int i = 0; i < COUNT * 3; i++) {
        int pixel = i / 3, digit = i % 3;
        int step = digit == 0   ? pixel % STEPS
                   : digit == 1 ? pixel / STEPS % STEPS
                                : pixel / (STEPS * STEPS);
        grid[i] = (unsigned char)(step * 255 / (STEPS - 1));
    }
    const void *profile;
    size_t size, bytes = 0;
    bool same = false;
    VipsImage *probe =
        vips_image_new_from_memory(grid, sizeof grid, COUNT, 1, 3, VIPS_FORMAT_UCHAR);
    VipsImage *out = NULL;
    unsigned char *moved = NULL;
    if (probe && !vips_image_get_blob(image, VIPS_META_ICC_NAME, &profile, &size)) {
        probe->Type = VIPS_INTERPRETATION_sRGB;
        vips_image_set_blob_copy(probe, VIPS_META_ICC_NAME, profile, size);
        if (!vips_icc_transform(probe, &out, "srgb", "embedded", TRUE, "intent",
                                VIPS_INTENT_RELATIVE, NULL))
            moved = vips_image_write_to_memory(out, &bytes);
        same = moved && bytes == sizeof grid;
        for (int i = 0; same && i < COUNT * 3; i++)
            same = abs(moved[i] - grid[i]) <= 1;
    }
    g_free(moved);
    if (out)
        g_object_unref(out);
    if (probe)
        g_object_unref(probe);
    return same;
}

/* The embedded profile where there is one that fits; true if the picture is sRGB now. */
static bool apply_profile(struct chain *c, int bits)
{
    VipsImage *next;
    if (is_float(c->now) || !vips_image_get_typeof(c->now, VIPS_META_ICC_NAME))
        return false;
    if (c->now->Bands == 3 && profile_is_srgb(c->now))
        return false;
    if (vips_icc_transform(c->now, &next, "srgb", "embedded", TRUE, "intent", VIPS_INTENT_RELATIVE,
                           "black_point_compensation", TRUE, "depth", bits, NULL))
        return false; /* a profile for another kind of picture, or none at all */
    advance(c, next);
    return true;
}

/* PPM files count to any number below 65536; libvips leaves the samples as they are. */
static int stretch(struct chain *c)
{
    int most, full = c->now->BandFmt == VIPS_FORMAT_UCHAR ? 255 : 65535;
    if (is_float(c->now) || !vips_image_get_typeof(c->now, "ppm-max-value") ||
        vips_image_get_int(c->now, "ppm-max-value", &most) || most < 1 || most == full)
        return 0;
    VipsImage *next;
    VipsBandFormat format = c->now->BandFmt;
    if (vips_linear1(c->now, &next, (double)full / most, 0.5, NULL))
        return -1;
    advance(c, next);
    if (vips_cast(c->now, &next, format, NULL))
        return -1;
    advance(c, next);
    return 0;
}

/* Floats without a colour space of their own are linear light, 0..1 (PFM, TIFF). */
static int name_linear(struct chain *c)
{
    VipsImage *next;
    if (!is_float(c->now) || c->now->Type == VIPS_INTERPRETATION_LAB ||
        c->now->Type == VIPS_INTERPRETATION_XYZ)
        return 0;
    if (c->now->Bands == 1) {
        VipsImage *three[3] = {c->now, c->now, c->now};
        if (vips_bandjoin(three, &next, 3, NULL))
            return -1;
        advance(c, next);
    }
    if (vips_copy(c->now, &next, "interpretation", VIPS_INTERPRETATION_scRGB, NULL))
        return -1;
    advance(c, next);
    return 0;
}

/* Colour bands of the file -> 1 or 3 bands of sRGB, uchar or ushort. */
static int to_srgb(struct chain *c, const struct gx_facts *facts)
{
    VipsImage *next;
    VipsInterpretation wanted =
        facts->bits == 16 ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB;
    if (stretch(c))
        return -1;
    if (facts->profile || !apply_profile(c, facts->bits)) {
        bool plain = !is_float(c->now) && (c->now->Bands == 1 || c->now->Bands == 3) &&
                     c->now->Type != VIPS_INTERPRETATION_LABS;
        if (name_linear(c))
            return -1;
        if (!plain) {
            if (vips_colourspace(c->now, &next, wanted, NULL))
                return -1;
            advance(c, next);
        }
    }
    if (facts->channels < c->now->Bands) { /* a grey picture stays one */
        if (vips_extract_band(c->now, &next, facts->channels == 1 ? 1 : 0, "n", facts->channels,
                              NULL))
            return -1;
        advance(c, next);
    }
    if (vips_cast(c->now, &next, facts->bits == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR, NULL))
        return -1;
    advance(c, next);
    return 0;
}

/* Adds the alpha band of `whole` to the converted colours. */
static int add_alpha(struct chain *c, VipsImage *whole, int band, const struct gx_facts *facts)
{
    VipsImage *next;
    struct chain alpha = {NULL};
    if (vips_extract_band(whole, &alpha.now, band, NULL))
        return -1;
    int failed = stretch(&alpha);
    if (!failed && is_float(whole)) {
        double full = whole->Type == VIPS_INTERPRETATION_LAB ? 65535 / 255.0 : 65535;
        if (!(failed = vips_linear1(alpha.now, &next, full, 0.5, NULL)))
            advance(&alpha, next);
    }
    if (!failed &&
        !(failed = vips_cast(alpha.now, &next,
                             facts->bits == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR, NULL)))
        advance(&alpha, next);
    if (!failed && !(failed = vips_bandjoin2(c->now, alpha.now, &next, NULL)))
        advance(c, next);
    g_object_unref(alpha.now);
    return failed;
}

int gx_convert(VipsImage *whole, const struct gx_facts *facts, VipsImage **to)
{
    struct chain c = {whole};
    VipsImage *next;
    int bands = gx_colour_bands(whole), failed = 0;
    g_object_ref(whole);
    *to = NULL;
    if (whole->Bands > bands && !(failed = vips_extract_band(whole, &next, 0, "n", bands, NULL)))
        advance(&c, next);
    if (failed || to_srgb(&c, facts) || (facts->alpha && add_alpha(&c, whole, bands, facts))) {
        g_object_unref(c.now);
        return -1;
    }
    *to = c.now;
    return 0;
}

/* ---- orientation ---- */

int gx_orientation(VipsImage *whole, const struct gx_facts *facts)
{
    int orientation = facts->frames > 1 ? 1 : vips_image_get_orientation(whole);
    return orientation >= 2 && orientation <= 8 ? orientation : 1;
}

int gx_upright(VipsImage *image, int orientation, VipsImage **to)
{
    VipsImage *named;
    *to = NULL;
    if (vips_copy(image, &named, NULL))
        return -1;
    vips_image_set_int(named, VIPS_META_ORIENTATION, orientation);
    int failed = vips_autorot(named, to, NULL);
    g_object_unref(named);
    return failed;
}
