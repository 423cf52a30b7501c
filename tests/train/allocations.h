/* Counts what the library allocates: programs of tests/train are linked so that its calls of malloc
 * and the like pass through functions of their own (LINK_train in the Makefile). */
#ifndef GX_TESTS_TRAIN_ALLOCATIONS_H
#define GX_TESTS_TRAIN_ALLOCATIONS_H

/* Allocations by the library so far, in the calling thread. */
long allocations_here(void);

#endif
