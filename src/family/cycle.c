/* CycleGAN (Zhu et al. 2017, "Unpaired image-to-image translation using cycle-consistent
 * adversarial networks").
 *
 *     A --> G_A --> fake_B --> G_B --> rec_A      D_A judges pictures of B, D_B those of A
 *     B --> G_B --> fake_A --> G_A --> rec_B
 *   G:   gan (G_A + G_B) + cycle (|rec_A - A| + |rec_B - B|)
 *        + cycle identity (|G_A(B) - B| + |G_B(A) - A|)                stepped first
 *   D:   d (real + fake) each, the fakes from a pool of earlier ones
 *
 * Names, order and weights are those of pytorch-CycleGAN-and-pix2pix: G_A makes B, and D_A judges
 * it. With several critic steps for one of the generators', the discriminators go first, as in the
 * other families, each time on pictures made for the occasion. */
#include "family/adversary.h"

#include "ganx/loss.h"

enum { G_A, G_B, D_A, D_B };

static const char *const names[] = {"G_A", "G_B", "D_A", "D_B"};

static int setup(struct gx_game *game, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    int a = c->net.input_channels, b = c->net.output_channels;
    if (c->train.n_critic > 1 && c->train.pool > 0)
        return gx_fail(err, GX_E_CONFIG,
                       "train.n_critic %d shows the discriminators pictures made for each of their "
                       "steps, and train.pool %d earlier ones; set train.pool to 0",
                       c->train.n_critic, c->train.pool);
    game->slots = 2;
    game->channels[0] = a;
    game->channels[1] = b;
    game->nets = 4;
    for (int i = 0; i < game->nets; i++)
        game->net[i].name = names[i];
    int code;
    if ((code = gx_game_choose_translator(game, G_A, a, b, err)) ||
        (code = gx_game_choose_translator(game, G_B, b, a, err)) ||
        (code = gx_game_choose_judge(game, D_A, b, err)))
        return code;
    return gx_game_choose_judge(game, D_B, a, err);
}

/* One direction of the cycle: 0 from A to B and back, 1 the other. */
struct way {
    int side, make, back, judge; /* networks, whose names their losses have too */
    struct gx_node *from, *to;   /* real pictures */
    struct gx_node *fake;        /* from --> make */
    struct gx_verdict verdict;
};

static const struct {
    const char *cycle, *idt, *gp, *title;
} logged[] = {{"cycle_A", "idt_A", "D_A_gp", "A"}, {"cycle_B", "idt_B", "D_B_gp", "B"}};

static struct way way_of(int side, struct gx_node *from, struct gx_node *to)
{
    return (struct way){.side = side,
                        .make = G_A + side,
                        .back = G_B - side,
                        .judge = D_A + side,
                        .from = from,
                        .to = to};
}

static void judge(struct gx_game *game, struct gx_step *step, struct way *way, bool pooled)
{
    struct gx_graph *g = step->graph;
    struct gx_node *fake = pooled ? gx_step_pool(game, step, way->fake) : way->fake;
    gx_judge(game, g, way->judge, way->to, fake, &way->verdict);
    if (way->verdict.penalty)
        gx_step_log(step, logged[way->side].gp, way->verdict.penalty);
    gx_step_log(step, names[way->judge], way->verdict.loss);
    gx_store_gradients(g, way->verdict.loss, &game->net[way->judge].params);
}

/* What the generators minimise on this way. */
static struct gx_node *persuade(struct gx_game *game, struct gx_step *step, struct way *way)
{
    const struct gx_config *c = game->config;
    struct gx_graph *g = step->graph;
    const struct gx_pixel_loss *pixel = gx_pixel_loss_find(c->loss.pixel);
    struct gx_node *gan = gx_fool(game, g, way->judge, way->to, way->fake, NULL);
    struct gx_node *loss =
        gx_scale(g, gx_step_log(step, names[way->make], gan), (float)c->loss.gan_weight);
    if (c->loss.cycle > 0) {
        struct gx_node *rec = gx_game_train(game, g, way->back, way->fake);
        rec = gx_scale(g, pixel->build(g, rec, way->from), (float)c->loss.cycle);
        loss = gx_add(g, loss, gx_step_log(step, logged[way->side].cycle, rec));
    }
    if (c->loss.identity > 0 && c->loss.cycle > 0 && way->from->shape.c == way->to->shape.c) {
        struct gx_node *idt = gx_game_train(game, g, way->make, way->to);
        idt = gx_scale(g, pixel->build(g, idt, way->to), (float)(c->loss.cycle * c->loss.identity));
        loss = gx_add(g, loss, gx_step_log(step, logged[way->side].idt, idt));
    }
    return loss;
}

static void watch(struct gx_step *step, const struct way *way)
{
    gx_step_watch(step, &(struct gx_watch){.name = logged[way->side].title,
                                           .net = way->judge,
                                           .maker = way->make,
                                           .r = way->verdict.real[0],
                                           .f = way->verdict.fake[0],
                                           .input = way->from,
                                           .output = way->fake,
                                           .target = way->to});
}

static void build_step(struct gx_game *game, int batch, int h, int w, struct gx_step *step)
{
    struct gx_graph *g = step->graph = gx_graph_new();
    struct gx_node *a = gx_input(g, (struct gx_shape){batch, h, w, game->channels[0]}, "A");
    struct gx_node *b = gx_input(g, (struct gx_shape){batch, h, w, game->channels[1]}, "B");
    struct way ab = way_of(0, a, b), ba = way_of(1, b, a);
    bool critics_first = game->config->train.n_critic > 1;
    step->input[0] = a;
    step->input[1] = b;
    ab.fake = gx_game_train(game, g, G_A, a);
    ba.fake = gx_game_train(game, g, G_B, b);
    if (critics_first) {
        judge(game, step, &ab, false);
        judge(game, step, &ba, false);
        gx_graph_phase(g);
    }
    struct gx_node *loss = persuade(game, step, &ab);
    loss = gx_add(g, loss, persuade(game, step, &ba));
    loss = gx_regularise(game, step, loss);
    gx_store_gradients(g, loss, &game->net[G_A].params);
    gx_store_gradients(g, loss, &game->net[G_B].params);
    if (!critics_first) {
        gx_graph_phase(g);
        judge(game, step, &ab, true);
        judge(game, step, &ba, true);
    }
    watch(step, &ab);
    watch(step, &ba);
    step->phases = 2;
    step->phase[critics_first] = (struct gx_phase){.update = 1U << G_A | 1U << G_B, .repeat = 1};
    step->phase[!critics_first] =
        (struct gx_phase){.update = 1U << D_A | 1U << D_B, .repeat = game->config->train.n_critic};
}

static void build_preview(struct gx_game *game, int batch, int h, int w, struct gx_preview *preview)
{
    struct gx_graph *g = preview->graph = gx_graph_new();
    struct gx_node *a = gx_input(g, (struct gx_shape){batch, h, w, game->channels[0]}, "A");
    struct gx_node *b = gx_input(g, (struct gx_shape){batch, h, w, game->channels[1]}, "B");
    bool same = game->channels[0] == game->channels[1];
    preview->input[0] = gx_preview_column(preview, "A", a);
    preview->output = gx_preview_column(preview, "A to B", gx_game_use(game, g, G_A, a));
    gx_preview_column(preview, "and back", gx_game_use(game, g, G_B, preview->output));
    if (same)
        gx_preview_column(preview, "A as A", gx_game_use(game, g, G_B, a));
    preview->input[1] = preview->target = gx_preview_column(preview, "B", b);
    struct gx_node *fake = gx_preview_column(preview, "B to A", gx_game_use(game, g, G_B, b));
    gx_preview_column(preview, "and back", gx_game_use(game, g, G_A, fake));
    if (same)
        gx_preview_column(preview, "B as B", gx_game_use(game, g, G_A, b));
}

const struct gx_family gx_family_cycle = {
    .name = "cycle",
    .summary = "translate pictures, learnt from two folders that are not paired",
    .layout = "unpaired",
    .setup = setup,
    .build_step = build_step,
    .build_preview = build_preview,
};
