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

static int examine(struct gx_picture *p, int64_t max_pixels, struct gx_err *err)
{
    VipsImage *image = p->header;
    int64_t pixels = (int64_t)image->Xsize * image->Ysize;
    if (pixels > max_pixels)
        return gx_fail(err, GX_E_LIMIT,
                       "'%s' has %dx%d = %lld pixels, more than the limit of %lld (--max-pixels)",
                       p->name, image->Xsize, image->Ysize, (long long)pixels,
                       (long long)max_pixels);
    int bands = gx_colour_bands(image);
    bool samples = image->BandFmt == VIPS_FORMAT_UCHAR || image->BandFmt == VIPS_FORMAT_USHORT ||
                   image->BandFmt == VIPS_FORMAT_FLOAT || image->BandFmt == VIPS_FORMAT_DOUBLE ||
                   image->Type == VIPS_INTERPRETATION_LABS;
    if (!bands || !samples || image->Bands > 64)
        return gx_fail(err, GX_E_FORMAT,
                       "cannot read '%s': %d bands of %s (%s) are not a kind of picture that ganx "
                       "reads",
                       p->name, image->Bands,
                       vips_enum_nick(VIPS_TYPE_BAND_FORMAT, (int)image->BandFmt),
                       vips_enum_nick(VIPS_TYPE_INTERPRETATION, (int)image->Type));
    int frames = p->all_frames ? vips_image_get_n_pages(image) : 1;
    if (frames < 1 || image->Ysize % frames)
        return gx_fail(err, GX_E_FORMAT, "cannot read '%s': its %d frames differ in size", p->name,
                       frames);
    p->facts = (struct gx_facts){
        .width = image->Xsize,
        .height = image->Ysize,
        .frames = frames,
        .channels = bands == 1 ? 1 : 3,
        .alpha = image->Bands > bands,
        .bits = image->BandFmt == VIPS_FORMAT_UCHAR ? 8 : 16,
        .format = p->format->name,
        .pages = vips_image_get_n_pages(image),
    };
    p->facts.profile = p->keep_profile && gx_profile_fits(image, p->facts.channels);
    if (gx_orientation(image, &p->facts) >= 5) {
        p->facts.width = image->Ysize;
        p->facts.height = image->Xsize;
    }
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
int gx_picture_fail(const struct gx_picture *p, const char *reason, struct gx_err *err)
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

VipsImage *gx_picture_reopen(const struct gx_picture *p)
{
    if (p->all_frames)
        return vips_image_new_from_source(p->source, "", "access", VIPS_ACCESS_SEQUENTIAL,
                                          "fail_on", p->fail_on, "n", -1, NULL);
    return vips_image_new_from_source(p->source, "", "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                      p->fail_on, NULL);
}

/* Anew, if it was open. */
static int open_header(void *of)
{
    struct gx_picture *p = of;
    VipsImage *header = gx_picture_reopen(p);
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
    p->format = format;
    p->all_frames = options && options->all_frames && format && format->frames;
    p->keep_profile = options && options->keep_profile;
    p->fail_on = options && options->allow_truncated ? VIPS_FAIL_ON_NONE : VIPS_FAIL_ON_TRUNCATED;
    if (!format || !gx_format_is_on(format))
        return refuse(p->name, format, head, size, err);
    if (!source)
        return gx_fail(err, GX_E_NOMEM, "out of memory for '%s'", p->name);
    if (gx_vips_try(open_header, p, reason, sizeof reason))
        return gx_picture_fail(p, reason, err);
    return examine(p, limit, err);
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

int gx_picture_open_rest(struct gx_picture **picture, int fd, unsigned char *data, size_t used,
                         const char *name, const struct gx_open_options *options,
                         struct gx_err *err)
{
    /* No sane encoding of that many pixels is larger; a pipe that never ends is an error. */
    int64_t pixels = options && options->max_pixels ? options->max_pixels : GX_MAX_PIXELS;
    size_t limit = (size_t)pixels * 8 + ((size_t)64 << 20), room = used;
    int result = 0;
    *picture = NULL;
    while (!result) {
        if (used == room) {
            room = room < 1 << 15 ? 1 << 16 : 2 * room;
            unsigned char *more = realloc(data, room);
            if (!more) {
                result = gx_fail(err, GX_E_NOMEM, "out of memory while reading '%s'", name);
                break;
            }
            data = more;
        }
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
    }
    if (!result)
        result = gx_picture_open_memory(picture, data, used, name, options, err);
    if (result)
        free(data);
    else
        (*picture)->owned = data;
    return result;
}

int gx_picture_open_fd(struct gx_picture **picture, int fd, const char *name,
                       const struct gx_open_options *options, struct gx_err *err)
{
    return gx_picture_open_rest(picture, fd, NULL, 0, name, options, err);
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
    if (p->kept)
        g_object_unref(p->kept);
    if (p->pixels)
        g_object_unref(p->pixels);
    if (p->source)
        g_object_unref(p->source);
    free(p->owned);
    free(p->name);
    free(p);
    *picture = NULL;
}

VipsImage *gx_picture_metadata(const struct gx_picture *p)
{
    return p->pixels ? p->pixels : p->kept ? p->kept : p->header;
}

/* ---- decoding ---- */

/* Takes *image, gives it in memory. */
static int to_memory(VipsImage **image)
{
    VipsImage *next = vips_image_copy_memory(*image);
    g_object_unref(*image);
    *image = next;
    return next ? 0 : -1;
}

int gx_picture_same(const struct gx_picture *p, VipsImage *image)
{
    const struct gx_facts *facts = &p->facts;
    bool same = image->Xsize == facts->width && image->Ysize == facts->height &&
                image->Bands == facts->channels + facts->alpha &&
                image->BandFmt == (facts->bits == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR);
    if (!same) /* it was written to after its header was read */
        vips_error("ganx", "it has changed meanwhile");
    return same ? 0 : -1;
}

static int decode(void *of)
{
    struct gx_picture *p = of;
    if (p->spent && open_header(p))
        return -1;
    p->spent = true;
    VipsImage *image, *turned;
    int orientation = gx_orientation(p->header, &p->facts);
    if (gx_convert(p->header, &p->facts, &image) || to_memory(&image))
        return -1;
    if (orientation > 1) {
        int failed = gx_upright(image, orientation, &turned);
        g_object_unref(image);
        image = turned;
        if (failed || to_memory(&image))
            return -1;
    }
    if (gx_picture_same(p, image)) {
        g_object_unref(image);
        return -1;
    }
    p->pixels = image;
    g_clear_object(&p->kept);
    g_clear_object(&p->header);
    return 0;
}

int gx_picture_decode(struct gx_picture *p, struct gx_err *err)
{
    char reason[REASON];
    if (p->pixels)
        return 0;
    if (gx_vips_try(decode, p, reason, sizeof reason))
        return gx_picture_fail(p, reason, err);
    g_object_unref(p->source); /* and closes the file */
    p->source = NULL;
    return 0;
}

/* ---- in order, never in memory whole ---- */

bool gx_picture_ordered(const struct gx_picture *p)
{
    return !p->pixels && gx_orientation(p->header, &p->facts) <= 2;
}

/* The samples of a file just opened, mirrored if need be; not turned otherwise. */
static int upright_rows(const struct gx_picture *p, VipsImage *whole, VipsImage **to)
{
    VipsImage *image;
    *to = NULL;
    if (gx_convert(whole, &p->facts, &image))
        return -1;
    if (gx_orientation(whole, &p->facts) != 2) {
        *to = image;
        return 0;
    }
    int failed = gx_upright(image, 2, to);
    g_object_unref(image);
    return failed;
}

int gx_picture_pipeline(struct gx_picture *p, VipsImage **to)
{
    VipsImage *whole = p->header;
    *to = NULL;
    if (!p->kept && vips_copy(p->header, &p->kept, NULL))
        return -1;
    if (p->spent)
        whole = gx_picture_reopen(p);
    else
        g_object_ref(whole);
    p->spent = true;
    int failed = !whole || upright_rows(p, whole, to);
    if (whole)
        g_object_unref(whole);
    return failed ? -1 : 0;
}

const void *gx_picture_samples(const struct gx_picture *p)
{
    return VIPS_IMAGE_ADDR(p->pixels, 0, 0);
}
