/* How much memory this process may still take. */
#ifndef GX_UTIL_MEMORY_H
#define GX_UTIL_MEMORY_H

#include <stdint.h>

/* Bytes: the least of what the machine has available, what the control groups (a container's limit)
 * leave, and what the limit of address space leaves. INT64_MAX when nothing is known. */
int64_t gx_memory_available(void);

#endif
