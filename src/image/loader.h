/* The loader: batches decoded ahead by threads of its own, given out exactly in the order of steps.
 * What a batch holds depends on (split, options, step) alone, never on timing, the number of
 * workers, or where the run was resumed. */
#ifndef GX_IMAGE_LOADER_H
#define GX_IMAGE_LOADER_H

#include "image/dataset.h"

struct gx_loader_options {
    struct gx_prepare prepare;
    int height, width; /* that samples must come out at; 0: as the first one does */
    uint64_t seed;
    bool
        shuffle; /* a new order each epoch, by (seed, epoch), unaligned partners drawn; else by name,
                     a shorter slot begun again */
    int batch, rank, ranks;
    int64_t first_step; /* of the first gx_loader_next */
    int workers;        /* threads; 0: one */
    size_t cache_bytes; /* at most this much is kept decoded, so that it is not decoded again */
    /* Told of each picture that cannot be read, once, by gx_loader_next in its own thread; may be
     * NULL. */
    void (*warn)(void *user, const char *text);
    void *user;
};

struct gx_loader;

/* Borrows the data set until the loader is freed. The split must not be empty (-GX_E_CONFIG).
 * Threads start at once; signals are blocked in them. */
GX_MUST_CHECK int gx_loader_new(struct gx_loader **loader, const struct gx_dataset *set,
                                const struct gx_split *split,
                                const struct gx_loader_options *options, struct gx_err *err);
void gx_loader_free(struct gx_loader **loader);

/* The most bytes that a loader of samples of that size will hold: batches and cache (decoding one
 * file for each worker comes on top). */
size_t gx_loader_needs(const struct gx_dataset *set, const struct gx_split *split,
                       const struct gx_loader_options *options, int height, int width);

/* Fills to[slot], unless that is NULL, with batch x height x width x channels floats of the next step. names (may be
 * NULL) gets `batch` paths of slot 0, the data set's, and label (may be NULL) batch x domains numbers
 * if the split has labels.
 *
 * Instead of a picture that cannot be read, damaged or gone since the set was opened, the next by
 * name is taken, with its partners: the same one however often, and wherever the run was resumed. An
 * error, among them that none of the split can be read, names the file (-GX_E_CONFIG; -GX_E_NOMEM)
 * and stays: the loader is only good for gx_loader_free then. */
GX_MUST_CHECK int gx_loader_next(struct gx_loader *loader, float *const *to, float *label,
                                 const char **names, struct gx_err *err);

#endif
