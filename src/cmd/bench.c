/* ganx FAMILY bench: how long inference and a whole training step take here, on random pictures:
 * milliseconds, GFLOP/s (counted as direct convolutions), bytes that operators read and write, and
 * planned memory. Weights are random, or a model's. */
#include "cmd/cmd.h"

#include "cmd/pictures.h"
#include "cmd/profile.h"
#include "family/family.h"
#include "ganx/plan.h"
#include "graph/operator.h"
#include "kernel/kernel.h"
#include "model/find.h"
#include "model/model.h"
#include "optim/optim.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/memory.h"
#include "util/random.h"

#include <jansson.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_MAX = 16384 };

/* A network by itself. */
struct subject {
    const char *name;    /* in messages */
    const char *network; /* as people call it */
    const struct gx_network_spec *spec;
    struct gx_params *params;
    enum gx_stats stats;
    bool dropout;
};

struct bench {
    struct gx_config *config;
    int w, h;
    struct gx_game game;    /* without -m */
    struct gx_model *model; /* with it */
    const struct gx_kernels *kernels;
    int threads;
    struct gx_optim optim[GX_TRAINEES_MAX];
};

struct result {
    const char *what, *network;
    double median, low, high; /* seconds */
    double traffic;           /* bytes */
    int64_t weights;          /* floats */
    struct gx_plan_facts facts;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void fill_random(const struct gx_plan *plan, struct gx_node *const *input, int inputs)
{
    for (int s = 0; s < inputs; s++) {
        struct gx_random r = gx_random_at(0, GX_STREAM_TEST, (uint64_t)s);
        float *x = gx_plan_value(plan, input[s]);
        for (int64_t i = 0; i < gx_count(input[s]->shape); i++)
            x[i] = 2 * gx_random_uniform(&r) - 1;
    }
}

/* One round: every phase as often as a step has it, and the optimizer steps between them when there
 * are any. */
static void run_round(struct bench *b, struct gx_plan *plan, const struct gx_step *step, int round)
{
    int phases = step ? step->phases : 1;
    for (int p = 0; p < phases; p++)
        for (int i = 0; i < (step ? step->phase[p].repeat : 1); i++) {
            gx_plan_run(plan, p, 0, (uint64_t)round);
            for (int k = 0; step && k < b->game.nets; k++)
                if (step->phase[p].update >> k & 1)
                    gx_optim_step(&b->optim[k], 1e-6, b->kernels, b->threads);
        }
}

/* Bytes that a round's operators read and write. */
static double round_traffic(const struct gx_plan *plan, const struct gx_step *step)
{
    double sum = 0, seconds;
    for (int i = 0; i < gx_plan_facts(plan).nodes; i++) {
        const struct gx_node *node = gx_plan_step(plan, i, &seconds);
        int runs = !step ? 1 : node->phase < step->phases ? step->phase[node->phase].repeat : 0;
        if (seconds > 0)
            sum += runs * gx_traffic(node);
    }
    return sum;
}

static int measure(struct bench *b, struct gx_graph *graph, struct gx_node *const *input,
                   int inputs, const struct gx_step *step, struct result *r, struct gx_err *err)
{
    struct gx_plan *plan;
    struct gx_plan_settings settings = {.kernels = b->kernels,
                                        .threads = b->threads,
                                        .inference = !step,
                                        .repeated_phases = step ? gx_step_repeated(step) : 0,
                                        .max_memory = b->config->max_memory};
    int code = gx_plan_new(&plan, graph, &settings, err);
    if (!code)
        code = gx_plan_allocate(plan, err);
    if (!code) {
        int rounds = b->config->bench.repeat;
        double *time = gx_new((size_t)rounds * sizeof *time);
        fill_random(plan, input, inputs);
        run_round(b, plan, step, 0);
        gx_plan_clear_times(plan);
        for (int i = 0; i < rounds; i++) {
            double began = gx_clock();
            run_round(b, plan, step, i + 1);
            time[i] = gx_clock() - began;
        }
        qsort(time, (size_t)rounds, sizeof *time, by_value);
        r->median = time[rounds / 2];
        r->low = time[0];
        r->high = time[rounds - 1];
        r->facts = gx_plan_facts(plan);
        r->traffic = round_traffic(plan, step);
        if (step)
            r->facts.flops = gx_step_flops(step, plan);
        free(time);
        if (b->config->bench.profile)
            gx_profile_print(plan, step, rounds, b->config->json);
    }
    gx_plan_free(&plan);
    return code;
}

/* ---- what is measured ---- */

static int parse_size(struct bench *b, struct gx_err *err)
{
    const char *text = b->config->bench.size;
    char end;
    int numbers = sscanf(text, "%5dx%5d%c", &b->w, &b->h, &end);
    if (numbers == 1 && !strchr(text, 'x') && strspn(text, "0123456789") == strlen(text))
        b->h = b->w;
    else if (numbers != 2)
        b->w = 0;
    if (b->w < 1 || b->h < 1 || b->w > SIDE_MAX || b->h > SIDE_MAX)
        return gx_fail(err, GX_E_USAGE, "--size is '%.40s', must be N or WxH, from 1 to %d", text,
                       SIDE_MAX);
    return 0;
}

/* The network takes these pictures at 1/shrink of their size, or the error says which sides fit. */
static int check_size(const struct bench *b, const char *name, const struct gx_network_spec *spec,
                      int shrink, struct gx_err *err)
{
    int multiple = spec->network->multiple(spec) * shrink;
    int w = (b->w + multiple - 1) / multiple * multiple;
    int h = (b->h + multiple - 1) / multiple * multiple;
    if (w == b->w && h == b->h)
        return 0;
    char fit[32];
    snprintf(fit, sizeof fit, w == h ? "%d" : "%dx%d", w, h);
    return gx_fail(err, GX_E_USAGE, "--size %s does not fit network %s: try %s",
                   b->config->bench.size, name, fit);
}

/* --network names the generator, or the discriminator. */
static int set_network(struct gx_config *config, bool *judge, struct gx_err *err)
{
    struct gx_network_spec spec;
    const char *name = config->bench.network;
    if (!*name)
        return 0;
    int code = gx_spec_from_name(&spec, name, err);
    if (code)
        return code;
    *judge = !spec.network->generator;
    if (*judge)
        config->net.discriminator = name;
    else
        config->net.generator = name;
    return 0;
}

static int give_weights(struct gx_trainee *net, struct gx_err *err)
{
    int code = gx_params_allocate(&net->params, err);
    if (!code)
        gx_params_initialise(&net->params, GX_INIT_NORMAL, 0.02, 0, net->name);
    return code;
}

/* The family's generator, which is its first network, or its first discriminator; it alone gets
 * memory. */
static int choose_net(struct bench *b, bool judge, struct subject *s, struct gx_err *err)
{
    int k = 0;
    while (judge && k < b->game.nets && (b->game.net[k].generator || b->game.net[k].fixed))
        k++;
    if (k == b->game.nets)
        return gx_fail(err, GX_E_USAGE, "family %s has no discriminator while loss.gan_weight is 0",
                       b->config->family);
    struct gx_trainee *net = &b->game.net[k];
    *s =
        (struct subject){.name = net->name,
                         .network = judge ? b->config->net.discriminator : b->config->net.generator,
                         .spec = &net->spec,
                         .params = &net->params,
                         .stats = GX_STATS_BATCH,
                         .dropout = b->config->net.dropout};
    int code = give_weights(net, err);
    if (!code)
        code = gx_params_halve(&net->params, gx_model_dtype(gx_pictures_precision(b->config)), err);
    gx_params_panels(&net->params, b->kernels->panel); /* random in any order */
    return code;
}

static int open_model(struct bench *b, struct subject *s, struct gx_err *err)
{
    const struct gx_config *c = b->config;
    struct gx_model_settings settings = {.family = c->family,
                                         .threads = b->threads,
                                         .kernels = c->cpu,
                                         .precision = gx_pictures_precision(c),
                                         .max_memory = c->max_memory};
    char *path = NULL;
    int code = gx_model_find(c->bench.model, &path, err);
    if (!code)
        code = gx_model_open(&b->model, path, &settings, err);
    free(path);
    if (code)
        return code;
    *s = (struct subject){.name = b->model->facts.network,
                          .network = b->model->facts.network,
                          .spec = &b->model->card.spec,
                          .params = &b->model->params,
                          .stats = b->model->facts.running ? GX_STATS_RUNNING : GX_STATS_BATCH,
                          .dropout = b->model->facts.dropout};
    return 0;
}

static int bench_inference(struct bench *b, const struct subject *s, struct result *r,
                           struct gx_err *err)
{
    int code = check_size(b, s->name, s->spec, 1, err);
    if (code)
        return code;
    int channels = gx_spec_get(s->spec, "cin"), batch = b->config->bench.batch;
    int labels = s->spec->network->generator ? gx_spec_get(s->spec, "c_dim") : 0;
    struct gx_graph *g = gx_graph_new();
    struct gx_build build = {
        .graph = g, .params = s->params, .spec = s->spec, .stats = s->stats, .dropout = s->dropout};
    struct gx_shape picture = {batch, b->h, b->w, channels ? channels : 3};
    struct gx_node *input[2] = {gx_input(g, picture, "x"), NULL}, *out[GX_OUTPUTS_MAX];
    if (labels)
        input[1] = gx_input(g, (struct gx_shape){batch, 1, 1, labels}, "label");
    int outputs = s->spec->network->build(&build, input[0], input[1], out);
    for (int i = 0; i < outputs; i++)
        gx_keep(out[i]);
    r->what = "inference";
    r->network = s->network;
    r->weights = s->params->total;
    code = measure(b, g, input, labels ? 2 : 1, NULL, r, err);
    gx_graph_free(&g);
    return code;
}

static int bench_step(struct bench *b, struct result *r, struct gx_err *err)
{
    const struct gx_config *c = b->config;
    struct gx_step step = {0};
    struct gx_optim_settings adam = gx_optim_defaults(GX_OPTIM_ADAM);
    int code = 0, shrink = 1;
    for (int i = 0; i < b->game.slots; i++)
        if (b->game.shrink[i] > shrink)
            shrink = b->game.shrink[i];
    for (int i = 0; i < b->game.nets && !code; i++) {
        struct gx_trainee *net = &b->game.net[i];
        r->weights += net->params.total;
        if ((code = check_size(b, net->name, &net->spec, net->generator ? shrink : 1, err)) ||
            (code = give_weights(net, err)) || net->fixed ||
            (code = gx_params_allocate_gradients(&net->params, err)))
            continue;
        code = gx_optim_init(&b->optim[i], &adam, &net->params, err);
    }
    if (code)
        return code;
    r->what = "training step";
    r->network = c->net.generator;
    gx_game_build_step(&b->game, c->bench.batch, b->h, b->w, &step);
    struct gx_node *input[GX_SLOTS_MAX + 3];
    int inputs = 0;
    for (int s = 0; s < b->game.slots; s++)
        if (step.input[s])
            input[inputs++] = step.input[s];
    if (step.label)
        input[inputs++] = step.label;
    if (step.wanted)
        input[inputs++] = step.wanted;
    if (step.noise)
        input[inputs++] = step.noise;
    code = measure(b, step.graph, input, inputs, &step, r, err);
    gx_graph_free(&step.graph);
    for (int i = 0; i < b->game.nets; i++)
        gx_optim_clear(&b->optim[i]);
    return code;
}

static void print_json(const struct bench *b, const struct result *r)
{
    const struct gx_config *c = b->config;
    struct gx_cpu_facts cpu;
    gx_cpu_describe(&cpu);
    json_t *o = json_pack(
        "{ss ss si si si ss sf sf sf sf sf sI sI sf sf si sI sI ss ss ss}", "what", r->what,
        "network", r->network, "size", b->w, "batch", c->bench.batch, "threads", b->threads,
        "kernels", b->kernels->name, "ms", r->median * 1e3, "ms_low", r->low * 1e3, "ms_high",
        r->high * 1e3, "gflop", r->facts.flops * 1e-9, "gflops", r->facts.flops / r->median * 1e-9,
        "arena_bytes", (json_int_t)r->facts.arena, "weight_bytes", (json_int_t)(r->weights * 4),
        "recomputed_gflop", r->facts.recomputed * 1e-9, "recompute_cost", r->facts.recompute_cost,
        "height", b->h, "moved_bytes", (json_int_t)r->traffic, "peak_bytes",
        (json_int_t)gx_memory_peak(), "family", c->family, "cpu", cpu.model, "precision",
        c->precision);
    char *text = json_dumps(o, JSON_REAL_PRECISION(9));
    puts(text);
    free(text);
    json_decref(o);
}

static void print_result(const struct bench *b, const struct result *r)
{
    char again[64] = "";
    if (r->facts.recompute_cost >= 0.005)
        snprintf(again, sizeof again, " (for about %.0f%% more time)",
                 r->facts.recompute_cost * 100);
    printf("%-14s %s %dx%d batch %d: %.1f ms (%.1f to %.1f), %.1f GFLOP, %.0f GFLOP/s, "
           "%.2f GB at %.1f GB/s, arena %.1f MiB%s, weights %.1f MiB\n",
           r->what, r->network, b->w, b->h, b->config->bench.batch, r->median * 1e3, r->low * 1e3,
           r->high * 1e3, r->facts.flops * 1e-9, r->facts.flops / r->median * 1e-9,
           r->traffic * 1e-9, r->traffic / r->median * 1e-9, (double)r->facts.arena / 0x1p20, again,
           (double)r->weights * 4 / 0x1p20);
}

/* Flags that make sense together. */
static int check_flags(const struct gx_config *c, struct gx_err *err)
{
    if (c->operands)
        return gx_fail(err, GX_E_USAGE, "'bench' takes no operand");
    if (c->bench.training && gx_pictures_precision(c) != GX_MODEL_F32)
        return gx_fail(err, GX_E_USAGE, "--precision is for inference, and --training is not");
    if (*c->bench.model && (c->bench.training || *c->bench.network || c->bench.width))
        return gx_fail(err, GX_E_USAGE, "%s and -m exclude each other: a model has its own network",
                       c->bench.training    ? "--training"
                       : c->bench.width > 0 ? "--width"
                                            : "--network");
    return 0;
}

static int bench_model(struct bench *b, struct result *r, struct gx_err *err)
{
    struct subject s = {0};
    int code = open_model(b, &s, err);
    return code ? code : bench_inference(b, &s, r, err);
}

static int bench_family(struct bench *b, struct result *r, struct gx_err *err)
{
    struct gx_config *c = b->config;
    struct subject s = {0};
    bool judge = false;
    int code = set_network(c, &judge, err);
    if (code)
        return code;
    if (c->bench.width)
        c->net.ngf = c->net.ndf = c->bench.width;
    c->data.load_size = c->data.crop_size = b->w < b->h ? b->w : b->h;
    code = gx_game_init(&b->game, gx_family_find(c->family), c, NULL, err);
    if (code || c->bench.training)
        return code ? code : bench_step(b, r, err);
    code = choose_net(b, judge, &s, err);
    return code ? code : bench_inference(b, &s, r, err);
}

static int run_bench(struct gx_config *config, struct gx_report *report)
{
    struct bench b = {.config = config};
    struct result r = {0};
    struct gx_err err = {""};
    bool of_model = *config->bench.model;
    b.threads = config->threads > 0 ? config->threads : omp_get_num_procs();
    int code = check_flags(config, &err);
    if (!code)
        code = parse_size(&b, &err);
    if (!code)
        code = gx_kernels_choose(&b.kernels, config->cpu, &err);
    if (!code)
        code = of_model ? bench_model(&b, &r, &err) : bench_family(&b, &r, &err);
    if (!code)
        (config->json ? print_json : print_result)(&b, &r);
    gx_game_clear(&b.game);
    gx_model_close(&b.model);
    return code ? (int)gx_fail_at(report, code, of_model ? GX_AT_MODEL : GX_AT_START, &err)
                : GX_EXIT_DONE;
}

const struct gx_command gx_command_bench = {
    .name = "bench",
    .verb = GX_VERB_BENCH,
    .of_family = true,
    .summary = "time a network's inference, or a training step, on this machine",
    .usage = (const char *const[]){"[--network NAME | -m MODEL] [--size N|WxH] [options]", NULL},
    .run = run_bench,
};
