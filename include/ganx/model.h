/* Trained models at work: open one, translate pictures of any size. The highest level of libganx;
 * examples/translate.c is a whole program.
 *
 * A model is any file that holds a generator: what `ganx FAMILY train` writes (model.safetensors,
 * a checkpoint, or the run's folder) or a .pth that the reference implementations published. What
 * the file does not say about itself is inferred from names and shapes of its tensors.
 *
 * A model is used from one thread at a time; it computes with several by itself. */
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
    int reach; /* pixels of the input on each side that a pixel of the result depends on, beyond the
                * one that it lies in; -1: as far as the picture goes */
    int64_t parameters;
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

/* Translates one picture: in is h x w x channels_in floats from low to high, rows from the top; out
 * gets h x w x channels_out, and may be `in`. label has facts->domains numbers, and is NULL where that
 * is 0. Nothing depends on what was translated before.
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

/* Bytes that gx_model_translate of such a picture needs besides weights and both pictures, known
 * without the work. */
GX_MUST_CHECK int gx_model_needs(struct gx_model *model, int w, int h, int64_t *bytes,
                                 struct gx_err *err);

#endif
