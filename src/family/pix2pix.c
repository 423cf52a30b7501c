/* pix2pix (Isola et al. 2017, "Image-to-image translation with conditional adversarial networks").
 *
 *        A --> G --> fake            D judges a picture beside its input: (A, B) or (A, fake)
 *   D:   d (D_real + D_fake)         stepped first
 *   G:   gan G_GAN + l1 |fake - B|   sees D as it is after its step
 *
 * As pytorch-CycleGAN-and-pix2pix: the generated pair is judged before the real one, which is the
 * order in which D's running statistics move. --direction BtoA exchanges the slots when loading. */
#include "family/family.h"

#include "ganx/loss.h"

enum { G, D };

/* A network by the name that people use, in the role it is wanted for. */
static int choose(struct gx_network_spec *spec, const char *name, bool generator,
                  struct gx_err *err)
{
    int code = gx_spec_from_name(spec, name, err);
    if (!code && spec->network->generator != generator)
        code = gx_fail(err, GX_E_CONFIG, "'%s' is not a %s", name,
                       generator ? "generator" : "discriminator");
    return code;
}

static int setup(struct gx_game *game, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    int in = c->net.input_channels, out = c->net.output_channels;
    struct gx_network_spec *g = &game->net[G].spec, *d = &game->net[D].spec;
    game->slots = 2;
    game->channels[0] = in;
    game->channels[1] = out;
    game->nets = 2;
    game->net[G].name = "G";
    game->net[G].generator = true;
    game->net[D].name = "D";

    int code = choose(g, c->net.generator, true, err);
    if (!code)
        code = choose(d, c->net.discriminator, false, err);
    const struct {
        struct gx_network_spec *of;
        const char *size;
        int value;
    } sizes[] = {{g, "cin", in},         {g, "cout", out},
                 {g, "ngf", c->net.ngf}, {g, "drop", c->net.dropout},
                 {d, "cin", in + out},   {d, "ndf", c->net.ndf}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0] && !code; i++)
        code = gx_spec_set(sizes[i].of, sizes[i].size, sizes[i].value, err);
    if (!code && gx_spec_get(d, "n_layers")) /* the pixel discriminator has none */
        code = gx_spec_set(d, "n_layers", c->net.n_layers, err);
    if (!code)
        code = gx_spec_set_word(g, "norm", c->net.norm, err);
    return code ? code : gx_spec_set_word(d, "norm", c->net.norm, err);
}

static void build_step(struct gx_game *game, int batch, int h, int w, struct gx_step *step)
{
    const struct gx_config *c = game->config;
    const struct gx_adversarial *gan = gx_adversarial_find(c->loss.gan);
    const struct gx_pixel_loss *pixel = gx_pixel_loss_find(c->loss.pixel);
    struct gx_graph *g = step->graph = gx_graph_new();
    struct gx_node *a = gx_input(g, (struct gx_shape){batch, h, w, game->channels[0]}, "A");
    struct gx_node *b = gx_input(g, (struct gx_shape){batch, h, w, game->channels[1]}, "B");
    step->input[0] = a;
    step->input[1] = b;

    /* the discriminator's turn */
    struct gx_node *fake = gx_game_train(game, g, G, a);
    struct gx_node *fake_pair = gx_concat(g, a, gx_stop_gradient(g, fake), GX_AXIS_C);
    struct gx_node *real_pair = gx_concat(g, a, b, GX_AXIS_C);
    struct gx_node *f = gx_game_train(game, g, D, fake_pair);
    struct gx_node *r = gx_game_train(game, g, D, real_pair);
    struct gx_node *d_real, *d_fake;
    gan->discriminator(g, r, f, &d_real, &d_fake);
    struct gx_node *d_loss = gx_scale(g, gx_add(g, d_real, d_fake), (float)c->loss.d);
    if (gan->gradient_penalty && c->loss.gp > 0) {
        struct gx_node *between = gx_interpolate(g, real_pair, fake_pair);
        struct gx_node *penalty =
            gx_gradient_penalty(g, gx_game_use(game, g, D, between), between, 1);
        penalty = gx_scale(g, penalty, (float)c->loss.gp);
        d_loss = gx_add(g, d_loss, gx_step_log(step, "D_gp", penalty));
    }
    gx_step_log(step, "D_real", d_real);
    gx_step_log(step, "D_fake", d_fake);
    gx_store_gradients(g, d_loss, &game->net[D].params);

    /* the generator's turn */
    gx_graph_phase(g);
    f = gx_game_train(game, g, D, gx_concat(g, a, fake, GX_AXIS_C));
    if (gan->generator_needs_real)
        r = gx_game_train(game, g, D, real_pair);
    struct gx_node *g_gan = gx_step_log(step, "G_GAN", gan->generator(g, r, f));
    struct gx_node *g_l1 = gx_scale(g, pixel->build(g, fake, b), (float)c->loss.l1);
    gx_step_log(step, "G_L1", g_l1);
    struct gx_node *g_loss = gx_add(g, gx_scale(g, g_gan, (float)c->loss.gan_weight), g_l1);
    gx_store_gradients(g, g_loss, &game->net[G].params);

    step->phases = 2;
    step->phase[0] = (struct gx_phase){.update = 1U << D, .repeat = c->train.n_critic};
    step->phase[1] = (struct gx_phase){.update = 1U << G, .repeat = 1};
}

static void build_preview(struct gx_game *game, int batch, int h, int w, struct gx_preview *preview)
{
    struct gx_graph *g = preview->graph = gx_graph_new();
    struct gx_node *a = gx_input(g, (struct gx_shape){batch, h, w, game->channels[0]}, "A");
    struct gx_node *b = gx_input(g, (struct gx_shape){batch, h, w, game->channels[1]}, "B");
    preview->input[0] = a;
    preview->input[1] = preview->target = b;
    preview->output = gx_keep(gx_game_use(game, g, G, a));
    preview->columns = 3;
    preview->column[0].title = "input";
    preview->column[0].value = a;
    preview->column[1].title = "output";
    preview->column[1].value = preview->output;
    preview->column[2].title = "target";
    preview->column[2].value = b;
}

const struct gx_family gx_family_pix2pix = {
    .name = "pix2pix",
    .summary = "translate pictures, learnt from aligned pairs",
    .layout = "pairs",
    .setup = setup,
    .build_step = build_step,
    .build_preview = build_preview,
};
