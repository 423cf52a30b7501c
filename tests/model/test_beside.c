/* Pictures that are translated at a time: the same bits on any number of threads, and how those and
 * the memory are divided. */
#include "../test.h"
#include "making.h"

#include "model/model.h"
#include "util/random.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURES = 6, SIDE_MAX = 160, CALLERS = 4 };

static const struct recipe unet = {"unet_64", "ngf=8,downs=6"};

static void picture(float *to, int w, int h, uint64_t seed)
{
    struct gx_random r = gx_random_at(seed, GX_STREAM_TEST, 0);
    for (int i = 0; i < w * h * 3; i++)
        to[i] = 2 * gx_random_uniform(&r) - 1;
}

/* ---- threads do not matter ---- */

static void check_threads(const struct recipe *recipe, const char *kernels, int w, int h)
{
    static float in[SIDE_MAX * SIDE_MAX * 3], first[SIDE_MAX * SIDE_MAX * 12],
        out[SIDE_MAX * SIDE_MAX * 12];
    const char *path = make_model(made, "any", recipe);
    float label[5] = {0, 1};
    picture(in, w, h, 1);
    for (int threads = 1; threads <= 5; threads++) {
        const struct gx_model_settings settings = {.threads = threads, .kernels = kernels};
        struct gx_model *model = open_model(path, &settings);
        const struct gx_model_facts *facts = gx_model_facts(model);
        size_t count = (size_t)(w * h * 3 * facts->scale * facts->scale);
        assert_int_equal(facts->threads, threads);
        assert_int_equal(
            gx_model_translate(model, in, w, h, facts->domains ? label : NULL, out, NULL), 0);
        if (threads == 1)
            memcpy(first, out, count * sizeof *out);
        assert_memory_equal(out, first, count * sizeof *out);
        gx_model_close(&model);
    }
}

static void test_any_number_of_threads(void **state)
{
    static const struct recipe recipes[] = {{"unet_64", "ngf=8,downs=6"},
                                            {"resnet_6blocks", "ngf=8"},
                                            {"star_generator", "dim=8,c_dim=5"},
                                            {"srresnet", "nf=16,nb=2,scale=2"}};
    const char *tiers[] = {NULL, "generic"};
    (void)state;
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        for (int k = 0; k < 2; k++) {
            check_threads(&recipes[i], tiers[k], 96, 64);
            check_threads(&recipes[i], tiers[k], 101, 67);
        }
}

/* ---- several at a time ---- */

struct caller {
    struct gx_model *model;
    int first; /* picture */
    bool same; /* all results were those wanted */
};

static const int width[PICTURES] = {64, 80, 64, 128, 33, 64},
                 height[PICTURES] = {64, 48, 64, 150, 20, 64};
static float source[PICTURES][SIDE_MAX * SIDE_MAX * 3], wanted[PICTURES][SIDE_MAX * SIDE_MAX * 3];

static void *call(void *argument)
{
    struct caller *c = argument;
    float *out = malloc(sizeof wanted[0]);
    c->same = out;
    for (int i = 0; out && i < PICTURES; i++) {
        int k = (c->first + i) % PICTURES;
        size_t bytes = (size_t)(width[k] * height[k] * 3) * sizeof *out;
        c->same &= !gx_model_translate_beside(c->model, 1 + i % 4, source[k], width[k], height[k],
                                              NULL, out, NULL) &&
                   !memcmp(out, wanted[k], bytes);
    }
    free(out);
    return NULL;
}

static void check_callers(struct gx_model *model)
{
    pthread_t thread[CALLERS];
    struct caller caller[CALLERS];
    for (int i = 0; i < CALLERS; i++) {
        caller[i] = (struct caller){model, i, false};
        assert_int_equal(pthread_create(&thread[i], NULL, call, &caller[i]), 0);
    }
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_true(caller[i].same);
    }
}

static void test_several_callers(void **state)
{
    (void)state;
    const char *path = make_model(made, "unet", &unet);
    struct gx_model_settings settings = {.threads = 3};
    struct gx_model *model = open_model(path, &settings);
    int64_t bytes = 0;
    for (int i = 0; i < PICTURES; i++) {
        picture(source[i], width[i], height[i], (uint64_t)i);
        assert_int_equal(
            gx_model_translate(model, source[i], width[i], height[i], NULL, wanted[i], NULL), 0);
    }
    check_callers(model);
    assert_int_equal(gx_model_needs(model, 128, 150, &bytes, NULL), 0);
    settings.max_memory = gx_model_facts(model)->parameters * 4 + bytes + (1 << 16);
    gx_model_close(&model);
    model = open_model(path, &settings); /* the largest picture has to be alone */
    check_callers(model);
    gx_model_close(&model);
}

/* ---- what each gets ---- */

static int threads_of(struct gx_model *model, int side, int beside)
{
    struct gx_model_plan *plan;
    struct gx_err err;
    if (gx_model_prepare(model, side, side, beside, &plan, &err))
        fail_msg("%s", err.text);
    int threads = plan->threads;
    gx_model_leave(model, plan);
    return threads;
}

static void test_shares(void **state)
{
    (void)state;
    const char *path = make_model(made, "unet", &unet);
    struct gx_model_settings settings = {.threads = 8};
    struct gx_model *model = open_model(path, &settings);
    struct gx_model_plan *one, *two;
    int64_t bytes = 0;
    assert_int_equal(threads_of(model, 64, 1), 8);
    assert_int_equal(threads_of(model, 64, 3), 2);
    assert_int_equal(threads_of(model, 64, 8), 1);
    assert_int_equal(threads_of(model, 64, 20), 1);
    assert_int_equal(gx_model_prepare(model, 64, 64, 8, &one, NULL), 0);
    assert_int_equal(gx_model_prepare(model, 64, 64, 8, &two, NULL), 0);
    assert_ptr_not_equal(one, two);
    gx_model_leave(model, one);
    gx_model_leave(model, two);
    assert_int_equal(gx_model_needs(model, 1024, 1024, &bytes, NULL), 0);
    settings.max_memory = gx_model_facts(model)->parameters * 4 + bytes + (1 << 20);
    gx_model_close(&model);
    model = open_model(path, &settings);
    assert_int_equal(threads_of(model, 1024, 8), 8);
    assert_in_range(threads_of(model, 512, 8), 2, 7);
    assert_int_equal(threads_of(model, 64, 8), 1);
    gx_model_close(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_number_of_threads),
                                       cmocka_unit_test(test_several_callers),
                                       cmocka_unit_test(test_shares)};
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
