#include "plan/storage.h"

#include "plan/keep.h"
#include "plan/wide.h"
#include "util/arena.h"

#include <stdlib.h>
#include <string.h>

void gx_storage_init(struct gx_storage *s, struct gx_graph *graph,
                     const struct gx_plan_settings *settings, const struct gx_program *program)
{
    *s = (struct gx_storage){
        .graph = graph, .settings = *settings, .written_once = true, .keeps = true};
    const struct gx_node **writer = gx_new(((size_t)program->count + 1) * sizeof *writer);
    int writers = 0;
    for (int i = 0; i < program->count; i++) {
        const struct gx_node *node = program->node[i];
        if (!node->gradient_of)
            continue;
        for (int k = writers - 1; k >= 0 && writer[k]->phase == node->phase; k--)
            s->written_once &= writer[k]->gradient_of != node->gradient_of;
        writer[writers++] = node;
    }
    free(writer);
}

static void find_steps(struct gx_storage *s, const struct gx_program *program)
{
    int nodes = gx_graph_nodes(s->graph);
    s->place = gx_grow(s->place, (size_t)nodes * sizeof *s->place);
    s->buffer = gx_grow(s->buffer, 2 * (size_t)nodes * sizeof *s->buffer);
    s->buffers = 0;
    for (int id = 0; id < nodes; id++)
        s->place[id] =
            (struct gx_place){.step = GX_NOT_RUN, .last = GX_NOT_RUN, .buffer = -1, .scratch = -1};
    for (int i = 0; i < program->count; i++)
        s->place[program->node[i]->id].step = i;
}

/* In inference, a node that reads only parameters and constants has one value for ever. */
static void mark_once(struct gx_storage *s, const struct gx_program *program)
{
    for (int i = 0; s->settings.inference && i < program->count; i++) {
        const struct gx_node *node = program->node[i];
        bool once = !(node->op->flags & (GX_OP_RANDOM | GX_OP_EFFECT));
        for (int j = 0; j < node->inputs && once; j++)
            once = node->in[j]->op == &gx_op_parameter || s->place[node->in[j]->id].once;
        s->place[node->id].once = once;
    }
}

/* The last step of each node's own value. Within a phase that may repeat, what came from an earlier
 * phase must survive to the phase's end, or the second round would read something else. */
static void find_last_uses(struct gx_storage *s, const struct gx_program *program)
{
    int phase_end = program->count - 1; /* of the phase at hand */
    for (int i = program->count - 1; i >= 0; i--) {
        const struct gx_node *node = program->node[i];
        struct gx_place *mine = &s->place[node->id];
        if (node->phase != program->node[phase_end]->phase)
            phase_end = i;
        if (node->keep || mine->once)
            mine->last = program->count;
        bool repeats = s->settings.repeated_phases >> (node->phase & 63) & 1;
        for (int j = 0; j < node->inputs; j++) {
            struct gx_place *input = &s->place[node->in[j]->id];
            int use = repeats && node->in[j]->phase < node->phase ? phase_end + 1 : i;
            if ((node->op->flags & GX_OP_VIEW) && j == 0 && mine->last > use)
                use = mine->last;
            if (input->last < use)
                input->last = use;
        }
    }
}

/* ---- gradients of parameters ---- */

/* The input that `node` may overwrite and that alone waits for it: of two, the older. */
static struct gx_node *waiting_part(const struct gx_storage *s, const struct gx_node *node,
                                    const int *uses)
{
    struct gx_node *best = NULL;
    for (int j = 0; j < node->inputs && j < 2; j++) {
        struct gx_node *in = node->in[j];
        bool fits = (node->op->flags & (j ? GX_OP_INPLACE_1 : GX_OP_INPLACE_0)) &&
                    !(in->op->flags & (GX_OP_LEAF | GX_OP_VIEW)) && uses[in->id] == 1 &&
                    !in->keep && !in->gradient_of && in->phase == node->phase &&
                    gx_count(in->shape) == gx_count(node->shape);
        if (fits && (!best || s->place[in->id].step < s->place[best->id].step))
            best = in;
    }
    return best;
}

static void place_gradients(struct gx_storage *s, const struct gx_program *program)
{
    int *uses = gx_new((size_t)gx_graph_nodes(s->graph) * sizeof *uses);
    for (int i = 0; i < program->count; i++)
        for (int j = 0; j < program->node[i]->inputs; j++)
            uses[program->node[i]->in[j]->id]++;
    for (int i = 0; i < program->count; i++) {
        const struct gx_node *node = program->node[i];
        if (!node->gradient_of)
            continue;
        s->place[node->id].grad = node->gradient_of;
        const struct gx_node *part = waiting_part(s, node, uses);
        for (; part && s->written_once; part = waiting_part(s, part, uses))
            s->place[part->id].grad = node->gradient_of;
    }
    free(uses);
}

/* ---- buffers ---- */

static int new_buffer(struct gx_storage *s, int64_t bytes, int first, int last)
{
    s->buffer[s->buffers] = (struct gx_buffer){.bytes = bytes, .first = first, .last = last};
    return s->buffers++;
}

/* The buffer of an input that this operator may overwrite; -1: none. */
static int buffer_to_overwrite(const struct gx_storage *s, const struct gx_node *node, int step)
{
    for (int j = 0; j < node->inputs && j < 2; j++) {
        if (!(node->op->flags & (j ? GX_OP_INPLACE_1 : GX_OP_INPLACE_0)))
            continue;
        int b = s->place[node->in[j]->id].buffer;
        bool free_here = b >= 0 && !s->place[node->in[j]->id].into && s->buffer[b].last == step &&
                         gx_count(node->in[j]->shape) == gx_count(node->shape);
        for (int k = 0; k < node->inputs && free_here; k++)
            free_here = k == j || s->place[node->in[k]->id].buffer != b;
        if (free_here)
            return b;
    }
    return -1;
}

/* A concatenation's memory is there from its first part on. */
static void assign_wide(struct gx_storage *s, const struct gx_node *node, int step, int last)
{
    int channel;
    struct gx_place *whole = &s->place[gx_wide_whole(s, node, &channel)->id];
    if (whole->buffer < 0)
        whole->buffer =
            new_buffer(s, gx_count(gx_wide_whole(s, node, &channel)->shape) * 4, step, last);
    s->place[node->id].buffer = whole->buffer;
    if (s->buffer[whole->buffer].last < last)
        s->buffer[whole->buffer].last = last;
}

static void assign_scratch(struct gx_storage *s, const struct gx_node *node, int step)
{
    const struct gx_plan_settings *set = &s->settings;
    struct gx_place *mine = &s->place[node->id];
    size_t bytes = 0;
    if (mine->before) {
        mine->scratch = s->place[mine->before->id].scratch;
        s->buffer[mine->scratch].last = step;
    } else if (mine->kept.channels) {
        bytes = gx_conv2d_keeps(node, set->kernels, set->threads, mine->kept.channels);
    } else if (node->op->scratch) {
        bytes = node->op->scratch(node, set->kernels, set->threads);
    }
    if (bytes)
        mine->scratch = new_buffer(s, (int64_t)bytes, mine->once ? 0 : step, step);
}

static void assign_buffer(struct gx_storage *s, const struct gx_node *node, int step)
{
    struct gx_place *mine = &s->place[node->id];
    int last = mine->last < step ? step : mine->last;
    if (mine->into || mine->buffer >= 0) {
        assign_wide(s, node, step, last);
    } else if (node->op->flags & GX_OP_VIEW) {
        mine->buffer = s->place[node->in[0]->id].buffer;
    } else if (!mine->grad) {
        int over = mine->once ? -1 : buffer_to_overwrite(s, node, step);
        if (over >= 0) {
            s->buffer[over].last = last;
            mine->buffer = over;
        } else {
            mine->buffer = new_buffer(s, gx_count(node->shape) * 4, mine->once ? 0 : step, last);
        }
    }
    assign_scratch(s, node, step);
}

static void find_peak(struct gx_storage *s, int steps)
{
    s->live = gx_grow(s->live, ((size_t)steps + 2) * sizeof *s->live);
    memset(s->live, 0, ((size_t)steps + 2) * sizeof *s->live);
    for (int b = 0; b < s->buffers; b++) {
        s->live[s->buffer[b].first] += s->buffer[b].bytes;
        s->live[(s->buffer[b].last < steps ? s->buffer[b].last : steps) + 1] -= s->buffer[b].bytes;
    }
    s->busiest = 0;
    for (int i = 1; i <= steps; i++) {
        s->live[i] += s->live[i - 1];
        if (s->live[i] > s->live[s->busiest])
            s->busiest = i;
    }
    s->peak = s->live[s->busiest];
}

void gx_storage_assign(struct gx_storage *s, const struct gx_program *program)
{
    find_steps(s, program);
    mark_once(s, program);
    find_last_uses(s, program);
    if (s->settings.inference && !s->settings.as_written)
        gx_wide_find(s, program);
    if (!s->settings.as_written && s->keeps)
        gx_keep_find(s, program);
    place_gradients(s, program);
    for (int id = 0; id < gx_graph_nodes(s->graph); id++) {
        const struct gx_node *node = gx_graph_node(s->graph, id);
        /* Inputs are filled before the first step, and may be looked at after the last. */
        if (node->op == &gx_op_input)
            s->place[id].buffer = new_buffer(s, gx_count(node->shape) * 4, 0, program->count);
    }
    for (int i = 0; i < program->count; i++)
        assign_buffer(s, program->node[i], i);
    find_peak(s, program->count);
}

void gx_storage_clear(struct gx_storage *s)
{
    free(s->place);
    free(s->buffer);
    free(s->live);
    *s = (struct gx_storage){0};
}
