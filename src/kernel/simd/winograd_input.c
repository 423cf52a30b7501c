/* Tiles of pictures, read and transformed, for all three products (winograd.h). */
#include "kernel/simd/winograd.h"

/* The pixel of a line that is shown at this place; -1: none. */
static inline int shown(int at, int size, bool mirrored)
{
    int other = at < 0 ? -at : 2 * (size - 1) - at;
    if (at >= 0 && at < size)
        return at;
    return mirrored && other >= 0 && other < size ? other : -1;
}

struct gx_view GX_TIERED(winograd_view)(const struct gx_tiles *v, int64_t tile, int width,
                                        float *patch)
{
    struct gx_corner k = gx_corner_of(v, tile);
    int row = k.row * v->stride + v->oy, col = k.col * v->stride + v->ox;
    int reach = (v->side - 1) * v->stride;
    int64_t pixel = v->pixel ? v->pixel : v->c, line = v->w * pixel;
    const float *image = v->x + k.n * v->h * line;
    struct gx_view view = {image + row * line + col * pixel, v->stride * line, v->stride * pixel};
    if (row >= 0 && row + reach < v->h && col >= 0 && col + reach < v->w && width == v->c)
        return view;
    for (int i = 0; i < v->side; i++)
        for (int j = 0; j < v->side; j++) {
            int y = shown(row + i * v->stride, v->h, v->mirrored);
            int z = shown(col + j * v->stride, v->w, v->mirrored);
            float *to = patch + ((int64_t)i * v->side + j) * width;
            int known = y >= 0 && z >= 0 ? v->c : 0;
            gx_copy(to, image + y * line + z * pixel, known);
            gx_zero(to + known, width - known);
        }
    return (struct gx_view){patch, (int64_t)v->side * width, width};
}

/* B' x B of a vector of a tile's channels, each element to where that begins. */
GX_INLINE void input_vector(const int points, struct gx_view from, const int64_t *element,
                            float *to)
{
    vf half[GX_ELEMENTS], out[GX_POINTS];
    for (int j = 0; j < points; j++) {
        vf in[GX_POINTS];
        for (int i = 0; i < points; i++)
            in[i] = gx_load(from.x + i * from.row + j * from.col);
        gx_interpolate(points, in, 1, half + j, points);
    }
    for (int i = 0; i < points; i++) {
        gx_interpolate(points, half + points * i, 1, out, 1);
        for (int j = 0; j < points; j++)
            gx_store(to + element[points * i + j], out[j]);
    }
}

/* One phase of the picture, to the channels from `channel` on. */
GX_INLINE void input_phase(const int points, const struct gx_tiles *v, int64_t first, int count,
                           int at, int channel, const struct gx_layout *l, float *blocks,
                           float *patch)
{
    int width = (v->c + GX_LANES - 1) / GX_LANES * GX_LANES;
    for (int tile = 0; tile < count; tile++) {
        struct gx_view from = GX_TIERED(winograd_view)(v, first + tile, width, patch);
        float *to = blocks + (int64_t)(at + tile) * GX_LDA;
        for (int c = 0; c < width; c += GX_LANES, from.x += GX_LANES)
            input_vector(points, from, l->element, to + gx_channel(l, channel + c));
    }
}

typedef void input_function(const struct gx_tiles *v, int64_t first, int count, int at, int channel,
                            const struct gx_layout *l, float *blocks, float *patch);

#define DEFINE_INPUT(points)                                                                       \
    static void input_##points(const struct gx_tiles *v, int64_t first, int count, int at,         \
                               int channel, const struct gx_layout *l, float *blocks,              \
                               float *patch)                                                       \
    {                                                                                              \
        input_phase(points, v, first, count, at, channel, l, blocks, patch);                       \
    }
DEFINE_INPUT(3)
DEFINE_INPUT(4)
DEFINE_INPUT(6)

void GX_TIERED(winograd_input)(const struct gx_winograd *f, const struct gx_tiles *v, bool phases,
                               int64_t first, int count, int at, const struct gx_layout *l,
                               float *blocks, float *patch)
{
    static input_function *const functions[] = {[3] = input_3, [4] = input_4, [6] = input_6};
    for (int p = 0; p < (phases ? f->stride * f->stride : 1); p++) {
        struct gx_tiles phase = *v;
        if (phases) {
            struct gx_phase q = gx_phase_of(f, p);
            phase.oy += q.row, phase.ox += q.col;
        }
        functions[f->points](&phase, first, count, at, p * v->c, l, blocks, patch);
    }
}
