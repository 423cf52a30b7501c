/* ganx FAMILY train: a run, told to people. The first signal lets the step end and saves; the
 * second ends the program at once, leaving the run as it was saved before. */
#include "cmd/cmd.h"
#include "cmd/stop.h"

#include "ganx/image.h"
#include "train/train.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void say(void *user, bool warning, const char *event, const char *text)
{
    gx_report(user, warning ? GX_WARNING : GX_INFO, event, "%s", text);
}

static void progress(void *user, int64_t step, int64_t total, const char *losses)
{
    gx_report_progress(user, step, total, "%s", losses);
}

static int stop(void *user)
{
    (void)user;
    return gx_stop_signal();
}

static double mib(int64_t bytes)
{
    return (double)bytes / 0x1p20;
}

static int print_plan(struct gx_config *config, const struct gx_train_events *events,
                      struct gx_report *report)
{
    struct gx_train_needs n;
    struct gx_err err;
    int code = gx_train_dry_run(config, events, &n, &err);
    if (code)
        return gx_fail_at(report, code, GX_AT_START, &err);
    if (config->json) {
        printf("{\"steps\":%" PRId64 ",\"width\":%d,\"height\":%d,\"weights\":%" PRId64
               ",\"gradients\":%" PRId64 ",\"moments\":%" PRId64 ",\"average\":%" PRId64
               ",\"step_arena\":%" PRId64 ",\"preview_arena\":%" PRId64 ",\"loader\":%" PRId64
               ",\"pool\":%" PRId64 ",\"lpips\":%" PRId64 ",\"total\":%" PRId64
               ",\"gflop_per_step\":%.6g,\"recomputed\":%.4g,\"recompute_cost\":%.4g}\n",
               n.steps, n.width, n.height, n.weights, n.gradients, n.moments, n.average,
               n.step_arena, n.preview_arena, n.loader, n.pool, n.lpips, n.total, n.flops * 1e-9,
               n.recomputed, n.recompute_cost);
        return GX_EXIT_DONE;
    }
    printf("%" PRId64 " steps over pictures of %d x %d, %.1f GFLOP each\n", n.steps, n.width,
           n.height, n.flops * 1e-9);
    printf("weights     %9.1f MiB\ngradients   %9.1f MiB\nmoments     %9.1f MiB\n", mib(n.weights),
           mib(n.gradients), mib(n.moments));
    if (n.average)
        printf("average     %9.1f MiB\n", mib(n.average));
    printf("step        %9.1f MiB  activations and scratch, after reuse\n", mib(n.step_arena));
    if (n.recompute_cost >= 0.005)
        printf(
            "                       by making values again: %.1f%% more arithmetic, about %.0f%% "
            "more time\n",
            n.recomputed * 100, n.recompute_cost * 100);
    printf("validation  %9.1f MiB  in the step's memory\n", mib(n.preview_arena));
    printf("pictures    %9.1f MiB  decoded ahead, and kept while there is room\n", mib(n.loader));
    if (n.pool)
        printf("pool        %9.1f MiB  of earlier generated pictures\n", mib(n.pool));
    if (n.lpips)
        printf("lpips       %9.1f MiB  VGG16, in validation\n", mib(n.lpips));
    printf("total       %9.1f MiB\n", mib(n.total));
    return GX_EXIT_DONE;
}

static enum gx_exit exit_of(int code, const struct gx_train_result *result)
{
    if (result->locked)
        return GX_EXIT_LOCKED;
    switch (-code) {
    case GX_E_IO:
        return GX_EXIT_CANNOT_WRITE;
    case GX_E_FORMAT:
    case GX_E_SHAPE:
        return GX_EXIT_MODEL;
    case GX_E_NUMERIC:
        return GX_EXIT_DIVERGED;
    default:
        return gx_exit_of(code, GX_AT_START);
    }
}

static int run_train(struct gx_config *config, struct gx_report *report)
{
    struct gx_train_events events = {report, say, progress, stop};
    struct gx_train_result result = {0};
    struct gx_err err = {""};
    if (config->operands) {
        gx_report(report, GX_ERROR, "error", "'train' takes no operand; did you mean --data '%s'?",
                  config->operand[0]);
        return GX_EXIT_USAGE;
    }
    int code = gx_image_start(NULL, 1, &err);
    if (code)
        return gx_fail_at(report, code, GX_AT_START, &err);
    if (config->dry_run)
        return print_plan(config, &events, report);
    gx_stop_catch();
    code = gx_train(config, &events, &result, &err);
    gx_report_progress_end(report);
    if (code) {
        gx_report(report, GX_ERROR, "error", "%s", err.text);
        if (code == -GX_E_NUMERIC)
            gx_report(
                report, GX_INFO, "diverged",
                "nothing was saved over the last good checkpoint; a lower optim.lr or another "
                "loss.gan may help");
        return (int)exit_of(code, &result);
    }
    if (result.signal) {
        gx_report(report, GX_INFO, "stopped",
                  "stopped after step %" PRId64 " and saved; go on with --resume", result.step);
        return GX_EXIT_SIGNAL + result.signal;
    }
    gx_report(report, GX_INFO, "done", "%" PRId64 " step%s done; the model is %s/model.safetensors",
              result.step, result.step == 1 ? "" : "s", config->train.run);
    return GX_EXIT_DONE;
}

const struct gx_command gx_command_train = {
    .name = "train",
    .verb = GX_VERB_TRAIN,
    .of_family = true,
    .summary = "train on a folder of pictures",
    .usage = (const char *const[]){"[--data DIR] [--run DIR] [options]",
                                   "--resume [--run DIR] [options]", NULL},
    .run = run_train,
};
