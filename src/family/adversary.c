#include "family/adversary.h"

#include "ganx/loss.h"

static const struct gx_adversarial *objective(const struct gx_game *game)
{
    return gx_adversarial_find(game->config->loss.gan);
}

void gx_judge(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *real,
              struct gx_node *fake, struct gx_verdict *v)
{
    const struct gx_config *c = game->config;
    const struct gx_adversarial *gan = objective(game);
    *v = (struct gx_verdict){.penalty = NULL};
    fake = gx_stop_gradient(g, fake);
    /* As the reference: generated pictures first, the order in which running statistics move. */
    gx_game_apply(game, g, net, fake, NULL, true, v->fake);
    gx_game_apply(game, g, net, real, NULL, true, v->real);
    gan->discriminator(g, v->real[0], v->fake[0], &v->d_real, &v->d_fake);
    v->loss = gx_scale(g, gx_add(g, v->d_real, v->d_fake), (float)c->loss.d);
    if (gan->gradient_penalty && c->loss.gp > 0) {
        struct gx_node *between = gx_interpolate(g, real, fake), *out[GX_OUTPUTS_MAX];
        gx_game_apply(game, g, net, between, NULL, false, out);
        v->penalty = gx_scale(g, gx_gradient_penalty(g, out[0], between, 1), (float)c->loss.gp);
        v->loss = gx_add(g, v->loss, v->penalty);
    }
}

struct gx_node *gx_fool(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *real,
                        struct gx_node *fake, struct gx_node *out[GX_OUTPUTS_MAX])
{
    const struct gx_adversarial *gan = objective(game);
    struct gx_node *own[GX_OUTPUTS_MAX], **f = out ? out : own;
    gx_game_apply(game, g, net, fake, NULL, true, f);
    struct gx_node *r = gan->generator_needs_real ? gx_game_train(game, g, net, real) : NULL;
    return gan->generator(g, r, f[0]);
}
