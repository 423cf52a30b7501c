/* Holds operators against PyTorch and against finite differences.
 *
 * A case builds a small expression of inputs; around it come the first gradients, of sum(y dy), and
 * the second, of S = sum(dx0 r0) + sum(dx1 r1) + ..., by every input and by dy. The cotangents dy
 * and r are fixed patterns (make_op.py has the same formula). A gradient that is absent is zero. */
#ifndef GX_TESTS_OP_GRADCHECK_H
#define GX_TESTS_OP_GRADCHECK_H

#include "ganx/graph.h"

enum { CASE_INPUTS = 4 };

enum case_flags {
    CASE_KINK = 1,     /* inputs lie on kinks: no finite differences */
    CASE_WINOGRAD = 2, /* must run by Winograd's method in the fast tiers */
    CASE_LINEAR = 4    /* linear in each input: differences are exact for any step */
};

struct op_case {
    const char *name;
    struct gx_node *(*build)(struct gx_graph *g, struct gx_node *const *x);
    int flags;
    double slack; /* the second gradient's tolerance, in units of the value's; 0: 1 */
};

/* The cases of one file. The two tests below have it as their state. */
struct op_table {
    const char *file;
    const struct op_case *cases;
    int count;
};

/* Every case of tests/reference/op/FILE.safetensors is in the table and the other way round; value,
 * first and second gradients within 2e-6 (3e-5 where F(4x4,3x3) ran) of the largest magnitude of
 * each tensor, in every kernel tier, on one thread and on two. */
void check_parity(void **state);

/* The same inputs: first and second gradients against central differences. */
void check_differences(void **state);

/* Differences of one case over random inputs of the given shapes (a shape of n = 0 ends them). */
void check_differences_at(const struct op_case *c, const struct gx_shape *shapes);

/* One thread and three give the same bits, over inputs large enough for threads to be used. */
void check_threads(const struct op_case *c, const struct gx_shape *shapes);

/* The graph refuses these shapes, with -GX_E_SHAPE and a text. */
void check_refused(const struct op_case *c, const struct gx_shape *shapes);

#endif
