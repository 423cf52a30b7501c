/* A learnt degradation: from a sharp picture to a small one as a camera, a codec or a scanner would
 * have left it. It is the way back in a cycle of super-resolution (Yuan et al. 2018, "Unsupervised
 * image super-resolution using cycle-in-cycle generative adversarial networks") and makes the
 * pictures that an enlarging network then learns from (Guan et al. 2019, "SRDGAN: learning the noise
 * prior for super resolution with dual generative adversarial networks").
 *
 * x (n,h,w,cin) -> (n,h/s,w/s,cout), cout = cin; s is 2, 3 or 4. What the network makes is added to
 * the means of s x s pixels, so that it begins as plain downscaling. Real degradation is not a
 * function of the picture: a second convolution reads normal noise, other numbers at every step, and
 * the blocks shape it by what is there. Pixels are folded into channels at once (a convolution of
 * 3s x 3s with stride s, all arithmetic at the small size). Names are our own: head, noise,
 * body.N.conv1, body.N.conv2, tail. */
#include "net/layers.h"
#include "net/net.h"

static const struct gx_layer_conv plain = {3, 1, 1, 0, false}, small = {3, 1, 1, 0, true};

static struct gx_node *block(const struct gx_build *b, struct gx_node *x, int index)
{
    struct gx_graph *g = b->graph;
    struct gx_node *y = gx_layer_conv(b, x, x->shape.c, small, true, "body.%d.conv1", index);
    y = gx_layer_conv(b, gx_relu(g, y), x->shape.c, small, true, "body.%d.conv2", index);
    return gx_add(g, x, y);
}

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    int nf = gx_spec_get(b->spec, "nf"), s = gx_spec_get(b->spec, "shrink");

    struct gx_node *folded = gx_pixel_unshuffle(g, x, s);
    struct gx_shape drawn = folded->shape;
    drawn.c = gx_spec_get(b->spec, "noise");
    struct gx_node *noise = gx_normal(g, drawn, 0, 1);
    struct gx_node *y = gx_add(g, gx_layer_conv(b, folded, nf, plain, true, "head"),
                               gx_layer_conv(b, noise, nf, plain, false, "noise"));
    y = gx_leaky_relu(g, y, 0.1F);
    for (int i = 0; i < gx_spec_get(b->spec, "nb"); i++)
        y = block(b, y, i);
    y = gx_layer_conv(b, y, gx_spec_get(b->spec, "cout"), small, true, "tail");
    out[0] = gx_add(g, y, gx_avg_pool(g, x, s, s, 0));
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    int blocks = 0;
    while (blocks < 1000 && gx_seen(file, prefix, 4, "body.%d.conv1.weight", blocks))
        blocks++;
    const struct gx_tensor_info *head = gx_seen(file, prefix, 4, "head.weight");
    const struct gx_tensor_info *noise = gx_seen(file, prefix, 4, "noise.weight");
    const struct gx_tensor_info *tail = gx_seen(file, prefix, 4, "tail.weight");
    if (!head || !noise || !tail)
        return -GX_E_FORMAT;
    int64_t channels = tail->dims[0], shrink = 2;
    while (shrink < 4 && channels * shrink * shrink < head->dims[1])
        shrink++;
    bool fits = channels * shrink * shrink == head->dims[1] &&
                gx_seen_size(spec, "cin", channels) && gx_seen_size(spec, "cout", channels) &&
                gx_seen_size(spec, "nf", head->dims[0]) && gx_seen_size(spec, "nb", blocks) &&
                gx_seen_size(spec, "shrink", shrink) && gx_seen_size(spec, "noise", noise->dims[1]);
    return fits ? 0 : -GX_E_FORMAT;
}

static int shrink(const struct gx_network_spec *spec)
{
    return gx_spec_get(spec, "shrink");
}

/* head, two a block, tail: each sees one small pixel farther. */
static int reach(const struct gx_network_spec *spec)
{
    return (2 * gx_spec_get(spec, "nb") + 2) * gx_spec_get(spec, "shrink");
}

static const struct gx_size_rule sizes[] = {
    GX_SIZES_TRANSLATED,
    {"nf", 64, 1, 1024, NULL, "channels of the convolutions"},
    {"nb", 4, 1, 256, NULL, "residual blocks"},
    {"shrink", 4, 2, 4, NULL, "how many times smaller the output's sides are"},
    {"noise", 4, 1, 64, NULL, "channels of noise"},
    {NULL}};

const struct gx_network gx_network_sr_downscaler = {
    .name = "sr_downscaler",
    .help = "makes pictures small as a learnt degradation does",
    .generator = true,
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = shrink,
    .shrink = shrink,
    .reach = reach,
};
