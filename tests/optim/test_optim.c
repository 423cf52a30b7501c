/* Optimizers against PyTorch's numbers (tests/reference/optim/make_optim.py), under every tier. */
#include "../test.h"
#include "../reference/optim/optim_numbers.h"
#include "optim/optim.h"

#include <math.h>
#include <string.h>

/* Two trained tensors with padding between them, and a statistic behind. */
static void make_params(struct gx_params *params)
{
    gx_params_init(params);
    gx_params_declare(params, "a", GX_PARAM_LINEAR, (struct gx_shape){1, 1, 3, FIRST / 3});
    gx_params_declare(params, "mean", GX_PARAM_RUNNING_MEAN, (struct gx_shape){1, 1, 1, 4});
    gx_params_declare(params, "b", GX_PARAM_BIAS, (struct gx_shape){1, 1, 1, COUNT - FIRST});
    assert_int_equal(gx_params_allocate(params, NULL), 0);
    assert_int_equal(gx_params_allocate_gradients(params, NULL), 0);
    memcpy(params->param[0]->data, start[0], FIRST * sizeof(float));
    memcpy(params->param[2]->data, start[0] + FIRST, (COUNT - FIRST) * sizeof(float));
}

static void set_gradient(struct gx_params *params, int step)
{
    memcpy(params->param[0]->grad, gradient[step], FIRST * sizeof(float));
    memcpy(params->param[2]->grad, gradient[step] + FIRST, (COUNT - FIRST) * sizeof(float));
}

static void check_weights(const struct gx_params *params, const float *block, const float *want)
{
    for (int i = 0; i < COUNT; i++) {
        int64_t at = i < FIRST ? i : params->param[2]->offset + i - FIRST;
        if (!(fabsf(block[at] - want[i]) <= 1e-6f))
            fail_msg("weight %d is %.9g, not %.9g", i, (double)block[at], (double)want[i]);
    }
    assert_true(block[FIRST] == 0); /* the padding */
}

static void follow(struct gx_optim_settings settings, double lr, const float (*want)[COUNT])
{
    const struct gx_kernels *kernels;
    for (int tier = 0; (kernels = gx_kernels_at(tier)); tier++) {
        struct gx_params params;
        struct gx_optim optim;
        make_params(&params);
        assert_int_equal(gx_optim_init(&optim, &settings, &params, NULL), 0);
        for (int step = 0; step < STEPS; step++) {
            set_gradient(&params, step);
            gx_optim_step(&optim, lr, kernels, 2);
            check_weights(&params, params.data, want[step]);
        }
        assert_int_equal(optim.t, STEPS);
        gx_optim_clear(&optim);
        gx_params_clear(&params);
    }
}

static void follows_adam(void **state)
{
    (void)state;
    struct gx_optim_settings s = gx_optim_defaults(GX_OPTIM_ADAM);
    s.beta1 = 0.5;
    follow(s, 0.01, adam_pix2pix);
    s.clip_norm = 3;
    follow(s, 0.01, adam_clipped);
    s = gx_optim_defaults(GX_OPTIM_ADAM);
    s.beta2 = 0.99;
    s.weight_decay = 0.1;
    follow(s, 0.02, adam_decay);
}

static void follows_rmsprop(void **state)
{
    (void)state;
    struct gx_optim_settings s = gx_optim_defaults(GX_OPTIM_RMSPROP);
    s.weight_decay = 0.05;
    s.clamp = 0.5;
    follow(s, 0.01, rmsprop_clamped);
    s = gx_optim_defaults(GX_OPTIM_RMSPROP);
    s.alpha = 0.9;
    follow(s, 0.01, rmsprop);
}

static void follows_sgd(void **state)
{
    (void)state;
    struct gx_optim_settings s = gx_optim_defaults(GX_OPTIM_SGD);
    follow(s, 0.05, sgd);
    s.momentum = 0.9;
    follow(s, 0.05, sgd_momentum);
    s.momentum = 0.8;
    s.nesterov = true;
    s.weight_decay = 0.1;
    follow(s, 0.05, sgd_nesterov);
}

static void follows_average(void **state)
{
    (void)state;
    const struct gx_kernels *kernels = gx_kernels_best();
    struct gx_optim_settings s = gx_optim_defaults(GX_OPTIM_SGD);
    struct gx_params params;
    struct gx_optim optim;
    struct gx_average average;
    make_params(&params);
    assert_int_equal(gx_optim_init(&optim, &s, &params, NULL), 0);
    assert_int_equal(gx_average_init(&average, &params, 0.9, NULL), 0);
    assert_int_equal(gx_average_bytes(&params), 48 * sizeof(float));
    for (int step = 0; step < STEPS; step++) {
        set_gradient(&params, step);
        params.param[1]->data[2] = (float)step; /* a statistic, which is copied */
        gx_optim_step(&optim, 0.05, kernels, 1);
        gx_average_update(&average, kernels, 1);
        check_weights(&params, average.data, averaged[step]);
        assert_true(average.data[params.param[1]->offset + 2] == (float)step);
    }
    gx_average_swap(&average);
    check_weights(&params, params.data, averaged[STEPS - 1]);
    check_weights(&params, average.data, sgd[STEPS - 1]);
    gx_average_clear(&average);
    gx_optim_clear(&optim);
    gx_params_clear(&params);
}

/* A second optimizer that takes over the saved arrays and t goes on bit for bit. */
static void state_is_whole(void **unused)
{
    (void)unused;
    const struct gx_kernels *kernels = gx_kernels_best();
    struct gx_optim_settings settings[3] = {gx_optim_defaults(GX_OPTIM_ADAM),
                                            gx_optim_defaults(GX_OPTIM_RMSPROP),
                                            gx_optim_defaults(GX_OPTIM_SGD)};
    const char *const names[3][2] = {
        {"exp_avg", "exp_avg_sq"}, {"square_avg", NULL}, {"momentum_buffer", NULL}};
    settings[2].momentum = 0.9;
    for (int k = 0; k < 3; k++) {
        struct gx_params a, b;
        struct gx_optim from, to;
        make_params(&a);
        make_params(&b);
        assert_int_equal(gx_optim_init(&from, &settings[k], &a, NULL), 0);
        assert_int_equal(gx_optim_init(&to, &settings[k], &b, NULL), 0);
        for (int step = 0; step < 5; step++) {
            set_gradient(&a, step);
            gx_optim_step(&from, 0.01, kernels, 1);
        }
        memcpy(b.data, a.data, (size_t)a.total * sizeof(float));
        int arrays = k == 0 ? 2 : 1, count = 0;
        const struct gx_param *pa, *pb;
        const char *na, *nb;
        for (const float *x; (x = gx_optim_state(&from, count, &pa, &na)); count++) {
            float *y = gx_optim_state(&to, count, &pb, &nb);
            assert_string_equal(na, names[k][count % arrays]);
            assert_string_equal(pa->name, count < arrays ? "a" : "b");
            assert_string_equal(pa->name, pb->name);
            memcpy(y, x, (size_t)gx_count(pa->shape) * sizeof(float));
        }
        assert_int_equal(count, 2 * arrays);
        to.t = from.t;
        for (int step = 5; step < STEPS; step++) {
            set_gradient(&a, step);
            set_gradient(&b, step);
            gx_optim_step(&from, 0.01, kernels, 1);
            gx_optim_step(&to, 0.01, kernels, 1);
        }
        assert_memory_equal(a.data, b.data, (size_t)a.total * sizeof(float));
        gx_optim_clear(&from);
        gx_optim_clear(&to);
        gx_params_clear(&a);
        gx_params_clear(&b);
    }
}

static void bytes_before_memory(void **state)
{
    (void)state;
    struct gx_params params;
    gx_params_init(&params);
    gx_params_declare(&params, "a", GX_PARAM_BIAS, (struct gx_shape){1, 1, 1, 17});
    gx_params_layout(&params);
    struct gx_optim_settings s = gx_optim_defaults(GX_OPTIM_ADAM);
    assert_int_equal(gx_optim_bytes(&s, &params), 2 * 32 * sizeof(float));
    s = gx_optim_defaults(GX_OPTIM_RMSPROP);
    assert_int_equal(gx_optim_bytes(&s, &params), 32 * sizeof(float));
    s = gx_optim_defaults(GX_OPTIM_SGD);
    assert_int_equal(gx_optim_bytes(&s, &params), 0);
    s.momentum = 0.5;
    assert_int_equal(gx_optim_bytes(&s, &params), 32 * sizeof(float));
    gx_params_clear(&params);
}

static void names_bad_gradient(void **state)
{
    (void)state;
    const float bad[] = {INFINITY, -INFINITY, NAN};
    struct gx_params params;
    struct gx_err err;
    make_params(&params);
    const struct gx_kernels *kernels = gx_kernels_best();
    params.grad[2] = 3e38f; /* large is not infinite */
    assert_int_equal(gx_optim_check(&params, kernels, 1, &err), 0);
    for (int i = 0; i < 3; i++) {
        params.param[2]->grad[COUNT - FIRST - 1] = bad[i];
        assert_int_equal(gx_optim_check(&params, kernels, 1, &err), -GX_E_NUMERIC);
        assert_string_equal(err.text, "the gradient of 'b' is not finite");
    }
    params.grad[0] = NAN;
    assert_int_equal(gx_optim_check(&params, kernels, 1, &err), -GX_E_NUMERIC);
    assert_string_equal(err.text, "the gradient of 'a' is not finite");
    gx_params_clear(&params);
}

static void refuses_settings(void **state)
{
    (void)state;
    struct gx_params params;
    struct gx_optim optim;
    struct gx_err err;
    make_params(&params);
    struct gx_optim_settings s = gx_optim_defaults(GX_OPTIM_ADAM);
    s.beta2 = 1;
    assert_int_equal(gx_optim_init(&optim, &s, &params, &err), -GX_E_CONFIG);
    assert_string_equal(err.text, "optimizer adam: beta2 is 1, not in [0, 1)");
    gx_optim_clear(&optim);
    s = gx_optim_defaults(GX_OPTIM_RMSPROP);
    s.eps = 0;
    assert_int_equal(gx_optim_init(&optim, &s, &params, &err), -GX_E_CONFIG);
    s = gx_optim_defaults(GX_OPTIM_SGD);
    s.nesterov = true;
    assert_int_equal(gx_optim_init(&optim, &s, &params, &err), -GX_E_CONFIG);
    s.nesterov = false;
    s.clip_norm = -1;
    assert_int_equal(gx_optim_init(&optim, &s, &params, &err), -GX_E_CONFIG);
    struct gx_average average;
    assert_int_equal(gx_average_init(&average, &params, 1, &err), -GX_E_CONFIG);
    assert_int_equal(gx_optim_kind_named("rmsprop"), GX_OPTIM_RMSPROP);
    assert_int_equal(gx_optim_kind_named("adamw"), -1);
    gx_params_clear(&params);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_adam),       cmocka_unit_test(follows_rmsprop),
        cmocka_unit_test(follows_sgd),        cmocka_unit_test(follows_average),
        cmocka_unit_test(state_is_whole),     cmocka_unit_test(bytes_before_memory),
        cmocka_unit_test(names_bad_gradient), cmocka_unit_test(refuses_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
