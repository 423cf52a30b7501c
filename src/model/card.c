#include "model/card.h"

#include "family/model_keys.h"
#include "net/vgg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which families use a network, the likeliest first. */
static const struct {
    const char *network, *family[3];
} uses[] = {
    {"unet", {"pix2pix", "cycle"}},
    {"resnet", {"cycle", "pix2pix"}},
    {"star_generator", {"star"}},
    {"srvgg", {"sr"}},
    {"rrdbnet", {"sr"}},
    {"msrresnet", {"sr"}},
    {"srresnet", {"sr"}},
};

static const char *use_of(const char *network, int i)
{
    for (size_t k = 0; k < sizeof uses / sizeof *uses; k++)
        if (!strcmp(uses[k].network, network))
            return uses[k].family[i];
    return NULL;
}

bool gx_card_fits(const struct gx_card *card, const char *family)
{
    if (card->said) /* what enlarges is for super-resolution, whoever trained it */
        return !strcmp(card->family, family) ||
               (!strcmp(family, "sr") && gx_network_scale(&card->spec) > 1);
    const char *use;
    for (int i = 0; (use = use_of(card->spec.network->name, i)); i++)
        if (!strcmp(use, family))
            return true;
    return false;
}

int gx_card_reach(const struct gx_card *card)
{
    return gx_network_reach(&card->spec, card->running ? GX_STATS_RUNNING : GX_STATS_BATCH);
}

static bool has_names(const struct gx_weights *file, const char *prefix)
{
    for (int i = 0; i < gx_weights_count(file); i++)
        if (!strncmp(gx_weights_info(file, i)->name, prefix, strlen(prefix)))
            return true;
    return false;
}

/* ---- which networks ---- */

static const char a_to_b[] = "AtoB", b_to_a[] = "BtoA";

static int read_spec(struct gx_network_spec *spec, const char *key, const char *json,
                     struct gx_err *err)
{
    int code = gx_spec_from_json(spec, json, err);
    if (!code)
        return 0;
    gx_context(err, code, "its metadata '%s'", key);
    return -GX_E_FORMAT;
}

/* Names of generators, and what the names of their tensors start with. */
enum place { LONE, THERE, BACK, BARE };
static const struct {
    const char *name, *key, *averaged, *plain;
} places[] = {
    [LONE] = {"G", GX_KEY_NETWORK ".G", GX_PREFIX_AVERAGE "G.", "G."},
    [THERE] = {"G_A", GX_KEY_NETWORK ".G_A", GX_PREFIX_AVERAGE "G_A.", "G_A."},
    [BACK] = {"G_B", GX_KEY_NETWORK ".G_B", GX_PREFIX_AVERAGE "G_B.", "G_B."},
    [BARE] = {"", GX_KEY_NETWORK, NULL, ""},
};

/* Adds the generator of that place if the file has it; a bare one must be there. */
static int add_generator(struct gx_card *card, const struct gx_weights *file, enum place place,
                         struct gx_err *err)
{
    const char *json = gx_weights_metadata(file, places[place].key);
    bool averaged = place != BARE && has_names(file, places[place].averaged);
    const char *prefix = averaged ? places[place].averaged : places[place].plain;
    if (!json && place != BARE && !has_names(file, prefix))
        return 0;
    struct gx_generator *g = &card->generator[card->generators++];
    *g = (struct gx_generator){.name = places[place].name, .prefix = prefix, .direction = ""};
    int code = json ? read_spec(&g->spec, places[place].key, json, err)
                    : gx_network_infer(&g->spec, file, prefix, err);
    if (!code && !g->spec.network->generator)
        code = gx_fail(err, GX_E_FORMAT, "it holds %s ('%s'), no generator",
                       gx_is_vgg(g->spec.network) ? "features" : "a discriminator",
                       g->spec.network->name);
    return code;
}

static int find_generators(struct gx_card *card, const struct gx_weights *file, struct gx_err *err)
{
    if (gx_weights_metadata(file, GX_KEY_NETWORK)) /* whatever the names look like */
        return add_generator(card, file, BARE, err);
    int code = add_generator(card, file, LONE, err);
    if (!code && !card->generators)
        code = add_generator(card, file, THERE, err);
    if (!code && (!card->generators || card->generator[0].name == places[THERE].name))
        code = add_generator(card, file, BACK, err);
    if (!code && !card->generators)
        code = add_generator(card, file, BARE, err);
    return code;
}

/* What each does: a lone one what the file says, of two G_A that, and G_B the opposite. */
static void set_directions(struct gx_card *card, bool said, bool backwards)
{
    const char *ahead = backwards ? b_to_a : a_to_b, *back = backwards ? a_to_b : b_to_a;
    for (int i = 0; i < card->generators; i++) {
        struct gx_generator *g = &card->generator[i];
        if (g->name == places[BACK].name)
            g->direction = back;
        else
            g->direction = said || g->name == places[THERE].name ? ahead : "";
    }
}

static void use(struct gx_card *card, const struct gx_generator *g)
{
    card->prefix = g->prefix;
    card->spec = g->spec;
    card->direction = g->direction;
}

int gx_card_choose(struct gx_card *card, const char *direction, struct gx_err *err)
{
    if (!direction || !*direction)
        return 0;
    if (strcmp(direction, a_to_b) != 0 && strcmp(direction, b_to_a) != 0)
        return gx_fail(err, GX_E_USAGE, "no direction '%.40s'; there are %s and %s", direction,
                       a_to_b, b_to_a);
    if (gx_spec_has(&card->spec, "c_dim"))
        return gx_fail(err, GX_E_FORMAT, "it translates between domains, and has no direction");
    for (int i = 0; i < card->generators; i++) {
        struct gx_generator *g = &card->generator[i];
        if (!*g->direction)
            g->direction = !strcmp(direction, a_to_b) ? a_to_b : b_to_a;
        if (!strcmp(g->direction, direction)) {
            use(card, g);
            return 0;
        }
    }
    return gx_fail(err, GX_E_FORMAT, "it translates %s only, not %s", card->direction, direction);
}

/* ---- how it is used ---- */

/* One of two words; anything else is refused, since it would change the result unnoticed. */
static int read_choice(const struct gx_weights *file, const char *key, const char *no,
                       const char *yes, bool *value, struct gx_err *err)
{
    const char *text = gx_weights_metadata(file, key);
    if (!text)
        return 0;
    if (strcmp(text, no) != 0 && strcmp(text, yes) != 0)
        return gx_fail(err, GX_E_FORMAT, "its metadata '%s' is '%.40s', must be %s or %s", key,
                       text, no, yes);
    *value = !strcmp(text, yes);
    return 0;
}

static int read_range(struct gx_card *card, const struct gx_weights *file, struct gx_err *err)
{
    const char *text = gx_weights_metadata(file, GX_KEY_RANGE);
    char rest;
    if (text && (sscanf(text, "%f,%f%c", &card->low, &card->high, &rest) != 2 ||
                 !isfinite(card->low) || !isfinite(card->high) || card->low >= card->high))
        return gx_fail(err, GX_E_FORMAT, "its metadata '%s' is '%.40s', must be like -1,1",
                       GX_KEY_RANGE, text);
    return 0;
}

static int read_size(struct gx_card *card, const struct gx_weights *file, struct gx_err *err)
{
    const char *text = gx_weights_metadata(file, GX_KEY_SIZE);
    char *end;
    long size = text ? strtol(text, &end, 10) : 0;
    if (text && (end == text || *end || size < 0 || size > 1 << 20))
        return gx_fail(err, GX_E_FORMAT, "its metadata '%s' is '%.40s', must be a size",
                       GX_KEY_SIZE, text);
    card->size = (int)size;
    return 0;
}

static bool any_drops(const struct gx_card *card)
{
    for (int i = 0; i < card->generators; i++)
        if (gx_spec_get(&card->generator[i].spec, "drop"))
            return true;
    return false;
}

int gx_card_read(struct gx_card *card, const struct gx_weights *file, struct gx_err *err)
{
    *card = (struct gx_card){.low = -1, .high = 1};
    int code = find_generators(card, file, err);
    if (code)
        return code;
    const char *family = gx_weights_metadata(file, GX_KEY_FAMILY);
    const char *likely = use_of(card->generator[0].spec.network->name, 0);
    card->said = family;
    card->family = family ? family : likely ? likely : "";
    card->domains = gx_weights_metadata(file, GX_KEY_DOMAINS);
    card->groups = gx_weights_metadata(file, GX_KEY_DOMAIN_GROUPS);
    /* As the reference implementation at test time: dropout is on where the network has it, and
     * batch norm takes the picture's own statistics. */
    card->dropout = any_drops(card);
    if (!strcmp(card->family,
                "sr")) { /* so are published ones: each pixel for itself, from 0 to 1 */
        card->running = true;
        card->low = 0;
    }
    bool backwards = false;
    if ((code = read_choice(file, GX_KEY_DIRECTION, a_to_b, b_to_a, &backwards, err)) ||
        (code = read_choice(file, GX_KEY_NORM_STATS, "image", "running", &card->running, err)) ||
        (code = read_choice(file, GX_KEY_DROPOUT, "off", "on", &card->dropout, err)) ||
        (code = read_range(card, file, err)))
        return code;
    set_directions(card, gx_weights_metadata(file, GX_KEY_DIRECTION), backwards);
    use(card, &card->generator[0]);
    return read_size(card, file, err);
}

/* ---- the same, written ---- */

static void add(struct gx_card_texts *texts, const char *key, const char *value)
{
    texts->pair[texts->count++] = (struct gx_text_pair){key, value};
}

void gx_card_texts(struct gx_card_texts *texts, const struct gx_card *card)
{
    *texts = (struct gx_card_texts){.count = 0};
    snprintf(texts->size, sizeof texts->size, "%d", card->size);
    snprintf(texts->range, sizeof texts->range, "%.9g,%.9g", card->low, card->high);
    /* A guess would shut out the other families of its network. */
    if (card->said || (*card->family && !use_of(card->spec.network->name, 1)))
        add(texts, GX_KEY_FAMILY, card->family);
    for (int i = 0; i < card->generators; i++) {
        const char *name = card->generators > 1 ? card->generator[i].name : "";
        texts->network[i] = gx_spec_to_json(&card->generator[i].spec);
        snprintf(texts->key[i], sizeof texts->key[i], "%s%s%s", GX_KEY_NETWORK, *name ? "." : "",
                 name);
        add(texts, texts->key[i], texts->network[i]);
    }
    if (*card->generator[0].direction)
        add(texts, GX_KEY_DIRECTION, card->generator[0].direction);
    add(texts, GX_KEY_NORM_STATS, card->running ? "running" : "image");
    add(texts, GX_KEY_DROPOUT, card->dropout ? "on" : "off");
    if (card->domains)
        add(texts, GX_KEY_DOMAINS, card->domains);
    if (card->groups)
        add(texts, GX_KEY_DOMAIN_GROUPS, card->groups);
    if (card->size)
        add(texts, GX_KEY_SIZE, texts->size);
    add(texts, GX_KEY_RANGE, texts->range);
}

void gx_card_texts_free(struct gx_card_texts *texts)
{
    for (int i = 0; i < GX_GENERATORS_MAX; i++)
        free(texts->network[i]);
    *texts = (struct gx_card_texts){.count = 0};
}
