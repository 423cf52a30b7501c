/* U-Net (Ronneberger 2015) as pix2pix uses it (Isola et al. 2017, appendix 6.1.1).
 *
 * x (n,h,w,cin) -> (n,h,w,cout) in [-1, 1]; sides a multiple of 2^downs. Level k halves the picture
 * and has min(2^k, 8) ngf channels; on the way back each level sees its own input beside the result
 * of the levels inside it. Dropout 0.5 in the downs - 5 inner levels but the innermost.
 * Names, biases and order are those of pytorch-CycleGAN-and-pix2pix's UnetGenerator. There the
 * leaky relu works in place, so that a level's input reaches the skip already rectified; the relu
 * that follows makes it the same either way, and one tensor less is kept. */
#include "net/layers.h"
#include "net/net.h"

#include <stdio.h>
#include <string.h>

static const struct gx_layer_conv half = {4, 2, 1, 0};

static int channels(const struct gx_network_spec *spec, int level)
{
    return gx_spec_get(spec, "ngf") << (level < 3 ? level : 3);
}

/* Everything below the outermost level; gives x beside the result: 2 channels(level - 1). */
static struct gx_node *build_level(const struct gx_build *b, struct gx_node *x, int level,
                                   const char *prefix)
{
    struct gx_graph *g = b->graph;
    enum gx_norm_kind norm = gx_spec_get(b->spec, "norm");
    bool bias = norm == GX_NORM_INSTANCE;
    bool innermost = level == gx_spec_get(b->spec, "downs") - 1;
    int up = innermost ? 3 : 5;

    struct gx_node *skip = gx_leaky_relu(g, x, 0.2F);
    struct gx_node *y =
        gx_layer_conv(b, skip, channels(b->spec, level), half, bias, "%s.1", prefix);
    if (!innermost) {
        char inside[128];
        snprintf(inside, sizeof inside, "%s.3.model", prefix);
        y = gx_layer_norm(b, y, norm, "%s.2", prefix);
        y = build_level(b, y, level + 1, inside);
    }
    y = gx_relu(g, y);
    y = gx_layer_conv_transposed(b, y, x->shape.c, half, bias, "%s.%d", prefix, up);
    y = gx_layer_norm(b, y, norm, "%s.%d", prefix, up + 1);
    if (b->dropout && gx_spec_get(b->spec, "drop") && level >= 4 && !innermost)
        y = gx_dropout(g, y, 0.5F);
    return gx_concat(g, skip, y, GX_AXIS_C);
}

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    int cout = gx_spec_get(b->spec, "cout");
    bool bias = gx_spec_get(b->spec, "norm") == GX_NORM_INSTANCE;
    struct gx_node *y = gx_layer_conv(b, x, channels(b->spec, 0), half, bias, "model.model.0");
    y = build_level(b, y, 1, "model.model.1.model");
    y = gx_relu(b->graph, y);
    y = gx_layer_conv_transposed(b, y, cout, half, true, "model.model.3");
    out[0] = gx_tanh(b->graph, y);
    return 1;
}

/* Dropout has no keys: it is taken to be there, as in pix2pix. */
static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    const struct gx_tensor_info *first = gx_seen(file, prefix, 4, "model.model.0.weight");
    const struct gx_tensor_info *last = gx_seen(file, prefix, 4, "model.model.3.weight");
    if (!first || !last)
        return -GX_E_FORMAT;

    char level[128] = "model.model.1.model", norm[160], conv[160];
    int downs = 1;
    while (strlen(level) + 16 < sizeof level && gx_seen(file, prefix, 4, "%s.1.weight", level)) {
        strcat(level, ".3.model");
        downs++;
    }
    snprintf(conv, sizeof conv, "model.model.1.model.1");
    snprintf(norm, sizeof norm, "model.model.1.model.%d", downs == 2 ? 4 : 2);
    bool fits = gx_seen_size(spec, "cin", first->dims[1]) &&
                gx_seen_size(spec, "cout", last->dims[1]) && gx_seen_size(spec, "downs", downs) &&
                gx_seen_size(spec, "ngf", first->dims[0]) &&
                gx_seen_size(spec, "norm", gx_seen_norm(file, prefix, conv, norm)) &&
                gx_seen_size(spec, "drop", 1);
    return fits ? 0 : -GX_E_FORMAT;
}

static int multiple(const struct gx_network_spec *spec)
{
    return 1 << gx_spec_get(spec, "downs");
}

/* unet_N is deep enough to turn an N x N picture into one pixel. */
static int named(struct gx_network_spec *spec, const char *name)
{
    for (int downs = 2; downs <= 10; downs++) {
        char text[16];
        snprintf(text, sizeof text, "unet_%d", 1 << downs);
        if (!strcmp(name, text))
            return gx_spec_set(spec, "downs", downs, NULL);
    }
    return -GX_E_CONFIG;
}

static const struct gx_size_rule sizes[] = {
    GX_SIZES_TRANSLATED,
    {"downs", 8, 2, 10, NULL, "levels, each half as wide and high as the one before"},
    {"ngf", 64, 1, 1024, NULL, "channels of the first level"},
    GX_SIZE_NORM(GX_NORM_BATCH),
    {"drop", 1, 0, 1, gx_flag_words, "dropout in the inner levels"},
    {NULL}};

const struct gx_network gx_network_unet = {
    .name = "unet",
    .help = "U-Net generator of pix2pix",
    .generator = true,
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = multiple,
    .named = named,
    .names = "unet_256, unet_128",
};
