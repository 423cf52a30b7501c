/* The stack machine under pickle.c: bytes in, values on a stack with marks, a memo; all bounded by
 * the limits in pickle.h. Functions that return int give 0 or a negative error, with its text. */
#ifndef GX_WEIGHTS_MACHINE_H
#define GX_WEIGHTS_MACHINE_H

#include "weights/pickle.h"

/* One run of the machine: pickles of one file share values but no stack and no memo. */
struct gx_machine {
    struct gx_pickle *p;
    struct gx_value **stack;
    size_t depth, stack_room;
    struct gx_value **memo;
    size_t memo_count, memo_room; /* count: where MEMOIZE puts the next one */
    size_t marks[GX_PICKLE_MARKS];
    size_t mark_count;
    struct gx_err *err;
};

/* The next `bytes` bytes (at most GX_PICKLE_TEXT), valid until the next call. NULL when they are
 * not there: *result is then the error. */
const uint8_t *gx_machine_get(struct gx_machine *m, size_t bytes, int *result);
/* Zeroed memory that lives as long as the values; NULL and *result past GX_PICKLE_BYTES. */
void *gx_machine_take(struct gx_machine *m, size_t bytes, int *result);
/* The error of a damaged pickle, with the place. */
int gx_machine_bad(struct gx_machine *m, const char *why);

int gx_machine_push(struct gx_machine *m, struct gx_value *value);
int gx_machine_push_new(struct gx_machine *m, struct gx_value value);
int gx_machine_push_mark(struct gx_machine *m);
/* Removes the last mark; *items are the *count values above it, still in the stack's memory, so
 * valid until the next push. False: there is no mark. */
bool gx_machine_pop_mark(struct gx_machine *m, struct gx_value ***items, size_t *count);
int gx_machine_remember(struct gx_machine *m, uint64_t index); /* the top of the stack */
int gx_machine_recall(struct gx_machine *m, uint64_t index);

/* What lies above the last mark is all that may be popped. */
static inline size_t gx_machine_available(const struct gx_machine *m)
{
    return m->depth - (m->mark_count ? m->marks[m->mark_count - 1] : 0);
}

static inline struct gx_value *gx_machine_pop(struct gx_machine *m)
{
    return gx_machine_available(m) ? m->stack[--m->depth] : NULL;
}

static inline struct gx_value *gx_machine_top(struct gx_machine *m)
{
    return gx_machine_available(m) ? m->stack[m->depth - 1] : NULL;
}

#endif
