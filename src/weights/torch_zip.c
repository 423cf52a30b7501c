/* PyTorch's .pth since 1.6: a zip archive of stored entries under one folder: data.pkl (the
 * pickle), data/KEY (a storage each), version, byteorder, ... */
#include "weights/torch.h"
#include "weights/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct archive {
    struct gx_zip zip;
    char prefix[256]; /* of the entries, with the slash */
};

static bool matches(const struct gx_weights *w, const uint8_t *head, size_t bytes)
{
    (void)w;
    return bytes >= 4 && !memcmp(head, "PK\3\4", 4);
}

static const struct gx_zip_entry *find(const struct archive *a, const char *name)
{
    char path[sizeof a->prefix + 80];
    snprintf(path, sizeof path, "%s%s", a->prefix, name);
    return gx_zip_find(&a->zip, path);
}

/* The folder is that of the one "FOLDER/data.pkl". */
static int find_prefix(struct archive *a, struct gx_err *err)
{
    bool found = false;
    for (int i = 0; i < a->zip.count; i++) {
        const char *name = a->zip.entry[i].name, *slash = strchr(name, '/');
        if (!slash || strcmp(slash, "/data.pkl"))
            continue;
        if (found)
            return gx_fail(err, GX_E_FORMAT, "the zip archive holds several data.pkl");
        size_t length = (size_t)(slash - name) + 1;
        if (length >= sizeof a->prefix)
            return gx_fail(err, GX_E_LIMIT, "the zip archive's folder has a name that is too long");
        memcpy(a->prefix, name, length);
        a->prefix[length] = 0;
        found = true;
    }
    if (!found)
        return gx_fail(err, GX_E_FORMAT,
                       "it is a zip archive, but not one of PyTorch's: it has no "
                       "data.pkl");
    if (find(a, "constants.pkl"))
        return gx_fail(err, GX_E_FORMAT,
                       "it is a TorchScript program, not weights (save the state_dict instead)");
    return 0;
}

static int check_order(const struct gx_weights *w, const struct archive *a, struct gx_err *err)
{
    const struct gx_zip_entry *e = find(a, "byteorder");
    char order[8] = "";
    if (!e)
        return 0;
    int result = e->bytes < (int64_t)sizeof order
                     ? gx_weights_pread(w, e->offset, order, (size_t)e->bytes, err)
                     : 0;
    if (!result && strcmp(order, "little"))
        result = gx_fail(err, GX_E_FORMAT, "its numbers are not little-endian");
    return result;
}

static int find_extent(void *context, const struct gx_value *storage, struct gx_extent *to,
                       struct gx_err *err)
{
    const struct archive *a = context;
    const struct gx_value *key = storage->storage.key;
    char name[80];
    const struct gx_zip_entry *e = NULL;
    if (key->text.length < 60) {
        snprintf(name, sizeof name, "data/%.*s", (int)key->text.length, key->text.bytes);
        e = find(a, name);
    }
    if (!e)
        return gx_fail(err, GX_E_FORMAT, "the archive lacks its data");
    *to = (struct gx_extent){e->offset, e->bytes, e->crc != 0, e->crc};
    return 0;
}

static int load(struct gx_weights *w, struct gx_err *err)
{
    struct archive *a = w->state = gx_arena_alloc(&w->arena, sizeof *a);
    int result = gx_zip_open(&a->zip, w, err);
    if (!result)
        result = find_prefix(a, err);
    if (!result)
        result = gx_zip_require_stored(&a->zip, err);
    if (!result)
        result = check_order(w, a, err);
    if (result)
        return result;
    const struct gx_zip_entry *e = find(a, "data.pkl");
    result = gx_zip_check(w, e, err);
    struct gx_pickle *p = gx_new(sizeof *p);
    p->w = w;
    p->at = e->offset;
    p->end = e->offset + e->bytes;
    struct gx_value *root;
    if (!result)
        result = gx_pickle_load(p, &root, err);
    if (!result)
        result = gx_torch_collect(w, root, find_extent, a, err);
    gx_pickle_clear(p);
    free(p);
    return result;
}

static int verify(struct gx_weights *w, struct gx_err *err)
{
    const struct archive *a = w->state;
    int result = 0;
    for (int i = 0; i < a->zip.count && !result; i++)
        result = gx_zip_check(w, &a->zip.entry[i], err);
    return result;
}

const struct gx_weights_format gx_format_torch_zip = {"torch zip", matches, load, verify};
