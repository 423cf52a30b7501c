/* What `info` says of a model's card, for one model and in the list of installed ones. */
#ifndef GX_CMD_DESCRIBE_H
#define GX_CMD_DESCRIBE_H

#include "cmd/report.h"
#include "config/config.h"
#include "model/card.h"
#include "util/arena.h"

#include <jansson.h>

/* Texts of strangers, in the arena: control characters become '?', so that nothing in them steers
 * the terminal. */
const char *gx_clean(struct gx_arena *arena, const char *text);

/* "AtoB, BtoA"; "" where the file does not say. */
const char *gx_card_directions(struct gx_arena *arena, const struct gx_card *card);
/* "angry, smiling", in the label's order; "" for none, or none that can be read. */
const char *gx_card_domains(struct gx_arena *arena, const struct gx_card *card);
/* Family, directions, domains and the rest of a card, added to an object. */
void gx_card_json(json_t *object, struct gx_arena *arena, const struct gx_card *card);
/* A text of any bytes; where it is not UTF-8, what is not ASCII becomes '?'. */
json_t *gx_json_text(struct gx_arena *arena, const char *text);

/* Lists the installed models that config->family can use ("": all of them) on standard output, and
 * reports where there is none (models.c). Gives an enum gx_exit. */
int gx_models_list(const struct gx_config *config, struct gx_report *report);

#endif
