/* SRVGGNetCompact (Wang et al. 2021, Real-ESRGAN's small models): convolutions one after the other,
 * all at the size of the input, and the input itself enlarged to the nearest pixel.
 *
 * x (n,h,w,cin) in [0, 1] -> (n,sh,sw,cin), about [0, 1], not clipped. A slope for each channel.
 * Names are those of BasicSR's SRVGGNetCompact: body.N, even ones convolutions, odd ones PReLUs. */
#include "net/layers.h"
#include "net/net.h"

static const struct gx_layer_conv same = {3, 1, 1, 0, false};

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    int nf = gx_spec_get(b->spec, "nf"), layers = gx_spec_get(b->spec, "nconv") + 1;
    int scale = gx_spec_get(b->spec, "scale"), cout = gx_spec_get(b->spec, "cout");

    struct gx_node *y = x;
    for (int i = 0; i < layers; i++) {
        y = gx_layer_conv(b, y, nf, same, true, "body.%d", 2 * i);
        y = gx_layer_prelu(b, y, nf, "body.%d", 2 * i + 1);
    }
    y = gx_layer_conv(b, y, cout * scale * scale, same, true, "body.%d", 2 * layers);
    y = gx_pixel_shuffle(g, y, scale);
    out[0] = gx_add(g, y, gx_upsample_nearest(g, x, scale));
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    int layers = 0;
    while (layers < 1000 && gx_seen(file, prefix, 1, "body.%d.weight", 2 * layers + 1))
        layers++;
    const struct gx_tensor_info *first = gx_seen(file, prefix, 4, "body.0.weight");
    const struct gx_tensor_info *last = gx_seen(file, prefix, 4, "body.%d.weight", 2 * layers);
    if (!first || !last || layers < 2 || first->dims[1] < 1)
        return -GX_E_FORMAT;
    int64_t cin = first->dims[1], scale = 1;
    while (scale < 64 && cin * scale * scale < last->dims[0])
        scale++;
    bool fits = cin * scale * scale == last->dims[0] && gx_seen_size(spec, "cin", cin) &&
                gx_seen_size(spec, "cout", cin) && gx_seen_size(spec, "nf", first->dims[0]) &&
                gx_seen_size(spec, "nconv", layers - 1) && gx_seen_size(spec, "scale", scale);
    return fits ? 0 : -GX_E_FORMAT;
}

static int reach(const struct gx_network_spec *spec)
{
    return gx_spec_get(spec, "nconv") + 2; /* each convolution sees one pixel farther */
}

static const struct gx_size_rule sizes[] = {
    GX_SIZES_TRANSLATED,
    {"nf", 64, 1, 1024, NULL, "channels of the convolutions"},
    {"nconv", 32, 1, 256, NULL, "convolutions between the first and the last"},
    {"scale", 4, 1, 16, NULL, "how many times larger the output's sides are"},
    {NULL}};

const struct gx_network gx_network_srvgg = {
    .name = "srvgg",
    .help = "small and fast super-resolution of Real-ESRGAN (SRVGGNetCompact)",
    .generator = true,
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = gx_multiple_one,
    .scale = gx_scale_size,
    .reach = reach,
    .numbered = "nconv",
    .names = "srvgg_32, srvgg_16",
};
