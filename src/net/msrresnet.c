/* MSRResNet: SRResNet without batch norm (BasicSR; Wang et al. 2018, the network that ESRGAN is
 * compared with).
 *
 * x (n,h,w,cin) in [0, 1] -> (n,sh,sw,cout), about [0, 1], not clipped; s is 2, 3 or 4. What the
 * network makes is added to the bilinearly enlarged input. Names are BasicSR's. */
#include "net/layers.h"
#include "net/net.h"

static const struct gx_layer_conv same = {3, 1, 1, 0, true};

static struct gx_node *block(const struct gx_build *b, struct gx_node *x, int index)
{
    struct gx_graph *g = b->graph;
    struct gx_node *y = gx_layer_conv(b, x, x->shape.c, same, true, "body.%d.conv1", index);
    y = gx_layer_conv(b, gx_relu(g, y), x->shape.c, same, true, "body.%d.conv2", index);
    return gx_add(g, x, y);
}

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    int nf = gx_spec_get(b->spec, "nf"), scale = gx_spec_get(b->spec, "scale");
    int factor = gx_enlarging_factor(b->spec);

    struct gx_node *y = gx_leaky_relu(g, gx_layer_conv(b, x, nf, same, true, "conv_first"), 0.1F);
    for (int i = 0; i < gx_spec_get(b->spec, "nb"); i++)
        y = block(b, y, i);
    for (int i = 1; i <= gx_enlargings(b->spec); i++) {
        y = gx_layer_conv(b, y, nf * factor * factor, same, true, "upconv%d", i);
        y = gx_leaky_relu(g, gx_pixel_shuffle(g, y, factor), 0.1F);
    }
    y = gx_leaky_relu(g, gx_layer_conv(b, y, nf, same, true, "conv_hr"), 0.1F);
    y = gx_layer_conv(b, y, gx_spec_get(b->spec, "cout"), same, true, "conv_last");
    struct gx_node *base = gx_upsample_bilinear(g, x, x->shape.h * scale, x->shape.w * scale);
    out[0] = gx_add(g, y, base);
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    int blocks = 0;
    while (blocks < 1000 && gx_seen(file, prefix, 4, "body.%d.conv1.weight", blocks))
        blocks++;
    const struct gx_tensor_info *first = gx_seen(file, prefix, 4, "conv_first.weight");
    const struct gx_tensor_info *last = gx_seen(file, prefix, 4, "conv_last.weight");
    const struct gx_tensor_info *up = gx_seen(file, prefix, 4, "upconv1.weight");
    if (!first || !last || !up)
        return -GX_E_FORMAT;
    int64_t nf = first->dims[0];
    int scale = up->dims[0] == 9 * nf                        ? 3
                : up->dims[0] != 4 * nf                      ? 0
                : gx_seen(file, prefix, 4, "upconv2.weight") ? 4
                                                             : 2;
    bool fits = gx_seen_size(spec, "cin", first->dims[1]) &&
                gx_seen_size(spec, "cout", last->dims[0]) && gx_seen_size(spec, "nf", nf) &&
                gx_seen_size(spec, "nb", blocks) && gx_seen_size(spec, "scale", scale);
    return fits ? 0 : -GX_E_FORMAT;
}

static struct gx_sight before(const struct gx_network_spec *spec, struct gx_sight s)
{
    s = gx_before_conv(gx_before_conv(s, 3), 3); /* conv_hr, conv_last */
    for (int i = 0; i < gx_enlargings(spec); i++)
        s = gx_before_conv(gx_before_enlarging(s, gx_enlarging_factor(spec)), 3);
    /* The enlarged input sees one pixel far: less than this. */
    return gx_before_conv(s, 2 * (2 * gx_spec_get(spec, "nb") + 1) + 1);
}

static int reach(const struct gx_network_spec *spec)
{
    return gx_reach_of(spec, gx_spec_get(spec, "scale"), before);
}

static const struct gx_size_rule sizes[] = {GX_SIZES_RESIDUAL, {NULL}};

const struct gx_network gx_network_msrresnet = {
    .name = "msrresnet",
    .help = "residual super-resolution without batch norm (MSRResNet)",
    .generator = true,
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = gx_multiple_one,
    .scale = gx_scale_size,
    .reach = reach,
    .numbered = "nb",
    .names = "msrresnet_16",
};
