#include "cmd/describe.h"

#include "model/domains.h"

#include <string.h>

const char *gx_clean(struct gx_arena *arena, const char *text)
{
    char *copy = gx_arena_text(arena, text);
    for (unsigned char *p = (unsigned char *)copy; *p; p++) {
        if (*p < ' ' || *p == 0x7f)
            *p = '?';
        else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0)
            p[0] = p[1] = '?';
    }
    return copy;
}

json_t *gx_json_text(struct gx_arena *arena, const char *text)
{
    json_t *value = json_string(text);
    if (value)
        return value;
    char *copy = gx_arena_text(arena, text);
    for (unsigned char *p = (unsigned char *)copy; *p; p++)
        if (*p >= 0x80)
            *p = '?';
    return json_string(copy);
}

const char *gx_card_directions(struct gx_arena *arena, const struct gx_card *card)
{
    const char *text = "";
    for (int i = 0; i < card->generators; i++)
        text = gx_arena_format(arena, "%s%s%s", text, i ? ", " : "", card->generator[i].direction);
    return text;
}

/* None where the names cannot be read. */
static struct gx_domains domains_of(struct gx_arena *arena, const struct gx_card *card)
{
    struct gx_domains domains = {.count = 0};
    int count = gx_spec_get(&card->spec, "c_dim");
    if (!count || gx_domains_read(&domains, arena, count, card->domains, card->groups, NULL, NULL))
        domains.count = 0;
    return domains;
}

const char *gx_card_domains(struct gx_arena *arena, const struct gx_card *card)
{
    struct gx_domains domains = domains_of(arena, card);
    const char *text = "";
    for (int i = 0; i < domains.count; i++)
        text = gx_arena_format(arena, "%s%s%s", text, i ? ", " : "", domains.name[i]);
    return text;
}

void gx_card_json(json_t *object, struct gx_arena *arena, const struct gx_card *card)
{
    json_t *directions = json_array(), *names = json_array();
    struct gx_domains domains = domains_of(arena, card);
    for (int i = 0; i < card->generators; i++)
        if (*card->generator[i].direction)
            json_array_append_new(directions, json_string(card->generator[i].direction));
    for (int i = 0; i < domains.count; i++)
        json_array_append_new(names, gx_json_text(arena, domains.name[i]));
    json_object_set_new(object, "family", gx_json_text(arena, card->family));
    json_object_set_new(object, "family_inferred", json_boolean(!card->said));
    json_object_set_new(object, "direction", json_string(card->direction));
    json_object_set_new(object, "directions", directions);
    json_object_set_new(object, "domains", names);
    json_object_set_new(object, "norm_stats", json_string(card->running ? "running" : "image"));
    json_object_set_new(object, "dropout", json_boolean(card->dropout));
    json_object_set_new(object, "size", json_integer(card->size));
    json_object_set_new(object, "scale", json_integer(gx_network_scale(&card->spec)));
    json_object_set_new(object, "reach", json_integer(gx_card_reach(card)));
    json_object_set_new(object, "value_range",
                        json_pack("[f, f]", (double)card->low, (double)card->high));
}
