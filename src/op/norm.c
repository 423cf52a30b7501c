/* Normalisation over a group of rows, channel by channel: batch norm (one group of n*h*w rows) and
 * instance norm (n groups of h*w rows).
 *
 * moments:    x -> m(groups,1,2,c): mean, and variance divided by the number of rows
 * norm:       x, m = moments(x) [, weight, bias] -> (x - mean) / sqrt(var + eps) * weight + bias
 * norm_fixed: the same with moments from elsewhere (running statistics)
 * norm_then:  either, going on as struct gx_then says; made by plans
 * norm_sums:  dy, x, m -> s(groups,1,2,c): sums over rows of dy and of dy xhat
 * norm_dx:    dy, x, m, s [, weight] -> weight rstd (dy - s0/rows - xhat s1/rows)
 * gradient: norm's is the whole derivative, statistics included, so none flows to m:
 *   dx = norm_dx, d weight = s1, d bias = s0 (summed over groups). norm_fixed, norm_sums and
 *   norm_dx are differentiated through their expansions into primitives, where m is an input like
 *   any other and moments has a gradient of its own; that is what a gradient penalty runs through.
 * parity: torch.nn.BatchNorm2d, InstanceNorm2d, 2e-6 of max|y|
 * source: Ioffe and Szegedy 2015; Ulyanov et al. 2016 */
#include "op/op.h"

struct norm {
    float eps;
};

struct norm_then {
    struct norm norm;
    bool affine;
    struct gx_then then;
};

static int64_t rows_of(const struct gx_node *x, const struct gx_node *m)
{
    return (int64_t)x->shape.n * x->shape.h * x->shape.w / m->shape.n;
}

static struct gx_node *pick(struct gx_graph *g, struct gx_node *m, int which)
{
    struct gx_shape size = {m->shape.n, 1, 1, m->shape.c};
    return gx_slice(g, m, (struct gx_shape){0, 0, which, 0}, size);
}

/* Sums over the rows of each group: to (groups,1,1,c). */
static struct gx_node *sum_group(struct gx_graph *g, struct gx_node *x, const struct gx_node *m)
{
    int axes = GX_AXIS_H | GX_AXIS_W | (m->shape.n == 1 ? GX_AXIS_N : 0);
    return gx_sum(g, x, axes);
}

static int check_moments(const struct gx_node *x, const struct gx_node *m, struct gx_err *err)
{
    struct gx_shape s = m->shape;
    if (s.h != 1 || s.w != 2 || s.c != x->shape.c || (s.n != 1 && s.n != x->shape.n))
        return gx_fail(err, GX_E_SHAPE, "statistics of %d x %d channels for a picture of %d", s.n,
                       s.c, x->shape.c);
    return 0;
}

/* ---- moments ---- */

struct moments {
    enum gx_norm_over over;
};

static int moments_shape(struct gx_node *y, struct gx_err *err)
{
    (void)err;
    bool batch = ((const struct moments *)y->attr)->over == GX_OVER_BATCH;
    y->shape = (struct gx_shape){batch ? 1 : y->in[0]->shape.n, 1, 2, y->in[0]->shape.c};
    return 0;
}

/* d mean / dx = 1/rows, d var / dx = 2 (x - mean) / rows */
static void moments_gradient(struct gx_graph *g, struct gx_node *m, struct gx_node *dm,
                             const bool *need, struct gx_node **dx)
{
    (void)need;
    struct gx_node *x = m->in[0];
    float share = 1 / (float)rows_of(x, m);
    struct gx_node *centred = gx_sub(g, x, pick(g, m, 0));
    struct gx_node *by_var = gx_mul(g, centred, gx_scale(g, pick(g, dm, 1), 2 * share));
    dx[0] = gx_add(g, by_var, gx_scale(g, pick(g, dm, 0), share));
}

static size_t moments_scratch(const struct gx_node *m, const struct gx_kernels *k, int threads)
{
    return k->reduce_scratch(m->shape.n, rows_of(m->in[0], m), m->shape.c, threads);
}

static void moments_forward(const struct gx_call *call)
{
    const struct gx_node *m = call->node;
    call->kernels->moments(call->x[0], call->y, m->shape.n, rows_of(m->in[0], m), m->shape.c,
                           call->scratch, call->threads);
}

const struct gx_op gx_op_moments = {
    .name = "moments",
    .attr_size = sizeof(struct moments),
    .shape = moments_shape,
    .gradient = moments_gradient,
    .scratch = moments_scratch,
    .forward = moments_forward,
};

struct gx_node *gx_moments(struct gx_graph *g, struct gx_node *x, enum gx_norm_over over)
{
    struct moments a = {over};
    return gx_graph_add(g, &gx_op_moments, &x, 1, &a);
}

/* ---- norm and norm_fixed: in = x, m [, weight, bias] ---- */

static int norm_shape(struct gx_node *y, struct gx_err *err)
{
    y->shape = y->in[0]->shape;
    for (int i = 2; i < y->inputs && y->op != &gx_op_norm_then; i++)
        if (gx_count(y->in[i]->shape) != y->shape.c)
            return gx_fail(err, GX_E_SHAPE, "a norm's weight or bias of %d for %d channels",
                           (int)gx_count(y->in[i]->shape), y->shape.c);
    return check_moments(y->in[0], y->in[1], err);
}

/* after: with the bias, if there is one. */
static void run_norm(const struct gx_call *call, bool affine, struct gx_after after)
{
    const struct gx_node *y = call->node, *m = y->in[1];
    after.bias = affine ? call->x[3] : NULL;
    call->kernels->norm(call->x[0], call->x[1], affine ? call->x[2] : NULL, &after,
                        ((const struct norm *)y->attr)->eps, call->y, call->y_step, m->shape.n,
                        rows_of(y, m), y->shape.c, call->threads);
}

/* The result alone may lie in a wider picture. */
static bool norm_steps(const struct gx_node *y, const struct gx_kernels *k, int input)
{
    (void)y, (void)k;
    return input < 0;
}

static void norm_forward(const struct gx_call *call)
{
    run_norm(call, call->node->inputs == 4, (struct gx_after){0});
}

static void norm_gradient(struct gx_graph *g, struct gx_node *y, struct gx_node *dy,
                          const bool *need, struct gx_node **dx)
{
    struct gx_node *x = y->in[0], *m = y->in[1], *weight = y->inputs == 4 ? y->in[2] : NULL;
    struct gx_node *s =
        gx_graph_add(g, &gx_op_norm_sums, (struct gx_node *[]){dy, x, m}, 3, y->attr);
    if (weight && need[2])
        dx[2] = gx_reshape(g, gx_sum(g, pick(g, s, 1), GX_AXIS_N), weight->shape);
    if (weight && need[3])
        dx[3] = gx_reshape(g, gx_sum(g, pick(g, s, 0), GX_AXIS_N), y->in[3]->shape);
    if (need[0])
        dx[0] = gx_graph_add(g, &gx_op_norm_dx, (struct gx_node *[]){dy, x, m, s, weight},
                             weight ? 5 : 4, y->attr);
}

const struct gx_op gx_op_norm = {
    .name = "norm",
    .attr_size = sizeof(struct norm),
    .flags = GX_OP_INPLACE_0,
    .shape = norm_shape,
    .gradient = norm_gradient,
    .forward = norm_forward,
    .steps = norm_steps,
};

/* xhat and rstd in primitives. */
static struct gx_node *rstd_of(struct gx_graph *g, struct gx_node *m, float eps)
{
    return gx_pow(g, gx_affine(g, pick(g, m, 1), 1, eps), -0.5f);
}

static struct gx_node *xhat_of(struct gx_graph *g, struct gx_node *x, struct gx_node *m, float eps)
{
    return gx_mul(g, gx_sub(g, x, pick(g, m, 0)), rstd_of(g, m, eps));
}

static struct gx_node *norm_fixed_expand(struct gx_graph *g, struct gx_node *y)
{
    struct gx_node *same = xhat_of(g, y->in[0], y->in[1], ((const struct norm *)y->attr)->eps);
    if (y->inputs < 4)
        return same;
    return gx_add(g, gx_mul(g, same, y->in[2]), y->in[3]);
}

const struct gx_op gx_op_norm_fixed = {
    .name = "norm_fixed",
    .attr_size = sizeof(struct norm),
    .flags = GX_OP_INPLACE_0,
    .shape = norm_shape,
    .expand = norm_fixed_expand,
    .forward = norm_forward,
    .steps = norm_steps,
};

static struct gx_node *add_norm(struct gx_graph *g, const struct gx_op *op, struct gx_node *x,
                                struct gx_node *m, struct gx_node *weight, struct gx_node *bias,
                                float eps)
{
    struct norm a = {eps};
    return gx_graph_add(g, op, (struct gx_node *[]){x, m, weight, bias}, weight ? 4 : 2, &a);
}

struct gx_node *gx_norm(struct gx_graph *g, struct gx_node *x, struct gx_node *moments,
                        struct gx_node *weight, struct gx_node *bias, float eps)
{
    return add_norm(g, &gx_op_norm, x, moments, weight, bias, eps);
}

struct gx_node *gx_norm_fixed(struct gx_graph *g, struct gx_node *x, struct gx_node *moments,
                              struct gx_node *weight, struct gx_node *bias, float eps)
{
    return add_norm(g, &gx_op_norm_fixed, x, moments, weight, bias, eps);
}

/* ---- norm_then: in = x, m [, weight, bias], what comes after ---- */

static void norm_then_forward(const struct gx_call *call)
{
    const struct norm_then *a = call->node->attr;
    run_norm(call, a->affine, gx_then_after(&a->then, call, a->affine ? 4 : 2));
}

const struct gx_op gx_op_norm_then = {
    .name = "norm_then",
    .attr_size = sizeof(struct norm_then),
    .flags = GX_OP_INPLACE_0,
    .shape = norm_shape,
    .forward = norm_then_forward,
    .steps = norm_steps,
};

bool gx_norm_become(struct gx_graph *g, struct gx_node *node, const struct gx_node *norm,
                    const struct gx_then *then)
{
    struct norm_then a = {*(const struct norm *)norm->attr, norm->inputs == 4, *then};
    struct gx_node *in[GX_INPUTS_MAX];
    for (int i = 0; i < norm->inputs; i++)
        in[i] = norm->in[i];
    int inputs = gx_then_inputs(then, in, norm->inputs);
    if (inputs <= GX_INPUTS_MAX)
        gx_graph_replace(g, node, &gx_op_norm_then, in, inputs, &a);
    return inputs <= GX_INPUTS_MAX;
}

/* ---- norm_sums: in = dy, x, m ---- */

static int norm_sums_shape(struct gx_node *s, struct gx_err *err)
{
    s->shape = s->in[2]->shape;
    return check_moments(s->in[1], s->in[2], err);
}

static size_t norm_sums_scratch(const struct gx_node *s, const struct gx_kernels *k, int threads)
{
    return k->reduce_scratch(s->shape.n, rows_of(s->in[1], s), s->shape.c, threads);
}

static void norm_sums_forward(const struct gx_call *call)
{
    const struct gx_node *s = call->node;
    call->kernels->norm_sums(call->x[0], call->x[1], call->x[2],
                             ((const struct norm *)s->attr)->eps, call->y, s->shape.n,
                             rows_of(s->in[1], s), s->shape.c, call->scratch, call->threads);
}

static struct gx_node *norm_sums_expand(struct gx_graph *g, struct gx_node *s)
{
    struct gx_node *dy = s->in[0], *x = s->in[1], *m = s->in[2];
    struct gx_node *xhat = xhat_of(g, x, m, ((const struct norm *)s->attr)->eps);
    return gx_concat(g, sum_group(g, dy, m), sum_group(g, gx_mul(g, dy, xhat), m), GX_AXIS_W);
}

const struct gx_op gx_op_norm_sums = {
    .name = "norm_sums",
    .attr_size = sizeof(struct norm),
    .shape = norm_sums_shape,
    .expand = norm_sums_expand,
    .scratch = norm_sums_scratch,
    .forward = norm_sums_forward,
};

/* ---- norm_dx: in = dy, x, m, s [, weight] ---- */

static int norm_dx_shape(struct gx_node *dx, struct gx_err *err)
{
    dx->shape = dx->in[0]->shape;
    return check_moments(dx->in[1], dx->in[2], err);
}

static void norm_dx_forward(const struct gx_call *call)
{
    const struct gx_node *dx = call->node, *m = dx->in[2];
    call->kernels->norm_dx(call->x[0], call->x[1], call->x[2], dx->inputs == 5 ? call->x[4] : NULL,
                           call->x[3], ((const struct norm *)dx->attr)->eps, call->y, m->shape.n,
                           rows_of(dx, m), dx->shape.c, call->threads);
}

static struct gx_node *norm_dx_expand(struct gx_graph *g, struct gx_node *dx)
{
    struct gx_node *dy = dx->in[0], *x = dx->in[1], *m = dx->in[2], *s = dx->in[3];
    float eps = ((const struct norm *)dx->attr)->eps, share = 1 / (float)rows_of(x, m);
    struct gx_node *mean_dy = gx_scale(g, pick(g, s, 0), share);
    struct gx_node *along = gx_mul(g, xhat_of(g, x, m, eps), gx_scale(g, pick(g, s, 1), share));
    struct gx_node *rest = gx_sub(g, gx_sub(g, dy, mean_dy), along);
    struct gx_node *scaled = gx_mul(g, rest, rstd_of(g, m, eps));
    return dx->inputs == 5 ? gx_mul(g, scaled, dx->in[4]) : scaled;
}

const struct gx_op gx_op_norm_dx = {
    .name = "norm_dx",
    .attr_size = sizeof(struct norm),
    .flags = GX_OP_INPLACE_0,
    .shape = norm_dx_shape,
    .expand = norm_dx_expand,
    .forward = norm_dx_forward,
};
