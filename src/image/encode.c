/* Floats -> files: the form that a picture is written in, its samples and metadata, and libvips'
 * savers. */
#include "image/clip.h"
#include "image/image.h"
#include "kernel/kernel.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

const struct gx_write_options gx_write_defaults = {.background = {255, 255, 255}};

int gx_encoding_init(struct gx_encoding *e, const struct gx_pixels *pixels, bool beside,
                     struct gx_picture *like, const struct gx_write_options *options,
                     const char *name, struct gx_err *err)
{
    options = options ? options : &gx_write_defaults;
    const char *wanted = options->format ? options->format : gx_format_of_name(name);
    wanted = wanted ? wanted : "png";
    if (pixels->channels < 1 || pixels->channels > 4)
        return gx_fail(err, GX_E_USAGE, "cannot write %d channels: 1 to 4", pixels->channels);
    int result = gx_format_check(wanted, pixels->width, pixels->height, err);
    if (result)
        return result;
    const struct gx_format *format = gx_format_row(wanted);
    int bits = options->bits ? options->bits : like ? like->facts.bits : 8;
    const uint8_t *b = options->background;
    *e = (struct gx_encoding){
        .format = format,
        .channels = pixels->channels,
        .alpha = beside || pixels->channels % 2 == 0,
        .bits = bits == 16 && format->deep ? 16 : 8,
        .lo = pixels->lo,
        .hi = pixels->hi,
        .quality = options->quality,
        .strip = options->strip || !like,
        .background = {b[0], b[1], b[2]},
    };
    int colours = pixels->channels <= 2 ? 1 : 3;
    if (e->alpha && !format->alpha && (b[0] != b[1] || b[1] != b[2]))
        colours = 3; /* a coloured background shows through a grey picture */
    e->bands = colours + (e->alpha && format->alpha);
    return 0;
}

/* ---- samples ---- */

void gx_floats_to_samples(const struct gx_encoding *e, const float *from, const float *beside,
                          size_t pixels, void *to)
{
    if (e->bits == 8 && !e->alpha && e->bands == e->channels) {
        gx_kernels_best()->floats_to_bytes(from, to, (int64_t)pixels * e->bands, e->lo,
                                           1 / (e->hi - e->lo));
        return;
    }
    int colours = e->channels <= 2 ? 1 : 3, own = e->channels > colours;
    bool kept = e->bands == 2 || e->bands == 4;
    float most = e->bits == 16 ? 65535 : 255, scale = 1 / (e->hi - e->lo);
    for (size_t i = 0; i < pixels; i++) {
        float v[4];
        for (int k = 0; k < e->channels; k++)
            v[k] = gx_clip((from[i * e->channels + k] - e->lo) * scale);
        float alpha = own ? v[colours] : beside ? gx_clip(beside[i]) : 1;
        if (kept)
            v[colours] = alpha;
        else if (e->alpha) {
            for (int k = e->bands - 1; k >= 0; k--) /* grey may become colour on a background */
                v[k] = alpha * v[colours == 1 ? 0 : k] + (1 - alpha) * e->background[k] / 255.0f;
        }
        for (int k = 0; k < e->bands; k++) {
            unsigned sample = (unsigned)lrintf(v[k] * most);
            if (e->bits == 16)
                ((uint16_t *)to)[i * e->bands + k] = (uint16_t)sample;
            else
                ((uint8_t *)to)[i * e->bands + k] = (uint8_t)sample;
        }
    }
}

VipsInterpretation gx_encoding_space(const struct gx_encoding *e)
{
    if (e->bands <= 2)
        return e->bits == 16 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W;
    return e->bits == 16 ? VIPS_INTERPRETATION_RGB16 : VIPS_INTERPRETATION_sRGB;
}

/* ---- metadata ---- */

static bool kept(const char *field)
{
    static const char *const fields[] = {
        "exif-",       VIPS_META_XMP_NAME,  VIPS_META_IPTC_NAME,      "png-comment-",
        "gif-comment", "image-description", VIPS_META_RESOLUTION_UNIT};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!strncmp(field, fields[i], strlen(fields[i])))
            return true;
    return false;
}

static void *carry_field(VipsImage *from, const char *field, GValue *value, void *to)
{
    (void)from;
    if (kept(field))
        vips_image_set(to, field, value);
    return NULL;
}

static void *carry_profile(VipsImage *from, const char *field, GValue *value, void *to)
{
    (void)from;
    if (!strcmp(field, VIPS_META_ICC_NAME))
        vips_image_set(to, field, value);
    return NULL;
}

static void *collect_thumbnail(VipsImage *image, const char *field, GValue *value, void *list)
{
    (void)image;
    (void)value;
    GSList **fields = list;
    if (!strcmp(field, "jpeg-thumbnail-data") || !strncmp(field, "exif-ifd1-", 10))
        *fields = g_slist_prepend(*fields, g_strdup(field));
    return NULL;
}

/* Setting an EXIF block makes libvips unpack it into fields, and it saves those that are left: so
 * the thumbnail, which is of another picture now, is taken away afterwards. */
static void drop_thumbnail(VipsImage *to)
{
    GSList *fields = NULL;
    vips_image_map(to, collect_thumbnail, &fields);
    for (GSList *at = fields; at; at = at->next)
        vips_image_remove(to, at->data);
    g_slist_free_full(fields, g_free);
}

void gx_carry_metadata(VipsImage *to, struct gx_picture *like)
{
    static const char space[] = "exif-ifd2-ColorSpace";
    VipsImage *from = gx_picture_metadata(like);
    vips_image_map(from, carry_field, to);
    drop_thumbnail(to);
    vips_image_set_int(to, VIPS_META_ORIENTATION, 1);
    if (vips_image_get_typeof(to, "exif-ifd0-Orientation"))
        vips_image_set_string(to, "exif-ifd0-Orientation", "1");
    if (like->facts.profile)
        vips_image_map(from, carry_profile, to);
    else if (vips_image_get_typeof(to, space))
        vips_image_set_string(to, space, "1"); /* sRGB, whatever it was */
    to->Xres = from->Xres;
    to->Yres = from->Yres;
}

/* ---- encoding ---- */

int gx_encode(const struct gx_encoding *e, VipsImage *image, VipsTarget *target)
{
    int quality = e->quality;
    bool strip = e->strip;
    const char *format = e->format->name, *saver = e->format->saver;
    if (!strcmp(format, "jpg"))
        return vips_call(saver, image, target, "Q", quality ? quality : 95, "strip", strip, NULL);
    if (!strcmp(format, "webp"))
        return vips_call(saver, image, target, "Q", quality ? quality : 90, "strip", strip, NULL);
    if (!strcmp(format, "tiff")) {
        bool big = (double)image->Xsize * image->Ysize * e->bands * e->bits / 8 > 4e9;
        return vips_call(saver, image, target, "compression", VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE,
                         "predictor", VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL, "bigtiff", big,
                         "strip", strip, NULL);
    }
    if (!strcmp(format, "ppm"))
        return vips_call(saver, image, target, "format",
                         e->bands == 1 ? VIPS_FOREIGN_PPM_FORMAT_PGM : VIPS_FOREIGN_PPM_FORMAT_PPM,
                         NULL);
    return vips_call(saver, image, target, "strip", strip, NULL);
}

/* ---- putting it there ---- */

int gx_put(int fd, const void *data, size_t size)
{
    for (const char *at = data; size > 0;) {
        ssize_t done = write(fd, at, size);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -1;
        at += done;
        size -= (size_t)done;
    }
    return 0;
}
