#include "plan/wide.h"

#include "util/arena.h"

#include <stdlib.h>

static bool steps(const struct gx_storage *s, const struct gx_node *node, int input)
{
    return node->op->steps && node->op->steps(node, s->settings.kernels, input);
}

/* Whether the node's value may lie among other channels: nobody reads it who cannot step. */
static bool movable(const struct gx_storage *s, const struct gx_node *node, const bool *dense)
{
    const struct gx_place *place = &s->place[node->id];
    return place->step >= 0 && !place->into && !place->once && !node->keep && !node->gradient_of &&
           !dense[node->id] && steps(s, node, -1);
}

void gx_wide_find(struct gx_storage *s, const struct gx_program *program)
{
    bool *dense = gx_new((size_t)gx_graph_nodes(s->graph)); /* has a reader who cannot step */
    for (int i = 0; i < program->count; i++)
        for (int j = 0; j < program->node[i]->inputs; j++)
            dense[program->node[i]->in[j]->id] |= !steps(s, program->node[i], j);
    for (int i = 0; i < program->count; i++) {
        const struct gx_node *node = program->node[i];
        if (node->inputs != 2 || node->in[0] == node->in[1])
            continue;
        for (int j = 0; j < 2; j++) {
            const struct gx_node *part = node->in[j];
            if (!gx_concat_holds(node, j) || !movable(s, part, dense) || part->phase != node->phase)
                continue;
            s->place[part->id].into = node;
            s->place[part->id].channel = j ? node->in[0]->shape.c : 0;
        }
    }
    free(dense);
}

const struct gx_node *gx_wide_whole(const struct gx_storage *s, const struct gx_node *node,
                                    int *channel)
{
    for (*channel = 0; s->place[node->id].into; node = s->place[node->id].into)
        *channel += s->place[node->id].channel;
    return node;
}
