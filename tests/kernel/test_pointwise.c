/* unary and binary: every tier against the reference, over odd sizes, in place and not, all
 * broadcasts, one to three threads, and at the ends of the number line. */
#include "point.h"

static const int64_t sizes[] = {0, 1, 3, 17, 1000, 40003};
enum { SIZES = sizeof sizes / sizeof *sizes };

static const char *const unary_names[GX_UNARY_KINDS] = {
    "affine", "abs",     "sign",     "sqrt",       "pow",   "exp",   "log",
    "tanh",   "sigmoid", "softplus", "leaky_relu", "clamp", "inside"};

static void check_unary(enum gx_unary_kind kind, const float *x, int64_t count, float a, float b)
{
    const struct gx_kernels *k, *ref = &gx_kernels_reference;
    float *want = gx_new((size_t)count * sizeof *want);
    ref->unary(kind, x, want, count, a, b, 1);
    /* a x + b may cancel: its rounding is that of the terms */
    double absolute = kind == GX_AFFINE ? 1e-6 : 1e-37;
    for (int tier = 0; (k = gx_kernels_at(tier)); tier++) {
        for (int threads = 1; threads <= 3; threads++) {
            float *y = gx_new((size_t)count * sizeof *y), *z = copy_floats(x, count);
            k->unary(kind, x, y, count, a, b, threads);
            k->unary(kind, z, z, count, a, b, threads);
            expect_near(unary_names[kind], k->name, y, want, count, absolute, 1e-6);
            assert_memory_equal(y, z, (size_t)count * sizeof *y);
            /* a number's result does not depend on where it stands */
            int64_t cut = count / 3;
            k->unary(kind, x, z, cut, a, b, threads);
            k->unary(kind, x + cut, z + cut, count - cut, a, b, threads);
            assert_memory_equal(y, z, (size_t)count * sizeof *y);
            free(y);
            free(z);
        }
    }
    free(want);
}

static void unary_sizes(void **state)
{
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        float *x = random_floats(sizes[s], 1);
        for (int64_t i = 0; i < sizes[s]; i++)
            x[i] = i % 11 ? x[i] * 3 : 0;
        for (int kind = 0; kind < GX_UNARY_KINDS; kind++)
            if (kind != GX_POW)
                check_unary(kind, x, sizes[s], kind == GX_LEAKY_RELU ? 0.2f : -0.7f, 1.3f);
        free(x);
    }
}

static void powers(void **state)
{
    (void)state;
    const float exponents[] = {0, 1, 2, 3, 0.5f, -0.5f, -1, -2, 1.7f, -3};
    float *x = random_floats(1003, 2);
    for (int e = 0; e < 10; e++) {
        check_unary(GX_POW, x, 1003, exponents[e], 0);
        for (int i = 0; i < 1003; i++)
            x[i] = fabsf(x[i]) + 0.01f;
    }
    free(x);
}

/* A fine sweep over everything from the smallest to the largest, both signs, and what is beyond. */
static void whole_line(void **state)
{
    (void)state;
    enum { COUNT = 60000 };
    float *x = gx_new(COUNT * sizeof *x);
    for (int i = 0; i < COUNT; i++)
        x[i] = ldexpf(1 + (float)(i % 97) / 97, i / 2 % 278 - 149) * (i & 1 ? -1 : 1);
    const float special[] = {0,    -0.0f, INFINITY, -INFINITY, NAN,
                             1e4f, -1e4f, 88.7f,    -103.9f,   89.5f};
    memcpy(x, special, sizeof special);
    const enum gx_unary_kind kinds[] = {GX_ABS,        GX_SIGN,  GX_SQRT,    GX_EXP,
                                        GX_LOG,        GX_TANH,  GX_SIGMOID, GX_SOFTPLUS,
                                        GX_LEAKY_RELU, GX_CLAMP, GX_INSIDE};
    for (int i = 0; i < 11; i++)
        check_unary(kinds[i], x, COUNT, 0.5f, 2.0f);
    for (int i = 0; i < COUNT; i++) /* where the curves bend */
        x[i] = -20 + 40 * (float)i / COUNT;
    const enum gx_unary_kind curves[] = {GX_EXP, GX_TANH, GX_SIGMOID, GX_SOFTPLUS};
    for (int i = 0; i < 4; i++)
        check_unary(curves[i], x, COUNT, 0, 0);
    free(x);
}

static void finite_far_out(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    const enum gx_unary_kind kinds[] = {GX_TANH, GX_SIGMOID, GX_SOFTPLUS};
    const float want[3][2] = {{1, -1}, {1, 0}, {1e4f, 0}};
    for (int tier = 0; (k = gx_kernels_at(tier)); tier++)
        for (int i = 0; i < 3; i++) {
            float x[2] = {1e4f, -1e4f};
            k->unary(kinds[i], x, x, 2, 0, 0, 1);
            assert_true(x[0] == want[i][0] && x[1] == want[i][1]);
        }
}

static const char *const binary_names[GX_BINARY_KINDS] = {
    "add", "sub", "mul", "div", "max", "greater", "leaky_gate", "mul_below"};

struct box {
    int64_t outer, rows, cols;
};

/* The walk of an operand that has each dimension or repeats it. */
static struct gx_walk walk_of(struct box b, int has)
{
    int64_t cols = has & 1 ? b.cols : 1, rows = has & 2 ? b.rows : 1;
    return (struct gx_walk){has & 4 ? rows * cols : 0, has & 2 ? cols : 0, has & 1};
}

static void check_binary(const struct gx_kernels *k, enum gx_binary_kind kind, struct box b,
                         int has_x, int has_y, const float *x, const float *y)
{
    int64_t count = b.outer * b.rows * b.cols;
    size_t bytes = (size_t)count * sizeof(float);
    float *want = gx_new(bytes), *z = gx_new(bytes);
    struct gx_walk wx = walk_of(b, has_x), wy = walk_of(b, has_y);
    gx_kernels_reference.binary(kind, x, wx, y, wy, want, b.outer, b.rows, b.cols, 0.2f, 1);
    for (int threads = 1; threads <= 3; threads++) {
        k->binary(kind, x, wx, y, wy, z, b.outer, b.rows, b.cols, 0.2f, threads);
        expect_near(binary_names[kind], k->name, z, want, count, 0, 1e-7);
        if (has_x == 7) {
            memcpy(z, x, bytes);
            k->binary(kind, z, wx, y, wy, z, b.outer, b.rows, b.cols, 0.2f, threads);
            assert_memory_equal(z, want, bytes);
        }
        if (has_y == 7) {
            memcpy(z, y, bytes);
            k->binary(kind, x, wx, z, wy, z, b.outer, b.rows, b.cols, 0.2f, threads);
            assert_memory_equal(z, want, bytes);
        }
    }
    free(want);
    free(z);
}

static void binary_walks(void **state)
{
    (void)state;
    const struct box boxes[] = {{1, 1, 1},   {1, 1, 37},   {1, 50, 1},   {3, 1, 5},
                                {2, 67, 3},  {2, 300, 64}, {2, 9, 2050}, {2, 31, 70},
                                {40, 90, 1}, {1, 12000, 3}};
    const struct gx_kernels *k;
    for (int i = 0; i < (int)(sizeof boxes / sizeof *boxes); i++) {
        int64_t count = boxes[i].outer * boxes[i].rows * boxes[i].cols;
        float *x = random_floats(count, 3), *y = random_floats(count, 4);
        for (int64_t j = 0; j < count; j += 7)
            y[j] = x[j]; /* ties */
        for (int tier = 1; (k = gx_kernels_at(tier)); tier++)
            for (int has = 0; has < 64; has++) { /* every pair for one kind, every kind for some */
                check_binary(k, (enum gx_binary_kind)(has % GX_BINARY_KINDS), boxes[i], has / 8,
                             has % 8, x, y);
                if (count < 3000 || has == 63)
                    for (int kind = 0; kind < GX_BINARY_KINDS; kind++)
                        check_binary(k, kind, boxes[i], has / 8, has % 8, x, y);
            }
        free(x);
        free(y);
    }
}

/* An operand may be a column of something wider: a row walk that is neither 0 nor cols. */
static void binary_strided(void **state)
{
    (void)state;
    enum { ROWS = 5000, WIDE = 9 };
    float *x = random_floats(ROWS * WIDE, 5), *y = random_floats(WIDE, 6);
    float want[ROWS * 4], z[ROWS * 4];
    struct gx_walk wx = {0, WIDE, 1}, wy = {0, 0, 1}, narrow = {0, WIDE, 0};
    const struct gx_kernels *k;
    for (int tier = 1; (k = gx_kernels_at(tier)); tier++)
        for (int threads = 1; threads <= 3; threads++) {
            gx_kernels_reference.binary(GX_MUL, x + 2, wx, y, wy, want, 1, ROWS, 4, 0, 1);
            k->binary(GX_MUL, x + 2, wx, y, wy, z, 1, ROWS, 4, 0, threads);
            assert_memory_equal(z, want, sizeof z);
            gx_kernels_reference.binary(GX_SUB, x + 2, narrow, y, wy, want, 1, ROWS, 1, 0, 1);
            k->binary(GX_SUB, x + 2, narrow, y, wy, z, 1, ROWS, 1, 0, threads);
            assert_memory_equal(z, want, ROWS * sizeof *z);
        }
    free(x);
    free(y);
}

/* Some channels of wide pixels, to some of others: these alone, as they are or activated. */
static void lay(void **state)
{
    (void)state;
    static const int64_t shapes[][4] = {{7, 3, 3, 5}, {300, 64, 64, 128}, {900, 67, 70, 67}};
    const struct gx_kernels *k;
    for (int i = 0; i < 6; i++)
        for (int tier = 0; (k = gx_kernels_at(tier)); tier++) {
            const int64_t *s = shapes[i / 2], rows = s[0], c = s[1];
            float slope = i % 2 ? 0.2f : 1, *x = random_floats(rows * s[2], 1);
            float *y = random_floats(rows * s[3], 2), *was = copy_floats(y, rows * s[3]);
            k->lay(x, s[2], slope, y, s[3], rows, c, 1 + tier % 3);
            for (int64_t at = 0; at < rows * s[3]; at++) {
                int64_t channel = at % s[3];
                float from = channel < c ? x[at / s[3] * s[2] + channel] : 0;
                float want = from > 0 ? from : slope * from;
                assert_true(y[at] == (channel < c ? want : was[at]));
            }
            free(x), free(y), free(was);
        }
}

static void prelu(void **state)
{
    (void)state;
    const int64_t channels[] = {1, 3, 64, 70, 1025};
    const struct gx_kernels *k;
    for (int i = 0; i < 10; i++) {
        int64_t c = channels[i / 2], rows = i % 2 ? 40000 / c : 7, count = rows * c;
        size_t bytes = (size_t)count * sizeof(float);
        float *x = random_floats(count, 1), *sign = random_floats(count, 2);
        float *slopes = random_floats(c, 3), *want = gx_new(bytes), *y = gx_new(bytes);
        for (int way = 0; way < 4; way++) {
            const float *by = way / 2 ? sign : x;
            gx_kernels_reference.prelu(x, by, slopes, way % 2, want, rows, c, 1);
            for (int tier = 1; (k = gx_kernels_at(tier)); tier++)
                for (int threads = 1; threads <= 3; threads++) {
                    k->prelu(x, by, slopes, way % 2, y, rows, c, threads);
                    assert_memory_equal(y, want, bytes);
                    memcpy(y, x, bytes);
                    k->prelu(y, way / 2 ? sign : y, slopes, way % 2, y, rows, c, threads);
                    assert_memory_equal(y, want, bytes);
                }
        }
        free(x), free(sign), free(slopes), free(want), free(y);
    }
}

static void max_keeps_nan(void **state)
{
    (void)state;
    const struct gx_kernels *k;
    struct gx_walk dense = {0, 0, 1};
    const float x[3] = {NAN, 1, NAN}, y[3] = {1, NAN, NAN};
    float z[3];
    for (int tier = 0; (k = gx_kernels_at(tier)); tier++) {
        k->binary(GX_MAX, x, dense, y, dense, z, 1, 1, 3, 0, 1);
        assert_true(isnan(z[0]) && isnan(z[1]) && isnan(z[2]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unary_sizes),   cmocka_unit_test(powers),
        cmocka_unit_test(whole_line),    cmocka_unit_test(finite_far_out),
        cmocka_unit_test(binary_walks),  cmocka_unit_test(binary_strided),
        cmocka_unit_test(lay),           cmocka_unit_test(prelu),
        cmocka_unit_test(max_keeps_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
