/* What JPEG does to a picture, in memory. */
#include "image/clip.h"
#include "image/degrade_parts.h"

#include "image/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct trip {
    unsigned char *samples;
    int h, w, c, quality;
};

/* Encodes and decodes; can be done again. */
static int go(void *of)
{
    struct trip *t = of;
    size_t bytes = (size_t)t->h * (size_t)t->w * (size_t)t->c, size = 0, got = 0;
    void *file = NULL, *back = NULL;
    VipsImage *decoded = NULL;
    VipsImage *image =
        vips_image_new_from_memory(t->samples, bytes, t->w, t->h, t->c, VIPS_FORMAT_UCHAR);
    if (!image)
        return -1;
    image->Type = t->c == 3 ? VIPS_INTERPRETATION_sRGB : VIPS_INTERPRETATION_B_W;
    int failed = vips_jpegsave_buffer(image, &file, &size, "Q", t->quality, "subsample_mode",
                                      VIPS_FOREIGN_SUBSAMPLE_ON, NULL);
    if (!failed)
        failed = vips_jpegload_buffer(file, size, &decoded, NULL);
    if (!failed) {
        back = vips_image_write_to_memory(decoded, &got);
        failed = !back || got != bytes ? -1 : 0;
    }
    if (!failed)
        memcpy(t->samples, back, bytes);
    g_free(back);
    if (decoded)
        g_object_unref(decoded);
    g_free(file);
    g_object_unref(image);
    return failed;
}

int gx_jpeg(float *picture, int h, int w, int c, int quality, struct gx_err *err)
{
    size_t count = (size_t)h * (size_t)w * (size_t)c;
    struct trip trip = {malloc(count), h, w, c, quality};
    char reason[256];
    if (!trip.samples)
        return gx_fail(err, GX_E_NOMEM, "out of memory for a JPEG of %dx%d", w, h);
    for (size_t i = 0; i < count; i++) {
        trip.samples[i] = (unsigned char)lrintf(gx_clip(picture[i]) * 255);
    }
    int failed = gx_vips_try(go, &trip, reason, sizeof reason);
    for (size_t i = 0; i < count && !failed; i++)
        picture[i] = (float)trip.samples[i] / 255;
    free(trip.samples);
    return failed ? gx_fail(err, GX_E_NOMEM, "cannot make a JPEG of %dx%d: %s", w, h, reason) : 0;
}
