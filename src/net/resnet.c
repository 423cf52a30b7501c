/* The residual generator of CycleGAN (Zhu et al. 2017, after Johnson et al. 2016).
 *
 * x (n,h,w,cin) -> (n,h,w,cout) in [-1, 1]: 7x7, two halvings, residual blocks, two doublings, 7x7;
 * reflect padding, zero padding in the halvings. Names are those of pytorch-CycleGAN-and-pix2pix's
 * ResnetGenerator; with dropout a block's second convolution is conv_block.6, else .5. */
#include "net/layers.h"
#include "net/net.h"

#include <stdio.h>
#include <string.h>

enum { FIRST_BLOCK = 10 };

static struct gx_node *block(const struct gx_build *b, struct gx_node *x, int index)
{
    struct gx_graph *g = b->graph;
    const struct gx_layer_conv same = {3, 1, 0, 0};
    enum gx_norm_kind norm = gx_spec_get(b->spec, "norm");
    bool bias = norm == GX_NORM_INSTANCE, drop = gx_spec_get(b->spec, "drop");
    int c = x->shape.c, second = drop ? 6 : 5;

    struct gx_node *y = gx_layer_reflect(b, x, 1);
    y = gx_layer_conv(b, y, c, same, bias, "model.%d.conv_block.1", index);
    y = gx_layer_norm(b, y, norm, "model.%d.conv_block.2", index);
    y = gx_relu(g, y);
    if (drop && b->dropout)
        y = gx_dropout(g, y, 0.5F);
    y = gx_layer_reflect(b, y, 1);
    y = gx_layer_conv(b, y, c, same, bias, "model.%d.conv_block.%d", index, second);
    y = gx_layer_norm(b, y, norm, "model.%d.conv_block.%d", index, second + 1);
    return gx_add(g, x, y);
}

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct gx_graph *g = b->graph;
    const struct gx_layer_conv wide = {7, 1, 0, 0}, half = {3, 2, 1, 0}, twice = {3, 2, 1, 1};
    enum gx_norm_kind norm = gx_spec_get(b->spec, "norm");
    bool bias = norm == GX_NORM_INSTANCE;
    int ngf = gx_spec_get(b->spec, "ngf"), blocks = gx_spec_get(b->spec, "blocks");

    struct gx_node *y = gx_layer_reflect(b, x, 3);
    y = gx_layer_conv(b, y, ngf, wide, bias, "model.1");
    y = gx_relu(g, gx_layer_norm(b, y, norm, "model.2"));
    for (int i = 0; i < 2; i++) {
        y = gx_layer_conv(b, y, ngf * (2 << i), half, bias, "model.%d", 4 + 3 * i);
        y = gx_relu(g, gx_layer_norm(b, y, norm, "model.%d", 5 + 3 * i));
    }
    for (int i = 0; i < blocks; i++)
        y = block(b, y, FIRST_BLOCK + i);
    int next = FIRST_BLOCK + blocks;
    for (int i = 0; i < 2; i++, next += 3) {
        y = gx_layer_conv_transposed(b, y, ngf * (2 >> i), twice, bias, "model.%d", next);
        y = gx_relu(g, gx_layer_norm(b, y, norm, "model.%d", next + 1));
    }
    y = gx_layer_reflect(b, y, 3);
    y = gx_layer_conv(b, y, gx_spec_get(b->spec, "cout"), wide, true, "model.%d", next + 1);
    out[0] = gx_tanh(g, y);
    return 1;
}

static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    int blocks = 0;
    while (blocks < 1000 &&
           gx_seen(file, prefix, 4, "model.%d.conv_block.1.weight", FIRST_BLOCK + blocks))
        blocks++;
    const struct gx_tensor_info *first = gx_seen(file, prefix, 4, "model.1.weight");
    const struct gx_tensor_info *last =
        gx_seen(file, prefix, 4, "model.%d.weight", FIRST_BLOCK + blocks + 7);
    if (!first || !last)
        return -GX_E_FORMAT;
    bool drop = gx_seen(file, prefix, 4, "model.%d.conv_block.6.weight", FIRST_BLOCK);
    bool fits = gx_seen_size(spec, "cin", first->dims[1]) &&
                gx_seen_size(spec, "cout", last->dims[0]) &&
                gx_seen_size(spec, "ngf", first->dims[0]) && gx_seen_size(spec, "blocks", blocks) &&
                gx_seen_size(spec, "norm", gx_seen_norm(file, prefix, "model.1", "model.2")) &&
                gx_seen_size(spec, "drop", drop);
    return fits ? 0 : -GX_E_FORMAT;
}

static int multiple(const struct gx_network_spec *spec)
{
    (void)spec;
    return 4;
}

static int named(struct gx_network_spec *spec, const char *name)
{
    for (int blocks = 1; blocks <= 64; blocks++) {
        char text[32];
        snprintf(text, sizeof text, "resnet_%dblocks", blocks);
        if (!strcmp(name, text))
            return gx_spec_set(spec, "blocks", blocks, NULL);
    }
    return -GX_E_CONFIG;
}

static const struct gx_size_rule sizes[] = {
    GX_SIZES_TRANSLATED,
    {"ngf", 64, 1, 1024, NULL, "channels of the first convolution"},
    {"blocks", 9, 1, 64, NULL, "residual blocks"},
    GX_SIZE_NORM(GX_NORM_INSTANCE),
    {"drop", 0, 0, 1, gx_flag_words, "dropout in the residual blocks"},
    {NULL}};

const struct gx_network gx_network_resnet = {
    .name = "resnet",
    .help = "residual generator of CycleGAN",
    .generator = true,
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = multiple,
    .named = named,
    .names = "resnet_9blocks, resnet_6blocks",
};
