/* Weight files: safetensors (read and written) and PyTorch's .pth (read: the zip format and the
 * stacked pickle from before 1.6), told apart by content, never by name.
 *
 * Files are untrusted. Pickles are interpreted, never executed: an allow-list of globals, bounded
 * stack, memo and marks. Nothing is allocated by a size that the file merely claims. Opening reads
 * names, types and shapes only; a tensor's bytes are read when asked for.
 *
 * A nested .pth dictionary (`params_ema`, `params`, `state_dict`, in this order of preference) is
 * entered by itself; names are as in the file, but for a leading `module.`, which is dropped. */
#ifndef GANX_WEIGHTS_H
#define GANX_WEIGHTS_H

#include "ganx/dtype.h"
#include "ganx/error.h"

#include <stdbool.h>
#include <stdint.h>

const char *gx_dtype_name(enum gx_dtype dtype); /* safetensors' spelling: "F32" ... */
int gx_dtype_bytes(enum gx_dtype dtype);

enum { GX_RANK_MAX = 8 };

struct gx_tensor_info {
    const char *name;
    enum gx_dtype dtype;
    int rank; /* 0: a scalar */
    int64_t dims[GX_RANK_MAX];
    int64_t count;
};

struct gx_weights; /* an open file */

/* -GX_E_IO if it cannot be read; -GX_E_FORMAT, with the reason and the tensor's name, if it is not
 * a sound weight file (a Git-LFS pointer, an HTML page and the old .tar form are named as such). */
GX_MUST_CHECK int gx_weights_open(struct gx_weights **weights, const char *path,
                                  struct gx_err *err);
void gx_weights_close(struct gx_weights **weights);

const char *gx_weights_format(const struct gx_weights *w); /* "safetensors", "torch zip", ... */
int gx_weights_count(const struct gx_weights *w);
/* i-th tensor in the file's order; borrowed until close. */
const struct gx_tensor_info *gx_weights_info(const struct gx_weights *w, int i);
int gx_weights_find(const struct gx_weights *w, const char *name); /* -1: none */
/* A metadata text of a safetensors file, or NULL; borrowed. */
const char *gx_weights_metadata(const struct gx_weights *w, const char *key);
int gx_weights_metadata_count(const struct gx_weights *w);
void gx_weights_metadata_at(const struct gx_weights *w, int i, const char **key,
                            const char **value);

/* Reads tensor i as float32 (any type is converted) in row-major order: info->count floats. */
GX_MUST_CHECK int gx_weights_read(struct gx_weights *w, int i, float *to, struct gx_err *err);
/* Reads a part: `count` elements from element `from` on; for F32 files a plain pread. */
GX_MUST_CHECK int gx_weights_read_part(struct gx_weights *w, int i, int64_t from, int64_t count,
                                       float *to, struct gx_err *err);
/* The same without conversion: `count` elements of the tensor's own type. */
GX_MUST_CHECK int gx_weights_read_own(struct gx_weights *w, int i, int64_t from, int64_t count,
                                      void *to, struct gx_err *err);
/* Checks the whole file against its checksums: in safetensors the metadata "ganx.crc32" (the writer
 * below puts it there: zlib's CRC-32 of the file with those eight digits as zeros, so that header
 * and data are covered; whoever relies on it checks first that the key is there), in zip files
 * those of the entries. 0 when there is none. */
GX_MUST_CHECK int gx_weights_verify(struct gx_weights *w, struct gx_err *err);

/* Writing safetensors: begin with all names and shapes, then each tensor's data in that order, then
 * commit (staged beside the target, flushed, renamed) or abort. */
struct gx_weights_writer;

struct gx_weights_entry {
    const char *name;
    enum gx_dtype dtype; /* GX_F32, GX_F16, GX_BF16 or GX_I64: float data is converted */
    int rank;
    int64_t dims[GX_RANK_MAX];
};
struct gx_text_pair {
    const char *key, *value;
};

GX_MUST_CHECK int gx_weights_write_begin(struct gx_weights_writer **writer, const char *path,
                                         const struct gx_weights_entry *entries, int count,
                                         const struct gx_text_pair *metadata, int metadata_count,
                                         struct gx_err *err);
/* The next tensor, as float32 in row-major order. */
GX_MUST_CHECK int gx_weights_write_next(struct gx_weights_writer *writer, const float *data,
                                        struct gx_err *err);
/* Both free the writer and null the pointer; commit discards the file when it fails. */
GX_MUST_CHECK int gx_weights_write_commit(struct gx_weights_writer **writer, struct gx_err *err);
void gx_weights_write_abort(struct gx_weights_writer **writer);

#endif
