/* How small pictures are made: kernels, noise, JPEG, sharpening against numpy and their formulas; and
 * that what is drawn depends on the sample alone. */
#include "../reference/image/degrade.h"
#include "image/degrade_parts.h"
#include "image/loader.h"
#include "image/resize.h"
#include "pictures.h"

#include <math.h>

static void agree(const float *to, const float *expected, int count, double tolerance,
                  const char *what)
{
    for (int k = 0; k < count; k++)
        if (!(fabs((double)to[k] - (double)expected[k]) <= tolerance))
            fail_msg("%s, number %d: %f is not %f", what, k, to[k], expected[k]);
}

/* ---- kernels ---- */

static void kernels(void **state)
{
    (void)state;
    static struct gx_kernel k;
    gx_kernel_shape(&k, 7, GX_BLUR_ANISO, (const double[]){2, 0.8}, 0.6, 1);
    agree(k.weight, k_aniso, 49, 1e-6, "aniso");
    gx_kernel_shape(&k, 7, GX_BLUR_GENERALISED_ANISO, (const double[]){1.5, 2.5}, -1, 0.7);
    agree(k.weight, k_generalised, 49, 1e-6, "generalised");
    gx_kernel_shape(&k, 7, GX_BLUR_PLATEAU_ANISO, (const double[]){2, 1}, 2, 1.8);
    agree(k.weight, k_plateau, 49, 1e-6, "plateau");
    gx_kernel_sinc(&k, 7, 2.0);
    agree(k.weight, k_sinc7, 49, 1e-6, "sinc");
    gx_kernel_sinc(&k, 9, 3.14159265358979);
    agree(k.weight, k_sinc9, 81, 1e-6, "sinc");
}

/* Its second moments are its covariance matrix; a round one is the product of two. */
static void moments(void **state)
{
    (void)state;
    enum { SIZE = 31 };
    static struct gx_kernel k, iso;
    const double sigma[2] = {3, 1.5}, angle = 0.5;
    gx_kernel_shape(&k, SIZE, GX_BLUR_ANISO, sigma, angle, 1);
    double xx = 0, xy = 0, yy = 0;
    for (int i = 0; i < SIZE * SIZE; i++) {
        double x = i % SIZE - SIZE / 2, y = i / SIZE - SIZE / 2, w = (double)k.weight[i];
        xx += w * x * x;
        xy += w * x * y;
        yy += w * y * y;
    }
    double c = cos(angle), s = sin(angle);
    assert_true(fabs(xx - (9 * c * c + 2.25 * s * s)) < 0.01);
    assert_true(fabs(yy - (9 * s * s + 2.25 * c * c)) < 0.01);
    assert_true(fabs(xy - (9 - 2.25) * s * c) < 0.01);
    gx_kernel_shape(&iso, 9, GX_BLUR_ISO, (const double[]){1.7, 1.7}, 0, 1);
    gx_kernel_shape(&k, 9, GX_BLUR_ANISO, (const double[]){1.7, 1.7}, 0, 1);
    assert_true(iso.separable);
    for (int i = 0; i < 81; i++)
        assert_true(fabsf(iso.weight[i % 9] * iso.weight[i / 9] - k.weight[i]) < 1e-7f);
}

static bool is_pointwise_symmetric(const struct gx_kernel *k)
{
    int count = k->size * k->size;
    for (int i = 0; i < count; i++)
        if (fabsf(k->weight[i] - k->weight[count - 1 - i]) > 1e-6f)
            return false;
    return true;
}

/* The shares of sizes and kinds over many draws, and what all kernels have in common. */
static void draws(void **state)
{
    (void)state;
    enum { MANY = 4000 };
    const struct gx_blur *blur = &gx_degradation_defaults.stage[0].blur;
    static struct gx_kernel k;
    int sizes[8] = {0}, separable = 0, ringing = 0;
    struct gx_random random = gx_random_at(5, GX_STREAM_TEST, 0);
    for (int i = 0; i < MANY; i++) {
        gx_kernel_draw(&k, blur, &random);
        assert_int_equal(k.size % 2, 1);
        assert_in_range(k.size, 7, 21);
        sizes[(k.size - 7) / 2]++;
        separable += k.separable;
        int count = k.separable ? k.size : k.size * k.size;
        double sum = 0;
        float least = 0;
        for (int j = 0; j < count; j++) {
            sum += (double)k.weight[j];
            least = fminf(least, k.weight[j]);
        }
        assert_true(fabs(sum - 1) < 1e-5);
        ringing += least < -1e-6f;
        assert_true(k.separable || is_pointwise_symmetric(&k));
    }
    for (int i = 0; i < 8; i++)
        assert_in_range(sizes[i], MANY / 8 - 90, MANY / 8 + 90);
    assert_in_range(separable, (int)(MANY * 0.405) - 130, (int)(MANY * 0.405) + 130);
    assert_in_range(ringing, MANY / 10 - 85, MANY / 10 + 85);
    int chosen[4] = {0};
    for (int i = 0; i < MANY; i++) /* shares of 4, not of 1 */
        chosen[gx_draw_one(&random, (const double[]){2, 0, 1, 1}, 4)]++;
    assert_int_equal(chosen[1], 0);
    assert_in_range(chosen[0], MANY / 2 - 130, MANY / 2 + 130);
    assert_in_range(chosen[2], MANY / 4 - 120, MANY / 4 + 120);
}

static void filters(void **state)
{
    (void)state;
    static struct gx_kernel k;
    float to[6 * 9 * 3];
    gx_kernel_shape(&k, 7, GX_BLUR_ANISO, (const double[]){2, 0.8}, 0.6, 1);
    assert_int_equal(gx_filter(textured, 6, 9, 3, &k, to, NULL), 0);
    agree(to, by_aniso, 6 * 9 * 3, 2e-6, "full");
    gx_kernel_shape(&k, 15, GX_BLUR_ISO, (const double[]){2, 2}, 0, 1);
    assert_int_equal(gx_filter(textured, 6, 9, 3, &k, to, NULL), 0);
    agree(to, by_gaussian, 6 * 9 * 3, 2e-6, "separable");
    assert_int_equal(gx_filter(textured, 1, 1, 3, &k, to, NULL), 0);
    agree(to, textured, 3, 1e-6, "one pixel");
}

static void sharpening(void **state)
{
    (void)state;
    enum { H = 30, W = 32 };
    static float soft[H * W * 3], sharp[H * W * 3];
    for (int i = 0; i < H * W; i++) {
        int x = i % W, y = i / W;
        soft[i * 3] = 0.4f + 0.25f * (x > 15) + 0.15f * (y > 20);
        soft[i * 3 + 1] = 0.5f + 0.01f * sinf((float)x / 3);
        soft[i * 3 + 2] = 0.95f * (x > 20) + 0.03f;
    }
    assert_int_equal(gx_sharpen(&gx_usm_defaults, soft, H, W, 3, sharp, NULL), 0);
    agree(sharp + 10 * W * 3, usm_row, W * 3, 2e-5, "row");
    for (int y = 0; y < H; y++)
        agree(sharp + (y * W + 17) * 3, usm_column + y * 3, 3, 2e-5, "column");
}

/* ---- noise ---- */

enum { SIDE = 256, PIXELS = SIDE * SIDE };
static float canvas[PIXELS * 3];

static void fill(float v)
{
    for (int i = 0; i < PIXELS * 3; i++)
        canvas[i] = v;
}

static void gaussian_noise(void **state)
{
    (void)state;
    const struct gx_random random = gx_random_at(5, GX_STREAM_TEST, 1);
    fill(0.5f);
    gx_noise_gaussian(canvas, SIDE, SIDE, 3, 0.05, false, &random, 0);
    double mean = 0, square = 0, third = 0, fourth = 0, beside = 0, channels = 0;
    for (int i = 0; i < PIXELS * 3; i++) {
        double v = ((double)canvas[i] - 0.5) / 0.05;
        mean += v;
        square += v * v;
        third += v * v * v;
        fourth += v * v * v * v;
        beside += i >= 3 ? v * ((double)canvas[i - 3] - 0.5) / 0.05 : 0;
        channels += i % 3 ? v * ((double)canvas[i - 1] - 0.5) / 0.05 : 0;
    }
    const double n = PIXELS * 3; /* one deviation of a mean is 0.0023 */
    assert_true(fabs(mean / n) < 0.01);
    assert_true(fabs(square / n - 1) < 0.015);
    assert_true(fabs(third / n) < 0.04);
    assert_true(fabs(fourth / n - 3) < 0.1);
    assert_true(fabs(beside / n) < 0.01);
    assert_true(fabs(channels / n) < 0.01);

    fill(0.5f);
    gx_noise_gaussian(canvas, SIDE, SIDE, 3, 0.05, true, &random, 0);
    square = 0;
    for (int i = 0; i < PIXELS; i++) {
        assert_true(canvas[i * 3] == canvas[i * 3 + 1] && canvas[i * 3] == canvas[i * 3 + 2]);
        square += ((double)canvas[i * 3] - 0.5) * ((double)canvas[i * 3] - 0.5) / 0.0025;
    }
    assert_true(fabs(square / PIXELS - 1) < 0.025);
    fill(0.99f);
    gx_noise_gaussian(canvas, SIDE, SIDE, 3, 0.1, false, &random, 0);
    for (int i = 0; i < PIXELS * 3; i++)
        assert_true(canvas[i] <= 1 && canvas[i] > 0.3f);
}

/* All 256 levels, so white is 256 photons: the variance of a level v is v/256, in units of 1. */
static void poisson_noise(void **state)
{
    (void)state;
    const struct gx_random random = gx_random_at(5, GX_STREAM_TEST, 2);
    for (int i = 0; i < PIXELS * 3; i++)
        canvas[i] = (float)(i / 3 % 256) / 255;
    assert_int_equal(gx_noise_poisson(canvas, SIDE, SIDE, 3, 0.5, false, &random, 0, NULL), 0);
    for (int level = 20; level <= 180; level += 40) { /* means over 16 levels, 12288 numbers */
        double mean = 0, square = 0, expected = 0;
        int count = 0;
        for (int i = 0; i < PIXELS * 3; i++) {
            int own = i / 3 % 256;
            if (own < level || own >= level + 16)
                continue;
            double v = (double)canvas[i] - own / 255.0;
            mean += v;
            square += v * v;
            expected += 0.25 * own / 255.0 / 256;
            count++;
        }
        assert_true(fabs(mean / count) < 5 * sqrt(expected / count / count));
        assert_true(fabs(square / expected - 1) < 0.07);
    }
    int none = 0;
    for (int i = 0; i < PIXELS * 3; i++) /* level 1 is a mean of 256/255 photons */
        none += i / 3 % 256 == 1 && fabsf(canvas[i] - 0.5f / 255) < 1e-6f;
    assert_true(fabs(none / 768.0 - exp(-256 / 255.0)) < 0.09);

    fill(0); /* no light, no noise */
    assert_int_equal(gx_noise_poisson(canvas, SIDE, SIDE, 3, 3, false, &random, 0, NULL), 0);
    for (int i = 0; i < PIXELS * 3; i++)
        assert_true(canvas[i] == 0);
    for (int i = 0; i < PIXELS * 3; i++)
        canvas[i] = 0.3f + 0.1f * (float)(i % 3) + (float)(i / 3 % 64) / 255;
    assert_int_equal(gx_noise_poisson(canvas, SIDE, SIDE, 3, 0.3, true, &random, 0, NULL), 0);
    int moved = 0;
    for (int i = 0; i < PIXELS; i++) {
        assert_true(fabsf(canvas[i * 3 + 1] - canvas[i * 3] - 0.1f) < 1e-5f);
        moved += fabsf(canvas[i * 3] - 0.3f - (float)(i % 64) / 255) > 1e-3f;
    }
    assert_true(moved > PIXELS / 2);
}

/* ---- JPEG ---- */

static void smooth(float *to, int h, int w, int c)
{
    for (int i = 0; i < h * w * c; i++)
        to[i] = 0.5f +
                0.4f * sinf((float)(i / c % w) / 9 + (float)(i % c)) * cosf((float)(i / c / w) / 7);
}

static double jpeg_error(int h, int w, int c, int quality)
{
    static float before[PIXELS * 3];
    double sum = 0;
    smooth(before, h, w, c);
    memcpy(canvas, before, (size_t)h * w * c * sizeof *canvas);
    assert_int_equal(gx_jpeg(canvas, h, w, c, quality, NULL), 0);
    for (int i = 0; i < h * w * c; i++)
        sum += fabs((double)canvas[i] - (double)before[i]);
    return sum / (h * w * c);
}

static void jpeg(void **state)
{
    (void)state;
    double fine = jpeg_error(61, 45, 3, 95), coarse = jpeg_error(61, 45, 3, 30);
    assert_true(fine < 0.012);
    assert_true(coarse > 1.5 * fine && coarse < 0.05);
    assert_true(jpeg_error(61, 45, 1, 95) < 0.008);
    assert_true(jpeg_error(1, 1, 3, 90) < 0.02);
    assert_true(jpeg_error(1, 40, 3, 90) < 0.03);
}

/* ---- all of it ---- */

static struct gx_degradation kind_of(enum gx_degrade_kind kind)
{
    struct gx_degradation d = gx_degradation_defaults;
    d.kind = kind;
    return d;
}

enum { H = 48, W = 64, SCALE = 4, LOW = H / SCALE * W / SCALE * 3 };

static void make(const struct gx_degradation *d, const struct gx_chance *chance, float *to)
{
    static float sharp[H * W * 3];
    struct gx_err err = {""};
    smooth(sharp, H, W, 3);
    if (gx_degrade(d, sharp, H, W, 3, SCALE, chance, to, &err))
        fail_msg("%s", err.text);
}

static void by_chance_alone(void **state)
{
    (void)state;
    float one[LOW], other[LOW];
    for (int kind = GX_DEGRADE_CLASSIC; kind <= GX_DEGRADE_REAL; kind++) {
        const struct gx_degradation d = kind_of((enum gx_degrade_kind)kind);
        for (int i = 0; i < 20; i++) {
            struct gx_chance chance = {1, 2, i, 0};
            make(&d, &chance, one);
            make(&d, &chance, other);
            assert_memory_equal(one, other, sizeof one);
            for (int k = 0; k < LOW; k++) {
                assert_true(one[k] >= 0 && one[k] <= 1);
                assert_true(fabsf(one[k] * 255 - rintf(one[k] * 255)) < 1e-3f);
            }
            struct gx_chance others[] = {
                {2, 2, i, 0}, {1, 3, i, 0}, {1, 2, i + 1, 0}, {1, 2, i, 1}};
            for (int k = 0; k < 4; k++) {
                make(&d, &others[k], other);
                assert_memory_not_equal(one, other, sizeof one);
            }
        }
    }
}

/* With nothing in them, classic is bicubic, and real is one resize by one of three filters. */
static void empty_stages(void **state)
{
    (void)state;
    static float sharp[H * W * 3], plain[3][LOW];
    float one[LOW], other[LOW];
    struct gx_degradation d = kind_of(GX_DEGRADE_CLASSIC);
    d.eight_bit = false;
    d.final_sinc_prob = 0;
    for (int i = 0; i < 2; i++) {
        struct gx_degrade_stage *s = &d.stage[i];
        s->blur.prob = s->noise_prob = s->jpeg_prob = 0;
        s->resize_prob[0] = s->resize_prob[1] = 0;
    }
    const struct gx_degradation bicubic = {.kind = GX_DEGRADE_BICUBIC};
    const struct gx_chance chance = {1, 2, 3, 0};
    make(&d, &chance, one);
    make(&bicubic, &chance, other);
    assert_memory_equal(one, other, sizeof one);

    smooth(sharp, H, W, 3);
    for (int f = 0; f < 3; f++)
        assert_int_equal(
            gx_resize_plain(sharp, H, W, 3, plain[f], H / SCALE, W / SCALE, (enum gx_plain)f, NULL),
            0);
    int met[3] = {0};
    d.kind = GX_DEGRADE_REAL;
    for (int i = 0; i < 60; i++) {
        make(&d, &(struct gx_chance){1, 2, i, 0}, one);
        for (int f = 0; f < 3; f++)
            met[f] += !memcmp(one, plain[f], sizeof one);
    }
    assert_int_equal(met[0] + met[1] + met[2], 60);
    for (int f = 0; f < 3; f++)
        assert_in_range(met[f], 8, 35);
}

/* The same samples for any number of workers and from any step on. */
static void in_the_loader(void **state)
{
    (void)state;
    enum { STEPS = 8, CROP = 32, SMALL = CROP / SCALE * CROP / SCALE * 3 };
    static float one[STEPS][SMALL], other[SMALL], sharp[CROP * CROP * 3], usm[CROP * CROP * 3];
    struct gx_dataset set;
    struct gx_loader *loader;
    struct gx_err err = {""};
    const struct gx_degradation real = kind_of(GX_DEGRADE_REAL);
    const struct gx_dataset_options options = {.scale = SCALE, .least = CROP};
    struct gx_loader_options o = {.prepare = {.scaling = GX_SCALE_NONE,
                                              .crop_size = CROP,
                                              .augment = true,
                                              .channels = {3, 3, 3},
                                              .hi = 1,
                                              .shrink = {SCALE},
                                              .degradation = &real,
                                              .usm = &gx_usm_defaults},
                                  .shuffle = true,
                                  .workers = 1};
    save_image(make_image(60, 50, 3), "a.png");
    save_image(make_image(50, 60, 3), "b.png");
    if (gx_dataset_open(&set, "photos", folder, &options, &err))
        fail_msg("%s", err.text);
    for (int pass = 0; pass < 2; pass++) {
        o.workers = pass ? 3 : 1;
        o.first_step = pass ? 3 : 0;
        assert_int_equal(gx_loader_new(&loader, &set, &set.train, &o, NULL), 0);
        for (int step = (int)o.first_step; step < STEPS; step++) {
            float *const to[] = {pass ? other : one[step], sharp, usm};
            assert_int_equal(gx_loader_next(loader, to, NULL, NULL, NULL), 0);
            if (pass)
                assert_memory_equal(other, one[step], sizeof other);
        }
        gx_loader_free(&loader);
    }
    gx_dataset_clear(&set);
}

static void margins(void **state)
{
    (void)state;
    struct gx_degradation d = kind_of(GX_DEGRADE_BICUBIC);
    int margin[2], met[2][8] = {{0}};
    gx_degrade_margin(&d, 3, &(struct gx_chance){0}, margin);
    assert_int_equal(margin[0], 9);
    assert_int_equal(margin[1], 9);
    d.kind = GX_DEGRADE_REAL;
    for (int i = 0; i < 200; i++) {
        gx_degrade_margin(&d, 4, &(struct gx_chance){1, 1, i, 0}, margin);
        for (int k = 0; k < 2; k++) {
            assert_int_equal(margin[k] % 4, 0);
            assert_in_range(margin[k], 16, 44);
            met[k][(margin[k] - 16) / 4]++;
        }
    }
    for (int i = 0; i < 16; i++)
        assert_in_range(met[i / 8][i % 8], 8, 50);
}

static void refused(const struct gx_degradation *d, const char *why)
{
    struct gx_err err = {""};
    assert_int_equal(gx_degradation_check(d, &err), -GX_E_CONFIG);
    if (!strstr(err.text, why))
        fail_msg("'%s' is not in: %s", why, err.text);
}

static void checks(void **state)
{
    (void)state;
    struct gx_degradation d = kind_of(GX_DEGRADE_REAL);
    assert_int_equal(gx_degradation_check(&d, NULL), 0);
    d.stage[1].blur.size[1] = 20;
    refused(&d, "degrade.blur_size2 is 7,20: sides of kernels are odd");
    d.kind = GX_DEGRADE_CLASSIC; /* which has no second stage */
    assert_int_equal(gx_degradation_check(&d, NULL), 0);
    d.stage[0].jpeg_range[0] = 96;
    refused(&d, "degrade.jpeg_range is 96,95: the least, then the most");
    d = kind_of(GX_DEGRADE_REAL);
    d.stage[0].resize_range[0] = 1.1;
    refused(&d, "degrade.resize_range is 1.1,1.5: it goes around 1");
    d = kind_of(GX_DEGRADE_REAL);
    for (int i = 0; i < GX_BLUR_SHAPES; i++)
        d.stage[1].blur.shape_prob[i] = 0;
    refused(&d, "degrade.shape_prob2 has nothing to choose");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels),         cmocka_unit_test(moments),
        cmocka_unit_test(draws),           cmocka_unit_test(filters),
        cmocka_unit_test(sharpening),      cmocka_unit_test(gaussian_noise),
        cmocka_unit_test(poisson_noise),   cmocka_unit_test(jpeg),
        cmocka_unit_test(by_chance_alone), cmocka_unit_test(empty_stages),
        cmocka_unit_test(in_the_loader),   cmocka_unit_test(margins),
        cmocka_unit_test(checks),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
