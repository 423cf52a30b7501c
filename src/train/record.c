#include "train/record.h"

#include "util/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIFFERENCES_SHOWN = 5 };

struct gx_record_array {
    char *name;
    int rank;
    int64_t dims[4], count;
    const struct gx_param *param; /* NULL: a plain array */
    bool optional;
    float *data;
};

struct gx_record_text {
    char *key, *value;
};

void gx_record_init(struct gx_record *record)
{
    *record = (struct gx_record){0};
}

static void clear_texts(struct gx_record *record)
{
    for (int i = 0; i < record->texts; i++) {
        free(record->text[i].key);
        free(record->text[i].value);
    }
    free(record->text);
    record->text = NULL;
    record->texts = 0;
}

void gx_record_clear(struct gx_record *record)
{
    for (int i = 0; i < record->arrays; i++)
        free(record->array[i].name);
    free(record->array);
    clear_texts(record);
    gx_record_init(record);
}

/* ---- what it holds ---- */

static struct gx_record_array *add(struct gx_record *record, const char *prefix, const char *name)
{
    size_t room = (size_t)record->arrays + 1, size = strlen(prefix) + strlen(name) + 1;
    record->array = gx_grow(record->array, room * sizeof *record->array);
    struct gx_record_array *array = &record->array[record->arrays++];
    *array = (struct gx_record_array){.name = gx_new(size)};
    snprintf(array->name, size, "%s%s", prefix, name);
    return array;
}

void gx_record_add_params(struct gx_record *record, const char *prefix,
                          const struct gx_params *params, enum gx_params_part part, float *base)
{
    for (int i = 0; i < params->count; i++) {
        const struct gx_param *param = params->param[i];
        if (part == GX_PARTS_TRAINED && !gx_param_trained(param))
            continue;
        struct gx_record_array *array = add(record, prefix, param->name);
        array->rank = gx_param_dims(param, array->dims);
        array->count = gx_count(param->shape);
        array->param = param;
        array->data = base + param->offset;
    }
}

void gx_record_add_array(struct gx_record *record, const char *name, int64_t count, float *data)
{
    struct gx_record_array *array = add(record, "", name);
    array->rank = 1;
    array->dims[0] = array->count = count;
    array->data = data;
}

void gx_record_add_optional(struct gx_record *record, const char *name, int64_t count, float *data)
{
    gx_record_add_array(record, name, count, data);
    record->array[record->arrays - 1].optional = true;
}

static struct gx_record_text *find_text(const struct gx_record *record, const char *key)
{
    for (int i = 0; i < record->texts; i++)
        if (!strcmp(record->text[i].key, key))
            return &record->text[i];
    return NULL;
}

/* Takes `value`. */
static void put_text(struct gx_record *record, const char *key, char *value)
{
    struct gx_record_text *text = find_text(record, key);
    if (!text) {
        record->text = gx_grow(record->text, ((size_t)record->texts + 1) * sizeof *record->text);
        text = &record->text[record->texts++];
        *text = (struct gx_record_text){.key = gx_new_text(key)};
    }
    free(text->value);
    text->value = value;
}

void gx_record_set(struct gx_record *record, const char *key, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *value = gx_new((size_t)(length > 0 ? length : 0) + 1);
    va_start(arguments, format);
    if (length > 0)
        vsnprintf(value, (size_t)length + 1, format, arguments);
    va_end(arguments);
    put_text(record, key, value);
}

const char *gx_record_get(const struct gx_record *record, const char *key)
{
    const struct gx_record_text *text = find_text(record, key);
    return text ? text->value : NULL;
}

/* Room for the largest array that must be reordered on its way. */
static float *scratch_of(const struct gx_record *record, struct gx_err *err)
{
    int64_t most = 1;
    for (int i = 0; i < record->arrays; i++)
        if (record->array[i].param && record->array[i].count > most)
            most = record->array[i].count;
    float *scratch = malloc((size_t)most * sizeof *scratch);
    if (!scratch)
        gx_fail(err, GX_E_NOMEM, "no memory for a tensor of %lld values", (long long)most);
    return scratch;
}

/* ---- writing ---- */

static int begin(const struct gx_record *record, const char *path, enum gx_dtype dtype,
                 struct gx_weights_writer **writer, struct gx_err *err)
{
    struct gx_entries rows = {0};
    for (int i = 0; i < record->arrays; i++) {
        const struct gx_record_array *array = &record->array[i];
        gx_entries_add(&rows, array->name, dtype, array->rank, array->dims);
    }
    struct gx_text_pair *pairs = gx_new(((size_t)record->texts + 1) * sizeof *pairs);
    for (int i = 0; i < record->texts; i++)
        pairs[i] = (struct gx_text_pair){record->text[i].key, record->text[i].value};
    int result =
        gx_weights_write_begin(writer, path, rows.row, rows.count, pairs, record->texts, err);
    free(pairs);
    gx_entries_clear(&rows);
    return result;
}

int gx_record_write_as(const struct gx_record *record, const char *path, enum gx_dtype dtype,
                       struct gx_err *err)
{
    struct gx_weights_writer *writer;
    float *scratch = scratch_of(record, err);
    if (!scratch)
        return -GX_E_NOMEM;
    int result = begin(record, path, dtype, &writer, err);
    if (result) {
        free(scratch);
        return result;
    }
    for (int i = 0; i < record->arrays && !result; i++) {
        const struct gx_record_array *array = &record->array[i];
        if (array->param)
            gx_param_to_disk(array->param, array->data, scratch);
        result = gx_weights_write_next(writer, array->param ? scratch : array->data, err);
    }
    free(scratch);
    if (!result)
        return gx_weights_write_commit(&writer, err);
    gx_weights_write_abort(&writer);
    return result;
}

int gx_record_write(const struct gx_record *record, const char *path, struct gx_err *err)
{
    return gx_record_write_as(record, path, GX_F32, err);
}

/* ---- reading ---- */

struct differences {
    char text[640];
    int count;
};

/* "'name' WORD (64, 3, 4, 4)", and ", should be (...)" when the other dims are given. */
static void differ(struct differences *d, const char *name, const char *word, int rank,
                   const int64_t *dims, int rank2, const int64_t *dims2)
{
    char part[320];
    size_t room = sizeof part, end = (size_t)snprintf(part, room, "'%.60s' %s ", name, word);
    if (d->count++ >= DIFFERENCES_SHOWN)
        return;
    for (int pass = 0; pass < (dims2 ? 2 : 1); pass++) {
        const int64_t *size = pass ? dims2 : dims;
        end += (size_t)snprintf(part + end, room - end, "%s", pass ? ", should be (" : "(");
        for (int i = 0; i < (pass ? rank2 : rank) && end < room; i++)
            end += (size_t)snprintf(part + end, room - end, "%s%lld", i ? ", " : "",
                                    (long long)size[i]);
        if (end < room)
            end += (size_t)snprintf(part + end, room - end, ")");
        if (end >= room)
            break;
    }
    size_t used = strlen(d->text);
    snprintf(d->text + used, sizeof d->text - used, "%s%s", used ? "; " : "", part);
}

/* at[i]: the number in the file of array i; -1: an optional one that it lacks. */
static int match(const struct gx_record *record, const struct gx_weights *file, int *at,
                 struct gx_err *err)
{
    struct differences d = {.count = 0};
    bool *used = gx_new((size_t)gx_weights_count(file) + 1);
    for (int i = 0; i < record->arrays; i++) {
        const struct gx_record_array *array = &record->array[i];
        at[i] = gx_weights_find(file, array->name);
        if (at[i] < 0) {
            if (!array->optional)
                differ(&d, array->name, "is missing", array->rank, array->dims, 0, NULL);
            continue;
        }
        const struct gx_tensor_info *info = gx_weights_info(file, at[i]);
        used[at[i]] = true;
        bool fits = info->rank == array->rank &&
                    !memcmp(info->dims, array->dims, (size_t)array->rank * sizeof *array->dims);
        if (array->optional && (!fits || info->dtype != GX_F32))
            at[i] = -1;
        else if (!fits)
            differ(&d, array->name, "is", info->rank, info->dims, array->rank, array->dims);
        else if (info->dtype != GX_F32)
            differ(&d, array->name, "is not float32", info->rank, info->dims, 0, NULL);
    }
    for (int i = 0; i < gx_weights_count(file); i++) {
        const struct gx_tensor_info *info = gx_weights_info(file, i);
        if (!used[i])
            differ(&d, info->name, "is unexpected", info->rank, info->dims, 0, NULL);
    }
    free(used);
    if (!d.count)
        return 0;
    return gx_fail(err, GX_E_SHAPE, "it does not fit this configuration, %d difference%s: %s%s",
                   d.count, d.count == 1 ? "" : "s", d.text,
                   d.count > DIFFERENCES_SHOWN ? "; ..." : "");
}

static int read_arrays(const struct gx_record *record, struct gx_weights *file, const int *at,
                       struct gx_err *err)
{
    float *scratch = scratch_of(record, err);
    if (!scratch)
        return -GX_E_NOMEM;
    int result = 0;
    for (int i = 0; i < record->arrays && !result; i++) {
        const struct gx_record_array *array = &record->array[i];
        if (at[i] < 0)
            continue;
        result = gx_weights_read(file, at[i], array->param ? scratch : array->data, err);
        if (!result && array->param)
            gx_param_from_disk(array->param, scratch, array->data);
    }
    free(scratch);
    return result;
}

static void take_texts(struct gx_record *record, const struct gx_weights *file)
{
    clear_texts(record);
    for (int i = 0; i < gx_weights_metadata_count(file); i++) {
        const char *key, *value;
        gx_weights_metadata_at(file, i, &key, &value);
        put_text(record, key, gx_new_text(value));
    }
}

int gx_record_read(struct gx_record *record, const char *path, struct gx_err *err)
{
    struct gx_weights *file;
    int result = gx_weights_open(&file, path, err);
    if (result)
        return result;
    int *at = gx_new(((size_t)record->arrays + 1) * sizeof *at);
    if (!gx_weights_metadata(file, "ganx.crc32"))
        result = gx_fail(err, GX_E_FORMAT, "it has no checksum: no checkpoint of ganx");
    if (!result)
        result = gx_weights_verify(file, err);
    if (!result)
        result = match(record, file, at, err);
    if (!result)
        result = read_arrays(record, file, at, err);
    if (!result || result == -GX_E_SHAPE)
        take_texts(record, file);
    if (result)
        result = gx_context(err, result, "cannot restore '%s'", path);
    free(at);
    gx_weights_close(&file);
    return result;
}
