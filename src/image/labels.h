/* Attribute tables: which of some attributes the pictures of a folder have. Two layouts are read:
 *   CelebA's list_attr_celeba.txt   a line with the number of pictures, a line of names, then
 *                                   "000001.jpg -1 1 ..." for each, between spaces
 *   CSV with a header               first column the file's name, then a column for each attribute;
 *                                   "quotes" where a text needs them, none over several lines
 * Values are 1, true (has it), 0, -1, false (has it not). A column may hold other things, such as
 * an age, as long as nobody asks for it. Folders before a file's name do not count. */
#ifndef GX_IMAGE_LABELS_H
#define GX_IMAGE_LABELS_H

#include "ganx/error.h"
#include "util/arena.h"

#include <stddef.h>
#include <stdint.h>

enum {
    GX_LABELS_BYTES = 256 << 20, /* larger tables are refused, */
    GX_LABELS_ROWS = 4000000,    /* longer ones, */
    GX_LABELS_COLUMNS = 1000     /* and wider ones */
};

enum { GX_LABEL_OTHER = 2 }; /* a value that is neither 0 nor 1 */

struct gx_label_row {
    const char *file;     /* without folders */
    const uint8_t *value; /* columns: 0, 1, GX_LABEL_OTHER */
    size_t line;
};

struct gx_label_column {
    const char *name;
    const char *other; /* the first value that is neither 0 nor 1; NULL: there is none */
    size_t other_line;
};

struct gx_labels {
    struct gx_arena arena;
    const char *path;
    int columns;
    struct gx_label_column *column; /* in the table's order; names differ */
    size_t rows;
    struct gx_label_row *row; /* sorted by file; these differ */
    /* what the rest points into */
    const struct gx_label_row **by_stem;
    char *text;
    uint8_t *value;
};

/* Reads a table. -GX_E_IO, -GX_E_LIMIT, -GX_E_NOMEM; -GX_E_CONFIG: it is no such table, "FILE:LINE:
 * what is wrong". On failure it is empty; gx_labels_clear is legal then. _parse takes a table that
 * is in memory already (size bytes, NUL-terminated past them; freed with the table, or on
 * failure) and is called `path`. */
GX_MUST_CHECK int gx_labels_read(struct gx_labels *labels, const char *path, struct gx_err *err);
GX_MUST_CHECK int gx_labels_parse(struct gx_labels *labels, const char *path, char *text,
                                  size_t size, struct gx_err *err);
void gx_labels_clear(struct gx_labels *labels);

/* The index of a column; -1: there is none of that name. */
int gx_labels_column(const struct gx_labels *labels, const char *name);

/* -GX_E_CONFIG, with the line, when a column holds anything but 0 and 1. */
GX_MUST_CHECK int gx_labels_check(const struct gx_labels *labels, int column, struct gx_err *err);

/* The row of a picture, by its file's name, else by that name without its suffix if only one row
 * has it. NULL: none. */
const struct gx_label_row *gx_labels_find(const struct gx_labels *labels, const char *path);

/* Whether a domain or attribute can be asked for by this name: --to young,black_hair=0.5, --edit
 * +glasses, --to all. -GX_E_CONFIG says what is in the way. */
GX_MUST_CHECK int gx_label_name_check(const char *name, struct gx_err *err);

#endif
