/* The program from outside: a terminal, signals, kills and full disks, with the run that nothing
 * happened to as the measure. make fault kills twenty times (GANX_KILLS) and fills a file system
 * (GANX_TMPFS, as root); make check kills thrice. */
#include "tiny.h"

#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t spawn(const char *command)
{
    pid_t child = fork();
    if (!child) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0);
    return child;
}

/* The program itself as the child, to send signals to: without timeout before it. */
static pid_t start(const char *name, const char *words)
{
    char *command = tiny_command(name, words), *direct;
    assert_true(asprintf(&direct, "exec %s", strstr(command, "120 ") + 4) > 0);
    pid_t child = spawn(direct);
    free(direct);
    free(command);
    return child;
}

/* The exit code, or 128 + the signal's number. */
static int finish(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(const char *name, const char *words)
{
    char *command = tiny_command(name, words);
    int code = finish(spawn(command));
    free(command);
    return code;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void sleep_for(double seconds)
{
    struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - floor(seconds)))};
    nanosleep(&t, NULL);
}

/* ---- kill -9 ---- */

/* Everything that has a state is on; the pools fill up early. */
static const struct killed {
    const char *family, *words;
} killed[] = {
    {"pix2pix",
     "train.steps=600 train.batch=2 net.generator=resnet_6blocks net.dropout=true optim.ema=0.9 "
     "train.checkpoint_every=40 val.every=70 train.sample_every=90 optim.schedule=plateau "
     "optim.decay_every=1"},
    {"cycle",
     "train.steps=160 train.batch=2 net.generator=resnet_1blocks net.dropout=true optim.ema=0.9 "
     "train.checkpoint_every=11 train.sample_every=50 train.pool=7"},
    {"star", "train.steps=90 optim.ema=0.9 train.checkpoint_every=6 train.sample_every=31 "
             "train.n_critic=3"},
};

static void expect_same(const char *whole, const char *other)
{
    char best[64];
    tiny_assert_same(whole, other, "latest");
    tiny_assert_same(whole, other, "model.safetensors");
    tiny_assert_same_metrics(whole, other);
    if (readlink(tiny_path("runs/%s/best", whole), best, sizeof best) > 0)
        tiny_assert_same_link(whole, other, "best");
}

/* Starts or resumes `name` and kills it after a while; false: it was done before. */
static bool kill_once(const char *name, const char *from_scratch, double delay)
{
    char words[512];
    bool begun = gx_is_folder(tiny_path("runs/%s", name));
    snprintf(words, sizeof words, "%s%s", begun ? "--quiet --resume " : "",
             begun ? "" : from_scratch);
    /* before config.yaml stands, --resume knows only what it is told */
    if (begun && !gx_is_file(tiny_path("runs/%s/config.yaml", name)))
        snprintf(words, sizeof words, "%s", from_scratch);
    pid_t child = start(name, words);
    sleep_for(delay);
    kill(child, SIGKILL);
    int code = finish(child);
    if (code != 0 && code != 128 + SIGKILL)
        fail_msg("exit %d", code);
    return code != 0;
}

static void killed_anywhere(void **state)
{
    const struct killed *what = *state;
    const char *wanted = getenv("GANX_KILLS");
    int kills = wanted ? atoi(wanted) : 3, rounds = 0;
    unsigned seed = 20;
    char whole[32];
    double began = now();
    tiny_family(what->family);
    snprintf(whole, sizeof whole, "whole-%s", what->family);
    assert_int_equal(run(whole, what->words), 0);
    double length = now() - began;
    while (kills > 0) {
        char name[32];
        snprintf(name, sizeof name, "killed-%s-%d", what->family, rounds++);
        assert_true(rounds < 50);
        bool more = true;
        while (kills > 0 && more) {
            more = kill_once(name, what->words, 0.5 * length * rand_r(&seed) / RAND_MAX);
            kills -= more;
        }
        /* what is left of it, to the end */
        if (gx_is_file(tiny_path("runs/%s/config.yaml", name)))
            assert_int_equal(run(name, "--resume --quiet"), 0);
        else
            continue;
        expect_same(whole, name);
    }
}

static int pix2pix_again(void **state)
{
    (void)state;
    tiny_family("pix2pix");
    return 0;
}

/* ---- a second signal ---- */

static void second_signal_ends_at_once(void **state)
{
    (void)state;
    pid_t child = start("twice", "net.generator=unet_256 net.ngf=32 data.load_size=256 "
                                 "data.crop_size=256 train.batch=4 train.steps=100");
    for (int i = 0; i < 600 && !gx_is_file(tiny_path("runs/twice/config.yaml")); i++)
        sleep_for(0.05);
    kill(child, SIGTERM);
    sleep_for(0.1); /* a step takes longer by far */
    kill(child, SIGINT);
    assert_int_equal(finish(child), 128 + SIGINT);
    assert_false(gx_is_file(tiny_path("runs/twice/latest"))); /* it did not wait for the step */
}

/* ---- a terminal ---- */

/* Runs it with standard error on a terminal; gives what it wrote there. */
static void on_terminal(const char *name, const char *words, char *text, size_t size)
{
    int terminal;
    size_t at = 0;
    char *command = tiny_command(name, words);
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    if (!child) {
        setenv("TERM", "xterm", 1); /* a dumb one gets no bar */
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    free(command);
    for (ssize_t got = 1; got > 0 && at < size - 1;) {
        got = read(terminal, text + at, size - 1 - at);
        at += got > 0 ? (size_t)got : 0;
    }
    text[at] = '\0';
    assert_int_equal(finish(child), 0);
    close(terminal);
}

/* A container may come without a file system of terminals. */
static bool have_terminals(void)
{
    int ours, theirs;
    if (openpty(&ours, &theirs, NULL, NULL, NULL))
        return false;
    close(ours);
    close(theirs);
    return true;
}

static void bar_needs_a_terminal(void **state)
{
    (void)state;
    static char text[1 << 16];
    if (!have_terminals())
        skip();
    /* the tiny words are quiet; --resume leaves them out */
    assert_int_equal(run("bar", "train.steps=1"), 0);
    on_terminal("bar", "--resume train.steps=200", text, sizeof text);
    if (!strstr(text, "200/200") || !strstr(text, "D_real"))
        fail_msg("no bar: %s", text);
    on_terminal("bar", "--resume --quiet train.steps=210", text, sizeof text);
    if (strstr(text, "D_real"))
        fail_msg("a bar: %s", text);
    char *command = tiny_command("bar", "--resume train.steps=220"), *line;
    assert_true(asprintf(&line, "%s 2>%s", command, tiny_path("log")) > 0);
    assert_int_equal(finish(spawn(line)), 0);
    free(line);
    free(command);
    char *log;
    size_t size;
    assert_int_equal(gx_file_read(tiny_path("log"), 1 << 20, &log, &size, NULL), 0);
    assert_non_null(strstr(log, "220 steps done"));
    assert_null(strstr(log, "220/220"));
    free(log);
}

/* ---- a disk that fills up ---- */

static void full_disk_loses_nothing(void **state)
{
    (void)state;
    if (!getenv("GANX_TMPFS") || geteuid() != 0)
        skip();
    char path[512], command[700];
    snprintf(path, sizeof path, "%s", tiny_path("runs/full"));
    snprintf(command, sizeof command, "mkdir -p '%s'", path);
    assert_int_equal(system(command), 0);
    if (mount("tmpfs", path, "tmpfs", 0, "size=3m"))
        skip(); /* root without the right to mount */
    static const char words[] = "train.steps=30 train.checkpoint_every=3 train.keep=99";
    assert_int_equal(run("roomy", words), 0);
    int code = run("full", words);
    int again = run("full", "--resume --quiet"); /* still full */
    assert_int_equal(mount("tmpfs", path, "tmpfs", MS_REMOUNT, "size=64m"), 0);
    int last = run("full", "--resume --quiet");
    tiny_assert_same("roomy", "full", "latest");
    tiny_assert_same_metrics("roomy", "full");
    assert_int_equal(umount(path), 0);
    assert_int_equal(code, 6);
    assert_int_equal(again, 6);
    assert_int_equal(last, 0);
}

/* The row is what the test gets as its state. */
#define KILLED(row)                                                                                \
    cmocka_unit_test_prestate_setup_teardown(killed_anywhere, NULL, pix2pix_again, (void *)&(row))

int main(void)
{
    const struct CMUnitTest tests[] = {
        KILLED(killed[0]),
        KILLED(killed[1]),
        KILLED(killed[2]),
        cmocka_unit_test(second_signal_ends_at_once),
        cmocka_unit_test(bar_needs_a_terminal),
        cmocka_unit_test(full_disk_loses_nothing),
    };
    return cmocka_run_group_tests(tests, tiny_setup, tiny_teardown);
}
