#include "recipe.h"

#include "batches.h"
#include "config/resolve.h"
#include "ganx/loss.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define IN_CONFIG(field) offsetof(struct gx_config, field)

enum { NOWHERE = 0, ROWS_MAX = 12 }; /* no weight is at the start of a configuration */

struct recipe {
    const char *family;
    const char *generator, *discriminator; /* the fixture's networks that net.* describes */
    struct {
        const char *key; /* in the fixture's weights */
        size_t at;       /* in the configuration, a double */
    } weight[ROWS_MAX];
    struct {
        const char *name;
        size_t weight[2]; /* what it counts by in its player's loss: their product */
        bool weighted;    /* as the family logs it */
    } loss[ROWS_MAX];
};

static const struct recipe recipes[] = {
    {"pix2pix",
     "G",
     "D",
     {{"G_L1", IN_CONFIG(loss.l1)}, {"D", IN_CONFIG(loss.d)}, {"gp", IN_CONFIG(loss.gp)}},
     {{"G_L1", {IN_CONFIG(loss.l1)}, true},
      {"D_real", {IN_CONFIG(loss.d)}, false},
      {"D_fake", {IN_CONFIG(loss.d)}, false},
      {"D_gp", {IN_CONFIG(loss.gp)}, true}}},
    {"cycle",
     "G_A",
     "D_A",
     {{"cycle", IN_CONFIG(loss.cycle)},
      {"identity", IN_CONFIG(loss.identity)},
      {"D", IN_CONFIG(loss.d)},
      {"gp", IN_CONFIG(loss.gp)}},
     {{"cycle_A", {IN_CONFIG(loss.cycle)}, true},
      {"cycle_B", {IN_CONFIG(loss.cycle)}, true},
      {"idt_A", {IN_CONFIG(loss.identity), IN_CONFIG(loss.cycle)}, true},
      {"idt_B", {IN_CONFIG(loss.identity), IN_CONFIG(loss.cycle)}, true},
      {"D_A", {IN_CONFIG(loss.d)}, true},
      {"D_B", {IN_CONFIG(loss.d)}, true}}},
    {"star",
     "G",
     "D",
     {{"cls", IN_CONFIG(loss.cls)},
      {"rec", IN_CONFIG(loss.rec)},
      {"D", IN_CONFIG(loss.d)},
      {"gp", IN_CONFIG(loss.gp)}},
     {{"D_real", {IN_CONFIG(loss.d)}, false},
      {"D_fake", {IN_CONFIG(loss.d)}, false},
      {"D_gp", {IN_CONFIG(loss.gp)}, false},
      {"D_cls", {IN_CONFIG(loss.cls)}, false},
      {"G_cls", {IN_CONFIG(loss.cls)}, false},
      {"G_rec", {IN_CONFIG(loss.rec)}, false}}},
    {"sr",
     "G",
     "D",
     {{"G_pix", IN_CONFIG(loss.pix)},
      {"G_perc", IN_CONFIG(loss.perceptual)},
      {"G_style", IN_CONFIG(loss.style)},
      {"G_GAN", IN_CONFIG(loss.gan_weight)},
      {"D", IN_CONFIG(loss.d)},
      {"gp", IN_CONFIG(loss.gp)}},
     {{"G_pix", {IN_CONFIG(loss.pix)}, true},
      {"G_perc", {IN_CONFIG(loss.perceptual)}, true},
      {"G_style", {IN_CONFIG(loss.style)}, true},
      {"G_GAN", {IN_CONFIG(loss.gan_weight)}, true},
      {"D_real", {IN_CONFIG(loss.d)}, false},
      {"D_fake", {IN_CONFIG(loss.d)}, false}}},
};

static const struct recipe *recipe_of(const struct fixture *f)
{
    const char *family = fixture_word(f->json, "family", "");
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        if (!strcmp(recipes[i].family, family) && gx_family_find(family))
            return &recipes[i];
    return NULL;
}

static double *in_config(const struct gx_config *config, size_t at)
{
    return (double *)((char *)config + at);
}

/* ---- what cannot be followed ---- */

static const char *unknown_weight(const struct recipe *recipe, const json_t *weights)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)weights, key, value)
    {
        int i = 0;
        while (i < ROWS_MAX && recipe->weight[i].key && strcmp(recipe->weight[i].key, key) != 0)
            i++;
        if (i == ROWS_MAX || !recipe->weight[i].key)
            return key;
    }
    return NULL;
}

static bool drops(const json_t *json)
{
    const char *name;
    json_t *net;
    json_object_foreach(json_object_get(json, "nets"), name,
                        net) if (json_is_true(json_object_get(net, "drop"))) return true;
    return json_is_true(json_object_get(json, "dropout"));
}

const char *recipe_unknown(const struct fixture *f, char *text, size_t size)
{
    const json_t *data = json_object_get(f->json, "data");
    const json_t *inputs = json_object_get(f->json, "d_input");
    const struct recipe *recipe = recipe_of(f);
    const char *gan = fixture_word(f->json, "gan", "");
    const struct gx_adversarial *objective = gx_adversarial_find(gan);
    double pool = fixture_value(f->json, "pool", 0);
    const char *weight =
        recipe ? unknown_weight(recipe, json_object_get(f->json, "weights")) : NULL;
    if (!recipe)
        snprintf(text, size, "family %s is not known yet", fixture_word(f->json, "family", ""));
    else if (weight)
        snprintf(text, size, "weight %s is not known yet", weight);
    else if (!objective)
        snprintf(text, size, "objective %s is not known yet", gan);
    else if (!batches_known(data, text, size))
        return text;
    else if (objective->gradient_penalty && !json_object_get(data, "tensors"))
        snprintf(text, size, "objective %s draws numbers that are not PyTorch's", gan);
    else if (drops(f->json))
        snprintf(text, size, "dropout draws numbers that are not PyTorch's");
    else if (inputs && strcmp(json_string_value(json_array_get(inputs, 0)), "input") != 0)
        snprintf(text, size, "a discriminator that sees its input last is not known yet");
    else if (pool > 0 &&
             pool < fixture_value(f->json, "steps", 0) * fixture_value(f->json, "batch", 1))
        snprintf(text, size, "a pool that fills up draws numbers that are not PyTorch's");
    else
        return NULL;
    return text;
}

/* ---- the configuration ---- */

/* A network's name as people give it: what they choose by more than its sizes comes first. */
static const char *name_of(const struct gx_network_spec *spec, struct gx_arena *arena)
{
    if (!strcmp(spec->network->name, "unet"))
        return gx_arena_format(arena, "unet_%d", 1 << gx_spec_get(spec, "downs"));
    if (!strcmp(spec->network->name, "resnet"))
        return gx_arena_format(arena, "resnet_%dblocks", gx_spec_get(spec, "blocks"));
    return spec->network->name;
}

/* A size that the network may have under one of two names. */
static void copy_size(int *to, const struct gx_network_spec *spec, const char *name,
                      const char *other)
{
    if (gx_spec_get(spec, name))
        *to = gx_spec_get(spec, name);
    else if (other && gx_spec_get(spec, other))
        *to = gx_spec_get(spec, other);
}

/* Networks of super-resolution call their sizes otherwise. */
static void configure_enlarging(struct gx_config *c, const struct gx_network_spec *g,
                                const struct gx_network_spec *d)
{
    copy_size(&c->net.ngf, g, "nf", NULL);
    copy_size(&c->net.blocks, g, "nb", "nconv");
    copy_size(&c->net.scale, g, "scale", NULL);
    copy_size(&c->net.growth, g, "gc", NULL);
    copy_size(&c->net.ndf, d, "nf", NULL);
    copy_size(&c->net.hidden, d, "hidden", NULL);
}

/* "layer": "relu5_4", or "layers": {"conv5_4": 1, ...}. */
static void configure_features(struct gx_config *c, const json_t *json)
{
    const char *text = fixture_word(json, "layer", ""), *name;
    json_t *weight;
    json_object_foreach(json_object_get(json, "layers"), name, weight) text = gx_arena_format(
        &c->arena, "%s%s%s=%.9g", text, *text ? "," : "", name, json_number_value(weight));
    if (*text)
        c->loss.perceptual_layers = text;
    c->loss.perceptual_criterion = fixture_word(json, "criterion", c->loss.perceptual_criterion);
}

static void configure_networks(struct gx_config *c, const struct gx_network_spec *g,
                               const struct gx_network_spec *d)
{
    static const char *const norms[] = {"none", "batch", "instance"};
    c->net.generator = name_of(g, &c->arena);
    c->net.discriminator = name_of(d, &c->arena);
    copy_size(&c->net.ngf, g, "ngf", "dim");
    copy_size(&c->net.ndf, d, "ndf", "dim");
    copy_size(&c->net.n_layers, d, "n_layers", "layers");
    copy_size(&c->data.crop_size, d, "size", NULL);
    copy_size(&c->net.input_channels, g, "cin", NULL);
    copy_size(&c->net.output_channels, g, "cout", NULL);
    c->net.norm = norms[gx_spec_get(g, "norm")];
    c->net.dropout = false; /* recipe_unknown saw to that */
    configure_enlarging(c, g, d);
}

int recipe_configure(const struct fixture *f, struct gx_config *c, struct gx_label_kind *labels,
                     struct gx_err *err)
{
    const json_t *nets = json_object_get(f->json, "nets");
    const json_t *weights = json_object_get(f->json, "weights");
    const json_t *times = json_object_get(f->json, "identity_times_cycle");
    const struct recipe *recipe = recipe_of(f);
    struct gx_network_spec g, d;
    int r;
    if ((r = gx_config_init(c, recipe->family, err)) ||
        (r = fixture_spec(&g, json_object_get(nets, recipe->generator), err)) ||
        (r = fixture_spec(&d, json_object_get(nets, recipe->discriminator), err)))
        return r;
    configure_networks(c, &g, &d);
    c->loss.gan = fixture_word(f->json, "gan", "");
    c->loss.pixel = fixture_word(f->json, "pixel", c->loss.pixel);
    c->loss.gan_weight = 1; /* unless `weights` says more: there is a game */
    configure_features(c, json_object_get(f->json, "perceptual"));
    for (int i = 0; i < ROWS_MAX && recipe->weight[i].key; i++) {
        double *to = in_config(c, recipe->weight[i].at);
        *to = fixture_value(weights, recipe->weight[i].key, *to);
    }
    if (json_is_false(times) && c->loss.cycle > 0)
        c->loss.identity /= c->loss.cycle;
    c->train.batch = (int)fixture_value(f->json, "batch", 1);
    c->train.pool = (int)fixture_value(f->json, "pool", c->train.pool);
    c->train.n_critic = (int)fixture_value(f->json, "n_critic", c->train.n_critic);
    *labels = (struct gx_label_kind){
        .count = gx_spec_get(&g, "c_dim"),
        .exclusive = !strcmp(fixture_word(f->json, "labels", "softmax"), "softmax")};
    return 0;
}

/* ---- the log ---- */

/* "all", "all, D halved" (which weights.D says too), or a list of names. */
static bool names(const json_t *entry, const char *name)
{
    size_t i;
    const json_t *item;
    if (json_is_string(entry))
        return !strncmp(json_string_value(entry), "all", 3);
    json_array_foreach(entry, i, item) if (!strcmp(json_string_value(item), name)) return true;
    return false;
}

double recipe_as_logged(const struct fixture *f, const struct gx_config *config, const char *name,
                        double value)
{
    const json_t *logged = json_object_get(f->json, "logged");
    const struct recipe *recipe = recipe_of(f);
    bool plain = names(json_object_get(logged, "plain"), name);
    bool weighted = names(json_object_get(logged, "weighted"), name);
    for (int i = 0; i < ROWS_MAX && recipe->loss[i].name; i++) {
        double weight = 1;
        if (strcmp(recipe->loss[i].name, name) != 0)
            continue;
        for (int k = 0; k < 2; k++)
            if (recipe->loss[i].weight[k] != NOWHERE)
                weight *= *in_config(config, recipe->loss[i].weight[k]);
        if (recipe->loss[i].weighted && plain && weight != 0)
            value /= weight;
        if (!recipe->loss[i].weighted && weighted)
            value *= weight;
    }
    return value;
}
