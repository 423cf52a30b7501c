/* RRDBNet: residual-in-residual dense blocks (ESRGAN, Wang et al. 2018; Real-ESRGAN, 2021).
 *
 * x (n,h,w,cin) in [0, 1] -> (n,sh,sw,cout), about [0, 1], not clipped. All work is done at a
 * quarter of the output's sides, then doubled twice to the nearest pixel: for x2 and x1 the input's
 * pixels are first folded into channels, 2x2 and 4x4 at a time, so that sides must be multiples of
 * these. `direct` is the older way: no folding, and a doubling for each factor of two in the scale.
 * Names are those of BasicSR's RRDBNet; weights/names.c knows the older ones. */
#include "net/layers.h"
#include "net/net.h"

enum { DENSE = 5, BLOCKS = 3, DOUBLINGS_MAX = 3 };
static const struct gx_layer_conv same = {3, 1, 1, 0, false}, dense_conv = {3, 1, 1, 0, true};

static int doublings(const struct gx_network_spec *spec)
{
    int count = 0;
    if (!gx_spec_get(spec, "direct"))
        return 2;
    while (1 << count < gx_spec_get(spec, "scale"))
        count++;
    return count;
}

/* Sides of the squares of pixels that become channels; 0: the scale cannot be had. */
static int folded(const struct gx_network_spec *spec)
{
    int scale = gx_spec_get(spec, "scale"), full = 1 << doublings(spec);
    return scale <= full && full % scale == 0 ? full / scale : 0;
}

/* Each convolution sees the block's input and what all before it made. */
static struct gx_node *dense_block(const struct gx_build *b, struct gx_node *x, int index,
                                   int number)
{
    struct gx_graph *g = b->graph;
    int gc = gx_spec_get(b->spec, "gc");
    struct gx_node *all = x, *y = x;
    for (int i = 1; i <= DENSE; i++) {
        y = gx_layer_conv(b, all, i < DENSE ? gc : x->shape.c, dense_conv, true,
                          "body.%d.rdb%d.conv%d", index, number, i);
        if (i < DENSE)
            all = gx_concat(g, all, gx_leaky_relu(g, y, 0.2F), GX_AXIS_C);
    }
    return gx_add(g, gx_scale(g, y, 0.2F), x);
}

static struct gx_node *block(const struct gx_build *b, struct gx_node *x, int index)
{
    struct gx_graph *g = b->graph;
    struct gx_node *y = x;
    for (int k = 1; k <= BLOCKS; k++)
        y = dense_block(b, y, index, k);
    return gx_add(g, gx_scale(g, y, 0.2F), x);
}

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    int nf = gx_spec_get(b->spec, "nf"), fold = folded(b->spec);
    out[0] = x;
    if (!fold) {
        gx_graph_fail(g, GX_E_CONFIG, "rrdbnet makes pictures 1, 2 or 4 times as large, not %d",
                      gx_spec_get(b->spec, "scale"));
        return 1;
    }

    struct gx_node *first = fold > 1 ? gx_pixel_unshuffle(g, x, fold) : x;
    first = gx_layer_conv(b, first, nf, same, true, "conv_first");
    struct gx_node *y = first;
    for (int i = 0; i < gx_spec_get(b->spec, "nb"); i++)
        y = block(b, y, i);
    y = gx_add(g, first, gx_layer_conv(b, y, nf, same, true, "conv_body"));
    for (int i = 1; i <= doublings(b->spec); i++) {
        y = gx_layer_conv(b, gx_upsample_nearest(g, y, 2), nf, same, true, "conv_up%d", i);
        y = gx_leaky_relu(g, y, 0.2F);
    }
    y = gx_leaky_relu(g, gx_layer_conv(b, y, nf, same, true, "conv_hr"), 0.2F);
    out[0] = gx_layer_conv(b, y, gx_spec_get(b->spec, "cout"), same, true, "conv_last");
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    int blocks = 0, ups = 0, fold = 1;
    while (blocks < 1000 && gx_seen(file, prefix, 4, "body.%d.rdb1.conv1.weight", blocks))
        blocks++;
    while (ups < DOUBLINGS_MAX && gx_seen(file, prefix, 4, "conv_up%d.weight", ups + 1))
        ups++;
    const struct gx_tensor_info *first = gx_seen(file, prefix, 4, "conv_first.weight");
    const struct gx_tensor_info *last = gx_seen(file, prefix, 4, "conv_last.weight");
    const struct gx_tensor_info *dense = gx_seen(file, prefix, 4, "body.0.rdb1.conv1.weight");
    if (!first || !last || !dense)
        return -GX_E_FORMAT;
    /* A picture has as many channels as its result, unless the file cannot mean that. */
    while (ups == 2 && fold < 4 && last->dims[0] * fold * fold < first->dims[1])
        fold *= 2;
    if (last->dims[0] * fold * fold != first->dims[1])
        fold = 1;
    bool fits =
        gx_seen_size(spec, "cin", first->dims[1] / (fold * fold)) &&
        gx_seen_size(spec, "cout", last->dims[0]) && gx_seen_size(spec, "nf", first->dims[0]) &&
        gx_seen_size(spec, "nb", blocks) && gx_seen_size(spec, "gc", dense->dims[0]) &&
        gx_seen_size(spec, "scale", (1 << ups) / fold) && gx_seen_size(spec, "direct", ups != 2);
    return fits ? 0 : -GX_E_FORMAT;
}

static int multiple(const struct gx_network_spec *spec)
{
    int fold = folded(spec);
    return fold ? fold : 1;
}

static struct gx_sight before(const struct gx_network_spec *spec, struct gx_sight s)
{
    s = gx_before_conv(gx_before_conv(s, 3), 3); /* conv_hr, conv_last */
    for (int i = 0; i < doublings(spec); i++)
        s = gx_before_enlarging(gx_before_conv(s, 3), 2);
    int side = 2 * (gx_spec_get(spec, "nb") * BLOCKS * DENSE + 2); /* as one wide convolution */
    return gx_before_unshuffle(gx_before_conv(s, side + 1), multiple(spec));
}

static int reach(const struct gx_network_spec *spec)
{
    return gx_reach_of(spec, 1 << doublings(spec), before);
}

static const struct gx_size_rule sizes[] = {
    GX_SIZES_TRANSLATED,
    {"nf", 64, 1, 1024, NULL, "channels between the blocks"},
    {"nb", 23, 1, 256, NULL, "residual-in-residual dense blocks"},
    {"gc", 32, 1, 1024, NULL, "channels that each convolution of a block adds"},
    {"scale", 4, 1, 8, NULL, "how many times larger the output's sides are"},
    {"direct", 0, 0, 1, gx_flag_words, "no folding of pixels: a doubling for each factor of two"},
    {NULL}};

const struct gx_network gx_network_rrdbnet = {
    .name = "rrdbnet",
    .help = "dense residual super-resolution of ESRGAN and Real-ESRGAN (RRDBNet)",
    .generator = true,
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = multiple,
    .scale = gx_scale_size,
    .reach = reach,
    .numbered = "nb",
    .names = "rrdbnet_23, rrdbnet_6",
};
