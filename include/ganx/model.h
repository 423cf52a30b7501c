/* Trained models at work: open one, translate pictures of any size. The highest level of libganx;
 * examples/translate.c is a whole program.
 *
 * A model is any file that holds a generator: what `ganx FAMILY train` writes (model.safetensors,
 * a checkpoint, or the run's folder) or a .pth that the reference implementations published. What
 * the file does not say about itself is inferred from names and shapes of its tensors.
 *
 * A model is used from one thread at a time, but for what says otherwise; it computes with several by
 * itself. */
#ifndef GANX_MODEL_H
#define GANX_MODEL_H

#include "ganx/error.h"

#include <stdbool.h>
#include <stdint.h>

struct gx_model;

enum gx_model_stats {
    GX_MODEL_STATS_OWN,    /* what the model file asks for */
    GX_MODEL_STATS_IMAGE,  /* batch norm by the picture's own statistics, as in training */
    GX_MODEL_STATS_RUNNING /* by the stored ones */
};
enum gx_model_dropout { GX_MODEL_DROPOUT_OWN, GX_MODEL_DROPOUT_ON, GX_MODEL_DROPOUT_OFF };

/* Weights of convolutions that are kept and read in 16 bits. Arithmetic is float32's; but with
 * GX_MODEL_BF16, where the processor multiplies bfloat16 numbers faster (AMX), pictures are rounded
 * to them on the way into a convolution, and their products summed in float32. The first and the
 * last convolution of a network stay float32 throughout. */
enum gx_model_precision { GX_MODEL_F32, GX_MODEL_F16, GX_MODEL_BF16 };

struct gx_model_settings { /* all zero: the model's own ways, all threads, any family */
    const char *family;    /* a model of another one is refused; NULL or "": any */
    const char *direction; /* "AtoB" or "BtoA": which of a two-way model's generators; NULL or "":
                            * the model's own choice. A model that only does the other is refused;
                            * one that does not say what it does is taken at this word. */
    enum gx_model_stats norm_stats;
    enum gx_model_dropout dropout; /* GX_MODEL_DROPOUT_ON: where the network has it */
    uint64_t seed;                 /* of dropout: each picture gets the same draws */
    int size;                      /* work at size x size, as in training; 0: as the picture is */
    int threads;                   /* 0: all that this process may use */
    const char *domains;           /* "a,b,c": other names for the domains; NULL: the file's own */
    const char *kernels;           /* "v3", ... as `ganx version` names them; NULL: the best */
    enum gx_model_precision precision;
    int64_t max_memory; /* bytes for weights and values; 0: most of what the machine has free */
    const char *temp_folder; /* values beyond it lie in a file here; NULL: such work is refused */
    int64_t max_temp;        /* bytes for that file; 0: no limit */
};

struct gx_model_facts {
    const char *path;      /* of the file itself */
    const char *family;    /* "pix2pix"; the likeliest where the file does not say; may be "" */
    const char *network;   /* "unet", ... */
    const char *direction; /* "AtoB", "BtoA", or "" */
    int channels_in, channels_out; /* of pictures: 1 (grey), 3 (sRGB) or 4 (and alpha) */
    float low, high;               /* the values of black and white, mostly -1 and 1 */
    bool running, dropout;         /* as settings and file have it */
    int trained_size;              /* side of the training squares; 0: unknown */
    int multiple;                  /* pictures are padded to a multiple of this */
    int scale;                     /* sides of the result are so many times as long; mostly 1 */
    int shrink;                    /* or so many times shorter, rounded up; mostly 1 */
    int reach; /* pixels of the input on each side that a pixel of the result depends on, beyond the
                * one that it lies in; -1: as far as the picture goes */
    int64_t parameters;
    int threads; /* that it computes with, at most */
    /* A network for several domains (StarGAN's) is told by a label, a number for each, which one it
     * shall make: mostly 1 for those that shall be and 0 for the others. */
    int domains;               /* numbers in a label; 0: the model takes none */
    const char *const *domain; /* their names, in that order; "1", "2" ... if the file has none */
    const int *domain_group;   /* at most one of those with the same number is true of a picture;
                                * from 1, 0 for a domain that goes with every other */
};

/* Opens and loads the model: a file, the folder of a run, or the name of an installed model; NULL is
 * the installed one of settings->family. Models are installed in the folders of ganx(1), MODELS.
 * `path` and the texts of `settings` are copied; settings may be NULL.
 * -GX_E_IO, -GX_E_FORMAT: no model, or of another family, or it does not fit its network: the text
 * names the file and the first differences; -GX_E_USAGE: unknown kernels or direction, or
 * settings->domains has another number of names than the network domains; -GX_E_NOMEM. */
GX_MUST_CHECK int gx_model_open(struct gx_model **model, const char *path,
                                const struct gx_model_settings *settings, struct gx_err *err);
void gx_model_close(struct gx_model **model);

/* Borrowed until close. */
const struct gx_model_facts *gx_model_facts(const struct gx_model *model);

/* Sides of what the model makes of a picture. */
void gx_model_result_size(const struct gx_model_facts *facts, int w, int h, int *to_w, int *to_h);

/* Translates one picture: in is h x w x channels_in floats from low to high, rows from the top; out
 * gets as many rows and columns of channels_out as gx_model_result_size says, and may be `in` where
 * there is room. label has facts->domains numbers, and is NULL where that is 0. Nothing depends on what was translated before.
 *
 * Sides that are no multiple of facts->multiple are continued to the right and below by mirroring
 * (again and again where the picture is small; one pixel is repeated), and the result is cut back;
 * statistics of instance and batch norm are taken over the continued picture. With settings.size
 * the picture is first scaled to that square, whatever its proportions, as in training, and the
 * result back: both bicubic.
 *
 * -GX_E_NOMEM, -GX_E_IO: the work does not fit the budget or the temporary folder; the text has the
 * numbers. -GX_E_NUMERIC: the result holds values that are not finite; out is then unspecified.
 * -GX_E_SHAPE: a side below 1, a label where there must be none, or none where there must. */
GX_MUST_CHECK int gx_model_translate(struct gx_model *model, const float *in, int w, int h,
                                     const float *label, float *out, struct gx_err *err);

/* The same where the caller has several pictures translated at a time, each on a thread of its own:
 * the model's threads are divided among `beside` of them, which is faster than one picture after the
 * other on all threads. A picture gets more than its share where memory is short, and waits until
 * its threads are free. Results are the same bits. */
GX_MUST_CHECK int gx_model_translate_beside(struct gx_model *model, int beside, const float *in,
                                            int w, int h, const float *label, float *out,
                                            struct gx_err *err);

/* Bytes that gx_model_translate of such a picture needs besides weights and both pictures, known
 * without the work. */
GX_MUST_CHECK int gx_model_needs(struct gx_model *model, int w, int h, int64_t *bytes,
                                 struct gx_err *err);

/* ---- super-resolution: pictures of any size in bounded memory ---- */

/* A picture goes through the model in tiles, whose results are joined: bands from the top to the
 * bottom, and in a band from the left to the right. Each tile is computed together with a border on
 * those of its sides that are not the picture's. Where the border is as wide as the network sees
 * (the default for all but the deepest networks, whose reach is hundreds of pixels) the result is
 * that of the whole picture but for rounding: 1e-5 of the range. The tiles depend on the picture's
 * size and the settings alone, and the same tiles on the same number of threads give the same bits.
 *
 * Rows are a picture's own kind: 1 channel (grey), 2 (grey, alpha), 3 (sRGB) or 4 (sRGB, alpha), of
 * values from facts->low to facts->high. Grey goes through a network for colour as three equal
 * channels, and its result becomes grey again. */

enum gx_upscale_alpha {
    GX_ALPHA_NETWORK, /* through the network, as a grey picture */
    GX_ALPHA_BICUBIC /* in either case what is flat (a pixel and its 8 neighbours) stays as it is */
};

struct gx_upscale_settings { /* all zero: as a rule the best */
    int tile;           /* side of a tile without its border; 0: what makes the least work within
                              * the memory. Rounded up to the model's multiple. */
    bool own_border;    /* border is meant; else the network's reach, but 32 if that is over 64 */
    int border;         /* pixels of the input; at most the reach is taken, at least 2 */
    int64_t max_memory; /* bytes for tiles and rows, besides the weights; 0: 1 GiB */
    bool tta; /* the mean of the results of the picture turned and mirrored in all 8 ways */
    enum gx_upscale_alpha alpha;
};

struct gx_upscale_axis { /* along one side of the picture, in pixels of the input */
    int size;            /* of the picture, with what is mirrored up to the model's multiple */
    int count;           /* tiles */
    int region;          /* of a tile, with its borders */
    int step;            /* from one to the next; the last one lies at the end */
    int border;
};

struct gx_upscale { /* how one picture is done */
    int width, height, channels, scale;
    struct gx_upscale_axis x, y;
    bool exact; /* the borders are as wide as the network sees */
    bool tta;
    enum gx_upscale_alpha alpha;
    int64_t bytes; /* for tiles and rows */
    double work;   /* pixels that are computed for each pixel of the picture, 1 at best */
};

/* Plans pictures of that size. -GX_E_NOMEM: not even small tiles fit into the memory; or a network
 * that looks at the whole picture does not, and tiles were not forced; the text has the numbers.
 * -GX_E_SHAPE: a side below 1, or channels that the model has none for (colour through a network
 * for grey pictures). -GX_E_FORMAT: the model's result has other channels than its input. */
GX_MUST_CHECK int gx_upscale_plan(struct gx_upscale *upscale, struct gx_model *model, int width,
                                  int height, int channels,
                                  const struct gx_upscale_settings *settings, struct gx_err *err);

/* Where rows come from and go to; each function gives 0 or an error, which ends the work. */
struct gx_upscale_rows {
    void *state; /* the functions' first argument */
    /* Fills the next rows, width x channels floats each, from the top. */
    int (*read)(void *state, int rows, float *to, struct gx_err *err);
    /* Takes the next rows, (width scale) x channels floats each; values may leave the range. Called
     * on a thread of its own, beside the others, while the next rows are computed. */
    int (*write)(void *state, int rows, const float *from, struct gx_err *err);
    /* After each tile: how many pixels of the input are done. May be NULL. */
    int (*step)(void *state, int64_t done, struct gx_err *err);
};

/* One picture, all rows of it. Errors are those of `rows`, and of gx_model_translate. */
GX_MUST_CHECK int gx_upscale_run(const struct gx_upscale *upscale, struct gx_model *model,
                                 const struct gx_upscale_rows *rows, struct gx_err *err);

/* Blends another model of the same network into this one: own weights times `keep`, plus the
 * other's times `share`. `path` as for gx_model_open, whose errors these are; -GX_E_FORMAT too if
 * the networks differ. On failure the model's weights are what they were. */
GX_MUST_CHECK int gx_model_blend(struct gx_model *model, double keep, const char *path,
                                 double share, struct gx_err *err);

#endif
