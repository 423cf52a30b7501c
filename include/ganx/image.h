/* Pictures: reading, writing, scaling, sample sheets. Everything that libganx does with picture
 * files happens behind this header; libvips is never visible.
 *
 * Pictures meet networks as NHWC float32 in a range lo..hi (0 is lo, the most a sample can be is
 * hi; -1..1 for the GANs here), channels 1 (grey), 3 (sRGB), 2 or 4 (these and alpha), rows from the
 * top. Opening turns whatever the file holds into that: upright by its EXIF orientation, sRGB by
 * its ICC profile, palettes expanded, CMYK converted (by a press profile when it has none). An
 * animation's orientation is left alone.
 *
 * A program that uses this header calls gx_image_start first, and ignores SIGPIPE and SIGXFSZ if a
 * closed pipe or a file size limit shall be an error instead of its end.
 *
 * Error codes: -GX_E_IO the system refused (open, read, write); -GX_E_FORMAT the file is no
 * picture, damaged, or of a kind that is off; -GX_E_LIMIT more pixels than allowed, or more than
 * the output format can hold; -GX_E_NOMEM. */
#ifndef GANX_IMAGE_H
#define GANX_IMAGE_H

#include "ganx/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GX_MAX_PIXELS 512000000 /* decoded, unless asked otherwise */

/* Starts libvips: once per process, before any thread uses pictures; a later call changes `loaders`
 * and `threads` only. Reads JPEG, PNG, WebP, TIFF, GIF and PPM; `loaders` (may be NULL) is a list
 * separated by commas of what to allow besides: heif, jxl, jp2, svg, pdf, bmp, psd, exr, hdr, fits.
 * `threads` is how many threads decode one picture; 0: one. -GX_E_USAGE names an unknown loader. */
GX_MUST_CHECK int gx_image_start(const char *loaders, int threads, struct gx_err *err);

/* ---- reading ---- */

/* One picture; use it from one thread at a time, but for a decoded one as `like`. */
struct gx_picture;

struct gx_open_options {
    int64_t max_pixels;   /* 0: GX_MAX_PIXELS; checked against the header, before decoding */
    bool allow_truncated; /* what is missing becomes grey or black instead of an error */
    bool all_frames;      /* GIF, WebP: every frame, one below the other, not the first alone */
    bool keep_profile;    /* colours stay those of an embedded ICC profile, which outputs like this
                             picture then have too, instead of becoming sRGB */
};

struct gx_facts {
    int width, height; /* upright; of all frames that are read, one below the other */
    int frames;        /* that are read, of equal height: 1 unless all_frames was asked for */
    int channels;      /* of colour: 1 for a grey picture, else 3 */
    bool alpha;
    int bits;           /* 8 or 16 a sample */
    const char *format; /* "png", "jpg", ...: the row of the format table that it was loaded by */
    int pages;          /* frames or pages in the file */
    bool profile;       /* its profile is kept: asked for, and one of RGB or grey as it is itself */
};

/* Open reads the header and checks the limit; the first gx_picture_read (or use as `like`) decodes.
 * `options` may be NULL. Gives *picture, or NULL on failure. Texts of errors name `path` or `name`.
 * _memory borrows data until the picture is freed; _fd reads the descriptor to its end and leaves
 * it open. */
GX_MUST_CHECK int gx_picture_open(struct gx_picture **picture, const char *path,
                                  const struct gx_open_options *options, struct gx_err *err);
GX_MUST_CHECK int gx_picture_open_memory(struct gx_picture **picture, const void *data, size_t size,
                                         const char *name, const struct gx_open_options *options,
                                         struct gx_err *err);
GX_MUST_CHECK int gx_picture_open_fd(struct gx_picture **picture, int fd, const char *name,
                                     const struct gx_open_options *options, struct gx_err *err);
const struct gx_facts *gx_picture_facts(const struct gx_picture *picture);
void gx_picture_free(struct gx_picture **picture);

/* to: height x width x channels floats. channels 1: grey (luma 0.299 0.587 0.114 of a colour
 * picture); 3: colour (a grey picture is repeated); 2, 4: the same and alpha (hi where there is none).
 * With 1 and 3 the colour of wholly transparent pixels is taken from their visible neighbours, so
 * that what an editor left there cannot bleed into the result. */
GX_MUST_CHECK int gx_picture_read(struct gx_picture *picture, int channels, float lo, float hi,
                                  float *to, struct gx_err *err);

/* The same scaled to width x height by bicubic, as gx_resize does it with samples from 0, and clipped
 * to lo..hi; the floats of the whole picture are never in memory, but for one whose colours are
 * taken from neighbours. */
GX_MUST_CHECK int gx_picture_read_scaled(struct gx_picture *picture, int channels, float lo,
                                         float hi, int width, int height, float *to,
                                         struct gx_err *err);

/* Whether a name looks like a picture that this process reads (by its suffix). */
bool gx_picture_name(const char *name);
/* The name of the format, by its suffix, that this process does not read since it was not asked to;
 * else NULL. */
const char *gx_picture_name_off(const char *name);

/* ---- writing ---- */

struct gx_pixels { /* borrows: height x width x channels floats */
    const float *data;
    int width, height, channels;
    float lo, hi;
    int from_width, from_height; /* in files: data have these sides, and are scaled to width and
                                  * height by bicubic on their way; 0: they have those */
};

struct gx_write_options {
    const char *format; /* png jpg webp tiff gif ppm; NULL: by the suffix of the path, else png */
    int quality;        /* jpg, webp: 1..100; 0: 95 for jpg, 90 for webp */
    int bits;           /* 8, 16; 0: 16 if `like` has 16 and the format can, else 8 */
    bool strip;         /* no metadata */
    uint8_t background[3]; /* under transparent pixels where the format has no alpha */
};

extern const struct gx_write_options gx_write_defaults; /* white background, all else 0 */

/* Writes pixels (clipped to lo..hi, rounded). `like` (may be NULL) is the picture that they were
 * made from: its alpha is carried over (scaled if the size differs; not if pixels have their own),
 * and its EXIF (orientation 1, no thumbnail), XMP, IPTC, comments and resolution kept, unless
 * `strip`; its ICC profile only if facts.profile, else the pixels are sRGB now. The file appears under `path` whole
 * or not at all, replacing what was there. */
GX_MUST_CHECK int gx_picture_write(const struct gx_pixels *pixels, struct gx_picture *like,
                                   const struct gx_write_options *options, const char *path,
                                   struct gx_err *err);

/* The same to a descriptor, nothing before the picture is encoded. *closed (may be NULL) says
 * whether it failed with -GX_E_IO because the reader has gone (EPIPE). */
GX_MUST_CHECK int gx_picture_write_fd(const struct gx_pixels *pixels, struct gx_picture *like,
                                      const struct gx_write_options *options, int fd,
                                      const char *name, bool *closed, struct gx_err *err);

/* The name of the format that a file name's suffix, or a word like "jpeg", asks for; NULL if there
 * is none that can be written. */
const char *gx_format_of_name(const char *name);
const char *gx_format_find(const char *word);

/* Whether a picture of this size can be written (WebP: 16383 a side, JPEG: 65500, GIF: 65535, PNG:
 * 1000000): ask before the work. -GX_E_LIMIT, or -GX_E_USAGE for an unknown format. */
GX_MUST_CHECK int gx_format_check(const char *format, int64_t width, int64_t height,
                                  struct gx_err *err);

/* "white", "black", "grey" or "#rrggbb". */
GX_MUST_CHECK int gx_background_parse(const char *text, uint8_t rgb[3], struct gx_err *err);

/* ---- streams: pictures row by row ----
 * Decoding and encoding run beside the caller, each on a thread of its own, a bounded number of rows
 * ahead of it or behind it. */

/* The rows of a picture from the top, each once: those that gx_picture_read gives, bit for bit, but
 * for the colour of wholly transparent pixels. With any number of channels that is taken from the
 * nearest visible pixel of the same frame at most 32 pixels away; black where there is none.
 *
 * Memory does not grow with the height, except: what an interlaced PNG, a progressive JPEG, WebP, or
 * a format that is off by default needs is up to its decoder, and that holds the picture whole (of
 * an animation, one frame); a picture that lies on its side or head (EXIF orientation 3 to 8) is
 * decoded by gx_stream_open, to memory up to 64 MiB, else to a file without a name in $TMPDIR or
 * /tmp; what was opened from a descriptor that is no file is held encoded.
 *
 * `picture` is borrowed until the stream is closed: meanwhile it may serve as `like`, but not be
 * read or streamed a second time. Gives *in, or NULL on failure. */
struct gx_stream_in;
GX_MUST_CHECK int gx_stream_open(struct gx_stream_in **in, struct gx_picture *picture, int channels,
                                 float lo, float hi, struct gx_err *err);
/* to: rows x width x channels. More rows than are left are a usage error. When the file turns out
 * to be damaged the rows before that may have been given. */
GX_MUST_CHECK int gx_stream_read(struct gx_stream_in *in, int rows, float *to, struct gx_err *err);
void gx_stream_close(struct gx_stream_in **in);

/* What is written, and what becomes of it. */
struct gx_stream_shape {
    int width, height; /* of what the caller writes: of one frame */
    int channels;      /* 1, 3; 2, 4 with alpha */
    float lo, hi;
    int to_width, to_height; /* of a frame in the file: libvips scales by Lanczos 3 to a smaller and
                              * by bicubic to a larger size; 0, 0: width and height */
    int frames;              /* 0, 1: a picture; else an animation (GIF, WebP), frame after frame */
};

/* As gx_picture_write with the same options, bit for bit; but the alpha of `like` is not carried
 * over: it is the caller's to read, scale and write. An animation gets the delays and loop count of
 * `like`. `like` is needed until gx_stream_begin returns; `options` too. The file appears under
 * `path` when gx_stream_commit succeeds, replacing what was there; before that, and if it fails,
 * nothing stands there but a temporary file beside it that goes away.
 *
 * Memory does not grow with the height, except that WebP is encoded a frame at a time. */
struct gx_stream_out;
GX_MUST_CHECK int gx_stream_begin(struct gx_stream_out **out, const struct gx_stream_shape *shape,
                                  struct gx_picture *like, const struct gx_write_options *options,
                                  const char *path, struct gx_err *err);

/* The same to a descriptor, which is left open: bytes are written as they are encoded (TIFF, which
 * is not written in order: when all are there). What has been written when it fails stays written.
 * *closed (may be NULL; borrowed until the stream ends) says whether it failed since the reader has
 * gone. */
GX_MUST_CHECK int gx_stream_begin_fd(struct gx_stream_out **out,
                                     const struct gx_stream_shape *shape, struct gx_picture *like,
                                     const struct gx_write_options *options, int fd,
                                     const char *name, bool *closed, struct gx_err *err);
/* from: rows x width x channels. Waits while the encoder is behind. Fails when the encoder or the
 * disk did, maybe for rows that came before; then only commit (which fails too) or abandon is left
 * to do. */
GX_MUST_CHECK int gx_stream_write(struct gx_stream_out *out, int rows, const float *from,
                                  struct gx_err *err);
/* Both end the stream and free it. Not all rows written: a usage error. */
GX_MUST_CHECK int gx_stream_commit(struct gx_stream_out **out, struct gx_err *err);
void gx_stream_abandon(struct gx_stream_out **out);

/* ---- scaling ---- */

enum gx_filter { GX_FILTER_BILINEAR, GX_FILTER_BICUBIC };

/* from: count x h x w x channels, to: count x to_h x to_w x channels. The filter is widened when it
 * shrinks (antialiased) and renormalised at the edges, bicubic with a = -0.5: as PIL's resize, or
 * PyTorch's interpolate(antialias=True). Bicubic may leave the range by a little. */
GX_MUST_CHECK int gx_resize(const float *from, int count, int h, int w, int channels, float *to,
                            int to_h, int to_w, enum gx_filter filter, struct gx_err *err);

/* MATLAB's imresize(x, scale, "bicubic"), by which the small pictures of super-resolution's data
 * sets and benchmarks are made: as above, but the picture goes on beyond its edges as its mirror
 * image. to: gx_imresize_side(h, scale) x gx_imresize_side(w, scale) x channels, that is, rounded
 * up. -GX_E_NOMEM. */
int gx_imresize_side(int side, double scale);
GX_MUST_CHECK int gx_imresize(const float *from, int h, int w, int channels, double scale,
                              float *to, struct gx_err *err);

/* ---- sample sheets ---- */

/* A PNG of rows x columns pictures (cells row by row; data NULL leaves one empty) on light grey,
 * thin gutters between; each is centred in its cell. titles (may be NULL, as may each) head the
 * columns. */
GX_MUST_CHECK int gx_sheet_write(const char *path, int columns, int rows,
                                 const struct gx_pixels *cells, const char *const *titles,
                                 struct gx_err *err);

/* The same as a picture, *height x *width x 3 floats from 0 to 1 to free, with a title for each
 * cell, above it; columns are wide enough for their titles. *data is NULL on failure. */
GX_MUST_CHECK int gx_sheet_draw(int columns, int rows, const struct gx_pixels *cells,
                                const char *const *titles, float **data, int *width, int *height,
                                struct gx_err *err);

#endif
