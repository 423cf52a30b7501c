#include "family/learnt.h"

#include "config/resolve.h"
#include "family/model_keys.h"
#include "image/degrade.h"
#include "util/arena.h"
#include "util/file.h"

#include <string.h>

static bool is_learnt(const struct gx_config *c)
{
    return c->degrade.kind == GX_DEGRADE_LEARNT;
}

static int check(const struct gx_config *c, const struct gx_network_spec *spec, const char *range,
                 struct gx_err *err)
{
    int shrink = gx_network_shrink(spec), channels = gx_spec_get(spec, "cin");
    if (shrink != c->net.scale || channels != 3)
        return gx_config_fail(c, "degrade.model", err,
                              "degrade.model '%s' (network '%s') makes pictures of %d channels %d "
                              "times smaller, and with net.scale %d it is to be 3 channels and %d "
                              "times",
                              c->degrade.model, spec->network->name, channels, shrink, c->net.scale,
                              c->net.scale);
    if (range && strcmp(range, "0,1") != 0)
        return gx_config_fail(c, "degrade.model", err,
                              "degrade.model '%s' has values from %s, not from 0 to 1",
                              c->degrade.model, range);
    return 0;
}

/* The generator from B to A of a run's model, or the only one of a file. */
static int read_model(const struct gx_config *c, struct gx_network_spec *spec, const char **prefix,
                      struct gx_err *err)
{
    static const char *const prefixes[] = {GX_PREFIX_AVERAGE "G_B.", "G_B.", ""};
    struct gx_weights *file = NULL;
    struct gx_arena arena = {0};
    const char *path = c->degrade.model;
    if (gx_is_folder(path))
        path = gx_arena_format(&arena, "%s/model.safetensors", path);
    int code = gx_weights_open(&file, path, err), found = code ? code : -GX_E_FORMAT;
    for (int i = 0; i < 3 && !code && found; i++) {
        *prefix = prefixes[i];
        found = gx_network_infer(spec, file, prefixes[i], err);
    }
    code = found ? gx_context(err, -GX_E_CONFIG, "degrade.model '%s'", path)
                 : check(c, spec, gx_weights_metadata(file, GX_KEY_RANGE), err);
    gx_weights_close(&file);
    gx_arena_clear(&arena);
    return code;
}

int gx_learnt_setup(struct gx_game *game, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    struct gx_network_spec spec;
    const char *prefix = "";
    if (!is_learnt(c))
        return 0;
    if (!*c->degrade.model)
        return gx_config_fail(c, "degrade.kind", err,
                              "degrade.kind learnt needs degrade.model, what ganx cycle train with "
                              "net.scale %d made",
                              c->net.scale);
    int code = read_model(c, &spec, &prefix, err);
    if (code)
        return code;
    game->down = game->nets++;
    game->net[game->down] = (struct gx_trainee){.name = "degradation",
                                                .spec = spec,
                                                .fixed = true,
                                                .file = c->degrade.model,
                                                .prefix = prefix};
    return 0;
}

struct gx_node *gx_learnt_small(struct gx_game *game, struct gx_graph *g, struct gx_node *sharp)
{
    if (!game->down)
        return NULL;
    struct gx_node *low = gx_game_use(game, g, game->down, sharp);
    return gx_clamp(g, gx_stop_gradient(g, low), 0, 1);
}
