/* Pictures read row by row: a thread decodes strips of rows in order, fills colours under
 * transparency, and puts samples into a queue; the caller takes them out as floats.
 *
 * A picture that does not lie upright, nor is only mirrored, cannot be decoded in the order that it
 * is wanted in: it is decoded first, to memory or, if that would be much, to a file that has no
 * name and is mapped. */
#include "image/image.h"
#include "util/arena.h"
#include "util/file.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    STRIP = 16,            /* rows decoded at once */
    AHEAD_BYTES = 8 << 20, /* decoded and not taken yet */
    IN_MEMORY = 64 << 20,  /* bytes of samples of a picture that is turned */
    REASON = 256
};

struct gx_stream_in {
    struct gx_picture *picture;
    const struct gx_facts *facts; /* the picture's */
    int channels;
    struct gx_scale scale;
    VipsImage *image; /* upright samples, computed as they are asked for, in order */
    bool ordered;     /* straight from the file, not from samples that lie ready */
    void *mapped;     /* the file without a name; NULL: none */
    size_t mapped_size, row_bytes;
    struct gx_bleed *bleed; /* NULL: no alpha */
    struct gx_rows *rows;
    void *samples; /* STRIP rows, taken from the queue */
    int decoded;   /* rows, by the thread */
    int given;     /* rows, to the caller */
    pthread_t thread;
    bool running;
    int result; /* the thread's, when it has stopped the queue */
    struct gx_err err;
};

/* ---- rows of a pipeline ---- */

/* Gives all rows of `image` to `take`, in order; false from it ends that. 0 or -1 with libvips'
 * reason. `alone`: nobody else is in libvips. */
static int each_row(VipsImage *image, bool alone, bool (*take)(void *, const void *), void *on)
{
    VipsRegion *region = vips_region_new(image);
    int failed = !region;
    bool go_on = true;
    for (int y = 0; y < image->Ysize && !failed && go_on; y += STRIP) {
        int left = image->Ysize - y;
        VipsRect strip = {0, y, image->Xsize, left < STRIP ? left : STRIP};
        if (!alone)
            gx_vips_begin();
        failed = vips_region_prepare(region, &strip);
        if (!alone)
            gx_vips_end();
        for (int i = 0; i < strip.height && !failed && go_on; i++)
            go_on = take(on, VIPS_REGION_ADDR(region, 0, y + i));
    }
    if (region)
        g_object_unref(region);
    return failed ? -1 : 0;
}

struct opening {
    struct gx_picture *picture;
    VipsImage *image;
};

static int open_samples(void *of)
{
    struct opening *o = of;
    return gx_picture_pipeline(o->picture, &o->image);
}

/* ---- why decoding failed ---- */

static bool drop(void *on, const void *row)
{
    (void)on;
    (void)row;
    return true;
}

static int decode_again(void *of)
{
    struct opening *o = of;
    if (open_samples(o))
        return -1;
    int failed = each_row(o->image, true, drop, NULL);
    g_object_unref(o->image);
    return failed;
}

/* Decodes from the beginning with nobody else in libvips, whose reason is this picture's then. */
static int explain(struct gx_picture *p, struct gx_err *err)
{
    struct opening again = {p};
    char reason[REASON];
    if (gx_vips_alone(decode_again, &again, reason, sizeof reason) == 0)
        snprintf(reason, sizeof reason, "it failed once");
    return gx_picture_fail(p, reason, err);
}

/* ---- a picture that is turned and large ---- */

struct spool {
    FILE *file;
    size_t bytes; /* of a row */
};

static bool spool_row(void *of, const void *row)
{
    struct spool *s = of;
    return fwrite(row, 1, s->bytes, s->file) == s->bytes;
}

/* Decodes `image` to a file and gives the mapped samples as in->mapped. */
static int spool(struct gx_stream_in *in, VipsImage *image, struct gx_err *err)
{
    struct spool s = {NULL, (size_t)image->Xsize * VIPS_IMAGE_SIZEOF_PEL(image)};
    size_t size = s.bytes * (size_t)image->Ysize;
    int fd, result = gx_file_nameless(&fd, err);
    if (result)
        return result;
    if (!(s.file = fdopen(fd, "w+b"))) {
        close(fd);
        return gx_fail(err, GX_E_NOMEM, "out of memory for '%s'", in->picture->name);
    }
    if (each_row(image, false, spool_row, &s))
        result = explain(in->picture, err);
    else if (ferror(s.file) || fflush(s.file))
        result = gx_fail_errno(err, GX_E_IO, "cannot write a temporary file for '%s'",
                               in->picture->name);
    if (!result) {
        void *mapped = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
        if (mapped == MAP_FAILED)
            result = gx_fail_errno(err, GX_E_NOMEM, "cannot map a temporary file");
        else {
            in->mapped = mapped;
            in->mapped_size = size;
        }
    }
    fclose(s.file);
    return result;
}

static int open_spooled(struct gx_stream_in *in, struct gx_err *err)
{
    struct opening o = {in->picture};
    char reason[REASON];
    if (gx_vips_try(open_samples, &o, reason, sizeof reason))
        return gx_picture_fail(in->picture, reason, err);
    int result = spool(in, o.image, err);
    if (!result) {
        VipsImage *flat =
            vips_image_new_from_memory(in->mapped, in->mapped_size, o.image->Xsize, o.image->Ysize,
                                       o.image->Bands, o.image->BandFmt);
        int orientation = gx_orientation(in->picture->header, in->facts);
        if (!flat || gx_upright(flat, orientation, &in->image))
            result = gx_fail(err, GX_E_NOMEM, "out of memory for '%s'", in->picture->name);
        if (flat)
            g_object_unref(flat);
    }
    g_object_unref(o.image);
    return result;
}

/* ---- the thread ---- */

/* Takes a decoded row, puts what is finished into the queue; false if nobody wants more. */
static bool deliver(void *of, const void *row)
{
    struct gx_stream_in *in = of;
    int y = in->decoded++, frame = in->facts->height / in->facts->frames;
    if (in->mapped && y % STRIP == STRIP - 1) /* what was looked at counts as ours else */
        madvise(in->mapped, in->mapped_size, MADV_DONTNEED);
    if (!in->bleed)
        return gx_rows_put(in->rows, row, 1);
    bool last = y % frame == frame - 1, go_on = true;
    const void *done;
    gx_bleed_push(in->bleed, row);
    while (go_on && (done = gx_bleed_pull(in->bleed, last)))
        go_on = gx_rows_put(in->rows, done, 1);
    if (last)
        gx_bleed_restart(in->bleed);
    return go_on;
}

static void *run(void *of)
{
    struct gx_stream_in *in = of;
    bool wanted;
    if (each_row(in->image, false, deliver, in)) {
        wanted = gx_rows_put(in->rows, NULL, 0);
        in->result = !wanted       ? -GX_E_IO
                     : in->ordered ? explain(in->picture, &in->err)
                                   : gx_picture_fail(in->picture, "out of memory", &in->err);
    }
    gx_rows_stop(in->rows);
    vips_thread_shutdown();
    return NULL;
}

/* ---- opening, reading, closing ---- */

static int open_image(struct gx_stream_in *in, struct gx_err *err)
{
    struct gx_picture *p = in->picture;
    char reason[REASON];
    bool turned = !p->pixels && !gx_picture_ordered(p);
    size_t size = in->row_bytes * (size_t)p->facts.height;
    if (turned && size > IN_MEMORY)
        return open_spooled(in, err);
    int result = turned ? gx_picture_decode(p, err) : 0;
    if (result)
        return result;
    if (p->pixels) {
        in->image = g_object_ref(p->pixels);
        return 0;
    }
    struct opening o = {p};
    if (gx_vips_try(open_samples, &o, reason, sizeof reason))
        return gx_picture_fail(p, reason, err);
    in->image = o.image;
    in->ordered = true;
    return 0;
}

static int start(struct gx_stream_in *in, struct gx_err *err)
{
    const struct gx_facts *facts = in->facts;
    size_t ahead = AHEAD_BYTES / in->row_bytes;
    int room = ahead < 2 * STRIP               ? 2 * STRIP
               : ahead > (size_t)facts->height ? facts->height
                                               : (int)ahead;
    in->rows = gx_rows_new(in->row_bytes, room);
    in->samples = malloc(STRIP * in->row_bytes);
    if (facts->alpha)
        in->bleed = gx_bleed_new(facts->width, facts->channels, facts->bits);
    if (!in->rows || !in->samples || (facts->alpha && !in->bleed))
        return gx_fail(err, GX_E_NOMEM, "out of memory for '%s'", in->picture->name);
    if (gx_picture_same(in->picture, in->image))
        return gx_picture_fail(in->picture, "it has changed meanwhile", err);
    if (pthread_create(&in->thread, NULL, run, in))
        return gx_fail(err, GX_E_NOMEM, "cannot start a thread");
    in->running = true;
    return 0;
}

int gx_stream_open(struct gx_stream_in **in, struct gx_picture *picture, int channels, float lo,
                   float hi, struct gx_err *err)
{
    const struct gx_facts *facts = &picture->facts;
    *in = NULL;
    if (channels < 1 || channels > 4)
        return gx_fail(err, GX_E_USAGE, "cannot read '%s' as %d channels: 1 to 4", picture->name,
                       channels);
    struct gx_stream_in *s = gx_new(sizeof *s);
    s->picture = picture;
    s->facts = facts;
    s->channels = channels;
    s->scale = gx_scale_of(facts->bits, lo, hi);
    s->row_bytes =
        (size_t)facts->width * (facts->channels + facts->alpha) * ((size_t)facts->bits / 8);
    int result = open_image(s, err);
    if (!result)
        result = start(s, err);
    if (result)
        gx_stream_close(&s);
    *in = s;
    return result;
}

int gx_stream_read(struct gx_stream_in *in, int rows, float *to, struct gx_err *err)
{
    int width = in->facts->width;
    if (rows < 0 || rows > in->facts->height - in->given)
        return gx_fail(err, GX_E_USAGE, "'%s' has no %d rows left", in->picture->name, rows);
    while (rows > 0) {
        int wanted = rows < STRIP ? rows : STRIP;
        int got = gx_rows_take(in->rows, in->samples, wanted);
        if (got < wanted)
            return gx_fail(err, (enum gx_error) - in->result, "%s", in->err.text);
        gx_samples_to_floats(&in->scale, in->facts, in->samples, (size_t)got * width, in->channels,
                             to);
        to += (size_t)got * width * in->channels;
        in->given += got;
        rows -= got;
    }
    return 0;
}

void gx_stream_close(struct gx_stream_in **in)
{
    struct gx_stream_in *s = *in;
    if (!s)
        return;
    if (s->running) {
        gx_rows_stop(s->rows);
        pthread_join(s->thread, NULL);
    }
    if (s->image)
        g_object_unref(s->image);
    if (s->mapped)
        munmap(s->mapped, s->mapped_size);
    gx_bleed_free(s->bleed);
    gx_rows_free(s->rows);
    free(s->samples);
    free(s);
    *in = NULL;
}
