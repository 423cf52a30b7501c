/* One chart as inline SVG: curves over training steps, the raw values faint, a centred moving
 * average on top. Colours are the page's: classes c0 to c7. */
#ifndef GX_TRAIN_CHART_H
#define GX_TRAIN_CHART_H

#include "train/metrics.h"

#include <stdio.h>

enum { GX_CHART_CURVES = 8 }; /* more are left out */

/* Writes <figure>: a title, a legend with each curve's last (averaged) value, the plot. `id` is
 * unique in the page. Curves without a point are left out. */
void gx_chart_write(FILE *to, int id, const char *title, const struct gx_curve *const *curves,
                    int count);

/* Text with & < > " escaped. */
void gx_html_text(FILE *to, const char *text);

/* A number in at most four digits or so: 0.7312, 12.5, 3.2e-05. */
const char *gx_short_number(char text[32], double value);

#endif
