/* StarGAN's generator (Choi et al. 2018, table 4): one network for all domains.
 *
 * x (n,h,w,3) and label (n,1,1,c_dim) -> (n,h,w,3) in [-1, 1]: the label is repeated over the
 * picture and set beside its channels; 7x7, two halvings, residual blocks, two doublings, 7x7; zero
 * padding, affine instance norm. Names are those of yunjey/stargan. */
#include "net/layers.h"
#include "net/net.h"

enum { FIRST_BLOCK = 9 };

static struct gx_node *block(const struct gx_build *b, struct gx_node *x, int index)
{
    const struct gx_layer_conv same = {3, 1, 1, 0};
    struct gx_node *y = gx_layer_conv(b, x, x->shape.c, same, false, "main.%d.main.0", index);
    y = gx_relu(b->graph, gx_layer_instance_norm_tracked(b, y, "main.%d.main.1", index));
    y = gx_layer_conv(b, y, x->shape.c, same, false, "main.%d.main.3", index);
    y = gx_layer_instance_norm_tracked(b, y, "main.%d.main.4", index);
    return gx_add(b->graph, x, y);
}

static struct gx_node *with_label(struct gx_graph *g, struct gx_node *x, struct gx_node *label)
{
    struct gx_shape s = x->shape;
    s.c = label->shape.c;
    return gx_concat(g, x, gx_broadcast(g, label, s), GX_AXIS_C);
}

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    struct gx_graph *g = b->graph;
    const struct gx_layer_conv wide = {7, 1, 3, 0}, half = {4, 2, 1, 0};
    int dim = gx_spec_get(b->spec, "dim"), blocks = gx_spec_get(b->spec, "blocks");
    out[0] = x;
    if (!label || label->shape.c != gx_spec_get(b->spec, "c_dim")) {
        gx_graph_fail(g, GX_E_SHAPE, "StarGAN's generator needs a label of %d numbers",
                      gx_spec_get(b->spec, "c_dim"));
        return 1;
    }

    struct gx_node *y = with_label(g, x, label);
    y = gx_layer_conv(b, y, dim, wide, false, "main.0");
    y = gx_relu(g, gx_layer_instance_norm_tracked(b, y, "main.1"));
    for (int i = 0; i < 2; i++) {
        y = gx_layer_conv(b, y, dim * (2 << i), half, false, "main.%d", 3 + 3 * i);
        y = gx_relu(g, gx_layer_instance_norm_tracked(b, y, "main.%d", 4 + 3 * i));
    }
    for (int i = 0; i < blocks; i++)
        y = block(b, y, FIRST_BLOCK + i);
    int next = FIRST_BLOCK + blocks;
    for (int i = 0; i < 2; i++, next += 3) {
        y = gx_layer_conv_transposed(b, y, dim * (2 >> i), half, false, "main.%d", next);
        y = gx_relu(g, gx_layer_instance_norm_tracked(b, y, "main.%d", next + 1));
    }
    out[0] = gx_tanh(g, gx_layer_conv(b, y, 3, wide, false, "main.%d", next));
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    const struct gx_tensor_info *first = gx_seen(file, prefix, 4, "main.0.weight");
    int blocks = 0;
    while (blocks < 1000 && gx_seen(file, prefix, 4, "main.%d.main.0.weight", FIRST_BLOCK + blocks))
        blocks++;
    if (!first || !blocks)
        return -GX_E_FORMAT;
    bool fits = gx_seen_size(spec, "dim", first->dims[0]) &&
                gx_seen_size(spec, "c_dim", first->dims[1] - 3) &&
                gx_seen_size(spec, "blocks", blocks);
    return fits ? 0 : -GX_E_FORMAT;
}

static int multiple(const struct gx_network_spec *spec)
{
    (void)spec;
    return 4;
}

static const struct gx_size_rule sizes[] = {
    {"dim", 64, 1, 1024, NULL, "channels of the first convolution"},
    {"c_dim", 5, 1, 1024, NULL, "domains or attributes"},
    {"blocks", 6, 1, 64, NULL, "residual blocks"},
    {NULL}};

const struct gx_network gx_network_star_generator = {
    .name = "star_generator",
    .help = "StarGAN's generator for all domains",
    .generator = true,
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = multiple,
};
