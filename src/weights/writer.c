/* safetensors, written: the same bytes for the same content. The header comes first, so its
 * checksum is put in place at the end; data start on 64 bytes. The checksum: safetensors.h. */
#include "weights/safetensors.h"
#include "weights/weights.h"
#include "util/file.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

struct gx_weights_writer {
    struct gx_staged staged;
    int64_t *counts; /* of each tensor */
    enum gx_dtype *dtypes;
    int count, next;
    int64_t crc_offset; /* of the digits, in the file */
    uint32_t crc;
};

uint32_t gx_header_crc(const char *header, size_t length)
{
    uint8_t head[8];
    for (int i = 0; i < 8; i++)
        head[i] = (uint8_t)((uint64_t)length >> 8 * i);
    uint32_t crc = (uint32_t)crc32(0, head, 8);
    return (uint32_t)crc32(crc, (const Bytef *)header, (uInt)length);
}

static int write_all(struct gx_weights_writer *writer, const void *data, size_t bytes,
                     struct gx_err *err)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t put = write(writer->staged.fd, (const char *)data + done, bytes - done);
        if (put < 0 && errno != EINTR)
            return gx_fail_errno(err, GX_E_IO, "cannot write '%s'", writer->staged.target);
        done += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/* Steals `value`; false when it is not JSON (bad UTF-8) or the key is there already. */
static bool put_new(json_t *object, const char *key, json_t *value)
{
    if (json_object_get(object, key)) {
        json_decref(value);
        return false;
    }
    return json_object_set_new(object, key, value) == 0;
}

static json_t *metadata_object(const struct gx_text_pair *metadata, int count, struct gx_err *err)
{
    json_t *object = json_object();
    for (int i = 0; i < count; i++) {
        if (!strcmp(metadata[i].key, GX_CRC_KEY)) /* of the file that this was copied from */
            continue;
        if (!put_new(object, metadata[i].key, json_string(metadata[i].value))) {
            gx_fail(err, GX_E_USAGE, "metadata '%s' is not UTF-8, or is given twice",
                    metadata[i].key);
            json_decref(object);
            return NULL;
        }
    }
    put_new(object, GX_CRC_KEY, json_string("00000000")); /* GX_CRC_DIGITS of them */
    return object;
}

/* The entry's JSON; *offset moves past its data. NULL: a shape or type that cannot be written. */
static json_t *entry_object(const struct gx_weights_entry *e, int64_t *offset, int64_t *count)
{
    if (e->rank < 0 || e->rank > GX_RANK_MAX || (int)e->dtype < GX_F32 ||
        (e->dtype > GX_BF16 && e->dtype != GX_I64))
        return NULL;
    int64_t bytes, end;
    *count = 1;
    for (int d = 0; d < e->rank; d++)
        if (e->dims[d] < 0 || __builtin_mul_overflow(*count, e->dims[d], count))
            return NULL;
    if (__builtin_mul_overflow(*count, (int64_t)gx_dtype_bytes(e->dtype), &bytes) ||
        __builtin_add_overflow(*offset, bytes, &end))
        return NULL;
    json_t *shape = json_array();
    for (int d = 0; d < e->rank; d++)
        json_array_append_new(shape, json_integer(e->dims[d]));
    json_t *object = json_pack("{s:s, s:o, s:[I, I]}", "dtype", gx_dtype_name(e->dtype), "shape",
                               shape, "data_offsets", (json_int_t)*offset, (json_int_t)end);
    *offset = end;
    return object;
}

/* The header as text, padded by spaces so that the data start on 64 bytes. */
static int header_text(struct gx_weights_writer *writer, const struct gx_weights_entry *entries,
                       json_t *header, char **text, size_t *length, struct gx_err *err)
{
    int64_t offset = 0;
    for (int i = 0; i < writer->count; i++) {
        json_t *object = entry_object(&entries[i], &offset, &writer->counts[i]);
        if (!object)
            return gx_fail(err, GX_E_USAGE, "tensor '%s' cannot be written: its type or shape",
                           entries[i].name);
        writer->dtypes[i] = entries[i].dtype;
        if (strlen(entries[i].name) > GX_NAME_MAX || !put_new(header, entries[i].name, object))
            return gx_fail(err, GX_E_USAGE,
                           "tensor '%.100s' has a name that is not UTF-8, too long or given twice",
                           entries[i].name);
    }
    char *json = json_dumps(header, JSON_COMPACT | JSON_PRESERVE_ORDER);
    if (!json)
        return gx_fail(err, GX_E_NOMEM, "out of memory for a header");
    size_t used = strlen(json);
    *length = ((used + 8 + 63) & ~(size_t)63) - 8;
    if (*length > GX_HEADER_MAX) {
        free(json);
        return gx_fail(err, GX_E_LIMIT, "the header would have %zu bytes; at most %d", *length,
                       GX_HEADER_MAX);
    }
    *text = gx_grow(json, *length + 1);
    memset(*text + used, ' ', *length - used);
    (*text)[*length] = 0;
    return 0;
}

static int write_header(struct gx_weights_writer *writer, const char *text, size_t length,
                        struct gx_err *err)
{
    uint8_t head[8];
    for (int i = 0; i < 8; i++)
        head[i] = (uint8_t)((uint64_t)length >> 8 * i);
    const char *mark = strstr(text, GX_CRC_MARK);
    writer->crc_offset = 8 + (mark - text) + (int64_t)sizeof GX_CRC_MARK - 1;
    writer->crc = gx_header_crc(text, length);
    int result = write_all(writer, head, sizeof head, err);
    return result ? result : write_all(writer, text, length, err);
}

int gx_weights_write_begin(struct gx_weights_writer **to, const char *path,
                           const struct gx_weights_entry *entries, int count,
                           const struct gx_text_pair *metadata, int metadata_count,
                           struct gx_err *err)
{
    *to = NULL;
    struct gx_weights_writer *writer = gx_new(sizeof *writer);
    writer->staged.fd = -1;
    writer->counts = gx_new((size_t)count * sizeof *writer->counts);
    writer->dtypes = gx_new((size_t)count * sizeof *writer->dtypes);
    writer->count = count;
    char *text = NULL;
    size_t length = 0;
    json_t *header = json_object(), *object = metadata_object(metadata, metadata_count, err);
    int result = object ? 0 : -GX_E_USAGE;
    if (!result && !put_new(header, "__metadata__", object))
        result = gx_fail(err, GX_E_NOMEM, "out of memory for a header");
    if (!result)
        result = header_text(writer, entries, header, &text, &length, err);
    if (!result)
        result = gx_staged_open(&writer->staged, path, err);
    if (!result)
        result = write_header(writer, text, length, err);
    json_decref(header);
    free(text);
    if (result)
        gx_weights_write_abort(&writer);
    *to = writer;
    return result;
}

int gx_weights_write_next(struct gx_weights_writer *writer, const float *data, struct gx_err *err)
{
    enum { PART = 8192 };
    union {
        float floats[PART];
        int64_t integers[PART];
    } buffer;
    if (writer->next == writer->count)
        return gx_fail(err, GX_E_USAGE, "'%s': all %d tensors are written", writer->staged.target,
                       writer->count);
    enum gx_dtype dtype = writer->dtypes[writer->next];
    size_t width = (size_t)gx_dtype_bytes(dtype);
    for (int64_t left = writer->counts[writer->next]; left > 0;) {
        int64_t part = left < PART ? left : PART;
        gx_from_float(dtype, data, part, &buffer);
        writer->crc =
            (uint32_t)crc32(writer->crc, (const Bytef *)&buffer, (uInt)((size_t)part * width));
        int result = write_all(writer, &buffer, (size_t)part * width, err);
        if (result)
            return result;
        data += part;
        left -= part;
    }
    writer->next++;
    return 0;
}

static void writer_free(struct gx_weights_writer **writer)
{
    free((*writer)->counts);
    free((*writer)->dtypes);
    free(*writer);
    *writer = NULL;
}

int gx_weights_write_commit(struct gx_weights_writer **to, struct gx_err *err)
{
    struct gx_weights_writer *writer = *to;
    int result = 0;
    char digits[GX_CRC_DIGITS + 1];
    snprintf(digits, sizeof digits, "%08" PRIx32, writer->crc);
    if (writer->next < writer->count)
        result = gx_fail(err, GX_E_USAGE, "'%s': only %d of %d tensors were written",
                         writer->staged.target, writer->next, writer->count);
    for (size_t done = 0; !result && done < GX_CRC_DIGITS;) {
        ssize_t put = pwrite(writer->staged.fd, digits + done, GX_CRC_DIGITS - done,
                             writer->crc_offset + (off_t)done);
        if (put < 0 && errno != EINTR)
            result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", writer->staged.target);
        done += put > 0 ? (size_t)put : 0;
    }
    if (result)
        gx_staged_discard(&writer->staged);
    else
        result = gx_staged_commit(&writer->staged, err);
    writer_free(to);
    return result;
}

void gx_weights_write_abort(struct gx_weights_writer **writer)
{
    if (!*writer)
        return;
    gx_staged_discard(&(*writer)->staged);
    writer_free(writer);
}
