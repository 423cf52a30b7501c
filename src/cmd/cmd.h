/* Commands: a row each in list.h, one file each.
 *
 * A command is its usage lines, its options (the rows of the option table whose verbs contain it)
 * and its logic. Words go through the report to standard error; standard output carries data. */
#ifndef GX_CMD_CMD_H
#define GX_CMD_CMD_H

#include "cmd/report.h"
#include "config/resolve.h"

#include <stdio.h>

enum gx_exit {
    GX_EXIT_DONE = 0,
    GX_EXIT_SOME_FAILED = 1, /* some inputs of several */
    GX_EXIT_USAGE = 2,
    GX_EXIT_CONFIG = 3,   /* configuration or data set */
    GX_EXIT_MODEL = 4,    /* model or checkpoint rejected */
    GX_EXIT_NO_INPUT = 5, /* no input could be read */
    GX_EXIT_CANNOT_WRITE = 6,
    GX_EXIT_LIMIT = 7, /* a limit, or memory */
    GX_EXIT_DIVERGED = 8,
    GX_EXIT_LOCKED = 9,
    GX_EXIT_SIGNAL = 128 /* + the signal's number */
};

/* What was being done when an error came up. */
enum gx_stage {
    GX_AT_START,  /* flags, configuration, data set */
    GX_AT_MODEL,  /* reading a model or checkpoint */
    GX_AT_INPUT,  /* reading an input */
    GX_AT_OUTPUT, /* writing */
    GX_AT_WORK    /* between them */
};

/* The exit code for an error (negative, as functions return it) at a stage. */
enum gx_exit gx_exit_of(int code, enum gx_stage stage);
/* Reports an error's text and gives the exit code. */
enum gx_exit gx_fail_at(struct gx_report *report, int code, enum gx_stage stage,
                        const struct gx_err *err);

struct gx_command {
    const char *name; /* the verb */
    enum gx_verb verb;
    bool of_family, alone;    /* ganx FAMILY name, ganx name */
    unsigned families;        /* that have it: GX_IN(sr) | ...; 0: all */
    const char *other_name;   /* the same by another name, or NULL */
    const char *summary;      /* lowercase, no full stop */
    const char *const *usage; /* what follows the name, a line each; NULL at the end */
    /* config->family is "" when it was called alone. Gives an enum gx_exit. */
    int (*run)(struct gx_config *config, struct gx_report *report);
};

#define GX_COMMAND(name) extern const struct gx_command gx_command_##name;
#include "cmd/list.h"
#undef GX_COMMAND

extern const struct gx_command *const gx_commands[]; /* NULL at the end */

/* Whether that family ("": none) has the command. */
bool gx_command_of(const struct gx_command *command, const char *family);

/* What the first words of a command line name. */
struct gx_call_line {
    const char *family;               /* "" for none */
    const struct gx_command *command; /* NULL: only the family, or nothing, was named */
    int words;                        /* of argv that were used */
};
/* Looks at argv[from] and on. -GX_E_USAGE, with the nearest name, when it names nothing. */
GX_MUST_CHECK int gx_command_find(struct gx_call_line *line, int from, int argc, char *const *argv,
                                  struct gx_err *err);

/* ---- help (usage.c): all commands; a family's verbs; one command with its options ---- */

void gx_usage_top(FILE *to);
void gx_usage_family(FILE *to, const char *family);
void gx_usage_command(FILE *to, const struct gx_command *command, const char *family);

/* The rows that a verb of a family ("" for none) shows, hidden ones left out: flags, or keys. */
bool gx_shows_flag(const struct gx_option *option, const char *family, enum gx_verb verb);
bool gx_shows_key(const struct gx_option *option, const char *family, enum gx_verb verb);

/* ---- the same for manual pages and shells (mdoc.c, completion.c) ---- */

/* The list of flags, or of keys, of a verb by its name; -GX_E_USAGE: there is no such verb. */
GX_MUST_CHECK int gx_mdoc(FILE *to, const char *family, const char *verb, bool keys,
                          struct gx_err *err);
void gx_completion_bash(FILE *to);

#endif
