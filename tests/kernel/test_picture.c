/* Kernels of pictures: every tier against the reference over odd sizes; what they may not write
 * stays as it was. */
#include "point.h"

enum { ROWS = 9, MOST = 13 };

static void expect_rest(const char *what, const float *y, int64_t from)
{
    for (int i = 0; i < 4; i++)
        if (y[from + i] != 7)
            fail_msg("%s: wrote beyond its end", what);
}

static void rows(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 3, 16, 31, 128, 300, 769};
    const struct gx_kernels *k;
    float *weight = random_floats(MOST, 1), *x[MOST];
    for (int i = 0; i < MOST; i++)
        x[i] = random_floats(769, (uint64_t)i + 2);
    for (int i = 0; i < 7; i++)
        for (int taps = 1; taps <= MOST; taps += 4)
            for (int tier = 0; (k = gx_kernels_at(tier)); tier++) {
                float want[769], got[773];
                for (int j = 0; j < 773; j++)
                    got[j] = 7;
                const float *const *from = (const float *const *)x;
                gx_kernels_reference.blend_rows(from, weight, taps, want, counts[i]);
                k->blend_rows(from, weight, taps, got, counts[i]);
                expect_near("blend_rows", k->name, got, want, counts[i], 1e-5, 0);
                expect_rest("blend_rows", got, counts[i]);
            }
    for (int i = 0; i < MOST; i++)
        free(x[i]);
    free(weight);
}

/* `out` outputs of 1 to MOST taps, the last of which reach the end of w pixels. */
static void draw_taps(struct gx_blend *t, int w, int out)
{
    for (int i = 0; i < out; i++) {
        int end = out > 1 ? 1 + (w - 1) * i / (out - 1) : w, most = end < MOST ? end : MOST;
        t->count[i] = 1 + (i * 7 + 3) % most;
        t->first[i] = end - t->count[i];
    }
}

static void check_pixels(int w, int out, int c, int count)
{
    int first[64], taps[64];
    float *weight = random_floats(64 * MOST, 1);
    struct gx_blend t = {first, taps, weight, MOST};
    const struct gx_kernels *k;
    draw_taps(&t, w, out);
    for (int tier = 0; (k = gx_kernels_at(tier)); tier++)
        for (int beyond = 0; beyond < 2; beyond++) {
            float *x[ROWS], *y[ROWS], *want[ROWS];
            for (int i = 0; i < ROWS; i++) { /* rows end where their memory does */
                x[i] = random_floats((int64_t)w * c + beyond, (uint64_t)i + 2);
                y[i] = random_floats((int64_t)out * c + 4, 90);
                want[i] = random_floats((int64_t)out * c, 91);
                for (int j = 0; j < 4; j++)
                    y[i][out * c + j] = 7;
            }
            const float *const *from = (const float *const *)x;
            gx_kernels_reference.blend_pixels(&t, from, beyond, want, count, w, out, c);
            k->blend_pixels(&t, from, beyond, y, count, w, out, c);
            for (int i = 0; i < ROWS; i++) {
                if (i < count)
                    expect_near("blend_pixels", k->name, y[i], want[i], (int64_t)out * c, 1e-5, 0);
                expect_rest("blend_pixels", y[i], (int64_t)out * c);
                free(x[i]), free(y[i]), free(want[i]);
            }
        }
    free(weight);
}

static void pixels(void **state)
{
    (void)state;
    static const int widths[][2] = {{1, 1}, {1, 5}, {2, 1}, {13, 64}, {100, 17}};
    for (int i = 0; i < 5; i++)
        for (int c = 1; c <= 5; c++)
            for (int count = 1; count <= ROWS; count += 2)
                check_pixels(widths[i][0], widths[i][1], c, count);
}

static void bytes(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 15, 16, 64, 100, 256, 1027};
    static const float odd[] = {NAN, INFINITY, -INFINITY, -1, 1, -1.5f, 1.5f, 0};
    const struct gx_kernels *k;
    uint8_t from[1027], to[1028], want[1027];
    float x[1028], y[1027], *drawn = random_floats(1027, 5);
    for (int i = 0; i < 1027; i++)
        from[i] = (uint8_t)(i * 37);
    memcpy(drawn + 3, odd, sizeof odd);
    for (int i = 0; i < 7; i++)
        for (int tier = 0; (k = gx_kernels_at(tier)); tier++) {
            const int64_t count = counts[i];
            x[count] = 7;
            k->bytes_to_floats(from, x, count);
            gx_kernels_reference.bytes_to_floats(from, y, count);
            expect_near("bytes_to_floats", k->name, x, y, count, 0, 0);
            assert_true(x[count] == 7);
            to[count] = 7;
            k->floats_to_bytes(drawn, to, count, -1, 0.5f);
            gx_kernels_reference.floats_to_bytes(drawn, want, count, -1, 0.5f);
            assert_memory_equal(to, want, (size_t)count);
            assert_int_equal(to[count], 7);
        }
    for (int tier = 0; (k = gx_kernels_at(tier)); tier++) { /* there and back */
        k->bytes_to_floats(from, x, 1027);
        k->floats_to_bytes(x, to, 1027, 0, 1 / 255.0f);
        assert_memory_equal(to, from, 1027);
    }
    free(drawn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(pixels),
                                       cmocka_unit_test(bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
