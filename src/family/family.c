#include "family/family.h"

#include <string.h>

#define GX_FAMILY(name) extern const struct gx_family gx_family_##name;
#include "family/list.h"
#undef GX_FAMILY

#define GX_FAMILY(name) &gx_family_##name,
const struct gx_family *const gx_families[] = {
#include "family/list.h"
    NULL};
#undef GX_FAMILY

const struct gx_family *gx_family_find(const char *name)
{
    for (int i = 0; gx_families[i]; i++)
        if (!strcmp(gx_families[i]->name, name))
            return gx_families[i];
    return NULL;
}

int gx_game_init(struct gx_game *game, const struct gx_family *family,
                 const struct gx_config *config, struct gx_err *err)
{
    *game = (struct gx_game){.family = family, .config = config};
    int code = family->setup(game, err);
    for (int i = 0; i < game->nets && !code; i++) {
        gx_params_init(&game->net[i].params);
        code = gx_network_declare(&game->net[i].spec, &game->net[i].params, err);
        gx_params_layout(&game->net[i].params);
    }
    if (code)
        gx_game_clear(game);
    return code;
}

void gx_game_clear(struct gx_game *game)
{
    for (int i = 0; i < game->nets; i++)
        gx_params_clear(&game->net[i].params);
    game->nets = 0;
}

static struct gx_node *apply(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *x,
                             bool training)
{
    struct gx_trainee *t = &game->net[net];
    struct gx_build build = {.graph = g,
                             .params = &t->params,
                             .spec = &t->spec,
                             .stats = GX_STATS_BATCH,
                             .dropout = game->config->net.dropout,
                             .update_running = training};
    struct gx_node *out[GX_OUTPUTS_MAX];
    t->spec.network->build(&build, x, NULL, out);
    return out[0];
}

struct gx_node *gx_game_train(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *x)
{
    return apply(game, g, net, x, true);
}

struct gx_node *gx_game_use(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *x)
{
    return apply(game, g, net, x, false);
}

struct gx_node *gx_step_log(struct gx_step *step, const char *name, struct gx_node *value)
{
    step->loss[step->losses++] = (struct gx_loss){name, gx_keep(value)};
    return value;
}
