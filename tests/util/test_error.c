/* Errors: codes come back negative, texts are cut rather than overrun, context goes in front. */
#include "../test.h"
#include "ganx/error.h"

#include <errno.h>
#include <string.h>

static void fail_formats(void **state)
{
    (void)state;
    struct gx_err err;
    assert_int_equal(gx_fail(&err, GX_E_SHAPE, "%d is not %s", 3, "4"), -GX_E_SHAPE);
    assert_string_equal(err.text, "3 is not 4");
    assert_int_equal(gx_fail(NULL, GX_E_IO, "dropped"), -GX_E_IO);
}

static void fail_errno_appends(void **state)
{
    (void)state;
    struct gx_err err;
    errno = ENOENT;
    assert_int_equal(gx_fail_errno(&err, GX_E_IO, "cannot open '%s'", "x.png"), -GX_E_IO);
    assert_string_equal(err.text, "cannot open 'x.png': no such file or directory");
    assert_int_equal(errno, ENOENT);
}

static void context_goes_first(void **state)
{
    (void)state;
    struct gx_err err;
    int code = gx_fail(&err, GX_E_FORMAT, "bad header");
    assert_int_equal(gx_context(&err, code, "model '%s'", "m"), -GX_E_FORMAT);
    assert_string_equal(err.text, "model 'm': bad header");
    assert_int_equal(gx_context(NULL, code, "x"), -GX_E_FORMAT);
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    struct gx_err err;
    char longest[2 * sizeof err.text];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    errno = EACCES;
    assert_int_equal(gx_fail_errno(&err, GX_E_IO, "%s", longest), -GX_E_IO);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(gx_context(&err, -GX_E_IO, "front"), -GX_E_IO);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_memory_equal(err.text, "front: aaa", 10);
    assert_int_equal(gx_context(&err, -GX_E_IO, "%s", longest), -GX_E_IO);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_formats),
        cmocka_unit_test(fail_errno_appends),
        cmocka_unit_test(context_goes_first),
        cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
