/* Sets for super-resolution: sharp photographs of any size, in a folder and the folders in it, of
 * which small ones are made; or LR/ and HR/, paired by name or, as another layout, unrelated.
 *
 * Headers of all files are read here: what cannot be learnt from is known, and said, before a run
 * begins. */
#include "ganx/image.h"
#include "image/layout.h"
#include "util/file.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH = 16 }; /* of folders: links can make circles */

struct photos {
    const struct gx_dataset_options *options;
    int least; /* side of a sharp photograph */
    struct gx_split split;
    bool low;                             /* from LR/ and HR/ */
    struct gx_named small, broken, alone; /* left out */
};

static int scale_of(const struct gx_dataset_options *options)
{
    return options->scale > 1 ? options->scale : 1;
}

/* The size, or false: the file is named as a broken one. */
static bool read_size(struct gx_dataset *set, const char *path, struct photos *p, int *w, int *h)
{
    struct gx_picture *picture;
    if (gx_picture_open(&picture, path, NULL, NULL)) {
        gx_layout_name(set, &p->broken, path);
        return false;
    }
    *w = gx_picture_facts(picture)->width;
    *h = gx_picture_facts(picture)->height;
    gx_picture_free(&picture);
    return true;
}

/* Whether a photograph is large enough; else it is named. */
static bool is_large(struct gx_dataset *set, const char *path, struct photos *p, int least, int w,
                     int h)
{
    bool large = w >= least && h >= least;
    if (!large)
        gx_layout_name(set, &p->small, path);
    return large;
}

/* ---- photographs in folders ---- */

struct paths {
    const char **path;
    size_t count;
};

/* Pictures of `folder`, then of the folders in it, each sorted by name. */
static int list_deep(struct gx_dataset *set, const char *folder, int depth, struct paths *to,
                     struct gx_err *err)
{
    struct gx_pictures here;
    struct gx_names names;
    int code = gx_layout_list(set, folder, &here, err);
    if (code)
        return code;
    to->path = gx_grow(to->path, (to->count + here.count + 1) * sizeof *to->path);
    for (size_t i = 0; i < here.count; i++)
        to->path[to->count++] = here.path[i];
    code = gx_folder_list(folder, &names, err);
    if (code)
        return code;
    for (size_t i = 0; i < names.count && !code && depth < DEPTH; i++) {
        const char *name = names.name[i];
        bool held = folder == set->path && (!strcmp(name, "val") || !strcmp(name, "test"));
        if (!held && gx_layout_has(set, folder, name))
            code = list_deep(set, gx_layout_join(set, folder, name), depth + 1, to, err);
    }
    gx_names_free(&names);
    return code;
}

static int take_photos(struct gx_dataset *set, const char *folder, struct photos *p,
                       struct gx_err *err)
{
    struct paths all = {0};
    int code = list_deep(set, folder, 0, &all, err);
    struct gx_view *view = gx_arena_alloc(&set->arena, all.count * sizeof *view);
    size_t count = 0;
    for (size_t i = 0; i < all.count && !code; i++) {
        int w, h;
        if (read_size(set, all.path[i], p, &w, &h) && is_large(set, all.path[i], p, p->least, w, h))
            view[count++] = (struct gx_view){all.path[i], GX_WHOLE};
    }
    free(all.path);
    for (int k = 0; k < 2; k++) { /* each its own list: holding out moves views */
        p->split.view[k] = gx_arena_copy(&set->arena, view, count * sizeof *view);
        p->split.count[k] = count;
    }
    return code;
}

/* ---- LR/ and HR/ ---- */

/* Names of small pictures as data sets have them: "0001x4" goes with "0001". */
static void cut_scale(struct gx_dataset *set, struct gx_pictures *low, int scale)
{
    const char *suffix = gx_arena_format(&set->arena, "x%d", scale);
    size_t length = strlen(suffix);
    for (size_t i = 0; i < low->count; i++) {
        size_t all = strlen(low->stem[i]);
        if (all > length && !strcmp(low->stem[i] + all - length, suffix))
            low->stem[i] = gx_arena_format(&set->arena, "%.*s", (int)(all - length), low->stem[i]);
    }
}

/* The pair's sizes: 0, and *good unless it is to be left out. */
static int check_pair(struct gx_dataset *set, const char *low, const char *high, struct photos *p,
                      bool *good, struct gx_err *err)
{
    int scale = scale_of(p->options), w, h, small_w, small_h;
    *good = false;
    if (!read_size(set, low, p, &small_w, &small_h) || !read_size(set, high, p, &w, &h))
        return 0;
    if (small_w != w / scale || small_h != h / scale)
        return gx_fail(err, GX_E_CONFIG,
                       "'%s' is %dx%d, and '%s', which is to be 1/%d of it, is %dx%d instead of "
                       "%dx%d",
                       high, w, h, low, scale, small_w, small_h, w / scale, h / scale);
    *good = is_large(set, high, p, p->least, w, h);
    return 0;
}

static int by_stem(const void *key, const void *stem)
{
    return strcmp(key, *(const char *const *)stem);
}

/* The partner of a small picture among the sharp ones, for each of which `taken` has 1 + the
 * number of its own. Gives high->count where there is none. */
static int find_partner(const struct gx_pictures *low, size_t i, const struct gx_pictures *high,
                        size_t *taken, size_t *partner, struct gx_err *err)
{
    const char **stem =
        high->count ? bsearch(low->stem[i], high->stem, high->count, sizeof *high->stem, by_stem)
                    : NULL;
    *partner = stem ? (size_t)(stem - high->stem) : high->count;
    if (!stem)
        return 0;
    if (taken[*partner])
        return gx_fail(err, GX_E_CONFIG, "'%s' and '%s' would be the same sample",
                       low->path[taken[*partner] - 1], low->path[i]);
    taken[*partner] = i + 1;
    return 0;
}

static void add_pair(struct gx_split *split, const char *low, const char *high)
{
    split->view[0][split->count[0]++] = (struct gx_view){low, GX_WHOLE};
    split->view[1][split->count[1]++] = (struct gx_view){high, GX_WHOLE};
}

static int pair_all(struct gx_dataset *set, const struct gx_pictures *low,
                    const struct gx_pictures *high, struct photos *p, struct gx_err *err)
{
    size_t *taken = gx_arena_alloc(&set->arena, high->count * sizeof *taken), k = 0;
    for (int side = 0; side < 2; side++)
        p->split.view[side] = gx_arena_alloc(&set->arena, low->count * sizeof(struct gx_view));
    for (size_t i = 0; i < low->count; i++) {
        bool good = false;
        int code = find_partner(low, i, high, taken, &k, err);
        if (!code && k == high->count)
            gx_layout_name(set, &p->alone, low->path[i]);
        else if (!code)
            code = check_pair(set, low->path[i], high->path[k], p, &good, err);
        if (code)
            return code;
        if (good)
            add_pair(&p->split, low->path[i], high->path[k]);
    }
    for (k = 0; k < high->count; k++)
        if (!taken[k])
            gx_layout_name(set, &p->alone, high->path[k]);
    return 0;
}

static int pair_by_name(struct gx_dataset *set, const char *folder, struct photos *p,
                        struct gx_err *err)
{
    struct gx_pictures low, high;
    int code = gx_layout_list(set, gx_layout_join(set, folder, "LR"), &low, err);
    if (!code)
        code = gx_layout_list(set, gx_layout_join(set, folder, "HR"), &high, err);
    if (!code)
        code = gx_layout_refuse_twins(&high, err);
    if (code)
        return code;
    p->low = true;
    cut_scale(set, &low, scale_of(p->options));
    code = pair_all(set, &low, &high, p, err);
    if (!code && p->alone.count == low.count + high.count && p->alone.count)
        return gx_fail(err, GX_E_CONFIG,
                       "no picture in '%s/LR' has a partner of the same name in '%s/HR': %s",
                       folder, folder, gx_layout_names(set, &p->alone));
    return code;
}

static int take_side(struct gx_dataset *set, const char *folder, int side, struct photos *p,
                     struct gx_err *err)
{
    struct paths all = {0};
    int code = list_deep(set, folder, 0, &all, err), scale = scale_of(p->options);
    int least = side ? p->least : (p->least + scale - 1) / scale;
    p->split.view[side] = gx_arena_alloc(&set->arena, all.count * sizeof *p->split.view[side]);
    for (size_t i = 0; i < all.count && !code; i++) {
        int w, h;
        if (read_size(set, all.path[i], p, &w, &h) && is_large(set, all.path[i], p, least, w, h))
            p->split.view[side][p->split.count[side]++] = (struct gx_view){all.path[i], GX_WHOLE};
    }
    free(all.path);
    return code;
}

/* ---- one purpose ---- */

/* What a folder has, by gx_layout_find. */
static int find_in(struct gx_dataset *set, const char *folder, void *into, size_t *count,
                   struct gx_err *err)
{
    struct photos *p = into;
    bool low = gx_layout_has(set, folder, "LR"), high = gx_layout_has(set, folder, "HR");
    int code;
    p->split = (struct gx_split){0};
    if (low && !high)
        return gx_fail(err, GX_E_CONFIG, "'%s' has LR/ but no HR/ with the sharp pictures", folder);
    code = low ? pair_by_name(set, folder, p, err) : take_photos(set, folder, p, err);
    *count = p->split.count[0];
    return code;
}

static int find_sides(struct gx_dataset *set, const char *folder, void *into, size_t *count,
                      struct gx_err *err)
{
    static const char *const names[] = {"LR", "HR"};
    struct photos *p = into;
    int code = 0;
    p->split = (struct gx_split){0};
    for (int k = 0; k < 2 && !code; k++)
        if (!gx_layout_has(set, folder, names[k]))
            return gx_fail(err, GX_E_CONFIG, "'%s' has no %s/ (it has %s); %s", folder, names[k],
                           gx_layout_describe(set, folder), set->layout->expected);
        else
            code = take_side(set, gx_layout_join(set, folder, names[k]), k, p, err);
    *count = p->split.count[0] && p->split.count[1] ? gx_split_samples(&p->split) : 0;
    return code;
}

/* What was left out, and why. */
static const char *mention(struct gx_dataset *set, const char *said, const struct gx_named *named,
                           const char *why)
{
    if (!named->count)
        return said;
    return gx_arena_format(&set->arena, "%s%s%s: %s", said ? said : "left out, ", said ? "; " : "",
                           why, gx_layout_names(set, named));
}

static const char *say_left_out(struct gx_dataset *set, const struct photos *p)
{
    const char *why = gx_arena_format(&set->arena, "smaller than %d pixels", p->least);
    const char *said = mention(set, NULL, &p->small, why);
    said = mention(set, said, &p->broken, "no pictures that can be read");
    return mention(set, said, &p->alone, "without a partner");
}

static const char *both(struct gx_dataset *set, const char *a, const char *b)
{
    return a && b ? gx_arena_format(&set->arena, "%s; %s", a, b) : a ? a : b;
}

/* Training pictures by `find`, then those for validation, which only need to be as large as the
 * scale. */
static int find_both(struct gx_dataset *set, const struct gx_dataset_options *options,
                     gx_layout_find *find, const char **folder, const char **held_folder,
                     struct gx_err *err)
{
    int scale = scale_of(options);
    struct photos train = {.options = options,
                           .least = options->least > scale ? options->least : scale};
    struct photos held = {.options = options, .least = scale};
    bool inner = gx_layout_has(set, set->path, "train");
    size_t count;
    *folder = inner ? gx_layout_join(set, set->path, "train") : set->path;
    int code = find(set, *folder, &train, &count, err);
    if (code)
        return code;
    set->warning = say_left_out(set, &train);
    if (!count)
        return gx_fail(err, GX_E_CONFIG, "found no photographs in '%s' (it has %s%s%s); %s",
                       *folder, gx_layout_describe(set, *folder), set->warning ? "; " : "",
                       set->warning ? set->warning : "", set->layout->expected);
    set->train = train.split;
    set->made = !train.low;
    code = gx_layout_find_held(set, find, &held, held_folder, err);
    if (!code && *held_folder && held.low != train.low)
        code = gx_fail(err, GX_E_CONFIG, "'%s' has LR/ and HR/ where '%s' has not",
                       held.low ? *held_folder : *folder, held.low ? *folder : *held_folder);
    if (code)
        return code;
    set->warning = both(set, set->warning, say_left_out(set, &held));
    if (*held_folder)
        set->held = held.split;
    else
        gx_layout_hold_out(set, options->holdout);
    return 0;
}

int gx_find_photos(struct gx_dataset *set, const struct gx_dataset_options *options,
                   struct gx_err *err)
{
    const char *folder, *held_folder;
    int code = find_both(set, options, find_in, &folder, &held_folder, err);
    if (code)
        return code;
    set->said = gx_arena_format(
        &set->arena, "%zu %s in '%s', %s", set->train.count[1],
        set->made ? "photographs" : "pairs by name (LR/ and HR/)", folder,
        gx_layout_said_held(set, held_folder, options->holdout, set->made ? "photograph" : "pair"));
    return 0;
}

int gx_find_photos_unpaired(struct gx_dataset *set, const struct gx_dataset_options *options,
                            struct gx_err *err)
{
    const char *folder, *held_folder;
    int code = find_both(set, options, find_sides, &folder, &held_folder, err);
    if (code)
        return code;
    set->made = false;
    set->said = gx_arena_format(&set->arena, "'%s': LR %zu pictures, HR %zu unrelated ones; %s",
                                folder, set->train.count[0], set->train.count[1],
                                gx_layout_said_held(set, held_folder, options->holdout, "picture"));
    return 0;
}
