#include "config/dump.h"

#include "config/options.h"
#include "util/file.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_text(const struct gx_option *option)
{
    return option->type >= GX_TYPE_TEXT; /* words and choices too */
}

/* Texts that YAML gives back as they are need no quotes. */
static bool is_plain(const char *text)
{
    static const char *const special[] = {"true", "false", "yes", "no", "on", "off", "null", NULL};
    if (!isalpha((unsigned char)text[0]) && text[0] != '/' && text[0] != '_')
        return false;
    for (const char *p = text; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_/.-", *p))
            return false;
    for (int i = 0; special[i]; i++)
        if (!strcasecmp(text, special[i]))
            return false;
    return true;
}

static void write_quoted(FILE *to, const char *text)
{
    putc('"', to);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < ' ' || *p == 0x7f)
            fprintf(to, "\\x%02X", *p);
        else
            fprintf(to, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
    }
    putc('"', to);
}

static bool is_saved(const struct gx_option *option, const struct gx_config *config)
{
    return !(option->flags & GX_OPTION_FLAG_ONLY) && gx_option_applies(option, config->family);
}

char *gx_config_yaml(struct gx_config *config)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    if (!to)
        abort(); /* as gx_new: a small object */
    const char *section = "";
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        if (!is_saved(option, config))
            continue;
        const char *dot = strchr(option->key, '.');
        size_t length = dot ? (size_t)(dot - option->key) : 0;
        if (dot && (strncmp(section, option->key, length + 1) || !*section)) {
            fprintf(to, "%.*s:\n", (int)length, option->key);
            section = option->key;
        }
        fprintf(to, "%s%s: ", dot ? "  " : "", dot ? dot + 1 : option->key);
        const char *value = gx_option_format(option, config);
        if (is_text(option) && !is_plain(value))
            write_quoted(to, value);
        else
            fputs(value, to);
        putc('\n', to);
    }
    if (fclose(to))
        abort();
    return text;
}

int gx_config_write_yaml(struct gx_config *config, const char *path, struct gx_err *err)
{
    char *text = gx_config_yaml(config);
    int code = gx_file_write(path, text, strlen(text), err);
    free(text);
    return code;
}

static json_t *json_value(const struct gx_option *option, struct gx_config *config)
{
    const char *text = gx_option_format(option, config);
    switch (option->type) {
    case GX_TYPE_BOOL:
        return json_boolean(!strcmp(text, "true"));
    case GX_TYPE_INT:
    case GX_TYPE_COUNT:
    case GX_TYPE_BYTES:
        return json_integer(strtoll(text, NULL, 10));
    case GX_TYPE_REAL:
        return json_real(strtod(text, NULL));
    default: /* a seed is a text: JSON readers may lose bits above 2^53 */
        return json_string(text);
    }
}

char *gx_config_json(struct gx_config *config)
{
    json_t *root = json_object();
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        if (!is_saved(option, config))
            continue;
        const char *dot = strchr(option->key, '.');
        json_t *section = root;
        if (dot) {
            char *name = strndup(option->key, (size_t)(dot - option->key));
            if (!name)
                abort();
            if (!(section = json_object_get(root, name))) {
                section = json_object();
                json_object_set_new(root, name, section);
            }
            free(name);
        }
        json_object_set_new(section, dot ? dot + 1 : option->key, json_value(option, config));
    }
    char *text = json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(15));
    json_decref(root);
    if (!text)
        abort();
    return text;
}
