/* Large blocks of memory, and how much this process may still take and has taken. */
#ifndef GX_UTIL_MEMORY_H
#define GX_UTIL_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Bytes: the least of what the machine has available, what the control groups (a container's limit)
 * leave, and what the limit of address space leaves. INT64_MAX when nothing is known. */
int64_t gx_memory_available(void);

/* Bytes: the most physical memory that this process has had at a time; 0 when that is not known. */
int64_t gx_memory_peak(void);

/* So many bytes of zeros, 64-byte aligned; NULL: there is no memory. A large block is a mapping of
 * its own in big pages, which come up when they are first written: whoever fills it in several
 * threads shares that work. Freed with the same number of bytes; NULL is nothing to free. */
void *gx_block_new(size_t bytes);
void gx_block_free(void *block, size_t bytes);

/* Brings up the pages of the part `share` of `shares` of a block at once. What is about to be
 * written here and there is written faster to pages that have been cleared before. */
void gx_block_raise(void *block, size_t bytes, int share, int shares);

#endif
