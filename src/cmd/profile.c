#include "cmd/profile.h"

#include "family/family.h"
#include "graph/operator.h"
#include "util/arena.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct row {
    const struct gx_node *node;   /* the first one of those that it sums up */
    int count;                    /* nodes */
    double seconds, flops, bytes; /* a round's */
};

/* What two nodes must have in common to be summed up in one row. */
enum alike { ONLY_ITSELF, SAME_SHAPES, SAME_KIND };

static const double LEAST_SHARE = 0.002; /* of the time, for an operator to be listed by itself */

double gx_traffic(const struct gx_node *node)
{
    if (node->op->flags & (GX_OP_VIEW | GX_OP_LEAF))
        return 0;
    double floats = (double)gx_count(node->shape);
    for (int i = 0; i < node->inputs; i++) {
        const struct gx_param *param = node->in[i]->param;
        bool half = param && param->dtype != GX_F32;
        floats += (double)gx_count(node->in[i]->shape) * (half ? 0.5 : 1);
    }
    return floats * sizeof(float);
}

/* ---- rows ---- */

static int compare_shapes(struct gx_shape a, struct gx_shape b)
{
    int of_a[] = {a.n, a.h, a.w, a.c}, of_b[] = {b.n, b.h, b.w, b.c};
    for (int i = 0; i < 4; i++)
        if (of_a[i] != of_b[i])
            return of_a[i] < of_b[i] ? -1 : 1;
    return 0;
}

static int compare(const struct gx_node *a, const struct gx_node *b, enum alike alike)
{
    int order = strcmp(a->op->name, b->op->name);
    if (order || alike == SAME_KIND)
        return order;
    if (a->inputs != b->inputs)
        return a->inputs - b->inputs;
    if ((order = compare_shapes(a->shape, b->shape)))
        return order;
    for (int i = 0; i < a->inputs; i++)
        if ((order = compare_shapes(a->in[i]->shape, b->in[i]->shape)))
            return order;
    return 0;
}

static int by_shapes(const void *a, const void *b)
{
    return compare(((const struct row *)a)->node, ((const struct row *)b)->node, SAME_SHAPES);
}

static int by_time(const void *a, const void *b)
{
    double x = ((const struct row *)a)->seconds, y = ((const struct row *)b)->seconds;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* Sums up neighbours; gives how many rows are left. Rows are sorted by kind and shapes. */
static int merge(struct row *row, int count, enum alike alike)
{
    int kept = 0;
    for (int i = 0; i < count; i++) {
        struct row *last = &row[kept ? kept - 1 : 0];
        if (!kept || compare(last->node, row[i].node, alike)) {
            row[kept++] = row[i];
            continue;
        }
        last->count += row[i].count;
        last->seconds += row[i].seconds;
        last->flops += row[i].flops;
        last->bytes += row[i].bytes;
    }
    return kept;
}

static int fill(const struct gx_plan *plan, const struct gx_step *step, int rounds, struct row *row)
{
    int nodes = gx_plan_facts(plan).nodes, count = 0;
    for (int i = 0; i < nodes; i++) {
        double seconds;
        const struct gx_node *node = gx_plan_step(plan, i, &seconds);
        int runs = !step ? 1 : node->phase < step->phases ? step->phase[node->phase].repeat : 0;
        if (seconds <= 0) /* a view; or of a phase, or a value of weights alone, that ran before */
            continue;
        row[count++] = (struct row){.node = node,
                                    .count = 1,
                                    .seconds = seconds / rounds,
                                    .flops = node->op->flops ? runs * node->op->flops(node) : 0,
                                    .bytes = runs * gx_traffic(node)};
    }
    return count;
}

/* ---- printing ---- */

static const char *shape_text(char *to, size_t room, struct gx_shape s)
{
    snprintf(to, room, "%dx%dx%dx%d", s.n, s.h, s.w, s.c);
    return to;
}

static void print_text(const struct row *r, double total, enum alike alike)
{
    char text[64];
    const struct gx_node *node = r->node;
    if (alike == ONLY_ITSELF)
        printf("%8s", "");
    else
        printf("%7d ", r->count);
    printf("%9.3f %5.1f%% %9.1f %8.1f  %-16s", r->seconds * 1e3, 100 * r->seconds / total,
           r->flops / r->seconds * 1e-9, r->bytes / r->seconds * 1e-9, node->op->name);
    if (alike != SAME_KIND) {
        printf(" %s <-", shape_text(text, sizeof text, node->shape));
        for (int i = 0; i < node->inputs; i++)
            printf(" %s", shape_text(text, sizeof text, node->in[i]->shape));
    }
    printf("%s%s\n", alike == ONLY_ITSELF && node->name ? "  " : "",
           alike == ONLY_ITSELF && node->name ? node->name : "");
}

static json_t *shape_json(struct gx_shape s)
{
    return json_pack("[iiii]", s.n, s.h, s.w, s.c);
}

static void print_json(const struct row *r, double total, enum alike alike)
{
    static const char *const what[] = {"operator", "operators", "kind"};
    const struct gx_node *node = r->node;
    json_t *o = json_pack("{ss ss si sf sf sf sI}", "what", what[alike], "operator", node->op->name,
                          "count", r->count, "ms", r->seconds * 1e3, "share", r->seconds / total,
                          "gflops", r->flops / r->seconds * 1e-9, "bytes", (json_int_t)r->bytes);
    if (alike != SAME_KIND) {
        json_t *inputs = json_array();
        for (int i = 0; i < node->inputs; i++)
            json_array_append_new(inputs, shape_json(node->in[i]->shape));
        json_object_set_new(o, "shape", shape_json(node->shape));
        json_object_set_new(o, "inputs", inputs);
    }
    if (alike == ONLY_ITSELF)
        json_object_set_new(o, "name", json_string(node->name ? node->name : ""));
    char *text = json_dumps(o, JSON_REAL_PRECISION(9));
    puts(text);
    free(text);
    json_decref(o);
}

static void print_rows(struct row *row, int count, double total, enum alike alike, bool json)
{
    static const char *const title[] = {"each operator", "summed by kind and shapes",
                                        "summed by kind"};
    if (!json)
        printf("%s\n%7s %9s %6s %9s %8s  %-16s%s\n", title[alike],
               alike == ONLY_ITSELF ? "" : "count", "ms", "share", "GFLOP/s", "GB/s", "operator",
               alike == SAME_KIND ? "" : " result <- inputs");
    qsort(row, (size_t)count, sizeof *row, by_time);
    for (int i = 0; i < count; i++)
        if (alike != ONLY_ITSELF || row[i].seconds >= total * LEAST_SHARE)
            (json ? print_json : print_text)(&row[i], total, alike);
}

void gx_profile_print(const struct gx_plan *plan, const struct gx_step *step, int rounds, bool json)
{
    struct row *row = gx_new((size_t)(gx_plan_facts(plan).nodes + 1) * sizeof *row);
    int count = fill(plan, step, rounds, row);
    double total = 0;
    for (int i = 0; i < count; i++)
        total += row[i].seconds;
    for (enum alike alike = ONLY_ITSELF; alike <= SAME_KIND; alike++) {
        qsort(row, (size_t)count, sizeof *row, by_shapes);
        if (alike != ONLY_ITSELF)
            count = merge(row, count, alike);
        print_rows(row, count, total, alike, json);
    }
    free(row);
}
