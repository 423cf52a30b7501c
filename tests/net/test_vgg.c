/* VGG's features: what the names build, what is normalised, which files are which network. Outputs
 * are held against PyTorch's by build/tests/parity. */
#include "../test.h"

#include "ganx/plan.h"
#include "net/vgg.h"
#include "op/op.h"

#include <stdlib.h>
#include <string.h>

struct made {
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_graph *g;
    struct gx_build build;
    struct gx_node *x;
};

static void begin(struct made *m, const char *network, struct gx_shape shape)
{
    struct gx_err err = {""};
    assert_int_equal(gx_spec_from_name(&m->spec, network, &err), 0);
    assert_int_equal(gx_spec_set(&m->spec, "width", 2, &err), 0);
    gx_params_init(&m->params);
    if (gx_network_declare(&m->spec, &m->params, &err) || gx_params_allocate(&m->params, &err))
        fail_msg("%s", err.text);
    gx_params_initialise(&m->params, GX_INIT_KAIMING, 1, 3, "VGG");
    m->g = gx_graph_new();
    m->build = (struct gx_build){.graph = m->g, .params = &m->params, .spec = &m->spec};
    m->x = gx_input(m->g, shape, "x");
}

static void end(struct made *m)
{
    gx_graph_free(&m->g);
    gx_params_clear(&m->params);
}

static int convolutions(const struct gx_graph *g)
{
    int count = 0;
    for (int i = 0; i < gx_graph_nodes(g); i++)
        count += !strcmp(gx_graph_node(g, i)->op->name, "conv2d");
    return count;
}

static void test_only_what_is_needed(void **state)
{
    (void)state;
    static const struct {
        const char *network, *layer[2];
        int layers, convolutions, h, c;
    } cases[] = {
        {"vgg16", {"conv1_1"}, 1, 1, 37, 2},
        {"vgg16", {"relu1_2"}, 1, 2, 37, 2},
        {"vgg16", {"relu3_3", "conv2_1"}, 2, 7, 9, 8},
        {"vgg16", {"conv5_3"}, 1, 13, 2, 16},
        {"vgg19", {"relu5_4", "relu5_4"}, 2, 16, 2, 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m;
        struct gx_node *out[2];
        begin(&m, cases[i].network, (struct gx_shape){1, 37, 32, 3});
        assert_int_equal(gx_vgg_features(&m.build, m.x, cases[i].layer, cases[i].layers, out), 0);
        assert_int_equal(gx_graph_check(m.g, NULL), 0);
        assert_int_equal(convolutions(m.g), cases[i].convolutions);
        assert_int_equal(out[0]->shape.h, cases[i].h);
        assert_int_equal(out[0]->shape.c, cases[i].c);
        end(&m);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *network, *layer;
        int code;
    } cases[] = {
        {"vgg16", "conv5_4", -GX_E_CONFIG}, {"vgg16", "relu6_1", -GX_E_CONFIG},
        {"vgg19", "conv1_3", -GX_E_CONFIG}, {"vgg19", "conv5_4 ", -GX_E_CONFIG},
        {"vgg19", "conv5_4", -GX_E_SHAPE}, /* of 8 pixels */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct made m;
        struct gx_node *out;
        struct gx_err err = {""};
        begin(&m, cases[i].network, (struct gx_shape){1, 8, 8, 3});
        int code = gx_vgg_features(&m.build, m.x, &cases[i].layer, 1, &out);
        assert_int_equal(gx_graph_check(m.g, &err), cases[i].code);
        assert_int_equal(code, cases[i].code == -GX_E_CONFIG ? code : 0);
        if (!i)
            assert_string_equal(err.text, "'vgg16' has no layer 'conv5_4'; layers are like conv5_3 "
                                          "(before ReLU) and relu5_3 (after)");
        end(&m);
    }
}

/* The features of x in [0,1] are those of what ImageNet's mean and deviation make of it; grey is
 * three equal colours. */
static void test_normalised(void **state)
{
    (void)state;
    static const double mean[3] = {0.485, 0.456, 0.406}, deviation[3] = {0.229, 0.224, 0.225};
    const struct gx_plan_settings settings = {.inference = true, .threads = 1};
    const struct gx_shape colour = {1, 16, 16, 3}, grey = {1, 16, 16, 1};
    const char *layer = "relu2_2";
    struct made m;
    struct gx_node *y[3], *input[3];
    struct gx_plan *plan = NULL;
    begin(&m, "vgg16", colour);
    input[0] = m.x;
    input[1] = gx_input(m.g, colour, "normalised");
    input[2] = gx_input(m.g, grey, "grey");
    assert_int_equal(gx_vgg_features(&m.build, input[0], &layer, 1, &y[0]), 0);
    assert_int_equal(gx_vgg_features_normalised(&m.build, input[1], &layer, 1, &y[1]), 0);
    assert_int_equal(gx_vgg_features(&m.build, input[2], &layer, 1, &y[2]), 0);
    for (int i = 0; i < 3; i++)
        gx_keep(y[i]);
    assert_int_equal(gx_plan_new(&plan, m.g, &settings, NULL), 0);
    assert_int_equal(gx_plan_allocate(plan, NULL), 0);
    for (int i = 0; i < 16 * 16 * 3; i++) {
        double v = i / 3 * 37 % 256 / 255.0;
        gx_plan_value(plan, input[0])[i] = (float)v;
        gx_plan_value(plan, input[1])[i] = (float)((v - mean[i % 3]) / deviation[i % 3]);
        gx_plan_value(plan, input[2])[i / 3] = (float)v;
    }
    gx_plan_run(plan, 0, 1, 0);
    double most = 0;
    for (int64_t i = 0; i < gx_count(y[0]->shape); i++) {
        float want = gx_plan_value(plan, y[1])[i];
        most = want > most ? want : most;
        assert_float_equal(gx_plan_value(plan, y[0])[i], want, 1e-4);
        assert_float_equal(gx_plan_value(plan, y[2])[i], want, 1e-4);
    }
    assert_true(most > 0.1);
    gx_plan_free(&plan);
    end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_is_needed),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_normalised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
