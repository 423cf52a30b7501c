/* Files: reading whole, writing so that a final name never shows half a file, locks, folders. */
#ifndef GX_UTIL_FILE_H
#define GX_UTIL_FILE_H

#include "ganx/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Reads a file of at most `limit` bytes; gives *data (free it), NUL-terminated past *size. */
GX_MUST_CHECK int gx_file_read(const char *path, size_t limit, char **data, size_t *size,
                               struct gx_err *err);

/* A file being written beside its target: path + ".ganx-XXXXXX", mode as umask allows.
 *   gx_staged_open -> write through .file or .fd -> gx_staged_commit (flush, fsync, rename, fsync
 *   of the folder) or gx_staged_discard (remove). commit discards by itself when it fails.
 * Staged files that are open when a signal kills the program are removed by gx_staged_remove_all,
 * which is async-signal-safe. */
struct gx_staged {
    FILE *file;
    int fd;
    char *temporary, *target;
};

GX_MUST_CHECK int gx_staged_open(struct gx_staged *s, const char *target, struct gx_err *err);
GX_MUST_CHECK int gx_staged_commit(struct gx_staged *s, struct gx_err *err);
void gx_staged_discard(struct gx_staged *s);
void gx_staged_remove_all(void);

/* Writes a whole small file atomically, through gx_staged. */
GX_MUST_CHECK int gx_file_write(const char *path, const void *data, size_t size,
                                struct gx_err *err);

/* A file for reading and writing that has no name, in $TMPDIR or /tmp; gone once it is closed. */
GX_MUST_CHECK int gx_file_nameless(int *fd, struct gx_err *err);

/* mkdir -p. */
GX_MUST_CHECK int gx_folder_make(const char *path, struct gx_err *err);

/* Takes an exclusive lock on `path` (made if absent; the process number is written into it) for as
 * long as *fd stays open. When another process has it: -GX_E_USAGE and a text that names it. */
GX_MUST_CHECK int gx_file_lock(const char *path, int *fd, struct gx_err *err);

/* Points the symbolic link `path` at `to`, atomically. */
GX_MUST_CHECK int gx_link_replace(const char *path, const char *to, struct gx_err *err);

bool gx_is_folder(const char *path);
bool gx_is_file(const char *path);

/* Names in a folder, sorted by bytes, without "." files; gives *names (gx_names_free). */
struct gx_names {
    char **name;
    size_t count;
};
GX_MUST_CHECK int gx_folder_list(const char *path, struct gx_names *names, struct gx_err *err);
void gx_names_free(struct gx_names *names);

#endif
