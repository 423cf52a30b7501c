/* Every call that writes fails once, for every N: the N-th call of an action fails, is cut short,
 * is interrupted, fails together with all that follow, or is the last thing the process does. What
 * has a final name must then be the old content or the new one, whole; no temporary file may remain
 * (a process that died leaves them to the next one); and the action must succeed when tried again.
 *
 * The program is linked with --wrap for the functions below (LINK_fault in the Makefile). */
#include "../scratch.h"
#include "../test.h"
#include "train/run.h"
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COUNT = 20000, DIED = 77 };

/* ---- the faults ---- */

enum fault_mode {
    FAIL,      /* this call */
    FULL,      /* this call and all that follow */
    SHORT,     /* half of it, where a call may do that */
    INTERRUPT, /* EINTR, where a call may do that */
    DIE        /* before this call, or half way through a write */
};

static const char *const mode_names[] = {"fail", "full", "short", "interrupt", "die"};

static struct {
    bool armed, reading; /* reading: only pread counts, else all but pread */
    enum fault_mode mode;
    int at, seen;
} fault;

enum call_kind {
    OTHER,
    TRANSFER,
    RESTARTED
}; /* may be short and interrupted; interrupted; neither */

static bool due(bool reading)
{
    if (!fault.armed || reading != fault.reading)
        return false;
    fault.seen++;
    return fault.seen == fault.at || (fault.mode == FULL && fault.seen > fault.at);
}

/* True: the call is to fail, with errno set. */
static bool fails(enum call_kind kind, bool reading)
{
    if (!due(reading))
        return false;
    if (fault.mode == DIE)
        _exit(DIED);
    if (fault.mode == INTERRUPT && kind != OTHER) {
        errno = EINTR;
        return true;
    }
    errno = reading ? EIO : ENOSPC;
    return fault.mode == FAIL || fault.mode == FULL;
}

/* As above for a transfer, whose size may be halved instead. */
static bool transfer_fails(size_t *size, bool reading)
{
    bool now = fault.armed && reading == fault.reading && fault.seen + 1 == fault.at;
    if (now && fault.mode == SHORT && *size > 1)
        *size /= 2;
    return fails(RESTARTED, reading);
}

int __real_open(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t at);
ssize_t __real_pread(int fd, void *data, size_t size, off_t at);
int __real_ftruncate(int fd, off_t size);
int __real_rename(const char *from, const char *to);
int __real_symlink(const char *to, const char *path);
FILE *__real_fdopen(int fd, const char *mode);
FILE *__real_fopen(const char *path, const char *mode);
size_t __real_fwrite(const void *data, size_t size, size_t count, FILE *to);
int __real_fflush(FILE *file);
int __real_fclose(FILE *file);

int __wrap_open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    return fails(RESTARTED, false) ? -1 : __real_open(path, flags, mode);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    if (fault.armed && !fault.reading && fault.mode == DIE && fault.seen + 1 == fault.at &&
        __real_write(fd, data, size / 2) < 0)
        return -1;
    return transfer_fails(&size, false) ? -1 : __real_write(fd, data, size);
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t at)
{
    return transfer_fails(&size, false) ? -1 : __real_pwrite(fd, data, size, at);
}

ssize_t __wrap_pread(int fd, void *data, size_t size, off_t at)
{
    return transfer_fails(&size, true) ? -1 : __real_pread(fd, data, size, at);
}

/* Nothing here survives a power cut anyway; waiting for the disk would only take time. */
int __wrap_fsync(int fd)
{
    (void)fd;
    return fails(RESTARTED, false) ? -1 : 0;
}

int __wrap_ftruncate(int fd, off_t size)
{
    return fails(OTHER, false) ? -1 : __real_ftruncate(fd, size);
}

int __wrap_rename(const char *from, const char *to)
{
    return fails(OTHER, false) ? -1 : __real_rename(from, to);
}

int __wrap_symlink(const char *to, const char *path)
{
    return fails(OTHER, false) ? -1 : __real_symlink(to, path);
}

FILE *__wrap_fdopen(int fd, const char *mode)
{
    return fails(OTHER, false) ? NULL : __real_fdopen(fd, mode);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
    return fails(OTHER, false) ? NULL : __real_fopen(path, mode);
}

size_t __wrap_fwrite(const void *data, size_t size, size_t count, FILE *to)
{
    return fails(OTHER, false) ? 0 : __real_fwrite(data, size, count, to);
}

int __wrap_fflush(FILE *file)
{
    return fails(OTHER, false) ? EOF : __real_fflush(file);
}

int __wrap_fclose(FILE *file)
{
    bool failed = fails(OTHER, false); /* the file is closed all the same */
    int result = __real_fclose(file);
    if (failed)
        errno = ENOSPC;
    return failed ? EOF : result;
}

/* ---- the folder that the actions work in ---- */

static char root[256], path[300];
static struct gx_run run;
static struct gx_record record;
static float values[COUNT];
static struct gx_err err;
static int warnings;

static void warn(void *user, const char *text)
{
    (void)user, (void)text;
    warnings++;
}

static int setup(void **state)
{
    (void)state;
    gx_record_init(&record);
    gx_record_add_array(&record, "values", COUNT, values);
    if (scratch_make(root, sizeof root))
        return -1;
    snprintf(path, sizeof path, "%s/run", root);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gx_run_close(&run);
    gx_record_clear(&record);
    return scratch_remove(root);
}

static void set_values(float value)
{
    for (int i = 0; i < COUNT; i++)
        values[i] = value;
}

static void must(int result)
{
    if (result)
        fail_msg("%s", err.text);
}

/* A run with a little of everything, all of it "old". */
static void prepare(void)
{
    gx_run_close(&run);
    if (gx_is_folder(path))
        assert_int_equal(scratch_remove(path), 0);
    must(gx_run_open(&run, path, false, NULL, &err));
    run.keep = 2;
    warnings = 0;
    set_values(1);
    must(gx_run_write(&run, "config.yaml", "old", 3, &err));
    must(gx_run_log(&run, "{\"step\":1}", &err));
    must(gx_run_log(&run, "{\"step\":5}", &err));
    must(gx_run_save(&run, &record, 1, &err));
    must(gx_run_mark_best(&run, 1, &err));
}

static int temporaries(void)
{
    static const char *const folders[] = {".", "checkpoints", "samples"};
    int count = 0;
    for (int i = 0; i < 3; i++) {
        char *folder = gx_run_file(&run, "%s", folders[i]);
        struct gx_names names;
        must(gx_folder_list(folder, &names, &err));
        for (size_t k = 0; k < names.count; k++)
            count += strstr(names.name[k], ".ganx-") != NULL;
        gx_names_free(&names);
        free(folder);
    }
    return count;
}

/* 0: the file holds the old text, 1: the new one, -1: neither. */
static int which(const char *name, const char *old, const char *new)
{
    char *file = gx_run_file(&run, "%s", name), *data;
    size_t size;
    must(gx_file_read(file, 1 << 20, &data, &size, &err));
    int found = !strcmp(data, old) ? 0 : !strcmp(data, new) ? 1 : -1;
    free(data);
    free(file);
    return found;
}

/* ---- the actions ---- */

struct action {
    const char *name;
    int (*act)(void);
    int (*state)(void); /* as which */
};

static int write_config(void)
{
    return gx_run_write(&run, "config.yaml", "new", 3, &err);
}

static int config_state(void)
{
    return which("config.yaml", "old", "new");
}

static int write_record(void)
{
    char *file = gx_run_file(&run, "checkpoints/000001.safetensors");
    set_values(2);
    int result = gx_record_write(&record, file, &err);
    free(file);
    return result;
}

static int record_state(void)
{
    int64_t step;
    set_values(9);
    must(gx_run_restore(&run, &record, &step, warn, NULL, &err));
    assert_int_equal(warnings, 0);
    for (int i = 0; i < COUNT; i++)
        if (values[i] != values[0])
            return -1;
    return values[0] == 1 ? 0 : values[0] == 2 ? 1 : -1;
}

static int save(void)
{
    set_values(2);
    return gx_run_save(&run, &record, 2, &err);
}

static int mark_best(void)
{
    set_values(1);
    int result = gx_run_save(&run, &record, 3, &err);
    return result ? result : gx_run_mark_best(&run, 3, &err);
}

static int best_state(void)
{
    char *link = gx_run_file(&run, "best"), to[100];
    ssize_t length = readlink(link, to, sizeof to - 1);
    to[length > 0 ? length : 0] = 0;
    int64_t step;
    must(gx_run_restore(&run, &record, &step, warn, NULL, &err));
    assert_int_equal(warnings, 0);
    assert_true(gx_is_file(link));
    free(link);
    if (!strcmp(to, "checkpoints/000001.safetensors"))
        return 0;
    return !strcmp(to, "checkpoints/000003.safetensors") ? 1 : -1;
}

static int log_line(void)
{
    return gx_run_log(&run, "{\"step\":7,\"loss\":{\"G_GAN\":0.5}}", &err);
}

/* A process that died may leave a torn line; a resumed run cuts it off before all else. */
static int log_state(void)
{
    must(gx_run_cut_metrics(&run, 10, &err));
    return which("metrics.jsonl", "{\"step\":1}\n{\"step\":5}\n",
                 "{\"step\":1}\n{\"step\":5}\n{\"step\":7,\"loss\":{\"G_GAN\":0.5}}\n");
}

static int cut(void)
{
    return gx_run_cut_metrics(&run, 3, &err);
}

static int cut_state(void)
{
    return which("metrics.jsonl", "{\"step\":1}\n{\"step\":5}\n", "{\"step\":1}\n");
}

static const struct action actions[] = {
    {"write a file", write_config, config_state}, {"replace a record", write_record, record_state},
    {"save a checkpoint", save, record_state},    {"mark the best", mark_best, best_state},
    {"log a line", log_line, log_state},          {"cut the metrics", cut, cut_state},
};

/* ---- the torture ---- */

static void arm(enum fault_mode mode, int at, bool reading)
{
    fault.mode = mode;
    fault.at = at;
    fault.seen = 0;
    fault.reading = reading;
    fault.armed = true;
}

/* Acts with the N-th call at fault; false when the action has fewer calls. */
static bool act_and_check(const struct action *action, enum fault_mode mode, int at)
{
    prepare();
    err.text[0] = 0;
    arm(mode, at, false);
    int result = action->act();
    fault.armed = false;
    bool reached = fault.seen >= at, recovers = mode == SHORT || mode == INTERRUPT;
    if (result && (recovers || result != -GX_E_IO || !err.text[0] || !reached))
        fail_msg("%s, %s %d: %d, '%s'", action->name, mode_names[mode], at, result, err.text);
    int left = temporaries(), state = action->state();
    if (left || state < 0 || (!result && state != 1))
        fail_msg("%s, %s %d: %d, state %d, %d temporary files", action->name, mode_names[mode], at,
                 result, state, left);
    if (result && action->act != log_line) { /* a line may stand already */
        must(action->act());
        assert_int_equal(action->state(), 1);
    }
    return reached;
}

/* The same in a child that dies there; then a new process takes over. */
static bool die_and_check(const struct action *action, int at)
{
    prepare();
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        arm(DIE, at, false);
        _exit(action->act() ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    int code = WEXITSTATUS(status);
    gx_run_close(&run);
    must(gx_run_open(&run, path, true, NULL, &err));
    int left = temporaries(), state = action->state();
    if ((code && code != DIED) || left || state < 0 || (!code && state != 1))
        fail_msg("%s, die %d: %d, state %d, %d temporary files", action->name, at, code, state,
                 left);
    return code == DIED;
}

static void writing(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        for (enum fault_mode mode = FAIL; mode <= DIE; mode++) {
            int at = 1;
            while (mode == DIE ? die_and_check(&actions[i], at)
                               : act_and_check(&actions[i], mode, at))
                at++;
            assert_true(at > 1); /* the calls are seen */
        }
    }
}

/* A disk that fails to read is no reason to throw checkpoints away. */
static void reading(void **unused)
{
    (void)unused;
    for (enum fault_mode mode = FAIL; mode < DIE; mode++) {
        bool reached = true;
        for (int at = 1; reached; at++) {
            int64_t step;
            prepare();
            must(save());
            arm(mode, at, true);
            int result = gx_run_restore(&run, &record, &step, warn, NULL, &err);
            fault.armed = false;
            reached = fault.seen >= at;
            bool expected = reached && (mode == FAIL || mode == FULL);
            assert_int_equal(result, expected ? -GX_E_IO : 0);
            assert_int_equal(warnings, 0);
            assert_int_equal(record_state(), 1);
            assert_true(reached || at > 3);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writing, setup, teardown),
        cmocka_unit_test_setup_teardown(reading, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
