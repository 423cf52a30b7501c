/* From a configuration to a plan: data set, networks, a step's graph, rates, memory. Everything
 * that a run needs is known here, and nothing is allocated or written. */
#include "train/training.h"

#include "config/resolve.h"
#include "family/adversary.h"
#include "util/text.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { CACHE_BYTES = 512 << 20 }; /* of decoded pictures, at most, and where memory allows it */

/* ---- data ---- */

static int open_data(struct gx_training *t, const struct gx_family *family, struct gx_err *err)
{
    const struct gx_config *c = t->config;
    struct gx_dataset_options options = {.swap = c->data.direction == GX_B_TO_A,
                                         .holdout = c->data.holdout,
                                         .labels = c->data.labels,
                                         .attributes = c->data.attributes,
                                         .exclusive = c->data.exclusive,
                                         .scale = c->net.scale,
                                         .least = c->data.crop_size};
    bool enlarging = family->layout_enlarging && c->net.scale > 1;
    int code = gx_dataset_open(&t->data, enlarging ? family->layout_enlarging : family->layout,
                               c->data.path, &options, err);
    if (!code)
        gx_training_say(t, false, "data", "%s", t->data.said);
    if (!code && c->degrade.kind == GX_DEGRADE_LEARNT && !t->data.made)
        code = gx_config_fail(c, "degrade.kind", err,
                              "degrade.kind learnt makes small pictures, and '%s' has its own in "
                              "LR/",
                              c->data.path);
    if (!code && c->degrade.kind != GX_DEGRADE_BICUBIC && !t->data.made)
        gx_training_say(t, true, "data",
                        "degrade.kind is not used: '%s' has its own small pictures, in LR/",
                        c->data.path);
    if (!code && t->data.warning)
        gx_training_say(t, true, "data", "%s", t->data.warning);
    return code;
}

static int64_t loader_bytes(const struct gx_training *t, size_t cache)
{
    struct gx_loader_options options = gx_training_loading(t);
    options.cache_bytes = cache;
    return (int64_t)gx_loader_needs(&t->data, &t->data.train, &options, t->height, t->width);
}

/* ---- the step ---- */

/* Pictures that a network cannot take are the configuration's fault here. */
static int as_config(int code)
{
    return code == -GX_E_SHAPE ? -GX_E_CONFIG : code;
}

static int check_multiple(const struct gx_training *t, int w, int h, struct gx_err *err)
{
    for (int i = 0; i < t->game.nets; i++) {
        const struct gx_network_spec *spec = &t->game.net[i].spec;
        /* generators see the first slot's pictures, but those that make them small */
        bool small = t->game.net[i].generator && !spec->network->shrink;
        int shrink = small ? t->game.shrink[0] : 1;
        int multiple = spec->network->multiple(spec) * shrink;
        if (w % multiple || h % multiple)
            return gx_fail(
                err, GX_E_CONFIG,
                "pictures of %d x %d do not fit network %s, whose sides are multiples of "
                "%d; set data.load_size and data.crop_size",
                w, h, t->game.net[i].name, multiple);
    }
    return 0;
}

/* The graph; it is planned when all is known that needs memory beside it. */
static int build_step(struct gx_training *t, struct gx_err *err)
{
    struct gx_prepare prepare = gx_training_loading(t).prepare;
    int h, w;
    int code =
        gx_sample_size(&t->data.train.view[t->data.made][0], t->data.made, &prepare, &h, &w, err);
    if (!code)
        code = check_multiple(t, w, h, err);
    if (code)
        return code;
    t->height = h;
    t->width = w;
    gx_game_build_step(&t->game, t->config->train.batch, h, w, &t->step);
    t->batches_per_step = 1;
    for (int i = 0; i < t->step.phases; i++)
        if (t->step.phase[i].repeat > t->batches_per_step)
            t->batches_per_step = t->step.phase[i].repeat;
    code = gx_graph_check(t->step.graph, err);
    return code ? as_config(gx_context(err, code, "for pictures of %d x %d", w, h)) : 0;
}

/* ---- rates ---- */

static int plan_schedule(struct gx_training *t, struct gx_err *err)
{
    const struct gx_config *c = t->config;
    t->by_epoch = !c->train.steps && !c->train.pixel_steps;
    int64_t samples = (int64_t)gx_split_samples(&t->data.train);
    t->total = c->train.steps ? c->train.steps
                              : gx_steps_of_epochs(samples, c->train.epochs,
                                                   c->train.batch * t->batches_per_step, 1);
    /* what comes after the first phase; a run may be that phase alone */
    int64_t game = t->total > c->train.pixel_steps ? t->total - c->train.pixel_steps : 1;
    t->schedule = (struct gx_schedule){.kind = gx_schedule_kind_named(c->optim.schedule),
                                       .lr = c->optim.lr,
                                       .decay_from = c->optim.decay_from,
                                       .gamma = c->optim.gamma,
                                       .min_lr = c->optim.min_lr,
                                       .total = t->by_epoch ? c->train.epochs : game,
                                       .every = c->optim.decay_every};
    /* What is told in steps is counted in steps. */
    if (t->schedule.kind == GX_SCHEDULE_STEP || t->schedule.kind == GX_SCHEDULE_MULTISTEP)
        t->by_epoch = false;
    gx_plateau_init(&t->plateau, &t->schedule);
    if (t->schedule.kind == GX_SCHEDULE_PLATEAU && !t->data.held.count[0])
        return gx_fail(err, GX_E_CONFIG,
                       "optim.schedule plateau follows held-out pictures, and none are held out; "
                       "see data.holdout");
    int code = gx_schedule_milestones(&t->schedule, c->optim.milestones, err);
    if (!code)
        code = gx_schedule_weights(&t->schedule, c->optim.restart_weights, err);
    return code ? code : gx_schedule_check(&t->schedule, err);
}

/* ---- memory ---- */

void gx_training_needs(const struct gx_training *t, struct gx_train_needs *n)
{
    *n = (struct gx_train_needs){0};
    for (int i = 0; i < t->game.nets; i++) {
        const struct gx_trainee *net = &t->game.net[i];
        struct gx_optim_settings settings = gx_training_optimizer(t, i);
        n->weights += net->params.total * 4;
        if (net->fixed)
            continue;
        n->gradients += net->params.trained * 4;
        n->moments += (int64_t)gx_optim_bytes(&settings, &net->params);
        if (net->generator && t->config->optim.ema > 0)
            n->average += (int64_t)gx_average_bytes(&net->params);
    }
    n->preview_arena = t->validation.arena;
    if (t->plan) {
        struct gx_plan_facts facts = gx_plan_facts(t->plan);
        n->step_arena = facts.arena;
        n->flops = gx_step_flops(&t->step, t->plan);
        n->recomputed = facts.flops > 0 ? facts.recomputed / facts.flops : 0;
        n->recompute_cost = facts.recompute_cost;
    }
    n->loader = loader_bytes(t, t->cache);
    n->steps = t->total;
    n->width = t->width;
    n->height = t->height;
    for (int i = 0; i < t->step.pools; i++)
        n->pool += gx_count(t->step.pool[i].made->shape) / t->config->train.batch *
                   t->config->train.pool * 4;
    int64_t arena = n->step_arena > n->preview_arena ? n->step_arena : n->preview_arena;
    n->lpips = t->validation.by_lpips ? GX_LPIPS_BYTES : 0;
    n->total = n->lpips + n->weights + n->gradients + n->moments + n->average + arena + n->loader +
               n->pool;
}

int64_t gx_training_room(const struct gx_training *t)
{
    struct gx_train_needs rest;
    int64_t most = t->config->max_memory;
    if (!most)
        return 0;
    gx_training_needs(t, &rest);
    most -= rest.total - rest.preview_arena;
    return most > 0 ? most : 1; /* then: as little as can be */
}

/* The step takes what --max-memory leaves, and trades time for memory where that is little. Held-out
 * pictures go through between steps, in the same memory. */
static int plan_step(struct gx_training *t, struct gx_err *err)
{
    struct gx_plan_settings settings = {.kernels = t->kernels,
                                        .threads = t->threads,
                                        .repeated_phases = gx_step_repeated(&t->step),
                                        .max_memory = gx_training_room(t)};
    int code = gx_plan_new(&t->plan, t->step.graph, &settings, err);
    if (!code && t->validation.plan)
        gx_plan_share(t->plan, t->validation.plan);
    settings.repeated_phases = 0;
    return code ? code : gx_stage_plan(t, &settings, err);
}

/* Decoded pictures are kept in what --max-memory leaves; the rest must fit. */
static int fit_budget(struct gx_training *t, struct gx_err *err)
{
    struct gx_train_needs n;
    int64_t most = t->config->max_memory;
    t->cache = 0;
    gx_training_needs(t, &n);
    int64_t left = most ? most - n.total : CACHE_BYTES;
    if (left >= 0) {
        t->cache = (size_t)(left < CACHE_BYTES ? left : CACHE_BYTES);
        return 0;
    }
    return gx_fail(
        err, GX_E_NOMEM,
        "this run needs at least %.1f MiB (weights %.1f, gradients %.1f, moments %.1f, a step "
        "%.1f, the rest %.1f), and --max-memory allows %.1f; a smaller data.crop_size, "
        "train.batch or net.ngf needs less",
        (double)n.total / 0x1p20, (double)n.weights / 0x1p20, (double)n.gradients / 0x1p20,
        (double)n.moments / 0x1p20, (double)n.step_arena / 0x1p20,
        (double)(n.average + n.loader + n.pool + n.lpips) / 0x1p20, (double)most / 0x1p20);
}

/* "networks G 54.4M and D 2.8M parameters" */
static void describe_networks(const struct gx_training *t, struct gx_line *line)
{
    gx_line_add(line, "networks");
    for (int i = 0; i < t->game.nets; i++) {
        const struct gx_params *params = &t->game.net[i].params;
        int64_t count = 0;
        for (int k = 0; k < params->count; k++)
            count += gx_param_trained(params->param[k]) ? gx_count(params->param[k]->shape) : 0;
        const char *between = !i ? " " : i == t->game.nets - 1 ? " and " : ", ";
        gx_line_add(line, "%s%s %.4g%s", between, t->game.net[i].name,
                    (double)count / (count < 1000000 ? 1e3 : 1e6), count < 1000000 ? "K" : "M");
    }
    gx_line_add(line, " parameters");
}

static void say_plan(const struct gx_training *t)
{
    struct gx_train_needs n;
    char networks[256], again[64] = "", epochs[32];
    double samples = (double)gx_split_samples(&t->data.train);
    double seen = (double)t->total * t->batches_per_step * t->config->train.batch;
    gx_training_needs(t, &n);
    describe_networks(t, &(struct gx_line){.text = networks, .size = sizeof networks});
    snprintf(epochs, sizeof epochs, seen < 1e4 * samples ? "%.4g" : "%.0f", seen / samples);
    if (n.recomputed >= 0.005)
        snprintf(again, sizeof again, ", for which %.0f%% of the arithmetic is done twice",
                 n.recomputed * 100);
    gx_training_say(t, false, "plan",
                    "%" PRId64 " step%s: %s epoch%s of %.0f pictures; %s; %.0f MiB%s", t->total,
                    t->total == 1 ? "" : "s", epochs, seen == samples ? "" : "s", samples, networks,
                    (double)n.total / 0x1p20, again);
    const char *warning = gx_adversary_warning(t->config);
    if (warning)
        gx_training_say(t, true, "plan", "%s", warning);
}

int gx_training_plan(struct gx_training *t, struct gx_config *config,
                     const struct gx_train_events *events, struct gx_err *err)
{
    t->config = config;
    t->events = events;
    t->saved = -1;
    t->threads = config->threads > 0 ? config->threads : omp_get_num_procs();
    gx_record_init(&t->record);
    const struct gx_family *family = gx_family_find(config->family);
    int code = gx_kernels_choose(&t->kernels, config->cpu, err);
    if (!code)
        code = gx_degrading_init(&t->degrading, config, err);
    if (!code)
        code = open_data(t, family, err);
    struct gx_label_kind labels = {.count = t->data.domains,
                                   .exclusive = t->data.exclusive,
                                   .name = t->data.domain,
                                   .group = t->data.group};
    if (!code)
        code = gx_game_init(&t->game, family, config, t->data.domains ? &labels : NULL, err);
    if (!code)
        code = build_step(t, err);
    if (!code)
        code = gx_stage_build(t, err);
    if (!code)
        code = plan_schedule(t, err);
    if (!code)
        code = gx_validation_plan(t, err);
    if (!code)
        code = plan_step(t, err);
    if (!code)
        code = fit_budget(t, err);
    if (!code)
        say_plan(t);
    return code;
}
