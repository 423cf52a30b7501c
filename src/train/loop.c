#include "train/training.h"

#include "config/resolve.h"
#include "family/adversary.h"
#include "train/report.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers that are none ---- */

/* When all weights are finite and what they make is not: where they have grown most. */
static void name_largest(const struct gx_training *t, struct gx_err *why)
{
    double most = -1;
    for (int k = 0; k < t->game.nets; k++)
        for (int i = 0; i < t->game.net[k].params.count; i++) {
            const struct gx_param *p = t->game.net[k].params.param[i];
            int64_t count = gx_count(p->shape);
            double size = sqrt(t->kernels->sum_squares(p->data, count, t->threads) / (double)count);
            if (!gx_param_trained(p) || t->game.net[k].fixed || size <= most)
                continue;
            most = size;
            snprintf(why->text, sizeof why->text, "network %s: '%s' has the largest weights, %.3g",
                     t->game.net[k].name, p->name, size);
        }
}

/* A phase's losses. With one that is not finite goes the tensor that it most likely comes from. */
static int check_phase(const struct gx_training *t, int phase, struct gx_err *err)
{
    unsigned nets = t->step.phase[phase].update;
    for (int i = 0; i < t->step.losses; i++) {
        const struct gx_loss *loss = &t->step.loss[i];
        if (loss->value->phase != phase || isfinite(*gx_plan_value(t->plan, loss->value)))
            continue;
        struct gx_err why = {""};
        if (!gx_training_check(t, &why) && !gx_training_check_gradients(t, nets, &why))
            name_largest(t, &why);
        return gx_fail(err, GX_E_NUMERIC, "step %" PRId64 ": the loss %s is not finite; %s",
                       t->done + 1, loss->name, why.text);
    }
    return 0;
}

/* ---- one step ---- */

/* Discriminators may have a rate of their own, on the same course. */
static double rate_of(const struct gx_training *t, int net, double lr)
{
    double own = t->config->optim.lr_d;
    return own > 0 && !t->game.net[net].generator ? lr * own / t->config->optim.lr : lr;
}

/* Gradients that are not finite end the run: they are seen on the way into the weights, which are
 * not needed any more, so that no step reads them once more for it. */
static int update(struct gx_training *t, const struct gx_phase *phase, double lr,
                  struct gx_err *err)
{
    bool finite = true;
    for (int k = 0; k < t->game.nets; k++) {
        if (!(phase->update >> k & 1))
            continue;
        finite &= gx_optim_step(&t->optim[k], rate_of(t, k, lr), t->kernels, t->threads);
        if (t->average[k].data)
            gx_average_update(&t->average[k], t->kernels, t->threads);
    }
    int code = finite ? 0 : gx_training_check_gradients(t, phase->update, err);
    return code ? gx_context(err, code, "step %" PRId64, t->done + 1) : 0;
}

/* The labels that pictures shall get: the batch's own, dealt anew. */
static void deal_labels(const struct gx_training *t, uint64_t batch)
{
    const struct gx_shape s = t->step.label->shape;
    float *to = gx_plan_value(t->plan, t->step.wanted);
    struct gx_random random = gx_random_at(t->config->train.seed, GX_STREAM_LABEL, batch);
    memcpy(to, gx_plan_value(t->plan, t->step.label), (size_t)gx_count(s) * sizeof *to);
    for (uint32_t i = (uint32_t)s.n; i-- > 1;) {
        float *a = to + (int64_t)i * s.c;
        float *b = to + (int64_t)gx_random_below(&random, i + 1) * s.c;
        for (int k = 0; k < s.c; k++) {
            float value = a[k];
            a[k] = b[k];
            b[k] = value;
        }
    }
}

static int load_batch(struct gx_training *t, uint64_t batch, struct gx_err *err)
{
    float *to[GX_SLOTS_MAX] = {NULL};
    for (int s = 0; s < t->game.slots; s++)
        to[s] = t->step.input[s] ? gx_plan_value(t->plan, t->step.input[s]) : NULL;
    float *label = t->step.label ? gx_plan_value(t->plan, t->step.label) : NULL;
    int code = gx_loader_next(t->loader, to, label, NULL, err);
    if (!code && t->step.wanted)
        deal_labels(t, batch);
    return code;
}

/* What this phase made goes through the pools, for the phases that follow. */
static void draw_from_pools(struct gx_training *t, int phase, uint64_t batch)
{
    for (int i = 0; i < t->step.pools; i++) {
        const struct gx_pool_tap *tap = &t->step.pool[i];
        if (tap->made->phase == phase)
            gx_pool_exchange(&t->pool[i],
                             gx_random_at(t->config->train.seed, GX_STREAM_POOL,
                                          batch * GX_POOLS_MAX + (uint64_t)i),
                             gx_plan_value(t->plan, tap->made), gx_plan_value(t->plan, tap->shown),
                             t->config->train.batch);
    }
}

static int take_step(struct gx_training *t, double lr, struct gx_err *err)
{
    uint64_t batch = (uint64_t)gx_training_batch(t, t->done);
    bool fresh = false; /* whether the batch at hand has been used */
    if (t->step.noise)
        *gx_plan_value(t->plan, t->step.noise) =
            (float)gx_adversary_noise(t->config, t->done, t->total);
    for (int p = 0; p < t->step.phases; p++) {
        const struct gx_phase *phase = &t->step.phase[p];
        for (int round = 0; round < phase->repeat; round++) {
            int code = 0;
            if (!fresh || round > 0) {
                code = load_batch(t, batch, err);
                fresh = true;
                batch++;
            }
            if (code)
                return code;
            gx_plan_run(t->plan, p, t->config->train.seed, batch);
            code = check_phase(t, p, err);
            if (code)
                return code;
            draw_from_pools(t, p, batch);
            code = update(t, phase, lr, err);
            if (code)
                return code;
        }
    }
    t->done++;
    return gx_monitor_step(t, err);
}

/* ---- what is told ---- */

/* "loss":{"G_GAN":0.71,...}, */
static void log_values(const struct gx_training *t, struct gx_line *line, const char *what,
                       const struct gx_loss *value, int count)
{
    gx_line_add(line, "\"%s\":{", what);
    for (int i = 0; i < count; i++)
        gx_line_add(line, "%s\"%s\":%.9g", i ? "," : "", value[i].name,
                    (double)*gx_plan_value(t->plan, value[i].value));
    gx_line_add(line, "},");
}

static int log_step(struct gx_training *t, double lr, double seconds, struct gx_err *err)
{
    char text[2048];
    struct gx_line line = {.text = text, .size = sizeof text};
    gx_line_add(&line, "{\"step\":%" PRId64, t->done);
    if (t->batches_per_step > 1 || t->step.label) /* the discriminator's own count */
        gx_line_add(&line, ",\"critic\":%" PRId64, gx_training_batch(t, t->done));
    gx_line_add(&line, ",\"epoch\":%" PRId64 ",\"lr\":%.9g,", gx_training_epoch(t, t->done - 1),
                lr);
    log_values(t, &line, "loss", t->step.loss, t->step.losses);
    if (t->step.measures)
        log_values(t, &line, "measure", t->step.measure, t->step.measures);
    gx_line_add(&line, "\"s_per_step\":%.4g}", seconds);
    return gx_run_log(&t->run, text, err);
}

/* `first`: the step that this process began after, when there are no losses yet. */
static void show_progress(const struct gx_training *t, int64_t first)
{
    if (!t->events || !t->events->progress)
        return;
    char text[512] = "";
    struct gx_line line = {.text = text, .size = sizeof text};
    for (int i = 0; i < t->step.losses && t->done > first; i++)
        gx_line_add(&line, "%s%s %.3g", i ? "  " : "", t->step.loss[i].name,
                    (double)*gx_plan_value(t->plan, t->step.loss[i].value));
    t->events->progress(t->events->user, t->done, t->total, text);
}

/* ---- between steps ---- */

static bool due(int64_t step, int64_t every)
{
    return every > 0 && step % every == 0;
}

static int check_state(const struct gx_training *t, struct gx_err *err)
{
    int code = gx_training_check(t, err);
    return code ? gx_context(err, code, "after step %" PRId64, t->done) : 0;
}

/* Validation, samples and checkpoints, where this step is due for them. While the run may be about
 * to be stopped as diverged, saving waits. */
static int keep_house(struct gx_training *t, bool last, struct gx_err *err)
{
    const struct gx_config *c = t->config;
    bool held = t->validation.count, better = false;
    bool measured = t->validation.measured;
    bool save = last || due(t->done, c->train.checkpoint_every) || t->health_loss.owed > 0;
    t->health_loss.owed = save && !last && gx_monitor_doubts(t);
    if (t->health_loss.owed > 0)
        return 0;
    bool validate = measured && (c->val.every ? last || due(t->done, c->val.every) : save);
    bool draw = held && c->train.sample_every && (last || due(t->done, c->train.sample_every));
    int code = save || validate || draw ? check_state(t, err) : 0;
    if (!code && validate)
        code = gx_validation_run(t, &better, err);
    if (!code && draw)
        code = gx_validation_draw(t, err);
    if (!code && (save || better))
        code = gx_training_save(t, err);
    if (!code && better)
        code = gx_run_mark_best(&t->run, t->done, err);
    return code;
}

static int stop_signal(const struct gx_training *t)
{
    return t->events && t->events->stop ? t->events->stop(t->events->user) : 0;
}

static int run_steps(struct gx_training *t, struct gx_train_result *result, struct gx_err *err)
{
    int64_t first = t->done;
    show_progress(t, first);
    if (t->done >= t->total)
        gx_training_say(t, false, "resume",
                        "nothing left to do: the run has %" PRId64
                        " steps and was to have %" PRId64,
                        t->done, t->total);
    while (t->done < t->total) {
        double began = gx_clock(), lr = gx_training_rate(t, t->done);
        int code = gx_stage_advance(t, err);
        if (!code)
            code = take_step(t, lr, err);
        double seconds = gx_clock() - began;
        if (!code && (due(t->done, t->config->train.log_every) || t->done == t->total))
            code = log_step(t, lr, seconds, err);
        if (code)
            return code;
        show_progress(t, first);
        result->step = t->done;
        code = keep_house(t, t->done == t->total, err);
        if (code)
            return code;
        result->signal = stop_signal(t);
        if (result->signal && t->saved < t->done && !(code = check_state(t, err)))
            code = gx_training_save(t, err);
        if (code || result->signal)
            return code;
    }
    return 0;
}

/* ---- the whole ---- */

/* A resumed run takes what the saved one had, but for what may change and was given. */
static int continue_config(struct gx_config *config, struct gx_err *err)
{
    const char *path = gx_arena_format(&config->arena, "%s/config.yaml", config->train.run);
    char *text = NULL;
    size_t size;
    struct gx_config saved;
    if (!gx_is_file(path)) /* it was killed in its first moments: it starts as it is told now */
        return 0;
    int code = gx_file_read(path, 1 << 20, &text, &size, err) ? -GX_E_CONFIG : 0;
    if (!code)
        code = gx_config_read_text(&saved, text, size, path, err);
    if (!code) {
        code = gx_config_continue(config, &saved, err);
        gx_config_clear(&saved);
    }
    free(text);
    return code;
}

int gx_train_dry_run(struct gx_config *config, const struct gx_train_events *events,
                     struct gx_train_needs *needs, struct gx_err *err)
{
    struct gx_training t = {.run = {.lock = -1, .metrics = -1}};
    int code = config->train.resume ? continue_config(config, err) : 0;
    if (!code)
        code = gx_training_plan(&t, config, events, err);
    if (!code)
        gx_training_needs(&t, needs);
    gx_training_clear(&t);
    return code;
}

int gx_train(struct gx_config *config, const struct gx_train_events *events,
             struct gx_train_result *result, struct gx_err *err)
{
    struct gx_training t = {.run = {.lock = -1, .metrics = -1}};
    bool resume = config->train.resume;
    *result = (struct gx_train_result){0};
    /* A new run is planned before its folder is touched; an old one's folder says what to plan. */
    int code = resume ? gx_run_open(&t.run, config->train.run, true, &result->locked, err) : 0;
    if (!code && resume)
        code = continue_config(config, err);
    if (!code)
        code = gx_training_plan(&t, config, events, err);
    if (!code)
        code = gx_training_check_files(&t, err);
    if (!code && !resume)
        code = gx_run_open(&t.run, config->train.run, false, &result->locked, err);
    t.run.keep = config->train.keep;
    if (!code)
        code = gx_training_start(&t, err);
    result->step = t.done;
    if (!code)
        code = run_steps(&t, result, err);
    if (!code && !result->signal)
        gx_monitor_summary(&t);
    if (!code)
        code = gx_report_write(t.config->train.run, t.config->family, err);
    gx_run_close(&t.run);
    gx_training_clear(&t);
    return code;
}
