/* Seconds of a clock that never steps back; only differences mean something. */
#ifndef GX_UTIL_CLOCK_H
#define GX_UTIL_CLOCK_H

#include <time.h>

static inline double gx_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#endif
