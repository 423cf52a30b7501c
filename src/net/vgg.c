#include "net/vgg.h"

#include "net/layers.h"
#include "net/net.h"

#include <stdio.h>
#include <string.h>

enum { BLOCKS = 5, DEEPEST = 4, KEY_LENGTH = 64 };

static const int depth16[BLOCKS] = {2, 2, 3, 3, 3}, depth19[BLOCKS] = {2, 2, 4, 4, 4};

static const int *depth_of(const struct gx_network *network)
{
    return network == &gx_network_vgg16 ? depth16 : depth19;
}

bool gx_is_vgg(const struct gx_network *network)
{
    return network == &gx_network_vgg16 || network == &gx_network_vgg19;
}

static int block_width(const struct gx_network_spec *spec, int block)
{
    return gx_spec_get(spec, "width") << (block < 3 ? block : 3);
}

/* ---- layers by name ---- */

struct place {
    int block, conv; /* from 0 */
    bool relu;
};

static bool find_place(struct place *place, const struct gx_network *network, const char *name)
{
    const int *depth = depth_of(network);
    for (int i = 0; i < BLOCKS * DEEPEST * 2; i++) {
        struct place p = {i / 2 / DEEPEST, i / 2 % DEEPEST, i % 2};
        char known[16];
        snprintf(known, sizeof known, "%s%d_%d", p.relu ? "relu" : "conv", p.block + 1, p.conv + 1);
        if (p.conv >= depth[p.block] || strcmp(known, name) != 0)
            continue;
        *place = p;
        return true;
    }
    return false;
}

/* ---- building ---- */

/* Three numbers as one value (1,1,1,3). */
static struct gx_node *by_channel(struct gx_graph *g, const float of[3])
{
    const struct gx_shape one = {1, 1, 1, 1};
    struct gx_node *two =
        gx_concat(g, gx_constant(g, one, of[0]), gx_constant(g, one, of[1]), GX_AXIS_C);
    return gx_concat(g, two, gx_constant(g, one, of[2]), GX_AXIS_C);
}

struct gx_node *gx_vgg_normalise(struct gx_graph *g, struct gx_node *x, const float mean[3],
                                 const float deviation[3])
{
    const float rate[3] = {1 / deviation[0], 1 / deviation[1], 1 / deviation[2]};
    return gx_mul(g, gx_sub(g, x, by_channel(g, mean)), by_channel(g, rate));
}

static bool same_place(struct place a, struct place b)
{
    return a.block == b.block && a.conv == b.conv && a.relu == b.relu;
}

/* Puts y where it is asked for; gives how many places took it. */
static int hand_out(struct gx_node *y, struct place here, const struct place *wanted, int layers,
                    struct gx_node **out)
{
    int taken = 0;
    for (int i = 0; i < layers; i++)
        if (same_place(wanted[i], here)) {
            out[i] = y;
            taken++;
        }
    return taken;
}

/* x is the value of the layer `after`; NULL: the picture. */
static void build_up_to(const struct gx_build *b, struct gx_node *x, const struct place *after,
                        const struct place *wanted, int layers, struct gx_node **out)
{
    const struct gx_layer_conv same = {3, 1, 1, 0};
    const int *depth = depth_of(b->spec->network);
    struct gx_node *y = x;
    bool on = !after;
    int index = 0, left = layers;
    for (int block = 0; block < BLOCKS; block++, index++) {
        if (block && on)
            y = gx_max_pool(b->graph, y, 2, 2, 0);
        for (int k = 0; k < depth[block]; k++, index += 2)
            for (int relu = 0; relu < 2; relu++) {
                struct place here = {block, k, relu};
                if (!on) {
                    on = same_place(*after, here);
                    continue;
                }
                y = relu ? gx_relu(b->graph, y)
                         : gx_layer_conv(b, y, block_width(b->spec, block), same, true,
                                         "features.%d", index);
                left -= hand_out(y, here, wanted, layers, out);
                if (!left)
                    return;
            }
    }
}

/* Fails the graph unless there is such a layer. */
static int need_place(const struct gx_build *b, const char *layer, struct place *place)
{
    const struct gx_network *network = b->spec->network;
    if (find_place(place, network, layer))
        return 0;
    gx_graph_fail(b->graph, GX_E_CONFIG,
                  "'%s' has no layer '%.40s'; layers are like conv5_%d (before ReLU) and relu5_%d "
                  "(after)",
                  network->name, layer, depth_of(network)[4], depth_of(network)[4]);
    return -GX_E_CONFIG;
}

struct gx_node *gx_vgg_next(const struct gx_build *b, struct gx_node *x, const char *after,
                            const char *layer)
{
    struct place from, to;
    struct gx_node *y = x;
    if ((after && need_place(b, after, &from)) || need_place(b, layer, &to))
        return x;
    build_up_to(b, x, after ? &from : NULL, &to, 1, &y);
    return y;
}

int gx_vgg_features_normalised(const struct gx_build *b, struct gx_node *x,
                               const char *const *layer, int layers, struct gx_node **out)
{
    const struct gx_network *network = b->spec->network;
    struct place wanted[2 * BLOCKS * DEEPEST];
    if (layers < 1 || layers > (int)(sizeof wanted / sizeof *wanted)) {
        gx_graph_fail(b->graph, GX_E_CONFIG, "%d layers of '%s' are asked for", layers,
                      network->name);
        return -GX_E_CONFIG;
    }
    for (int i = 0; i < layers; i++) {
        int code = need_place(b, layer[i], &wanted[i]);
        if (code)
            return code;
    }
    build_up_to(b, x, NULL, wanted, layers, out);
    return 0;
}

int gx_vgg_features(const struct gx_build *b, struct gx_node *x, const char *const *layer,
                    int layers, struct gx_node **out)
{
    static const float mean[3] = {0.485F, 0.456F, 0.406F}, deviation[3] = {0.229F, 0.224F, 0.225F};
    return gx_vgg_features_normalised(b, gx_vgg_normalise(b->graph, x, mean, deviation), layer,
                                      layers, out);
}

/* ---- the rows ---- */

static int build(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out)
{
    (void)label;
    struct place last[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        last[i] = (struct place){i, depth_of(b->spec->network)[i] - 1, true};
    build_up_to(b, x, NULL, last, BLOCKS, out);
    return BLOCKS;
}

/* Every convolution is there and has its shape. The other network and those with batch norm have
 * theirs under other numbers. */
static int infer(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix)
{
    const struct gx_tensor_info *first = gx_seen(file, prefix, 4, "features.0.weight");
    if (!first || !gx_seen_size(spec, "width", first->dims[0]))
        return -GX_E_FORMAT;
    int index = 0, from = 3;
    for (int block = 0; block < BLOCKS; block++, index++)
        for (int k = 0; k < depth_of(spec->network)[block]; k++, index += 2) {
            const struct gx_tensor_info *w = gx_seen(file, prefix, 4, "features.%d.weight", index);
            int to = block_width(spec, block);
            if (!w || w->dims[0] != to || w->dims[1] != from || w->dims[2] != 3 || w->dims[3] != 3)
                return -GX_E_FORMAT;
            from = to;
        }
    return 0;
}

static const struct gx_size_rule sizes[] = {
    {"width", 64, 1, 128, NULL, "channels of the first block"}, {NULL}};

const struct gx_network gx_network_vgg16 = {
    .name = "vgg16",
    .help = "13 convolutions of an ImageNet classifier, for perceptual losses and LPIPS",
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = gx_multiple_one,
};

const struct gx_network gx_network_vgg19 = {
    .name = "vgg19",
    .help = "16 convolutions of an ImageNet classifier, for perceptual losses",
    .sizes = sizes,
    .build = build,
    .infer = infer,
    .multiple = gx_multiple_one,
};
