#include "weights/torch.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 16, VISITS_MAX = 1000000 };

struct walk {
    struct gx_weights *w;
    gx_extent_fn *find_extent;
    void *context;
    char name[GX_NAME_MAX + 1];
    size_t length;
    int64_t visits;
    struct gx_err *err;
};

/* ---- one tensor ---- */

/* Fills shape and strides, and proves that every element lies inside the storage. */
static int check_view(struct gx_tensor_record *t, const struct gx_value *tensor, struct gx_err *err)
{
    const struct gx_value *storage = tensor->tensor.storage;
    const struct gx_tensor_info *info = &t->info;
    int64_t last = 0, step, dense = 1;
    bool overflow = tensor->tensor.offset < 0 ||
                    __builtin_add_overflow(tensor->tensor.offset, storage->storage.offset, &last);
    t->contiguous = true;
    for (int d = info->rank - 1; d >= 0; d--) {
        t->stride[d] = tensor->tensor.stride->list.item[d]->integer;
        if (info->dims[d] != 1 && t->stride[d] != dense)
            t->contiguous = false;
        dense *= info->dims[d];
        overflow = overflow || t->stride[d] < 0 ||
                   __builtin_mul_overflow(info->dims[d] - 1, t->stride[d], &step) ||
                   __builtin_add_overflow(last, step, &last);
    }
    if (info->count == 0) {
        t->contiguous = true;
        return 0;
    }
    if (overflow || last >= storage->storage.count)
        return gx_fail(err, GX_E_FORMAT, "tensor '%s' reaches outside its storage", info->name);
    if (info->count > storage->storage.count)
        return gx_fail(err, GX_E_FORMAT,
                       "tensor '%s' is an expanded view, larger than its storage (save a copy)",
                       info->name);
    return 0;
}

static int add_tensor(struct walk *k, const struct gx_value *tensor)
{
    const struct gx_value *storage = tensor->tensor.storage, *size = tensor->tensor.size;
    int64_t dims[GX_RANK_MAX];
    for (size_t i = 0; i < size->list.count && i < GX_RANK_MAX; i++)
        dims[i] = size->list.item[i]->integer;
    int rank = size->list.count > GX_RANK_MAX ? GX_RANK_MAX + 1 : (int)size->list.count;
    struct gx_tensor_record *t;
    int result = gx_weights_add(k->w, k->name, k->length, tensor->dtype, rank, dims, &t, k->err);
    if (!result)
        result = check_view(t, tensor, k->err);
    if (result || t->info.count == 0)
        return result;
    struct gx_extent extent = {0};
    result = k->find_extent(k->context, storage, &extent, k->err);
    if (result)
        return gx_context(k->err, result, "tensor '%s'", t->info.name);
    int64_t width = gx_dtype_bytes(tensor->dtype);
    int64_t first = tensor->tensor.offset + storage->storage.offset;
    if (storage->storage.count > extent.bytes / width)
        return gx_fail(k->err, GX_E_FORMAT,
                       "tensor '%s' has a storage of %lld bytes; it needs %lld", t->info.name,
                       (long long)extent.bytes,
                       (long long)storage->storage.count * (long long)width);
    t->offset = extent.offset + first * width;
    t->has_crc = extent.has_crc && t->contiguous && t->info.count * width == extent.bytes;
    t->crc = extent.crc;
    return 0;
}

/* ---- walking what was saved ---- */

static bool holds(const struct gx_value *v)
{
    return v->kind == GX_V_TENSOR || v->kind == GX_V_DICT || v->kind == GX_V_LIST ||
           v->kind == GX_V_TUPLE;
}

/* Puts "key" or ".key" after the name; false for a key that cannot be part of a name. */
static int append_key(struct walk *k, const struct gx_value *key, size_t index)
{
    char number[24];
    const char *text = number;
    size_t length = 0;
    if (!key)
        length = (size_t)snprintf(number, sizeof number, "%zu", index);
    else if (key->kind == GX_V_INT)
        length = (size_t)snprintf(number, sizeof number, "%lld", (long long)key->integer);
    else if (key->kind == GX_V_TEXT && key->text.bytes) {
        text = key->text.bytes;
        length = key->text.length;
    } else
        return gx_fail(k->err, GX_E_FORMAT, "a tensor's name is not text");
    if (k->length + 1 + length > GX_NAME_MAX)
        return gx_fail(k->err, GX_E_LIMIT, "a tensor's name has more than %d bytes", GX_NAME_MAX);
    if (k->length)
        k->name[k->length++] = '.';
    memcpy(k->name + k->length, text, length);
    k->length += length;
    return 0;
}

static int walk(struct walk *k, const struct gx_value *v, int depth)
{
    if (v->kind == GX_V_TENSOR)
        return add_tensor(k, v);
    if (depth == DEPTH_MAX)
        return gx_fail(k->err, GX_E_LIMIT, "dictionaries are nested deeper than %d", DEPTH_MAX);
    bool dict = v->kind == GX_V_DICT;
    size_t length = k->length, step = dict ? 2 : 1;
    for (size_t i = 0; i + step <= v->list.count; i += step) {
        const struct gx_value *member = v->list.item[i + step - 1];
        if (++k->visits > VISITS_MAX)
            return gx_fail(k->err, GX_E_LIMIT, "more than %d values", VISITS_MAX);
        if (!holds(member))
            continue;
        int result = append_key(k, dict ? v->list.item[i] : NULL, i);
        if (!result)
            result = walk(k, member, depth + 1);
        if (result)
            return result;
        k->length = length;
    }
    return 0;
}

/* ---- choosing the dictionary ---- */

static bool has_tensor(const struct gx_value *v)
{
    for (size_t i = 1; v->kind == GX_V_DICT && i < v->list.count; i += 2)
        if (v->list.item[i]->kind == GX_V_TENSOR)
            return true;
    return false;
}

static const struct gx_value *choose(const struct gx_value *root)
{
    static const char *const preferred[] = {"params_ema", "params", "state_dict"};
    if (root->kind != GX_V_DICT)
        return root;
    for (size_t p = 0; p < sizeof preferred / sizeof *preferred; p++)
        for (size_t i = 0; i < root->list.count; i += 2) {
            const struct gx_value *key = root->list.item[i], *member = root->list.item[i + 1];
            if (key->kind == GX_V_TEXT && key->text.bytes && member->kind == GX_V_DICT &&
                key->text.length == strlen(preferred[p]) &&
                !memcmp(key->text.bytes, preferred[p], key->text.length))
                return member;
        }
    const struct gx_value *only = NULL;
    for (size_t i = 1; i < root->list.count && !has_tensor(root); i += 2)
        if (has_tensor(root->list.item[i])) {
            if (only)
                return root;
            only = root->list.item[i];
        }
    return only ? only : root;
}

int gx_torch_collect(struct gx_weights *w, const struct gx_value *root, gx_extent_fn *find_extent,
                     void *context, struct gx_err *err)
{
    struct walk k = {.w = w, .find_extent = find_extent, .context = context, .err = err};
    const struct gx_value *chosen = choose(root);
    int result = 0;
    if (chosen->kind == GX_V_TENSOR) { /* torch.save(tensor): it has no name, so it is given one */
        memcpy(k.name, "tensor", 6);
        k.length = 6;
    }
    if (holds(chosen))
        result = walk(&k, chosen, 0);
    if (!result && w->count == 0)
        result = gx_fail(err, GX_E_FORMAT, "it holds no tensor");
    return result;
}
