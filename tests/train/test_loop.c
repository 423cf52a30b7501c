/* The training loop through pix2pix: a run that was stopped and resumed is the uninterrupted run,
 * bit for bit; and every setting of optimizers, schedules and data is seen to act in what it
 * leaves. */
#include "tiny.h"

#include "ganx/plan.h"
#include "optim/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the same bits ---- */

/* Everything that has a state is on: dropout, augmentation, shuffling, averages, two updates of D
 * for one of G, a schedule that learns from validation; 13 steps of 2 x 2 pairs are over 7 epochs
 * of 7. */
static const char stateful[] =
    "train.steps=13 train.batch=2 train.n_critic=2 optim.ema=0.9 "
    "net.generator=resnet_6blocks net.dropout=true "
    "optim.schedule=plateau optim.decay_every=1 optim.gamma=0.5 optim.lr=0.05 val.every=2 "
    "train.checkpoint_every=4 train.sample_every=5 train.keep=2 ";

static void resumed_is_uninterrupted(void **state)
{
    (void)state;
    static const char *const kinds[] = {"adam", "rmsprop", "sgd"};
    for (int k = 0; k < 3; k++) {
        char words[512], whole[16], parts[16], last[] = "checkpoints/000013.safetensors";
        snprintf(words, sizeof words, "%s optim.name=%s", stateful, kinds[k]);
        snprintf(whole, sizeof whole, "whole-%s", kinds[k]);
        snprintf(parts, sizeof parts, "parts-%s", kinds[k]);
        tiny_train(whole, words);
        tiny_stop(parts, 3, words);
        tiny_stop(parts, 4, "--resume"); /* where it would have saved anyway */
        tiny_stop(parts, 9, "--resume");
        tiny_train(parts, "--resume");
        tiny_assert_same(whole, parts, last);
        tiny_assert_same(whole, parts, "model.safetensors");
        tiny_assert_same_metrics(whole, parts);
        tiny_assert_same_link(whole, parts, "best");
        tiny_assert_same_link(whole, parts, "latest");
    }
    double rate[TINY_LINES];
    int lines = tiny_curve("parts-adam", "lr", rate);
    assert_int_equal(lines, 13);
    assert_true(rate[12] < rate[0]); /* else the plateau was never put to the test */
}

static void killed_before_a_checkpoint_starts_over(void **state)
{
    (void)state;
    tiny_train("first", "train.steps=2");
    char words[256];
    snprintf(words, sizeof words, "train.steps=3 optim.ema=0.5 train.init=%s",
             tiny_path("runs/first/latest"));
    tiny_train("uncut", words);
    tiny_stop("cut", 1, words);
    assert_int_equal(unlink(tiny_path("runs/cut/checkpoints/000001.safetensors")), 0);
    assert_int_equal(unlink(tiny_path("runs/cut/model.safetensors")), 0);
    tiny_train("cut", "--resume"); /* from --init, not from random weights */
    tiny_assert_same("uncut", "cut", "checkpoints/000003.safetensors");
    tiny_assert_same_metrics("uncut", "cut");
}

/* Between a checkpoint and what follows it a kill leaves the model and `best` as they were. */
static void killed_right_after_saving(void **state)
{
    (void)state;
    static const char words[] = "train.steps=2 val.every=2 train.checkpoint_every=2 optim.ema=0.5";
    tiny_train("saved", words);
    tiny_train("late", words);
    assert_int_equal(unlink(tiny_path("runs/late/model.safetensors")), 0);
    assert_int_equal(unlink(tiny_path("runs/late/best")), 0);
    assert_int_equal(unlink(tiny_path("runs/late/latest")), 0);
    tiny_train("late", "--resume");
    tiny_assert_same("saved", "late", "model.safetensors");
    tiny_assert_same_link("saved", "late", "best");
    tiny_assert_same_link("saved", "late", "latest");
}

static void seeds(void **state)
{
    (void)state;
    tiny_train("seed-a",
               "train.steps=4 net.generator=resnet_6blocks net.dropout=true train.batch=2");
    tiny_train("seed-b",
               "train.steps=4 net.generator=resnet_6blocks net.dropout=true train.batch=2");
    tiny_train(
        "seed-c",
        "train.steps=4 net.generator=resnet_6blocks net.dropout=true train.batch=2 train.seed=6");
    tiny_assert_same("seed-a", "seed-b", "latest");
    tiny_assert_same_metrics("seed-a", "seed-b");
    assert_true(tiny_distance("seed-a", "seed-c", "latest") > 0.01);
}

/* Threads share a sum differently, no more: after 4 steps weights are within 1e-3 of the largest of
 * their tensor (Adam divides a gradient near 0 by itself, so rounding moves single weights far). */
static void threads_agree(void **state)
{
    (void)state;
    double one[TINY_LINES], two[TINY_LINES];
    static const char words[] = "train.steps=4 train.batch=2 optim.name=sgd optim.lr=0.01 ";
    tiny_train("one", words);
    tiny_train("two", "train.steps=4 train.batch=2 optim.name=sgd optim.lr=0.01 threads=2");
    tiny_train("two-again", "train.steps=4 train.batch=2 optim.name=sgd optim.lr=0.01 threads=2");
    assert_true(tiny_distance("one", "two", "model.safetensors") < 1e-3);
    tiny_assert_same("two", "two-again", "latest");
    static const char *const names[] = {"G_GAN", "G_L1", "D_real", "D_fake"};
    for (int i = 0; i < 4; i++) {
        int count = tiny_curve("one", names[i], one);
        assert_int_equal(tiny_curve("two", names[i], two), count);
        for (int k = 0; k < count; k++)
            assert_true(fabs(one[k] - two[k]) <= 1e-4 * fabs(one[k]));
    }
}

/* ---- chance in the data and in the network, at a rate of 0, so that nothing else moves ---- */

/* Different values among G_L1's of a run. */
static int distinct(const char *run)
{
    double value[TINY_LINES];
    int count = tiny_curve(run, "G_L1", value), found = 0;
    for (int i = 0; i < count; i++) {
        bool seen = false;
        for (int k = 0; k < i; k++)
            seen |= value[i] == value[k];
        found += !seen;
    }
    return found;
}

static void train_still(const char *run, const char *words)
{
    char text[1024];
    snprintf(text, sizeof text, "optim.lr=0 optim.name=sgd train.steps=12 data.holdout=0 %s",
             words);
    tiny_train(run, text);
}

static void chance(void **state)
{
    (void)state;
    char one[256];
    snprintf(one, sizeof one, "data.path=%s ", tiny_path("one"));
    const struct {
        const char *run, *words;
        int least, most;
    } row[] = {
        {"still", "data.load_size=16 data.flip=false net.dropout=false", 1, 1},
        {"flip", "data.load_size=16 data.flip=true net.dropout=false", 2, 2},
        {"crop", "data.load_size=18 data.flip=false net.dropout=false", 3, 9},
        {"cut_only", "data.preprocess=crop data.load_size=9 data.flip=false net.dropout=false", 3,
         9},
        {"whole", "data.preprocess=none data.crop_size=8 data.flip=false net.dropout=false", 1, 1},
        {"dropout",
         "data.load_size=16 data.flip=false net.dropout=true net.generator=unet_64 "
         "data.crop_size=0 data.load_size=64",
         12, 12}};
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        char words[512];
        snprintf(words, sizeof words, "%s %s", one, row[i].words);
        train_still(row[i].run, words);
        int found = distinct(row[i].run);
        if (found < row[i].least || found > row[i].most)
            fail_msg("%s: %d different losses", row[i].run, found);
    }
}

static void shuffling(void **state)
{
    (void)state;
    double named[TINY_LINES], mixed[TINY_LINES];
    static const char words[] =
        "data.load_size=16 data.flip=false net.dropout=false train.steps=21 ";
    char text[256];
    snprintf(text, sizeof text, "%s data.shuffle=false", words);
    train_still("by-name", text);
    snprintf(text, sizeof text, "%s data.shuffle=true", words);
    train_still("shuffled", text);
    assert_int_equal(tiny_curve("by-name", "G_L1", named), 21);
    assert_int_equal(tiny_curve("shuffled", "G_L1", mixed), 21);
    bool moved[2] = {false, false};
    for (int epoch = 0; epoch < 3; epoch++) {
        bool used[TINY_PAIRS] = {false};
        for (int i = 0; i < TINY_PAIRS; i++) {
            double value = mixed[epoch * TINY_PAIRS + i];
            int at = 0;
            assert_true(named[epoch * TINY_PAIRS + i] == named[i]);
            while (at < TINY_PAIRS && (used[at] || named[at] != value))
                at++;
            assert_true(at < TINY_PAIRS); /* each picture once in an epoch */
            used[at] = true;
            moved[0] |= value != named[i];
            moved[1] |= epoch > 0 && value != mixed[i];
        }
    }
    assert_true(moved[0] && moved[1]); /* not by name, and anew in each epoch */
}

/* ---- rates ---- */

static void rates(void **state)
{
    (void)state;
    const struct {
        const char *run, *words;
        struct gx_schedule schedule;
        int unit; /* steps in one unit of the schedule: an epoch has 7 */
    } row[] = {
        {"constant", "train.steps=6 optim.schedule=constant", {.kind = GX_SCHEDULE_CONSTANT}, 1},
        {"linear",
         "train.steps=8 optim.schedule=linear optim.decay_from=0.25",
         {.kind = GX_SCHEDULE_LINEAR, .decay_from = 0.25, .total = 8},
         1},
        {"linear-epochs",
         "train.epochs=4 optim.schedule=linear",
         {.kind = GX_SCHEDULE_LINEAR, .decay_from = 0.5, .total = 4},
         TINY_PAIRS},
        {"cosine",
         "train.steps=6 optim.schedule=cosine optim.min_lr=0.0001",
         {.kind = GX_SCHEDULE_COSINE, .min_lr = 0.0001, .total = 6},
         1},
        {"step",
         "train.epochs=1 optim.schedule=step optim.decay_every=3 optim.gamma=0.5",
         {.kind = GX_SCHEDULE_STEP, .gamma = 0.5, .every = 3},
         1},
        {"multistep",
         "train.steps=6 optim.schedule=multistep optim.milestones=2,5 optim.gamma=0.1",
         {.kind = GX_SCHEDULE_MULTISTEP, .gamma = 0.1, .milestone = {2, 5}, .milestones = 2},
         1}};
    for (int i = 0; i < 6; i++) {
        double rate[TINY_LINES], epoch[TINY_LINES];
        char words[256];
        struct gx_schedule schedule = row[i].schedule;
        schedule.lr = 0.002;
        snprintf(words, sizeof words, "optim.lr=0.002 %s", row[i].words);
        tiny_train(row[i].run, words);
        int count = tiny_curve(row[i].run, "lr", rate);
        assert_true(count >= 6);
        assert_int_equal(tiny_curve(row[i].run, "epoch", epoch), count);
        for (int k = 0; k < count; k++) {
            double expected = gx_schedule_lr(&schedule, k / row[i].unit);
            if (fabs(rate[k] - expected) > 1e-8 * expected)
                fail_msg("%s: step %d has %g, not %g", row[i].run, k + 1, rate[k], expected);
            assert_true(epoch[k] == k / TINY_PAIRS);
        }
    }
}

/* The rate that is told is the rate that acts: from where it is 0, weights stay. */
static void rate_acts(void **state)
{
    (void)state;
    tiny_train("acts", "train.steps=4 optim.schedule=cosine optim.lr=0.01 train.checkpoint_every=1 "
                       "train.keep=9 optim.name=sgd optim.momentum=0");
    tiny_train("stays", "train.steps=4 optim.schedule=multistep optim.milestones=3 "
                        "optim.gamma=1e-30 optim.lr=0.01 train.checkpoint_every=1 train.keep=9 "
                        "optim.name=sgd optim.momentum=0 net.norm=none");
    static const char *const file[] = {"checkpoints/000002.safetensors",
                                       "checkpoints/000003.safetensors",
                                       "checkpoints/000004.safetensors"};
    for (int i = 0; i < 2; i++) {
        float *before, *after;
        int64_t count = tiny_tensors("stays", file[i], "G.", &before);
        assert_int_equal(tiny_tensors("stays", file[i + 1], "G.", &after), count);
        assert_int_equal(!memcmp(before, after, (size_t)count * sizeof *before), i == 1);
        free(before);
        free(after);
    }
}

static void plateau_needs_held_out(void **state)
{
    (void)state;
    char words[256];
    snprintf(words, sizeof words,
             "optim.schedule=plateau data.holdout=0 train.steps=1 data.path=%s", tiny_path("one"));
    struct tiny_outcome o = tiny_try("no-held", 0, words);
    assert_int_equal(o.code, -GX_E_CONFIG);
    assert_non_null(strstr(o.err.text, "plateau"));
}

/* ---- averages and limits ---- */

static void average_is_the_model(void **state)
{
    (void)state;
    enum { STEPS = 3 };
    static const char words[] =
        "train.steps=3 train.checkpoint_every=1 train.keep=9 optim.lr=0.01 ";
    char text[256];
    snprintf(text, sizeof text, "%s optim.ema=0.75", words);
    tiny_train("ema", text);
    tiny_train("no-ema", words);
    static const char name[] = "model.model.0.weight";
    float *average, *weight, *next;
    for (int step = 1; step < STEPS; step++) {
        char file[2][64], averaged[64], plain[64];
        snprintf(file[0], sizeof file[0], "checkpoints/%06d.safetensors", step);
        snprintf(file[1], sizeof file[1], "checkpoints/%06d.safetensors", step + 1);
        snprintf(averaged, sizeof averaged, "average.G.%s", name);
        snprintf(plain, sizeof plain, "G.%s", name);
        int64_t count = tiny_tensor("ema", file[0], averaged, &average);
        assert_true(count > 0);
        assert_int_equal(tiny_tensor("ema", file[1], averaged, &next), count);
        assert_int_equal(tiny_tensor("ema", file[1], plain, &weight), count);
        for (int64_t i = 0; i < count; i++)
            assert_true(fabs(next[i] - (0.75 * average[i] + 0.25 * weight[i])) < 1e-7);
        free(average);
        free(weight);
        free(next);
    }
    int64_t count = tiny_tensor("ema", "latest", "average.G.model.model.0.weight", &average);
    assert_int_equal(tiny_tensor("ema", "model.safetensors", name, &next), count);
    assert_int_equal(tiny_tensor("no-ema", "model.safetensors", name, &weight), count);
    assert_memory_equal(average, next, (size_t)count * sizeof *next);
    assert_memory_not_equal(weight, next, (size_t)count * sizeof *next);
    free(average);
    free(weight);
    free(next);
    /* training itself does not see the average */
    count = tiny_tensors("ema", "latest", "G.", &average);
    assert_int_equal(tiny_tensors("no-ema", "latest", "G.", &weight), count);
    assert_memory_equal(average, weight, (size_t)count * sizeof *weight);
    free(average);
    free(weight);
}

/* How far a network's trained weights moved in step 2, as a length; without norms, all of them. */
static double moved(const char *run, const char *prefix)
{
    float *before, *after;
    int64_t count = tiny_tensors(run, "checkpoints/000001.safetensors", prefix, &before);
    assert_int_equal(tiny_tensors(run, "checkpoints/000002.safetensors", prefix, &after), count);
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += pow((double)after[i] - before[i], 2);
    free(before);
    free(after);
    return sqrt(sum);
}

static void gradients_are_clipped(void **state)
{
    (void)state;
    static const char words[] =
        "train.steps=2 train.checkpoint_every=1 optim.name=sgd "
        "optim.momentum=0 optim.lr=0.5 net.norm=none optim.schedule=constant";
    char text[512];
    snprintf(text, sizeof text, "%s optim.clip_norm=0.001", words);
    tiny_train("clipped", text);
    tiny_train("unclipped", words);
    static const char *const prefix[] = {"G.", "D."};
    for (int i = 0; i < 2; i++) {
        double length = moved("clipped", prefix[i]);
        assert_true(fabs(length - 0.5 * 0.001) < 0.5 * 0.001 * 0.01);
        assert_true(moved("unclipped", prefix[i]) > 2 * length);
    }
}

static double largest(const char *run, const char *prefix)
{
    float *data;
    int64_t count = tiny_tensors(run, "latest", prefix, &data);
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)data[i]));
    free(data);
    return most;
}

static void weights_are_clipped(void **state)
{
    (void)state;
    static const char words[] = "train.steps=2 loss.gan=wgan net.norm=none optim.lr=0.05";
    char text[256];
    snprintf(text, sizeof text, "%s loss.clip=0.01", words);
    tiny_train("clip", text);
    tiny_train("no-clip", words);
    assert_true(largest("clip", "D.") == (double)0.01F);
    assert_true(largest("clip", "G.") > 0.02);
    assert_true(largest("no-clip", "D.") > 0.02);
}

/* ---- every objective, network and number of channels ---- */

static void everything_learns(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "loss.gan=vanilla net.norm=batch",
        "loss.gan=lsgan net.norm=instance net.discriminator=pixel net.input_channels=1",
        "loss.gan=hinge net.norm=none net.output_channels=4 loss.pixel=smooth_l1",
        "loss.gan=wgan loss.clip=0.01 net.norm=batch net.input_channels=4 net.output_channels=1",
        "loss.gan=wgan_gp net.norm=instance loss.pixel=l2",
        "loss.gan=wgan_gp net.norm=batch net.discriminator=pixel train.n_critic=2",
        "loss.gan=vanilla net.norm=none net.generator=resnet_6blocks net.init=kaiming "
        "net.init_gain=1",
        "loss.gan=lsgan net.norm=batch net.generator=resnet_6blocks net.n_layers=2",
        "loss.gan=hinge net.norm=instance net.discriminator=pixel net.generator=resnet_9blocks",
        ("loss.gan=wgan_gp net.norm=none net.generator=resnet_6blocks net.output_channels=1 "
         "net.init=xavier net.init_gain=1"),
        "loss.gan=relativistic net.norm=instance net.discriminator=pixel",
        "loss.gan=relativistic_average_esrgan net.norm=batch train.n_critic=2",
        "loss.gan=f_hellinger_ns net.norm=none"};
    for (int i = 0; i < 13; i++) {
        static const char *const names[] = {"G_GAN", "G_L1", "D_real", "D_fake"};
        char run[16], words[512];
        double value[TINY_LINES], first = 0, last = 0;
        snprintf(run, sizeof run, "all-%d", i);
        snprintf(words, sizeof words,
                 "train.steps=30 train.batch=2 optim.lr=0.002 optim.schedule=constant "
                 "val.every=15 %s",
                 rows[i]);
        tiny_train(run, words);
        for (int k = 0; k < 4; k++) {
            assert_int_equal(tiny_curve(run, names[k], value), 30);
            for (int s = 0; s < 30; s++)
                assert_true(isfinite(value[s]));
        }
        bool penalty = strstr(rows[i], "wgan_gp");
        assert_int_equal(tiny_curve(run, "D_gp", value), penalty ? 30 : 0);
        for (int s = 0; s < 30 && penalty; s++)
            assert_true(isfinite(value[s]) && value[s] > 0);
        tiny_curve(run, "G_L1", value);
        for (int s = 0; s < 5; s++) {
            first += value[s];
            last += value[25 + s];
        }
        if (last > 0.9 * first)
            fail_msg("%s: G_L1 goes from %g to %g", rows[i], first / 5, last / 5);
        assert_int_equal(tiny_curve(run, "l1", value), 2);
        assert_true(isfinite(value[0]) && isfinite(value[1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed_is_uninterrupted),
        cmocka_unit_test(killed_before_a_checkpoint_starts_over),
        cmocka_unit_test(killed_right_after_saving),
        cmocka_unit_test(seeds),
        cmocka_unit_test(threads_agree),
        cmocka_unit_test(chance),
        cmocka_unit_test(shuffling),
        cmocka_unit_test(rates),
        cmocka_unit_test(rate_acts),
        cmocka_unit_test(plateau_needs_held_out),
        cmocka_unit_test(average_is_the_model),
        cmocka_unit_test(gradients_are_clipped),
        cmocka_unit_test(weights_are_clipped),
        cmocka_unit_test(everything_learns),
    };
    return cmocka_run_group_tests(tests, tiny_setup, tiny_teardown);
}
