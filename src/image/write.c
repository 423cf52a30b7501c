/* Writing pictures: floats -> 8 or 16-bit samples, alpha and metadata of the source, encoding in
 * memory, then whole to a staged file or a descriptor. libvips never sees a final path: it would
 * leave half a file there on a full disk. */
#include "image/image.h"
#include "image/resize.h"
#include "util/file.h"

#include <errno.h>
#include <stdlib.h>

/* An output on its way. */
struct plan {
    struct gx_encoding encoding;
    const struct gx_pixels *pixels;
    struct gx_picture *like; /* may be NULL */
    float *alpha;            /* height x width, 0..1; NULL: none, or it is in pixels */
    void *samples;
    VipsBlob *blob; /* the file */
};

/* Of a pixel in the file. */
static size_t sample_bytes(const struct gx_encoding *e)
{
    return (size_t)e->bands * (size_t)(e->bits / 8);
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

/* ---- samples ---- */

static void write_row(void *state, int y, const float *row)
{
    const struct plan *plan = state;
    size_t width = (size_t)plan->pixels->width, at = (size_t)y * width;
    char *samples = plan->samples;
    gx_floats_to_samples(&plan->encoding, row, plan->alpha ? plan->alpha + at : NULL, width,
                         samples + at * sample_bytes(&plan->encoding));
}

static const float *read_row(void *state, int y, float *room)
{
    const struct plan *plan = state;
    const struct gx_pixels *p = plan->pixels;
    (void)room;
    return p->data + (size_t)y * (size_t)p->from_width * (size_t)p->channels;
}

static int fill_samples(struct plan *plan, struct gx_err *err)
{
    const struct gx_pixels *p = plan->pixels;
    size_t count = (size_t)p->width * p->height;
    const struct gx_row_way way = {.state = plan, .read = read_row, .write = write_row};
    plan->samples = malloc(count * sample_bytes(&plan->encoding));
    if (!plan->samples)
        return gx_fail(err, GX_E_NOMEM, "out of memory for a picture of %dx%d", p->width,
                       p->height);
    if (p->from_width)
        return gx_resize_rows(&way, p->from_height, p->from_width, p->channels, p->height, p->width,
                              GX_FILTER_BICUBIC, err);
    gx_floats_to_samples(&plan->encoding, p->data, plan->alpha, count, plan->samples);
    return 0;
}

static int plan_output(struct plan *plan, const struct gx_write_options *options, const char *name,
                       struct gx_err *err)
{
    const struct gx_pixels *p = plan->pixels;
    bool carry = p->channels % 2 && plan->like && plan->like->facts.alpha;
    int result = gx_encoding_init(&plan->encoding, p, carry, plan->like, options, name, err);
    if (!result && carry && !(result = gx_picture_decode(plan->like, err)))
        result = carry_alpha(plan, plan->like, err);
    return result ? result : fill_samples(plan, err);
}

/* ---- encoding ---- */

/* Gives plan->blob. */
static int encode(void *of)
{
    struct plan *plan = of;
    const struct gx_pixels *p = plan->pixels;
    const struct gx_encoding *e = &plan->encoding;
    size_t size = (size_t)p->width * p->height * sample_bytes(e);
    VipsImage *image =
        vips_image_new_from_memory(plan->samples, size, p->width, p->height, e->bands,
                                   e->bits == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR);
    VipsTarget *target = vips_target_new_to_memory();
    int failed = !image || !target;
    if (!failed) {
        image->Type = gx_encoding_space(e);
        if (!e->strip)
            gx_carry_metadata(image, plan->like);
        failed = gx_encode(e, image, target);
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
    struct plan plan = {.pixels = pixels, .like = like};
    int result = plan_output(&plan, options, name, err);
    if (!result && gx_vips_try(encode, &plan, reason, sizeof reason))
        result = gx_fail(err, GX_E_FORMAT, "cannot encode as %s: %s", plan.encoding.format->name,
                         reason);
    free(plan.alpha);
    free(plan.samples);
    *blob = plan.blob;
    return result ? gx_context(err, result, "cannot write '%s'", name) : 0;
}

/* ---- putting it there ---- */

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
    if (!result && gx_put(staged.fd, data, size)) {
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
    if (gx_put(fd, data, size)) {
        if (closed)
            *closed = errno == EPIPE;
        result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", name);
    }
    vips_area_unref(VIPS_AREA(blob));
    return result;
}
