/* By which method a convolution is done: the one that costs least.
 *
 * Costs are counted in multiplications a pair of an input and an output channel, with factors that
 * were measured on both tiers, of operands that lie in memory (make tune). Winograd's method saves
 * products, but transforms weights once a pair (and for each batch of tiles again), tiles once a
 * channel of either side. With more points, tiles are larger: fewer products, more of them wasted
 * at the picture's edges, more weights. */
#include "kernel/simd/bf16.h"
#include "kernel/simd/few.h"
#include "kernel/simd/winograd.h"

enum {
    DIRECT = 10, /* a tap of the direct method: to pack the weight, if it is no panel */
    WEIGHT = GX_LANES > 8 ? 11 : 8, /* an element of a transformed weight */
    AGAIN = 4,                      /* the same for one more batch */
    BATCH = 96,                     /* tiles of a batch; of dw, GX_DEPTH */
    INPUT = 10,                     /* an element of a transformed tile, an input channel */
    OUTPUT = 16,                    /* the same, an output channel */
    SUM = 40,                       /* an element of the sums of dw, written and read again */
};

/* Tiles, for dx as many as its phases have in the mean. With stride 1, pictures are taken to be so
 * large that tiles fill them. */
static double tiles_of(const struct gx_conv_sizes *s, enum gx_conv_product product)
{
    int m = gx_winograd_of(s).m, phases = s->stride * s->stride, each = 0;
    if (s->stride == 1 && product != GX_CONV_DW)
        return (double)BATCH;
    if (product != GX_CONV_DX) {
        double tiles = (double)((s->oh + m - 1) / m) * ((s->ow + m - 1) / m);
        return product == GX_CONV_DW ? tiles * s->n : tiles;
    }
    for (int p = 0; p < phases; p++)
        each += gx_dx_tiles(s, p);
    return gx_dx_apart(s) ? (double)each / phases : gx_dx_tiles(s, -1);
}

/* What a multiplication costs by that many points: chunks and rows of tiles are of unlike lengths. */
static double product_of(enum gx_conv_method method)
{
    return method == GX_CONV_WINOGRAD_3 ? 1.08 : method == GX_CONV_WINOGRAD_6 ? 1.05 : 1;
}

/* The multiplications of s->method, or of the direct one, for as many tiles as that has. */
static double cost_of(const struct gx_conv_sizes *s, enum gx_conv_product product)
{
    struct gx_winograd f = gx_winograd_of(s);
    int phases = s->stride * s->stride, elements = f.points * f.points;
    int products = f.odd ? (2 * f.points - 1) * (2 * f.points - 1) : phases * elements;
    double tiles = tiles_of(s, product), multiplied = product_of(s->method) * products * tiles;
    double more = tiles > BATCH ? tiles / BATCH - 1 : 0;
    double in = (double)INPUT * elements * tiles, out = (double)OUTPUT * elements * tiles;
    double weights = phases * elements * (WEIGHT + AGAIN * more);
    if (product == GX_CONV_Y)
        return multiplied + weights + phases * in / s->o + out / s->i;
    if (product == GX_CONV_DX)
        return multiplied + weights + (gx_dx_apart(s) ? phases : 1) * in / s->i +
               phases * out / s->o;
    double sums = phases * elements * SUM * (tiles > GX_DEPTH ? tiles / GX_DEPTH : 1);
    return multiplied + sums + phases * in / s->o + in / s->i;
}

static double direct_cost(const struct gx_conv_sizes *s, enum gx_conv_product product)
{
    struct gx_winograd f = gx_winograd_of(s);
    double pixels = (double)s->oh * s->ow;
    if (product == GX_CONV_DW)
        pixels *= s->n;
    else if (s->stride == 1)
        pixels = tiles_of(s, product) * f.m * f.m;
    return (pixels + (s->panel ? 0 : DIRECT)) * s->kh * s->kw;
}

enum gx_conv_method GX_TIERED(conv2d_method)(const struct gx_conv_sizes *sizes,
                                             enum gx_conv_product product)
{
    static const enum gx_conv_method methods[] = {GX_CONV_WINOGRAD_6, GX_CONV_WINOGRAD_4,
                                                  GX_CONV_WINOGRAD_3};
    struct gx_conv_sizes s = *sizes;
    enum gx_conv_method best = GX_CONV_GEMM;
    double least = 0;
    if (GX_TIERED(bf16_of)(sizes, product))
        return GX_TIERED(few_is)(sizes, product) ? GX_CONV_GEMM : GX_CONV_BF16;
    for (int j = 0; j < 3 && s.i >= 16 && s.o >= 16; j++) {
        s.method = methods[j];
        /* Where phases are of unlike depth, these points' short chunks of them were never faster. */
        bool slow = gx_winograd_of(&s).odd &&
                    s.method == (product == GX_CONV_DW ? GX_CONV_WINOGRAD_3 : GX_CONV_WINOGRAD_6);
        if (slow || !gx_winograd_does(&s))
            continue;
        double cost = cost_of(&s, product), limit = best ? least : direct_cost(&s, product);
        if (cost < limit) {
            least = cost;
            best = s.method;
        }
    }
    return best;
}
