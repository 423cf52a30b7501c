/* What the files of this folder share; the rest of the program sees ganx/image.h. */
#ifndef GX_IMAGE_IMAGE_H
#define GX_IMAGE_IMAGE_H

#include "ganx/image.h"

#include <vips/vips.h>

/* ---- formats (format.c) ---- */

struct gx_format {
    const char *name;     /* as written by users and shown to them */
    const char *suffixes; /* separated by spaces, without dots */
    const char *loader;   /* libvips' class; blocked unless the row is on */
    bool (*sniff)(const unsigned char *head, size_t size);
    bool trusted; /* read without being asked */
    /* writing: NULL if it cannot be written */
    const char *saver;
    bool alpha, deep; /* holds transparency, 16 bits a sample */
    int max_side;     /* 0: no limit of its own */
    bool frames;      /* holds animations */
};

/* The row whose content this is; NULL: none that we know. */
const struct gx_format *gx_format_sniff(const unsigned char *head, size_t size);
bool gx_format_is_on(const struct gx_format *format);
const struct gx_format *gx_format_row(const char *word);

/* What a file that is no picture seems to be: "HTML text", "a Git LFS pointer", ... */
const char *gx_not_a_picture(const unsigned char *head, size_t size);

/* ---- libvips' errors (vips.c) ---- */

/* Runs `work`, which gives 0 or -1 and can be done a second time: where it fails it is, alone in
 * libvips, and what comes of that counts. Gives the last result, and libvips' reason (one line) if
 * it is no 0. */
GX_MUST_CHECK int gx_vips_try(int (*work)(void *), void *on, char *reason, size_t size);

/* Does once more, alone, what failed a moment ago: gx_vips_try's second half. */
GX_MUST_CHECK int gx_vips_alone(int (*work)(void *), void *on, char *reason, size_t size);

/* Around other calls of libvips that can fail, whose reason nobody asks for. Neither these nor
 * gx_vips_try stand inside each other. */
void gx_vips_begin(void);
void gx_vips_end(void);

/* Starts libvips; *modules: whether it has loaded its modules, which gx_vips_load_modules else does
 * when their loaders are wanted. A module's loaders are on until they are blocked. */
GX_MUST_CHECK int gx_vips_start(bool *modules);
void gx_vips_load_modules(void);

/* ---- pictures (read.c) ---- */

struct gx_picture {
    char *name;
    void *owned;        /* bytes that were read from a descriptor */
    VipsSource *source; /* NULL once it is decoded */
    VipsFailOn fail_on;
    const struct gx_format *format;
    bool all_frames, keep_profile;
    VipsImage *header; /* as libvips opened it; NULL once it is decoded */
    VipsImage *kept;   /* a copy of `header` with its metadata; NULL: no stream was opened */
    bool spent;        /* its rows have gone by */
    VipsImage *
        pixels; /* upright sRGB (facts.profile: its own RGB) or grey, 8 or 16 bits, then alpha; in memory; NULL before */
    struct gx_facts facts;
};

/* Decodes if that has not happened yet; then gx_picture_samples is its height x width x (channels +
 * alpha) array of uint8_t or uint16_t. */
GX_MUST_CHECK int gx_picture_decode(struct gx_picture *picture, struct gx_err *err);
const void *gx_picture_samples(const struct gx_picture *picture);

/* As gx_picture_open_fd, where `used` bytes have been read already; takes `data`. */
GX_MUST_CHECK int gx_picture_open_rest(struct gx_picture **picture, int fd, unsigned char *data,
                                       size_t used, const char *name,
                                       const struct gx_open_options *options, struct gx_err *err);

/* Whether rows can be decoded in the order that they are wanted in. *to computes them, mirrored but
 * not turned, as they are asked for, from the first (for gx_vips_try); rows of an earlier one must
 * not be asked for any more. 0 or -1 with libvips' reason. */
bool gx_picture_ordered(const struct gx_picture *picture);
GX_MUST_CHECK int gx_picture_pipeline(struct gx_picture *picture, VipsImage **to);

/* For streams, which decode on their own. Gives the file opened from its beginning, to be read in
 * order, as libvips finds it (for gx_vips_try; rows of earlier ones must not be asked for any
 * more); and how a failure of that is told. */
VipsImage *gx_picture_reopen(const struct gx_picture *picture);
/* What to ask for metadata: those of `header` are set anew by libvips when its first row is decoded,
 * which a stream's thread does while others read. */
VipsImage *gx_picture_metadata(const struct gx_picture *picture);
/* 0, or a failure with a reason if this image is not what the picture's facts say. */
GX_MUST_CHECK int gx_picture_same(const struct gx_picture *picture, VipsImage *image);
int gx_picture_fail(const struct gx_picture *picture, const char *reason, struct gx_err *err);

/* ---- what libvips decoded -> samples (convert.c); 0 or -1 with libvips' reason ---- */

/* Bands of colour in the file, 1, 3 or 4 (CMYK); a band after them is alpha, further ones are
 * dropped. 0: not a picture that we understand. */
int gx_colour_bands(const VipsImage *image);

/* Whether it has an ICC profile, and this is one of the colours that the file has: of RGB with 3
 * channels, of grey with 1. */
bool gx_profile_fits(const VipsImage *image, int channels);

/* Gives *to: `facts` channels of sRGB (facts->profile: of its own RGB) or grey, then alpha, of
 * facts->bits, not yet upright. */
GX_MUST_CHECK int gx_convert(VipsImage *whole, const struct gx_facts *facts, VipsImage **to);

/* EXIF's, 1..8, as far as it is heeded; and turning by it. */
int gx_orientation(VipsImage *whole, const struct gx_facts *facts);
GX_MUST_CHECK int gx_upright(VipsImage *image, int orientation, VipsImage **to);

/* ---- samples -> floats (pixels.c) ---- */

struct gx_scale { /* table[v] for 8 bits, lo + v * step for 16 */
    float table[256];
    float lo, hi, step;
    int bits;
    bool plain; /* a sample of 8 bits is its own value */
};

struct gx_scale gx_scale_of(int bits, float lo, float hi);

/* samples: pixels x (facts->channels + facts->alpha) -> to: pixels x channels (1 to 4). */
void gx_samples_to_floats(const struct gx_scale *scale, const struct gx_facts *facts,
                          const void *samples, size_t pixels, int channels, float *to);

/* ---- colours under transparency, row by row (bleed.c) ---- */

enum { GX_BLEED = 32 }; /* how far a colour reaches, in pixels */

struct gx_bleed;
/* Rows of width x (colours + 1) samples. NULL: out of memory. */
struct gx_bleed *gx_bleed_new(int width, int colours, int bits);
void gx_bleed_free(struct gx_bleed *bleed);
/* A new frame begins; all rows of the last one have been pulled. */
void gx_bleed_restart(struct gx_bleed *bleed);
/* Takes a copy of the next row. Pull all that can be pulled before the next one. */
void gx_bleed_push(struct gx_bleed *bleed, const void *row);
/* The next row finished, until the next call; NULL if more must be pushed first. `last`: the frame
 * has no further rows. */
const void *gx_bleed_pull(struct gx_bleed *bleed, bool last);

/* ---- a queue of rows between two threads (rows.c) ---- */

struct gx_rows;
/* Holds up to `room` rows of `bytes` each. NULL: out of memory. */
struct gx_rows *gx_rows_new(size_t bytes, int room);
void gx_rows_free(struct gx_rows *rows);
/* Waits for room. False: stopped; then `from` is dropped. */
bool gx_rows_put(struct gx_rows *rows, const void *from, int count);
/* Waits until `count` rows (any number) have been taken or, when stopped, none are left. Gives how
 * many were taken. */
int gx_rows_take(struct gx_rows *rows, void *to, int count);
/* Nothing more is put, whoever waits goes on. Any thread may say so, and again. */
void gx_rows_stop(struct gx_rows *rows);

/* ---- floats -> files (encode.c) ---- */

/* How a picture is written. */
struct gx_encoding {
    const struct gx_format *format;
    int channels;    /* of the floats, 1 to 4 */
    bool alpha;      /* they have alpha, in them or beside them */
    int bands, bits; /* of the samples */
    float lo, hi;
    int quality;
    bool strip;
    uint8_t background[3];
};

/* By options (may be NULL), the name's suffix and `like` (may be NULL). `beside`: alpha comes from
 * elsewhere. Checks that frames of this size fit the format. */
GX_MUST_CHECK int gx_encoding_init(struct gx_encoding *e, const struct gx_pixels *pixels,
                                   bool beside, struct gx_picture *like,
                                   const struct gx_write_options *options, const char *name,
                                   struct gx_err *err);
/* from: pixels x channels; alpha: pixels, 0..1, or NULL -> to: pixels x bands of `bits`. */
void gx_floats_to_samples(const struct gx_encoding *e, const float *from, const float *alpha,
                          size_t pixels, void *to);
VipsInterpretation gx_encoding_space(const struct gx_encoding *e);
/* The metadata of `like` that stay true. */
void gx_carry_metadata(VipsImage *to, struct gx_picture *like);
/* 0 or -1 with libvips' reason. */
GX_MUST_CHECK int gx_encode(const struct gx_encoding *e, VipsImage *image, VipsTarget *target);
/* Writes all; 0, or -1 with errno. */
GX_MUST_CHECK int gx_put(int fd, const void *data, size_t size);

#endif
