/* The rows of list.h, and what they are written with. */
#ifndef GX_LOSS_LOSS_H
#define GX_LOSS_LOSS_H

#include "ganx/loss.h"

#define GX_ADVERSARIAL(name) extern const struct gx_adversarial gx_adversarial_##name;
#define GX_PIXEL(name)       extern const struct gx_pixel_loss gx_pixel_loss_##name;
#include "loss/list.h"

/* The mean over every element: what the formulas write as E. */
static inline struct gx_node *gx_expect(struct gx_graph *g, struct gx_node *x)
{
    return gx_mean(g, x, GX_AXES_ALL);
}

#endif
