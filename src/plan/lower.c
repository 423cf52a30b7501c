#include "plan/lower.h"

/* The transformed weights of `w` for this product, if this phase has made them already. */
static struct gx_node *find_weights(const struct gx_program *program, int before,
                                    const struct gx_node *w, enum gx_conv_product product,
                                    int phase)
{
    for (int i = before - 1; i >= 0 && program->node[i]->phase == phase; i--) {
        struct gx_node *node = program->node[i];
        if (node->op == &gx_op_winograd_weights && node->in[0] == w &&
            gx_winograd_product(node) == product)
            return node;
    }
    return NULL;
}

void gx_lower_winograd(struct gx_graph *g, struct gx_program *program,
                       const struct gx_kernels *kernels)
{
    for (int i = 0; i < program->count; i++) {
        struct gx_node *node = program->node[i];
        enum gx_conv_product product;
        if (!gx_conv_wants_winograd(node, kernels, &product))
            continue;
        struct gx_node *w = node->in[1];
        struct gx_node *u = find_weights(program, i, w, product, node->phase);
        if (!u) {
            u = gx_winograd_weights_node(g, w, product);
            u->phase = node->phase;
            u->name = w->name;
            gx_program_insert(program, i++, u);
        }
        gx_winograd_replace(g, node, u, product);
    }
}
