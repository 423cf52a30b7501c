/* SRResNet, the generator of SRGAN (Ledig et al. 2017, figure 4): residual blocks with batch norm at
 * the size of the input, then pixel-shuffle.
 *
 * x (n,h,w,cin) in [0, 1] -> (n,sh,sw,cout), about [0, 1], not clipped; s is 2, 3 or 4. Each PReLU
 * has one slope. In use batch norm takes its stored statistics, so that an output pixel depends on
 * near ones alone. There is no published layout; names are as a torch.nn.Sequential would have them:
 * stem.{0,1}, body.N.b.{0..4}, body.NB and .NB+1, up.{0,2,3,5,6}. */
#include "net/layers.h"
#include "net/net.h"

static const struct gx_layer_conv same = {3, 1, 1, 0, false}, wide = {9, 1, 4, 0, false};

static struct gx_node *block(const struct gx_build *b, struct gx_node *x, int index)
{
    int nf = x->shape.c;
    struct gx_node *y = gx_layer_conv(b, x, nf, same, false, "body.%d.b.0", index);
    y = gx_layer_norm(b, y, GX_NORM_BATCH, "body.%d.b.1", index);
    y = gx_layer_prelu(b, y, 1, "body.%d.b.2", index);
    y = gx_layer_conv(b, y, nf, same, false, "body.%d.b.3", index);
    y = gx_layer_norm(b, y, GX_NORM_BATCH, "body.%d.b.4", index);
    return gx_add(b->graph, x, y);
}

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    int nf = gx_spec_get(b->spec, "nf"), nb = gx_spec_get(b->spec, "nb"),
        factor = gx_enlarging_factor(b->spec);
    int enlargings = gx_enlargings(b->spec);

    struct gx_node *stem = gx_layer_conv(b, x, nf, wide, true, "stem.0");
    stem = gx_layer_prelu(b, stem, 1, "stem.1");
    struct gx_node *y = stem;
    for (int i = 0; i < nb; i++)
        y = block(b, y, i);
    y = gx_layer_conv(b, y, nf, same, false, "body.%d", nb);
    y = gx_add(g, stem, gx_layer_norm(b, y, GX_NORM_BATCH, "body.%d", nb + 1));
    for (int i = 0; i < enlargings; i++) {
        y = gx_layer_conv(b, y, nf * factor * factor, same, true, "up.%d", 3 * i);
        y = gx_layer_prelu(b, gx_pixel_shuffle(g, y, factor), 1, "up.%d", 3 * i + 2);
    }
    out[0] = gx_layer_conv(b, y, gx_spec_get(b->spec, "cout"), wide, true, "up.%d", 3 * enlargings);
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    int blocks = 0, enlargings = 0;
    while (blocks < 1000 && gx_seen(file, prefix, 4, "body.%d.b.0.weight", blocks))
        blocks++;
    while (enlargings < 2 && gx_seen(file, prefix, 1, "up.%d.weight", 3 * enlargings + 2))
        enlargings++;
    const struct gx_tensor_info *first = gx_seen(file, prefix, 4, "stem.0.weight");
    const struct gx_tensor_info *last = gx_seen(file, prefix, 4, "up.%d.weight", 3 * enlargings);
    const struct gx_tensor_info *up = gx_seen(file, prefix, 4, "up.0.weight");
    if (!first || !last || !up || !enlargings)
        return -GX_E_FORMAT;
    int64_t nf = first->dims[0];
    int factor = up->dims[0] == 9 * nf ? 3 : up->dims[0] == 4 * nf ? 2 : 0;
    bool fits = gx_seen_size(spec, "cin", first->dims[1]) &&
                gx_seen_size(spec, "cout", last->dims[0]) && gx_seen_size(spec, "nf", nf) &&
                gx_seen_size(spec, "nb", blocks) &&
                gx_seen_size(spec, "scale", enlargings == 1 ? factor : factor * factor);
    return fits ? 0 : -GX_E_FORMAT;
}

static struct gx_sight before(const struct gx_network_spec *spec, struct gx_sight s)
{
    s = gx_before_conv(s, wide.kernel);
    for (int i = 0; i < gx_enlargings(spec); i++)
        s = gx_before_conv(gx_before_enlarging(s, gx_enlarging_factor(spec)), same.kernel);
    int blocks = 2 * (2 * gx_spec_get(spec, "nb") + 1); /* as one wide convolution */
    return gx_before_conv(gx_before_conv(s, blocks + 1), wide.kernel);
}

static int reach(const struct gx_network_spec *spec)
{
    return gx_reach_of(spec, gx_spec_get(spec, "scale"), before);
}

static const struct gx_size_rule sizes[] = {GX_SIZES_RESIDUAL, {NULL}};

const struct gx_network gx_network_srresnet = {
    .name = "srresnet",
    .help = "residual super-resolution of SRGAN, with batch norm (SRResNet)",
    .generator = true,
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = gx_multiple_one,
    .scale = gx_scale_size,
    .reach = reach,
    .numbered = "nb",
    .names = "srresnet_16",
};
