/* First weights: moments against torch.nn.init's formulas, orthogonality, repeatability, and that a
 * tensor's numbers depend on nothing but seed, network and name. */
#include "../test.h"
#include "ganx/network.h"

#include <math.h>
#include <string.h>

static void declare(struct gx_params *params)
{
    gx_params_init(params);
    gx_params_declare(params, "conv.weight", GX_PARAM_CONV, (struct gx_shape){3, 3, 20, 50});
    gx_params_declare(params, "up.weight", GX_PARAM_CONV_TRANSPOSED,
                      (struct gx_shape){4, 4, 12, 60});
    gx_params_declare(params, "fc.weight", GX_PARAM_LINEAR, (struct gx_shape){1, 1, 80, 100});
    gx_params_declare(params, "conv.bias", GX_PARAM_BIAS, (struct gx_shape){1, 1, 1, 50});
    gx_params_declare(params, "n.weight", GX_PARAM_NORM_WEIGHT, (struct gx_shape){1, 1, 1, 5001});
    gx_params_declare(params, "n.bias", GX_PARAM_NORM_BIAS, (struct gx_shape){1, 1, 1, 50});
    gx_params_declare(params, "n.mean", GX_PARAM_RUNNING_MEAN, (struct gx_shape){1, 1, 1, 50});
    gx_params_declare(params, "n.var", GX_PARAM_RUNNING_VAR, (struct gx_shape){1, 1, 1, 50});
    gx_params_declare(params, "p.weight", GX_PARAM_SLOPE, (struct gx_shape){1, 1, 1, 3});
    gx_params_declare(params, "conv.u", GX_PARAM_STATE, (struct gx_shape){1, 1, 1, 50});
    assert_int_equal(gx_params_allocate(params, NULL), 0);
    memset(params->data, 0xff, (size_t)params->total * sizeof(float)); /* all must be written */
}

static void check_moments(const struct gx_params *params, const char *name, double mean,
                          double deviation)
{
    const struct gx_param *p = gx_params_find(params, name);
    int64_t count = gx_count(p->shape);
    double sum = 0, square = 0;
    for (int64_t i = 0; i < count; i++)
        sum += p->data[i];
    for (int64_t i = 0; i < count; i++)
        square += (p->data[i] - sum / (double)count) * (p->data[i] - sum / (double)count);
    double error = deviation / sqrt((double)count);
    assert_true(fabs(sum / (double)count - mean) < 4 * error);
    assert_true(fabs(sqrt(square / (double)count) - deviation) < 4 * error);
}

static void check_all(const struct gx_params *params, const char *name, float value)
{
    const struct gx_param *p = gx_params_find(params, name);
    for (int64_t i = 0; i < gx_count(p->shape); i++)
        assert_true(p->data[i] == value);
}

static void check_uniform(const struct gx_params *params, const char *name, double bound)
{
    const struct gx_param *p = gx_params_find(params, name);
    check_moments(params, name, 0, bound / sqrt(3));
    for (int64_t i = 0; i < gx_count(p->shape); i++)
        assert_true(fabs(p->data[i]) <= bound);
}

static void distributions(void **state)
{
    (void)state;
    struct gx_params params;
    declare(&params);
    gx_params_initialise(&params, GX_INIT_NORMAL, 0.02, 1, "G");
    check_moments(&params, "conv.weight", 0, 0.02);
    check_moments(&params, "up.weight", 0, 0.02);
    check_moments(&params, "fc.weight", 0, 0.02);
    check_moments(&params, "n.weight", 1, 0.02);
    check_all(&params, "conv.bias", 0);
    check_all(&params, "n.bias", 0);
    check_all(&params, "n.mean", 0);
    check_all(&params, "n.var", 1);
    check_all(&params, "p.weight", 0.25f);

    gx_params_initialise(&params, GX_INIT_XAVIER, 0.5, 1, "G");
    check_moments(&params, "conv.weight", 0, 0.5 * sqrt(2.0 / (20 * 9 + 50 * 9)));
    check_moments(&params, "up.weight", 0, 0.5 * sqrt(2.0 / (12 * 16 + 60 * 16)));
    check_moments(&params, "fc.weight", 0, 0.5 * sqrt(2.0 / (80 + 100)));
    check_moments(&params, "n.weight", 1, 0.5);

    gx_params_initialise(&params, GX_INIT_KAIMING, 0.02, 1, "G");
    check_moments(&params, "conv.weight", 0, sqrt(2.0 / (20 * 9)));
    check_moments(&params, "up.weight", 0, sqrt(2.0 / (12 * 16)));
    check_moments(&params, "fc.weight", 0, sqrt(2.0 / 100));

    gx_params_initialise(&params, GX_INIT_TORCH, 0.02, 1, "G");
    check_uniform(&params, "conv.weight", 1 / sqrt(20 * 9));
    check_uniform(&params, "conv.bias", 1 / sqrt(20 * 9));
    check_uniform(&params, "up.weight", 1 / sqrt(12 * 16));
    check_uniform(&params, "fc.weight", 1 / sqrt(100));
    check_all(&params, "n.weight", 1);
    check_all(&params, "n.bias", 0);

    /* BasicSR's way: residual convolutions small, the rest as PyTorch has it. */
    gx_params_find(&params, "conv.weight")->small = true;
    gx_params_initialise(&params, GX_INIT_SR, 0.02, 1, "G");
    check_moments(&params, "conv.weight", 0, 0.1 * sqrt(2.0 / (20 * 9)));
    check_all(&params, "conv.bias", 0);
    check_uniform(&params, "up.weight", 1 / sqrt(12 * 16));
    check_uniform(&params, "fc.weight", 1 / sqrt(100));
    check_all(&params, "n.weight", 1);
    check_all(&params, "p.weight", 0.25f);

    const struct gx_param *u = gx_params_find(&params, "conv.u");
    double square = 0;
    for (int i = 0; i < 50; i++)
        square += (double)u->data[i] * u->data[i];
    assert_true(fabs(square - 1) < 1e-6);
    gx_params_clear(&params);
}

/* W W^T, or W^T W where W is tall, with W in the disk's order, is gain^2 I. */
static void check_orthogonal(const struct gx_params *params, const char *name, double gain)
{
    enum { MOST = 16384 };
    static float disk[MOST];
    const struct gx_param *p = gx_params_find(params, name);
    int64_t dims[4], rows, cols, count = gx_count(p->shape);
    assert_true(count <= MOST);
    gx_param_dims(p, dims);
    gx_param_to_disk(p, p->data, disk);
    rows = dims[0];
    cols = count / rows;
    int64_t vectors = rows > cols ? cols : rows, length = count / vectors;
    int64_t step = rows > cols ? 1 : cols, stride = rows > cols ? cols : 1;
    for (int64_t a = 0; a < vectors; a++) {
        for (int64_t b = 0; b <= a; b++) {
            double dot = 0;
            for (int64_t i = 0; i < length; i++)
                dot += (double)disk[a * step + i * stride] * disk[b * step + i * stride];
            assert_true(fabs(dot - (a == b ? gain * gain : 0)) < 1e-6 * gain * gain);
        }
    }
}

static void orthogonal(void **state)
{
    (void)state;
    struct gx_params params;
    gx_params_init(&params);
    gx_params_declare(&params, "wide", GX_PARAM_CONV, (struct gx_shape){3, 3, 20, 50});
    gx_params_declare(&params, "tall", GX_PARAM_CONV, (struct gx_shape){1, 2, 3, 50});
    gx_params_declare(&params, "up", GX_PARAM_CONV_TRANSPOSED, (struct gx_shape){4, 4, 3, 70});
    gx_params_declare(&params, "square", GX_PARAM_LINEAR, (struct gx_shape){1, 1, 64, 64});
    gx_params_declare(&params, "tall fc", GX_PARAM_LINEAR, (struct gx_shape){1, 1, 64, 9});
    assert_int_equal(gx_params_allocate(&params, NULL), 0);
    gx_params_initialise(&params, GX_INIT_ORTHOGONAL, 0.5, 1, "G");
    for (int i = 0; i < params.count; i++)
        check_orthogonal(&params, params.param[i]->name, 0.5);
    gx_params_clear(&params);
}

static void keyed_by_name(void **state)
{
    (void)state;
    const enum gx_init_kind kinds[] = {GX_INIT_NORMAL, GX_INIT_ORTHOGONAL};
    for (int k = 0; k < 2; k++) {
        struct gx_params a, b;
        declare(&a);
        gx_params_init(&b);
        gx_params_declare(&b, "other.weight", GX_PARAM_CONV, (struct gx_shape){3, 3, 20, 50});
        gx_params_declare(&b, "conv.weight", GX_PARAM_CONV, (struct gx_shape){3, 3, 20, 50});
        assert_int_equal(gx_params_allocate(&b, NULL), 0);
        const float *wa = gx_params_find(&a, "conv.weight")->data;
        const float *wb = gx_params_find(&b, "conv.weight")->data;
        size_t bytes = 9000 * sizeof(float);
        gx_params_initialise(&a, kinds[k], 0.02, 7, "G");
        gx_params_initialise(&b, kinds[k], 0.02, 7, "G");
        assert_memory_equal(wa, wb, bytes);
        assert_memory_not_equal(wb, gx_params_find(&b, "other.weight")->data, bytes);
        gx_params_initialise(&b, kinds[k], 0.02, 8, "G");
        assert_memory_not_equal(wa, wb, bytes);
        gx_params_initialise(&b, kinds[k], 0.02, 7, "D");
        assert_memory_not_equal(wa, wb, bytes);
        gx_params_clear(&a);
        gx_params_clear(&b);
    }
}

/* Padding between tensors stays zero, so that sweeps over the whole block may read it. */
static void padding(void **state)
{
    (void)state;
    struct gx_params params;
    gx_params_init(&params);
    gx_params_declare(&params, "a", GX_PARAM_CONV, (struct gx_shape){1, 1, 3, 3});
    gx_params_declare(&params, "b", GX_PARAM_NORM_WEIGHT, (struct gx_shape){1, 1, 1, 5});
    assert_int_equal(gx_params_allocate(&params, NULL), 0);
    gx_params_initialise(&params, GX_INIT_NORMAL, 0.02, 1, "G");
    for (int i = 0; i < 32; i++)
        assert_true((params.data[i] == 0) == (i % 16 >= (i < 16 ? 9 : 5)));
    gx_params_clear(&params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions),
        cmocka_unit_test(orthogonal),
        cmocka_unit_test(keyed_by_name),
        cmocka_unit_test(padding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
