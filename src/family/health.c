#include "family/health.h"

#include "family/adversary.h"
#include "ganx/loss.h"

/* The discriminator sees generated pictures once more, as it is now, and the generator's objective
 * goes back to them. Nothing of an earlier phase is read but pictures, so that no activation has to
 * wait for a phase that seldom runs. */
static void measure_gradient(struct gx_game *game, struct gx_graph *g, struct gx_watch *watch)
{
    const struct gx_adversarial *gan = gx_adversarial_find(game->config->loss.gan);
    struct gx_node *f = gx_game_use(game, g, watch->net, watch->fake);
    struct gx_node *r =
        gan->generator_needs_real ? gx_game_use(game, g, watch->net, watch->real) : NULL;
    struct gx_node *loss = gx_fooled(game, g, r, f);
    struct gx_node *const at[2] = {watch->output, f};
    struct gx_node *slope[2];
    gx_gradients(g, loss, NULL, at, 2, slope);
    if (!slope[0] || !slope[1]) /* the graph has an error already */
        return;
    watch->gradient = gx_keep(gx_sqrt(g, gx_sum(g, gx_square(g, slope[0]), GX_AXES_ALL)));
    watch->slope = gx_keep(gx_sum(g, gx_abs(g, slope[1]), GX_AXES_ALL));
}

static struct gx_node *picture(struct gx_graph *g, struct gx_node *x, int i)
{
    struct gx_shape at = {.n = i}, size = x->shape;
    size.n = 1;
    return gx_slice(g, x, at, size);
}

/* The generator without dropout, on one picture at a time: what differs comes from the input. */
static struct gx_node *make(struct gx_game *game, struct gx_graph *g, const struct gx_watch *watch,
                            struct gx_node *x)
{
    struct gx_trainee *t = &game->net[watch->maker];
    struct gx_build build = {.graph = g,
                             .params = &t->params,
                             .spec = &t->spec,
                             .stats = game->running ? GX_STATS_RUNNING : GX_STATS_BATCH};
    struct gx_node *out[GX_OUTPUTS_MAX];
    struct gx_node *label = watch->label ? picture(g, watch->label, 0) : NULL;
    t->spec.network->build(&build, x, label, out);
    return out[0];
}

static struct gx_node *distance(struct gx_graph *g, struct gx_node *a, struct gx_node *b)
{
    return gx_keep(gx_mean(g, gx_abs(g, gx_sub(g, a, b)), GX_AXES_ALL));
}

static void measure_swap(struct gx_game *game, struct gx_graph *g, struct gx_watch *watch)
{
    struct gx_node *one = picture(g, watch->input, 0), *other;
    if (watch->input->shape.n > 1)
        other = picture(g, watch->input, 1);
    else
        other = watch->earlier = gx_input(g, one->shape, "an earlier input");
    watch->differ = distance(g, one, other);
    watch->moved = distance(g, make(game, g, watch, one), make(game, g, watch, other));
}

void gx_step_health(struct gx_game *game, struct gx_step *step)
{
    struct gx_graph *g = step->graph;
    if (!step->watches)
        return;
    step->health = gx_graph_phase(g);
    for (int i = 0; i < step->watches; i++) {
        if (game->config->loss.gan_weight > 0)
            measure_gradient(game, g, &step->watch[i]);
        if (!game->labels.count || step->watch[i].label)
            measure_swap(game, g, &step->watch[i]);
    }
}
