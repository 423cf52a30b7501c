/* Keeping: what convolutions by Winograd's method make of a picture's channels stays for those that
 * read the same channels again.
 *
 * In a dense block each convolution reads the block's picture and all that those before it made.
 * It would transform all of this again, since not the pictures are multiplied but what comes of
 * them. Convolutions that follow one another at once, differ in channels alone, and each read what
 * the one before read and more behind it, are given one scratch buffer for all of them, in which
 * the transforms stay. It has 2.25 times the bytes of the pictures; the kernels say whether it pays
 * (winograd_keeps). A plan that is short of memory keeps nothing. */
#ifndef GX_PLAN_KEEP_H
#define GX_PLAN_KEEP_H

#include "plan/storage.h"

/* Sets `kept` and `before` of the places, whose `once` is known. */
void gx_keep_find(struct gx_storage *storage, const struct gx_program *program);

#endif
