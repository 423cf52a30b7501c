/* A network of any weight file at work, generators and discriminators: what peers.py measures.
 *
 *   forward WEIGHTS INPUT OUTPUT WxH [THREADS [LABEL]]
 *
 * INPUT holds the picture as float32, h x w x c, LABEL the numbers of a label; OUTPUT gets the first
 * result in the same order. GANX_CPU names the tier of kernels; else the best is taken. Norms use
 * stored statistics where the file has them. One line of JSON tells what runs; then each line of
 * standard input, a number, asks for so many runs, and their milliseconds come back as a line.
 * Waiting costs no processor time: others are measured then. */
#include "ganx/network.h"
#include "ganx/plan.h"
#include "kernel/kernel.h"
#include "util/clock.h"

#include <stdio.h>
#include <stdlib.h>

struct forward {
    struct gx_network_spec spec;
    struct gx_params params;
    enum gx_stats stats;
    struct gx_graph *graph;
    struct gx_plan *plan;
    const struct gx_kernels *kernels;
    struct gx_node *x, *label, *y;
};

static int load(struct forward *f, const char *path, struct gx_err *err)
{
    struct gx_weights *file = NULL;
    gx_params_init(&f->params);
    int code = gx_weights_open(&file, path, err);
    if (!code)
        code = gx_network_infer(&f->spec, file, "", err);
    if (!code)
        code = gx_network_declare(&f->spec, &f->params, err);
    if (!code)
        gx_params_panels(&f->params, f->kernels->panel);
    if (!code)
        code = gx_params_allocate(&f->params, err);
    if (!code)
        code = gx_params_load(&f->params, file, "", err);
    f->stats = GX_STATS_RUNNING;
    for (int i = 0; !code && i < f->params.count; i++) {
        const struct gx_param *param = f->params.param[i];
        if (param->kind == GX_PARAM_RUNNING_MEAN && gx_weights_find(file, param->name) < 0)
            f->stats = GX_STATS_BATCH;
    }
    gx_weights_close(&file);
    return code;
}

static int plan(struct forward *f, int w, int h, int threads, struct gx_err *err)
{
    const struct gx_network *network = f->spec.network;
    int channels = gx_spec_get(&f->spec, "cin"), labels = gx_spec_get(&f->spec, "c_dim");
    struct gx_node *out[GX_OUTPUTS_MAX];
    struct gx_build build = {.graph = f->graph = gx_graph_new(),
                             .params = &f->params,
                             .spec = &f->spec,
                             .stats = f->stats};
    f->x = gx_input(f->graph, (struct gx_shape){1, h, w, channels ? channels : 3}, "x");
    if (network->generator && labels)
        f->label = gx_input(f->graph, (struct gx_shape){1, 1, 1, labels}, "label");
    network->build(&build, f->x, f->label, out);
    f->y = gx_keep(out[0]);
    const struct gx_plan_settings settings = {
        .kernels = f->kernels, .threads = threads, .inference = true};
    int code = gx_plan_new(&f->plan, f->graph, &settings, err);
    return code ? code : gx_plan_allocate(f->plan, err);
}

static int read_floats(const char *path, float *to, int64_t count, struct gx_err *err)
{
    FILE *from = fopen(path, "rb");
    if (!from)
        return gx_fail_errno(err, GX_E_IO, "cannot open '%s'", path);
    size_t got = fread(to, sizeof *to, (size_t)count, from);
    fclose(from);
    return got == (size_t)count ? 0
                                : gx_fail(err, GX_E_FORMAT, "'%s' holds fewer than %lld numbers",
                                          path, (long long)count);
}

static int write_floats(const char *path, const float *data, int64_t count, struct gx_err *err)
{
    FILE *to = fopen(path, "wb");
    if (!to)
        return gx_fail_errno(err, GX_E_IO, "cannot open '%s'", path);
    size_t put = fwrite(data, sizeof *data, (size_t)count, to);
    return fclose(to) || put != (size_t)count
               ? gx_fail_errno(err, GX_E_IO, "cannot write '%s'", path)
               : 0;
}

static void describe(const struct forward *f)
{
    struct gx_plan_facts facts = gx_plan_facts(f->plan);
    struct gx_shape s = f->y->shape;
    printf("{\"network\": \"%s\", \"kernels\": \"%s\", \"gflop\": %.6g, \"arena_bytes\": %lld, "
           "\"weight_bytes\": %lld, \"output\": [%d, %d, %d, %d]}\n",
           f->spec.network->name, f->kernels->name, facts.flops * 1e-9, (long long)facts.arena,
           (long long)f->params.total * 4, s.n, s.h, s.w, s.c);
    fflush(stdout);
}

static void answer(struct forward *f)
{
    int runs;
    while (scanf("%d", &runs) == 1) {
        for (int i = 0; i < runs; i++) {
            double began = gx_clock();
            gx_plan_run(f->plan, 0, 0, 0);
            printf("%.4f%c", (gx_clock() - began) * 1e3, i == runs - 1 ? '\n' : ' ');
        }
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    struct forward f = {.graph = NULL};
    struct gx_err err;
    int w, h;
    if (argc < 5 || sscanf(argv[4], "%dx%d", &w, &h) != 2) {
        fprintf(stderr, "forward WEIGHTS INPUT OUTPUT WxH [THREADS [LABEL]]\n");
        return 2;
    }
    int code = gx_kernels_choose(&f.kernels, getenv("GANX_CPU"), &err);
    if (!code)
        code = load(&f, argv[1], &err);
    if (!code)
        code = plan(&f, w, h, argc > 5 ? atoi(argv[5]) : 0, &err);
    if (!code)
        code = read_floats(argv[2], gx_plan_value(f.plan, f.x), gx_count(f.x->shape), &err);
    if (!code && f.label)
        code = read_floats(argc > 6 ? argv[6] : "", gx_plan_value(f.plan, f.label),
                           gx_count(f.label->shape), &err);
    if (!code) {
        gx_plan_run(f.plan, 0, 0, 0);
        code = write_floats(argv[3], gx_plan_value(f.plan, f.y), gx_count(f.y->shape), &err);
    }
    if (code)
        fprintf(stderr, "forward: %s\n", err.text);
    else {
        describe(&f);
        answer(&f);
    }
    gx_plan_free(&f.plan);
    gx_graph_free(&f.graph);
    gx_params_clear(&f.params);
    return code ? 1 : 0;
}
