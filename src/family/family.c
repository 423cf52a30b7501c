#include "family/family.h"

#include "family/adversary.h"
#include "family/health.h"
#include "graph/operator.h"

#include <stdio.h>
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

/* Spectral norm, in discriminators that leave it open. */
static int bound(struct gx_trainee *net, const struct gx_config *c, struct gx_err *err)
{
    if (net->generator || net->fixed || !c->net.spectral_norm ||
        !gx_spec_has(&net->spec, "spectral"))
        return 0;
    return gx_spec_set(&net->spec, "spectral", true, err);
}

int gx_game_init(struct gx_game *game, const struct gx_family *family,
                 const struct gx_config *config, const struct gx_label_kind *labels,
                 struct gx_err *err)
{
    *game = (struct gx_game){.family = family, .config = config, .low = -1, .high = 1};
    for (int s = 0; s < GX_SLOTS_MAX; s++)
        game->shrink[s] = 1;
    if (labels)
        game->labels = *labels;
    int code = gx_adversary_check(config, err);
    if (!code)
        code = family->setup(game, err);
    for (int i = 0; i < game->nets && !code; i++)
        code = bound(&game->net[i], config, err);
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

/* ---- choosing networks ---- */

/* Why not `name`, and what instead. */
static int no_such_role(const struct gx_game *game, const char *name, bool generator,
                        const char *has, bool role, struct gx_err *err)
{
    const char *noun = generator ? "generator" : "discriminator";
    char fit[256] = "";
    for (int i = 0; gx_network_at(i); i++) {
        const struct gx_network *network = gx_network_at(i);
        struct gx_network_spec spec = gx_network_spec_of(network);
        size_t end = strlen(fit);
        if (network->generator == generator && gx_spec_has(&spec, has))
            snprintf(fit + end, sizeof fit - end, "%s%s", end ? ", " : "",
                     network->names ? network->names : network->name);
    }
    return gx_fail(err, GX_E_CONFIG, "'%s' is not a %s%s%s; there are: %s", name, noun,
                   role ? " for " : "", role ? game->family->name : "", fit);
}

int gx_game_choose(struct gx_game *game, int net, const char *name, bool generator, const char *has,
                   struct gx_err *err)
{
    struct gx_trainee *t = &game->net[net];
    int code = gx_spec_from_name(&t->spec, name, err);
    bool role = !code && t->spec.network->generator == generator;
    if (!code && (!role || !gx_spec_has(&t->spec, has)))
        code = no_such_role(game, name, generator, has, role, err);
    t->generator = generator;
    return code;
}

int gx_game_choose_translator(struct gx_game *game, int net, int cin, int cout, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    struct gx_network_spec *spec = &game->net[net].spec;
    int code = gx_game_choose(game, net, c->net.generator, true, "ngf", err);
    if (code || (code = gx_spec_set(spec, "cin", cin, err)) ||
        (code = gx_spec_set(spec, "cout", cout, err)) ||
        (code = gx_spec_set(spec, "ngf", c->net.ngf, err)) ||
        (code = gx_spec_set(spec, "drop", c->net.dropout, err)))
        return code;
    return gx_spec_set_word(spec, "norm", c->net.norm, err);
}

int gx_game_choose_judge(struct gx_game *game, int net, int cin, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    struct gx_network_spec *spec = &game->net[net].spec;
    int code = gx_game_choose(game, net, c->net.discriminator, false, "ndf", err);
    if (code || (code = gx_spec_set(spec, "cin", cin, err)) ||
        (code = gx_spec_set(spec, "ndf", c->net.ndf, err)))
        return code;
    if (gx_spec_get(spec, "n_layers")) /* the pixel discriminator has none */
        code = gx_spec_set(spec, "n_layers", c->net.n_layers, err);
    return code ? code : gx_spec_set_word(spec, "norm", c->net.norm, err);
}

int gx_game_choose_enlarger(struct gx_game *game, int net, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    struct gx_network_spec *spec = &game->net[net].spec;
    int code = gx_game_choose(game, net, c->net.generator, true, "scale", err);
    bool bare = !code && !strcmp(c->net.generator, spec->network->name); /* or "rrdbnet_6" */
    if (code || (code = gx_spec_set_if_any(spec, "scale", c->net.scale, err)) ||
        (code = gx_spec_set_if_any(spec, "nf", c->net.ngf, err)) ||
        (bare && (code = gx_spec_set_if_any(spec, "nb", c->net.blocks, err))) ||
        (bare && (code = gx_spec_set_if_any(spec, "nconv", c->net.blocks, err))))
        return code;
    return gx_spec_set_if_any(spec, "gc", c->net.growth, err);
}

/* ---- building ---- */

void gx_game_build_step(struct gx_game *game, int batch, int h, int w, struct gx_step *step)
{
    *step = (struct gx_step){.health = -1};
    game->noise = NULL;
    game->family->build_step(game, batch, h, w, step);
    if (game->config->health.every > 0)
        gx_step_health(game, step);
    step->noise = game->noise;
}

void gx_game_build_pixel_step(struct gx_game *game, int batch, int h, int w, struct gx_step *step)
{
    *step = (struct gx_step){.health = -1};
    game->noise = NULL;
    game->pixels_only = true;
    game->family->build_step(game, batch, h, w, step);
    game->pixels_only = false;
}

uint64_t gx_step_repeated(const struct gx_step *step)
{
    uint64_t phases = 0;
    for (int i = 0; i < step->phases; i++)
        if (step->phase[i].repeat > 1)
            phases |= UINT64_C(1) << i;
    return phases;
}

double gx_step_flops(const struct gx_step *step, const struct gx_plan *plan)
{
    double sum = 0, seconds;
    for (int i = 0; i < gx_plan_facts(plan).nodes; i++) {
        const struct gx_node *node = gx_plan_step(plan, i, &seconds);
        int repeat = node->phase < step->phases ? step->phase[node->phase].repeat : 0;
        if (node->op->flops)
            sum += repeat * node->op->flops(node);
    }
    return sum;
}

void gx_game_apply(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *x,
                   struct gx_node *label, bool training, struct gx_node *out[GX_OUTPUTS_MAX])
{
    struct gx_trainee *t = &game->net[net];
    bool running = game->running && t->generator && !training;
    struct gx_build build = {.graph = g,
                             .params = &t->params,
                             .spec = &t->spec,
                             .stats = running ? GX_STATS_RUNNING : GX_STATS_BATCH,
                             .dropout = game->config->net.dropout,
                             .update_running = training};
    t->spec.network->build(&build, x, label, out);
}

struct gx_node *gx_game_train(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *x)
{
    struct gx_node *out[GX_OUTPUTS_MAX];
    gx_game_apply(game, g, net, x, NULL, true, out);
    return out[0];
}

struct gx_node *gx_game_use(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *x)
{
    struct gx_node *out[GX_OUTPUTS_MAX];
    gx_game_apply(game, g, net, x, NULL, false, out);
    return out[0];
}

struct gx_node *gx_step_log(struct gx_step *step, const char *name, struct gx_node *value)
{
    step->loss[step->losses++] = (struct gx_loss){name, gx_keep(value)};
    return value;
}

struct gx_node *gx_step_measure(struct gx_step *step, const char *name, struct gx_node *value)
{
    step->measure[step->measures++] = (struct gx_loss){name, gx_keep(value)};
    return value;
}

struct gx_node *gx_step_pool(struct gx_game *game, struct gx_step *step, struct gx_node *made)
{
    if (!game->config->train.pool)
        return gx_stop_gradient(step->graph, made);
    struct gx_node *shown = gx_input(step->graph, made->shape, "pooled");
    step->pool[step->pools++] = (struct gx_pool_tap){gx_keep(made), shown};
    return shown;
}

void gx_step_watch(struct gx_step *step, const struct gx_watch *watch)
{
    gx_keep(watch->r);
    gx_keep(watch->f);
    gx_keep(watch->input);
    gx_keep(watch->output);
    gx_keep(watch->target);
    struct gx_watch *w = &step->watch[step->watches++];
    *w = *watch;
    w->real = w->real ? w->real : w->target;
    w->fake = w->fake ? w->fake : w->output;
}

struct gx_node *gx_preview_column(struct gx_preview *preview, const char *title,
                                  struct gx_node *value)
{
    preview->column[preview->columns].title = title;
    preview->column[preview->columns++].value = gx_keep(value);
    return value;
}
