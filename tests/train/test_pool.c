/* The pool's rule of replacement, told from outside: every picture is its own number, so that what
 * comes out says where it came from. */
#include "../test.h"
#include "train/pool.h"
#include "util/random.h"

#include <math.h>
#include <stdbool.h>

enum { SIZE = 8, FLOATS = 3, ROUNDS = 20000 };

static void make(float *picture, int number)
{
    for (int i = 0; i < FLOATS; i++)
        picture[i] = (float)(number * 10 + i);
}

/* The number of a picture, all of which must be there. */
static int number_of(const float *picture)
{
    int number = (int)picture[0] / 10;
    for (int i = 0; i < FLOATS; i++)
        assert_true(picture[i] == (float)(number * 10 + i));
    return number;
}

static int show(struct gx_pool *pool, int number)
{
    float made[FLOATS], shown[FLOATS];
    make(made, number);
    gx_pool_exchange(pool, gx_random_at(3, GX_STREAM_POOL, (uint64_t)number), made, shown, 1);
    assert_int_equal(number_of(made), number); /* what was made is not touched */
    return number_of(shown);
}

static void start(struct gx_pool *pool, int size)
{
    assert_int_equal(gx_pool_init(pool, size, FLOATS), 0);
    assert_int_equal(pool->filled, 0);
}

static void fills_in_order_first(void **state)
{
    (void)state;
    struct gx_pool pool;
    start(&pool, SIZE);
    for (int i = 0; i < SIZE; i++) {
        assert_int_equal(show(&pool, i), i);
        assert_int_equal(pool.filled, i + 1);
        for (int k = 0; k <= i; k++)
            assert_int_equal(number_of(pool.data + (size_t)k * FLOATS), k);
    }
    gx_pool_clear(&pool);
    assert_null(pool.data);
}

/* Then: the picture itself, and nothing in the pool changes; or one of the pool, in whose place it
 * then is. Half and half, and each place as often as any other. */
static void then_half_and_half(void **state)
{
    (void)state;
    struct gx_pool pool;
    int inside[SIZE], old = 0, place[SIZE] = {0}, after_old = 0, pairs = 0;
    bool was_old = false;
    start(&pool, SIZE);
    for (int i = 0; i < SIZE; i++)
        inside[i] = show(&pool, i);
    for (int i = SIZE; i < SIZE + ROUNDS; i++) {
        int shown = show(&pool, i), at = 0;
        bool is_old = shown != i;
        while (is_old && at < SIZE && inside[at] != shown)
            at++;
        assert_true(at < SIZE); /* it was in the pool */
        if (is_old) {
            inside[at] = i;
            place[at]++;
        }
        old += is_old;
        pairs += was_old;
        after_old += was_old && is_old;
        was_old = is_old;
        for (int k = 0; k < SIZE; k++)
            assert_int_equal(number_of(pool.data + (size_t)k * FLOATS), inside[k]);
    }
    assert_int_equal(pool.filled, SIZE);
    /* five standard deviations of fair coins and dice */
    assert_true(fabs(old - 0.5 * ROUNDS) < 5 * sqrt(0.25 * ROUNDS));
    assert_true(fabs(after_old - 0.5 * pairs) < 5 * sqrt(0.25 * pairs));
    for (int k = 0; k < SIZE; k++)
        assert_true(fabs(place[k] - (double)old / SIZE) < 5 * sqrt((double)old / SIZE));
    gx_pool_clear(&pool);
}

/* A batch goes through one by one: one of its pictures may meet another of them in the pool, and a
 * pool that fills up within it begins to exchange within it. */
static void a_batch_is_one_after_another(void **state)
{
    (void)state;
    enum { BATCH = 6 };
    struct gx_pool one, many;
    struct gx_random random = gx_random_at(4, GX_STREAM_POOL, 0);
    float made[BATCH * FLOATS], shown[BATCH * FLOATS], single[FLOATS];
    int within = 0;
    start(&one, 4);
    start(&many, 4);
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < BATCH; i++)
            make(made + (size_t)i * FLOATS, round * BATCH + i);
        random = gx_random_at(4, GX_STREAM_POOL, (uint64_t)round);
        gx_pool_exchange(&many, random, made, shown, BATCH);
        for (int i = 0; i < BATCH; i++) {
            int number = number_of(shown + (size_t)i * FLOATS);
            within += number != round * BATCH + i && number >= round * BATCH;
        }
        if (round == 0)
            for (int i = 0; i < 4; i++) { /* alone, these only fill it */
                gx_pool_exchange(&one, random, made + (size_t)i * FLOATS, single, 1);
                assert_memory_equal(single, shown + (size_t)i * FLOATS, sizeof single);
            }
    }
    assert_true(within > 0);
    gx_pool_clear(&one);
    gx_pool_clear(&many);
}

static void the_same_numbers_choose_the_same(void **state)
{
    (void)state;
    struct gx_pool pool, other;
    start(&pool, SIZE);
    start(&other, SIZE);
    for (int i = 0; i < 100; i++)
        assert_int_equal(show(&pool, i), show(&other, i));
    assert_memory_equal(pool.data, other.data, SIZE * FLOATS * sizeof *pool.data);
    gx_pool_clear(&pool);
    gx_pool_clear(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_in_order_first),
        cmocka_unit_test(then_half_and_half),
        cmocka_unit_test(a_batch_is_one_after_another),
        cmocka_unit_test(the_same_numbers_choose_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
