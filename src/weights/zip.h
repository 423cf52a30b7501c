/* A zip archive, as far as torch.save goes: stored entries only, one disk, zip64 allowed. What
 * could be read in two ways is refused: central and local headers that differ, entries that
 * overlap, two of one name, a prefix before the archive, compression, encryption. */
#ifndef GX_WEIGHTS_ZIP_H
#define GX_WEIGHTS_ZIP_H

#include "weights/weights.h"

struct gx_zip_entry {
    const char *name; /* NUL-terminated, in the arena; holds no NUL of its own */
    int64_t header;   /* of the local header, in bytes of the file */
    int64_t offset;   /* of the data */
    int64_t bytes, unpacked;
    uint32_t crc;
    uint16_t flags, method; /* 0: stored */
};

struct gx_zip {
    struct gx_zip_entry *entry; /* sorted by name */
    int count;
};

/* Fills *zip, whose memory is in w's arena. */
int gx_zip_open(struct gx_zip *zip, struct gx_weights *w, struct gx_err *err);
/* -GX_E_FORMAT if an entry is compressed: nothing here can unpack it. */
int gx_zip_require_stored(const struct gx_zip *zip, struct gx_err *err);
const struct gx_zip_entry *gx_zip_find(const struct gx_zip *zip, const char *name);
/* -GX_E_FORMAT if the entry's bytes do not have its CRC-32. torch can be told to leave CRCs out: it
 * then stores 0, which passes. */
int gx_zip_check(const struct gx_weights *w, const struct gx_zip_entry *entry, struct gx_err *err);

#endif
