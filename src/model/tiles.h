/* The tiles of a picture that is too large to be computed at once: where they lie, and which size
 * makes the least work within a budget. */
#ifndef GX_MODEL_TILES_H
#define GX_MODEL_TILES_H

#include "ganx/model.h"

/* What of tile i is computed: axis->region pixels from here ... */
int gx_tile_start(const struct gx_upscale_axis *axis, int i);
/* ... and what of it is the result: from `from` up to, without, the next tile's `from`. */
int gx_tile_from(const struct gx_upscale_axis *axis, int i);
/* The longest of these results. */
int gx_tile_longest(const struct gx_upscale_axis *axis);

/* The next multiple that is not below the value. */
int gx_round_up(int64_t value, int multiple);

/* Tiles of `tile` pixels besides their borders (all multiples of `multiple`, as `size` is); one of
 * the whole where that is no more. */
struct gx_upscale_axis gx_tiles_of(int size, int tile, int border, int multiple);

struct gx_tiles_need { /* bytes; pixels are of the input */
    double fixed;      /* of a tile, whatever its size */
    double region;     /* for each pixel of a tile, with its borders */
    double band_in;    /* for each pixel of a band, with its borders */
    double band_out;   /* for each pixel of a band's result */
};

/* Of both axes. */
double gx_tiles_bytes(const struct gx_tiles_need *need, const struct gx_upscale_axis *x,
                      const struct gx_upscale_axis *y);

/* The tiles that need at most `budget` bytes and make the least work; false: there are none. */
bool gx_tiles_choose(int width, int height, int border, int multiple,
                     const struct gx_tiles_need *need, double budget, struct gx_upscale_axis *x,
                     struct gx_upscale_axis *y);

#endif
