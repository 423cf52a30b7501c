/* Placement: where each buffer of a straight-line program lies in one arena. */
#ifndef GX_PLAN_MEMORY_H
#define GX_PLAN_MEMORY_H

#include <stdint.h>

/* A buffer that must hold its bytes from step `first` to step `last`, both included. */
struct gx_buffer {
    int64_t bytes, offset;
    int first, last;
};

/* Gives every buffer an offset (a multiple of 64) so that no two that live at once overlap; returns
 * the arena's size. One after the other, each at the lowest place that is free for its whole life;
 * largest first is the greedy rule of Pisarchyk and Lee 2020, "Efficient memory management for deep
 * neural net inference", which comes within a few percent of the bound on networks like these. Two
 * other orders are tried too (longest first; by bytes times steps), and the best is taken. */
int64_t gx_buffers_place(struct gx_buffer *buffers, int count);

#endif
