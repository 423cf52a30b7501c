#include "plan/lower.h"

#include "util/arena.h"

#include <string.h>

static void insert(struct gx_schedule *s, int at, struct gx_node *node)
{
    if (s->count == s->capacity) {
        s->capacity = 2 * s->capacity + 64;
        s->node = gx_grow(s->node, (size_t)s->capacity * sizeof *s->node);
    }
    memmove(s->node + at + 1, s->node + at, (size_t)(s->count - at) * sizeof *s->node);
    s->node[at] = node;
    s->count++;
}

/* The transformed weights of `w` for this product, if this phase has made them already. */
static struct gx_node *find_weights(const struct gx_schedule *s, int before,
                                    const struct gx_node *w, enum gx_conv_product product,
                                    int phase)
{
    for (int i = before - 1; i >= 0 && s->node[i]->phase == phase; i--) {
        struct gx_node *node = s->node[i];
        if (node->op == &gx_op_winograd_weights && node->in[0] == w &&
            gx_winograd_product(node) == product)
            return node;
    }
    return NULL;
}

void gx_lower_winograd(struct gx_graph *g, struct gx_schedule *schedule,
                       const struct gx_kernels *kernels)
{
    for (int i = 0; i < schedule->count; i++) {
        struct gx_node *node = schedule->node[i];
        enum gx_conv_product product;
        if (!gx_conv_wants_winograd(node, kernels, &product))
            continue;
        struct gx_node *w = node->in[1];
        struct gx_node *u = find_weights(schedule, i, w, product, node->phase);
        if (!u) {
            u = gx_winograd_weights_node(g, w, product);
            u->phase = node->phase;
            u->name = w->name;
            insert(schedule, i++, u);
        }
        gx_winograd_replace(g, node, u, product);
    }
}
