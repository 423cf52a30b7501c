/* Super-resolution of pictures of any size: bands of tiles, of which one is in memory at a time. */
#include "ganx/image.h"
#include "model/model.h"
#include "model/tiles.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    REACH_MAX = 64, /* beyond it a border as wide would make too much work */
    BORDER = 32,    /* then this is taken */
    BORDER_MIN = 2, /* alpha's bicubic sees so far */
    TURNS = 8       /* of a picture: mirrored both ways, and turned */
};

static const int64_t usual_memory = (int64_t)1 << 30;

/* ---- the plan ---- */

/* What tiles and rows need, from two plans: values are nearly all that grows with the tile. */
static int measure(struct gx_tiles_need *need, struct gx_model *model, const struct gx_upscale *u,
                   int border, struct gx_err *err)
{
    const struct gx_model_facts *m = &model->facts;
    int small = gx_round_up(2 * border + 16, m->multiple), large = 2 * small;
    double area = (double)u->scale * u->scale, sides = (double)small * small;
    int64_t less = 0, more = 0;
    int code = gx_model_needs(model, small, small, &less, err);
    if (!code)
        code = gx_model_needs(model, large, large, &more, err);
    double slope = (double)(more - less) / (3 * sides), tilted = u->tta ? 2 : 1;
    bool alpha = u->channels == 2 || u->channels == 4;
    *need = (struct gx_tiles_need){
        .fixed = tilted * ((double)less - slope * sides),
        .region = tilted * slope +
                  (double)sizeof(float) * ((u->tta ? area * m->channels_out : 0) +
                                           (alpha && u->alpha == GX_ALPHA_BICUBIC ? 1 + area : 0)),
        .band_in = (double)sizeof(float) * u->channels,
        .band_out = (double)sizeof(float) * u->channels * area};
    return code;
}

static int too_little(const struct gx_upscale *u, double needed, double budget, bool whole,
                      struct gx_err *err)
{
    return gx_fail(err, GX_E_NOMEM, "%s of its %d x %d pixels need %.1f MiB of memory of %.1f%s",
                   whole ? "tiles" : "even the smallest tiles", u->width, u->height,
                   needed / 0x1p20, budget / 0x1p20,
                   whole ? ", for the network looks at all of the picture" : "");
}

/* Tiles by the measure, which is put right until their own plan agrees. */
static int choose_tiles(struct gx_upscale *u, struct gx_model *model, int width, int height,
                        int border, double budget, struct gx_err *err)
{
    struct gx_tiles_need need;
    int multiple = model->facts.multiple, code = measure(&need, model, u, border, err);
    for (int tries = 0; !code && tries < 8; tries++) {
        int64_t plan = 0;
        if (!gx_tiles_choose(width, height, border, multiple, &need, budget, &u->x, &u->y)) {
            u->x = gx_tiles_of(width, 1, border, multiple);
            u->y = gx_tiles_of(height, 1, border, multiple);
            return too_little(u, gx_tiles_bytes(&need, &u->x, &u->y), budget, false, err);
        }
        double bytes = gx_tiles_bytes(&need, &u->x, &u->y);
        double tile = need.fixed + need.region * u->x.region * u->y.region;
        u->bytes = (int64_t)bytes;
        if (bytes < budget / 2)
            return 0;
        code = gx_model_needs(model, u->x.region, u->y.region, &plan, err);
        double over = (double)plan * (u->tta ? 2 : 1) - tile;
        if (over <= 0 || bytes + over <= budget)
            return code;
        need.region += over / ((double)u->x.region * u->y.region);
    }
    return code;
}

/* Tiles whose size was asked for, or the picture as one. */
static int take_tiles(struct gx_upscale *u, struct gx_model *model, bool whole, double budget,
                      struct gx_err *err)
{
    struct gx_tiles_need need;
    int64_t plan = 0;
    int code = measure(&need, model, u, u->x.border, err);
    if (!code)
        code = gx_model_needs(model, u->x.region, u->y.region, &plan, err);
    need.fixed = (double)plan * (u->tta ? 2 : 1);
    need.region = 0;
    double bytes = gx_tiles_bytes(&need, &u->x, &u->y);
    u->bytes = (int64_t)bytes;
    return code || bytes <= budget ? code : too_little(u, bytes, budget, whole, err);
}

static int check_channels(const struct gx_model_facts *m, int width, int height, int channels,
                          struct gx_err *err)
{
    if (m->channels_in != m->channels_out || m->channels_in == 4)
        return gx_fail(err, GX_E_FORMAT, "the model makes %d channels of %d", m->channels_out,
                       m->channels_in);
    if (width < 1 || height < 1 || channels < 1 || channels > 4)
        return gx_fail(err, GX_E_SHAPE, "a picture of %d x %d x %d", width, height, channels);
    if (m->channels_in == 1 && channels > 2)
        return gx_fail(err, GX_E_SHAPE, "the model takes grey pictures only");
    return 0;
}

int gx_upscale_plan(struct gx_upscale *u, struct gx_model *model, int width, int height,
                    int channels, const struct gx_upscale_settings *s, struct gx_err *err)
{
    const struct gx_model_facts *m = &model->facts;
    int reach = m->reach, border, multiple = m->multiple;
    int wide = gx_round_up(width, multiple), high = gx_round_up(height, multiple);
    double budget = (double)(s->max_memory ? s->max_memory : usual_memory);
    if (budget > (double)model->budget)
        budget = (double)model->budget;
    *u = (struct gx_upscale){.width = width,
                             .height = height,
                             .channels = channels,
                             .scale = m->scale,
                             .tta = s->tta,
                             .alpha = s->alpha};
    int code = check_channels(m, width, height, channels, err);
    if (code)
        return code;
    if (s->own_border)
        border = reach >= 0 && s->border > reach ? reach : s->border;
    else
        border = reach >= 0 && reach <= REACH_MAX ? reach : BORDER;
    bool enough = reach >= 0 && border >= reach, whole = reach < 0 && !s->tile;
    border = gx_round_up(border > BORDER_MIN ? border : BORDER_MIN, multiple);
    if (s->tile || whole) {
        u->x = gx_tiles_of(wide, whole ? wide : s->tile, border, multiple);
        u->y = gx_tiles_of(high, whole ? high : s->tile, border, multiple);
        code = take_tiles(u, model, whole, budget, err);
    } else {
        code = choose_tiles(u, model, wide, high, border, budget, err);
    }
    u->exact = enough || (u->x.count == 1 && u->y.count == 1);
    u->work =
        (double)u->x.count * u->x.region * u->y.count * u->y.region / ((double)width * height);
    return code;
}

/* ---- the work ---- */

struct run {
    const struct gx_upscale *u;
    struct gx_model *model;
    const struct gx_upscale_rows *rows;
    float *in;    /* the band: y.region rows of x.size pixels of `channels` */
    float *out;   /* its result: rows of width * scale pixels */
    float *sum;   /* of a tile's results, if there are several: the plan's output otherwise */
    float *plane; /* a tile's alpha, and the same enlarged; NULL unless that is bicubic */
    int held;     /* rows of the picture (not mirrored ones) that were read */
    /* a band's rows are written beside the arithmetic of the next one's first tile */
    pthread_t writer;
    bool writing;
    int rows_to_write, write_code;
    struct gx_err write_err;
};

/* Where a mirrored picture of n pixels has its i-th one. */
static int mirrored(int i, int n)
{
    if (n == 1)
        return 0;
    int period = 2 * (n - 1), k = i % period;
    return k < n ? k : period - k;
}

static float *band_row(const struct run *r, int row)
{
    return r->in + (size_t)row * (size_t)r->u->x.size * (size_t)r->u->channels;
}

/* One row of the picture, continued to the right. */
static int read_row(struct run *r, float *to, struct gx_err *err)
{
    size_t c = (size_t)r->u->channels;
    int code = r->rows->read(r->rows->state, 1, to, err);
    for (int x = r->u->width; !code && x < r->u->x.size; x++)
        memcpy(to + (size_t)x * c, to + (size_t)mirrored(x, r->u->width) * c, c * sizeof *to);
    return code;
}

/* The rows of band j; those that it shares with the one before are there. */
static int read_band(struct run *r, int j, struct gx_err *err)
{
    const struct gx_upscale *u = r->u;
    size_t row = (size_t)u->x.size * (size_t)u->channels * sizeof(float);
    int start = gx_tile_start(&u->y, j), end = start + u->y.region, code = 0;
    if (j) {
        int before = gx_tile_start(&u->y, j - 1);
        memmove(r->in, band_row(r, start - before), (size_t)(r->held - start) * row);
    }
    for (; !code && r->held < end && r->held < u->height; r->held++)
        code = read_row(r, band_row(r, r->held - start), err);
    for (int y = u->height; !code && y < end; y++)
        memcpy(band_row(r, y - start), band_row(r, mirrored(y, u->height) - start), row);
    return code;
}

/* ---- rows out ---- */

static void *write_band(void *argument)
{
    struct run *r = argument;
    r->write_code = r->rows->write(r->rows->state, r->rows_to_write, r->out, &r->write_err);
    return NULL;
}

static void begin_writing(struct run *r, int rows)
{
    r->rows_to_write = rows;
    r->writing = !pthread_create(&r->writer, NULL, write_band, r);
    if (!r->writing)
        write_band(r);
}

/* The last band's rows are gone, and its room is free. */
static int end_writing(struct run *r, struct gx_err *err)
{
    if (r->writing)
        pthread_join(r->writer, NULL);
    r->writing = false;
    if (r->write_code && err)
        *err = r->write_err;
    return r->write_code;
}

/* ---- a tile ---- */

struct tile {
    int x, y;          /* where its region begins */
    int left, top;     /* its result's corner ... */
    int right, bottom; /* ... and the opposite one, outside */
};

static struct tile tile_at(const struct gx_upscale *u, int i, int j)
{
    struct tile t = {.x = gx_tile_start(&u->x, i),
                     .y = gx_tile_start(&u->y, j),
                     .left = gx_tile_from(&u->x, i),
                     .top = gx_tile_from(&u->y, j),
                     .right = gx_tile_from(&u->x, i + 1),
                     .bottom = gx_tile_from(&u->y, j + 1)};
    t.right = t.right < u->width ? t.right : u->width;
    t.bottom = t.bottom < u->height ? t.bottom : u->height;
    return t;
}

/* Where pixel (x, y) of w x h is when the picture is turned: its index. */
static size_t turned(int turn, int x, int y, int w, int h)
{
    if (turn & 1)
        x = w - 1 - x;
    if (turn & 2)
        y = h - 1 - y;
    return turn & 4 ? (size_t)x * (size_t)h + (size_t)y : (size_t)y * (size_t)w + (size_t)x;
}

/* The network's input: colour, or alpha as a grey picture. */
static void fill(const struct run *r, const struct tile *t, bool alpha, int turn, float *to)
{
    const struct gx_upscale *u = r->u;
    int c = u->channels, ci = r->model->facts.channels_in;
    int first = alpha ? c - 1 : 0, next = alpha || c < 3 ? 0 : 1;
    for (int y = 0; y < u->y.region; y++) {
        const float *from = band_row(r, y) + (size_t)t->x * (size_t)c;
        for (int x = 0; x < u->x.region; x++, from += c) {
            float *pixel = to + turned(turn, x, y, u->x.region, u->y.region) * (size_t)ci;
            for (int k = 0; k < ci; k++)
                pixel[k] = from[first + k * next];
        }
    }
}

static void add_turned(const struct run *r, int turn, const float *from)
{
    int c = r->model->facts.channels_out, w = r->u->x.region * r->u->scale;
    int h = r->u->y.region * r->u->scale;
    float *sum = r->sum;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            for (int k = 0; k < c; k++) {
                float value = from[turned(turn, x, y, w, h) * (size_t)c + (size_t)k] / TURNS;
                *sum = turn ? *sum + value : value;
                sum++;
            }
}

/* Gives the region's result, of the network's channels. */
static int compute(struct run *r, const struct tile *t, bool alpha, const float **result,
                   struct gx_err *err)
{
    const struct gx_upscale *u = r->u;
    for (int turn = 0; turn < (u->tta ? TURNS : 1); turn++) {
        struct gx_model_plan *p;
        bool tilted = turn & 4;
        int code = gx_model_prepare(r->model, tilted ? u->y.region : u->x.region,
                                    tilted ? u->x.region : u->y.region, 1, &p, err);
        if (code)
            return code;
        fill(r, t, alpha, turn, gx_plan_value(p->plan, p->in));
        gx_plan_run(p->plan, 0, r->model->settings.seed, 0);
        *result = gx_plan_value(p->plan, p->out); /* stays there: nobody else computes */
        gx_model_leave(r->model, p);
        if (!gx_all_finite(*result, gx_count(p->out->shape)))
            return gx_fail(err, GX_E_NUMERIC,
                           "the model's result holds values that are not finite");
        if (u->tta)
            add_turned(r, turn, *result);
    }
    if (u->tta)
        *result = r->sum;
    return 0;
}

static float grey(const float *rgb, int channels)
{
    return channels == 1 ? rgb[0] : 0.299F * rgb[0] + 0.587F * rgb[1] + 0.114F * rgb[2];
}

/* Where the result's row y, from pixel t->left of the input on, goes; and lies in the region. */
static float *out_row(const struct run *r, const struct tile *t, int y)
{
    const struct gx_upscale *u = r->u;
    size_t row = (size_t)u->width * (size_t)u->scale;
    return r->out + ((size_t)y * row + (size_t)t->left * (size_t)u->scale) * (size_t)u->channels;
}

static size_t region_index(const struct gx_upscale *u, const struct tile *t, int y)
{
    size_t row = (size_t)u->x.region * (size_t)u->scale;
    return ((size_t)(t->top - t->y) * (size_t)u->scale + (size_t)y) * row +
           (size_t)(t->left - t->x) * (size_t)u->scale;
}

static int make_colour(struct run *r, const struct tile *t, struct gx_err *err)
{
    const struct gx_upscale *u = r->u;
    int c = u->channels, co = r->model->facts.channels_out;
    const float *result = NULL;
    int code = compute(r, t, false, &result, err);
    if (!code)
        code = end_writing(r, err);
    for (int y = 0; !code && y < (t->bottom - t->top) * u->scale; y++) {
        const float *from = result + region_index(u, t, y) * (size_t)co;
        float *to = out_row(r, t, y);
        for (int x = 0; x < (t->right - t->left) * u->scale; x++, from += co, to += c) {
            if (c >= 3)
                memcpy(to, from, 3 * sizeof *to);
            else
                to[0] = grey(from, co);
        }
    }
    return code;
}

/* ---- its alpha ---- */

static float alpha_at(const struct run *r, const struct tile *t, int x, int y)
{
    int c = r->u->channels;
    return band_row(r, y)[(size_t)(t->x + x) * (size_t)c + (size_t)(c - 1)];
}

/* Whether the pixels around (x, y) of the region, as far as there are some, equal it. */
static bool is_flat(const struct run *r, const struct tile *t, int x, int y, int around)
{
    int w = r->u->x.region, h = r->u->y.region;
    float middle = alpha_at(r, t, x, y);
    for (int v = y < around ? 0 : y - around; v <= y + around && v < h; v++)
        for (int u = x < around ? 0 : x - around; u <= x + around && u < w; u++)
            if (alpha_at(r, t, u, v) != middle)
                return false;
    return true;
}

/* Gives the region's enlarged alpha, `channels` floats a pixel. */
static int enlarge_alpha(struct run *r, const struct tile *t, const float **result, int *channels,
                         struct gx_err *err)
{
    int w = r->u->x.region, h = r->u->y.region, s = r->u->scale;
    *channels = r->plane ? 1 : r->model->facts.channels_out;
    if (!r->plane)
        return compute(r, t, true, result, err);
    float *large = r->plane + (size_t)w * (size_t)h;
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++)
            r->plane[(size_t)y * (size_t)w + (size_t)x] = alpha_at(r, t, x, y);
    *result = large;
    return gx_resize(r->plane, 1, h, w, 1, large, h * s, w * s, GX_FILTER_BICUBIC, err);
}

/* What is flat stays as it is, however the rest is made: opaque is opaque. */
static int make_alpha(struct run *r, const struct tile *t, struct gx_err *err)
{
    const struct gx_upscale *u = r->u;
    const struct gx_model_facts *m = &r->model->facts;
    const float *result = NULL;
    int s = u->scale, c = u->channels, co = 1, code = 0;
    int larger = u->x.region > u->y.region ? u->x.region : u->y.region;
    if (s > 1 && !is_flat(r, t, 0, 0, larger) && (code = enlarge_alpha(r, t, &result, &co, err)))
        return code;
    for (int y = t->top; y < t->bottom; y++)
        for (int x = t->left; x < t->right; x++) {
            float kept = alpha_at(r, t, x - t->x, y - t->y);
            bool flat = !result || is_flat(r, t, x - t->x, y - t->y, 1);
            for (int k = 0; k < s * s; k++) {
                int v = (y - t->top) * s + k / s, at = (x - t->left) * s + k % s;
                float value = kept;
                if (!flat)
                    value = grey(result + (region_index(u, t, v) + (size_t)at) * (size_t)co, co);
                value = value < m->low ? m->low : value > m->high ? m->high : value;
                out_row(r, t, v)[(size_t)at * (size_t)c + (size_t)(c - 1)] = value;
            }
        }
    return 0;
}

/* ---- all of them ---- */

static int make_band(struct run *r, int j, struct gx_err *err)
{
    const struct gx_upscale *u = r->u;
    struct tile t = {0};
    int code = 0;
    for (int i = 0; !code && i < u->x.count; i++) {
        t = tile_at(u, i, j);
        code = make_colour(r, &t, err);
        if (!code && (u->channels == 2 || u->channels == 4))
            code = make_alpha(r, &t, err);
        if (!code && r->rows->step)
            code = r->rows->step(r->rows->state,
                                 (int64_t)t.top * u->width + (int64_t)(t.bottom - t.top) * t.right,
                                 err);
    }
    if (!code)
        begin_writing(r, (t.bottom - t.top) * u->scale);
    return code;
}

static int allocate(struct run *r, struct gx_err *err)
{
    const struct gx_upscale *u = r->u;
    size_t c = (size_t)u->channels, s = (size_t)u->scale;
    size_t region = (size_t)u->x.region * (size_t)u->y.region;
    size_t made = region * s * s, co = (size_t)r->model->facts.channels_out;
    bool bicubic = (c == 2 || c == 4) && u->alpha == GX_ALPHA_BICUBIC;
    r->in = malloc((size_t)u->x.size * (size_t)u->y.region * c * sizeof(float));
    r->out = malloc((size_t)u->width * s * (size_t)gx_tile_longest(&u->y) * s * c * sizeof(float));
    r->sum = u->tta ? malloc(made * co * sizeof(float)) : NULL;
    r->plane = bicubic ? malloc((region + made) * sizeof(float)) : NULL;
    if (!r->in || !r->out || (u->tta && !r->sum) || (bicubic && !r->plane))
        return gx_fail(err, GX_E_NOMEM, "no memory for rows of %d pixels", u->width * u->scale);
    return 0;
}

int gx_upscale_run(const struct gx_upscale *u, struct gx_model *model,
                   const struct gx_upscale_rows *rows, struct gx_err *err)
{
    struct run r = {.u = u, .model = model, .rows = rows};
    int code = allocate(&r, err);
    for (int j = 0; !code && j < u->y.count; j++) {
        code = read_band(&r, j, err);
        if (!code)
            code = make_band(&r, j, err);
    }
    int written = end_writing(&r, code ? NULL : err);
    code = code ? code : written;
    free(r.in);
    free(r.out);
    free(r.sum);
    free(r.plane);
    return code;
}
