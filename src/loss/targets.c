/* Labels of an objective's rows: 1 and 0 are what the formulas say, others are had by moving what
 * they are given.
 *
 *   cross-entropy   to t instead of 1:  t s(-r) + (1 - t) s(r) = s(-r) + (1 - t) r
 *   least squares   to a instead of 1:  (r - a)^2 = ((r + 1 - a) - 1)^2
 *
 * with s(v) = log(1 + e^v). */
#include "loss/loss.h"

void gx_adversarial_judge(const struct gx_adversarial *a, const struct gx_targets *t,
                          struct gx_graph *g, struct gx_node *r, struct gx_node *f,
                          struct gx_node **real, struct gx_node **fake)
{
    float one = t->real - t->smooth;
    if (a->targets == GX_TARGETS_SQUARES && one != 1)
        r = gx_affine(g, r, 1, 1 - one);
    if (a->targets == GX_TARGETS_SQUARES && t->fake != 0)
        f = gx_affine(g, f, 1, -t->fake);
    a->discriminator(g, r, f, real, fake);
    if (a->targets == GX_TARGETS_ENTROPY && t->smooth > 0)
        *real = gx_add(g, *real, gx_scale(g, gx_expect(g, r), t->smooth));
}

struct gx_node *gx_adversarial_fool(const struct gx_adversarial *a, const struct gx_targets *t,
                                    struct gx_graph *g, struct gx_node *r, struct gx_node *f)
{
    if (a->targets == GX_TARGETS_SQUARES && t->wanted != 1)
        f = gx_affine(g, f, 1, 1 - t->wanted);
    return a->generator(g, r, f);
}
