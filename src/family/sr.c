/* Super-resolution: SRResNet and SRGAN (Ledig et al. 2017), ESRGAN (Wang et al. 2018), Real-ESRGAN
 * (Wang et al. 2021).
 *
 *     low --> G --> fake      the sharp picture is `scale` times as large
 *   G:   pix |fake - sharp| + perceptual |VGG(fake) - VGG(sharp)| + gan G_GAN     stepped first
 *   D:   d (D_real + D_fake)                   sees sharp and generated pictures alone
 *
 * Pictures are in [0, 1]. As in BasicSR the generator steps first, and losses are logged with their
 * weights. With loss.gan_weight 0 there is no D. With a third slot, the sharp picture sharpened once
 * more, pixel and perceptual losses aim at that one and D at the plain one (Real-ESRGAN). With
 * several critic steps for one of the generator's, D goes first, on pictures made for each of them.
 * With a learnt degradation `low` is made in the step, of the sharpened picture if there is one; and
 * of held-out pictures, with the same noise each time. */
#include "family/adversary.h"
#include "family/learnt.h"
#include "family/perceptual.h"

#include "ganx/loss.h"

enum { G, D };
enum { LOW, SHARP, SHARPENED };

/* ---- networks ---- */

static int choose_judge(struct gx_game *game, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    struct gx_network_spec *spec = &game->net[D].spec;
    int code = gx_game_choose(game, D, c->net.discriminator, false, "cin", err);
    if (code || (code = gx_spec_set_if_any(spec, "nf", c->net.ndf, err)) ||
        (code = gx_spec_set_if_any(spec, "ndf", c->net.ndf, err)) ||
        (code = gx_spec_set_if_any(spec, "n_layers", c->net.n_layers, err)) ||
        (code = gx_spec_set_if_any(spec, "hidden", c->net.hidden, err)))
        return code;
    return gx_spec_set_if_any(spec, "size", c->data.crop_size, err);
}

static int setup(struct gx_game *game, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    if (!(c->loss.pix > 0 || c->loss.gan_weight > 0 || c->loss.perceptual > 0 || c->loss.style > 0))
        return gx_fail(err, GX_E_CONFIG,
                       "nothing to learn from: loss.pix, loss.gan_weight, loss.perceptual and "
                       "loss.style are all 0");
    game->slots = c->degrade.usm ? 3 : 2;
    for (int k = 0; k < game->slots; k++)
        game->channels[k] = 3;
    game->shrink[LOW] = c->net.scale;
    game->low = 0;
    game->running = game->photos = true;
    game->net[G].name = "G";
    game->nets = 1;
    int code = gx_game_choose_enlarger(game, G, err);
    if (!code && c->loss.gan_weight > 0) {
        game->net[D].name = "D";
        game->nets = 2;
        code = choose_judge(game, err);
    }
    if (!code)
        code = gx_learnt_setup(game, err);
    return code ? code : gx_perceptual_setup(game, err);
}

/* ---- a step ---- */

static bool judged(const struct gx_game *game)
{
    return game->config->loss.gan_weight > 0 && !game->pixels_only;
}

struct turn {
    struct gx_node *low, *sharp;
    struct gx_node *aim; /* of the pixel and perceptual losses: the sharp one, or sharpened */
    struct gx_node *fake;
    struct gx_verdict verdict;
};

static void judge(struct gx_game *game, struct gx_step *step, struct turn *t)
{
    struct gx_graph *g = step->graph;
    gx_judge(game, g, D, t->sharp, t->fake, &t->verdict);
    if (t->verdict.penalty)
        gx_step_log(step, "D_gp", t->verdict.penalty);
    gx_step_log(step, "D_real", t->verdict.d_real);
    gx_step_log(step, "D_fake", t->verdict.d_fake);
    gx_store_gradients(g, t->verdict.loss, &game->net[D].params);
}

static void improve(struct gx_game *game, struct gx_step *step, struct turn *t)
{
    const struct gx_config *c = game->config;
    const struct gx_pixel_loss *pixel = gx_pixel_loss_find(c->loss.pixel);
    struct gx_graph *g = step->graph;
    struct gx_node *loss = gx_scale(g, pixel->build(g, t->fake, t->aim), (float)c->loss.pix);
    gx_step_log(step, "G_pix", loss);
    struct gx_node *perceptual =
        game->pixels_only ? NULL : gx_perceptual_loss(game, step, t->fake, t->aim);
    if (perceptual)
        loss = gx_add(g, loss, perceptual);
    if (judged(game)) {
        struct gx_node *gan = gx_fool(game, g, D, t->sharp, t->fake, NULL);
        gan = gx_step_log(step, "G_GAN", gx_scale(g, gan, (float)c->loss.gan_weight));
        loss = gx_add(g, loss, gan);
    }
    loss = gx_regularise(game, step, loss);
    gx_store_gradients(g, loss, &game->net[G].params);
}

/* The small picture of the sample, or made of `sharp`, which leaves *input as it is. */
static struct gx_node *small(struct gx_game *game, struct gx_graph *g, struct gx_node *sharp,
                             struct gx_node **input)
{
    int scale = game->shrink[LOW];
    struct gx_node *learnt = gx_learnt_small(game, g, sharp);
    struct gx_shape s = {sharp->shape.n, sharp->shape.h / scale, sharp->shape.w / scale, 3};
    return learnt ? learnt : (*input = gx_input(g, s, "low"));
}

static void build_step(struct gx_game *game, int batch, int h, int w, struct gx_step *step)
{
    int critics = game->config->train.n_critic;
    struct gx_graph *g = step->graph = gx_graph_new();
    struct turn t = {.sharp = gx_input(g, (struct gx_shape){batch, h, w, 3}, "sharp")};
    bool play = judged(game), first = play && critics > 1;
    step->input[SHARP] = t.aim = t.sharp;
    if (game->slots > SHARPENED)
        step->input[SHARPENED] = t.aim =
            gx_input(g, (struct gx_shape){batch, h, w, 3}, "sharpened");
    t.low = small(game, g, t.aim, &step->input[LOW]);
    t.fake = gx_game_train(game, g, G, t.low);
    if (first) {
        judge(game, step, &t);
        gx_graph_phase(g);
    }
    improve(game, step, &t);
    step->phases = 1 + play;
    step->phase[first] = (struct gx_phase){.update = 1U << G, .repeat = 1};
    if (!play)
        return;
    if (!first) {
        gx_graph_phase(g);
        judge(game, step, &t);
    }
    step->phase[!first] = (struct gx_phase){.update = 1U << D, .repeat = critics};
    gx_step_watch(step, &(struct gx_watch){.name = "",
                                           .net = D,
                                           .maker = G,
                                           .r = t.verdict.real[0],
                                           .f = t.verdict.fake[0],
                                           .input = t.low,
                                           .output = t.fake,
                                           .target = t.sharp});
}

static void build_preview(struct gx_game *game, int batch, int h, int w, struct gx_preview *preview)
{
    struct gx_graph *g = preview->graph = gx_graph_new();
    struct gx_node *sharp = gx_input(g, (struct gx_shape){batch, h, w, 3}, "sharp");
    struct gx_node *low = small(game, g, sharp, &preview->input[LOW]);
    gx_preview_column(preview, preview->input[LOW] ? "bicubic" : "made small", low);
    preview->output = gx_preview_column(preview, "output", gx_game_use(game, g, G, low));
    preview->input[SHARP] = preview->target = gx_preview_column(preview, "sharp", sharp);
}

const struct gx_family gx_family_sr = {
    .name = "sr",
    .summary = "enlarge pictures, learnt from sharp ones",
    .layout = "photos",
    .setup = setup,
    .build_step = build_step,
    .build_preview = build_preview,
};
