#include "batches.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct layout {
    const char *name;
    const char *folder[GX_SLOTS_MAX]; /* inside the data's; without it: the data's own */
    bool halves;                      /* a picture is both slots, side by side */
};

static const struct layout layouts[] = {
    {"pairs", {"train", "train"}, true},
    {"unpaired", {"trainA", "trainB"}, false},
};

static const struct layout *layout_of(const json_t *data)
{
    const char *name = fixture_word(data, "layout", "");
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (!strcmp(layouts[i].name, name))
            return &layouts[i];
    return NULL;
}

bool batches_known(const json_t *data, char *why, size_t size)
{
    if (json_object_get(data, "tensors"))
        return true;
    if (!layout_of(data))
        snprintf(why, size, "data laid out as '%s' are not known yet",
                 fixture_word(data, "layout", ""));
    else if (json_is_true(json_object_get(data, "flip")) ||
             json_is_true(json_object_get(data, "crop")) ||
             strcmp(fixture_word(data, "order", "name"), "name") != 0)
        snprintf(why, size, "data at random are not PyTorch's");
    else
        return true;
    return false;
}

/* ---- pictures ---- */

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

static int open_folder(struct batches *b, int slot, const struct fixture *f, struct gx_err *err)
{
    const json_t *data = json_object_get(f->json, "data");
    char *folder = b->slot[slot].folder;
    size_t size = sizeof b->slot[slot].folder;
    snprintf(folder, size, "%s/%s/%s", f->folder, fixture_word(data, "folder", "data"),
             b->layout->folder[slot]);
    if (!gx_is_folder(folder))
        *strrchr(folder, '/') = 0;
    int r = gx_folder_list(folder, &b->slot[slot].names, err);
    if (r)
        return r;
    only_pictures(&b->slot[slot].names);
    if (!b->slot[slot].names.count)
        return gx_fail(err, GX_E_FORMAT, "there are no .png files in '%s'", folder);
    return 0;
}

static int open_pictures(struct batches *b, const struct fixture *f, struct gx_err *err)
{
    const json_t *range = json_object_get(f->json, "range");
    bool swap = !strcmp(fixture_word(f->json, "direction", "AtoB"), "BtoA");
    struct fixture_picture first;
    char path[8192];
    int r = 0;
    b->low = range ? json_number_value(json_array_get(range, 0)) : -1;
    b->high = range ? json_number_value(json_array_get(range, 1)) : 1;
    for (int i = 0; i < b->slots && !r; i++) {
        int side = swap ? 1 - i : i;
        b->slot[i].half = b->layout->halves ? 1 + side : 0;
        r = open_folder(b, i, f, err);
    }
    if (r)
        return r;
    snprintf(path, sizeof path, "%s/%s", b->slot[0].folder, b->slot[0].names.name[0]);
    r = fixture_picture(path, 0, &first, err);
    if (r)
        return r;
    b->w = b->layout->halves ? first.w / 2 : first.w;
    b->h = first.h;
    free(first.data);
    return 0;
}

static int read_picture(const struct batches *b, int slot, size_t which, float *to,
                        struct gx_err *err)
{
    int c = b->slot[slot].channels, half = b->slot[slot].half, left = half == 2 ? b->w : 0;
    struct fixture_picture p;
    char path[8192];
    snprintf(path, sizeof path, "%s/%s", b->slot[slot].folder, b->slot[slot].names.name[which]);
    int r = fixture_picture(path, c, &p, err);
    if (r)
        return r;
    if (p.w / (half ? 2 : 1) != b->w || p.h != b->h)
        r = gx_fail(err, GX_E_FORMAT, "'%s' has another size than the first picture", path);
    for (int y = 0; y < b->h && !r; y++)
        for (int i = 0; i < b->w * c; i++)
            *to++ = (float)(b->low + (b->high - b->low) * p.data[(y * p.w + left) * c + i] / 255);
    free(p.data);
    return r;
}

/* An epoch is as long as the larger folder; the smaller one begins again within it. */
static int load_pictures(const struct batches *b, int at, const struct gx_step *step,
                         const struct gx_plan *plan, struct gx_err *err)
{
    size_t epoch = 0;
    int r = 0;
    for (int s = 0; s < b->slots; s++)
        if (b->slot[s].names.count > epoch)
            epoch = b->slot[s].names.count;
    for (int s = 0; s < b->slots; s++) {
        const struct gx_shape shape = step->input[s]->shape;
        float *to = gx_plan_value(plan, step->input[s]);
        for (int i = 0; i < shape.n && !r; i++, to += gx_count(shape) / shape.n)
            r = read_picture(b, s, (size_t)(at * shape.n + i) % epoch % b->slot[s].names.count, to,
                             err);
    }
    return r;
}

/* ---- tensors ---- */

/* Names of the slots' tensors: a lone picture, or a small and a sharp one. */
static const char *slot_name(const struct batches *b, int slot)
{
    static const char *const pair[] = {"lr", "hr", "usm"};
    return b->slots == 1 ? "x" : pair[slot];
}

static int open_tensors(struct batches *b, const struct fixture *f, const char *file,
                        struct gx_err *err)
{
    struct fixture_tensor x = {.data = NULL};
    char first[16];
    int r = fixture_open(f, file, &b->tensors, err);
    snprintf(first, sizeof first, "%s.0", slot_name(b, b->slots > 1)); /* of a sample's full size */
    if (!r)
        r = fixture_tensor(b->tensors, first, &x, err);
    b->w = x.shape.w;
    b->h = x.shape.h;
    free(x.data);
    return r;
}

/* NAME.AT into the node's memory; numbers of classes become ones among zeros. */
static int load_tensor(const struct batches *b, const char *name, int at,
                       const struct gx_node *node, const struct gx_plan *plan, struct gx_err *err)
{
    struct fixture_tensor t = {.data = NULL};
    char full[64];
    snprintf(full, sizeof full, "%s.%d", name, at);
    int r = fixture_tensor(b->tensors, full, &t, err);
    const struct gx_shape shape = node->shape;
    float *to = gx_plan_value(plan, node);
    if (!r && gx_shape_equal(t.shape, shape)) {
        memcpy(to, t.data, (size_t)gx_count(shape) * sizeof *to);
    } else if (!r && t.shape.n == shape.n && gx_count(t.shape) == shape.n) {
        memset(to, 0, (size_t)gx_count(shape) * sizeof *to);
        for (int i = 0; i < shape.n && !r; i++) {
            if (t.data[i] >= 0 && t.data[i] < (float)shape.c)
                to[i * shape.c + (int)t.data[i]] = 1;
            else
                r = gx_fail(err, GX_E_FORMAT, "tensor '%s' names a class that is not there", full);
        }
    } else if (!r) {
        r = gx_fail(err, GX_E_FORMAT, "tensor '%s' has another shape than the step takes", full);
    }
    free(t.data);
    return r;
}

static int load_tensors(const struct batches *b, int at, const struct gx_step *step,
                        const struct gx_node *alpha, const struct gx_plan *plan, struct gx_err *err)
{
    const struct {
        const char *name;
        const struct gx_node *node;
    } parts[] = {{"org", step->label}, {"trg", step->wanted}, {"alpha", alpha}};
    int r = 0;
    for (int s = 0; s < b->slots && !r; s++)
        r = load_tensor(b, slot_name(b, s), at, step->input[s], plan, err);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !r; i++)
        if (parts[i].node)
            r = load_tensor(b, parts[i].name, at, parts[i].node, plan, err);
    return r;
}

/* ---- both ---- */

int batches_open(struct batches *b, const struct fixture *f, const struct gx_game *game,
                 struct gx_err *err)
{
    const json_t *data = json_object_get(f->json, "data");
    const char *tensors = fixture_word(data, "tensors", NULL);
    b->slots = game->slots;
    for (int i = 0; i < game->slots; i++)
        b->slot[i].channels = game->channels[i];
    if (tensors && game->slots != 1 && game->shrink[0] == 1)
        return gx_fail(err, GX_E_FORMAT, "tensors of this family are not known");
    b->layout = layout_of(data);
    return tensors ? open_tensors(b, f, tensors, err) : open_pictures(b, f, err);
}

int batches_load(const struct batches *b, int at, const struct gx_step *step,
                 const struct gx_node *alpha, const struct gx_plan *plan, struct gx_err *err)
{
    return b->tensors ? load_tensors(b, at, step, alpha, plan, err)
                      : load_pictures(b, at, step, plan, err);
}

void batches_clear(struct batches *b)
{
    for (int i = 0; i < GX_SLOTS_MAX; i++)
        gx_names_free(&b->slot[i].names);
    gx_weights_close(&b->tensors);
}
