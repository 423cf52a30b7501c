/* Held-out pictures: what the generator makes of them, as numbers and as a grid to look at. They go
 * through one at a time, as translation would take them, so results never depend on neighbours. */
#include "train/training.h"

#include "ganx/image.h"
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

/* What depends on weights alone is made once for all pictures; or, where that takes more than there
 * is room for (0: no matter), for each anew. */
static int plan_preview(struct gx_training *t, int64_t room, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    struct gx_shape s = t->step.input[0]->shape;
    struct gx_plan_settings settings = {
        .kernels = t->kernels, .threads = t->threads, .inference = !room, .max_memory = room};
    v->preview = (struct gx_preview){0};
    t->game.family->build_preview(&t->game, 1, s.h, s.w, &v->preview);
    int code = gx_plan_new(&v->plan, v->preview.graph, &settings, err);
    if (!code)
        v->arena = gx_plan_facts(v->plan).arena;
    return code;
}

int gx_validation_plan(struct gx_training *t, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    v->metric = gx_metric_find(t->config->val.metric);
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
    int code = plan_preview(t, 0, err);
    if (!code)
        code = judge_held(t, err);
    if (!code && room && v->arena > room) {
        gx_validation_clear(t);
        code = plan_preview(t, room, err);
    }
    return code;
}

void gx_validation_clear(struct gx_training *t)
{
    gx_plan_free(&t->validation.plan);
    gx_graph_free(&t->validation.preview.graph);
}

/* The i-th held-out sample into the inputs, and through the generator. */
static int show(struct gx_training *t, struct gx_loader *loader, int64_t i, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    float *to[GX_SLOTS_MAX] = {NULL};
    for (int s = 0; s < t->game.slots; s++)
        to[s] = gx_plan_value(v->plan, v->preview.input[s]);
    float *label = v->preview.label ? gx_plan_value(v->plan, v->preview.label) : NULL;
    int code = gx_loader_next(loader, to, label, NULL, err);
    if (!code)
        gx_plan_run(v->plan, 0, t->config->train.seed, (uint64_t)i);
    return code;
}

static int open_held(struct gx_training *t, struct gx_loader **loader, struct gx_err *err)
{
    struct gx_shape s = t->step.input[0]->shape;
    struct gx_loader_options options = {.prepare = gx_training_prepare(t, false),
                                        .height = s.h,
                                        .width = s.w,
                                        .batch = 1,
                                        .ranks = 1,
                                        .workers = 1};
    return gx_loader_new(loader, &t->data, &t->data.held, &options, err);
}

static struct gx_pair pair_of(const struct gx_validation *v)
{
    struct gx_shape s = v->preview.output->shape;
    return (struct gx_pair){.a = gx_plan_value(v->plan, v->preview.output),
                            .b = gx_plan_value(v->plan, v->preview.target),
                            .count = 1,
                            .h = s.h,
                            .w = s.w,
                            .c = s.c,
                            .lo = -1,
                            .hi = 1};
}

/* For the plateau schedule: less is better, 0 the least. */
static double cost_of(const struct gx_validation *v, double value)
{
    if (!v->metric->more_is_better)
        return value;
    return v->metric->measure == gx_metric_psnr ? pow(10, -value / 10) : 1 - value;
}

static bool is_better(const struct gx_validation *v, double value)
{
    if (isnan(v->best))
        return !isnan(value);
    return v->metric->more_is_better ? value > v->best : value < v->best;
}

struct figures {
    double l1, psnr, ssim, sharpness, chosen;
};

/* The means over all held-out samples. */
static int measure(struct gx_training *t, struct gx_loader *loader, struct figures *mean,
                   struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    double n = (double)v->count;
    *mean = (struct figures){0};
    for (int64_t i = 0; i < v->count; i++) {
        int code = show(t, loader, i, err);
        if (code)
            return code;
        struct gx_pair p = pair_of(v);
        mean->l1 += gx_metric_l1(&p) / n;
        mean->psnr += gx_metric_psnr(&p) / n;
        mean->ssim += gx_metric_ssim(&p) / n;
        mean->sharpness += gx_sharpness(p.a, 1, p.h, p.w, p.c, -1, 1) / n;
        mean->chosen += v->metric->measure(&p) / n;
    }
    return isfinite(mean->l1) ? 0
                              : gx_fail(err, GX_E_NUMERIC,
                                        "after step %" PRId64 ": the generator's held-out pictures "
                                        "are not finite",
                                        t->done);
}

static int log_figures(struct gx_training *t, const struct figures *f, bool better,
                       struct gx_err *err)
{
    const struct {
        const char *name;
        double value;
    } row[] = {{"l1", f->l1}, {"psnr", f->psnr}, {"ssim", f->ssim}, {"sharpness", f->sharpness}};
    char text[512];
    struct gx_line line = {.text = text, .size = sizeof text};
    gx_line_add(&line, "{\"step\":%" PRId64 ",\"val\":{", t->done);
    for (int i = 0; i < 4; i++) { /* equal pictures have an infinite PSNR */
        gx_line_add(&line, "%s", i ? "," : "");
        gx_line_figure(&line, row[i].name, row[i].value);
    }
    gx_line_add(&line, "}}");
    gx_training_say(t, false, "validation", "step %" PRId64 ": l1 %.4f, psnr %.2f, ssim %.4f%s",
                    t->done, f->l1, f->psnr, f->ssim, better ? " (best)" : "");
    return gx_run_log(&t->run, text, err);
}

int gx_validation_run(struct gx_training *t, bool *better, struct gx_err *err)
{
    struct gx_validation *v = &t->validation;
    struct gx_loader *loader;
    struct figures mean;
    *better = false;
    int code = open_held(t, &loader, err);
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
    if (t->schedule.kind == GX_SCHEDULE_PLATEAU)
        gx_plateau_update(&t->plateau, &t->schedule, cost_of(v, mean.chosen));
    return log_figures(t, &mean, *better, err);
}

/* ---- sample grids ---- */

static void add_row(const struct gx_validation *v, struct gx_pixels *cell, struct gx_arena *arena)
{
    for (int k = 0; k < v->preview.columns; k++) {
        const struct gx_node *node = v->preview.column[k].value;
        size_t bytes = (size_t)gx_count(node->shape) * sizeof(float);
        cell[k] =
            (struct gx_pixels){.data = gx_arena_copy(arena, gx_plan_value(v->plan, node), bytes),
                               .width = node->shape.w,
                               .height = node->shape.h,
                               .channels = node->shape.c,
                               .lo = -1,
                               .hi = 1};
    }
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
            add_row(v, cell + i * v->preview.columns, &arena);
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
