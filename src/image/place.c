/* The second half of making a sample: from decoded pictures to what a network sees. A cut, mirrored
 * and turned at random, the same for all slots; what has no file of its own is made from the sharp
 * picture, which is cut with a margin around it, so that the small one does not end at the cut.
 *
 * Places and sizes are in pixels of the full size; of a slot that is 1/n as large they are divided
 * by n, of which they are multiples where it has a file. */
#include "image/degrade.h"
#include "util/random.h"

#include <stdlib.h>
#include <string.h>

struct cut {
    int x, y, height, width;
    bool flip, flop, turn; /* mirrored left to right, upside down; then rows become columns */
};

static float sample_of(const struct gx_raster *raster, size_t at)
{
    return raster->bits == 16 ? ((const uint16_t *)raster->samples)[at]
                              : ((const uint8_t *)raster->samples)[at];
}

/* The samples of a cut in the raster's own pixels, mirrored and turned, from lo to hi. */
static void place_slot(const struct gx_raster *raster, const struct cut *cut, float lo, float hi,
                       float *to)
{
    int c = raster->channels, h = cut->turn ? cut->width : cut->height;
    int w = cut->turn ? cut->height : cut->width;
    double most = raster->bits == 16 ? 65535 : 255;
    float step = (float)(((double)hi - lo) / most);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            int column = cut->turn ? y : x, row = cut->turn ? x : y;
            column = cut->x + (cut->flip ? cut->width - 1 - column : column);
            row = cut->y + (cut->flop ? cut->height - 1 - row : row);
            size_t from = ((size_t)row * raster->width + column) * c;
            float *out = to + ((size_t)y * w + x) * c;
            for (int k = 0; k < c; k++)
                out[k] = lo + step * sample_of(raster, from + k);
        }
}

/* ---- where ---- */

/* What all slots share: the size that the pictures have at full size, and the multiple that places
 * keep to. */
struct extent {
    int height, width, multiple;
};

static struct extent extent_of(const struct gx_raster *raster, int slots,
                               const struct gx_prepare *prepare)
{
    struct extent e = {0, 0, 1};
    for (int k = 0; k < slots; k++) {
        int shrink = gx_shrink_of(prepare, k);
        if (raster[k].samples && (!e.height || raster[k].height * shrink < e.height))
            e.height = raster[k].height * shrink;
        if (raster[k].samples && (!e.width || raster[k].width * shrink < e.width))
            e.width = raster[k].width * shrink;
        if (raster[k].samples && shrink > e.multiple)
            e.multiple = shrink;
    }
    return e;
}

static int random_place(struct gx_random *random, int room, int multiple)
{
    return multiple * (int)gx_random_below(random, (uint32_t)(room / multiple) + 1);
}

static void choose_cut(struct cut *cut, const struct extent *e, const struct gx_prepare *prepare,
                       const struct gx_chance *chance)
{
    int right = e->width - cut->width, down = e->height - cut->height, n = e->multiple;
    cut->x = right / 2 / n * n;
    cut->y = down / 2 / n * n;
    if (!prepare->augment)
        return;
    struct gx_random random = gx_random_at(chance->seed, GX_STREAM_AUGMENT,
                                           (uint64_t)chance->epoch << 32 | (uint32_t)chance->index);
    random.index = (uint64_t)chance->slot << 32;
    cut->x = random_place(&random, right, n);
    cut->y = random_place(&random, down, n);
    bool flip = gx_random_below(&random, 2), flop = gx_random_below(&random, 2);
    bool turn = gx_random_below(&random, 2);
    bool rotate = prepare->rotate && cut->height == cut->width;
    cut->flip = rotate && !prepare->flip ? flop != turn : prepare->flip && flip;
    cut->flop = rotate && flop;
    cut->turn = rotate && turn;
}

/* ---- slots that are made ---- */

/* A cut with what lies around it, in whole multiples of the smallest slot's shrink. */
struct wide {
    struct cut all;
    int x, y, height, width; /* of the cut in it, mirrored and turned */
};

static int before(int at, int margin, int n)
{
    int room = at < margin ? at : margin;
    return room / n * n;
}

static struct wide widen(const struct cut *cut, const struct extent *e, const int margin[2], int n)
{
    struct wide wide = {.all = *cut};
    int left = before(cut->x, margin[0], n), up = before(cut->y, margin[1], n);
    int right = before(e->width - cut->x - cut->width, margin[0], n);
    int below = before(e->height - cut->y - cut->height, margin[1], n);
    wide.all.x -= left;
    wide.all.y -= up;
    wide.all.width += left + right;
    wide.all.height += up + below;
    int x = cut->flip ? right : left, y = cut->flop ? below : up;
    wide.x = cut->turn ? y : x;
    wide.y = cut->turn ? x : y;
    wide.width = cut->turn ? cut->height : cut->width;
    wide.height = cut->turn ? cut->width : cut->height;
    return wide;
}

/* The part of a picture `from` (w pixels wide, 0..1) at x, y as lo..hi. */
static void take(const float *from, int w, int c, int x, int y, int to_h, int to_w,
                 const struct gx_prepare *prepare, float *to)
{
    float range = prepare->hi - prepare->lo;
    size_t row = (size_t)to_w * c;
    for (int i = 0; i < to_h; i++) {
        const float *in = from + ((size_t)(y + i) * w + x) * c;
        for (size_t k = 0; k < row; k++)
            to[i * row + k] = prepare->lo + range * in[k];
    }
}

/* What the small picture and the sharpened one are made in. */
struct bench {
    int h, w, c;
    float *sharp, *usm, *low;
};

static void bench_clear(struct bench *b)
{
    free(b->sharp);
    free(b->usm);
    free(b->low);
}

static int bench_init(struct bench *b, const struct wide *wide, const struct gx_raster *raster,
                      const struct gx_prepare *prepare, struct gx_err *err)
{
    bool turn = wide->all.turn;
    *b = (struct bench){.h = turn ? wide->all.width : wide->all.height,
                        .w = turn ? wide->all.height : wide->all.width,
                        .c = raster->channels};
    size_t floats = (size_t)b->h * b->w * b->c;
    b->sharp = malloc(floats * sizeof(float));
    b->low = malloc(floats * sizeof(float));
    b->usm = prepare->usm ? malloc(floats * sizeof(float)) : NULL;
    if (!b->sharp || !b->low || (prepare->usm && !b->usm))
        return gx_fail(err, GX_E_NOMEM, "out of memory for a sample of %dx%d", b->w, b->h);
    place_slot(raster, &wide->all, 0, 1, b->sharp);
    return prepare->usm ? gx_sharpen(prepare->usm, b->sharp, b->h, b->w, b->c, b->usm, err) : 0;
}

/* The sharpened slot is the last. */
static bool is_degraded(const struct gx_raster *raster, int slot, int slots,
                        const struct gx_prepare *prepare)
{
    return !raster[slot].samples && !(prepare->usm && slot == slots - 1);
}

/* All slots without a raster, from the one at full size. */
static int make_slots(const struct gx_raster *raster, int sharp, int slots,
                      const struct gx_prepare *prepare, const struct gx_chance *chance,
                      const struct cut *cut, const struct extent *e, float *const *to,
                      struct gx_err *err)
{
    int n = 1, margin[2] = {0, 0}, code;
    for (int k = 0; k < slots; k++)
        if (is_degraded(raster, k, slots, prepare)) {
            n = gx_shrink_of(prepare, k);
            gx_degrade_margin(prepare->degradation, n, chance, margin);
        }
    struct wide wide = widen(cut, e, margin, n);
    struct bench b;
    code = bench_init(&b, &wide, &raster[sharp], prepare, err);
    for (int k = 0; k < slots && !code; k++) {
        int s = gx_shrink_of(prepare, k);
        const float *from = prepare->usm ? b.usm : b.sharp;
        if (raster[k].samples)
            continue;
        if (is_degraded(raster, k, slots, prepare)) {
            code = gx_degrade(prepare->degradation, from, b.h, b.w, b.c, s, chance, b.low, err);
            from = b.low;
        }
        if (!code)
            take(from, b.w / s, b.c, wide.x / s, wide.y / s, wide.height / s, wide.width / s,
                 prepare, to[k]);
    }
    bench_clear(&b);
    return code;
}

/* ---- all of it ---- */

static int place(const struct gx_raster *raster, int slots, const struct gx_prepare *prepare,
                 const struct gx_chance *chance, const struct cut *cut, const struct extent *e,
                 float *const *to, struct gx_err *err)
{
    int sharp = -1, made = 0;
    for (int k = 0; k < slots; k++) {
        int s = gx_shrink_of(prepare, k);
        struct cut own = *cut;
        made += !raster[k].samples;
        if (!raster[k].samples)
            continue;
        own.x /= s;
        own.y /= s;
        own.height /= s;
        own.width /= s;
        place_slot(&raster[k], &own, prepare->lo, prepare->hi, to[k]);
        sharp = s == 1 ? k : sharp;
    }
    return made ? make_slots(raster, sharp, slots, prepare, chance, cut, e, to, err) : 0;
}

int gx_sample_place(const struct gx_raster *raster, int slots, const struct gx_prepare *prepare,
                    const struct gx_chance *chance, int height, int width, float *const *to,
                    const char *name, struct gx_err *err)
{
    struct extent e = extent_of(raster, slots, prepare);
    struct cut cut = {.height = e.height, .width = e.width};
    if (prepare->crop_size)
        cut.height = cut.width = prepare->crop_size;
    if (cut.height > e.height || cut.width > e.width)
        return gx_fail(err, GX_E_CONFIG, "'%s' is %dx%d, smaller than data.crop_size %d", name,
                       e.width, e.height, prepare->crop_size);
    if (cut.height != height || cut.width != width)
        return gx_fail(err, GX_E_CONFIG, "'%s' is %dx%d where others are %dx%d: set %s", name,
                       cut.width, cut.height, width, height,
                       prepare->scaling == GX_SCALE_SQUARE
                           ? "data.load_size or data.crop_size"
                           : "data.preprocess to resize_and_crop, which makes all one size");
    choose_cut(&cut, &e, prepare, chance);
    return place(raster, slots, prepare, chance, &cut, &e, to, err);
}
