#include "gradcheck.h"

#include "../test.h"

#include "ganx/plan.h"
#include "ganx/weights.h"
#include "kernel/kernel.h"
#include "op/op.h"
#include "util/arena.h"
#include "util/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEED = 5, STEP = 3 };

struct values {
    int count;
    struct gx_shape shape[CASE_INPUTS];
    float *data[CASE_INPUTS];
};

/* A case made ready to run: the last of x and of d2 is dy. */
struct probe {
    const struct gx_kernels *kernels;
    struct gx_graph *graph;
    struct gx_plan *plan;
    int inputs;
    struct gx_node *x[CASE_INPUTS + 1], *r[CASE_INPUTS];
    struct gx_node *y, *dx[CASE_INPUTS], *d2[CASE_INPUTS + 1];
};

/* ---- values ---- */

/* make_op.py's cotangent(): which = 0 for dy, 1 for r0, ... */
static void fill_cotangent(float *to, int64_t count, int which)
{
    for (int64_t i = 0; i < count; i++)
        to[i] = (float)((i * 7919 + 131 * which) % 257 - 128) / 64;
}

static struct values random_values(const struct gx_shape *shapes)
{
    struct values v = {0};
    struct gx_random random = gx_random_at(SEED, GX_STREAM_TEST, 0);
    for (; v.count < CASE_INPUTS && shapes[v.count].n; v.count++) {
        int64_t size = gx_count(shapes[v.count]);
        v.shape[v.count] = shapes[v.count];
        v.data[v.count] = gx_new((size_t)size * sizeof(float));
        for (int64_t i = 0; i < size; i++)
            v.data[v.count][i] = gx_random_normal(&random);
    }
    return v;
}

static void clear_values(struct values *v)
{
    for (int i = 0; i < v->count; i++)
        free(v->data[i]);
    v->count = 0;
}

/* The tensor CASE/KEY as the file has it; NULL if it does not. */
static float *read_tensor(struct gx_weights *file, const char *name, const char *key,
                          struct gx_shape *shape)
{
    char full[96];
    snprintf(full, sizeof full, "%s/%s", name, key);
    int at = gx_weights_find(file, full);
    if (at < 0)
        return NULL;
    const struct gx_tensor_info *info = gx_weights_info(file, at);
    assert_int_equal(info->rank, 4);
    *shape = (struct gx_shape){(int)info->dims[0], (int)info->dims[1], (int)info->dims[2],
                               (int)info->dims[3]};
    float *data = gx_new((size_t)info->count * sizeof *data);
    struct gx_err err;
    if (gx_weights_read(file, at, data, &err))
        fail_msg("%s", err.text);
    return data;
}

static struct values read_values(struct gx_weights *file, const char *name)
{
    struct values v = {0};
    for (char key[] = "x0"; v.count < CASE_INPUTS; v.count++, key[1]++) {
        v.data[v.count] = read_tensor(file, name, key, &v.shape[v.count]);
        if (!v.data[v.count])
            break;
    }
    if (!v.count)
        fail_msg("the file has no case '%s'", name);
    return v;
}

static struct gx_weights *open_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "tests/reference/op/%s.safetensors", name);
    struct gx_weights *file = NULL;
    struct gx_err err;
    if (gx_weights_open(&file, path, &err))
        fail_msg("%s", err.text);
    return file;
}

/* ---- probes ---- */

static void build_probe(struct probe *p, const struct op_case *c, const struct values *v)
{
    struct gx_graph *g = p->graph = gx_graph_new();
    p->inputs = v->count;
    for (int i = 0; i < v->count; i++)
        p->x[i] = gx_input(g, v->shape[i], "x");
    p->y = gx_keep(c->build(g, p->x));
    struct gx_node *dy = p->x[v->count] = gx_input(g, p->y->shape, "dy"), *s = NULL;
    gx_gradients(g, p->y, dy, p->x, v->count, p->dx);
    for (int i = 0; i < v->count; i++) {
        if (!p->dx[i])
            continue;
        gx_keep(p->dx[i]);
        p->r[i] = gx_input(g, v->shape[i], "r");
        struct gx_node *part = gx_sum(g, gx_mul(g, p->dx[i], p->r[i]), GX_AXES_ALL);
        s = s ? gx_add(g, s, part) : part;
    }
    if (s)
        gx_gradients(g, s, NULL, p->x, v->count + 1, p->d2);
    for (int i = 0; i <= v->count; i++)
        if (p->d2[i])
            gx_keep(p->d2[i]);
}

static void clear_probe(struct probe *p)
{
    gx_plan_free(&p->plan);
    gx_graph_free(&p->graph);
}

static struct probe make_probe(const struct op_case *c, const struct values *v,
                               const struct gx_kernels *kernels, int threads)
{
    struct probe p = {.kernels = kernels};
    struct gx_err err = {""};
    build_probe(&p, c, v);
    if (gx_graph_check(p.graph, &err))
        fail_msg("%s: %s", c->name, err.text);
    struct gx_plan_settings settings = {.kernels = kernels, .threads = threads};
    if (gx_plan_new(&p.plan, p.graph, &settings, &err) || gx_plan_allocate(p.plan, &err))
        fail_msg("%s: %s", c->name, err.text);
    return p;
}

static const float *value(const struct probe *p, const struct gx_node *node)
{
    return gx_plan_value(p->plan, node);
}

static void set(const struct probe *p, const struct gx_node *input, const float *data)
{
    memcpy(gx_plan_value(p->plan, input), data, (size_t)gx_count(input->shape) * sizeof *data);
}

static void fill(const struct probe *p, const struct values *v)
{
    for (int i = 0; i < v->count; i++) {
        set(p, p->x[i], v->data[i]);
        if (p->r[i])
            fill_cotangent(gx_plan_value(p->plan, p->r[i]), gx_count(v->shape[i]), i + 1);
    }
    fill_cotangent(gx_plan_value(p->plan, p->x[v->count]), gx_count(p->y->shape), 0);
}

static void run(const struct probe *p)
{
    gx_plan_run(p->plan, 0, SEED, STEP);
}

/* ---- against PyTorch ---- */

static bool ran_winograd(const struct probe *p)
{
    double seconds;
    const struct gx_node *node;
    for (int i = 0; (node = gx_plan_step(p->plan, i, &seconds)); i++)
        if (gx_conv2d_by_winograd(node, p->kernels))
            return true;
    return false;
}

/* Of a tensor's largest magnitude. */
static double tolerance(const struct probe *p)
{
    return ran_winograd(p) ? 3e-5 : 2e-6;
}

/* Counts 1 and says so if a tensor is off. */
static int compare(const struct op_case *c, const struct probe *p, const struct gx_node *node,
                   struct gx_weights *file, const char *key, double allowed, const char *tier)
{
    struct gx_shape shape = node ? node->shape : (struct gx_shape){0};
    float *want = read_tensor(file, c->name, key, &shape);
    if (!want && !node)
        return 0;
    if (node && !gx_shape_equal(shape, node->shape))
        fail_msg("%s/%s has another shape than in PyTorch", c->name, key);
    const float *got = node ? value(p, node) : NULL;
    double most = 0, worst = 0;
    for (int64_t i = 0; i < gx_count(shape); i++) {
        double here = want ? want[i] : 0, error = fabs((got ? got[i] : 0) - here);
        most = fmax(most, fabs(here));
        worst = fmax(worst, isnan(error) ? INFINITY : error);
    }
    free(want);
    if (worst <= allowed * most)
        return 0;
    print_error("%s/%s, %s: off by %g, where the largest is %g: %.2g, allowed %.2g\n", c->name, key,
                tier, worst, most, worst / most, allowed);
    return 1;
}

static int compare_case(const struct op_case *c, const struct probe *p, struct gx_weights *file,
                        const char *tier)
{
    const double allowed = tolerance(p), second = allowed * (c->slack > 0 ? c->slack : 1);
    int wrong = compare(c, p, p->y, file, "y", allowed, tier);
    char dx[] = "dx0", d2x[] = "d2x0";
    for (int i = 0; i < p->inputs; i++, dx[2]++, d2x[3]++) {
        wrong += compare(c, p, p->dx[i], file, dx, allowed, tier);
        wrong += compare(c, p, p->d2[i], file, d2x, second, tier);
    }
    return wrong + compare(c, p, p->d2[p->inputs], file, "d2dy", second, tier);
}

static void check_names(struct gx_weights *file, const struct op_case *cases, int count)
{
    for (int i = 0; i < gx_weights_count(file); i++) {
        const char *name = gx_weights_info(file, i)->name;
        const size_t length = strcspn(name, "/");
        bool found = false;
        for (int k = 0; k < count && !found; k++)
            found = strlen(cases[k].name) == length && !strncmp(cases[k].name, name, length);
        if (!found)
            fail_msg("no test reads '%s'", name);
    }
}

static int check_tier(const struct op_case *c, const struct values *v, struct gx_weights *file,
                      const struct gx_kernels *kernels, int threads)
{
    struct probe p = make_probe(c, v, kernels, threads);
    if (c->flags & CASE_WINOGRAD && kernels != &gx_kernels_reference && !ran_winograd(&p))
        fail_msg("%s, %s: not through Winograd", c->name, kernels->name);
    fill(&p, v);
    run(&p);
    const int wrong = compare_case(c, &p, file, kernels->name);
    clear_probe(&p);
    return wrong;
}

void check_parity(void **state)
{
    const struct op_table *table = *state;
    struct gx_weights *file = open_file(table->file);
    int wrong = 0;
    check_names(file, table->cases, table->count);
    for (int k = 0; k < table->count; k++) {
        struct values v = read_values(file, table->cases[k].name);
        const struct gx_kernels *kernels;
        for (int tier = 0; (kernels = gx_kernels_at(tier)); tier++)
            for (int threads = 1; threads <= 2; threads++)
                wrong += check_tier(&table->cases[k], &v, file, kernels, threads);
        clear_values(&v);
    }
    gx_weights_close(&file);
    assert_int_equal(wrong, 0);
}

/* ---- against finite differences ---- */

static double dot(const float *a, const float *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)a[i] * b[i];
    return sum;
}

/* sum(y dy), or S, in double; *noise: what rounding of y, or of dx, may do to it. */
static double objective(const struct probe *p, bool second, double *noise)
{
    const int terms = second ? p->inputs : 1;
    double sum = 0, squares = 0;
    for (int i = 0; i < terms; i++) {
        const struct gx_node *node = second ? p->dx[i] : p->y;
        const struct gx_node *by = second ? p->r[i] : p->x[p->inputs];
        if (!node)
            continue;
        const float *a = value(p, node), *b = value(p, by);
        const int64_t count = gx_count(node->shape);
        sum += dot(a, b, count);
        for (int64_t k = 0; k < count; k++)
            squares += (double)a[k] * b[k] * a[k] * b[k];
    }
    *noise = sqrt(squares);
    return sum;
}

/* Along one direction of signs: the objective's change must be what the gradient foretells. */
static void check_direction(const struct op_case *c, const struct probe *p, const float *at,
                            const struct gx_node *input, const float *gradient, bool second,
                            struct gx_random *random)
{
    const float step = c->flags & CASE_LINEAR ? 0.125f : 0x1p-8f;
    const int64_t count = gx_count(input->shape);
    float *high = gx_new((size_t)count * sizeof *high), *low = gx_new((size_t)count * sizeof *low);
    double foretold = 0, squares = 0, noise;
    for (int64_t i = 0; i < count; i++) {
        const float by = gx_random_u32(random) & 1 ? step : -step;
        high[i] = at[i] + by;
        low[i] = at[i] - by;
        const double part = gradient ? gradient[i] * ((double)high[i] - low[i]) : 0;
        foretold += part;
        squares += part * part;
    }
    set(p, input, high);
    run(p);
    double change = objective(p, second, &noise);
    set(p, input, low);
    run(p);
    change -= objective(p, second, &noise);
    set(p, input, at);
    free(high);
    free(low);
    const double allowed = 2e-3 * sqrt(squares) + tolerance(p) * noise;
    if (!(fabs(change - foretold) <= allowed))
        fail_msg("%s: the %s gradient by input %d foretells %g, the difference is %g (within %g)",
                 c->name, second ? "second" : "first", input->id, foretold, change, allowed);
}

static void check_input(const struct op_case *c, const struct probe *p, int which, bool second,
                        struct gx_random *random)
{
    const struct gx_node *input = p->x[which];
    const struct gx_node *node = second ? p->d2[which] : p->dx[which];
    const size_t bytes = (size_t)gx_count(input->shape) * sizeof(float);
    run(p);
    float *at = gx_new(bytes), *gradient = NULL;
    memcpy(at, value(p, input), bytes);
    if (node) {
        gradient = gx_new(bytes);
        memcpy(gradient, value(p, node), bytes);
    }
    for (int i = 0; i < 3; i++)
        check_direction(c, p, at, input, gradient, second, random);
    free(gradient);
    free(at);
}

static void check_values(const struct op_case *c, const struct values *v)
{
    struct gx_random random = gx_random_at(SEED, GX_STREAM_TEST, 1);
    struct probe p = make_probe(c, v, gx_kernels_best(), 1);
    fill(&p, v);
    for (int i = 0; i < v->count; i++)
        check_input(c, &p, i, false, &random);
    for (int i = 0; i <= v->count; i++)
        check_input(c, &p, i, true, &random);
    clear_probe(&p);
}

void check_differences(void **state)
{
    const struct op_table *table = *state;
    struct gx_weights *file = open_file(table->file);
    for (int k = 0; k < table->count; k++) {
        if (table->cases[k].flags & CASE_KINK)
            continue;
        struct values v = read_values(file, table->cases[k].name);
        check_values(&table->cases[k], &v);
        clear_values(&v);
    }
    gx_weights_close(&file);
}

void check_differences_at(const struct op_case *c, const struct gx_shape *shapes)
{
    struct values v = random_values(shapes);
    check_values(c, &v);
    clear_values(&v);
}

/* ---- threads and refusals ---- */

static void same_bits(const struct op_case *c, const struct probe *a, const struct gx_node *x,
                      const struct probe *b, const struct gx_node *y)
{
    if (x && memcmp(value(a, x), value(b, y), (size_t)gx_count(x->shape) * sizeof(float)))
        fail_msg("%s: one thread and three differ at node %d", c->name, x->id);
}

void check_threads(const struct op_case *c, const struct gx_shape *shapes)
{
    struct values v = random_values(shapes);
    struct probe one = make_probe(c, &v, NULL, 1), three = make_probe(c, &v, NULL, 3);
    fill(&one, &v);
    fill(&three, &v);
    run(&one);
    run(&three);
    same_bits(c, &one, one.y, &three, three.y);
    for (int i = 0; i < v.count; i++)
        same_bits(c, &one, one.dx[i], &three, three.dx[i]);
    for (int i = 0; i <= v.count; i++)
        same_bits(c, &one, one.d2[i], &three, three.d2[i]);
    clear_probe(&one);
    clear_probe(&three);
    clear_values(&v);
}

void check_refused(const struct op_case *c, const struct gx_shape *shapes)
{
    struct values v = random_values(shapes);
    struct probe p = {0};
    struct gx_err err = {""};
    build_probe(&p, c, &v);
    if (gx_graph_check(p.graph, &err) != -GX_E_SHAPE || !err.text[0])
        fail_msg("%s: shapes that do not fit are taken", c->name);
    clear_probe(&p);
    clear_values(&v);
}
