#include "optim/schedule.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {"constant", "linear",          "step",   "multistep",
                                         "cosine",   "cosine_restarts", "plateau"};

int gx_schedule_kind_named(const char *name)
{
    for (int i = 0; i < (int)(sizeof kind_names / sizeof *kind_names); i++)
        if (!strcmp(name, kind_names[i]))
            return i;
    return -1;
}

static const char *skip_space(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return text;
}

int gx_schedule_milestones(struct gx_schedule *schedule, const char *text, struct gx_err *err)
{
    const char *at = skip_space(text);
    int64_t last = 0;
    schedule->milestones = 0;
    while (*at) {
        char *end;
        errno = 0;
        long long value = strtoll(at, &end, 10);
        const char *next = skip_space(end);
        if (end == at || errno || value <= last || (*next && *next != ',') ||
            (*next && !*skip_space(next + 1)))
            return gx_fail(err, GX_E_CONFIG,
                           "milestones '%s' are not rising numbers separated by commas", text);
        if (schedule->milestones == GX_MILESTONES_MAX)
            return gx_fail(err, GX_E_CONFIG, "milestones '%s' are more than %d", text,
                           GX_MILESTONES_MAX);
        last = schedule->milestone[schedule->milestones++] = value;
        at = *next ? skip_space(next + 1) : next;
    }
    return 0;
}

int gx_schedule_weights(struct gx_schedule *schedule, const char *text, struct gx_err *err)
{
    const char *at = skip_space(text);
    schedule->weights = 0;
    while (*at) {
        char *end;
        double value = strtod(at, &end);
        const char *next = skip_space(end);
        if (end == at || !(value >= 0 && value <= 1e6) || (*next && *next != ',') ||
            (*next && !*skip_space(next + 1)) || schedule->weights > GX_MILESTONES_MAX)
            return gx_fail(err, GX_E_CONFIG,
                           "restart weights '%s' are not at most %d numbers separated by commas",
                           text, GX_MILESTONES_MAX + 1);
        schedule->weight[schedule->weights++] = value;
        at = *next ? skip_space(next + 1) : next;
    }
    return 0;
}

int gx_schedule_check(const struct gx_schedule *s, struct gx_err *err)
{
    enum gx_schedule_kind kind = s->kind;
    bool sized =
        kind == GX_SCHEDULE_LINEAR || kind == GX_SCHEDULE_COSINE || kind == GX_SCHEDULE_RESTARTS;
    bool factored =
        kind == GX_SCHEDULE_STEP || kind == GX_SCHEDULE_MULTISTEP || kind == GX_SCHEDULE_PLATEAU;
    const char *wrong = NULL;
    if (!(s->lr >= 0 && isfinite(s->lr)))
        wrong = "a rate that is negative";
    else if (sized && s->total <= 0)
        wrong = "no length";
    else if (kind == GX_SCHEDULE_LINEAR && !(s->decay_from >= 0 && s->decay_from <= 1))
        wrong = "a share outside [0, 1] before the decay";
    else if (factored && !(s->gamma > 0 && s->gamma <= 1))
        wrong = "a gamma outside (0, 1]";
    else if (kind == GX_SCHEDULE_STEP && s->every <= 0)
        wrong = "no interval";
    else if (kind == GX_SCHEDULE_PLATEAU && s->every < 0)
        wrong = "a patience below 0";
    else if (!(s->min_lr >= 0))
        wrong = "a least rate that is negative";
    else if (kind == GX_SCHEDULE_RESTARTS && s->weights && s->weights != s->milestones + 1)
        wrong = "not one weight for each period, which are one more than the milestones";
    if (wrong)
        return gx_fail(err, GX_E_CONFIG, "the schedule '%s' has %s", kind_names[kind], wrong);
    return 0;
}

static double linear(const struct gx_schedule *s, int64_t u)
{
    double start = nearbyint(s->decay_from * (double)s->total);
    double into = fmax(0, (double)(u + 1) - start);
    return s->lr * fmax(0, 1 - into / ((double)s->total - start + 1));
}

static int passed(const struct gx_schedule *s, int64_t u)
{
    int count = 0;
    while (count < s->milestones && s->milestone[count] <= u)
        count++;
    return count;
}

static double cosine(const struct gx_schedule *s, double top, double part)
{
    return s->min_lr + (top - s->min_lr) * (1 + cos(3.141592653589793 * fmin(1, part))) / 2;
}

static double restarts(const struct gx_schedule *s, int64_t u)
{
    int64_t from = 0, to = s->total;
    int period = 0;
    while (period < s->milestones && s->milestone[period] < u && s->milestone[period] < s->total)
        from = s->milestone[period++];
    if (period < s->milestones && s->milestone[period] < s->total)
        to = s->milestone[period];
    double weight = s->weights ? s->weight[period] : 1;
    double rate = cosine(s, s->lr, (double)(u - from) / (double)(to - from));
    return s->min_lr + weight * (rate - s->min_lr);
}

double gx_schedule_lr(const struct gx_schedule *s, int64_t u)
{
    switch (s->kind) {
    case GX_SCHEDULE_LINEAR:
        return linear(s, u);
    case GX_SCHEDULE_STEP:
        return s->lr * pow(s->gamma, (double)(u / s->every));
    case GX_SCHEDULE_MULTISTEP:
        return s->lr * pow(s->gamma, passed(s, u));
    case GX_SCHEDULE_COSINE:
        return cosine(s, s->lr, (double)u / (double)s->total);
    case GX_SCHEDULE_RESTARTS:
        return restarts(s, u);
    case GX_SCHEDULE_CONSTANT:
    case GX_SCHEDULE_PLATEAU:
        break;
    }
    return s->lr;
}

void gx_plateau_init(struct gx_plateau *plateau, const struct gx_schedule *schedule)
{
    *plateau = (struct gx_plateau){.lr = schedule->lr, .best = INFINITY};
}

bool gx_plateau_update(struct gx_plateau *plateau, const struct gx_schedule *schedule, double value)
{
    if (value < plateau->best * (1 - 1e-4)) {
        plateau->best = value;
        plateau->bad = 0;
        return false;
    }
    if (++plateau->bad <= schedule->every)
        return false;
    plateau->bad = 0;
    double lowered = fmax(plateau->lr * schedule->gamma, schedule->min_lr);
    if (plateau->lr - lowered <= 1e-8) /* torch's eps: not worth a change */
        return false;
    plateau->lr = lowered;
    return true;
}
