/* Every objective, and everything that keeps a discriminator in bounds, in the games of every
 * family: two training steps on random pictures leave losses, gradients and weights finite, and all
 * networks moved. */
#include "../test.h"

#include "config/resolve.h"
#include "family/adversary.h"
#include "ganx/loss.h"
#include "ganx/plan.h"
#include "op/op.h"
#include "optim/optim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 16, BATCH = 2, STEPS = 2 };

static const struct {
    const char *family, *words;
} games[] = {
    {"pix2pix", "net.generator=unet_16 net.n_layers=1"},
    {"cycle", "net.generator=resnet_1blocks net.discriminator=pixel train.pool=0"},
    {"star", "net.n_layers=2 net.blocks=1"},
};
enum { GAMES = sizeof games / sizeof *games };

/* `words`: key=value, or options that begin with "--". */
static void configure(struct gx_config *c, int game, const char *words)
{
    static char set[] = "--set";
    char *text, *argv[64];
    struct gx_err err = {""};
    int argc = 0;
    assert_true(asprintf(&text,
                         "data.load_size=%d data.crop_size=%d net.ngf=2 net.ndf=2 "
                         "optim.schedule=constant %s %s",
                         SIDE, SIDE, games[game].words, words) > 0);
    for (char *word = strtok(text, " "); word && argc < 62; word = strtok(NULL, " ")) {
        if (strncmp(word, "--", 2))
            argv[argc++] = set;
        argv[argc++] = word;
    }
    if (gx_config_resolve(c, games[game].family, GX_VERB_TRAIN, argc, argv, &err))
        fail_msg("%s %s: %s", games[game].family, words, err.text);
    free(text);
}

static void fill(struct gx_plan *plan, struct gx_node *x, int key)
{
    float *to = x ? gx_plan_value(plan, x) : NULL;
    for (int64_t i = 0; x && i < gx_count(x->shape); i++)
        to[i] = sinf(0.37F * (float)(i % 1000) * (float)(1 + key) + (float)key);
}

/* One of the labels each, which are not pictures. */
static void label(struct gx_plan *plan, struct gx_node *x, int key)
{
    int c = x ? x->shape.c : 0;
    for (int i = 0; i < c * BATCH; i++)
        gx_plan_value(plan, x)[i] = i % c == (i / c + key) % c;
}

struct table {
    struct gx_config config;
    struct gx_game game;
    struct gx_step step;
    struct gx_plan *plan;
    struct gx_optim optim[GX_TRAINEES_MAX];
};

static void lay(struct table *t, int game, const char *words)
{
    struct gx_err err = {""};
    *t = (struct table){.plan = NULL};
    configure(&t->config, game, words);
    if (gx_game_init(&t->game, gx_family_find(games[game].family), &t->config, NULL, &err))
        fail_msg("%s %s: %s", games[game].family, words, err.text);
    for (int i = 0; i < t->game.nets; i++) {
        struct gx_params *params = &t->game.net[i].params;
        struct gx_optim_settings settings = gx_optim_defaults(GX_OPTIM_ADAM);
        settings.clamp = t->game.net[i].generator ? 0 : t->config.loss.clip;
        assert_int_equal(gx_params_allocate(params, NULL), 0);
        assert_int_equal(gx_params_allocate_gradients(params, NULL), 0);
        assert_int_equal(gx_optim_init(&t->optim[i], &settings, params, NULL), 0);
        gx_params_initialise(params, GX_INIT_NORMAL, 0.1, 1, t->game.net[i].name);
    }
    gx_game_build_step(&t->game, BATCH, SIDE, SIDE, &t->step);
    struct gx_plan_settings settings = {.threads = 1};
    for (int p = 0; p < t->step.phases; p++)
        if (t->step.phase[p].repeat > 1)
            settings.repeated_phases |= UINT64_C(1) << p;
    if (gx_plan_new(&t->plan, t->step.graph, &settings, &err) || gx_plan_allocate(t->plan, &err))
        fail_msg("%s %s: %s", games[game].family, words, err.text);
}

static void clear(struct table *t)
{
    gx_plan_free(&t->plan);
    gx_graph_free(&t->step.graph);
    for (int i = 0; i < t->game.nets; i++)
        gx_optim_clear(&t->optim[i]);
    gx_game_clear(&t->game);
    gx_config_clear(&t->config);
}

static void take_steps(struct table *t, const char *words)
{
    struct gx_err err = {""};
    const char *family = t->game.family->name;
    for (int s = 0; s < STEPS; s++) {
        for (int p = 0; p < t->step.phases; p++)
            for (int round = 0; round < t->step.phase[p].repeat; round++) {
                for (int k = 0; k < t->game.slots; k++)
                    fill(t->plan, t->step.input[k], k + 2 * s + round);
                label(t->plan, t->step.label, s);
                label(t->plan, t->step.wanted, s + 1);
                if (t->step.noise)
                    *gx_plan_value(t->plan, t->step.noise) =
                        (float)gx_adversary_noise(&t->config, s, STEPS);
                gx_plan_run(t->plan, p, 1, (uint64_t)s);
                for (int k = 0; k < t->game.nets; k++)
                    if (t->step.phase[p].update >> k & 1) {
                        if (gx_optim_check(&t->game.net[k].params, gx_kernels_best(), 1, &err))
                            fail_msg("%s %s: %s", family, words, err.text);
                        gx_optim_step(&t->optim[k], 0.001, gx_kernels_best(), 1);
                    }
            }
        for (int i = 0; i < t->step.losses; i++)
            if (!isfinite(*gx_plan_value(t->plan, t->step.loss[i].value)))
                fail_msg("%s %s: %s", family, words, t->step.loss[i].name);
    }
}

static void play(int game, const char *words)
{
    struct table t;
    float *before[GX_TRAINEES_MAX];
    struct gx_err err = {""};
    lay(&t, game, words);
    for (int i = 0; i < t.game.nets; i++) {
        size_t bytes = (size_t)t.game.net[i].params.trained * sizeof(float);
        before[i] = memcpy(malloc(bytes), t.game.net[i].params.data, bytes);
    }
    take_steps(&t, words);
    for (int i = 0; i < t.game.nets; i++) {
        const struct gx_params *p = &t.game.net[i].params;
        if (gx_optim_check_weights(p, gx_kernels_best(), 1, &err))
            fail_msg("%s %s: %s", t.game.family->name, words, err.text);
        if (!memcmp(before[i], p->data, (size_t)p->trained * sizeof(float)))
            fail_msg("%s %s: %s has not moved", t.game.family->name, words, t.game.net[i].name);
        free(before[i]);
    }
    clear(&t);
}

static void every_objective(void **state)
{
    (void)state;
    for (int i = 0; gx_adversarial_at(i); i++)
        for (int game = 0; game < GAMES; game++) {
            char words[64];
            snprintf(words, sizeof words, "loss.gan=%s", gx_adversarial_at(i)->name);
            play(game, words);
        }
}

static void every_bound(void **state)
{
    (void)state;
    static const char *const bounds[] = {
        "loss.gan=wgan loss.clip=0.01",
        "loss.gan=wgan loss.penalty=interpolates net.spectral_norm=true train.n_critic=2",
        "loss.gan=lsgan loss.penalty=real loss.gp_centre=0",
        "loss.gan=hinge loss.penalty=fake loss.gp_one_sided=true net.spectral_norm=true",
        "loss.gan=f_kl net.spectral_norm=true loss.orthogonal=0.0001",
        "loss.gan=vanilla loss.smooth=0.1 loss.noise=0.3 loss.noise_until=0.5 train.n_critic=2",
        "loss.gan=lsgan loss.lsgan_fake=-1 loss.lsgan_target=0 loss.noise=0.1",
        "loss.gan=relativistic_average loss.penalty=real net.spectral_norm=true loss.noise=0.1",
    };
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++)
        for (int game = 0; game < GAMES; game++)
            play(game, bounds[i]);
}

/* CycleGAN's identity loss, which star can have: it is there when asked for, and falls. */
static void star_can_leave_its_own_alone(void **state)
{
    (void)state;
    enum { STAR = 2, TURNS = 15 };
    struct table t;
    double first = 0, now = 0;
    lay(&t, STAR, "");
    for (int i = 0; i < t.step.losses; i++)
        assert_string_not_equal(t.step.loss[i].name, "G_idt");
    clear(&t);
    const char *words = "loss.identity=1 loss.gan_weight=0 loss.cls=0";
    lay(&t, STAR, words);
    for (int turn = 0; turn < TURNS; turn++) {
        take_steps(&t, words);
        for (int i = 0; i < t.step.losses; i++)
            if (!strcmp(t.step.loss[i].name, "G_idt"))
                now = *gx_plan_value(t.plan, t.step.loss[i].value);
        first = turn ? first : now;
    }
    assert_true(now > 0 && now < 0.8 * first);
    clear(&t);
}

/* u moves as often as its discriminator is applied in training, in either turn, and not for the
 * penalty's own pass. */
static void state_moves_once_a_pass(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        int passes;
    } rows[] = {{"loss.gan=hinge", 3}, /* generated and real in D's turn, generated in G's */
                {"loss.gan=wgan_gp", 3},
                {"loss.gan=lsgan loss.penalty=real", 3},
                {"loss.gan=relativistic", 4}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct table t;
        char words[128];
        int updates = 0;
        snprintf(words, sizeof words, "net.spectral_norm=true net.norm=none %s", rows[i].words);
        lay(&t, 0, words);
        for (int id = 0; id < gx_graph_nodes(t.step.graph); id++) {
            const struct gx_node *node = gx_graph_node(t.step.graph, id);
            updates += node->op == &gx_op_update && !strcmp(node->param->name, "model.0.weight_u");
        }
        assert_int_equal(updates, rows[i].passes);
        clear(&t);
    }
}

/* The noise falls evenly, and is gone when it is said to be. */
static void noise_falls(void **state)
{
    (void)state;
    struct gx_config c;
    configure(&c, 0, "loss.noise=0.5 loss.noise_until=0.4");
    assert_float_equal(gx_adversary_noise(&c, 0, 100), 0.5, 1e-12);
    assert_float_equal(gx_adversary_noise(&c, 10, 100), 0.375, 1e-12);
    assert_float_equal(gx_adversary_noise(&c, 40, 100), 0, 1e-12);
    assert_float_equal(gx_adversary_noise(&c, 99, 100), 0, 1e-12);
    gx_config_clear(&c);
}

/* configs/NAME.yaml of the families of objectives, as they stand but for sizes. */
static void recipes_play(void **state)
{
    (void)state;
    static const struct {
        const char *name, *gan;
        int game;
    } rows[] = {{"wgan", "wgan", 0},
                {"wgan_gp", "wgan_gp", 1},
                {"f_gan", "f_jensen_shannon_ns", 0},
                {"relativistic", "relativistic_average", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gx_config c;
        char words[64];
        snprintf(words, sizeof words, "--config=configs/%s.yaml", rows[i].name);
        configure(&c, rows[i].game, words);
        assert_string_equal(c.loss.gan, rows[i].gan);
        assert_null(gx_adversary_warning(&c));
        gx_config_clear(&c);
        play(rows[i].game, words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_objective),
        cmocka_unit_test(every_bound),
        cmocka_unit_test(star_can_leave_its_own_alone),
        cmocka_unit_test(state_moves_once_a_pass),
        cmocka_unit_test(noise_falls),
        cmocka_unit_test(recipes_play),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
