/* Health: each measure against a slow or known answer, and each diagnosis driven on purpose by
 * scripted looks. */
#include "../test.h"

#include "train/health.h"
#include "util/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the measures ---- */

static double above_by_force(const float *a, int na, const float *b, int nb)
{
    double sum = 0;
    for (int i = 0; i < na; i++)
        for (int k = 0; k < nb; k++)
            sum += a[i] > b[k] ? 1 : a[i] == b[k] ? 0.5 : 0;
    return sum / (na * nb);
}

static void separation_is_a_share_of_pairs(void **state)
{
    (void)state;
    struct gx_random r = gx_random_at(1, GX_STREAM_TEST, 0);
    for (int round = 0; round < 20; round++) {
        float a[40], b[40];
        int na = 1 + round * 2, nb = 40 - round;
        for (int i = 0; i < 40; i++) { /* few values, so that many are equal */
            a[i] = (float)gx_random_below(&r, 9) - 4;
            b[i] = (float)gx_random_below(&r, 7) - 3;
        }
        double slow = above_by_force(a, na, b, nb);
        assert_true(fabs(gx_health_above(a, na, b, nb) - slow) < 1e-12);
    }
}

/* Of many outputs some are compared: evenly from all of them, others at the next step. */
static void separation_of_many_outputs(void **state)
{
    (void)state;
    enum { MANY = 10 * GX_HEALTH_OUTPUTS + 3 };
    static float r[MANY], f[MANY];
    static struct gx_health_memory m;
    struct gx_health_sight nothing = {NAN, NAN, NAN, NAN};
    unsigned entered, left;
    for (int i = 0; i < MANY; i++) {
        r[i] = i < MANY / 4 ? 1 : -1;
        f[i] = 0;
    }
    for (int step = 1; step <= 10; step++)
        gx_health_judge(&m, r, f, MANY, step);
    double share = gx_health_look(&m, &nothing, 10, 10, &entered, &left).separation;
    assert_true(fabs(share - 0.25) < 0.01);
    for (int i = 0; i < MANY; i++) /* only where one step of ten looks */
        r[i] = i % 10 == 3;
    for (int step = 1; step <= 10; step++)
        gx_health_judge(&m, r, f, MANY, step);
    share = gx_health_look(&m, &nothing, 20, 10, &entered, &left).separation;
    assert_true(fabs(share - 0.55) < 0.02);
}

static void pictures_shrink_to_averages(void **state)
{
    (void)state;
    enum { CELLS = GX_HEALTH_GRID * GX_HEALTH_GRID };
    static float picture[64 * 40 * 4], thumb[GX_HEALTH_THUMB];
    /* each cell is 4 x 2 pixels: a chessboard of +-0.5 about the cell's own value */
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 64; x++)
            for (int c = 0; c < 3; c++)
                picture[(y * 64 + x) * 3 + c] = (float)(c + y / 2 * GX_HEALTH_GRID + x / 4) / 256 +
                                                ((x + y) % 2 ? 0.5F : -0.5F);
    gx_health_shrink(picture, (struct gx_shape){1, 32, 64, 3}, thumb);
    for (int i = 0; i < CELLS; i++) {
        for (int c = 0; c < 3; c++)
            assert_true(fabs((double)thumb[c * CELLS + i] - (c + i) / 256.0) < 1e-5);
        assert_true(fabs((double)thumb[3 * CELLS + i] - 0.5) < 1e-5);
    }
    /* one channel is grey, a fourth is not looked at, and small pictures repeat themselves */
    for (int i = 0; i < 5 * 3; i++)
        picture[i] = (float)i;
    gx_health_shrink(picture, (struct gx_shape){1, 5, 3, 1}, thumb);
    for (int y = 0; y < GX_HEALTH_GRID; y++)
        for (int x = 0; x < GX_HEALTH_GRID; x++)
            for (int c = 0; c < 3; c++)
                assert_true(thumb[c * CELLS + y * GX_HEALTH_GRID + x] ==
                            (float)(y * 5 / GX_HEALTH_GRID * 3 + x * 3 / GX_HEALTH_GRID));
    for (int i = 0; i < 16 * 16 * 4; i++)
        picture[i] = i % 4 == 3 ? 99 : 0.25F;
    gx_health_shrink(picture, (struct gx_shape){1, 16, 16, 4}, thumb);
    for (int i = 0; i < 3 * CELLS; i++)
        assert_true(thumb[i] == 0.25F);
}

static void spread_and_correlation(void **state)
{
    (void)state;
    static float thumb[3][GX_HEALTH_THUMB];
    for (int i = 0; i < GX_HEALTH_THUMB; i++) {
        thumb[1][i] = 1;
        thumb[2][i] = -2;
    }
    assert_true(gx_health_spread((const float(*)[GX_HEALTH_THUMB])thumb, 1) == 0);
    assert_true(fabs(gx_health_spread((const float(*)[GX_HEALTH_THUMB])thumb, 3) - 2) < 1e-6);
    assert_true(isnan(gx_health_correlation(thumb[0], thumb[1])));
    struct gx_random r = gx_random_at(2, GX_STREAM_TEST, 0);
    for (int i = 0; i < GX_HEALTH_THUMB; i++) {
        thumb[0][i] = gx_random_normal(&r);
        thumb[1][i] = 3 - 0.1F * thumb[0][i];
        thumb[2][i] = gx_random_normal(&r);
    }
    assert_true(fabs(gx_health_correlation(thumb[0], thumb[0]) - 1) < 1e-6);
    assert_true(fabs(gx_health_correlation(thumb[0], thumb[1]) + 1) < 1e-5);
    assert_true(fabs(gx_health_correlation(thumb[0], thumb[2])) < 0.2);
}

static void looks_are_early_and_regular(void **state)
{
    (void)state;
    int count = 0;
    static const int due[] = {1, 2, 4, 8, 16, 32, 50, 100, 150};
    for (int step = 1; step <= 199; step++)
        if (gx_health_due(step, 50))
            assert_int_equal(due[count++], step);
    assert_int_equal(count, 9);
    assert_false(gx_health_due(64, 50));
    assert_false(gx_health_due(8, 0));
}

/* ---- scripted games ---- */

struct script {
    double separation, gradient, slope, moved, differ;
    double ratio; /* of outputs to targets, which are also the inputs */
};

static const struct script healthy = {0.9, 1, 1, 0.3, 0.4, 0.8};

enum { EVERY = 50, SIDE = 16 };

/* Some looks at a game that goes so; counts what is entered and left, by state. */
static void play(struct gx_health_memory *m, const struct script *s, int64_t *step, int looks,
                 int *entered, int *left)
{
    const struct gx_shape shape = {1, SIDE, SIDE, 3};
    const struct gx_health_sight sight = {s->gradient, s->slope, s->moved, s->differ};
    for (int64_t end = *step + (int64_t)looks * EVERY; *step < end;) {
        float r[200], f[200] = {0}, x[SIDE * SIDE * 3], y[SIDE * SIDE * 3];
        struct gx_random random = gx_random_at(3, GX_STREAM_TEST, (uint64_t)++ * step);
        for (int i = 0; i < 200; i++)
            r[i] = i < 200 * s->separation ? 1 : -1;
        for (int i = 0; i < SIDE * SIDE * 3; i++) {
            x[i] = 2 * gx_random_uniform(&random) - 1;
            y[i] = (float)s->ratio * x[i];
        }
        gx_health_judge(m, r, f, 200, *step);
        if (*step % 6 == 0)
            gx_health_see(m, x, shape, y, shape, x, shape);
        unsigned in = 0, out = 0;
        if (gx_health_due(*step, EVERY))
            gx_health_look(m, &sight, *step, EVERY, &in, &out);
        for (int k = 0; k < GX_HEALTH_STATES; k++) {
            entered[k] += in >> k & 1;
            left[k] += out >> k & 1;
        }
    }
}

/* A healthy game that goes wrong and recovers: that diagnosis and no other, once. */
static void assert_found(const struct script *bad, enum gx_health_state state, int most_looks)
{
    static struct gx_health_memory m;
    int64_t step = 0;
    int entered[GX_HEALTH_STATES] = {0}, left[GX_HEALTH_STATES] = {0};
    char text[128];
    m = (struct gx_health_memory){0};
    play(&m, &healthy, &step, 12, entered, left);
    gx_health_states(&m, text, sizeof text);
    assert_string_equal(text, "ok");
    play(&m, bad, &step, most_looks, entered, left);
    for (int k = 0; k < GX_HEALTH_STATES; k++)
        if (entered[k] != (k == (int)state))
            fail_msg("%s, and it is %s", gx_health_name(k), gx_health_name(state));
    gx_health_states(&m, text, sizeof text);
    assert_string_equal(text, gx_health_name(state));
    assert_int_equal(gx_health_named(text), state);
    play(&m, bad, &step, 10, entered, left);
    assert_true(m.first[state] > 600 && m.since[state] == m.first[state]);
    play(&m, &healthy, &step, 8, entered, left);
    for (int k = 0; k < GX_HEALTH_STATES; k++) {
        assert_int_equal(entered[k], k == (int)state);
        assert_int_equal(left[k], k == (int)state);
    }
    assert_true(m.times[state] == 1 && m.since[state] == 0 && m.left[state] > m.first[state]);
}

static void each_state_is_found(void **state)
{
    (void)state;
    struct script s = healthy;
    s.separation = 1; /* a discriminator that wins is no fault while the generator learns */
    int64_t step = 0;
    int entered[GX_HEALTH_STATES] = {0}, left[GX_HEALTH_STATES] = {0};
    static struct gx_health_memory m;
    play(&m, &s, &step, 30, entered, left);
    for (int k = 0; k < GX_HEALTH_STATES; k++)
        assert_int_equal(entered[k], 0);

    s.gradient = 0.005;
    assert_found(&s, GX_HEALTH_STRONG, 4);
    s.gradient = 1;
    s.slope = 0.002;
    assert_found(&s, GX_HEALTH_STRONG, 4);
    s = healthy;
    s.separation = 0.5;
    assert_found(&s, GX_HEALTH_CHANCE, 8);
    s.separation = 0.2; /* worse is no better */
    assert_found(&s, GX_HEALTH_CHANCE, 8);
    s = healthy;
    s.ratio = 0.1;
    assert_found(&s, GX_HEALTH_COLLAPSE, 8);
    s = healthy;
    s.moved = 5e-4;
    assert_found(&s, GX_HEALTH_IGNORED, 4);
    s = healthy;
    s.ratio = -0.8;
    assert_found(&s, GX_HEALTH_INVERTED, 8);
}

/* What every run looks like before it has learnt anything. */
static void the_start_is_given_time(void **state)
{
    (void)state;
    static struct gx_health_memory m;
    const struct script raw = {0.5, 1, 1, 5e-4, 0.4, 0.05};
    struct script balanced = healthy;
    int64_t step = 0;
    int entered[GX_HEALTH_STATES] = {0}, left[GX_HEALTH_STATES] = {0};
    play(&m, &raw, &step, 7, entered, left);
    play(&m, &healthy, &step, 10, entered, left);
    /* a balanced game is at chance too, but its gradient moves */
    for (int i = 0; i < 20; i++) {
        balanced.separation = 0.53;
        balanced.gradient = i % 3 ? 1 : 0.2;
        play(&m, &balanced, &step, 1, entered, left);
    }
    for (int k = 0; k < GX_HEALTH_STATES; k++)
        assert_int_equal(entered[k], 0);
}

static void noise_makes_nothing_flicker(void **state)
{
    (void)state;
    static struct gx_health_memory m;
    int64_t step = 0;
    int entered[GX_HEALTH_STATES] = {0}, left[GX_HEALTH_STATES] = {0};
    struct script s = healthy;
    play(&m, &s, &step, 12, entered, left);
    s.separation = 1;
    for (int i = 0; i < 40; i++) { /* every other look is beyond the bound: never three in a row */
        s.slope = i % 2 ? 0.005 : 0.015;
        play(&m, &s, &step, 1, entered, left);
    }
    assert_int_equal(entered[GX_HEALTH_STRONG], 0);
    s.slope = 0.005;
    play(&m, &s, &step, 3, entered, left);
    assert_int_equal(entered[GX_HEALTH_STRONG], 1);
    for (int i = 0; i < 40;
         i++) { /* about the bound: it stays; beyond the wider one, now and then */
        s.slope = i % 3 ? 0.012 : 0.03;
        play(&m, &s, &step, 1, entered, left);
    }
    assert_int_equal(entered[GX_HEALTH_STRONG], 1);
    assert_int_equal(left[GX_HEALTH_STRONG], 0);
}

static void losses_beyond_measure(void **state)
{
    (void)state;
    struct gx_health_loss l = {.count = 0};
    int64_t steps = 0;
    for (; steps < 5000; steps++) /* single ones, and slow growth, are nothing */
        assert_false(gx_health_lose(&l, steps % 50 == 25 ? 1e9 : 5 + (double)steps / 50));
    double median = gx_health_median_loss(&l);
    assert_true(fabs(median - 55) < 2); /* of the whole run */
    for (int i = 1; i < GX_HEALTH_PATIENCE; i++) {
        assert_false(gx_health_lose(&l, -2e6)); /* critics' objectives fall without end */
        assert_true(l.bad == i);
    }
    assert_true(gx_health_lose(&l, 2e6));
    assert_true(gx_health_median_loss(&l) == median);
    l = (struct gx_health_loss){.count = 0};
    for (int i = 0; i < 200; i++) /* it was always so */
        assert_false(gx_health_lose(&l, 1e7));
    l = (struct gx_health_loss){.count = 0};
    for (int i = 0; i < 200; i++) /* 1e4 (1 + median): nothing is far from almost 0 */
        assert_false(gx_health_lose(&l, i < 100 ? 1e-3 : 9e3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(separation_is_a_share_of_pairs),
        cmocka_unit_test(separation_of_many_outputs),
        cmocka_unit_test(pictures_shrink_to_averages),
        cmocka_unit_test(spread_and_correlation),
        cmocka_unit_test(looks_are_early_and_regular),
        cmocka_unit_test(each_state_is_found),
        cmocka_unit_test(the_start_is_given_time),
        cmocka_unit_test(noise_makes_nothing_flicker),
        cmocka_unit_test(losses_beyond_measure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
