/* Sums transformed back to pictures, for y and dx (winograd.h). */
#include "kernel/simd/after.h"
#include "kernel/simd/winograd.h"

/* Where the outputs of a tile go: m x m pixels from `pixel` on, at (row, col), which may lie outside
 * of the picture, as those that follow may. */
struct place {
    int64_t pixel;
    int row, col;
};

/* WHOLE: all pixels lie inside, and all lanes of the vector are there. PLAIN: the same, and there is no
 * more to do than to add the bias, or, ACTIVATED, to make what is negative smaller by one slope. */
enum kind { ANY, WHOLE, PLAIN, ACTIVATED };

/* One vector of channels of a tile, whose sums are `step` floats apart. */
GX_INLINE void output_vector(const int points, const int m, const enum kind kind,
                             const struct gx_output *o, const struct gx_after *after,
                             struct place to, const float *sums, int64_t step, vf bias, float *y,
                             int count)
{
    const vf slope = gx_splat(after->slope);
    vf half[GX_OUTPUTS * GX_POINTS], out[GX_OUTPUTS];
    for (int b = 0; b < points; b++) {
        vf in[GX_POINTS];
        for (int a = 0; a < points; a++)
            in[a] = gx_load(sums + (points * a + b) * step);
        gx_collect(points, m, in, 1, half + b, points);
    }
    for (int a = 0; a < m; a++, to.row += o->apart, to.pixel += (int64_t)o->apart * o->w) {
        if (kind == ANY && (to.row < 0 || to.row >= o->h))
            continue;
        gx_collect(points, m, half + points * a, 1, out, 1);
        for (int b = 0; b < m; b++) {
            int64_t pixel = to.pixel + (int64_t)b * o->apart;
            int col = to.col + b * o->apart;
            vf v = out[b] + bias;
            if (kind == WHOLE)
                gx_store(y + pixel * o->step, gx_after_vector(after, v, pixel, GX_LANES));
            else if (kind != ANY)
                gx_store(y + pixel * o->step, kind == ACTIVATED ? gx_leaky(v, v, slope) : v);
            else if (col >= 0 && col < o->w)
                gx_store_some(y + pixel * o->step, gx_after_vector(after, v, pixel, count), count);
        }
    }
}

typedef void output_function(const struct gx_output *o, const struct gx_after *after,
                             enum kind kind, struct place to, const float *sums, int64_t step,
                             vf bias, float *y, int count);

#define DEFINE(p, r)                                                                               \
    static void output_##p##_##r(const struct gx_output *o, const struct gx_after *after,          \
                                 enum kind kind, struct place to, const float *sums, int64_t step, \
                                 vf bias, float *y, int count)                                     \
    {                                                                                              \
        if (kind == PLAIN)                                                                         \
            output_vector(p, p + 1 - r, PLAIN, o, after, to, sums, step, bias, y, count);          \
        else if (kind == ACTIVATED)                                                                \
            output_vector(p, p + 1 - r, ACTIVATED, o, after, to, sums, step, bias, y, count);      \
        else if (kind == WHOLE)                                                                    \
            output_vector(p, p + 1 - r, WHOLE, o, after, to, sums, step, bias, y, count);          \
        else                                                                                       \
            output_vector(p, p + 1 - r, ANY, o, after, to, sums, step, bias, y, count);            \
    }
GX_EACH_FORM(DEFINE)

void GX_TIERED(winograd_output)(const struct gx_winograd *f, const struct gx_output *o,
                                const struct gx_tiles *tiles, struct gx_phase phase,
                                const float *sums, int room, int64_t first, int count, int n,
                                int width)
{
#define ROW(p, r) [p][r] = output_##p##_##r,
    static output_function *const functions[GX_POINTS + 1][GX_TAPS + 1] = {GX_EACH_FORM(ROW)};
#undef ROW
    output_function *put = functions[f->points][f->r];
    int padded = width > GX_LANES ? GX_COLS : GX_LANES, reach = (f->m - 1) * o->apart;
    enum kind kind = !gx_after_more(o->after)       ? PLAIN
                     : gx_after_activates(o->after) ? ACTIVATED
                                                    : WHOLE;
    for (int v = 0; v < width; v += GX_LANES) {
        int lanes = gx_least(GX_LANES, width - v);
        struct gx_after after = {0};
        if (o->after)
            after = gx_after_from(o->after, n + v, o->channels);
        vf bias = after.bias ? gx_load_some(after.bias, lanes) : (vf){0};
        if (after.bias && o->shuffled) {
            const float *four = o->after->bias + 4 * (n + v);
            bias = gx_every_fourth(four, four + 2 * GX_LANES, 2 * phase.row + phase.col);
        }
        struct gx_corner k = gx_corner_of(tiles, first);
        for (int t = 0; t < count; t++, gx_corner_next(tiles, &k)) {
            struct place to = {gx_output_pixel(o, phase, k),
                               k.row * o->apart + o->first_row + phase.row,
                               k.col * o->apart + o->first_col + phase.col};
            bool inside =
                to.row >= 0 && to.col >= 0 && to.row + reach < o->h && to.col + reach < o->w;
            put(o, &after, inside && lanes == GX_LANES ? kind : ANY, to,
                sums + (int64_t)t * padded + v, (int64_t)room * padded, bias, o->y + n + v, lanes);
        }
    }
}
