/* Kind "train": the family's own training step, on the fixture's weights and data: every loss at
 * every step, and what each optimizer takes at its first one.
 *
 * The networks and the recipe go through the family's configuration, as `ganx FAMILY train` has
 * them (recipe.c); only sizes that no configuration names (a norm for D of its own) are put in
 * place afterwards. Where the step draws numbers, the fixture's own take their place. */
#include "parity.h"

#include "batches.h"
#include "config/resolve.h"
#include "family/family.h"
#include "graph/operator.h"
#include "ganx/plan.h"
#include "optim/optim.h"
#include "recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct training {
    const struct fixture *f;
    struct gx_config config;
    struct gx_game game;
    struct gx_step step;
    struct gx_plan *plan;
    struct gx_optim optim[GX_TRAINEES_MAX];
    struct batches batches;
    const struct gx_node *alpha;                /* of the gradient penalty; NULL: none */
    const json_t *steps;                        /* of losses.json */
    struct gx_weights *first;                   /* gradients; NULL: none given */
    unsigned checked;                           /* networks whose first gradients were compared */
    struct gx_params normless[GX_TRAINEES_MAX]; /* biases that a norm removes, by name */
};

/* ---- what the fixture asks for ---- */

/* The game with the fixture's networks and first weights. */
static int set_up(struct training *t, struct gx_err *err)
{
    const json_t *nets = json_object_get(t->f->json, "nets");
    struct gx_label_kind labels;
    struct gx_weights *init = NULL;
    int r = recipe_configure(t->f, &t->config, &labels, err);
    if (!r)
        r = gx_game_init(&t->game, gx_family_find(t->config.family), &t->config, &labels, err);
    if (!r)
        r = fixture_open(t->f, "init.pth", &init, err);
    for (int i = 0; i < t->game.nets && !r; i++) {
        struct gx_trainee *net = &t->game.net[i];
        struct gx_network_spec spec;
        char prefix[32];
        snprintf(prefix, sizeof prefix, "%s.", net->name);
        r = fixture_spec(&spec, json_object_get(nets, net->name), err);
        if (!r && (net->spec.network != spec.network ||
                   memcmp(net->spec.size, spec.size, sizeof spec.size) != 0)) {
            net->spec = spec;
            gx_params_clear(&net->params);
            gx_params_init(&net->params);
        }
        if (!r)
            r = fixture_params(&net->spec, &net->params, init, prefix, err);
        if (!r && !net->fixed)
            r = gx_params_allocate_gradients(&net->params, err);
    }
    gx_weights_close(&init);
    return r;
}

static int set_up_optimizers(struct training *t, struct gx_err *err)
{
    const json_t *json = json_object_get(t->f->json, "optimizer");
    int kind = gx_optim_kind_named(fixture_word(json, "name", ""));
    if (kind < 0)
        return gx_fail(err, GX_E_FORMAT, "the fixture names no optimizer that is known");
    struct gx_optim_settings s = gx_optim_defaults((enum gx_optim_kind)kind);
    s.beta1 = fixture_value(json, "beta1", s.beta1);
    s.beta2 = fixture_value(json, "beta2", s.beta2);
    s.alpha = fixture_value(json, "alpha", s.alpha);
    s.eps = fixture_value(json, "eps", s.eps);
    s.momentum = fixture_value(json, "momentum", s.momentum);
    s.weight_decay = fixture_value(json, "weight_decay", s.weight_decay);
    int r = 0;
    for (int i = 0; i < t->game.nets && !r; i++)
        r = t->game.net[i].fixed ? 0 : gx_optim_init(&t->optim[i], &s, &t->game.net[i].params, err);
    return r;
}

/* ---- gradients ---- */

/* A convolution's bias has no effect where a norm follows at once: its gradient is rounding. */
static void find_normless(struct training *t)
{
    const struct gx_graph *g = t->step.graph;
    for (int i = 0; i < gx_graph_nodes(g); i++) {
        const struct gx_node *node = gx_graph_node(g, i);
        const struct gx_node *conv = node->inputs ? node->in[0] : NULL;
        if (strcmp(node->op->name, "moments") != 0 || conv->inputs < 3 || !conv->in[2]->param)
            continue;
        for (int k = 0; k < t->game.nets; k++)
            if (gx_params_find(&t->game.net[k].params, conv->in[2]->param->name) ==
                conv->in[2]->param)
                gx_params_declare(&t->normless[k], conv->in[2]->param->name, GX_PARAM_BIAS,
                                  conv->in[2]->param->shape);
    }
}

/* |got - want| / |want|, l2 over the network. */
static int check_gradients(struct training *t, int k, struct gx_err *err)
{
    const struct gx_trainee *net = &t->game.net[k];
    const json_t *tolerances = json_object_get(t->f->json, "gradient_tolerance");
    double tolerance, difference = 0, whole = 0;
    int r = fixture_number(tolerances, net->name, &tolerance, err);
    for (int i = 0; i < net->params.count && !r; i++) {
        const struct gx_param *param = net->params.param[i];
        int64_t count = gx_count(param->shape);
        char name[256];
        if (!gx_param_trained(param) || gx_params_find(&t->normless[k], param->name))
            continue;
        snprintf(name, sizeof name, "%s.%s", net->name, param->name);
        int at = gx_weights_find(t->first, name);
        if (at < 0 || gx_weights_info(t->first, at)->count != count)
            return gx_fail(err, GX_E_FORMAT, "the fixture has no tensor '%s' of this size", name);
        float *want = malloc((size_t)count * sizeof *want);
        float *got = malloc((size_t)count * sizeof *got);
        r = gx_weights_read(t->first, at, want, err);
        gx_param_to_disk(param, param->grad, got);
        for (int64_t j = 0; j < count && !r; j++) {
            difference += pow((double)got[j] - want[j], 2);
            whole += (double)want[j] * want[j];
        }
        free(want);
        free(got);
    }
    if (!r)
        parity_check(t->f, sqrt(difference / whole), tolerance, "first gradients of %s", net->name);
    return r;
}

/* ---- losses ---- */

struct worst {
    double deviation, tolerance;
    int step;
    const char *name;
};

/* Keeps what is farthest from its tolerance. */
static int compare_losses(const struct training *t, int at, struct worst *worst, struct gx_err *err)
{
    const json_t *tolerances = json_object_get(t->f->json, "tolerance");
    const json_t *step = json_array_get(t->steps, (size_t)at), *first = json_array_get(t->steps, 0);
    const char *name;
    json_t *value;
    size_t last = json_array_size(tolerances);
    const json_t *tolerance =
        json_is_array(tolerances) && last
            ? json_array_get(tolerances, (size_t)at < last ? (size_t)at : last - 1)
            : tolerances;
    if (!json_is_number(tolerance))
        return gx_fail(err, GX_E_FORMAT, "the fixture has no tolerances");
    json_object_foreach((json_t *)step, name, value)
    {
        int k = 0;
        if (!strcmp(name, "step"))
            continue;
        while (k < t->step.losses && strcmp(t->step.loss[k].name, name) != 0)
            k++;
        double want = json_number_value(value), start = fixture_value(first, name, 0);
        if (k == t->step.losses && want == 0) /* left out here, and logged as nothing there */
            continue;
        if (k == t->step.losses)
            return gx_fail(err, GX_E_FORMAT, "the family logs no loss '%s'", name);
        double got = recipe_as_logged(t->f, &t->config, name,
                                      *gx_plan_value(t->plan, t->step.loss[k].value));
        double deviation = fabs(got - want) / fmax(fmax(fabs(want), 1e-3 * fabs(start)), 1e-30);
        double allowed = json_number_value(tolerance);
        if (!worst->name || !(deviation / allowed <= worst->deviation / worst->tolerance))
            *worst = (struct worst){deviation, allowed, at + 1, name};
    }
    return 0;
}

/* ---- the run ---- */

/* The numbers that the step draws come from the fixture: the node becomes an input. */
static int find_alpha(struct training *t, struct gx_err *err)
{
    struct gx_graph *g = t->step.graph;
    for (int i = 0; i < gx_graph_nodes(g); i++) {
        struct gx_node *node = gx_graph_node(g, i);
        if (!(node->op->flags & GX_OP_RANDOM))
            continue;
        if (t->alpha)
            return gx_fail(err, GX_E_FORMAT, "the step draws numbers in more than one place");
        node->op = t->step.input[0]->op;
        node->attr = &node->shape;
        t->alpha = gx_keep(node);
    }
    return 0;
}

static int plan_step(struct training *t, struct gx_err *err)
{
    struct gx_plan_settings settings = {.threads = 0};
    const char *order = json_string_value(json_array_get(json_object_get(t->f->json, "order"), 0));
    gx_game_build_step(&t->game, t->config.train.batch, t->batches.h, t->batches.w, &t->step);
    find_normless(t);
    for (int p = 0; p < t->step.phases; p++)
        if (t->step.phase[p].repeat > 1)
            settings.repeated_phases |= (uint64_t)1 << p;
    for (int k = 0; k < t->game.nets && order; k++)
        if (t->step.phase[0].update & 1U << k && t->game.net[k].name[0] != order[0])
            return gx_fail(err, GX_E_FORMAT, "network %s steps first here", t->game.net[k].name);
    int r = find_alpha(t, err);
    if (!r)
        r = gx_plan_new(&t->plan, t->step.graph, &settings, err);
    return r ? r : gx_plan_allocate(t->plan, err);
}

static int run_phase(struct training *t, int p, int at, double lr, struct gx_err *err)
{
    int r = 0;
    gx_plan_run(t->plan, p, 1, (uint64_t)at);
    /* No pool fills up here (recipe_unknown): each gives the picture itself. */
    for (int i = 0; i < t->step.pools; i++)
        if (t->step.pool[i].made->phase == p)
            memcpy(gx_plan_value(t->plan, t->step.pool[i].shown),
                   gx_plan_value(t->plan, t->step.pool[i].made),
                   (size_t)gx_count(t->step.pool[i].made->shape) * sizeof(float));
    for (int k = 0; k < t->game.nets && !r; k++) {
        if (!(t->step.phase[p].update & 1U << k))
            continue;
        if (t->first && !(t->checked & 1U << k))
            r = check_gradients(t, k, err);
        t->checked |= 1U << k;
        gx_optim_step(&t->optim[k], lr, gx_kernels_best(), 1);
    }
    return r;
}

/* A line of losses.json is a batch: phases that repeat run on each, the others on the last of as
 * many. */
static int run_steps(struct training *t, struct gx_err *err)
{
    double lr;
    struct worst worst = {.name = NULL};
    int steps = (int)json_array_size(t->steps), round = 1;
    int r = fixture_number(json_object_get(t->f->json, "optimizer"), "lr", &lr, err);
    for (int p = 0; p < t->step.phases; p++)
        if (t->step.phase[p].repeat > round)
            round = t->step.phase[p].repeat;
    for (int at = 0; at < steps && !r; at++) {
        r = batches_load(&t->batches, at, &t->step, t->alpha, t->plan, err);
        for (int p = 0; p < t->step.phases && !r; p++)
            if (t->step.phase[p].repeat == round || at % round == round - 1)
                r = run_phase(t, p, at, lr, err);
        if (!r)
            r = compare_losses(t, at, &worst, err);
    }
    if (!r && worst.name)
        parity_check(t->f, worst.deviation, worst.tolerance, "losses of %d steps (%s at step %d)",
                     steps, worst.name, worst.step);
    return r;
}

/* Adam turns a near-zero gradient's sign into a full step: final weights are for information. */
static int note_final(const struct training *t, struct gx_err *err)
{
    char path[4096];
    struct gx_weights *file = NULL;
    snprintf(path, sizeof path, "%s/final.pth", t->f->folder);
    if (!gx_is_file(path))
        return 0;
    int r = gx_weights_open(&file, path, err);
    for (int k = 0; k < t->game.nets && !r; k++) {
        if (t->game.net[k].fixed)
            continue;
        const struct gx_params *params = &t->game.net[k].params;
        float *want = calloc((size_t)params->total, sizeof *want);
        char prefix[32];
        double sum = 0;
        snprintf(prefix, sizeof prefix, "%s.", t->game.net[k].name);
        r = gx_params_load_block(params, GX_PARTS_ALL, want, file, prefix, err);
        for (int64_t i = 0; i < params->trained; i++)
            sum += fabs((double)params->data[i] - want[i]);
        if (!r)
            parity_note(t->f, sum / (double)params->trained, "final weights of %s, mean difference",
                        t->game.net[k].name);
        free(want);
    }
    gx_weights_close(&file);
    return r;
}

static int open_files(struct training *t, json_t **losses, struct gx_err *err)
{
    char path[4096];
    json_error_t why;
    snprintf(path, sizeof path, "%s/losses.json", t->f->folder);
    *losses = json_load_file(path, 0, &why);
    t->steps = json_object_get(*losses, "steps");
    if (!json_array_size(t->steps))
        return gx_fail(err, GX_E_FORMAT, "'%s' has no steps", path);
    snprintf(path, sizeof path, "%s/first_gradients.pth", t->f->folder);
    return gx_is_file(path) ? gx_weights_open(&t->first, path, err) : 0;
}

static void release(struct training *t)
{
    for (int i = 0; i < GX_TRAINEES_MAX; i++) {
        gx_optim_clear(&t->optim[i]);
        gx_params_clear(&t->normless[i]);
    }
    gx_plan_free(&t->plan);
    gx_graph_free(&t->step.graph);
    gx_game_clear(&t->game);
    gx_config_clear(&t->config);
    gx_weights_close(&t->first);
    batches_clear(&t->batches);
}

int parity_train(const struct fixture *f, struct gx_err *err)
{
    struct training t = {.f = f};
    char why[128];
    json_t *losses = NULL;
    if (!fixture_networks_known(f, json_object_get(f->json, "nets")))
        return 0;
    if (recipe_unknown(f, why, sizeof why)) {
        parity_skipped(f, "%s", why);
        return 0;
    }
    int r = open_files(&t, &losses, err);
    if (!r && !(r = set_up(&t, err)) && !(r = set_up_optimizers(&t, err)) &&
        !(r = batches_open(&t.batches, f, &t.game, err)) && !(r = plan_step(&t, err)) &&
        !(r = run_steps(&t, err)))
        r = note_final(&t, err);
    release(&t);
    json_decref(losses);
    return r;
}
