/* Writing pictures: floats -> 8 or 16-bit samples, alpha and metadata of the source, encoding in
 * memory, then whole to a staged file or a descriptor. libvips never sees a final path: it would
 * leave half a file there on a full disk. */
#include "image/image.h"
#include "util/file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct gx_write_options gx_write_defaults = {.background = {255, 255, 255}};

/* ---- samples ---- */

/* An output on its way: samples is height x width x bands of 8 or 16 bits. */
struct plan {
    const struct gx_format *format;
    const struct gx_pixels *pixels;
    const struct gx_write_options *options;
    struct gx_picture *like; /* may be NULL */
    int bands, bits;
    float *alpha; /* height x width, 0..1; NULL: none, or it is in pixels */
    void *samples;
    VipsBlob *blob; /* the file */
};

static float clip(float v)
{
    return v > 0 ? v < 1 ? v : 1 : 0; /* NaN becomes 0 */
}

/* The alpha of `like` at the size of the output; wholly opaque alpha is alpha too. */
static int carry_alpha(struct plan *plan, struct gx_picture *like, struct gx_err *err)
{
    const struct gx_pixels *to = plan->pixels;
    const void *samples = gx_picture_samples(like);
    int w = like->facts.width, h = like->facts.height, bands = like->facts.channels + 1;
    size_t count = (size_t)w * h;
    float *alpha = malloc(count * sizeof *alpha);
    float *scaled = malloc((size_t)to->width * to->height * sizeof *scaled);
    int result = alpha && scaled ? 0 : gx_fail(err, GX_E_NOMEM, "out of memory for transparency");
    for (size_t i = 0; i < count && !result; i++) {
        size_t at = i * bands + bands - 1;
        alpha[i] = like->facts.bits == 16 ? ((const uint16_t *)samples)[at] / 65535.0f
                                          : ((const uint8_t *)samples)[at] / 255.0f;
    }
    if (!result)
        result =
            gx_resize(alpha, 1, h, w, 1, scaled, to->height, to->width, GX_FILTER_BICUBIC, err);
    free(alpha);
    plan->alpha = result ? NULL : scaled;
    if (result)
        free(scaled);
    return result;
}

static int fill_samples(struct plan *plan, struct gx_err *err)
{
    const struct gx_pixels *p = plan->pixels;
    const uint8_t *background = plan->options->background;
    size_t count = (size_t)p->width * p->height;
    int colours = p->channels == 1 ? 1 : 3;
    float most = plan->bits == 16 ? 65535 : 255, scale = 1 / (p->hi - p->lo);
    plan->samples = malloc(count * plan->bands * (plan->bits / 8));
    if (!plan->samples)
        return gx_fail(err, GX_E_NOMEM, "out of memory for a picture of %dx%d", p->width,
                       p->height);
    for (size_t i = 0; i < count; i++) {
        float v[4];
        for (int k = 0; k < p->channels; k++)
            v[k] = clip((p->data[i * p->channels + k] - p->lo) * scale);
        float alpha = p->channels == 4 ? v[3] : plan->alpha ? clip(plan->alpha[i]) : 1;
        bool kept = plan->bands == 2 || plan->bands == 4;
        if (kept)
            v[colours] = alpha;
        else if (plan->alpha || p->channels == 4) {
            for (int k = plan->bands - 1; k >= 0; k--) /* grey may become colour on a background */
                v[k] = alpha * v[colours == 1 ? 0 : k] + (1 - alpha) * background[k] / 255.0f;
        }
        for (int k = 0; k < plan->bands; k++) {
            unsigned sample = (unsigned)lrintf(v[k] * most);
            if (plan->bits == 16)
                ((uint16_t *)plan->samples)[i * plan->bands + k] = (uint16_t)sample;
            else
                ((uint8_t *)plan->samples)[i * plan->bands + k] = (uint8_t)sample;
        }
    }
    return 0;
}

static int plan_output(struct plan *plan, const char *name, struct gx_err *err)
{
    const struct gx_pixels *p = plan->pixels;
    struct gx_picture *like = plan->like;
    const char *wanted = plan->options->format ? plan->options->format : gx_format_of_name(name);
    wanted = wanted ? wanted : "png";
    int result = gx_format_check(wanted, p->width, p->height, err);
    if (result)
        return result;
    plan->format = gx_format_row(wanted);
    int bits = plan->options->bits ? plan->options->bits : like ? like->facts.bits : 8;
    plan->bits = bits == 16 && plan->format->deep ? 16 : 8;
    bool carry = p->channels != 4 && like && like->facts.alpha;
    if (carry &&
        ((result = gx_picture_decode(like, err)) || (result = carry_alpha(plan, like, err))))
        return result;
    bool alpha = carry || p->channels == 4;
    const uint8_t *b = plan->options->background;
    int colours = p->channels == 1 ? 1 : 3;
    if (alpha && !plan->format->alpha && (b[0] != b[1] || b[1] != b[2]))
        colours = 3; /* a coloured background shows through a grey picture */
    plan->bands = colours + (alpha && plan->format->alpha);
    return fill_samples(plan, err);
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

static void carry_metadata(VipsImage *to, struct gx_picture *like)
{
    static const char space[] = "exif-ifd2-ColorSpace";
    VipsImage *from = like->pixels ? like->pixels : like->header;
    vips_image_map(from, carry_field, to);
    drop_thumbnail(to);
    vips_image_set_int(to, VIPS_META_ORIENTATION, 1);
    if (vips_image_get_typeof(to, "exif-ifd0-Orientation"))
        vips_image_set_string(to, "exif-ifd0-Orientation", "1");
    if (vips_image_get_typeof(to, space))
        vips_image_set_string(to, space, "1"); /* sRGB, whatever it was */
    to->Xres = from->Xres;
    to->Yres = from->Yres;
}

/* ---- encoding ---- */

static int save(const struct plan *plan, VipsImage *image, VipsTarget *target, bool strip)
{
    int quality = plan->options->quality;
    const char *format = plan->format->name, *saver = plan->format->saver;
    if (!strcmp(format, "jpg"))
        return vips_call(saver, image, target, "Q", quality ? quality : 95, "optimize_coding", TRUE,
                         "strip", strip, NULL);
    if (!strcmp(format, "webp"))
        return vips_call(saver, image, target, "Q", quality ? quality : 90, "strip", strip, NULL);
    if (!strcmp(format, "tiff")) {
        bool big = (double)image->Xsize * image->Ysize * plan->bands * plan->bits / 8 > 4e9;
        return vips_call(saver, image, target, "compression", VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE,
                         "predictor", VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL, "bigtiff", big,
                         "strip", strip, NULL);
    }
    if (!strcmp(format, "ppm"))
        return vips_call(
            saver, image, target, "format",
            plan->bands == 1 ? VIPS_FOREIGN_PPM_FORMAT_PGM : VIPS_FOREIGN_PPM_FORMAT_PPM, NULL);
    return vips_call(saver, image, target, "strip", strip, NULL);
}

/* Gives plan->blob. */
static int encode(void *of)
{
    struct plan *plan = of;
    const struct gx_pixels *p = plan->pixels;
    size_t size = (size_t)p->width * p->height * plan->bands * (plan->bits / 8);
    VipsImage *image =
        vips_image_new_from_memory(plan->samples, size, p->width, p->height, plan->bands,
                                   plan->bits == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR);
    VipsTarget *target = vips_target_new_to_memory();
    int failed = !image || !target;
    if (!failed) {
        image->Type = plan->bands <= 2
                          ? plan->bits == 16 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_B_W
                      : plan->bits == 16 ? VIPS_INTERPRETATION_RGB16
                                         : VIPS_INTERPRETATION_sRGB;
        bool strip = plan->options->strip || !plan->like;
        if (!strip)
            carry_metadata(image, plan->like);
        failed = save(plan, image, target, strip);
    }
    if (!failed)
        g_object_get(target, "blob", &plan->blob, NULL);
    if (target)
        g_object_unref(target);
    if (image)
        g_object_unref(image);
    return plan->blob ? 0 : -1;
}

/* Gives *blob, the file encoded (vips_area_unref): everything up to putting it there. */
static int produce(const struct gx_pixels *pixels, struct gx_picture *like,
                   const struct gx_write_options *options, const char *name, VipsBlob **blob,
                   struct gx_err *err)
{
    char reason[256];
    struct plan plan = {
        .pixels = pixels, .options = options ? options : &gx_write_defaults, .like = like};
    int result = plan_output(&plan, name, err);
    if (!result && gx_vips_try(encode, &plan, reason, sizeof reason))
        result = gx_fail(err, GX_E_FORMAT, "cannot encode as %s: %s", plan.format->name, reason);
    free(plan.alpha);
    free(plan.samples);
    *blob = plan.blob;
    return result ? gx_context(err, result, "cannot write '%s'", name) : 0;
}

/* ---- putting it there ---- */

static int put(int fd, const void *data, size_t size)
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

int gx_picture_write(const struct gx_pixels *pixels, struct gx_picture *like,
                     const struct gx_write_options *options, const char *path, struct gx_err *err)
{
    VipsBlob *blob;
    struct gx_staged staged;
    size_t size;
    int result = produce(pixels, like, options, path, &blob, err);
    if (result)
        return result;
    const void *data = vips_blob_get(blob, &size);
    result = gx_staged_open(&staged, path, err);
    if (!result && put(staged.fd, data, size)) {
        result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", path);
        gx_staged_discard(&staged);
    } else if (!result)
        result = gx_staged_commit(&staged, err);
    vips_area_unref(VIPS_AREA(blob));
    return result;
}

int gx_picture_write_fd(const struct gx_pixels *pixels, struct gx_picture *like,
                        const struct gx_write_options *options, int fd, const char *name,
                        bool *closed, struct gx_err *err)
{
    VipsBlob *blob;
    size_t size;
    if (closed)
        *closed = false;
    int result = produce(pixels, like, options, name, &blob, err);
    if (result)
        return result;
    const void *data = vips_blob_get(blob, &size);
    if (put(fd, data, size)) {
        if (closed)
            *closed = errno == EPIPE;
        result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", name);
    }
    vips_area_unref(VIPS_AREA(blob));
    return result;
}
