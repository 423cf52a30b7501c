/* What fails in libvips, and why.
 *
 * libvips has one buffer of errors for the process, and drops what any thread has to say while one
 * of them looks for a loader: what a failure finds there may be another's reason, or none. So what
 * failed is done once more with no other thread in libvips, and then finds its own. */
#include "image/image.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Shared by those at work. A failure does not wait for them to run out of it. */
static pthread_rwlock_t gate = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

void gx_vips_begin(void)
{
    pthread_rwlock_rdlock(&gate);
}

void gx_vips_end(void)
{
    pthread_rwlock_unlock(&gate);
}

/* The first line. */
static void take_reason(char *text, size_t size)
{
    char *buffer = vips_error_buffer_copy(); /* empties it */
    buffer[strcspn(buffer, "\n")] = 0;
    snprintf(text, size, "%s", *buffer ? buffer : "libvips gave no reason");
    g_free(buffer);
}

int gx_vips_alone(int (*work)(void *), void *on, char *reason, size_t size)
{
    pthread_rwlock_wrlock(&gate);
    vips_error_clear();
    int failed = work(on);
    if (failed)
        take_reason(reason, size);
    pthread_rwlock_unlock(&gate);
    return failed;
}

int gx_vips_try(int (*work)(void *), void *on, char *reason, size_t size)
{
    gx_vips_begin();
    int failed = work(on);
    gx_vips_end();
    return failed ? gx_vips_alone(work, on, reason, size) : 0;
}
