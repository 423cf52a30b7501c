#include "cmd/figures.h"

#include "cmd/describe.h"
#include "kernel/kernel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char lpips_name[] = "lpips", sharpness_name[] = "sharpness",
                  reference_name[] = "ref_sharpness", all[] = "all";
/* What "all" is; those with a form for luma have it under this name with "_y". */
static const char *const names[] = {"l1",       "psnr",         "ssim", "ms_ssim",
                                    lpips_name, sharpness_name, NULL};

/* ---- which ---- */

static void add(struct gx_figures *f, const char *name)
{
    for (int i = 0; i < f->count; i++)
        if (!strcmp(f->figure[i].name, name))
            return;
    f->figure[f->count++] = (struct gx_figure){.name = name, .metric = gx_metric_find(name)};
}

/* The metric `name`, on what --channels says where it has a choice. */
static void add_named(struct gx_figures *f, const char *name, const char *channels)
{
    char luma[32];
    snprintf(luma, sizeof luma, "%s_y", name);
    const struct gx_metric *on_luma = gx_metric_find(luma);
    if (!strcmp(name, sharpness_name)) {
        add(f, sharpness_name);
        add(f, reference_name);
        return;
    }
    if (!on_luma || strcmp(channels, "y") != 0)
        add(f, name);
    if (on_luma && strcmp(channels, "rgb") != 0)
        add(f, on_luma->name);
}

static const char *known(const char *name, size_t length)
{
    for (int i = 0; names[i]; i++)
        if (strlen(names[i]) == length && !strncmp(names[i], name, length))
            return names[i];
    for (const struct gx_metric *m = gx_metrics; m->name; m++)
        if (strlen(m->name) == length && !strncmp(m->name, name, length))
            return m->name;
    return NULL;
}

static int choose(struct gx_figures *f, const struct gx_config *config, struct gx_err *err)
{
    const char *list = config->eval.metrics, *channels = config->eval.channels;
    for (int i = 0; names[i] && !strcmp(list, all); i++)
        add_named(f, names[i], channels);
    for (const char *at = list; *at && strcmp(list, all) != 0;) {
        size_t length = strcspn(at, ",");
        const char *name = known(at, length);
        if (!name)
            return gx_fail(err, GX_E_USAGE,
                           "--metrics: there is no '%.*s'; there are all, l1, psnr, ssim, ms_ssim "
                           "(with _y: of luma), lpips and sharpness",
                           length < 40 ? (int)length : 40, at);
        add_named(f, name, channels);
        at += length + (at[length] == ',');
    }
    return f->count ? 0 : gx_fail(err, GX_E_USAGE, "--metrics names nothing to measure");
}

static int find(const struct gx_figures *f, const char *name)
{
    for (int i = 0; i < f->count; i++)
        if (!strcmp(f->figure[i].name, name))
            return i;
    return -1;
}

/* Of a limit, LPIPS gets half. Without its model "all" does without it. */
static int open_lpips(struct gx_figures *f, const struct gx_config *config, enum gx_stage *stage,
                      struct gx_err *err)
{
    struct gx_lpips_settings settings = {.threads = config->threads,
                                         .max_memory = config->max_memory / 2};
    int at = find(f, lpips_name);
    if (at < 0)
        return 0;
    int code = gx_kernels_choose(&settings.kernels, config->cpu, err);
    if (code)
        return code;
    *stage = GX_AT_MODEL;
    code = gx_lpips_open(&f->lpips, NULL, &settings, err);
    if (code != -GX_E_IO || strcmp(config->eval.metrics, all) != 0)
        return code;
    memmove(f->figure + at, f->figure + at + 1, (size_t)(--f->count - at) * sizeof *f->figure);
    return 0;
}

int gx_figures_begin(struct gx_figures *figures, const struct gx_config *config,
                     enum gx_stage *stage, struct gx_err *err)
{
    *figures = (struct gx_figures){.json = config->json, .pictures = json_array()};
    *stage = GX_AT_START;
    int code = choose(figures, config, err);
    return code ? code : open_lpips(figures, config, stage, err);
}

void gx_figures_clear(struct gx_figures *figures)
{
    gx_lpips_close(&figures->lpips);
    json_decref(figures->pictures);
    figures->pictures = NULL;
}

/* ---- measuring ---- */

int64_t gx_figures_bytes(const struct gx_figures *figures, int64_t w, int64_t h)
{
    int64_t pictures = w * h * 3 * (int64_t)sizeof(float) * 2;
    bool scales = find(figures, "ms_ssim") >= 0 || find(figures, "ms_ssim_y") >= 0;
    return scales ? pictures / 4 * 5 : pictures;
}

/* Not a number: the picture is too small for it. */
static int value_of(const struct gx_figures *f, const struct gx_figure *figure,
                    const struct gx_pair *p, double *value, struct gx_err *err)
{
    *value = NAN;
    if (figure->metric)
        *value = figure->metric->measure(p);
    else if (!strcmp(figure->name, sharpness_name))
        *value = gx_sharpness(p->a, 1, p->h, p->w, p->c, p->lo, p->hi);
    else if (!strcmp(figure->name, reference_name))
        *value = gx_sharpness(p->b, 1, p->h, p->w, p->c, p->lo, p->hi);
    else if (p->h >= GX_LPIPS_SIDE && p->w >= GX_LPIPS_SIDE)
        return gx_lpips_measure(f->lpips, p, value, err);
    return 0;
}

static void print_value(double value)
{
    if (isnan(value))
        printf("%10s", "-");
    else
        printf("%10.4f", value);
}

static void print_heads(const struct gx_figures *f)
{
    for (int i = 0; i < f->count; i++)
        printf("%10s", !strcmp(f->figure[i].name, reference_name) ? "(of ref)" : f->figure[i].name);
    printf("\n");
}

static json_t *json_value(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

int gx_figures_add(struct gx_figures *figures, const char *name, const struct gx_pair *pair,
                   struct gx_err *err)
{
    double value[GX_FIGURES_MAX];
    for (int i = 0; i < figures->count; i++) {
        int code = value_of(figures, &figures->figure[i], pair, &value[i], err);
        if (code)
            return code;
    }
    struct gx_arena arena = {0};
    json_t *row = json_pack("{so}", "name", gx_json_text(&arena, name));
    if (!figures->json && !figures->done)
        print_heads(figures);
    figures->done++;
    for (int i = 0; i < figures->count; i++) {
        struct gx_figure *f = &figures->figure[i];
        bool finite = isfinite(value[i]);
        f->sum += finite ? value[i] : 0;
        f->finite += finite;
        f->infinite += isinf(value[i]) != 0;
        json_object_set_new(row, f->name, json_value(value[i]));
        if (!figures->json)
            print_value(value[i]);
    }
    if (!figures->json)
        printf("  %s\n", gx_clean(&arena, name));
    json_array_append_new(figures->pictures, row);
    gx_arena_clear(&arena);
    return 0;
}

/* ---- the result ---- */

static double mean_of(const struct gx_figure *f)
{
    if (f->finite)
        return f->sum / f->finite;
    return f->infinite ? INFINITY : NAN;
}

void gx_figures_print(struct gx_figures *figures, int failed)
{
    json_t *mean = json_object();
    for (int i = 0; i < figures->count; i++) {
        double value = mean_of(&figures->figure[i]);
        json_object_set_new(mean, figures->figure[i].name, json_value(value));
        if (!figures->json)
            print_value(value);
    }
    if (!figures->json) {
        printf("  mean of %d\n", figures->done);
        json_decref(mean);
        return;
    }
    json_t *object = json_pack("{si si so sO}", "count", figures->done, "failed", failed, "mean",
                               mean, "pictures", figures->pictures);
    char *text = json_dumps(object, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    puts(text);
    free(text);
    json_decref(object);
}
