/* Records: what a checkpoint holds, said once and used both to save and to restore, so that nothing
 * can be saved without being restored, or the other way round.
 *
 *   struct gx_record record;
 *   gx_record_init(&record);
 *   gx_record_add_params(&record, "G.", &g->params, GX_PARTS_ALL, g->params.data);
 *   gx_record_add_params(&record, "optim.G.m.", &g->params, GX_PARTS_TRAINED, moment);
 *   gx_record_set(&record, "ganx.step", "%lld", step);
 *   gx_record_write(&record, path, &err)   ...   gx_record_read(&record, path, &err)
 *   gx_record_clear(&record);
 *
 * Arrays and parameters are borrowed: they must outlive the record. Names and texts are copied. On
 * disk a record is a safetensors file: float32, PyTorch's order, texts as metadata, checksummed. */
#ifndef GX_TRAIN_RECORD_H
#define GX_TRAIN_RECORD_H

#include "ganx/network.h"

struct gx_record {
    struct gx_record_array *array;
    int arrays;
    struct gx_record_text *text;
    int texts;
};

void gx_record_init(struct gx_record *record);
void gx_record_clear(struct gx_record *record);

/* One array for each parameter of the part, named prefix + its name, at base + its offset; base is
 * a block with the layout of params->data (GX_PARTS_ALL) or params->grad (GX_PARTS_TRAINED):
 * weights, averaged weights, a moment. Layout must be done (gx_params_layout). */
void gx_record_add_params(struct gx_record *record, const char *prefix,
                          const struct gx_params *params, enum gx_params_part part, float *base);
/* A plain array of `count` floats (0 is allowed), written as it lies. */
void gx_record_add_array(struct gx_record *record, const char *name, int64_t count, float *data);

/* The same, but a file may lack it, or hold one of another size (an older version of ganx wrote it):
 * `data` then stays as it is. */
void gx_record_add_optional(struct gx_record *record, const char *name, int64_t count, float *data);

/* A text by key; a later one replaces an earlier one. UTF-8. Numbers that must come back exactly
 * are best printed with %lld, or %a for doubles. */
void gx_record_set(struct gx_record *record, const char *key, const char *format, ...)
    GX_PRINTF(3, 4);
/* NULL: there is no such text. Borrowed until the next set, read or clear. */
const char *gx_record_get(const struct gx_record *record, const char *key);

/* Writes all of it, atomically. -GX_E_IO: whatever stood at `path` is still there. -GX_E_USAGE: a
 * name is given twice or is not UTF-8. */
GX_MUST_CHECK int gx_record_write(const struct gx_record *record, const char *path,
                                  struct gx_err *err);
/* The same as GX_F32, GX_F16 or GX_BF16 on disk (a model to be used, not resumed). */
GX_MUST_CHECK int gx_record_write_as(const struct gx_record *record, const char *path,
                                     enum gx_dtype dtype, struct gx_err *err);

/* Reads it back into the same places; the texts become the file's, and only those.
 * The file is first checked as a whole, then against the arrays, and only then read, so that the
 * first two failures change no array:
 *   -GX_E_FORMAT  the file is torn, flipped, or is no record (it has no checksum)
 *   -GX_E_SHAPE   it is sound, but holds other arrays: the first five differences; the texts
 *                 become the file's all the same: they may know why
 *   -GX_E_IO      the system failed to read it; the arrays are then unspecified */
GX_MUST_CHECK int gx_record_read(struct gx_record *record, const char *path, struct gx_err *err);

#endif
