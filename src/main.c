/* Finds the command's row, runs it, and makes sure that what it printed has arrived. */
#include "cmd/cmd.h"
#include "kernel/kernel.h"
#include "util/file.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A command that has nothing better to do on a signal (training has) leaves no temporary files. */
static void stop(int number)
{
    gx_staged_remove_all();
    _exit(GX_EXIT_SIGNAL + number);
}

static void set_signals(void)
{
    static const int ending[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = stop}, old;
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        if (!sigaction(ending[i], NULL, &old) && old.sa_handler != SIG_IGN) /* nohup stays */
            sigaction(ending[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN); /* a closed pipe and a full quota are errors of a write */
    signal(SIGXFSZ, SIG_IGN);
}

/* A reader that has gone is no failure of ours; anything else is. An error of an earlier flush has
 * lost its errno, so the pipe itself is asked. */
static int finish(int code, struct gx_report *report)
{
    errno = 0;
    if (!fflush(stdout) && !ferror(stdout))
        return code;
    int reason = errno;
    struct pollfd output = {.fd = STDOUT_FILENO};
    if (reason == EPIPE || (poll(&output, 1, 0) == 1 && (output.revents & POLLERR)))
        return code;
    gx_report(report, GX_ERROR, "error", "cannot write to standard output%s%s", reason ? ": " : "",
              reason ? strerror(reason) : "");
    return code == GX_EXIT_DONE ? GX_EXIT_CANNOT_WRITE : code;
}

/* Two libraries read the environment when they are loaded:
 *   libgomp    threads that wait for each other shall spin only briefly: where other programs want
 *              the processor too, its default makes every operator milliseconds slower. Linked into
 *              the program it starts after this.
 *   OpenBLAS   the tier that --cpu names; a command that computes starts over once for it (20 ms)
 * What the user has set stays. Where it cannot be done, results are the same. */
static bool set_spinning(void)
{
    bool own = getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT");
    return !own && !setenv("GOMP_SPINCOUNT", "3000", 1);
}

#ifdef GX_OWN_LIBGOMP
__attribute__((constructor(101))) static void before_libgomp(void)
{
    set_spinning();
}
#endif

static void start_over(const struct gx_config *config, char **argv)
{
    const struct gx_kernels *kernels = gx_kernels_named(config->cpu);
    const char *core = kernels ? gx_kernels_blas_core(kernels) : NULL;
    bool changed = set_spinning();
    if (core && !getenv("OPENBLAS_CORETYPE"))
        changed |= !setenv("OPENBLAS_CORETYPE", core, 1);
    if (changed)
        execv("/proc/self/exe", argv);
}

static int run(const struct gx_call_line *line, char **all, int argc, char **argv,
               struct gx_report *report)
{
    struct gx_config config;
    struct gx_err err;
    int code = gx_config_resolve(&config, line->family, line->command->verb, argc, argv, &err);
    gx_report_init(report, &config, stderr);
    if (code) {
        code = gx_fail_at(report, code, GX_AT_START, &err);
    } else if (config.help) {
        gx_usage_command(stdout, line->command, line->family);
    } else {
        if (line->command->verb &
            (GX_VERB_TRAIN | GX_VERB_TRANSLATE | GX_VERB_UPSCALE | GX_VERB_BENCH))
            start_over(&config, all);
        gx_kernels_prefer(config.cpu);
        code = line->command->run(&config, report);
    }
    gx_config_clear(&config);
    return code;
}

int main(int argc, char **argv)
{
    static const struct gx_config plain;
    static char version[] = "version";
    struct gx_report report;
    struct gx_call_line line;
    struct gx_err err;
    set_signals();
    gx_report_init(&report, &plain, stderr);
    if (argc > 1 && !strcmp(argv[1], "--version"))
        argv[1] = version;
    int code = gx_command_find(&line, 1, argc, argv, &err);
    if (code)
        return gx_fail_at(&report, code, GX_AT_START, &err);
    if (line.command) {
        int used = 1 + line.words;
        code = run(&line, argv, argc - used, argv + used, &report);
    } else if (*line.family) {
        gx_usage_family(stdout, line.family);
    } else {
        gx_usage_top(argc > 1 ? stdout : stderr);
        code = argc > 1 ? GX_EXIT_DONE : GX_EXIT_USAGE;
    }
    return finish(code, &report);
}
