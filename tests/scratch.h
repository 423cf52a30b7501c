/* A folder of a test's own, under $TMPDIR or /tmp, and its end. Both give 0 when it is done. */
#ifndef GX_TESTS_SCRATCH_H
#define GX_TESTS_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Makes the folder and writes its name. */
static inline int scratch_make(char *folder, size_t size)
{
    const char *base = getenv("TMPDIR");
    int length = snprintf(folder, size, "%s/ganx-test-XXXXXX", base ? base : "/tmp");
    return length >= (int)size || !mkdtemp(folder);
}

static inline int scratch_remove_one(const char *name, const struct stat *st, int type,
                                     struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(name);
}

/* Removes a folder with all that is in it; links are not followed. */
static inline int scratch_remove(const char *folder)
{
    return nftw(folder, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif
