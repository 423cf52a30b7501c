/* A resolved configuration as text: what a run's folder and its checkpoints keep, and what
 * gx_config_read_text (resolve.h) reads back to the same values. Options without a key are left
 * out. */
#ifndef GX_CONFIG_DUMP_H
#define GX_CONFIG_DUMP_H

#include "config/config.h"

/* YAML, every key, sections in the table's order; `family` first. Gives a text to free. */
char *gx_config_yaml(struct gx_config *config);
/* The same into a file, atomically. */
GX_MUST_CHECK int gx_config_write_yaml(struct gx_config *config, const char *path,
                                       struct gx_err *err);
/* One JSON object of objects, numbers as numbers: {"family":"pix2pix","data":{"path":...}}. Gives a
 * text to free. */
char *gx_config_json(struct gx_config *config);

#endif
