/* Colours under transparency, row by row: a wholly transparent pixel takes the colour of the nearest
 * visible one at most GX_BLEED away, so that what lies under it cannot bleed into the picture's edge
 * when that is filtered; black beyond. Of pixels equally near the one to the left counts, then the
 * one above.
 *
 * For each column the nearest visible pixels above and below are known while rows go by; a
 * transparent pixel looks along its row for the column whose vertical distance is best. Rows wait
 * until GX_BLEED more have come, so nothing depends on how they are grouped. */
#include "image/image.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = GX_BLEED + 1, NONE = -1 };

struct gx_bleed {
    int width, colours;
    size_t sample, row;  /* bytes */
    int pushed, pulled;  /* of this frame */
    int *above, *below;  /* for each column, the visible row nearest to `pulled`, or NONE */
    unsigned char *over; /* width x colours: the samples of `above` */
    unsigned char *rows; /* a ring of ROWS */
    bool *seen;          /* a ring of ROWS x width */
    short *down;         /* width: vertical distance to the nearer one; more than GX_BLEED: none */
    unsigned char *result; /* a row */
};

void gx_bleed_free(struct gx_bleed *b)
{
    if (!b)
        return;
    free(b->above);
    free(b->below);
    free(b->over);
    free(b->rows);
    free(b->seen);
    free(b->down);
    free(b->result);
    free(b);
}

struct gx_bleed *gx_bleed_new(int width, int colours, int bits)
{
    struct gx_bleed *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->width = width;
    b->colours = colours;
    b->sample = (size_t)bits / 8;
    b->row = (size_t)width * (colours + 1) * b->sample;
    b->above = malloc((size_t)width * sizeof *b->above);
    b->below = malloc((size_t)width * sizeof *b->below);
    b->over = malloc((size_t)width * colours * b->sample);
    b->rows = malloc(ROWS * b->row);
    b->seen = malloc(ROWS * (size_t)width * sizeof *b->seen);
    b->down = malloc((size_t)width * sizeof *b->down);
    b->result = malloc(b->row);
    if (!b->above || !b->below || !b->over || !b->rows || !b->seen || !b->down || !b->result) {
        gx_bleed_free(b);
        return NULL;
    }
    gx_bleed_restart(b);
    return b;
}

void gx_bleed_restart(struct gx_bleed *b)
{
    b->pushed = b->pulled = 0;
    for (int x = 0; x < b->width; x++)
        b->above[x] = b->below[x] = NONE;
}

static unsigned char *row_at(const struct gx_bleed *b, int y)
{
    return b->rows + (size_t)(y % ROWS) * b->row;
}

static bool *seen_at(const struct gx_bleed *b, int y)
{
    return b->seen + (size_t)(y % ROWS) * b->width;
}

void gx_bleed_push(struct gx_bleed *b, const void *row)
{
    int y = b->pushed++, bands = b->colours + 1;
    bool *seen = seen_at(b, y);
    memcpy(row_at(b, y), row, b->row);
    for (int x = 0; x < b->width; x++) {
        size_t alpha = (size_t)x * bands + b->colours;
        seen[x] = b->sample == 2 ? ((const uint16_t *)row)[alpha] != 0
                                 : ((const uint8_t *)row)[alpha] != 0;
        if (seen[x] && b->below[x] == NONE)
            b->below[x] = y;
    }
}

static short distance(const struct gx_bleed *b, int x, int y)
{
    int up = b->above[x] == NONE ? GX_BLEED + 1 : y - b->above[x];
    int down = b->below[x] == NONE ? GX_BLEED + 1 : b->below[x] - y;
    int nearer = up <= down ? up : down;
    return (short)(nearer > GX_BLEED ? GX_BLEED + 1 : nearer);
}

/* The column that pixel x takes its colour from, or NONE. */
static int source_of(const struct gx_bleed *b, int x)
{
    int best = GX_BLEED * GX_BLEED + 1, column = NONE;
    for (int d = 0; d <= GX_BLEED && d * d < best; d++)
        for (int side = 0; side < 2; side++) {
            int at = side ? x + d : x - d;
            if (at < 0 || at >= b->width || b->down[at] > GX_BLEED)
                continue;
            int square = d * d + b->down[at] * b->down[at];
            if (square < best) {
                best = square;
                column = at;
            }
        }
    return column;
}

/* Fills the transparent pixels of row y in b->result. */
static void fill(struct gx_bleed *b, int y)
{
    const bool *seen = seen_at(b, y);
    size_t pixel = (size_t)(b->colours + 1) * b->sample, colour = (size_t)b->colours * b->sample;
    bool any = false;
    for (int x = 0; x < b->width; x++) {
        b->down[x] = distance(b, x, y);
        any = any || b->down[x] <= GX_BLEED;
    }
    for (int x = 0; x < b->width; x++) {
        if (seen[x])
            continue;
        int from = any ? source_of(b, x) : NONE;
        unsigned char *to = b->result + (size_t)x * pixel;
        if (from == NONE)
            memset(to, 0, colour);
        else if (b->above[from] != NONE && y - b->above[from] == b->down[from])
            memcpy(to, b->over + (size_t)from * colour, colour);
        else
            memcpy(to, row_at(b, b->below[from]) + (size_t)from * pixel, colour);
    }
}

/* Row y has gone by. */
static void pass(struct gx_bleed *b, int y)
{
    const bool *seen = seen_at(b, y);
    const unsigned char *row = row_at(b, y);
    size_t pixel = (size_t)(b->colours + 1) * b->sample, colour = (size_t)b->colours * b->sample;
    for (int x = 0; x < b->width; x++) {
        if (!seen[x])
            continue;
        b->above[x] = y;
        memcpy(b->over + (size_t)x * colour, row + (size_t)x * pixel, colour);
        b->below[x] = NONE;
        for (int next = y + 1; next < b->pushed && b->below[x] == NONE; next++)
            if (seen_at(b, next)[x])
                b->below[x] = next;
    }
}

const void *gx_bleed_pull(struct gx_bleed *b, bool last)
{
    int y = b->pulled;
    if (y == b->pushed || (!last && b->pushed - y <= GX_BLEED))
        return NULL;
    memcpy(b->result, row_at(b, y), b->row);
    if (memchr(seen_at(b, y), false, (size_t)b->width))
        fill(b, y);
    pass(b, y);
    b->pulled++;
    return b->result;
}
