/* Reading pictures: open (format, header, limit), then decode to upright sRGB or grey samples of 8
 * or 16 bits in memory.
 *
 * Opening decodes nothing, so a bomb is refused by its header and a batch can be planned from
 * facts. Decoding streams the file once, colour conversion included; only a rotated picture is held
 * twice for a moment. libvips is told to fail on truncated files, which it would else fill up. */
#include "image/image.h"
#include "util/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEAD = 1024, REASON = 256 }; /* bytes that a format is told by, and of libvips' reason */

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

/* Bands of colour in the file, 1, 3 or 4 (CMYK); a band after them is alpha, further ones are
 * dropped. 0: not a picture that we understand. */
static int colour_bands(const VipsImage *image)
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

static int examine(struct gx_picture *p, const struct gx_format *format, int64_t max_pixels,
                   struct gx_err *err)
{
    VipsImage *image = p->header;
    int64_t pixels = (int64_t)image->Xsize * image->Ysize;
    if (pixels > max_pixels)
        return gx_fail(err, GX_E_LIMIT,
                       "'%s' has %dx%d = %lld pixels, more than the limit of %lld (--max-pixels)",
                       p->name, image->Xsize, image->Ysize, (long long)pixels,
                       (long long)max_pixels);
    int bands = colour_bands(image);
    bool samples = image->BandFmt == VIPS_FORMAT_UCHAR || image->BandFmt == VIPS_FORMAT_USHORT ||
                   is_float(image) || image->Type == VIPS_INTERPRETATION_LABS;
    if (!bands || !samples || image->Bands > 64)
        return gx_fail(err, GX_E_FORMAT,
                       "cannot read '%s': %d bands of %s (%s) are not a kind of picture that ganx "
                       "reads",
                       p->name, image->Bands,
                       vips_enum_nick(VIPS_TYPE_BAND_FORMAT, (int)image->BandFmt),
                       vips_enum_nick(VIPS_TYPE_INTERPRETATION, (int)image->Type));
    int orientation = vips_image_get_orientation(image);
    bool turned = orientation >= 5 && orientation <= 8;
    p->facts = (struct gx_facts){
        .width = turned ? image->Ysize : image->Xsize,
        .height = turned ? image->Xsize : image->Ysize,
        .channels = bands == 1 ? 1 : 3,
        .alpha = image->Bands > bands,
        .bits = image->BandFmt == VIPS_FORMAT_UCHAR ? 8 : 16,
        .format = format->name,
        .pages = vips_image_get_n_pages(image),
    };
    return 0;
}

/* ---- opening ---- */

static int refuse(const char *name, const struct gx_format *format, const unsigned char *head,
                  size_t size, struct gx_err *err)
{
    if (size == 0)
        return gx_fail(err, GX_E_FORMAT, "cannot read '%s': the file is empty", name);
    if (!format)
        return gx_fail(err, GX_E_FORMAT, "cannot read '%s': not a picture (%s)", name,
                       gx_not_a_picture(head, size));
    return gx_fail(err, GX_E_FORMAT,
                   "cannot read '%s': the format %s is off (allow it with --loaders %s)", name,
                   format->name, format->name);
}

/* libvips' reasons are many and unstable; a user can act on whether the file is cut short. */
static int fail_decode(const struct gx_picture *p, const char *reason, struct gx_err *err)
{
    static const char *const cut[] = {"premature",   "truncated",      "end of",
                                      "eof",         "out of data",    "too small",
                                      "enough data", "unexpected end", "read error"};
    for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
        if (strcasestr(reason, cut[i]))
            return gx_fail(err, GX_E_FORMAT, "cannot read '%s': truncated (%s)", p->name, reason);
    if (strstr(reason, "is blocked") || strstr(reason, "not in a known format"))
        return gx_fail(err, GX_E_FORMAT, "cannot read '%s': damaged or truncated", p->name);
    return gx_fail(err, GX_E_FORMAT, "cannot read '%s': damaged or truncated (%s)", p->name,
                   reason);
}

/* Anew, if it was open. */
static int open_header(void *of)
{
    struct gx_picture *p = of;
    VipsImage *header = vips_image_new_from_source(p->source, "", "access", VIPS_ACCESS_SEQUENTIAL,
                                                   "fail_on", p->fail_on, NULL);
    if (!header)
        return -1;
    if (p->header)
        g_object_unref(p->header);
    p->header = header;
    p->spent = false;
    return 0;
}

/* Takes `source` (NULL: out of memory). */
static int open_source(struct gx_picture *p, VipsSource *source, const unsigned char *head,
                       size_t size, const struct gx_open_options *options, struct gx_err *err)
{
    const struct gx_format *format = gx_format_sniff(head, size);
    int64_t limit = options && options->max_pixels ? options->max_pixels : GX_MAX_PIXELS;
    char reason[REASON];
    p->source = source;
    p->fail_on = options && options->allow_truncated ? VIPS_FAIL_ON_NONE : VIPS_FAIL_ON_TRUNCATED;
    if (!format || !gx_format_is_on(format))
        return refuse(p->name, format, head, size, err);
    if (!source)
        return gx_fail(err, GX_E_NOMEM, "out of memory for '%s'", p->name);
    if (gx_vips_try(open_header, p, reason, sizeof reason))
        return fail_decode(p, reason, err);
    return examine(p, format, limit, err);
}

static struct gx_picture *picture_new(const char *name)
{
    struct gx_picture *p = gx_new(sizeof *p);
    p->name = gx_new(strlen(name) + 1);
    strcpy(p->name, name);
    return p;
}

/* Ends an open function: gives the picture or frees it. */
static int finish(struct gx_picture **picture, struct gx_picture *p, int result)
{
    *picture = NULL;
    if (result)
        gx_picture_free(&p);
    *picture = p;
    return result;
}

int gx_picture_open_memory(struct gx_picture **picture, const void *data, size_t size,
                           const char *name, const struct gx_open_options *options,
                           struct gx_err *err)
{
    struct gx_picture *p = picture_new(name);
    VipsSource *source = size ? vips_source_new_from_memory(data, size) : NULL;
    return finish(picture, p,
                  open_source(p, source, data, size < HEAD ? size : HEAD, options, err));
}

int gx_picture_open_fd(struct gx_picture **picture, int fd, const char *name,
                       const struct gx_open_options *options, struct gx_err *err)
{
    /* No sane encoding of that many pixels is larger; a pipe that never ends is an error. */
    int64_t pixels = options && options->max_pixels ? options->max_pixels : GX_MAX_PIXELS;
    size_t limit = (size_t)pixels * 8 + ((size_t)64 << 20), used = 0, room = 1 << 16;
    unsigned char *data = gx_new(room);
    int result = 0;
    *picture = NULL;
    while (!result) {
        ssize_t got = read(fd, data + used, room - used);
        if (got == 0)
            break;
        if (got < 0 && errno == EINTR)
            continue;
        used += got > 0 ? (size_t)got : 0;
        if (got < 0)
            result = gx_fail_errno(err, GX_E_IO, "cannot read '%s'", name);
        else if (used > limit)
            result = gx_fail(err, GX_E_LIMIT, "'%s' is longer than %zu bytes", name, limit);
        else if (used == room) {
            unsigned char *more = realloc(data, room *= 2);
            if (more)
                data = more;
            else
                result = gx_fail(err, GX_E_NOMEM, "out of memory while reading '%s'", name);
        }
    }
    if (!result)
        result = gx_picture_open_memory(picture, data, used, name, options, err);
    if (result)
        free(data);
    else
        (*picture)->owned = data;
    return result;
}

int gx_picture_open(struct gx_picture **picture, const char *path,
                    const struct gx_open_options *options, struct gx_err *err)
{
    struct stat st;
    *picture = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return gx_fail_errno(err, GX_E_IO, "cannot open '%s'", path);
    int result;
    unsigned char head[HEAD];
    ssize_t size = -1;
    if (fstat(fd, &st))
        result = gx_fail_errno(err, GX_E_IO, "cannot open '%s'", path);
    else if (S_ISDIR(st.st_mode))
        result = gx_fail(err, GX_E_IO, "cannot open '%s': it is a folder", path);
    else if (!S_ISREG(st.st_mode))
        result = gx_picture_open_fd(picture, fd, path, options, err);
    else if ((size = pread(fd, head, sizeof head, 0)) < 0)
        result = gx_fail_errno(err, GX_E_IO, "cannot read '%s'", path);
    else {
        struct gx_picture *p = picture_new(path);
        VipsSource *source = vips_source_new_from_descriptor(fd); /* its own copy of fd */
        result = finish(picture, p, open_source(p, source, head, (size_t)size, options, err));
    }
    close(fd);
    return result;
}

const struct gx_facts *gx_picture_facts(const struct gx_picture *picture)
{
    return &picture->facts;
}

void gx_picture_free(struct gx_picture **picture)
{
    struct gx_picture *p = *picture;
    if (!p)
        return;
    if (p->header)
        g_object_unref(p->header);
    if (p->pixels)
        g_object_unref(p->pixels);
    if (p->source)
        g_object_unref(p->source);
    free(p->owned);
    free(p->name);
    free(p);
    *picture = NULL;
}

/* ---- decoding ---- */

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
    if (!apply_profile(c, facts->bits)) {
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

static int to_memory(struct chain *c)
{
    VipsImage *next = vips_image_copy_memory(c->now);
    if (!next)
        return -1;
    advance(c, next);
    return 0;
}

static int convert(struct gx_picture *p, struct chain *c)
{
    VipsImage *whole = p->header, *next;
    int bands = colour_bands(whole), orientation = vips_image_get_orientation(whole);
    if (whole->Bands > bands) {
        if (vips_extract_band(c->now, &next, 0, "n", bands, NULL))
            return -1;
        advance(c, next);
    }
    if (to_srgb(c, &p->facts) || (p->facts.alpha && add_alpha(c, whole, bands, &p->facts)) ||
        to_memory(c))
        return -1;
    if (orientation < 2 || orientation > 8)
        return 0;
    if (vips_autorot(c->now, &next, NULL))
        return -1;
    advance(c, next);
    return to_memory(c);
}

/* Not so if the file was written to after its header was read. */
static bool as_told(const VipsImage *image, const struct gx_facts *facts)
{
    return image->Xsize == facts->width && image->Ysize == facts->height &&
           image->Bands == facts->channels + facts->alpha &&
           image->BandFmt == (facts->bits == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR);
}

static int decode(void *of)
{
    struct gx_picture *p = of;
    if (p->spent && open_header(p))
        return -1;
    struct chain c = {p->header};
    g_object_ref(c.now);
    p->spent = true;
    int failed = convert(p, &c);
    if (!failed && !as_told(c.now, &p->facts)) {
        vips_error("ganx", "it has changed meanwhile");
        failed = -1;
    }
    if (failed) {
        g_object_unref(c.now);
        return -1;
    }
    p->pixels = c.now;
    g_object_unref(p->header);
    p->header = NULL;
    return 0;
}

int gx_picture_decode(struct gx_picture *p, struct gx_err *err)
{
    char reason[REASON];
    if (p->pixels)
        return 0;
    if (gx_vips_try(decode, p, reason, sizeof reason))
        return fail_decode(p, reason, err);
    g_object_unref(p->source); /* and closes the file */
    p->source = NULL;
    return 0;
}

const void *gx_picture_samples(const struct gx_picture *p)
{
    return VIPS_IMAGE_ADDR(p->pixels, 0, 0);
}
