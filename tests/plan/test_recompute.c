/* Reordered programs and values that are made again: the same bits, in less memory. Each step of a
 * GAN here is run as it is written, then with less and less memory, with weights that move between
 * phases, new pictures, and a phase that repeats: gradients, losses and statistics must agree. */
#include "../test.h"
#include "ganx/loss.h"
#include "ganx/network.h"
#include "ganx/plan.h"
#include "plan/recompute.h"
#include "util/random.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NETS_MAX = 4, STEPS = 2, SIDE = 32, BATCH = 2 };

struct net {
    struct gx_network_spec spec;
    struct gx_params params;
};

struct step {
    struct net net[NETS_MAX];
    int nets;
    struct gx_graph *graph;
    struct gx_node *a, *b;
    uint64_t repeated_phases;
};

static void add_net(struct step *s, const char *name, int in, int out, const char *norm)
{
    struct net *net = &s->net[s->nets++];
    struct gx_network_spec *spec = &net->spec;
    const struct {
        const char *size;
        int value;
    } sizes[] = {{"cin", in}, {"cout", out}, {"ngf", 6}, {"ndf", 6}, {"n_layers", 2}, {"drop", 1}};
    assert_int_equal(gx_spec_from_name(spec, name, NULL), 0);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        (void)!gx_spec_set(spec, sizes[i].size, sizes[i].value, NULL); /* where there is such */
    assert_int_equal(gx_spec_set_word(spec, "norm", norm, NULL), 0);
    assert_int_equal(gx_network_declare(spec, &net->params, NULL), 0);
}

static struct gx_node *apply(struct step *s, int net, struct gx_node *x)
{
    struct gx_node *out[GX_OUTPUTS_MAX];
    struct gx_build b = {.graph = s->graph,
                         .params = &s->net[net].params,
                         .spec = &s->net[net].spec,
                         .dropout = true,
                         .update_running = true};
    s->net[net].spec.network->build(&b, x, NULL, out);
    return out[0];
}

static void begin(struct step *s)
{
    struct gx_shape shape = {BATCH, SIDE, SIDE, 3};
    s->graph = gx_graph_new();
    s->a = gx_input(s->graph, shape, "a");
    s->b = gx_input(s->graph, shape, "b");
}

static struct gx_node *l1(struct step *s, struct gx_node *x, struct gx_node *y)
{
    return gx_pixel_loss_find("l1")->build(s->graph, x, y);
}

/* ---- three steps ---- */

/* Dropout, batch norm whose statistics move, a phase that repeats, values that cross phases. */
static void build_pix2pix(struct step *s)
{
    const struct gx_adversarial *gan = gx_adversarial_find("vanilla");
    add_net(s, "unet_32", 3, 3, "batch");
    add_net(s, "basic", 6, 1, "batch");
    begin(s);
    struct gx_graph *g = s->graph;
    struct gx_node *fake = apply(s, 0, s->a), *real_part, *fake_part;
    struct gx_node *pair = gx_concat(g, s->a, gx_stop_gradient(g, fake), GX_AXIS_C);
    struct gx_node *f = apply(s, 1, pair);
    struct gx_node *r = apply(s, 1, gx_concat(g, s->a, s->b, GX_AXIS_C));
    gan->discriminator(g, r, f, &real_part, &fake_part);
    gx_store_gradients(g, gx_keep(gx_add(g, real_part, fake_part)), &s->net[1].params);
    gx_graph_phase(g);
    f = apply(s, 1, gx_concat(g, s->a, fake, GX_AXIS_C));
    struct gx_node *loss = gx_add(g, gan->generator(g, NULL, f), l1(s, fake, s->b));
    gx_store_gradients(g, gx_keep(loss), &s->net[0].params);
    s->repeated_phases = 1;
}

/* Networks that are used several times, and passes that do not wait for one another. */
static void build_cycle(struct step *s)
{
    const struct gx_adversarial *gan = gx_adversarial_find("lsgan");
    add_net(s, "resnet_3blocks", 3, 3, "instance");
    add_net(s, "resnet_3blocks", 3, 3, "instance");
    add_net(s, "basic", 3, 1, "instance");
    begin(s);
    struct gx_graph *g = s->graph;
    struct gx_node *fake_b = apply(s, 0, s->a), *back_a = apply(s, 1, fake_b);
    struct gx_node *fake_a = apply(s, 1, s->b), *back_b = apply(s, 0, fake_a);
    struct gx_node *loss = gx_add(g, l1(s, back_a, s->a), l1(s, back_b, s->b));
    loss = gx_add(g, loss, gan->generator(g, NULL, apply(s, 2, fake_b)));
    loss = gx_add(g, loss, l1(s, apply(s, 0, s->b), s->b));
    loss = gx_keep(gx_add(g, loss, l1(s, apply(s, 1, s->a), s->a)));
    gx_store_gradients(g, loss, &s->net[0].params);
    gx_store_gradients(g, loss, &s->net[1].params);
    gx_graph_phase(g);
    struct gx_node *real_part, *fake_part;
    gan->discriminator(g, apply(s, 2, s->b), apply(s, 2, gx_stop_gradient(g, fake_b)), &real_part,
                       &fake_part);
    gx_store_gradients(g, gx_keep(gx_add(g, real_part, fake_part)), &s->net[2].params);
}

/* A gradient of a gradient, random interpolates, and a second phase that repeats. */
static void build_penalty(struct step *s)
{
    const struct gx_adversarial *gan = gx_adversarial_find("wgan_gp");
    add_net(s, "resnet_1blocks", 3, 3, "batch");
    add_net(s, "basic", 3, 1, "instance");
    begin(s);
    struct gx_graph *g = s->graph;
    struct gx_node *fake = apply(s, 0, s->a), *real_part, *fake_part;
    struct gx_node *loss = gan->generator(g, NULL, apply(s, 1, fake));
    gx_store_gradients(g, gx_keep(loss), &s->net[0].params);
    gx_graph_phase(g);
    fake = gx_stop_gradient(g, gx_tanh(g, gx_scale(g, fake, 2)));
    gan->discriminator(g, apply(s, 1, s->b), apply(s, 1, fake), &real_part, &fake_part);
    struct gx_node *between = gx_interpolate(g, s->b, fake);
    struct gx_node *penalty = gx_gradient_penalty(g, apply(s, 1, between), between, 1, false);
    loss = gx_add(g, gx_add(g, real_part, fake_part), penalty);
    gx_store_gradients(g, gx_keep(loss), &s->net[1].params);
    s->repeated_phases = 2;
}

/* ---- running them ---- */

static void fill(struct gx_plan *plan, struct gx_node *input, uint64_t key)
{
    struct gx_random r = gx_random_at(7, GX_STREAM_TEST, key);
    float *to = gx_plan_value(plan, input);
    for (int64_t i = 0; i < gx_count(input->shape); i++)
        to[i] = 2 * gx_random_uniform(&r) - 1;
}

static uint64_t mixed(uint64_t sum, const float *x, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        sum = (sum ^ bits) * UINT64_C(1099511628211);
    }
    return sum;
}

/* Some steps of descent; a number that stands for every gradient, statistic and loss on the way. */
static uint64_t train(struct step *s, struct gx_plan *plan)
{
    uint64_t sum = 1, batch = 0;
    for (int k = 0; k < s->nets; k++)
        gx_params_initialise(&s->net[k].params, GX_INIT_NORMAL, 0.05, 3, "net");
    for (int step = 0; step < STEPS; step++)
        for (int phase = 0; phase < 2; phase++)
            for (int round = 0; round < (s->repeated_phases >> phase & 1 ? 2 : 1); round++) {
                fill(plan, s->a, 2 * batch);
                fill(plan, s->b, 2 * batch++ + 1);
                gx_plan_run(plan, phase, 5, batch);
                for (int k = 0; k < s->nets; k++) {
                    struct gx_params *p = &s->net[k].params;
                    sum = mixed(mixed(sum, p->grad, p->trained), p->data, p->total);
                    for (int64_t i = 0; i < p->trained; i++)
                        p->data[i] -= 0.01F * p->grad[i];
                }
            }
    for (int id = 0; id < gx_graph_nodes(s->graph); id++)
        if (gx_graph_node(s->graph, id)->keep)
            sum = mixed(sum, gx_plan_value(plan, gx_graph_node(s->graph, id)), 1);
    return sum;
}

static void clear(struct step *s)
{
    gx_graph_free(&s->graph);
    for (int k = 0; k < s->nets; k++)
        gx_params_clear(&s->net[k].params);
}

/* Builds and runs a step with so much memory; 0: as it is written; negative: without a limit. */
static uint64_t run(void (*build)(struct step *), int64_t memory, struct gx_plan_facts *facts)
{
    struct step s = {0};
    struct gx_err err = {""};
    struct gx_plan *plan;
    build(&s);
    struct gx_plan_settings settings = {.threads = 1,
                                        .as_written = !memory,
                                        .max_memory = memory > 0 ? memory : 0,
                                        .repeated_phases = s.repeated_phases,
                                        .temp_folder = "/tmp"};
    for (int k = 0; k < s.nets; k++)
        if (gx_params_allocate(&s.net[k].params, &err) ||
            gx_params_allocate_gradients(&s.net[k].params, &err))
            fail_msg("%s", err.text);
    if (gx_plan_new(&plan, s.graph, &settings, &err) || gx_plan_allocate(plan, &err))
        fail_msg("%s", err.text);
    *facts = gx_plan_facts(plan);
    uint64_t sum = train(&s, plan);
    gx_plan_free(&plan);
    clear(&s);
    return sum;
}

static void same_bits(void **state)
{
    (void)state;
    const struct {
        const char *name;
        void (*build)(struct step *);
        double least; /* part of the arena, as written, that it can come down to */
    } row[] = {{"pix2pix", build_pix2pix, 0.97}, /* a product's scratch is most of it */
               {"cycle", build_cycle, 0.4},
               {"penalty", build_penalty, 0.97}};
    for (int i = 0; i < 3; i++) {
        struct gx_plan_facts written, free, facts;
        uint64_t expected = run(row[i].build, 0, &written);
        assert_int_equal(run(row[i].build, -1, &free), expected);
        assert_true(free.arena <= written.arena && free.flops == written.flops);
        assert_true(written.recomputed == 0 && written.recompute_cost == 0);
        for (int k = 0; k < 3; k++) {
            int64_t most = free.arena * (3 - k) / 4;
            if (run(row[i].build, most, &facts) != expected)
                fail_msg("%s differs with %.0f of %.0f KiB", row[i].name,
                         (double)facts.arena / 1024, (double)written.arena / 1024);
            assert_true(facts.flops == written.flops);
            assert_true(facts.recompute_cost > 0 && facts.recompute_cost <= 1.001);
        }
        if ((double)facts.arena > row[i].least * (double)written.arena)
            fail_msg("%s: %.0f of %.0f KiB is the least", row[i].name, (double)facts.arena / 1024,
                     (double)written.arena / 1024);
    }
}

/* ---- what must not be made again, or sooner ---- */

enum { SUMS = 6 };

/* A number, perhaps from a value that is four times as large as x. */
static struct gx_node *bulk(struct gx_graph *g, struct gx_node *x, bool heavy)
{
    if (!heavy)
        return gx_mean(g, x, GX_AXES_ALL);
    struct gx_node *twice = gx_concat(g, gx_sigmoid(g, x), gx_tanh(g, x), GX_AXIS_C);
    return gx_mean(g, gx_concat(g, twice, twice, GX_AXIS_C), GX_AXES_ALL);
}

static struct gx_node *total(struct gx_graph *g, struct gx_node *x)
{
    return gx_keep(gx_sum(g, x, GX_AXES_ALL));
}

/* y is read before and after the state that it came from has moved; noise is drawn in one phase and
 * read in another, which has another step's number. Either waits while much memory is in use. */
static void run_moving(struct gx_plan_settings settings, int heavy, double *sum,
                       struct gx_plan_facts *facts)
{
    struct gx_graph *g = gx_graph_new();
    struct gx_params params;
    struct gx_err err = {""};
    struct gx_plan *plan;
    gx_params_init(&params);
    struct gx_param *moved =
        gx_params_declare(&params, "m", GX_PARAM_STATE, (struct gx_shape){1, 1, 1, 16});
    assert_int_equal(gx_params_allocate(&params, &err), 0);
    for (int i = 0; i < 16; i++)
        moved->data[i] = (float)i;
    struct gx_shape shape = {1, 64, 64, 16};
    struct gx_node *x = gx_input(g, shape, "x"), *state = gx_parameter(g, moved), *part[8];
    struct gx_node *node[SUMS], *noise = gx_uniform(g, shape, 0, 1), *y = gx_mul(g, x, state);
    for (int i = 0; i < 8; i++) /* all made, then all read: another order needs less */
        part[i] = gx_affine(g, x, 1, (float)i);
    for (int i = 1; i < 8; i++)
        part[0] = gx_add(g, part[0], gx_sum(g, part[i], GX_AXES_ALL));
    node[0] = total(g, y);
    node[1] = total(g, part[0]);
    gx_update_average(g, moved, gx_mean(g, x, GX_AXIS_H | GX_AXIS_W), 0.5F);
    node[2] = total(g, gx_mul(g, y, bulk(g, gx_add(g, x, node[0]), heavy == 0)));
    node[3] = total(g, gx_mul(g, x, state));
    node[4] = total(g, noise);
    gx_graph_phase(g);
    node[5] = total(g, gx_mul(g, noise, bulk(g, x, heavy == 1)));
    assert_int_equal(gx_plan_new(&plan, g, &settings, &err), 0);
    assert_int_equal(gx_plan_allocate(plan, &err), 0);
    *facts = gx_plan_facts(plan);
    fill(plan, x, 1);
    for (int phase = 0; phase < 2; phase++)
        gx_plan_run(plan, phase, 5, (uint64_t)phase);
    for (int i = 0; i < SUMS; i++)
        sum[i] = *gx_plan_value(plan, node[i]);
    gx_plan_free(&plan);
    gx_graph_free(&g);
    gx_params_clear(&params);
}

static void what_moves(void **state)
{
    (void)state;
    for (int heavy = 0; heavy < 2; heavy++) {
        double written[SUMS], least[SUMS];
        struct gx_plan_facts before, after;
        struct gx_plan_settings settings = {.threads = 1, .as_written = true};
        run_moving(settings, heavy, written, &before);
        settings = (struct gx_plan_settings){.threads = 1, .max_memory = 1, .temp_folder = "/tmp"};
        run_moving(settings, heavy, least, &after);
        assert_true(after.arena < before.arena);
        for (int i = 0; i < SUMS; i++)
            if (written[i] != least[i])
                fail_msg("sum %d: %.9g and %.9g", i, written[i], least[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits),
        cmocka_unit_test(what_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
