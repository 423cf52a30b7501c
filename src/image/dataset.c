/* Recognising data sets by their folders. Nothing is guessed: what does not fit is said in terms of
 * what lies there, because "no images found" is what people could not act on in other tools. */
#include "image/dataset.h"
#include "ganx/image.h"
#include "util/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *join(struct gx_dataset *set, const char *folder, const char *name)
{
    size_t length = strlen(folder);
    return gx_arena_format(&set->arena, length && folder[length - 1] == '/' ? "%s%s" : "%s/%s",
                           folder, name);
}

static bool has_folder(struct gx_dataset *set, const char *folder, const char *name)
{
    return gx_is_folder(join(set, folder, name));
}

/* ---- a folder's pictures ---- */

struct pictures {
    const char **path, **stem; /* sorted by stem; the arena's */
    size_t count;
};

struct entry {
    const char *stem, *path;
};

static int by_stem(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->stem, y->stem);
    return order ? order : strcmp(x->path, y->path);
}

static int list_pictures(struct gx_dataset *set, const char *folder, struct pictures *found,
                         struct gx_err *err)
{
    struct gx_names names;
    int result = gx_folder_list(folder, &names, err);
    if (result)
        return result;
    struct entry *entries = gx_new(names.count * sizeof *entries);
    size_t count = 0;
    for (size_t i = 0; i < names.count; i++) {
        const char *path = join(set, folder, names.name[i]);
        if (!gx_picture_name(names.name[i]) || !gx_is_file(path))
            continue;
        char *stem = gx_arena_text(&set->arena, names.name[i]);
        *strrchr(stem, '.') = 0;
        entries[count++] = (struct entry){stem, path};
    }
    gx_names_free(&names);
    qsort(entries, count, sizeof *entries, by_stem);
    found->count = count;
    found->path = gx_arena_alloc(&set->arena, count * sizeof *found->path);
    found->stem = gx_arena_alloc(&set->arena, count * sizeof *found->stem);
    for (size_t i = 0; i < count; i++) {
        found->path[i] = entries[i].path;
        found->stem[i] = entries[i].stem;
    }
    free(entries);
    return 0;
}

/* "folders A/ and b/, 3 pictures, 2 other files": what lies in a folder. */
static const char *describe(struct gx_dataset *set, const char *folder)
{
    struct gx_names names;
    if (gx_folder_list(folder, &names, NULL))
        return "nothing that can be read";
    size_t folders = 0, pictures = 0, others = 0;
    const char *listed = "";
    for (size_t i = 0; i < names.count; i++)
        if (has_folder(set, folder, names.name[i])) {
            if (folders++ < 6)
                listed = gx_arena_format(&set->arena, "%s%s%s/", listed, *listed ? ", " : "",
                                         names.name[i]);
        } else if (gx_picture_name(names.name[i]))
            pictures++;
        else
            others++;
    gx_names_free(&names);
    if (!folders && !pictures && !others)
        return "nothing";
    if (folders > 6)
        listed = gx_arena_format(&set->arena, "%s and %zu more folders", listed, folders - 6);
    return gx_arena_format(&set->arena, "%s%s%zu pictures, %zu other files",
                           folders ? listed : "no folders", ", ", pictures, others);
}

/* ---- pairs ---- */

struct pairs {
    struct gx_split split;
    const char *folder;
    bool halves;      /* side by side in one file */
    const char *left; /* names without a partner, for the user; "" if none */
};

static void split_reserve(struct gx_dataset *set, struct gx_split *split, size_t count)
{
    for (int k = 0; k < 2; k++)
        split->view[k] = gx_arena_alloc(&set->arena, count * sizeof *split->view[k]);
}

static void split_add(struct gx_split *split, struct gx_view a, struct gx_view b)
{
    split->view[0][split->count[0]++] = a;
    split->view[1][split->count[1]++] = b;
}

/* Two files that would be the same sample: one of them would be lost. */
static int refuse_twins(const struct pictures *p, struct gx_err *err)
{
    for (size_t i = 1; i < p->count; i++)
        if (!strcmp(p->stem[i - 1], p->stem[i]))
            return gx_fail(err, GX_E_CONFIG, "'%s' and '%s' would be the same sample",
                           p->path[i - 1], p->path[i]);
    return 0;
}

static int pair_by_name(struct gx_dataset *set, struct pairs *pairs, struct gx_err *err)
{
    struct pictures a, b;
    int result = list_pictures(set, join(set, pairs->folder, "A"), &a, err);
    if (!result)
        result = list_pictures(set, join(set, pairs->folder, "B"), &b, err);
    if (!result)
        result = refuse_twins(&a, err);
    if (!result)
        result = refuse_twins(&b, err);
    if (result)
        return result;
    split_reserve(set, &pairs->split, a.count < b.count ? a.count : b.count);
    size_t alone = 0;
    for (size_t i = 0, k = 0; i < a.count || k < b.count;) {
        int order = i == a.count ? 1 : k == b.count ? -1 : strcmp(a.stem[i], b.stem[k]);
        if (order == 0) {
            split_add(&pairs->split, (struct gx_view){a.path[i++], GX_WHOLE},
                      (struct gx_view){b.path[k++], GX_WHOLE});
            continue;
        }
        const char *path = order < 0 ? a.path[i++] : b.path[k++];
        if (alone++ < 3)
            pairs->left = gx_arena_format(&set->arena, "%s%s'%s'", pairs->left,
                                          *pairs->left ? ", " : "", path);
    }
    if (alone > 3)
        pairs->left = gx_arena_format(&set->arena, "%s and %zu more", pairs->left, alone - 3);
    if (alone && !pairs->split.count[0])
        return gx_fail(err, GX_E_CONFIG,
                       "no picture in '%s/A' has a partner of the same name in '%s/B': %s",
                       pairs->folder, pairs->folder, pairs->left);
    return 0;
}

static int check_half(const char *path, struct gx_err *err)
{
    struct gx_picture *picture;
    int result = gx_picture_open(&picture, path, NULL, err);
    if (result)
        return -GX_E_CONFIG; /* a file of the data set, whatever is wrong with it */
    const struct gx_facts *facts = gx_picture_facts(picture);
    if (facts->width % 2)
        result =
            gx_fail(err, GX_E_CONFIG,
                    "'%s' is %dx%d: a side-by-side pair, A left and B right, has an even width",
                    path, facts->width, facts->height);
    gx_picture_free(&picture);
    return result;
}

static int pair_by_halves(struct gx_dataset *set, struct pairs *pairs, struct gx_err *err)
{
    struct pictures all;
    int result = list_pictures(set, pairs->folder, &all, err);
    if (result)
        return result;
    pairs->halves = true;
    split_reserve(set, &pairs->split, all.count);
    for (size_t i = 0; i < all.count && !result; i++) {
        result = check_half(all.path[i], err);
        split_add(&pairs->split, (struct gx_view){all.path[i], GX_LEFT},
                  (struct gx_view){all.path[i], GX_RIGHT});
    }
    return result;
}

/* The pairs of one folder, of either kind; none is not an error. */
static int find_in(struct gx_dataset *set, const char *folder, struct pairs *pairs,
                   struct gx_err *err)
{
    *pairs = (struct pairs){.folder = folder, .left = ""};
    if (!gx_is_folder(folder))
        return 0;
    bool a = has_folder(set, folder, "A"), b = has_folder(set, folder, "B");
    if (a && b)
        return pair_by_name(set, pairs, err);
    if (a || b)
        return gx_fail(err, GX_E_CONFIG, "'%s' has %s/ but no %s/ to pair it with", folder,
                       a ? "A" : "B", a ? "B" : "A");
    return pair_by_halves(set, pairs, err);
}

/* Every n-th sample of train moves to held. */
static void hold_out(struct gx_dataset *set, int n)
{
    struct gx_split all = set->train;
    size_t count = all.count[0];
    split_reserve(set, &set->held, count / (size_t)n);
    set->train.count[0] = set->train.count[1] = 0;
    for (size_t i = 0; i < count; i++)
        split_add((i + 1) % (size_t)n ? &set->train : &set->held, all.view[0][i], all.view[1][i]);
}

static int find_held(struct gx_dataset *set, const struct pairs *train, int holdout,
                     struct gx_err *err)
{
    static const char *const names[] = {"val", "test"};
    struct pairs held = {.left = ""};
    for (int i = 0; i < 2 && !held.split.count[0]; i++) {
        int result = find_in(set, join(set, set->path, names[i]), &held, err);
        if (result)
            return result;
    }
    size_t count = train->split.count[0];
    const char *kind = train->halves ? "side-by-side pairs" : "pairs by name (A/ and B/)";
    const char *said;
    if (held.split.count[0]) {
        set->held = held.split;
        said = gx_arena_format(&set->arena, "%zu %s in '%s', %zu in '%s' for validation", count,
                               kind, train->folder, held.split.count[0], held.folder);
    } else if (holdout > 1 && count >= (size_t)holdout) {
        hold_out(set, holdout);
        said = gx_arena_format(&set->arena,
                               "%zu %s in '%s'; no val/ or test/, so one pair in %d (%zu) is held "
                               "out for validation",
                               count, kind, train->folder, holdout, set->held.count[0]);
    } else
        said = gx_arena_format(&set->arena, "%zu %s in '%s', none held out for validation", count,
                               kind, train->folder);
    if (*train->left || *held.left)
        said = gx_arena_format(&set->arena, "%s; without a partner and left out: %s%s%s", said,
                               train->left, *train->left && *held.left ? ", " : "", held.left);
    set->said = said;
    return 0;
}

/* Whether every picture lies one folder deeper: train/DOMAIN/. */
static bool has_domains(struct gx_dataset *set, const char *folder)
{
    struct gx_names names;
    if (gx_folder_list(folder, &names, NULL))
        return false;
    size_t domains = 0;
    for (size_t i = 0; i < names.count; i++) {
        struct pictures inside;
        const char *path = join(set, folder, names.name[i]);
        domains += gx_is_folder(path) && !list_pictures(set, path, &inside, NULL) && inside.count;
    }
    gx_names_free(&names);
    return domains > 1;
}

static int find_pairs(struct gx_dataset *set, const struct gx_dataset_options *options,
                      struct gx_err *err)
{
    const char *path = set->path, *expected = set->layout->expected;
    bool train = has_folder(set, path, "train");
    const char *base = train ? join(set, path, "train") : path;
    struct pairs pairs;
    if (!train && has_folder(set, path, "trainA") && has_folder(set, path, "trainB"))
        return gx_fail(err, GX_E_CONFIG,
                       "'%s' has trainA/ and trainB/: that is an unpaired set, for ganx cycle; %s",
                       path, expected);
    int result = find_in(set, base, &pairs, err);
    if (result)
        return result;
    if (!pairs.split.count[0] && train && has_domains(set, base))
        return gx_fail(err, GX_E_CONFIG,
                       "'%s' has one folder of pictures a domain: that is a set for ganx star; %s",
                       base, expected);
    if (!pairs.split.count[0])
        return gx_fail(err, GX_E_CONFIG, "found no pairs in '%s' (it has %s); %s", base,
                       describe(set, base), expected);
    set->train = pairs.split;
    return find_held(set, &pairs, options->holdout, err);
}

/* ---- the table ---- */

static const struct gx_layout layouts[] = {
    {"pairs", 2,
     "pix2pix expects train/ with side-by-side pairs (A left, B right), or A/ and B/ paired by "
     "name",
     find_pairs},
};

static void swap_slots(struct gx_split *split)
{
    struct gx_view *view = split->view[0];
    split->view[0] = split->view[1];
    split->view[1] = view;
    size_t count = split->count[0];
    split->count[0] = split->count[1];
    split->count[1] = count;
}

int gx_dataset_open(struct gx_dataset *set, const char *layout, const char *path,
                    const struct gx_dataset_options *options, struct gx_err *err)
{
    *set = (struct gx_dataset){0};
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (!strcmp(layouts[i].name, layout))
            set->layout = &layouts[i];
    if (!set->layout)
        return gx_fail(err, GX_E_CONFIG, "unknown layout of a data set: '%s'", layout);
    set->path = gx_arena_text(&set->arena, path);
    int result = gx_is_folder(path)
                     ? set->layout->find(set, options, err)
                     : gx_fail(err, GX_E_CONFIG, "no data set: '%s' is not a folder; %s", path,
                               set->layout->expected);
    if (result)
        gx_dataset_clear(set);
    else if (options->swap) {
        swap_slots(&set->train);
        swap_slots(&set->held);
    }
    return result;
}

void gx_dataset_clear(struct gx_dataset *set)
{
    gx_arena_clear(&set->arena);
    *set = (struct gx_dataset){0};
}

/* ---- where a run is ---- */

struct gx_place gx_place_at(int64_t count, int64_t step, int batch, int item, int rank, int ranks)
{
    int64_t number = (step * ranks + rank) * batch + item;
    return (struct gx_place){number / count, number % count};
}

int64_t gx_steps_of_epochs(int64_t count, int64_t epochs, int batch, int ranks)
{
    int64_t each = (int64_t)batch * ranks;
    return (count * epochs + each - 1) / each;
}
