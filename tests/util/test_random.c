/* Random numbers: the published vectors of Philox 4x32-10 (Random123's kat_vectors), ranges and
 * moments, and that a permutation is one. */
#include "../test.h"
#include "util/random.h"

#include <math.h>

static void known_answers(void **state)
{
    (void)state;
    uint32_t out[4];
    gx_random_block(0, 0, 0, out);
    assert_int_equal(out[0], 0x6627e8d5);
    assert_int_equal(out[1], 0xe169c58d);
    assert_int_equal(out[2], 0xbc57ac4c);
    assert_int_equal(out[3], 0x9b00dbd8);
    gx_random_block(UINT64_MAX, UINT64_MAX, UINT64_MAX, out);
    assert_int_equal(out[0], 0x408f276d);
    assert_int_equal(out[1], 0x41c83b0e);
    assert_int_equal(out[2], 0xa20bc7c6);
    assert_int_equal(out[3], 0x6d5451fd);
}

static void moments(void **state)
{
    (void)state;
    struct gx_random r = gx_random_at(7, GX_STREAM_TEST, 3);
    double uniform = 0, normal = 0, square = 0;
    enum { COUNT = 100000 };
    for (int i = 0; i < COUNT; i++) {
        float u = gx_random_uniform(&r), z = gx_random_normal(&r);
        assert_true(u >= 0 && u < 1);
        uniform += u;
        normal += z;
        square += (double)z * z;
    }
    assert_true(fabs(uniform / COUNT - 0.5) < 0.005);
    assert_true(fabs(normal / COUNT) < 0.01);
    assert_true(fabs(square / COUNT - 1) < 0.02);
}

static void permutation(void **state)
{
    (void)state;
    uint32_t order[1000], other[1000];
    uint8_t seen[1000] = {0};
    struct gx_random r = gx_random_at(7, GX_STREAM_ORDER, 0),
                     s = gx_random_at(7, GX_STREAM_ORDER, 1);
    gx_random_permutation(&r, order, 1000);
    gx_random_permutation(&s, other, 1000);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        assert_true(order[i] < 1000 && !seen[order[i]]);
        seen[order[i]] = 1;
        same += order[i] == other[i];
    }
    assert_true(same < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(moments),
        cmocka_unit_test(permutation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
