/* What the loop asks about the health of the game after each step: the measures are taken from the
 * step's plan (family/health.h), judged by health.h, logged, and told. */
#include "train/training.h"

#include "util/arena.h"
#include "util/text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PICTURES_A_LOOK = 8, /* that go into the ring between looks */
    LINE_BYTES = 1200
};

void gx_monitor_allocate(struct gx_training *t)
{
    for (int i = 0; i < t->step.watches && t->step.health >= 0; i++)
        t->health[i] = gx_new(sizeof *t->health[i]);
}

void gx_monitor_clear(struct gx_training *t)
{
    for (int i = 0; i < GX_WATCHES_MAX; i++) {
        free(t->health[i]);
        t->health[i] = NULL;
    }
}

void gx_monitor_register(struct gx_training *t)
{
    for (int i = 0; i < t->step.watches && t->step.health >= 0; i++) {
        const struct gx_watch *watch = &t->step.watch[i];
        char name[64];
        snprintf(name, sizeof name, "health.%d", i);
        gx_record_add_optional(&t->record, name, (int64_t)(sizeof *t->health[i] / sizeof(float)),
                               (float *)t->health[i]);
        snprintf(name, sizeof name, "health.%d.earlier", i);
        if (watch->earlier)
            gx_record_add_optional(&t->record, name, gx_count(watch->earlier->shape),
                                   gx_plan_value(t->plan, watch->earlier));
    }
    if (t->step.health >= 0)
        gx_record_add_optional(&t->record, "health.loss",
                               (int64_t)(sizeof t->health_loss / sizeof(float)),
                               (float *)&t->health_loss);
}

bool gx_monitor_doubts(const struct gx_training *t)
{
    return t->health_loss.bad > 0;
}

/* ---- the loss ---- */

/* Losses of the phases after which a generator takes a step. */
static double generator_loss(const struct gx_training *t)
{
    double sum = 0;
    for (int i = 0; i < t->step.losses; i++) {
        const struct gx_node *value = t->step.loss[i].value;
        unsigned nets = t->step.phase[value->phase].update;
        bool theirs = false;
        for (int k = 0; k < t->game.nets; k++)
            theirs |= (nets >> k & 1) && t->game.net[k].generator;
        sum += theirs ? fabs((double)*gx_plan_value(t->plan, value)) : 0;
    }
    return sum;
}

static int check_loss(struct gx_training *t, struct gx_err *err)
{
    double total = generator_loss(t);
    if (!gx_health_lose(&t->health_loss, total))
        return 0;
    return gx_fail(err, GX_E_NUMERIC,
                   "step %" PRId64 ": the generator's loss is %.3g, and has been beyond 1e4 times "
                   "its median of %.3g for %d steps",
                   t->done, total, gx_health_median_loss(&t->health_loss), GX_HEALTH_PATIENCE);
}

/* ---- pictures ---- */

/* The i-th picture of a batch. */
static const float *picture(const struct gx_training *t, const struct gx_node *node, int i)
{
    return gx_plan_value(t->plan, node) + gx_count(node->shape) / node->shape.n * i;
}

static void see(struct gx_training *t, int w)
{
    const struct gx_watch *watch = &t->step.watch[w];
    int i = (int)t->health[w]->pictures % watch->output->shape.n;
    gx_health_see(t->health[w], picture(t, watch->input, i), watch->input->shape,
                  picture(t, watch->output, i), watch->output->shape, picture(t, watch->target, i),
                  watch->target->shape);
}

/* ---- a look ---- */

static double value_of(const struct gx_training *t, const struct gx_node *node)
{
    return node ? (double)*gx_plan_value(t->plan, node) : NAN;
}

static struct gx_health_sight sight_of(struct gx_training *t, int w)
{
    const struct gx_watch *watch = &t->step.watch[w];
    double unit = 2 / (double)(t->game.high - t->game.low); /* distances as in -1..1 */
    struct gx_health_sight s = {.gradient = value_of(t, watch->gradient),
                                .slope = value_of(t, watch->slope),
                                .moved = unit * value_of(t, watch->moved),
                                .differ = unit * value_of(t, watch->differ)};
    if (watch->earlier) {
        if (!t->health[w]->shown)
            s.moved = s.differ = NAN;
        t->health[w]->shown = 1;
        memcpy(gx_plan_value(t->plan, watch->earlier), picture(t, watch->input, 0),
               (size_t)gx_count(watch->earlier->shape) * sizeof(float));
    }
    return s;
}

static void add_figures(struct gx_line *line, const struct gx_health_figures *f,
                        const struct gx_health_memory *m)
{
    const struct {
        const char *name;
        double value;
    } row[] = {{"separation", f->separation}, {"gradient", f->gradient}, {"slope", f->slope},
               {"diversity", f->diversity},   {"moved", f->moved},       {"luma", f->luma}};
    char states[256];
    gx_health_states(m, states, sizeof states);
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        gx_line_figure(line, row[i].name, row[i].value);
        gx_line_add(line, ",");
    }
    gx_line_add(line, "\"state\":\"%s\"", states);
}

static void tell_changes(const struct gx_training *t, int w, unsigned entered, unsigned left)
{
    const char *name = t->step.watch[w].name, *colon = *name ? ": " : "";
    for (int s = 0; s < GX_HEALTH_STATES; s++) {
        if (entered >> s & 1)
            gx_training_say(t, true, "health", "step %" PRId64 ": %s%s%s", t->done, name, colon,
                            gx_health_text(s));
        if (left >> s & 1)
            gx_training_say(t, false, "health", "step %" PRId64 ": %s%sno longer: %s", t->done,
                            name, colon, gx_health_name(s));
    }
}

static int look(struct gx_training *t, struct gx_err *err)
{
    char text[LINE_BYTES];
    struct gx_line line = {.text = text, .size = sizeof text};
    gx_plan_run(t->plan, t->step.health, t->config->train.seed, (uint64_t)t->done);
    gx_line_add(&line, "{\"step\":%" PRId64 ",\"health\":{", t->done);
    for (int w = 0; w < t->step.watches; w++) {
        const char *name = t->step.watch[w].name;
        struct gx_health_sight sight = sight_of(t, w);
        unsigned entered, left;
        struct gx_health_figures f =
            gx_health_look(t->health[w], &sight, t->done, t->config->health.every, &entered, &left);
        if (*name)
            gx_line_add(&line, "%s\"%s\":{", w ? "," : "", name);
        add_figures(&line, &f, t->health[w]);
        gx_line_add(&line, "%s", *name ? "}" : "");
        tell_changes(t, w, entered, left);
    }
    gx_line_add(&line, "}}");
    return gx_run_log(&t->run, text, err);
}

int gx_monitor_step(struct gx_training *t, struct gx_err *err)
{
    int every = t->config->health.every;
    if (t->step.health < 0)
        return 0;
    for (int w = 0; w < t->step.watches; w++) {
        const struct gx_watch *watch = &t->step.watch[w];
        gx_health_judge(t->health[w], gx_plan_value(t->plan, watch->r),
                        gx_plan_value(t->plan, watch->f), gx_count(watch->f->shape), t->done);
        if (t->done % (every > PICTURES_A_LOOK ? every / PICTURES_A_LOOK : 1) == 0)
            see(t, w);
    }
    int code = check_loss(t, err);
    return !code && gx_health_due(t->done, every) ? look(t, err) : code;
}

/* ---- the summary ---- */

void gx_monitor_summary(const struct gx_training *t)
{
    char text[LINE_BYTES] = "";
    struct gx_line line = {.text = text, .size = sizeof text};
    if (t->step.health < 0)
        return;
    for (int w = 0; w < t->step.watches; w++) {
        const struct gx_health_memory *m = t->health[w];
        const char *name = t->step.watch[w].name;
        for (int s = 0; s < GX_HEALTH_STATES; s++) {
            if (!m->times[s])
                continue;
            gx_line_add(&line, "%s%s%s%s from step %.0f", line.length ? "; " : "", name,
                        *name ? ": " : "", gx_health_name(s), (double)m->first[s]);
            if (m->since[s] == 0)
                gx_line_add(&line, " to %.0f", (double)m->left[s]);
            if (m->times[s] > 1)
                gx_line_add(&line, ", %.0f times", (double)m->times[s]);
        }
    }
    gx_training_say(t, false, "health", "health: %s", *text ? text : "ok");
}
