/* What CycleGAN's, StarGAN's and super-resolution's training have besides pix2pix's: pools of
 * earlier pictures, labels, several networks that take a step together, two phases. A run
 * that was stopped and resumed is the uninterrupted one, bit for bit; each loss
 * that a recipe names is logged, and falls where it should. */
#include "tiny.h"

#include "util/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the same bits ---- */

/* All that has a state is on. The data's epochs are 5 and 11 pictures long, the
 * pools of 4 fill up, and the stops are before and after that. */
#define STATEFUL                                                                                   \
    "train.steps=9 optim.ema=0.9 optim.lr=0.01 train.checkpoint_every=4 "                          \
    "train.sample_every=6 "                                                                        \
    "train.keep=2 "

static const struct {
    const char *name, *family, *words;
} resumed[] = {
    {"pool", "cycle", STATEFUL "net.generator=resnet_1blocks net.dropout=true train.batch=2"},
    {"pool-unfilled", "cycle", STATEFUL "train.pool=50"},
    {"no-pool", "cycle", STATEFUL "train.pool=0 train.n_critic=2 loss.gan=wgan_gp"},
    {"batch-norm", "cycle", STATEFUL "net.norm=batch train.batch=3 train.pool=5"},
    {"two-sizes", "unpaired-sr", STATEFUL "net.generator=srresnet train.pool=5"},
    {"two-sizes-critic", "unpaired-sr", STATEFUL "train.pool=0 train.n_critic=2 loss.gan=hinge"},
    {"domains", "star", STATEFUL "optim.name=rmsprop"},
    {"no-critic", "star", STATEFUL "train.n_critic=1 loss.gan=lsgan"},
    {"pixels", "sr", STATEFUL "optim.schedule=cosine_restarts optim.milestones=3"},
    {"two-phases", "sr",
     STATEFUL
     "train.pixel_steps=4 loss.gan_weight=0.01 loss.perceptual=0.1 loss.style=0.1 " TINY_VGG
     " optim.pixel_lr=0.02 optim.pixel_schedule=linear health.every=2"},
    {"two-phases-critic", "sr",
     STATEFUL "train.pixel_steps=5 loss.gan_weight=0.01 train.n_critic=2 loss.gan=hinge"},
    {"degraded", "sr", STATEFUL "degrade.kind=real degrade.usm=true loss.gan_weight=0.01"},
};

static void resumed_is_uninterrupted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof resumed / sizeof *resumed; i++) {
        char whole[32], parts[32];
        snprintf(whole, sizeof whole, "whole-%s", resumed[i].name);
        snprintf(parts, sizeof parts, "parts-%s", resumed[i].name);
        tiny_family(resumed[i].family);
        tiny_train(whole, resumed[i].words);
        tiny_stop(parts, 1, resumed[i].words);
        tiny_stop(parts, 4, "--resume"); /* where it would have saved anyway */
        tiny_stop(parts, 7, "--resume");
        tiny_train(parts, "--resume");
        tiny_assert_same(whole, parts, "checkpoints/000009.safetensors");
        tiny_assert_same(whole, parts, "model.safetensors");
        tiny_assert_same_metrics(whole, parts);
        tiny_assert_same_link(whole, parts, "latest");
    }
}

/* A network that another run has trained makes the small pictures: it is in no checkpoint, other noise
 * is drawn at each step, and a resumed run draws the same. */
static void learnt_degradation(void **state)
{
    (void)state;
    char words[512];
    double value[TINY_LINES];
    float *data;
    tiny_family("unpaired-sr");
    tiny_train("degrading", "train.steps=2 optim.ema=0.9");
    tiny_family("sr");
    snprintf(words, sizeof words,
             STATEFUL "degrade.kind=learnt loss.gan_weight=0.01 degrade.usm=true "
                      "degrade.model=%s",
             tiny_path("runs/degrading"));
    tiny_train("learnt", words);
    tiny_stop("learnt-parts", 3, words);
    tiny_train("learnt-parts", "--resume");
    tiny_assert_same("learnt", "learnt-parts", "checkpoints/000009.safetensors");
    tiny_assert_same_metrics("learnt", "learnt-parts");
    assert_int_equal(tiny_tensors("learnt", "latest", "degradation.", &data), 0);
    assert_true(tiny_curve("learnt", "psnr_y", value) > 0 && isfinite(value[0]));
    tiny_train("plain", "train.steps=9 loss.gan_weight=0.01 optim.lr=0.01");
    assert_true(tiny_distance("learnt", "plain", "model.safetensors") > 1e-3);

    static const struct {
        const char *words, *text;
    } wrong[] = {{"degrade.kind=learnt", "needs degrade.model"},
                 {"degrade.kind=learnt degrade.model=%s net.scale=3 data.crop_size=15", "2 times"},
                 {"degrade.kind=learnt degrade.model=%s/none", "degrade.model"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *model = strstr(wrong[i].words, "%s");
        int length = model ? (int)(model - wrong[i].words) : (int)strlen(wrong[i].words);
        snprintf(words, sizeof words, "train.steps=1 %.*s%s%s", length, wrong[i].words,
                 model ? tiny_path("runs/degrading") : "", model ? model + 2 : "");
        struct tiny_outcome o = tiny_try("refused", 0, words);
        assert_int_equal(o.code, -GX_E_CONFIG);
        if (!strstr(o.err.text, wrong[i].text))
            fail_msg("%s: %s", words, o.err.text);
    }
}

/* Who asks for a degradation beside small pictures of the data set's own is told that it is not
 * used. */
static void unused_degradation(void **state)
{
    (void)state;
    char words[512];
    tiny_family("sr");
    for (int kind = 0; kind < 2; kind++) {
        snprintf(words, sizeof words,
                 "train.steps=1 net.generator=rrdbnet net.scale=1 data.path=%s degrade.kind=%s",
                 tiny_path("pairless/val"), kind ? "real" : "bicubic");
        struct tiny_outcome o = tiny_try(kind ? "unused" : "used", 0, words);
        if (o.code)
            fail_msg("%s", o.err.text);
        assert_int_equal(strstr(o.said, "! data: degrade.kind is not used") != NULL, kind);
    }
}

/* ---- pools ---- */

static void pools_are_saved(void **state)
{
    (void)state;
    enum { FLOATS = TINY_CROP * TINY_CROP * 3, SIZE = 4 };
    tiny_family("cycle");
    tiny_train("pooled", "train.steps=3");
    for (int side = 0; side < 2; side++) {
        char name[32], key[32];
        float *data;
        snprintf(name, sizeof name, "pool.%d.pictures", side);
        snprintf(key, sizeof key, "ganx.pool.%d.filled", side);
        char *filled = tiny_text("pooled", "latest", key);
        assert_string_equal(filled, "3");
        assert_int_equal(tiny_tensor("pooled", "latest", name, &data), SIZE * FLOATS);
        for (int i = 0; i < SIZE; i++) {
            double sum = 0;
            for (int k = 0; k < FLOATS; k++)
                sum += fabs((double)data[i * FLOATS + k]);
            assert_int_equal(sum > 0, i < 3);
        }
        free(filled);
        free(data);
    }
}

/* Whether two runs have the same discriminators in a checkpoint. */
static bool same_judges(const char *run, const char *other, const char *file)
{
    float *a, *b;
    int64_t count = tiny_tensors(run, file, "D_", &a);
    assert_true(count > 0);
    assert_int_equal(tiny_tensors(other, file, "D_", &b), count);
    bool same = !memcmp(a, b, (size_t)count * sizeof *a);
    free(a);
    free(b);
    return same;
}

/* Until it is full a pool gives what it gets, so that its size does not matter;
 * then it does. */
static void pools_act_once_full(void **state)
{
    (void)state;
    static const char words[] = "train.steps=8 train.checkpoint_every=4 train.keep=9 ";
    char small[128];
    tiny_family("cycle");
    snprintf(small, sizeof small, "%s train.pool=4", words);
    tiny_train("pool-4", small);
    snprintf(small, sizeof small, "%s train.pool=50", words);
    tiny_train("pool-50", small);
    snprintf(small, sizeof small, "%s train.pool=0", words);
    tiny_train("pool-0", small);
    assert_true(same_judges("pool-4", "pool-50", "checkpoints/000004.safetensors"));
    assert_false(same_judges("pool-4", "pool-50", "checkpoints/000008.safetensors"));
    assert_true(same_judges("pool-0", "pool-50", "checkpoints/000008.safetensors"));
}

static void pools_and_critics_exclude_each_other(void **state)
{
    (void)state;
    tiny_family("cycle");
    struct tiny_outcome o = tiny_try("both", 0, "train.pool=4 train.n_critic=2 train.steps=1");
    assert_int_equal(o.code, -GX_E_CONFIG);
    assert_non_null(strstr(o.err.text, "train.pool"));
}

/* ---- learning ---- */

static const struct {
    const char *name, *family, *words;
    const char *losses; /* all that are logged */
    const char *falls;
} learning[] = {
    {"lsgan", "cycle", "net.norm=instance", "D_A G_A cycle_A idt_A D_B G_B cycle_B idt_B",
     "cycle_A"},
    {"hinge", "cycle", "loss.gan=hinge net.norm=batch loss.pixel=smooth_l1 train.batch=2",
     "D_A G_A cycle_A idt_A D_B G_B cycle_B idt_B", "idt_B"},
    {"grey", "cycle", "net.input_channels=1 net.discriminator=pixel",
     "D_A G_A cycle_A D_B G_B cycle_B", "cycle_B"},
    {"penalty", "cycle", "loss.gan=wgan_gp train.pool=0 train.n_critic=2 loss.identity=0",
     "D_A G_A cycle_A D_B G_B cycle_B D_A_gp D_B_gp", "cycle_A"},
    {"relative", "cycle", "loss.gan=relativistic_average loss.gan_weight=0.5",
     "D_A G_A cycle_A idt_A D_B G_B cycle_B idt_B", "cycle_B"},
    {"back-to-sharp", "unpaired-sr", "loss.gan_weight=0.01",
     "D_A G_A cycle_A idt_A D_B G_B cycle_B idt_B", "cycle_B"},
    {"only-enlarged", "unpaired-sr", "loss.gan_weight=0.01 net.generator=srvgg",
     "D_A G_A cycle_A idt_A D_B G_B cycle_B idt_B", "idt_A"},
    {"wgan_gp", "star", "", "D_real D_fake D_cls D_gp G_fake G_rec G_cls", "G_rec"},
    {"star-hinge", "star", "loss.gan=hinge train.n_critic=1",
     "D_real D_fake D_cls G_fake G_rec G_cls", "D_cls"},
    {"features", "pix2pix", "net.output_channels=4 loss.perceptual=0.1 " TINY_VGG,
     "D_real D_fake G_GAN G_L1 G_perc", "G_L1"},
    {"sr", "sr", "loss.pixel=charbonnier", "G_pix", "G_pix"},
    {"srgan", "sr", "loss.gan_weight=0.001 loss.perceptual=0.1 loss.style=1 " TINY_VGG,
     "G_pix G_perc G_style G_GAN D_real D_fake", "G_pix"},
};

static double mean(const double *value, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += value[i];
    return sum / count;
}

/* All of these losses are logged, are numbers, and are all that there are. */
static void check_losses(const char *run, const char *losses, int steps)
{
    double value[TINY_LINES];
    char names[128], *rest = NULL;
    int count = 0, found = 0;
    snprintf(names, sizeof names, "%s", losses);
    for (char *name = strtok_r(names, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        int lines = tiny_curve(run, name, value);
        if (lines < steps)
            fail_msg("%s: %d lines with %s", run, lines, name);
        for (int k = 0; k < lines; k++)
            assert_true(isfinite(value[k]));
        count++;
    }
    char *text = tiny_metrics(run), *end, *at = strstr(text, "\"loss\":{");
    assert_non_null(at);
    at += strlen("\"loss\":{");
    end = strchr(at, '}');
    for (; at < end; at++)
        found += *at == ':';
    free(text);
    if (found != count)
        fail_msg("%s: %d losses, not %d", run, found, count);
}

static void everything_learns(void **state)
{
    (void)state;
    enum { STEPS = 40, SOME = 6 };
    for (size_t i = 0; i < sizeof learning / sizeof *learning; i++) {
        char words[400];
        double value[TINY_LINES];
        snprintf(words, sizeof words, "train.steps=40 optim.lr=0.002 optim.schedule=constant %s",
                 learning[i].words);
        tiny_family(learning[i].family);
        tiny_train(learning[i].name, words);
        check_losses(learning[i].name, learning[i].losses, STEPS);
        int count = tiny_curve(learning[i].name, learning[i].falls, value);
        double first = mean(value, SOME), last = mean(value + count - SOME, SOME);
        if (!(last < 0.93 * first))
            fail_msg("%s: %s goes from %g to %g", learning[i].name, learning[i].falls, first, last);
    }
}

static void threads_agree(void **state)
{
    (void)state;
    static const char *const families[] = {"cycle", "star", "sr"};
    for (int i = 0; i < 3; i++) {
        char name[3][32];
        static const char *const threads[] = {"1", "2", "2"};
        tiny_family(families[i]);
        for (int k = 0; k < 3; k++) {
            char words[128];
            snprintf(name[k], sizeof name[k], "%s-%d", families[i], k);
            snprintf(words, sizeof words, "train.steps=4 optim.name=sgd optim.lr=0.01 threads=%s",
                     threads[k]);
            tiny_train(name[k], words);
        }
        assert_true(tiny_distance(name[0], name[1], "model.safetensors") < 1e-3);
        tiny_assert_same(name[1], name[2], "latest");
    }
}

/* The last test: one picture of the set stays without its end. */
static void damage_is_told(void **state)
{
    (void)state;
    struct stat file;
    const char *path = tiny_path("photos/train/2.png");
    assert_int_equal(stat(path, &file), 0);
    assert_int_equal(truncate(path, file.st_size * 2 / 3), 0);
    tiny_family("sr");
    struct tiny_outcome o = tiny_try("damage", 0, "train.steps=6");
    if (o.code)
        fail_msg("%s", o.err.text);
    const char *told = strstr(o.said, "! data: cannot read ");
    if (!told)
        fail_msg("%s", o.said);
    assert_non_null(strstr(told, "photos/train/2.png': "));
    assert_null(strstr(told + 1, "! data: ")); /* six steps of two, but once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resumed_is_uninterrupted),
        cmocka_unit_test(learnt_degradation),
        cmocka_unit_test(unused_degradation),
        cmocka_unit_test(pools_are_saved),
        cmocka_unit_test(pools_act_once_full),
        cmocka_unit_test(pools_and_critics_exclude_each_other),
        cmocka_unit_test(everything_learns),
        cmocka_unit_test(threads_agree),
        cmocka_unit_test(damage_is_told),
    };
    return cmocka_run_group_tests(tests, tiny_setup, tiny_teardown);
}
