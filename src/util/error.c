#include "ganx/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int gx_fail(struct gx_err *err, enum gx_error code, const char *format, ...)
{
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
    }
    return -(int)code;
}

int gx_fail_errno(struct gx_err *err, enum gx_error code, const char *format, ...)
{
    int saved = errno;
    if (err) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        size_t used = strlen(err->text);
        char reason[128];
        const char *text = strerror_r(saved, reason, sizeof reason); /* the GNU form */
        snprintf(err->text + used, sizeof err->text - used, ": %s", text);
        if (used + 2 < sizeof err->text && err->text[used + 2] >= 'A' && err->text[used + 2] <= 'Z')
            err->text[used + 2] = (char)(err->text[used + 2] - 'A' + 'a');
    }
    errno = saved;
    return -(int)code;
}

int gx_context(struct gx_err *err, int code, const char *format, ...)
{
    if (err) {
        char before[sizeof err->text];
        memcpy(before, err->text, sizeof before);
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        size_t used = strlen(err->text);
        int whole = snprintf(err->text + used, sizeof err->text - used, ": %s", before);
        (void)whole; /* a text that is too long is cut, never refused */
    }
    return code;
}
