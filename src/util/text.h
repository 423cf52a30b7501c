/* What texts from elsewhere must be before they go into files and onto terminals. */
#ifndef GX_UTIL_TEXT_H
#define GX_UTIL_TEXT_H

#include <stdbool.h>

/* Whether a text is sound UTF-8: no lone or missing continuation bytes, nothing written longer than
 * needed, no surrogates, nothing past U+10FFFF. */
bool gx_is_utf8(const char *text);

#endif
