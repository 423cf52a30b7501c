/* RUN/report.html: one self-contained page about a run, without scripts or anything fetched: what
 * it reached, its curves, some of its sample grids, its configuration. */
#ifndef GX_TRAIN_REPORT_H
#define GX_TRAIN_REPORT_H

#include "ganx/error.h"

/* Reads metrics.jsonl, samples/ and config.yaml of the run's folder, whichever of them are there,
 * and writes the page atomically. `title` is plain text ("pix2pix"). -GX_E_IO: cannot read or
 * write. */
GX_MUST_CHECK int gx_report_write(const char *run, const char *title, struct gx_err *err);

#endif
