/* pix2pix (Isola et al. 2017, "Image-to-image translation with conditional adversarial networks").
 *
 *        A --> G --> fake            D judges a picture beside its input: (A, B) or (A, fake)
 *   D:   d (D_real + D_fake)         stepped first
 *   G:   gan G_GAN + l1 |fake - B|   sees D as it is after its step
 *        and, beyond the paper, perceptual |VGG(fake) - VGG(B)|
 *
 * As pytorch-CycleGAN-and-pix2pix: the generated pair is judged before the real one, which is the
 * order in which D's running statistics move. --direction BtoA exchanges the slots when loading. */
#include "family/adversary.h"
#include "family/perceptual.h"

#include "ganx/loss.h"

enum { G, D };

static int setup(struct gx_game *game, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    int in = c->net.input_channels, out = c->net.output_channels;
    game->slots = 2;
    game->channels[0] = in;
    game->channels[1] = out;
    game->nets = 2;
    game->net[G].name = "G";
    game->net[D].name = "D";
    int code = gx_game_choose_translator(game, G, in, out, err);
    if (!code)
        code = gx_game_choose_judge(game, D, in + out, err);
    return code ? code : gx_perceptual_setup(game, err);
}

static void build_step(struct gx_game *game, int batch, int h, int w, struct gx_step *step)
{
    const struct gx_config *c = game->config;
    const struct gx_pixel_loss *pixel = gx_pixel_loss_find(c->loss.pixel);
    struct gx_graph *g = step->graph = gx_graph_new();
    struct gx_node *a = gx_input(g, (struct gx_shape){batch, h, w, game->channels[0]}, "A");
    struct gx_node *b = gx_input(g, (struct gx_shape){batch, h, w, game->channels[1]}, "B");
    step->input[0] = a;
    step->input[1] = b;

    /* the discriminator's turn */
    struct gx_verdict verdict;
    struct gx_node *fake = gx_game_train(game, g, G, a);
    struct gx_node *real_pair = gx_concat(g, a, b, GX_AXIS_C);
    gx_judge(game, g, D, real_pair, gx_concat(g, a, gx_stop_gradient(g, fake), GX_AXIS_C),
             &verdict);
    if (verdict.penalty)
        gx_step_log(step, "D_gp", verdict.penalty);
    gx_step_log(step, "D_real", verdict.d_real);
    gx_step_log(step, "D_fake", verdict.d_fake);
    gx_store_gradients(g, verdict.loss, &game->net[D].params);

    /* the generator's turn */
    gx_graph_phase(g);
    struct gx_node *fake_pair = gx_concat(g, a, fake, GX_AXIS_C);
    struct gx_node *g_gan = gx_fool(game, g, D, real_pair, fake_pair, NULL);
    struct gx_node *g_l1 = gx_scale(g, pixel->build(g, fake, b), (float)c->loss.l1);
    gx_step_log(step, "G_GAN", g_gan);
    gx_step_log(step, "G_L1", g_l1);
    struct gx_node *g_loss = gx_add(g, gx_scale(g, g_gan, (float)c->loss.gan_weight), g_l1);
    struct gx_node *perceptual = gx_perceptual_loss(game, step, fake, b);
    if (perceptual)
        g_loss = gx_add(g, g_loss, perceptual);
    g_loss = gx_regularise(game, step, g_loss);
    gx_store_gradients(g, g_loss, &game->net[G].params);

    step->phases = 2;
    step->phase[0] = (struct gx_phase){.update = 1U << D, .repeat = c->train.n_critic};
    step->phase[1] = (struct gx_phase){.update = 1U << G, .repeat = 1};
    gx_step_watch(step, &(struct gx_watch){.name = "",
                                           .net = D,
                                           .maker = G,
                                           .r = verdict.real[0],
                                           .f = verdict.fake[0],
                                           .input = a,
                                           .output = fake,
                                           .target = b,
                                           .real = real_pair,
                                           .fake = fake_pair});
}

static void build_preview(struct gx_game *game, int batch, int h, int w, struct gx_preview *preview)
{
    struct gx_graph *g = preview->graph = gx_graph_new();
    struct gx_node *a = gx_input(g, (struct gx_shape){batch, h, w, game->channels[0]}, "A");
    struct gx_node *b = gx_input(g, (struct gx_shape){batch, h, w, game->channels[1]}, "B");
    preview->input[0] = gx_preview_column(preview, "input", a);
    preview->output = gx_preview_column(preview, "output", gx_game_use(game, g, G, a));
    preview->input[1] = preview->target = gx_preview_column(preview, "target", b);
}

const struct gx_family gx_family_pix2pix = {
    .name = "pix2pix",
    .summary = "translate pictures, learnt from aligned pairs",
    .layout = "pairs",
    .setup = setup,
    .build_step = build_step,
    .build_preview = build_preview,
};
