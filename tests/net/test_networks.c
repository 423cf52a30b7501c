/* Networks: sizes as published, names, descriptions. Their outputs are held against PyTorch's by
 * build/tests/parity. */
#include "../test.h"

#include "op/op.h"
#include "ganx/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct gx_params declared(const char *name, const char *changes)
{
    struct gx_network_spec spec;
    struct gx_err err = {""};
    struct gx_params params;
    assert_int_equal(gx_spec_from_name(&spec, name, &err), 0);
    for (const char *p = changes; *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ',')) {
        char key[32];
        int value;
        assert_int_equal(sscanf(p, "%31[^=]=%d", key, &value), 2);
        assert_int_equal(gx_spec_set(&spec, key, value, &err), 0);
    }
    gx_params_init(&params);
    if (gx_network_declare(&spec, &params, &err))
        fail_msg("%s: %s", name, err.text);
    return params;
}

/* Trained values, as the reference implementations print them when they start. */
static void test_parameter_counts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *changes;
        int64_t count;
    } cases[] = {
        {"unet_256", "", 54413955},
        {"unet_128", "", 41828995},
        {"resnet_9blocks", "", 11378179},
        {"resnet_6blocks", "", 7837699},
        {"basic", "cin=6", 2768705},
        {"basic", "norm=2", 2764737},
        {"pixel", "cin=6", 9024},
        {"star_generator", "", 8430528},
        {"star_discriminator", "", 44762048},
        {"vgg16", "", 14714688},
        {"vgg19", "", 20024384},
        {"srvgg_32", "", 1213296},
        {"rrdbnet_23", "", 16697987},
        {"rrdbnet", "scale=2", 16703171},
        {"msrresnet_16", "", 1517571},
        {"msrresnet", "scale=3", 1554499},
        {"srresnet", "", 1547350},
        {"sr_downscaler", "", 9 * 64 * (3 * 16 + 4 + 8 * 64 + 3) + 9 * 64 + 3},
        {"srgan_discriminator", "", 23563649},
        {"vgg_discriminator", "", 14499401},
        {"vgg_discriminator_256", "", 21055049},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gx_params params = declared(cases[i].name, cases[i].changes);
        int64_t count = 0;
        for (int k = 0; k < params.count; k++)
            if (gx_param_trained(params.param[k]))
                count += gx_count(params.param[k]->shape);
        if (count != cases[i].count)
            fail_msg("%s %s: %lld", cases[i].name, cases[i].changes, (long long)count);
        gx_params_clear(&params);
    }
}

static void test_dropout_moves_names(void **state)
{
    (void)state;
    struct gx_params without = declared("resnet_6blocks", "ngf=2");
    struct gx_params with = declared("resnet_6blocks", "ngf=2,drop=1");
    assert_non_null(gx_params_find(&without, "model.15.conv_block.5.weight"));
    assert_null(gx_params_find(&without, "model.15.conv_block.6.weight"));
    assert_non_null(gx_params_find(&with, "model.15.conv_block.6.weight"));
    assert_null(gx_params_find(&with, "model.15.conv_block.5.weight"));
    gx_params_clear(&without);
    gx_params_clear(&with);
}

/* Biases go where the reference puts them: everywhere before an instance norm, else at the
 * ends. */
static void test_biases(void **state)
{
    (void)state;
    struct gx_params batch = declared("unet_16", "ngf=2"),
                     none = declared("unet_16", "ngf=2,norm=0");
    struct gx_params instance = declared("unet_16", "ngf=2,norm=2");
    const char *inner = "model.model.1.model.3.model.1.bias", *last = "model.model.3.bias";
    assert_null(gx_params_find(&batch, inner));
    assert_null(gx_params_find(&none, inner));
    assert_non_null(gx_params_find(&instance, inner));
    assert_non_null(gx_params_find(&batch, last));
    assert_non_null(gx_params_find(&none, last));
    assert_non_null(gx_params_find(&instance, last));
    assert_int_equal(none.count, 4 * 2 + 1);
    gx_params_clear(&batch);
    gx_params_clear(&none);
    gx_params_clear(&instance);
}

/* Initialisation "sr" has small weights where BasicSR has them: in residual and dense blocks and in
 * all of MSRResNet. */
static void test_small_weights(void **state)
{
    (void)state;
    static const struct {
        const char *network, *tensor;
        bool small;
    } cases[] = {
        {"rrdbnet", "conv_first.weight", false},
        {"rrdbnet", "body.22.rdb3.conv5.weight", true},
        {"rrdbnet", "conv_body.weight", false},
        {"rrdbnet", "conv_last.weight", false},
        {"msrresnet", "conv_first.weight", true},
        {"msrresnet", "body.15.conv2.weight", true},
        {"msrresnet", "upconv2.weight", true},
        {"msrresnet", "conv_last.weight", true},
        {"sr_downscaler", "head.weight", false},
        {"sr_downscaler", "tail.weight", true},
        {"srvgg", "body.2.weight", false},
        {"srresnet", "body.0.b.0.weight", false},
        {"srgan_discriminator", "features.2.weight", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gx_params params = declared(cases[i].network, "");
        assert_int_equal(gx_params_find(&params, cases[i].tensor)->small, cases[i].small);
        gx_params_clear(&params);
    }
}

/* How many nodes of an operator a network has. */
static int nodes_of(const char *network, const char *op)
{
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_node *out[GX_OUTPUTS_MAX];
    assert_int_equal(gx_spec_from_name(&spec, network, NULL), 0);
    gx_params_init(&params);
    struct gx_graph *g = gx_graph_new();
    struct gx_build b = {.graph = g, .params = &params, .spec = &spec, .dropout = true};
    spec.network->build(&b, gx_input(g, (struct gx_shape){1, 256, 256, 3}, "x"), NULL, out);
    assert_int_equal(gx_graph_check(g, NULL), 0);
    int count = 0;
    for (int i = 0; i < gx_graph_nodes(g); i++)
        count += !strcmp(gx_graph_node(g, i)->op->name, op);
    gx_graph_free(&g);
    gx_params_clear(&params);
    return count;
}

static void test_dropout_places(void **state)
{
    (void)state;
    assert_int_equal(nodes_of("unet_256", "dropout"), 3);
    assert_int_equal(nodes_of("unet_128", "dropout"), 2);
    assert_int_equal(nodes_of("unet_32", "dropout"), 0);
    assert_int_equal(nodes_of("resnet_9blocks", "dropout"), 0);
}

static void test_specs(void **state)
{
    (void)state;
    struct gx_network_spec spec, back;
    struct gx_err err = {""};
    assert_int_equal(gx_spec_from_json(&spec,
                                       "{\"network\": \"unet\", \"norm\": \"instance\", "
                                       "\"drop\": false, \"downs\": 6}",
                                       &err),
                     0);
    assert_int_equal(gx_spec_get(&spec, "norm"), GX_NORM_INSTANCE);
    assert_int_equal(gx_spec_get(&spec, "drop"), 0);
    assert_int_equal(gx_spec_get(&spec, "ngf"), 64);
    assert_int_equal(gx_spec_get(&spec, "blocks"), 0);
    assert_int_equal(spec.network->multiple(&spec), 64);
    char *json = gx_spec_to_json(&spec);
    assert_string_equal(json, "{\"network\": \"unet\", \"cin\": 3, \"cout\": 3, \"downs\": 6, "
                              "\"ngf\": 64, \"norm\": \"instance\", \"drop\": false}");
    assert_int_equal(gx_spec_from_json(&back, json, &err), 0);
    assert_memory_equal(&spec, &back, sizeof spec);
    free(json);

    static const struct {
        const char *json, *text;
    } wrong[] = {
        {"{\"network\": \"unet\", \"depth\": 6}", "network 'unet' has no size 'depth'"},
        {"{\"network\": \"unet\", \"ngf\": 0}",
         "'ngf' of network 'unet' is 0, must be from 1 to 1024"},
        {"{\"network\": \"unet\", \"ngf\": \"many\"}",
         "'ngf' of network 'unet' must be a whole number"},
        {"{\"network\": \"unet\", \"ngf\": 1e3}", "'ngf' of network 'unet' must be a whole number"},
        {"{\"network\": \"unet\", \"norm\": \"layer\"}",
         "'norm' of network 'unet' is 'layer', must be one of: none, batch, instance"},
        {"{\"network\": \"unet\", \"drop\": 1}", "'drop' of network 'unet' must be true or false"},
        {"{\"network\": \"vnet\"}", "there is no network 'vnet'"},
        {"[1]", "a network's description has no text 'network'"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(gx_spec_from_json(&spec, wrong[i].json, &err), -GX_E_CONFIG);
        assert_string_equal(err.text, wrong[i].text);
    }
    assert_int_equal(gx_spec_from_json(&spec, "{", &err), -GX_E_CONFIG);
}

static void test_names(void **state)
{
    (void)state;
    struct gx_network_spec spec;
    struct gx_err err = {""};
    assert_int_equal(gx_spec_from_name(&spec, "unet_512", &err), 0);
    assert_int_equal(gx_spec_get(&spec, "downs"), 9);
    assert_int_equal(gx_spec_from_name(&spec, "resnet_6blocks", &err), 0);
    assert_int_equal(gx_spec_get(&spec, "blocks"), 6);
    assert_int_equal(gx_spec_from_name(&spec, "n_layers", &err), 0);
    assert_string_equal(spec.network->name, "patchgan");
    assert_int_equal(gx_spec_from_name(&spec, "rrdbnet_6", &err), 0);
    assert_int_equal(gx_spec_get(&spec, "nb"), 6);
    assert_int_equal(gx_spec_from_name(&spec, "srvgg_16", &err), 0);
    assert_int_equal(gx_spec_get(&spec, "nconv"), 16);
    assert_int_equal(gx_spec_from_name(&spec, "vgg_discriminator_256", &err), 0);
    assert_int_equal(gx_spec_get(&spec, "size"), 256);
    assert_int_equal(gx_spec_from_name(&spec, "rrdbnet_6x", &err), -GX_E_CONFIG);
    assert_int_equal(gx_spec_from_name(&spec, "rrdbnet_0", &err), -GX_E_CONFIG);
    assert_int_equal(gx_spec_from_name(&spec, "unet_100", &err), -GX_E_CONFIG);
    const char *start = "there is no network 'unet_100'; there are: unet_256, unet_128, "
                        "resnet_9blocks, resnet_6blocks, patchgan, pixel";
    assert_memory_equal(err.text, start, strlen(start)); /* new rows come after */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parameter_counts),
        cmocka_unit_test(test_dropout_moves_names),
        cmocka_unit_test(test_biases),
        cmocka_unit_test(test_small_weights),
        cmocka_unit_test(test_dropout_places),
        cmocka_unit_test(test_specs),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
