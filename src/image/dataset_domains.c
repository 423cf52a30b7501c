/* Sets of several domains, as StarGAN learns from: one folder of pictures each. A picture lies in one
 * folder, so the domains exclude each other. Those of an attribute table: dataset_table.c. */
#include "image/labels.h"
#include "image/layout.h"
#include "util/file.h"

#include <string.h>

/* Folders that hold other things when pictures lie in PATH itself. */
static bool is_other(const char *name)
{
    return !strcmp(name, "val") || !strcmp(name, "test");
}

static int domain_named(const struct gx_dataset *set, const char *name)
{
    for (int k = 0; k < set->domains; k++)
        if (!strcmp(set->domain[k], name))
            return k;
    return -1;
}

/* The folders in `folder` are the domains. */
static int name_domains(struct gx_dataset *set, const char *folder, struct gx_err *err)
{
    struct gx_names names;
    int code = gx_folder_list(folder, &names, err);
    if (code)
        return code;
    set->domain = gx_arena_alloc(&set->arena, names.count * sizeof *set->domain);
    for (size_t i = 0; i < names.count && !code; i++) {
        const char *name = names.name[i];
        if (!gx_layout_has(set, folder, name) || (folder == set->path && is_other(name)))
            continue;
        code = gx_label_name_check(name, err);
        if (!code && set->domains == GX_LABELS_COLUMNS)
            code = gx_fail(err, GX_E_CONFIG, "'%s' has more than %d folders, of a domain each",
                           folder, GX_LABELS_COLUMNS);
        else if (!code)
            set->domain[set->domains++] = gx_arena_text(&set->arena, name);
    }
    gx_names_free(&names);
    return code;
}

/* A folder beside those of the domains would be pictures that nobody looks at. */
static int refuse_strangers(struct gx_dataset *set, const char *folder, const char *train,
                            struct gx_err *err)
{
    struct gx_names names;
    int code = gx_folder_list(folder, &names, err);
    for (size_t i = 0; !code && i < names.count; i++)
        if (gx_layout_has(set, folder, names.name[i]) && domain_named(set, names.name[i]) < 0)
            code = gx_fail(err, GX_E_CONFIG, "'%s/%s' is of no domain: '%s' has no such folder",
                           folder, names.name[i], train);
    gx_names_free(&names);
    return code;
}

/* The pictures of each domain in `folder`; *total of them. */
static int list_domains(struct gx_dataset *set, const char *folder, struct gx_pictures *of,
                        size_t *total, struct gx_err *err)
{
    int code = 0;
    *total = 0;
    for (int k = 0; k < set->domains && !code; k++) {
        of[k] = (struct gx_pictures){0};
        if (gx_layout_has(set, folder, set->domain[k]))
            code = gx_layout_list(set, gx_layout_join(set, folder, set->domain[k]), &of[k], err);
        *total += of[k].count;
    }
    return code;
}

/* The domains take turns, so that a grid of a few pictures shows several. */
static void fill(struct gx_dataset *set, struct gx_split *split, const struct gx_pictures *of,
                 size_t total)
{
    float *label = gx_arena_alloc(&set->arena, total * (size_t)set->domains * sizeof *label);
    split->view[0] = gx_arena_alloc(&set->arena, total * sizeof *split->view[0]);
    split->label = label;
    for (size_t i = 0; split->count[0] < total; i++)
        for (int k = 0; k < set->domains; k++)
            if (i < of[k].count) {
                size_t at = split->count[0]++;
                split->view[0][at] = (struct gx_view){of[k].path[i], GX_WHOLE};
                label[at * (size_t)set->domains + (size_t)k] = 1;
            }
}

/* Moves every n-th picture of each domain to `held`; gives how many. */
static size_t hold_out(struct gx_dataset *set, struct gx_pictures *of, struct gx_pictures *held,
                       int n)
{
    size_t moved = 0;
    for (int k = 0; k < set->domains && n > 1; k++) {
        size_t count = of[k].count, kept = 0;
        held[k] = (struct gx_pictures){0};
        held[k].path = gx_arena_alloc(&set->arena, count / (size_t)n * sizeof *held[k].path);
        for (size_t i = 0; i < count; i++)
            if ((i + 1) % (size_t)n)
                of[k].path[kept++] = of[k].path[i];
            else
                held[k].path[held[k].count++] = of[k].path[i];
        of[k].count = kept;
        moved += held[k].count;
    }
    return moved;
}

/* The held-out pictures of each domain, of which `train` has the folders. */
struct held {
    const char *train;
    struct gx_pictures *of;
};

static int find_in(struct gx_dataset *set, const char *folder, void *into, size_t *count,
                   struct gx_err *err)
{
    struct held *held = into;
    int code = refuse_strangers(set, folder, held->train, err);
    return code ? code : list_domains(set, folder, held->of, count, err);
}

static int check_domains(struct gx_dataset *set, const char *folder, const struct gx_pictures *of,
                         struct gx_err *err)
{
    if (set->domains < 2)
        return gx_fail(err, GX_E_CONFIG,
                       "found %s in '%s' (it has %s); a set has two domains or more; %s",
                       set->domains ? "one folder" : "no folders", folder,
                       gx_layout_describe(set, folder), set->layout->expected);
    for (int k = 0; k < set->domains; k++)
        if (!of[k].count)
            return gx_fail(err, GX_E_CONFIG, "found no pictures of the domain '%s': '%s/%s' has %s",
                           set->domain[k], folder, set->domain[k],
                           gx_layout_describe(set, gx_layout_join(set, folder, set->domain[k])));
    return 0;
}

static void group_all(struct gx_dataset *set)
{
    int *group = gx_arena_alloc(&set->arena, (size_t)set->domains * sizeof *group);
    for (int k = 0; k < set->domains; k++)
        group[k] = 1;
    set->group = group;
    set->groups = 1;
    set->exclusive = true;
}

static int find_folders(struct gx_dataset *set, const char *folder, int holdout, struct gx_err *err)
{
    size_t total, held_total = 0;
    const char *held_folder;
    int code = name_domains(set, folder, err);
    if (code)
        return code;
    size_t bytes = ((size_t)set->domains + 1) * sizeof(struct gx_pictures);
    struct gx_pictures *of = gx_arena_alloc(&set->arena, bytes), loose;
    struct gx_pictures *held = gx_arena_alloc(&set->arena, bytes);
    code = list_domains(set, folder, of, &total, err);
    if (!code)
        code = check_domains(set, folder, of, err);
    struct held into = {folder, held};
    if (!code)
        code = gx_layout_find_held(set, find_in, &into, &held_folder, err);
    if (!code)
        code = gx_layout_list(set, folder, &loose, err);
    if (code)
        return code;
    size_t *count = gx_arena_alloc(&set->arena, (size_t)set->domains * sizeof *count);
    for (int k = 0; k < set->domains; k++)
        count[k] = of[k].count;
    for (int k = 0; k < set->domains && held_folder; k++)
        held_total += held[k].count;
    if (!held_folder)
        held_total = hold_out(set, of, held, holdout);
    fill(set, &set->train, of, held_folder ? total : total - held_total);
    if (held_total)
        fill(set, &set->held, held, held_total);
    group_all(set);
    set->said = gx_arena_format(&set->arena, "%zu pictures of %d domains in '%s' (%s), %s", total,
                                set->domains, folder, gx_layout_counts(set, count),
                                gx_layout_said_held(set, held_folder, holdout, "picture"));
    if (loose.count)
        set->said = gx_arena_format(&set->arena, "%s; %zu pictures beside the folders left out",
                                    set->said, loose.count);
    return 0;
}

int gx_find_domains(struct gx_dataset *set, const struct gx_dataset_options *options,
                    struct gx_err *err)
{
    bool train = gx_layout_has(set, set->path, "train");
    if (options->labels && *options->labels)
        return gx_find_labelled(set, options, err);
    if ((options->attributes && *options->attributes) ||
        (options->exclusive && *options->exclusive))
        return gx_fail(err, GX_E_CONFIG,
                       "data.attributes and data.exclusive are of a table of attributes, and "
                       "data.labels names none");
    if (!train && gx_layout_has(set, set->path, "trainA") &&
        gx_layout_has(set, set->path, "trainB"))
        return gx_fail(err, GX_E_CONFIG,
                       "'%s' has trainA/ and trainB/: that is an unpaired set, for ganx cycle; %s",
                       set->path, set->layout->expected);
    return find_folders(set, train ? gx_layout_join(set, set->path, "train") : set->path,
                        options->holdout, err);
}
