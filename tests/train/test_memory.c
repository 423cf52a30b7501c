/* What a run takes is what its plan said, and a step takes nothing. */
#include "allocations.h"
#include "tiny.h"
#include "train/training.h"

#include <stdlib.h>
#include <sys/resource.h>

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
    static const char *const rows[] = {
        "optim.ema=0.9 net.dropout=true net.generator=unet_32 data.load_size=32 data.crop_size=0",
        "loss.gan=wgan_gp net.norm=instance optim.clip_norm=1 train.batch=2",
        "net.generator=resnet_6blocks net.discriminator=pixel loss.gan=hinge optim.name=rmsprop"};
    for (int i = 0; i < 3; i++) {
        struct gx_training t = {.run = {.lock = -1, .metrics = -1}};
        struct gx_config config;
        struct gx_err err = {""};
        char run[16];
        snprintf(run, sizeof run, "still-%d", i);
        tiny_config(&config, run, rows[i]);
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
            fail_msg("%s: %ld allocations", rows[i], count);
    }
}

/* ---- the peak is the plan's ---- */

/* The most that any process run here had resident so far, in bytes. */
static double peak_of_children(void)
{
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_CHILDREN, &usage), 0);
    return (double)usage.ru_maxrss * 1024;
}

static void run_program(const char *run, const char *words)
{
    char *command = tiny_command(run, words);
    if (system(command))
        fail_msg("%s", command);
    free(command);
}

static void peak_is_planned(void **state)
{
    (void)state;
#ifdef __SANITIZE_ADDRESS__
    skip(); /* shadow memory counts too */
#endif
    static const char words[] =
        "net.generator=unet_64 net.ngf=40 net.ndf=32 data.load_size=64 data.crop_size=64 "
        "train.batch=2 optim.ema=0.9 train.steps=2 train.checkpoint_every=1 val.every=1 ";
    char dry[512];
    struct gx_config config;
    struct gx_train_needs needs;
    struct gx_err err = {""};
    snprintf(dry, sizeof dry, "%s --dry-run", words);
    tiny_config(&config, "large", words);
    if (gx_train_dry_run(&config, NULL, &needs, &err))
        fail_msg("%s", err.text);
    gx_config_clear(&config);
    double planned = (double)needs.total;
    assert_true(planned > 200e6); /* else the allowance would hide a fault */
    run_program("large", dry);
    double before = peak_of_children();
    run_program("large", words);
    double took = peak_of_children() - before;
    if (took < 0.5 * planned || took > 1.05 * planned + 0x1p26)
        fail_msg("took %.1f MiB, planned %.1f", took / 0x1p20, planned / 0x1p20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(peak_is_planned),
    };
    return cmocka_run_group_tests(tests, tiny_setup, tiny_teardown);
}
