/* What the layouts of data sets (dataset_*.c) share; the rest of the program sees dataset.h. */
#ifndef GX_IMAGE_LAYOUT_H
#define GX_IMAGE_LAYOUT_H

#include "image/dataset.h"

/* A folder's pictures. */
struct gx_pictures {
    const char **path, **stem; /* sorted by stem; the set's arena's */
    size_t count;
};

/* FOLDER/NAME, in the set's arena. */
const char *gx_layout_join(struct gx_dataset *set, const char *folder, const char *name);
/* Whether that is a folder. */
bool gx_layout_has(struct gx_dataset *set, const char *folder, const char *name);

GX_MUST_CHECK int gx_layout_list(struct gx_dataset *set, const char *folder,
                                 struct gx_pictures *found, struct gx_err *err);

/* -GX_E_CONFIG where two files of the same stem would be one sample: one of them would be lost. */
GX_MUST_CHECK int gx_layout_refuse_twins(const struct gx_pictures *p, struct gx_err *err);

/* "A/, b/, 3 pictures, 2 other files": what lies in a folder, for texts of errors. */
const char *gx_layout_describe(struct gx_dataset *set, const char *folder);

/* Whether pictures lie in several folders one level deeper: train/DOMAIN/. */
bool gx_layout_has_domains(struct gx_dataset *set, const char *folder);

/* Moves every n-th view of each slot from train to held. false, and nothing is moved, when a slot
 * has fewer than n, or n is less than 2. */
bool gx_layout_hold_out(struct gx_dataset *set, int n);

/* Names for messages, of which the first three are shown: 'x', 'y', 'z' and 12 more. */
struct gx_named {
    const char *text; /* NULL at the start */
    size_t count;
};
void gx_layout_name(struct gx_dataset *set, struct gx_named *named, const char *name);
const char *gx_layout_names(struct gx_dataset *set, const struct gx_named *named);

/* "joy 12, rage 9 and 3 more": how many pictures of each domain there are. */
const char *gx_layout_counts(struct gx_dataset *set, const size_t *count);

/* The end of what a layout says: where `held` came from; `each` is "pair", "picture". */
const char *gx_layout_said_held(struct gx_dataset *set, const char *held_folder, int holdout,
                                const char *each);

/* PATH/val or PATH/test, whichever is first to have samples: `find` looks into a folder that is there
 * and says how many it has. *folder is NULL where neither has any. */
typedef int gx_layout_find(struct gx_dataset *set, const char *folder, void *into, size_t *count,
                           struct gx_err *err);
GX_MUST_CHECK int gx_layout_find_held(struct gx_dataset *set, gx_layout_find *find, void *into,
                                      const char **folder, struct gx_err *err);

/* Rows of the table in dataset.c; the last is what gx_find_domains does with a table. */
int gx_find_pairs(struct gx_dataset *set, const struct gx_dataset_options *options,
                  struct gx_err *err);
int gx_find_unpaired(struct gx_dataset *set, const struct gx_dataset_options *options,
                     struct gx_err *err);
int gx_find_domains(struct gx_dataset *set, const struct gx_dataset_options *options,
                    struct gx_err *err);
int gx_find_photos(struct gx_dataset *set, const struct gx_dataset_options *options,
                   struct gx_err *err);
int gx_find_photos_unpaired(struct gx_dataset *set, const struct gx_dataset_options *options,
                            struct gx_err *err);
int gx_find_labelled(struct gx_dataset *set, const struct gx_dataset_options *options,
                     struct gx_err *err);

#endif
