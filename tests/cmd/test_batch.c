/* A batch of a hundred pictures that is killed, or runs into a full disk: what stands under a final
 * name is whole, and the same command again does the rest. make fault kills twenty times (GANX_KILLS)
 * and fills a file system (GANX_TMPFS, as root); make check kills twice. */
#include "../scratch.h"
#include "../test.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PICTURES = 100, WIDTH = 40, HEIGHT = 30, FILE_MAX = 1 << 18 };

static char folder[256], program[4096];

static const char *path(const char *sub, const char *name)
{
    static char text[4][600];
    static int next;
    char *to = text[next = (next + 1) % 4];
    snprintf(to, sizeof text[0], "%s/%s/%s", folder, sub, name);
    return to;
}

static void make_pictures(void)
{
    unsigned seed = 7;
    assert_int_equal(mkdir(path("in", ""), 0777), 0);
    for (int i = 0; i < PICTURES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%02d.ppm", i);
        FILE *to = fopen(path("in", name), "w");
        assert_non_null(to);
        fprintf(to, "P6 %d %d 255\n", WIDTH, HEIGHT);
        for (int k = 0; k < 3 * WIDTH * HEIGHT; k++)
            fputc(rand_r(&seed) & 255, to);
        assert_int_equal(fclose(to), 0);
    }
}

static pid_t start(const char *out)
{
    pid_t child = fork();
    if (!child) {
        execl(program, program, "sr", "upscale", "-q", "--threads", "1", "--format", "png", "-m",
              "tests/reference/upscale/a.safetensors", path("in", ""), out, (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0);
    return child;
}

/* The exit code, or 128 + the signal's number. */
static int finish(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static size_t read_file(const char *name, char *to)
{
    FILE *from = fopen(name, "r");
    assert_non_null(from);
    size_t size = fread(to, 1, FILE_MAX, from);
    assert_true(size < FILE_MAX);
    fclose(from);
    return size;
}

/* How many outputs there are under final names, each as in the batch that nothing happened to; the
 * temporary files of a program that was killed stay. */
static int count_whole(const char *folder_name, bool killed)
{
    static char a[FILE_MAX], b[FILE_MAX];
    char out[600];
    snprintf(out, sizeof out, "%.599s", folder_name);
    DIR *list = opendir(out);
    struct dirent *entry;
    int count = 0;
    while (list && (entry = readdir(list))) {
        char name[1024];
        const char *dot = strrchr(entry->d_name, '.');
        if (!dot || entry->d_name[0] == '.')
            continue;
        if (strcmp(dot, ".png") != 0) {
            assert_true(killed && strstr(entry->d_name, ".ganx-"));
            continue;
        }
        snprintf(name, sizeof name, "%s/%s", out, entry->d_name);
        size_t size = read_file(name, a);
        assert_int_equal(size, read_file(path("whole", entry->d_name), b));
        assert_memory_equal(a, b, size);
        count++;
    }
    if (list)
        closedir(list);
    return count;
}

static double whole_batch(void)
{
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_int_equal(finish(start(path("whole", ""))), 0);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

static void test_killed(void **state)
{
    const char *wanted = getenv("GANX_KILLS");
    double length = *(double *)*state;
    int kills = wanted ? atoi(wanted) : 2, rounds = 0;
    unsigned seed = 20;
    while (kills > 0) {
        char name[32];
        snprintf(name, sizeof name, "killed%d", rounds++);
        assert_true(rounds < 50);
        int code = 128 + SIGKILL;
        while (kills > 0 && code) {
            double delay = 0.8 * length * rand_r(&seed) / RAND_MAX;
            struct timespec pause = {(time_t)delay, (long)(1e9 * (delay - floor(delay)))};
            pid_t child = start(path(name, ""));
            nanosleep(&pause, NULL);
            kill(child, SIGKILL);
            code = finish(child);
            assert_true(code == 0 || code == 128 + SIGKILL);
            count_whole(path(name, ""), true);
            kills -= code != 0;
        }
        assert_int_equal(finish(start(path(name, ""))), 0);
        assert_int_equal(count_whole(path(name, ""), true), PICTURES);
    }
}

/* As root: a file system that has room for some of them. */
static void test_full_disk(void **state)
{
    (void)state;
    if (!getenv("GANX_TMPFS") || geteuid() != 0)
        skip();
    char out[600];
    snprintf(out, sizeof out, "%s", path("full", ""));
    assert_int_equal(mkdir(out, 0777), 0);
    if (mount("tmpfs", out, "tmpfs", 0, "size=400k"))
        skip(); /* root without the right to mount */
    int code = finish(start(out)), some = count_whole(out, false);
    int grown = mount("tmpfs", out, "tmpfs", MS_REMOUNT, "size=64m");
    int again = finish(start(out)), all = count_whole(out, false);
    assert_int_equal(umount(out), 0);
    assert_int_equal(code, 6);
    assert_true(some > 0 && some < PICTURES);
    assert_int_equal(grown, 0);
    assert_int_equal(again, 0);
    assert_int_equal(all, PICTURES);
}

static int set_up(void **state)
{
    static double length;
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 20);
    if (size <= 0 || scratch_make(folder, sizeof folder))
        return 1;
    program[size] = '\0';
    for (int up = 0; up < 3; up++) /* build/tests/cmd/test_batch -> build */
        *strrchr(program, '/') = '\0';
    strcat(program, "/ganx");
    make_pictures();
    length = whole_batch();
    *state = &length;
    return count_whole(path("whole", ""), false) != PICTURES;
}

static int tear_down(void **state)
{
    (void)state;
    return scratch_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_killed),
                                       cmocka_unit_test(test_full_disk)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
