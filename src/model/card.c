#include "model/card.h"

#include "family/model_keys.h"
#include "util/arena.h"
#include "util/file.h"

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
    if (card->said)
        return !strcmp(card->family, family);
    const char *use;
    for (int i = 0; (use = use_of(card->spec.network->name, i)); i++)
        if (!strcmp(use, family))
            return true;
    return false;
}

static bool has_names(const struct gx_weights *file, const char *prefix)
{
    for (int i = 0; i < gx_weights_count(file); i++)
        if (!strncmp(gx_weights_info(file, i)->name, prefix, strlen(prefix)))
            return true;
    return false;
}

/* ---- which network ---- */

static int read_spec(struct gx_card *card, const char *key, const char *json, struct gx_err *err)
{
    int code = gx_spec_from_json(&card->spec, json, err);
    if (!code)
        return 0;
    gx_context(err, code, "its metadata '%s'", key);
    return -GX_E_FORMAT;
}

static int find_network(struct gx_card *card, const struct gx_weights *file, struct gx_err *err)
{
    static const char checkpoint_key[] = GX_KEY_NETWORK ".G";
    const char *bare = gx_weights_metadata(file, GX_KEY_NETWORK);
    const char *generator = gx_weights_metadata(file, checkpoint_key);
    card->prefix = "";
    if (bare)
        return read_spec(card, GX_KEY_NETWORK, bare, err);
    bool nested = has_names(file, GX_PREFIX_G);
    if (nested || generator)
        card->prefix = has_names(file, GX_PREFIX_AVERAGE GX_PREFIX_G)
                           ? GX_PREFIX_AVERAGE GX_PREFIX_G
                           : GX_PREFIX_G;
    return generator ? read_spec(card, checkpoint_key, generator, err)
                     : gx_network_infer(&card->spec, file, card->prefix, err);
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

int gx_card_read(struct gx_card *card, const struct gx_weights *file, struct gx_err *err)
{
    *card = (struct gx_card){.low = -1, .high = 1};
    int code = find_network(card, file, err);
    if (code)
        return code;
    if (!card->spec.network->generator)
        return gx_fail(err, GX_E_FORMAT, "it holds a discriminator ('%s'), no generator",
                       card->spec.network->name);
    const char *family = gx_weights_metadata(file, GX_KEY_FAMILY);
    const char *use = use_of(card->spec.network->name, 0);
    const char *direction = gx_weights_metadata(file, GX_KEY_DIRECTION);
    card->said = family;
    card->family = family ? family : use ? use : "";
    card->direction = direction ? direction : "";
    card->domains = gx_weights_metadata(file, GX_KEY_DOMAINS);
    card->groups = gx_weights_metadata(file, GX_KEY_DOMAIN_GROUPS);
    /* As the reference implementation at test time: dropout is on where the network has it, and
     * batch norm takes the picture's own statistics. */
    card->dropout = gx_spec_get(&card->spec, "drop");
    bool backwards = false;
    if ((code = read_choice(file, GX_KEY_DIRECTION, "AtoB", "BtoA", &backwards, err)) ||
        (code = read_choice(file, GX_KEY_NORM_STATS, "image", "running", &card->running, err)) ||
        (code = read_choice(file, GX_KEY_DROPOUT, "off", "on", &card->dropout, err)) ||
        (code = read_range(card, file, err)))
        return code;
    return read_size(card, file, err);
}

/* ---- the same, written ---- */

static void add(struct gx_card_texts *texts, const char *key, const char *value)
{
    texts->pair[texts->count++] = (struct gx_text_pair){key, value};
}

void gx_card_texts(struct gx_card_texts *texts, const struct gx_card *card)
{
    *texts = (struct gx_card_texts){.network = gx_spec_to_json(&card->spec)};
    snprintf(texts->size, sizeof texts->size, "%d", card->size);
    snprintf(texts->range, sizeof texts->range, "%.9g,%.9g", card->low, card->high);
    if (card->said) /* a guess would shut out the other families of its network */
        add(texts, GX_KEY_FAMILY, card->family);
    add(texts, GX_KEY_NETWORK, texts->network);
    if (*card->direction)
        add(texts, GX_KEY_DIRECTION, card->direction);
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
    free(texts->network);
    *texts = (struct gx_card_texts){.count = 0};
}

/* ---- where it lies ---- */

int gx_model_find(const char *path, char **file, struct gx_err *err)
{
    static const char *const names[] = {"", "/model.safetensors", "/best", "/latest"};
    bool folder = gx_is_folder(path);
    for (size_t i = folder; i < (folder ? sizeof names / sizeof *names : 1); i++) {
        size_t bytes = strlen(path) + strlen(names[i]) + 1;
        *file = gx_new(bytes);
        snprintf(*file, bytes, "%s%s", path, names[i]);
        if (!folder || gx_is_file(*file))
            return 0;
        free(*file);
    }
    *file = NULL;
    return gx_fail(err, GX_E_IO,
                   "cannot load '%s': the folder holds no model.safetensors, best or latest", path);
}
