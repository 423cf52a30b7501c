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
 * other families, each time on pictures made for the occasion.
 *
 * With net.scale over 1 it is super-resolution without pairs, in the manner of cycle-in-cycle GANs
 * (Yuan et al. 2018): A are small pictures as they come, B unrelated sharp ones, G_A enlarges and
 * G_B (net/sr_downscaler.c) makes small what is sharp, with the faults that A has. Then
 *
 *   cycle_A   |mean(rec_A) - mean(A)|           the faults are random, and need not come back:
 *   cycle_B   |rec_B - B|                       means are of 5x5 pixels
 *   idt_A     |G_A(bicubic B) - B|              as Yuan et al.: what is clean is only enlarged
 *   idt_B     |mean(G_B(B)) - mean(bicubic B)|  Fritsche et al. 2019, "Frequency separation for
 *                                               real-world super-resolution": faults are fine
 *
 * where `bicubic B` comes with the samples. We train both sides at once, and have no cycle among
 * small pictures inside it: cycle_B is what G_A learns most from, as in SRDGAN, and G_B learns nothing
 * from it: it would leave out the faults that are hard to undo. */
#include "family/adversary.h"

#include "config/resolve.h"
#include "ganx/loss.h"

enum { G_A, G_B, D_A, D_B };
enum { A, B, PLAIN }; /* slots; the last, of unpaired super-resolution, is B made small */

static const char *const names[] = {"G_A", "G_B", "D_A", "D_B"};

/* ---- networks ---- */

static bool enlarges(const struct gx_game *game)
{
    return game->config->net.scale > 1;
}

/* What cannot be as the configuration has it. */
static int check_enlarging(const struct gx_config *c, struct gx_err *err)
{
    int scale = c->net.scale;
    if (c->data.preprocess != GX_CROP_ONLY)
        return gx_config_fail(c, "data.preprocess", err,
                              "with net.scale %d pictures are cut, never scaled: set "
                              "data.preprocess to crop",
                              scale);
    if (!c->data.crop_size || c->data.crop_size % scale)
        return gx_config_fail(c, "data.crop_size", err,
                              "data.crop_size %d is that of sharp pictures, and must be a multiple "
                              "of net.scale %d",
                              c->data.crop_size, scale);
    if (c->data.direction != GX_A_TO_B)
        return gx_config_fail(c, "data.direction", err,
                              "with net.scale %d the folders are LR/ and HR/, and data.direction "
                              "is AtoB",
                              scale);
    if (c->net.input_channels != c->net.output_channels)
        return gx_config_fail(c, "net.input_channels", err,
                              "with net.scale %d net.input_channels and net.output_channels are "
                              "the same",
                              scale);
    return 0;
}

static int choose_downscaler(struct gx_game *game, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    struct gx_network_spec *spec = &game->net[G_B].spec;
    int code = gx_game_choose(game, G_B, "sr_downscaler", true, "shrink", err);
    if (code || (code = gx_spec_set(spec, "shrink", c->net.scale, err)) ||
        (code = gx_spec_set(spec, "nf", c->net.ngf, err)))
        return code;
    return gx_spec_set(spec, "nb", c->net.down_blocks, err);
}

/* D_B's patches show as much of what was photographed as D_A's: less halvings. */
static int fit_small_judge(struct gx_game *game, struct gx_err *err)
{
    struct gx_network_spec *spec = &game->net[D_B].spec;
    int layers = gx_spec_get(spec, "n_layers");
    if (!layers)
        return 0;
    for (int side = game->config->net.scale; side > 1 && layers > 1; side /= 2)
        layers--;
    return gx_spec_set(spec, "n_layers", layers, err);
}

static int setup_enlarging(struct gx_game *game, struct gx_err *err)
{
    int channels = game->channels[A], code = check_enlarging(game->config, err);
    game->slots = 3;
    game->channels[PLAIN] = channels;
    game->shrink[A] = game->shrink[PLAIN] = game->config->net.scale;
    game->low = 0;
    game->running = game->photos = true;
    if (code || (code = gx_game_choose_enlarger(game, G_A, err)) ||
        (code = choose_downscaler(game, err)))
        return code;
    for (int i = G_A; i <= G_B && !code; i++)
        if (!(code = gx_spec_set(&game->net[i].spec, "cin", channels, err)))
            code = gx_spec_set(&game->net[i].spec, "cout", channels, err);
    if (code || (code = gx_game_choose_judge(game, D_A, channels, err)) ||
        (code = gx_game_choose_judge(game, D_B, channels, err)))
        return code;
    return fit_small_judge(game, err);
}

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
    game->channels[A] = a;
    game->channels[B] = b;
    game->nets = 4;
    for (int i = 0; i < game->nets; i++)
        game->net[i].name = names[i];
    int code;
    if (enlarges(game))
        return setup_enlarging(game, err);
    if ((code = gx_game_choose_translator(game, G_A, a, b, err)) ||
        (code = gx_game_choose_translator(game, G_B, b, a, err)) ||
        (code = gx_game_choose_judge(game, D_A, b, err)))
        return code;
    return gx_game_choose_judge(game, D_B, a, err);
}

/* ---- a step ---- */

/* One direction of the cycle: 0 from A to B and back, 1 the other. */
struct way {
    int side, make, back, judge; /* networks, whose names their losses have too */
    struct gx_node *from, *to;   /* real pictures */
    struct gx_node *plain;       /* B made small, where A is smaller than B; else NULL */
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

/* What must agree of two pictures: of those that are small but for random faults, means. */
static struct gx_node *compare(const struct gx_game *game, struct gx_graph *g, struct gx_node *x,
                               struct gx_node *y, bool coarsely)
{
    enum { MEAN = 5 };
    const struct gx_pixel_loss *pixel = gx_pixel_loss_find(game->config->loss.pixel);
    if (!coarsely || x->shape.h < MEAN || x->shape.w < MEAN)
        return pixel->build(g, x, y);
    return pixel->build(g, gx_avg_pool(g, x, MEAN, 1, 0), gx_avg_pool(g, y, MEAN, 1, 0));
}

static bool has_identity(const struct gx_game *game)
{
    const struct gx_config *c = game->config;
    return c->loss.identity > 0 && c->loss.cycle > 0 && game->channels[A] == game->channels[B];
}

/* What is of the wanted kind already is left alone. */
static struct gx_node *leave_alone(struct gx_game *game, struct gx_graph *g, struct way *way)
{
    if (way->plain && way->side)
        return compare(game, g, way->fake, way->plain, true);
    struct gx_node *idt = gx_game_train(game, g, way->make, way->plain ? way->plain : way->to);
    return compare(game, g, idt, way->to, false);
}

/* What the generators minimise on this way. */
static struct gx_node *persuade(struct gx_game *game, struct gx_step *step, struct way *way)
{
    const struct gx_config *c = game->config;
    struct gx_graph *g = step->graph;
    struct gx_node *gan = gx_fool(game, g, way->judge, way->to, way->fake, NULL);
    struct gx_node *loss =
        gx_scale(g, gx_step_log(step, names[way->make], gan), (float)c->loss.gan_weight);
    if (c->loss.cycle > 0) {
        bool given = enlarges(game) && way->side; /* G_B shall not make it easy for G_A */
        struct gx_node *fake = given ? gx_stop_gradient(g, way->fake) : way->fake;
        struct gx_node *rec = gx_game_train(game, g, way->back, fake);
        rec = compare(game, g, rec, way->from, enlarges(game) && !way->side);
        rec = gx_scale(g, rec, (float)c->loss.cycle);
        loss = gx_add(g, loss, gx_step_log(step, logged[way->side].cycle, rec));
    }
    if (has_identity(game)) {
        struct gx_node *idt = leave_alone(game, g, way);
        idt = gx_scale(g, idt, (float)(c->loss.cycle * c->loss.identity));
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

static struct gx_node *picture(const struct gx_game *game, struct gx_graph *g, int slot, int batch,
                               int h, int w)
{
    static const char *const called[] = {"A", "B", "B made small"};
    int shrink = game->shrink[slot];
    struct gx_shape shape = {batch, h / shrink, w / shrink, game->channels[slot]};
    return gx_input(g, shape, called[slot]);
}

static void build_step(struct gx_game *game, int batch, int h, int w, struct gx_step *step)
{
    struct gx_graph *g = step->graph = gx_graph_new();
    struct gx_node *a = picture(game, g, A, batch, h, w), *b = picture(game, g, B, batch, h, w);
    struct way ab = way_of(0, a, b), ba = way_of(1, b, a);
    bool critics_first = game->config->train.n_critic > 1;
    step->input[A] = a;
    step->input[B] = b;
    if (enlarges(game) && has_identity(game))
        ab.plain = ba.plain = step->input[PLAIN] = picture(game, g, PLAIN, batch, h, w);
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
    struct gx_node *a = picture(game, g, A, batch, h, w), *b = picture(game, g, B, batch, h, w);
    bool same = !enlarges(game) && game->channels[A] == game->channels[B];
    preview->input[A] = gx_preview_column(preview, "A", a);
    preview->output = gx_preview_column(preview, "A to B", gx_game_use(game, g, G_A, a));
    gx_preview_column(preview, "and back", gx_game_use(game, g, G_B, preview->output));
    if (same)
        gx_preview_column(preview, "A as A", gx_game_use(game, g, G_B, a));
    preview->input[B] = preview->target = gx_preview_column(preview, "B", b);
    struct gx_node *fake = gx_preview_column(preview, "B to A", gx_game_use(game, g, G_B, b));
    gx_preview_column(preview, "and back", gx_game_use(game, g, G_A, fake));
    if (same)
        gx_preview_column(preview, "B as B", gx_game_use(game, g, G_A, b));
    if (enlarges(game)) {
        struct gx_node *plain = picture(game, g, PLAIN, batch, h, w);
        preview->input[PLAIN] = gx_preview_column(preview, "bicubic", plain);
        gx_preview_column(preview, "to B", gx_game_use(game, g, G_A, plain));
    }
}

const struct gx_family gx_family_cycle = {
    .name = "cycle",
    .summary = "translate pictures, learnt from two folders that are not paired",
    .layout = "unpaired",
    .layout_enlarging = "photos_unpaired",
    .setup = setup,
    .build_step = build_step,
    .build_preview = build_preview,
};
