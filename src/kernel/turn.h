/* Matrices transposed, whose rows lie far apart on both sides. */
#ifndef GX_KERNEL_TURN_H
#define GX_KERNEL_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { GX_TURN_LINE = 64 }; /* bytes of a cache line */

/* For `count` matrices m: to[m part + c step + place(r)] = from[m apart + r skip + c], c < width. Rows
 * are placed side by side; as panels, `panel` of them, then those of the next panel `deep` further.
 * `past`: results are written past the caches; each line of rows begins on one of memory's. */
struct gx_turn {
    int64_t count, width, apart, skip, part, step, panel, deep;
    bool past;
};

/* Rows first .. last, which are what lies at `from`; elements of 4 bytes or 2. */
void gx_turn(const struct gx_turn *turn, int64_t first, int64_t last, const void *from, void *to,
             size_t bytes);

#endif
