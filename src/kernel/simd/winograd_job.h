/* How y and dx by Winograd's method are divided into pieces, and where these lie in scratch;
 * winograd.c tells what is done with them. */
#ifndef GX_KERNEL_WINOGRAD_JOB_H
#define GX_KERNEL_WINOGRAD_JOB_H

#include "kernel/simd/half.h"
#include "kernel/simd/winograd.h"

enum { GX_GROUP = 16 }; /* channels whose weights are gathered at once: a cache line */

/* The sizes of one call: the picture read (in channels, in_phases), and that written. */
struct gx_winograd_job {
    struct gx_winograd form;
    int elements;
    struct gx_tiles tiles;
    struct gx_output output;
    struct gx_weight w;
    int wi, wo, k;                            /* of the weights (k,k,wi,wo) */
    int panel;                                /* of the weights, as gx_conv_sizes has it */
    bool turned;                              /* dx: from y's side, by turned weights */
    int images, in, depth, out_phases, phase; /* depth: in of all phases; phase: the first of y's */
    int chunk; /* input channels whose weights are transformed at once; GX_DEPTH is a multiple */
    int64_t slab_step; /* floats from one element of the weights to the next */
    int fit;           /* tiles of a batch, about */
    int group;         /* panels whose sums are kept while the chunks run */
    bool shared;       /* threads share a batch */
    struct gx_layout layout;
    int kept, have; /* as gx_conv_sizes has them */
    int each;       /* tiles of a thread */
};

/* Of y; and of some of dx's phases, from `first` on: one, or all with the same tiles of g. */
struct gx_winograd_job GX_TIERED(winograd_job_y)(const struct gx_conv_sizes *s, int threads);
struct gx_winograd_job GX_TIERED(winograd_job_dx)(const struct gx_conv_sizes *s, int first,
                                                  int phases, int threads);

static inline int64_t gx_winograd_tiles(const struct gx_winograd_job *j)
{
    return (int64_t)j->images * j->tiles.down * j->tiles.across;
}

/* A phase of the result: y has but one, or four to be shuffled. */
static inline struct gx_phase gx_out_phase(const struct gx_winograd_job *j, int number)
{
    return j->turned ? gx_phase_of(&j->form, number) : (struct gx_phase){number / 2, number % 2};
}

/* Panels of all phases. */
static inline int gx_winograd_panels(const struct gx_winograd_job *j)
{
    return (j->output.channels + GX_COLS - 1) / GX_COLS * j->out_phases;
}

/* Batches of so many tiles: about j->fit, but not a small one at the end. */
static inline int gx_winograd_batches(const struct gx_winograd_job *j, int64_t tiles)
{
    int64_t batches = (tiles + j->fit - 1 - j->fit / 4) / j->fit;
    return batches > 1 ? (int)batches : 1;
}

/* Phases of dx that are done together. */
static inline int gx_dx_together(const struct gx_conv_sizes *s)
{
    return gx_dx_apart(s) ? 1 : s->stride * s->stride;
}

/* How transforms that are kept lie: all of a thread's tiles, chunk by chunk. This one begins with
 * channel k. */
static inline struct gx_layout gx_kept_layout(const struct gx_winograd_job *j, int k)
{
    return gx_layout_of(j->elements, gx_least(j->chunk, j->kept - k), j->each);
}

/* Floats of the chunks before channel `end`. */
static inline size_t gx_kept_floats(const struct gx_winograd_job *j, int end)
{
    size_t floats = 0;
    for (int k = 0; k < end; k += j->chunk) {
        struct gx_layout l = gx_kept_layout(j, k);
        floats += gx_layout_floats(&l);
    }
    return floats;
}

/* A thread's scratch. */
struct gx_winograd_room {
    float *blocks, *sums, *slab, *taps, *patch;
    int64_t first; /* of its tiles, where transforms are kept */
};

/* That of thread `id`. */
struct gx_winograd_room GX_TIERED(winograd_room)(const struct gx_winograd_job *j, float *scratch,
                                                 int id);

#endif
