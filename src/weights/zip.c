#include "weights/zip.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    END64_BYTES = 56,
    LOCATOR_BYTES = 20,
    COMMENT_MAX = 65535,
    DIRECTORY_MAX = 100000000,
    FLAG_ENCRYPTED = 1,
    FLAG_DESCRIPTOR = 8 /* sizes and CRC follow the data; zeros in the local header */
};

struct directory {
    int64_t offset, bytes, count;
    int64_t limit; /* where the directory must end */
};

/* Finds the end record in the last 64 KiB: the one whose comment reaches to the end of the file. */
static int find_end(const struct gx_weights *w, uint8_t end[END_BYTES], int64_t *at,
                    struct gx_err *err)
{
    int64_t most = END_BYTES + COMMENT_MAX, bytes = w->size < most ? w->size : most;
    uint8_t *tail = gx_new((size_t)bytes);
    int result = gx_weights_pread(w, w->size - bytes, tail, (size_t)bytes, err);
    int64_t i = bytes - END_BYTES;
    for (; i >= 0 && !result; i--)
        if (!memcmp(tail + i, "PK\5\6", 4) &&
            (int64_t)gx_little(tail + i + 20, 2) == bytes - END_BYTES - i)
            break;
    if (!result && i < 0)
        result = gx_fail(err, GX_E_FORMAT,
                         "the zip archive has no end: the file is truncated or damaged");
    if (!result) {
        memcpy(end, tail + i, END_BYTES);
        *at = w->size - bytes + i;
    }
    free(tail);
    return result;
}

/* A number of the plain end record, which the zip64 one replaces, repeats it or is all ones. */
static bool repeats(const uint8_t *field, int bytes, uint64_t value)
{
    uint64_t plain = gx_little(field, bytes), ones = (UINT64_C(1) << 8 * bytes) - 1;
    return plain == value || plain == ones;
}

static int read_end64(const struct gx_weights *w, const uint8_t *locator, int64_t at,
                      const uint8_t *plain, struct directory *d, struct gx_err *err)
{
    uint8_t end[END64_BYTES];
    uint64_t where = gx_little(locator + 8, 8);
    if (where > (uint64_t)at || gx_little(locator + 4, 4) != 0 || gx_little(locator + 16, 4) > 1)
        return gx_fail(err, GX_E_FORMAT, "the zip64 locator makes no sense");
    int result = gx_weights_pread(w, (int64_t)where, end, sizeof end, err);
    if (result)
        return result;
    if (memcmp(end, "PK\6\6", 4) || gx_little(end + 4, 8) != (uint64_t)at - where - 12 ||
        gx_little(end + 16, 8) != 0 || gx_little(end + 24, 8) != gx_little(end + 32, 8))
        return gx_fail(err, GX_E_FORMAT, "the zip64 end record makes no sense");
    uint64_t count = gx_little(end + 32, 8), bytes = gx_little(end + 40, 8),
             offset = gx_little(end + 48, 8);
    if (!repeats(plain + 10, 2, count) || !repeats(plain + 12, 4, bytes) ||
        !repeats(plain + 16, 4, offset))
        return gx_fail(err, GX_E_FORMAT, "the zip archive has two end records that differ");
    if (offset > where || bytes > where || count > bytes)
        return gx_fail(err, GX_E_FORMAT, "the zip directory lies outside the file");
    *d = (struct directory){(int64_t)offset, (int64_t)bytes, (int64_t)count, (int64_t)where};
    return 0;
}

static int find_directory(const struct gx_weights *w, struct directory *d, struct gx_err *err)
{
    uint8_t end[END_BYTES], locator[LOCATOR_BYTES];
    int64_t at;
    int result = find_end(w, end, &at, err);
    if (result)
        return result;
    if (at >= LOCATOR_BYTES) {
        result = gx_weights_pread(w, at - LOCATOR_BYTES, locator, LOCATOR_BYTES, err);
        if (result)
            return result;
    }
    if (at >= LOCATOR_BYTES && !memcmp(locator, "PK\6\7", 4)) {
        result = read_end64(w, locator, at - LOCATOR_BYTES, end, d, err);
        if (result)
            return result;
    } else {
        *d = (struct directory){(int64_t)gx_little(end + 16, 4), (int64_t)gx_little(end + 12, 4),
                                (int64_t)gx_little(end + 10, 2), at};
        if (gx_little(end + 4, 4) != 0 || gx_little(end + 8, 2) != gx_little(end + 10, 2))
            return gx_fail(err, GX_E_FORMAT, "the zip archive spans several disks");
    }
    if (d->offset + d->bytes != d->limit)
        return gx_fail(err, GX_E_FORMAT, "the zip directory is not where it should be");
    if (d->bytes > DIRECTORY_MAX)
        return gx_fail(err, GX_E_LIMIT, "the zip directory has %lld bytes; at most %d",
                       (long long)d->bytes, DIRECTORY_MAX);
    if (d->count > d->bytes / CENTRAL_BYTES)
        return gx_fail(err, GX_E_FORMAT, "the zip directory is shorter than its entries");
    return 0;
}

/* Zip64's extra field: replaces those of the three numbers that are all ones. */
static bool apply_zip64(const uint8_t *extra, size_t bytes, uint64_t value[3])
{
    static const uint64_t ones = 0xffffffff;
    bool wanted = value[0] == ones || value[1] == ones || value[2] == ones;
    while (wanted && bytes >= 4) {
        size_t id = (size_t)gx_little(extra, 2), length = (size_t)gx_little(extra + 2, 2);
        extra += 4;
        bytes -= 4;
        if (length > bytes)
            return false;
        if (id == 1) {
            for (int i = 0; i < 3; i++) {
                if (value[i] != ones)
                    continue;
                if (length < 8)
                    return false;
                value[i] = gx_little(extra, 8);
                extra += 8;
                length -= 8;
            }
            return true;
        }
        extra += length;
        bytes -= length;
    }
    return !wanted;
}

/* One record of the central directory; gives its length in *used. */
static int read_central(struct gx_weights *w, const uint8_t *p, size_t left,
                        const struct directory *d, struct gx_zip_entry *e, size_t *used,
                        struct gx_err *err)
{
    if (left < CENTRAL_BYTES || memcmp(p, "PK\1\2", 4))
        return gx_fail(err, GX_E_FORMAT, "the zip directory is damaged");
    size_t name = (size_t)gx_little(p + 28, 2), extra = (size_t)gx_little(p + 30, 2),
           comment = (size_t)gx_little(p + 32, 2);
    *used = CENTRAL_BYTES + name + extra + comment;
    if (*used > left || name == 0 || memchr(p + CENTRAL_BYTES, 0, name))
        return gx_fail(err, GX_E_FORMAT, "the zip directory is damaged");
    char *copy = gx_arena_alloc(&w->arena, name + 1), shown[80];
    memcpy(copy, p + CENTRAL_BYTES, name);
    gx_printable(shown, sizeof shown, copy, name);
    uint64_t value[3] = {gx_little(p + 24, 4), gx_little(p + 20, 4), gx_little(p + 42, 4)};
    if (!apply_zip64(p + CENTRAL_BYTES + name, extra, value))
        return gx_fail(err, GX_E_FORMAT, "zip entry '%s' has a bad zip64 field", shown);
    *e = (struct gx_zip_entry){.name = copy,
                               .crc = (uint32_t)gx_little(p + 16, 4),
                               .flags = (uint16_t)gx_little(p + 8, 2),
                               .method = (uint16_t)gx_little(p + 10, 2)};
    if (e->flags & FLAG_ENCRYPTED)
        return gx_fail(err, GX_E_FORMAT, "zip entry '%s' is encrypted", shown);
    if (value[1] > (uint64_t)d->offset || value[2] > (uint64_t)d->offset - value[1])
        return gx_fail(err, GX_E_FORMAT, "zip entry '%s' lies outside the file", shown);
    e->bytes = (int64_t)value[1];
    e->unpacked = (int64_t)value[0];
    e->header = (int64_t)value[2];
    return 0;
}

/* Checks the local header against the central one, and finds where the data start. */
static int read_local(const struct gx_weights *w, struct gx_zip_entry *e, int64_t limit,
                      struct gx_err *err)
{
    uint8_t p[LOCAL_BYTES + 65536];
    char shown[80];
    size_t length = strlen(e->name);
    gx_printable(shown, sizeof shown, e->name, length);
    int result = gx_weights_pread(w, e->header, p, LOCAL_BYTES + length, err);
    if (result)
        return result;
    bool later = e->flags & FLAG_DESCRIPTOR;
    uint64_t crc = gx_little(p + 14, 4), stored = gx_little(p + 18, 4),
             bytes = gx_little(p + 22, 4);
    /* All ones: the local header has a zip64 field, which repeats the central one's. */
    bool sizes = (stored == (uint64_t)e->bytes || stored == 0xffffffff) &&
                 (bytes == (uint64_t)e->unpacked || bytes == 0xffffffff);
    if (memcmp(p, "PK\3\4", 4) || gx_little(p + 6, 2) != e->flags ||
        gx_little(p + 8, 2) != e->method || gx_little(p + 26, 2) != length ||
        memcmp(p + LOCAL_BYTES, e->name, length) || !(crc == e->crc || (later && crc == 0)) ||
        !(sizes || (later && !stored && !bytes)))
        return gx_fail(err, GX_E_FORMAT, "zip entry '%s' has two headers that differ", shown);
    e->offset = e->header + LOCAL_BYTES + (int64_t)length + (int64_t)gx_little(p + 28, 2);
    if (e->offset > limit - e->bytes)
        return gx_fail(err, GX_E_FORMAT, "zip entry '%s' lies outside the file", shown);
    return 0;
}

static int by_place(const void *a, const void *b)
{
    const struct gx_zip_entry *x = a, *y = b;
    return x->header < y->header ? -1 : x->header > y->header;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct gx_zip_entry *)a)->name, ((const struct gx_zip_entry *)b)->name);
}

static int check_entries(struct gx_zip *zip, const struct gx_weights *w, int64_t limit,
                         struct gx_err *err)
{
    char shown[80];
    int64_t at = 0;
    qsort(zip->entry, (size_t)zip->count, sizeof *zip->entry, by_place);
    for (int i = 0; i < zip->count; i++) {
        struct gx_zip_entry *e = &zip->entry[i];
        int result = read_local(w, e, limit, err);
        if (result)
            return result;
        gx_printable(shown, sizeof shown, e->name, strlen(e->name));
        if (i == 0 && e->header != 0)
            return gx_fail(err, GX_E_FORMAT, "something stands before the zip archive");
        if (e->header < at)
            return gx_fail(err, GX_E_FORMAT, "zip entry '%s' overlaps another", shown);
        at = e->offset + e->bytes;
    }
    qsort(zip->entry, (size_t)zip->count, sizeof *zip->entry, by_name);
    for (int i = 1; i < zip->count; i++)
        if (!by_name(&zip->entry[i - 1], &zip->entry[i]))
            return gx_fail(
                err, GX_E_FORMAT, "two zip entries are named '%s'",
                gx_printable(shown, sizeof shown, zip->entry[i].name, strlen(zip->entry[i].name)));
    return 0;
}

int gx_zip_open(struct gx_zip *zip, struct gx_weights *w, struct gx_err *err)
{
    struct directory d = {0};
    int result = find_directory(w, &d, err);
    if (result)
        return result;
    uint8_t *bytes = malloc((size_t)d.bytes + 1);
    if (!bytes)
        return gx_fail(err, GX_E_NOMEM, "out of memory: %lld bytes", (long long)d.bytes);
    result = gx_weights_pread(w, d.offset, bytes, (size_t)d.bytes, err);
    zip->count = (int)d.count;
    zip->entry = gx_arena_alloc(&w->arena, (size_t)d.count * sizeof *zip->entry);
    size_t at = 0;
    for (int i = 0; i < zip->count && !result; i++) {
        size_t used = 0;
        result = read_central(w, bytes + at, (size_t)d.bytes - at, &d, &zip->entry[i], &used, err);
        at += used;
    }
    if (!result && at != (size_t)d.bytes)
        result = gx_fail(err, GX_E_FORMAT, "the zip directory is damaged");
    free(bytes);
    return result ? result : check_entries(zip, w, d.offset, err);
}

int gx_zip_require_stored(const struct gx_zip *zip, struct gx_err *err)
{
    char shown[80];
    for (int i = 0; i < zip->count; i++) {
        const struct gx_zip_entry *e = &zip->entry[i];
        if (e->method != 0 || e->bytes != e->unpacked)
            return gx_fail(err, GX_E_FORMAT, "zip entry '%s' is compressed",
                           gx_printable(shown, sizeof shown, e->name, strlen(e->name)));
    }
    return 0;
}

const struct gx_zip_entry *gx_zip_find(const struct gx_zip *zip, const char *name)
{
    struct gx_zip_entry key = {.name = name};
    return bsearch(&key, zip->entry, (size_t)zip->count, sizeof key, by_name);
}

int gx_zip_check(const struct gx_weights *w, const struct gx_zip_entry *entry, struct gx_err *err)
{
    uint32_t crc = 0;
    char shown[80];
    if (entry->crc == 0)
        return 0;
    int result = gx_weights_crc(w, entry->offset, entry->bytes, &crc, err);
    if (!result && crc != entry->crc)
        result = gx_fail(err, GX_E_FORMAT, "zip entry '%s' does not match its CRC-32",
                         gx_printable(shown, sizeof shown, entry->name, strlen(entry->name)));
    return result;
}
