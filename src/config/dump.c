#include "config/dump.h"

#include "config/options.h"

#include <ctype.h>
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
