/* ganx FAMILY bench: how long inference and a whole training step take here, on random weights and
 * pictures: milliseconds, GFLOP/s (counted as direct convolutions), planned bytes. */
#include "cmd/cmd.h"

#include "family/family.h"
#include "ganx/plan.h"
#include "graph/operator.h"
#include "kernel/kernel.h"
#include "optim/optim.h"
#include "util/arena.h"
#include "util/clock.h"
#include "util/random.h"

#include <jansson.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct gx_config *config;
    struct gx_game game;
    const struct gx_kernels *kernels;
    int threads;
    struct gx_optim optim[GX_TRAINEES_MAX];
};

struct result {
    const char *what;
    double median, low, high; /* seconds */
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

static int slower_first(const void *a, const void *b)
{
    double x = **(double *const *)a, y = **(double *const *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void print_operator(const struct gx_node *node, double seconds, double share, bool json)
{
    double gflops = node->op->flops ? node->op->flops(node) / seconds * 1e-9 : 0;
    const struct gx_shape s = node->shape;
    if (!json) {
        printf("%9.3f %5.1f%% %9.1f  %-16s %dx%dx%dx%d%s%s\n", seconds * 1e3, 100 * share, gflops,
               node->op->name, s.n, s.h, s.w, s.c, node->name ? " " : "",
               node->name ? node->name : "");
        return;
    }
    json_t *o =
        json_pack("{ss ss s[iiii] ss sf sf sf}", "what", "operator", "operator", node->op->name,
                  "shape", s.n, s.h, s.w, s.c, "name", node->name ? node->name : "", "ms",
                  seconds * 1e3, "share", share, "gflops", gflops);
    char *text = json_dumps(o, JSON_REAL_PRECISION(9));
    puts(text);
    free(text);
    json_decref(o);
}

/* Nodes by time, the slowest first: what a kernel's author looks at. */
static void print_profile(const struct gx_plan *plan, int rounds, bool json)
{
    int count = gx_plan_facts(plan).nodes;
    double *time = gx_new((size_t)count * sizeof *time), total = 0;
    double **order = gx_new((size_t)count * sizeof *order);
    for (int i = 0; i < count; i++) {
        gx_plan_step(plan, i, &time[i]);
        order[i] = &time[i];
        total += time[i];
    }
    qsort(order, (size_t)count, sizeof *order, slower_first);
    if (!json)
        printf("%9s %6s %9s  %-16s %s\n", "ms", "share", "GFLOP/s", "operator", "result");
    double least = total * 0.002;
    for (int k = 0; k < count; k++) {
        double seconds;
        if (*order[k] <= least)
            break;
        const struct gx_node *node = gx_plan_step(plan, (int)(order[k] - time), &seconds);
        print_operator(node, seconds / rounds, seconds / total, json);
    }
    free(order);
    free(time);
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
        if (step)
            r->facts.flops = gx_step_flops(step, plan);
        free(time);
        if (b->config->bench.profile)
            print_profile(plan, rounds, b->config->json);
    }
    gx_plan_free(&plan);
    return code;
}

/* The family's networks take these pictures, or the error says which sides they take. */
static int check_size(const struct bench *b, struct gx_err *err)
{
    int side = b->config->bench.size;
    for (int i = 0; i < b->game.nets; i++) {
        const struct gx_network_spec *spec = &b->game.net[i].spec;
        int multiple = spec->network->multiple(spec);
        if (side % multiple)
            return gx_fail(err, GX_E_USAGE, "--size %d does not fit network %s: try %d", side,
                           b->game.net[i].name, (side / multiple + 1) * multiple);
    }
    return 0;
}

static int bench_inference(struct bench *b, struct result *r, struct gx_err *err)
{
    const struct gx_config *c = b->config;
    int labels = b->game.labels.count;
    struct gx_graph *g = gx_graph_new();
    struct gx_shape picture = {c->bench.batch, c->bench.size, c->bench.size, b->game.channels[0]};
    struct gx_node *input[2] = {gx_input(g, picture, "x"), NULL}, *out[GX_OUTPUTS_MAX];
    if (labels)
        input[1] = gx_input(g, (struct gx_shape){c->bench.batch, 1, 1, labels}, "label");
    r->what = "inference";
    gx_game_apply(&b->game, g, 0, input[0], input[1], false,
                  out); /* every family's first network */
    gx_keep(out[0]);
    int code = measure(b, g, input, labels ? 2 : 1, NULL, r, err);
    gx_graph_free(&g);
    return code;
}

static int bench_step(struct bench *b, struct result *r, struct gx_err *err)
{
    const struct gx_config *c = b->config;
    struct gx_step step = {0};
    struct gx_optim_settings adam = gx_optim_defaults(GX_OPTIM_ADAM);
    int code = 0;
    r->what = "training step";
    for (int i = 0; i < b->game.nets && !code; i++) {
        code = gx_params_allocate_gradients(&b->game.net[i].params, err);
        if (!code)
            code = gx_optim_init(&b->optim[i], &adam, &b->game.net[i].params, err);
    }
    if (code)
        return code;
    gx_game_build_step(&b->game, c->bench.batch, c->bench.size, c->bench.size, &step);
    struct gx_node *input[GX_SLOTS_MAX + 3];
    int inputs = 0;
    for (int s = 0; s < b->game.slots; s++)
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

static void print_result(const struct bench *b, const struct result *r)
{
    const struct gx_config *c = b->config;
    int64_t weights = 0;
    for (int i = 0; i < b->game.nets; i++)
        weights += b->game.net[i].params.total * 4;
    if (!c->json) {
        char again[64] = "";
        if (r->facts.recompute_cost >= 0.005)
            snprintf(again, sizeof again, " (for about %.0f%% more time)",
                     r->facts.recompute_cost * 100);
        printf("%-14s %s %dx%d batch %d: %.1f ms (%.1f to %.1f), %.1f GFLOP, %.0f GFLOP/s, "
               "arena %.1f MiB%s, weights %.1f MiB\n",
               r->what, c->net.generator, c->bench.size, c->bench.size, c->bench.batch,
               r->median * 1e3, r->low * 1e3, r->high * 1e3, r->facts.flops * 1e-9,
               r->facts.flops / r->median * 1e-9, (double)r->facts.arena / 0x1p20, again,
               (double)weights / 0x1p20);
        return;
    }
    json_t *o = json_pack(
        "{ss ss si si si ss sf sf sf sf sf sI sI sf sf}", "what", r->what, "network",
        c->net.generator, "size", c->bench.size, "batch", c->bench.batch, "threads", b->threads,
        "kernels", b->kernels->name, "ms", r->median * 1e3, "ms_low", r->low * 1e3, "ms_high",
        r->high * 1e3, "gflop", r->facts.flops * 1e-9, "gflops", r->facts.flops / r->median * 1e-9,
        "arena_bytes", (json_int_t)r->facts.arena, "weight_bytes", (json_int_t)weights,
        "recomputed_gflop", r->facts.recomputed * 1e-9, "recompute_cost", r->facts.recompute_cost);
    char *text = json_dumps(o, JSON_REAL_PRECISION(9));
    puts(text);
    free(text);
    json_decref(o);
}

static int run_bench(struct gx_config *config, struct gx_report *report)
{
    struct bench b = {.config = config};
    struct gx_err err = {""};
    if (config->operands) {
        gx_report(report, GX_ERROR, "error", "'bench' takes no operand");
        return GX_EXIT_USAGE;
    }
    b.threads = config->threads > 0 ? config->threads : omp_get_num_procs();
    if (*config->bench.network)
        config->net.generator = config->bench.network;
    if (config->bench.width)
        config->net.ngf = config->net.ndf = config->bench.width;
    config->data.load_size = config->data.crop_size = config->bench.size;
    int code = gx_kernels_choose(&b.kernels, config->cpu, &err);
    if (!code)
        code = gx_game_init(&b.game, gx_family_find(config->family), config, NULL, &err);
    for (int i = 0; i < b.game.nets && !code; i++) {
        code = gx_params_allocate(&b.game.net[i].params, &err);
        if (!code)
            gx_params_initialise(&b.game.net[i].params, GX_INIT_NORMAL, 0.02, 0,
                                 b.game.net[i].name);
    }
    struct result r = {0};
    if (!code)
        code = check_size(&b, &err);
    if (!code)
        code = config->bench.training ? bench_step(&b, &r, &err) : bench_inference(&b, &r, &err);
    if (!code)
        print_result(&b, &r);
    gx_game_clear(&b.game);
    return code ? (int)gx_fail_at(report, code, GX_AT_START, &err) : GX_EXIT_DONE;
}

const struct gx_command gx_command_bench = {
    .name = "bench",
    .verb = GX_VERB_BENCH,
    .of_family = true,
    .summary = "time a network's inference, or a training step, on this machine",
    .usage = (const char *const[]){"[--network NAME] [--size N] [options]", NULL},
    .run = run_bench,
};
