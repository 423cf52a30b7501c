/* SRGAN's discriminator (Ledig et al. 2017, figure 4): eight convolutions, every second one a
 * halving, then two dense layers that judge the whole picture.
 *
 * x (n,h,w,cin) -> (n,1,1,1), raw. Any size: the last maps are averaged to 6x6, which is what a crop
 * of 96 pixels has. Convolution k has 2^(k/2) nf channels. Batch norm but in the first one. There is
 * no published layout; names are as a torch.nn.Sequential would have them. */
#include "net/layers.h"
#include "net/net.h"

enum { CONVOLUTIONS = 8, POOLED = 6 };

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    const struct gx_layer_conv same = {3, 1, 1, 0, false}, half = {3, 2, 1, 0, false};
    int nf = gx_spec_get(b->spec, "nf");

    struct gx_node *y = gx_leaky_relu(g, gx_layer_conv(b, x, nf, same, true, "features.0"), 0.2F);
    for (int k = 1; k < CONVOLUTIONS; k++) {
        int index = 3 * k - 1;
        y = gx_layer_conv(b, y, nf << k / 2, k % 2 ? half : same, false, "features.%d", index);
        y = gx_layer_norm(b, y, GX_NORM_BATCH, "features.%d", index + 1);
        y = gx_leaky_relu(g, y, 0.2F);
    }
    y = gx_layer_flatten(b, gx_layer_adaptive_pool(b, y, POOLED));
    y = gx_layer_linear(b, y, gx_spec_get(b->spec, "hidden"), "classifier.2");
    out[0] = gx_layer_linear(b, gx_leaky_relu(g, y, 0.2F), 1, "classifier.4");
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    const struct gx_tensor_info *first = gx_seen(file, prefix, 4, "features.0.weight");
    const struct gx_tensor_info *dense = gx_seen(file, prefix, 2, "classifier.2.weight");
    bool fits = first && dense && gx_seen(file, prefix, 1, "features.3.weight") &&
                gx_seen_size(spec, "cin", first->dims[1]) &&
                gx_seen_size(spec, "nf", first->dims[0]) &&
                gx_seen_size(spec, "hidden", dense->dims[0]);
    return fits ? 0 : -GX_E_FORMAT;
}

static const struct gx_size_rule sizes[] = {
    GX_SIZES_JUDGED,
    {"nf", 64, 1, 1024, NULL, "channels of the first layer"},
    {"hidden", 1024, 1, 16384, NULL, "values between the dense layers"},
    {NULL}};

const struct gx_network gx_network_srgan_discriminator = {
    .name = "srgan_discriminator",
    .help = "SRGAN's discriminator of whole pictures, of any size",
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = gx_multiple_one,
};
