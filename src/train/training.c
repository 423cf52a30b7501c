/* What every part of a run asks: what the configuration means for the loader, the optimizers and
 * the rate; telling; whether the weights are sound. */
#include "train/training.h"

#include "config/options.h"

#include <stdio.h>

void gx_training_say(const struct gx_training *t, bool warning, const char *event,
                     const char *format, ...)
{
    if (!t->events || !t->events->say)
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    t->events->say(t->events->user, warning, event, text);
}

void gx_training_warn(void *t, const char *text)
{
    gx_training_say(t, true, "data", "%s", text);
}

/* ---- what the configuration means ---- */

struct gx_prepare gx_training_prepare(const struct gx_training *t, bool chance)
{
    static const struct {
        enum gx_scaling scaling;
        bool cut;
    } modes[] = {[GX_RESIZE_AND_CROP] = {GX_SCALE_SQUARE, true},
                 [GX_SCALE_WIDTH_AND_CROP] = {GX_SCALE_WIDTH, true},
                 [GX_SCALE_WIDTH_ONLY] = {GX_SCALE_WIDTH, false},
                 [GX_CROP_ONLY] = {GX_SCALE_NONE, true},
                 [GX_PREPROCESS_NONE] = {GX_SCALE_FOUR, false}};
    const struct gx_config *c = t->config;
    bool turned = chance && gx_option_applies(gx_option_by_key("data.rotate"), c->family);
    struct gx_prepare p = {.center_crop = c->data.center_crop,
                           .scaling = modes[c->data.preprocess].scaling,
                           .load_size = c->data.load_size,
                           .crop_size = modes[c->data.preprocess].cut ? c->data.crop_size : 0,
                           .augment = chance,
                           .flip = chance && c->data.flip,
                           .rotate = turned && c->data.rotate,
                           .lo = t->game.low,
                           .hi = t->game.high};
    bool third = t->game.slots > 2, aligned = t->data.layout->aligned;
    if (t->data.made)
        p.degradation = chance ? &t->degrading.training : &t->degrading.held;
    else if (third && !aligned)
        p.degradation = &t->degrading.held;
    if (third && aligned && chance)
        p.usm = &t->degrading.usm;
    if (!chance && p.load_size && p.crop_size)
        p.load_size = p.crop_size;
    for (int i = 0; i < t->game.slots; i++) {
        p.channels[i] = t->game.channels[i];
        p.shrink[i] = t->game.shrink[i];
    }
    return p;
}

struct gx_loader_options gx_training_loading(const struct gx_training *t)
{
    const struct gx_config *c = t->config;
    return (struct gx_loader_options){.prepare = gx_training_prepare(t, true),
                                      .seed = c->train.seed,
                                      .shuffle = c->data.shuffle,
                                      .batch = c->train.batch,
                                      .ranks = 1,
                                      .workers = c->data.workers};
}

struct gx_optim_settings gx_training_optimizer(const struct gx_training *t, int net)
{
    const struct gx_config *c = t->config;
    struct gx_optim_settings s = gx_optim_defaults(gx_optim_kind_named(c->optim.name));
    s.beta1 = c->optim.beta1;
    s.beta2 = c->optim.beta2;
    s.alpha = c->optim.alpha;
    s.momentum = c->optim.momentum;
    s.eps = c->optim.eps;
    s.weight_decay = c->optim.weight_decay;
    s.clip_norm = c->optim.clip_norm;
    s.clamp = t->game.net[net].generator ? 0 : c->loss.clip;
    return s;
}

int64_t gx_training_epoch(const struct gx_training *t, int64_t step)
{
    return gx_place_at((int64_t)gx_split_samples(&t->data.train), gx_training_batch(t, step),
                       t->config->train.batch, 0, 0, 1)
        .epoch;
}

double gx_training_rate(const struct gx_training *t, int64_t step)
{
    int64_t first = t->config->train.pixel_steps;
    if (step < first)
        return gx_stage_rate(t, step);
    if (t->schedule.kind == GX_SCHEDULE_PLATEAU)
        return t->plateau.lr;
    return gx_schedule_lr(&t->schedule, t->by_epoch ? gx_training_epoch(t, step) : step - first);
}

/* ---- the state ---- */

void gx_training_swap_average(struct gx_training *t)
{
    for (int i = 0; i < t->game.nets; i++)
        if (t->average[i].data)
            gx_average_swap(&t->average[i]);
}

static int name_network(const struct gx_training *t, int net, int code, struct gx_err *err)
{
    return code ? gx_context(err, code, "network %s", t->game.net[net].name) : 0;
}

int gx_training_check(const struct gx_training *t, struct gx_err *err)
{
    int code = 0;
    for (int k = 0; k < t->game.nets && !code; k++)
        code = t->game.net[k].fixed
                   ? 0
                   : name_network(t, k,
                                  gx_optim_check_weights(&t->game.net[k].params, t->kernels,
                                                         t->threads, err),
                                  err);
    return code;
}

int gx_training_check_gradients(const struct gx_training *t, unsigned nets, struct gx_err *err)
{
    int code = 0;
    for (int k = 0; k < t->game.nets && !code; k++)
        if (nets >> k & 1)
            code = name_network(
                t, k, gx_optim_check(&t->game.net[k].params, t->kernels, t->threads, err), err);
    return code;
}

void gx_training_clear(struct gx_training *t)
{
    gx_loader_free(&t->loader);
    gx_validation_clear(t);
    gx_stage_clear(t);
    gx_plan_free(&t->plan);
    gx_graph_free(&t->step.graph);
    for (int i = 0; i < t->game.nets; i++) {
        gx_optim_clear(&t->optim[i]);
        gx_average_clear(&t->average[i]);
    }
    for (int i = 0; i < t->step.pools; i++)
        gx_pool_clear(&t->pool[i]);
    gx_monitor_clear(t);
    gx_game_clear(&t->game);
    gx_dataset_clear(&t->data);
    gx_record_clear(&t->record);
}
