#include "util/file.h"
#include "util/arena.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the staged files that a signal handler must remove ----
 * Names are copied into fixed memory, so that the handler never meets one that was just freed. When
 * every slot is taken or a name is too long a file is merely not registered. */

enum { SLOTS = 64, SLOT_BYTES = 1024 };
enum { SLOT_FREE, SLOT_TAKEN, SLOT_LIVE };

static struct {
    atomic_int state;
    char name[SLOT_BYTES];
} slots[SLOTS];

static void slot_add(const char *name)
{
    if (strlen(name) >= SLOT_BYTES)
        return;
    for (int i = 0; i < SLOTS; i++) {
        int expected = SLOT_FREE;
        if (atomic_compare_exchange_strong(&slots[i].state, &expected, SLOT_TAKEN)) {
            strcpy(slots[i].name, name);
            atomic_store(&slots[i].state, SLOT_LIVE);
            return;
        }
    }
}

static void slot_remove(const char *name)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&slots[i].state) == SLOT_LIVE && !strcmp(slots[i].name, name))
            atomic_store(&slots[i].state, SLOT_FREE);
}

void gx_staged_remove_all(void)
{
    int saved = errno;
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&slots[i].state) == SLOT_LIVE)
            unlink(slots[i].name);
    errno = saved;
}

/* ---- names ---- */

/* "folder/base.ganx-XXXXXX", new at each call; a base that would become too long is cut. */
static char *temporary_name(const char *target)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    enum { SUFFIX = 6, EXTRA = sizeof ".ganx-" - 1 + SUFFIX };
    const char *slash = strrchr(target, '/');
    size_t folder = slash ? (size_t)(slash - target) + 1 : 0;
    size_t base = strlen(target + folder);
    if (base + EXTRA > NAME_MAX)
        base = NAME_MAX - EXTRA;
    char suffix[SUFFIX + 1] = "";
    uint64_t bits;
    if (getrandom(&bits, sizeof bits, 0) != sizeof bits)
        bits = (uint64_t)getpid() * 0x9e3779b97f4a7c15u + (uintptr_t)&bits;
    for (int i = 0; i < SUFFIX; i++, bits /= 36)
        suffix[i] = digits[bits % 36];
    size_t bytes = folder + base + EXTRA + 1;
    char *name = gx_new(bytes);
    snprintf(name, bytes, "%.*s.ganx-%s", (int)(folder + base), target, suffix);
    return name;
}

/* Makes the rename or link of `path` durable. A folder that cannot be opened for reading, or a file
 * system that cannot sync folders, is not an error: there is nothing more to do there. */
static int folder_sync(const char *path, struct gx_err *err)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
    if (!folder)
        return gx_fail(err, GX_E_NOMEM, "out of memory");
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = 0;
    if (fd >= 0) {
        int failed;
        do
            failed = fsync(fd);
        while (failed && errno == EINTR);
        if (failed && errno != EINVAL && errno != ENOTSUP && errno != EROFS)
            result = gx_fail_errno(err, GX_E_IO, "cannot flush the folder '%s'", folder);
        close(fd);
    }
    free(folder);
    return result;
}

/* ---- reading ---- */

static int read_all(int fd, const char *path, size_t limit, char **data, size_t *size,
                    struct gx_err *err)
{
    struct stat st;
    size_t room = 4096, used = 0;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        if ((uint64_t)st.st_size > limit)
            return gx_fail(err, GX_E_LIMIT, "'%s' is larger than %zu bytes", path, limit);
        room = (size_t)st.st_size + 1;
    }
    char *bytes = malloc(room + 1);
    while (bytes) {
        ssize_t got = read(fd, bytes + used, room - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(bytes);
            return gx_fail_errno(err, GX_E_IO, "cannot read '%s'", path);
        }
        if (got == 0) {
            bytes[used] = 0;
            *data = bytes;
            *size = used;
            return 0;
        }
        used += (size_t)got;
        if (used > limit) {
            free(bytes);
            return gx_fail(err, GX_E_LIMIT, "'%s' is larger than %zu bytes", path, limit);
        }
        if (used == room) {
            char *more = realloc(bytes, (room *= 2) + 1);
            if (!more)
                free(bytes);
            bytes = more;
        }
    }
    return gx_fail(err, GX_E_NOMEM, "out of memory while reading '%s'", path);
}

int gx_file_read(const char *path, size_t limit, char **data, size_t *size, struct gx_err *err)
{
    *data = NULL;
    *size = 0;
    int fd;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return gx_fail_errno(err, GX_E_IO, "cannot open '%s'", path);
    int result = read_all(fd, path, limit, data, size, err);
    close(fd);
    return result;
}

/* ---- staged writing ---- */

int gx_staged_open(struct gx_staged *s, const char *target, struct gx_err *err)
{
    *s = (struct gx_staged){.fd = -1};
    struct stat st;
    /* A rename would replace a device by a file; and over a folder it would fail after the work. */
    if (stat(target, &st) == 0 && !S_ISREG(st.st_mode))
        return gx_fail(err, GX_E_IO, "cannot write '%s': it is %s", target,
                       S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    for (int attempt = 0; attempt < 100 && s->fd < 0; attempt++) {
        free(s->temporary);
        s->temporary = temporary_name(target);
        s->fd = open(s->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (s->fd < 0 && errno != EEXIST && errno != EINTR)
            break;
    }
    if (s->fd >= 0) {
        slot_add(s->temporary);
        s->file = fdopen(s->fd, "wb");
    }
    if (!s->file) {
        int result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", target);
        gx_staged_discard(s);
        return result;
    }
    s->target = gx_new(strlen(target) + 1);
    strcpy(s->target, target);
    return 0;
}

static void staged_clear(struct gx_staged *s)
{
    if (s->temporary)
        slot_remove(s->temporary);
    free(s->temporary);
    free(s->target);
    *s = (struct gx_staged){.fd = -1};
}

int gx_staged_commit(struct gx_staged *s, struct gx_err *err)
{
    bool spoiled = ferror(s->file); /* an earlier write failed: its errno is gone */
    if (fflush(s->file) || spoiled) {
        int result = spoiled ? gx_fail(err, GX_E_IO, "cannot write '%s'", s->target)
                             : gx_fail_errno(err, GX_E_IO, "cannot write '%s'", s->target);
        gx_staged_discard(s);
        return result;
    }
    int failed;
    do
        failed = fsync(s->fd);
    while (failed && errno == EINTR);
    if (failed && (errno == EINVAL || errno == ENOTSUP)) /* a file system without fsync */
        failed = 0;
    if (!failed) {
        failed = fclose(s->file) && errno != EINTR;
        s->file = NULL;
        s->fd = -1;
    }
    if (failed || rename(s->temporary, s->target)) {
        int result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", s->target);
        gx_staged_discard(s);
        return result;
    }
    int result = folder_sync(s->target, err);
    staged_clear(s);
    return result;
}

void gx_staged_discard(struct gx_staged *s)
{
    int saved = errno;
    /* Removed only if this call made it: an open that failed has a name but no file. */
    bool made = s->fd >= 0 || s->target;
    if (s->file)
        fclose(s->file);
    else if (s->fd >= 0)
        close(s->fd);
    if (made && s->temporary)
        unlink(s->temporary);
    staged_clear(s);
    errno = saved;
}

int gx_file_write(const char *path, const void *data, size_t size, struct gx_err *err)
{
    struct gx_staged s;
    int result = gx_staged_open(&s, path, err);
    if (result)
        return result;
    for (size_t done = 0; done < size;) {
        ssize_t put = write(s.fd, (const char *)data + done, size - done);
        if (put < 0 && errno != EINTR) {
            result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", path);
            gx_staged_discard(&s);
            return result;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    return gx_staged_commit(&s, err);
}

int gx_file_nameless(int *fd, struct gx_err *err)
{
    const char *base = getenv("TMPDIR");
    base = base && *base ? base : "/tmp";
    *fd = open(base, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (*fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        char *name = gx_new(strlen(base) + sizeof "/ganx-XXXXXX"); /* no such files there */
        strcat(strcpy(name, base), "/ganx-XXXXXX");
        *fd = mkostemp(name, O_CLOEXEC);
        if (*fd >= 0)
            unlink(name);
        free(name);
    }
    return *fd < 0 ? gx_fail_errno(err, GX_E_IO, "cannot make a temporary file in '%s'", base) : 0;
}

/* ---- folders, locks, links ---- */

int gx_folder_make(const char *path, struct gx_err *err)
{
    char *part = gx_new(strlen(path) + 1);
    int result = 0;
    for (size_t i = 0; !result;) {
        while (path[i] == '/')
            i++;
        while (path[i] && path[i] != '/')
            i++;
        memcpy(part, path, i);
        part[i] = 0;
        /* Whatever mkdir says of a folder that is there (EEXIST, EROFS, EPERM), it is there. */
        if (mkdir(part, 0777) && !gx_is_folder(part))
            result = gx_fail_errno(err, GX_E_IO, "cannot make the folder '%s'", part);
        if (!path[i])
            break;
    }
    free(part);
    return result;
}

int gx_file_lock(const char *path, int *fd, struct gx_err *err)
{
    int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666), failed;
    *fd = -1;
    if (f < 0)
        return gx_fail_errno(err, GX_E_IO, "cannot open '%s'", path);
    do
        failed = flock(f, LOCK_EX | LOCK_NB);
    while (failed && errno == EINTR);
    char text[32] = "";
    int result;
    if (failed && errno == EWOULDBLOCK) {
        ssize_t got = pread(f, text, sizeof text - 1, 0);
        long owner = got > 0 ? strtol(text, NULL, 10) : 0;
        result = owner > 0 ? gx_fail(err, GX_E_USAGE, "'%s' is locked by process %ld", path, owner)
                           : gx_fail(err, GX_E_USAGE, "'%s' is locked by another process", path);
    } else if (failed) {
        result = gx_fail_errno(err, GX_E_IO, "cannot lock '%s'", path);
    } else {
        int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
        if (ftruncate(f, 0) == 0 && pwrite(f, text, (size_t)length, 0) == length) {
            *fd = f;
            return 0;
        }
        result = gx_fail_errno(err, GX_E_IO, "cannot write '%s'", path);
    }
    close(f);
    return result;
}

int gx_link_replace(const char *path, const char *to, struct gx_err *err)
{
    char *temporary = NULL;
    int failed = -1;
    for (int attempt = 0; attempt < 100 && failed; attempt++) {
        free(temporary);
        temporary = temporary_name(path);
        failed = symlink(to, temporary);
        if (failed && errno != EEXIST)
            break;
    }
    int result = 0;
    if (failed) {
        result = gx_fail_errno(err, GX_E_IO, "cannot make the link '%s'", path);
    } else if (rename(temporary, path)) {
        result = gx_fail_errno(err, GX_E_IO, "cannot make the link '%s'", path);
        unlink(temporary);
    } else {
        result = folder_sync(path, err);
    }
    free(temporary);
    return result;
}

bool gx_is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool gx_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int gx_folder_list(const char *path, struct gx_names *names, struct gx_err *err)
{
    *names = (struct gx_names){0};
    DIR *folder = opendir(path);
    if (!folder)
        return gx_fail_errno(err, GX_E_IO, "cannot list '%s'", path);
    size_t room = 0;
    struct dirent *entry;
    while (errno = 0, (entry = readdir(folder))) {
        if (entry->d_name[0] == '.')
            continue;
        if (names->count == room) {
            room = room ? 2 * room : 64;
            names->name = gx_grow(names->name, room * sizeof *names->name);
        }
        char *copy = gx_new(strlen(entry->d_name) + 1);
        names->name[names->count++] = strcpy(copy, entry->d_name);
    }
    int result = errno ? gx_fail_errno(err, GX_E_IO, "cannot list '%s'", path) : 0;
    closedir(folder);
    if (result)
        gx_names_free(names);
    else if (names->count)
        qsort(names->name, names->count, sizeof *names->name, by_bytes);
    return result;
}

void gx_names_free(struct gx_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->name[i]);
    free(names->name);
    *names = (struct gx_names){0};
}
