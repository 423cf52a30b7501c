/* Golden cases of the command line: every tests/cli/NAME.case, run against the built ganx.
 *
 * A file holds cases; each begins with a line "== title" and has
 *   $ words     a line of shell, run in a new empty folder; several lines are one script
 *   exit N      its exit code (without this line: 0)
 *   out TEXT    standard output contains TEXT        out-not TEXT    and does not
 *   err TEXT    standard error contains TEXT         err-not TEXT    and does not
 *   out-empty, err-empty
 * "#" begins a comment. In the script `ganx` is the program, $ROOT the repository. */
#include "../test.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* SECONDS_MAX ends what hangs; the longest case takes 10 s of a core under sanitizers. */
enum { TEXT_MAX = 1 << 18, LINES_MAX = 64, SECONDS_MAX = 240 };

struct golden {
    char *title; /* "info: unknown file" */
    char *script;
    char *expect[LINES_MAX];
    int expects;
};

struct golden_list {
    struct golden *golden;
    size_t count;
};

static char *join(const char *a, const char *between, const char *b)
{
    char *text;
    assert_true(asprintf(&text, "%s%s%s", a, between, b) >= 0);
    return text;
}

static void read_cases(struct golden_list *list, const char *folder, const char *file)
{
    char *path = join(folder, "/", file), line[4096];
    FILE *from = fopen(path, "r");
    struct golden *g = NULL;
    assert_non_null(from);
    while (fgets(line, sizeof line, from)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strncmp(line, "== ", 3)) {
            list->golden = realloc(list->golden, (list->count + 1) * sizeof *g);
            assert_non_null(list->golden);
            g = &list->golden[list->count++];
            *g = (struct golden){.title = join(file, ": ", line + 3), .script = strdup("")};
        } else if (!strncmp(line, "$ ", 2) && g) {
            char *more = join(g->script, "\n", line + 2);
            free(g->script);
            g->script = more;
        } else if (*line && *line != '#') {
            if (!g || g->expects == LINES_MAX)
                fail_msg("%s: what is '%s'?", path, line);
            g->expect[g->expects++] = strdup(line);
        }
    }
    fclose(from);
    free(path);
}

static void read_text(const char *path, char *text)
{
    FILE *from = fopen(path, "r");
    assert_non_null(from);
    size_t size = fread(text, 1, TEXT_MAX - 1, from);
    text[size] = '\0';
    for (size_t i = 0; i < size; i++) /* pictures on standard output: the rest can be searched */
        if (!text[i])
            text[i] = '?';
    fclose(from);
}

/* Whether one expectation holds; `exits` is set when it is about the exit code. */
static bool holds(const char *expect, const char *out, const char *err, int code, bool *exits)
{
    if (!strncmp(expect, "exit ", 5)) {
        *exits = true;
        return code == atoi(expect + 5);
    }
    if (!strcmp(expect, "out-empty"))
        return !*out;
    if (!strcmp(expect, "err-empty"))
        return !*err;
    if (!strncmp(expect, "out ", 4))
        return strstr(out, expect + 4);
    if (!strncmp(expect, "err ", 4))
        return strstr(err, expect + 4);
    if (!strncmp(expect, "out-not ", 8))
        return !strstr(out, expect + 8);
    if (!strncmp(expect, "err-not ", 8))
        return !strstr(err, expect + 8);
    return false;
}

static void run_case(void **state)
{
    static char out[TEXT_MAX], err[TEXT_MAX];
    const struct golden *g = *state;
    char folder[] = "/tmp/ganx-cli-XXXXXX", command[8192], clean[100];
    assert_non_null(mkdtemp(folder));
    char *out_path = join(folder, "", ".out"), *err_path = join(folder, "", ".err");
    snprintf(command, sizeof command,
             "cd %s && "
             "timeout -s KILL %d sh -c '. \"$ROOT\"/tests/cli/prelude.sh\n'\"$SCRIPT\" >%s 2>%s",
             folder, SECONDS_MAX, out_path, err_path);
    setenv("SCRIPT", g->script, 1);
    int status = system(command);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    read_text(out_path, out);
    read_text(err_path, err);
    snprintf(clean, sizeof clean, "rm -rf %s %s %s", folder, out_path, err_path);
    assert_int_equal(system(clean), 0);
    free(out_path);
    free(err_path);
    bool exits = false, good = true;
    for (int i = 0; i < g->expects; i++)
        if (!holds(g->expect[i], out, err, code, &exits)) {
            print_error("not so: %s\n", g->expect[i]);
            good = false;
        }
    if (!good || (!exits && code))
        fail_msg("%s: exit %d\n%s\n--- standard output\n%s\n--- standard error\n%s", g->title, code,
                 g->script, out, err);
}

/* build/tests/cli/test_cli -> build/ganx, unless GANX names another one. */
static void find_program(void)
{
    char self[4096], root[4096];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 20);
    assert_true(size > 0);
    self[size] = '\0';
    for (int up = 0; up < 3; up++)
        *strrchr(self, '/') = '\0';
    strcat(self, "/ganx");
    setenv("GANX", self, 0);
    assert_non_null(getcwd(root, sizeof root));
    setenv("ROOT", root, 1);
    unsetenv("NO_COLOR");
}

int main(void)
{
    struct golden_list list = {0};
    struct dirent **entry;
    find_program();
    int files = scandir("tests/cli", &entry, NULL, alphasort);
    for (int i = 0; i < files; i++) {
        const char *dot = strrchr(entry[i]->d_name, '.');
        if (dot && !strcmp(dot, ".case"))
            read_cases(&list, "tests/cli", entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    struct CMUnitTest *tests = calloc(list.count + 1, sizeof *tests);
    if (!tests || !list.count)
        return 1;
    for (size_t i = 0; i < list.count; i++)
        tests[i] = (struct CMUnitTest){list.golden[i].title, run_case, NULL, NULL, &list.golden[i]};
    int failed = _cmocka_run_group_tests("cli", tests, list.count, NULL, NULL);
    for (size_t i = 0; i < list.count; i++) {
        free(list.golden[i].title);
        free(list.golden[i].script);
        for (int j = 0; j < list.golden[i].expects; j++)
            free(list.golden[i].expect[j]);
    }
    free(list.golden);
    free(tests);
    return failed;
}
