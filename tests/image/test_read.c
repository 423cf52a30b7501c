/* Reading pictures: every kind of file of reliability's cases 1 to 4, against known samples. */
#include "pictures.h"

#include <math.h>
#include <sys/stat.h>
#include <time.h>

static float at[1 << 16];

#define assert_near(a, b, tolerance)                                                               \
    do {                                                                                           \
        double a_ = (a), b_ = (b);                                                                 \
        if (!(fabs(a_ - b_) <= (tolerance)))                                                       \
            fail_msg("%s:%d: %.6f is not %.6f", __FILE__, __LINE__, a_, b_);                       \
    } while (0)

static void colour(void **state)
{
    (void)state;
    enum { W = 7, H = 5 };
    const char *path = save_image(make_image(W, H, 3), "rgb.png");
    struct gx_facts facts = read_floats(path, 3, -1, 1, at);
    assert_int_equal(facts.width, W);
    assert_int_equal(facts.height, H);
    assert_int_equal(facts.channels, 3);
    assert_int_equal(facts.bits, 8);
    assert_int_equal(facts.pages, 1);
    assert_false(facts.alpha);
    assert_string_equal(facts.format, "png");
    for (int i = 0; i < W * H * 3; i++)
        assert_near(at[i], sample_at(i / 3 % W, i / 3 / W, i % 3) / 127.5 - 1, 1e-6);
    read_floats(path, 4, 0, 1, at);
    for (int i = 0; i < W * H; i++)
        assert_near(at[i * 4 + 3], 1, 0);
    read_floats(path, 1, 0, 255, at);
    for (int i = 0; i < W * H; i++) {
        int x = i % W, y = i / W;
        assert_near(at[i],
                    0.299 * sample_at(x, y, 0) + 0.587 * sample_at(x, y, 1) +
                        0.114 * sample_at(x, y, 2),
                    1e-4);
    }
}

static void grey(void **state)
{
    (void)state;
    static const char *const names[] = {"g.png", "g.jpg[Q=100]", "g.tif", "g.pgm",
                                        "g.webp[lossless]"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        const char *path = save_image(make_image(8, 8, 1), names[n]);
        struct gx_facts facts = read_floats(path, 3, 0, 255, at);
        assert_int_equal(facts.channels, strstr(names[n], "webp") ? 3 : 1); /* WebP has no grey */
        for (int i = 0; i < 64; i++) {
            assert_near(at[i * 3], sample_at(i % 8, i / 8, 0), strstr(names[n], "jpg") ? 4 : 0);
            assert_near(at[i * 3], at[i * 3 + 2], 0);
        }
    }
}

static void sixteen_bits(void **state)
{
    (void)state;
    unsigned short dark[6] = {0, 1, 2, 100, 200, 255}; /* as an 8-bit picture it would be bright */
    VipsImage *image =
        vips_image_new_from_memory_copy(dark, sizeof dark, 2, 1, 3, VIPS_FORMAT_USHORT);
    image->Type = VIPS_INTERPRETATION_RGB16;
    struct gx_facts facts = read_floats(save_image(image, "dark.png"), 3, 0, 65535, at);
    assert_int_equal(facts.bits, 16);
    for (int i = 0; i < 6; i++)
        assert_near(at[i], dark[i], 0.01);
}

static void palette_and_one_bit(void **state)
{
    (void)state;
    static const unsigned char red[3] = {200, 30, 40}, white[1] = {255};
    struct gx_facts facts =
        read_floats(save_image(make_flat(3, 3, 3, red), "p.png[palette]"), 3, 0, 255, at);
    assert_int_equal(facts.channels, 3);
    for (int k = 0; k < 3; k++)
        assert_near(at[k], red[k], 1);
    facts = read_floats(save_image(make_flat(3, 3, 1, white), "b.png[bitdepth=1]"), 1, 0, 255, at);
    assert_int_equal(facts.channels, 1);
    assert_near(at[4], 255, 0);
    const char *path = save_bytes("P1\n3 1\n1 0 1\n", 13, "b.pbm");
    read_floats(path, 1, 0, 1, at);
    assert_near(at[0], 0, 0);
    assert_near(at[1], 1, 0);
    read_floats(save_image(make_flat(3, 3, 3, red), "r.gif"), 3, 0, 255, at);
    assert_near(at[0], red[0], 4);
}

static void counted_to_any_number(void **state)
{
    (void)state;
    struct gx_facts facts =
        read_floats(save_bytes("P2\n3 1\n100\n0 50 100\n", 20, "a.pgm"), 1, 0, 255, at);
    assert_int_equal(facts.bits, 8);
    assert_near(at[1], 128, 0);
    assert_near(at[2], 255, 0);
    facts = read_floats(save_bytes("P2\n3 1\n1000\n0 500 1000\n", 23, "b.pgm"), 1, 0, 1, at);
    assert_int_equal(facts.bits, 16);
    assert_near(at[1], 0.5, 1e-4);
    assert_near(at[2], 1, 0);
}

static void linear_floats(void **state)
{
    (void)state;
    float linear[6] = {0, 0.2140f, 1, 0.2140f, 2, -1}; /* 0.214 is sRGB's 0.5 */
    VipsImage *image =
        vips_image_new_from_memory_copy(linear, sizeof linear, 2, 1, 3, VIPS_FORMAT_FLOAT);
    image->Type = VIPS_INTERPRETATION_scRGB;
    struct gx_facts facts = read_floats(save_image(image, "f.tif"), 3, 0, 1, at);
    assert_int_equal(facts.bits, 16);
    assert_near(at[0], 0, 0.001);
    assert_near(at[1], 0.5, 0.001);
    assert_near(at[2], 1, 0.001);
    assert_near(at[4], 1, 0); /* clipped */
    assert_near(at[5], 0, 0);
    image = vips_image_new_from_memory_copy(linear, 2 * sizeof *linear, 2, 1, 1, VIPS_FORMAT_FLOAT);
    image->Type = VIPS_INTERPRETATION_B_W;
    facts = read_floats(save_image(image, "g.tif"), 1, 0, 1, at);
    assert_int_equal(facts.channels, 1);
    assert_near(at[1], 0.5, 0.001);
}

static void transparency(void **state)
{
    (void)state;
    VipsImage *image = make_image(4, 4, 4);
    unsigned char *data = VIPS_IMAGE_ADDR(image, 0, 0);
    for (int i = 0; i < 16; i++) { /* left half: visible and red; right half: hidden and green */
        unsigned char pixel[4] = {i % 4 < 2 ? 200 : 0, i % 4 < 2 ? 10 : 255, 0,
                                  i % 4 < 2 ? 128 : 0};
        memcpy(data + i * 4, pixel, 4);
    }
    const char *path = save_image(image, "alpha.png");
    struct gx_facts facts = read_floats(path, 4, 0, 255, at);
    assert_true(facts.alpha);
    assert_int_equal(facts.channels, 3);
    assert_near(at[3], 128, 0);
    assert_near(at[2 * 4 + 1], 255, 0);
    assert_near(at[2 * 4 + 3], 0, 0);
    read_floats(path, 3, 0, 255, at); /* what is hidden takes the visible colour */
    for (int i = 0; i < 16; i++) {
        assert_near(at[i * 3], 200, 1e-3);
        assert_near(at[i * 3 + 1], 10, 1e-3);
    }
    image = make_image(3, 2, 2);
    facts = read_floats(save_image(image, "ga.png"), 4, 0, 255, at);
    assert_int_equal(facts.channels, 1);
    assert_true(facts.alpha);
    assert_near(at[3], sample_at(0, 0, 1), 0);
}

/* A wide picture whose top left corner is white, by each orientation that a camera writes. */
static void rotated(void **state)
{
    (void)state;
    static const struct {
        int width, height, x, y;
    } expected[9] = {{0},
                     {32, 16, 0, 0},
                     {32, 16, 31, 0},
                     {32, 16, 31, 15},
                     {32, 16, 0, 15},
                     {16, 32, 0, 0},
                     {16, 32, 15, 0},
                     {16, 32, 15, 31},
                     {16, 32, 0, 31}};
    for (int orientation = 1; orientation <= 8; orientation++) {
        static const unsigned char black[3] = {0, 0, 0};
        VipsImage *image = make_flat(32, 16, 3, black);
        for (int y = 0; y < 8; y++)
            memset(VIPS_IMAGE_ADDR(image, 0, y), 255, 8 * 3);
        vips_image_set_int(image, VIPS_META_ORIENTATION, orientation);
        struct gx_facts facts = read_floats(save_image(image, "turned.jpg"), 3, 0, 1, at);
        assert_int_equal(facts.width, expected[orientation].width);
        assert_int_equal(facts.height, expected[orientation].height);
        for (int corner = 0; corner < 4; corner++) {
            int x = corner % 2 ? facts.width - 1 : 0, y = corner / 2 ? facts.height - 1 : 0;
            bool white = x == expected[orientation].x && y == expected[orientation].y;
            assert_near(at[(y * facts.width + x) * 3], white, 0.05);
        }
    }
}

static void set_profile(VipsImage *image, const char *name)
{
    VipsBlob *blob;
    size_t size;
    assert_int_equal(vips_profile_load(name, &blob, NULL), 0);
    const void *data = vips_blob_get(blob, &size);
    vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, data, size);
    vips_area_unref(VIPS_AREA(blob));
}

static struct gx_facts read_with(const char *path, const struct gx_open_options *options, float *to)
{
    struct gx_picture *picture;
    struct gx_err err = {""};
    if (gx_picture_open(&picture, path, options, &err) ||
        gx_picture_read(picture, 3, 0, 255, to, &err))
        fail_msg("%s", err.text);
    struct gx_facts facts = *gx_picture_facts(picture);
    gx_picture_free(&picture);
    return facts;
}

static void profiles(void **state)
{
    (void)state;
    VipsImage *image = make_image(5, 5, 3);
    set_profile(image, "srgb");
    read_floats(save_image(image, "srgb.png"), 3, 0, 255, at);
    for (int i = 0; i < 75; i++)
        assert_near(at[i], sample_at(i / 3 % 5, i / 3 / 5, i % 3), 0); /* bit for bit */
    static const unsigned char p3[3] = {200, 100, 100};
    image = make_flat(2, 2, 3, p3);
    set_profile(image, "p3");
    read_floats(save_image(image, "p3.png"), 3, 0, 255, at);
    assert_near(at[0], 213, 2); /* Display P3 (200, 100, 100) in sRGB */
    assert_near(at[1], 95, 2);
    assert_near(at[2], 97, 2);
    const struct gx_open_options keep = {.keep_profile = true};
    assert_true(read_with(in_folder("p3.png"), &keep, at).profile);
    assert_near(at[0], 200, 0);
    assert_false(read_with(in_folder("srgb.png"), NULL, at).profile);
    static const unsigned char light[1] = {77};
    image = make_flat(2, 2, 1, light);
    set_profile(image, "p3"); /* of RGB, in a grey picture */
    assert_false(read_with(save_image(image, "grey.tif"), &keep, at).profile);
    assert_near(at[0], 77, 0);
    image = make_flat(2, 2, 3, p3);
    vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, "rubbish", 7);
    read_floats(save_image(image, "rubbish.tif"), 3, 0, 255, at);
    assert_near(at[0], 200, 0);
}

static void cmyk(void **state)
{
    (void)state;
    static const unsigned char inks[3][4] = {{0, 0, 0, 0}, {0, 255, 255, 0}, {0, 0, 0, 255}};
    static const double rgb[3][3] = {{255, 255, 255}, {225, 25, 35}, {30, 30, 30}};
    for (int profile = 0; profile < 2; profile++)
        for (int i = 0; i < 3; i++) {
            VipsImage *image = make_flat(8, 8, 4, inks[i]);
            image->Type = VIPS_INTERPRETATION_CMYK;
            if (profile)
                set_profile(image, "cmyk");
            struct gx_facts facts =
                read_floats(save_image(image, profile ? "i.tif" : "i.jpg[strip]"), 3, 0, 255, at);
            assert_int_equal(facts.channels, 3);
            assert_false(facts.alpha);
            for (int k = 0; k < 3; k++)
                assert_near(at[k], rgb[i][k], 36);
        }
}

static void tiny_and_odd(void **state)
{
    (void)state;
    static const char *const suffixes[] = {"png", "jpg", "webp", "tif", "gif", "ppm"};
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        for (int size = 1; size < 20; size += 6) {
            char name[32];
            snprintf(name, sizeof name, "odd.%s", suffixes[i]);
            struct gx_facts facts =
                read_floats(save_image(make_image(size, 1, 3), name), 3, 0, 1, at);
            assert_int_equal(facts.width, size);
            assert_int_equal(facts.height, 1);
        }
}

static void refused(void **state)
{
    (void)state;
    static const char svg[] = "<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg' "
                              "width='9' height='9'/>";
    static const struct {
        const char *name, *data, *says;
        size_t size;
        int code;
    } cases[] = {
        {"empty.png", "", "the file is empty", 0, GX_E_FORMAT},
        {"page.jpg", "<!DOCTYPE html><html>", "not a picture (HTML text)", 0, GX_E_FORMAT},
        {"lfs.png", "version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer", 0,
         GX_E_FORMAT},
        {"notes.png", "some words\n", "not a picture (text)", 0, GX_E_FORMAT},
        {"noise.png", "\x01\xfe\x80 noise", "not a picture (unknown data)", 0, GX_E_FORMAT},
        {"film.y4m", "YUV4MPEG2 W2 H2\n", "a y4m film", 0, GX_E_FORMAT},
        {"film.mkv", "\x1a\x45\xdf\xa3 and more", "a film: ffmpeg", 0, GX_E_FORMAT},
        {"film.mp4",
         "\0\0\0\x20"
         "ftypisom",
         "a film: ffmpeg", 12, GX_E_FORMAT},
        {"zeros.png", "\0\0\0\0", "not a picture (nothing but zeros)", 4, GX_E_FORMAT},
        {"a.jpg", svg, "the format svg is off (allow it with --loaders svg)", 0, GX_E_FORMAT},
        {"b.jpg", "%PDF-1.4\n", "the format pdf is off", 0, GX_E_FORMAT},
        {"c.jpg", "8BPS\0\1", "the format psd is off", 6, GX_E_FORMAT},
        {"d.png", "\x89PNG\r\n\x1a\n rubbish after the signature", "damaged", 0, GX_E_FORMAT},
        {"e.jpg", "\xff\xd8\xff\xe0", "truncated", 0, GX_E_FORMAT},
    };
    struct gx_err err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = cases[i].size ? cases[i].size : strlen(cases[i].data);
        const char *path = save_bytes(cases[i].data, size, cases[i].name);
        assert_int_equal(read_error(path, NULL, &err), -cases[i].code);
        if (!strstr(err.text, cases[i].says) || !strstr(err.text, cases[i].name) ||
            strchr(err.text, '\n'))
            fail_msg("'%s' does not say '%s'", err.text, cases[i].says);
    }
    assert_int_equal(read_error(in_folder("missing.png"), NULL, &err), -GX_E_IO);
    assert_non_null(strstr(err.text, "no such file"));
    assert_int_equal(read_error(folder, NULL, &err), -GX_E_IO);
    assert_non_null(strstr(err.text, "it is a folder"));
}

static void truncated(void **state)
{
    (void)state;
    static const char *const names[] = {"t.png", "t.jpg", "t.webp",          "t.tif",
                                        "t.gif", "t.ppm", "t.jpg[interlace]"};
    const struct gx_open_options allow = {.allow_truncated = true};
    struct gx_err err;
    FILE *caught = tmpfile();
    int saved = dup(2);
    dup2(fileno(caught), 2);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (double share = 0.3; share < 1; share += 0.3) {
            const char *path = save_image(make_image(60, 60, 3), names[i]);
            path = cut_file(path, share, strrchr(path, '/') + 1);
            int result = read_error(path, NULL, &err);
            if (result != -GX_E_FORMAT || !strstr(err.text, path) ||
                (!strstr(err.text, "truncated") && !strstr(err.text, "damaged")))
                fail_msg("%s cut to %.1f: %d %s", names[i], share, result, err.text);
            if (strstr(names[i], "jpg"))
                assert_int_equal(read_error(path, &allow, &err), 0);
        }
    dup2(saved, 2);
    close(saved);
    assert_int_equal(lseek(fileno(caught), 0, SEEK_END), 0); /* libvips said nothing by itself */
    fclose(caught);
}

/* A header that promises 60000x60000 pixels, and no more than a header. */
static void bomb(void **state)
{
    (void)state;
    static const unsigned char header[] = {0x89, 'P',  'N', 'G', '\r', '\n', 0x1a, '\n', 0,    0, 0,
                                           13,   'I',  'H', 'D', 'R',  0,    0,    0xea, 0x60, 0, 0,
                                           0xea, 0x60, 8,   2,   0,    0,    0,    0,    0,    0, 0,
                                           0,    0,    0,   20,  'I',  'D',  'A',  'T'};
    unsigned char file[sizeof header + 64] = {0};
    memcpy(file, header, sizeof header);
    unsigned crc = 0xffffffff;
    for (int i = 12; i < 29; i++) { /* the chunk's own checksum must be right */
        crc ^= file[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    for (int i = 0; i < 4; i++)
        file[29 + i] = (unsigned char)(~crc >> (24 - 8 * i));
    struct gx_err err;
    struct gx_picture *picture;
    clock_t start = clock();
    int result = gx_picture_open(&picture, save_bytes(file, sizeof file, "bomb.png"), NULL, &err);
    assert_int_equal(result, -GX_E_LIMIT);
    assert_null(picture);
    assert_non_null(strstr(err.text, "60000x60000"));
    assert_true(clock() - start < CLOCKS_PER_SEC / 2);
    const struct gx_open_options options = {.max_pixels = 24};
    const char *path = save_image(make_image(5, 5, 3), "five.png");
    assert_int_equal(read_error(path, &options, &err), -GX_E_LIMIT);
    assert_int_equal(read_error(path, &(struct gx_open_options){.max_pixels = 25}, &err), 0);
}

static void from_memory_and_pipes(void **state)
{
    (void)state;
    const char *path = save_image(make_image(9, 9, 3), "m.png");
    char *data;
    size_t size;
    struct gx_picture *picture;
    struct gx_err err = {""};
    float expected[9 * 9 * 3];
    read_floats(path, 3, 0, 1, expected);
    assert_int_equal(gx_file_read(path, 1 << 20, &data, &size, NULL), 0);
    assert_int_equal(gx_picture_open_memory(&picture, data, size, "memory", NULL, &err), 0);
    assert_int_equal(gx_picture_read(picture, 3, 0, 1, at, &err), 0);
    assert_memory_equal(at, expected, sizeof expected);
    gx_picture_free(&picture);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], data, size), size);
    close(ends[1]);
    memset(at, 0, sizeof expected);
    assert_int_equal(gx_picture_open_fd(&picture, ends[0], "-", NULL, &err), 0);
    assert_int_equal(gx_picture_read(picture, 3, 0, 1, at, &err), 0);
    assert_memory_equal(at, expected, sizeof expected);
    gx_picture_free(&picture);
    assert_int_equal(gx_picture_open_fd(&picture, ends[0], "-", NULL, &err), -GX_E_FORMAT);
    assert_string_equal(err.text, "cannot read '-': the file is empty");
    close(ends[0]);
    free(data);
}

/* As reading and scaling one after the other, bit for bit. */
static void scaled(void **state)
{
    static const char *const names[] = {"rgb.png",  "rgba.png", "ga.png",
                                        "deep.png", "exif.jpg", "b.pgm"};
    static const int sizes[][2] = {{5, 4}, {40, 3}, {3, 40}, {50, 50}, {1, 1}, {0, 0}};
    static float got[50 * 50 * 4], want[50 * 50 * 4];
    (void)state;
    for (int i = 0; i < 6 * 4 * 6; i++) {
        char path[64];
        int channels = 1 + i / 6 % 4, to_w = sizes[i % 6][0], to_h = sizes[i % 6][1];
        struct gx_picture *picture;
        snprintf(path, sizeof path, "tests/reference/picture/%s", names[i / 24]);
        assert_int_equal(gx_picture_open(&picture, path, NULL, NULL), 0);
        int w = gx_picture_facts(picture)->width, h = gx_picture_facts(picture)->height;
        bool same = !to_w;
        float most = same ? 1 : gx_picture_facts(picture)->bits == 16 ? 65535 : 255;
        to_w = same ? w : to_w;
        to_h = same ? h : to_h;
        assert_int_equal(gx_picture_read(picture, channels, same ? -1 : 0, most, at, NULL), 0);
        assert_int_equal(
            gx_resize(at, 1, h, w, channels, want, to_h, to_w, GX_FILTER_BICUBIC, NULL), 0);
        for (int k = 0; k < to_w * to_h * channels; k++) {
            float v = same ? want[k] : -1 + (float)(2.0 / (double)most) * want[k];
            want[k] = v < -1 ? -1 : v > 1 ? 1 : v;
        }
        gx_picture_free(&picture);
        assert_int_equal(gx_picture_open(&picture, path, NULL, NULL), 0);
        assert_int_equal(gx_picture_read_scaled(picture, channels, -1, 1, to_w, to_h, got, NULL),
                         0);
        assert_memory_equal(got, want, (size_t)(to_w * to_h * channels) * sizeof *got);
        gx_picture_free(&picture);
    }
}

/* Rows go by as they are decoded: a picture can be asked for again all the same, and what is cut off
 * is found. */
static void scaled_again(void **state)
{
    static float first[30 * 20 * 3], again[30 * 20 * 3];
    const char *path = save_image(make_image(60, 60, 3), "again.jpg");
    const struct gx_open_options allow = {.allow_truncated = true};
    struct gx_picture *picture;
    struct gx_err err;
    (void)state;
    assert_int_equal(gx_picture_open(&picture, path, NULL, NULL), 0);
    assert_int_equal(gx_picture_read_scaled(picture, 3, -1, 1, 30, 20, first, NULL), 0);
    assert_int_equal(gx_picture_read_scaled(picture, 3, -1, 1, 30, 20, again, NULL), 0);
    assert_memory_equal(first, again, sizeof first);
    assert_int_equal(gx_picture_read(picture, 3, -1, 1, at, NULL), 0); /* which decodes it */
    memset(again, 0, sizeof again);
    assert_int_equal(gx_picture_read_scaled(picture, 3, -1, 1, 30, 20, again, NULL), 0);
    assert_memory_equal(first, again, sizeof first);
    gx_picture_free(&picture);
    path = cut_file(path, 0.6, "cut.jpg");
    assert_int_equal(gx_picture_open(&picture, path, NULL, NULL), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gx_picture_read_scaled(picture, 3, -1, 1, 30, 20, again, &err),
                         -GX_E_FORMAT);
        assert_non_null(strstr(err.text, "cut.jpg': truncated"));
    }
    gx_picture_free(&picture);
    assert_int_equal(gx_picture_open(&picture, path, &allow, NULL), 0);
    assert_int_equal(gx_picture_read_scaled(picture, 3, -1, 1, 30, 20, again, NULL), 0);
    gx_picture_free(&picture);
}

static void loaders(void **state)
{
    (void)state;
    static const char svg[] = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='5'>"
                              "<rect width='9' height='5' fill='#ff0000'/></svg>";
    const char *path = save_bytes(svg, sizeof svg - 1, "red.svg");
    struct gx_err err = {""};
    assert_int_equal(gx_image_start("svg, gibberish", 0, &err), -GX_E_USAGE);
    assert_non_null(strstr(err.text, "unknown loader 'gibberish'"));
    assert_false(gx_picture_name("x.SVG"));
    assert_string_equal(gx_picture_name_off("x.SVG"), "svg");
    assert_null(gx_picture_name_off("x.png"));
    assert_null(gx_picture_name_off("notes.txt"));
    if (gx_image_start("svg", 0, &err))
        skip(); /* a libvips without librsvg */
    assert_true(gx_picture_name("x.SVG"));
    assert_null(gx_picture_name_off("x.SVG"));
    struct gx_facts facts = read_floats(path, 3, 0, 255, at);
    assert_int_equal(facts.width, 9);
    assert_near(at[0], 255, 0);
    assert_near(at[1], 0, 0);
    assert_int_equal(gx_image_start(NULL, 0, &err), 0);
    assert_int_equal(read_error(path, NULL, &err), -GX_E_FORMAT);
}

/* Its loader is in a module of libvips, which is loaded only now. */
static void loaders_of_modules(void **state)
{
    (void)state;
    static const unsigned char jxl[] = {
        /* 9 x 5, black */
        0xff, 0x0a, 0x20, 0x00, 0x10, 0x80, 0xa4, 0xb8, 0x11, 0x01, 0xa8, 0x00, 0x93, 0x61,
        0x09, 0x00, 0x80, 0x0a, 0x95, 0x51, 0xc6, 0x0d, 0x5e, 0xce, 0xf5, 0x7c, 0xf9, 0xa1,
        0xc3, 0x62, 0xda, 0xc6, 0x75, 0x86, 0xb6, 0xda, 0xb6, 0xb0, 0x84, 0xb1, 0xd9, 0x5e,
        0x18, 0x24, 0x24, 0x14, 0x12, 0x61, 0x03, 0x18, 0x76, 0x43, 0x25, 0x09};
    const char *path = save_bytes(jxl, sizeof jxl, "black.jxl");
    struct gx_err err = {""};
    assert_int_equal(read_error(path, NULL, &err), -GX_E_FORMAT);
    if (gx_image_start("jxl", 0, &err))
        skip(); /* a libvips without libjxl */
    struct gx_facts facts = read_floats(path, 1, 0, 255, at);
    assert_int_equal(facts.width, 9);
    assert_int_equal(facts.height, 5);
    assert_near(at[44], 0, 0);
    assert_int_equal(gx_image_start(NULL, 0, &err), 0);
    assert_int_equal(read_error(path, NULL, &err), -GX_E_FORMAT);
    assert_non_null(strstr(err.text, "the format jxl is off"));
}

static void names(void **state)
{
    (void)state;
    assert_true(gx_picture_name("a/b.c/photo.JPeG"));
    assert_false(gx_picture_name("a.png/b"));
    assert_false(gx_picture_name(".png"));
    assert_false(gx_picture_name("notes.txt"));
    assert_string_equal(gx_format_of_name("x.tif"), "tiff");
    assert_null(gx_format_of_name("x.heic")); /* read, on request, but never written */
    assert_string_equal(gx_format_find("jpeg"), "jpg");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colour),
        cmocka_unit_test(grey),
        cmocka_unit_test(sixteen_bits),
        cmocka_unit_test(palette_and_one_bit),
        cmocka_unit_test(transparency),
        cmocka_unit_test(counted_to_any_number),
        cmocka_unit_test(rotated),
        cmocka_unit_test(linear_floats),
        cmocka_unit_test(profiles),
        cmocka_unit_test(cmyk),
        cmocka_unit_test(tiny_and_odd),
        cmocka_unit_test(refused),
        cmocka_unit_test(truncated),
        cmocka_unit_test(bomb),
        cmocka_unit_test(scaled_again),
        cmocka_unit_test(names),
        cmocka_unit_test(from_memory_and_pipes),
        cmocka_unit_test(loaders),
        cmocka_unit_test(loaders_of_modules),
        cmocka_unit_test(scaled),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
