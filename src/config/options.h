/* The option table: one row for each field of struct gx_config.
 *
 * Flags, YAML keys, --set, --help, the manual pages' option lists, the shell completion, the saved
 * configuration and what --resume may change all derive from these rows. A new option is a field in
 * config.h and a row here; a family's own defaults are lines of its recipe (recipes.c). */
#ifndef GX_CONFIG_OPTIONS_H
#define GX_CONFIG_OPTIONS_H

#include "config/config.h"

#include <stddef.h>

enum gx_type {
    GX_TYPE_BOOL,
    GX_TYPE_INT,
    GX_TYPE_COUNT, /* int64_t: 3000, 10k, 512M (powers of ten) */
    GX_TYPE_BYTES, /* int64_t: 1GiB, 512MiB, 1G (powers of two), 1GB (of ten) */
    GX_TYPE_SEED,  /* uint64_t */
    GX_TYPE_REAL,  /* double, finite */
    GX_TYPE_TEXT,
    GX_TYPE_PATH,
    GX_TYPE_WORD,    /* a text that is one of the choices */
    GX_TYPE_CHOICE,  /* int: the index of the choice */
    GX_TYPE_LIST,    /* a text of rising whole numbers: 1000,2000 */
    GX_TYPE_NUMBERS, /* a text of as many numbers as `initial` has: 0.2,3 */
    GX_TYPE_SET      /* --set key=value: no field of its own */
};

/* Which commands show an option. */
enum gx_verb {
    GX_VERB_TRAIN = 1,
    GX_VERB_TRANSLATE = 2,
    GX_VERB_BENCH = 4,
    GX_VERB_INFO = 8,
    GX_VERB_CONVERT = 16,
    GX_VERB_VERSION = 32,
    GX_VERB_HELP = 64,
    GX_VERB_EVAL = 128,
    GX_VERB_UPSCALE = 256,
    GX_VERBS_ALL = 511
};

enum gx_option_flags {
    GX_OPTION_FLAG_ONLY = 1, /* no YAML key, not saved, out of reach for --set */
    GX_OPTION_RESUME = 2,    /* --resume may change it */
    GX_OPTION_OPEN = 4,      /* the choices are suggestions; who uses the value checks it */
    GX_OPTION_REPEATS = 16,  /* a text: each use of the flag adds a line */
    GX_OPTION_HIDDEN = 8     /* for the build: not in help, manual or completion */
};

struct gx_option {
    const char *key;  /* "data.load_size"; of a FLAG_ONLY option its name in messages */
    const char *flag; /* "load-size", or NULL: only by its key */
    char letter;      /* 'm' for -m, or 0 */
    enum gx_type type;
    size_t offset; /* of the field in struct gx_config */
    const char *initial;
    double low, high;           /* numbers: both allowed */
    const char *const *choices; /* ends with NULL; or NULL */
    const char *metavar;
    const char *help;  /* one sentence, lowercase, no full stop */
    unsigned families; /* GX_IN(pix2pix) | ...; 0: all */
    unsigned verbs;    /* enum gx_verb */
    unsigned flags;    /* enum gx_option_flags */
};

enum gx_family_id {
#define GX_FAMILY(name) GX_FAMILY_##name,
#include "family/list.h"
#undef GX_FAMILY
    GX_FAMILIES
};
#define GX_IN(family) (1u << GX_FAMILY_##family)

extern const struct gx_option gx_options[];
extern const int gx_options_count;

/* Names of the families, NULL at the end, and a name's bit (0: no such family). */
extern const char *const gx_family_names[];
unsigned gx_family_bit(const char *name);

/* Has this family the option? A command without a family ("") has those that all families have. */
bool gx_option_applies(const struct gx_option *option, const char *family);
/* Applies, and one of `verbs` shows it. */
bool gx_option_shown(const struct gx_option *option, const char *family, unsigned verbs);

/* By key, by long flag (of the options that the family and verb show), by letter; NULL: none. */
const struct gx_option *gx_option_by_key(const char *key);
const struct gx_option *gx_option_by_flag(const char *flag, const char *family, unsigned verbs);
const struct gx_option *gx_option_by_letter(char letter, const char *family, unsigned verbs);

/* By key, for what a file or --set may set in this family; NULL and the reason (keys.c). */
const struct gx_option *gx_config_key(struct gx_config *config, const char *key,
                                      struct gx_err *err);

/* A family's value for a key where it differs from the row's `initial`, else `initial`. */
const char *gx_option_initial(const struct gx_option *option, const char *family);

/* ---- values (values.c) ---- */

/* Reads `text` into the field; the message says what was expected and names neither option nor
 * place. -GX_E_CONFIG. */
GX_MUST_CHECK int gx_option_parse(const struct gx_option *option, struct gx_config *config,
                                  const char *text, struct gx_err *err);
/* The numbers of a text of that many that GX_TYPE_NUMBERS took. */
void gx_option_numbers(const char *text, double *to, int count);
/* The field's value as text that gx_option_parse reads back; in the config's arena. */
const char *gx_option_format(const struct gx_option *option, struct gx_config *config);
bool gx_option_equal(const struct gx_option *option, const struct gx_config *a,
                     const struct gx_config *b);
/* Copies one field; texts are copied into `to`'s arena. */
void gx_option_copy(const struct gx_option *option, struct gx_config *to,
                    const struct gx_config *from);

/* The nearest of `names` (NULL at the end) to a mistyped word, or NULL when none is near. */
const char *gx_suggest(const char *word, const char *const *names);

#endif
