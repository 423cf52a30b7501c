/* From the words IN... OUT of a command line to a list of pairs: which file becomes which.
 *
 *   one file            OUT is a file; or a folder if it exists as one or ends in '/'
 *   a folder, several,
 *   or --files-from     OUT is a folder; names are kept, and subfolders too when recursive
 *   - for IN or OUT     standard input, standard output: one picture only
 *   several variants    OUT is a folder, and each variant has one in it, whatever IN is
 *
 * A name's format stays unless asked otherwise; one that cannot be written becomes the fallback,
 * and its suffix too. Nothing is opened, written or made here: the whole plan is known before the
 * work. */
#ifndef GX_CMD_JOBS_H
#define GX_CMD_JOBS_H

#include "ganx/error.h"
#include "util/arena.h"

#include <stdbool.h>

struct gx_output {
    const char *path;   /* "-" is standard output */
    const char *folder; /* what must exist before it can be written, or "" */
    bool exists;        /* and is left alone: its variant is there already */
};

struct gx_job {
    const char *in;           /* a path; "-" is standard input */
    struct gx_output *output; /* jobs->outputs of them, one for each variant */
    const char *format;       /* of the outputs */
    const char *skip;         /* why it is left out (its outputs exist), or NULL */
    const char *problem;      /* why it cannot be read (a folder that cannot be listed), or NULL */
};

struct gx_jobs {
    struct gx_arena arena;
    struct gx_job *job;
    int count, outputs;
    bool batch;      /* OUT is a folder: one input that fails does not stop the others */
    int passed_over; /* files of folders in formats that are off ... */
    const char *passed_over_name, *passed_over_format; /* ... and the first of them */
};

struct gx_jobs_request {
    const char *const *operand; /* IN... OUT; only OUT with files_from */
    int operands;
    const char *files_from; /* a file of names, one a line or ended by NUL, "-", or "" */
    bool recursive, force;
    const char *const *variant;         /* names of folders; one output of each input for each */
    int variants;                       /* 0: each input has one output, in OUT itself */
    const char *format;                 /* asked for, or "" */
    const char *fallback;               /* "png" */
    bool (*is_input)(const char *name); /* by its suffix: which files of a folder count */
    const char *(*format_off)(const char *name); /* a format that is known but off, or NULL */
    const char *(*format_of)(const char *name);  /* what its suffix says, NULL: not writable */
};

/* -GX_E_USAGE: too few words; several inputs for a file or for standard output; two inputs that
 * would become one output (both are named); an output that is an input, whatever force says; a
 * single output that exists, without force; a suffix that cannot be written. -GX_E_IO: files_from
 * cannot be read. An empty list (a folder without pictures) is no error. Clear it in every case. */
GX_MUST_CHECK int gx_jobs_plan(struct gx_jobs *jobs, const struct gx_jobs_request *request,
                               struct gx_err *err);
void gx_jobs_clear(struct gx_jobs *jobs);

#endif
