/* StarGAN's labels: what the sample grids ask for, and the losses and accuracies of the classifier,
 * against the same worked out by hand. */
#include "../test.h"
#include "config/resolve.h"
#include "family/family.h"
#include "ganx/plan.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 16, BATCH = 3, LABELS = 4 };

static const char *const names[] = {"black", "blond", "old", "glasses"};
static const int all_one[] = {1, 1, 1, 1}, hair[] = {1, 1, 0, 0};
static const struct gx_label_kind domains = {LABELS, true, names, all_one};
static const struct gx_label_kind attributes = {LABELS, false, names, hair};

struct bench {
    struct gx_config config;
    struct gx_game game;
    struct gx_plan *plan;
};

static void make(struct bench *b, const struct gx_label_kind *labels)
{
    char *words[] = {"--set", "data.load_size=16", "--set", "data.crop_size=16",
                     "--set", "net.ngf=4",         "--set", "net.ndf=4",
                     "--set", "net.n_layers=2",    "--set", "net.blocks=1",
                     "--set", "health.every=0"}; /* what is added below runs in the last phase */
    struct gx_err err = {""};
    if (gx_config_resolve(&b->config, "star", GX_VERB_TRAIN, 14, words, &err) ||
        gx_game_init(&b->game, gx_family_find("star"), &b->config, labels, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < b->game.nets; i++) {
        assert_int_equal(gx_params_allocate(&b->game.net[i].params, &err), 0);
        assert_int_equal(gx_params_allocate_gradients(&b->game.net[i].params, &err), 0);
        gx_params_initialise(&b->game.net[i].params, GX_INIT_TORCH, 1, 3, b->game.net[i].name);
    }
    b->plan = NULL;
}

static void plan(struct bench *b, struct gx_graph *graph, bool inference)
{
    struct gx_plan_settings settings = {.threads = 1, .inference = inference};
    struct gx_err err = {""};
    if (gx_plan_new(&b->plan, graph, &settings, &err) || gx_plan_allocate(b->plan, &err))
        fail_msg("%s", err.text);
}

static void clear(struct bench *b, struct gx_graph **graph)
{
    gx_plan_free(&b->plan);
    gx_graph_free(graph);
    gx_game_clear(&b->game);
    gx_config_clear(&b->config);
}

static void fill(const struct bench *b, struct gx_node *x, float phase)
{
    float *data = gx_plan_value(b->plan, x);
    for (int64_t i = 0; i < gx_count(x->shape); i++)
        data[i] = sinf(0.37F * (float)i + phase);
}

/* ---- sample grids ---- */

/* Column 1 + k is the picture with that label, and the last one goes back from column 1 + LABELS
 * by the label that the picture had. */
static void check_columns(const struct gx_label_kind *kind, const float own[LABELS],
                          const float expected[LABELS][LABELS])
{
    struct bench b;
    struct gx_preview p = {0};
    struct gx_node *label[LABELS], *out[LABELS][GX_OUTPUTS_MAX], *back[GX_OUTPUTS_MAX];
    make(&b, kind);
    b.game.family->build_preview(&b.game, 1, SIDE, SIDE, &p);
    assert_int_equal(p.columns, LABELS + 2);
    assert_null(p.output);
    assert_null(p.target);
    for (int k = 0; k < LABELS; k++) {
        label[k] = gx_input(p.graph, (struct gx_shape){1, 1, 1, LABELS}, "expected");
        gx_game_apply(&b.game, p.graph, 0, p.input[0], label[k], false, out[k]);
        gx_keep(out[k][0]);
        assert_string_equal(p.column[1 + k].title, names[k]);
    }
    gx_game_apply(&b.game, p.graph, 0, out[LABELS - 1][0], p.label, false, back);
    gx_keep(back[0]);
    plan(&b, p.graph, true);
    fill(&b, p.input[0], 0);
    memcpy(gx_plan_value(b.plan, p.label), own, LABELS * sizeof *own);
    for (int k = 0; k < LABELS; k++)
        memcpy(gx_plan_value(b.plan, label[k]), expected[k], LABELS * sizeof *own);
    gx_plan_run(b.plan, 0, 0, 0);
    for (int k = 0; k < LABELS; k++)
        assert_memory_equal(gx_plan_value(b.plan, p.column[1 + k].value),
                            gx_plan_value(b.plan, out[k][0]), SIDE * SIDE * 3 * sizeof(float));
    assert_memory_equal(gx_plan_value(b.plan, p.column[1 + LABELS].value),
                        gx_plan_value(b.plan, back[0]), SIDE * SIDE * 3 * sizeof(float));
    clear(&b, &p.graph);
}

static void grids_show_every_domain(void **state)
{
    (void)state;
    static const float one_hot[LABELS][LABELS] = {
        {1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
    check_columns(&domains, (const float[]){0, 0, 1, 0}, one_hot);
    /* blond becomes black, stays blond; the others are turned over */
    static const float changed[LABELS][LABELS] = {
        {1, 0, 1, 0}, {0, 1, 1, 0}, {0, 1, 0, 0}, {0, 1, 1, 1}};
    check_columns(&attributes, (const float[]){0, 1, 1, 0}, changed);
}

static void grids_say_what_they_leave_out(void **state)
{
    (void)state;
    struct bench b;
    struct gx_preview p = {0};
    struct gx_label_kind many = {.count = GX_COLUMNS_MAX + 3};
    make(&b, &many);
    b.game.family->build_preview(&b.game, 1, SIDE, SIDE, &p);
    assert_int_equal(p.columns, GX_COLUMNS_MAX);
    assert_int_equal(p.left_out, 5);
    clear(&b, &p.graph);
}

/* ---- the classifier ---- */

static double value_of(const struct bench *b, const struct gx_loss *list, int count,
                       const char *name)
{
    for (int i = 0; i < count; i++)
        if (!strcmp(list[i].name, name))
            return *gx_plan_value(b->plan, list[i].value);
    fail_msg("no %s", name);
    return 0;
}

/* Softmax cross-entropy of one picture. */
static double entropy(const float *logit, const float *label)
{
    double sum = 0, own = 0;
    for (int k = 0; k < LABELS; k++) {
        sum += exp((double)logit[k]);
        own += (double)label[k] * (double)logit[k];
    }
    return log(sum) - own;
}

/* Cross-entropies of sigmoids. */
static double entropies(const float *logit, const float *label)
{
    double sum = 0;
    for (int k = 0; k < LABELS; k++) {
        double p = 1 / (1 + exp(-(double)logit[k]));
        sum -= label[k] > 0 ? log(p) : log(1 - p);
    }
    return sum;
}

static double right(const float *logit, const float *label, bool exclusive)
{
    int best = 0, agree = 0;
    for (int k = 0; k < LABELS; k++) {
        best = logit[k] > logit[best] ? k : best;
        agree += (logit[k] > 0) == (label[k] > 0);
    }
    return exclusive ? label[best] > 0 : (double)agree / LABELS;
}

static void check_classifier(const struct gx_label_kind *kind, const float label[BATCH][LABELS])
{
    struct bench b;
    struct gx_step step;
    struct gx_node *out[GX_OUTPUTS_MAX];
    make(&b, kind);
    gx_game_build_step(&b.game, BATCH, SIDE, SIDE, &step);
    gx_game_apply(&b.game, step.graph, 1, step.input[0], NULL, false, out);
    gx_keep(out[1]);
    plan(&b, step.graph, false);
    fill(&b, step.input[0], 1);
    memcpy(gx_plan_value(b.plan, step.label), label, BATCH * LABELS * sizeof **label);
    memcpy(gx_plan_value(b.plan, step.wanted), label, BATCH * LABELS * sizeof **label);
    for (int p = 0; p < step.phases; p++)
        gx_plan_run(b.plan, p, 0, 0);
    const float *logit = gx_plan_value(b.plan, out[1]);
    double loss = 0, share = 0;
    for (int i = 0; i < BATCH; i++, logit += LABELS) {
        loss += (kind->exclusive ? entropy : entropies)(logit, label[i]) / BATCH;
        share += right(logit, label[i], kind->exclusive) / BATCH;
    }
    assert_true(fabs(value_of(&b, step.loss, step.losses, "D_cls") - loss) < 1e-5);
    assert_true(fabs(value_of(&b, step.measure, step.measures, "D_acc") - share) < 1e-6);
    clear(&b, &step.graph);
}

static void classes_are_measured(void **state)
{
    (void)state;
    for (int turn = 0; turn < LABELS; turn++) { /* some of them are right by chance */
        float one[BATCH][LABELS] = {{0}}, many[BATCH][LABELS] = {{0}};
        for (int i = 0; i < BATCH; i++) {
            one[i][(turn + i) % LABELS] = 1;
            for (int k = 0; k < LABELS; k++)
                many[i][k] = (float)((turn + i * 3) >> (k / 2) & 1);
        }
        check_classifier(&domains, one);
        check_classifier(&attributes, many);
    }
}

static void sizes_must_fit(void **state)
{
    (void)state;
    struct gx_config c;
    struct gx_game game;
    struct gx_err err = {""};
    assert_int_equal(gx_config_init(&c, "star", &err), 0);
    const struct gx_family *star = gx_family_find("star");
    assert_int_equal(gx_game_init(&game, star, &c, NULL, &err), 0);
    assert_int_equal(game.labels.count, 5); /* numbered, for benchmarks */
    gx_game_clear(&game);
    c.data.load_size = c.data.crop_size = 32;
    assert_int_equal(gx_game_init(&game, star, &c, &domains, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "set it to 5 or less"));
    c.data.load_size = c.data.crop_size = 0;
    assert_int_equal(gx_game_init(&game, star, &c, &domains, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "data.load_size or data.crop_size"));
    c.data.crop_size = 128;
    c.net.generator = "unet_128";
    assert_int_equal(gx_game_init(&game, star, &c, &domains, &err), -GX_E_CONFIG);
    c.net.generator = "patchgan";
    assert_int_equal(gx_game_init(&game, star, &c, &domains, &err), -GX_E_CONFIG);
    gx_config_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grids_show_every_domain),
        cmocka_unit_test(grids_say_what_they_leave_out),
        cmocka_unit_test(classes_are_measured),
        cmocka_unit_test(sizes_must_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
