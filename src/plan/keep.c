#include "plan/keep.h"

/* Whether a step may come between: it is nothing, or as good as that. */
static bool passes(const struct gx_node *node)
{
    return node->op == &gx_op_concat || node->op->flags & GX_OP_VIEW;
}

/* The step after this one that is not a concatenation or a view. */
static int next_step(const struct gx_program *program, int i)
{
    for (i++; i < program->count && passes(program->node[i]);)
        i++;
    return i;
}

static bool goes_on(const struct gx_storage *s, const struct gx_node *node,
                    const struct gx_node *before)
{
    return node->phase == before->phase && !s->place[node->id].once && !s->place[before->id].once &&
           gx_conv2d_goes_on(node, before, s->settings.kernels);
}

/* The steps first .. last. */
static void keep(struct gx_storage *s, const struct gx_program *program, int first, int last)
{
    const struct gx_plan_settings *set = &s->settings;
    int channels = program->node[last]->in[0]->shape.c;
    for (int i = first; i <= last; i = next_step(program, i))
        if (!gx_conv2d_keeps(program->node[i], set->kernels, set->threads, channels))
            return;
    const struct gx_node *before = NULL;
    for (int i = first; i <= last; i = next_step(program, i)) {
        struct gx_place *place = &s->place[program->node[i]->id];
        place->kept = (struct gx_kept){channels, before ? before->in[0]->shape.c : 0};
        place->before = before;
        before = program->node[i];
    }
}

void gx_keep_find(struct gx_storage *s, const struct gx_program *program)
{
    for (int first = 0, last; first < program->count; first = last + 1) {
        last = first;
        for (int i = next_step(program, first);
             i < program->count && goes_on(s, program->node[i], program->node[last]);
             i = next_step(program, i))
            last = i;
        if (last > first)
            keep(s, program, first, last);
    }
}
