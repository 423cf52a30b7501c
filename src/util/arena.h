/* A bump allocator for things that live and die together: graph nodes, names, option values.
 * Memory is zeroed and aligned to 16 bytes. Nothing is freed on its own; gx_arena_clear frees all.
 * An allocation that fails aborts the program with one line: these are small objects, and the big
 * buffers (weights, activations, pictures) are budgeted and checked elsewhere. */
#ifndef GX_UTIL_ARENA_H
#define GX_UTIL_ARENA_H

#include <stddef.h>

struct gx_arena {
    struct gx_arena_block *head;
};

void *gx_arena_alloc(struct gx_arena *arena, size_t bytes);
void *gx_arena_copy(struct gx_arena *arena, const void *from, size_t bytes);
char *gx_arena_text(struct gx_arena *arena, const char *text);
char *gx_arena_format(struct gx_arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void gx_arena_clear(struct gx_arena *arena);

/* malloc, calloc and realloc for small objects, with the same rule: they never return NULL. */
void *gx_new(size_t bytes); /* zeroed */
void *gx_grow(void *old, size_t bytes);
char *gx_new_text(const char *text); /* a copy */

#endif
