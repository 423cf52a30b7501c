/* Kind "metrics": figures of picture pairs (psnr_rgb, ssim_y, ...), compared as they are. */
#include "parity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int fixture_pair(const char *folder, const json_t *names, struct fixture_pair *pair,
                 struct gx_err *err)
{
    static const char *const keys[2] = {"a", "b"};
    struct fixture_picture picture[2] = {{.data = NULL}, {.data = NULL}};
    *pair = (struct fixture_pair){.of = {.count = 1, .c = 3, .hi = 1}};
    int r = 0;
    for (int i = 0; i < 2 && !r; i++) {
        const char *name;
        char path[4096];
        r = fixture_text(names, keys[i], &name, err);
        if (r)
            break;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        struct fixture_picture *p = &picture[i];
        if ((r = fixture_picture(path, 3, p, err)))
            break;
        size_t count = (size_t)p->w * p->h * 3;
        pair->data[i] = malloc(count * sizeof(float));
        for (size_t k = 0; k < count; k++)
            pair->data[i][k] = (float)(p->data[k] / 255.0);
    }
    if (!r && (picture[0].w != picture[1].w || picture[0].h != picture[1].h))
        r = gx_fail(err, GX_E_SHAPE, "a pair's pictures have two sizes");
    pair->of.h = picture[0].h;
    pair->of.w = picture[0].w;
    pair->of.a = pair->data[0];
    pair->of.b = pair->data[1];
    free(picture[0].data);
    free(picture[1].data);
    if (r)
        fixture_pair_free(pair);
    return r;
}

void fixture_pair_free(struct fixture_pair *pair)
{
    free(pair->data[0]);
    free(pair->data[1]);
    *pair = (struct fixture_pair){.of = {.count = 0}};
}

static void check_pair(const struct fixture *f, const json_t *row, const struct gx_pair *pair,
                       double tolerance)
{
    static const struct {
        const char *key, *metric;
    } figures[] = {{"l1_rgb", "l1"},          {"psnr_rgb", "psnr"}, {"psnr_y", "psnr_y"},
                   {"ssim_rgb", "ssim"},      {"ssim_y", "ssim_y"}, {"ms_ssim_y", "ms_ssim_y"},
                   {"ms_ssim_rgb", "ms_ssim"}};
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        const json_t *want = json_object_get(row, figures[i].key);
        if (json_is_number(want))
            parity_check(
                f, fabs(gx_metric_find(figures[i].metric)->measure(pair) - json_number_value(want)),
                tolerance, "%s, %s", json_string_value(json_object_get(row, "b")), figures[i].key);
    }
}

int parity_metrics(const struct fixture *f, struct gx_err *err)
{
    char folder[4096];
    double tolerance;
    size_t i;
    const json_t *row;
    snprintf(folder, sizeof folder, "%s/%s", f->folder, fixture_word(f->json, "pairs_folder", "."));
    int r = fixture_number(f->json, "tolerance", &tolerance, err);
    json_array_foreach(json_object_get(f->json, "pairs"), i, row)
    {
        struct fixture_pair pair;
        if (r || (r = fixture_pair(folder, row, &pair, err)))
            break;
        check_pair(f, row, &pair.of, tolerance);
        fixture_pair_free(&pair);
    }
    if (!r && json_object_get(f->json, "bicubic"))
        r = parity_bicubic(f, err);
    return r;
}
