#include "train/report.h"

#include "image/metrics.h"
#include "train/chart.h"
#include "train/health.h"
#include "train/metrics.h"
#include "util/arena.h"
#include "util/file.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    SAMPLES_SHOWN = 6,
    PICTURE_LIMIT = 12 << 20, /* bytes of a sample that still goes into the page */
    CONFIG_LIMIT = 1 << 20
};

static const char style[] =
    ":root{color-scheme:light dark;--page:#f6f6f3;--card:#fff;--ink:#1c1c1a;--soft:#696963;"
    "--rule:#e3e2dc;--c0:#2a6fc9;--c1:#d9602b;--c2:#178f66;--c3:#8450c4;--c4:#b07d00;--c5:#c93a62;"
    "--c6:#0e8a9a;--c7:#6d6d68}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#161615;--card:#20201f;--ink:#ecebe6;"
    "--soft:#a09f98;--rule:#363633;--c0:#6aa6f0;--c1:#f08a58;--c2:#3cc795;--c3:#b48bea;"
    "--c4:#e0b040;--c5:#f0749a;--c6:#46c4d4;--c7:#b0afa8}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"DejaVu Sans\",sans-serif}\n"
    "main{max-width:1120px;margin:0 auto;padding:36px 20px 60px}"
    "h1{font-size:28px;line-height:1.2;margin:0;letter-spacing:-.01em}"
    "h2{font-size:19px;margin:40px 0 12px}h3{font-size:15px;margin:0}"
    ".where{color:var(--soft);margin:4px 0 24px;overflow-wrap:anywhere}\n"
    ".tiles{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));"
    "margin:0}.tiles div,figure,pre{background:var(--card);border:1px solid var(--rule);"
    "border-radius:10px}.tiles div{padding:12px 16px}.tiles dt{color:var(--soft);font-size:13px}"
    ".tiles dd{margin:0;font-size:22px;line-height:1.35;font-weight:600;"
    "white-space:nowrap}"
    ".tiles "
    "small{display:block;white-space:normal;color:var(--soft);font-size:13px;font-weight:400}\n"
    ".charts{display:grid;gap:16px;"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr))}"
    "figure{margin:0;padding:14px 16px}"
    ".legend{list-style:none;display:flex;flex-wrap:wrap;gap:2px 16px;margin:2px 0 8px;padding:0;"
    "color:var(--soft);font-size:13px}.legend b{color:var(--ink);font-weight:600}"
    ".legend i{display:inline-block;width:14px;height:3px;border-radius:2px;margin-right:6px;"
    "vertical-align:middle;background:var(--k)}\n"
    "svg{display:block;width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}"
    "svg .grid{stroke:var(--rule)}svg .tick{stroke:var(--soft);stroke-opacity:.6}"
    "polyline{fill:none;stroke:var(--k);stroke-linejoin:round;stroke-linecap:round}"
    ".raw{stroke-opacity:.22;stroke-width:1}.line{stroke-width:2}circle{fill:var(--k)}\n"
    ".c0{--k:var(--c0)}.c1{--k:var(--c1)}.c2{--k:var(--c2)}.c3{--k:var(--c3)}.c4{--k:var(--c4)}"
    ".c5{--k:var(--c5)}.c6{--k:var(--c6)}.c7{--k:var(--c7)}\n"
    ".samples{display:grid;gap:16px;align-items:start;"
    "grid-template-columns:repeat(auto-fill,minmax(min(100%,320px),1fr))}"
    ".samples .wide{grid-column:1/-1}figcaption{color:var(--soft);font-size:13px;margin-top:8px}"
    ".samples img{display:block;max-width:100%;height:auto;margin:0 auto;border-radius:4px}\n"
    ".spells{margin:0 0 16px;padding-left:20px}\n"
    "pre{padding:14px 16px;overflow-x:auto;font:13px/1.5 ui-monospace,\"DejaVu Sans Mono\","
    "monospace;margin:0}summary{cursor:pointer}footer{color:var(--soft);font-size:13px;"
    "margin-top:40px}";

static char *join(const char *folder, const char *name)
{
    size_t room = strlen(folder) + strlen(name) + 2;
    char *path = gx_new(room);
    snprintf(path, room, "%s/%s", folder, name);
    return path;
}

/* ---- what it reached ---- */

static void write_tile(FILE *to, const char *name, const char *value, const char *note)
{
    fputs("<div><dt>", to);
    gx_html_text(to, name);
    fputs("</dt><dd>", to);
    gx_html_text(to, value);
    fputs("<small>", to);
    gx_html_text(to, note);
    fputs("</small></dd></div>\n", to);
}

/* "2 h 05 min", "3 min 20 s", "12 s" */
static void duration(char *text, size_t room, double seconds)
{
    long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(text, room, "%ld h %02ld min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(text, room, "%ld min %02ld s", s / 60, s % 60);
    else
        snprintf(text, room, "%.3g s", seconds);
}

static const char *title_of(char text[64], const char *name)
{
    snprintf(text, 64, "%s", name);
    for (char *c = text; *c && strlen(name) <= 5; c++) /* L1, PSNR, SSIM, LPIPS */
        *c = (char)toupper((unsigned char)*c);
    return text;
}

/* Of the measures that have a better and a worse. */
static void write_best(FILE *to, const struct gx_curve *curve)
{
    const struct gx_metric *metric = gx_metric_find(curve->name);
    int best = 0;
    if (!metric)
        return;
    for (int i = 1; i < curve->count; i++)
        if (metric->more_is_better ? curve->value[i] > curve->value[best]
                                   : curve->value[i] < curve->value[best])
            best = i;
    char name[80] = "Best ", number[32], note[64];
    title_of(name + 5, curve->name);
    snprintf(note, sizeof note, "at step %.0f; last %.4g", curve->step[best],
             curve->value[curve->count - 1]);
    write_tile(to, name, gx_short_number(number, curve->value[best]), note);
}

static void write_summary(FILE *to, const struct gx_metrics *m)
{
    char value[64], note[64] = "";
    fputs("<dl class=\"tiles\">\n", to);
    snprintf(value, sizeof value, "%lld", (long long)m->steps);
    if (m->epochs)
        snprintf(note, sizeof note, "in %lld epoch%s", (long long)m->epochs,
                 m->epochs == 1 ? "" : "s");
    write_tile(to, "Steps", value, note);
    if (m->seconds > 0 && m->steps) {
        duration(value, sizeof value, m->seconds);
        snprintf(note, sizeof note, "%.3g s a step", m->seconds / (double)m->steps);
        write_tile(to, "Training time", value, note);
    }
    for (int i = 0; i < m->count; i++)
        if (m->curve[i].kind == GX_CURVE_VALIDATION)
            write_best(to, &m->curve[i]);
    fputs("</dl>\n", to);
}

/* ---- curves ---- */

static void write_group(FILE *to, const struct gx_metrics *m, enum gx_curve_kind kind, int *id,
                        const char *title)
{
    const struct gx_curve *curves[GX_CHART_CURVES];
    int count = 0;
    for (int i = 0; i < m->count && count < GX_CHART_CURVES; i++)
        if (m->curve[i].kind == kind)
            curves[count++] = &m->curve[i];
    gx_chart_write(to, (*id)++, title, curves, count);
}

static bool varies(const struct gx_curve *curve)
{
    for (int i = 1; i < curve->count; i++)
        if (curve->value[i] != curve->value[0])
            return true;
    return false;
}

/* Gives the next free id. */
static int write_charts(FILE *to, const struct gx_metrics *m)
{
    int id = 0;
    if (!m->count)
        return id;
    fputs("<h2>Curves</h2>\n<div class=\"charts\">\n", to);
    write_group(to, m, GX_CURVE_ADVERSARIAL, &id, "Adversarial losses");
    write_group(to, m, GX_CURVE_PIXEL, &id, "Pixel losses");
    write_group(to, m, GX_CURVE_CLASS, &id, "Classification losses");
    write_group(to, m, GX_CURVE_MEASURE, &id, "Told rightly by the discriminator");
    for (int i = 0; i < m->count; i++) { /* their scales differ: a chart each */
        const struct gx_curve *curve = &m->curve[i];
        char name[64], title[96];
        snprintf(title, sizeof title, "Validation: %s", title_of(name, curve->name));
        if (curve->kind == GX_CURVE_VALIDATION)
            gx_chart_write(to, id++, title, &curve, 1);
    }
    for (int i = 0; i < m->count; i++)
        if (m->curve[i].kind == GX_CURVE_RATE && varies(&m->curve[i]))
            write_group(to, m, GX_CURVE_RATE, &id, "Learning rate");
    fputs("</div>\n", to);
    return id;
}

/* ---- health ---- */

/* What a state means and what to do about it; a page may be of another version's run. */
static void write_states(FILE *to, const char *states)
{
    char text[256], *rest = NULL;
    snprintf(text, sizeof text, "%s", states);
    for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        name += strspn(name, " ");
        int state = gx_health_named(name);
        bool well = !strcmp(name, "ok");
        gx_html_text(to, state >= 0 ? gx_health_text(state) : well ? "all is well again" : name);
        fputs(rest && *rest ? "; " : "", to);
    }
}

static void write_health(FILE *to, const struct gx_metrics *m, int id)
{
    bool measured = false;
    for (int i = 0; i < m->count; i++)
        measured |= m->curve[i].kind == GX_CURVE_SHARE;
    if (!measured)
        return;
    fputs("<h2>Health</h2>\n", to);
    if (m->spells)
        fputs("<ul class=\"spells\">\n", to);
    else
        fputs("<p>Nothing was amiss.</p>\n", to);
    for (int i = 0; i < m->spells; i++) {
        const struct gx_spell *spell = &m->spell[i];
        fprintf(to, "<li><b>Step %.0f</b> ", spell->step);
        gx_html_text(to, spell->watch);
        fputs(*spell->watch ? ": " : "", to);
        write_states(to, spell->state);
        fputs("</li>\n", to);
    }
    fputs(m->spells ? "</ul>\n" : "", to);
    fputs("<div class=\"charts\">\n", to);
    write_group(to, m, GX_CURVE_SHARE, &id, "Separation, diversity, lightness kept");
    write_group(to, m, GX_CURVE_GRADIENT, &id, "Length of the adversarial gradient");
    fputs("</div>\n", to);
}

/* ---- pictures ---- */

static void write_base64(FILE *to, const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        size_t left = size - i;
        uint32_t bits = (uint32_t)data[i] << 16;
        bits |= left > 1 ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= left > 2 ? data[i + 2] : 0;
        fputc(digits[bits >> 18], to);
        fputc(digits[bits >> 12 & 63], to);
        fputc(left > 1 ? digits[bits >> 6 & 63] : '=', to);
        fputc(left > 2 ? digits[bits & 63] : '=', to);
    }
}

/* A picture that cannot be read, or is too large, is left out: the page is worth having without. */
static void write_sample(FILE *to, const char *folder, const char *name, bool wide)
{
    char *path = join(folder, name), *data;
    size_t size;
    if (!gx_file_read(path, PICTURE_LIMIT, &data, &size, NULL)) {
        long long step = strtoll(name, NULL, 10);
        fprintf(to,
                "<figure%s><img alt=\"samples at step %lld\" "
                "src=\"data:image/png;base64,",
                wide ? " class=\"wide\"" : "", step);
        write_base64(to, (const unsigned char *)data, size);
        fprintf(to, "\"><figcaption>Step %lld%s</figcaption></figure>\n", step,
                wide ? ", the newest" : "");
        free(data);
    }
    free(path);
}

static bool is_sample(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits && !strcmp(name + digits, ".png");
}

static int by_step(const void *a, const void *b)
{
    long long x = strtoll(*(char *const *)a, NULL, 10), y = strtoll(*(char *const *)b, NULL, 10);
    return (x > y) - (x < y);
}

/* The newest first and large, then the way there: the first, and some between. */
static void write_samples(FILE *to, const char *run)
{
    char *folder = join(run, "samples");
    struct gx_names names;
    if (!gx_folder_list(folder, &names, NULL)) {
        size_t count = 0;
        for (size_t i = 0; i < names.count; i++) { /* samples to the front */
            char *name = names.name[i];
            if (is_sample(name)) {
                names.name[i] = names.name[count];
                names.name[count++] = name;
            }
        }
        if (count) {
            qsort(names.name, count, sizeof *names.name, by_step);
            fputs("<h2>Samples</h2>\n<div class=\"samples\">\n", to);
            write_sample(to, folder, names.name[count - 1], true);
            size_t more = count - 1 < SAMPLES_SHOWN ? count - 1 : SAMPLES_SHOWN;
            for (size_t i = 0; i < more; i++)
                write_sample(to, folder, names.name[(count - 1) * i / more], false);
            fputs("</div>\n", to);
        }
        gx_names_free(&names);
    }
    free(folder);
}

static void write_config(FILE *to, const char *run)
{
    char *path = join(run, "config.yaml"), *text;
    size_t size;
    if (!gx_file_read(path, CONFIG_LIMIT, &text, &size, NULL)) {
        fputs("<h2>Configuration</h2>\n<pre>", to);
        gx_html_text(to, text);
        fputs("</pre>\n", to);
        free(text);
    }
    free(path);
}

/* ---- the page ---- */

static void write_page(FILE *to, const char *run, const char *title, const struct gx_metrics *m)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>",
          to);
    gx_html_text(to, title);
    fprintf(to, "</title>\n<style>%s</style></head>\n<body><main><h1>", style);
    gx_html_text(to, title);
    fputs("</h1>\n<p class=\"where\">Training run in ", to);
    gx_html_text(to, run);
    fputs("</p>\n", to);
    write_summary(to, m);
    write_samples(to, run);
    write_health(to, m, write_charts(to, m));
    write_config(to, run);
    fputs("<footer>Faint lines are the logged values, bold ones a moving average. Written by "
          "ganx " GX_VERSION ".</footer>\n</main></body></html>\n",
          to);
}

int gx_report_write(const char *run, const char *title, struct gx_err *err)
{
    struct gx_metrics metrics;
    struct gx_staged staged;
    char *from = join(run, "metrics.jsonl"), *target = join(run, "report.html");
    int result = gx_metrics_read(&metrics, from, err);
    if (!result)
        result = gx_staged_open(&staged, target, err);
    if (!result) {
        write_page(staged.file, run, title, &metrics);
        result = gx_staged_commit(&staged, err); /* notices a write that failed before */
    }
    gx_metrics_clear(&metrics);
    free(from);
    free(target);
    return result;
}
