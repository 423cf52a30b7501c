/* random: uniform in [a, b), or normal with mean a and deviation b
 * dropout: x -> 0 with probability p, else x / (1 - p)
 * gradient: dropout's is dropout of dy with the same draw: the mask is computed again from its
 *   counter, never stored, so it costs no memory and any order of derivative sees the same zeros
 * parity: torch.nn.Dropout in distribution
 * source: Srivastava et al. 2014
 *
 * Values are a function of (seed, step, draw, element); a draw is a node's id when it was made. */
#include "op/op.h"
#include "util/random.h"

#include <math.h>

struct random {
    struct gx_shape shape;
    bool normal;
    float a, b;
    int draw;
};

struct dropout {
    float p;
    int draw;
};

/* Every draw has 2^32 blocks of four words at every step. */
static uint64_t stream_of(int draw)
{
    return (uint64_t)GX_STREAM_DROPOUT << 56 | (uint64_t)draw;
}

static uint64_t block_of(uint64_t step, int64_t element)
{
    return step << 32 | (uint64_t)(element >> 2);
}

static int random_shape(struct gx_node *y, struct gx_err *err)
{
    (void)err;
    y->shape = ((const struct random *)y->attr)->shape;
    return 0;
}

static void random_forward(const struct gx_call *call)
{
    const struct random *a = call->node->attr;
    int64_t count = gx_count(a->shape), blocks = (count + 3) / 4;
    uint64_t stream = stream_of(a->draw);
#pragma omp parallel for num_threads(call->threads) if (blocks > 4096)
    for (int64_t k = 0; k < blocks; k++) {
        uint32_t word[4];
        float u[4];
        gx_random_block(call->seed, stream, block_of(call->step, 4 * k), word);
        for (int j = 0; j < 4; j++)
            u[j] = (float)(word[j] >> 8) * 0x1p-24f;
        if (a->normal) /* Box and Muller, pair by pair; 1 - u is never 0 */
            for (int j = 0; j < 4; j += 2) {
                float r = sqrtf(-2 * logf(1 - u[j])), t = 6.2831853f * u[j + 1];
                u[j] = r * cosf(t);
                u[j + 1] = r * sinf(t);
            }
        for (int j = 0; j < 4 && 4 * k + j < count; j++)
            call->y[4 * k + j] = a->normal ? a->a + a->b * u[j] : a->a + (a->b - a->a) * u[j];
    }
}

const struct gx_op gx_op_random = {
    .name = "random",
    .attr_size = sizeof(struct random),
    .flags = GX_OP_RANDOM,
    .shape = random_shape,
    .forward = random_forward,
};

struct gx_node *gx_uniform(struct gx_graph *g, struct gx_shape shape, float low, float high)
{
    struct random a = {shape, false, low, high, gx_graph_nodes(g)};
    return gx_graph_add(g, &gx_op_random, NULL, 0, &a);
}

struct gx_node *gx_normal(struct gx_graph *g, struct gx_shape shape, float mean, float deviation)
{
    struct random a = {shape, true, mean, deviation, gx_graph_nodes(g)};
    return gx_graph_add(g, &gx_op_random, NULL, 0, &a);
}

static int dropout_shape(struct gx_node *y, struct gx_err *err)
{
    float p = ((const struct dropout *)y->attr)->p;
    if (!(p >= 0 && p < 1))
        return gx_fail(err, GX_E_SHAPE, "dropout with probability %g", p);
    y->shape = y->in[0]->shape;
    return 0;
}

static void dropout_forward(const struct gx_call *call)
{
    const struct dropout *a = call->node->attr;
    call->kernels->dropout(call->x[0], call->y, gx_count(call->node->shape), call->seed,
                           stream_of(a->draw), block_of(call->step, 0),
                           (uint32_t)((double)a->p * 0x1p32), 1 / (1 - a->p), call->threads);
}

static void dropout_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                             const bool *need, struct gx_node **dx)
{
    (void)need;
    dx[0] = gx_graph_add(g, &gx_op_dropout, &dy, 1, y->attr);
}

const struct gx_op gx_op_dropout = {
    .name = "dropout",
    .attr_size = sizeof(struct dropout),
    .flags = GX_OP_RANDOM | GX_OP_INPLACE_0,
    .shape = dropout_shape,
    .gradient = dropout_gradient,
    .forward = dropout_forward,
};

struct gx_node *gx_dropout(struct gx_graph *g, struct gx_node *x, float p)
{
    struct dropout a = {p, gx_graph_nodes(g)};
    return gx_graph_add(g, &gx_op_dropout, &x, 1, &a);
}
