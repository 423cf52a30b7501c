/* IN... OUT in temporary folders: names, formats, collisions, what exists, loops of links. */
#include "../scratch.h"
#include "../test.h"

#include "cmd/jobs.h"
#include "util/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[4096], scratch[256];

static int enter(void **state)
{
    (void)state;
    return !getcwd(root, sizeof root) || scratch_make(scratch, sizeof scratch) || chdir(scratch);
}

static int leave(void **state)
{
    (void)state;
    return chdir(root) || scratch_remove(scratch);
}

static bool is_picture(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (!strcmp(dot, ".png") || !strcmp(dot, ".jpg") || !strcmp(dot, ".jpeg") ||
                   !strcmp(dot, ".heic"));
}

static const char *format_off(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && !strcmp(dot, ".svg") ? "svg" : NULL;
}

static const char *format_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot && !strcmp(dot, ".png"))
        return "png";
    return dot && (!strcmp(dot, ".jpg") || !strcmp(dot, ".jpeg")) ? "jpg" : NULL;
}

static void touch(const char *path)
{
    char folder[200];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) {
        *slash = '\0';
        assert_int_equal(gx_folder_make(folder, NULL), 0);
    }
    assert_int_equal(gx_file_write(path, path, strlen(path), NULL), 0);
}

static char said[8192];

/* Plans "words" (split at blanks) and describes the jobs as "in>out:format ", or the error. */
static int plan(const char *words, struct gx_jobs_request q)
{
    char copy[400], *rest = NULL;
    const char *operand[20];
    struct gx_jobs jobs;
    struct gx_err err = {""};
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        operand[q.operands++] = word;
    q.operand = operand;
    q.files_from = q.files_from ? q.files_from : "";
    q.format = q.format ? q.format : "";
    q.fallback = "png";
    q.is_input = is_picture;
    q.format_off = format_off;
    q.format_of = format_of;
    int code = gx_jobs_plan(&jobs, &q, &err);
    size_t used = 0;
    snprintf(said, sizeof said, "%s", err.text);
    for (int i = 0; !code && i < jobs.count; i++) {
        const struct gx_job *job = &jobs.job[i];
        used += (size_t)snprintf(said + used, sizeof said - used, "%s%s>", i ? " " : "", job->in);
        for (int k = 0; k < jobs.outputs; k++)
            used += (size_t)snprintf(said + used, sizeof said - used, "%s%s%s", k ? "," : "",
                                     job->output[k].path, job->output[k].exists ? "*" : "");
        used += (size_t)snprintf(said + used, sizeof said - used, ":%s%s%s", job->format,
                                 job->skip ? "!" : "", job->problem ? "?" : "");
    }
    gx_jobs_clear(&jobs);
    return code;
}

#define PLANS(words, expected, ...)                                                                \
    do {                                                                                           \
        assert_int_equal(plan(words, (struct gx_jobs_request){__VA_ARGS__}), 0);                   \
        assert_string_equal(said, expected);                                                       \
    } while (0)
#define REFUSES(words, expected, ...)                                                              \
    do {                                                                                           \
        assert_int_equal(plan(words, (struct gx_jobs_request){__VA_ARGS__}), -GX_E_USAGE);         \
        assert_string_equal(said, expected);                                                       \
    } while (0)

static void one_file(void **state)
{
    (void)state;
    touch("a.png");
    touch("b.heic");
    assert_int_equal(gx_folder_make("out", NULL), 0);
    PLANS("a.png x.png", "a.png>x.png:png", 0);
    PLANS("a.png x.jpeg", "a.png>x.jpeg:jpg", 0);
    PLANS("a.png x", "a.png>x:png", 0);
    PLANS("b.heic x", "b.heic>x:png", 0);
    PLANS("a.png x.png", "a.png>x.png:jpg", .format = "jpg");
    PLANS("a.png out", "a.png>out/a.png:png", 0);
    PLANS("a.png new/", "a.png>new/a.png:png", 0);
    PLANS("a.png new///", "a.png>new/a.jpg:jpg", .format = "jpg");
    PLANS("b.heic out", "b.heic>out/b.png:png", 0);
    PLANS("none.png x.png", "none.png>x.png:png", 0); /* the reader will say why */
    REFUSES("a.png x.heic", "cannot write '.heic' files; name the output '.png'", 0);
    REFUSES("a.png", "expected IN... OUT: one is missing", 0);
    REFUSES("", "expected IN... OUT", 0);
}

static void streams(void **state)
{
    (void)state;
    touch("a.jpg");
    PLANS("- -", "->-:png", 0);
    PLANS("- -", "->-:jpg", .format = "jpg");
    PLANS("a.jpg -", "a.jpg>-:png", 0);
    PLANS("- x.jpg", "->x.jpg:jpg", 0);
    PLANS("- out/", "->out/stdin.png:png", 0);
    REFUSES("- - out", "standard input can be read only once", 0);
    REFUSES("a.jpg a.jpg -", "standard output takes one picture, not several", 0);
    REFUSES(". -", "standard output takes one picture, not several", 0);
}

static void folders(void **state)
{
    (void)state;
    touch("in/b.jpg");
    touch("in/a.png");
    touch("in/note.txt");
    touch("in/.hidden.png");
    touch("in/sub/c.heic");
    touch("in/sub/deep/a.png");
    touch("file");
    assert_int_equal(symlink("..", "in/sub/loop"), 0);
    PLANS("in out", "in/a.png>out/a.png:png in/b.jpg>out/b.jpg:jpg", 0);
    PLANS("in/ out/", "in/a.png>out/a.png:png in/b.jpg>out/b.jpg:jpg", 0);
    PLANS("in out",
          "in/a.png>out/a.png:png in/b.jpg>out/b.jpg:jpg in/sub/c.heic>out/sub/c.png:png "
          "in/sub/deep/a.png>out/sub/deep/a.png:png",
          .recursive = true);
    PLANS("in/a.png in/sub out", "in/a.png>out/a.png:png in/sub/c.heic>out/c.png:png", 0);
    PLANS("in/sub/deep /", "in/sub/deep/a.png>/a.png:png", 0);
    REFUSES("in file", "'file' must be a folder, for there are several inputs", 0);
    assert_int_equal(gx_folder_make("in/sub/out", NULL), 0);
    touch("in/sub/out/a.png");
    PLANS("in/sub in/sub/out",
          "in/sub/c.heic>in/sub/out/c.png:png in/sub/deep/a.png>in/sub/out/deep/a.png:png "
          "in/sub/loop/a.png>in/sub/out/loop/a.png:png in/sub/loop/b.jpg>in/sub/out/loop/b.jpg:jpg",
          .recursive = true);
    assert_int_equal(gx_folder_make("empty", NULL), 0);
    PLANS("empty out", "", 0);
}

static void lists_of_names(void **state)
{
    (void)state;
    touch("a.png");
    touch("b c.png");
    static const char lines[] = "a.png\n\nb c.png", nuls[] = "a.png\0b c.png";
    assert_int_equal(gx_file_write("lines", lines, sizeof lines - 1, NULL), 0);
    assert_int_equal(gx_file_write("nuls", nuls, sizeof nuls, NULL), 0);
    PLANS("out", "a.png>out/a.png:png b c.png>out/b c.png:png", .files_from = "lines");
    PLANS("out", "a.png>out/a.png:png b c.png>out/b c.png:png", .files_from = "nuls");
    REFUSES("a.png out", "with --files-from only the output is named, not 'a.png' too",
            .files_from = "lines");
    REFUSES("", "expected IN... OUT", .files_from = "lines");
    assert_int_equal(plan("out", (struct gx_jobs_request){.files_from = "none"}), -GX_E_IO);
}

static void outputs_never_meet(void **state)
{
    (void)state;
    touch("in/a.jpg");
    touch("in/a.png");
    REFUSES("in out", "'in/a.jpg' and 'in/a.png' would both become 'out/a.png'", .format = "png");
    REFUSES("in/a.png in/a.png out", "'in/a.png' and 'in/a.png' would both become 'out/a.png'", 0);
    touch("in/b.heic");
    touch("in/b.png");
    REFUSES("in out", "'in/b.heic' and 'in/b.png' would both become 'out/b.png'", 0);
}

static void an_output_is_never_an_input(void **state)
{
    (void)state;
    touch("in/a.png");
    touch("in/b.png");
    assert_int_equal(link("in/a.png", "same.png"), 0);
    assert_int_equal(symlink("in/a.png", "link.png"), 0);
    for (int force = 0; force < 2; force++) {
        REFUSES("in in", "the output 'in/a.png' is the input 'in/a.png'; name another",
                .force = force);
        REFUSES("in/a.png same.png", "the output 'same.png' is the input 'in/a.png'; name another",
                .force = force);
        REFUSES("in/a.png ./in/../link.png",
                "the output './in/../link.png' is the input 'in/a.png'; name another",
                .force = force);
        REFUSES("in/a.png in", "the output 'in/a.png' is the input 'in/a.png'; name another",
                .force = force);
    }
    touch("two/a.jpg"); /* its output is another's input */
    touch("two/a.heic");
    touch("three/a.png");
    REFUSES("two/a.heic three/a.png three",
            "'two/a.heic' and 'three/a.png' would both become 'three/a.png'", .force = true);
}

static void existing_outputs_stay(void **state)
{
    (void)state;
    touch("in/a.png");
    touch("in/b.png");
    touch("out/a.png");
    REFUSES("in/a.png out/a.png", "'out/a.png' exists; --force writes over it", 0);
    REFUSES("in/a.png out", "'out/a.png' exists; --force writes over it", 0);
    PLANS("in/a.png out/a.png", "in/a.png>out/a.png:png", .force = true);
    PLANS("in out", "in/a.png>out/a.png*:png! in/b.png>out/b.png:png", 0);
    PLANS("in out", "in/a.png>out/a.png:png in/b.png>out/b.png:png", .force = true);
    PLANS("in/a.png /dev/null", "in/a.png>/dev/null:png", 0);
}

/* Several outputs of each input: a folder for each, whatever the input is. */
static void several_outputs(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b=1"};
#define TWO .variant = names, .variants = 2
    touch("in/x.png");
    touch("in/sub/y.heic");
    PLANS("in/x.png out", "in/x.png>out/a/x.png,out/b=1/x.png:png", TWO);
    PLANS("in/x.png out.png", "in/x.png>out.png/a/x.png,out.png/b=1/x.png:png", TWO);
    PLANS("- out", "->out/a/stdin.jpg,out/b=1/stdin.jpg:jpg", TWO, .format = "jpg");
    PLANS("in/x.png /", "in/x.png>/a/x.png,/b=1/x.png:png", TWO);
    PLANS("in out",
          "in/x.png>out/a/x.png,out/b=1/x.png:png "
          "in/sub/y.heic>out/a/sub/y.png,out/b=1/sub/y.png:png",
          TWO, .recursive = true);
    REFUSES("in/x.png -", "standard output takes one picture, not several", TWO);
    REFUSES("in/x.png in/x.png", "'in/x.png' must be a folder, for there are several outputs", TWO);
    touch("out/a/x.png");
    PLANS("in/x.png out", "in/x.png>out/a/x.png*,out/b=1/x.png:png", TWO);
    PLANS("in/x.png out", "in/x.png>out/a/x.png,out/b=1/x.png:png", TWO, .force = true);
    touch("out/b=1/x.png");
    PLANS("in out", "in/x.png>out/a/x.png*,out/b=1/x.png*:png!", TWO);
    touch("two/x.png");
    REFUSES("in/x.png two/x.png out", "'in/x.png' and 'two/x.png' would both become 'out/a/x.png'",
            TWO, .force = true);
    touch("in/a/x.png");
    REFUSES("in/x.png in/a/x.png in", "'in/x.png' and 'in/a/x.png' would both become 'in/a/x.png'",
            TWO, .force = true);
    REFUSES("in/a/x.png in", "the output 'in/a/x.png' is the input 'in/a/x.png'; name another", TWO,
            .force = true);
#undef TWO
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_file, enter, leave),
        cmocka_unit_test_setup_teardown(streams, enter, leave),
        cmocka_unit_test_setup_teardown(folders, enter, leave),
        cmocka_unit_test_setup_teardown(lists_of_names, enter, leave),
        cmocka_unit_test_setup_teardown(outputs_never_meet, enter, leave),
        cmocka_unit_test_setup_teardown(an_output_is_never_an_input, enter, leave),
        cmocka_unit_test_setup_teardown(existing_outputs_stay, enter, leave),
        cmocka_unit_test_setup_teardown(several_outputs, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
