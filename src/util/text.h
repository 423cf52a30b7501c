/* Texts: what those from elsewhere must be before they go into files and onto terminals, names of
 * files, and lines that grow. */
#ifndef GX_UTIL_TEXT_H
#define GX_UTIL_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a text is sound UTF-8: no lone or missing continuation bytes, nothing written longer than
 * needed, no surrogates, nothing past U+10FFFF. */
bool gx_is_utf8(const char *text);

/* How long a file's name (without folders) is without its suffix: 5 of "a.b.c.png"; a dot at its
 * start begins none. */
size_t gx_stem_length(const char *name);

/* A line that grows in room given to it; what does not fit is cut off. */
struct gx_line {
    char *text;
    size_t size, length; /* of the room; of the text */
};
void gx_line_add(struct gx_line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* "name":value of a JSON object; null where JSON has no number (infinite, or not known). */
void gx_line_figure(struct gx_line *line, const char *name, double value);

#endif
