#include "family/adversary.h"

#include "config/resolve.h"
#include "ganx/loss.h"

#include <math.h>
#include <string.h>

/* ---- what the configuration says ---- */

enum place { NOWHERE, INTERPOLATES, REAL, FAKE };

static const struct gx_adversarial *objective(const struct gx_config *c)
{
    return gx_adversarial_find(c->loss.gan);
}

static enum place penalised(const struct gx_config *c)
{
    static const char *const words[] = {"none", "interpolates", "real", "fake"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(c->loss.penalty, words[i]))
            return (enum place)i;
    return objective(c)->gradient_penalty ? INTERPOLATES : NOWHERE; /* auto */
}

static struct gx_targets targets_of(const struct gx_config *c)
{
    return (struct gx_targets){.smooth = (float)c->loss.smooth,
                               .fake = (float)c->loss.lsgan_fake,
                               .real = (float)c->loss.lsgan_real,
                               .wanted = (float)c->loss.lsgan_target};
}

static int check_penalty(const struct gx_config *c, struct gx_err *err)
{
    bool wanted = penalised(c) != NOWHERE;
    if (objective(c)->gradient_penalty && (!wanted || !(c->loss.gp > 0)))
        return gx_config_fail(c, wanted ? "loss.gp" : "loss.penalty", err,
                              "loss.gan %s is wgan with a gradient penalty, and %s leaves it out; "
                              "set loss.gan to wgan",
                              c->loss.gan, wanted ? "loss.gp 0" : "loss.penalty none");
    if (wanted && !(c->loss.gp > 0))
        return gx_config_fail(c, "loss.gp", err, "loss.penalty %s has the weight loss.gp 0",
                              c->loss.penalty);
    if (!wanted && (c->loss.gp_one_sided || c->loss.gp_centre != 1))
        return gx_config_fail(c, c->loss.gp_one_sided ? "loss.gp_one_sided" : "loss.gp_centre", err,
                              "%s needs a gradient penalty: set loss.penalty to interpolates, real "
                              "or fake",
                              c->loss.gp_one_sided ? "loss.gp_one_sided" : "loss.gp_centre");
    if (c->loss.gp_one_sided && c->loss.gp_centre == 0)
        return gx_config_fail(c, "loss.gp_one_sided", err,
                              "loss.gp_one_sided says nothing with loss.gp_centre 0: no gradient "
                              "is shorter");
    return 0;
}

static int check_targets(const struct gx_config *c, struct gx_err *err)
{
    enum gx_target_kind kind = objective(c)->targets;
    const char *key = c->loss.lsgan_fake != 0   ? "loss.lsgan_fake"
                      : c->loss.lsgan_real != 1 ? "loss.lsgan_real"
                                                : "loss.lsgan_target";
    bool labelled = c->loss.lsgan_fake != 0 || c->loss.lsgan_real != 1 || c->loss.lsgan_target != 1;
    if (c->loss.smooth > 0 && kind == GX_TARGETS_NONE)
        return gx_config_fail(c, "loss.smooth", err,
                              "loss.smooth changes the label of real pictures, and loss.gan %s has "
                              "no labels; non_saturating, minimax, max_likelihood and lsgan have",
                              c->loss.gan);
    if (labelled && kind != GX_TARGETS_SQUARES)
        return gx_config_fail(c, key, err, "%s is for loss.gan lsgan, and this is %s", key,
                              c->loss.gan);
    if (kind == GX_TARGETS_SQUARES && c->loss.lsgan_real - c->loss.smooth == c->loss.lsgan_fake)
        return gx_config_fail(c, key, err,
                              "loss.lsgan_real%s and loss.lsgan_fake are the same label: nothing "
                              "would be told apart",
                              c->loss.smooth > 0 ? " less loss.smooth" : "");
    return 0;
}

int gx_adversary_check(const struct gx_config *c, struct gx_err *err)
{
    int code = check_penalty(c, err);
    if (!code)
        code = check_targets(c, err);
    if (!code && c->net.spectral_norm && c->loss.clip > 0)
        code = gx_config_fail(c, "loss.clip", err,
                              "loss.clip cuts weights whose size net.spectral_norm takes out "
                              "again: use one of them");
    if (!code && c->loss.noise_until != 1 && !(c->loss.noise > 0))
        code = gx_config_fail(c, "loss.noise_until", err,
                              "loss.noise_until says when noise ends that loss.noise does not "
                              "begin: set loss.noise");
    return code;
}

const char *gx_adversary_warning(const struct gx_config *c)
{
    bool bounded = c->loss.clip > 0 || c->net.spectral_norm || penalised(c) != NOWHERE;
    if (!strcmp(c->loss.gan, "wgan") && !bounded)
        return "loss.gan wgan needs a discriminator in bounds, and nothing holds it: set loss.clip "
               "to 0.01, net.spectral_norm to true or loss.penalty to interpolates";
    return NULL;
}

double gx_adversary_noise(const struct gx_config *c, int64_t step, int64_t total)
{
    double end = c->loss.noise_until * (double)total;
    return end > 0 ? c->loss.noise * fmax(0, 1 - (double)step / end) : 0;
}

/* ---- the graph ---- */

/* What D sees instead of x: the loop says at each step how much noise there is. */
static struct gx_node *seen(struct gx_game *game, struct gx_graph *g, struct gx_node *x)
{
    if (!(game->config->loss.noise > 0))
        return x;
    if (!game->noise)
        game->noise = gx_input(g, (struct gx_shape){1, 1, 1, 1}, "noise");
    return gx_add(g, x, gx_mul(g, gx_normal(g, x->shape, 0, 1), game->noise));
}

/* D's own passes over real and generated pictures serve for the penalty there too. */
static struct gx_node *penalty(struct gx_game *game, struct gx_graph *g, int net,
                               struct gx_node *real, struct gx_node *fake,
                               const struct gx_verdict *v)
{
    const struct gx_config *c = game->config;
    struct gx_node *out[GX_OUTPUTS_MAX], *x, *y;
    switch (penalised(c)) {
    case NOWHERE:
        return NULL;
    case REAL:
        x = real;
        y = v->real[0];
        break;
    case FAKE:
        x = fake;
        y = v->fake[0];
        break;
    case INTERPOLATES:
        x = gx_interpolate(g, real, fake);
        gx_game_apply(game, g, net, x, NULL, false, out);
        y = out[0];
        break;
    }
    struct gx_node *p =
        gx_gradient_penalty(g, y, x, (float)c->loss.gp_centre, c->loss.gp_one_sided);
    return gx_scale(g, p, (float)c->loss.gp);
}

/* Whether D may see generated and real pictures as one batch: it must do with each what it would do
 * with it alone and keep no state that moves, and no penalty may ask for one half's gradient. */
static bool as_one_batch(const struct gx_game *game, int net)
{
    const struct gx_network_spec *spec = &game->net[net].spec;
    enum place place = penalised(game->config);
    return spec->network->apart && !gx_spec_get(spec, "spectral") && place != REAL && place != FAKE;
}

/* D's outputs on both. In one batch each weight is read once for the two and has one gradient, not
 * two to be added: where it has more of them than pixels to apply them to, that is most of the work.
 */
static void see_both(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *real,
                     struct gx_node *fake, struct gx_verdict *v)
{
    struct gx_node *out[GX_OUTPUTS_MAX] = {NULL};
    gx_game_apply(game, g, net, gx_concat(g, fake, real, GX_AXIS_N), NULL, true, out);
    for (int i = 0; i < GX_OUTPUTS_MAX && out[i]; i++) {
        struct gx_shape half = out[i]->shape;
        half.n /= 2;
        v->fake[i] = gx_slice(g, out[i], (struct gx_shape){0, 0, 0, 0}, half);
        v->real[i] = gx_slice(g, out[i], (struct gx_shape){half.n, 0, 0, 0}, half);
    }
}

void gx_judge(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *real,
              struct gx_node *fake, struct gx_verdict *v)
{
    const struct gx_config *c = game->config;
    const struct gx_targets targets = targets_of(c);
    *v = (struct gx_verdict){.penalty = NULL};
    /* As the reference: generated pictures first, the order in which running statistics move. */
    fake = seen(game, g, gx_stop_gradient(g, fake));
    if (as_one_batch(game, net)) {
        real = seen(game, g, real);
        see_both(game, g, net, real, fake, v);
    } else {
        gx_game_apply(game, g, net, fake, NULL, true, v->fake);
        real = seen(game, g, real);
        gx_game_apply(game, g, net, real, NULL, true, v->real);
    }
    gx_adversarial_judge(objective(c), &targets, g, v->real[0], v->fake[0], &v->d_real, &v->d_fake);
    v->loss = gx_scale(g, gx_add(g, v->d_real, v->d_fake), (float)c->loss.d);
    v->penalty = penalty(game, g, net, real, fake, v);
    if (v->penalty)
        v->loss = gx_add(g, v->loss, v->penalty);
}

struct gx_node *gx_fooled(const struct gx_game *game, struct gx_graph *g, struct gx_node *r,
                          struct gx_node *f)
{
    const struct gx_targets targets = targets_of(game->config);
    return gx_adversarial_fool(objective(game->config), &targets, g, r, f);
}

struct gx_node *gx_fool(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *real,
                        struct gx_node *fake, struct gx_node *out[GX_OUTPUTS_MAX])
{
    struct gx_node *own[GX_OUTPUTS_MAX], **f = out ? out : own, *r = NULL;
    gx_game_apply(game, g, net, seen(game, g, fake), NULL, true, f);
    if (objective(game->config)->generator_needs_real)
        r = gx_game_train(game, g, net, seen(game, g, real));
    return gx_fooled(game, g, r, f[0]);
}

struct gx_node *gx_regularise(struct gx_game *game, struct gx_step *step, struct gx_node *loss)
{
    double weight = game->config->loss.orthogonal;
    struct gx_graph *g = step->graph;
    struct gx_node *sum = NULL;
    for (int i = 0; i < game->nets && weight > 0; i++) {
        if (!game->net[i].generator)
            continue;
        struct gx_node *one = gx_orthogonality(g, &game->net[i].params);
        sum = sum ? gx_add(g, sum, one) : one;
    }
    if (!sum)
        return loss;
    return gx_add(g, loss, gx_step_log(step, "G_orth", gx_scale(g, sum, (float)weight)));
}
