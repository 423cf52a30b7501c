/* A plan: program (what must run, in order), storage, placement, and the arena they lie in. */
#include "ganx/plan.h"

#include "plan/fuse.h"
#include "plan/order.h"
#include "plan/recompute.h"
#include "plan/storage.h"
#include "plan/wide.h"
#include "util/arena.h"
#include "util/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MODEST = 256 << 20 }; /* bytes that a step may always take: below, no work is spent */

/* Work that may be spent to make values again, as parts of the program's own: always, and where
 * memory is short. */
static const double COST_FOR_GOOD = 0.01, COST_UNDER_PRESSURE = 1;

struct gx_plan {
    struct gx_graph *graph;
    int phases;
    struct gx_plan_settings settings; /* kernels and threads as chosen */
    struct gx_program program;
    struct gx_storage storage;
    struct gx_recomputed recomputed;
    struct gx_plan_facts facts;
    struct gx_plan *host; /* whose arena it lies in; NULL: one of its own */
    char *arena;
    double *seconds; /* by step */
};

/* ---- what must run ---- */

static void mark_live(struct gx_plan *plan, bool *live)
{
    for (int id = gx_graph_nodes(plan->graph) - 1; id >= 0; id--) {
        const struct gx_node *node = gx_graph_node(plan->graph, id);
        if (node->keep || node->gradient_of || (node->op->flags & GX_OP_EFFECT))
            live[id] = true;
        for (int i = 0; live[id] && i < node->inputs; i++)
            live[node->in[i]->id] = true;
    }
}

static void make_program(struct gx_plan *plan)
{
    int count = gx_graph_nodes(plan->graph);
    bool *live = gx_new((size_t)count);
    mark_live(plan, live);
    if (!plan->settings.as_written)
        gx_fuse(plan->graph, plan->settings.kernels, live);
    struct gx_program *program = &plan->program;
    program->capacity = count + 16;
    program->node = gx_new((size_t)program->capacity * sizeof *program->node);
    for (int id = 0; id < count; id++) {
        struct gx_node *node = gx_graph_node(plan->graph, id);
        if (node->phase >= plan->phases)
            plan->phases = node->phase + 1;
        if (live[id] && !(node->op->flags & GX_OP_LEAF))
            program->node[program->count++] = node;
    }
    free(live);
}

/* ---- making and freeing ---- */

static int64_t place_buffers(struct gx_plan *plan)
{
    return plan->facts.arena = gx_buffers_place(plan->storage.buffer, plan->storage.buffers);
}

/* Down to what is allowed, or as far as it goes. The peak is a bound that placement may miss by a
 * little, so it is lowered until the arena fits. */
static void trade_time(struct gx_plan *plan, struct gx_recomputation *r)
{
    int64_t most = plan->settings.max_memory;
    struct gx_recompute_goal goal = {.peak = most, .most_cost = COST_UNDER_PRESSURE};
    goal.products = true;
    while (plan->facts.arena > most && plan->storage.peak > 0) {
        gx_recomputation_run(r, &goal);
        place_buffers(plan);
        if (plan->storage.peak > goal.peak)
            break; /* nothing helps any more */
        int64_t over = plan->facts.arena - most, part = plan->storage.peak / 64;
        goal.peak = plan->storage.peak - (over / 2 > part ? over / 2 : part) - 64;
    }
}

/* Where that is too much memory, no transforms are kept. */
static void keep_less(struct gx_plan *plan)
{
    int64_t most = plan->settings.max_memory;
    if (!most || plan->facts.arena <= most)
        return;
    plan->storage.keeps = false;
    gx_storage_assign(&plan->storage, &plan->program);
    place_buffers(plan);
}

static void place_values(struct gx_plan *plan)
{
    const struct gx_plan_settings *settings = &plan->settings;
    gx_storage_init(&plan->storage, plan->graph, settings, &plan->program);
    gx_storage_assign(&plan->storage, &plan->program);
    if (settings->inference || settings->as_written) {
        place_buffers(plan);
        keep_less(plan);
        return;
    }
    gx_program_reorder(&plan->program, &plan->storage);
    struct gx_recomputation *r = gx_recomputation_new(&plan->program, &plan->storage);
    const struct gx_recompute_goal cheap = {.peak = MODEST, .most_cost = COST_FOR_GOOD};
    gx_recomputation_run(r, &cheap);
    place_buffers(plan);
    keep_less(plan);
    if (settings->max_memory)
        trade_time(plan, r);
    plan->recomputed = gx_recomputation_done(r);
    gx_recomputation_free(&r);
}

static void find_facts(struct gx_plan *plan)
{
    struct gx_plan_facts *facts = &plan->facts;
    facts->nodes = plan->program.count;
    facts->phases = plan->phases;
    for (int i = 0; i < plan->storage.buffers; i++)
        facts->values += plan->storage.buffer[i].bytes;
    for (int i = 0; i < plan->program.count; i++) {
        const struct gx_node *node = plan->program.node[i];
        facts->flops += node->op->flops ? node->op->flops(node) : 0;
    }
    facts->recomputed = plan->recomputed.flops;
    facts->recompute_cost = plan->recomputed.cost;
    facts->flops -= facts->recomputed;
}

/* Parameters of 16 bits, or in panels, are read by operators that know of them. */
static int check_types(const struct gx_graph *graph, struct gx_err *err)
{
    for (int id = 0; id < gx_graph_nodes(graph); id++) {
        const struct gx_node *node = gx_graph_node(graph, id);
        for (int i = 0; i < node->inputs; i++) {
            const struct gx_node *in = node->in[i];
            if (in->op == &gx_op_parameter && (in->param->dtype != GX_F32 || in->param->panel) &&
                !(i == 1 && node->op->flags & GX_OP_HALF_1))
                return gx_fail(err, GX_E_SHAPE,
                               "'%s' is used otherwise than by a convolution, "
                               "and so cannot be %s",
                               in->param->name, in->param->panel ? "in panels" : "of 16 bits");
        }
    }
    return 0;
}

int gx_plan_new(struct gx_plan **out, struct gx_graph *graph,
                const struct gx_plan_settings *settings, struct gx_err *err)
{
    *out = NULL;
    int code = gx_graph_check(graph, err);
    if (code || (code = check_types(graph, err)))
        return code;
    struct gx_plan *plan = gx_new(sizeof *plan);
    plan->graph = graph;
    plan->settings = *settings;
    if (!plan->settings.kernels)
        plan->settings.kernels = gx_kernels_best();
    if (plan->settings.threads <= 0)
        plan->settings.threads = omp_get_num_procs();
    plan->phases = 1;
    make_program(plan);
    place_values(plan);
    find_facts(plan);
    *out = plan;
    return 0;
}

void gx_plan_free(struct gx_plan **plan)
{
    if (!*plan)
        return;
    struct gx_plan *p = *plan;
    if (p->arena && !p->host)
        munmap(p->arena, (size_t)p->facts.arena);
    free(p->program.node);
    gx_storage_clear(&p->storage);
    free(p->seconds);
    free(p);
    *plan = NULL;
}

struct gx_plan_facts gx_plan_facts(const struct gx_plan *plan)
{
    return plan->facts;
}

/* ---- the arena ---- */

/* In a file: allocated in full first, since a disk that fills up under a mapping is a signal. */
static int map_file(struct gx_plan *plan, struct gx_err *err)
{
    const struct gx_plan_settings *s = &plan->settings;
    double mib = (double)plan->facts.arena / 0x1p20;
    if (s->max_temp && plan->facts.arena > s->max_temp)
        return gx_fail(err, GX_E_NOMEM,
                       "this needs %.0f MiB of temporary file, and --max-temp allows %.0f", mib,
                       (double)s->max_temp / 0x1p20);
    char path[4096];
    if (snprintf(path, sizeof path, "%s/ganx-arena-XXXXXX", s->temp_folder) >= (int)sizeof path)
        return gx_fail(err, GX_E_IO, "the temporary folder's name is too long");
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return gx_fail_errno(err, GX_E_IO, "cannot make a temporary file in '%s'", s->temp_folder);
    unlink(path);
    errno = posix_fallocate(fd, 0, plan->facts.arena);
    int code = 0;
    if (errno)
        code = gx_fail_errno(err, GX_E_IO, "cannot reserve %.0f MiB in '%s'", mib, s->temp_folder);
    void *at =
        code ? MAP_FAILED
             : mmap(NULL, (size_t)plan->facts.arena, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!code && at == MAP_FAILED)
        code = gx_fail_errno(err, GX_E_NOMEM, "cannot map %.0f MiB of '%s'", mib, s->temp_folder);
    close(fd);
    if (!code)
        plan->arena = at;
    return code;
}

static int map_memory(struct gx_plan *plan, struct gx_err *err)
{
    void *at = mmap(NULL, (size_t)plan->facts.arena, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return gx_fail(err, GX_E_NOMEM, "cannot get %.0f MiB of memory",
                       (double)plan->facts.arena / 0x1p20);
#ifdef MADV_HUGEPAGE
    madvise(at, (size_t)plan->facts.arena, MADV_HUGEPAGE);
#endif
    plan->arena = at;
    return 0;
}

void gx_plan_share(struct gx_plan *host, struct gx_plan *guest)
{
    guest->host = host;
    if (host->facts.arena < guest->facts.arena)
        host->facts.arena = guest->facts.arena;
}

int gx_plan_allocate(struct gx_plan *plan, struct gx_err *err)
{
    const struct gx_plan_settings *s = &plan->settings;
    bool over = s->max_memory && plan->facts.arena > s->max_memory;
    if (over && !s->temp_folder)
        return gx_fail(err, GX_E_NOMEM, "this needs %.0f MiB of memory, and %.0f are allowed",
                       (double)plan->facts.arena / 0x1p20, (double)s->max_memory / 0x1p20);
    if (!plan->facts.arena)
        plan->facts.arena = 64;
    int code = plan->host ? 0 : over ? map_file(plan, err) : map_memory(plan, err);
    if (code)
        return code;
    if (plan->host)
        plan->arena = plan->host->arena;
    plan->seconds = gx_new((size_t)(plan->program.count + 1) * sizeof *plan->seconds);
    gx_plan_refresh(plan);
    return 0;
}

/* ---- running ---- */

float *gx_plan_value(const struct gx_plan *plan, const struct gx_node *node)
{
    const struct gx_place *place = &plan->storage.place[node->id];
    if (place->grad)
        return place->grad->grad;
    if (node->op == &gx_op_parameter)
        return node->param->data;
    int b = place->buffer;
    if (b < 0) /* a view of a parameter */
        return node->op->flags & GX_OP_VIEW ? gx_plan_value(plan, node->in[0]) : NULL;
    int channel;
    gx_wide_whole(&plan->storage, node, &channel);
    return (float *)(plan->arena + plan->storage.buffer[b].offset) + channel;
}

/* Floats from a pixel of a value to the next; 0: as many as it has channels. */
static int step_of(const struct gx_plan *plan, const struct gx_node *node)
{
    int channel;
    const struct gx_node *whole = gx_wide_whole(&plan->storage, node, &channel);
    return whole == node ? 0 : whole->shape.c;
}

/* A view, or a concatenation whose parts were written into it. */
static bool nothing_to_do(const struct gx_plan *plan, const struct gx_node *node)
{
    const struct gx_place *place = plan->storage.place;
    return node->op->flags & GX_OP_VIEW ||
           (node->inputs == 2 && place[node->in[0]->id].into == node &&
            place[node->in[1]->id].into == node);
}

static void run_step(struct gx_plan *plan, int i, uint64_t seed, uint64_t step)
{
    const struct gx_node *node = plan->program.node[i];
    if (nothing_to_do(plan, node))
        return;
    struct gx_call call = {.node = node,
                           .kernels = plan->settings.kernels,
                           .threads = plan->settings.threads,
                           .seed = seed,
                           .step = step,
                           .y = gx_plan_value(plan, node),
                           .y_step = step_of(plan, node)};
    for (int j = 0; j < node->inputs; j++) {
        call.x[j] = gx_plan_value(plan, node->in[j]);
        call.x_step[j] = step_of(plan, node->in[j]);
    }
    int scratch = plan->storage.place[node->id].scratch;
    call.kept = plan->storage.place[node->id].kept;
    if (scratch >= 0)
        call.scratch = plan->arena + plan->storage.buffer[scratch].offset;
    double began = gx_clock();
    node->op->forward(&call);
    plan->seconds[i] += gx_clock() - began;
}

void gx_plan_run(struct gx_plan *plan, int phase, uint64_t seed, uint64_t step)
{
    for (int i = 0; i < plan->program.count; i++) {
        const struct gx_node *node = plan->program.node[i];
        if (node->phase == phase && !plan->storage.place[node->id].once)
            run_step(plan, i, seed, step);
    }
}

void gx_plan_refresh(struct gx_plan *plan)
{
    for (int i = 0; i < plan->program.count; i++)
        if (plan->storage.place[plan->program.node[i]->id].once)
            run_step(plan, i, 0, 0);
}

void gx_plan_clear_times(struct gx_plan *plan)
{
    memset(plan->seconds, 0, (size_t)plan->program.count * sizeof *plan->seconds);
}

const struct gx_node *gx_plan_step(const struct gx_plan *plan, int i, double *seconds)
{
    if (i >= plan->program.count)
        return NULL;
    *seconds = plan->seconds ? plan->seconds[i] : 0;
    return plan->program.node[i];
}
