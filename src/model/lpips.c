#include "model/lpips.h"

#include "ganx/plan.h"
#include "model/find.h"
#include "net/layers.h"
#include "net/vgg.h"
#include "util/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    LAYERS = 5,
    HALO = 96,                 /* relu5_3 sees 90 pixels beyond its own 16; a multiple of these */
    STRIDE = 1 << (LAYERS - 1) /* of relu5_3 */
};

static const char *const layer_name[LAYERS] = {"relu1_2", "relu2_2", "relu3_3", "relu4_3",
                                               "relu5_3"};

/* Windows along one side of a picture: all of one length, from multiples of 16, the last one to the
 * end. Each is asked about its inner part alone, where it sees what the whole picture would see. */
struct axis {
    int size, window;
};

struct gx_lpips {
    struct gx_network_spec spec;
    struct gx_params params;
    struct gx_lpips_settings settings;
    int64_t budget; /* bytes for values */
    /* for pictures of y.size x x.size; plan NULL: none yet */
    struct axis y, x;
    struct gx_graph *graph;
    struct gx_plan *plan;
    struct gx_node *in, *out[LAYERS]; /* (2,h,w,3); (1,h,w,1) at half the size each */
};

/* ---- the graph ---- */

/* One of both pictures' features. */
static struct gx_node *one_of(struct gx_graph *g, struct gx_node *x, int which)
{
    struct gx_shape s = x->shape;
    return gx_slice(g, x, (struct gx_shape){which, 0, 0, 0}, (struct gx_shape){1, s.h, s.w, s.c});
}

/* (1,h,w,c) -> (1,h,w,1): the lengths of the positions' vectors. */
static struct gx_node *lengths(struct gx_graph *g, struct gx_node *x)
{
    return gx_affine(g, gx_sqrt(g, gx_sum(g, gx_square(g, x), GX_AXIS_C)), 1, 1e-10F);
}

/* x (2,h,w,c): both pictures' features -> (1,h,w,1): their weighted squared difference, as unit
 * vectors. A slice is taken anew for each use, and worked on in place: what is largest here is the
 * first layer's values, and this needs them twice at most. */
static struct gx_node *difference(const struct gx_build *b, struct gx_node *x, int layer)
{
    struct gx_graph *g = b->graph;
    const struct gx_layer_conv point = {1, 1, 0, 0};
    struct gx_node *first_length = lengths(g, one_of(g, x, 0));
    struct gx_node *second_length = lengths(g, one_of(g, x, 1));
    struct gx_node *first = gx_div(g, one_of(g, x, 0), first_length);
    struct gx_node *second = gx_div(g, one_of(g, x, 1), second_length);
    struct gx_node *d = gx_square(g, gx_sub(g, first, second));
    return gx_layer_conv(b, d, 1, point, false, "lin%d.model.1", layer);
}

/* x (2,h,w,3) in -1..1 */
static void build(const struct gx_build *b, struct gx_node *x, struct gx_node **out)
{
    static const float shift[3] = {-0.030F, -0.088F, -0.188F}, scale[3] = {0.458F, 0.448F, 0.450F};
    struct gx_node *y = gx_vgg_normalise(b->graph, x, shift, scale);
    for (int i = 0; i < LAYERS; i++) {
        y = gx_vgg_next(b, y, i ? layer_name[i - 1] : NULL, layer_name[i]);
        out[i] = difference(b, y, i);
    }
}

static struct gx_build build_of(struct gx_lpips *l, struct gx_graph *g)
{
    return (struct gx_build){.graph = g, .params = &l->params, .spec = &l->spec};
}

/* ---- opening ---- */

static int find_file(const char *path, char **file, struct gx_err *err)
{
    if (path)
        return gx_model_find(path, file, err);
    if (!gx_model_installed("vgg16", file, NULL))
        return 0;
    struct gx_arena arena = {0};
    const char *own = gx_model_own_folder(&arena);
    int code = gx_fail(err, GX_E_IO,
                       "no model 'vgg16' is installed, and LPIPS needs it: vgg16.safetensors comes "
                       "with ganx in the folder models; put it into '%s', or name its folder in "
                       "GANX_MODELS",
                       own ? own : "models");
    gx_arena_clear(&arena);
    return code;
}

/* Parameters without a graph that stays. */
static int declare(struct gx_lpips *l, struct gx_err *err)
{
    struct gx_graph *g = gx_graph_new();
    struct gx_build b = build_of(l, g);
    struct gx_node *out[LAYERS];
    build(&b, gx_input(g, (struct gx_shape){2, STRIDE, STRIDE, 3}, "pictures"), out);
    int code = gx_graph_check(g, err);
    gx_graph_free(&g);
    return code;
}

static int set_budget(struct gx_lpips *l, struct gx_err *err)
{
    const int64_t usual = (int64_t)2 << 30;
    int64_t weights = l->params.total * (int64_t)sizeof(float),
            free_now = gx_memory_available() / 2;
    int64_t all = l->settings.max_memory;
    if (!all)
        all = free_now < usual ? free_now : usual;
    l->budget = all - weights;
    return l->budget > 0 ? 0
                         : gx_fail(err, GX_E_NOMEM,
                                   "LPIPS needs %.0f MiB for its weights, and %.0f may be used",
                                   (double)weights / 0x1p20, (double)all / 0x1p20);
}

static int load(struct gx_lpips *l, struct gx_weights *file, struct gx_err *err)
{
    int code = gx_network_infer(&l->spec, file, "", err);
    if (!code && strcmp(l->spec.network->name, "vgg16") != 0)
        code = gx_fail(err, GX_E_FORMAT, "it holds '%s', and LPIPS needs 'vgg16'",
                       l->spec.network->name);
    if (code || (code = declare(l, err)) || (code = gx_params_fit(&l->params, file, "", err)))
        return code;
    gx_params_layout(&l->params);
    if ((code = set_budget(l, err)) || (code = gx_params_allocate(&l->params, err)))
        return code;
    return gx_params_load(&l->params, file, "", err);
}

int gx_lpips_open(struct gx_lpips **lpips, const char *path,
                  const struct gx_lpips_settings *settings, struct gx_err *err)
{
    char *found = NULL;
    struct gx_weights *file = NULL;
    struct gx_lpips *l = gx_new(sizeof *l);
    gx_params_init(&l->params);
    if (settings)
        l->settings = *settings;
    int code = find_file(path, &found, err);
    if (!code)
        code = gx_weights_open(&file, found, err);
    if (!code && (code = load(l, file, err)))
        gx_context(err, code, "cannot load '%s'", found);
    gx_weights_close(&file);
    free(found);
    if (code)
        gx_lpips_close(&l);
    *lpips = l;
    return code;
}

static void forget(struct gx_lpips *l)
{
    gx_plan_free(&l->plan);
    gx_graph_free(&l->graph);
}

void gx_lpips_close(struct gx_lpips **lpips)
{
    struct gx_lpips *l = *lpips;
    if (!l)
        return;
    forget(l);
    gx_params_clear(&l->params);
    free(l);
    *lpips = NULL;
}

/* ---- windows ---- */

static struct axis axis_of(int size, int parts)
{
    int inner = (size + parts - 1) / parts;
    inner = (inner + STRIDE - 1) / STRIDE * STRIDE;
    int window = inner + 2 * HALO + size % STRIDE;
    return (struct axis){size, parts == 1 || window > size ? size : window};
}

/* Where the inner part of the window from `start` ends. */
static int inner_end(struct axis a, int start)
{
    return start + a.window >= a.size ? a.size : start + a.window - a.size % STRIDE - HALO;
}

/* Where the next window starts; the picture's size: it was the last. */
static int next_start(struct axis a, int start)
{
    int end = inner_end(a, start), last = a.size - a.window;
    if (end == a.size)
        return a.size;
    return end - HALO < last ? end - HALO : last;
}

/* ---- plans ---- */

/* A plan for the windows, not allocated. */
static int make_plan(struct gx_lpips *l, struct gx_err *err)
{
    const struct gx_plan_settings settings = {
        .kernels = l->settings.kernels, .threads = l->settings.threads, .inference = true};
    forget(l);
    l->graph = gx_graph_new();
    struct gx_build b = build_of(l, l->graph);
    l->in = gx_input(l->graph, (struct gx_shape){2, l->y.window, l->x.window, 3}, "pictures");
    build(&b, l->in, l->out);
    for (int i = 0; i < LAYERS; i++)
        gx_keep(l->out[i]);
    return gx_plan_new(&l->plan, l->graph, &settings, err);
}

/* The largest windows that fit the budget. */
static int plan_windows(struct gx_lpips *l, int h, int w, struct gx_err *err)
{
    int parts_y = 1, parts_x = 1;
    for (;;) {
        l->y = axis_of(h, parts_y);
        l->x = axis_of(w, parts_x);
        int code = make_plan(l, err);
        if (code)
            return code;
        int64_t bytes = gx_plan_facts(l->plan).arena;
        if (bytes <= l->budget)
            return gx_plan_allocate(l->plan, err);
        bool tall = l->y.window >= l->x.window;
        if ((tall ? l->y.window : l->x.window) < 2 * HALO + 2 * STRIDE)
            return gx_fail(err, GX_E_NOMEM,
                           "LPIPS of %d x %d pixels needs %.0f MiB of memory even in windows of "
                           "%d x %d, and %.0f may be used",
                           w, h, (double)bytes / 0x1p20, l->x.window, l->y.window,
                           (double)l->budget / 0x1p20);
        *(tall ? &parts_y : &parts_x) += 1;
    }
}

static int prepare(struct gx_lpips *l, int h, int w, struct gx_err *err)
{
    if (h < GX_LPIPS_SIDE || w < GX_LPIPS_SIDE)
        return gx_fail(err, GX_E_SHAPE, "LPIPS takes pictures from %d x %d pixels, not %d x %d",
                       GX_LPIPS_SIDE, GX_LPIPS_SIDE, w, h);
    if (l->plan && l->y.size == h && l->x.size == w)
        return 0;
    int code = plan_windows(l, h, w, err);
    if (code)
        forget(l);
    return code;
}

/* ---- measuring ---- */

/* The window at (top, left) of one picture as colour in -1..1. */
static void fill(const struct gx_lpips *l, const struct gx_pair *p, const float *from, int top,
                 int left, float *to)
{
    float scale = 2 / (p->hi - p->lo);
    for (int y = 0; y < l->y.window; y++) {
        const float *row = from + ((size_t)(top + y) * p->w + left) * p->c;
        for (int x = 0; x < l->x.window; x++)
            for (int k = 0; k < 3; k++)
                *to++ = (row[(size_t)x * p->c + (p->c < 3 ? 0 : k)] - p->lo) * scale - 1;
    }
}

/* A layer's sum over the inner part (from..to) of the window at (top, left). */
static double sum_inner(const struct gx_lpips *l, int layer, const int from[2], const int to[2],
                        int top, int left)
{
    const struct gx_shape s = l->out[layer]->shape;
    const float *map = gx_plan_value(l->plan, l->out[layer]);
    double sum = 0;
    for (int y = (from[0] - top) >> layer; y < (to[0] - top) >> layer; y++)
        for (int x = (from[1] - left) >> layer; x < (to[1] - left) >> layer; x++)
            sum += map[(size_t)y * s.w + x];
    return sum;
}

static double measure_one(struct gx_lpips *l, const struct gx_pair *p, const float *a,
                          const float *b)
{
    size_t window = (size_t)l->y.window * l->x.window * 3;
    double sum[LAYERS] = {0}, value = 0;
    int from[2] = {0}, to[2];
    for (int top = 0; top < p->h; from[0] = to[0], top = next_start(l->y, top)) {
        to[0] = inner_end(l->y, top);
        from[1] = 0;
        for (int left = 0; left < p->w; from[1] = to[1], left = next_start(l->x, left)) {
            to[1] = inner_end(l->x, left);
            fill(l, p, a, top, left, gx_plan_value(l->plan, l->in));
            fill(l, p, b, top, left, gx_plan_value(l->plan, l->in) + window);
            gx_plan_run(l->plan, 0, 1, 0);
            for (int i = 0; i < LAYERS; i++)
                sum[i] += sum_inner(l, i, from, to, top, left);
        }
    }
    for (int i = 0; i < LAYERS; i++)
        value += sum[i] / ((double)(p->h >> i) * (p->w >> i));
    return value;
}

int gx_lpips_measure(struct gx_lpips *lpips, const struct gx_pair *pair, double *value,
                     struct gx_err *err)
{
    size_t picture = (size_t)pair->h * pair->w * pair->c;
    int code = prepare(lpips, pair->h, pair->w, err);
    *value = 0;
    for (int n = 0; n < pair->count && !code; n++)
        *value +=
            measure_one(lpips, pair, pair->a + n * picture, pair->b + n * picture) / pair->count;
    return code;
}
