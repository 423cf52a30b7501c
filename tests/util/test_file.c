/* Files: whole reads with a limit, staged writes that leave nothing behind, locks between
 * processes, links, folders. Everything happens in a folder of its own under $TMPDIR or /tmp. */
#include "../scratch.h"
#include "../test.h"
#include "util/file.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[256];

static const char *in_root(const char *name)
{
    static char path[4][1024];
    static int turn;
    char *p = path[turn++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", root, name);
    return p;
}

static int make_root(void **state)
{
    (void)state;
    return scratch_make(root, sizeof root);
}

/* Empties and removes the folder; hidden files (a forgotten temporary one) make rmdir fail. */
static int remove_root(void **state)
{
    (void)state;
    struct gx_names names;
    if (gx_folder_list(root, &names, NULL))
        return -1;
    for (size_t i = 0; i < names.count; i++)
        if (remove(in_root(names.name[i])))
            return -1;
    gx_names_free(&names);
    return rmdir(root);
}

static size_t count_in_root(void)
{
    struct gx_names names;
    assert_int_equal(gx_folder_list(root, &names, NULL), 0);
    size_t count = names.count;
    gx_names_free(&names);
    return count;
}

static void expect_content(const char *path, const char *text)
{
    char *data;
    size_t size;
    assert_int_equal(gx_file_read(path, 1 << 20, &data, &size, NULL), 0);
    assert_int_equal(size, strlen(text));
    assert_string_equal(data, text);
    free(data);
}

static void write_and_read(void **state)
{
    (void)state;
    struct gx_err err;
    const char *path = in_root("a.txt");
    assert_int_equal(gx_file_write(path, "one", 3, &err), 0);
    expect_content(path, "one");
    assert_int_equal(gx_file_write(path, "second", 6, &err), 0);
    expect_content(path, "second");
    assert_int_equal(gx_file_write(in_root("empty"), "", 0, &err), 0);
    expect_content(in_root("empty"), "");
    assert_true(gx_is_file(path) && !gx_is_folder(path));
    assert_int_equal(count_in_root(), 2);
}

static void mode_follows_umask(void **state)
{
    (void)state;
    mode_t old = umask(027);
    assert_int_equal(gx_file_write(in_root("mode"), "x", 1, NULL), 0);
    umask(old);
    struct stat st;
    assert_int_equal(stat(in_root("mode"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
}

static void read_respects_limit(void **state)
{
    (void)state;
    struct gx_err err;
    char *data;
    size_t size;
    assert_int_equal(gx_file_write(in_root("five"), "12345", 5, NULL), 0);
    assert_int_equal(gx_file_read(in_root("five"), 5, &data, &size, &err), 0);
    free(data);
    assert_int_equal(gx_file_read(in_root("five"), 4, &data, &size, &err), -GX_E_LIMIT);
    assert_null(data);
    assert_int_equal(gx_file_read("/dev/zero", 10000, &data, &size, &err), -GX_E_LIMIT);
    assert_non_null(strstr(err.text, "'/dev/zero' is larger than 10000 bytes"));
    assert_int_equal(gx_file_read(in_root("none"), 4, &data, &size, &err), -GX_E_IO);
    assert_non_null(strstr(err.text, "none': no such file or directory"));
    assert_int_equal(gx_file_read(root, 4096, &data, &size, &err), -GX_E_IO);
    assert_non_null(strstr(err.text, "is a directory"));
}

static void staged_discard_leaves_nothing(void **state)
{
    (void)state;
    struct gx_staged s;
    size_t before = count_in_root();
    assert_int_equal(gx_staged_open(&s, in_root("never"), NULL), 0);
    assert_int_equal(count_in_root(), before + 1);
    assert_non_null(strstr(s.temporary, "/never.ganx-"));
    assert_true(fputs("half", s.file) >= 0);
    gx_staged_discard(&s);
    assert_int_equal(count_in_root(), before);
    gx_staged_discard(&s); /* a second one does nothing */
}

static void staged_refuses_what_is_no_file(void **state)
{
    (void)state;
    struct gx_err err;
    struct gx_staged s;
    assert_int_equal(gx_staged_open(&s, "/dev/null", &err), -GX_E_IO);
    assert_non_null(strstr(err.text, "'/dev/null': it is not a regular file"));
    assert_int_equal(gx_staged_open(&s, root, &err), -GX_E_IO);
    assert_non_null(strstr(err.text, "it is a folder"));
    assert_int_equal(gx_staged_open(&s, in_root("no/such/x"), &err), -GX_E_IO);
    assert_non_null(strstr(err.text, "x': no such file or directory"));
}

static void staged_takes_long_names(void **state)
{
    (void)state;
    char name[251];
    memset(name, 'n', 250);
    name[250] = 0;
    assert_int_equal(gx_file_write(in_root(name), "x", 1, NULL), 0);
    expect_content(in_root(name), "x");
}

/* A file size limit stands for the full disk: write fails, the old file stays, nothing is left. */
static void failed_write_keeps_the_old(void **state)
{
    (void)state;
    static char big[100000];
    struct gx_err err;
    assert_int_equal(gx_file_write(in_root("kept"), "old", 3, NULL), 0);
    size_t before = count_in_root();
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 5000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int direct = gx_file_write(in_root("kept"), big, sizeof big, &err);
    struct gx_staged s;
    int opened = gx_staged_open(&s, in_root("kept"), NULL);
    size_t put = fwrite(big, 1, sizeof big, s.file);
    int buffered = gx_staged_commit(&s, NULL);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(direct, -GX_E_IO);
    assert_non_null(strstr(err.text, "kept': file too large"));
    assert_int_equal(opened, 0);
    assert_true(put <= sizeof big);
    assert_int_equal(buffered, -GX_E_IO);
    expect_content(in_root("kept"), "old");
    assert_int_equal(count_in_root(), before);
}

static void remove_all_removes_open_ones(void **state)
{
    (void)state;
    struct gx_staged a, b, c;
    size_t before = count_in_root();
    assert_int_equal(gx_staged_open(&a, in_root("sa"), NULL), 0);
    assert_int_equal(gx_staged_open(&b, in_root("sb"), NULL), 0);
    assert_int_equal(gx_staged_open(&c, in_root("sc"), NULL), 0);
    assert_int_equal(gx_staged_commit(&c, NULL), 0);
    assert_int_equal(count_in_root(), before + 3);
    gx_staged_remove_all();
    assert_int_equal(count_in_root(), before + 1); /* what is committed stays */
    struct gx_err err;
    assert_int_equal(gx_staged_commit(&a, &err), -GX_E_IO);
    gx_staged_discard(&b);
    assert_int_equal(count_in_root(), before + 1);
}

static void folders(void **state)
{
    (void)state;
    struct gx_err err;
    assert_int_equal(gx_folder_make(in_root("d/e//f/"), &err), 0);
    assert_int_equal(gx_folder_make(in_root("d/e/f"), &err), 0);
    assert_true(gx_is_folder(in_root("d/e/f")));
    assert_int_equal(gx_file_write(in_root("d/x"), "", 0, NULL), 0);
    assert_int_equal(gx_folder_make(in_root("d/x/y"), &err), -GX_E_IO);
    assert_non_null(strstr(err.text, "cannot make the folder"));
    assert_int_equal(gx_file_write(in_root("d/B"), "", 0, NULL), 0);
    assert_int_equal(gx_file_write(in_root("d/.hidden"), "", 0, NULL), 0);
    struct gx_names names;
    assert_int_equal(gx_folder_list(in_root("d"), &names, &err), 0);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.name[0], "B");
    assert_string_equal(names.name[1], "e");
    assert_string_equal(names.name[2], "x");
    gx_names_free(&names);
    assert_int_equal(gx_folder_list(in_root("nowhere"), &names, &err), -GX_E_IO);
    static const char *const order[] = {"d/.hidden", "d/B", "d/x", "d/e/f", "d/e", "d"};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        assert_int_equal(remove(in_root(order[i])), 0);
}

static void lock_names_the_first(void **state)
{
    (void)state;
    struct gx_err err;
    int fd, other;
    assert_int_equal(gx_file_lock(in_root("lock"), &fd, &err), 0);
    pid_t first = getpid(), child = fork();
    if (child == 0) {
        char expected[64];
        snprintf(expected, sizeof expected, "is locked by process %ld", (long)first);
        int code = gx_file_lock(in_root("lock"), &other, &err);
        _exit(code == -GX_E_USAGE && other == -1 && strstr(err.text, expected) ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(fd);
    assert_int_equal(gx_file_lock(in_root("lock"), &fd, &err), 0);
    close(fd);
    assert_int_equal(gx_file_lock(in_root("no/lock"), &fd, &err), -GX_E_IO);
}

static void links(void **state)
{
    (void)state;
    char to[64];
    for (int i = 0; i < 2; i++) {
        const char *target = i ? "second" : "first";
        assert_int_equal(gx_link_replace(in_root("link"), target, NULL), 0);
        ssize_t length = readlink(in_root("link"), to, sizeof to);
        assert_int_equal(length, strlen(target));
        assert_memory_equal(to, target, (size_t)length);
    }
    struct gx_err err;
    assert_int_equal(gx_link_replace(in_root("no/link"), "x", &err), -GX_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_and_read),
        cmocka_unit_test(mode_follows_umask),
        cmocka_unit_test(read_respects_limit),
        cmocka_unit_test(staged_discard_leaves_nothing),
        cmocka_unit_test(staged_refuses_what_is_no_file),
        cmocka_unit_test(staged_takes_long_names),
        cmocka_unit_test(failed_write_keeps_the_old),
        cmocka_unit_test(remove_all_removes_open_ones),
        cmocka_unit_test(folders),
        cmocka_unit_test(lock_names_the_first),
        cmocka_unit_test(links),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
