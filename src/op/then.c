#include "op/op.h"

static void append(struct gx_node *node, struct gx_node **in, int *inputs)
{
    if (node && *inputs < GX_INPUTS_MAX)
        in[*inputs] = node;
    *inputs += node != NULL;
}

int gx_then_inputs(const struct gx_then *then, struct gx_node **in, int inputs)
{
    append(then->slopes, in, &inputs);
    append(then->gate, in, &inputs);
    for (int k = 0; k < then->sums; k++)
        append(then->sum[k].with, in, &inputs);
    return inputs;
}

static struct gx_beside beside(const struct gx_node *node, const struct gx_call *call, int *input)
{
    struct gx_beside b = {NULL, 0};
    if (node) {
        b.x = call->x[*input];
        b.step = call->x_step[(*input)++];
    }
    return b;
}

struct gx_after gx_then_after(const struct gx_then *then, const struct gx_call *call, int first)
{
    struct gx_after after = {.gated = then->gated, .slope = then->slope, .sums = then->sums};
    if (then->slopes && gx_count(call->node->in[first]->shape) == 1)
        after.slope = call->x[first++][0];
    else if (then->slopes)
        after.slopes = call->x[first++];
    after.gate = beside(then->gate, call, &first);
    for (int k = 0; k < then->sums; k++) {
        after.sum[k].scale = then->sum[k].scale;
        after.sum[k].with = beside(then->sum[k].with, call, &first);
    }
    return after;
}
