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

/* Around other calls of libvips that can fail, whose reason nobody asks for. Neither these nor
 * gx_vips_try stand inside each other. */
void gx_vips_begin(void);
void gx_vips_end(void);

/* ---- pictures (read.c) ---- */

struct gx_picture {
    char *name;
    void *owned;        /* bytes that were read from a descriptor */
    VipsSource *source; /* NULL once it is decoded */
    VipsFailOn fail_on;
    VipsImage *header; /* as libvips opened it; NULL once it is decoded */
    bool spent;        /* its rows have gone by */
    VipsImage *pixels; /* upright sRGB or grey, 8 or 16 bits, then alpha; in memory; NULL before */
    struct gx_facts facts;
};

/* Decodes if that has not happened yet; then gx_picture_samples is its height x width x (channels +
 * alpha) array of uint8_t or uint16_t. */
GX_MUST_CHECK int gx_picture_decode(struct gx_picture *picture, struct gx_err *err);
const void *gx_picture_samples(const struct gx_picture *picture);

#endif
