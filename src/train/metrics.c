#include "train/metrics.h"

#include "util/arena.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum gx_curve_kind kind_of_loss(const char *name)
{
    static const char *const pixel[] = {"L1", "L2", "pix", "perc", "style", "rec", "cycle", "idt"};
    if (strstr(name, "cls"))
        return GX_CURVE_CLASS;
    for (size_t i = 0; i < sizeof pixel / sizeof *pixel; i++)
        if (strstr(name, pixel[i]))
            return GX_CURVE_PIXEL;
    return GX_CURVE_ADVERSARIAL;
}

static struct gx_curve *find(struct gx_metrics *m, enum gx_curve_kind kind, const char *name)
{
    for (int i = 0; i < m->count; i++)
        if (m->curve[i].kind == kind && !strcmp(m->curve[i].name, name))
            return &m->curve[i];
    m->curve = gx_grow(m->curve, ((size_t)m->count + 1) * sizeof *m->curve);
    struct gx_curve *curve = &m->curve[m->count++];
    *curve = (struct gx_curve){.name = gx_new_text(name), .kind = kind};
    return curve;
}

static void add(struct gx_metrics *m, enum gx_curve_kind kind, const char *name, double step,
                json_t *value)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || !isfinite(number))
        return;
    struct gx_curve *curve = find(m, kind, name);
    size_t n = (size_t)curve->count;
    if (!(n & (n - 1))) { /* full at every power of two */
        size_t room = n ? 2 * n : 1;
        curve->step = gx_grow(curve->step, room * sizeof *curve->step);
        curve->value = gx_grow(curve->value, room * sizeof *curve->value);
    }
    curve->step[n] = step;
    curve->value[n] = number;
    curve->count++;
}

static void add_spell(struct gx_metrics *m, const char *watch, double step, const char *state)
{
    const char *before = "ok";
    for (int i = 0; i < m->spells; i++)
        before = strcmp(m->spell[i].watch, watch) ? before : m->spell[i].state;
    if (!state || !strcmp(state, before))
        return;
    m->spell = gx_grow(m->spell, ((size_t)m->spells + 1) * sizeof *m->spell);
    m->spell[m->spells++] = (struct gx_spell){step, gx_new_text(watch), gx_new_text(state)};
}

/* The figures of one watch. */
static void read_watch(struct gx_metrics *m, const char *watch, double step, json_t *figures)
{
    static const struct {
        const char *name;
        enum gx_curve_kind kind;
    } row[] = {{"separation", GX_CURVE_SHARE},
               {"diversity", GX_CURVE_SHARE},
               {"luma", GX_CURVE_SHARE},
               {"gradient", GX_CURVE_GRADIENT}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char name[64];
        snprintf(name, sizeof name, "%.20s%s%s", watch, *watch ? ": " : "", row[i].name);
        add(m, row[i].kind, name, step, json_object_get(figures, row[i].name));
    }
    add_spell(m, watch, step, json_string_value(json_object_get(figures, "state")));
}

/* Of one watch without a name, or of several with theirs. */
static void read_health(struct gx_metrics *m, double step, json_t *health)
{
    const char *name;
    json_t *value;
    if (json_object_get(health, "state"))
        read_watch(m, "", step, health);
    else
        json_object_foreach(health, name, value) read_watch(m, name, step, value);
}

static void read_line(struct gx_metrics *m, json_t *line, int64_t *timed)
{
    json_t *number = json_object_get(line, "step"), *value;
    if (!json_is_integer(number))
        return;
    int64_t step = json_integer_value(number);
    const char *name;
    m->steps = step > m->steps ? step : m->steps;
    value = json_object_get(line, "epoch");
    if (json_is_integer(value) && json_integer_value(value) >= m->epochs)
        m->epochs = json_integer_value(value) + 1;
    value = json_object_get(line, "s_per_step");
    if (json_is_number(value) && step > *timed) {
        m->seconds += json_number_value(value) * (double)(step - *timed);
        *timed = step;
    }
    add(m, GX_CURVE_RATE, "learning rate", (double)step, json_object_get(line, "lr"));
    json_object_foreach(json_object_get(line, "loss"), name, value)
        add(m, kind_of_loss(name), name, (double)step, value);
    json_object_foreach(json_object_get(line, "measure"), name, value)
        add(m, GX_CURVE_MEASURE, name, (double)step, value);
    json_object_foreach(json_object_get(line, "val"), name, value)
        add(m, GX_CURVE_VALIDATION, name, (double)step, value);
    read_health(m, (double)step, json_object_get(line, "health"));
}

int gx_metrics_read(struct gx_metrics *metrics, const char *path, struct gx_err *err)
{
    *metrics = (struct gx_metrics){0};
    FILE *file = fopen(path, "rbe");
    if (!file)
        return errno == ENOENT ? 0 : gx_fail_errno(err, GX_E_IO, "cannot open '%s'", path);
    char *text = NULL;
    size_t room = 0;
    ssize_t length;
    int64_t timed = 0;
    while ((length = getline(&text, &room, file)) > 0) {
        json_t *line = json_loadb(text, (size_t)length, 0, NULL);
        read_line(metrics, line, &timed);
        json_decref(line);
    }
    int result = ferror(file) ? gx_fail_errno(err, GX_E_IO, "cannot read '%s'", path) : 0;
    free(text);
    fclose(file);
    if (result)
        gx_metrics_clear(metrics);
    return result;
}

void gx_metrics_clear(struct gx_metrics *metrics)
{
    for (int i = 0; i < metrics->count; i++) {
        free(metrics->curve[i].name);
        free(metrics->curve[i].step);
        free(metrics->curve[i].value);
    }
    for (int i = 0; i < metrics->spells; i++) {
        free(metrics->spell[i].watch);
        free(metrics->spell[i].state);
    }
    free(metrics->curve);
    free(metrics->spell);
    *metrics = (struct gx_metrics){0};
}
