/* ganx info --models: the installed models, in the order in which they are found. */
#include "cmd/cmd.h"
#include "cmd/describe.h"
#include "family/model_keys.h"
#include "model/find.h"
#include "net/vgg.h"
#include "util/file.h"

#include <stdlib.h>
#include <string.h>

enum { MODELS_MAX = 1000 };

struct listing {
    struct gx_arena arena;
    const char *name[MODELS_MAX]; /* so far: those of later folders are hidden */
    int names;
    bool listed; /* one of them: not every file is a model of the family */
    const char *family;
    json_t *json; /* NULL: as text */
};

/* The first line of a card, without the marks of a heading. */
static const char *title_of(struct gx_arena *arena, const struct gx_weights *file)
{
    const char *text = gx_weights_metadata(file, GX_KEY_CARD);
    text = text ? text + strspn(text, "# \n") : "";
    return gx_arena_format(arena, "%.*s", (int)strcspn(text, "\n"), text);
}

static void list_text(struct gx_arena *arena, const char *name, const char *path, const char *title,
                      const struct gx_card *card)
{
    const char *directions = gx_card_directions(arena, card);
    const char *domains = gx_card_domains(arena, card);
    printf("%s\n", gx_clean(arena, name));
    if (*title)
        printf("    %s\n", gx_clean(arena, title));
    printf("    %s%s%s%s%s\n    %s\n", gx_clean(arena, card->family), *directions ? ": " : "",
           directions, *domains ? ": " : "", gx_clean(arena, domains), gx_clean(arena, path));
}

static void list_json(struct listing *l, const char *name, const char *path, const char *title,
                      const struct gx_card *card)
{
    json_t *object = json_object();
    json_object_set_new(object, "name", gx_json_text(&l->arena, name));
    json_object_set_new(object, "title", gx_json_text(&l->arena, title));
    json_object_set_new(object, "file", gx_json_text(&l->arena, path));
    gx_card_json(object, &l->arena, card);
    json_array_append_new(l->json, object);
}

/* A network of features, which no family translates with. */
static void list_features(struct listing *l, const char *name, const char *path,
                          const struct gx_weights *file)
{
    const char *title = title_of(&l->arena, file);
    struct gx_network_spec spec;
    if (*l->family || gx_network_infer(&spec, file, "", NULL) || !gx_is_vgg(spec.network))
        return;
    l->listed = true;
    if (l->json)
        json_array_append_new(
            l->json, json_pack("{s:o,s:o,s:o,s:s}", "name", gx_json_text(&l->arena, name), "title",
                               gx_json_text(&l->arena, title), "file",
                               gx_json_text(&l->arena, path), "features", spec.network->name));
    else
        printf("%s\n%s%s%s    features: %s\n    %s\n", gx_clean(&l->arena, name),
               *title ? "    " : "", gx_clean(&l->arena, title), *title ? "\n" : "",
               spec.network->name, gx_clean(&l->arena, path));
}

static void list_file(struct listing *l, const char *name, const char *path)
{
    struct gx_weights *file = NULL;
    struct gx_card card;
    if (gx_weights_open(&file, path, NULL))
        return;
    if (gx_card_read(&card, file, NULL)) {
        list_features(l, name, path, file);
    } else if (!*l->family || gx_card_fits(&card, l->family)) {
        const char *title = title_of(&l->arena, file);
        l->listed = true;
        if (l->json)
            list_json(l, name, path, title, &card);
        else
            list_text(&l->arena, name, path, title, &card);
    }
    gx_weights_close(&file);
}

static bool is_new(struct listing *l, const char *name)
{
    for (int i = 0; i < l->names; i++)
        if (!strcmp(l->name[i], name))
            return false;
    if (l->names == MODELS_MAX)
        return false;
    l->name[l->names++] = name;
    return true;
}

static void list_folder(struct listing *l, const char *folder)
{
    static const char suffix[] = ".safetensors";
    struct gx_names names;
    if (gx_folder_list(folder, &names, NULL)) /* most of them are not there */
        return;
    for (size_t i = 0; i < names.count; i++) {
        size_t length = strlen(names.name[i]), end = strlen(suffix);
        if (length <= end || strcmp(names.name[i] + length - end, suffix) != 0)
            continue;
        const char *name = gx_arena_format(&l->arena, "%.*s", (int)(length - end), names.name[i]);
        const char *path = gx_arena_format(&l->arena, "%s/%s", folder, names.name[i]);
        if (gx_is_file(path) && is_new(l, name))
            list_file(l, name, path);
    }
    gx_names_free(&names);
}

int gx_models_list(const struct gx_config *config, struct gx_report *report)
{
    struct listing l = {.family = config->family, .json = config->json ? json_array() : NULL};
    for (const char *const *folder = gx_model_folders(&l.arena); *folder; folder++)
        list_folder(&l, *folder);
    char *text = l.json ? json_dumps(l.json, JSON_INDENT(2)) : NULL;
    if (text)
        puts(text);
    free(text);
    if (!l.listed) {
        const char *own = gx_model_own_folder(&l.arena);
        gx_report(report, GX_INFO, "models",
                  "no model is installed%s%s; they lie in '%s' and others",
                  *l.family ? " for " : "", l.family, own ? own : "models");
    }
    json_decref(l.json);
    gx_arena_clear(&l.arena);
    return GX_EXIT_DONE;
}
