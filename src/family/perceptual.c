#include "family/perceptual.h"

#include "config/resolve.h"
#include "ganx/loss.h"
#include "net/vgg.h"

#include <stdlib.h>
#include <string.h>

enum { LAYERS_MAX = 16 };

struct layers {
    char name[LAYERS_MAX][16];
    const char *names[LAYERS_MAX];
    float weight[LAYERS_MAX];
    int count;
};

/* "conv5_3=1,relu1_2=0.1"; a layer without a weight has 1. */
static int read_layers(const struct gx_config *c, struct layers *l, struct gx_err *err)
{
    const char *at = c->loss.perceptual_layers;
    *l = (struct layers){.count = 0};
    for (bool more = true; more;) {
        size_t length = strcspn(at, "=,");
        char *end = (char *)at + length;
        double weight = at[length] == '=' ? strtod(at + length + 1, &end) : 1;
        if (!length || length >= sizeof l->name[0] || (*end && *end != ',') ||
            (at[length] == '=' && end == at + length + 1) || !(weight >= 0 && weight <= 1e6))
            return gx_config_fail(c, "loss.perceptual_layers", err,
                                  "loss.perceptual_layers '%s' is not a list like "
                                  "conv5_3=1,conv1_2=0.1",
                                  c->loss.perceptual_layers);
        if (l->count == LAYERS_MAX)
            return gx_config_fail(c, "loss.perceptual_layers", err,
                                  "loss.perceptual_layers names more than %d layers", LAYERS_MAX);
        memcpy(l->name[l->count], at, length);
        l->names[l->count] = l->name[l->count];
        l->weight[l->count++] = (float)weight;
        more = *end == ',';
        at = end + more;
    }
    return 0;
}

/* The network in the user's file. */
static int infer(const struct gx_config *c, struct gx_network_spec *spec, struct gx_err *err)
{
    struct gx_weights *file;
    const char *path = c->loss.perceptual_model;
    int code = gx_weights_open(&file, path, err);
    if (code)
        return gx_context(err, -GX_E_CONFIG, "loss.perceptual_model");
    code = gx_network_infer(spec, file, "", err);
    gx_weights_close(&file);
    if (!code && gx_is_vgg(spec->network))
        return 0;
    return gx_config_fail(
        c, "loss.perceptual_model", err,
        "loss.perceptual_model '%s' is neither VGG16 nor VGG19, with the names that "
        "torchvision gives their tensors",
        path);
}

int gx_perceptual_setup(struct gx_game *game, struct gx_err *err)
{
    const struct gx_config *c = game->config;
    struct layers layers;
    if (!(c->loss.perceptual > 0) && !(c->loss.style > 0))
        return 0;
    struct gx_trainee *net = &game->net[game->nets];
    int code = read_layers(c, &layers, err);
    if (!code && *c->loss.perceptual_model)
        code = infer(c, &net->spec, err);
    else if (!code)
        code = gx_spec_from_name(&net->spec, "vgg16", err);
    if (code)
        return code;
    net->name = "VGG";
    net->fixed = true;
    net->file = *c->loss.perceptual_model ? c->loss.perceptual_model : "vgg16";
    game->vgg = game->nets++;
    return 0;
}

/* As VGG takes them: RGB, or grey, in [0, 1]. */
static struct gx_node *seen(const struct gx_game *game, struct gx_graph *g, struct gx_node *x)
{
    float span = game->high - game->low;
    if (x->shape.c == 4) {
        struct gx_shape size = x->shape;
        size.c = 3;
        x = gx_slice(g, x, (struct gx_shape){0, 0, 0, 0}, size);
    }
    return game->low == 0 && span == 1 ? x : gx_affine(g, x, 1 / span, -game->low / span);
}

static struct gx_node *sum_of(struct gx_graph *g, const struct layers *l, struct gx_node **fake,
                              struct gx_node **target, const struct gx_pixel_loss *kind, bool style,
                              double weight)
{
    struct gx_node *sum = NULL;
    for (int i = 0; i < l->count; i++) {
        struct gx_node *one = style ? gx_style_loss(g, fake[i], target[i], kind)
                                    : gx_feature_loss(g, fake[i], target[i], kind);
        one = gx_scale(g, one, (float)((double)l->weight[i] * weight));
        sum = sum ? gx_add(g, sum, one) : one;
    }
    return sum;
}

struct gx_node *gx_perceptual_loss(struct gx_game *game, struct gx_step *step, struct gx_node *fake,
                                   struct gx_node *target)
{
    const struct gx_config *c = game->config;
    const struct gx_pixel_loss *kind = gx_pixel_loss_find(c->loss.perceptual_criterion);
    struct gx_graph *g = step->graph;
    struct layers l;
    struct gx_node *f[LAYERS_MAX], *t[LAYERS_MAX], *sum = NULL;
    if (!game->vgg || read_layers(c, &l, NULL)) /* which setup saw to */
        return NULL;
    struct gx_trainee *net = &game->net[game->vgg];
    struct gx_build build = {.graph = g, .params = &net->params, .spec = &net->spec};
    if (gx_vgg_features(&build, seen(game, g, fake), l.names, l.count, f) ||
        gx_vgg_features(&build, gx_stop_gradient(g, seen(game, g, target)), l.names, l.count, t))
        return NULL; /* the graph has the error */
    if (c->loss.perceptual > 0)
        sum = gx_step_log(step, "G_perc", sum_of(g, &l, f, t, kind, false, c->loss.perceptual));
    if (c->loss.style > 0) {
        struct gx_node *style =
            gx_step_log(step, "G_style", sum_of(g, &l, f, t, kind, true, c->loss.style));
        sum = sum ? gx_add(g, sum, style) : style;
    }
    return sum;
}
