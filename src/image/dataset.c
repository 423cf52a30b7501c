/* Recognising data sets by their folders. Nothing is guessed: what does not fit is said in terms of
 * what lies there, because "no images found" is what people could not act on in other tools. */
#include "ganx/image.h"
#include "image/layout.h"
#include "util/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *gx_layout_join(struct gx_dataset *set, const char *folder, const char *name)
{
    size_t length = strlen(folder);
    return gx_arena_format(&set->arena, length && folder[length - 1] == '/' ? "%s%s" : "%s/%s",
                           folder, name);
}

bool gx_layout_has(struct gx_dataset *set, const char *folder, const char *name)
{
    return gx_is_folder(gx_layout_join(set, folder, name));
}

/* ---- a folder's pictures ---- */

struct entry {
    const char *stem, *path;
};

static int by_stem(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->stem, y->stem);
    return order ? order : strcmp(x->path, y->path);
}

int gx_layout_list(struct gx_dataset *set, const char *folder, struct gx_pictures *found,
                   struct gx_err *err)
{
    struct gx_names names;
    int result = gx_folder_list(folder, &names, err);
    if (result)
        return result;
    struct entry *entries = gx_new(names.count * sizeof *entries);
    size_t count = 0;
    for (size_t i = 0; i < names.count; i++) {
        const char *path = gx_layout_join(set, folder, names.name[i]);
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

int gx_layout_refuse_twins(const struct gx_pictures *p, struct gx_err *err)
{
    for (size_t i = 1; i < p->count; i++)
        if (!strcmp(p->stem[i - 1], p->stem[i]))
            return gx_fail(err, GX_E_CONFIG, "'%s' and '%s' would be the same sample",
                           p->path[i - 1], p->path[i]);
    return 0;
}

const char *gx_layout_describe(struct gx_dataset *set, const char *folder)
{
    struct gx_names names;
    if (gx_folder_list(folder, &names, NULL))
        return "nothing that can be read";
    size_t folders = 0, pictures = 0, others = 0;
    const char *listed = "";
    for (size_t i = 0; i < names.count; i++)
        if (gx_layout_has(set, folder, names.name[i])) {
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

bool gx_layout_has_domains(struct gx_dataset *set, const char *folder)
{
    struct gx_names names;
    if (gx_folder_list(folder, &names, NULL))
        return false;
    size_t domains = 0;
    for (size_t i = 0; i < names.count; i++) {
        struct gx_pictures inside;
        const char *path = gx_layout_join(set, folder, names.name[i]);
        domains += gx_is_folder(path) && !gx_layout_list(set, path, &inside, NULL) && inside.count;
    }
    gx_names_free(&names);
    return domains > 1;
}

bool gx_layout_hold_out(struct gx_dataset *set, int n)
{
    int slots = set->layout->slots;
    for (int k = 0; k < slots; k++)
        if (n < 2 || set->train.count[k] < (size_t)n)
            return false;
    for (int k = 0; k < slots; k++) {
        struct gx_view *all = set->train.view[k];
        size_t count = set->train.count[k], kept = 0, held = 0;
        set->held.view[k] = gx_arena_alloc(&set->arena, count / (size_t)n * sizeof *all);
        for (size_t i = 0; i < count; i++)
            if ((i + 1) % (size_t)n)
                all[kept++] = all[i];
            else
                set->held.view[k][held++] = all[i];
        set->train.count[k] = kept;
        set->held.count[k] = held;
    }
    return true;
}

void gx_layout_name(struct gx_dataset *set, struct gx_named *named, const char *name)
{
    if (named->count++ < 3)
        named->text = gx_arena_format(&set->arena, "%s%s'%.200s'", named->text ? named->text : "",
                                      named->text ? ", " : "", name);
}

const char *gx_layout_names(struct gx_dataset *set, const struct gx_named *named)
{
    if (named->count <= 3)
        return named->text ? named->text : "";
    return gx_arena_format(&set->arena, "%s and %zu more", named->text, named->count - 3);
}

const char *gx_layout_counts(struct gx_dataset *set, const size_t *count)
{
    enum { SHOWN = 8 };
    const char *text = "";
    for (int k = 0; k < set->domains && k < SHOWN; k++)
        text = gx_arena_format(&set->arena, "%s%s%.40s %zu", text, k ? ", " : "", set->domain[k],
                               count[k]);
    if (set->domains <= SHOWN)
        return text;
    return gx_arena_format(&set->arena, "%s and %d more", text, set->domains - SHOWN);
}

const char *gx_layout_said_held(struct gx_dataset *set, const char *held_folder, int holdout,
                                const char *each)
{
    size_t count = gx_split_samples(&set->held);
    if (!count)
        return "none held out for validation";
    if (held_folder)
        return gx_arena_format(&set->arena, "%zu in '%s' for validation", count, held_folder);
    return gx_arena_format(&set->arena,
                           "no val/ or test/, so one %s in %d (%zu) is held out for validation",
                           each, holdout, count);
}

int gx_layout_find_held(struct gx_dataset *set, gx_layout_find *find, void *into,
                        const char **folder, struct gx_err *err)
{
    static const char *const names[] = {"val", "test"};
    size_t count = 0;
    for (int i = 0; i < 2; i++) {
        *folder = gx_layout_join(set, set->path, names[i]);
        if (!gx_is_folder(*folder))
            continue;
        int code = find(set, *folder, into, &count, err);
        if (code || count)
            return code;
    }
    *folder = NULL;
    return 0;
}

size_t gx_split_samples(const struct gx_split *split)
{
    size_t most = split->count[0];
    for (int k = 1; k < GX_SLOTS; k++)
        most = split->count[k] > most ? split->count[k] : most;
    return most;
}

/* ---- the table ---- */

static const struct gx_layout layouts[] = {
    {"pairs", 2, true,
     "pix2pix expects train/ with side-by-side pairs (A left, B right), or A/ and B/ paired by "
     "name",
     gx_find_pairs},
    {"unpaired", 2, false,
     "cycle expects trainA/ and trainB/ (and testA/, testB/ for validation), or train/ with A/ and "
     "B/",
     gx_find_unpaired},
    {"domains", 1, true,
     "star expects train/ with a folder of pictures for each domain, or data.labels with a table "
     "of attributes",
     gx_find_domains},
    {"photos", 2, true,
     "sr expects a folder of sharp photographs (in train/ or in the folder itself), or LR/ and HR/ "
     "paired by name",
     gx_find_photos},
    {"photos_unpaired", 2, false, "LR/ and HR/ with unrelated pictures are expected",
     gx_find_photos_unpaired},
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

static void note_damage(struct gx_dataset *set, struct gx_split *split)
{
    for (int k = 0; k < set->layout->slots; k++)
        split->damaged[k] = gx_arena_alloc(&set->arena, split->count[k]);
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
    if (result) {
        gx_dataset_clear(set);
        return result;
    }
    if (options->swap && set->layout->slots == 2) {
        swap_slots(&set->train);
        swap_slots(&set->held);
    }
    note_damage(set, &set->train);
    note_damage(set, &set->held);
    return 0;
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
