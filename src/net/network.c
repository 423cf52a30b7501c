/* The registry of networks, and their sizes as names, JSON and ranges. */
#include "net/net.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

const char *const gx_norm_words[] = {"none", "batch", "instance", NULL};
const char *const gx_flag_words[] = {"no", "yes", NULL};

static const struct gx_network *const networks[] = {
#define GX_NETWORK(name) &gx_network_##name,
#include "net/list.h"
#undef GX_NETWORK
    NULL};

const struct gx_network *gx_network_at(int i)
{
    int count = (int)(sizeof networks / sizeof *networks) - 1;
    return i < 0 || i >= count ? NULL : networks[i];
}

const struct gx_network *gx_network_find(const char *name)
{
    for (int i = 0; networks[i]; i++)
        if (!strcmp(networks[i]->name, name))
            return networks[i];
    return NULL;
}

struct gx_network_spec gx_network_spec_of(const struct gx_network *network)
{
    struct gx_network_spec spec = {.network = network};
    for (int i = 0; network->sizes[i].name; i++)
        spec.size[i] = network->sizes[i].initial;
    return spec;
}

static int size_index(const struct gx_network_spec *spec, const char *name)
{
    const struct gx_size_rule *sizes = spec->network->sizes;
    for (int i = 0; sizes[i].name; i++)
        if (!strcmp(sizes[i].name, name))
            return i;
    return -1;
}

int gx_spec_get(const struct gx_network_spec *spec, const char *name)
{
    int i = size_index(spec, name);
    return i < 0 ? 0 : spec->size[i];
}

bool gx_spec_has(const struct gx_network_spec *spec, const char *name)
{
    return size_index(spec, name) >= 0;
}

int gx_spec_set(struct gx_network_spec *spec, const char *name, int value, struct gx_err *err)
{
    const char *network = spec->network->name;
    int i = size_index(spec, name);
    if (i < 0)
        return gx_fail(err, GX_E_CONFIG, "network '%s' has no size '%s'", network, name);
    const struct gx_size_rule *rule = &spec->network->sizes[i];
    if (value < rule->low || value > rule->high)
        return gx_fail(err, GX_E_CONFIG, "'%s' of network '%s' is %d, must be from %d to %d", name,
                       network, value, rule->low, rule->high);
    spec->size[i] = value;
    return 0;
}

int gx_spec_set_if_any(struct gx_network_spec *spec, const char *name, int value,
                       struct gx_err *err)
{
    return gx_spec_has(spec, name) ? gx_spec_set(spec, name, value, err) : 0;
}

/* ---- JSON ---- */

static json_t *size_to_json(const struct gx_size_rule *rule, int value)
{
    if (rule->words == gx_flag_words)
        return json_boolean(value);
    return rule->words ? json_string(rule->words[value]) : json_integer(value);
}

char *gx_spec_to_json(const struct gx_network_spec *spec)
{
    json_t *object = json_object();
    json_object_set_new(object, "network", json_string(spec->network->name));
    for (int i = 0; spec->network->sizes[i].name; i++) {
        const struct gx_size_rule *rule = &spec->network->sizes[i];
        json_object_set_new(object, rule->name, size_to_json(rule, spec->size[i]));
    }
    char *text = json_dumps(object, 0);
    json_decref(object);
    return text;
}

static int set_word(struct gx_network_spec *spec, const struct gx_size_rule *rule, const char *word,
                    struct gx_err *err)
{
    char known[256] = "";
    for (int i = 0; rule->words[i]; i++) {
        if (!strcmp(rule->words[i], word))
            return gx_spec_set(spec, rule->name, i, err);
        size_t end = strlen(known);
        snprintf(known + end, sizeof known - end, "%s%s", i ? ", " : "", rule->words[i]);
    }
    return gx_fail(err, GX_E_CONFIG, "'%s' of network '%s' is '%.40s', must be one of: %s",
                   rule->name, spec->network->name, word, known);
}

int gx_spec_set_word(struct gx_network_spec *spec, const char *name, const char *word,
                     struct gx_err *err)
{
    int i = size_index(spec, name);
    if (i < 0 || !spec->network->sizes[i].words)
        return gx_fail(err, GX_E_CONFIG, "network '%s' has no words for '%.40s'",
                       spec->network->name, name);
    return set_word(spec, &spec->network->sizes[i], word, err);
}

static int set_from_json(struct gx_network_spec *spec, const char *key, const json_t *value,
                         struct gx_err *err)
{
    int i = size_index(spec, key);
    if (i < 0)
        return gx_fail(err, GX_E_CONFIG, "network '%s' has no size '%.40s'", spec->network->name,
                       key);
    const struct gx_size_rule *rule = &spec->network->sizes[i];
    if (rule->words == gx_flag_words && json_is_boolean(value))
        return gx_spec_set(spec, key, json_is_true(value), err);
    if (rule->words && json_is_string(value))
        return set_word(spec, rule, json_string_value(value), err);
    if (!rule->words && json_is_integer(value)) {
        json_int_t number = json_integer_value(value);
        bool fits = number >= INT_MIN && number <= INT_MAX;
        return gx_spec_set(spec, key, fits ? (int)number : INT_MIN, err);
    }
    const char *kind = !rule->words                   ? "a whole number"
                       : rule->words == gx_flag_words ? "true or false"
                                                      : "a word";
    return gx_fail(err, GX_E_CONFIG, "'%s' of network '%s' must be %s", key, spec->network->name,
                   kind);
}

static int spec_from_object(struct gx_network_spec *spec, json_t *object, struct gx_err *err)
{
    const char *name = json_string_value(json_object_get(object, "network"));
    if (!name)
        return gx_fail(err, GX_E_CONFIG, "a network's description has no text 'network'");
    const struct gx_network *network = gx_network_find(name);
    if (!network)
        return gx_fail(err, GX_E_CONFIG, "there is no network '%.40s'", name);

    struct gx_network_spec made = gx_network_spec_of(network);
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        int r = strcmp(key, "network") ? set_from_json(&made, key, value, err) : 0;
        if (r)
            return r;
    }
    *spec = made;
    return 0;
}

int gx_spec_from_json(struct gx_network_spec *spec, const char *json, struct gx_err *err)
{
    json_error_t why;
    json_t *object = json_loads(json, JSON_REJECT_DUPLICATES, &why);
    int r;
    if (!object)
        r = gx_fail(err, GX_E_CONFIG, "a network's description is not JSON: %s", why.text);
    else
        r = spec_from_object(spec, object, err);
    json_decref(object);
    return r;
}

/* ---- names ---- */

/* Whether it is a network's own name and a number ("rrdbnet_23"), which becomes that size. */
static bool is_numbered(struct gx_network_spec *spec, const char *name)
{
    const struct gx_network *network = spec->network;
    size_t length = strlen(network->name);
    int value;
    char rest;
    return network->numbered && !strncmp(name, network->name, length) &&
           sscanf(name + length, "_%d%c", &value, &rest) == 1 &&
           !gx_spec_set(spec, network->numbered, value, NULL);
}

int gx_spec_from_name(struct gx_network_spec *spec, const char *name, struct gx_err *err)
{
    char known[512] = "";
    for (int i = 0; networks[i]; i++) {
        struct gx_network_spec made = gx_network_spec_of(networks[i]);
        if (!strcmp(networks[i]->name, name) ||
            (networks[i]->named && !networks[i]->named(&made, name)) || is_numbered(&made, name)) {
            *spec = made;
            return 0;
        }
        size_t end = strlen(known);
        snprintf(known + end, sizeof known - end, "%s%s", i ? ", " : "",
                 networks[i]->names ? networks[i]->names : networks[i]->name);
    }
    return gx_fail(err, GX_E_CONFIG, "there is no network '%.40s'; there are: %s", name, known);
}

/* ---- declaring ---- */

int gx_network_declare(const struct gx_network_spec *spec, struct gx_params *params,
                       struct gx_err *err)
{
    /* A picture that fits every network in its range of sizes; nothing is ever computed on it. */
    int multiple = spec->network->multiple(spec);
    int side = (1024 + multiple - 1) / multiple * multiple;
    int cin = gx_spec_get(spec, "cin"), labels = gx_spec_get(spec, "c_dim");
    struct gx_graph *graph = gx_graph_new();
    struct gx_node *x = gx_input(graph, (struct gx_shape){1, side, side, cin ? cin : 3}, "x");
    struct gx_node *label = NULL, *out[GX_OUTPUTS_MAX];
    if (labels)
        label = gx_input(graph, (struct gx_shape){1, 1, 1, labels}, "label");
    struct gx_build build = {.graph = graph, .params = params, .spec = spec};
    spec->network->build(&build, x, label, out);
    int r = gx_graph_check(graph, err);
    gx_graph_free(&graph);
    return r;
}

int gx_multiple_one(const struct gx_network_spec *spec)
{
    (void)spec;
    return 1;
}

int gx_scale_size(const struct gx_network_spec *spec)
{
    return gx_spec_get(spec, "scale");
}

int gx_enlargings(const struct gx_network_spec *spec)
{
    return gx_spec_get(spec, "scale") == 4 ? 2 : 1;
}

int gx_enlarging_factor(const struct gx_network_spec *spec)
{
    int scale = gx_spec_get(spec, "scale");
    return scale == 4 ? 2 : scale;
}

int gx_network_scale(const struct gx_network_spec *spec)
{
    return spec->network->scale ? spec->network->scale(spec) : 1;
}

int gx_network_shrink(const struct gx_network_spec *spec)
{
    return spec->network->shrink ? spec->network->shrink(spec) : 1;
}

/* ---- how far an output pixel sees ---- */

static bool has_statistics(const struct gx_network_spec *spec)
{
    struct gx_params params;
    bool found = false;
    gx_params_init(&params);
    if (!gx_network_declare(spec, &params, NULL))
        for (int i = 0; i < params.count; i++)
            found = found || params.param[i]->kind == GX_PARAM_RUNNING_MEAN;
    gx_params_clear(&params);
    return found;
}

int gx_network_reach(const struct gx_network_spec *spec, enum gx_stats stats)
{
    if (!spec->network->reach || (stats == GX_STATS_BATCH && has_statistics(spec)))
        return -1;
    return spec->network->reach(spec);
}

/* Towards minus infinity. */
static int divide_down(int a, int b)
{
    return (a >= 0 ? a : a - b + 1) / b;
}

struct gx_sight gx_before_conv(struct gx_sight s, int kernel)
{
    return (struct gx_sight){s.from - kernel / 2, s.to + kernel / 2};
}

struct gx_sight gx_before_enlarging(struct gx_sight s, int factor)
{
    return (struct gx_sight){divide_down(s.from, factor), divide_down(s.to, factor)};
}

struct gx_sight gx_before_unshuffle(struct gx_sight s, int factor)
{
    return (struct gx_sight){s.from * factor, s.to * factor + factor - 1};
}

int gx_reach_of(const struct gx_network_spec *spec, int period,
                struct gx_sight (*before)(const struct gx_network_spec *spec, struct gx_sight s))
{
    int scale = spec->network->scale(spec), most = 0;
    for (int at = 0; at < period; at++) {
        struct gx_sight s = before(spec, (struct gx_sight){at, at});
        int own = at / scale;
        most = own - s.from > most ? own - s.from : most;
        most = s.to - own > most ? s.to - own : most;
    }
    return most;
}
