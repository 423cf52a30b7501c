/* Where a configuration comes from: the defaults and the family's recipe, then --config FILE or
 * ./FAMILY.yaml, then flags and --set; and what happens to one when a run is resumed. */
#ifndef GX_CONFIG_RESOLVE_H
#define GX_CONFIG_RESOLVE_H

#include "config/options.h"

/* Every field at its default for the family ("" for a command without one). An unknown family is
 * -GX_E_USAGE, with the nearest name. On failure there is nothing to clear. */
GX_MUST_CHECK int gx_config_init(struct gx_config *config, const char *family, struct gx_err *err);
void gx_config_clear(struct gx_config *config);

/* Initialises and fills a configuration from the command line of one verb: argv holds what follows
 * the verb. Options and operands may be mixed; "--" ends the options, "-" is an operand.
 *   -GX_E_USAGE   an unknown or incomplete option, a bad value in a flag
 *   -GX_E_CONFIG  the file: "file:line:col: message"
 * After --help it stops reading: config->help is set and nothing else counts. The configuration
 * must be cleared in every case, and its json and quiet hold what was understood so far. */
GX_MUST_CHECK int gx_config_resolve(struct gx_config *config, const char *family, enum gx_verb verb,
                                    int argc, char *const *argv, struct gx_err *err);

/* Applies YAML text (at most 1 MiB; `name` is for messages). -GX_E_CONFIG. */
GX_MUST_CHECK int gx_config_apply_yaml(struct gx_config *config, const char *text, size_t size,
                                       const char *name, enum gx_source source, struct gx_err *err);
/* Sets one value by key. -GX_E_CONFIG, naming the key but no place. */
GX_MUST_CHECK int gx_config_set(struct gx_config *config, const char *key, const char *value,
                                struct gx_origin origin, struct gx_err *err);

/* Initialises a configuration from a saved one (dump.h), family included: what a run's config.yaml
 * and a checkpoint hold. On failure there is nothing to clear. */
GX_MUST_CHECK int gx_config_read_text(struct gx_config *config, const char *text, size_t size,
                                      const char *name, struct gx_err *err);

/* Refuses a value or what it stands beside: -GX_E_CONFIG, and before the text the value's place if a
 * file gave it. */
GX_MUST_CHECK int gx_config_fail(const struct gx_config *config, const char *key,
                                 struct gx_err *err, const char *format, ...) GX_PRINTF(4, 5);

/* Contradictions between values (a crop larger than its picture ...). -GX_E_CONFIG, with the place.
 * gx_config_resolve has asked it. */
GX_MUST_CHECK int gx_config_check(const struct gx_config *config, struct gx_err *err);

/* Continues a saved run: every value that no file and no flag gave becomes the saved one. When
 * something that was given differs and --resume may not change it: -GX_E_CONFIG, with the list of
 * gx_config_differences_for_resume. */
GX_MUST_CHECK int gx_config_continue(struct gx_config *config, struct gx_config *saved,
                                     struct gx_err *err);
/* Writes "net.ngf (64 in the run, 32 from --set net.ngf), ..." for the keys that were given, differ
 * from the saved run and may not; returns how many there are. */
int gx_config_differences_for_resume(struct gx_config *config, struct gx_config *saved, char *text,
                                     size_t size);

/* "pix2pix.yaml:3:9", "--set optim.lr", or "the defaults": for messages about a value that only its
 * user can judge. The text is in the config's arena. */
const char *gx_config_where(struct gx_config *config, const char *key);

#endif
