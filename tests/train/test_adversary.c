/* What keeps discriminators in bounds, through whole runs: each setting acts, contradictions are
 * refused with their reason and place. */
#include "tiny.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char quick[] = "optim.schedule=constant train.sample_every=0";

static void run(const char *name, const char *words)
{
    char text[1024];
    snprintf(text, sizeof text, "%s %s", quick, words);
    tiny_train(name, text);
}

/* Whether two runs' checkpoints have the same tensors under a prefix. */
static bool same(const char *run_a, const char *run_b, const char *prefix)
{
    float *a, *b;
    int64_t count = tiny_tensors(run_a, "latest", prefix, &a);
    bool equal = count > 0 && tiny_tensors(run_b, "latest", prefix, &b) == count;
    if (equal) {
        equal = !memcmp(a, b, (size_t)count * sizeof *a);
        free(b);
    }
    free(a);
    return equal;
}

/* D at 0.001 and G at 0.004: the first step's D is that of a run at 0.001, its G that of one at
 * 0.004 which saw the same D. The ratio stays over a schedule. */
static void discriminators_have_a_rate_of_their_own(void **state)
{
    (void)state;
    run("slow", "train.steps=1 optim.lr=0.001");
    run("fast", "train.steps=1 optim.lr=0.004");
    run("two", "train.steps=1 optim.lr=0.004 optim.lr_d=0.001");
    run("equal", "train.steps=1 optim.lr=0.001 optim.lr_d=0.001");
    assert_true(same("two", "slow", "D.") && !same("two", "fast", "D."));
    assert_false(same("two", "slow", "G."));
    assert_true(same("equal", "slow", "D.") && same("equal", "slow", "G."));
    static const char linear[] = "train.steps=4 optim.schedule=linear optim.decay_from=0 "
                                 "loss.gan_weight=0 optim.name=sgd";
    char words[256]; /* without the adversarial loss G does not see D, and D sees the same G */
    snprintf(words, sizeof words, "%s optim.lr=0.002", linear);
    tiny_train("course", words);
    snprintf(words, sizeof words, "%s optim.lr=0.002 optim.lr_d=0.001", linear);
    tiny_train("course-2", words);
    assert_true(same("course", "course-2", "G.") && !same("course", "course-2", "D."));
}

static void resumed_is_uninterrupted(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "optim.lr_d=0.001 loss.noise=0.2 loss.noise_until=0.9",
        "net.spectral_norm=true loss.penalty=interpolates net.discriminator=pixel",
        "net.spectral_norm=true train.n_critic=2 loss.gan=relativistic_average loss.orthogonal=1"};
    for (int i = 0; i < 3; i++) {
        char words[256], again[300], whole[16], parts[16];
        snprintf(words, sizeof words, "train.steps=4 %s", rows[i]);
        snprintf(again, sizeof again, "--resume %s", words);
        snprintf(whole, sizeof whole, "whole-%d", i);
        snprintf(parts, sizeof parts, "parts-%d", i);
        tiny_train(whole, words);
        tiny_stop(parts, 2, words);
        tiny_train(parts, again);
        tiny_assert_same(whole, parts, "latest");
    }
}

/* The checkpoint has the state under torch's names, moved by training and of length 1. */
static void spectral_norm_follows(void **state)
{
    (void)state;
    float *u, *first;
    run("sn-1", "train.steps=1 net.spectral_norm=true");
    run("sn-5", "train.steps=5 net.spectral_norm=true");
    assert_int_equal(tiny_tensor("sn-1", "latest", "D.model.0.weight", &u), 0);
    int64_t count = tiny_tensor("sn-5", "latest", "D.model.0.weight_u", &u);
    assert_int_equal(count, 4);
    assert_int_equal(tiny_tensor("sn-1", "latest", "D.model.0.weight_u", &first), count);
    double length = 0;
    bool moved = false;
    for (int64_t i = 0; i < count; i++) {
        length += (double)u[i] * u[i];
        moved |= u[i] != first[i];
    }
    assert_float_equal(length, 1, 1e-5);
    assert_true(moved);
    free(u);
    free(first);
}

static void penalties_are_logged_and_act(void **state)
{
    (void)state;
    static const char *const rows[] = {"loss.gan=lsgan", "loss.gan=lsgan loss.penalty=interpolates",
                                       "loss.gan=lsgan loss.penalty=real loss.gp_centre=0",
                                       "loss.gan=lsgan loss.penalty=fake loss.gp=2",
                                       "loss.gan=lsgan loss.penalty=real loss.gp_one_sided=true"};
    for (int i = 0; i < 5; i++) {
        char name[16], words[256];
        double value[TINY_LINES];
        snprintf(name, sizeof name, "gp-%d", i);
        snprintf(words, sizeof words, "train.steps=2 train.batch=2 net.norm=instance %s", rows[i]);
        run(name, words);
        assert_int_equal(tiny_curve(name, "D_gp", value), i ? 2 : 0);
        if (i && i < 4) {
            assert_true(isfinite(value[1]) && value[1] > 0);
            assert_false(same("gp-0", name, "D."));
        }
    }
}

/* More noise than signal: D cannot tell, and each run of the same seed sees the same noise. */
static void noise_is_seen(void **state)
{
    (void)state;
    double clear[TINY_LINES], noisy[TINY_LINES];
    run("clear", "train.steps=2 net.norm=none");
    run("noisy", "train.steps=2 net.norm=none loss.noise=3");
    run("noisy-2", "train.steps=2 net.norm=none loss.noise=3");
    run("over", "train.steps=2 net.norm=none loss.noise=3 loss.noise_until=0");
    assert_int_equal(tiny_curve("clear", "D_real", clear), 2);
    assert_int_equal(tiny_curve("noisy", "D_real", noisy), 2);
    assert_true(clear[0] != noisy[0]);
    tiny_assert_same("noisy", "noisy-2", "latest");
    assert_true(same("clear", "over", "D.") && same("clear", "over", "G."));
}

static void labels_are_moved(void **state)
{
    (void)state;
    double plain[TINY_LINES], smooth[TINY_LINES], pearson[TINY_LINES];
    run("entropy", "train.steps=1 loss.gan=vanilla");
    run("smooth", "train.steps=1 loss.gan=vanilla loss.smooth=0.25");
    tiny_curve("entropy", "D_real", plain);
    tiny_curve("smooth", "D_real", smooth);
    assert_true(plain[0] != smooth[0]);
    tiny_curve("entropy", "D_fake", plain);
    tiny_curve("smooth", "D_fake", smooth);
    assert_true(plain[0] == smooth[0]);
    run("squares", "train.steps=1 loss.gan=lsgan");
    run("pearson", "train.steps=1 loss.gan=lsgan loss.lsgan_fake=-1 loss.lsgan_target=0");
    tiny_curve("squares", "D_fake", plain);
    tiny_curve("pearson", "D_fake", pearson);
    assert_true(pearson[0] > plain[0] + 0.25); /* f is near 0 at the start */
    tiny_curve("squares", "G_GAN", plain);
    tiny_curve("pearson", "G_GAN", pearson);
    assert_true(pearson[0] < plain[0]);
}

static void filters_are_kept_apart(void **state)
{
    (void)state;
    double value[TINY_LINES];
    run("free", "train.steps=12 optim.lr=0.002 loss.l1=1");
    run("apart", "train.steps=12 optim.lr=0.002 loss.l1=1 loss.orthogonal=10");
    assert_int_equal(tiny_curve("free", "G_orth", value), 0);
    assert_int_equal(tiny_curve("apart", "G_orth", value), 12);
    assert_true(value[0] > 0 && value[11] < 0.7 * value[0]);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *words, *why;
    } rows[] = {
        {"loss.gan=wgan_gp loss.gp=0", "is wgan with a gradient penalty"},
        {"loss.gan=wgan_gp loss.penalty=none", "loss.penalty none leaves it out"},
        {"loss.penalty=real loss.gp=0", "loss.penalty real has the weight loss.gp 0"},
        {"loss.gp_one_sided=true", "loss.gp_one_sided needs a gradient penalty"},
        {"loss.gp_centre=0", "loss.gp_centre needs a gradient penalty"},
        {"loss.penalty=real loss.gp_centre=0 loss.gp_one_sided=true", "no gradient is shorter"},
        {"loss.gan=hinge loss.smooth=0.1", "loss.gan hinge has no labels"},
        {"loss.gan=relativistic_average_lsgan loss.smooth=0.1", "has no labels"},
        {"loss.gan=vanilla loss.lsgan_real=2", "loss.lsgan_real is for loss.gan lsgan"},
        {"loss.gan=lsgan loss.lsgan_fake=1", "the same label"},
        {"loss.clip=0.01 net.spectral_norm=true", "use one of them"},
        {"loss.noise_until=0.5", "set loss.noise"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char words[256];
        snprintf(words, sizeof words, "train.steps=1 %s", rows[i].words);
        struct tiny_outcome o = tiny_try("refused", 0, words);
        if (o.code != -GX_E_CONFIG || !strstr(o.err.text, rows[i].why))
            fail_msg("%s: %d, %s", rows[i].words, o.code, o.err.text);
    }
}

static void an_unbound_critic_is_told(void **state)
{
    (void)state;
    static const char *const bounds[] = {"", "loss.clip=0.01", "net.spectral_norm=true",
                                         "loss.penalty=fake"};
    for (int i = 0; i < 4; i++) {
        char words[256], name[16];
        snprintf(words, sizeof words, "train.steps=1 loss.gan=wgan %s", bounds[i]);
        snprintf(name, sizeof name, "bound-%d", i);
        struct tiny_outcome o = tiny_try(name, 0, words);
        assert_int_equal(o.code, 0);
        assert_int_equal(!!strstr(o.said, "! plan: loss.gan wgan needs"), i == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(discriminators_have_a_rate_of_their_own),
        cmocka_unit_test(resumed_is_uninterrupted),
        cmocka_unit_test(spectral_norm_follows),
        cmocka_unit_test(penalties_are_logged_and_act),
        cmocka_unit_test(noise_is_seen),
        cmocka_unit_test(labels_are_moved),
        cmocka_unit_test(filters_are_kept_apart),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(an_unbound_critic_is_told),
    };
    return cmocka_run_group_tests(tests, tiny_setup, tiny_teardown);
}
