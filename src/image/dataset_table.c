/* Sets of pictures with an attribute table beside them: labels of several numbers, each 0 or 1, of
 * which some may exclude each other. */
#include "image/labels.h"
#include "image/layout.h"

#include <stdlib.h>
#include <string.h>

struct table {
    struct gx_labels labels;
    int *column; /* of each domain */
    bool *seen;  /* by row: a picture has it */
    bool all;    /* nobody chose columns */
};

static bool is_there(const char *text)
{
    return text && *text;
}

/* ---- which attributes ---- */

static int add_domain(struct gx_dataset *set, struct table *t, const char *name, struct gx_err *err)
{
    int column = gx_labels_column(&t->labels, name);
    if (column < 0) {
        struct gx_named has = {0};
        for (int i = 0; i < t->labels.columns; i++)
            gx_layout_name(set, &has, t->labels.column[i].name);
        return gx_fail(err, GX_E_CONFIG, "data.attributes: '%s' has no column '%.60s'; it has %s",
                       t->labels.path, name, gx_layout_names(set, &has));
    }
    for (int k = 0; k < set->domains; k++)
        if (t->column[k] == column)
            return gx_fail(err, GX_E_CONFIG, "data.attributes names '%.60s' twice", name);
    int code = gx_label_name_check(name, err);
    if (!code)
        code = gx_labels_check(&t->labels, column, err);
    if (code && t->all) {
        struct gx_err why = *err;
        return gx_fail(err, (enum gx_error) - code, "%s; data.attributes can choose other columns",
                       why.text);
    }
    if (code)
        return code;
    t->column[set->domains] = column;
    set->domain[set->domains++] = gx_arena_text(&set->arena, name);
    return 0;
}

/* The next word of a list, without spaces around it; NULL at the end. */
static const char *next_word(struct gx_dataset *set, const char **list, char between)
{
    if (!*list)
        return NULL;
    const char *from = *list + strspn(*list, " "), *end = strchr(from, between);
    size_t length = end ? (size_t)(end - from) : strlen(from);
    *list = end ? end + 1 : NULL;
    while (length && from[length - 1] == ' ')
        length--;
    return gx_arena_format(&set->arena, "%.*s", (int)length, from);
}

static int choose_attributes(struct gx_dataset *set, struct table *t, const char *list,
                             struct gx_err *err)
{
    size_t columns = (size_t)t->labels.columns;
    const char *name;
    int code = 0;
    t->all = !is_there(list);
    t->column = gx_arena_alloc(&set->arena, columns * sizeof *t->column);
    set->domain = gx_arena_alloc(&set->arena, columns * sizeof *set->domain);
    for (size_t i = 0; i < columns && t->all && !code; i++)
        code = add_domain(set, t, t->labels.column[i].name, err);
    while (!t->all && !code && (name = next_word(set, &list, ',')))
        code = add_domain(set, t, name, err);
    return code;
}

static int add_to_group(const struct gx_dataset *set, int *group, const char *name, int number,
                        struct gx_err *err)
{
    int k = 0;
    while (k < set->domains && strcmp(set->domain[k], name))
        k++;
    if (k == set->domains)
        return gx_fail(err, GX_E_CONFIG, "data.exclusive: '%.60s' is no attribute of this set",
                       name);
    if (group[k])
        return gx_fail(err, GX_E_CONFIG, "data.exclusive names '%.60s' twice", name);
    group[k] = number;
    return 0;
}

static int read_groups(struct gx_dataset *set, const char *list, struct gx_err *err)
{
    int *group = gx_arena_alloc(&set->arena, (size_t)set->domains * sizeof *group), code = 0;
    const char *members, *name;
    set->group = group;
    list = is_there(list) ? list : NULL;
    while (!code && (members = next_word(set, &list, ';'))) {
        int count = 0;
        const char *shown = members;
        for (set->groups++; !code && (name = next_word(set, &members, ',')); count++)
            code = add_to_group(set, group, name, set->groups, err);
        if (!code && count < 2)
            code =
                gx_fail(err, GX_E_CONFIG, "data.exclusive: '%.60s' has nothing to exclude", shown);
    }
    return code;
}

/* ---- pictures ---- */

/* Adds the pictures of a folder that the table knows to `split`, and the others to `unknown`. */
static int add_pictures(struct gx_dataset *set, const struct table *t, const char *folder,
                        struct gx_split *split, struct gx_named *unknown, struct gx_err *err)
{
    struct gx_pictures found;
    int code = gx_layout_list(set, folder, &found, err);
    if (code)
        return code;
    split->view[0] = gx_arena_alloc(&set->arena, found.count * sizeof *split->view[0]);
    for (size_t i = 0; i < found.count; i++)
        if (gx_labels_find(&t->labels, found.path[i]))
            split->view[0][split->count[0]++] = (struct gx_view){found.path[i], GX_WHOLE};
        else
            gx_layout_name(set, unknown, found.path[i]);
    return 0;
}

/* PATH/train, PATH/images or PATH itself: the first that has pictures. */
static const char *picture_folder(struct gx_dataset *set)
{
    static const char *const names[] = {"train", "images"};
    for (int i = 0; i < 2; i++) {
        struct gx_pictures found;
        const char *folder = gx_layout_join(set, set->path, names[i]);
        if (gx_layout_has(set, set->path, names[i]) && !gx_layout_list(set, folder, &found, NULL) &&
            found.count)
            return folder;
    }
    return set->path;
}

struct held {
    const struct table *table;
    struct gx_named *unknown;
};

static int find_held(struct gx_dataset *set, const char *folder, void *into, size_t *count,
                     struct gx_err *err)
{
    struct held *held = into;
    int code = add_pictures(set, held->table, folder, &set->held, held->unknown, err);
    *count = set->held.count[0];
    return code;
}

static void fill_labels(struct gx_dataset *set, struct table *t, struct gx_split *split)
{
    size_t domains = (size_t)set->domains;
    float *label = gx_arena_alloc(&set->arena, split->count[0] * domains * sizeof *label);
    for (size_t i = 0; i < split->count[0]; i++) {
        const struct gx_label_row *row = gx_labels_find(&t->labels, split->view[0][i].path);
        t->seen[row - t->labels.row] = true;
        for (size_t k = 0; k < domains; k++)
            label[i * domains + k] = row->value[t->column[k]];
    }
    split->label = label;
}

/* ---- what was found ---- */

/* Pictures with several attributes of one group, and whether each has exactly one of all. */
static size_t check_groups(struct gx_dataset *set, const struct gx_split *split, bool *one_each)
{
    size_t domains = (size_t)set->domains, several = 0;
    for (size_t i = 0; i < split->count[0]; i++) {
        const float *label = split->label + i * domains;
        int most = 0, all = 0;
        for (int g = 1; g <= set->groups; g++) {
            int has = 0;
            for (size_t k = 0; k < domains; k++)
                has += set->group[k] == g && label[k] > 0;
            most = has > most ? has : most;
        }
        for (size_t k = 0; k < domains; k++)
            all += label[k] > 0;
        several += most > 1;
        *one_each = *one_each && all == 1;
    }
    return several;
}

static void count_domains(const struct gx_dataset *set, const struct gx_split *split, size_t *count)
{
    size_t domains = (size_t)set->domains;
    for (size_t i = 0; i < split->count[0] * domains; i++)
        count[i % domains] += split->label[i] > 0;
}

static const char *mention(struct gx_dataset *set, const char *said, const struct gx_named *named,
                           const char *one, const char *several)
{
    if (!named->count)
        return said;
    return gx_arena_format(&set->arena, "%s; %zu %s: %s", said, named->count,
                           named->count == 1 ? one : several, gx_layout_names(set, named));
}

static void summarise(struct gx_dataset *set, const struct table *t, const char *folder,
                      const char *said_held, const struct gx_named *unknown)
{
    struct gx_named missing = {0};
    size_t *count = gx_arena_alloc(&set->arena, (size_t)set->domains * sizeof *count);
    bool one_each = set->groups == 1;
    for (int k = 0; k < set->domains; k++)
        one_each = one_each && set->group[k];
    size_t several = check_groups(set, &set->train, &one_each);
    several += check_groups(set, &set->held, &one_each);
    set->exclusive = one_each;
    count_domains(set, &set->train, count);
    for (size_t i = 0; i < t->labels.rows; i++)
        if (!t->seen[i])
            gx_layout_name(set, &missing, t->labels.row[i].file);
    const char *said = gx_arena_format(
        &set->arena, "%zu pictures in '%s' to learn from, with %s%d attribute%s of '%s' (%s), %s",
        set->train.count[0], folder, t->all && set->domains > 1 ? "all " : "", set->domains,
        set->domains == 1 ? "" : "s", t->labels.path, gx_layout_counts(set, count), said_held);
    if (t->all && set->domains > 8)
        said = gx_arena_format(&set->arena, "%s; data.attributes would choose some", said);
    if (several)
        said = gx_arena_format(&set->arena,
                               "%s; %zu pictures have several attributes that data.exclusive says "
                               "exclude each other",
                               said, several);
    said = mention(set, said, unknown, "picture without a row in the table is left out",
                   "pictures without a row in the table are left out");
    set->said = mention(set, said, &missing, "row has no picture", "rows have no picture");
}

static int none_known(struct gx_dataset *set, const struct table *t, const char *folder,
                      const struct gx_named *unknown, struct gx_err *err)
{
    if (!unknown->count)
        return gx_fail(err, GX_E_CONFIG, "found no pictures in '%s' (it has %s); %s", folder,
                       gx_layout_describe(set, folder), set->layout->expected);
    return gx_fail(err, GX_E_CONFIG,
                   "no picture in '%s' has a row in '%s': the table begins with '%.80s', and there "
                   "are %s",
                   folder, t->labels.path, t->labels.row[0].file, gx_layout_names(set, unknown));
}

static int find(struct gx_dataset *set, struct table *t, const struct gx_dataset_options *options,
                struct gx_err *err)
{
    struct gx_named unknown = {0};
    const char *folder, *held_folder = NULL;
    int code = choose_attributes(set, t, options->attributes, err);
    if (!code)
        code = read_groups(set, options->exclusive, err);
    if (code)
        return code;
    folder = picture_folder(set);
    code = add_pictures(set, t, folder, &set->train, &unknown, err);
    if (!code && !set->train.count[0])
        code = none_known(set, t, folder, &unknown, err);
    if (!code)
        code = gx_layout_find_held(set, find_held, &(struct held){t, &unknown}, &held_folder, err);
    if (code)
        return code;
    if (!held_folder)
        gx_layout_hold_out(set, options->holdout);
    fill_labels(set, t, &set->train);
    fill_labels(set, t, &set->held);
    summarise(set, t, folder, gx_layout_said_held(set, held_folder, options->holdout, "picture"),
              &unknown);
    return 0;
}

int gx_find_labelled(struct gx_dataset *set, const struct gx_dataset_options *options,
                     struct gx_err *err)
{
    struct table t = {0};
    int code = gx_labels_read(&t.labels, options->labels, err);
    if (!code) {
        t.seen = gx_arena_alloc(&set->arena, t.labels.rows * sizeof *t.seen);
        code = find(set, &t, options, err);
    }
    gx_labels_clear(&t.labels);
    return code && code != -GX_E_NOMEM ? -GX_E_CONFIG : code;
}
