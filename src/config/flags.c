#include "config/flags.h"

#include <stdio.h>
#include <string.h>

struct words {
    struct gx_flags *flags;
    struct gx_config *config;
    enum gx_verb verb;
    int argc, at;
    char *const *argv;
    struct gx_err *err;
};

static int unknown(struct words *w, const char *name)
{
    const char *names[256];
    int count = 0;
    for (int i = 0; i < gx_options_count && count < 255; i++)
        if (gx_options[i].flag && gx_option_shown(&gx_options[i], w->config->family, w->verb) &&
            !(gx_options[i].flags & GX_OPTION_HIDDEN))
            names[count++] = gx_options[i].flag;
    names[count] = NULL;
    const char *near = gx_suggest(name, names);
    if (near)
        return gx_fail(w->err, GX_E_USAGE, "unknown option '--%s'; did you mean '--%s'?", name,
                       near);
    return gx_fail(w->err, GX_E_USAGE, "unknown option '--%s'; see --help", name);
}

/* Notes one use. Options without a key take effect now, the rest is for the caller. */
static int use(struct words *w, const struct gx_option *option, const char *value, const char *name)
{
    struct gx_config *config = w->config;
    if (option->type == GX_TYPE_SET) {
        const char *equals = strchr(value, '=');
        if (!equals || equals == value)
            return gx_fail(w->err, GX_E_USAGE, "option '%s' expects key=value, not '%s'", name,
                           value);
        const char *key = gx_arena_format(&config->arena, "%.*s", (int)(equals - value), value);
        name = gx_arena_format(&config->arena, "--set %s", key);
        struct gx_err why;
        if (!(option = gx_config_key(config, key, &why)))
            return gx_fail(w->err, GX_E_USAGE, "option '--set': %s", why.text);
        value = equals + 1;
    }
    if (option->flags & GX_OPTION_FLAG_ONLY) {
        struct gx_err why;
        if ((option->flags & GX_OPTION_REPEATS) && config->origin[option - gx_options].name)
            value =
                gx_arena_format(&config->arena, "%s\n%s", gx_option_format(option, config), value);
        if (gx_option_parse(option, config, value, &why))
            return gx_fail(w->err, GX_E_USAGE, "option '%s': %s", name, why.text);
        config->origin[option - gx_options] = (struct gx_origin){GX_FROM_FLAG, name, 0, 0};
        return 0;
    }
    w->flags->flag[w->flags->count++] = (struct gx_flag){option, value, name};
    return 0;
}

static int long_option(struct words *w)
{
    const char *word = w->argv[w->at] + 2, *equals = strchr(word, '=');
    struct gx_arena *arena = &w->config->arena;
    const char *name =
        gx_arena_format(arena, "%.*s", (int)(equals ? equals - word : (long)strlen(word)), word);
    const struct gx_option *option = gx_option_by_flag(name, w->config->family, w->verb);
    if (!option)
        return unknown(w, name);
    const char *shown = gx_arena_format(arena, "--%s", name);
    if (option->type == GX_TYPE_BOOL) {
        if (equals)
            return gx_fail(w->err, GX_E_USAGE, "option '%s' takes no value", shown);
        return use(w, option, "true", shown);
    }
    if (!equals && w->at + 1 >= w->argc)
        return gx_fail(w->err, GX_E_USAGE, "option '%s' needs a value: %s %s", shown, shown,
                       option->metavar);
    return use(w, option, equals ? equals + 1 : w->argv[++w->at], shown);
}

/* -m MODEL, -mMODEL, and switches in one word: -rf. */
static int short_options(struct words *w)
{
    for (const char *word = w->argv[w->at] + 1; *word; word++) {
        const struct gx_option *option = gx_option_by_letter(*word, w->config->family, w->verb);
        if (!option)
            return gx_fail(w->err, GX_E_USAGE, "unknown option '-%c'; see --help", *word);
        const char *shown = gx_arena_format(&w->config->arena, "-%c", *word);
        if (option->type != GX_TYPE_BOOL) {
            if (!word[1] && w->at + 1 >= w->argc)
                return gx_fail(w->err, GX_E_USAGE, "option '%s' needs a value: %s %s", shown, shown,
                               option->metavar);
            return use(w, option, word[1] ? word + 1 : w->argv[++w->at], shown);
        }
        int code = use(w, option, "true", shown);
        if (code)
            return code;
    }
    return 0;
}

int gx_flags_read(struct gx_flags *flags, struct gx_config *config, enum gx_verb verb, int argc,
                  char *const *argv, struct gx_err *err)
{
    struct gx_err unread;
    struct words w = {flags, config, verb, argc, 0, argv, err ? err : &unread};
    flags->flag = gx_arena_alloc(&config->arena, (size_t)(argc + 1) * sizeof *flags->flag);
    flags->count = 0;
    config->operand = gx_arena_alloc(&config->arena, (size_t)(argc + 1) * sizeof *config->operand);
    bool options = true;
    for (; w.at < argc; w.at++) {
        const char *word = argv[w.at];
        int code = 0;
        if (options && !strcmp(word, "--"))
            options = false;
        else if (options && word[0] == '-' && word[1] == '-')
            code = long_option(&w);
        else if (options && word[0] == '-' && word[1])
            code = short_options(&w);
        else
            config->operand[config->operands++] = gx_arena_text(&config->arena, word);
        if (code || config->help)
            return code;
    }
    return 0;
}
