/* Kind "objectives": for every adversarial objective that is known, the loss and its gradients to
 * the discriminator's outputs on real (r) and generated (f) pictures, for both players. */
#include "parity.h"

#include "ganx/loss.h"
#include "ganx/plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct outputs {
    int count;
    float *value[2]; /* r and f */
};

static int read_numbers(const json_t *object, const char *key, int *count, float **to,
                        struct gx_err *err)
{
    const json_t *array = json_object_get(object, key);
    size_t size = json_array_size(array);
    *to = NULL;
    if (!size || (*count && (size_t)*count != size))
        return gx_fail(err, GX_E_FORMAT, "'%s' has %zu numbers", key, size);
    *count = (int)size;
    *to = malloc(size * sizeof **to);
    for (size_t i = 0; i < size; i++)
        (*to)[i] = (float)json_number_value(json_array_get(array, i));
    return 0;
}

/* The largest difference of the gradient (zero where the loss does not depend on it), over its
 * largest magnitude where that is above 1. */
static double gradient_deviation(const struct gx_plan *plan, const struct gx_node *d,
                                 const float *want, int count)
{
    const float *got = d ? gx_plan_value(plan, d) : NULL;
    double worst = 0, most = 1;
    for (int i = 0; i < count; i++) {
        double difference = fabs((got ? (double)got[i] : 0) - want[i]);
        if (!(difference <= worst))
            worst = isnan(worst) ? worst : difference;
        most = fmax(most, fabs(want[i]));
    }
    return worst / most;
}

/* One player's side: the largest deviation of its loss and both gradients. */
static int deviation_of(const struct gx_adversarial *a, bool discriminator,
                        const struct outputs *given, const json_t *want, double *worst,
                        struct gx_err *err)
{
    struct gx_shape shape = {1, given->count, 1, 1};
    struct gx_graph *g = gx_graph_new();
    struct gx_plan *plan = NULL;
    const struct gx_plan_settings settings = {.threads = 1};
    struct gx_node *x[2] = {gx_input(g, shape, "r"), gx_input(g, shape, "f")}, *d[2], *loss;
    static const char *const keys[] = {"d_real", "d_fake"};
    double wanted;
    if (discriminator) {
        struct gx_node *real, *fake;
        a->discriminator(g, x[0], x[1], &real, &fake);
        loss = gx_add(g, real, fake);
    } else {
        loss = a->generator(g, a->generator_needs_real ? x[0] : NULL, x[1]);
    }
    gx_keep(loss);
    gx_gradients(g, loss, NULL, x, 2, d);
    for (int i = 0; i < 2; i++)
        if (d[i])
            gx_keep(d[i]);
    int r = fixture_number(want, "loss", &wanted, err);
    if (!r)
        r = gx_plan_new(&plan, g, &settings, err);
    if (!r)
        r = gx_plan_allocate(plan, err);
    if (!r) {
        for (int i = 0; i < 2; i++)
            memcpy(gx_plan_value(plan, x[i]), given->value[i],
                   (size_t)given->count * sizeof(float));
        gx_plan_run(plan, 0, 1, 0);
        *worst = fabs(*gx_plan_value(plan, loss) - wanted) / fmax(1, fabs(wanted));
    }
    for (int i = 0; i < 2 && !r; i++) {
        float *gradient;
        int count = given->count;
        r = read_numbers(want, keys[i], &count, &gradient, err);
        if (!r) {
            double deviation = gradient_deviation(plan, d[i], gradient, count);
            *worst = deviation <= *worst ? *worst : deviation;
        }
        free(gradient);
    }
    gx_plan_free(&plan);
    gx_graph_free(&g);
    return r;
}

static int check_case(const struct fixture *f, const char *name, const json_t *wanted,
                      const struct outputs *given, struct gx_err *err)
{
    const struct gx_adversarial *a = gx_adversarial_find(name);
    double tolerance, worst = 0;
    int r = fixture_number(f->json, "tolerance", &tolerance, err);
    static const char *const player[] = {"D", "G"};
    for (int i = 0; i < 2 && !r; i++) {
        r = deviation_of(a, i == 0, given, json_object_get(wanted, player[i]), &worst, err);
        if (r)
            return gx_context(err, r, "%s, %s", name, player[i]);
        parity_check(f, worst, tolerance, "%s, %s", name, player[i]);
    }
    return r;
}

int parity_objectives(const struct fixture *f, struct gx_err *err)
{
    struct outputs given = {.count = 0};
    const char *name;
    json_t *wanted;
    int r = read_numbers(f->json, "real", &given.count, &given.value[0], err);
    if (!r)
        r = read_numbers(f->json, "fake", &given.count, &given.value[1], err);
    if (!r)
        json_object_foreach(json_object_get(f->json, "cases"), name, wanted)
        {
            if (!gx_adversarial_find(name))
                parity_skipped(f, "objective %s is not known yet", name);
            else if (!r)
                r = check_case(f, name, wanted, &given, err);
        }
    free(given.value[0]);
    free(given.value[1]);
    return r;
}
