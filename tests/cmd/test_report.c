/* Events stay one line each, in text and in JSON; --quiet; progress away from a terminal. */
#include "../test.h"

#include "cmd/cmd.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What one use of a report writes. */
#define WRITES(config_, ...)                                                                       \
    do {                                                                                           \
        static const struct gx_config config = config_;                                            \
        struct gx_report report;                                                                   \
        to = tmpfile();                                                                            \
        assert_non_null(to);                                                                       \
        gx_report_init(&report, &config, to);                                                      \
        __VA_ARGS__;                                                                               \
        rewind(to);                                                                                \
        text[fread(text, 1, sizeof text - 1, to)] = '\0';                                          \
        fclose(to);                                                                                \
    } while (0)

static FILE *to;
static char text[4096];

static void text_lines(void **state)
{
    (void)state;
    WRITES({0}, gx_report(&report, GX_INFO, "saved", "saved '%s'", "x.png"));
    assert_string_equal(text, "saved 'x.png'\n");
    WRITES({0}, gx_report(&report, GX_WARNING, "odd",
                          "a\nb\033[2J\xc2\x9b"
                          "c\xc3\xa9\xff"));
    assert_string_equal(text, "ganx: warning: a?b?[2J??c\xc3\xa9\xff\n");
    WRITES({.quiet = true}, gx_report(&report, GX_INFO, "saved", "x"),
           gx_report(&report, GX_ERROR, "error", "y"));
    assert_string_equal(text, "ganx: y\n");
    WRITES({0}, gx_report_progress(&report, 1, 2, "x"), gx_report_progress_end(&report));
    assert_string_equal(text, "");
}

static void json_lines(void **state)
{
    (void)state;
    const struct gx_number numbers[] = {{"step", 12}, {"loss", 0.5}, {"bad", NAN}};
    WRITES({.json = true},
           gx_report_numbers(&report, GX_INFO, "step", numbers, 3, "a \"b\"\n\xff"));
    assert_string_equal(text,
                        "{\"event\":\"step\",\"level\":\"info\",\"message\":\"a \\\"b\\\"\\n?\","
                        "\"step\":12,\"loss\":0.5,\"bad\":null}\n");
    WRITES({.json = true}, gx_report_progress(&report, 1, 3, "x"),
           gx_report_progress(&report, 2, 3, "y"), gx_report_progress(&report, 3, 3, "z"));
    char *second = strchr(text, '\n') + 1; /* the one in the middle came too soon */
    json_t *line = json_loadb(second, strlen(second), 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "message")), "z");
    assert_int_equal(json_integer_value(json_object_get(line, "done")), 3);
    assert_true(json_number_value(json_object_get(line, "per_s")) > 0);
    assert_true(json_number_value(json_object_get(line, "left_s")) == 0);
    json_decref(line);
}

/* As on a terminal. */
static void bars(void **state)
{
    (void)state;
    WRITES({0}, report.terminal = true, gx_report_progress(&report, 3, 4, "x"),
           gx_report_progress_end(&report));
    assert_string_equal(text, "\r\033[K[############----] 3/4  0/s  --:-- left  x\n");
    WRITES({0}, report.terminal = true, gx_report_progress(&report, 12500000, 25000000, "x"));
    assert_string_equal(text, "\r\033[K[########--------] 12.5M/25.0M  0M/s  --:-- left  x");
    WRITES({0}, report.terminal = true, gx_report_progress(&report, 7, 0, "frames"));
    assert_string_equal(text, "\r\033[K7 frames  0/s");
}

static void exit_codes(void **state)
{
    (void)state;
    static const struct {
        int code;
        enum gx_stage stage;
        enum gx_exit exit;
    } cases[] = {
        {0, GX_AT_START, GX_EXIT_DONE},
        {-GX_E_USAGE, GX_AT_OUTPUT, GX_EXIT_USAGE},
        {-GX_E_CONFIG, GX_AT_START, GX_EXIT_CONFIG},
        {-GX_E_IO, GX_AT_START, GX_EXIT_CONFIG},
        {-GX_E_CONFIG, GX_AT_MODEL, GX_EXIT_MODEL},
        {-GX_E_IO, GX_AT_MODEL, GX_EXIT_MODEL},
        {-GX_E_FORMAT, GX_AT_MODEL, GX_EXIT_MODEL},
        {-GX_E_NUMERIC, GX_AT_MODEL, GX_EXIT_MODEL},
        {-GX_E_FORMAT, GX_AT_INPUT, GX_EXIT_NO_INPUT},
        {-GX_E_IO, GX_AT_INPUT, GX_EXIT_NO_INPUT},
        {-GX_E_LIMIT, GX_AT_INPUT, GX_EXIT_LIMIT},
        {-GX_E_IO, GX_AT_OUTPUT, GX_EXIT_CANNOT_WRITE},
        {-GX_E_NOMEM, GX_AT_WORK, GX_EXIT_LIMIT},
        {-GX_E_NUMERIC, GX_AT_WORK, GX_EXIT_DIVERGED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(gx_exit_of(cases[i].code, cases[i].stage), cases[i].exit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(bars),
        cmocka_unit_test(exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
