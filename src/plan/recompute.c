#include "plan/recompute.h"

#include "util/arena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FLOPS_PER_BYTE = 20, /* that a processor does while it moves a byte to or from memory */
    LEAST_SHARE = 512,   /* of the peak: smaller values are not worth a step */
    KEPT_SHARE = 16,     /* of a value: smaller inputs (statistics) are kept for it, not made */
    CHAIN_MAX = 128,     /* nodes made again for one value */
    FAILURES_MAX = 200   /* values that were tried in vain */
};

struct value {    /* of a node, by its id */
    int twin;     /* the id of another node with this value, in a ring; its own: there is none */
    double cost;  /* in bytes moved; negative: not known yet */
    int visited;  /* by the search of this number */
    int made;     /* by the change of this number; 0: it was in the program from the start */
    int use;      /* the first step after the peak that reads it; -1: none */
    bool at_peak; /* the peak's own step reads it */
    bool refused; /* tried, and did not help */
};

struct redirect {
    struct gx_node *node, *before;
    int input;
};

struct gx_recomputation {
    struct gx_program *program;
    struct gx_storage *storage;
    struct gx_recompute_goal goal;
    const struct gx_param **state; /* that the program moves */
    int states;
    struct value *value;
    int values;
    double own_cost;
    struct gx_recomputed done;

    /* the search or change at hand */
    int number;
    int use;       /* the step before which a value is wanted */
    int phase;     /* of that step */
    int chain;     /* nodes to be made */
    int64_t extra; /* bytes that this keeps alive over the peak */
    int64_t allowance;
    struct gx_node *made[CHAIN_MAX + GX_INPUTS_MAX];
    int mades;
    struct redirect *redirect;
    int redirects, redirect_capacity;
};

/* ---- what may be made again ---- */

static bool is_state(const struct gx_recomputation *r, const struct gx_param *param)
{
    for (int i = 0; i < r->states; i++)
        if (r->state[i] == param)
            return true;
    return false;
}

static void find_states(struct gx_recomputation *r)
{
    r->state = gx_new(((size_t)r->program->count + 1) * sizeof *r->state);
    for (int i = 0; i < r->program->count; i++) {
        const struct gx_node *node = r->program->node[i];
        if ((node->op->flags & GX_OP_EFFECT) && !is_state(r, node->param))
            r->state[r->states++] = node->param;
    }
}

static bool from_leaf(struct gx_node *node)
{
    return gx_viewed(node)->op->flags & GX_OP_LEAF;
}

/* What a node reads from outside the program is the same at r->use as where the node stands. */
static bool leaves_unchanged(const struct gx_recomputation *r, const struct gx_node *node)
{
    for (int j = 0; j < node->inputs; j++) {
        const struct gx_node *leaf = gx_viewed(node->in[j]);
        if (!(leaf->op->flags & GX_OP_LEAF))
            continue;
        if (node->phase != r->phase || (leaf->param && is_state(r, leaf->param)))
            return false;
    }
    return true;
}

static bool repeatable(const struct gx_recomputation *r, const struct gx_node *node)
{
    if (node->op->flags & (GX_OP_LEAF | GX_OP_EFFECT) || node->gradient_of)
        return false;
    if ((node->op->flags & GX_OP_RANDOM) && node->phase != r->phase)
        return false;
    return (r->goal.products || !node->op->flops) && leaves_unchanged(r, node);
}

/* ---- what it costs ---- */

static double cost_of(struct gx_recomputation *r, const struct gx_node *node)
{
    struct value *v = &r->value[node->id];
    if (v->cost < 0) {
        v->cost = (double)gx_count(node->shape) * 4;
        for (int j = 0; j < node->inputs; j++)
            v->cost += (double)gx_count(node->in[j]->shape) * 4;
        if (node->op->flops)
            v->cost += node->op->flops(node) / FLOPS_PER_BYTE;
        if (node->op->flags & GX_OP_VIEW)
            v->cost = 0;
    }
    return v->cost;
}

/* Whether so many bytes more from one step to another stay below the peak. */
static bool has_room(const struct gx_recomputation *r, int first, int last, int64_t bytes)
{
    for (int i = first; i <= last; i++)
        if (r->storage->live[i] + bytes >= r->storage->peak)
            return false;
    return true;
}

/* A node with x's value that is there at r->use; NULL: none. */
static struct gx_node *find_there(const struct gx_recomputation *r, const struct gx_node *x)
{
    int id = x->id;
    do {
        struct gx_node *same = gx_graph_node(r->storage->graph, id);
        if (r->value[id].made == r->number)
            return same;
        const struct gx_place *p = &r->storage->place[id];
        bool there = p->step >= 0 && p->step < r->use && p->last >= r->use;
        if (there && !(p->grad && same->phase != r->phase))
            return same;
        id = r->value[id].twin;
    } while (id != x->id);
    return NULL;
}

/* One whose memory can be kept until r->use. */
static struct gx_node *find_kept(struct gx_recomputation *r, const struct gx_node *x)
{
    int64_t bytes = gx_count(x->shape) * 4;
    int id = x->id;
    do {
        const struct gx_place *p = &r->storage->place[id];
        if (p->step >= 0 && p->step < r->use && !p->grad) {
            int from = p->last < p->step ? p->step : p->last;
            bool over = from < r->storage->busiest;
            if (over ? bytes <= r->allowance : has_room(r, from + 1, r->use, bytes)) {
                r->extra += over ? bytes : 0;
                return gx_graph_node(r->storage->graph, id);
            }
        }
        id = r->value[id].twin;
    } while (id != x->id);
    return NULL;
}

/* The cost of making a node again at r->use, with all that is not there; INFINITY: impossible. */
static double price(struct gx_recomputation *r, const struct gx_node *node)
{
    if (!repeatable(r, node) || ++r->chain > CHAIN_MAX)
        return INFINITY;
    double sum = cost_of(r, node);
    for (int j = 0; j < node->inputs; j++) {
        struct gx_node *in = node->in[j];
        if (from_leaf(in) || r->value[in->id].visited == r->number)
            continue;
        r->value[in->id].visited = r->number;
        if (!find_there(r, in) && !find_kept(r, in))
            sum += price(r, in);
    }
    return sum;
}

/* ---- the choice ---- */

static void find_uses(struct gx_recomputation *r)
{
    int busiest = r->storage->busiest;
    for (int id = 0; id < r->values; id++) {
        r->value[id].use = -1;
        r->value[id].at_peak = false;
    }
    for (int i = r->program->count - 1; i >= busiest; i--) {
        struct gx_node *node = r->program->node[i];
        for (int j = 0; j < node->inputs && !(node->op->flags & GX_OP_VIEW); j++) {
            struct value *v = &r->value[gx_viewed(node->in[j])->id];
            v->use = i;
            v->at_peak = i == busiest;
        }
    }
}

static bool waits_at_peak(const struct gx_recomputation *r, const struct gx_node *node)
{
    const struct gx_place *place = &r->storage->place[node->id];
    const struct value *v = &r->value[node->id];
    return place->buffer >= 0 && !node->keep && v->use >= 0 && !v->at_peak && !v->refused &&
           !(node->op->flags & GX_OP_VIEW) &&
           gx_count(node->shape) * 4 >= r->storage->peak / LEAST_SHARE;
}

static void want(struct gx_recomputation *r, const struct gx_node *node)
{
    r->number++;
    r->use = r->value[node->id].use;
    r->phase = r->program->node[r->use]->phase;
    r->extra = r->chain = 0;
    r->allowance = gx_count(node->shape) * 4 / KEPT_SHARE;
}

/* The value whose memory is had for the least work; NULL: none is left. */
static struct gx_node *choose(struct gx_recomputation *r)
{
    double left = (r->goal.most_cost - r->done.cost) * r->own_cost, best_rate = 0;
    struct gx_node *best = NULL;
    find_uses(r);
    for (int i = 0; i < r->storage->busiest && i < r->program->count; i++) {
        struct gx_node *node = r->program->node[i];
        if (!waits_at_peak(r, node))
            continue;
        want(r, node);
        double cost = price(r, node);
        double rate = (double)(gx_count(node->shape) * 4 - r->extra) / cost;
        if (cost <= left && rate > best_rate) {
            best = node;
            best_rate = rate;
        }
    }
    return best;
}

/* ---- the change ---- */

static void grow_values(struct gx_recomputation *r)
{
    int count = gx_graph_nodes(r->storage->graph);
    r->value = gx_grow(r->value, (size_t)count * sizeof *r->value);
    for (int id = r->values; id < count; id++)
        r->value[id] = (struct value){.twin = id, .cost = -1};
    r->values = count;
}

static struct gx_node *copy(struct gx_recomputation *r, const struct gx_node *node,
                            struct gx_node *const *in)
{
    struct gx_node *made = gx_graph_add(r->storage->graph, node->op, in, node->inputs, node->attr);
    made->phase = r->phase;
    made->name = node->name;
    grow_values(r);
    struct value *v = &r->value[made->id];
    v->made = r->number;
    v->twin = r->value[node->id].twin;
    r->value[node->id].twin = made->id;
    r->made[r->mades++] = made;
    return made;
}

/* As price() found it. */
static struct gx_node *make(struct gx_recomputation *r, const struct gx_node *node)
{
    struct gx_node *in[GX_INPUTS_MAX];
    for (int j = 0; j < node->inputs; j++) {
        in[j] = from_leaf(node->in[j]) ? node->in[j] : find_there(r, node->in[j]);
        if (!in[j])
            in[j] = find_kept(r, node->in[j]);
        if (!in[j])
            in[j] = make(r, node->in[j]);
    }
    return copy(r, node, in);
}

static void redirect(struct gx_recomputation *r, struct gx_node *node, int input,
                     struct gx_node *to)
{
    if (r->redirects == r->redirect_capacity) {
        r->redirect_capacity = 2 * r->redirect_capacity + 64;
        r->redirect = gx_grow(r->redirect, (size_t)r->redirect_capacity * sizeof *r->redirect);
    }
    r->redirect[r->redirects++] = (struct redirect){node, node->in[input], input};
    node->in[input] = to;
}

/* x, a view from before r->use of what is now made again, on the new one; other nodes as they are. */
static struct gx_node *renewed(struct gx_recomputation *r, struct gx_node *x,
                               const struct gx_node *old, struct gx_node *new)
{
    if (x == old)
        return new;
    if (gx_viewed(x) != old || r->storage->place[x->id].step >= r->use)
        return x;
    for (int i = 0; i < r->mades; i++) /* made for another reader */
        for (int id = r->value[x->id].twin; id != x->id; id = r->value[id].twin)
            if (r->made[i]->id == id)
                return r->made[i];
    struct gx_node *in = renewed(r, x->in[0], old, new);
    return r->mades < (int)(sizeof r->made / sizeof *r->made) ? copy(r, x, &in) : x;
}

/* Twins that were made for later steps are not needed where the new ones can stay until then. */
static void replace_twins(struct gx_recomputation *r, struct gx_node *made)
{
    for (int id = r->value[made->id].twin; id != made->id; id = r->value[id].twin) {
        const struct gx_place *p = &r->storage->place[id];
        const struct gx_node *twin = gx_graph_node(r->storage->graph, id);
        if (r->value[id].made == r->number || !r->value[id].made || p->step < r->use ||
            twin->phase != r->phase || !has_room(r, r->use, p->step, gx_count(made->shape) * 4))
            continue;
        for (int i = p->step; i < r->program->count; i++)
            for (int j = 0; j < r->program->node[i]->inputs; j++)
                if (r->program->node[i]->in[j] == twin)
                    redirect(r, r->program->node[i], j, made);
    }
}

/* Drops nodes that were made before and that nothing reads any more. */
static void drop_unread(struct gx_recomputation *r)
{
    struct gx_program *program = r->program;
    int *reads = gx_new((size_t)r->values * sizeof *reads), kept = program->count;
    for (int i = 0; i < program->count; i++)
        for (int j = 0; j < program->node[i]->inputs; j++)
            reads[program->node[i]->in[j]->id]++;
    for (int i = program->count - 1; i >= 0; i--) {
        struct gx_node *node = program->node[i];
        bool dead = r->value[node->id].made && !reads[node->id];
        for (int j = 0; dead && j < node->inputs; j++)
            reads[node->in[j]->id]--;
        if (!dead)
            program->node[--kept] = node;
    }
    program->count -= kept;
    memmove(program->node, program->node + kept, (size_t)program->count * sizeof *program->node);
    free(reads);
}

static void add_up(struct gx_recomputation *r)
{
    r->done = (struct gx_recomputed){0};
    for (int i = 0; i < r->program->count; i++) {
        const struct gx_node *node = r->program->node[i];
        if (!r->value[node->id].made || (node->op->flags & GX_OP_VIEW))
            continue;
        r->done.nodes++;
        r->done.flops += node->op->flops ? node->op->flops(node) : 0;
        r->done.cost += cost_of(r, node) / r->own_cost;
    }
}

static void change(struct gx_recomputation *r, struct gx_node *old)
{
    r->mades = r->redirects = 0;
    want(r, old);
    struct gx_node *new = make(r, old);
    int chain = r->mades;
    for (int i = r->use; i < r->program->count; i++) {
        struct gx_node *node = r->program->node[i];
        for (int j = 0; j < node->inputs; j++) {
            struct gx_node *to = renewed(r, node->in[j], old, new);
            if (to != node->in[j])
                redirect(r, node, j, to);
        }
    }
    for (int i = 0; i < chain; i++)
        replace_twins(r, r->made[i]);
    for (int i = 0; i < r->mades; i++)
        gx_program_insert(r->program, r->use + i, r->made[i]);
    drop_unread(r);
    gx_storage_assign(r->storage, r->program);
}

/* How many steps need as much as the peak. */
static int steps_at(const struct gx_recomputation *r, int64_t peak)
{
    int count = 0;
    for (int i = 0; i <= r->program->count; i++)
        count += r->storage->live[i] >= peak;
    return count;
}

static void undo(struct gx_recomputation *r)
{
    while (r->redirects > 0) {
        struct redirect *last = &r->redirect[--r->redirects];
        last->node->in[last->input] = last->before;
    }
    for (int i = 0; i < r->mades; i++) { /* out of the ring */
        int id = r->made[i]->id, before = id;
        while (r->value[before].twin != id)
            before = r->value[before].twin;
        r->value[before].twin = r->value[id].twin;
        r->value[id].twin = id;
    }
}

/* Makes `old` again if the peak becomes lower by it, or shorter; else leaves all as it was. */
static bool try(struct gx_recomputation *r, struct gx_node *old)
{
    int count = r->program->count;
    int64_t peak = r->storage->peak;
    int steps = steps_at(r, peak);
    size_t size = (size_t)count * sizeof *r->program->node;
    struct gx_node **before = memcpy(gx_new(size), r->program->node, size);
    change(r, old);
    bool better = r->storage->peak <= peak && steps_at(r, peak) < steps;
    if (better) {
        add_up(r);
    } else {
        undo(r);
        memcpy(r->program->node, before, size);
        r->program->count = count;
        gx_storage_assign(r->storage, r->program);
        r->value[old->id].refused = true;
    }
    free(before);
    return better;
}

bool gx_recomputation_run(struct gx_recomputation *r, const struct gx_recompute_goal *goal)
{
    bool any = false, since = true; /* anything changed; since the last were refused */
    int failures = 0;
    r->goal = *goal;
    while (r->storage->peak > goal->peak && failures < FAILURES_MAX) {
        struct gx_node *node = choose(r);
        if (node) {
            bool better = try(r, node);
            any |= better;
            since |= better;
            failures += !better;
        } else if (since) {
            since = false;
            for (int id = 0; id < r->values; id++)
                r->value[id].refused = false;
        } else {
            break;
        }
    }
    return any;
}

struct gx_recomputed gx_recomputation_done(const struct gx_recomputation *r)
{
    return r->done;
}

struct gx_recomputation *gx_recomputation_new(struct gx_program *program,
                                              struct gx_storage *storage)
{
    struct gx_recomputation *r = gx_new(sizeof *r);
    r->program = program;
    r->storage = storage;
    find_states(r);
    grow_values(r);
    for (int i = 0; i < program->count; i++)
        r->own_cost += cost_of(r, program->node[i]);
    return r;
}

void gx_recomputation_free(struct gx_recomputation **r)
{
    if (!*r)
        return;
    free((*r)->state);
    free((*r)->value);
    free((*r)->redirect);
    free(*r);
    *r = NULL;
}
