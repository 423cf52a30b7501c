/* The 1x1 "PixelGAN" discriminator (Isola et al. 2017, section 4.4): judges each pixel by itself.
 *
 * x (n,h,w,cin) -> (n,h,w,1), raw. Names are those of pytorch-CycleGAN-and-pix2pix's
 * PixelDiscriminator. */
#include "net/layers.h"
#include "net/net.h"

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    const struct gx_layer_conv dot = {1, 1, 0, 0};
    enum gx_norm_kind norm = gx_spec_get(b->spec, "norm");
    bool bias = norm == GX_NORM_INSTANCE;
    int ndf = gx_spec_get(b->spec, "ndf");

    struct gx_node *y = gx_leaky_relu(g, gx_layer_conv(b, x, ndf, dot, true, "net.0"), 0.2F);
    y = gx_layer_conv(b, y, 2 * ndf, dot, bias, "net.2");
    y = gx_leaky_relu(g, gx_layer_norm(b, y, norm, "net.3"), 0.2F);
    out[0] = gx_layer_conv(b, y, 1, dot, bias, "net.5");
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    const struct gx_tensor_info *first = gx_seen_conv(file, prefix, "net.0");
    if (!first || !gx_seen_conv(file, prefix, "net.5"))
        return -GX_E_FORMAT;
    bool fits = gx_seen_size(spec, "cin", first->dims[1]) &&
                gx_seen_size(spec, "ndf", first->dims[0]) &&
                gx_seen_size(spec, "spectral", gx_seen_spectral(file, prefix, "net.0")) &&
                gx_seen_size(spec, "norm", gx_seen_norm(file, prefix, "net.2", "net.3"));
    return fits ? 0 : -GX_E_FORMAT;
}

static const struct gx_size_rule sizes[] = {
    GX_SIZES_JUDGED,
    {"ndf", 64, 1, 1024, NULL, "channels of the first layer"},
    GX_SIZE_NORM(GX_NORM_BATCH),
    GX_SIZE_SPECTRAL,
    {NULL}};

const struct gx_network gx_network_pixel = {
    .name = "pixel",
    .help = "discriminator that judges single pixels",
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = gx_multiple_one,
};
