/* Pictures in tiles: streamed equals whole for every network, size, tile and kind of picture; grey
 * and alpha; turned and mirrored; budgets; blends. */
#include "../test.h"
#include "making.h"

#include "ganx/image.h"
#include "ganx/model.h"
#include "model/tiles.h"
#include "util/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct recipe networks[] = {
    {"srvgg", "nf=4,nconv=2,scale=4", "ganx.value_range", "0,1"},
    {"srvgg", "nf=4,nconv=1,scale=3", "ganx.value_range", "0,1"},
    {"msrresnet", "nf=4,nb=1,scale=4", "ganx.value_range", "0,1"},
    {"msrresnet", "nf=4,nb=1,scale=3", "ganx.value_range", "0,1"},
    {"srresnet", "nf=4,nb=1,scale=2", "ganx.value_range", "0,1", 0, "ganx.norm_stats", "running"},
    {"rrdbnet", "nf=4,nb=1,gc=2,scale=4", "ganx.value_range", "0,1"},
    {"rrdbnet", "nf=4,nb=1,gc=2,scale=2", "ganx.value_range", "0,1"},
    {"rrdbnet", "nf=4,nb=1,gc=2,scale=1", "ganx.value_range", "0,1"},
};
enum { NETWORKS = sizeof networks / sizeof *networks };

/* ---- pictures in memory ---- */

struct picture {
    int w, h, channels, scale;
    float *in, *out;
    int read, written;
    int64_t done;
    int stop_after; /* steps; 0: never */
};

static int read_rows(void *state, int rows, float *to, struct gx_err *err)
{
    (void)err;
    struct picture *p = state;
    size_t row = (size_t)p->w * (size_t)p->channels;
    assert_true(p->read + rows <= p->h);
    memcpy(to, p->in + (size_t)p->read * row, (size_t)rows * row * sizeof *to);
    p->read += rows;
    return 0;
}

static int write_rows(void *state, int rows, const float *from, struct gx_err *err)
{
    (void)err;
    struct picture *p = state;
    size_t row = (size_t)(p->w * p->scale) * (size_t)p->channels;
    assert_true(p->written + rows <= p->h * p->scale);
    memcpy(p->out + (size_t)p->written * row, from, (size_t)rows * row * sizeof *from);
    p->written += rows;
    return 0;
}

static int step(void *state, int64_t done, struct gx_err *err)
{
    struct picture *p = state;
    assert_true(done > p->done && done <= (int64_t)p->w * p->h);
    p->done = done;
    return p->stop_after && !--p->stop_after ? gx_fail(err, GX_E_IO, "stopped") : 0;
}

static size_t floats_in(const struct picture *p)
{
    return (size_t)p->w * (size_t)p->h * (size_t)p->channels;
}

static size_t floats_out(const struct picture *p)
{
    return floats_in(p) * (size_t)p->scale * (size_t)p->scale;
}

/* Noise; its alpha, if it has some, is mostly flat. */
static struct picture new_picture(int w, int h, int channels, int scale, uint64_t seed)
{
    struct gx_random random = gx_random_at(seed, GX_STREAM_TEST, 1);
    struct picture p = {.w = w, .h = h, .channels = channels, .scale = scale};
    p.in = calloc(floats_in(&p), sizeof *p.in);
    p.out = calloc(floats_out(&p), sizeof *p.out);
    for (size_t i = 0; i < floats_in(&p); i++) {
        p.in[i] = gx_random_uniform(&random);
        if (channels % 2 == 0 && i % (size_t)channels == (size_t)channels - 1)
            p.in[i] = i % 3 ? 1 : p.in[i] < 0.8F;
    }
    return p;
}

static void free_picture(struct picture *p)
{
    free(p->in);
    free(p->out);
}

static struct gx_upscale upscale(struct gx_model *model, struct picture *p,
                                 const struct gx_upscale_settings *settings)
{
    const struct gx_upscale_rows rows = {p, read_rows, write_rows, step};
    struct gx_upscale plan;
    struct gx_err err;
    p->read = p->written = 0;
    p->done = 0;
    if (gx_upscale_plan(&plan, model, p->w, p->h, p->channels, settings, &err) ||
        gx_upscale_run(&plan, model, &rows, &err))
        fail_msg("%d x %d x %d: %s", p->w, p->h, p->channels, err.text);
    assert_int_equal(p->read, p->h);
    assert_int_equal(p->written, p->h * p->scale);
    assert_int_equal(p->done, (int64_t)p->w * p->h);
    return plan;
}

/* The largest difference, in parts of the larger of the range and the largest value. */
static double difference(const float *a, const float *b, size_t count)
{
    double most = 0, size = 1;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, fabs((double)a[i] - b[i]));
        size = fmax(size, fabs((double)b[i]));
    }
    return most / size;
}

static const struct gx_upscale_settings whole = {.tile = 1 << 20};

/* ---- streamed equals whole ---- */

static void test_whole_is_the_models(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 9}, {9, 1}, {21, 18}};
    for (int i = 0; i < NETWORKS; i++) {
        struct gx_model *model = open_model(make_model(made, "whole", &networks[i]), NULL);
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            int scale = gx_model_facts(model)->scale;
            struct picture p = new_picture(sizes[k][0], sizes[k][1], 3, scale, k);
            float *want = calloc(floats_out(&p), sizeof *want);
            struct gx_err err;
            if (gx_model_translate(model, p.in, p.w, p.h, NULL, want, &err))
                fail_msg("%s", err.text);
            assert_true(upscale(model, &p, &whole).exact);
            assert_memory_equal(p.out, want, floats_out(&p) * sizeof *want);
            free(want);
            free_picture(&p);
        }
        gx_model_close(&model);
    }
}

static void check_tiles(struct gx_model *model, const char *name, uint64_t seed)
{
    struct gx_random random = gx_random_at(seed, GX_STREAM_TEST, 0);
    bool narrow = gx_random_below(&random, 4) == 0;
    int w = narrow ? 1 : 1 + (int)gx_random_below(&random, 90);
    int h = 1 + (int)gx_random_below(&random, 90), channels = 1 + (int)gx_random_below(&random, 4);
    struct gx_upscale_settings settings = {.tile = 1 + (int)gx_random_below(&random, 30),
                                           .own_border = true, /* where the reach is 100 too */
                                           .border = 1000,
                                           .tta = gx_random_below(&random, 8) == 0,
                                           .alpha = gx_random_below(&random, 2)};
    struct picture a = new_picture(w, h, channels, gx_model_facts(model)->scale, seed);
    struct picture b = new_picture(w, h, channels, gx_model_facts(model)->scale, seed);
    struct gx_upscale_settings at_once = settings;
    at_once.tile = whole.tile;
    struct gx_upscale plan = upscale(model, &a, &settings);
    assert_true(plan.exact);
    assert_true(plan.work >= 1);
    plan = upscale(model, &b, &at_once);
    assert_int_equal(plan.x.count * plan.y.count, 1);
    double off = difference(a.out, b.out, floats_out(&a));
    if (off > 1e-5)
        fail_msg("%s, %d x %d x %d in tiles of %d: off by %g", name, w, h, channels, settings.tile,
                 off);
    float *again = malloc(floats_out(&a) * sizeof *again);
    memcpy(again, a.out, floats_out(&a) * sizeof *again);
    upscale(model, &a, &settings);
    assert_memory_equal(a.out, again, floats_out(&a) * sizeof *again);
    free(again);
    free_picture(&a);
    free_picture(&b);
}

static void test_tiles_equal_whole(void **state)
{
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        struct gx_model *model = open_model(make_model(made, "tiles", &networks[i]), NULL);
        for (uint64_t seed = 0; seed < 8; seed++)
            check_tiles(model, networks[i].network, seed);
        gx_model_close(&model);
    }
}

/* With less than the reach the seams are there, and nobody says that they are not. */
static void test_border(void **state)
{
    (void)state;
    struct gx_model *model = open_model(make_model(made, "border", &networks[0]), NULL);
    struct picture a = new_picture(60, 50, 3, 4, 1), b = new_picture(60, 50, 3, 4, 1);
    struct gx_upscale_settings few = {.tile = 10, .own_border = true, .border = 0};
    struct gx_upscale plan = upscale(model, &a, &few);
    assert_false(plan.exact);
    assert_int_equal(plan.x.border, 2);
    upscale(model, &b, &whole);
    assert_true(difference(a.out, b.out, floats_out(&a)) > 1e-4);
    few.border = 100; /* no more than is of use */
    plan = upscale(model, &a, &few);
    assert_true(plan.exact);
    assert_int_equal(plan.x.border, 4);
    assert_true(difference(a.out, b.out, floats_out(&a)) < 1e-5);
    free_picture(&a);
    free_picture(&b);
    gx_model_close(&model);
}

/* ---- memory ---- */

static void test_budget(void **state)
{
    (void)state;
    struct gx_model *model = open_model(make_model(made, "budget", &networks[0]), NULL);
    struct picture a = new_picture(180, 260, 4, 4, 1), b = new_picture(180, 260, 4, 4, 1);
    struct gx_upscale_settings settings = {.max_memory = 64 << 20};
    struct gx_upscale plan = upscale(model, &b, &settings);
    assert_int_equal(plan.x.count * plan.y.count, 1);
    double work = 0;
    for (int64_t budget = 32 << 20; budget >= 3 << 20; budget /= 2) {
        settings.max_memory = budget;
        plan = upscale(model, &a, &settings);
        assert_true(plan.bytes <= budget);
        assert_true(plan.work >= work);
        assert_true(plan.exact);
        work = plan.work;
        assert_true(difference(a.out, b.out, floats_out(&a)) < 1e-5);
    }
    assert_true(work > 1.2);
    struct gx_err err;
    settings.max_memory = 10000;
    assert_int_equal(gx_upscale_plan(&plan, model, 180, 260, 4, &settings, &err), -GX_E_NOMEM);
    assert_non_null(strstr(err.text, "even the smallest tiles of its 180 x 260 pixels need"));
    settings.tile = 100;
    assert_int_equal(gx_upscale_plan(&plan, model, 180, 260, 4, &settings, &err), -GX_E_NOMEM);

    /* the height is of no matter, and a plan for a huge picture is made at once */
    settings = (struct gx_upscale_settings){.max_memory = 4 << 20};
    assert_int_equal(gx_upscale_plan(&plan, model, 300, 1 << 30, 3, &settings, &err), 0);
    assert_true(plan.bytes <= 4 << 20);
    settings.max_memory = 256 << 20;
    assert_int_equal(gx_upscale_plan(&plan, model, 60000, 60000, 3, &settings, &err), 0);
    assert_true(plan.bytes <= 256 << 20);
    free_picture(&a);
    free_picture(&b);
    gx_model_close(&model);
}

/* Statistics of the picture itself: no tiles unless they are forced. */
static void test_looks_at_all(void **state)
{
    (void)state;
    const struct gx_model_settings own = {.norm_stats = GX_MODEL_STATS_IMAGE};
    struct gx_model *model = open_model(make_model(made, "all", &networks[4]), &own);
    struct gx_upscale_settings settings = {.max_memory = 4 << 20};
    struct gx_upscale plan;
    struct gx_err err;
    assert_int_equal(gx_upscale_plan(&plan, model, 300, 300, 3, &settings, &err), -GX_E_NOMEM);
    assert_non_null(strstr(err.text, "looks at all of the picture"));
    assert_int_equal(gx_upscale_plan(&plan, model, 30, 30, 3, &settings, &err), 0);
    assert_true(plan.exact);
    settings.tile = 8;
    assert_int_equal(gx_upscale_plan(&plan, model, 300, 300, 3, &settings, &err), 0);
    assert_false(plan.exact);
    gx_model_close(&model);
}

/* ---- kinds of pictures ---- */

/* Grey is three equal channels, and its result their luma. */
static void test_grey(void **state)
{
    (void)state;
    struct gx_model *model = open_model(make_model(made, "grey", &networks[0]), NULL);
    struct picture grey = new_picture(20, 17, 1, 4, 3), colour = new_picture(20, 17, 3, 4, 3);
    for (size_t i = 0; i < floats_in(&colour); i++)
        colour.in[i] = grey.in[i / 3];
    upscale(model, &grey, &whole);
    upscale(model, &colour, &whole);
    for (size_t i = 0; i < floats_out(&grey); i++) {
        const float *c = colour.out + 3 * i;
        assert_true(fabsf(grey.out[i] - (0.299F * c[0] + 0.587F * c[1] + 0.114F * c[2])) < 1e-6F);
    }
    free_picture(&grey);
    free_picture(&colour);
    gx_model_close(&model);

    const struct recipe narrow = {"srvgg", "cin=1,cout=1,nf=2,nconv=1,scale=2"};
    model = open_model(make_model(made, "narrow", &narrow), NULL);
    struct gx_upscale plan;
    struct gx_err err;
    grey = new_picture(20, 17, 2, 2, 3);
    upscale(model, &grey, &whole);
    assert_int_equal(gx_upscale_plan(&plan, model, 9, 9, 3, &whole, &err), -GX_E_SHAPE);
    assert_int_equal(gx_upscale_plan(&plan, model, 0, 9, 1, &whole, &err), -GX_E_SHAPE);
    free_picture(&grey);
    gx_model_close(&model);
}

/* Colour does not see alpha; opaque and transparent areas stay so, whatever the network does; and
 * the rest is the picture's bicubic or the network's. */
static void test_alpha(void **state)
{
    (void)state;
    enum { W = 30, H = 20, S = 4 };
    struct gx_model *model = open_model(make_model(made, "alpha", &networks[0]), NULL);
    struct picture with = new_picture(W, H, 4, S, 3), without = new_picture(W, H, 3, S, 3);
    float plane[W * H], large[W * H * S * S];
    for (size_t i = 0; i < W * H; i++) {
        memcpy(without.in + 3 * i, with.in + 4 * i, 3 * sizeof(float));
        with.in[4 * i + 3] = plane[i] = i % W < W / 2 ? 0 : 1;
    }
    upscale(model, &without, &whole);
    for (int way = 0; way < 2; way++) {
        const struct gx_upscale_settings settings = {.alpha = (enum gx_upscale_alpha)way};
        upscale(model, &with, &settings);
        bool between = false;
        assert_int_equal(gx_resize(plane, 1, H, W, 1, large, H * S, W * S, GX_FILTER_BICUBIC, NULL),
                         0);
        for (size_t i = 0; i < W * H * S * S; i++) {
            int column = (int)(i % (W * S) / S);
            float alpha = with.out[4 * i + 3], cut = fminf(fmaxf(large[i], 0), 1);
            assert_memory_equal(with.out + 4 * i, without.out + 3 * i, 3 * sizeof(float));
            if (column < W / 2 - 1 || column > W / 2)
                assert_true(alpha == (column < W / 2 ? 0 : 1));
            else if (way == GX_ALPHA_BICUBIC)
                assert_true(fabsf(alpha - cut) < 1e-6F);
            assert_true(alpha >= 0 && alpha <= 1);
            between = between || (alpha > 0 && alpha < 1);
        }
        assert_true(between);
    }
    free_picture(&with);
    free_picture(&without);
    gx_model_close(&model);
}

static void mirror(float *picture, int w, int h, int channels)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w / 2; x++)
            for (int c = 0; c < channels; c++) {
                float *a = picture + (y * w + x) * channels + c;
                float *b = picture + (y * w + w - 1 - x) * channels + c, kept = *a;
                *a = *b;
                *b = kept;
            }
}

/* The mean over all turns does not care how the picture lies. */
static void test_tta(void **state)
{
    (void)state;
    struct gx_model *model = open_model(make_model(made, "tta", &networks[0]), NULL);
    const struct gx_upscale_settings all = {.tta = true};
    struct picture a = new_picture(23, 14, 3, 4, 3), b = new_picture(23, 14, 3, 4, 3);
    mirror(b.in, 23, 14, 3);
    upscale(model, &a, &all);
    upscale(model, &b, &all);
    mirror(b.out, 23 * 4, 14 * 4, 3);
    assert_true(difference(a.out, b.out, floats_out(&a)) < 1e-5);
    upscale(model, &b, &whole);
    mirror(b.out, 23 * 4, 14 * 4, 3);
    assert_true(difference(a.out, b.out, floats_out(&a)) > 1e-3);
    free_picture(&a);
    free_picture(&b);
    gx_model_close(&model);
}

/* ---- ends ---- */

static void test_stopped(void **state)
{
    (void)state;
    struct gx_model *model = open_model(make_model(made, "stop", &networks[0]), NULL);
    struct picture p = new_picture(40, 40, 3, 4, 1);
    const struct gx_upscale_rows rows = {&p, read_rows, write_rows, step};
    const struct gx_upscale_settings settings = {.tile = 10};
    struct gx_upscale plan;
    struct gx_err err;
    p.stop_after = 3;
    assert_int_equal(gx_upscale_plan(&plan, model, 40, 40, 3, &settings, &err), 0);
    assert_int_equal(gx_upscale_run(&plan, model, &rows, &err), -GX_E_IO);
    assert_string_equal(err.text, "stopped");
    assert_int_equal(p.written, 0);
    free_picture(&p);
    gx_model_close(&model);
}

static void test_blend(void **state)
{
    (void)state;
    struct recipe other = networks[0], third = networks[1];
    other.gain = 0.3F;
    char a[300], b[300], c[300];
    snprintf(a, sizeof a, "%s", make_model(made, "blend_a", &networks[0]));
    snprintf(b, sizeof b, "%s", make_model(made, "blend_b", &other));
    snprintf(c, sizeof c, "%s", make_model(made, "blend_c", &third));
    struct gx_model *first = open_model(a, NULL), *second = open_model(b, NULL);
    struct picture p = new_picture(11, 8, 3, 4, 1), q = new_picture(11, 8, 3, 4, 1);
    struct gx_err err;
    upscale(first, &p, &whole);
    assert_int_equal(gx_model_blend(first, 1, c, 1, &err), -GX_E_FORMAT);
    assert_non_null(strstr(err.text, "their networks differ"));
    assert_int_equal(gx_model_blend(first, 1, "nothing", 1, &err), -GX_E_IO);
    upscale(first, &q, &whole);
    assert_memory_equal(p.out, q.out, floats_out(&p) * sizeof(float));

    assert_int_equal(gx_model_blend(first, 0, b, 1, &err), 0); /* now the second */
    upscale(first, &p, &whole);
    upscale(second, &q, &whole);
    assert_memory_equal(p.out, q.out, floats_out(&p) * sizeof(float));
    assert_int_equal(gx_model_blend(first, 0.25, a, 0.75, &err), 0);
    assert_int_equal(gx_model_blend(second, 0.25, a, 0.75, &err), 0);
    upscale(first, &p, &whole);
    assert_true(difference(p.out, q.out, floats_out(&p)) > 1e-3);
    upscale(second, &q, &whole);
    assert_memory_equal(p.out, q.out, floats_out(&p) * sizeof(float));
    free_picture(&p);
    free_picture(&q);
    gx_model_close(&first);
    gx_model_close(&second);
}

/* ---- where tiles lie ---- */

/* Their results follow each other without gaps, and each has its border or the picture's edge. */
static void test_axes(void **state)
{
    (void)state;
    for (int size = 4; size < 120; size += 4)
        for (int tile = 1; tile < 40; tile++)
            for (int border = 4; border <= 12; border += 4) {
                struct gx_upscale_axis axis = gx_tiles_of(size, tile, border, 4);
                int longest = 0;
                for (int i = 0; i < axis.count; i++) {
                    int start = gx_tile_start(&axis, i), end = start + axis.region;
                    int from = gx_tile_from(&axis, i), to = gx_tile_from(&axis, i + 1);
                    assert_true(from < to && start % 4 == 0 && start >= 0 && end <= size);
                    assert_true(start == 0 ? from == 0 || from >= border : from - start >= border);
                    assert_true(end == size || end - to >= border);
                    longest = to - from > longest ? to - from : longest;
                }
                assert_int_equal(gx_tile_from(&axis, axis.count), size);
                assert_int_equal(gx_tile_longest(&axis), longest);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_whole_is_the_models),
        cmocka_unit_test(test_tiles_equal_whole),
        cmocka_unit_test(test_border),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_looks_at_all),
        cmocka_unit_test(test_grey),
        cmocka_unit_test(test_alpha),
        cmocka_unit_test(test_tta),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_blend),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
