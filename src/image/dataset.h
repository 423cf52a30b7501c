/* Data sets: which files a run learns from, told by the folder's layout; and one sample made ready.
 *
 * A sample is `slots` pictures. Slot 0 is what the generator sees, slot 1 what it should make of it
 * (B to A: the other way round). Each kind of data set is a row of the layout table: the loop, the
 * loader and the families see only slots, so a new kind is a new row. */
#ifndef GX_IMAGE_DATASET_H
#define GX_IMAGE_DATASET_H

#include "ganx/error.h"
#include "util/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GX_SLOTS = 4 };

enum gx_half { GX_WHOLE, GX_LEFT, GX_RIGHT };

/* Where a slot's picture lies: a file, or one half of it. */
struct gx_view {
    const char *path;
    enum gx_half half;
};

/* Views of one purpose, by slot, sorted by name. In an aligned layout view[k][i] of all slots belong
 * together, so the counts agree; else each slot has pictures and a count of its own (none is 0
 * unless all are), and sizes of the files may differ. */
struct gx_split {
    struct gx_view *view[GX_SLOTS];
    size_t count[GX_SLOTS];
    const float *label; /* count[0] x domains, 0 or 1; NULL in a layout without domains */
    /* By slot and picture: it could not be read, as a loader of this split found out. One loader at
     * a time works on a split. */
    unsigned char *damaged[GX_SLOTS];
};

/* Samples in an epoch: the most that a slot has. */
size_t gx_split_samples(const struct gx_split *split);

struct gx_dataset {
    struct gx_arena arena; /* owns every text and list */
    const struct gx_layout *layout;
    const char *path;
    struct gx_split train, held; /* held: for validation; its counts may be 0 */
    int domains;                 /* numbers in a label; 0 in a layout without */
    const char **domain;         /* their names: folders sorted by name, columns as they were asked
                                    for */
    const int *group; /* domains of the same number exclude each other; from 1, 0: goes with any */
    int groups;
    bool exclusive;   /* one group holds all domains, and each picture has exactly one of them */
    bool made;        /* layout "photos": slot 0 has no files of its own (LR/) but is made from slot
                       1's, whose views it has too */
    const char *said; /* what was found, one line for the user */
    const char *warning; /* what is wrong with some of the files, one line; NULL: nothing */
};

struct gx_dataset_options {
    bool swap;   /* B to A: the two slots change places */
    int holdout; /* without val/ or test/: every n-th sample is held out; 0: none */
    /* for the layout "domains"; each may be NULL or "" */
    const char *labels;     /* an attribute table (labels.h) */
    const char *attributes; /* "a,b,c": which of its columns, in that order; else all */
    const char *exclusive;  /* "a,b;c,d": groups of attributes that exclude each other */
    /* for "photos" and "photos_unpaired" */
    int scale; /* how much smaller slot 0 is; 0: 1 */
    int least; /* the smallest side that a sharp photograph to learn from may have; 0: any */
};

struct gx_layout {
    const char *name;
    int slots;
    bool aligned;         /* the slots of a sample belong together: one cut and flip for all */
    const char *expected; /* for error texts: "pix2pix expects ..." */
    int (*find)(struct gx_dataset *set, const struct gx_dataset_options *options,
                struct gx_err *err);
};

/* Opens a folder by the layout of that name:
 *   "pairs"  (pix2pix) PATH/train/ of side-by-side pairs or with A/ and B/ paired by name, PATH/A/
 *            and PATH/B/, or pairs in PATH itself; validation in PATH/val/ or PATH/test/
 *   "unpaired" (cycle) PATH/trainA/ and PATH/trainB/, PATH/train/A/ and PATH/train/B/, or PATH/A/
 *            and PATH/B/; validation in the same under val or test
 *   "domains" (star) PATH/train/DOMAIN/, or PATH/DOMAIN/; with options->labels pictures in
 *            PATH/train/, PATH/images/ or PATH itself; validation in PATH/val/ or PATH/test/,
 *            held-out pictures of the domains taking turns
 *   "photos" (sr) sharp photographs of any size in PATH/train/ or PATH itself and the folders in it,
 *            or LR/ and HR/ there, paired by name ("a.png", or "ax4.png" for a scale of 4);
 *            validation in PATH/val/ or PATH/test/. Photographs that are too small, or no pictures,
 *            are left out and named in `warning`; a pair of the wrong sizes is an error
 *   "photos_unpaired" LR/ and HR/ that have nothing to do with each other
 * -GX_E_CONFIG says what was found and what was expected; it also names a file that
 * cannot be one. On failure the set is empty; gx_dataset_clear is legal then. */
GX_MUST_CHECK int gx_dataset_open(struct gx_dataset *set, const char *layout, const char *path,
                                  const struct gx_dataset_options *options, struct gx_err *err);
void gx_dataset_clear(struct gx_dataset *set);

/* ---- one sample ---- */

enum gx_scaling {
    GX_SCALE_SQUARE, /* to load_size squared */
    GX_SCALE_WIDTH,  /* to load_size wide, the height in proportion (rounded down), though at least
                        crop_size */
    GX_SCALE_NONE,
    GX_SCALE_FOUR /* each side to the nearest multiple of 4 (halfway: to the even one), at least 4 */
};

struct gx_prepare {
    int center_crop; /* the square of this size in the middle, or the largest there is; 0: all */
    enum gx_scaling scaling; /* then scaled (bicubic) */
    int load_size;           /* 0: left as it is, whatever `scaling` says of load_size */
    int crop_size;           /* then cut to this square; 0: not cut */
    bool augment, flip; /* random place of the cut, mirrored at random; else centred, as it is */
    bool rotate;        /* with `augment` and a square cut: turned at random besides */
    int channels[GX_SLOTS]; /* 1, 3 or 4 */
    float lo, hi;           /* range of the floats */
    int64_t max_pixels;     /* of a file, and of what it is scaled to; 0: GX_MAX_PIXELS */

    /* Super-resolution. All sizes and places above are those of the sharp picture; slot k's sides
     * are 1/shrink[k] of them (0: 1), and a sample's are multiples of that. What has no file is made
     * from the sharp picture: slot 0 by `degradation`, if the data set's is `made`; a slot 2 by
     * `usm`, and slot 0 then from that; or, in an unaligned layout, slot 2 from slot 1 by
     * `degradation`. NULL: there is no such slot. */
    int shrink[GX_SLOTS];
    const struct gx_degradation *degradation;
    const struct gx_usm *usm;
};

static inline int gx_shrink_of(const struct gx_prepare *prepare, int slot)
{
    return prepare->shrink[slot] > 1 ? prepare->shrink[slot] : 1;
}

/* A slot's picture after scaling, 8 or 16 bits a sample (interleaved): what caches keep. */
struct gx_raster {
    int height, width, channels, bits;
    void *samples;
};

size_t gx_raster_bytes(const struct gx_raster *raster);

/* Decodes and scales views that belong together; gives raster[slots] (free each .samples), for
 * prepare->channels[0..slots-1]. All come out at one size (by `shrink` smaller, and a sharp picture
 * may have a rest at its right and lower edge), or it is -GX_E_CONFIG. */
GX_MUST_CHECK int gx_sample_decode(const struct gx_view *view, int slots,
                                   const struct gx_prepare *prepare, struct gx_raster *raster,
                                   struct gx_err *err);

/* What the random choices for a sample depend on, and nothing else: never the order of calls. */
struct gx_chance {
    uint64_t seed;
    int64_t epoch, index; /* the sample's number in the epoch */
    int slot;             /* of an unaligned layout; else 0 */
};

/* Cuts, mirrors and converts: to[slot] gets height/shrink x width/shrink x channels floats. One cut
 * for all slots given. Slots whose raster has no samples are made from the one at full size: the last
 * by `usm`, unless that is NULL, others by `degradation`. -GX_E_CONFIG when the sample, which is called `name`, does
 * not come out as height x width. */
GX_MUST_CHECK int gx_sample_place(const struct gx_raster *raster, int slots,
                                  const struct gx_prepare *prepare, const struct gx_chance *chance,
                                  int height, int width, float *const *to, const char *name,
                                  struct gx_err *err);

/* The size that samples come out at, told from the settings if they fix it, else from the file of
 * `view`, which is the slot's. */
GX_MUST_CHECK int gx_sample_size(const struct gx_view *view, int slot,
                                 const struct gx_prepare *prepare, int *height, int *width,
                                 struct gx_err *err);

/* ---- where a run is ----
 * A position is a pure function of the step, so a resumed run needs nothing else. Samples are
 * counted on and on: step s of rank r takes numbers (s * ranks + r) * batch onwards; number n is
 * position n % count of epoch n / count. A batch may thus span two epochs: none is ever short. */

struct gx_place {
    int64_t epoch, position;
};

struct gx_place gx_place_at(int64_t count, int64_t step, int batch, int item, int rank, int ranks);

/* Steps in which every sample has been seen `epochs` times (rounded up). */
int64_t gx_steps_of_epochs(int64_t count, int64_t epochs, int batch, int ranks);

#endif
