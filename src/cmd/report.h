/* What commands tell people: one line an event on standard error, or NDJSON with --json; and a
 * progress bar where standard error is a terminal. Safe to call from several threads. */
#ifndef GX_CMD_REPORT_H
#define GX_CMD_REPORT_H

#include "config/config.h"

#include <stdio.h>

enum gx_level { GX_INFO, GX_WARNING, GX_ERROR }; /* --quiet drops GX_INFO */

struct gx_report {
    FILE *to;
    bool json, quiet;
    bool terminal, colour;
    bool bar_shown;
    double began, drawn; /* the clock at the first and the latest progress; 0: none yet */
    int64_t from;        /* what was done at the first */
};

struct gx_number { /* one more field of a JSON event */
    const char *name;
    double value;
};

/* To `to`, normally stderr, as config's json and quiet say. Colours and the bar need a terminal;
 * NO_COLOR (set and not empty) forbids colours. */
void gx_report_init(struct gx_report *report, const struct gx_config *config, FILE *to);

/* One event. In text the message alone, with "ganx: " before warnings and errors; control
 * characters become '?', so that an event stays one line whatever a file is called. In JSON an
 * object of event, level, message and the numbers. */
void gx_report(struct gx_report *report, enum gx_level level, const char *event, const char *format,
               ...) GX_PRINTF(4, 5);
void gx_report_numbers(struct gx_report *report, enum gx_level level, const char *event,
                       const struct gx_number *numbers, int count, const char *format, ...)
    GX_PRINTF(6, 7);

/* `done` of `total` units (0: nobody knows how many, and `format` names them); the rest of the line
 * after rate and time left is `format`. Draws at most ten times a second; with --json one event
 * "progress" a second; else nothing. The first call starts the clock: call it before the first unit. */
void gx_report_progress(struct gx_report *report, int64_t done, int64_t total, const char *format,
                        ...) GX_PRINTF(4, 5);
/* Ends the bar, which stays on the screen as it is; the next progress starts anew. */
void gx_report_progress_end(struct gx_report *report);

#endif
