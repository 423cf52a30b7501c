/* A plan: program (what must run, in order), lifetimes, placement, and the arena they lie in.
 *
 * Storage. Several nodes may share one buffer: a view is its input under another shape, and an
 * operator that may write over its input does so when nothing reads that input afterwards. A buffer
 * lives from the step that first writes it to the last step that reads any of its nodes. */
#include "ganx/plan.h"

#include "op/op.h"
#include "plan/lower.h"
#include "plan/memory.h"
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

enum { NOT_RUN = -1 };

struct place {   /* of a node, by its id */
    int step;    /* in the program; NOT_RUN: dropped, or a leaf */
    int last;    /* the last step that reads this node or a view of it */
    int buffer;  /* whose buffer it lies in; -1: in a parameter */
    int scratch; /* its scratch buffer; -1: none */
    bool once;   /* depends on constant parameters alone: runs in gx_plan_refresh */
};

struct gx_plan {
    struct gx_graph *graph;
    const struct gx_kernels *kernels;
    int threads, phases;
    struct gx_plan_settings settings;
    struct gx_program program;
    struct place *place; /* by node id */
    struct gx_buffer *buffer;
    int buffers;
    struct gx_plan_facts facts;
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
    gx_lower_winograd(plan->graph, program, plan->kernels);
}

/* In inference, a node that reads only parameters and constants has one value for ever. */
static void mark_once(struct gx_plan *plan)
{
    for (int i = 0; plan->settings.inference && i < plan->program.count; i++) {
        const struct gx_node *node = plan->program.node[i];
        bool once = !(node->op->flags & (GX_OP_RANDOM | GX_OP_EFFECT));
        for (int j = 0; j < node->inputs && once; j++)
            once = node->in[j]->op == &gx_op_parameter || plan->place[node->in[j]->id].once;
        plan->place[node->id].once = once;
    }
}

/* ---- lifetimes ---- */

static bool in_parameter(const struct gx_node *node)
{
    return node->op == &gx_op_parameter || node->gradient_of;
}

/* The last step of each node's own value. Within a phase that may repeat, what came from an earlier
 * phase must survive to the phase's end, or the second round would read something else. */
static void find_last_uses(struct gx_plan *plan)
{
    const struct gx_program *program = &plan->program;
    int *phase_end = gx_new((size_t)plan->phases * sizeof *phase_end);
    for (int i = 0; i < program->count; i++)
        phase_end[program->node[i]->phase] = i;
    for (int i = program->count - 1; i >= 0; i--) {
        const struct gx_node *node = program->node[i];
        struct place *mine = &plan->place[node->id];
        if (node->keep || mine->once)
            mine->last = program->count;
        bool repeats = plan->settings.repeated_phases >> (node->phase & 63) & 1;
        for (int j = 0; j < node->inputs; j++) {
            struct place *input = &plan->place[node->in[j]->id];
            int use = repeats && node->in[j]->phase < node->phase ? phase_end[node->phase] + 1 : i;
            if ((node->op->flags & GX_OP_VIEW) && j == 0 && mine->last > use)
                use = mine->last;
            if (input->last < use)
                input->last = use;
        }
    }
    free(phase_end);
}

static int new_buffer(struct gx_plan *plan, int64_t bytes, int first, int last)
{
    plan->buffer[plan->buffers] = (struct gx_buffer){.bytes = bytes, .first = first, .last = last};
    return plan->buffers++;
}

/* The buffer of an input that this operator may overwrite; -1: none. */
static int buffer_to_overwrite(const struct gx_plan *plan, const struct gx_node *node, int step)
{
    for (int j = 0; j < node->inputs && j < 2; j++) {
        if (!(node->op->flags & (j ? GX_OP_INPLACE_1 : GX_OP_INPLACE_0)))
            continue;
        int b = plan->place[node->in[j]->id].buffer;
        bool free_here = b >= 0 && plan->buffer[b].last == step &&
                         gx_count(node->in[j]->shape) == gx_count(node->shape);
        for (int k = 0; k < node->inputs && free_here; k++)
            free_here = k == j || plan->place[node->in[k]->id].buffer != b;
        if (free_here)
            return b;
    }
    return -1;
}

static void assign_buffer(struct gx_plan *plan, struct gx_node *node, int step)
{
    struct place *mine = &plan->place[node->id];
    int last = mine->last < step ? step : mine->last;
    if (in_parameter(node)) {
        mine->buffer = -1;
    } else if (node->op->flags & GX_OP_VIEW) {
        mine->buffer = plan->place[node->in[0]->id].buffer;
    } else {
        int over = mine->once ? -1 : buffer_to_overwrite(plan, node, step);
        if (over >= 0) {
            plan->buffer[over].last = last;
            mine->buffer = over;
        } else {
            mine->buffer = new_buffer(plan, gx_count(node->shape) * 4, mine->once ? 0 : step, last);
        }
    }
    size_t scratch = node->op->scratch ? node->op->scratch(node, plan->kernels, plan->threads) : 0;
    mine->scratch = scratch ? new_buffer(plan, (int64_t)scratch, step, step) : -1;
    if (scratch && mine->once)
        plan->buffer[mine->scratch].first = 0;
}

static void assign_buffers(struct gx_plan *plan)
{
    const struct gx_program *program = &plan->program;
    int nodes = gx_graph_nodes(plan->graph);
    plan->buffer = gx_new(2 * (size_t)nodes * sizeof *plan->buffer);
    for (int id = 0; id < nodes; id++) {
        const struct gx_node *node = gx_graph_node(plan->graph, id);
        plan->place[id].buffer = plan->place[id].scratch = -1;
        /* Inputs are filled before the first step, and may be looked at after the last. */
        if (node->op == &gx_op_input)
            plan->place[id].buffer = new_buffer(plan, gx_count(node->shape) * 4, 0, program->count);
    }
    for (int i = 0; i < program->count; i++)
        assign_buffer(plan, program->node[i], i);
}

/* ---- making and freeing ---- */

int gx_plan_new(struct gx_plan **out, struct gx_graph *graph,
                const struct gx_plan_settings *settings, struct gx_err *err)
{
    *out = NULL;
    int code = gx_graph_check(graph, err);
    if (code)
        return code;
    struct gx_plan *plan = gx_new(sizeof *plan);
    plan->graph = graph;
    plan->settings = *settings;
    plan->kernels = settings->kernels ? settings->kernels : gx_kernels_best();
    plan->threads = settings->threads > 0 ? settings->threads : omp_get_num_procs();
    plan->phases = 1;
    make_program(plan);
    int nodes = gx_graph_nodes(graph);
    plan->place = gx_new((size_t)nodes * sizeof *plan->place);
    for (int id = 0; id < nodes; id++)
        plan->place[id].step = plan->place[id].last = NOT_RUN;
    for (int i = 0; i < plan->program.count; i++)
        plan->place[plan->program.node[i]->id].step = i;
    mark_once(plan);
    find_last_uses(plan);
    assign_buffers(plan);
    plan->facts.arena = gx_buffers_place(plan->buffer, plan->buffers);
    plan->facts.nodes = plan->program.count;
    plan->facts.phases = plan->phases;
    for (int i = 0; i < plan->buffers; i++)
        plan->facts.values += plan->buffer[i].bytes;
    for (int i = 0; i < plan->program.count; i++)
        if (plan->program.node[i]->op->flops)
            plan->facts.flops += plan->program.node[i]->op->flops(plan->program.node[i]);
    *out = plan;
    return 0;
}

void gx_plan_free(struct gx_plan **plan)
{
    if (!*plan)
        return;
    struct gx_plan *p = *plan;
    if (p->arena)
        munmap(p->arena, (size_t)p->facts.arena);
    free(p->program.node);
    free(p->place);
    free(p->buffer);
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

int gx_plan_allocate(struct gx_plan *plan, struct gx_err *err)
{
    const struct gx_plan_settings *s = &plan->settings;
    bool over = s->max_memory && plan->facts.arena > s->max_memory;
    if (over && !s->temp_folder)
        return gx_fail(err, GX_E_NOMEM, "this needs %.0f MiB of memory, and %.0f are allowed",
                       (double)plan->facts.arena / 0x1p20, (double)s->max_memory / 0x1p20);
    if (!plan->facts.arena)
        plan->facts.arena = 64;
    int code = over ? map_file(plan, err) : map_memory(plan, err);
    if (code)
        return code;
    plan->seconds = gx_new((size_t)(plan->program.count + 1) * sizeof *plan->seconds);
    gx_plan_refresh(plan);
    return 0;
}

/* ---- running ---- */

float *gx_plan_value(const struct gx_plan *plan, const struct gx_node *node)
{
    if (node->gradient_of)
        return node->gradient_of->grad;
    if (node->op == &gx_op_parameter)
        return node->param->data;
    int b = plan->place[node->id].buffer;
    if (b < 0) /* a view of a parameter */
        return node->op->flags & GX_OP_VIEW ? gx_plan_value(plan, node->in[0]) : NULL;
    return (float *)(plan->arena + plan->buffer[b].offset);
}

static void run_step(struct gx_plan *plan, int i, uint64_t seed, uint64_t step)
{
    const struct gx_node *node = plan->program.node[i];
    if (node->op->flags & GX_OP_VIEW)
        return;
    struct gx_call call = {.node = node,
                           .kernels = plan->kernels,
                           .threads = plan->threads,
                           .seed = seed,
                           .step = step,
                           .y = gx_plan_value(plan, node)};
    for (int j = 0; j < node->inputs; j++)
        call.x[j] = gx_plan_value(plan, node->in[j]);
    int scratch = plan->place[node->id].scratch;
    if (scratch >= 0)
        call.scratch = plan->arena + plan->buffer[scratch].offset;
    double began = gx_clock();
    node->op->forward(&call);
    plan->seconds[i] += gx_clock() - began;
}

void gx_plan_run(struct gx_plan *plan, int phase, uint64_t seed, uint64_t step)
{
    for (int i = 0; i < plan->program.count; i++) {
        const struct gx_node *node = plan->program.node[i];
        if (node->phase == phase && !plan->place[node->id].once)
            run_step(plan, i, seed, step);
    }
}

void gx_plan_refresh(struct gx_plan *plan)
{
    for (int i = 0; i < plan->program.count; i++)
        if (plan->place[plan->program.node[i]->id].once)
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
