/* What a run leaves behind for others: links, the checkpoints that are kept, the configuration, and
 * a model that draws what training drew. */
#include "family/model_keys.h"
#include "ganx/image.h"
#include "ganx/plan.h"
#include "image/dataset.h"
#include "image/metrics.h"
#include "tiny.h"
#include "util/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- links and rotation ---- */

static bool has_checkpoint(const char *run, int step)
{
    return gx_is_file(tiny_path("runs/%s/checkpoints/%06d.safetensors", run, step));
}

static int linked(const char *run, const char *name)
{
    char to[64] = "";
    int step = -1;
    assert_true(readlink(tiny_path("runs/%s/%s", run, name), to, sizeof to - 1) > 0);
    assert_int_equal(sscanf(to, "checkpoints/%d.safetensors", &step), 1);
    assert_true(gx_is_file(tiny_path("runs/%s/%s", run, name)));
    return step;
}

static void best_and_newest_are_kept(void **state)
{
    (void)state;
    enum { STEPS = 8, KEEP = 2 };
    const struct {
        const char *metric;
        int sign; /* of what is better */
    } row[] = {{"ssim", 1}, {"psnr", 1}, {"l1", -1}};
    for (int i = 0; i < 3; i++) {
        double value[TINY_LINES];
        char words[256];
        snprintf(words, sizeof words,
                 "train.steps=8 train.checkpoint_every=1 train.keep=2 val.metric=%s optim.lr=0.05 "
                 "net.generator=unet_8",
                 row[i].metric);
        tiny_train(row[i].metric, words);
        assert_int_equal(tiny_curve(row[i].metric, row[i].metric, value), STEPS);
        int best = 0;
        for (int k = 1; k < STEPS; k++)
            if (row[i].sign * value[k] > row[i].sign * value[best])
                best = k;
        assert_int_equal(linked(row[i].metric, "best"), best + 1);
        assert_int_equal(linked(row[i].metric, "latest"), STEPS);
        for (int step = 1; step <= STEPS; step++)
            assert_int_equal(has_checkpoint(row[i].metric, step),
                             step > STEPS - KEEP || step == best + 1);
    }
}

static void configuration_is_kept(void **state)
{
    (void)state;
    tiny_train("config", "train.steps=1 optim.lr=0.00123 train.n_critic=2");
    char *file = tiny_read("config", "config.yaml");
    char *inside = tiny_text("config", "latest", GX_KEY_CONFIG);
    assert_string_equal(file, inside);
    assert_non_null(strstr(file, "lr: 0.00123"));
    struct gx_config again, resumed;
    struct gx_err err = {""};
    if (gx_config_read_text(&again, file, strlen(file), "config.yaml", &err))
        fail_msg("%s", err.text);
    assert_int_equal(again.train.n_critic, 2);
    gx_config_clear(&again);
    free(file);
    free(inside);
    /* a resumed run's new length is saved as well */
    tiny_train("config", "--resume train.steps=2");
    file = tiny_read("config", "config.yaml");
    inside = tiny_text("config", "latest", GX_KEY_CONFIG);
    assert_string_equal(file, inside);
    if (gx_config_read_text(&resumed, file, strlen(file), "config.yaml", &err))
        fail_msg("%s", err.text);
    assert_int_equal(resumed.train.steps, 2);
    assert_int_equal(resumed.train.n_critic, 2);
    gx_config_clear(&resumed);
    free(file);
    free(inside);
}

/* ---- the model ---- */

struct model {
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_graph *graph;
    struct gx_node *x, *y;
    struct gx_plan *plan;
};

/* As translate will: the network from the metadata, weights by bare names, the picture's own
 * statistics. */
static void load_model(struct model *m, const char *run)
{
    struct gx_err err = {""};
    struct gx_weights *file;
    char *spec = tiny_text(run, "model.safetensors", GX_KEY_NETWORK);
    gx_params_init(&m->params);
    if (gx_spec_from_json(&m->spec, spec, &err) || gx_network_declare(&m->spec, &m->params, &err) ||
        gx_params_allocate(&m->params, &err) ||
        gx_weights_open(&file, tiny_path("runs/%s/model.safetensors", run), &err) ||
        gx_params_load(&m->params, file, "", &err))
        fail_msg("%s", err.text);
    struct gx_network_spec inferred;
    assert_int_equal(gx_network_infer(&inferred, file, "", &err), 0);
    assert_ptr_equal(inferred.network, m->spec.network);
    gx_weights_close(&file);
    free(spec);
    m->graph = gx_graph_new();
    m->x = gx_input(m->graph, (struct gx_shape){1, TINY_CROP, TINY_CROP, 3}, "x");
    struct gx_build build = {
        .graph = m->graph, .params = &m->params, .spec = &m->spec, .stats = GX_STATS_BATCH};
    struct gx_node *out[GX_OUTPUTS_MAX];
    assert_int_equal(m->spec.network->build(&build, m->x, NULL, out), 1);
    m->y = gx_keep(out[0]);
    struct gx_plan_settings settings = {.threads = 1, .inference = true};
    if (gx_plan_new(&m->plan, m->graph, &settings, &err) || gx_plan_allocate(m->plan, &err))
        fail_msg("%s", err.text);
}

static void free_model(struct model *m)
{
    gx_plan_free(&m->plan);
    gx_graph_free(&m->graph);
    gx_params_clear(&m->params);
}

/* The mean L1 over the held-out pairs, scaled to 16 x 16. */
static double measure(struct model *m)
{
    static float b[TINY_CROP * TINY_CROP * 3];
    const struct gx_prepare prepare = {
        .load_size = TINY_CROP, .channels = {3, 3}, .lo = -1, .hi = 1};
    const struct gx_dataset_options options = {0};
    const struct gx_chance none = {0};
    struct gx_dataset set;
    struct gx_err err = {""};
    double sum = 0;
    if (gx_dataset_open(&set, "pairs", tiny_path("data"), &options, &err))
        fail_msg("%s", err.text);
    assert_int_equal(set.held.count[0], TINY_HELD);
    for (size_t i = 0; i < TINY_HELD; i++) {
        struct gx_view view[2] = {set.held.view[0][i], set.held.view[1][i]};
        struct gx_raster raster[2];
        float *to[2] = {gx_plan_value(m->plan, m->x), b};
        if (gx_sample_decode(view, 2, &prepare, raster, &err) ||
            gx_sample_place(raster, 2, &prepare, &none, TINY_CROP, TINY_CROP, to, "x", &err))
            fail_msg("%s", err.text);
        gx_plan_run(m->plan, 0, 0, 0);
        struct gx_pair pair = {gx_plan_value(m->plan, m->y), b, 1, TINY_CROP, TINY_CROP, 3, -1, 1};
        sum += gx_metric_l1(&pair);
        free(raster[0].samples);
        free(raster[1].samples);
    }
    gx_dataset_clear(&set);
    return sum / TINY_HELD;
}

static void model_draws_what_training_drew(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "net.dropout=false", "net.dropout=false optim.ema=0.8",
        "net.dropout=false net.generator=resnet_6blocks net.norm=instance"};
    for (int i = 0; i < 3; i++) {
        char run[16], words[256];
        double logged[TINY_LINES];
        struct model m;
        snprintf(run, sizeof run, "model-%d", i);
        snprintf(words, sizeof words, "train.steps=12 optim.lr=0.01 %s", rows[i]);
        tiny_train(run, words);
        assert_int_equal(tiny_curve(run, "l1", logged), 1);
        load_model(&m, run);
        double measured = measure(&m);
        free_model(&m);
        if (fabs(measured - logged[0]) > 1e-5 * measured)
            fail_msg("%s: %g, not %g", rows[i], measured, logged[0]);
        assert_true(gx_is_file(tiny_path("runs/%s/samples/000012.png", run)));
        struct gx_picture *sheet;
        assert_int_equal(
            gx_picture_open(&sheet, tiny_path("runs/%s/samples/000012.png", run), NULL, NULL), 0);
        assert_true(gx_picture_facts(sheet)->width > 3 * TINY_CROP);
        assert_true(gx_picture_facts(sheet)->height > TINY_HELD * TINY_CROP);
        gx_picture_free(&sheet);
    }
}

static void facts_are_told(void **state)
{
    (void)state;
    tiny_train("facts", "train.steps=1 net.generator=resnet_6blocks net.dropout=true "
                        "data.direction=BtoA");
    const struct {
        const char *key, *value;
    } row[] = {{GX_KEY_FAMILY, "pix2pix"},   {GX_KEY_DIRECTION, "BtoA"}, {GX_KEY_DROPOUT, "on"},
               {GX_KEY_NORM_STATS, "image"}, {GX_KEY_SIZE, "16"},        {GX_KEY_STEP, "1"},
               {GX_KEY_RANGE, "-1,1"}};
    for (int i = 0; i < 7; i++) {
        char *text = tiny_text("facts", "model.safetensors", row[i].key);
        assert_string_equal(text, row[i].value);
        free(text);
    }
}

/* B to A is learnt from the same pairs with the sides exchanged. */
static void direction_exchanges_sides(void **state)
{
    (void)state;
    double there[TINY_LINES], back[TINY_LINES];
    tiny_train("a-to-b", "train.steps=1 optim.lr=0");
    tiny_train("b-to-a", "train.steps=1 optim.lr=0 data.direction=BtoA");
    assert_int_equal(tiny_curve("a-to-b", "G_L1", there), 1);
    assert_int_equal(tiny_curve("b-to-a", "G_L1", back), 1);
    assert_true(fabs(there[0] - back[0]) > 0.01 * there[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_and_newest_are_kept),       cmocka_unit_test(configuration_is_kept),
        cmocka_unit_test(model_draws_what_training_drew), cmocka_unit_test(facts_are_told),
        cmocka_unit_test(direction_exchanges_sides),
    };
    return cmocka_run_group_tests(tests, tiny_setup, tiny_teardown);
}
