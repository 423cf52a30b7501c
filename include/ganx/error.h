/* Errors: how every fallible function of libganx reports.
 *
 * A function that can fail returns int: 0, or one of the negative codes below, and writes one line
 * of text into the caller's struct gx_err (which may be NULL: the text is then dropped). The line
 * is lowercase, has no full stop, and quotes names: "cannot open 'x.png': no such file or
 * directory". Nothing is kept between calls; there is no global state. */
#ifndef GANX_ERROR_H
#define GANX_ERROR_H

#include <stdarg.h>

#if defined(__GNUC__)
#define GX_MUST_CHECK   __attribute__((warn_unused_result))
#define GX_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define GX_MUST_CHECK
#define GX_PRINTF(f, a)
#endif

enum gx_error {
    GX_E_USAGE = 1, /* the caller asked for something that makes no sense */
    GX_E_CONFIG,    /* a configuration or data set cannot be used */
    GX_E_IO,        /* the system refused to read or write */
    GX_E_FORMAT,    /* a file is not what it should be */
    GX_E_SHAPE,     /* sizes do not fit together */
    GX_E_NOMEM,     /* memory, address space or budget is too small */
    GX_E_LIMIT,     /* a safety limit was reached */
    GX_E_NUMERIC    /* not a number, or infinity, where neither may be */
};

struct gx_err {
    char text[768];
};

/* Writes the line and returns -code, so that callers can say: return gx_fail(err, GX_E_IO, ...). */
int gx_fail(struct gx_err *err, enum gx_error code, const char *format, ...) GX_PRINTF(3, 4);

/* As gx_fail, with ": " and the text of errno at the end. */
int gx_fail_errno(struct gx_err *err, enum gx_error code, const char *format, ...) GX_PRINTF(3, 4);

/* Puts "context: " before the text that is there, and returns code unchanged (negative). */
int gx_context(struct gx_err *err, int code, const char *format, ...) GX_PRINTF(3, 4);

#endif
