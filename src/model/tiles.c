/* All tiles of a picture have one size, so that one plan does for all of them: those at the edges
 * need no border there and have a longer result instead.
 *
 *   |--------region--------|
 *   |--result--------|
 *            |bord|--result--|bord|
 *                       |bord|--------result--|
 *            |--------region------|
 *                       |--------region-------|   the last one lies at the end, and its result
 *   |<-step->|                                    begins where that of the one before has ended */
#include "model/tiles.h"

enum { SMALLEST = 8 }; /* tile: below that nearly all would be border */

int gx_tile_start(const struct gx_upscale_axis *axis, int i)
{
    return i < axis->count - 1 ? i * axis->step : axis->size - axis->region;
}

int gx_tile_from(const struct gx_upscale_axis *axis, int i)
{
    if (!i)
        return 0;
    return i < axis->count ? i * axis->step + axis->border : axis->size;
}

int gx_tile_longest(const struct gx_upscale_axis *axis)
{
    int first = gx_tile_from(axis, 1), last = axis->size - gx_tile_from(axis, axis->count - 1);
    return first > last ? first : last; /* those between have one border more */
}

int gx_round_up(int64_t value, int multiple)
{
    return (int)((value + multiple - 1) / multiple * multiple);
}

struct gx_upscale_axis gx_tiles_of(int size, int tile, int border, int multiple)
{
    int64_t step = gx_round_up(tile, multiple), inner = (int64_t)size - 2 * border;
    struct gx_upscale_axis axis = {.size = size, .border = border, .count = 1, .region = size};
    if (inner <= step) /* this covers pictures that are smaller than two borders */
        return axis;
    axis.step = (int)step;
    axis.count = (int)((inner + step - 1) / step);
    axis.region = (int)step + 2 * border;
    return axis;
}

/* At most `count` tiles of nearly the same result. */
static struct gx_upscale_axis split(int size, int count, int border, int multiple)
{
    int64_t inner = (int64_t)size - 2 * border;
    if (count == 1 || inner <= SMALLEST)
        return gx_tiles_of(size, size, border, multiple);
    int64_t tile = (inner + count - 1) / count;
    return gx_tiles_of(size, (int)(tile < SMALLEST ? SMALLEST : tile), border, multiple);
}

double gx_tiles_bytes(const struct gx_tiles_need *need, const struct gx_upscale_axis *x,
                      const struct gx_upscale_axis *y)
{
    return need->fixed + need->region * x->region * y->region +
           need->band_in * x->size * y->region + need->band_out * x->size * gx_tile_longest(y);
}

static double work(const struct gx_upscale_axis *x, const struct gx_upscale_axis *y)
{
    return (double)x->count * x->region * y->count * y->region;
}

/* The fewest bands that fit the budget, 0 if none do. */
static int fewest_bands(const struct gx_tiles_need *need, double budget,
                        const struct gx_upscale_axis *x, int height, int border, int multiple)
{
    int low = 0, high = (height + SMALLEST - 1) / SMALLEST; /* low: too few */
    struct gx_upscale_axis y = split(height, high, border, multiple);
    if (gx_tiles_bytes(need, x, &y) > budget)
        return 0;
    while (high - low > 1) {
        int middle = low + (high - low) / 2;
        y = split(height, middle, border, multiple);
        *(gx_tiles_bytes(need, x, &y) <= budget ? &high : &low) = middle;
    }
    return high;
}

bool gx_tiles_choose(int width, int height, int border, int multiple,
                     const struct gx_tiles_need *need, double budget, struct gx_upscale_axis *x,
                     struct gx_upscale_axis *y)
{
    bool found = false;
    for (int columns = 1; columns <= (width + SMALLEST - 1) / SMALLEST; columns++) {
        struct gx_upscale_axis across = split(width, columns, border, multiple);
        if (found && (double)across.count * across.region * height >= work(x, y))
            break; /* more columns are more work */
        int bands = fewest_bands(need, budget, &across, height, border, multiple);
        if (!bands)
            continue;
        struct gx_upscale_axis down = split(height, bands, border, multiple);
        if (!found || work(&across, &down) < work(x, y)) {
            *x = across;
            *y = down;
            found = true;
        }
    }
    return found;
}
