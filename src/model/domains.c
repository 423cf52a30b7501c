#include "model/domains.h"

#include "family/model_keys.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

static int find(const char *const *name, int count, const char *wanted)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(name[i], wanted))
            return i;
    return -1;
}

/* A name goes into messages, captions and names of folders: one line, and something to see. */
static bool is_name(const char *name)
{
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return false;
    return *name;
}

static int not_names(struct gx_err *err)
{
    return gx_fail(err, GX_E_FORMAT, "its metadata '%s' must be a JSON array of different names",
                   GX_KEY_DOMAINS);
}

static int read_names(const char **name, struct gx_arena *arena, int count, const json_t *list,
                      struct gx_err *err)
{
    size_t i;
    const json_t *value;
    if (!json_is_array(list))
        return not_names(err);
    if (json_array_size(list) != (size_t)count)
        return gx_fail(err, GX_E_FORMAT,
                       "its metadata '%s' names %zu domains, and its network has %d",
                       GX_KEY_DOMAINS, json_array_size(list), count);
    json_array_foreach(list, i, value)
    {
        const char *text = json_string_value(value);
        if (!text || !is_name(text) || find(name, (int)i, text) >= 0)
            return not_names(err);
        name[i] = gx_arena_text(arena, text);
    }
    return 0;
}

static int read_groups(int *group, const char *const *name, int count, const json_t *list,
                       struct gx_err *err)
{
    size_t i, k;
    const json_t *members, *value;
    if (!json_is_array(list))
        return gx_fail(err, GX_E_FORMAT, "its metadata '%s' must be a JSON array of arrays",
                       GX_KEY_DOMAIN_GROUPS);
    json_array_foreach(list, i, members)
    {
        if (!json_is_array(members))
            return gx_fail(err, GX_E_FORMAT, "its metadata '%s' must be a JSON array of arrays",
                           GX_KEY_DOMAIN_GROUPS);
        json_array_foreach(members, k, value)
        {
            const char *text = json_string_value(value);
            int at = find(name, count, text ? text : "");
            if (at < 0)
                return gx_fail(err, GX_E_FORMAT,
                               "its metadata '%s' holds '%.60s', which is no domain of it",
                               GX_KEY_DOMAIN_GROUPS, text ? text : "");
            if (group[at])
                return gx_fail(err, GX_E_FORMAT, "its metadata '%s' holds '%.60s' twice",
                               GX_KEY_DOMAIN_GROUPS, text);
            group[at] = (int)i + 1;
        }
    }
    return 0;
}

static int read_asked(const char **name, struct gx_arena *arena, int count, const char *asked,
                      struct gx_err *err)
{
    int names = 1;
    for (const char *p = asked; *p; p++)
        names += *p == ',';
    if (names != count)
        return gx_fail(err, GX_E_USAGE, "it has %d domain%s, and %d name%s given", count,
                       count == 1 ? "" : "s", names, names == 1 ? " was" : "s were");
    for (int i = 0; i < count; i++) {
        size_t length = strcspn(asked, ",");
        const char *one = gx_arena_format(arena, "%.*s", (int)length, asked);
        if (!is_name(one) || find(name, i, one) >= 0)
            return gx_fail(err, GX_E_USAGE, "its domains need different names, not '%s'%s", one,
                           *one ? " twice" : "");
        name[i] = one;
        asked += length + (asked[length] == ',');
    }
    return 0;
}

int gx_domains_read(struct gx_domains *domains, struct gx_arena *arena, int count,
                    const char *names, const char *groups, const char *asked, struct gx_err *err)
{
    const char **name = gx_arena_alloc(arena, ((size_t)count + 1) * sizeof *name);
    int *group = gx_arena_alloc(arena, ((size_t)count + 1) * sizeof *group);
    json_t *list = names ? json_loads(names, 0, NULL) : NULL;
    json_t *sets = groups ? json_loads(groups, 0, NULL) : NULL;
    int code = 0;
    for (int i = 0; !names && i < count; i++)
        name[i] = gx_arena_format(arena, "%d", i + 1);
    if (names)
        code = read_names(name, arena, count, list, err);
    if (!code && groups)
        code = read_groups(group, name, count, sets, err);
    if (!code && asked) /* the groups stay with their places */
        code = read_asked(name, arena, count, asked, err);
    json_decref(list);
    json_decref(sets);
    *domains = (struct gx_domains){count, name, group};
    return code;
}
