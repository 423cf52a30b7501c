/* What a checkpoint and the model file hold. A checkpoint's arrays are registered once, so that
 * saving and restoring cannot disagree:
 *
 *   G.… D.…                      weights and statistics, by the reference's names
 *   optim.G.exp_avg.… and so on  moments           average.G.…  averaged weights
 *   pool.0.pictures …            earlier generated pictures
 *   health.0 …                   what the health measures remember
 *   texts: the model's facts (a label's domains too), the step, the optimizers' counters, how full
 *   the pools are, the plateau schedule, the best validation so far, the configuration, and the
 *   machine (a resume elsewhere is not bit-exact)
 * Random numbers and the position in the data are functions of the seed and the step. */
#include "train/training.h"

#include "config/dump.h"
#include "config/resolve.h"
#include "family/model_keys.h"
#include "util/arena.h"
#include "util/file.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The optimizer's blocks, by torch's names for them. */
static void register_moments(struct gx_training *t, int net)
{
    const struct gx_optim *o = &t->optim[net];
    const struct gx_params *params = o->params;
    bool adam = o->settings.kind == GX_OPTIM_ADAM;
    const struct {
        const char *name;
        float *block;
    } part[] = {{adam ? "exp_avg" : "momentum_buffer", o->m},
                {adam ? "exp_avg_sq" : "square_avg", o->v}};
    for (int i = 0; i < 2; i++) {
        char prefix[64];
        snprintf(prefix, sizeof prefix, "optim.%s.%s.", t->game.net[net].name, part[i].name);
        if (part[i].block)
            gx_record_add_params(&t->record, prefix, params, GX_PARTS_TRAINED, part[i].block);
    }
}

void gx_training_register(struct gx_training *t)
{
    for (int i = 0; i < t->game.nets; i++) {
        struct gx_trainee *net = &t->game.net[i];
        char prefix[64];
        if (net->fixed)
            continue;
        snprintf(prefix, sizeof prefix, "%s.", net->name);
        gx_record_add_params(&t->record, prefix, &net->params, GX_PARTS_ALL, net->params.data);
        register_moments(t, i);
        snprintf(prefix, sizeof prefix, "average.%s.", net->name);
        if (t->average[i].data)
            gx_record_add_params(&t->record, prefix, &net->params, GX_PARTS_ALL,
                                 t->average[i].data);
    }
    for (int i = 0; i < t->step.pools; i++) {
        char name[64];
        snprintf(name, sizeof name, "pool.%d.pictures", i);
        gx_record_add_array(&t->record, name, t->pool[i].size * t->pool[i].floats, t->pool[i].data);
    }
    gx_monitor_register(t);
}

static void set_json(struct gx_record *record, const char *key, json_t *value)
{
    char *text = json_dumps(value, 0);
    gx_record_set(record, key, "%s", text);
    free(text);
    json_decref(value);
}

/* The names of a label's numbers, and which of them exclude each other. */
static void set_domains(const struct gx_label_kind *kind, struct gx_record *record)
{
    json_t *names = json_array(), *groups = json_array();
    int last = 0; /* group */
    for (int i = 0; i < kind->count; i++) {
        json_array_append_new(names, json_string(kind->name[i]));
        if (kind->group && kind->group[i] > last)
            last = kind->group[i];
    }
    for (int k = 1; k <= last; k++) {
        json_t *group = json_array();
        for (int i = 0; i < kind->count; i++)
            if (kind->group[i] == k)
                json_array_append_new(group, json_string(kind->name[i]));
        json_array_append_new(groups, group);
    }
    set_json(record, GX_KEY_DOMAINS, names);
    set_json(record, GX_KEY_DOMAIN_GROUPS, groups);
}

/* What translation must know about the generators behind these tensors; in a checkpoint, also which
 * networks the others are. `bare` is a lone generator's. */
static void set_model_facts(const struct gx_training *t, struct gx_record *record, bool checkpoint,
                            bool bare)
{
    const struct gx_config *c = t->config;
    gx_record_set(record, GX_KEY_FAMILY, "%s", t->game.family->name);
    for (int i = 0; i < t->game.nets; i++) {
        if (t->game.net[i].fixed || (!checkpoint && !t->game.net[i].generator))
            continue;
        char *spec = gx_spec_to_json(&t->game.net[i].spec);
        char key[64];
        snprintf(key, sizeof key, "%s%s%s", GX_KEY_NETWORK, bare ? "" : ".",
                 bare ? "" : t->game.net[i].name);
        gx_record_set(record, key, "%s", spec);
        free(spec);
    }
    if (gx_option_applies(gx_option_by_key("data.direction"), t->config->family))
        gx_record_set(record, GX_KEY_DIRECTION, "%s",
                      c->data.direction == GX_A_TO_B ? "AtoB" : "BtoA");
    if (t->game.labels.count)
        set_domains(&t->game.labels, record);
    gx_record_set(record, GX_KEY_NORM_STATS, t->game.running ? "running" : "image");
    gx_record_set(record, GX_KEY_DROPOUT, "%s", c->net.dropout ? "on" : "off");
    gx_record_set(record, GX_KEY_SIZE, "%d", t->width);
    gx_record_set(record, GX_KEY_RANGE, "%.9g,%.9g", (double)t->game.low, (double)t->game.high);
    gx_record_set(record, GX_KEY_STEP, "%" PRId64, t->done);
}

/* ---- the machine ---- */

static void describe_machine(const struct gx_training *t, char *text, size_t size)
{
    struct gx_cpu_facts cpu;
    gx_cpu_describe(&cpu);
    snprintf(text, size, "kernels %s, OpenBLAS core %s, %d threads", t->kernels->name,
             cpu.blas_core, t->threads);
}

/* ---- saving ---- */

static void set_texts(struct gx_training *t)
{
    struct gx_record *r = &t->record;
    char key[64], machine[128];
    set_model_facts(t, r, true, false);
    for (int i = 0; i < t->game.nets; i++) {
        if (t->game.net[i].fixed)
            continue;
        snprintf(key, sizeof key, "ganx.optim.%s.t", t->game.net[i].name);
        gx_record_set(r, key, "%" PRId64, t->optim[i].t);
    }
    for (int i = 0; i < t->step.pools; i++) {
        snprintf(key, sizeof key, "ganx.pool.%d.filled", i);
        gx_record_set(r, key, "%d", t->pool[i].filled);
    }
    gx_record_set(r, "ganx.plateau", "%a %a %" PRId64 " %a", t->plateau.lr, t->plateau.best,
                  t->plateau.bad, t->schedule.lr);
    gx_record_set(r, "ganx.best", "%a %" PRId64, t->validation.best, t->validation.best_step);
    describe_machine(t, machine, sizeof machine);
    gx_record_set(r, "ganx.machine", "%s", machine);
    char *yaml = gx_config_yaml(t->config);
    gx_record_set(r, GX_KEY_CONFIG, "%s", yaml);
    free(yaml);
}

/* A single one goes under the reference's bare names. */
int gx_training_write_model(struct gx_training *t, const char *name, struct gx_err *err)
{
    struct gx_record model;
    int generators = 0;
    gx_record_init(&model);
    for (int i = 0; i < t->game.nets; i++)
        generators += t->game.net[i].generator;
    bool bare = generators == 1;
    for (int i = 0; i < t->game.nets; i++) {
        const struct gx_trainee *net = &t->game.net[i];
        char prefix[64] = "";
        if (!bare)
            snprintf(prefix, sizeof prefix, "%s.", net->name);
        if (net->generator)
            gx_record_add_params(&model, prefix, &net->params, GX_PARTS_ALL, net->params.data);
    }
    set_model_facts(t, &model, false, bare);
    char *path = gx_run_file(&t->run, "%s", name);
    gx_training_swap_average(t);
    int code = gx_record_write(&model, path, err);
    gx_training_swap_average(t);
    free(path);
    gx_record_clear(&model);
    return code;
}

int gx_training_save(struct gx_training *t, struct gx_err *err)
{
    set_texts(t);
    int code = gx_run_save(&t->run, &t->record, t->done, err);
    if (!code)
        code = gx_training_write_model(t, "model.safetensors", err);
    if (!code)
        t->saved = t->done;
    return code;
}

/* ---- restoring ---- */

static void warn(void *user, const char *text)
{
    gx_training_say(user, true, "checkpoint", "%s", text);
}

static int bad_text(struct gx_err *err, const char *key)
{
    return gx_fail(err, GX_E_FORMAT, "the checkpoint's '%s' cannot be read", key);
}

/* Whether a checkpoint's domains are those of the data set: names in another order are others. */
static int check_domains(const struct gx_training *t, struct gx_err *err)
{
    const struct gx_label_kind *kind = &t->game.labels;
    const char *names = gx_record_get(&t->record, GX_KEY_DOMAINS);
    json_t *array = names ? json_loads(names, 0, NULL) : NULL;
    bool same = (int)json_array_size(array) == kind->count;
    for (int i = 0; same && i < kind->count; i++) {
        const char *name = json_string_value(json_array_get(array, (size_t)i));
        same = name && !strcmp(name, kind->name[i]);
    }
    json_decref(array);
    return same || !kind->count
               ? 0
               : gx_fail(err, GX_E_CONFIG,
                         "this run learns the domains %s, and the data set's differ",
                         names ? names : "of another version of ganx");
}

static int read_texts(struct gx_training *t, struct gx_err *err)
{
    char key[64], machine[128];
    for (int i = 0; i < t->game.nets; i++) {
        if (t->game.net[i].fixed)
            continue;
        snprintf(key, sizeof key, "ganx.optim.%s.t", t->game.net[i].name);
        const char *count = gx_record_get(&t->record, key);
        if (!count || sscanf(count, "%" SCNd64, &t->optim[i].t) != 1)
            return bad_text(err, key);
    }
    for (int i = 0; i < t->step.pools; i++) {
        snprintf(key, sizeof key, "ganx.pool.%d.filled", i);
        const char *filled = gx_record_get(&t->record, key);
        if (!filled || sscanf(filled, "%d", &t->pool[i].filled) != 1 || t->pool[i].filled < 0 ||
            t->pool[i].filled > t->pool[i].size)
            return bad_text(err, key);
    }
    double started;
    const char *plateau = gx_record_get(&t->record, "ganx.plateau");
    if (!plateau || sscanf(plateau, "%la %la %" SCNd64 " %la", &t->plateau.lr, &t->plateau.best,
                           &t->plateau.bad, &started) != 4)
        return bad_text(err, "ganx.plateau");
    if (started != t->schedule.lr) /* another rate was given with --resume: it falls from there */
        t->plateau.lr = t->schedule.lr;
    const char *best = gx_record_get(&t->record, "ganx.best");
    if (!best || sscanf(best, "%la %" SCNd64, &t->validation.best, &t->validation.best_step) != 2)
        return bad_text(err, "ganx.best");
    describe_machine(t, machine, sizeof machine);
    const char *then = gx_record_get(&t->record, "ganx.machine");
    if (!then || strcmp(then, machine))
        gx_training_say(t, true, "machine",
                        "this run was on %s and goes on with %s: the result will not be "
                        "bit-identical to an uninterrupted one",
                        then ? then : "another machine", machine);
    return 0;
}

/* A run without checkpoints has not come to its first one; but where there is a model, someone has
 * removed them, and the model shall not be the price of it. */
static int start_over(struct gx_training *t, struct gx_err *err)
{
    char *model = gx_run_file(&t->run, "model.safetensors");
    bool lost = gx_is_file(model);
    free(model);
    if (lost)
        return gx_fail(
            err, GX_E_FORMAT,
            "the run in '%s' has a model and no checkpoint to go on from; --init can start "
            "a new run with it",
            t->run.path);
    gx_training_say(t, false, "resume", "the run has no checkpoint yet: starting over");
    return 0;
}

int gx_training_restore(struct gx_training *t, struct gx_err *err)
{
    int64_t step;
    int code = gx_run_restore(&t->run, &t->record, &step, warn, t, err);
    if (code == -GX_E_SHAPE) { /* other domains make other networks: that is the plainer reason */
        struct gx_err why;
        code = check_domains(t, &why);
        return code ? gx_fail(err, (enum gx_error) - code, "%s", why.text) : -GX_E_FORMAT;
    }
    if (code)
        return code;
    if (step < 0)
        return start_over(t, err);
    code = check_domains(t, err);
    if (!code)
        code = read_texts(t, err);
    t->done = t->saved = step;
    /* A kill right after saving leaves `best` and the model one save behind. */
    if (!code && t->validation.best_step == step)
        code = gx_run_mark_best(&t->run, step, err);
    if (!code)
        code = gx_training_write_model(t, "model.safetensors", err);
    if (!code)
        gx_training_say(t, false, "resume", "going on after step %" PRId64, step);
    return code;
}
