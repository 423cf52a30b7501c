/* How much memory this process may still take, and has taken. */
#ifndef GX_UTIL_MEMORY_H
#define GX_UTIL_MEMORY_H

#include <stdint.h>

/* Bytes: the least of what the machine has available, what the control groups (a container's limit)
 * leave, and what the limit of address space leaves. INT64_MAX when nothing is known. */
int64_t gx_memory_available(void);

/* Bytes: the most physical memory that this process has had at a time; 0 when that is not known. */
int64_t gx_memory_peak(void);

#endif
