/* safetensors, read: https://github.com/huggingface/safetensors#format
 *
 *   u64 little-endian N (at most 100,000,000) | N bytes of JSON, '{' first, spaces last | data
 *   {"__metadata__": {text: text}, NAME: {"dtype": "F32", "shape": [..], "data_offsets": [a, b]}}
 *
 * Everything that could mean two things is refused: duplicate names, overlaps, holes, bytes that no
 * tensor covers, sizes that differ from type times shape. */
#include "weights/safetensors.h"
#include "weights/weights.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool matches(const struct gx_weights *w, const uint8_t *head, size_t bytes)
{
    if (bytes < 8)
        return false;
    if (bytes > 8 && head[8] == '{')
        return true;
    /* Some other header that fits: taken for the sake of the message, unless it is a pickle. */
    uint64_t length = gx_little(head, 8);
    return length <= GX_HEADER_MAX && (int64_t)length + 8 <= w->size &&
           !(head[0] == 0x80 && head[1] >= 2 && head[1] <= 5);
}

static bool find_dtype(const char *name, enum gx_dtype *dtype)
{
    for (int i = GX_F32; i <= GX_BOOL; i++) {
        *dtype = (enum gx_dtype)i;
        if (!strcmp(name, gx_dtype_name(*dtype)))
            return true;
    }
    return false;
}

static int read_metadata(struct gx_weights *w, json_t *object, struct gx_err *err)
{
    if (!json_is_object(object))
        return gx_fail(err, GX_E_FORMAT, "__metadata__ is not an object");
    w->metadata = gx_arena_alloc(&w->arena, json_object_size(object) * sizeof *w->metadata);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        char shown[80];
        if (!json_is_string(value))
            return gx_fail(err, GX_E_FORMAT, "metadata '%s' is not text",
                           gx_printable(shown, sizeof shown, key, strlen(key)));
        w->metadata[w->metadata_count++] = (struct gx_text_pair){
            gx_arena_text(&w->arena, key), gx_arena_text(&w->arena, json_string_value(value))};
    }
    return 0;
}

static bool read_integers(const json_t *array, int64_t *to, size_t most)
{
    if (!json_is_array(array) || json_array_size(array) > most)
        return false;
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *number = json_array_get(array, i);
        to[i] = json_integer_value(number);
        if (!json_is_integer(number) || to[i] < 0)
            return false;
    }
    return true;
}

/* Adds one tensor; its end is checked against the next one's start by check_cover. */
static int read_tensor(struct gx_weights *w, const char *name, const json_t *entry,
                       int64_t data_start, int64_t *end, struct gx_err *err)
{
    char shown[80];
    gx_printable(shown, sizeof shown, name, strlen(name));
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    const json_t *shape = json_object_get(entry, "shape");
    const json_t *offsets = json_object_get(entry, "data_offsets");
    enum gx_dtype dtype;
    int64_t dims[GX_RANK_MAX], range[2], bytes;
    if (!type || !shape || !offsets)
        return gx_fail(err, GX_E_FORMAT, "tensor '%s' lacks dtype, shape or data_offsets", shown);
    if (!find_dtype(type, &dtype)) {
        char type_shown[20];
        return gx_fail(err, GX_E_FORMAT, "tensor '%s' has type '%s', which is not supported", shown,
                       gx_printable(type_shown, sizeof type_shown, type, strlen(type)));
    }
    if (json_array_size(shape) > GX_RANK_MAX)
        return gx_fail(err, GX_E_LIMIT, "tensor '%s' has %zu dimensions; at most %d", shown,
                       json_array_size(shape), GX_RANK_MAX);
    if (!read_integers(shape, dims, GX_RANK_MAX))
        return gx_fail(err, GX_E_FORMAT, "tensor '%s' has an impossible shape", shown);
    if (json_array_size(offsets) != 2 || !read_integers(offsets, range, 2) || range[0] > range[1])
        return gx_fail(err, GX_E_FORMAT, "tensor '%s' has impossible data_offsets", shown);
    if (range[1] > w->size - data_start)
        return gx_fail(err, GX_E_FORMAT,
                       "tensor '%s' ends past the end of the file (the file is truncated)", shown);
    struct gx_tensor_record *t;
    int result =
        gx_weights_add(w, name, strlen(name), dtype, (int)json_array_size(shape), dims, &t, err);
    if (result)
        return result;
    bytes = t->info.count * gx_dtype_bytes(dtype);
    if (bytes != range[1] - range[0])
        return gx_fail(err, GX_E_FORMAT, "tensor '%s' has %lld bytes where its shape needs %lld",
                       shown, (long long)(range[1] - range[0]), (long long)bytes);
    t->offset = data_start + range[0];
    t->contiguous = true;
    *end = range[1];
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const struct gx_tensor_record *x = a, *y = b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    if ((x->info.count == 0) != (y->info.count == 0)) /* empty ones sit at the start of others */
        return x->info.count == 0 ? -1 : 1;
    return strcmp(x->info.name, y->info.name);
}

/* Puts the tensors in the order of their data, which must follow each other without a gap. */
static int check_cover(struct gx_weights *w, int64_t data_start, struct gx_err *err)
{
    if (w->count)
        qsort(w->tensor, (size_t)w->count, sizeof *w->tensor, by_offset);
    int64_t at = data_start;
    for (int i = 0; i < w->count; i++) {
        const struct gx_tensor_record *t = &w->tensor[i];
        if (t->offset < at)
            return gx_fail(err, GX_E_FORMAT, "tensor '%s' overlaps tensor '%s'", t->info.name,
                           w->tensor[i - 1].info.name);
        if (t->offset > at)
            return gx_fail(err, GX_E_FORMAT, "there is a hole of %lld bytes before tensor '%s'",
                           (long long)(t->offset - at), t->info.name);
        at += t->info.count * gx_dtype_bytes(t->info.dtype);
    }
    if (at != w->size)
        return gx_fail(err, GX_E_FORMAT, "%lld bytes at the end belong to no tensor",
                       (long long)(w->size - at));
    return 0;
}

static int read_header(struct gx_weights *w, const char *text, size_t length, struct gx_err *err)
{
    json_error_t reason;
    json_t *header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &reason);
    if (!header) {
        char shown[120];
        return gx_fail(err, GX_E_FORMAT, "the safetensors header is not sound JSON: %s",
                       gx_printable(shown, sizeof shown, reason.text, strlen(reason.text)));
    }
    int result = 0;
    int64_t data_start = (int64_t)length + 8, end;
    const char *name;
    json_t *entry;
    json_object_foreach(header, name, entry)
    {
        if (!strcmp(name, "__metadata__"))
            result = read_metadata(w, entry, err);
        else
            result = read_tensor(w, name, entry, data_start, &end, err);
        if (result)
            break;
    }
    json_decref(header);
    return result ? result : check_cover(w, data_start, err);
}

static int header_load(const struct gx_weights *w, char **text, size_t *length, struct gx_err *err)
{
    uint8_t head[8];
    int result = gx_weights_pread(w, 0, head, 8, err);
    if (result)
        return result;
    uint64_t bytes = gx_little(head, 8);
    if (bytes > GX_HEADER_MAX)
        return gx_fail(err, GX_E_LIMIT, "the safetensors header has %llu bytes; at most %d",
                       (unsigned long long)bytes, GX_HEADER_MAX);
    if ((int64_t)bytes > w->size - 8)
        return gx_fail(err, GX_E_FORMAT,
                       "the safetensors header ends past the end of the file (it is truncated)");
    *text = malloc((size_t)bytes + 1);
    if (!*text)
        return gx_fail(err, GX_E_NOMEM, "out of memory: %zu bytes", (size_t)bytes);
    *length = (size_t)bytes;
    result = gx_weights_pread(w, 8, *text, *length, err);
    if (!result && (!bytes || **text != '{'))
        result = gx_fail(err, GX_E_FORMAT, "the safetensors header does not start with '{'");
    if (result)
        free(*text);
    return result;
}

static int load(struct gx_weights *w, struct gx_err *err)
{
    char *text;
    size_t length;
    int result = header_load(w, &text, &length, err);
    if (result)
        return result;
    result = read_header(w, text, length, err);
    free(text);
    return result;
}

/* The checksum covers the file but for the checksum's own digits. A header without our spelling of
 * the key was rewritten by another program, which cannot have kept the promise: not checked. */
static int verify(struct gx_weights *w, struct gx_err *err)
{
    const char *stored = gx_weights_metadata(w, GX_CRC_KEY);
    if (!stored)
        return 0;
    char *text, *digits;
    size_t length;
    int result = header_load(w, &text, &length, err);
    if (result)
        return result;
    digits = memmem(text, length, GX_CRC_MARK, sizeof GX_CRC_MARK - 1);
    if (digits && (size_t)(text + length - digits) > sizeof GX_CRC_MARK - 1 + GX_CRC_DIGITS) {
        digits += sizeof GX_CRC_MARK - 1;
        memset(digits, '0', GX_CRC_DIGITS);
        uint32_t crc = gx_header_crc(text, length);
        int64_t start = (int64_t)length + 8;
        result = gx_weights_crc(w, start, w->size - start, &crc, err);
        char expected[GX_CRC_DIGITS + 1];
        snprintf(expected, sizeof expected, "%08x", (unsigned)crc);
        if (!result && strcmp(expected, stored))
            result = gx_fail(err, GX_E_FORMAT, "the content does not match its checksum");
    }
    free(text);
    return result;
}

const struct gx_weights_format gx_format_safetensors = {"safetensors", matches, load, verify};
