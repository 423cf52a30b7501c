#include "plan/memory.h"

#include "util/arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int descending(int64_t a, int64_t b, const void *first, const void *second)
{
    if (a != b)
        return a < b ? 1 : -1;
    return first < second ? -1 : first > second; /* in a program's order: plans are repeatable */
}

static int64_t steps_of(const struct gx_buffer *b)
{
    return (int64_t)b->last - b->first + 1;
}

static int larger_first(const void *a, const void *b)
{
    const struct gx_buffer *x = *(struct gx_buffer *const *)a, *y = *(struct gx_buffer *const *)b;
    return descending(x->bytes, y->bytes, x, y);
}

static int longer_first(const void *a, const void *b)
{
    const struct gx_buffer *x = *(struct gx_buffer *const *)a, *y = *(struct gx_buffer *const *)b;
    return descending(steps_of(x), steps_of(y), x, y);
}

static int weightier_first(const void *a, const void *b)
{
    const struct gx_buffer *x = *(struct gx_buffer *const *)a, *y = *(struct gx_buffer *const *)b;
    return descending(x->bytes * steps_of(x), y->bytes * steps_of(y), x, y);
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

static int64_t place_in_order(struct gx_buffer *const *order, struct gx_buffer **placed, int count)
{
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
    return size;
}

int64_t gx_buffers_place(struct gx_buffer *buffers, int count)
{
    int (*const rules[])(const void *, const void *) = {larger_first, longer_first,
                                                        weightier_first};
    enum { RULES = sizeof rules / sizeof rules[0] };
    struct gx_buffer **order = gx_new(((size_t)count + 1) * sizeof *order);
    struct gx_buffer **placed = gx_new(((size_t)count + 1) * sizeof *placed);
    int64_t size = 0;
    int best = 0, last = 0; /* rules: of the least arena, and of the offsets as they are */
    for (int i = 0; i <= RULES && (i < RULES || last != best); i++) {
        last = i < RULES ? i : best;
        for (int k = 0; k < count; k++)
            order[k] = &buffers[k];
        qsort(order, (size_t)count, sizeof *order, rules[last]);
        int64_t tried = place_in_order(order, placed, count);
        if (!i || tried < size) {
            size = tried;
            best = last;
        }
    }
    free(placed);
    free(order);
    return size;
}
