/* Unpaired sets, as CycleGAN learns from: two folders of pictures that have nothing to do with each
 * other. trainA/ and trainB/ beside each other, as the reference has them, or A/ and B/. */
#include "image/layout.h"

/* Where the two sides of one purpose may lie, in the set's folder. */
struct place {
    const char *a, *b;
};

/* The pictures of both sides in one place; *none: neither folder is there. */
static int find_in(struct gx_dataset *set, const struct place *place, struct gx_split *split,
                   bool *none, struct gx_err *err)
{
    const char *name[2] = {place->a, place->b};
    bool has[2];
    for (int k = 0; k < 2; k++)
        has[k] = gx_layout_has(set, set->path, name[k]);
    *none = !has[0] && !has[1];
    if (*none)
        return 0;
    if (!has[0] || !has[1])
        return gx_fail(err, GX_E_CONFIG, "'%s' has %s/ but no %s/; %s", set->path, name[!has[0]],
                       name[has[0]], set->layout->expected);
    for (int k = 0; k < 2; k++) {
        const char *folder = gx_layout_join(set, set->path, name[k]);
        struct gx_pictures found;
        int result = gx_layout_list(set, folder, &found, err);
        if (result)
            return result;
        if (!found.count)
            return gx_fail(err, GX_E_CONFIG, "found no pictures in '%s' (it has %s)", folder,
                           gx_layout_describe(set, folder));
        split->view[k] = gx_arena_alloc(&set->arena, found.count * sizeof *split->view[k]);
        split->count[k] = found.count;
        for (size_t i = 0; i < found.count; i++)
            split->view[k][i] = (struct gx_view){found.path[i], GX_WHOLE};
    }
    return 0;
}

/* The first place that is there; NULL in *found if none is. */
static int find_first(struct gx_dataset *set, const struct place *places, int count,
                      struct gx_split *split, const struct place **found, struct gx_err *err)
{
    *found = NULL;
    for (int i = 0; i < count && !*found; i++) {
        bool none;
        int result = find_in(set, &places[i], split, &none, err);
        if (result)
            return result;
        if (!none)
            *found = &places[i];
    }
    return 0;
}

static int not_found(struct gx_dataset *set, struct gx_err *err)
{
    const char *train = gx_layout_has(set, set->path, "train")
                            ? gx_layout_join(set, set->path, "train")
                            : set->path;
    struct gx_pictures found;
    int result = gx_layout_list(set, train, &found, err);
    if (result)
        return result;
    if (found.count)
        return gx_fail(err, GX_E_CONFIG,
                       "'%s' has pictures in one folder: if they are side-by-side pairs, that is a "
                       "set for ganx pix2pix; %s",
                       train, set->layout->expected);
    if (gx_layout_has_domains(set, train))
        return gx_fail(err, GX_E_CONFIG,
                       "'%s' has one folder of pictures a domain: that is a set for ganx star; %s",
                       train, set->layout->expected);
    return gx_fail(err, GX_E_CONFIG, "found no two folders of pictures in '%s' (it has %s); %s",
                   train, gx_layout_describe(set, train), set->layout->expected);
}

int gx_find_unpaired(struct gx_dataset *set, const struct gx_dataset_options *options,
                     struct gx_err *err)
{
    static const struct place train[] = {{"trainA", "trainB"}, {"train/A", "train/B"}, {"A", "B"}};
    static const struct place held[] = {
        {"valA", "valB"}, {"val/A", "val/B"}, {"testA", "testB"}, {"test/A", "test/B"}};
    const struct place *at, *held_at;
    int result = find_first(set, train, 3, &set->train, &at, err);
    if (!result && !at)
        result = not_found(set, err);
    if (!result)
        result = find_first(set, held, 4, &set->held, &held_at, err);
    if (result)
        return result;
    const size_t *count = set->train.count, all[2] = {count[0], count[1]};
    const char *kept;
    if (held_at)
        kept = gx_arena_format(&set->arena, "%s %zu, %s %zu for validation", held_at->a,
                               set->held.count[0], held_at->b, set->held.count[1]);
    else if (gx_layout_hold_out(set, options->holdout))
        kept = gx_arena_format(&set->arena,
                               "no testA/ and testB/, so one picture in %d (%zu and %zu) is held "
                               "out for validation",
                               options->holdout, set->held.count[0], set->held.count[1]);
    else
        kept = "none held out for validation";
    set->said = gx_arena_format(&set->arena, "'%s': %s %zu pictures, %s %zu; %s", set->path, at->a,
                                all[0], at->b, all[1], kept);
    return 0;
}
