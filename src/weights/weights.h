/* Weight files, seen from the inside: what weights.c (the shared half) and the formats agree on.
 *
 * A format is one file that ends in a const row of struct gx_weights_format. Its load() reads
 * names, types and shapes, and says where each tensor's bytes lie; weights.c reads and converts
 * them. */
#ifndef GX_WEIGHTS_WEIGHTS_H
#define GX_WEIGHTS_WEIGHTS_H

#include "ganx/weights.h"
#include "util/arena.h"

#include <stddef.h>

enum { GX_NAME_MAX = 1024 }; /* bytes of a tensor's name */

struct gx_tensor_record {
    struct gx_tensor_info info;
    int64_t offset;              /* of element 0, in bytes of the file */
    int64_t stride[GX_RANK_MAX]; /* in elements, not negative; unused where contiguous */
    bool contiguous;
    bool has_crc; /* the tensor is a whole zip entry, whose CRC-32 is checked when all is read */
    uint32_t crc;
};

struct gx_weights {
    int fd;
    int64_t size;
    char *path;
    const struct gx_weights_format *format;
    void *state; /* the format's own, in the arena */
    struct gx_arena arena;
    struct gx_tensor_record *tensor;
    int count, room;
    int *by_name; /* indices sorted by name */
    struct gx_text_pair *metadata;
    int metadata_count;
};

struct gx_weights_format {
    const char *name;
    /* head: the file's first bytes, at most 512, zeros past `bytes`. */
    bool (*matches)(const struct gx_weights *w, const uint8_t *head, size_t bytes);
    int (*load)(struct gx_weights *w, struct gx_err *err);
    int (*verify)(struct gx_weights *w, struct gx_err *err); /* may be NULL */
};

extern const struct gx_weights_format gx_format_safetensors, gx_format_torch_zip,
    gx_format_torch_legacy;

/* Reads exactly `bytes` at `offset`; -GX_E_FORMAT "the file is truncated" if they are not there. */
int gx_weights_pread(const struct gx_weights *w, int64_t offset, void *to, size_t bytes,
                     struct gx_err *err);

/* zlib's CRC-32 of a part of the file, started from *crc. */
int gx_weights_crc(const struct gx_weights *w, int64_t offset, int64_t bytes, uint32_t *crc,
                   struct gx_err *err);

/* Adds a tensor: its name is checked (length, UTF-8, no control characters), a leading "module." is
 * dropped, and info.count is computed from the dims, with care for overflow. Gives *record, to be
 * filled; it is valid until the next call. */
int gx_weights_add(struct gx_weights *w, const char *name, size_t length, enum gx_dtype dtype,
                   int rank, const int64_t *dims, struct gx_tensor_record **record,
                   struct gx_err *err);

/* names.c: gives tensors that have the names of an older layout those that networks know. */
void gx_weights_rename(struct gx_weights *w);

/* Copies text for a message, with all that is not printable ASCII as '?', and cut to fit. */
const char *gx_printable(char *to, size_t room, const char *text, size_t length);

/* Little-endian numbers. */
uint64_t gx_little(const uint8_t *from, int bytes);

/* dtype.c: floats from a type's bytes and back (rounded to nearest even, integers saturated). */
void gx_to_float(enum gx_dtype dtype, const void *from, int64_t count, float *to);
void gx_from_float(enum gx_dtype dtype, const float *from, int64_t count, void *to);

#endif
