#include "pairs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keeps the names that end in .png. */
static void only_pictures(struct gx_names *names)
{
    size_t kept = 0;
    for (size_t i = 0; i < names->count; i++) {
        const char *dot = strrchr(names->name[i], '.');
        if (dot && !strcmp(dot, ".png"))
            names->name[kept++] = names->name[i];
        else
            free(names->name[i]);
    }
    names->count = kept;
}

int pairs_read(struct pairs *pairs, const struct fixture *f, int input, int output,
               struct gx_err *err)
{
    const json_t *data = json_object_get(f->json, "data"),
                 *range = json_object_get(f->json, "range");
    char path[8192];
    struct fixture_picture first;
    snprintf(pairs->folder, sizeof pairs->folder, "%s/%s/train", f->folder,
             fixture_word(data, "folder", "data"));
    if (!gx_is_folder(pairs->folder))
        *strrchr(pairs->folder, '/') = 0;
    pairs->swap = !strcmp(fixture_word(f->json, "direction", "AtoB"), "BtoA");
    pairs->low = range ? json_number_value(json_array_get(range, 0)) : -1;
    pairs->high = range ? json_number_value(json_array_get(range, 1)) : 1;
    pairs->channels[0] = input;
    pairs->channels[1] = output;
    int r = gx_folder_list(pairs->folder, &pairs->names, err);
    if (r)
        return r;
    only_pictures(&pairs->names);
    if (!pairs->names.count)
        return gx_fail(err, GX_E_FORMAT, "there are no .png files in '%s'", pairs->folder);
    snprintf(path, sizeof path, "%s/%s", pairs->folder, pairs->names.name[0]);
    r = fixture_picture(path, 0, &first, err);
    if (r)
        return r;
    pairs->w = first.w / 2;
    pairs->h = first.h;
    free(first.data);
    return 0;
}

/* One half of a picture, in the pair's range. */
static int read_half(const struct pairs *pairs, const char *path, int slot, float *to,
                     struct gx_err *err)
{
    int c = pairs->channels[slot], left = (slot == 1) == pairs->swap ? 0 : pairs->w;
    struct fixture_picture p;
    int r = fixture_picture(path, c, &p, err);
    if (r)
        return r;
    if (p.w / 2 != pairs->w || p.h != pairs->h)
        r = gx_fail(err, GX_E_FORMAT, "'%s' has another size than the first picture", path);
    for (int y = 0; y < pairs->h && !r; y++)
        for (int i = 0; i < pairs->w * c; i++)
            *to++ = (float)(pairs->low +
                            (pairs->high - pairs->low) * p.data[(y * p.w + left) * c + i] / 255);
    free(p.data);
    return r;
}

int pairs_batch(const struct pairs *pairs, int from, int count, float *input, float *output,
                struct gx_err *err)
{
    size_t pixels = (size_t)pairs->w * (size_t)pairs->h;
    int r = 0;
    for (int i = 0; i < count && !r; i++) {
        char path[8192];
        size_t which = (size_t)(from + i) % pairs->names.count;
        snprintf(path, sizeof path, "%s/%s", pairs->folder, pairs->names.name[which]);
        r = read_half(pairs, path, 0, input + (size_t)i * pixels * (size_t)pairs->channels[0], err);
        if (!r)
            r = read_half(pairs, path, 1, output + (size_t)i * pixels * (size_t)pairs->channels[1],
                          err);
    }
    return r;
}

void pairs_clear(struct pairs *pairs)
{
    gx_names_free(&pairs->names);
}
