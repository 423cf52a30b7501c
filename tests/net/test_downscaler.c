/* The learnt degradation: it begins as plain downscaling with a little noise, other noise for each
 * step and the same for the same one; how far it sees; and a file of it is recognised. */
#include "../scratch.h"
#include "../test.h"

#include "ganx/network.h"
#include "ganx/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 36, SHRINK = 3, SMALL = SIDE / SHRINK };

struct subject {
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_graph *graph;
    struct gx_plan *plan;
    struct gx_node *x, *y;
};

static const char json[] = "{\"network\": \"sr_downscaler\", \"nf\": 5, \"nb\": 1, \"shrink\": 3, "
                           "\"noise\": 2}";

static void make(struct subject *s)
{
    struct gx_err err = {""};
    struct gx_node *out[GX_OUTPUTS_MAX];
    assert_int_equal(gx_spec_from_json(&s->spec, json, &err), 0);
    gx_params_init(&s->params);
    assert_int_equal(gx_network_declare(&s->spec, &s->params, &err), 0);
    assert_int_equal(gx_params_allocate(&s->params, &err), 0);
    gx_params_initialise(&s->params, GX_INIT_SR, 1, 3, "G_B");
    s->graph = gx_graph_new();
    s->x = gx_input(s->graph, (struct gx_shape){1, SIDE, SIDE, 3}, "x");
    struct gx_build b = {.graph = s->graph, .params = &s->params, .spec = &s->spec};
    assert_int_equal(s->spec.network->build(&b, s->x, NULL, out), 1);
    s->y = gx_keep(out[0]);
    struct gx_plan_settings settings = {.inference = true, .threads = 1};
    if (gx_plan_new(&s->plan, s->graph, &settings, &err) || gx_plan_allocate(s->plan, &err))
        fail_msg("%s", err.text);
}

static void unmake(struct subject *s)
{
    gx_plan_free(&s->plan);
    gx_graph_free(&s->graph);
    gx_params_clear(&s->params);
}

/* Of a white pixel on grey, at the step; to free. */
static float *result(struct subject *s, int white, uint64_t step)
{
    size_t bytes = (size_t)gx_count(s->y->shape) * sizeof(float);
    float *y = malloc(bytes), *x = gx_plan_value(s->plan, s->x);
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        x[i] = i / 3 == white ? 1 : 0.5F;
    gx_plan_run(s->plan, 0, 7, step);
    return memcpy(y, gx_plan_value(s->plan, s->y), bytes);
}

static void begins_as_plain_downscaling(void **state)
{
    (void)state;
    struct subject s;
    make(&s);
    assert_true(gx_shape_equal(s.y->shape, (struct gx_shape){1, SMALL, SMALL, 3}));
    assert_int_equal(gx_network_shrink(&s.spec), SHRINK);
    assert_int_equal(gx_network_scale(&s.spec), 1);
    assert_int_equal(s.spec.network->multiple(&s.spec), SHRINK);
    float *y = result(&s, -1, 0), *same = result(&s, -1, 0), *other = result(&s, -1, 1);
    double apart = 0;
    for (int i = 0; i < SMALL * SMALL * 3; i++) {
        assert_true(fabsf(y[i] - 0.5F) < 0.4F);
        apart += fabs((double)y[i] - (double)other[i]);
    }
    assert_true(apart / (SMALL * SMALL * 3) > 1e-4);
    assert_memory_equal(y, same, SMALL * SMALL * 3 * sizeof *y);
    free(y);
    free(same);
    free(other);
    unmake(&s);
}

static void sees_as_far_as_it_says(void **state)
{
    (void)state;
    struct subject s;
    make(&s);
    int reach = gx_network_reach(&s.spec, GX_STATS_BATCH), at = SMALL / 2, farthest = 0;
    assert_int_equal(reach, 4 * SHRINK);
    float *without = result(&s, -1, 0);
    float *with = result(&s, (at * SIDE + at) * SHRINK, 0); /* the corner of its block */
    for (int i = 0; i < SMALL * SMALL * 3; i++) {
        int away = abs(i / 3 % SMALL - at);
        if (with[i] != without[i] && away > farthest)
            farthest = away;
    }
    assert_int_equal(farthest, reach / SHRINK);
    free(without);
    free(with);
    unmake(&s);
}

static void a_file_is_recognised(void **state)
{
    (void)state;
    struct subject s;
    struct gx_network_spec seen;
    struct gx_entries rows = {0};
    struct gx_weights_writer *writer;
    struct gx_weights *file;
    struct gx_err err = {""};
    char folder[64], path[96];
    make(&s);
    assert_int_equal(scratch_make(folder, sizeof folder), 0);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    gx_params_entries(&rows, &s.params, GX_PARTS_ALL, "G_B.", GX_F32);
    if (gx_weights_write_begin(&writer, path, rows.row, rows.count, NULL, 0, &err) ||
        gx_params_write(&s.params, GX_PARTS_ALL, s.params.data, writer, &err) ||
        gx_weights_write_commit(&writer, &err) || gx_weights_open(&file, path, &err) ||
        gx_network_infer(&seen, file, "G_B.", &err))
        fail_msg("%s", err.text);
    assert_memory_equal(&seen, &s.spec, sizeof seen);
    gx_weights_close(&file);
    gx_entries_clear(&rows);
    assert_int_equal(scratch_remove(folder), 0);
    unmake(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_as_plain_downscaling),
        cmocka_unit_test(sees_as_far_as_it_says),
        cmocka_unit_test(a_file_is_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
