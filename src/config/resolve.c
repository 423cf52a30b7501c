#include "config/resolve.h"

#include "config/flags.h"
#include "config/yaml.h"
#include "util/file.h"
#include "util/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int gx_config_init(struct gx_config *config, const char *family, struct gx_err *err)
{
    if (*family && !gx_family_bit(family)) {
        const char *near = gx_suggest(family, gx_family_names);
        return gx_fail(err, GX_E_USAGE, "unknown family '%s'%s%s%s", family,
                       near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    memset(config, 0, sizeof *config);
    config->origin =
        gx_arena_alloc(&config->arena, (size_t)gx_options_count * sizeof *config->origin);
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        const char *initial = gx_option_initial(option, family);
        if (*initial && gx_option_parse(option, config, initial, err)) {
            gx_config_clear(config);
            return gx_context(err, -GX_E_CONFIG, "the default of '%s'", option->key);
        }
        if (!*initial && option->type != GX_TYPE_SET)
            *(const char **)((char *)config + option->offset) = "";
    }
    config->family = gx_arena_text(&config->arena, family);
    return 0;
}

void gx_config_clear(struct gx_config *config)
{
    gx_arena_clear(&config->arena);
    memset(config, 0, sizeof *config);
}

static bool is_section(const char *name)
{
    size_t length = strlen(name);
    for (int i = 0; i < gx_options_count; i++)
        if (!strncmp(gx_options[i].key, name, length) && gx_options[i].key[length] == '.')
            return true;
    return false;
}

int gx_config_set(struct gx_config *config, const char *key, const char *value,
                  struct gx_origin origin, struct gx_err *err)
{
    const struct gx_option *option = gx_config_key(config, key, err);
    if (!option)
        return -GX_E_CONFIG;
    if (!strcmp(key, "family")) {
        if (strcmp(value, config->family))
            return gx_fail(err, GX_E_CONFIG, "this configuration is of '%s', the command of '%s'",
                           value, config->family);
        return 0;
    }
    if (!gx_is_utf8(value)) /* it has to be saved in a YAML file */
        return gx_fail(err, GX_E_CONFIG, "%s: the value is not UTF-8", key);
    struct gx_err why;
    if (gx_option_parse(option, config, value, &why))
        return gx_fail(err, GX_E_CONFIG, "%s: %s", key, why.text);
    config->origin[option - gx_options] = origin;
    return 0;
}

static int apply_entry(struct gx_config *config, const struct gx_yaml_entry *entry,
                       struct gx_origin origin, struct gx_err *err)
{
    const struct gx_option *option = gx_option_by_key(entry->key);
    if (entry->kind == GX_YAML_SECTION) {
        if (is_section(entry->key))
            return 0;
        if (gx_config_key(config, entry->key, err))
            gx_fail(err, GX_E_CONFIG, "'%s' is a value, not a section", entry->key);
        return -GX_E_CONFIG;
    }
    if (!option && is_section(entry->key))
        return gx_fail(err, GX_E_CONFIG, "'%s' is a section: its keys go below it, indented",
                       entry->key);
    bool text = option && (option->type == GX_TYPE_TEXT || option->type == GX_TYPE_PATH ||
                           option->type == GX_TYPE_WORD || option->type == GX_TYPE_LIST ||
                           option->type == GX_TYPE_NUMBERS || option->type == GX_TYPE_CHOICE);
    if (option && !text && entry->kind == GX_YAML_QUOTED)
        return gx_fail(err, GX_E_CONFIG, "%s: %s is expected, not a quoted text", entry->key,
                       option->type == GX_TYPE_BOOL ? "true or false" : "a number");
    bool list = option && (option->type == GX_TYPE_LIST || option->type == GX_TYPE_NUMBERS);
    if (option && !list && entry->kind == GX_YAML_LIST)
        return gx_fail(err, GX_E_CONFIG, "%s: one value is expected, not a list", entry->key);
    if (option && entry->kind == GX_YAML_PLAIN &&
        (!*entry->value || !strcmp(entry->value, "~") || !strcmp(entry->value, "null")))
        return gx_fail(err, GX_E_CONFIG, "%s has no value%s", entry->key,
                       text ? "; write \"\" for none" : "");
    return gx_config_set(config, entry->key, entry->value, origin, err);
}

static int apply_yaml(struct gx_config *config, const struct gx_yaml *yaml, const char *name,
                      enum gx_source source, struct gx_err *err)
{
    name = gx_arena_text(&config->arena, name);
    for (int i = 0; i < yaml->count; i++) {
        const struct gx_yaml_entry *e = &yaml->entry[i];
        struct gx_origin origin = {source, name, e->value_line, e->value_column};
        struct gx_err why;
        if (apply_entry(config, e, origin, &why)) {
            bool known = gx_config_key(config, e->key, NULL); /* a bad value, or a bad key? */
            return gx_fail(err, GX_E_CONFIG, "%s:%d:%d: %s", name, known ? e->value_line : e->line,
                           known ? e->value_column : e->column, why.text);
        }
    }
    return 0;
}

int gx_config_apply_yaml(struct gx_config *config, const char *text, size_t size, const char *name,
                         enum gx_source source, struct gx_err *err)
{
    struct gx_yaml yaml;
    int code = gx_yaml_read(&yaml, &config->arena, text, size, name, err);
    return code ? code : apply_yaml(config, &yaml, name, source, err);
}

int gx_config_read_text(struct gx_config *config, const char *text, size_t size, const char *name,
                        struct gx_err *err)
{
    struct gx_yaml yaml;
    struct gx_arena arena = {0};
    const char *family = NULL;
    int code = gx_yaml_read(&yaml, &arena, text, size, name, err);
    for (int i = 0; !code && i < yaml.count; i++)
        if (!strcmp(yaml.entry[i].key, "family"))
            family = yaml.entry[i].value;
    if (!code && (!family || !gx_family_bit(family)))
        code = gx_fail(err, GX_E_CONFIG, "%s:1:1: %s%s%s", name,
                       family ? "unknown family '" : "the key 'family' is missing",
                       family ? family : "", family ? "'" : "");
    if (!code && !(code = gx_config_init(config, family, err)) &&
        (code = apply_yaml(config, &yaml, name, GX_FROM_SAVED, err)))
        gx_config_clear(config);
    gx_arena_clear(&arena);
    return code;
}

/* --config FILE, or ./FAMILY.yaml when it is there. */
static int read_file(struct gx_config *config, struct gx_err *err)
{
    const char *path = config->config;
    if (!*path) {
        path = gx_arena_format(&config->arena, "%s.yaml", config->family);
        if (!gx_is_file(path))
            return 0;
    }
    char *text;
    size_t size;
    int code = gx_file_read(path, GX_YAML_BYTES_MAX, &text, &size, err);
    if (code)
        return -GX_E_CONFIG; /* whatever the reason: there is no configuration */
    code = gx_config_apply_yaml(config, text, size, path, GX_FROM_FILE, err);
    free(text);
    return code;
}

static struct gx_origin *origin_of(const struct gx_config *config, const char *key)
{
    return &config->origin[gx_option_by_key(key) - gx_options];
}

/* --steps and --epochs both say how long: the one that was said closer to the command counts. */
static int settle_length(struct gx_config *config, struct gx_err *err)
{
    struct gx_origin *steps = origin_of(config, "train.steps");
    struct gx_origin *epochs = origin_of(config, "train.epochs");
    if (config->train.steps && steps->source == GX_FROM_FLAG && epochs->source == GX_FROM_FLAG)
        return gx_fail(err, GX_E_USAGE, "give either --steps or --epochs, not both");
    if (epochs->source > steps->source)
        config->train.steps = 0;
    return 0;
}

int gx_config_resolve(struct gx_config *config, const char *family, enum gx_verb verb, int argc,
                      char *const *argv, struct gx_err *err)
{
    struct gx_flags flags;
    int code = gx_config_init(config, family, err);
    if (code) {
        memset(config, 0, sizeof *config);
        return code;
    }
    code = gx_flags_read(&flags, config, verb, argc, argv, err);
    if (code || config->help)
        return code;
    const struct gx_option *file = gx_option_by_key("config");
    if (gx_option_shown(file, family, verb) && (code = read_file(config, err)))
        return code;
    for (int i = 0; i < flags.count; i++) {
        struct gx_flag *f = &flags.flag[i];
        struct gx_origin origin = {GX_FROM_FLAG, f->name, 0, 0};
        struct gx_err why;
        if (gx_config_set(config, f->option->key, f->value, origin, &why)) {
            const char *text = why.text; /* "key: reason"; a flag has named the option itself */
            size_t length = strlen(f->option->key);
            if (!strncmp(text, f->option->key, length) && !strncmp(text + length, ": ", 2))
                text += length + 2;
            return gx_fail(err, GX_E_USAGE, "option '%s': %s", f->name, text);
        }
    }
    if ((code = settle_length(config, err)))
        return code;
    return gx_config_check(config, err);
}

const char *gx_config_where(struct gx_config *config, const char *key)
{
    const struct gx_origin *o = origin_of(config, key);
    if (o->source == GX_FROM_DEFAULT)
        return "the defaults";
    if (!o->line)
        return o->name;
    return gx_arena_format(&config->arena, "%s:%d:%d", o->name, o->line, o->column);
}

static bool asked_for(const struct gx_origin *origin)
{
    return origin->source == GX_FROM_FILE || origin->source == GX_FROM_FLAG;
}

int gx_config_fail(const struct gx_config *config, const char *key, struct gx_err *err,
                   const char *format, ...)
{
    const struct gx_origin *o = origin_of(config, key);
    char place[320] = "", text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (o->line)
        snprintf(place, sizeof place, "%s:%d:%d: ", o->name, o->line, o->column);
    return gx_fail(err, GX_E_CONFIG, "%s%s", place, text);
}

int gx_config_check(const struct gx_config *config, struct gx_err *err)
{
    const struct gx_origin *crop = origin_of(config, "data.crop_size");
    const struct gx_origin *load = origin_of(config, "data.load_size");
    const char *closest = load->source > crop->source ? "data.load_size" : "data.crop_size";
    bool both = config->data.preprocess == GX_RESIZE_AND_CROP ||
                config->data.preprocess == GX_SCALE_WIDTH_AND_CROP;
    if (both && config->data.load_size && config->data.crop_size > config->data.load_size)
        return gx_config_fail(config, closest, err,
                              "data.crop_size (%d) is larger than data.load_size (%d); lower it, "
                              "or set data.load_size to 0 to leave pictures as they are",
                              config->data.crop_size, config->data.load_size);
    if (!strcmp(config->optim.schedule, "multistep") && !*config->optim.milestones)
        return gx_config_fail(config, "optim.schedule", err,
                              "optim.schedule multistep needs optim.milestones");
    if (config->optim.lr_d > 0 && !(config->optim.lr > 0))
        return gx_config_fail(config, "optim.lr_d", err,
                              "optim.lr_d keeps its ratio to optim.lr, which is 0");
    /* Left at its default it is simply not there then (family/cycle.c). */
    if (config->net.input_channels != config->net.output_channels && config->loss.identity > 0 &&
        asked_for(origin_of(config, "loss.identity")))
        return gx_config_fail(config, "loss.identity", err,
                              "loss.identity compares input with output, which have %d and %d "
                              "channels; set it to 0",
                              config->net.input_channels, config->net.output_channels);
    return 0;
}

static bool was_given(const struct gx_config *config, int option)
{
    return config->origin[option].source > GX_FROM_SAVED;
}

int gx_config_differences_for_resume(struct gx_config *config, struct gx_config *saved, char *text,
                                     size_t size)
{
    int count = 0;
    size_t used = 0;
    *text = '\0';
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        if ((option->flags & (GX_OPTION_FLAG_ONLY | GX_OPTION_RESUME)) || !was_given(config, i) ||
            gx_option_equal(option, config, saved))
            continue;
        int wrote =
            snprintf(text + used, size - used, "%s%s (%s in the run, %s from %s)",
                     count++ ? ", " : "", option->key, gx_option_format(option, saved),
                     gx_option_format(option, config), gx_config_where(config, option->key));
        used = used + (size_t)wrote < size ? used + (size_t)wrote : size - 1;
    }
    return count;
}

int gx_config_continue(struct gx_config *config, struct gx_config *saved, struct gx_err *err)
{
    char text[600];
    if (strcmp(config->family, saved->family))
        return gx_fail(err, GX_E_CONFIG, "this run is of '%s', the command of '%s'", saved->family,
                       config->family);
    if (gx_config_differences_for_resume(config, saved, text, sizeof text))
        return gx_fail(err, GX_E_CONFIG, "a resumed run cannot change %s", text);
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        if ((option->flags & GX_OPTION_FLAG_ONLY) || was_given(config, i))
            continue;
        gx_option_copy(option, config, saved);
        config->origin[i] = (struct gx_origin){GX_FROM_SAVED, "the saved run", 0, 0};
    }
    int code = settle_length(config, err);
    return code ? code : gx_config_check(config, err);
}
