/* A fixture's side-by-side pairs, in the order of their names. */
#ifndef GX_TESTS_PARITY_PAIRS_H
#define GX_TESTS_PARITY_PAIRS_H

#include "parity.h"

#include "util/file.h"

struct pairs {
    char folder[4096];
    struct gx_names names;
    bool swap;        /* direction BtoA: the right half is the input */
    double low, high; /* what 0 and 255 become */
    int w, h;         /* of one half */
    int channels[2];  /* of input and output */
};

/* Looks at the data that fixture.json names: DATA/train, or DATA itself. */
GX_MUST_CHECK int pairs_read(struct pairs *pairs, const struct fixture *f, int input, int output,
                             struct gx_err *err);
/* Pairs `from` to `from` + count - 1, begun again after the last, as (count,h,w,c). */
GX_MUST_CHECK int pairs_batch(const struct pairs *pairs, int from, int count, float *input,
                              float *output, struct gx_err *err);
void pairs_clear(struct pairs *pairs);

#endif
