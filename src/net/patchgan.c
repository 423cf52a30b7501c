/* PatchGAN (Isola et al. 2017, appendix 6.1.2): each output judges one patch of the picture, 70x70
 * pixels with 3 layers.
 *
 * x (n,h,w,cin) -> (n,h',w',1), raw. n_layers halvings by 4x4 convolutions, then two of stride 1;
 * layer k has min(2^k, 8) ndf channels. Names are those of pytorch-CycleGAN-and-pix2pix's
 * NLayerDiscriminator. */
#include "net/layers.h"
#include "net/net.h"

#include <string.h>

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    const struct gx_layer_conv half = {4, 2, 1, 0}, same = {4, 1, 1, 0};
    enum gx_norm_kind norm = gx_spec_get(b->spec, "norm");
    bool bias = norm == GX_NORM_INSTANCE;
    int ndf = gx_spec_get(b->spec, "ndf"), layers = gx_spec_get(b->spec, "n_layers");

    struct gx_node *y = gx_layer_conv(b, x, ndf, half, true, "model.0");
    y = gx_leaky_relu(g, y, 0.2F);
    for (int k = 1; k <= layers; k++) {
        int c = ndf << (k < 3 ? k : 3), index = 3 * k - 1;
        y = gx_layer_conv(b, y, c, k < layers ? half : same, bias, "model.%d", index);
        y = gx_layer_norm(b, y, norm, "model.%d", index + 1);
        y = gx_leaky_relu(g, y, 0.2F);
    }
    out[0] = gx_layer_conv(b, y, 1, same, true, "model.%d", 3 * layers + 2);
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    const struct gx_tensor_info *first = gx_seen_conv(file, prefix, "model.0");
    int layers = 0;
    while (layers < 1000 && gx_seen_conv(file, prefix, "model.%d", 3 * layers + 5))
        layers++;
    if (!first || first->dims[2] != 4 || !layers ||
        gx_seen_conv(file, prefix, "model.%d", 3 * layers + 2)->dims[0] != 1)
        return -GX_E_FORMAT;
    bool fits = gx_seen_size(spec, "cin", first->dims[1]) &&
                gx_seen_size(spec, "ndf", first->dims[0]) &&
                gx_seen_size(spec, "n_layers", layers) &&
                gx_seen_size(spec, "spectral", gx_seen_spectral(file, prefix, "model.0")) &&
                gx_seen_size(spec, "norm", gx_seen_norm(file, prefix, "model.2", "model.3"));
    return fits ? 0 : -GX_E_FORMAT;
}

/* The reference implementation's names for it. */
static int named(struct gx_network_spec *spec, const char *name)
{
    (void)spec;
    return strcmp(name, "basic") && strcmp(name, "n_layers") ? -GX_E_CONFIG : 0;
}

static const struct gx_size_rule sizes[] = {
    GX_SIZES_JUDGED,
    {"ndf", 64, 1, 1024, NULL, "channels of the first layer"},
    {"n_layers", 3, 1, 8, NULL, "halvings: 3 for patches of 70x70 pixels"},
    GX_SIZE_NORM(GX_NORM_BATCH),
    GX_SIZE_SPECTRAL,
    {NULL}};

const struct gx_network gx_network_patchgan = {
    .name = "patchgan",
    .help = "discriminator that judges patches",
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = gx_multiple_one,
    .named = named,
};
