/* Health in real runs: tiny networks that are made to fail in each way, and what their run, its log
 * and its page then say; what a look costs. */
#include "tiny.h"

#include "family/family.h"
#include "family/model_keys.h"
#include "ganx/image.h"
#include "ganx/plan.h"
#include "graph/operator.h"
#include "train/health.h"
#include "train/record.h"
#include "util/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char looking[] = "health.every=5 train.checkpoint_every=0 train.sample_every=0 ";

static void write_pairs(const char *folder, bool negative)
{
    struct gx_err err = {""};
    assert_int_equal(gx_folder_make(tiny_path("%s/train", folder), &err), 0);
    for (int key = 0; key < TINY_PAIRS; key++) {
        float data[2 * TINY_SIDE * TINY_SIDE * 3];
        for (int y = 0; y < TINY_SIDE; y++)
            for (int x = 0; x < TINY_SIDE; x++)
                for (int c = 0; c < 3; c++) {
                    float *a = data + (y * 2 * TINY_SIDE + x) * 3 + c;
                    *a = 0.5F + 0.45F * sinf(0.2F * (float)(x * (1 + key % 3) + c * y) +
                                             0.9F * (float)(key + 2 * c));
                    a[TINY_SIDE * 3] = negative ? 1 - *a : 0.1F + 0.8F * *a;
                }
        struct gx_pixels pixels = {data, 2 * TINY_SIDE, TINY_SIDE, 3, 0, 1};
        if (gx_picture_write(&pixels, NULL, &gx_write_defaults,
                             tiny_path("%s/train/%d.png", folder, key), &err))
            fail_msg("%s", err.text);
    }
}

/* Generators that have learnt their pairs, without an adversary; they stay as they are below, where
 * the rate is too small to change them. */
static int setup(void **state)
{
    if (tiny_setup(state))
        return -1;
    char words[512];
    write_pairs("same", false);
    write_pairs("negative", true);
    snprintf(words, sizeof words, "%s train.steps=150 loss.gan_weight=0 optim.lr=0.01", looking);
    tiny_train("learnt", words);
    strcat(words, " net.generator=resnet_6blocks net.dropout=true");
    tiny_train("blocks", words);
    snprintf(words, sizeof words, "%s train.steps=150 loss.gan_weight=0 optim.lr=0.01 data.path=%s",
             looking, tiny_path("negative"));
    tiny_train("inverse", words);
    return 0;
}

static struct tiny_outcome run_with(const char *run, const char *init, const char *words)
{
    char all[1024];
    snprintf(all, sizeof all, "%s train.init=%s %s", looking, tiny_path("%s", init), words);
    return tiny_try(run, 0, all);
}

/* That state is the only one that was warned of, once, and is in the summary, the log and the
 * page; NULL: none. */
static void assert_diagnosed(const char *run, const struct tiny_outcome *o, const char *name)
{
    int warnings = 0;
    if (o->code)
        fail_msg("%s: %s", run, o->err.text);
    for (const char *at = o->said; (at = strstr(at, "! health: ")); at++)
        warnings++;
    if (warnings != (name ? 1 : 0))
        fail_msg("%s:\n%s", run, o->said);
    char *log = tiny_read(run, "metrics.jsonl"), *page = tiny_read(run, "report.html"), part[256];
    const char *text = name ? gx_health_text(gx_health_named(name)) : "Nothing was amiss";
    assert_non_null(strstr(page, text));
    if (name) {
        assert_non_null(strstr(o->said, text));
        snprintf(part, sizeof part, "\nhealth: health: %s from step ", name);
        assert_non_null(strstr(o->said, part));
        snprintf(part, sizeof part, "\"state\":\"%s\"", name);
        assert_non_null(strstr(log, part));
    } else {
        assert_non_null(strstr(o->said, "\nhealth: health: ok\n"));
    }
    free(log);
    free(page);
}

static void healthy_runs_are_told_nothing(void **state)
{
    (void)state;
    static const char *const words[] = {"", "loss.gan=lsgan train.batch=2", "loss.gan=wgan_gp",
                                        "loss.gan=relativistic_average", "loss.gan_weight=0"};
    for (int i = 0; i < 5; i++) {
        char run[16], all[256];
        snprintf(run, sizeof run, "healthy-%d", i);
        snprintf(all, sizeof all, "%s train.steps=%d optim.lr=0.002 %s", looking, i ? 120 : 400,
                 words[i]);
        struct tiny_outcome o = tiny_try(run, 0, all);
        assert_diagnosed(run, &o, NULL);
    }
}

static void a_strong_discriminator_is_found(void **state)
{
    (void)state;
    char words[256];
    snprintf(words, sizeof words, "loss.gan=minimax data.path=%s train.steps=300 optim.lr=1e-12 ",
             tiny_path("same"));
    strcat(words, "optim.lr_d=0.01");
    struct tiny_outcome o = run_with("strong", "runs/learnt/model.safetensors", words);
    assert_diagnosed("strong", &o, "discriminator too strong");
    /* one that was strong from the first step on has no earlier gradient to compare with */
    snprintf(words, sizeof words, "loss.gan=minimax data.path=%s train.steps=150 optim.lr=1e-12",
             tiny_path("same"));
    o = run_with("frozen", "runs/strong/latest", words);
    assert_diagnosed("frozen", &o, "discriminator too strong");
    /* the same discriminator under an objective that keeps its gradient is no fault */
    snprintf(words, sizeof words, "loss.gan=lsgan data.path=%s train.steps=150 optim.lr=1e-12",
             tiny_path("same"));
    o = run_with("steep", "runs/strong/latest", words);
    assert_diagnosed("steep", &o, NULL);
}

static void a_random_discriminator_is_found(void **state)
{
    (void)state;
    struct tiny_outcome o =
        run_with("random", "runs/learnt/model.safetensors", "train.steps=400 optim.lr=1e-12");
    assert_diagnosed("random", &o, "discriminator at chance");
}

/* A run's generator with the weights whose names begin so multiplied, as a file for --init. */
static void edit_model(const char *run, const char *to, const char *const *names,
                       const float *factors, int count)
{
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_weights *file;
    struct gx_record record;
    struct gx_err err = {""};
    char *json = tiny_text(run, "model.safetensors", GX_KEY_NETWORK);
    gx_params_init(&params);
    if (gx_spec_from_json(&spec, json, &err) || gx_network_declare(&spec, &params, &err) ||
        gx_params_allocate(&params, &err) ||
        gx_weights_open(&file, tiny_path("runs/%s/model.safetensors", run), &err) ||
        gx_params_load(&params, file, "", &err))
        fail_msg("%s", err.text);
    for (int k = 0; k < count; k++) {
        struct gx_param *p = gx_params_find(&params, names[k]);
        assert_non_null(p);
        for (int64_t i = 0; i < gx_count(p->shape); i++)
            p->data[i] *= factors[k];
    }
    gx_record_init(&record);
    gx_record_add_params(&record, "", &params, GX_PARTS_ALL, params.data);
    assert_int_equal(gx_record_write(&record, tiny_path("%s", to), &err), 0);
    gx_record_clear(&record);
    gx_weights_close(&file);
    gx_params_clear(&params);
    free(json);
}

static void a_constant_generator_is_found(void **state)
{
    (void)state;
    static const char *const name[] = {"model.model.3.weight"};
    static const float factor[] = {0};
    edit_model("learnt", "constant.safetensors", name, factor, 1);
    struct tiny_outcome o = run_with("constant", "constant.safetensors",
                                     "train.steps=400 optim.lr=1e-12 optim.lr_d=0.001");
    assert_diagnosed("constant", &o, "mode collapse");
}

/* What varies in its pictures is dropout. At a rate of 1e-35 its first weights stay as good as 0,
 * through every norm that would make them large again. */
static void an_ignored_input_is_found(void **state)
{
    (void)state;
    static const char *const name[] = {"model.1.weight", "model.23.weight"};
    static const float factor[] = {0, 20};
    edit_model("blocks", "deaf.safetensors", name, factor, 2);
    struct tiny_outcome o =
        run_with("deaf", "deaf.safetensors",
                 "train.steps=300 optim.lr=1e-35 optim.lr_d=0.001 net.generator=resnet_6blocks "
                 "net.dropout=true");
    assert_diagnosed("deaf", &o, "input ignored");
}

static void inverted_colours_are_found(void **state)
{
    (void)state;
    char words[256];
    snprintf(words, sizeof words, "data.path=%s train.steps=300 optim.lr=1e-12 optim.lr_d=0.001",
             tiny_path("same"));
    struct tiny_outcome o = run_with("inverted", "runs/inverse/model.safetensors", words);
    assert_diagnosed("inverted", &o, "colours inverted");
    /* where it is what the pairs say, it is right */
    snprintf(words, sizeof words, "data.path=%s train.steps=300 optim.lr=1e-12 optim.lr_d=0.001",
             tiny_path("negative"));
    o = run_with("right", "runs/inverse/model.safetensors", words);
    assert_diagnosed("right", &o, NULL);
}

/* ---- divergence ---- */

static int newest_checkpoint(const char *run)
{
    int newest = -1;
    for (int step = 0; step < 1000; step++)
        if (gx_is_file(tiny_path("runs/%s/checkpoints/%06d.safetensors", run, step)))
            newest = step;
    return newest;
}

static void an_exploding_loss_stops_the_run(void **state)
{
    (void)state;
    static const char words[] = "health.every=5 loss.gan=wgan loss.clip=1e6 "
                                "train.checkpoint_every=5 train.steps=40";
    tiny_train("bang", words);
    struct tiny_outcome o = tiny_try("bang", 0, "--resume train.steps=200 optim.lr=10");
    assert_int_equal(o.code, -GX_E_NUMERIC);
    assert_non_null(strstr(o.err.text, "the generator's loss is "));
    assert_non_null(strstr(o.err.text, "1e4 times its median of "));
    assert_null(strstr(o.said, "! health"));
    int stopped;
    assert_int_equal(sscanf(o.err.text, "step %d: ", &stopped), 1);
    assert_true(stopped >= 40 + GX_HEALTH_PATIENCE && stopped < 200);
    /* nothing was saved from the first of these steps on */
    assert_true(newest_checkpoint("bang") <= stopped - GX_HEALTH_PATIENCE);
    assert_true(newest_checkpoint("bang") >= 40);
}

/* A rate that is far too large for one step of the run. */
static void doubtful_states_are_not_saved(void **state)
{
    (void)state;
    static const char words[] =
        "health.every=5 loss.gan=wgan loss.clip=1e6 loss.l1=0.01 train.checkpoint_every=1 "
        "train.keep=100 optim.schedule=constant train.steps=30 optim.lr=1e-6";
    tiny_train("spike", words);
    tiny_train("spike", "--resume train.steps=31 optim.lr=100");
    assert_int_equal(newest_checkpoint("spike"), 31); /* as the last one, in any case */
    tiny_stop("spike", 35, "--resume train.steps=60 optim.lr=1e-12");
    double loss[TINY_LINES];
    assert_int_equal(tiny_curve("spike", "G_GAN", loss), 35);
    assert_true(fabs(loss[31]) > 1.5e4 && fabs(loss[34]) > 1.5e4);
    for (int step = 32; step < 35; step++)
        assert_false(gx_is_file(tiny_path("runs/spike/checkpoints/%06d.safetensors", step)));
    assert_int_equal(newest_checkpoint("spike"), 35); /* whoever stops a run does not lose it */
    struct tiny_outcome o = tiny_try("spike", 0, "--resume");
    assert_int_equal(o.code, -GX_E_NUMERIC);
    assert_int_equal(newest_checkpoint("spike"), 35);
    if (!strstr(o.err.text, "step 50: ")) /* the 20th, resumed or not */
        fail_msg("%s", o.err.text);
}

static void not_a_number_is_no_state_of_health(void **state)
{
    (void)state;
    tiny_train("nan", "health.every=2 train.steps=10 optim.name=sgd optim.lr=1e-4 net.norm=none "
                      "loss.gan=lsgan");
    struct tiny_outcome o = tiny_try("nan", 0, "--resume train.steps=30 optim.lr=100");
    assert_int_equal(o.code, -GX_E_NUMERIC);
    assert_null(strstr(o.said, "! health"));
    assert_non_null(strstr(o.err.text, "is not finite"));
    assert_int_equal(newest_checkpoint("nan"), 10);
}

/* ---- resume, and what it costs ---- */

static void resumed_runs_log_the_same(void **state)
{
    (void)state;
    /* `chance` is entered in the third part, with what the first two have seen */
    char words[512];
    snprintf(words, sizeof words, "%s train.steps=345 optim.lr=1e-12 train.init=%s", looking,
             tiny_path("runs/learnt/model.safetensors"));
    tiny_train("one", words);
    tiny_stop("cut", 7, words);
    tiny_stop("cut", 303, "--resume");
    struct tiny_outcome o = tiny_try("cut", 0, "--resume");
    assert_diagnosed("cut", &o, "discriminator at chance");
    tiny_assert_same_metrics("one", "cut");
    tiny_assert_same("one", "cut", "latest");
    /* once entered, it is not told again */
    tiny_stop("again", 340, words);
    o = tiny_try("again", 0, "--resume");
    assert_null(strstr(o.said, "! health"));
    tiny_assert_same_metrics("one", "again");
}

/* A look looks only: the same weights come of it. */
static void looking_changes_nothing(void **state)
{
    (void)state;
    tiny_train("seen", "train.steps=12 health.every=2 net.dropout=true");
    tiny_train("unseen", "train.steps=12 health.every=0 net.dropout=true");
    tiny_assert_same("seen", "unseen", "model.safetensors");
    char *log = tiny_read("unseen", "metrics.jsonl");
    assert_null(strstr(log, "health"));
    free(log);
    float *d[2];
    int64_t count = tiny_tensors("seen", "latest", "D.", &d[0]);
    assert_int_equal(tiny_tensors("unseen", "latest", "D.", &d[1]), count);
    assert_memory_equal(d[0], d[1], (size_t)count * sizeof(float));
    free(d[0]);
    free(d[1]);
}

struct cost {
    double step, look; /* floating-point operations */
    int64_t arena;
};

static struct cost cost_of(const char *family, int every)
{
    struct gx_config config;
    struct gx_game game;
    struct gx_step step;
    struct gx_plan *plan;
    struct gx_err err = {""};
    struct gx_plan_settings settings = {.threads = 2};
    struct cost cost = {0};
    assert_int_equal(gx_config_init(&config, family, &err), 0);
    config.health.every = every;
    assert_int_equal(gx_game_init(&game, gx_family_find(family), &config, NULL, &err), 0);
    gx_game_build_step(&game, 1, 256, 256, &step);
    settings.repeated_phases = gx_step_repeated(&step);
    if (gx_plan_new(&plan, step.graph, &settings, &err))
        fail_msg("%s", err.text);
    cost.step = gx_step_flops(&step, plan);
    cost.arena = gx_plan_facts(plan).arena;
    for (int i = 0; i < gx_plan_facts(plan).nodes; i++) {
        double seconds;
        const struct gx_node *node = gx_plan_step(plan, i, &seconds);
        cost.look += node->phase == step.health && node->op->flops ? node->op->flops(node) : 0;
    }
    gx_plan_free(&plan);
    gx_graph_free(&step.graph);
    gx_game_clear(&game);
    gx_config_clear(&config);
    return cost;
}

/* Below 2% of a step's arithmetic on average, and no more memory: nothing but pictures waits for
 * the phase that seldom runs. */
static void a_look_is_cheap(void **state)
{
    (void)state;
    static const char *const families[] = {"pix2pix", "cycle"};
    for (int i = 0; i < 2; i++) {
        struct cost with = cost_of(families[i], 50), without = cost_of(families[i], 0);
        print_message("%s: a look is %.1f of a step's %.1f GFLOP, %.2f%% of each; arena %.1f MiB, "
                      "without %.1f\n",
                      families[i], with.look * 1e-9, with.step * 1e-9,
                      100 * with.look / 50 / with.step, (double)with.arena / 0x1p20,
                      (double)without.arena / 0x1p20);
        assert_true(with.step == without.step && without.look == 0);
        assert_true(with.look > 0 && with.look / 50 < 0.02 * with.step);
        assert_true((double)with.arena < 1.02 * (double)without.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy_runs_are_told_nothing),
        cmocka_unit_test(a_strong_discriminator_is_found),
        cmocka_unit_test(a_random_discriminator_is_found),
        cmocka_unit_test(a_constant_generator_is_found),
        cmocka_unit_test(an_ignored_input_is_found),
        cmocka_unit_test(inverted_colours_are_found),
        cmocka_unit_test(an_exploding_loss_stops_the_run),
        cmocka_unit_test(doubtful_states_are_not_saved),
        cmocka_unit_test(not_a_number_is_no_state_of_health),
        cmocka_unit_test(resumed_runs_log_the_same),
        cmocka_unit_test(looking_changes_nothing),
        cmocka_unit_test(a_look_is_cheap),
    };
    return cmocka_run_group_tests(tests, setup, tiny_teardown);
}
