/* Reading attribute tables. The file is read whole and cut up where it lies; every limit is checked
 * before memory is taken for what a table says of itself. */
#include "image/labels.h"
#include "util/file.h"
#include "util/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reader {
    struct gx_labels *labels;
    char *at, *end;
    size_t line; /* of the text that `next_line` gave last, from 1 */
    bool commas; /* CSV; else between spaces */
    size_t room; /* rows that there is memory for */
    struct gx_err *err;
};

#define WRONG(r, ...) wrong((r), gx_fail((r)->err, GX_E_CONFIG, __VA_ARGS__))

static int wrong(const struct reader *r, int code)
{
    return gx_context(r->err, code, "%s:%zu", r->labels->path, r->line);
}

/* ---- lines and fields ---- */

/* The next line that is not blank; NULL at the end. */
static char *next_line(struct reader *r)
{
    while (r->at < r->end) {
        char *line = r->at, *stop = memchr(line, '\n', (size_t)(r->end - line));
        r->line++;
        r->at = stop ? stop + 1 : r->end;
        if (stop)
            *stop = 0;
        if (line[strspn(line, " \t\r")])
            return line;
    }
    return NULL;
}

static void trim_end(char *text)
{
    size_t length = strlen(text);
    while (length && strchr(" \t\r", text[length - 1]))
        text[--length] = 0;
}

/* A quoted field, whose first quote is at `from`; gives what follows it, NULL if it is not closed. */
static char *unquote(char *from)
{
    char *to = from, *p = from + 1;
    for (; *p && (*p != '"' || p[1] == '"'); p++) {
        p += *p == '"';
        *to++ = *p;
    }
    if (!*p)
        return NULL;
    *to = 0;
    return p + 1;
}

/* Cuts the next field off *line, which becomes NULL after the last one. NULL: a quote is wrong. */
static char *next_field(const struct reader *r, char **line)
{
    char *field = *line + strspn(*line, " \t\r"), *rest;
    if (r->commas && *field == '"') {
        rest = unquote(field);
        rest = rest ? rest + strspn(rest, " \t\r") : NULL;
        if (!rest || (*rest && *rest != ','))
            return NULL;
    } else
        rest = field + strcspn(field, r->commas ? "," : " \t\r");
    bool more = r->commas ? *rest == ',' : rest[strspn(rest, " \t\r")];
    *line = more ? rest + 1 : NULL;
    *rest = 0;
    trim_end(field);
    return field;
}

/* ---- the head ---- */

static int add_column(struct reader *r, const char *name)
{
    struct gx_labels *l = r->labels;
    if (!*name)
        return WRONG(r, "column %d has no name", l->columns + 1);
    if (gx_labels_column(l, name) >= 0)
        return WRONG(r, "there are two columns '%.60s'", name);
    if (l->columns == GX_LABELS_COLUMNS)
        return WRONG(r, "more than %d columns", GX_LABELS_COLUMNS);
    l->column[l->columns++].name = name;
    return 0;
}

/* The line of names; `files`: the first one is that of the files. */
static int read_names(struct reader *r, char *line, bool files)
{
    int code = 0;
    while (line && !code) {
        char *name = next_field(r, &line);
        if (!name)
            return WRONG(r, "a quote is not closed, or text follows it");
        if (!files)
            code = add_column(r, name);
        files = false;
    }
    return code;
}

/* *count: of pictures, as the table says; -1: it does not. */
static int read_head(struct reader *r, long *count)
{
    char *line = next_line(r);
    if (!line)
        return gx_fail(r->err, GX_E_CONFIG, "'%s' is empty", r->labels->path);
    char *first = line + strspn(line, " \t");
    size_t digits = strspn(first, "0123456789");

    if (digits && digits < 10 && !first[digits + strspn(first + digits, " \t\r")]) {
        *count = strtol(first, NULL, 10);
        line = next_line(r);
        return line ? read_names(r, line, false) : WRONG(r, "no line of names follows");
    }
    r->commas = strchr(line, ',');
    return r->commas ? read_names(r, line, true)
                     : WRONG(r, "neither a header with commas, nor a number of pictures as "
                                "list_attr_celeba.txt begins with");
}

/* ---- rows ---- */

static uint8_t value_of(const char *text)
{
    if (!strcmp(text, "1") || !strcasecmp(text, "true"))
        return 1;
    if (!strcmp(text, "0") || !strcmp(text, "-1") || !strcasecmp(text, "false"))
        return 0;
    return GX_LABEL_OTHER;
}

/* Room for one row more. Tables grow as their text is read, and never past what it can fill. */
static int make_room(struct reader *r)
{
    struct gx_labels *l = r->labels;
    if (l->rows == GX_LABELS_ROWS)
        return wrong(r, gx_fail(r->err, GX_E_LIMIT, "more than %d rows", GX_LABELS_ROWS));
    if (l->rows < r->room)
        return 0;
    r->room = r->room ? 2 * r->room : 64;
    struct gx_label_row *row = realloc(l->row, r->room * sizeof *row);
    if (row)
        l->row = row;
    uint8_t *value = realloc(l->value, r->room * (size_t)l->columns);
    if (value)
        l->value = value;
    return row && value ? 0 : gx_fail(r->err, GX_E_NOMEM, "out of memory for '%s'", l->path);
}

static int read_row(struct reader *r, char *line)
{
    struct gx_labels *l = r->labels;
    int code = make_room(r), column = 0;
    if (code)
        return code;
    const char *file = next_field(r, &line), *folder = file ? strrchr(file, '/') : NULL;
    for (; line && file; column++) {
        const char *text = next_field(r, &line);
        if (!text)
            file = NULL;
        else if (column < l->columns) {
            uint8_t *value = &l->value[l->rows * (size_t)l->columns + (size_t)column];
            *value = value_of(text);
            if (*value == GX_LABEL_OTHER && !l->column[column].other) {
                l->column[column].other = text;
                l->column[column].other_line = r->line;
            }
        }
    }
    if (!file)
        return WRONG(r, "a quote is not closed, or text follows it");
    if (column != l->columns)
        return WRONG(r, "%d values where there are %d columns", column, l->columns);
    l->row[l->rows] = (struct gx_label_row){.file = folder ? folder + 1 : file, .line = r->line};
    return *l->row[l->rows++].file ? 0 : WRONG(r, "the name of the file is missing");
}

/* ---- finding ---- */

static int compare_stems(const char *a, const char *b)
{
    size_t x = gx_stem_length(a), y = gx_stem_length(b);
    int order = memcmp(a, b, x < y ? x : y);
    return order ? order : (x > y) - (x < y);
}

static int by_file(const void *a, const void *b)
{
    const struct gx_label_row *x = a, *y = b;
    int order = strcmp(x->file, y->file);
    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int by_stem(const void *a, const void *b)
{
    const struct gx_label_row *const *x = a, *const *y = b;
    return compare_stems((*x)->file, (*y)->file);
}

static int sort_rows(struct reader *r)
{
    struct gx_labels *l = r->labels;
    for (size_t i = 0; i < l->rows; i++)
        l->row[i].value = l->value + i * (size_t)l->columns;
    qsort(l->row, l->rows, sizeof *l->row, by_file);
    for (size_t i = 1; i < l->rows; i++)
        if (!strcmp(l->row[i - 1].file, l->row[i].file)) {
            r->line = l->row[i].line;
            return WRONG(r, "'%.120s' comes twice, first in line %zu", l->row[i].file,
                         l->row[i - 1].line);
        }
    l->by_stem = malloc(l->rows * sizeof *l->by_stem);
    if (!l->by_stem)
        return gx_fail(r->err, GX_E_NOMEM, "out of memory for '%s'", l->path);
    for (size_t i = 0; i < l->rows; i++)
        l->by_stem[i] = &l->row[i];
    qsort(l->by_stem, l->rows, sizeof *l->by_stem, by_stem);
    return 0;
}

/* ---- the whole ---- */

/* Texts of the table go into messages, captions and names of folders. */
static bool is_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((unsigned char)text[i] < ' ' && !strchr("\t\r\n", text[i])) || text[i] == 0x7f ||
            !text[i])
            return false;
    return true;
}

static int read_table(struct reader *r)
{
    struct gx_labels *l = r->labels;
    long count = -1;
    char *line;
    int code = read_head(r, &count);
    if (!code && !l->columns)
        code = WRONG(r, "no column follows that of the files");
    while (!code && (line = next_line(r)))
        code = read_row(r, line);
    if (code)
        return code;
    if (!l->rows)
        return gx_fail(r->err, GX_E_CONFIG, "'%s' has no rows", l->path);
    if (count >= 0 && (size_t)count != l->rows) {
        r->line = 1;
        return WRONG(r, "it says %ld pictures, and %zu rows follow: is its end missing?", count,
                     l->rows);
    }
    return sort_rows(r);
}

int gx_labels_parse(struct gx_labels *labels, const char *path, char *text, size_t size,
                    struct gx_err *err)
{
    *labels = (struct gx_labels){.text = text};
    labels->path = gx_arena_text(&labels->arena, path);
    labels->column = gx_arena_alloc(&labels->arena, GX_LABELS_COLUMNS * sizeof *labels->column);
    struct reader r = {.labels = labels, .at = text, .end = text + size, .err = err};
    if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) /* a byte order mark */
        r.at += 3;
    int code = is_text(text, size)
                   ? read_table(&r)
                   : gx_fail(err, GX_E_CONFIG, "'%s' is not a table: it is not text", path);
    if (code)
        gx_labels_clear(labels);
    return code;
}

int gx_labels_read(struct gx_labels *labels, const char *path, struct gx_err *err)
{
    char *text;
    size_t size;
    *labels = (struct gx_labels){0};
    int code = gx_file_read(path, GX_LABELS_BYTES, &text, &size, err);
    return code ? code : gx_labels_parse(labels, path, text, size, err);
}

void gx_labels_clear(struct gx_labels *labels)
{
    gx_arena_clear(&labels->arena);
    free(labels->row);
    free(labels->by_stem);
    free(labels->value);
    free(labels->text);
    *labels = (struct gx_labels){0};
}

int gx_labels_column(const struct gx_labels *labels, const char *name)
{
    for (int i = 0; i < labels->columns; i++)
        if (!strcmp(labels->column[i].name, name))
            return i;
    return -1;
}

int gx_labels_check(const struct gx_labels *labels, int column, struct gx_err *err)
{
    const struct gx_label_column *c = &labels->column[column];
    if (!c->other)
        return 0;
    return gx_fail(err, GX_E_CONFIG,
                   "%s:%zu: '%.60s' is '%.40s'; an attribute is 1 or 0, 1 or -1, true or false",
                   labels->path, c->other_line, c->name, c->other);
}

static int against_file(const void *key, const void *row)
{
    return strcmp(key, ((const struct gx_label_row *)row)->file);
}

static int against_stem(const void *key, const void *row)
{
    return compare_stems(key, (*(const struct gx_label_row *const *)row)->file);
}

const struct gx_label_row *gx_labels_find(const struct gx_labels *labels, const char *path)
{
    const char *folder = strrchr(path, '/'), *name = folder ? folder + 1 : path;
    const struct gx_label_row *row =
        bsearch(name, labels->row, labels->rows, sizeof *labels->row, against_file);
    if (row)
        return row;
    const struct gx_label_row **found =
        bsearch(name, labels->by_stem, labels->rows, sizeof *labels->by_stem, against_stem);
    if (!found)
        return NULL;
    size_t at = (size_t)(found - labels->by_stem);
    bool alone = (!at || compare_stems(name, found[-1]->file)) &&
                 (at + 1 == labels->rows || compare_stems(name, found[1]->file));
    return alone ? *found : NULL;
}

int gx_label_name_check(const char *name, struct gx_err *err)
{
    static const char wrong_bytes[] = ",;=+/";
    size_t at = strcspn(name, wrong_bytes);
    if (!*name)
        return gx_fail(err, GX_E_CONFIG, "a domain needs a name");
    if (name[at])
        return gx_fail(err, GX_E_CONFIG,
                       "'%.60s' cannot be the name of a domain: '%c' has a meaning of its own in "
                       "--to and --edit; rename it",
                       name, name[at]);
    if (!strcmp(name, "all") || !strcmp(name, ".") || !strcmp(name, ".."))
        return gx_fail(err, GX_E_CONFIG,
                       "'%s' cannot be the name of a domain: --to %s has a meaning of its own",
                       name, name);
    bool plain = gx_is_utf8(name);
    for (const char *p = name; *p; p++)
        plain = plain && (unsigned char)*p >= ' ' && *p != 0x7f;
    return plain
               ? 0
               : gx_fail(err, GX_E_CONFIG,
                         "a domain needs a name of one line in UTF-8, without control characters");
}
