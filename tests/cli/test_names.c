/* --help, the manual page and the completion of each command name the options of the table, and no
 * others; the train page names every key. */
#include "../test.h"

#include "cmd/cmd.h"
#include "util/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char build[4096];

/* The lines of a text that begin with `start`, each reduced to its "--names", joined by blanks. */
static char *names_in(const char *text, const char *start)
{
    static char names[8192];
    size_t used = 0;
    names[0] = '\0';
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, start, strlen(start)))
            continue;
        char copy[512];
        snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line, "\n"), line);
        char *at = strstr(copy, "--"), *mdoc = strstr(copy, "Fl \\-");
        if (mdoc)
            at = mdoc + 4;
        if (at) {
            at += mdoc ? 1 : 2;
            at[strcspn(at, " ")] = '\0';
            used += (size_t)snprintf(names + used, sizeof names - used, " --%s", at);
        }
    }
    return names;
}

static char *shown(const struct gx_command *command, const char *family)
{
    static char names[8192];
    size_t used = 0;
    names[0] = '\0';
    for (int i = 0; i < gx_options_count; i++)
        if (gx_shows_flag(&gx_options[i], family, command->verb))
            used +=
                (size_t)snprintf(names + used, sizeof names - used, " --%s", gx_options[i].flag);
    return names;
}

static void compare(const struct gx_command *command, const char *family, const char *completion)
{
    char *help = NULL, *page, path[5000], what[200];
    size_t size;
    FILE *to = open_memstream(&help, &size);
    assert_non_null(to);
    gx_usage_command(to, command, family);
    fclose(to);
    print_message("%s %s\n", family, command->name);
    assert_string_equal(names_in(help, "  -"), shown(command, family));
    free(help);

    snprintf(what, sizeof what, "    \"%s%s%s\")\n        flags=\"", family, *family ? " " : "",
             command->name);
    const char *at = strstr(completion, what);
    assert_non_null(at);
    at += strlen(what);
    char flags[8192], words[8192] = "", *rest = NULL;
    snprintf(flags, sizeof flags, "%.*s", (int)strcspn(at, "\""), at);
    for (char *word = strtok_r(flags, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (word[1] == '-')
            strcat(strcat(words, " "), word);
    assert_string_equal(words, shown(command, family));

    snprintf(path, sizeof path, "%s/man/man1/ganx-%s%s%s.1", build, family, *family ? "-" : "",
             command->name);
    if (command->verb == GX_VERB_HELP || (*family && command->alone))
        return; /* described in ganx.1, and on the page of the same command without a family */
    struct gx_err err;
    if (gx_file_read(path, 1 << 20, &page, &size, &err))
        fail_msg("%s", err.text);
    assert_string_equal(names_in(page, ".It Fl"), shown(command, family));
    for (int i = 0; i < gx_options_count && command->verb == GX_VERB_TRAIN; i++)
        if (gx_shows_key(&gx_options[i], family, command->verb)) {
            snprintf(what, sizeof what, "\n.It Cm %s Ar ", gx_options[i].key);
            if (!strstr(page, what))
                fail_msg("%s does not name the key %s", path, gx_options[i].key);
        }
    free(page);
}

static void every_place_names_the_same_options(void **state)
{
    (void)state;
    char path[5000], *completion;
    size_t size;
    snprintf(path, sizeof path, "%s/completion/ganx.bash", build);
    assert_int_equal(gx_file_read(path, 1 << 20, &completion, &size, NULL), 0);
    for (int i = 0; gx_commands[i]; i++) {
        if (gx_command_of(gx_commands[i], ""))
            compare(gx_commands[i], "", completion);
        for (int f = 0; gx_family_names[f]; f++)
            if (gx_command_of(gx_commands[i], gx_family_names[f]))
                compare(gx_commands[i], gx_family_names[f], completion);
    }
    free(completion);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_place_names_the_same_options)};
    ssize_t size = readlink("/proc/self/exe", build, sizeof build - 1);
    if (size <= 0)
        return 1;
    build[size] = '\0';
    for (int up = 0; up < 3; up++) /* build/tests/cli/test_names -> build */
        *strrchr(build, '/') = '\0';
    return cmocka_run_group_tests(tests, NULL, NULL);
}
