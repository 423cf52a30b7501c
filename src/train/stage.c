/* Two phases in one run (train.pixel_steps): first the generator learns from the pixel loss alone,
 * then it enters the game. Each has a step of its own, planned beforehand into the same memory. At
 * the change the averaged weights become the generator's, optimizers begin anew, and so does the
 * search for the best checkpoint; a checkpoint of that very step is from before the change, which a
 * resumed run makes again. */
#include "train/training.h"

#include "config/resolve.h"

#include <inttypes.h>
#include <math.h>

static int64_t pixel_steps(const struct gx_training *t)
{
    return t->config->train.pixel_steps;
}

static int check(const struct gx_training *t, struct gx_err *err)
{
    const struct gx_config *c = t->config;
    if (!(c->loss.gan_weight > 0) && !t->game.vgg)
        return gx_config_fail(c, "train.pixel_steps", err,
                              "train.pixel_steps come before a game, and there is none: set "
                              "loss.gan_weight or loss.perceptual");
    if (!(c->loss.pix > 0))
        return gx_config_fail(c, "train.pixel_steps", err,
                              "train.pixel_steps learn from the pixel loss, and loss.pix is 0");
    return 0;
}

int gx_stage_build(struct gx_training *t, struct gx_err *err)
{
    if (!pixel_steps(t))
        return 0;
    int code = check(t, err);
    if (code)
        return code;
    gx_game_build_pixel_step(&t->game, t->config->train.batch, t->height, t->width, &t->other_step);
    return gx_graph_check(t->other_step.graph, err);
}

int gx_stage_plan(struct gx_training *t, const struct gx_plan_settings *settings,
                  struct gx_err *err)
{
    if (!t->other_step.graph)
        return 0;
    int code = gx_plan_new(&t->other_plan, t->other_step.graph, settings, err);
    if (!code)
        gx_plan_share(t->plan, t->other_plan);
    return code;
}

static void exchange(struct gx_training *t)
{
    struct gx_step step = t->step;
    struct gx_plan *plan = t->plan;
    t->step = t->other_step;
    t->plan = t->other_plan;
    t->other_step = step;
    t->other_plan = plan;
    t->pixels = !t->pixels;
}

void gx_stage_start(struct gx_training *t)
{
    if (t->other_plan && t->done <= pixel_steps(t))
        exchange(t);
}

int gx_stage_advance(struct gx_training *t, struct gx_err *err)
{
    if (!t->pixels || t->done < pixel_steps(t))
        return 0;
    int code = gx_training_write_model(t, "pixel.safetensors", err);
    if (code)
        return code;
    gx_training_swap_average(t);
    for (int i = 0; i < t->game.nets; i++) {
        if (t->average[i].data)
            gx_average_restart(&t->average[i]);
        gx_optim_restart(&t->optim[i]);
    }
    gx_plateau_init(&t->plateau, &t->schedule);
    t->validation.best = NAN;
    t->validation.best_step = 0;
    exchange(t);
    gx_training_say(t, false, "phase",
                    "%" PRId64 " steps by the pixel loss alone are done; the game begins", t->done);
    return 0;
}

int64_t gx_training_batch(const struct gx_training *t, int64_t step)
{
    int64_t single = step < pixel_steps(t) ? step : pixel_steps(t);
    return single + (step - single) * t->batches_per_step;
}

double gx_stage_rate(const struct gx_training *t, int64_t step)
{
    const struct gx_config *c = t->config;
    struct gx_schedule s = {.kind = gx_schedule_kind_named(c->optim.pixel_schedule),
                            .lr = c->optim.pixel_lr > 0 ? c->optim.pixel_lr : c->optim.lr,
                            .min_lr = c->optim.min_lr,
                            .total = pixel_steps(t)};
    return gx_schedule_lr(&s, step);
}

void gx_stage_clear(struct gx_training *t)
{
    if (t->pixels)
        exchange(t); /* the game's plan owns the memory, and is freed after this one */
    gx_plan_free(&t->other_plan);
    gx_graph_free(&t->other_step.graph);
}
