/* Health: each measure against a slow or known answer, each diagnosis driven on purpose, first by
 * scripted looks, then through the real loop with tiny networks; and what it costs. */
#include "tiny.h"

#include "family/family.h"
#include "family/model_keys.h"
#include "ganx/image.h"
#include "ganx/plan.h"
#include "graph/operator.h"
#include "train/health.h"
#include "train/record.h"
#include "util/file.h"
#include "util/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the measures ---- */

static double above_by_force(const float *a, int na, const float *b, int nb)
{
    double sum = 0;
    for (int i = 0; i < na; i++)
        for (int k = 0; k < nb; k++)
            sum += a[i] > b[k] ? 1 : a[i] == b[k] ? 0.5 : 0;
    return sum / (na * nb);
}

static void separation_is_a_share_of_pairs(void **state)
{
    (void)state;
    struct gx_random r = gx_random_at(1, GX_STREAM_TEST, 0);
    for (int round = 0; round < 20; round++) {
        float a[40], b[40];
        int na = 1 + round * 2, nb = 40 - round;
        for (int i = 0; i < 40; i++) { /* few values, so that many are equal */
            a[i] = (float)gx_random_below(&r, 9) - 4;
            b[i] = (float)gx_random_below(&r, 7) - 3;
        }
        double slow = above_by_force(a, na, b, nb);
        assert_true(fabs(gx_health_above(a, na, b, nb) - slow) < 1e-12);
    }
}

/* Of many outputs some are compared: evenly from all of them, others at the next step. */
static void separation_of_many_outputs(void **state)
{
    (void)state;
    enum { MANY = 10 * GX_HEALTH_OUTPUTS + 3 };
    static float r[MANY], f[MANY];
    static struct gx_health_memory m;
    struct gx_health_sight nothing = {NAN, NAN, NAN, NAN};
    unsigned entered, left;
    for (int i = 0; i < MANY; i++) {
        r[i] = i < MANY / 4 ? 1 : -1;
        f[i] = 0;
    }
    for (int step = 1; step <= 10; step++)
        gx_health_judge(&m, r, f, MANY, step);
    double share = gx_health_look(&m, &nothing, 10, 10, &entered, &left).separation;
    assert_true(fabs(share - 0.25) < 0.01);
    for (int i = 0; i < MANY; i++) /* only where one step of ten looks */
        r[i] = i % 10 == 3;
    for (int step = 1; step <= 10; step++)
        gx_health_judge(&m, r, f, MANY, step);
    share = gx_health_look(&m, &nothing, 20, 10, &entered, &left).separation;
    assert_true(fabs(share - 0.55) < 0.02);
}

static void pictures_shrink_to_averages(void **state)
{
    (void)state;
    enum { CELLS = GX_HEALTH_GRID * GX_HEALTH_GRID };
    static float picture[64 * 40 * 4], thumb[GX_HEALTH_THUMB];
    /* each cell is 4 x 2 pixels: a chessboard of +-0.5 about the cell's own value */
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 64; x++)
            for (int c = 0; c < 3; c++)
                picture[(y * 64 + x) * 3 + c] = (float)(c + y / 2 * GX_HEALTH_GRID + x / 4) / 256 +
                                                ((x + y) % 2 ? 0.5F : -0.5F);
    gx_health_shrink(picture, (struct gx_shape){1, 32, 64, 3}, thumb);
    for (int i = 0; i < CELLS; i++) {
        for (int c = 0; c < 3; c++)
            assert_true(fabs((double)thumb[c * CELLS + i] - (c + i) / 256.0) < 1e-5);
        assert_true(fabs((double)thumb[3 * CELLS + i] - 0.5) < 1e-5);
    }
    /* one channel is grey, a fourth is not looked at, and small pictures repeat themselves */
    for (int i = 0; i < 5 * 3; i++)
        picture[i] = (float)i;
    gx_health_shrink(picture, (struct gx_shape){1, 5, 3, 1}, thumb);
    for (int y = 0; y < GX_HEALTH_GRID; y++)
        for (int x = 0; x < GX_HEALTH_GRID; x++)
            for (int c = 0; c < 3; c++)
                assert_true(thumb[c * CELLS + y * GX_HEALTH_GRID + x] ==
                            (float)(y * 5 / GX_HEALTH_GRID * 3 + x * 3 / GX_HEALTH_GRID));
    for (int i = 0; i < 16 * 16 * 4; i++)
        picture[i] = i % 4 == 3 ? 99 : 0.25F;
    gx_health_shrink(picture, (struct gx_shape){1, 16, 16, 4}, thumb);
    for (int i = 0; i < 3 * CELLS; i++)
        assert_true(thumb[i] == 0.25F);
}

static void spread_and_correlation(void **state)
{
    (void)state;
    static float thumb[3][GX_HEALTH_THUMB];
    for (int i = 0; i < GX_HEALTH_THUMB; i++) {
        thumb[1][i] = 1;
        thumb[2][i] = -2;
    }
    assert_true(gx_health_spread((const float(*)[GX_HEALTH_THUMB])thumb, 1) == 0);
    assert_true(fabs(gx_health_spread((const float(*)[GX_HEALTH_THUMB])thumb, 3) - 2) < 1e-6);
    assert_true(isnan(gx_health_correlation(thumb[0], thumb[1])));
    struct gx_random r = gx_random_at(2, GX_STREAM_TEST, 0);
    for (int i = 0; i < GX_HEALTH_THUMB; i++) {
        thumb[0][i] = gx_random_normal(&r);
        thumb[1][i] = 3 - 0.1F * thumb[0][i];
        thumb[2][i] = gx_random_normal(&r);
    }
    assert_true(fabs(gx_health_correlation(thumb[0], thumb[0]) - 1) < 1e-6);
    assert_true(fabs(gx_health_correlation(thumb[0], thumb[1]) + 1) < 1e-5);
    assert_true(fabs(gx_health_correlation(thumb[0], thumb[2])) < 0.2);
}

static void looks_are_early_and_regular(void **state)
{
    (void)state;
    int count = 0;
    static const int due[] = {1, 2, 4, 8, 16, 32, 50, 100, 150};
    for (int step = 1; step <= 199; step++)
        if (gx_health_due(step, 50))
            assert_int_equal(due[count++], step);
    assert_int_equal(count, 9);
    assert_false(gx_health_due(64, 50));
    assert_false(gx_health_due(8, 0));
}

/* ---- scripted games ---- */

struct script {
    double separation, gradient, slope, moved, differ;
    double ratio; /* of outputs to targets, which are also the inputs */
};

static const struct script healthy = {0.9, 1, 1, 0.3, 0.4, 0.8};

enum { EVERY = 50, SIDE = 16 };

/* Some looks at a game that goes so; counts what is entered and left, by state. */
static void play(struct gx_health_memory *m, const struct script *s, int64_t *step, int looks,
                 int *entered, int *left)
{
    const struct gx_shape shape = {1, SIDE, SIDE, 3};
    const struct gx_health_sight sight = {s->gradient, s->slope, s->moved, s->differ};
    for (int64_t end = *step + (int64_t)looks * EVERY; *step < end;) {
        float r[200], f[200] = {0}, x[SIDE * SIDE * 3], y[SIDE * SIDE * 3];
        struct gx_random random = gx_random_at(3, GX_STREAM_TEST, (uint64_t)++ * step);
        for (int i = 0; i < 200; i++)
            r[i] = i < 200 * s->separation ? 1 : -1;
        for (int i = 0; i < SIDE * SIDE * 3; i++) {
            x[i] = 2 * gx_random_uniform(&random) - 1;
            y[i] = (float)s->ratio * x[i];
        }
        gx_health_judge(m, r, f, 200, *step);
        if (*step % 6 == 0)
            gx_health_see(m, x, shape, y, shape, x, shape);
        unsigned in = 0, out = 0;
        if (gx_health_due(*step, EVERY))
            gx_health_look(m, &sight, *step, EVERY, &in, &out);
        for (int k = 0; k < GX_HEALTH_STATES; k++) {
            entered[k] += in >> k & 1;
            left[k] += out >> k & 1;
        }
    }
}

/* A healthy game that goes wrong and recovers: that diagnosis and no other, once. */
static void assert_found(const struct script *bad, enum gx_health_state state, int most_looks)
{
    static struct gx_health_memory m;
    int64_t step = 0;
    int entered[GX_HEALTH_STATES] = {0}, left[GX_HEALTH_STATES] = {0};
    char text[128];
    m = (struct gx_health_memory){0};
    play(&m, &healthy, &step, 12, entered, left);
    gx_health_states(&m, text, sizeof text);
    assert_string_equal(text, "ok");
    play(&m, bad, &step, most_looks, entered, left);
    for (int k = 0; k < GX_HEALTH_STATES; k++)
        if (entered[k] != (k == (int)state))
            fail_msg("%s, and it is %s", gx_health_name(k), gx_health_name(state));
    gx_health_states(&m, text, sizeof text);
    assert_string_equal(text, gx_health_name(state));
    assert_int_equal(gx_health_named(text), state);
    play(&m, bad, &step, 10, entered, left);
    assert_true(m.first[state] > 600 && m.since[state] == m.first[state]);
    play(&m, &healthy, &step, 8, entered, left);
    for (int k = 0; k < GX_HEALTH_STATES; k++) {
        assert_int_equal(entered[k], k == (int)state);
        assert_int_equal(left[k], k == (int)state);
    }
    assert_true(m.times[state] == 1 && m.since[state] == 0 && m.left[state] > m.first[state]);
}

static void each_state_is_found(void **state)
{
    (void)state;
    struct script s = healthy;
    s.separation = 1; /* a discriminator that wins is no fault while the generator learns */
    int64_t step = 0;
    int entered[GX_HEALTH_STATES] = {0}, left[GX_HEALTH_STATES] = {0};
    static struct gx_health_memory m;
    play(&m, &s, &step, 30, entered, left);
    for (int k = 0; k < GX_HEALTH_STATES; k++)
        assert_int_equal(entered[k], 0);

    s.gradient = 0.005;
    assert_found(&s, GX_HEALTH_STRONG, 4);
    s.gradient = 1;
    s.slope = 0.002;
    assert_found(&s, GX_HEALTH_STRONG, 4);
    s = healthy;
    s.separation = 0.5;
    assert_found(&s, GX_HEALTH_CHANCE, 8);
    s.separation = 0.2; /* worse is no better */
    assert_found(&s, GX_HEALTH_CHANCE, 8);
    s = healthy;
    s.ratio = 0.1;
    assert_found(&s, GX_HEALTH_COLLAPSE, 8);
    s = healthy;
    s.moved = 5e-4;
    assert_found(&s, GX_HEALTH_IGNORED, 4);
    s = healthy;
    s.ratio = -0.8;
    assert_found(&s, GX_HEALTH_INVERTED, 8);
}

/* What every run looks like before it has learnt anything. */
static void the_start_is_given_time(void **state)
{
    (void)state;
    static struct gx_health_memory m;
    const struct script raw = {0.5, 1, 1, 5e-4, 0.4, 0.05};
    struct script balanced = healthy;
    int64_t step = 0;
    int entered[GX_HEALTH_STATES] = {0}, left[GX_HEALTH_STATES] = {0};
    play(&m, &raw, &step, 7, entered, left);
    play(&m, &healthy, &step, 10, entered, left);
    /* a balanced game is at chance too, but its gradient moves */
    for (int i = 0; i < 20; i++) {
        balanced.separation = 0.53;
        balanced.gradient = i % 3 ? 1 : 0.2;
        play(&m, &balanced, &step, 1, entered, left);
    }
    for (int k = 0; k < GX_HEALTH_STATES; k++)
        assert_int_equal(entered[k], 0);
}

static void noise_makes_nothing_flicker(void **state)
{
    (void)state;
    static struct gx_health_memory m;
    int64_t step = 0;
    int entered[GX_HEALTH_STATES] = {0}, left[GX_HEALTH_STATES] = {0};
    struct script s = healthy;
    play(&m, &s, &step, 12, entered, left);
    s.separation = 1;
    for (int i = 0; i < 40; i++) { /* every other look is beyond the bound: never three in a row */
        s.slope = i % 2 ? 0.005 : 0.015;
        play(&m, &s, &step, 1, entered, left);
    }
    assert_int_equal(entered[GX_HEALTH_STRONG], 0);
    s.slope = 0.005;
    play(&m, &s, &step, 3, entered, left);
    assert_int_equal(entered[GX_HEALTH_STRONG], 1);
    for (int i = 0; i < 40;
         i++) { /* about the bound: it stays; beyond the wider one, now and then */
        s.slope = i % 3 ? 0.012 : 0.03;
        play(&m, &s, &step, 1, entered, left);
    }
    assert_int_equal(entered[GX_HEALTH_STRONG], 1);
    assert_int_equal(left[GX_HEALTH_STRONG], 0);
}

static void losses_beyond_measure(void **state)
{
    (void)state;
    struct gx_health_loss l = {.count = 0};
    int64_t steps = 0;
    for (; steps < 5000; steps++) /* single ones, and slow growth, are nothing */
        assert_false(gx_health_lose(&l, steps % 50 == 25 ? 1e9 : 5 + (double)steps / 50));
    double median = gx_health_median_loss(&l);
    assert_true(fabs(median - 55) < 2); /* of the whole run */
    for (int i = 1; i < GX_HEALTH_PATIENCE; i++) {
        assert_false(gx_health_lose(&l, -2e6)); /* critics' objectives fall without end */
        assert_true(l.bad == i);
    }
    assert_true(gx_health_lose(&l, 2e6));
    assert_true(gx_health_median_loss(&l) == median);
    l = (struct gx_health_loss){.count = 0};
    for (int i = 0; i < 200; i++) /* it was always so */
        assert_false(gx_health_lose(&l, 1e7));
    l = (struct gx_health_loss){.count = 0};
    for (int i = 0; i < 200; i++) /* 1e4 (1 + median): nothing is far from almost 0 */
        assert_false(gx_health_lose(&l, i < 100 ? 1e-3 : 9e3));
}

/* ---- real runs ---- */

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
        cmocka_unit_test(separation_is_a_share_of_pairs),
        cmocka_unit_test(separation_of_many_outputs),
        cmocka_unit_test(pictures_shrink_to_averages),
        cmocka_unit_test(spread_and_correlation),
        cmocka_unit_test(looks_are_early_and_regular),
        cmocka_unit_test(each_state_is_found),
        cmocka_unit_test(the_start_is_given_time),
        cmocka_unit_test(noise_makes_nothing_flicker),
        cmocka_unit_test(losses_beyond_measure),
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
