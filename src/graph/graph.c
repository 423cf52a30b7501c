#include "ganx/graph.h"

#include "ganx/params.h"
#include "graph/operator.h"
#include "util/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gx_graph {
    struct gx_arena arena;
    struct gx_node **node;
    int count, capacity;
    int phase;
    enum gx_error failure; /* 0: none yet */
    struct gx_err err;
};

struct gx_graph *gx_graph_new(void)
{
    return gx_new(sizeof(struct gx_graph));
}

void gx_graph_free(struct gx_graph **graph)
{
    if (!*graph)
        return;
    gx_arena_clear(&(*graph)->arena);
    free((*graph)->node);
    free(*graph);
    *graph = NULL;
}

int gx_graph_check(const struct gx_graph *graph, struct gx_err *err)
{
    if (graph->failure)
        return gx_fail(err, graph->failure, "%s", graph->err.text);
    return 0;
}

void gx_graph_fail(struct gx_graph *graph, enum gx_error code, const char *format, ...)
{
    if (graph->failure)
        return;
    graph->failure = code;
    va_list args;
    va_start(args, format);
    vsnprintf(graph->err.text, sizeof graph->err.text, format, args);
    va_end(args);
}

int gx_graph_phase(struct gx_graph *graph)
{
    return ++graph->phase;
}

int gx_graph_nodes(const struct gx_graph *graph)
{
    return graph->count;
}

struct gx_node *gx_graph_node(const struct gx_graph *graph, int id)
{
    return graph->node[id];
}

static bool shape_sound(struct gx_shape s)
{
    /* 2^40 elements: far beyond any memory, far below overflow of sizes in bytes */
    return s.n > 0 && s.h > 0 && s.w > 0 && s.c > 0 && (double)s.n * s.h * s.w * s.c < 0x1p40;
}

void gx_graph_replace(struct gx_graph *graph, struct gx_node *y, const struct gx_op *op,
                      struct gx_node *const *in, int inputs, const void *attr)
{
    y->op = op;
    y->attr = op->attr_size ? gx_arena_copy(&graph->arena, attr, op->attr_size) : NULL;
    y->inputs = inputs;
    for (int i = 0; i < inputs; i++)
        y->in[i] = in[i];
}

struct gx_node *gx_graph_add(struct gx_graph *graph, const struct gx_op *op,
                             struct gx_node *const *in, int inputs, const void *attr)
{
    struct gx_node *y = gx_arena_alloc(&graph->arena, sizeof *y);
    gx_graph_replace(graph, y, op, in, inputs, attr);
    y->phase = graph->phase;
    y->id = graph->count;
    if (graph->count == graph->capacity) {
        graph->capacity = graph->capacity ? 2 * graph->capacity : 256;
        graph->node = gx_grow(graph->node, (size_t)graph->capacity * sizeof *graph->node);
    }
    graph->node[graph->count++] = y;

    struct gx_err err = {""};
    int code = graph->failure ? -(int)graph->failure : op->shape(y, &err);
    if (!code && !shape_sound(y->shape))
        code = gx_fail(&err, GX_E_SHAPE, "%s would give a picture of %d x %d x %d x %d", op->name,
                       y->shape.n, y->shape.h, y->shape.w, y->shape.c);
    if (code) {
        gx_graph_fail(graph, (enum gx_error) - code, "%s", err.text);
        y->shape = (struct gx_shape){1, 1, 1, 1};
    }
    return y;
}

struct gx_node *gx_name(struct gx_graph *g, struct gx_node *x, const char *format, ...)
{
    char text[160];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    x->name = gx_arena_text(&g->arena, text);
    return x;
}

struct gx_node *gx_keep(struct gx_node *x)
{
    x->keep = true;
    return x;
}
