/* Which figures `ganx eval` gives, and the table of them: a row for each pair of pictures as it is
 * measured, then the means; or one JSON object at the end. */
#ifndef GX_CMD_FIGURES_H
#define GX_CMD_FIGURES_H

#include "cmd/cmd.h"
#include "image/metrics.h"
#include "model/lpips.h"

#include <jansson.h>

enum { GX_FIGURES_MAX = 16 };

struct gx_figure { /* one column */
    const char *name;
    const struct gx_metric *metric; /* NULL: by its name */
    double sum;                     /* over the finite values */
    int finite, infinite;
};

struct gx_figures {
    struct gx_figure figure[GX_FIGURES_MAX];
    int count;
    struct gx_lpips *lpips; /* NULL: LPIPS is not measured */
    bool json;
    json_t *pictures; /* a row of each pair, in JSON */
    int done;
};

/* Chooses by --metrics and --channels, and loads what LPIPS needs; *stage says what an error belongs
 * to. -GX_E_USAGE names what there is; -GX_E_IO, -GX_E_FORMAT: no model for LPIPS, which was asked
 * for by name. */
GX_MUST_CHECK int gx_figures_begin(struct gx_figures *figures, const struct gx_config *config,
                                   enum gx_stage *stage, struct gx_err *err);
void gx_figures_clear(struct gx_figures *figures);

/* Bytes that measuring a pair of this size takes, both pictures and all but LPIPS' own budget. */
int64_t gx_figures_bytes(const struct gx_figures *figures, int64_t w, int64_t h);

/* Measures one pair and prints its row. -GX_E_NOMEM. */
GX_MUST_CHECK int gx_figures_add(struct gx_figures *figures, const char *name,
                                 const struct gx_pair *pair, struct gx_err *err);

/* Prints the means, or all in JSON. */
void gx_figures_print(struct gx_figures *figures, int failed);

#endif
