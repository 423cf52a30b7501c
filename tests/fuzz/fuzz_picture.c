/* Any bytes as a picture: open it, decode it, write it out again with what metadata it brought. */
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
    if (gx_picture_read(picture, 3, -1, 1, to, &err) == 0) {
        for (size_t i = 0; i < count; i++)
            if (!(fabsf(to[i]) <= 1.00001f))
                abort();
        write_again(picture, to);
    } else if (!err.text[0])
        abort();
    gx_picture_free(&picture);
    return 0;
}
