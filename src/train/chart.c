#include "train/chart.h"

#include "util/arena.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { /* in SVG units */
       WIDTH = 640,
       HEIGHT = 280,
       LEFT = 58,
       RIGHT = 14,
       TOP = 10,
       BOTTOM = 30,
       BUCKETS = 260,     /* points that are drawn of a long curve */
       SMOOTHED_FROM = 16 /* fewer points are drawn as they are */
};

struct axes {
    double x0, x1, y0, y1;
};

void gx_html_text(FILE *to, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        default:
            fputc(*text, to);
        }
    }
}

const char *gx_short_number(char text[32], double value)
{
    snprintf(text, 32, "%.4g", value);
    return text;
}

/* ---- curves ---- */

/* A schedule has no noise, and a few points no need. */
static bool is_smoothed(const struct gx_curve *curve)
{
    return curve->count >= SMOOTHED_FROM && curve->kind != GX_CURVE_RATE;
}

/* Mean of the values within `reach` on both sides, fewer near the ends but as many on each side. */
static double *averaged(const struct gx_curve *curve)
{
    int n = curve->count;
    int reach = is_smoothed(curve) ? 1 + n / 60 : 0;
    double *sum = gx_new(((size_t)n + 1) * sizeof *sum), *mean = gx_new((size_t)n * sizeof *mean);
    for (int i = 0; i < n; i++)
        sum[i + 1] = sum[i] + curve->value[i];
    for (int i = 0; i < n; i++) {
        int r = reach, room = i < n - 1 - i ? i : n - 1 - i;
        /* The last points keep a quarter of the window, lest they show the noise alone. */
        r = r > room ? (room > reach / 4 ? room : reach / 4) : r;
        int from = i - r > 0 ? i - r : 0, to = i + r < n - 1 ? i + r : n - 1;
        mean[i] = (sum[to + 1] - sum[from]) / (to + 1 - from);
    }
    free(sum);
    return mean;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Widens [*low, *high] to the values, all but the most extreme hundredth on each side. */
static void widen(const double *values, int n, double *low, double *high)
{
    double *sorted = memcpy(gx_new((size_t)n * sizeof *sorted), values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, ascending);
    int cut = n / 100;
    *low = fmin(*low, sorted[cut]);
    *high = fmax(*high, sorted[n - 1 - cut]);
    free(sorted);
}

static struct axes axes_of(const struct gx_curve *const *curves, int count)
{
    struct axes a = {INFINITY, -INFINITY, INFINITY, -INFINITY};
    for (int i = 0; i < count; i++) {
        widen(curves[i]->value, curves[i]->count, &a.y0, &a.y1);
        for (int k = 0; k < curves[i]->count; k++) {
            a.x0 = fmin(a.x0, curves[i]->step[k]);
            a.x1 = fmax(a.x1, curves[i]->step[k]);
        }
    }
    double room = a.y1 > a.y0 ? 0.05 * (a.y1 - a.y0) : fmax(fabs(a.y1) * 0.1, 1e-12);
    bool positive = a.y0 >= 0;
    a.y0 -= room;
    a.y1 += room;
    if (positive && a.y0 < 0.25 * a.y1) /* near zero already: show it */
        a.y0 = 0;
    if (a.x1 <= a.x0 || a.x0 < 0.5 * a.x1) /* every chart of a run on the same axis */
        a.x0 = fmin(0, a.x1 - 1);
    return a;
}

static double at_x(const struct axes *a, double x)
{
    return LEFT + (x - a->x0) / (a->x1 - a->x0) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct axes *a, double y)
{
    return HEIGHT - BOTTOM - (y - a->y0) / (a->y1 - a->y0) * (HEIGHT - TOP - BOTTOM);
}

/* Long curves are drawn by buckets of neighbours: the means, or lowest and highest. */
static void write_line(FILE *to, const struct axes *a, const double *x, const double *y, int n,
                       const char *class, int colour, bool extremes)
{
    int buckets = n < 2 * BUCKETS ? n : BUCKETS;
    fprintf(to, "<polyline class=\"%s c%d\" points=\"", class, colour);
    for (int b = 0; b < buckets; b++) {
        int from = (int)((int64_t)n * b / buckets), end = (int)((int64_t)n * (b + 1) / buckets);
        double low = y[from], high = y[from], sum = 0, middle = 0;
        for (int i = from; i < end; i++) {
            low = fmin(low, y[i]);
            high = fmax(high, y[i]);
            sum += y[i];
            middle += x[i];
        }
        middle = at_x(a, middle / (end - from));
        if (extremes && high > low)
            fprintf(to, "%.1f,%.1f %.1f,%.1f ", middle, at_y(a, low), middle, at_y(a, high));
        else
            fprintf(to, "%.1f,%.1f ", middle, at_y(a, sum / (end - from)));
    }
    fputs("\"/>\n", to);
}

static void write_curve(FILE *to, const struct axes *a, const struct gx_curve *curve,
                        const double *mean, int colour)
{
    if (is_smoothed(curve))
        write_line(to, a, curve->step, curve->value, curve->count, "raw", colour, true);
    if (curve->count > 1)
        write_line(to, a, curve->step, mean, curve->count, "line", colour, false);
    for (int i = 0; i < curve->count && curve->count < SMOOTHED_FROM; i++)
        fprintf(to, "<circle class=\"c%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n", colour,
                at_x(a, curve->step[i]), at_y(a, curve->value[i]));
}

/* ---- axes ---- */

/* 1, 2 or 5 times a power of ten, so that about `wanted` of them fit. */
static double tick_step(double span, int wanted)
{
    double raw = span / wanted, base = pow(10, floor(log10(raw)));
    double over = raw / base;
    return base * (over <= 1 ? 1 : over <= 2 ? 2 : over <= 5 ? 5 : 10);
}

/* 500, 1.5k, 2M. */
static const char *step_text(char text[32], double step)
{
    if (fabs(step) >= 1e6)
        snprintf(text, 32, "%gM", step / 1e6);
    else if (fabs(step) >= 1e4)
        snprintf(text, 32, "%gk", step / 1e3);
    else
        snprintf(text, 32, "%g", step);
    return text;
}

static void write_axes(FILE *to, const struct axes *a)
{
    char text[32];
    double by = tick_step(a->y1 - a->y0, 5), y;
    for (double k = ceil(a->y0 / by - 1e-9); (y = k * by) <= a->y1; k++) {
        double place = at_y(a, y);
        fprintf(to, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT,
                WIDTH - RIGHT, place, place);
        fprintf(to, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT - 8,
                place + 4, gx_short_number(text, fabs(y) < by * 1e-6 ? 0 : y));
    }
    double x;
    by = fmax(tick_step(a->x1 - a->x0, 7), 1);
    for (double k = ceil(a->x0 / by); (x = k * by) <= a->x1; k++) {
        double place = at_x(a, x);
        fprintf(to, "<line class=\"tick\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/>", place,
                place, HEIGHT - BOTTOM, HEIGHT - BOTTOM + 5);
        fprintf(to, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", place,
                HEIGHT - BOTTOM + 19, step_text(text, x));
    }
    fprintf(to, "<line class=\"tick\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>\n", LEFT,
            WIDTH - RIGHT, HEIGHT - BOTTOM, HEIGHT - BOTTOM);
}

/* ---- the figure ---- */

static void write_legend(FILE *to, const struct gx_curve *const *curves, double *const *mean,
                         int count)
{
    char text[32];
    fputs("<ul class=\"legend\">", to);
    for (int i = 0; i < count; i++) {
        fprintf(to, "<li><i class=\"c%d\"></i>", i);
        gx_html_text(to, curves[i]->name);
        fprintf(to, " <b>%s</b></li>", gx_short_number(text, mean[i][curves[i]->count - 1]));
    }
    fputs("</ul>\n", to);
}

void gx_chart_write(FILE *to, int id, const char *title, const struct gx_curve *const *curves,
                    int count)
{
    const struct gx_curve *shown[GX_CHART_CURVES];
    double *mean[GX_CHART_CURVES];
    int n = 0;
    for (int i = 0; i < count && n < GX_CHART_CURVES; i++) {
        if (!curves[i]->count)
            continue;
        mean[n] = averaged(curves[i]);
        shown[n++] = curves[i];
    }
    if (!n)
        return;
    struct axes a = axes_of(shown, n);
    fputs("<figure><h3>", to);
    gx_html_text(to, title);
    fputs("</h3>\n", to);
    write_legend(to, shown, mean, n);
    fprintf(to, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, HEIGHT);
    gx_html_text(to, title);
    fprintf(to,
            " over training steps\"><clipPath id=\"p%d\"><rect x=\"%d\" y=\"%d\" width=\"%d\" "
            "height=\"%d\"/></clipPath>\n",
            id, LEFT, TOP - 4, WIDTH - LEFT - RIGHT + 4, HEIGHT - TOP - BOTTOM + 8);
    write_axes(to, &a);
    fprintf(to, "<g clip-path=\"url(#p%d)\">\n", id);
    for (int i = 0; i < n; i++) {
        write_curve(to, &a, shown[i], mean[i], i);
        free(mean[i]);
    }
    fputs("</g></svg></figure>\n", to);
}
