#include "plan/memory.h"

#include "util/arena.h"

#include <stdlib.h>

static int larger_first(const void *a, const void *b)
{
    const struct gx_buffer *x = *(struct gx_buffer *const *)a, *y = *(struct gx_buffer *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : x > y; /* the order of the program, so that plans are repeatable */
}

static int64_t round_up(int64_t bytes)
{
    return (bytes + 63) & ~(int64_t)63;
}

/* Placed buffers are kept sorted by offset, so that one sweep finds the lowest gap. */
static int64_t lowest_gap(struct gx_buffer *const *placed, int count, const struct gx_buffer *b)
{
    int64_t at = 0;
    for (int i = 0; i < count; i++) {
        const struct gx_buffer *other = placed[i];
        if (other->last < b->first || other->first > b->last)
            continue;
        if (other->offset >= at + round_up(b->bytes))
            break;
        if (other->offset + round_up(other->bytes) > at)
            at = other->offset + round_up(other->bytes);
    }
    return at;
}

int64_t gx_buffers_place(struct gx_buffer *buffers, int count)
{
    struct gx_buffer **order = gx_new((size_t)count * sizeof *order);
    struct gx_buffer **placed = gx_new((size_t)count * sizeof *placed);
    for (int i = 0; i < count; i++)
        order[i] = &buffers[i];
    qsort(order, (size_t)count, sizeof *order, larger_first);

    int64_t size = 0;
    for (int i = 0; i < count; i++) {
        struct gx_buffer *b = order[i];
        b->offset = lowest_gap(placed, i, b);
        int at = i;
        for (; at > 0 && placed[at - 1]->offset > b->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = b;
        if (b->offset + round_up(b->bytes) > size)
            size = b->offset + round_up(b->bytes);
    }
    free(placed);
    free(order);
    return size;
}
