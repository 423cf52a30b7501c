#include "train/health.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CELLS = GX_HEALTH_GRID * GX_HEALTH_GRID };

/* ---- separation ---- */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* How many of the sorted b are below v; `equal`: or equal. */
static int64_t rank(const float *b, int64_t nb, float v, bool equal)
{
    int64_t low = 0, high = nb;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (b[middle] < v || (equal && b[middle] == v))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

double gx_health_above(const float *a, int64_t na, float *b, int64_t nb)
{
    double sum = 0;
    qsort(b, (size_t)nb, sizeof *b, by_value);
    for (int64_t i = 0; i < na; i++)
        sum += 0.5 * (double)(rank(b, nb, a[i], false) + rank(b, nb, a[i], true));
    return sum / ((double)na * (double)nb);
}

void gx_health_judge(struct gx_health_memory *m, const float *r, const float *f, int64_t n,
                     int64_t step)
{
    float some[2][GX_HEALTH_OUTPUTS];
    int64_t count = n < GX_HEALTH_OUTPUTS ? n : GX_HEALTH_OUTPUTS, shift = step % (n / count);
    for (int64_t i = 0; i < count; i++) {
        some[0][i] = r[i * n / count + shift];
        some[1][i] = f[i * n / count + shift];
    }
    m->separation += (float)gx_health_above(some[0], count, some[1], count);
    m->batches++;
}

/* ---- pictures ---- */

static double lightness(const double rgb[3])
{
    return 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]; /* Rec. 601 */
}

/* Of the pixels in rows y0..y1, columns x0..x1: mean colour, and the deviation of lightness. */
static void average(const float *picture, struct gx_shape s, const int y[2], const int x[2],
                    double cell[GX_HEALTH_PLANES])
{
    double sum[3] = {0}, squares = 0, count = (double)(y[1] - y[0]) * (x[1] - x[0]);
    for (int v = y[0]; v < y[1]; v++)
        for (int u = x[0]; u < x[1]; u++) {
            const float *pixel = picture + ((int64_t)v * s.w + u) * s.c;
            double rgb[3];
            for (int c = 0; c < 3; c++) {
                rgb[c] = (double)pixel[s.c < 3 ? 0 : c];
                sum[c] += rgb[c];
            }
            squares += lightness(rgb) * lightness(rgb);
        }
    for (int c = 0; c < 3; c++)
        cell[c] = sum[c] / count;
    cell[3] = sqrt(fmax(squares / count - lightness(cell) * lightness(cell), 0));
}

void gx_health_shrink(const float *picture, struct gx_shape s, float *thumb)
{
    for (int i = 0; i < CELLS; i++) {
        int at[2] = {i / GX_HEALTH_GRID, i % GX_HEALTH_GRID}, side[2] = {s.h, s.w}, range[2][2];
        double cell[GX_HEALTH_PLANES];
        for (int k = 0; k < 2; k++) {
            range[k][0] = at[k] * side[k] / GX_HEALTH_GRID;
            range[k][1] = (at[k] + 1) * side[k] / GX_HEALTH_GRID;
            if (range[k][1] == range[k][0])
                range[k][1]++;
        }
        average(picture, s, range[0], range[1], cell);
        for (int c = 0; c < GX_HEALTH_PLANES; c++)
            thumb[c * CELLS + i] = (float)cell[c];
    }
}

double gx_health_spread(const float (*thumb)[GX_HEALTH_THUMB], int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++) {
            float squares = 0;
            for (int k = 0; k < GX_HEALTH_THUMB; k++) {
                float d = thumb[i][k] - thumb[j][k];
                squares += d * d;
            }
            sum += sqrt((double)squares / GX_HEALTH_THUMB);
        }
    return count > 1 ? sum / (0.5 * count * (count - 1)) : 0;
}

double gx_health_correlation(const float *a, const float *b)
{
    const float *thumb[2] = {a, b};
    double mean[2] = {0}, light[2][CELLS], aa = 0, bb = 0, ab = 0;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < CELLS; i++) {
            double rgb[3];
            for (int c = 0; c < 3; c++)
                rgb[c] = (double)thumb[k][c * CELLS + i];
            mean[k] += (light[k][i] = lightness(rgb)) / CELLS;
        }
    for (int i = 0; i < CELLS; i++) {
        double x = light[0][i] - mean[0], y = light[1][i] - mean[1];
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    /* a deviation of less than one level in 256 is no picture */
    double least = CELLS * (2.0 / 256) * (2.0 / 256);
    return aa < least || bb < least ? NAN : ab / sqrt(aa * bb);
}

void gx_health_see(struct gx_health_memory *m, const float *input, struct gx_shape in,
                   const float *output, struct gx_shape out, const float *target,
                   struct gx_shape wanted)
{
    int at = (int)m->pictures % GX_HEALTH_RING;
    float seen[GX_HEALTH_THUMB];
    gx_health_shrink(input, in, seen);
    gx_health_shrink(output, out, m->thumb[0][at]);
    gx_health_shrink(target, wanted, m->thumb[1][at]);
    for (int k = 0; k < 2; k++)
        m->luma[at][k] = (float)gx_health_correlation(seen, m->thumb[k][at]);
    /* counted in rounds of the ring, so that a float holds it however long the run */
    m->pictures = m->pictures + 1 < 2 * GX_HEALTH_RING ? m->pictures + 1 : GX_HEALTH_RING;
}

/* ---- diagnoses ---- */

/* What the rules look at. Comparisons with NAN are false: what is not known speaks for nothing. */
struct view {
    struct gx_health_figures f;
    double early;         /* gradient */
    double swing;         /* the largest of the last gradients over the smallest */
    double targets;       /* the spread of targets */
    double differ;        /* between the two inputs */
    double expected_luma; /* of inputs and targets */
};

/* Each with a wider margin once the state has been entered (`in`). */

static bool is_strong(const struct view *v, bool in)
{
    double share = in ? 0.02 : 0.01;
    return v->f.separation > (in ? 0.95 : 0.98) &&
           (v->f.gradient < share * v->early || v->f.slope < share);
}

/* A gradient that neither grows nor falls beyond what the choice of pictures makes of it, or none
 * to speak of. A balanced game has outputs of D at chance too, but a gradient that moves. */
static bool is_chance(const struct view *v, bool in)
{
    return v->f.separation < (in ? 0.58 : 0.55) &&
           (v->swing < (in ? 6 : 4) || v->f.gradient <= 0.01 * v->early);
}

static bool is_collapse(const struct view *v, bool in)
{
    return v->targets > 0.02 && v->f.diversity < (in ? 0.3 : 0.2);
}

static bool is_ignored(const struct view *v, bool in)
{
    return v->differ > 0.01 && v->f.moved < (in ? 2e-3 : 1e-3) && v->f.diversity >= 0.2;
}

static bool is_inverted(const struct view *v, bool in)
{
    double luma = v->f.luma;
    return luma < (in ? -0.3 : -0.5) && luma < v->expected_luma - (in ? 0.2 : 0.4);
}

static const struct {
    const char *name, *text;
    bool (*holds)(const struct view *view, bool in);
    int looks, steps; /* that it takes in a row; the larger counts */
    int start;        /* the step from which it counts: before, much is normal */
} rules[GX_HEALTH_STATES] = {
    [GX_HEALTH_STRONG] = {"discriminator too strong",
                          "the discriminator wins every time and the generator hardly learns: try "
                          "lsgan or wgan_gp, a lower D rate, or spectral norm",
                          is_strong, 3, 0, 100},
    [GX_HEALTH_CHANCE] = {"discriminator at chance",
                          "the discriminator tells nothing apart: try a higher D rate, a larger "
                          "net.ndf, or less noise and smoothing of what it learns from",
                          is_chance, 6, 0, 300},
    [GX_HEALTH_COLLAPSE] = {"mode collapse",
                            "the generator answers nearly the same for different inputs: try "
                            "wgan_gp, spectral norm, or a larger train.batch",
                            is_collapse, 4, 0, 300},
    [GX_HEALTH_IGNORED] = {"input ignored",
                           "the generator's pictures do not depend on its input: try more weight "
                           "on the pixel or cycle loss, and less dropout",
                           is_ignored, 3, 0, 200},
    [GX_HEALTH_INVERTED] = {"colours inverted", "colours are inverted: identity loss helps",
                            is_inverted, 3, 200, 100},
};

const char *gx_health_name(enum gx_health_state state)
{
    return rules[state].name;
}

const char *gx_health_text(enum gx_health_state state)
{
    return rules[state].text;
}

int gx_health_named(const char *name)
{
    for (int s = 0; s < GX_HEALTH_STATES; s++)
        if (!strcmp(rules[s].name, name))
            return s;
    return -1;
}

int gx_health_states(const struct gx_health_memory *m, char *text, size_t size)
{
    int at = 0;
    for (int s = 0; s < GX_HEALTH_STATES; s++)
        if (m->since[s] > 0)
            at +=
                snprintf(at < (int)size ? text + at : NULL, at < (int)size ? size - (size_t)at : 0,
                         "%s%s", at ? ", " : "", rules[s].name);
    return at ? at : snprintf(text, size, "ok");
}

bool gx_health_due(int64_t step, int every)
{
    return every > 0 && (step % every == 0 || (step < every && !(step & (step - 1))));
}

static double median(const float *values, int count)
{
    float sorted[GX_HEALTH_HISTORY];
    if (!count)
        return NAN;
    memcpy(sorted, values, (size_t)count * sizeof *values);
    qsort(sorted, (size_t)count, sizeof *sorted, by_value);
    return 0.5 * ((double)sorted[(count - 1) / 2] + (double)sorted[count / 2]);
}

/* The mean of the correlations that are known; NAN: of fewer than half the ring. */
static double mean_luma(const struct gx_health_memory *m, int which)
{
    double sum = 0;
    int known = 0;
    for (int i = 0; i < GX_HEALTH_RING && i < (int)m->pictures; i++)
        if (!isnan(m->luma[i][which])) {
            sum += (double)m->luma[i][which];
            known++;
        }
    return known >= GX_HEALTH_RING / 2 ? sum / known : NAN;
}

static struct view view_of(struct gx_health_memory *m, const struct gx_health_sight *sight)
{
    struct view v = {
        .f = {.separation = m->batches > 0 ? (double)(m->separation / m->batches) : NAN,
              .gradient = sight->gradient,
              .slope = sight->slope,
              .moved = sight->moved,
              .diversity = NAN,
              .luma = mean_luma(m, 0)},
        .swing = NAN,
        .differ = sight->differ,
        .expected_luma = mean_luma(m, 1)};
    if (m->earlies < GX_HEALTH_EARLY && isfinite(sight->gradient))
        m->early[(int)m->earlies++] = (float)sight->gradient;
    v.early = median(m->early, (int)m->earlies);
    if (m->pictures >= GX_HEALTH_RING) {
        v.targets = gx_health_spread((const float(*)[GX_HEALTH_THUMB])m->thumb[1], GX_HEALTH_RING);
        if (v.targets > 0)
            v.f.diversity =
                gx_health_spread((const float(*)[GX_HEALTH_THUMB])m->thumb[0], GX_HEALTH_RING) /
                v.targets;
    }
    return v;
}

/* The last regular look's gradient among the recent ones, and what they say. */
static double swing(struct gx_health_memory *m, double gradient)
{
    m->recent[(int64_t)m->looks % GX_HEALTH_RECENT] = isfinite(gradient) ? (float)gradient : 0;
    float low = FLT_MAX, high = 0;
    for (int i = 0; i < GX_HEALTH_RECENT; i++) {
        low = fminf(low, m->recent[i]);
        high = fmaxf(high, m->recent[i]);
    }
    bool full = m->looks + 1 >= GX_HEALTH_RECENT;
    return full && low > 0 ? (double)high / (double)low : NAN;
}

/* true: the state is entered or left at this look. */
static bool changes(struct gx_health_memory *m, int s, const struct view *v, int64_t step,
                    int every)
{
    bool in = m->since[s] > 0;
    int needed = rules[s].looks;
    if ((int64_t)needed * every < rules[s].steps)
        needed = (rules[s].steps + every - 1) / every;
    if (in)
        needed = 2;
    bool speaks = rules[s].holds(v, in) != in && (in || step >= rules[s].start);
    m->streak[s] = speaks ? m->streak[s] + 1 : 0;
    return m->streak[s] >= (float)needed;
}

struct gx_health_figures gx_health_look(struct gx_health_memory *m,
                                        const struct gx_health_sight *sight, int64_t step,
                                        int every, unsigned *entered, unsigned *left)
{
    struct view v = view_of(m, sight);
    *entered = *left = 0;
    m->separation = m->batches = 0;
    if (step % every)
        return v.f;
    v.swing = swing(m, sight->gradient);
    m->looks++;
    for (int s = 0; s < GX_HEALTH_STATES; s++) {
        if (!changes(m, s, &v, step, every))
            continue;
        bool in = m->since[s] > 0;
        *(in ? left : entered) |= 1U << s;
        m->streak[s] = 0;
        m->since[s] = in ? 0 : (float)step;
        if (in) {
            m->left[s] = (float)step;
        } else if (m->times[s]++ == 0) {
            m->first[s] = (float)step;
        }
    }
    return v.f;
}

/* ---- the loss ---- */

double gx_health_median_loss(const struct gx_health_loss *l)
{
    return median(l->value, (int)l->count);
}

/* Every stride-th value is kept; when the room is full, every other one goes. */
static void remember(struct gx_health_loss *l, float value)
{
    l->stride = fmaxf(l->stride, 1);
    if (fmodf(l->seen++, l->stride) != 0)
        return;
    if (l->count == GX_HEALTH_HISTORY) {
        for (int i = 0; i < GX_HEALTH_HISTORY / 2; i++)
            l->value[i] = l->value[2 * i];
        l->count = GX_HEALTH_HISTORY / 2;
        l->stride *= 2;
    }
    l->value[(int)l->count++] = value;
}

bool gx_health_lose(struct gx_health_loss *l, double total)
{
    float size = (float)fmin(fabs(total), (double)FLT_MAX);
    bool enough = l->count >= GX_HEALTH_PATIENCE;
    if (enough && size > 1e4F && (double)size > 1e4 * (1 + gx_health_median_loss(l))) {
        l->bad++;
    } else {
        l->bad = 0;
        remember(l, size);
    }
    return l->bad >= GX_HEALTH_PATIENCE;
}
