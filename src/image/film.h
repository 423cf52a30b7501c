/* Films on a descriptor, a frame at a time: YUV4MPEG2 (y4m), and PNG pictures one after another, as
 * ffmpeg writes and reads them (-f yuv4mpegpipe; -f image2pipe -c:v png).
 *
 * A frame is height x width x channels floats: sRGB in 0..1, and alpha if channels is 4.
 *
 * y4m: C420jpeg, C420mpeg2, C420paldv, C422, C444 and Cmono with 8 bits, and p9 to p16 of 420, 422,
 * 444 and mono; limited range unless XCOLORRANGE=FULL. The format does not tell the matrix: BT.709
 * from 1280 pixels of width or 577 of height on, as players guess, else BT.601. Chroma is spread
 * linearly from where the subsampling puts it and gathered by the same filter (420jpeg: at centres;
 * 422 and others: on the left column, paldv on the top row too; both planes alike). Interlaced frames
 * are taken as they are. */
#ifndef GX_IMAGE_FILM_H
#define GX_IMAGE_FILM_H

#include "ganx/image.h"

enum gx_chroma {
    GX_CHROMA_420JPEG,
    GX_CHROMA_420MPEG2,
    GX_CHROMA_420PALDV,
    GX_CHROMA_422,
    GX_CHROMA_444,
    GX_CHROMA_MONO
};

struct gx_film_facts {
    const char *format; /* "y4m" or "png" */
    int width, height;
    int channels; /* 3; 4 if the first picture has alpha */
    int bits;     /* 8..16 a sample; png: 8, 16 */
    /* The rest is y4m's. */
    enum gx_chroma chroma;
    bool full;        /* range */
    int matrix;       /* 601, 709; 0: by the size */
    char interlacing; /* 'p', ...; 0: not said */
    int rate[2];      /* frames a second, a fraction; 0, 0: not said */
    int aspect[2];    /* of a pixel, a fraction; 0, 0: not said */
};

/* ---- reading ---- */

struct gx_film_in;

/* Tells a film from a single picture by what comes: y4m by its first word, a PNG that another one
 * follows. Gives *film, or *picture (all of which is read then, as by gx_picture_open_fd), or, on
 * failure, neither. `options` (may be NULL) hold for each frame. Does not close fd, which must stay
 * open as long as the film. -GX_E_FORMAT for damaged headers or kinds of y4m that are not read,
 * -GX_E_LIMIT for frames with too many pixels. */
GX_MUST_CHECK int gx_film_open(struct gx_film_in **film, struct gx_picture **picture, int fd,
                               const char *name, const struct gx_open_options *options,
                               struct gx_err *err);
const struct gx_film_facts *gx_film_facts(const struct gx_film_in *film);
/* The next frame; *more is false, and nothing written, when the film is over. A film that breaks off
 * within a frame gives the whole frames first, then -GX_E_FORMAT; so does a PNG of another size. */
GX_MUST_CHECK int gx_film_read(struct gx_film_in *film, float *frame, bool *more,
                               struct gx_err *err);
void gx_film_close(struct gx_film_in **film);

/* ---- writing ---- */

struct gx_film_out;

/* Of this size, kind, rate, ...: facts of a film that was read, with the size changed. Writes nothing
 * yet. fd is not closed. -GX_E_USAGE or -GX_E_LIMIT if the facts make no film. */
GX_MUST_CHECK int gx_film_begin(struct gx_film_out **film, const struct gx_film_facts *facts,
                                int fd, const char *name, struct gx_err *err);
/* frame: of facts->channels; clipped to 0..1, rounded; y4m has no alpha. *closed as for
 * gx_picture_write_fd. */
GX_MUST_CHECK int gx_film_write(struct gx_film_out *film, const float *frame, bool *closed,
                                struct gx_err *err);
/* Frees it: what was written is a whole film. NULL is legal. */
void gx_film_end(struct gx_film_out **film);

/* ---- frames as planes (yuv.c) ---- */

/* Bytes of a frame's planes: Y, then U and V, each row by row; 2 bytes a sample (little-endian) from
 * 9 bits on. Facts are in range. */
size_t gx_yuv_bytes(const struct gx_film_facts *facts);
/* scratch: 2 x width floats */
void gx_yuv_to_rgb(const struct gx_film_facts *facts, const unsigned char *planes, float *scratch,
                   float *rgb);
/* rgb: height x width x channels */
void gx_rgb_to_yuv(const struct gx_film_facts *facts, const float *rgb, unsigned char *planes);

#endif
