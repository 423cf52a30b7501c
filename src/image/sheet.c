/* Sample sheets: what a run shows of itself, and the demo's before and after. */
#include "image/image.h"
#include "util/arena.h"

#include <stdlib.h>
#include <string.h>

enum { GUTTER = 4, CAPTION = 24, TEXT = 14 }; /* pixels */

static const float paper = 230 / 255.0f; /* so that white pictures have an edge */

struct sheet {
    float *data; /* height x width x 3, 0..1 */
    int width, height, columns, rows;
    int *x, *y; /* left of each column, top of each row, and one past the last */
};

/* Edges of cells of these sizes, gutters around each, starting at `from`. */
static int lay(int *edge, int count, const int *size, int from)
{
    for (int i = 0; i < count; i++) {
        edge[i] = from + GUTTER;
        from = edge[i] + size[i];
    }
    return from + GUTTER;
}

static void measure(struct sheet *s, const struct gx_pixels *cells, bool captions)
{
    int *wide = gx_new((size_t)s->columns * sizeof *wide);
    int *high = gx_new((size_t)s->rows * sizeof *high);
    for (int i = 0; i < s->columns * s->rows; i++) {
        int w = cells[i].data ? cells[i].width : 1, h = cells[i].data ? cells[i].height : 1;
        int column = i % s->columns, row = i / s->columns;
        wide[column] = w > wide[column] ? w : wide[column];
        high[row] = h > high[row] ? h : high[row];
    }
    s->width = lay(s->x, s->columns, wide, 0);
    s->height = lay(s->y, s->rows, high, captions ? CAPTION : 0);
    s->x[s->columns] = s->width;
    s->y[s->rows] = s->height;
    free(wide);
    free(high);
}

static void paste(struct sheet *s, const struct gx_pixels *cell, int x, int y)
{
    float scale = 1 / (cell->hi - cell->lo);
    for (int row = 0; row < cell->height; row++)
        for (int column = 0; column < cell->width; column++) {
            const float *from = cell->data + ((size_t)row * cell->width + column) * cell->channels;
            float *to = s->data + ((size_t)(y + row) * s->width + x + column) * 3;
            float alpha = cell->channels == 4 ? (from[3] - cell->lo) * scale : 1;
            for (int k = 0; k < 3; k++) {
                float v = (from[cell->channels == 1 ? 0 : k] - cell->lo) * scale;
                to[k] = alpha * v + (1 - alpha) * paper;
            }
        }
}

/* Black text, centred in the column and no wider. Where libvips has no text, or no font, the sheet
 * goes without: a caption is not worth an error. */
static void caption(struct sheet *s, const char *title, int left, int right)
{
    VipsImage *text = NULL;
    unsigned char *mask = NULL;
    char *escaped = g_markup_escape_text(title, -1);
    size_t size;
    int most = right - left;
    if (*title && !vips_text(&text, escaped, "font", "sans 10", "dpi", 96, NULL))
        mask = vips_image_write_to_memory(text, &size);
    for (int y = 0; mask && y < text->Ysize && y < CAPTION; y++)
        for (int x = 0; x < text->Xsize && x < most; x++) {
            int shift = text->Xsize < most ? (most - text->Xsize) / 2 : 0;
            int top = GUTTER + (text->Ysize < TEXT ? (TEXT - text->Ysize) / 2 : 0);
            if (top + y >= CAPTION)
                break;
            float *to = s->data + ((size_t)(top + y) * s->width + left + shift + x) * 3;
            for (int k = 0; k < 3; k++)
                to[k] = paper * (1 - mask[(size_t)y * text->Xsize + x] / 255.0f);
        }
    g_free(mask);
    if (text)
        g_object_unref(text);
    g_free(escaped);
}

static int draw(struct sheet *s, const struct gx_pixels *cells, const char *const *titles,
                const char *path, struct gx_err *err)
{
    size_t count = (size_t)s->width * s->height * 3;
    s->data = malloc(count * sizeof *s->data);
    if (!s->data)
        return gx_fail(err, GX_E_NOMEM, "out of memory for the sheet '%s'", path);
    for (size_t i = 0; i < count; i++)
        s->data[i] = paper;
    for (int i = 0; i < s->columns * s->rows; i++) {
        int column = i % s->columns, row = i / s->columns;
        int wide = s->x[column + 1] - s->x[column] - GUTTER;
        int high = s->y[row + 1] - s->y[row] - GUTTER;
        if (cells[i].data)
            paste(s, &cells[i], s->x[column] + (wide - cells[i].width) / 2,
                  s->y[row] + (high - cells[i].height) / 2);
    }
    for (int column = 0; titles && column < s->columns; column++)
        if (titles[column])
            caption(s, titles[column], s->x[column], s->x[column + 1] - GUTTER);
    const struct gx_pixels whole = {s->data, s->width, s->height, 3, 0, 1};
    struct gx_write_options options = gx_write_defaults;
    options.format = "png";
    int result = gx_picture_write(&whole, NULL, &options, path, err);
    free(s->data);
    return result;
}

int gx_sheet_write(const char *path, int columns, int rows, const struct gx_pixels *cells,
                   const char *const *titles, struct gx_err *err)
{
    if (columns < 1 || rows < 1)
        return gx_fail(err, GX_E_USAGE, "a sheet of %dx%d pictures is empty", columns, rows);
    struct sheet s = {.columns = columns, .rows = rows};
    s.x = gx_new(((size_t)columns + 1) * sizeof *s.x);
    s.y = gx_new(((size_t)rows + 1) * sizeof *s.y);
    measure(&s, cells, titles != NULL);
    int result = draw(&s, cells, titles, path, err);
    free(s.x);
    free(s.y);
    return result;
}
