/* Films through a super-resolution model: y4m, or PNG pictures one after another. */
#ifndef GX_CMD_ENLARGE_FILM_H
#define GX_CMD_ENLARGE_FILM_H

#include "cmd/enlarge.h"
#include "image/film.h"

/* All frames to standard output, as the same kind of film; `format` "png" makes pictures of y4m.
 * *stage is where an error came up; *closed: who read the output has gone. Frames before one that
 * cannot be read are written. -GX_E_USAGE for other formats, -GX_E_NOMEM if frames do not fit into
 * e->settings.max_memory. */
GX_MUST_CHECK int gx_enlarge_film(const struct gx_enlarge *e, struct gx_film_in *film,
                                  const char *format, bool *closed, enum gx_stage *stage,
                                  struct gx_err *err);

#endif
