/* The words of a command line: which option each sets, and what is left. */
#ifndef GX_CONFIG_FLAGS_H
#define GX_CONFIG_FLAGS_H

#include "config/options.h"

struct gx_flag { /* one use of an option, in the order of the command line */
    const struct gx_option *option;
    const char *value;
    const char *name; /* as it was written: "--lr", "-m", "--set optim.lr" */
};

struct gx_flags {
    struct gx_flag *flag;
    int count;
};

/* Splits argv; sets config->operand, and at once those options that have no YAML key (so that
 * --config and --json are known before anything is read); the others are left for the caller, who
 * applies them after the file. -GX_E_USAGE. */
GX_MUST_CHECK int gx_flags_read(struct gx_flags *flags, struct gx_config *config, enum gx_verb verb,
                                int argc, char *const *argv, struct gx_err *err);

#endif
