#include "weights/machine.h"

#include <stdlib.h>
#include <string.h>

/* ---- bytes ---- */

const uint8_t *gx_machine_get(struct gx_machine *m, size_t bytes, int *result)
{
    struct gx_pickle *p = m->p;
    if (p->end - p->at < (int64_t)bytes) {
        *result = gx_fail(m->err, GX_E_FORMAT, "the pickle ends too early (the file is truncated)");
        return NULL;
    }
    if (p->at < p->buffer_at || p->at + (int64_t)bytes > p->buffer_at + (int64_t)p->buffered) {
        int64_t left = p->end - p->at;
        size_t part = left < (int64_t)sizeof p->buffer ? (size_t)left : sizeof p->buffer;
        p->buffered = 0;
        *result = gx_weights_pread(p->w, p->at, p->buffer, part, m->err);
        if (*result)
            return NULL;
        p->buffer_at = p->at;
        p->buffered = part;
    }
    const uint8_t *found = p->buffer + (p->at - p->buffer_at);
    p->at += (int64_t)bytes;
    return found;
}

void *gx_machine_take(struct gx_machine *m, size_t bytes, int *result)
{
    struct gx_pickle *p = m->p;
    bytes = (bytes + 15) & ~(size_t)15; /* as the arena does: many small ones count in full */
    if (bytes > (size_t)GX_PICKLE_BYTES - p->bytes) {
        *result = gx_fail(m->err, GX_E_LIMIT, "the pickle needs more than %d bytes of memory",
                          GX_PICKLE_BYTES);
        return NULL;
    }
    p->bytes += bytes;
    return gx_arena_alloc(&p->arena, bytes);
}

int gx_machine_bad(struct gx_machine *m, const char *why)
{
    return gx_fail(m->err, GX_E_FORMAT, "the pickle is damaged at byte %lld: %s",
                   (long long)m->p->at, why);
}

/* ---- stack, marks and memo ---- */

int gx_machine_push(struct gx_machine *m, struct gx_value *value)
{
    if (m->depth == m->stack_room) {
        if (m->depth == GX_PICKLE_STACK)
            return gx_fail(m->err, GX_E_LIMIT, "the pickle's stack grows past %d values",
                           GX_PICKLE_STACK);
        size_t room = m->stack_room ? 2 * m->stack_room : 1024;
        m->stack_room = room < GX_PICKLE_STACK ? room : GX_PICKLE_STACK;
        m->stack = gx_grow(m->stack, m->stack_room * sizeof *m->stack);
    }
    m->stack[m->depth++] = value;
    return 0;
}

int gx_machine_push_new(struct gx_machine *m, struct gx_value value)
{
    int result = 0;
    struct gx_value *copy = gx_machine_take(m, sizeof *copy, &result);
    if (!copy)
        return result;
    *copy = value;
    return gx_machine_push(m, copy);
}

bool gx_machine_pop_mark(struct gx_machine *m, struct gx_value ***items, size_t *count)
{
    if (!m->mark_count)
        return false;
    size_t from = m->marks[--m->mark_count];
    *items = m->stack ? m->stack + from : NULL;
    *count = m->depth - from;
    m->depth = from;
    return true;
}

int gx_machine_remember(struct gx_machine *m, uint64_t index)
{
    if (!gx_machine_top(m))
        return gx_machine_bad(m, "stack underflow");
    if (index >= GX_PICKLE_MEMO)
        return gx_fail(m->err, GX_E_LIMIT, "the pickle's memo grows past %d values",
                       GX_PICKLE_MEMO);
    if (index >= m->memo_room) {
        size_t room = 2 * m->memo_room > index + 1 ? 2 * m->memo_room : (size_t)index + 256;
        m->memo = gx_grow(m->memo, room * sizeof *m->memo);
        memset(m->memo + m->memo_room, 0, (room - m->memo_room) * sizeof *m->memo);
        m->memo_room = room;
    }
    m->memo_count += !m->memo[index];
    m->memo[index] = gx_machine_top(m);
    return 0;
}

int gx_machine_recall(struct gx_machine *m, uint64_t index)
{
    if (index >= m->memo_room || !m->memo[index])
        return gx_machine_bad(m, "a memo that was never set");
    return gx_machine_push(m, m->memo[index]);
}

int gx_machine_push_mark(struct gx_machine *m)
{
    if (m->mark_count == GX_PICKLE_MARKS)
        return gx_fail(m->err, GX_E_LIMIT, "the pickle has more than %d open marks",
                       GX_PICKLE_MARKS);
    m->marks[m->mark_count++] = m->depth;
    return 0;
}
