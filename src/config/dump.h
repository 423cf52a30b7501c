/* A resolved configuration as text: what a run's folder and its checkpoints keep, and what
 * gx_config_read_text (resolve.h) reads back to the same values. Options without a key are left
 * out. */
#ifndef GX_CONFIG_DUMP_H
#define GX_CONFIG_DUMP_H

#include "config/config.h"

/* YAML, every key, sections in the table's order; `family` first. Gives a text to free. */
char *gx_config_yaml(struct gx_config *config);

#endif
