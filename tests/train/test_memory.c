/* What a run takes is what its plan said, a step takes nothing, and --max-memory is kept to. */
#include "allocations.h"
#include "tiny.h"
#include "train/training.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- steps allocate nothing ---- */

/* Phases and optimizer steps, as the loop runs them; gives the allocations of all but the first. */
static long allocations_of_steps(struct gx_training *t)
{
    long before = 0;
    for (uint64_t step = 0; step < 3; step++) {
        if (step == 1)
            before = allocations_here();
        for (int p = 0; p < t->step.phases; p++) {
            gx_plan_run(t->plan, p, 1, step);
            for (int k = 0; k < t->step.pools; k++)
                gx_pool_exchange(&t->pool[k], gx_random_at(1, GX_STREAM_POOL, step),
                                 gx_plan_value(t->plan, t->step.pool[k].made),
                                 gx_plan_value(t->plan, t->step.pool[k].shown),
                                 t->config->train.batch);
            for (int k = 0; k < t->game.nets; k++)
                if (t->step.phase[p].update >> k & 1)
                    gx_optim_step(&t->optim[k], 1e-4, t->kernels, t->threads);
        }
        for (int k = 0; k < t->game.nets; k++)
            if (t->average[k].data)
                gx_average_update(&t->average[k], t->kernels, t->threads);
    }
    return allocations_here() - before;
}

static void steps_allocate_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *family, *words;
    } rows[] = {
        {"pix2pix", "optim.ema=0.9 net.dropout=true net.generator=unet_32 data.load_size=32 "
                    "data.crop_size=0"},
        {"pix2pix", "loss.gan=wgan_gp net.norm=instance optim.clip_norm=1 train.batch=2"},
        {"pix2pix", "net.generator=resnet_6blocks net.discriminator=pixel loss.gan=hinge "
                    "optim.name=rmsprop"},
        {"cycle", "net.generator=resnet_2blocks optim.ema=0.9 train.batch=2 train.pool=3"},
        {"cycle", "loss.gan=wgan_gp train.pool=0 train.n_critic=2 net.norm=batch"},
        {"star", "optim.ema=0.9"},
        {"star", "loss.gan=lsgan train.n_critic=1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gx_training t = {.run = {.lock = -1, .metrics = -1}};
        struct gx_config config;
        struct gx_err err = {""};
        char run[16];
        snprintf(run, sizeof run, "still-%d", (int)i);
        tiny_family(rows[i].family);
        tiny_config(&config, run, rows[i].words);
        if (gx_training_plan(&t, &config, NULL, &err) ||
            gx_run_open(&t.run, config.train.run, false, NULL, &err) || gx_training_start(&t, &err))
            fail_msg("%s", err.text);
        long count = allocations_here();
        assert_true(count > 100); /* they are counted */
        count = allocations_of_steps(&t);
        gx_run_close(&t.run);
        gx_training_clear(&t);
        gx_config_clear(&config);
        if (count)
            fail_msg("%s %s: %ld allocations", rows[i].family, rows[i].words, count);
    }
}

/* ---- the peak is the plan's ---- */

/* Runs the program; gives the most that it had resident, in bytes. */
static double peak_of_program(const char *run, const char *words)
{
    char *command = tiny_command(run, words);
    struct rusage usage;
    int status;
    pid_t child = fork();
    if (!child) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    if (status)
        fail_msg("%s", command);
    free(command);
    return (double)usage.ru_maxrss * 1024;
}

static void peak_is_planned(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* shadow memory counts too */
#endif
    static const struct {
        const char *family, *words;
    } rows[] = {
        {"pix2pix", "net.generator=unet_64 net.ngf=40 net.ndf=32 train.batch=2 val.every=1"},
        {"cycle", "net.generator=resnet_2blocks net.ngf=24 net.ndf=24 train.batch=6"},
        {"cycle", "net.generator=resnet_2blocks net.ngf=24 net.ndf=24 train.batch=6 "
                  "--max-memory=56MiB"}, /* cheap values are made again */
        {"star", "net.ngf=24 net.ndf=24 net.n_layers=4 train.batch=18"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char words[512], dry[600], run[16];
        struct gx_config config;
        struct gx_train_needs needs;
        struct gx_err err = {""};
        snprintf(words, sizeof words,
                 "%s data.load_size=64 data.crop_size=64 optim.ema=0.9 train.steps=2 "
                 "train.checkpoint_every=1",
                 rows[i].words);
        snprintf(dry, sizeof dry, "%s --dry-run", words);
        snprintf(run, sizeof run, "peak-%zu", i);
        tiny_family(rows[i].family);
        tiny_config(&config, run, words);
        if (gx_train_dry_run(&config, NULL, &needs, &err))
            fail_msg("%s", err.text);
        gx_config_clear(&config);
        double planned = (double)needs.total;
        assert_true(planned > 50e6); /* else the allowance would hide a fault */
        double before = peak_of_program(run, dry);
        double took = peak_of_program(run, words) - before;
        if (took < 0.5 * planned || took > 1.05 * planned + 0x1p25)
            fail_msg("%s took %.1f MiB, planned %.1f", rows[i].family, took / 0x1p20,
                     planned / 0x1p20);
    }
}

/* ---- --max-memory ---- */

static int dry_run(const char *memory, struct gx_train_needs *needs, struct gx_err *err)
{
    char words[256];
    struct gx_config config;
    snprintf(words, sizeof words,
             "net.generator=resnet_3blocks net.ngf=24 net.ndf=24 data.load_size=64 "
             "data.crop_size=64 train.batch=4%s%s",
             *memory ? " --max-memory=" : "", memory);
    tiny_family("cycle");
    tiny_config(&config, "budget", words);
    int code = gx_train_dry_run(&config, NULL, needs, err);
    gx_config_clear(&config);
    return code;
}

/* Less memory costs more time, down to a number that is named; one less is refused. */
static void memory_is_traded(void **state)
{
    (void)state;
    struct gx_train_needs free, tight;
    struct gx_err err = {""};
    double least;
    char memory[32];
    if (dry_run("", &free, &err))
        fail_msg("%s", err.text);
    assert_true(free.recomputed == 0);
    assert_int_equal(dry_run("1MiB", &tight, &err), -GX_E_NOMEM);
    assert_int_equal(sscanf(err.text, "this run needs at least %lf MiB", &least), 1);
    assert_true(least < 0.8 * (double)free.total / 0x1p20);
    snprintf(memory, sizeof memory, "%.0fKiB", 1024 * (least + 0.05)); /* it is rounded */
    if (dry_run(memory, &tight, &err))
        fail_msg("%s", err.text);
    assert_true(tight.recomputed > 0 && tight.flops > free.flops);
    assert_true((double)tight.total <= 1024 * 1024 * (least + 0.06));
    /* buffers that are placed one by one may come out a little tighter than foretold */
    snprintf(memory, sizeof memory, "%.0fKiB", 1024 * 0.98 * least);
    assert_int_equal(dry_run(memory, &tight, &err), -GX_E_NOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(peak_is_planned),
        cmocka_unit_test(memory_is_traded),
    };
    return cmocka_run_group_tests(tests, tiny_setup, tiny_teardown);
}
