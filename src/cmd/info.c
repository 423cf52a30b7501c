/* ganx info: what a weight file holds, from its header alone. */
#include "cmd/cmd.h"
#include "cmd/describe.h"
#include "family/model_keys.h"
#include "model/find.h"
#include "net/vgg.h"
#include "util/arena.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NETWORKS_MAX = 8, TENSORS_SHOWN = 12 };

struct network { /* one that the file holds */
    const char *prefix, *direction;
    struct gx_network_spec spec;
    int64_t parameters;
};

struct contents {
    const char *path;
    int64_t bytes;
    const struct gx_weights *file;
    struct gx_card card;
    bool usable; /* the card was read: a generator */
    struct network network[NETWORKS_MAX];
    int networks;
    struct gx_arena arena;
};

/* ---- finding out ---- */

static void add_network(struct contents *c, const char *prefix, const struct gx_network_spec *spec)
{
    struct gx_params params;
    if (c->networks == NETWORKS_MAX)
        return;
    struct network *n = &c->network[c->networks++];
    *n = (struct network){.prefix = prefix, .spec = *spec, .direction = ""};
    for (int i = 0; c->usable && i < c->card.generators; i++) {
        const struct gx_generator *g = &c->card.generator[i];
        size_t length = strlen(g->name);
        if (!strncmp(prefix, g->name, length) && !strcmp(prefix + length, length ? "." : ""))
            n->direction = g->direction;
    }
    gx_params_init(&params);
    if (!gx_network_declare(spec, &params, NULL))
        for (int i = 0; i < params.count; i++)
            if (gx_param_trained(params.param[i]))
                n->parameters += gx_count(params.param[i]->shape);
    gx_params_clear(&params);
}

/* What the metadata say: "ganx.network" of bare names, "ganx.network.G" of "G." */
static void find_said(struct contents *c)
{
    for (int i = 0; i < gx_weights_metadata_count(c->file); i++) {
        const char *key, *value, *rest;
        struct gx_network_spec spec;
        gx_weights_metadata_at(c->file, i, &key, &value);
        if (strncmp(key, GX_KEY_NETWORK, strlen(GX_KEY_NETWORK)) != 0)
            continue;
        rest = key + strlen(GX_KEY_NETWORK);
        if ((*rest && *rest != '.') || gx_spec_from_json(&spec, value, NULL))
            continue;
        add_network(c, *rest ? gx_arena_format(&c->arena, "%s.", rest + 1) : "", &spec);
    }
}

/* What names and shapes say. */
static void find_inferred(struct contents *c)
{
    static const char *const prefixes[] = {"", "G.", "D.", "G_A.", "G_B.", "D_A.", "D_B."};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        struct gx_network_spec spec;
        if (!gx_network_infer(&spec, c->file, prefixes[i], NULL))
            add_network(c, prefixes[i], &spec);
    }
}

/* The number types in the file, in the order of their first use: "F32, I64". */
static const char *types_of(struct contents *c)
{
    unsigned seen = 0;
    const char *text = "";
    for (int i = 0; i < gx_weights_count(c->file); i++) {
        enum gx_dtype type = gx_weights_info(c->file, i)->dtype;
        if (!(seen >> type & 1))
            text =
                gx_arena_format(&c->arena, "%s%s%s", text, seen ? ", " : "", gx_dtype_name(type));
        seen |= 1U << type;
    }
    return text;
}

static int64_t values_of(const struct contents *c)
{
    int64_t values = 0;
    for (int i = 0; i < gx_weights_count(c->file); i++)
        values += gx_weights_info(c->file, i)->count;
    return values;
}

/* ---- as text ---- */

static void line(const char *name, const char *format, ...) GX_PRINTF(2, 3);
static void line(const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("%-12s", name);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

static const char *clean(struct contents *c, const char *text)
{
    return gx_clean(&c->arena, text);
}

static void print_network(struct contents *c, const struct network *n)
{
    const struct gx_size_rule *sizes = n->spec.network->sizes;
    const char *text = n->spec.network->name;
    for (int i = 0; sizes[i].name; i++) {
        int value = n->spec.size[i];
        const char *comma = i ? ", " : ": ";
        text = sizes[i].words
                   ? gx_arena_format(&c->arena, "%s%s%s %s", text, comma, sizes[i].name,
                                     sizes[i].words[value])
                   : gx_arena_format(&c->arena, "%s%s%s %d", text, comma, sizes[i].name, value);
    }
    const char *prefix = *n->prefix ? gx_arena_format(&c->arena, " (%s)", n->prefix) : "";
    const char *does = *n->prefix && *n->direction ? n->direction : "";
    line("network", "%s%s%s%s", text, clean(c, prefix), *does ? " " : "", does);
    line("parameters", "%" PRId64 "%s", n->parameters, clean(c, prefix));
}

static void print_tensors(struct contents *c, int most)
{
    int count = gx_weights_count(c->file), shown = count <= most ? count : most;
    for (int i = 0; i < shown; i++) {
        const struct gx_tensor_info *t = gx_weights_info(c->file, i);
        printf("  %-5s (", gx_dtype_name(t->dtype));
        for (int k = 0; k < t->rank; k++)
            printf("%s%" PRId64, k ? ", " : "", t->dims[k]);
        printf(")  %s\n", clean(c, t->name));
    }
    if (shown < count)
        printf("  ... and %d more: --tensors lists all\n", count - shown);
}

/* Of the networks that enlarge. */
static void print_scale(const struct contents *c)
{
    int reach = gx_card_reach(&c->card);
    if (!c->card.spec.network->scale)
        return;
    line("scale", "%d", gx_network_scale(&c->card.spec));
    if (reach >= 0)
        line("reach", "%d pixels of the input on each side", reach);
    else
        line("reach", "the whole picture");
}

/* A text of several lines, indented. */
static void print_lines(struct contents *c, const char *title, const char *text)
{
    puts(title);
    while (*text) {
        int length = (int)strcspn(text, "\n");
        printf("  %s\n", clean(c, gx_arena_format(&c->arena, "%.*s", length, text)));
        text += length + (text[length] == '\n');
    }
}

/* Texts of one line; those with many come last. */
static void print_metadata(struct contents *c)
{
    static const char *const long_ones[][2] = {{GX_KEY_CARD, "card"},
                                               {GX_KEY_CONFIG, "configuration"}};
    for (int i = 0; i < gx_weights_metadata_count(c->file); i++) {
        const char *key, *value;
        gx_weights_metadata_at(c->file, i, &key, &value);
        if (strcmp(key, GX_KEY_CARD) != 0 && strcmp(key, GX_KEY_CONFIG) != 0)
            printf("  %s = %.200s\n", clean(c, key), clean(c, value));
    }
    for (int i = 0; i < 2; i++) {
        const char *text = gx_weights_metadata(c->file, long_ones[i][0]);
        if (text)
            print_lines(c, long_ones[i][1], text);
    }
}

static void print_text(struct contents *c, bool tensors)
{
    line("file", "%s", clean(c, c->path));
    line("format", "%s", gx_weights_format(c->file));
    if (c->usable)
        line("family", "%s%s", *c->card.family ? clean(c, c->card.family) : "unknown",
             c->card.said ? "" : " (by its network)");
    for (int i = 0; i < c->networks; i++)
        print_network(c, &c->network[i]);
    if (!c->usable && c->networks && gx_is_vgg(c->network[0].spec.network))
        line("features", "%s", c->network[0].spec.network->help);
    if (!c->networks)
        line("network", "unknown: no network here has these tensors");
    if (c->usable) {
        if (*c->card.direction)
            line("direction", "%s", gx_card_directions(&c->arena, &c->card));
        const char *domains = gx_card_domains(&c->arena, &c->card);
        if (*domains)
            line("domains", "%s", clean(c, domains));
        line("norm stats", "%s", c->card.running ? "running" : "image");
        line("dropout", "%s", c->card.dropout ? "on" : "off");
        if (c->card.size)
            line("trained at", "%d x %d", c->card.size, c->card.size);
        line("values", "%g to %g", c->card.low, c->card.high);
        print_scale(c);
    }
    const char *step = gx_weights_metadata(c->file, GX_KEY_STEP);
    if (step)
        line("step", "%s", clean(c, step));
    line("types", "%s", types_of(c));
    line("tensors", "%d, %" PRId64 " values", gx_weights_count(c->file), values_of(c));
    line("bytes", "%" PRId64 " (%.1f MiB)", c->bytes, (double)c->bytes / 0x1p20);
    if (gx_weights_metadata_count(c->file)) {
        puts("metadata");
        print_metadata(c);
    }
    if (tensors || !c->networks) {
        puts("tensors");
        print_tensors(c, tensors ? INT32_MAX : TENSORS_SHOWN);
    }
}

/* ---- as JSON ---- */

static json_t *networks_json(struct contents *c)
{
    json_t *list = json_array();
    for (int i = 0; i < c->networks; i++) {
        char *spec = gx_spec_to_json(&c->network[i].spec);
        json_t *object = json_loads(spec, 0, NULL);
        free(spec);
        json_object_set_new(object, "prefix", gx_json_text(&c->arena, c->network[i].prefix));
        json_object_set_new(object, "direction", json_string(c->network[i].direction));
        json_object_set_new(object, "parameters", json_integer(c->network[i].parameters));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *tensors_json(struct contents *c)
{
    json_t *list = json_array();
    for (int i = 0; i < gx_weights_count(c->file); i++) {
        const struct gx_tensor_info *t = gx_weights_info(c->file, i);
        json_t *shape = json_array(), *object = json_object();
        for (int k = 0; k < t->rank; k++)
            json_array_append_new(shape, json_integer(t->dims[k]));
        json_object_set_new(object, "name", gx_json_text(&c->arena, t->name));
        json_object_set_new(object, "dtype", json_string(gx_dtype_name(t->dtype)));
        json_object_set_new(object, "shape", shape);
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *metadata_json(struct contents *c)
{
    json_t *object = json_object();
    for (int i = 0; i < gx_weights_metadata_count(c->file); i++) {
        const char *key, *value;
        gx_weights_metadata_at(c->file, i, &key, &value);
        json_object_set_new(object, key, gx_json_text(&c->arena, value));
    }
    return object;
}

static void print_json(struct contents *c, bool tensors)
{
    json_t *object = json_object();
    json_object_set_new(object, "file", gx_json_text(&c->arena, c->path));
    json_object_set_new(object, "format", json_string(gx_weights_format(c->file)));
    if (c->usable)
        gx_card_json(object, &c->arena, &c->card);
    json_object_set_new(object, "networks", networks_json(c));
    const char *step = gx_weights_metadata(c->file, GX_KEY_STEP);
    if (step)
        json_object_set_new(object, "step", json_integer(strtoll(step, NULL, 10)));
    json_object_set_new(object, "types", json_string(types_of(c)));
    json_object_set_new(object, "tensor_count", json_integer(gx_weights_count(c->file)));
    json_object_set_new(object, "values", json_integer(values_of(c)));
    json_object_set_new(object, "bytes", json_integer(c->bytes));
    json_object_set_new(object, "metadata", metadata_json(c));
    if (tensors || !c->networks)
        json_object_set_new(object, "tensors", tensors_json(c));
    char *text = json_dumps(object, JSON_INDENT(2));
    if (text)
        puts(text);
    free(text);
    json_decref(object);
}

static int run_info(struct gx_config *config, struct gx_report *report)
{
    struct contents c = {.networks = 0};
    struct gx_weights *file = NULL;
    struct gx_err err;
    struct stat s;
    char *path = NULL;
    if (config->info.models && !config->operands)
        return gx_models_list(config, report);
    if (config->operands != 1 || config->info.models) {
        gx_report(report, GX_ERROR, "error",
                  "'info' takes one file, run's folder or installed model, or --models alone");
        return GX_EXIT_USAGE;
    }
    int code = gx_model_find(config->operand[0], &path, &err);
    if (!code)
        code = gx_weights_open(&file, path, &err);
    if (code) {
        free(path);
        return gx_fail_at(report, code, GX_AT_MODEL, &err);
    }
    c.path = path;
    c.file = file;
    c.bytes = stat(path, &s) ? 0 : s.st_size;
    c.usable = !gx_card_read(&c.card, file, &err);
    find_said(&c);
    if (!c.networks)
        find_inferred(&c);
    if (config->json)
        print_json(&c, config->info.tensors);
    else
        print_text(&c, config->info.tensors);
    gx_weights_close(&file);
    gx_arena_clear(&c.arena);
    free(path);
    return GX_EXIT_DONE;
}

const struct gx_command gx_command_info = {
    .name = "info",
    .verb = GX_VERB_INFO,
    .of_family = true,
    .alone = true,
    .summary = "what a model, a checkpoint or any file of weights holds",
    .usage = (const char *const[]){"[--tensors] [--json] FILE", "[--json] --models", NULL},
    .run = run_info,
};
