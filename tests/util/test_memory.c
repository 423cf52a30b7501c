#include "../test.h"

#include "util/memory.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LARGE = 16 << 20, HALF = LARGE / 2 };

static void zeros(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 64, 100, 4096, LARGE, LARGE + 12};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        char *block = gx_block_new(sizes[k]);
        assert_non_null(block);
        assert_true((uintptr_t)block % 64 == 0);
        for (size_t i = 0; i < sizes[k]; i += 61)
            assert_int_equal(block[i], 0);
        memset(block, 1, sizes[k]);
        gx_block_free(block, sizes[k]);
    }
    gx_block_free(NULL, LARGE);
}

/* Pages in memory, of those that lie wholly in so many bytes. */
static size_t resident(void *at, size_t bytes)
{
    static unsigned char pages[LARGE / 4096];
    size_t size = (size_t)sysconf(_SC_PAGESIZE), count = 0;
    assert_int_equal(mincore(at, bytes, pages), 0);
    for (size_t i = 0; i < bytes / size; i++)
        count += pages[i] & 1;
    return count * size;
}

static void raised(void **state)
{
    (void)state;
    char *block = gx_block_new(LARGE);
    assert_non_null(block);
    assert_int_equal(resident(block, LARGE), 0);
    gx_block_raise(block, LARGE, 1, 2);
#ifdef MADV_POPULATE_WRITE
    if (madvise(block + HALF, 4096, MADV_POPULATE_WRITE) == 0) { /* Linux has it too */
        assert_int_equal(resident(block + HALF, HALF), HALF);
        gx_block_raise(block, LARGE, 0, 2);
        assert_int_equal(resident(block, LARGE), LARGE);
    }
#endif
    for (size_t i = 0; i < LARGE; i += 61)
        assert_int_equal(block[i], 0);
    memset(block, 1, LARGE);
    gx_block_raise(block, LARGE, 0, 1); /* leaves what is there */
    for (size_t i = 0; i < LARGE; i += 61)
        assert_int_equal(block[i], 1);
    gx_block_free(block, LARGE);
}

/* Small ones are there already. */
static void raised_small(void **state)
{
    (void)state;
    char *block = gx_block_new(100);
    assert_non_null(block);
    for (int i = 0; i < 3; i++)
        gx_block_raise(block, 100, i, 3);
    assert_int_equal(block[99], 0);
    gx_block_free(block, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros),
        cmocka_unit_test(raised),
        cmocka_unit_test(raised_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
