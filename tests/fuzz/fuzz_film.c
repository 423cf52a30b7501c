/* Any bytes on a descriptor as a film: told from a picture, read to its end, written again. */
#include "image/film.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PIXELS = 1 << 14 };

static int null_fd;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    null_fd = open("/dev/null", O_WRONLY);
    return gx_image_start(NULL, 0, NULL);
}

static void read_all(struct gx_film_in *film)
{
    static float frame[PIXELS * 4];
    const struct gx_film_facts *facts = gx_film_facts(film);
    struct gx_film_out *out;
    struct gx_err err = {""};
    bool more = true;
    if ((int64_t)facts->width * facts->height > PIXELS || facts->channels > 4)
        abort();
    if (gx_film_begin(&out, facts, null_fd, "out", &err))
        abort(); /* what is read can be written */
    while (more && gx_film_read(film, frame, &more, &err) == 0)
        for (int64_t i = 0; more && i < (int64_t)facts->width * facts->height; i++)
            if (!(frame[i * facts->channels] >= 0 && frame[i * facts->channels] <= 1.00001f))
                abort();
    if (gx_film_write(out, frame, NULL, &err))
        abort();
    gx_film_end(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct gx_open_options options = {.max_pixels = PIXELS};
    struct gx_film_in *film;
    struct gx_picture *picture;
    struct gx_err err = {""};
    int fd = memfd_create("film", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
        abort();
    if (gx_film_open(&film, &picture, fd, "in", &options, &err)) {
        if (film || picture || !err.text[0])
            abort();
    } else if (film)
        read_all(film);
    gx_film_close(&film);
    gx_picture_free(&picture);
    close(fd);
    return 0;
}
