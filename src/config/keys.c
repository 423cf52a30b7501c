/* Keys, as a file or --set has them: which option is meant, or what may have been. */
#include "config/options.h"

#include <string.h>

/* Keys and sections that a file may have: for "did you mean". */
static const char *nearest_key(struct gx_config *config, const char *key)
{
    const char *names[256], *section = "";
    int count = 0;
    for (int i = 0; i < gx_options_count && count < 250; i++) {
        const struct gx_option *option = &gx_options[i];
        if ((option->flags & GX_OPTION_FLAG_ONLY) || !gx_option_applies(option, config->family))
            continue;
        const char *dot = strchr(option->key, '.');
        if (dot && !strcmp(dot + 1, key)) /* the right name without its section */
            return option->key;
        names[count++] = option->key;
        size_t length = dot ? (size_t)(dot - option->key) : 0;
        if (dot && (strlen(section) != length || strncmp(section, option->key, length))) {
            section = gx_arena_format(&config->arena, "%.*s", (int)length, option->key);
            names[count++] = section;
        }
    }
    names[count] = NULL;
    return gx_suggest(key, names);
}

const struct gx_option *gx_config_key(struct gx_config *config, const char *key, struct gx_err *err)
{
    const struct gx_option *option = gx_option_by_key(key);
    if (option && !(option->flags & GX_OPTION_FLAG_ONLY) &&
        gx_option_applies(option, config->family))
        return option;
    const char *near = option ? NULL : nearest_key(config, key);
    if (option && (option->flags & GX_OPTION_FLAG_ONLY))
        gx_fail(err, GX_E_CONFIG, "'%s' is not a key but an option: --%s", key, option->flag);
    else if (option)
        gx_fail(err, GX_E_CONFIG, "'%s' is not a key of %s", key,
                *config->family ? config->family : "this command");
    else
        gx_fail(err, GX_E_CONFIG, "unknown key '%s'%s%s%s", key, near ? "; did you mean '" : "",
                near ? near : "", near ? "'?" : "");
    return NULL;
}
