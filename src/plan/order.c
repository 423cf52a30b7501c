#include "plan/order.h"

#include "util/arena.h"

#include <stdlib.h>
#include <string.h>

enum { SMALL = 64 << 10 }; /* bytes: what grows memory by less is done at once */

struct edge {
    int to, next;
};

struct task {    /* of a node, by its place in the old order */
    int edges;   /* of those that wait for it: the first in `edge`; -1: none */
    int waits;   /* for so many others */
    int made_at; /* when that became 0 */
    bool lazy;   /* depends on weights and constants alone: done when it is needed */
    bool done;
};

struct order {
    const struct gx_program *program;
    const struct gx_storage *storage;
    struct task *task;
    struct edge *edge;
    int edges;
    int *uses; /* by node id: readers that are still to come of what lies in the node's memory */
    int *ready;
    int readies;
    bool backwards; /* begin with the last of those that wait for nothing */
    struct gx_node **out;
    int outs;
};

/* ---- who waits for whom ---- */

static int step_of(const struct order *o, const struct gx_node *node)
{
    return o->storage->place[node->id].step;
}

static void add_edge(struct order *o, int from, int to)
{
    o->edge[o->edges] = (struct edge){to, o->task[from].edges};
    o->task[from].edges = o->edges++;
    o->task[to].waits++;
}

/* Parameters that the program itself changes, each with the last step that touched it. */
struct states {
    struct {
        const struct gx_param *param;
        int touched;
    } * row;
    int count;
};

static int find_state(const struct states *states, const struct gx_param *param)
{
    int i = states->count - 1;
    while (i >= 0 && states->row[i].param != param)
        i--;
    return i;
}

static void find_states(const struct gx_program *program, struct states *states)
{
    states->row = gx_new(((size_t)program->count + 1) * sizeof *states->row);
    for (int i = 0; i < program->count; i++) {
        const struct gx_node *node = program->node[i];
        if ((node->op->flags & GX_OP_EFFECT) && find_state(states, node->param) < 0) {
            states->row[states->count].param = node->param;
            states->row[states->count++].touched = -1;
        }
    }
}

/* Those that touch the same state come one after the other. Gives whether step i touches any. */
static bool chain_states(struct order *o, struct states *states, int i)
{
    const struct gx_node *node = o->program->node[i];
    bool any = false;
    for (int j = -1; j < node->inputs && states->count; j++) {
        const struct gx_node *at = j < 0 ? node : gx_viewed(node->in[j]);
        bool touches = j < 0 ? (node->op->flags & GX_OP_EFFECT) : at->op == &gx_op_parameter;
        int k = touches ? find_state(states, at->param) : -1;
        if (k < 0)
            continue;
        int before = states->row[k].touched;
        if (before >= 0 && before != i && o->program->node[before]->phase == node->phase)
            add_edge(o, before, i);
        states->row[k].touched = i;
        any = true;
    }
    return any;
}

static void find_edges(struct order *o)
{
    struct states states = {0};
    find_states(o->program, &states);
    for (int i = 0; i < o->program->count; i++) {
        const struct gx_node *node = o->program->node[i];
        o->task[i].edges = -1;
        bool lazy = !chain_states(o, &states, i) && !(node->op->flags & GX_OP_EFFECT);
        for (int j = 0; j < node->inputs && lazy; j++) {
            int step = step_of(o, node->in[j]);
            lazy = step >= 0 ? o->task[step].lazy && node->in[j]->phase == node->phase
                             : node->in[j]->op == &gx_op_parameter;
        }
        o->task[i].lazy = lazy;
        for (int j = 0; j < node->inputs; j++) {
            int step = step_of(o, node->in[j]);
            if (step >= 0 && node->in[j]->phase == node->phase && !o->task[step].lazy)
                add_edge(o, step, i);
        }
    }
    free(states.row);
}

/* ---- what a step frees ---- */

static bool repeats(const struct order *o, int phase)
{
    return o->storage->settings.repeated_phases >> (phase & 63) & 1;
}

static bool first_mention(const struct gx_node *node, int j)
{
    for (int k = 0; k < j; k++)
        if (gx_viewed(node->in[k]) == gx_viewed(node->in[j]))
            return false;
    return true;
}

/* Calls for each value that the step reads, once: the use is over (-1) or to come (1). */
static void count_uses(struct order *o, const struct gx_node *node, int by)
{
    for (int j = 0; j < node->inputs && !(node->op->flags & GX_OP_VIEW); j++)
        if (first_mention(node, j))
            o->uses[gx_viewed(node->in[j])->id] += by;
}

static void find_uses(struct order *o)
{
    for (int i = 0; i < o->program->count; i++) {
        struct gx_node *node = o->program->node[i];
        count_uses(o, node, 1);
        if (node->keep)
            o->uses[gx_viewed(node)->id]++;
        for (int j = 0; j < node->inputs && repeats(o, node->phase); j++)
            if (node->in[j]->phase < node->phase)
                o->uses[gx_viewed(node->in[j])->id]++;
    }
}

static int64_t bytes_of(const struct order *o, const struct gx_node *node)
{
    const struct gx_place *place = &o->storage->place[node->id];
    bool own = place->step >= 0 && !place->grad && !(node->op->flags & GX_OP_VIEW);
    return own ? gx_count(node->shape) * 4 : 0;
}

/* Bytes more after this step than before it. */
static int64_t growth(const struct order *o, const struct gx_node *node)
{
    int64_t more = bytes_of(o, node);
    for (int j = 0; j < node->inputs && !(node->op->flags & GX_OP_VIEW); j++) {
        const struct gx_node *read = gx_viewed(node->in[j]);
        if (o->uses[read->id] == 1 && first_mention(node, j))
            more -= bytes_of(o, read);
    }
    return more;
}

/* ---- the new order ---- */

static void emit(struct order *o, int i)
{
    struct gx_node *node = o->program->node[i];
    if (o->task[i].done)
        return;
    o->task[i].done = true;
    for (int j = 0; j < node->inputs; j++) {
        int step = step_of(o, node->in[j]);
        if (step >= 0 && o->task[step].lazy)
            emit(o, step);
    }
    o->out[o->outs++] = node;
    count_uses(o, node, -1);
    for (int e = o->task[i].edges; e >= 0 && !o->task[i].lazy; e = o->edge[e].next) {
        struct task *task = &o->task[o->edge[e].to];
        if (--task->waits == 0 && !task->lazy) {
            task->made_at = o->outs;
            o->ready[o->readies++] = o->edge[e].to;
        }
    }
}

/* Whether depth-first order takes step a before step b. */
static bool before(const struct order *o, int a, int b)
{
    if (o->task[a].made_at != o->task[b].made_at)
        return o->task[a].made_at > o->task[b].made_at;
    return o->backwards && !o->task[a].made_at ? a > b : a < b;
}

static int take_next(struct order *o)
{
    int best = 0;
    int64_t best_growth = INT64_MAX;
    for (int k = 0; k < o->readies; k++) {
        int64_t more = growth(o, o->program->node[o->ready[k]]);
        if (more > SMALL)
            more = INT64_MAX;
        if (more < best_growth || (more == best_growth && before(o, o->ready[k], o->ready[best]))) {
            best = k;
            best_growth = more;
        }
    }
    int step = o->ready[best];
    o->ready[best] = o->ready[--o->readies];
    return step;
}

static void order_phase(struct order *o, int first, int end)
{
    o->readies = 0;
    for (int i = first; i < end; i++)
        if (!o->task[i].waits && !o->task[i].lazy)
            o->ready[o->readies++] = i;
    while (o->readies)
        emit(o, take_next(o));
    for (int i = first; i < end; i++)
        emit(o, i); /* lazy ones that only later phases read */
}

static struct gx_node **make_order(const struct gx_program *program,
                                   const struct gx_storage *storage, bool backwards)
{
    int count = program->count;
    struct order o = {.program = program, .storage = storage, .backwards = backwards};
    o.task = gx_new((size_t)count * sizeof *o.task);
    o.edge = gx_new((size_t)count * (2 * GX_INPUTS_MAX + 1) * sizeof *o.edge);
    o.uses = gx_new((size_t)gx_graph_nodes(storage->graph) * sizeof *o.uses);
    o.ready = gx_new((size_t)count * sizeof *o.ready);
    o.out = gx_new((size_t)program->capacity * sizeof *o.out);
    find_edges(&o);
    find_uses(&o);
    for (int first = 0, end; first < count; first = end) {
        for (end = first; end < count && program->node[end]->phase == program->node[first]->phase;)
            end++;
        order_phase(&o, first, end);
    }
    free(o.task);
    free(o.edge);
    free(o.uses);
    free(o.ready);
    return o.out;
}

void gx_program_reorder(struct gx_program *program, struct gx_storage *storage)
{
    if (!storage->written_once)
        return;
    int64_t least = storage->peak - storage->peak / 32;
    struct gx_node **best = NULL;
    for (int backwards = 0; backwards < 2; backwards++) {
        struct gx_program tried = *program;
        gx_storage_assign(storage, program);
        tried.node = make_order(program, storage, backwards);
        gx_storage_assign(storage, &tried);
        bool better = storage->peak < least;
        free(better ? best : tried.node);
        if (better) {
            best = tried.node;
            least = storage->peak;
        }
    }
    if (best) {
        free(program->node);
        program->node = best;
    }
    gx_storage_assign(storage, program);
}
