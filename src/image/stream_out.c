/* Pictures written row by row: the caller's floats go through a queue into an image whose rows
 * libvips' saver waits for on a thread of its own; between them libvips scales, if that is asked
 * for, and samples are made. The file is staged: libvips writes through functions of ours, which
 * keep the errno. */
#include "image/image.h"
#include "util/arena.h"
#include "util/file.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STRIP = 16,            /* rows that libvips asks for at once */
    QUEUE_BYTES = 8 << 20, /* written and not encoded yet */
    REASON = 256
};

struct gx_stream_out {
    struct gx_stream_shape shape;
    struct gx_encoding encoding;
    char *name;
    struct gx_staged staged;
    bool is_staged;
    int fd;       /* that libvips' bytes go to */
    int copy_to;  /* -1, or where they go when all are there */
    bool *closed; /* the caller's; may be NULL */
    struct gx_rows *rows;
    bool scaled;            /* on the way */
    float *row;             /* one, if not */
    int64_t total, written; /* rows */
    int next;               /* row, that the image has not given yet; the saver's */
    VipsImage *image;       /* the end of the pipeline */
    VipsTarget *target;
    int write_errno; /* 0: bytes could be written */
    pthread_t thread;
    bool running;
    int result; /* the thread's, when it has stopped the queue */
    struct gx_err err;
};

/* ---- the caller's rows as an image ---- */

/* libvips asks in order, for whole rows: a line cache stands above. */
static int give_rows(VipsRegion *region, void *seq, void *a, void *of, gboolean *stop)
{
    struct gx_stream_out *out = of;
    VipsRect *r = &region->valid;
    (void)seq;
    (void)a;
    (void)stop;
    if (r->top != out->next || r->width != out->shape.width) {
        vips_error("ganx", "rows were asked for out of order");
        return -1;
    }
    for (int y = r->top; y < r->top + r->height; y++) {
        void *to = VIPS_REGION_ADDR(region, 0, y);
        if (gx_rows_take(out->rows, out->scaled ? to : out->row, 1) != 1)
            return -1;
        if (!out->scaled)
            gx_floats_to_samples(&out->encoding, out->row, NULL, (size_t)r->width, to);
    }
    out->next += r->height;
    return 0;
}

/* Samples, or floats if they are to be scaled first. */
static VipsImage *rows_image(struct gx_stream_out *out)
{
    const struct gx_encoding *e = &out->encoding;
    VipsImage *bare = vips_image_new(), *image = NULL;
    if (out->scaled)
        vips_image_init_fields(bare, out->shape.width, (int)out->total, out->shape.channels,
                               VIPS_FORMAT_FLOAT, VIPS_CODING_NONE, VIPS_INTERPRETATION_MULTIBAND,
                               1, 1);
    else
        vips_image_init_fields(bare, out->shape.width, (int)out->total, e->bands,
                               e->bits == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR,
                               VIPS_CODING_NONE, gx_encoding_space(e), 1, 1);
    if (vips_image_pipelinev(bare, VIPS_DEMAND_STYLE_THINSTRIP, NULL) ||
        vips_image_generate(bare, NULL, give_rows, NULL, NULL, out) ||
        vips_sequential(bare, &image, "tile_height", STRIP, NULL))
        image = NULL;
    g_object_unref(bare);
    return image;
}

/* ---- scaling ---- */

/* By bicubic interpolation. Pixels are areas: their centres lie at halves (vips_resize moves an
 * enlarged picture by half a pixel). */
static int enlarge(VipsImage *from, VipsImage **to, int width, int height)
{
    double across = (double)width / from->Xsize, down = (double)height / from->Ysize;
    VipsInterpolate *bicubic = vips_interpolate_new("bicubic");
    VipsArrayInt *area = vips_array_int_newv(4, 0, 0, width, height);
    int failed =
        !bicubic || vips_affine(from, to, across, 0.0, 0.0, down, "interpolate", bicubic, "oarea",
                                area, "idx", 0.5, "idy", 0.5, "odx", -0.5, "ody", -0.5, "extend",
                                VIPS_EXTEND_COPY, "premultiplied", TRUE, NULL);
    vips_area_unref(VIPS_AREA(area));
    if (bicubic)
        g_object_unref(bicubic);
    return failed ? -1 : 0;
}

/* Takes one frame, gives it at its size; NULL: libvips' reason. */
static VipsImage *scale_frame(const struct gx_stream_shape *shape, VipsImage *frame)
{
    VipsImage *shrunk = NULL, *scaled = NULL;
    double across = (double)shape->width / shape->to_width;
    double down = (double)shape->height / shape->to_height;
    int failed = vips_reduce(frame, &shrunk, across > 1 ? across : 1, down > 1 ? down : 1, "kernel",
                             VIPS_KERNEL_LANCZOS3, "gap", 0.0, NULL);
    g_object_unref(frame);
    if (failed)
        return NULL;
    if (across >= 1 && down >= 1)
        scaled = shrunk;
    else {
        failed = enlarge(shrunk, &scaled, shape->to_width, shape->to_height);
        g_object_unref(shrunk);
    }
    if (!failed && (scaled->Xsize != shape->to_width || scaled->Ysize != shape->to_height)) {
        vips_error("ganx", "it was scaled to %dx%d", scaled->Xsize, scaled->Ysize);
        g_object_unref(scaled);
        failed = -1;
    }
    return failed ? NULL : scaled;
}

/* Takes all frames, one below the other, and scales each alone. */
static VipsImage *scale(const struct gx_stream_shape *shape, VipsImage *all)
{
    if (!all || shape->frames == 1)
        return all ? scale_frame(shape, all) : NULL;
    VipsImage **frames = g_new0(VipsImage *, (size_t)shape->frames), *joined = NULL;
    bool failed = false;
    for (int i = 0; i < shape->frames && !failed; i++) {
        VipsImage *frame;
        failed = vips_extract_area(all, &frame, 0, i * shape->height, shape->width, shape->height,
                                   NULL) ||
                 !(frames[i] = scale_frame(shape, frame));
    }
    if (!failed && vips_arrayjoin(frames, &joined, shape->frames, "across", 1, NULL))
        joined = NULL;
    for (int i = 0; i < shape->frames; i++)
        if (frames[i])
            g_object_unref(frames[i]);
    g_free(frames);
    g_object_unref(all);
    return joined;
}

/* ---- samples ---- */

static int make_samples(VipsRegion *region, void *seq, void *a, void *of, gboolean *stop)
{
    struct gx_stream_out *out = of;
    VipsRegion *from = seq;
    VipsRect *r = &region->valid;
    (void)a;
    (void)stop;
    if (vips_region_prepare(from, r))
        return -1;
    for (int y = r->top; y < r->top + r->height; y++)
        gx_floats_to_samples(&out->encoding, (const float *)VIPS_REGION_ADDR(from, r->left, y),
                             NULL, (size_t)r->width, VIPS_REGION_ADDR(region, r->left, y));
    return 0;
}

/* Takes the floats (NULL: fails). */
static VipsImage *samples_image(struct gx_stream_out *out, VipsImage *floats)
{
    const struct gx_encoding *e = &out->encoding;
    if (!floats)
        return NULL;
    VipsImage *image = vips_image_new();
    vips_object_local(image, floats); /* until the image ends */
    int failed = vips_image_pipelinev(image, VIPS_DEMAND_STYLE_THINSTRIP, floats, NULL);
    if (!failed) {
        image->Bands = e->bands;
        image->BandFmt = e->bits == 16 ? VIPS_FORMAT_USHORT : VIPS_FORMAT_UCHAR;
        image->Type = gx_encoding_space(e);
        failed =
            vips_image_generate(image, vips_start_one, make_samples, vips_stop_one, floats, out);
    }
    if (failed)
        g_object_unref(image);
    return failed ? NULL : image;
}

/* How an animation moves: of `like`, if it tells. */
static void carry_frames(VipsImage *to, const struct gx_stream_shape *shape,
                         struct gx_picture *like)
{
    static const char *const fields[] = {"delay", "loop"};
    VipsImage *from = like ? gx_picture_metadata(like) : NULL;
    vips_image_set_int(to, VIPS_META_PAGE_HEIGHT, shape->to_height);
    vips_image_set_int(to, VIPS_META_N_PAGES, shape->frames);
    for (int i = 0; i < 2 && from; i++) {
        GValue value = G_VALUE_INIT;
        if (vips_image_get_typeof(from, fields[i]) && !vips_image_get(from, fields[i], &value)) {
            vips_image_set(to, fields[i], &value);
            g_value_unset(&value);
        }
    }
}

/* ---- where the bytes go ---- */

static gint64 write_bytes(VipsTargetCustom *target, const void *data, gint64 size, void *of)
{
    struct gx_stream_out *out = of;
    (void)target;
    if (out->write_errno || gx_put(out->fd, data, (size_t)size)) {
        out->write_errno = out->write_errno ? out->write_errno : errno;
        return -1;
    }
    return size;
}

static gint64 read_bytes(VipsTargetCustom *target, void *data, gint64 size, void *of)
{
    struct gx_stream_out *out = of;
    ssize_t got;
    (void)target;
    do
        got = read(out->fd, data, (size_t)size);
    while (got < 0 && errno == EINTR);
    return got;
}

static gint64 seek_bytes(VipsTargetCustom *target, gint64 offset, int whence, void *of)
{
    struct gx_stream_out *out = of;
    (void)target;
    return lseek(out->fd, offset, whence);
}

static VipsTarget *target_of(struct gx_stream_out *out)
{
    VipsTargetCustom *target = vips_target_custom_new();
    g_signal_connect(target, "write", G_CALLBACK(write_bytes), out);
    g_signal_connect(target, "read", G_CALLBACK(read_bytes), out);
    g_signal_connect(target, "seek", G_CALLBACK(seek_bytes), out);
    return VIPS_TARGET(target);
}

/* ---- the thread ---- */

static int fail_saving(struct gx_stream_out *out)
{
    errno = out->write_errno;
    if (out->write_errno)
        return gx_fail_errno(&out->err, GX_E_IO, "cannot write '%s'", out->name);
    char *reason = vips_error_buffer_copy(); /* the first line, maybe another's */
    reason[strcspn(reason, "\n")] = 0;
    int result = gx_fail(&out->err, GX_E_FORMAT, "cannot write '%s': cannot encode as %s: %s",
                         out->name, out->encoding.format->name, reason);
    g_free(reason);
    return result;
}

static void *run(void *of)
{
    struct gx_stream_out *out = of;
    if (gx_encode(&out->encoding, out->image, out->target))
        out->result = fail_saving(out);
    gx_rows_stop(out->rows);
    vips_thread_shutdown();
    return NULL;
}

static void join(struct gx_stream_out *out)
{
    if (out->running)
        pthread_join(out->thread, NULL);
    out->running = false;
    if (out->closed && out->write_errno == EPIPE)
        *out->closed = true;
}

/* ---- beginning ---- */

struct building {
    struct gx_stream_out *out;
    struct gx_picture *like;
};

static int build(void *of)
{
    struct building *b = of;
    struct gx_stream_out *out = b->out;
    out->image = rows_image(out);
    if (out->scaled)
        out->image = samples_image(out, scale(&out->shape, out->image));
    if (!out->image)
        return -1;
    if (!out->encoding.strip)
        gx_carry_metadata(out->image, b->like);
    if (out->shape.frames > 1)
        carry_frames(out->image, &out->shape, b->like);
    return 0;
}

static int check_shape(struct gx_stream_shape *s, struct gx_err *err)
{
    s->frames = s->frames > 1 ? s->frames : 1;
    s->to_width = s->to_width ? s->to_width : s->width;
    s->to_height = s->to_height ? s->to_height : s->height;
    if (s->width < 1 || s->height < 1 || s->to_width < 1 || s->to_height < 1)
        return gx_fail(err, GX_E_USAGE, "a picture of %dx%d, to be %dx%d", s->width, s->height,
                       s->to_width, s->to_height);
    int64_t highest = s->height > s->to_height ? s->height : s->to_height;
    if (highest * s->frames > VIPS_MAX_COORD || s->width > VIPS_MAX_COORD)
        return gx_fail(err, GX_E_LIMIT, "%d frames of %dx%d are more than %d rows", s->frames,
                       s->width, (int)highest, VIPS_MAX_COORD);
    return 0;
}

/* Everything but where the bytes go. */
static int lay_out(struct gx_stream_out *out, struct gx_picture *like,
                   const struct gx_write_options *options, struct gx_err *err)
{
    struct gx_stream_shape *s = &out->shape;
    struct building b = {out, like};
    char reason[REASON];
    int result = check_shape(s, err);
    if (result)
        return result;
    const struct gx_pixels pixels = {NULL, s->to_width, s->to_height, s->channels, s->lo, s->hi};
    result = gx_encoding_init(&out->encoding, &pixels, false, like, options, out->name, err);
    if (result)
        return result;
    if (s->frames > 1 && !out->encoding.format->frames)
        return gx_fail(err, GX_E_USAGE, "the format %s holds no animation: choose gif or webp",
                       out->encoding.format->name);
    size_t bytes = (size_t)s->width * s->channels * sizeof(float), ahead = QUEUE_BYTES / bytes;
    out->total = (int64_t)s->height * s->frames;
    int room = ahead < 2 * STRIP            ? 2 * STRIP
               : ahead > (size_t)out->total ? (int)out->total
                                            : (int)ahead;
    out->scaled = s->to_width != s->width || s->to_height != s->height;
    out->rows = gx_rows_new(bytes, room);
    out->row = malloc(bytes);
    if (!out->rows || !out->row)
        return gx_fail(err, GX_E_NOMEM, "out of memory for rows of %d pixels", s->width);
    if (gx_vips_try(build, &b, reason, sizeof reason))
        return gx_fail(err, GX_E_FORMAT, "cannot prepare a picture of %dx%d: %s", s->to_width,
                       s->to_height, reason);
    out->target = target_of(out);
    return 0;
}

static int prepare(struct gx_stream_out *out, struct gx_picture *like,
                   const struct gx_write_options *options, struct gx_err *err)
{
    int result = lay_out(out, like, options, err);
    return result ? gx_context(err, result, "cannot write '%s'", out->name) : 0;
}

static struct gx_stream_out *stream_new(const struct gx_stream_shape *shape, const char *name)
{
    struct gx_stream_out *out = gx_new(sizeof *out);
    out->shape = *shape;
    out->name = gx_new_text(name);
    out->fd = out->copy_to = -1;
    return out;
}

/* Ends a begin function: starts the thread if all went well, and gives the stream or frees it. */
static int finish(struct gx_stream_out **to, struct gx_stream_out *out, int result,
                  struct gx_err *err)
{
    if (!result && pthread_create(&out->thread, NULL, run, out))
        result = gx_fail(err, GX_E_NOMEM, "cannot start a thread");
    else if (!result)
        out->running = true;
    if (result)
        gx_stream_abandon(&out);
    *to = out;
    return result;
}

int gx_stream_begin(struct gx_stream_out **to, const struct gx_stream_shape *shape,
                    struct gx_picture *like, const struct gx_write_options *options,
                    const char *path, struct gx_err *err)
{
    struct gx_stream_out *out = stream_new(shape, path);
    int result = prepare(out, like, options, err);
    if (!result && !(result = gx_staged_open(&out->staged, path, err))) {
        out->is_staged = true;
        out->fd = out->staged.fd;
    }
    return finish(to, out, result, err);
}

int gx_stream_begin_fd(struct gx_stream_out **to, const struct gx_stream_shape *shape,
                       struct gx_picture *like, const struct gx_write_options *options, int fd,
                       const char *name, bool *closed, struct gx_err *err)
{
    struct gx_stream_out *out = stream_new(shape, name);
    if (closed)
        *closed = false;
    out->closed = closed;
    out->fd = fd;
    int result = prepare(out, like, options, err);
    if (!result && !strcmp(out->encoding.format->name, "tiff")) {
        out->copy_to = fd; /* libtiff goes back and forth in what it writes */
        result = gx_file_nameless(&out->fd, err);
    }
    return finish(to, out, result, err);
}

/* ---- rows, and the end ---- */

int gx_stream_write(struct gx_stream_out *out, int rows, const float *from, struct gx_err *err)
{
    if (rows < 0 || rows > out->total - out->written)
        return gx_fail(err, GX_E_USAGE, "'%s' has no room for %d rows more", out->name, rows);
    out->written += rows;
    if (gx_rows_put(out->rows, from, rows) || !out->result)
        return 0;
    join(out);
    return gx_fail(err, (enum gx_error) - out->result, "%s", out->err.text);
}

/* What lies in the nameless file goes where it was wanted. */
static int copy_out(struct gx_stream_out *out, struct gx_err *err)
{
    enum { PIECE = 1 << 16 };
    char *piece = gx_new(PIECE);
    ssize_t got = 1;
    int result = 0;
    for (off_t at = 0; got > 0 && !result; at += got) {
        do
            got = pread(out->fd, piece, PIECE, at);
        while (got < 0 && errno == EINTR);
        if (got < 0 || gx_put(out->copy_to, piece, (size_t)got)) {
            out->write_errno = errno;
            result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", out->name);
        }
    }
    free(piece);
    return result;
}

int gx_stream_commit(struct gx_stream_out **of, struct gx_err *err)
{
    struct gx_stream_out *out = *of;
    int result = 0;
    if (out->written < out->total)
        result = gx_fail(err, GX_E_USAGE, "'%s' has %lld rows of %lld", out->name,
                         (long long)out->written, (long long)out->total);
    else {
        join(out);
        if (out->result)
            result = gx_fail(err, (enum gx_error) - out->result, "%s", out->err.text);
        else if (out->copy_to >= 0)
            result = copy_out(out, err);
    }
    if (!result && out->is_staged) {
        out->is_staged = false;
        result = gx_staged_commit(&out->staged, err);
    }
    gx_stream_abandon(of);
    return result;
}

void gx_stream_abandon(struct gx_stream_out **of)
{
    struct gx_stream_out *out = *of;
    if (!out)
        return;
    if (out->rows)
        gx_rows_stop(out->rows);
    join(out);
    if (out->target)
        g_object_unref(out->target);
    if (out->image)
        g_object_unref(out->image);
    if (out->is_staged)
        gx_staged_discard(&out->staged);
    if (out->copy_to >= 0 && out->fd >= 0)
        close(out->fd);
    gx_rows_free(out->rows);
    free(out->row);
    free(out->name);
    free(out);
    *of = NULL;
}
