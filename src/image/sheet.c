/* Sample sheets: what a run shows of itself, the demo's before and after, every domain of a picture.
 *
 * A caption stands above its picture; a column's caption is that of its first row alone. */
#include "image/image.h"
#include "util/arena.h"

#include <stdlib.h>
#include <string.h>

enum { GUTTER = 4, CAPTION = 24, TEXT = 14, WIDEST = 240 }; /* pixels */

static const float paper = 230 / 255.0f; /* so that white pictures have an edge */

struct sheet {
    float *data; /* height x width x 3, 0..1 */
    int width, height, columns, rows;
    const struct gx_pixels *cells;
    const char *const *titles; /* NULL: none */
    bool each;                 /* titles are the cells', not the columns' */
    int *x, *y;                /* left of each column, top of each row, and one past the last */
};

/* Edges of cells of these sizes, gutters around each and `above` before each, from `from` on. */
static int lay(int *edge, int count, const int *size, int from, int above)
{
    for (int i = 0; i < count; i++) {
        edge[i] = from + above + GUTTER;
        from = edge[i] + size[i];
    }
    return from + GUTTER;
}

/* Black on nothing, to unref; NULL where libvips has no text, or no font. The sheet then goes
 * without: a caption is not worth an error. */
static VipsImage *write_text(const char *title)
{
    VipsImage *text = NULL;
    char *escaped = g_markup_escape_text(title, -1);
    gx_vips_begin();
    if (!*title || vips_text(&text, escaped, "font", "sans 10", "dpi", 96, NULL))
        text = NULL;
    gx_vips_end();
    g_free(escaped);
    return text;
}

/* As wide as the widest picture of the column; where each picture has a caption, as wide as that. */
static int width_of(const struct sheet *s, int i)
{
    int width = s->cells[i].data ? s->cells[i].width : 1;
    VipsImage *text = s->each && s->titles && s->titles[i] ? write_text(s->titles[i]) : NULL;
    if (text) {
        int room = text->Xsize + 2 * GUTTER;
        width = room > width && room <= WIDEST ? room : width;
        g_object_unref(text);
    }
    return width;
}

static void measure(struct sheet *s)
{
    int captions = s->titles ? CAPTION : 0;
    int *wide = gx_new((size_t)s->columns * sizeof *wide);
    int *high = gx_new((size_t)s->rows * sizeof *high);
    for (int i = 0; i < s->columns * s->rows; i++) {
        int w = width_of(s, i), h = s->cells[i].data ? s->cells[i].height : 1;
        int column = i % s->columns, row = i / s->columns;
        wide[column] = w > wide[column] ? w : wide[column];
        high[row] = h > high[row] ? h : high[row];
    }
    s->width = lay(s->x, s->columns, wide, 0, 0);
    s->height = lay(s->y, s->rows, high, s->each ? 0 : captions, s->each ? captions : 0);
    s->x[s->columns] = s->width;
    s->y[s->rows] = s->height + (s->each ? captions : 0);
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

/* Centred in the column and no wider, above the picture at `bottom`. */
static void caption(struct sheet *s, const char *title, int left, int right, int bottom)
{
    VipsImage *text = write_text(title);
    size_t size;
    unsigned char *mask = text ? vips_image_write_to_memory(text, &size) : NULL;
    int most = right - left;
    for (int y = 0; mask && y < text->Ysize && y < CAPTION; y++)
        for (int x = 0; x < text->Xsize && x < most; x++) {
            int shift = text->Xsize < most ? (most - text->Xsize) / 2 : 0;
            int top = GUTTER + (text->Ysize < TEXT ? (TEXT - text->Ysize) / 2 : 0);
            if (top + y >= CAPTION)
                break;
            size_t row = (size_t)(bottom - GUTTER - CAPTION + top + y);
            float *to = s->data + (row * s->width + left + shift + x) * 3;
            for (int k = 0; k < 3; k++)
                to[k] = paper * (1 - mask[(size_t)y * text->Xsize + x] / 255.0f);
        }
    g_free(mask);
    if (text)
        g_object_unref(text);
}

static int paint(struct sheet *s, struct gx_err *err)
{
    size_t count = (size_t)s->width * s->height * 3;
    s->data = malloc(count * sizeof *s->data);
    if (!s->data)
        return gx_fail(err, GX_E_NOMEM, "no memory for a sheet of %d x %d", s->width, s->height);
    for (size_t i = 0; i < count; i++)
        s->data[i] = paper;
    for (int i = 0; i < s->columns * s->rows; i++) {
        int column = i % s->columns, row = i / s->columns;
        int wide = s->x[column + 1] - s->x[column] - GUTTER;
        int above = s->each && s->titles ? CAPTION : 0;
        int high = s->y[row + 1] - s->y[row] - GUTTER - above;
        const struct gx_pixels *cell = &s->cells[i];
        if (cell->data)
            paste(s, cell, s->x[column] + (wide - cell->width) / 2,
                  s->y[row] + (high - cell->height) / 2);
        if (s->titles && (s->each || !row) && s->titles[i])
            caption(s, s->titles[i], s->x[column], s->x[column + 1] - GUTTER, s->y[row]);
    }
    return 0;
}

/* Leaves a picture of width x height x 3 in s->data, to free. */
static int draw(struct sheet *s, struct gx_err *err)
{
    if (s->columns < 1 || s->rows < 1)
        return gx_fail(err, GX_E_USAGE, "a sheet of %dx%d pictures is empty", s->columns, s->rows);
    s->x = gx_new(((size_t)s->columns + 1) * sizeof *s->x);
    s->y = gx_new(((size_t)s->rows + 1) * sizeof *s->y);
    measure(s);
    int code = paint(s, err);
    free(s->x);
    free(s->y);
    return code;
}

int gx_sheet_draw(int columns, int rows, const struct gx_pixels *cells, const char *const *titles,
                  float **data, int *width, int *height, struct gx_err *err)
{
    struct sheet s = {
        .columns = columns, .rows = rows, .cells = cells, .titles = titles, .each = true};
    int code = draw(&s, err);
    *data = s.data;
    *width = s.width;
    *height = s.height;
    return code;
}

int gx_sheet_write(const char *path, int columns, int rows, const struct gx_pixels *cells,
                   const char *const *titles, struct gx_err *err)
{
    struct sheet s = {.columns = columns, .rows = rows, .cells = cells, .titles = titles};
    struct gx_write_options options = gx_write_defaults;
    options.format = "png";
    int code = draw(&s, err);
    if (!code) {
        const struct gx_pixels whole = {s.data, s.width, s.height, 3, 0, 1};
        code = gx_picture_write(&whole, NULL, &options, path, err);
    }
    free(s.data);
    return code;
}
