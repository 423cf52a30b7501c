#include "cmd/grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 512, CHANNELS = 4, COLUMNS = 8 };

/* All in one row while they are few, else in rows as even as can be. */
static int columns_of(int cells)
{
    int rows = (cells + COLUMNS - 1) / COLUMNS;
    return (cells + rows - 1) / rows;
}

/* Scaled down, if it is too large. */
static void cell_size(int w, int h, int *cell_w, int *cell_h)
{
    double scale = fmin(1, (double)SIDE / (w > h ? w : h));
    *cell_w = (int)fmax(1, round(w * scale));
    *cell_h = (int)fmax(1, round(h * scale));
}

int64_t gx_grid_bytes(const struct gx_targets *targets, int w, int h)
{
    int64_t cells = targets->count + 1;
    cell_size(w, h, &w, &h);
    return cells * w * h * (CHANNELS + 3) * (int64_t)sizeof(float); /* theirs, and the sheet's */
}

struct grid {
    int w, h; /* of a cell */
    struct gx_pixels *cell;
    const char **title;
    int count;
};

/* Bicubic overshoots; a picture file would not. */
static int add(struct grid *g, const char *title, const float *from, int w, int h, int channels,
               const struct gx_model_facts *model, struct gx_err *err)
{
    size_t count = (size_t)g->w * (size_t)g->h * (size_t)channels;
    float *to = malloc(count * sizeof *to);
    if (!to)
        return gx_fail(err, GX_E_NOMEM, "no memory for a picture of %d x %d", g->w, g->h);
    g->title[g->count] = title;
    g->cell[g->count++] = (struct gx_pixels){to, g->w, g->h, channels, model->low, model->high};
    if (g->w == w && g->h == h) {
        memcpy(to, from, count * sizeof *to);
        return 0;
    }
    int code = gx_resize(from, 1, h, w, channels, to, g->h, g->w, GX_FILTER_BICUBIC, err);
    for (size_t i = 0; !code && i < count; i++)
        to[i] = fminf(fmaxf(to[i], model->low), model->high);
    return code;
}

/* Colours of a result beside the transparency of the picture, where that has any: a sheet has paper
 * to shine through. */
static void put_colours(float *rgba, const float *from, int channels, size_t pixels)
{
    for (size_t i = 0; i < pixels; i++)
        for (size_t k = 0; k < 3; k++)
            rgba[4 * i + k] = from[(size_t)channels * i + (channels == 1 ? 0 : k)];
}

static int fill(struct grid *g, struct gx_model *model, int beside,
                const struct gx_targets *targets, const float *labels, const float *in,
                struct gx_picture *picture, int w, int h, struct gx_err *err)
{
    const struct gx_model_facts *m = gx_model_facts(model);
    size_t pixels = (size_t)w * (size_t)h, domains = (size_t)m->domains;
    bool clear = gx_picture_facts(picture)->alpha && m->channels_out < 4;
    float *out = malloc(pixels * (size_t)m->channels_out * sizeof *out);
    float *rgba = malloc(clear ? pixels * 4 * sizeof *rgba : 1);
    int code =
        out && rgba ? 0 : gx_fail(err, GX_E_NOMEM, "no memory for a picture of %d x %d", w, h);
    if (!code && clear)
        code = gx_picture_read(picture, 4, m->low, m->high, rgba, err);
    if (!code)
        code = add(g, "input", clear ? rgba : in, w, h, clear ? 4 : m->channels_in, m, err);
    for (int i = 0; !code && i < targets->count; i++) {
        code = gx_model_translate_beside(model, beside, in, w, h, labels + (size_t)i * domains, out,
                                         err);
        if (!code && clear)
            put_colours(rgba, out, m->channels_out, pixels);
        if (!code)
            code = add(g, targets->target[i].text, clear ? rgba : out, w, h,
                       clear ? 4 : m->channels_out, m, err);
    }
    free(out);
    free(rgba);
    return code;
}

int gx_grid_make(struct gx_model *model, int beside, const struct gx_targets *targets,
                 const float *labels, const float *in, struct gx_picture *picture, int w, int h,
                 struct gx_pixels *sheet, float **data, struct gx_err *err)
{
    int cells = targets->count + 1, columns = columns_of(cells), width = 0, height = 0;
    size_t room = (size_t)(cells + columns);
    struct grid g = {.cell = gx_new(room * sizeof *g.cell),
                     .title = gx_new(room * sizeof *g.title)};
    cell_size(w, h, &g.w, &g.h);
    *data = NULL;
    int code = fill(&g, model, beside, targets, labels, in, picture, w, h, err);
    if (!code) /* cells past the last are empty */
        code = gx_sheet_draw(columns, (cells + columns - 1) / columns, g.cell, g.title, data,
                             &width, &height, err);
    *sheet = (struct gx_pixels){*data, width, height, 3, 0, 1};
    for (int i = 0; i < g.count; i++)
        free((float *)g.cell[i].data);
    free(g.cell);
    free(g.title);
    return code;
}
