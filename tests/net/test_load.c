/* Weight files and networks: recognising, explaining what differs, moving in and out. */
#include "../test.h"

#include "ganx/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static struct gx_network_spec spec_of(const char *json)
{
    struct gx_network_spec spec;
    struct gx_err err = {""};
    if (gx_spec_from_json(&spec, json, &err))
        fail_msg("%s", err.text);
    return spec;
}

/* A network's parameters with a different number in every place. */
static struct gx_params filled(const char *json)
{
    struct gx_network_spec spec = spec_of(json);
    struct gx_params params;
    struct gx_err err = {""};
    gx_params_init(&params);
    if (gx_network_declare(&spec, &params, &err) || gx_params_allocate(&params, &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < params.count; i++)
        for (int64_t k = 0; k < gx_count(params.param[i]->shape); k++)
            params.param[i]->data[k] = (float)(i + 1) + (float)k / 4096;
    return params;
}

/* Writes the parameters, and after them `extra` tensors of one value each; NULL: none. */
static struct gx_weights *written(const struct gx_params *params, enum gx_params_part part,
                                  const char *prefix, const char *const *extra)
{
    struct gx_entries rows = {0};
    struct gx_weights_writer *writer = NULL;
    struct gx_weights *file = NULL;
    struct gx_err err = {""};
    gx_params_entries(&rows, params, part, prefix, GX_F32);
    for (int i = 0; extra && extra[i]; i++)
        gx_entries_add(&rows, extra[i], GX_F32, 1, (int64_t[]){1});
    int r = gx_weights_write_begin(&writer, path, rows.row, rows.count, NULL, 0, &err);
    if (!r)
        r = gx_params_write(params, part, params->data, writer, &err);
    for (int i = 0; !r && extra && extra[i]; i++)
        r = gx_weights_write_next(writer, (float[]){7}, &err);
    if (r || gx_weights_write_commit(&writer, &err) || gx_weights_open(&file, path, &err))
        fail_msg("%s", err.text);
    gx_entries_clear(&rows);
    return file;
}

static const char small[] = "{\"network\": \"patchgan\", \"cin\": 1, \"ndf\": 2, \"n_layers\": 1, "
                            "\"norm\": \"batch\"}";
static const char small_instance[] = "{\"network\": \"patchgan\", \"cin\": 1, \"ndf\": 2, "
                                     "\"n_layers\": 1, \"norm\": \"instance\"}";

static void test_round_trip(void **state)
{
    (void)state;
    static const char *const nets[] = {
        small, "{\"network\": \"unet\", \"downs\": 3, \"ngf\": 2, \"norm\": \"batch\"}",
        /* tensors that are read in parts */
        "{\"network\": \"unet\", \"downs\": 4, \"ngf\": 25, \"norm\": \"batch\"}",
        "{\"network\": \"resnet\", \"blocks\": 1, \"ngf\": 2, \"norm\": \"batch\"}",
        "{\"network\": \"patchgan\", \"cin\": 1, \"ndf\": 2, \"spectral\": true}"};
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        struct gx_params from = filled(nets[i]), to = filled(nets[i]);
        struct gx_err err = {""};
        struct gx_weights *file = written(&from, GX_PARTS_ALL, "G.", NULL);
        assert_int_equal(gx_weights_count(file), from.count);
        for (int k = 0; k < to.count; k++)
            memset(to.param[k]->data, 0, (size_t)gx_count(to.param[k]->shape) * sizeof(float));
        if (gx_params_load(&to, file, "G.", &err))
            fail_msg("%s", err.text);
        for (int k = 0; k < to.count; k++)
            assert_memory_equal(to.param[k]->data, from.param[k]->data,
                                (size_t)gx_count(to.param[k]->shape) * sizeof(float));
        gx_weights_close(&file);
        gx_params_clear(&from);
        gx_params_clear(&to);
    }
    unlink(path);
}

/* A block of trained values alone goes round too; statistics are neither written nor asked for. */
static void test_trained_part(void **state)
{
    (void)state;
    struct gx_params params = filled(small);
    struct gx_err err = {""};
    struct gx_weights *file = written(&params, GX_PARTS_TRAINED, "m.", NULL);
    assert_int_equal(gx_weights_find(file, "m.model.3.running_mean"), -1);
    float *block = calloc((size_t)params.trained, sizeof *block);
    assert_int_equal(gx_params_load_block(&params, GX_PARTS_TRAINED, block, file, "m.", &err), 0);
    for (int i = 0; i < params.count; i++)
        if (gx_param_trained(params.param[i]))
            assert_memory_equal(block + params.param[i]->offset, params.param[i]->data,
                                (size_t)gx_count(params.param[i]->shape) * sizeof(float));
    free(block);
    gx_weights_close(&file);
    gx_params_clear(&params);
    unlink(path);
}

/* Loads what `from` holds, with extra tensors, into the network `to`; gives the message. */
static struct gx_err mismatch(const char *from, const char *to, const char *const *extra)
{
    struct gx_params a = filled(from), b = filled(to);
    struct gx_err err = {""};
    struct gx_weights *file = written(&a, GX_PARTS_ALL, "", extra);
    assert_int_equal(gx_params_load(&b, file, "", &err), -GX_E_FORMAT);
    gx_weights_close(&file);
    gx_params_clear(&a);
    gx_params_clear(&b);
    unlink(path);
    return err;
}

static void test_differences(void **state)
{
    (void)state;
    static const char wide[] =
        "{\"network\": \"patchgan\", \"cin\": 3, \"ndf\": 2, \"n_layers\": 1, "
        "\"norm\": \"batch\"}";
    static const char deep[] =
        "{\"network\": \"patchgan\", \"cin\": 1, \"ndf\": 2, \"n_layers\": 2, "
        "\"norm\": \"batch\"}";
    assert_string_equal(mismatch(small, wide, NULL).text,
                        "the weights do not fit the network, 1 difference: 'model.0.weight' is "
                        "(2, 1, 4, 4), should be (2, 3, 4, 4)");
    assert_string_equal(mismatch(small, small, (const char *const[]){"model.0.scale", NULL}).text,
                        "the weights do not fit the network, 1 difference: 'model.0.scale' (1) is "
                        "unexpected");
    assert_string_equal(
        mismatch(small, small_instance, NULL).text,
        "the weights do not fit the network, 5 differences: 'model.2.bias' (4) is missing; "
        "'model.3.weight' (4) is unexpected; 'model.3.bias' (4) is unexpected; "
        "'model.3.running_mean' (4) is unexpected; 'model.3.running_var' (4) is unexpected");
    assert_string_equal(
        mismatch(small, deep, NULL).text,
        "the weights do not fit the network, 6 differences: 'model.5.weight' is (1, 4, 4, 4), "
        "should be (8, 4, 4, 4); 'model.6.weight' (8) is missing; 'model.6.bias' (8) is missing; "
        "'model.8.weight' (1, 8, 4, 4) is missing; 'model.8.bias' (1) is missing; ...");
}

/* What PyTorch adds of its own accord, or old files keep, is no difference. */
static void test_leftovers(void **state)
{
    (void)state;
    static const char *const counter[] = {"model.3.num_batches_tracked", NULL};
    static const char *const statistics[] = {"model.3.running_mean", "model.3.running_var", NULL};
    struct gx_params batch = filled(small), instance = filled(small_instance);
    struct gx_err err = {""};
    struct gx_weights *file = written(&batch, GX_PARTS_ALL, "", counter);
    if (gx_params_load(&batch, file, "", &err))
        fail_msg("%s", err.text);
    gx_weights_close(&file);

    struct gx_network_spec spec;
    file = written(&instance, GX_PARTS_ALL, "", statistics);
    if (gx_params_load(&instance, file, "", &err) || gx_network_infer(&spec, file, "", &err))
        fail_msg("%s", err.text);
    assert_int_equal(gx_spec_get(&spec, "norm"), GX_NORM_INSTANCE);
    gx_weights_close(&file);
    gx_params_clear(&batch);
    gx_params_clear(&instance);
    unlink(path);
}

static void test_missing_statistics(void **state)
{
    (void)state;
    struct gx_params params = filled(small);
    struct gx_err err = {""};
    struct gx_weights *file = written(&params, GX_PARTS_TRAINED, "", NULL);
    if (gx_params_load(&params, file, "", &err))
        fail_msg("%s", err.text);
    const struct gx_param *mean = gx_params_find(&params, "model.3.running_mean");
    const struct gx_param *var = gx_params_find(&params, "model.3.running_var");
    for (int i = 0; i < mean->shape.c; i++) {
        assert_true(mean->data[i] == 0);
        assert_true(var->data[i] == 1);
    }
    gx_weights_close(&file);
    gx_params_clear(&params);
    unlink(path);
}

static void test_not_finite(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct gx_params params = filled(small);
        struct gx_err err = {""};
        gx_params_find(&params, "model.2.weight")->data[5] = bad[i];
        struct gx_weights *file = written(&params, GX_PARTS_ALL, "", NULL);
        assert_int_equal(gx_params_load(&params, file, "", &err), -GX_E_FORMAT);
        assert_string_equal(err.text, "tensor 'model.2.weight' holds values that are not finite");
        gx_weights_close(&file);
        gx_params_clear(&params);
    }
    unlink(path);
}

static void test_inference(void **state)
{
    (void)state;
    static const char *const nets[] = {
        "{\"network\": \"unet\", \"cin\": 1, \"cout\": 4, \"downs\": 2, \"ngf\": 3, "
        "\"norm\": \"batch\", \"drop\": true}",
        "{\"network\": \"unet\", \"cin\": 3, \"cout\": 1, \"downs\": 3, \"ngf\": 2, "
        "\"norm\": \"instance\", \"drop\": true}",
        "{\"network\": \"unet\", \"cin\": 3, \"cout\": 3, \"downs\": 6, \"ngf\": 1, "
        "\"norm\": \"none\", \"drop\": true}",
        "{\"network\": \"resnet\", \"cin\": 4, \"cout\": 1, \"ngf\": 2, \"blocks\": 2, "
        "\"norm\": \"none\", \"drop\": true}",
        "{\"network\": \"resnet\", \"cin\": 3, \"cout\": 3, \"ngf\": 2, \"blocks\": 1, "
        "\"norm\": \"batch\", \"drop\": false}",
        "{\"network\": \"patchgan\", \"cin\": 6, \"ndf\": 2, \"n_layers\": 4, \"norm\": \"none\", "
        "\"spectral\": false}",
        "{\"network\": \"patchgan\", \"cin\": 6, \"ndf\": 2, \"n_layers\": 2, \"norm\": \"batch\", "
        "\"spectral\": true}",
        "{\"network\": \"pixel\", \"cin\": 6, \"ndf\": 2, \"norm\": \"instance\", "
        "\"spectral\": false}",
        "{\"network\": \"pixel\", \"cin\": 1, \"ndf\": 3, \"norm\": \"none\", "
        "\"spectral\": true}",
        "{\"network\": \"star_generator\", \"dim\": 2, \"c_dim\": 5, \"blocks\": 3}",
        "{\"network\": \"star_discriminator\", \"size\": 96, \"dim\": 1, \"c_dim\": 2, "
        "\"layers\": 5, \"spectral\": false}",
        "{\"network\": \"star_discriminator\", \"size\": 8, \"dim\": 2, \"c_dim\": 3, "
        "\"layers\": 2, \"spectral\": true}",
        "{\"network\": \"unet_discriminator_sn\", \"cin\": 2, \"nf\": 3}",
        "{\"network\": \"srvgg\", \"cin\": 4, \"cout\": 4, \"nf\": 2, \"nconv\": 1, \"scale\": 3}",
        "{\"network\": \"rrdbnet\", \"cin\": 1, \"cout\": 1, \"nf\": 2, \"nb\": 2, \"gc\": 3, "
        "\"scale\": 4, \"direct\": false}",
        "{\"network\": \"rrdbnet\", \"cin\": 4, \"cout\": 4, \"nf\": 2, \"nb\": 1, \"gc\": 2, "
        "\"scale\": 2, \"direct\": false}",
        "{\"network\": \"rrdbnet\", \"cin\": 1, \"cout\": 1, \"nf\": 2, \"nb\": 1, \"gc\": 1, "
        "\"scale\": 1, \"direct\": false}",
        "{\"network\": \"rrdbnet\", \"cin\": 1, \"cout\": 3, \"nf\": 2, \"nb\": 1, \"gc\": 1, "
        "\"scale\": 4, \"direct\": false}",
        "{\"network\": \"rrdbnet\", \"cin\": 3, \"cout\": 3, \"nf\": 2, \"nb\": 1, \"gc\": 1, "
        "\"scale\": 1, \"direct\": true}",
        "{\"network\": \"rrdbnet\", \"cin\": 3, \"cout\": 3, \"nf\": 2, \"nb\": 1, \"gc\": 1, "
        "\"scale\": 8, \"direct\": true}",
        "{\"network\": \"msrresnet\", \"cin\": 3, \"cout\": 3, \"nf\": 2, \"nb\": 3, \"scale\": 2}",
        "{\"network\": \"msrresnet\", \"cin\": 1, \"cout\": 1, \"nf\": 1, \"nb\": 1, \"scale\": 3}",
        "{\"network\": \"msrresnet\", \"cin\": 3, \"cout\": 3, \"nf\": 2, \"nb\": 1, \"scale\": 4}",
        "{\"network\": \"srresnet\", \"cin\": 3, \"cout\": 3, \"nf\": 2, \"nb\": 2, \"scale\": 2}",
        "{\"network\": \"srresnet\", \"cin\": 1, \"cout\": 3, \"nf\": 3, \"nb\": 1, \"scale\": 3}",
        "{\"network\": \"srresnet\", \"cin\": 3, \"cout\": 3, \"nf\": 2, \"nb\": 1, \"scale\": 4}",
        "{\"network\": \"srgan_discriminator\", \"cin\": 1, \"nf\": 2, \"hidden\": 3}",
        "{\"network\": \"vgg_discriminator\", \"cin\": 3, \"nf\": 1, \"size\": 128}",
        "{\"network\": \"vgg_discriminator\", \"cin\": 6, \"nf\": 2, \"size\": 256}",
    };
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        struct gx_params params = filled(nets[i]);
        struct gx_network_spec spec;
        struct gx_err err = {""};
        struct gx_weights *file = written(&params, GX_PARTS_ALL, "D_A.", NULL);
        if (gx_network_infer(&spec, file, "D_A.", &err))
            fail_msg("%s", err.text);
        char *json = gx_spec_to_json(&spec);
        assert_string_equal(json, nets[i]);
        free(json);
        gx_weights_close(&file);
        gx_params_clear(&params);
    }
    unlink(path);
}

static void test_unknown(void **state)
{
    (void)state;
    struct gx_params none;
    struct gx_network_spec spec;
    struct gx_err err = {""};
    gx_params_init(&none);
    struct gx_weights *file =
        written(&none, GX_PARTS_ALL, "", (const char *const[]){"conv_first.bias", NULL});
    assert_int_equal(gx_network_infer(&spec, file, "", &err), -GX_E_FORMAT);
    assert_string_equal(err.text, "the weights belong to no network that is known: "
                                  "'conv_first.bias' (1)");
    assert_int_equal(gx_network_infer(&spec, file, "G.", &err), -GX_E_FORMAT);
    assert_string_equal(err.text, "no tensor's name starts with 'G.'");
    gx_weights_close(&file);
    unlink(path);
}

int main(void)
{
    snprintf(path, sizeof path, "/tmp/ganx-test-load-%ld.safetensors", (long)getpid());
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),         cmocka_unit_test(test_trained_part),
        cmocka_unit_test(test_differences),        cmocka_unit_test(test_leftovers),
        cmocka_unit_test(test_missing_statistics), cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_inference),          cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
