/* Any bytes as a picture: open it, decode it, write it out again with what metadata it brought; and
 * row by row, which gives the same. */
#include "ganx/image.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIXELS = 1 << 16 };

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    return gx_image_start(NULL, 0, NULL);
}

static void write_again(struct gx_picture *picture, const float *data)
{
    static const char *const formats[] = {"png", "jpg", "webp", "tiff"};
    const struct gx_facts *facts = gx_picture_facts(picture);
    const struct gx_pixels pixels = {data, facts->width, facts->height, 3, -1, 1};
    struct gx_write_options options = gx_write_defaults;
    struct gx_err err = {""};
    options.format = formats[facts->width % 4];
    int fd = open("/dev/null", O_WRONLY);
    int result = gx_picture_write_fd(&pixels, picture, &options, fd, "out", NULL, &err);
    if (fd < 0 || (result && !err.text[0]))
        abort();
    close(fd);
}

/* All frames; where there is one it must be what was read whole (`whole`: NULL: that failed). */
static void stream(const uint8_t *data, size_t size, struct gx_open_options options,
                   const float *whole)
{
    static float to[PIXELS * 4];
    struct gx_picture *picture;
    struct gx_stream_in *in = NULL;
    struct gx_err err = {""};
    options.all_frames = true;
    if (gx_picture_open_memory(&picture, data, size, "in", &options, &err))
        return; /* more pixels */
    const struct gx_facts facts = *gx_picture_facts(picture);
    int result = gx_stream_open(&in, picture, 4, -1, 1, &err);
    for (int y = 0; y < facts.height && !result; y++)
        result = gx_stream_read(in, 1, to + (size_t)y * facts.width * 4, &err);
    gx_stream_close(&in);
    gx_picture_free(&picture);
    if (result && !err.text[0])
        abort();
    if (facts.frames > 1)
        return;
    if (!result != !!whole)
        abort();
    for (size_t i = 0; whole && i < (size_t)facts.width * facts.height; i++)
        for (int k = 0; k < 3; k++)
            if (to[i * 4 + 3] > -1 && to[i * 4 + k] != whole[i * 3 + k])
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float to[PIXELS * 3];
    struct gx_open_options options = {.max_pixels = PIXELS, .allow_truncated = size % 2};
    struct gx_picture *picture;
    struct gx_err err = {""};
    if (gx_picture_open_memory(&picture, data, size, "in", &options, &err)) {
        if (picture || !err.text[0])
            abort();
        return 0;
    }
    const struct gx_facts *facts = gx_picture_facts(picture);
    size_t count = (size_t)facts->width * facts->height * 3;
    int result = gx_picture_read(picture, 3, -1, 1, to, &err);
    stream(data, size, options, result ? NULL : to);
    if (result == 0) {
        for (size_t i = 0; i < count; i++)
            if (!(fabsf(to[i]) <= 1.00001f))
                abort();
        write_again(picture, to);
    } else if (!err.text[0])
        abort();
    gx_picture_free(&picture);
    return 0;
}
