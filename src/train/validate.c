/* Held-out pictures: what the generator makes of them, as numbers and as a grid to look at. They go
 * through one at a time, as translation would take them, so results never depend on neighbours. */
#include "train/training.h"

#include "ganx/image.h"
#include "model/find.h"
#include "util/arena.h"
#include "util/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The length of a file's name without folders and suffix; *name is where it begins. */
static size_t stem_of(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    return gx_stem_length(*name);
}

/* Whether the pictures of both slots belong together: by the layout, or since their names do. */
static bool are_pairs(const struct gx_dataset *data)
{
    const struct gx_split *held = &data->held;
    if (data->layout->aligned)
        return true;
    if (held->count[0] != held->count[1])
        return false;
    for (size_t i = 0; i < held->count[0]; i++) {
        const char *a, *b;
        size_t length = stem_of(held->view[0][i].path, &a);
        if (length != stem_of(held->view[1][i].path, &b) || memcmp(a, b, length) != 0)
            return false;
    }
    return true;
}

enum { FIGURES_MAX = 8 };

/* What the held-out pictures are good for. */
static int judge_held(struct gx_training *t, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    v->measured = v->preview.target && are_pairs(&t->data);
    if (v->preview.target && !v->measured)
        gx_training_say(t, false, "validation",
                        "the held-out pictures are not pairs by name: they are drawn, and nothing "
                        "is measured");
    if (v->preview.left_out)
        gx_training_say(t, false, "samples", "sample grids have room for %d of %d domains",
                        t->game.labels.count - v->preview.left_out, t->game.labels.count);
    if (!v->measured && t->schedule.kind == GX_SCHEDULE_PLATEAU)
        return gx_fail(err, GX_E_CONFIG,
                       "optim.schedule plateau follows a measure of held-out pictures, and here is "
                       "nothing that they should equal");
    return 0;
}

/* Whether held-out pictures are seen through a square of their own, val.crop. */
static bool has_crop(const struct gx_training *t)
{
    return t->game.photos;
}

/* The size of held-out samples: that of the step's, or a square that fits into the middle of each
 * of them. */
static int size_held(struct gx_training *t, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    const struct gx_split *held = &t->data.held;
    v->height = t->height;
    v->width = t->width;
    if (!has_crop(t))
        return 0;
    struct gx_prepare prepare = gx_training_prepare(t, false);
    const struct gx_network_spec *spec = &t->game.net[0].spec;
    int multiple = t->game.shrink[0] * spec->network->multiple(spec);
    int side = t->config->val.crop;
    prepare.crop_size = 0;
    for (int k = t->data.made; k < t->data.layout->slots; k++) /* those that are files */
        for (size_t i = 0; i < held->count[k]; i++) {
            int h, w;
            /* one that cannot be read is for the loader to deal with */
            if (!gx_sample_size(&held->view[k][i], k, &prepare, &h, &w, NULL)) {
                side = h < side ? h : side;
                side = w < side ? w : side;
            }
        }
    v->height = v->width = side - side % multiple;
    return v->height
               ? 0
               : gx_fail(err, GX_E_CONFIG,
                         "a held-out picture has a side of %d pixels, and network %s needs %d",
                         side, t->game.net[0].name, multiple);
}

/* What depends on weights alone is made once for all pictures; or, where that takes more than there
 * is room for (0: no matter), for each anew. */
static int plan_preview(struct gx_training *t, int64_t room, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    struct gx_plan_settings settings = {
        .kernels = t->kernels, .threads = t->threads, .inference = !room, .max_memory = room};
    v->preview = (struct gx_preview){0};
    t->game.family->build_preview(&t->game, 1, v->height, v->width, &v->preview);
    int code = gx_plan_new(&v->plan, v->preview.graph, &settings, err);
    if (!code)
        v->arena = gx_plan_facts(v->plan).arena;
    return code;
}

static const struct gx_metric lpips = {.name = "lpips"}; /* which needs a network */

static const struct gx_metric *metric_of(const struct gx_config *c)
{
    return strcmp(c->val.metric, lpips.name) ? gx_metric_find(c->val.metric) : &lpips;
}

/* Whether LPIPS is measured: it was asked for, and can be. */
static int plan_lpips(struct gx_training *t, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    char *path = NULL;
    bool chooses = v->metric == &lpips;
    if (!v->measured || (!t->config->val.lpips && !chooses))
        return 0;
    int border = has_crop(t) ? 2 * t->game.shrink[0] : 0;
    if (v->height < GX_LPIPS_SIDE + border || v->width < GX_LPIPS_SIDE + border)
        return gx_fail(err, GX_E_CONFIG,
                       "LPIPS needs held-out pictures of %d pixels a side at least, and these have "
                       "%d x %d",
                       GX_LPIPS_SIDE + border, v->width, v->height);
    struct gx_err why;
    v->by_lpips = !gx_model_installed("vgg16", &path, &why);
    free(path);
    if (!v->by_lpips && chooses)
        return gx_fail(err, GX_E_CONFIG, "val.metric lpips: %s", why.text);
    if (!v->by_lpips)
        gx_training_say(t, true, "validation", "LPIPS is not measured: %s", why.text);
    return 0;
}

int gx_validation_plan(struct gx_training *t, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    v->metric = metric_of(t->config);
    v->best = NAN;
    v->count = (int64_t)gx_split_samples(&t->data.held);
    if (!v->metric)
        return gx_fail(err, GX_E_CONFIG, "val.metric '%s' is unknown", t->config->val.metric);
    if (!v->count) {
        gx_training_say(t, t->config->data.holdout > 0, "validation", /* else it was asked for */
                        "no pictures are held out: no sample grids%s",
                        t->game.labels.count ? "" : ", no best checkpoint");
        return 0;
    }
    int64_t room = gx_training_room(t);
    int code = size_held(t, err);
    if (!code)
        code = plan_preview(t, 0, err);
    if (!code)
        code = judge_held(t, err);
    if (!code)
        code = plan_lpips(t, err);
    if (!code && room && v->arena > room) {
        gx_validation_clear(t);
        code = plan_preview(t, room, err);
    }
    return code;
}

void gx_validation_clear(struct gx_training *t)
{
    gx_lpips_close(&t->validation.lpips);
    gx_plan_free(&t->validation.plan);
    gx_graph_free(&t->validation.preview.graph);
}

/* The i-th held-out sample into the inputs, and through the generator. */
static int show(struct gx_training *t, struct gx_loader *loader, int64_t i, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    float *to[GX_SLOTS_MAX] = {NULL};
    for (int s = 0; s < t->game.slots; s++)
        if (v->preview.input[s])
            to[s] = gx_plan_value(v->plan, v->preview.input[s]);
    float *label = v->preview.label ? gx_plan_value(v->plan, v->preview.label) : NULL;
    int code = gx_loader_next(loader, to, label, NULL, err);
    if (!code)
        gx_plan_run(v->plan, 0, t->config->train.seed, (uint64_t)i);
    return code;
}

static int open_held(struct gx_training *t, struct gx_loader **loader, struct gx_err *err)
{
    struct gx_loader_options options = {.prepare = gx_training_prepare(t, false),
                                        .height = t->validation.height,
                                        .width = t->validation.width,
                                        .batch = 1,
                                        .ranks = 1,
                                        .workers = 1,
                                        .warn = gx_training_warn,
                                        .user = t};
    if (has_crop(t))
        options.prepare.crop_size = t->validation.width;
    return gx_loader_new(loader, &t->data, &t->data.held, &options, err);
}

/* The output and what it should equal, without a border; `cut` holds both. */
static struct gx_pair pair_of(const struct gx_training *t, int border, struct gx_arena *cut)
{
    const struct gx_validation *v = &t->validation;
    struct gx_shape s = v->preview.output->shape;
    struct gx_pair pair = {.a = gx_plan_value(v->plan, v->preview.output),
                           .b = gx_plan_value(v->plan, v->preview.target),
                           .count = 1,
                           .h = s.h,
                           .w = s.w,
                           .c = s.c,
                           .lo = t->game.low,
                           .hi = t->game.high};
    size_t bytes = (size_t)gx_count(s) * sizeof(float);
    if (border) /* else, and where nothing would be left, all of it */
        (void)gx_pair_crop(&pair, border, gx_arena_alloc(cut, bytes), gx_arena_alloc(cut, bytes));
    return pair;
}

/* For the plateau schedule: less is better, 0 the least. */
static double cost_of(const struct gx_validation *v, double value)
{
    if (!v->metric->more_is_better)
        return value;
    return !strncmp(v->metric->name, "psnr", 4) ? pow(10, -value / 10) : 1 - value;
}

static bool is_better(const struct gx_validation *v, double value)
{
    if (isnan(v->best))
        return !isnan(value);
    return v->metric->more_is_better ? value > v->best : value < v->best;
}

/* The means over all held-out samples: the family's figures, and the one that chooses. */
struct figures {
    double value[FIGURES_MAX], lpips, chosen;
};

/* What is measured: of super-resolution lightness alone too. */
static const struct {
    const char *name;
    double (*measure)(const struct gx_pair *pair); /* NULL: the output's sharpness */
    bool cropped;                                  /* only of families with val.crop */
} figures[] = {{"l1", gx_metric_l1, false},        {"psnr", gx_metric_psnr, false},
               {"ssim", gx_metric_ssim, false},    {"psnr_y", gx_metric_psnr_y, true},
               {"ssim_y", gx_metric_ssim_y, true}, {"sharpness", NULL, false}};
enum { FIGURES = sizeof figures / sizeof *figures };

static int measure(struct gx_training *t, struct gx_loader *loader, struct figures *mean,
                   struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    double n = (double)v->count;
    *mean = (struct figures){.chosen = 0};
    for (int64_t i = 0; i < v->count; i++) {
        int code = show(t, loader, i, err);
        if (code)
            return code;
        struct gx_arena cut = {0};
        struct gx_pair p = pair_of(t, has_crop(t) ? t->game.shrink[0] : 0, &cut);
        for (int k = 0; k < FIGURES; k++)
            if (!figures[k].cropped || has_crop(t))
                mean->value[k] +=
                    (figures[k].measure ? figures[k].measure(&p)
                                        : gx_sharpness(p.a, 1, p.h, p.w, p.c, p.lo, p.hi)) /
                    n;
        double far = 0;
        if (v->by_lpips)
            code = gx_lpips_measure(v->lpips, &p, &far, err);
        mean->lpips += far / n;
        mean->chosen += (v->metric->measure ? v->metric->measure(&p) : far) / n;
        gx_arena_clear(&cut);
        if (code)
            return code;
    }
    return isfinite(mean->value[0])
               ? 0
               : gx_fail(err, GX_E_NUMERIC,
                         "after step %" PRId64 ": the generator's held-out pictures "
                         "are not finite",
                         t->done);
}

static int log_figures(struct gx_training *t, const struct figures *f, bool better,
                       struct gx_err *err)
{
    char text[512], said[256];
    struct gx_line line = {.text = text, .size = sizeof text};
    struct gx_line words = {.text = said, .size = sizeof said};
    gx_line_add(&line, "{\"step\":%" PRId64 ",\"val\":{", t->done);
    for (int i = 0; i < FIGURES; i++) { /* equal pictures have an infinite PSNR */
        if (figures[i].cropped && !has_crop(t))
            continue;
        gx_line_add(&line, "%s", i ? "," : "");
        gx_line_figure(&line, figures[i].name, f->value[i]);
        if (figures[i].measure)
            gx_line_add(&words, "%s%s %.*f", i ? ", " : "", figures[i].name,
                        strncmp(figures[i].name, "psnr", 4) ? 4 : 2, f->value[i]);
    }
    if (t->validation.by_lpips) {
        gx_line_add(&line, ",\"lpips\":%.6g", f->lpips);
        gx_line_add(&words, ", lpips %.4f", f->lpips);
    }
    gx_line_add(&line, "}}");
    gx_training_say(t, false, "validation", "step %" PRId64 ": %s%s", t->done, said,
                    better ? " (best)" : "");
    return gx_run_log(&t->run, text, err);
}

static int open_lpips(struct gx_training *t, struct gx_err *err)
{
    struct gx_lpips_settings settings = {
        .kernels = t->kernels, .threads = t->threads, .max_memory = GX_LPIPS_BYTES};
    if (!t->validation.by_lpips || t->validation.lpips)
        return 0;
    return gx_lpips_open(&t->validation.lpips, NULL, &settings, err);
}

int gx_validation_run(struct gx_training *t, bool *better, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    struct gx_loader *loader;
    struct figures mean;
    *better = false;
    int code = open_lpips(t, err);
    if (!code)
        code = open_held(t, &loader, err);
    if (code)
        return code;
    gx_training_swap_average(t);
    gx_plan_refresh(v->plan);
    code = measure(t, loader, &mean, err);
    gx_training_swap_average(t);
    gx_loader_free(&loader);
    if (code)
        return code;
    *better = is_better(v, mean.chosen);
    if (*better) {
        v->best = mean.chosen;
        v->best_step = t->done;
    }
    if (t->schedule.kind == GX_SCHEDULE_PLATEAU && !t->pixels)
        gx_plateau_update(&t->plateau, &t->schedule, cost_of(v, mean.chosen));
    return log_figures(t, &mean, *better, err);
}

/* ---- sample grids ---- */

/* Pictures that are smaller than the output are enlarged as much as it is. */
static int add_row(const struct gx_training *t, struct gx_pixels *cell, struct gx_arena *arena,
                   struct gx_err *err)
{
    const struct gx_validation *v = &t->validation;
    const struct gx_node *largest =
        v->preview.target ? v->preview.target : v->preview.column[0].value;
    int code = 0;
    for (int k = 0; k < v->preview.columns && !code; k++) {
        const struct gx_node *node = v->preview.column[k].value;
        struct gx_shape s = node->shape;
        int scale = largest->shape.h / s.h;
        float *data = gx_plan_value(v->plan, node);
        size_t bytes = (size_t)gx_count(s) * sizeof(float);
        if (scale > 1) {
            float *larger = gx_arena_alloc(arena, bytes * (size_t)scale * (size_t)scale);
            code = gx_imresize(data, s.h, s.w, s.c, scale, larger, err);
            data = larger;
            s.h *= scale;
            s.w *= scale;
        } else {
            data = gx_arena_copy(arena, data, bytes);
        }
        cell[k] = (struct gx_pixels){.data = data,
                                     .width = s.w,
                                     .height = s.h,
                                     .channels = s.c,
                                     .lo = t->game.low,
                                     .hi = t->game.high};
    }
    return code;
}

int gx_validation_draw(struct gx_training *t, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    int rows = v->count < t->config->train.samples ? (int)v->count : t->config->train.samples;
    struct gx_arena arena = {0};
    struct gx_pixels *cell =
        gx_arena_alloc(&arena, (size_t)rows * (size_t)v->preview.columns * sizeof *cell);
    const char *titles[GX_COLUMNS_MAX];
    struct gx_loader *loader;
    for (int k = 0; k < v->preview.columns; k++)
        titles[k] = v->preview.column[k].title;
    int code = open_held(t, &loader, err);
    if (code) {
        gx_arena_clear(&arena);
        return code;
    }
    gx_training_swap_average(t);
    gx_plan_refresh(v->plan);
    for (int i = 0; i < rows && !code; i++) {
        code = show(t, loader, i, err);
        if (!code)
            code = add_row(t, cell + i * v->preview.columns, &arena, err);
    }
    gx_training_swap_average(t);
    gx_loader_free(&loader);
    char *path = gx_run_sample(&t->run, t->done);
    if (!code)
        code = gx_sheet_write(path, v->preview.columns, rows, cell, titles, err);
    free(path);
    gx_arena_clear(&arena);
    return code;
}
