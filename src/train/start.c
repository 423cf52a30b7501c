/* From a plan to a run that can take its next step: memory, first weights or those of a checkpoint,
 * the folder's first files, the loader. */
#include "train/training.h"

#include "config/dump.h"
#include "model/find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The file behind --init, which may be a run's folder. */
static int open_init(const struct gx_config *config, struct gx_weights **file, struct gx_err *err)
{
    char *path;
    int code = gx_model_find(config->train.init, &path, err);
    if (!code)
        code = gx_weights_open(file, path, err);
    free(path);
    return code == -GX_E_IO ? -GX_E_FORMAT : code;
}

static const char *prefix_of(const struct gx_trainee *net)
{
    return net->prefix ? net->prefix : "";
}

/* The file of a network that is not trained: a path, or an installed model's name. */
static int open_fixed(const struct gx_trainee *net, struct gx_weights **file, struct gx_err *err)
{
    char *path;
    int code = gx_model_find(net->file, &path, err);
    if (!code)
        code = gx_weights_open(file, path, err);
    if (!code)
        code = gx_params_fit(&net->params, *file, prefix_of(net), err);
    if (code)
        code =
            gx_context(err, -GX_E_FORMAT, "network %s, '%s'", net->name, path ? path : net->file);
    free(path);
    return code;
}

int gx_training_check_files(const struct gx_training *t, struct gx_err *err)
{
    struct gx_weights *file = NULL;
    bool fresh = *t->config->train.init && !t->config->train.resume;
    int code = fresh ? open_init(t->config, &file, err) : 0;
    gx_weights_close(&file);
    for (int i = 0; i < t->game.nets && !code; i++)
        if (t->game.net[i].fixed) {
            code = open_fixed(&t->game.net[i], &file, err);
            gx_weights_close(&file);
        }
    return code;
}

static int load_fixed(struct gx_trainee *net, struct gx_err *err)
{
    struct gx_weights *file = NULL;
    int code = open_fixed(net, &file, err);
    if (!code)
        code = gx_params_load(&net->params, file, prefix_of(net), err);
    gx_weights_close(&file);
    return code;
}

/* One with keys "G.…", "D.…" fills those networks; one with bare keys a generator. */
static int load_init(struct gx_training *t, struct gx_err *err)
{
    if (!*t->config->train.init)
        return 0;
    struct gx_weights *file;
    int code = open_init(t->config, &file, err);
    if (code)
        return code;
    bool any = false;
    for (int i = 0; i < t->game.nets && !code; i++) {
        if (t->game.net[i].fixed)
            continue;
        char prefix[16];
        size_t length = (size_t)snprintf(prefix, sizeof prefix, "%s.", t->game.net[i].name);
        bool here = false;
        for (int k = 0; k < gx_weights_count(file) && !here; k++)
            here = !strncmp(gx_weights_info(file, k)->name, prefix, length);
        if (here)
            code = gx_params_load(&t->game.net[i].params, file, prefix, err);
        any |= here;
    }
    if (!any)
        code = gx_params_load(&t->game.net[0].params, file, "", err);
    gx_weights_close(&file);
    for (int i = 0; i < t->game.nets; i++)
        if (t->average[i].data)
            gx_average_restart(&t->average[i]);
    return code ? gx_context(err, code, "'%s'", t->config->train.init) : 0;
}

static int allocate(struct gx_training *t, struct gx_err *err)
{
    const struct gx_config *c = t->config;
    enum gx_init_kind kind =
        (enum gx_init_kind)gx_init_kind_named(c->net.init); /* a checked word */
    for (int i = 0; i < t->game.nets; i++) {
        struct gx_trainee *net = &t->game.net[i];
        struct gx_optim_settings settings = gx_training_optimizer(t, i);
        int code = gx_params_allocate(&net->params, err);
        if (!code && net->fixed) {
            if ((code = load_fixed(net, err)))
                return code;
            continue;
        }
        if (!code)
            code = gx_params_allocate_gradients(&net->params, err);
        if (!code)
            code = gx_optim_init(&t->optim[i], &settings, &net->params, err);
        if (code)
            return code;
        gx_params_initialise(&net->params, kind, c->net.init_gain, c->train.seed, net->name);
    }
    return 0;
}

static int allocate_averages(struct gx_training *t, struct gx_err *err)
{
    int code = 0;
    for (int i = 0; i < t->game.nets && !code && t->config->optim.ema > 0; i++)
        if (t->game.net[i].generator)
            code =
                gx_average_init(&t->average[i], &t->game.net[i].params, t->config->optim.ema, err);
    return code;
}

static int write_config(struct gx_training *t, struct gx_err *err)
{
    char *text = gx_config_yaml(t->config);
    int code = gx_run_write(&t->run, "config.yaml", text, strlen(text), err);
    free(text);
    return code;
}

static int open_loader(struct gx_training *t, struct gx_err *err)
{
    struct gx_loader_options options = gx_training_loading(t);
    options.first_step = gx_training_batch(t, t->done);
    options.cache_bytes = t->cache;
    options.warn = gx_training_warn;
    options.user = t;
    return gx_loader_new(&t->loader, &t->data, &t->data.train, &options, err);
}

static int allocate_pools(struct gx_training *t, struct gx_err *err)
{
    for (int i = 0; i < t->step.pools; i++) {
        int64_t floats = gx_count(t->step.pool[i].made->shape) / t->config->train.batch;
        if (gx_pool_init(&t->pool[i], t->config->train.pool, floats))
            return gx_fail(err, GX_E_NOMEM, "out of memory for a pool of %d pictures",
                           t->config->train.pool);
    }
    return 0;
}

int gx_training_start(struct gx_training *t, struct gx_err *err)
{
    int code = allocate(t, err);
    if (!code)
        code = allocate_averages(t, err);
    if (!code)
        code = allocate_pools(t, err);
    if (!code)
        code = gx_plan_allocate(t->plan, err);
    if (!code && t->validation.plan)
        code = gx_plan_allocate(t->validation.plan, err);
    if (!code && t->other_plan)
        code = gx_plan_allocate(t->other_plan, err);
    if (code)
        return code;
    gx_monitor_allocate(t);
    gx_training_register(t);
    if (t->config->train.resume)
        code = gx_training_restore(t, err);
    if (!code && t->saved < 0) /* a new run, or one that was stopped before its first checkpoint */
        code = load_init(t, err);
    if (!code)
        code = write_config(t, err);
    if (!code)
        code = gx_run_cut_metrics(&t->run, t->done, err);
    gx_stage_start(t);
    return code ? code : open_loader(t, err);
}
