/* Sound UTF-8, at the edges of what is allowed; stems of names; lines that grow. */
#include "../test.h"
#include "util/text.h"

static void utf8(void **state)
{
    (void)state;
    static const char *const sound[] = {"",
                                        "abc",
                                        "\xc2\x80",
                                        "\xdf\xbf",
                                        "\xe0\xa0\x80",
                                        "\xed\x9f\xbf",
                                        "\xee\x80\x80",
                                        "\xf0\x90\x80\x80",
                                        "\xf4\x8f\xbf\xbf",
                                        "a\xe2\x82\xacz"};
    static const char *const broken[] = {"\x80",
                                         "\xc1\xbf",
                                         "\xc2",
                                         "\xc2z",
                                         "\xe0\x9f\xbf",
                                         "\xed\xa0\x80",
                                         "\xe2\x82",
                                         "\xf0\x8f\xbf\xbf",
                                         "\xf4\x90\x80\x80",
                                         "\xf5\x80\x80\x80",
                                         "a\xff"};
    for (size_t i = 0; i < sizeof sound / sizeof sound[0]; i++)
        assert_true(gx_is_utf8(sound[i]));
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        assert_false(gx_is_utf8(broken[i]));
}

static void stems(void **state)
{
    (void)state;
    assert_int_equal(gx_stem_length("a.b.c.png"), 5);
    assert_int_equal(gx_stem_length("plain"), 5);
    assert_int_equal(gx_stem_length(".hidden"), 7);
    assert_int_equal(gx_stem_length("end."), 3);
}

static void lines(void **state)
{
    (void)state;
    char text[16];
    struct gx_line line = {.text = text, .size = sizeof text};
    gx_line_figure(&line, "a", 0.5);
    assert_string_equal(text, "\"a\":0.5");
    gx_line_add(&line, ",%d", 7);
    assert_string_equal(text, "\"a\":0.5,7");
    gx_line_figure(&line, "b", 1 / 0.0);
    assert_string_equal(text, "\"a\":0.5,7\"b\":nu"); /* what fits */
    assert_int_equal(line.length, 15);
    gx_line_add(&line, "more");
    assert_int_equal(line.length, 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(utf8), cmocka_unit_test(stems),
                                       cmocka_unit_test(lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
