/* BasicSR's VGG-style discriminator (ESRGAN, Wang et al. 2018): pairs of a convolution and a halving
 * one down to 4x4, then two dense layers that judge the whole picture.
 *
 * x (n,h,w,cin) -> (n,1,1,1), raw. Made for crops of `size` pixels, which is 128 (five pairs) or 256
 * (six); of others, which the original refuses, the last maps are averaged to 4x4. Pair k has
 * min(2^k, 8) nf channels. Names are those of BasicSR's VGGStyleDiscriminator. */
#include "net/layers.h"
#include "net/net.h"

enum { POOLED = 4, HIDDEN = 100 };

static int pairs(const struct gx_network_spec *spec)
{
    return gx_spec_get(spec, "size") > 128 ? 6 : 5;
}

static struct gx_node *layer(const struct gx_build *b, struct gx_node *x, int out,
                             struct gx_layer_conv conv, int pair, int second)
{
    struct gx_node *y = gx_layer_conv(b, x, out, conv, false, "conv%d_%d", pair, second);
    y = gx_layer_norm(b, y, GX_NORM_BATCH, "bn%d_%d", pair, second);
    return gx_leaky_relu(b->graph, y, 0.2F);
}

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    const struct gx_layer_conv same = {3, 1, 1, 0, false}, half = {4, 2, 1, 0, false};
    int nf = gx_spec_get(b->spec, "nf"), size = gx_spec_get(b->spec, "size");
    if (size != 128 && size != 256)
        gx_graph_fail(g, GX_E_SHAPE, "vgg_discriminator is made for 128 or 256 pixels, not %d",
                      size);

    struct gx_node *y = gx_leaky_relu(g, gx_layer_conv(b, x, nf, same, true, "conv0_0"), 0.2F);
    y = layer(b, y, nf, half, 0, 1);
    for (int k = 1; k < pairs(b->spec); k++) {
        int c = nf << (k < 3 ? k : 3);
        y = layer(b, layer(b, y, c, same, k, 0), c, half, k, 1);
    }
    y = gx_layer_flatten(b, gx_layer_adaptive_pool(b, y, POOLED));
    y = gx_leaky_relu(g, gx_layer_linear(b, y, HIDDEN, "linear1"), 0.2F);
    out[0] = gx_layer_linear(b, y, 1, "linear2");
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    const struct gx_tensor_info *first = gx_seen(file, prefix, 4, "conv0_0.weight");
    bool fits = first && gx_seen(file, prefix, 2, "linear1.weight") &&
                gx_seen_size(spec, "cin", first->dims[1]) &&
                gx_seen_size(spec, "nf", first->dims[0]) &&
                gx_seen_size(spec, "size", gx_seen(file, prefix, 4, "conv5_0.weight") ? 256 : 128);
    return fits ? 0 : -GX_E_FORMAT;
}

static const struct gx_size_rule sizes[] = {
    GX_SIZES_JUDGED,
    {"nf", 64, 1, 1024, NULL, "channels of the first layer"},
    {"size", 128, 128, 256, NULL, "side of the crops in training: 128 or 256"},
    {NULL}};

const struct gx_network gx_network_vgg_discriminator = {
    .name = "vgg_discriminator",
    .help = "BasicSR's discriminator of whole pictures of 128 or 256 pixels",
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = gx_multiple_one,
    .numbered = "size",
    .names = "vgg_discriminator_128, vgg_discriminator_256",
};
