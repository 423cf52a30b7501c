/* Objectives that estimate an f-divergence (Nowozin et al. 2016, "f-GAN"): with the output
 * activation g and the conjugate f*, the discriminator minimises -E g(r) + E f*(g(f)). The
 * generator minimises -E f*(g(f)), or, in the rows ending in _ns (section 3.2 there), -E g(f). Closed forms,
 * as the composition of f* and g overflows; s(v) = log(1 + e^v):
 *
 *                      -g(v)              f*(g(v))
 *   kl                 -v                 e^(v-1)
 *   reverse_kl         e^-v               v - 1
 *   pearson            -v                 v^2/4 + v
 *   hellinger          e^-v - 1           e^v - 1
 *   jensen_shannon     s(-v) - log 2      s(v) - log 2
 *   total_variation    -tanh(v)/2         tanh(v)/2
 *   gan                s(-v)              s(v)
 *
 * What holds an e^v or e^-v grows exponentially by nature: beyond about 88 it is infinite. */
#include "loss/loss.h"

static const float log_2 = 0.693147181F;

static struct gx_node *neg(struct gx_graph *g, struct gx_node *v)
{
    return gx_scale(g, v, -1);
}

static struct gx_node *kl_conjugate(struct gx_graph *g, struct gx_node *v)
{
    return gx_exp(g, gx_affine(g, v, 1, -1));
}

static struct gx_node *exp_neg(struct gx_graph *g, struct gx_node *v)
{
    return gx_exp(g, neg(g, v));
}

static struct gx_node *reverse_kl_conjugate(struct gx_graph *g, struct gx_node *v)
{
    return gx_affine(g, v, 1, -1);
}

static struct gx_node *pearson_conjugate(struct gx_graph *g, struct gx_node *v)
{
    return gx_add(g, gx_scale(g, gx_square(g, v), 0.25F), v);
}

static struct gx_node *hellinger_conjugate(struct gx_graph *g, struct gx_node *v)
{
    return gx_affine(g, gx_exp(g, v), 1, -1);
}

static struct gx_node *hellinger_negated(struct gx_graph *g, struct gx_node *v)
{
    return hellinger_conjugate(g, neg(g, v));
}

static struct gx_node *jensen_shannon_conjugate(struct gx_graph *g, struct gx_node *v)
{
    return gx_affine(g, gx_softplus(g, v), 1, -log_2);
}

static struct gx_node *jensen_shannon_negated(struct gx_graph *g, struct gx_node *v)
{
    return jensen_shannon_conjugate(g, neg(g, v));
}

static struct gx_node *half_tanh(struct gx_graph *g, struct gx_node *v)
{
    return gx_scale(g, gx_tanh(g, v), 0.5F);
}

static struct gx_node *half_tanh_negated(struct gx_graph *g, struct gx_node *v)
{
    return gx_scale(g, gx_tanh(g, v), -0.5F);
}

static struct gx_node *softplus_neg(struct gx_graph *g, struct gx_node *v)
{
    return gx_softplus(g, neg(g, v));
}

/* Both rows of a divergence, given -g and f* o g as functions of a node. */
#define DIVERGENCE(label, negated, conjugate, text)                                                \
    static void label##_d(struct gx_graph *g, struct gx_node *r, struct gx_node *f,                \
                          struct gx_node **real, struct gx_node **fake)                            \
    {                                                                                              \
        *real = gx_expect(g, negated(g, r));                                                       \
        *fake = gx_expect(g, conjugate(g, f));                                                     \
    }                                                                                              \
    static struct gx_node *label##_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)     \
    {                                                                                              \
        (void)r;                                                                                   \
        return neg(g, gx_expect(g, conjugate(g, f)));                                              \
    }                                                                                              \
    static struct gx_node *label##_ns_g(struct gx_graph *g, struct gx_node *r, struct gx_node *f)  \
    {                                                                                              \
        (void)r;                                                                                   \
        return gx_expect(g, negated(g, f));                                                        \
    }                                                                                              \
    const struct gx_adversarial gx_adversarial_f_##label = {                                       \
        .name = "f_" #label,                                                                       \
        .help = text,                                                                              \
        .discriminator = label##_d,                                                                \
        .generator = label##_g,                                                                    \
    };                                                                                             \
    const struct gx_adversarial gx_adversarial_f_##label##_ns = {                                  \
        .name = "f_" #label "_ns",                                                                 \
        .help = text ", non-saturating",                                                           \
        .discriminator = label##_d,                                                                \
        .generator = label##_ns_g,                                                                 \
    };

DIVERGENCE(kl, neg, kl_conjugate, "Kullback-Leibler divergence")
DIVERGENCE(reverse_kl, exp_neg, reverse_kl_conjugate, "reverse Kullback-Leibler divergence")
DIVERGENCE(pearson, neg, pearson_conjugate, "Pearson's chi-squared divergence")
DIVERGENCE(hellinger, hellinger_negated, hellinger_conjugate, "squared Hellinger distance")
DIVERGENCE(jensen_shannon, jensen_shannon_negated, jensen_shannon_conjugate,
           "Jensen-Shannon divergence")
DIVERGENCE(total_variation, half_tanh_negated, half_tanh, "total variation distance")
DIVERGENCE(gan, softplus_neg, gx_softplus, "the divergence of the original game")
