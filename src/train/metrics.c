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
    static const char *const pixel[] = {"L1", "L2", "pix", "perc", "rec", "cycle", "idt"};
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
    size_t size = strlen(name) + 1;
    *curve = (struct gx_curve){.name = memcpy(gx_new(size), name, size), .kind = kind};
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
    free(metrics->curve);
    *metrics = (struct gx_metrics){0};
}
