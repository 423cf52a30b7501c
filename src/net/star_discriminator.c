/* StarGAN's discriminator (Choi et al. 2018, table 5): is it real, and of which domain?
 *
 * x (n,h,w,3) -> out[0] (n,h',w',1), raw, one a patch; out[1] (n,1,1,c_dim), the domains' logits.
 * `layers` halvings by 4x4 convolutions, layer k has 2^k dim channels; no norm. The classifier's
 * kernel covers a picture of `size`; a larger one has its logits averaged over the positions, which
 * the original refuses. Names are those of yunjey/stargan. */
#include "net/layers.h"
#include "net/net.h"

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    int dim = gx_spec_get(b->spec, "dim"), layers = gx_spec_get(b->spec, "layers");
    int kernel = gx_spec_get(b->spec, "size") >> layers;
    const struct gx_layer_conv half = {4, 2, 1, 0}, patch = {3, 1, 1, 0}, all = {kernel, 1, 0, 0};
    out[0] = out[1] = x;
    if (kernel < 1) {
        gx_graph_fail(g, GX_E_SHAPE, "%d layers are too many for pictures of %d pixels", layers,
                      gx_spec_get(b->spec, "size"));
        return 2;
    }

    struct gx_node *y = x;
    for (int k = 0; k < layers; k++) {
        y = gx_layer_conv(b, y, dim << k, half, true, "main.%d", 2 * k);
        y = gx_leaky_relu(g, y, 0.01F);
    }
    out[0] = gx_layer_conv(b, y, 1, patch, false, "conv1");
    struct gx_node *logits =
        gx_layer_conv(b, y, gx_spec_get(b->spec, "c_dim"), all, false, "conv2");
    if (logits->shape.h > 1 || logits->shape.w > 1)
        logits = gx_mean(g, logits, GX_AXIS_H | GX_AXIS_W);
    out[1] = logits;
    return 2;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    const struct gx_tensor_info *first = gx_seen_conv(file, prefix, "main.0");
    const struct gx_tensor_info *classes = gx_seen_conv(file, prefix, "conv2");
    int layers = 0;
    while (layers < 1000 && gx_seen_conv(file, prefix, "main.%d", 2 * layers))
        layers++;
    bool fits = first && classes && gx_seen_conv(file, prefix, "conv1") &&
                gx_seen_size(spec, "layers", layers) &&
                classes->dims[2] <= 1024 && /* else the shift below could overflow */
                gx_seen_size(spec, "size", classes->dims[2] << layers) &&
                gx_seen_size(spec, "spectral", gx_seen_spectral(file, prefix, "main.0")) &&
                gx_seen_size(spec, "dim", first->dims[0]) &&
                gx_seen_size(spec, "c_dim", classes->dims[0]);
    return fits ? 0 : -GX_E_FORMAT;
}

static const struct gx_size_rule sizes[] = {
    {"size", 128, 2, 1024, NULL, "side of the training pictures"},
    {"dim", 64, 1, 1024, NULL, "channels of the first layer"},
    {"c_dim", 5, 1, 1024, NULL, "domains or attributes"},
    {"layers", 6, 1, 10, NULL, "halvings"},
    GX_SIZE_SPECTRAL,
    {NULL}};

const struct gx_network gx_network_star_discriminator = {
    .name = "star_discriminator",
    .help = "StarGAN's discriminator and classifier",
    .apart = true,
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = gx_multiple_one,
};
