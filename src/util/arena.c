#include "util/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gx_arena_block {
    struct gx_arena_block *next;
    size_t used, size;
    _Alignas(16) char data[];
};

static void *must(void *memory)
{
    if (!memory) {
        fputs("ganx: out of memory for a small object\n", stderr);
        abort();
    }
    return memory;
}

void *gx_new(size_t bytes)
{
    return must(calloc(1, bytes ? bytes : 1));
}

void *gx_grow(void *old, size_t bytes)
{
    return must(realloc(old, bytes ? bytes : 1));
}

char *gx_new_text(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(gx_new(size), text, size);
}

void *gx_arena_alloc(struct gx_arena *arena, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    struct gx_arena_block *block = arena->head;
    if (!block || block->size - block->used < bytes) {
        size_t size = bytes > 16384 ? bytes : 16384;
        block = gx_new(sizeof *block + size);
        block->size = size;
        block->next = arena->head;
        arena->head = block;
    }
    void *memory = block->data + block->used;
    block->used += bytes;
    return memory;
}

void *gx_arena_copy(struct gx_arena *arena, const void *from, size_t bytes)
{
    void *memory = gx_arena_alloc(arena, bytes);
    if (bytes)
        memcpy(memory, from, bytes);
    return memory;
}

char *gx_arena_text(struct gx_arena *arena, const char *text)
{
    return gx_arena_copy(arena, text, strlen(text) + 1);
}

char *gx_arena_format(struct gx_arena *arena, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = gx_arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

void gx_arena_clear(struct gx_arena *arena)
{
    for (struct gx_arena_block *block = arena->head, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    arena->head = NULL;
}
