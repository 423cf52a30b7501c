/* PyTorch's .pth from before 1.6: pickles one after the other (a magic number, the protocol, a
 * dictionary about the system, what was saved, the keys of the storages), then each storage in the
 * order of the keys: its count of elements (i64) and its bytes. */
#include "weights/torch.h"

#include <stdlib.h>
#include <string.h>

static const char magic[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

struct stacked {
    struct gx_pickle pickle;
    struct gx_value **sorted; /* the pickle's storages by key */
    int64_t *offset;          /* of each storage in the order of the file, in bytes */
    int64_t *bytes;
};

static bool matches(const struct gx_weights *w, const uint8_t *head, size_t bytes)
{
    (void)w;
    return bytes >= 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5;
}

static int compare_keys(const struct gx_value *a, const struct gx_value *b)
{
    size_t common = a->text.length < b->text.length ? a->text.length : b->text.length;
    int order = memcmp(a->text.bytes, b->text.bytes, common);
    if (order)
        return order;
    return a->text.length < b->text.length ? -1 : a->text.length > b->text.length;
}

static int by_key(const void *a, const void *b)
{
    return compare_keys((*(struct gx_value *const *)a)->storage.key,
                        (*(struct gx_value *const *)b)->storage.key);
}

static int read_head(struct gx_pickle *p, struct gx_err *err)
{
    struct gx_value *number, *protocol, *system;
    int result = gx_pickle_load(p, &number, err);
    if (result)
        return result;
    if (number->kind != GX_V_TEXT || number->text.length != sizeof magic - 1 ||
        memcmp(number->text.bytes, magic, sizeof magic - 1))
        return gx_fail(err, GX_E_FORMAT, "it is a pickle, but not one that torch.save made");
    result = gx_pickle_load(p, &protocol, err);
    if (result)
        return result;
    if (protocol->kind != GX_V_INT || protocol->integer != 1001)
        return gx_fail(err, GX_E_FORMAT, "its protocol is not 1001, the only one there is");
    result = gx_pickle_load(p, &system, err);
    for (size_t i = 0; !result && system->kind == GX_V_DICT && i < system->list.count; i += 2) {
        const struct gx_value *key = system->list.item[i], *value = system->list.item[i + 1];
        if (key->kind == GX_V_TEXT && key->text.length == 13 &&
            !memcmp(key->text.bytes, "little_endian", 13) && value->integer == 0)
            return gx_fail(err, GX_E_FORMAT, "its numbers are not little-endian");
    }
    return result;
}

static size_t first_of_key(const struct stacked *s, const struct gx_value *key)
{
    size_t low = 0, high = s->pickle.storages;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_keys(s->sorted[middle]->storage.key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Walks the storages behind the pickles, and gives each reference the number of its own. */
static int read_storages(struct gx_weights *w, struct stacked *s, const struct gx_value *keys,
                         struct gx_err *err)
{
    size_t count = s->pickle.storages;
    int64_t at = s->pickle.at;
    if (keys->kind != GX_V_LIST || keys->list.count > count)
        return gx_fail(err, GX_E_FORMAT, "the list of storages makes no sense");
    for (size_t i = 0; i < count; i++)
        s->sorted[i]->storage.number = -1;
    for (size_t k = 0; k < keys->list.count; k++) {
        const struct gx_value *key = keys->list.item[k];
        if (key->kind != GX_V_TEXT || !key->text.bytes)
            return gx_fail(err, GX_E_FORMAT, "the list of storages makes no sense");
        size_t i = first_of_key(s, key);
        if (i == count || compare_keys(s->sorted[i]->storage.key, key) ||
            s->sorted[i]->storage.number >= 0)
            return gx_fail(err, GX_E_FORMAT,
                           "the list of storages names one that is unknown or "
                           "was there before");
        uint8_t number[8];
        int result = gx_weights_pread(w, at, number, sizeof number, err);
        if (result)
            return result;
        int64_t elements = (int64_t)gx_little(number, 8);
        int64_t width = gx_dtype_bytes(s->sorted[i]->dtype);
        if (elements < 0 || elements > (w->size - at - 8) / width)
            return gx_fail(err, GX_E_FORMAT, "the file is truncated: storage %zu of %zu", k + 1,
                           keys->list.count);
        s->offset[k] = at + 8;
        s->bytes[k] = elements * width;
        at += 8 + elements * width;
        for (; i < count && !compare_keys(s->sorted[i]->storage.key, key); i++)
            s->sorted[i]->storage.number = (int64_t)k;
    }
    return 0;
}

static int find_extent(void *context, const struct gx_value *storage, struct gx_extent *to,
                       struct gx_err *err)
{
    const struct stacked *s = context;
    if (storage->storage.number < 0)
        return gx_fail(err, GX_E_FORMAT, "the file lacks its data");
    *to = (struct gx_extent){.offset = s->offset[storage->storage.number],
                             .bytes = s->bytes[storage->storage.number]};
    return 0;
}

static int load_stacked(struct gx_weights *w, struct stacked *s, struct gx_err *err)
{
    struct gx_value *root, *keys;
    int result = read_head(&s->pickle, err);
    if (!result)
        result = gx_pickle_load(&s->pickle, &root, err);
    size_t count = s->pickle.storages; /* of the object: the list of keys refers to none */
    if (!result)
        result = gx_pickle_load(&s->pickle, &keys, err);
    if (result)
        return result;
    s->pickle.storages = count;
    s->sorted = gx_new(count * sizeof *s->sorted);
    s->offset = gx_new(count * sizeof *s->offset);
    s->bytes = gx_new(count * sizeof *s->bytes);
    if (count) {
        memcpy(s->sorted, s->pickle.storage, count * sizeof *s->sorted);
        qsort(s->sorted, count, sizeof *s->sorted, by_key);
    }
    result = read_storages(w, s, keys, err);
    return result ? result : gx_torch_collect(w, root, find_extent, s, err);
}

static int load(struct gx_weights *w, struct gx_err *err)
{
    struct stacked *s = gx_new(sizeof *s);
    s->pickle.w = w;
    s->pickle.end = w->size;
    int result = load_stacked(w, s, err);
    gx_pickle_clear(&s->pickle);
    free(s->sorted);
    free(s->offset);
    free(s->bytes);
    free(s);
    return result;
}

const struct gx_weights_format gx_format_torch_legacy = {"torch legacy", matches, load, NULL};
