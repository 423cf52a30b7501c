/* StarGAN (Choi et al. 2018, "StarGAN: unified generative adversarial networks for multi-domain
 * image-to-image translation").
 *
 *    x, wanted --> G --> fake      fake, label --> G --> rec      D judges a picture and names its
 *                                                                 domain
 *   D:   d (D_real + D_fake) + gp D_gp + cls D_cls (on real)       n_critic times, stepped first
 *   G:   gan G_fake + cls G_cls (fake is of `wanted`) + rec |rec - x|
 *        + rec identity |G(x, label) - x|, which is CycleGAN's and not in the paper (0 there): without
 *        it colours may be inverted on the way there and inverted again on the way back
 *
 * As yunjey/stargan: the wanted labels are a permutation of the batch's; domains that exclude each
 * other are told apart by softmax cross-entropy, attributes each by a sigmoid, summed over them and
 * averaged over the batch; the losses are logged without their weights. */
#include "family/adversary.h"

#include "ganx/loss.h"

enum { G, D, NUMBERED = 5 };

static int set_sizes(struct gx_game *game, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    struct gx_network_spec *g = &game->net[G].spec, *d = &game->net[D].spec;
    int side = c->data.crop_size ? c->data.crop_size : c->data.load_size;
    int labels = game->labels.count, code;
    if (!side)
        return gx_fail(err, GX_E_CONFIG,
                       "the discriminator's classifier sees pictures of one size: set "
                       "data.load_size or data.crop_size");
    if ((code = gx_spec_set(g, "dim", c->net.ngf, err)) ||
        (code = gx_spec_set(g, "c_dim", labels, err)) ||
        (code = gx_spec_set(g, "blocks", c->net.blocks, err)) ||
        (code = gx_spec_set(d, "dim", c->net.ndf, err)) ||
        (code = gx_spec_set(d, "c_dim", labels, err)) ||
        (code = gx_spec_set(d, "layers", c->net.n_layers, err)) ||
        (code = gx_spec_set(d, "size", side, err)))
        return code;
    int most = 0;
    while (side >> (most + 1))
        most++;
    if (c->net.n_layers > most)
        return gx_fail(err, GX_E_CONFIG,
                       "net.n_layers %d halves pictures of %d pixels to nothing; set it to %d or "
                       "less",
                       c->net.n_layers, side, most);
    return 0;
}

static int setup(struct gx_game *game, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    if (!game->labels.count) /* a benchmark has no pictures */
        game->labels.count = NUMBERED;
    game->slots = 1;
    game->channels[0] = 3;
    game->nets = 2;
    game->net[G].name = "G";
    game->net[D].name = "D";
    int code = gx_game_choose(game, G, c->net.generator, true, "c_dim", err);
    if (!code)
        code = gx_game_choose(game, D, c->net.discriminator, false, "c_dim", err);
    return code ? code : set_sizes(game, err);
}

/* ---- labels ---- */

/* How far the classifier's logits are from the label; the mean over the batch. */
static struct gx_node *class_loss(struct gx_game *game, struct gx_graph *g, struct gx_node *logits,
                                  struct gx_node *label)
{
    struct gx_node *each;
    if (game->labels.exclusive)
        each = gx_scale(g, gx_mul(g, label, gx_log_softmax(g, logits)), -1);
    else
        each = gx_sub(g, gx_softplus(g, logits), gx_mul(g, logits, label));
    return gx_scale(g, gx_sum(g, each, GX_AXES_ALL), 1.0F / (float)logits->shape.n);
}

/* The share that the classifier gets right: pictures whose domain has the largest logit, or
 * attributes whose logit has the sign that they have. */
static struct gx_node *accuracy(struct gx_game *game, struct gx_graph *g, struct gx_node *logits,
                                struct gx_node *label)
{
    if (game->labels.exclusive) {
        struct gx_node *own = gx_sum(g, gx_mul(g, logits, label), GX_AXIS_C);
        struct gx_node *above = gx_sum(g, gx_relu(g, gx_sub(g, logits, own)), GX_AXIS_C);
        return gx_mean(g, gx_affine(g, gx_sign(g, above), -1, 1), GX_AXES_ALL);
    }
    struct gx_node *agree = gx_mul(g, gx_sign(g, logits), gx_affine(g, label, 2, -1));
    return gx_mean(g, gx_affine(g, agree, 0.5F, 0.5F), GX_AXES_ALL);
}

static struct gx_node *translate(struct gx_game *game, struct gx_graph *g, struct gx_node *x,
                                 struct gx_node *label, bool training)
{
    struct gx_node *out[GX_OUTPUTS_MAX];
    gx_game_apply(game, g, G, x, label, training, out);
    return out[0];
}

/* ---- a step ---- */

static void judge(struct gx_game *game, struct gx_step *step, struct gx_node *x,
                  struct gx_node *fake, struct gx_verdict *verdict)
{
    const struct gx_config *c = game->config;
    struct gx_graph *g = step->graph;
    gx_judge(game, g, D, x, fake, verdict);
    struct gx_node *cls = class_loss(game, g, verdict->real[1], step->label);
    gx_step_log(step, "D_real", verdict->d_real);
    gx_step_log(step, "D_fake", verdict->d_fake);
    gx_step_log(step, "D_cls", cls);
    if (verdict->penalty)
        gx_step_log(step, "D_gp", gx_scale(g, verdict->penalty, (float)(1 / c->loss.gp)));
    gx_step_measure(step, "D_acc", accuracy(game, g, verdict->real[1], step->label));
    struct gx_node *loss = gx_add(g, verdict->loss, gx_scale(g, cls, (float)c->loss.cls));
    gx_store_gradients(g, loss, &game->net[D].params);
}

static void persuade(struct gx_game *game, struct gx_step *step, struct gx_node *x,
                     struct gx_node *fake)
{
    const struct gx_config *c = game->config;
    const struct gx_pixel_loss *pixel = gx_pixel_loss_find(c->loss.pixel);
    struct gx_graph *g = step->graph;
    struct gx_node *seen[GX_OUTPUTS_MAX];
    struct gx_node *gan = gx_fool(game, g, D, x, fake, seen);
    struct gx_node *cls = class_loss(game, g, seen[1], step->wanted);
    gx_step_log(step, "G_fake", gan);
    gx_step_log(step, "G_cls", cls);
    struct gx_node *loss = gx_add(g, gx_scale(g, gan, (float)c->loss.gan_weight),
                                  gx_scale(g, cls, (float)c->loss.cls));
    if (c->loss.rec > 0) {
        struct gx_node *back = translate(game, g, fake, step->label, true);
        struct gx_node *rec = gx_step_log(step, "G_rec", pixel->build(g, back, x));
        loss = gx_add(g, loss, gx_scale(g, rec, (float)c->loss.rec));
    }
    if (c->loss.rec > 0 && c->loss.identity > 0) {
        struct gx_node *same = translate(game, g, x, step->label, true);
        struct gx_node *idt = gx_step_log(step, "G_idt", pixel->build(g, same, x));
        loss = gx_add(g, loss, gx_scale(g, idt, (float)(c->loss.rec * c->loss.identity)));
    }
    loss = gx_regularise(game, step, loss);
    gx_store_gradients(g, loss, &game->net[G].params);
}

static void build_step(struct gx_game *game, int batch, int h, int w, struct gx_step *step)
{
    struct gx_graph *g = step->graph = gx_graph_new();
    struct gx_shape row = {batch, 1, 1, game->labels.count};
    struct gx_node *x = gx_input(g, (struct gx_shape){batch, h, w, 3}, "x");
    struct gx_verdict verdict;
    step->input[0] = x;
    step->label = gx_input(g, row, "label");
    step->wanted = gx_input(g, row, "wanted");
    struct gx_node *fake = translate(game, g, x, step->wanted, true);
    judge(game, step, x, fake, &verdict);
    gx_graph_phase(g);
    persuade(game, step, x, fake);

    step->phases = 2;
    step->phase[0] = (struct gx_phase){.update = 1U << D, .repeat = game->config->train.n_critic};
    step->phase[1] = (struct gx_phase){.update = 1U << G, .repeat = 1};
    gx_step_watch(step, &(struct gx_watch){.name = "",
                                           .net = D,
                                           .maker = G,
                                           .label = step->wanted,
                                           .r = verdict.real[0],
                                           .f = verdict.fake[0],
                                           .input = x,
                                           .output = fake,
                                           .target = x});
}

/* ---- sample grids ---- */

static struct gx_node *one_hot(struct gx_graph *g, int batch, int count, int k)
{
    struct gx_node *one = gx_constant(g, (struct gx_shape){batch, 1, 1, 1}, 1);
    return gx_embed(g, one, (struct gx_shape){0, 0, 0, k}, (struct gx_shape){batch, 1, 1, count});
}

/* The label of a picture of domain k; or the picture's own label with attribute k changed, which
 * for one of a group of exclusive ones means: it, and no other of them. */
static struct gx_node *label_for(struct gx_game *game, struct gx_graph *g, struct gx_node *own,
                                 int k)
{
    const struct gx_label_kind *kind = &game->labels;
    int batch = own->shape.n;
    struct gx_node *hot = one_hot(g, batch, kind->count, k);
    if (kind->exclusive)
        return hot;
    if (!kind->group || !kind->group[k]) /* own + hot - 2 own hot */
        return gx_add(g, own, gx_mul(g, hot, gx_affine(g, own, -2, 1)));
    struct gx_node *kept = own;
    for (int i = 0; i < kind->count; i++)
        if (kind->group[i] == kind->group[k])
            kept = gx_mul(g, kept, gx_affine(g, one_hot(g, batch, kind->count, i), -1, 1));
    return gx_add(g, kept, hot);
}

static void build_preview(struct gx_game *game, int batch, int h, int w, struct gx_preview *preview)
{
    struct gx_graph *g = preview->graph = gx_graph_new();
    const struct gx_label_kind *kind = &game->labels;
    int shown = kind->count < GX_COLUMNS_MAX - 2 ? kind->count : GX_COLUMNS_MAX - 2;
    struct gx_node *x = gx_input(g, (struct gx_shape){batch, h, w, 3}, "x"), *fake = x;
    preview->label = gx_input(g, (struct gx_shape){batch, 1, 1, kind->count}, "label");
    preview->input[0] = gx_preview_column(preview, "input", x);
    for (int k = 0; k < shown; k++)
        fake =
            gx_preview_column(preview, kind->name ? kind->name[k] : "",
                              translate(game, g, x, label_for(game, g, preview->label, k), false));
    gx_preview_column(preview, "and back", translate(game, g, fake, preview->label, false));
    preview->left_out = kind->count - shown;
}

const struct gx_family gx_family_star = {
    .name = "star",
    .summary = "translate pictures between many domains or attributes",
    .layout = "domains",
    .setup = setup,
    .build_step = build_step,
    .build_preview = build_preview,
};
