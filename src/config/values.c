/* Values of the option table as text: reading with type, range and choices, writing, comparing. */
#include "config/options.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *field(const struct gx_option *option, struct gx_config *config)
{
    return (char *)config + option->offset;
}

static const void *const_field(const struct gx_option *option, const struct gx_config *config)
{
    return (const char *)config + option->offset;
}

static int choice_of(const struct gx_option *option, const char *text)
{
    for (int i = 0; option->choices[i]; i++)
        if (!strcmp(option->choices[i], text))
            return i;
    return -1;
}

static int not_a_choice(const struct gx_option *option, const char *text, struct gx_err *err)
{
    char list[640] = "";
    size_t used = 0;
    for (int i = 0; option->choices[i] && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 option->choices[i]);
    const char *near = gx_suggest(text, option->choices);
    if (near)
        return gx_fail(err, GX_E_CONFIG, "'%s' is none of %s; did you mean '%s'?", text, list,
                       near);
    return gx_fail(err, GX_E_CONFIG, "'%s' is none of %s", text, list);
}

static int parse_bool(const char *text, bool *to, struct gx_err *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", NULL};
    for (int i = 0; words[i]; i++)
        if (!strcmp(words[i], text)) {
            *to = i & 1;
            return 0;
        }
    return gx_fail(err, GX_E_CONFIG, "'%s' is neither true nor false", text);
}

struct unit {
    const char *name;
    double factor;
};
static const struct unit no_units[] = {{NULL, 0}};
static const struct unit count_units[] = {
    {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {NULL, 0}};
static const struct unit byte_units[] = {
    {"B", 1},      {"k", 1024},   {"K", 1024},      {"M", 1048576},      {"G", 1073741824},
    {"T", 0x1p40}, {"KiB", 1024}, {"MiB", 1048576}, {"GiB", 1073741824}, {"TiB", 0x1p40},
    {"kB", 1e3},   {"KB", 1e3},   {"MB", 1e6},      {"GB", 1e9},         {"TB", 1e12},
    {NULL, 0}};

/* A whole number, with a unit right after it; "1.5GiB" is fine where the result is whole. */
static int parse_whole(const struct gx_option *option, const char *text, const struct unit *units,
                       int64_t *to, struct gx_err *err)
{
    char *end;
    errno = 0;
    size_t digits = strspn(text + (text[0] == '-'), "0123456789");
    double value = 0;
    bool good = digits > 0 && digits <= 18;
    if (good) {
        value = (double)strtoll(text, &end, 10);
        if (end[0] == '.' && units != no_units && end[1] >= '0' && end[1] <= '9')
            value = strtod(text, &end);
        if (*end) {
            const struct unit *unit = units;
            while (unit->name && strcmp(unit->name, end))
                unit++;
            good = unit->name;
            value *= unit->factor;
        }
    }
    if (!good || value != floor(value))
        return gx_fail(err, GX_E_CONFIG, "'%s' is not a whole number%s", text,
                       units == byte_units    ? " of bytes, like 512MiB or 4GiB"
                       : units == count_units ? ", like 3000 or 10k"
                                              : "");
    if (value < option->low || value > option->high)
        return option->high < 1e15 || value > option->high
                   ? gx_fail(err, GX_E_CONFIG, "%s is out of range: from %.15g to %.15g", text,
                             option->low, option->high)
                   : gx_fail(err, GX_E_CONFIG, "%s is out of range: at least %.15g", text,
                             option->low);
    *to = (int64_t)value;
    return 0;
}

static int parse_seed(const char *text, uint64_t *to, struct gx_err *err)
{
    errno = 0;
    char *end;
    uint64_t value = strtoull(text, &end, 10);
    if (!*text || strspn(text, "0123456789") != strlen(text) || errno)
        return gx_fail(err, GX_E_CONFIG, "'%s' is not a whole number from 0 to %" PRIu64, text,
                       UINT64_MAX);
    *to = value;
    return 0;
}

static int parse_real(const struct gx_option *option, const char *text, double *to,
                      struct gx_err *err)
{
    char *end;
    double value = strtod(text, &end);
    if (!*text || *end || strspn(text, "0123456789+-.eE") != strlen(text) || !isfinite(value))
        return gx_fail(err, GX_E_CONFIG, "'%s' is not a number", text);
    if (value < option->low || value > option->high)
        return gx_fail(err, GX_E_CONFIG, "%s is out of range: from %.10g to %.10g", text,
                       option->low, option->high);
    *to = value;
    return 0;
}

static int parse_list(const struct gx_option *option, const char *text, struct gx_err *err)
{
    double before = 0;
    for (const char *at = text; *at;) {
        size_t digits = strspn(at, "0123456789");
        double value = digits && digits <= 15 ? strtod(at, NULL) : 0;
        if (value < option->low || value <= before)
            return gx_fail(err, GX_E_CONFIG,
                           "'%s' is not a list of rising whole numbers, like 1000,2000", text);
        before = value;
        at += digits;
        if (*at == ',' && at[1])
            at++;
        else if (*at)
            return gx_fail(err, GX_E_CONFIG,
                           "'%s' is not a list of rising whole numbers, like 1000,2000", text);
    }
    return 0;
}

void gx_option_numbers(const char *text, double *to, int count)
{
    for (int i = 0; i < count; i++) {
        char *end;
        to[i] = strtod(text, &end);
        text = *end ? end + 1 : end;
    }
}

static int parse_numbers(const struct gx_option *option, const char *text, struct gx_err *err)
{
    enum { LONGEST = 40 };
    int wanted = 1, count = 0;
    for (const char *at = option->initial; (at = strchr(at, ',')); at++)
        wanted++;
    for (const char *at = text; at; count++) {
        char number[LONGEST];
        double value;
        const char *comma = strchr(at, ',');
        size_t length = comma ? (size_t)(comma - at) : strlen(at);
        length = length < sizeof number ? length : sizeof number - 1;
        memcpy(number, at, length);
        number[length] = 0;
        int code = parse_real(option, number, &value, err);
        if (code)
            return code;
        at = comma ? comma + 1 : NULL;
    }
    if (count == wanted)
        return 0;
    return gx_fail(err, GX_E_CONFIG, "'%s' is not %d numbers, like %s", text, wanted,
                   option->initial);
}

int gx_option_parse(const struct gx_option *option, struct gx_config *config, const char *text,
                    struct gx_err *err)
{
    int code = 0, which;
    int64_t whole = 0;
    void *to = field(option, config);
    switch (option->type) {
    case GX_TYPE_BOOL:
        return parse_bool(text, to, err);
    case GX_TYPE_INT:
        if (!(code = parse_whole(option, text, no_units, &whole, err)) && option->choices &&
            choice_of(option, text) < 0)
            return not_a_choice(option, text, err);
        if (!code)
            *(int *)to = (int)whole;
        return code;
    case GX_TYPE_COUNT:
        return parse_whole(option, text, count_units, to, err);
    case GX_TYPE_BYTES:
        return parse_whole(option, text, byte_units, to, err);
    case GX_TYPE_SEED:
        return parse_seed(text, to, err);
    case GX_TYPE_REAL:
        return parse_real(option, text, to, err);
    case GX_TYPE_CHOICE:
        if ((which = choice_of(option, text)) < 0)
            return not_a_choice(option, text, err);
        *(int *)to = which;
        return 0;
    case GX_TYPE_WORD:
        if (choice_of(option, text) < 0)
            return not_a_choice(option, text, err);
        break;
    case GX_TYPE_LIST:
        if ((code = parse_list(option, text, err)))
            return code;
        break;
    case GX_TYPE_NUMBERS:
        if ((code = parse_numbers(option, text, err)))
            return code;
        break;
    case GX_TYPE_TEXT:
    case GX_TYPE_PATH:
        break;
    case GX_TYPE_SET:
        return gx_fail(err, GX_E_CONFIG, "'%s' has no value of its own", option->key);
    }
    *(const char **)to = gx_arena_text(&config->arena, text);
    return 0;
}

/* The shortest decimal that reads back as the same double. */
static const char *format_real(struct gx_arena *arena, double value)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return gx_arena_text(arena, text);
}

const char *gx_option_format(const struct gx_option *option, struct gx_config *config)
{
    struct gx_arena *arena = &config->arena;
    const void *at = const_field(option, config);
    switch (option->type) {
    case GX_TYPE_BOOL:
        return *(const bool *)at ? "true" : "false";
    case GX_TYPE_INT:
        return gx_arena_format(arena, "%d", *(const int *)at);
    case GX_TYPE_COUNT:
    case GX_TYPE_BYTES:
        return gx_arena_format(arena, "%" PRId64, *(const int64_t *)at);
    case GX_TYPE_SEED:
        return gx_arena_format(arena, "%" PRIu64, *(const uint64_t *)at);
    case GX_TYPE_REAL:
        return format_real(arena, *(const double *)at);
    case GX_TYPE_CHOICE:
        return option->choices[*(const int *)at];
    case GX_TYPE_SET:
        return "";
    default:
        return *(const char *const *)at;
    }
}

static size_t field_size(enum gx_type type)
{
    switch (type) {
    case GX_TYPE_BOOL:
        return sizeof(bool);
    case GX_TYPE_INT:
    case GX_TYPE_CHOICE:
        return sizeof(int);
    case GX_TYPE_COUNT:
    case GX_TYPE_BYTES:
    case GX_TYPE_SEED:
        return sizeof(int64_t);
    case GX_TYPE_REAL:
        return sizeof(double);
    case GX_TYPE_SET:
        return 0;
    default:
        return sizeof(const char *);
    }
}

static bool is_text(enum gx_type type)
{
    return type == GX_TYPE_TEXT || type == GX_TYPE_PATH || type == GX_TYPE_WORD ||
           type == GX_TYPE_LIST || type == GX_TYPE_NUMBERS;
}

bool gx_option_equal(const struct gx_option *option, const struct gx_config *a,
                     const struct gx_config *b)
{
    const void *x = const_field(option, a), *y = const_field(option, b);
    if (is_text(option->type))
        return !strcmp(*(const char *const *)x, *(const char *const *)y);
    return !memcmp(x, y, field_size(option->type));
}

void gx_option_copy(const struct gx_option *option, struct gx_config *to,
                    const struct gx_config *from)
{
    const void *source = const_field(option, from);
    if (is_text(option->type))
        *(const char **)field(option, to) = gx_arena_text(&to->arena, *(const char *const *)source);
    else
        memcpy(field(option, to), source, field_size(option->type));
}
