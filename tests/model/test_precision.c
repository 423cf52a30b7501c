/* --precision: what shipped models make of a photograph and of a drawing with weights of 16 bits is,
 * as a picture of 8 bits, within one level of what float32 makes, for 99.9% of all values; and the
 * weights take half the memory. */
#include "../test.h"
#include "ganx/image.h"
#include "ganx/model.h"
#include "model/model.h"

#include <math.h>
#include <stdlib.h>

static void assert_ok(int code, const struct gx_err *err)
{
    if (code)
        fail_msg("%s", err->text);
}

struct picture {
    float *data;
    int w, h;
};

static struct picture read_picture(const char *path, const struct gx_model_facts *m)
{
    struct gx_err err = {""};
    struct gx_picture *file;
    struct picture p = {0};
    assert_ok(gx_picture_open(&file, path, NULL, &err), &err);
    p.w = gx_picture_facts(file)->width;
    p.h = gx_picture_facts(file)->height;
    p.data = malloc((size_t)p.w * (size_t)p.h * (size_t)m->channels_in * sizeof *p.data);
    assert_non_null(p.data);
    assert_ok(gx_picture_read(file, m->channels_in, m->low, m->high, p.data, &err), &err);
    gx_picture_free(&file);
    return p;
}

/* The result as levels of 0 to 255; its number in *count. */
static int *levels_of(const char *model, const char *path, enum gx_model_precision precision,
                      size_t *count, int64_t *bytes)
{
    struct gx_err err = {""};
    struct gx_model *opened;
    struct gx_model_settings settings = {
        .precision = precision, .dropout = GX_MODEL_DROPOUT_OFF, .threads = 2};
    assert_ok(gx_model_open(&opened, model, &settings, &err), &err);
    const struct gx_model_facts *m = gx_model_facts(opened);
    struct picture in = read_picture(path, m);
    int w, h;
    gx_model_result_size(m, in.w, in.h, &w, &h);
    *count = (size_t)w * (size_t)h * (size_t)m->channels_out;
    *bytes = opened->params.total * (int64_t)sizeof(float);
    float *out = malloc(*count * sizeof *out);
    int *level = malloc(*count * sizeof *level);
    assert_non_null(out);
    assert_non_null(level);
    const float label[] = {0, 1, 0, 0};
    assert_ok(gx_model_translate(opened, in.data, in.w, in.h, m->domains ? label : NULL, out, &err),
              &err);
    for (size_t i = 0; i < *count; i++) {
        float x = (out[i] - m->low) / (m->high - m->low);
        level[i] = (int)lrintf(255 * (x < 0 ? 0 : x > 1 ? 1 : x));
    }
    gx_model_close(&opened);
    free(in.data), free(out);
    return level;
}

static void within_one_level(void **state)
{
    (void)state;
    static const struct {
        const char *model, *picture;
    } pairs[] = {
        {"models/realesr-general-x4v3.safetensors", "tests/reference/precision/photo.jpg"},
        {"models/cycle.safetensors", "tests/reference/precision/photo.jpg"},
        {"models/pix2pix.safetensors", "data/drawings/test/1F44B.png"},
        {"models/star.safetensors", "data/drawings/test/1F44B.png"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        size_t count;
        int64_t whole, bytes;
        int *want = levels_of(pairs[i].model, pairs[i].picture, GX_MODEL_F32, &count, &whole);
        for (int p = GX_MODEL_F16; p <= GX_MODEL_BF16; p++) {
            int *got = levels_of(pairs[i].model, pairs[i].picture, p, &count, &bytes);
            size_t far = 0, changed = 0;
            for (size_t j = 0; j < count; j++) {
                far += abs(got[j] - want[j]) > 1;
                changed += got[j] != want[j];
            }
            if (far * 1000 > count || changed * 4 > count)
                fail_msg("%s: %zu of %zu values differ by more than a level, %zu at all",
                         pairs[i].model, far, count, changed);
            /* those of bfloat16 are other weights, so something must have changed */
            assert_true(p == GX_MODEL_F16 || changed > 0);
            assert_true((double)bytes < 0.52 * (double)whole);
            free(got);
        }
        free(want);
    }
}

int main(void)
{
    struct gx_err err = {""};
    const struct CMUnitTest tests[] = {cmocka_unit_test(within_one_level)};
    assert_ok(gx_image_start(NULL, 1, &err), &err);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
