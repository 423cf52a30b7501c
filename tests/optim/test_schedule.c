/* Learning-rate schedules against PyTorch's (tests/reference/optim/make_optim.py). */
#include "../test.h"
#include "../reference/optim/schedule_numbers.h"
#include "optim/schedule.h"

#include <math.h>
#include <stdio.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static void check(const struct gx_schedule *s, const double *want, int count)
{
    assert_int_equal(gx_schedule_check(s, NULL), 0);
    for (int u = 0; u < count; u++)
        if (!(fabs(gx_schedule_lr(s, u) - want[u]) <= 1e-12 * s->lr))
            fail_msg("rate of unit %d is %.17g, not %.17g", u, gx_schedule_lr(s, u), want[u]);
}

static void follows_torch(void **state)
{
    (void)state;
    struct gx_schedule s = {GX_SCHEDULE_LINEAR, .lr = 2e-4, .decay_from = 0.6, .total = 20};
    check(&s, linear, COUNT(linear));
    assert_true(gx_schedule_lr(&s, 20) >= 0 && gx_schedule_lr(&s, 20) < 1e-18);
    assert_true(gx_schedule_lr(&s, 1000) == 0);
    s = (struct gx_schedule){GX_SCHEDULE_STEP, .lr = 2e-4, .gamma = 0.5, .every = 3};
    check(&s, step, COUNT(step));
    s = (struct gx_schedule){GX_SCHEDULE_MULTISTEP, .lr = 2e-4, .gamma = 0.1};
    assert_int_equal(gx_schedule_milestones(&s, "4, 9,15 ", NULL), 0);
    check(&s, multistep, COUNT(multistep));
    s = (struct gx_schedule){GX_SCHEDULE_COSINE, .lr = 2e-4, .min_lr = 1e-6, .total = 20};
    check(&s, cosine, COUNT(cosine));
    assert_true(gx_schedule_lr(&s, 30) == s.min_lr);
    s = (struct gx_schedule){GX_SCHEDULE_RESTARTS, .lr = 2e-4, .min_lr = 1e-6, .total = 20};
    assert_int_equal(gx_schedule_milestones(&s, "5,12,20", NULL), 0); /* the last: the end itself */
    assert_int_equal(gx_schedule_weights(&s, "1, 0.5,0.25,7", NULL), 0);
    check(&s, cosine_restarts, COUNT(cosine_restarts));
    assert_true(fabs(gx_schedule_lr(&s, 30) - s.min_lr) < 1e-12);
    s = (struct gx_schedule){GX_SCHEDULE_RESTARTS, .lr = 2e-4, .min_lr = 1e-6, .total = 20};
    assert_int_equal(gx_schedule_milestones(&s, "250000", NULL), 0); /* far beyond the end */
    check(&s, cosine, COUNT(cosine));
    s = (struct gx_schedule){GX_SCHEDULE_CONSTANT, .lr = 2e-4};
    assert_true(gx_schedule_lr(&s, 0) == 2e-4 && gx_schedule_lr(&s, 1000000) == 2e-4);
}

static void plateau_follows_torch(void **state)
{
    (void)state;
    struct gx_schedule s = {GX_SCHEDULE_PLATEAU, .lr = 2e-4, .gamma = 0.2, .every = 2,
                            .min_lr = 1e-6};
    struct gx_plateau p;
    gx_plateau_init(&p, &s);
    int falls = 0;
    for (int i = 0; i < COUNT(plateau); i++) {
        falls += gx_plateau_update(&p, &s, plateau_loss[i]);
        assert_true(fabs(p.lr - plateau[i]) <= 1e-16);
    }
    assert_int_equal(falls, 4);
    /* a value that is no number is no progress */
    gx_plateau_init(&p, &s);
    for (int i = 0; i < 3; i++)
        gx_plateau_update(&p, &s, NAN);
    assert_true(p.lr < 2e-4);
}

static void milestones(void **state)
{
    (void)state;
    struct gx_schedule s = {GX_SCHEDULE_MULTISTEP, .lr = 1, .gamma = 0.5};
    struct gx_err err;
    assert_int_equal(gx_schedule_milestones(&s, " ", &err), 0);
    assert_int_equal(s.milestones, 0);
    assert_int_equal(gx_schedule_milestones(&s, "7", &err), 0);
    assert_int_equal(s.milestones, 1);
    const char *const wrong[] = {"0",  "-3", "3,2",   "3,3", "3 4",
                                 "3,", ",3", "three", "3x",  "99999999999999999999"};
    for (int i = 0; i < COUNT(wrong); i++)
        assert_int_equal(gx_schedule_milestones(&s, wrong[i], &err), -GX_E_CONFIG);
    assert_string_equal(err.text, "milestones '99999999999999999999' are not rising numbers "
                                  "separated by commas");
    char many[256] = "1";
    for (int i = 2, used = 1; i <= GX_MILESTONES_MAX + 1; i++)
        used += snprintf(many + used, sizeof many - (size_t)used, ",%d", i);
    assert_int_equal(gx_schedule_milestones(&s, many, &err), -GX_E_CONFIG);
}

static void refuses(void **state)
{
    (void)state;
    struct gx_err err;
    const struct gx_schedule wrong[] = {
        {GX_SCHEDULE_CONSTANT, .lr = -1},
        {GX_SCHEDULE_CONSTANT, .lr = NAN},
        {GX_SCHEDULE_LINEAR, .lr = 1, .decay_from = 0.5},
        {GX_SCHEDULE_LINEAR, .lr = 1, .decay_from = 1.5, .total = 10},
        {GX_SCHEDULE_STEP, .lr = 1, .gamma = 0.5},
        {GX_SCHEDULE_STEP, .lr = 1, .every = 3},
        {GX_SCHEDULE_COSINE, .lr = 1},
        {GX_SCHEDULE_COSINE, .lr = 1, .total = 3, .min_lr = -1},
        {GX_SCHEDULE_PLATEAU, .lr = 1, .gamma = 0.5, .every = -1},
    };
    for (int i = 0; i < COUNT(wrong); i++)
        assert_int_equal(gx_schedule_check(&wrong[i], &err), -GX_E_CONFIG);
    assert_int_equal(gx_schedule_kind_named("cosine"), GX_SCHEDULE_COSINE);
    assert_int_equal(gx_schedule_kind_named("linear"), GX_SCHEDULE_LINEAR);
    assert_int_equal(gx_schedule_kind_named("exponential"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_torch),
        cmocka_unit_test(plateau_follows_torch),
        cmocka_unit_test(milestones),
        cmocka_unit_test(refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
