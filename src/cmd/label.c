#include "cmd/label.h"

#include "config/options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FOLDER_NAME_MAX = 200, LISTED_BYTES = 480 };

struct gx_change {
    int domain;
    float value;
    bool strength; /* the value was said, not only meant */
};

/* ---- names ---- */

/* By its name; else by the only name that differs in capitals alone; else -1. */
static int find_domain(const struct gx_model_facts *model, const char *name)
{
    int found = -1, near = 0;
    for (int i = 0; i < model->domains; i++) {
        if (!strcmp(model->domain[i], name))
            return i;
        if (!strcasecmp(model->domain[i], name)) {
            found = i;
            near++;
        }
    }
    return near == 1 ? found : -1;
}

/* "a, b, c", at most one message's worth of them. */
static const char *list_domains(struct gx_targets *t)
{
    const struct gx_model_facts *model = t->model;
    const char *list = "";
    for (int i = 0; i < model->domains; i++) {
        if (strlen(list) + strlen(model->domain[i]) > LISTED_BYTES)
            return gx_arena_format(&t->arena, "%s and %d more (ganx info lists them)", list,
                                   model->domains - i);
        list = gx_arena_format(&t->arena, "%s%s%s", list, i ? ", " : "", model->domain[i]);
    }
    return list;
}

static int unknown_domain(struct gx_targets *t, const char *name, struct gx_err *err)
{
    const struct gx_model_facts *model = t->model;
    const char **names = gx_new(((size_t)model->domains + 1) * sizeof *names);
    for (int i = 0; i < model->domains; i++)
        names[i] = model->domain[i];
    const char *near = gx_suggest(name, names);
    free(names);
    return gx_fail(err, GX_E_USAGE, "'%.80s' is none of the model's domains: %s%s%s%s", name,
                   list_domains(t), near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : "");
}

/* ---- one text ---- */

static bool read_strength(const char *text, float *value)
{
    char *end;
    double number = strtod(text, &end);
    *value = (float)number;
    return *text && !*end && isfinite(*value);
}

/* NAME or NAME=STRENGTH. A name may hold an equals sign itself. */
static int read_name(struct gx_targets *t, const char *text, struct gx_change *change,
                     struct gx_err *err)
{
    const char *equals = strrchr(text, '=');
    *change = (struct gx_change){.domain = find_domain(t->model, text), .value = 1};
    if (change->domain < 0 && equals) {
        const char *name = gx_arena_format(&t->arena, "%.*s", (int)(equals - text), text);
        change->domain = find_domain(t->model, name);
        change->strength = true;
        if (change->domain < 0)
            return unknown_domain(t, name, err);
        if (!read_strength(equals + 1, &change->value))
            return gx_fail(err, GX_E_USAGE, "the strength of '%s' is '%.40s', must be a number",
                           name, equals + 1);
    }
    return change->domain < 0 ? unknown_domain(t, text, err) : 0;
}

/* +NAME, +NAME=STRENGTH or -NAME. */
static int read_edit(struct gx_targets *t, const char *text, struct gx_change *change,
                     struct gx_err *err)
{
    if (*text != '+' && *text != '-')
        return gx_fail(err, GX_E_USAGE, "'%.80s' must begin with + or -, as in +glasses,-beard",
                       text);
    int code = read_name(t, text + 1, change, err);
    if (!code && *text == '-') {
        if (change->strength)
            return gx_fail(err, GX_E_USAGE, "'%.80s' takes away: a strength goes with +", text);
        change->value = 0;
    }
    return code;
}

/* What was set twice, or cannot be true together. */
static int check_changes(const struct gx_targets *t, const struct gx_target *target,
                         struct gx_err *err)
{
    for (int i = 0; i < target->changes; i++)
        for (int j = 0; j < i; j++) {
            const struct gx_change *a = &target->change[j], *b = &target->change[i];
            const char *const *name = t->model->domain;
            const int *group = t->model->domain_group;
            if (a->domain == b->domain)
                return gx_fail(err, GX_E_USAGE, "'%s' is named twice", name[a->domain]);
            if (group[a->domain] && group[a->domain] == group[b->domain] && a->value > 0 &&
                b->value > 0 && (!a->strength || !b->strength))
                return gx_fail(err, GX_E_USAGE,
                               "'%s' and '%s' exclude each other; to blend them give both a "
                               "strength, as in %s=0.5",
                               name[a->domain], name[b->domain], name[a->domain]);
        }
    return 0;
}

static const char *folder_of(struct gx_targets *t, const char *text)
{
    bool hidden = *text == '.' || *text == '-'; /* hidden, or taken for an option */
    char *name = gx_arena_format(&t->arena, "%s%.*s", hidden ? "_" : "", FOLDER_NAME_MAX, text);
    for (char *p = name; *p; p++)
        if ((unsigned char)*p < 0x80 && !strchr("._=+-,", *p) && !(*p >= '0' && *p <= '9') &&
            !(*p >= 'A' && *p <= 'Z') && !(*p >= 'a' && *p <= 'z'))
            *p = '_';
    return name;
}

static struct gx_target *append(struct gx_targets *t, const char *text)
{
    t->target = gx_grow(t->target, ((size_t)t->count + 1) * sizeof *t->target);
    struct gx_target *target = &t->target[t->count++];
    *target = (struct gx_target){.text = text, .folder = folder_of(t, text)};
    return target;
}

static int read_target(struct gx_targets *t, const char *text, bool edit, struct gx_err *err)
{
    int (*read)(struct gx_targets *, const char *, struct gx_change *, struct gx_err *) =
        edit ? read_edit : read_name;
    struct gx_target *target = append(t, text);
    bool sign = edit && (*text == '+' || *text == '-');
    bool whole = find_domain(t->model, text + sign) >= 0; /* a name may hold a comma */
    int pieces = 1;
    for (const char *p = text; *p && !whole; p++)
        pieces += *p == ',';
    target->change = gx_arena_alloc(&t->arena, (size_t)pieces * sizeof *target->change);
    while (target->changes < pieces) {
        size_t length = whole ? strlen(text) : strcspn(text, ",");
        const char *piece = gx_arena_format(&t->arena, "%.*s", (int)length, text);
        int code = read(t, piece, &target->change[target->changes++], err);
        if (code)
            return code;
        text += length + (text[length] == ',');
    }
    return check_changes(t, target, err);
}

/* Lines of texts, as the flag was given. */
static int read_targets(struct gx_targets *t, const char *lines, const char *flag,
                        struct gx_err *err)
{
    bool edit = !strcmp(flag, "--edit");
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        const char *text = gx_arena_format(&t->arena, "%.*s", (int)length, lines);
        int code = 0;
        if (!edit && !strcmp(text, "all") && find_domain(t->model, text) < 0) {
            t->folders = true;
            for (int i = 0; !code && i < t->model->domains; i++)
                code = read_target(t, t->model->domain[i], false, err);
        } else {
            code = read_target(t, text, edit, err);
        }
        if (code)
            return gx_context(err, code, "option '%s'", flag);
        lines += length + (lines[length] == '\n');
    }
    return 0;
}

static int check_folders(const struct gx_targets *t, struct gx_err *err)
{
    for (int i = 0; t->folders && i < t->count; i++)
        for (int j = 0; j < i; j++)
            if (!strcmp(t->target[i].folder, t->target[j].folder))
                return gx_fail(err, GX_E_USAGE, "'%s' and '%s' would both be written into '%s/'",
                               t->target[j].text, t->target[i].text, t->target[i].folder);
    return 0;
}

/* ---- what pictures have now ---- */

static int open_table(struct gx_targets *t, const char *path, struct gx_err *err)
{
    const struct gx_model_facts *model = t->model;
    int code = gx_labels_read(&t->table, path, err);
    t->column = gx_arena_alloc(&t->arena, (size_t)model->domains * sizeof *t->column);
    for (int i = 0; !code && i < model->domains; i++) {
        t->column[i] = gx_labels_column(&t->table, model->domain[i]);
        code = t->column[i] >= 0
                   ? gx_labels_check(&t->table, t->column[i], err)
                   : gx_fail(err, GX_E_CONFIG, "'%s' has no column for the model's domain '%s'",
                             path, model->domain[i]);
    }
    return code;
}

static int read_base(const struct gx_targets *t, const char *path, float *label, struct gx_err *err)
{
    const struct gx_label_row *row = NULL;
    if (t->column && !(row = gx_labels_find(&t->table, path)))
        return gx_fail(err, GX_E_CONFIG, "'%s' has no row for '%s'", t->table.path, path);
    for (int i = 0; i < t->model->domains; i++)
        label[i] = row ? row->value[t->column[i]] : 0;
    return 0;
}

/* ---- all of them ---- */

int gx_targets_plan(struct gx_targets *t, const struct gx_config *config,
                    const struct gx_model_facts *model, struct gx_err *err)
{
    const char *to = config->translate.to, *edit = config->translate.edit;
    const char *labels = config->translate.labels;
    *t = (struct gx_targets){.model = model, .grid = config->translate.grid};
    if (!model->domains)
        return 0;
    if (!*to && !*edit && !t->grid)
        return gx_fail(err, GX_E_USAGE,
                       "say what to make of the pictures: --to NAME (or all), --edit or --grid; "
                       "the model's domains are: %s",
                       list_domains(t));
    if (*edit && !*labels)
        return gx_fail(err, GX_E_USAGE,
                       "--edit changes what a picture has now: name a table that says it with "
                       "--labels FILE");
    int code = read_targets(t, *to || *edit ? to : "all", "--to", err);
    if (!code)
        code = read_targets(t, edit, "--edit", err);
    t->folders = !t->grid && (t->folders || t->count > 1);
    if (!code)
        code = check_folders(t, err);
    return code || !*labels ? code : open_table(t, labels, err);
}

/* The others of a group go, but for those that the same text has a word on. */
static void clear_group(const struct gx_targets *t, const struct gx_target *target, int domain,
                        float *label)
{
    const int *group = t->model->domain_group;
    for (int i = 0; group[domain] && i < t->model->domains; i++) {
        bool named = false;
        for (int k = 0; k < target->changes; k++)
            named = named || target->change[k].domain == i;
        if (group[i] == group[domain] && !named)
            label[i] = 0;
    }
}

int gx_targets_label(const struct gx_targets *t, const char *path, float *labels,
                     struct gx_err *err)
{
    int domains = t->model->domains;
    for (int k = 0; k < t->count; k++, labels += domains) {
        const struct gx_target *target = &t->target[k];
        int code = read_base(t, path, labels, err);
        if (code)
            return code;
        for (int i = 0; i < target->changes; i++) {
            const struct gx_change *change = &target->change[i];
            if (change->value > 0)
                clear_group(t, target, change->domain, labels);
            labels[change->domain] = change->value;
        }
    }
    return 0;
}

void gx_targets_clear(struct gx_targets *t)
{
    free(t->target);
    gx_labels_clear(&t->table);
    gx_arena_clear(&t->arena);
    *t = (struct gx_targets){.count = 0};
}
