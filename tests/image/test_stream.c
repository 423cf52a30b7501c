/* Pictures row by row: what a stream reads and writes is what gx_picture_read and gx_picture_write
 * do, bit for bit, for every kind of picture; scaling, animations, colours under transparency. */
#include "pictures.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

enum { ROOM = 1 << 20 };

static float whole[ROOM], streamed[ROOM];

static struct gx_picture *open_ok(const char *path, const struct gx_open_options *options)
{
    struct gx_picture *picture;
    struct gx_err err = {""};
    if (gx_picture_open(&picture, path, options, &err))
        fail_msg("%s", err.text);
    return picture;
}

/* Reads a whole picture in bands of `band` rows. */
static void stream_all(struct gx_picture *picture, int channels, int band, float *to)
{
    const struct gx_facts *facts = gx_picture_facts(picture);
    struct gx_stream_in *in;
    struct gx_err err = {""};
    if (gx_stream_open(&in, picture, channels, -1, 1, &err))
        fail_msg("%s", err.text);
    assert_true(facts->width * facts->height * channels <= ROOM);
    for (int y = 0; y < facts->height;) {
        int rows = facts->height - y < band ? facts->height - y : band;
        if (gx_stream_read(in, rows, to, &err))
            fail_msg("%s", err.text);
        to += (size_t)rows * facts->width * channels;
        y += rows;
    }
    assert_int_equal(gx_stream_read(in, 1, to, &err), -GX_E_USAGE);
    gx_stream_close(&in);
    assert_null(in);
}

/* As gx_picture_read, but for what is wholly transparent. */
static void assert_same(const char *path, const struct gx_open_options *options)
{
    for (int channels = 1; channels <= 4; channels++) {
        struct gx_picture *picture = open_ok(path, options);
        struct gx_facts facts = *gx_picture_facts(picture);
        int colours = channels <= 2 ? 1 : 3, pixels = facts.width * facts.height;
        static float alpha[ROOM];
        struct gx_err err = {""};
        stream_all(picture, channels, channels == 2 ? 1 : 7, streamed);
        if (gx_picture_read(picture, 2, -1, 1, alpha, &err) || /* after the stream: decoded anew */
            gx_picture_read(picture, channels, -1, 1, whole, &err))
            fail_msg("%s", err.text);
        for (int i = 0; i < pixels; i++)
            for (int k = 0; k < channels; k++)
                if ((k == colours || alpha[i * 2 + 1] > -1) &&
                    streamed[i * channels + k] != whole[i * channels + k])
                    fail_msg("%s, %d channels: %g is not %g at %d", path, channels,
                             streamed[i * channels + k], whole[i * channels + k], i);
        stream_all(picture, channels, 64, whole); /* a second time, decoded, in other bands */
        assert_memory_equal(whole, streamed, (size_t)pixels * channels * sizeof *whole);
        gx_picture_free(&picture);
    }
}

static void reads_the_same(void **state)
{
    (void)state;
    static const char *const suffixes[] = {"png", "jpg", "webp", "tif", "gif", "ppm"};
    static const int sizes[][2] = {{1, 1}, {1, 50}, {50, 1}, {37, 53}, {64, 64}, {33, 17}};
    char name[32];
    for (size_t s = 0; s < sizeof suffixes / sizeof *suffixes; s++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            snprintf(name, sizeof name, "a.%s", suffixes[s]);
            assert_same(save_image(make_image(sizes[i][0], sizes[i][1], 3), name), NULL);
        }
    static const char *const others[] = {"i.png[interlace]", "p.png[palette]", "p.jpg[interlace]",
                                         "t.tif[tile,tile-width=16,tile-height=16]",
                                         "l.webp[lossless]"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_same(save_image(make_image(45, 70, 3), others[i]), NULL);
    assert_same(save_image(make_image(31, 40, 1), "g.png"), NULL);
    assert_same(save_image(make_image(31, 40, 1), "g.jpg"), NULL);
    assert_same(save_image(make_image(31, 40, 1), "b.png[bitdepth=1]"), NULL);
    assert_same(save_image(make_image(31, 40, 2), "ga.png"), NULL);
    assert_same(save_image(make_image(31, 40, 4), "rgba.png"), NULL);
    assert_same(save_image(make_image(31, 40, 4), "rgba.webp[lossless]"), NULL);
    assert_same(save_bytes("P2\n3 1\n1000\n0 500 1000\n", 23, "b.pgm"), NULL);
}

static void reads_the_same_colours(void **state)
{
    (void)state;
    VipsImage *image = make_image(21, 33, 4);
    image->Type = VIPS_INTERPRETATION_CMYK;
    assert_same(save_image(image, "inks.jpg"), NULL);
    VipsImage *deep;
    for (int bands = 1; bands <= 4; bands++) {
        image = make_image(19, 41, bands);
        assert_int_equal(vips_linear1(image, &deep, 250, 3, NULL), 0);
        g_object_unref(image);
        assert_int_equal(vips_cast(deep, &image, VIPS_FORMAT_USHORT, NULL), 0);
        g_object_unref(deep);
        image->Type = bands <= 2 ? VIPS_INTERPRETATION_GREY16 : VIPS_INTERPRETATION_RGB16;
        assert_same(save_image(image, "deep.png"), NULL);
    }
    VipsBlob *icc;
    size_t size;
    image = make_image(21, 33, 3);
    assert_int_equal(vips_profile_load("p3", &icc, NULL), 0);
    const void *profile = vips_blob_get(icc, &size);
    vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, profile, size);
    vips_area_unref(VIPS_AREA(icc));
    const char *p3 = save_image(image, "p3.png");
    assert_same(p3, NULL);
    assert_same(p3, &(struct gx_open_options){.keep_profile = true});
    for (int orientation = 1; orientation <= 8; orientation++) {
        image = make_image(30, 20, 3);
        vips_image_set_int(image, VIPS_META_ORIENTATION, orientation);
        assert_same(save_image(image, "turned.jpg"), NULL);
    }
}

/* ---- colours under transparency ---- */

/* The rule, looked up in the whole picture: 8-bit RGBA in, colour of (x, y) out. */
static void nearest(const unsigned char *rgba, int w, int h, int x, int y, unsigned char *rgb)
{
    int best = 32 * 32 + 1;
    memset(rgb, 0, 3);
    for (int dx = 0; dx <= 32; dx++)
        for (int side = -1; side <= 1; side += 2)
            for (int dy = 0; dy <= 32; dy++)
                for (int up = -1; up <= 1; up += 2) {
                    int at_x = x + dx * side, at_y = y + dy * up, square = dx * dx + dy * dy;
                    if (at_x < 0 || at_x >= w || at_y < 0 || at_y >= h || square >= best)
                        continue;
                    const unsigned char *pixel = rgba + ((size_t)at_y * w + at_x) * 4;
                    if (!pixel[3])
                        continue;
                    best = square;
                    memcpy(rgb, pixel, 3);
                }
}

static void colours_reach_under(void **state)
{
    (void)state;
    enum { W = 90, H = 150 };
    for (int kind = 0; kind < 3; kind++) { /* scattered pixels, a disc, nothing visible */
        VipsImage *image = make_image(W, H, 4);
        unsigned char *data = VIPS_IMAGE_ADDR(image, 0, 0);
        for (int i = 0; i < W * H; i++) {
            int x = i % W, y = i / W;
            bool seen = kind == 0   ? i % 997 == 5 || (y > 120 && i % 7 == 0)
                        : kind == 1 ? (x - 40) * (x - 40) + (y - 70) * (y - 70) < 900
                                    : false;
            data[i * 4 + 3] = seen ? (unsigned char)(1 + i % 255) : 0;
        }
        VipsImage *copy = vips_image_copy_memory(image);
        const unsigned char *rgba = (const unsigned char *)VIPS_IMAGE_ADDR(copy, 0, 0);
        struct gx_picture *picture = open_ok(save_image(image, "hidden.png"), NULL);
        stream_all(picture, 4, 11, streamed);
        for (int i = 0; i < W * H; i++) {
            unsigned char rgb[3];
            nearest(rgba, W, H, i % W, i / W, rgb);
            for (int k = 0; k < 3; k++)
                assert_int_equal(lrintf((streamed[i * 4 + k] + 1) * 127.5f), rgb[k]);
        }
        gx_picture_free(&picture);
        g_object_unref(copy);
    }
}

/* ---- writing ---- */

static void make_floats(int pixels, int channels)
{
    for (int i = 0; i < pixels * channels; i++)
        whole[i] = (float)(i * 7919 % 2003) / 1000 - 1.0015f;
}

/* Streams `whole` in bands. */
static void write_stream(const struct gx_stream_shape *shape, struct gx_picture *like,
                         const struct gx_write_options *options, const char *path, int band)
{
    struct gx_stream_out *out;
    struct gx_err err = {""};
    int frames = shape->frames > 1 ? shape->frames : 1;
    const float *from = whole;
    if (gx_stream_begin(&out, shape, like, options, path, &err))
        fail_msg("%s", err.text);
    for (int left = shape->height * frames; left > 0; left -= band) {
        int rows = left < band ? left : band;
        if (gx_stream_write(out, rows, from, &err))
            fail_msg("%s", err.text);
        from += (size_t)rows * shape->width * shape->channels;
    }
    if (gx_stream_commit(&out, &err))
        fail_msg("%s", err.text);
    assert_null(out);
}

static void assert_same_bytes(const char *a, const char *b)
{
    char *one = NULL, *two = NULL;
    size_t size, size_two;
    assert_int_equal(gx_file_read(a, 1 << 24, &one, &size, NULL), 0);
    assert_int_equal(gx_file_read(b, 1 << 24, &two, &size_two, NULL), 0);
    size_t same = size > 2 && one[0] == 'P' ? strcspn(one + 3, "\n") + 3 : 0; /* PPM: the date */
    if (size != size_two || memcmp(one + same, two + same, size - same))
        fail_msg("'%s' and '%s' differ: %zu and %zu bytes, %.4s", a, b, size, size_two, one);
    free(one);
    free(two);
}

static void writes_the_same(void **state)
{
    (void)state;
    static const char *const formats[] = {"png", "jpg", "webp", "tiff", "gif", "ppm"};
    static const int sizes[][2] = {{1, 1}, {1, 45}, {45, 1}, {37, 83}};
    struct gx_err err = {""};
    struct gx_write_options options = gx_write_defaults;
    options.background[1] = 0;
    for (size_t f = 0; f < 6; f++)
        for (int i = 0; i < 4; i++)
            for (int channels = 1; channels <= 4; channels++)
                for (options.bits = 8; options.bits <= 16; options.bits += 8) {
                    int w = sizes[i][0], h = sizes[i][1];
                    options.format = formats[f];
                    make_floats(w * h, channels);
                    const struct gx_pixels p = {whole, w, h, channels, -1, 1};
                    if (gx_picture_write(&p, NULL, &options, in_folder("whole"), &err))
                        fail_msg("%s", err.text);
                    const struct gx_stream_shape shape = {w, h, channels, -1, 1};
                    write_stream(&shape, NULL, &options, in_folder("stream"), 1 + i * 5);
                    assert_same_bytes(in_folder("whole"), in_folder("stream"));
                }
}

static void carries_the_same(void **state)
{
    (void)state;
    VipsImage *image = make_image(37, 83, 3);
    vips_image_set_int(image, VIPS_META_ORIENTATION, 3);
    vips_image_set_string(image, "exif-ifd0-Make", "Ganx (Ganx, ASCII, 5 components, 5 bytes)");
    vips_image_set_blob_copy(image, VIPS_META_XMP_NAME, "<x:xmpmeta/>", 12);
    struct gx_picture *like = open_ok(save_image(image, "like.jpg"), NULL);
    static const char *const names[] = {"png", "jpg", "webp", "tif"};
    struct gx_err err = {""};
    struct gx_write_options options = gx_write_defaults;
    make_floats(37 * 83, 3);
    const struct gx_pixels p = {whole, 37, 83, 3, -1, 1};
    const struct gx_stream_shape shape = {37, 83, 3, -1, 1};
    for (int i = 0; i < 8; i++) {
        options.format = names[i / 2];
        options.strip = i % 2;
        if (gx_picture_write(&p, like, &options, in_folder("whole"), &err))
            fail_msg("%s", err.text);
        write_stream(&shape, like, &options, in_folder("stream"), 20);
        assert_same_bytes(in_folder("whole"), in_folder("stream"));
    }
    gx_picture_free(&like);
}

/* While rows are decoded: libvips sets a file's metadata anew when its first row is asked for. */
static void carries_meanwhile(void **state)
{
    (void)state;
    const struct gx_stream_shape shape = {9, 9, 1, -1, 1};
    const char *path = "tests/reference/picture/b.jpg", *named = in_folder("meanwhile.jpg");
    struct gx_err err = {""};
    for (int i = 0; i < 300; i++) {
        struct gx_picture *like = open_ok(path, NULL);
        struct gx_stream_in *in;
        struct gx_stream_out *out;
        if (gx_stream_open(&in, like, 1, -1, 1, &err) ||
            gx_stream_begin(&out, &shape, like, NULL, named, &err))
            fail_msg("%s", err.text);
        gx_stream_abandon(&out);
        gx_stream_close(&in);
        gx_picture_free(&like);
    }
}

/* Sixteen bits in, sixteen out; and `like` may be the picture that is being read. */
static void depth_is_kept(void **state)
{
    (void)state;
    make_floats(20 * 30, 3);
    struct gx_write_options options = gx_write_defaults;
    options.bits = 16;
    const struct gx_stream_shape shape = {20, 30, 3, -1, 1};
    write_stream(&shape, NULL, &options, in_folder("deep.png"), 30);
    struct gx_picture *like = open_ok(in_folder("deep.png"), NULL);
    struct gx_stream_in *in;
    struct gx_stream_out *out;
    struct gx_err err = {""};
    assert_int_equal(gx_stream_open(&in, like, 3, -1, 1, &err), 0);
    assert_int_equal(gx_stream_begin(&out, &shape, like, NULL, in_folder("copy.png"), &err), 0);
    for (int y = 0; y < 30; y += 5) {
        assert_int_equal(gx_stream_read(in, 5, streamed, &err), 0);
        assert_int_equal(gx_stream_write(out, 5, streamed, &err), 0);
    }
    assert_int_equal(gx_stream_commit(&out, &err), 0);
    gx_stream_close(&in);
    gx_picture_free(&like);
    struct gx_picture *copy = open_ok(in_folder("copy.png"), NULL);
    assert_int_equal(gx_picture_facts(copy)->bits, 16);
    stream_all(copy, 3, 9, streamed);
    for (int i = 0; i < 20 * 30 * 3; i++)
        assert_true(fabsf(streamed[i] - fminf(fmaxf(whole[i], -1), 1)) <= 1.01f / 65535);
    gx_picture_free(&copy);
}

/* ---- scaling ---- */

/* A slope stays a slope, away from the edges, and keeps its ends. */
static void scales(void **state)
{
    (void)state;
    static const int sizes[][2] = {{90, 260}, {41, 50}, {200, 600}, {200, 50},
                                   {41, 600}, {1, 1},   {100, 7},   {101, 299}};
    enum { W = 100, H = 300 };
    struct gx_write_options options = gx_write_defaults;
    options.bits = 16;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int w = sizes[s][0], h = sizes[s][1];
        for (int i = 0; i < W * H; i++) {
            whole[i * 2] = ((float)(i % W) + 0.5f) / W;
            whole[i * 2 + 1] = ((float)(i / W) + 0.5f) / H;
        }
        const struct gx_stream_shape shape = {W, H, 2, 0, 1, w, h};
        write_stream(&shape, NULL, &options, in_folder("scaled.png"), 17);
        struct gx_facts facts = read_floats(in_folder("scaled.png"), 2, 0, 1, streamed);
        assert_int_equal(facts.width, w);
        assert_int_equal(facts.height, h);
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                float across = ((float)x + 0.5f) / (float)w, down = ((float)y + 0.5f) / (float)h;
                bool inner = x > 4 && x < w - 5 && y > 4 && y < h - 5;
                float tolerance = inner ? 0.002f : 0.02f;
                const float *at = streamed + ((size_t)y * w + x) * 2;
                if (fabsf(at[0] - across) > tolerance || fabsf(at[1] - down) > tolerance)
                    fail_msg("%dx%d at %d, %d: %g %g", w, h, x, y, at[0], at[1]);
            }
    }
}

/* ---- animations ---- */

enum { FRAMES = 3, FW = 24, FH = 20 };

static const char *save_animation(const char *name)
{
    static const unsigned char colours[FRAMES][4] = {
        {250, 10, 10, 255}, {10, 250, 10, 255}, {10, 10, 250, 255}};
    int delays[FRAMES] = {70, 230, 110};
    VipsImage *image = make_image(FW, FH * FRAMES, 4);
    for (int i = 0; i < FW * FH * FRAMES; i++)
        memcpy(VIPS_IMAGE_ADDR(image, 0, 0) + i * 4, colours[i / (FW * FH)], 4);
    vips_image_set_int(image, VIPS_META_PAGE_HEIGHT, FH);
    vips_image_set_array_int(image, "delay", delays, FRAMES);
    vips_image_set_int(image, "loop", 4);
    return save_image(image, name);
}

static void animations(void **state)
{
    (void)state;
    static const char *const names[] = {"moving.gif", "moving.webp[lossless]"};
    const struct gx_open_options all = {.all_frames = true};
    for (int n = 0; n < 2; n++) {
        const char *path = save_animation(names[n]);
        assert_same(path, &all);
        assert_same(path, NULL);
        struct gx_picture *picture = open_ok(path, &all);
        struct gx_facts facts = *gx_picture_facts(picture);
        assert_int_equal(facts.frames, FRAMES);
        assert_int_equal(facts.width, FW);
        assert_int_equal(facts.height, FH * FRAMES);
        stream_all(picture, 3, 13, whole);
        const struct gx_stream_shape shape = {FW, FH, 3, -1, 1, 31, 55, FRAMES};
        struct gx_write_options options = gx_write_defaults;
        options.quality = 100;
        for (int o = 0; o < 2; o++) {
            options.format = o ? "webp" : "gif";
            write_stream(&shape, picture, &options, in_folder("out"), 7);
            VipsImage *image = vips_image_new_from_file(in_folder("out"), "n", -1, NULL);
            int loop, count, *delay;
            assert_non_null(image);
            assert_int_equal(vips_image_get_page_height(image), 55);
            assert_int_equal(image->Ysize, 55 * FRAMES);
            assert_int_equal(vips_image_get_int(image, "loop", &loop), 0);
            assert_int_equal(loop, 4);
            assert_int_equal(vips_image_get_array_int(image, "delay", &delay, &count), 0);
            assert_int_equal(count, FRAMES);
            assert_int_equal(delay[1], 230);
            g_object_unref(image);
            struct gx_picture *out = open_ok(in_folder("out"), &all);
            stream_all(out, 3, 40, streamed);
            for (int i = 0; i < 31 * 55 * FRAMES; i++) /* nothing of the frame above or below */
                for (int k = 0; k < 3; k++)
                    assert_true((k == i / (31 * 55) ? 1 : -1) * streamed[i * 3 + k] > 0.85f);
            gx_picture_free(&out);
        }
        struct gx_stream_out *none;
        struct gx_err err;
        assert_int_equal(
            gx_stream_begin(&none, &shape, picture, NULL, in_folder("moving.png"), &err),
            -GX_E_USAGE);
        assert_null(none);
        gx_picture_free(&picture);
    }
}

/* libvips' threads ask for strips in no fixed order. */
static void threads_change_nothing(void **state)
{
    (void)state;
    enum { SIDE = 290 };
    for (int threads = 1; threads <= 4; threads += 3)
        for (int scaled = 0; scaled < 3; scaled++) {
            struct gx_stream_shape shape = {SIDE, SIDE, 3, -1, 1};
            char name[16];
            assert_int_equal(gx_image_start(NULL, threads, NULL), 0);
            make_floats(SIDE * SIDE, 3);
            shape.to_width = scaled == 1 ? 101 : scaled == 2 ? 400 : 0;
            shape.to_height = scaled == 1 ? 33 : scaled == 2 ? 555 : 0;
            snprintf(name, sizeof name, "%d-%d.png", threads, scaled);
            write_stream(&shape, NULL, NULL, in_folder(name), 23);
            assert_same(in_folder(name), NULL);
        }
    assert_int_equal(gx_image_start(NULL, 1, NULL), 0);
    assert_same_bytes(in_folder("1-0.png"), in_folder("4-0.png"));
    assert_same_bytes(in_folder("1-1.png"), in_folder("4-1.png"));
    assert_same_bytes(in_folder("1-2.png"), in_folder("4-2.png"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_same),      cmocka_unit_test(reads_the_same_colours),
        cmocka_unit_test(colours_reach_under), cmocka_unit_test(writes_the_same),
        cmocka_unit_test(carries_the_same),    cmocka_unit_test(carries_meanwhile),
        cmocka_unit_test(depth_is_kept),       cmocka_unit_test(scales),
        cmocka_unit_test(animations),          cmocka_unit_test(threads_change_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
