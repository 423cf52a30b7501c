/* Makes picture files for the tests of src/image: small, with known samples, in a folder of its
 * own. */
#ifndef GX_TESTS_IMAGE_PICTURES_H
#define GX_TESTS_IMAGE_PICTURES_H

#include "../scratch.h"
#include "../test.h"
#include "ganx/image.h"
#include "util/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vips/vips.h>

static char folder[192]; /* made by setup, removed by teardown */

static inline int setup(void **state)
{
    (void)state;
    return scratch_make(folder, sizeof folder) || gx_image_start(NULL, 0, NULL);
}

static inline int teardown(void **state)
{
    (void)state;
    return scratch_remove(folder);
}

/* A path in the folder; eight of them live at a time. */
static inline const char *in_folder(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* A sample that tells where it comes from; alpha-like bands are handled by callers. */
static inline int sample_at(int x, int y, int k)
{
    return (x * 37 + y * 59 + k * 91 + 10) % 256;
}

/* width x height with `bands` 8-bit bands of sample_at. */
static inline VipsImage *make_image(int width, int height, int bands)
{
    size_t size = (size_t)width * height * bands;
    unsigned char *data = calloc(size, 1);
    for (size_t i = 0; i < size; i++)
        data[i] = (unsigned char)sample_at((int)(i / bands) % width, (int)(i / bands) / width,
                                           (int)(i % bands));
    VipsImage *image =
        vips_image_new_from_memory_copy(data, size, width, height, bands, VIPS_FORMAT_UCHAR);
    image->Type = bands <= 2 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB;
    free(data);
    return image;
}

/* One colour everywhere. */
static inline VipsImage *make_flat(int width, int height, int bands, const unsigned char *colour)
{
    VipsImage *image = make_image(width, height, bands);
    for (int i = 0; i < width * height * bands; i++)
        VIPS_IMAGE_ADDR(image, 0, 0)[i] = colour[i % bands];
    return image;
}

/* Saves under a name with libvips' options ("x.png[bitdepth=1]"), gives the path; takes image. */
static inline const char *save_image(VipsImage *image, const char *name)
{
    const char *path = in_folder(name);
    if (vips_image_write_to_file(image, path, NULL))
        fail_msg("%s", vips_error_buffer());
    g_object_unref(image);
    ((char *)path)[strcspn(path, "[")] = 0;
    return path;
}

static inline const char *save_bytes(const void *data, size_t size, const char *name)
{
    const char *path = in_folder(name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    fclose(file);
    return path;
}

/* A picture whose every sample is `level`. */
static inline void flat(const char *name, int width, int height, int level)
{
    const unsigned char colour[3] = {(unsigned char)level, (unsigned char)level,
                                     (unsigned char)level};
    save_image(make_flat(width, height, 3, colour), name);
}

static inline void make_folder(const char *name)
{
    struct gx_err err = {""};
    if (gx_folder_make(in_folder(name), &err))
        fail_msg("%s", err.text);
}

static inline void empty_folder(void)
{
    teardown(NULL);
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* The first `share` of a file's bytes as another file. */
static inline const char *cut_file(const char *path, double share, const char *name)
{
    char *data = NULL;
    size_t size;
    assert_int_equal(gx_file_read(path, 1 << 24, &data, &size, NULL), 0);
    const char *cut = save_bytes(data, (size_t)(share * (double)size), name);
    free(data);
    return cut;
}

/* Opens and reads; to has room. Fails the test with the error's text. */
static inline struct gx_facts read_floats(const char *path, int channels, float lo, float hi,
                                          float *to)
{
    struct gx_picture *picture;
    struct gx_err err = {""};
    if (gx_picture_open(&picture, path, NULL, &err) ||
        gx_picture_read(picture, channels, lo, hi, to, &err))
        fail_msg("%s", err.text);
    struct gx_facts facts = *gx_picture_facts(picture);
    gx_picture_free(&picture);
    return facts;
}

/* Opens and decodes what should fail; the text is left in *err. */
static inline int read_error(const char *path, const struct gx_open_options *options,
                             struct gx_err *err)
{
    struct gx_picture *picture;
    err->text[0] = 0;
    int result = gx_picture_open(&picture, path, options, err);
    if (result) {
        assert_null(picture);
        return result;
    }
    const struct gx_facts *facts = gx_picture_facts(picture);
    float *to = malloc((size_t)facts->width * facts->height * 3 * sizeof *to);
    result = gx_picture_read(picture, 3, 0, 1, to, err);
    free(to);
    gx_picture_free(&picture);
    return result;
}

#endif
