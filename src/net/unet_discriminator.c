/* Real-ESRGAN's discriminator (Wang et al. 2021, section 3.4): a U-Net that judges every pixel, with
 * spectral norm on all convolutions but the first and the last.
 *
 * x (n,h,w,cin) -> (n,h,w,1), raw; h and w multiples of 8. Level k has 2^k nf channels; up again
 * bilinearly, each level added to the one that it came from. Names are those of BasicSR's
 * UNetDiscriminatorSN. */
#include "net/layers.h"
#include "net/net.h"

static const struct gx_layer_conv same = {3, 1, 1, 0}, half = {4, 2, 1, 0};

static struct gx_node *layer(const struct gx_build *b, struct gx_node *x, int out,
                             struct gx_layer_conv conv, int number)
{
    struct gx_node *y = gx_layer_conv_spectral(b, x, out, conv, false, "conv%d", number);
    return gx_leaky_relu(b->graph, y, 0.2F);
}

static struct gx_node *doubled(const struct gx_build *b, struct gx_node *x)
{
    return gx_upsample_bilinear(b->graph, x, 2 * x->shape.h, 2 * x->shape.w);
}

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    int nf = gx_spec_get(b->spec, "nf");
    struct gx_node *x0 = gx_leaky_relu(g, gx_layer_conv(b, x, nf, same, true, "conv0"), 0.2F);
    struct gx_node *x1 = layer(b, x0, 2 * nf, half, 1);
    struct gx_node *x2 = layer(b, x1, 4 * nf, half, 2);
    struct gx_node *y = layer(b, x2, 8 * nf, half, 3);
    y = gx_add(g, layer(b, doubled(b, y), 4 * nf, same, 4), x2);
    y = gx_add(g, layer(b, doubled(b, y), 2 * nf, same, 5), x1);
    y = gx_add(g, layer(b, doubled(b, y), nf, same, 6), x0);
    y = layer(b, layer(b, y, nf, same, 7), nf, same, 8);
    out[0] = gx_layer_conv(b, y, 1, same, true, "conv9");
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    const struct gx_tensor_info *first = gx_seen(file, prefix, 4, "conv0.weight");
    bool fits =
        first && gx_seen(file, prefix, 4, "conv9.weight") &&
        gx_seen_spectral(file, prefix, "conv1") && gx_seen_spectral(file, prefix, "conv8") &&
        gx_seen_size(spec, "cin", first->dims[1]) && gx_seen_size(spec, "nf", first->dims[0]);
    return fits ? 0 : -GX_E_FORMAT;
}

static int multiple(const struct gx_network_spec *spec)
{
    (void)spec;
    return 8;
}

static const struct gx_size_rule sizes[] = {
    GX_SIZES_JUDGED, {"nf", 64, 1, 1024, NULL, "channels of the first layer"}, {NULL}};

const struct gx_network gx_network_unet_discriminator_sn = {
    .name = "unet_discriminator_sn",
    .help = "discriminator that judges every pixel in its surroundings, with spectral norm",
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = multiple,
};
