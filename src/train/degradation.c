#include "train/degradation.h"

#include "config/options.h"

static void take_stage(struct gx_degrade_stage *s, const struct gx_degrade_options *o)
{
    struct gx_blur *b = &s->blur;
    b->prob = o->blur_prob;
    b->sinc_prob = o->sinc_prob;
    gx_option_numbers(o->blur_size, b->size, 2);
    gx_option_numbers(o->shape_prob, b->shape_prob, GX_BLUR_SHAPES);
    gx_option_numbers(o->blur_sigma, b->sigma, 2);
    gx_option_numbers(o->betag_range, b->betag, 2);
    gx_option_numbers(o->betap_range, b->betap, 2);
    gx_option_numbers(o->resize_prob, s->resize_prob, 3);
    gx_option_numbers(o->resize_range, s->resize_range, 2);
    s->noise_prob = o->noise_prob;
    s->gaussian_prob = o->gaussian_prob;
    gx_option_numbers(o->gaussian_range, s->gaussian_range, 2);
    gx_option_numbers(o->poisson_range, s->poisson_range, 2);
    s->grey_prob = o->grey_prob;
    s->jpeg_prob = o->jpeg_prob;
    gx_option_numbers(o->jpeg_range, s->jpeg_range, 2);
}

int gx_degrading_init(struct gx_degrading *d, const struct gx_config *config, struct gx_err *err)
{
    *d = (struct gx_degrading){
        .training = {.kind = (enum gx_degrade_kind)config->degrade.kind,
                     .eight_bit = config->degrade.eight_bit,
                     .margin = config->degrade.margin,
                     .final_sinc_prob = config->degrade.final_sinc_prob},
        .held = {.kind = GX_DEGRADE_BICUBIC, .eight_bit = config->degrade.eight_bit},
        .usm = {.radius = config->degrade.usm_radius,
                .weight = config->degrade.usm_weight,
                .threshold = config->degrade.usm_threshold}};
    if (d->training.kind == GX_DEGRADE_LEARNT) /* the game makes its own, and leaves these */
        d->training.kind = GX_DEGRADE_BICUBIC;
    take_stage(&d->training.stage[0], &config->degrade.first);
    take_stage(&d->training.stage[1], &config->degrade.second);
    return gx_degradation_check(&d->training, err);
}
