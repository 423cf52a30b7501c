/* Translates a picture with libganx: translate MODEL IN OUT */
#include "ganx/image.h"
#include "ganx/model.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct gx_err err = {"usage: translate MODEL IN OUT"};
    struct gx_model *model = NULL;
    struct gx_picture *in = NULL;
    float *data = NULL;
    int failed = argc != 4 || gx_image_start(NULL, 1, &err) ||
                 gx_model_open(&model, argv[1], NULL, &err) ||
                 gx_picture_open(&in, argv[2], NULL, &err);
    if (!failed) {
        const struct gx_model_facts *m = gx_model_facts(model);
        int w = gx_picture_facts(in)->width, h = gx_picture_facts(in)->height;
        size_t scale = (size_t)m->scale, pixels = (size_t)w * (size_t)h;
        struct gx_pixels out = {.width = w * m->scale, .height = h * m->scale,
                                .channels = m->channels_out, .lo = m->low, .hi = m->high};
        /* both pictures, 4 channels at most */
        data = malloc(4 * sizeof *data * pixels * (1 + scale * scale));
        float *result = data ? data + 4 * pixels : NULL;
        out.data = result;
        failed = !data || gx_picture_read(in, m->channels_in, m->low, m->high, data, &err) ||
                 gx_model_translate(model, data, w, h, NULL, result, &err) ||
                 gx_picture_write(&out, in, &gx_write_defaults, argv[3], &err);
    }
    if (failed)
        fprintf(stderr, "%s\n", err.text);
    free(data);
    gx_picture_free(&in);
    gx_model_close(&model);
    return failed;
}
