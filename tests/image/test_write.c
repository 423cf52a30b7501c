/* Writing pictures: samples, alpha, metadata, limits, and what stands on the disk when it fails. */
#include "pictures.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { W = 6, H = 4 };

static float pixels[W * H * 4], back[1 << 14];

#define assert_near(a, b, tolerance)                                                               \
    do {                                                                                           \
        double a_ = (a), b_ = (b);                                                                 \
        if (!(fabs(a_ - b_) <= (tolerance)))                                                       \
            fail_msg("%s:%d: %.6f is not %.6f", __FILE__, __LINE__, a_, b_);                       \
    } while (0)

static void write_ok(const struct gx_pixels *p, struct gx_picture *like,
                     const struct gx_write_options *options, const char *path)
{
    struct gx_err err = {""};
    if (gx_picture_write(p, like, options, path, &err))
        fail_msg("%s", err.text);
}

static struct gx_picture *open_ok(const char *path)
{
    struct gx_picture *picture;
    struct gx_err err = {""};
    if (gx_picture_open(&picture, path, NULL, &err))
        fail_msg("%s", err.text);
    return picture;
}

static struct gx_pixels gradient(int channels)
{
    for (int i = 0; i < W * H * channels; i++)
        pixels[i] =
            (float)(sample_at(i / channels % W, i / channels / W, i % channels) / 127.5 - 1);
    return (struct gx_pixels){pixels, W, H, channels, -1, 1};
}

static void round_trip(void **state)
{
    (void)state;
    static const char *const names[] = {"r.png", "r.tif", "r.ppm", "r"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (int channels = 1; channels <= 3; channels += 2) {
            struct gx_pixels p = gradient(channels);
            const char *path = in_folder(names[n]);
            write_ok(&p, NULL, NULL, path);
            struct gx_facts facts = read_floats(path, channels, -1, 1, back);
            assert_int_equal(facts.channels, channels);
            assert_int_equal(facts.bits, 8);
            for (int i = 0; i < W * H * channels; i++)
                assert_near(back[i], pixels[i], 1e-6);
        }
    struct gx_write_options options = gx_write_defaults;
    for (int i = 0; i < 3; i++) {
        static const char *const lossy[] = {"webp", "jpeg", "gif"};
        struct gx_pixels p = gradient(3);
        for (int k = 0; k < W * H * 3; k++)
            pixels[k] = 0.25f;
        options.format = lossy[i];
        options.quality = i < 2 ? 100 : 0;
        const char *path = in_folder("any.name");
        write_ok(&p, NULL, &options, path);
        struct gx_facts facts = read_floats(path, 3, -1, 1, back);
        assert_string_equal(facts.format, gx_format_find(lossy[i]));
        for (int k = 0; k < W * H * 3; k++)
            assert_near(back[k], 0.25, 0.03);
    }
}

static void clipped_and_rounded(void **state)
{
    (void)state;
    float values[6] = {-2, 2, NAN, 0.5f / 255 + 1e-4f, 0.5f / 255 - 1e-4f, 254.6f / 255};
    static const int expected[6] = {0, 255, 0, 1, 0, 255};
    const struct gx_pixels p = {values, 6, 1, 1, 0, 1};
    write_ok(&p, NULL, NULL, in_folder("c.png"));
    read_floats(in_folder("c.png"), 1, 0, 255, back);
    for (int i = 0; i < 6; i++)
        assert_near(back[i], expected[i], 0);
}

static void depth(void **state)
{
    (void)state;
    struct gx_pixels p = gradient(3);
    struct gx_write_options options = gx_write_defaults;
    options.bits = 16;
    static const char *const names[] = {"d.png", "d.tif", "d.ppm"};
    for (int n = 0; n < 3; n++) {
        pixels[0] = 0.12345f;
        write_ok(&p, NULL, &options, in_folder(names[n]));
        struct gx_facts facts = read_floats(in_folder(names[n]), 3, -1, 1, back);
        assert_int_equal(facts.bits, 16);
        assert_near(back[0], 0.12345, 2e-5);
    }
    struct gx_picture *like = open_ok(in_folder("d.png"));
    write_ok(&p, like, NULL, in_folder("e.png"));
    assert_int_equal(read_floats(in_folder("e.png"), 3, -1, 1, back).bits, 16);
    write_ok(&p, like, NULL, in_folder("e.jpg"));
    assert_int_equal(read_floats(in_folder("e.jpg"), 3, -1, 1, back).bits, 8);
    gx_picture_free(&like);
}

/* A picture with alpha 128 on its left and 0 on its right half. */
static struct gx_picture *half_hidden(int width, int height)
{
    VipsImage *image = make_image(width, height, 4);
    for (int i = 0; i < width * height; i++)
        VIPS_IMAGE_ADDR(image, 0, 0)[i * 4 + 3] = i % width < width / 2 ? 128 : 0;
    return open_ok(save_image(image, "half.png"));
}

/* Scaled on the way into the file: as if it had been done before. */
static void scaled(void **state)
{
    static const int sizes[][2] = {{9, 3}, {3, 9}, {20, 21}, {2, 2}};
    static float large[20 * 21 * 3];
    struct gx_picture *like = half_hidden(W, H);
    (void)state;
    for (int i = 0; i < 4 * 3 * 4; i++) {
        int w = sizes[i % 4][0], h = sizes[i % 4][1], channels = i / 4 % 3 ? 3 : 1;
        struct gx_write_options options = gx_write_defaults;
        const struct gx_pixels p = gradient(channels);
        struct gx_pixels plain = {large, w, h, channels, -1, 1}, on_the_way = plain;
        struct gx_picture *alpha = i / 4 % 3 == 2 ? like : NULL;
        options.format = i / 12 % 2 ? "tiff" : "png";
        options.bits = i / 24 ? 16 : 8;
        on_the_way.data = p.data;
        on_the_way.from_width = W;
        on_the_way.from_height = H;
        assert_int_equal(gx_resize(p.data, 1, H, W, channels, large, h, w, GX_FILTER_BICUBIC, NULL),
                         0);
        write_ok(&plain, alpha, &options, in_folder("plain"));
        write_ok(&on_the_way, alpha, &options, in_folder("way"));
        char *want, *got;
        size_t bytes, more;
        assert_int_equal(gx_file_read(in_folder("plain"), 1 << 20, &want, &bytes, NULL), 0);
        assert_int_equal(gx_file_read(in_folder("way"), 1 << 20, &got, &more, NULL), 0);
        assert_int_equal(more, bytes);
        assert_memory_equal(got, want, bytes);
        free(got);
        free(want);
    }
    gx_picture_free(&like);
}

static void alpha_is_carried(void **state)
{
    (void)state;
    struct gx_pixels p = gradient(3);
    struct gx_picture *like = half_hidden(W, H);
    write_ok(&p, like, NULL, in_folder("a.png"));
    struct gx_facts facts = read_floats(in_folder("a.png"), 4, -1, 1, back);
    assert_true(facts.alpha);
    for (int i = 0; i < W * H; i++) {
        for (int k = 0; k < 3; k++)
            assert_near(back[i * 4 + k], pixels[i * 3 + k], 1e-6); /* colours stay, hidden or not */
        assert_near((back[i * 4 + 3] + 1) * 127.5, i % W < W / 2 ? 128 : 0, 1e-4);
    }
    gx_picture_free(&like);
    like = half_hidden(2 * W, 2 * H);
    write_ok(&p, like, NULL, in_folder("a.webp"));
    read_floats(in_folder("a.webp"), 4, 0, 255, back);
    assert_near(back[3], 128, 2);
    assert_near(back[(W - 1) * 4 + 3], 0, 2);
    struct gx_write_options options = gx_write_defaults;
    options.background[1] = 0;
    options.quality = 100;
    write_ok(&p, like, &options, in_folder("a.ppm"));
    facts = read_floats(in_folder("a.ppm"), 3, 0, 255, back);
    assert_false(facts.alpha);
    assert_near(back[(W - 1) * 3], 255, 0.5); /* hidden: the background */
    assert_near(back[(W - 1) * 3 + 1], 0, 0.5);
    assert_near(back[0], sample_at(0, 0, 0) * 128 / 255.0 + 127, 1.5); /* half of each */
    gx_picture_free(&like);
    p = gradient(4);
    write_ok(&p, NULL, NULL, in_folder("own.png"));
    read_floats(in_folder("own.png"), 4, -1, 1, back);
    for (int i = 0; i < W * H * 4; i++)
        assert_near(back[i], pixels[i], 1e-6);
}

static void grey_on_a_background(void **state)
{
    (void)state;
    VipsImage *image = make_image(W, H, 2);
    for (int i = 0; i < W * H; i++)
        VIPS_IMAGE_ADDR(image, 0, 0)[i * 2 + 1] = 0;
    struct gx_picture *like = open_ok(save_image(image, "ga.png"));
    struct gx_pixels p = gradient(1);
    struct gx_write_options options = gx_write_defaults;
    write_ok(&p, like, &options, in_folder("g.ppm"));
    assert_int_equal(read_floats(in_folder("g.ppm"), 1, 0, 1, back).channels, 1);
    assert_near(back[0], 1, 0);
    options.background[2] = 0;
    write_ok(&p, like, &options, in_folder("g.ppm"));
    assert_int_equal(read_floats(in_folder("g.ppm"), 3, 0, 1, back).channels, 3);
    assert_near(back[0], 1, 0);
    assert_near(back[2], 0, 0);
    gx_picture_free(&like);
}

static bool has_bytes(const char *path, const char *bytes, size_t length)
{
    char *data;
    size_t size;
    assert_int_equal(gx_file_read(path, 1 << 24, &data, &size, NULL), 0);
    bool found = memmem(data, size, bytes, length);
    free(data);
    return found;
}

static const char *save_with_metadata(const char *name)
{
    static const char xmp[] = "<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
                      thumb[] = "\xff\xd8THUMB\xff\xd9";
    VipsImage *image = make_image(W, H, 3);
    VipsBlob *icc;
    size_t size;
    vips_image_set_int(image, VIPS_META_ORIENTATION, 6);
    vips_image_set_string(image, "exif-ifd0-Make",
                          "Ganx Camera (Ganx Camera, ASCII, 12 components, 12 bytes)");
    vips_image_set_string(image, "exif-ifd2-ColorSpace",
                          "65535 (Internal error, Short, 1 components, 2 bytes)");
    vips_image_set_blob_copy(image, VIPS_META_XMP_NAME, xmp, sizeof xmp - 1);
    vips_image_set_blob_copy(image, "jpeg-thumbnail-data", thumb, sizeof thumb - 1);
    assert_int_equal(vips_profile_load("p3", &icc, NULL), 0);
    const void *profile = vips_blob_get(icc, &size);
    vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, profile, size);
    vips_area_unref(VIPS_AREA(icc));
    image->Xres = image->Yres = 20; /* a millimetre: 508 dpi */
    return save_image(image, name);
}

/* Where the samples stay as they are, so do the profile and EXIF's word on it. */
static void profile_is_kept(void **state)
{
    (void)state;
    static const char *const outputs[] = {"own.jpg", "own.png", "own.webp", "own.tif"};
    const struct gx_open_options keep = {.keep_profile = true};
    struct gx_picture *like;
    struct gx_err err = {""};
    if (gx_picture_open(&like, save_with_metadata("own-in.jpg"), &keep, &err))
        fail_msg("%s", err.text);
    const struct gx_pixels p = {gradient(3).data, H, W, 3, -1, 1};
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        const char *path = in_folder(outputs[i]), *space;
        write_ok(&p, like, NULL, path);
        VipsImage *image = vips_image_new_from_file(path, NULL);
        assert_int_not_equal(vips_image_get_typeof(image, VIPS_META_ICC_NAME), 0);
        if (!strstr(path, "tif")) {
            assert_int_equal(vips_image_get_string(image, "exif-ifd2-ColorSpace", &space), 0);
            assert_int_equal(atoi(space), 65535);
        }
        g_object_unref(image);
    }
    gx_picture_free(&like);
}

static void metadata_is_kept(void **state)
{
    (void)state;
    static const char *const outputs[] = {"kept.jpg", "kept.png", "kept.webp", "kept.tif"};
    const char *source = save_with_metadata("meta.jpg");
    struct gx_picture *like = open_ok(source);
    assert_int_equal(gx_picture_facts(like)->width, H);
    const struct gx_pixels p = {gradient(3).data, H, W, 3, -1, 1};
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        const char *path = in_folder(outputs[i]);
        bool tiff = strstr(path, "tif");
        write_ok(&p, like, NULL, path);
        struct gx_facts facts = read_floats(path, 3, -1, 1, back);
        assert_int_equal(facts.width, H); /* not turned a second time */
        assert_int_equal(facts.height, W);
        assert_int_equal(has_bytes(path, "Ganx Camera", 11), !tiff); /* libvips: no EXIF in TIFF */
        assert_false(has_bytes(path, "THUMB", 5));
        assert_false(has_bytes(path, "acspAPPL", 8) || has_bytes(path, "iCCP", 4));
        VipsImage *image = vips_image_new_from_file(path, NULL);
        const char *space;
        assert_int_equal(vips_image_get_typeof(image, VIPS_META_ICC_NAME), 0);
        assert_int_not_equal(vips_image_get_typeof(image, VIPS_META_XMP_NAME), 0);
        if (!tiff) {
            assert_int_equal(vips_image_get_string(image, "exif-ifd2-ColorSpace", &space), 0);
            assert_int_equal(atoi(space), 1);
        }
        if (!strstr(path, "webp"))
            assert_near(image->Xres, 20, 0.1);
        g_object_unref(image);
        struct gx_write_options options = gx_write_defaults;
        options.strip = true;
        write_ok(&p, like, &options, path);
        assert_false(has_bytes(path, "Ganx Camera", 11));
        image = vips_image_new_from_file(path, NULL);
        assert_int_equal(vips_image_get_typeof(image, VIPS_META_XMP_NAME), 0);
        g_object_unref(image);
    }
    gx_picture_free(&like);
}

static void format_limits(void **state)
{
    (void)state;
    struct gx_err err;
    assert_int_equal(gx_format_check("webp", 16383, 1, &err), 0);
    assert_int_equal(gx_format_check("webp", 1, 16384, &err), -GX_E_LIMIT);
    assert_non_null(strstr(err.text, "16383"));
    assert_int_equal(gx_format_check("jpg", 65501, 1, &err), -GX_E_LIMIT);
    assert_int_equal(gx_format_check("png", 65501, 1, &err), 0);
    assert_int_equal(gx_format_check("xcf", 1, 1, &err), -GX_E_USAGE);
    assert_int_equal(gx_format_check("heif", 1, 1, &err), -GX_E_USAGE);
    /* The limits are the encoders' own: the largest allowed really is written. */
    float *wide = calloc(65501, sizeof *wide);
    static const struct {
        const char *format;
        int most;
    } rows[] = {{"webp", 16383}, {"jpg", 65500}};
    for (int i = 0; i < 2; i++) {
        struct gx_write_options options = gx_write_defaults;
        options.format = rows[i].format;
        struct gx_pixels p = {wide, rows[i].most, 1, 1, 0, 1};
        write_ok(&p, NULL, &options, in_folder("wide"));
        p.width++;
        assert_int_equal(gx_picture_write(&p, NULL, &options, in_folder("wide"), &err),
                         -GX_E_LIMIT);
    }
    free(wide);
}

static size_t files_in_folder(void)
{
    struct gx_names list;
    assert_int_equal(gx_folder_list(folder, &list, NULL), 0);
    size_t count = list.count;
    gx_names_free(&list);
    return count;
}

static void failing_disk(void **state)
{
    (void)state;
    enum { SIDE = 60 };
    static float noise[SIDE * SIDE * 3];
    for (int i = 0; i < SIDE * SIDE * 3; i++)
        noise[i] = (float)(i * 7919 % 1000) / 1000;
    const struct gx_pixels p = {noise, SIDE, SIDE, 3, 0, 1};
    struct gx_err err;
    write_ok(&p, NULL, NULL, in_folder("disk.png"));
    char *before, *after;
    size_t size, size_after, count = files_in_folder();
    assert_int_equal(gx_file_read(in_folder("disk.png"), 1 << 20, &before, &size, NULL), 0);
    struct rlimit whole, small;
    getrlimit(RLIMIT_FSIZE, &whole);
    small = (struct rlimit){1000, whole.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int old = gx_picture_write(&p, NULL, NULL, in_folder("disk.png"), &err);
    int new = gx_picture_write(&p, NULL, NULL, in_folder("new.png"), &err);
    setrlimit(RLIMIT_FSIZE, &whole);
    assert_int_equal(old, -GX_E_IO);
    assert_int_equal(new, -GX_E_IO);
    assert_non_null(strstr(err.text, "new.png"));
    assert_int_equal(files_in_folder(), count);
    assert_int_equal(gx_file_read(in_folder("disk.png"), 1 << 20, &after, &size_after, NULL), 0);
    assert_int_equal(size_after, size);
    assert_memory_equal(after, before, size); /* the one that was there is whole */
    free(before);
    free(after);
    assert_int_equal(gx_picture_write(&p, NULL, NULL, "/nowhere/at/all.png", &err), -GX_E_IO);
}

static void descriptors(void **state)
{
    (void)state;
    struct gx_pixels p = gradient(3);
    struct gx_err err;
    bool closed = true;
    const char *path = in_folder("fd.png");
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(gx_picture_write_fd(&p, NULL, NULL, fd, "-", &closed, &err), 0);
    close(fd);
    assert_string_equal(read_floats(path, 3, -1, 1, back).format, "png");
    assert_near(back[5], pixels[5], 1e-6);
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(gx_picture_write_fd(&p, NULL, NULL, ends[1], "-", &closed, &err), -GX_E_IO);
    assert_true(closed);
    close(ends[1]);
    fd = open("/dev/full", O_WRONLY);
    assert_int_equal(gx_picture_write_fd(&p, NULL, NULL, fd, "-", &closed, &err), -GX_E_IO);
    assert_false(closed);
    assert_non_null(strstr(err.text, "no space left"));
    close(fd);
}

static void backgrounds(void **state)
{
    (void)state;
    uint8_t rgb[3];
    struct gx_err err;
    assert_int_equal(gx_background_parse("#01a2FF", rgb, &err), 0);
    assert_int_equal(rgb[0], 1);
    assert_int_equal(rgb[1], 0xa2);
    assert_int_equal(rgb[2], 0xff);
    assert_int_equal(gx_background_parse("Black", rgb, &err), 0);
    assert_int_equal(rgb[2], 0);
    assert_int_equal(gx_background_parse("#01a2f", rgb, &err), -GX_E_USAGE);
    assert_int_equal(gx_background_parse("#01a2fg", rgb, &err), -GX_E_USAGE);
    assert_int_equal(gx_background_parse("mauve", rgb, &err), -GX_E_USAGE);
}

static void sheets(void **state)
{
    (void)state;
    static float red[20 * 20 * 3], dark[10 * 30];
    for (int i = 0; i < 20 * 20 * 3; i++)
        red[i] = i % 3 ? -1 : 1;
    for (int i = 0; i < 10 * 30; i++)
        dark[i] = -0.5f;
    const struct gx_pixels cells[4] = {
        {red, 20, 20, 3, -1, 1}, {dark, 10, 30, 1, -1, 1}, {0}, {red, 20, 20, 3, -1, 1}};
    const char *const titles[2] = {"in & <out>", NULL};
    struct gx_err err = {""};
    const char *path = in_folder("sheet.png");
    if (gx_sheet_write(path, 2, 2, cells, titles, &err))
        fail_msg("%s", err.text);
    struct gx_facts facts = read_floats(path, 3, 0, 255, back);
    assert_int_equal(facts.width, 4 + 20 + 4 + 20 + 4);
    assert_int_equal(facts.height, 24 + 4 + 30 + 4 + 20 + 4);
#define AT(x, y) back[((y)*facts.width + (x)) * 3 + 1]
    assert_near(AT(4 + 10, 28 + 15), 0, 0);  /* red, in the middle of a row 30 high */
    assert_near(AT(4 + 10, 28 + 4), 230, 0); /* nothing above it */
    assert_near(AT(28 + 10, 28 + 1), 64, 0); /* grey, in the middle of a column 20 wide */
    assert_near(AT(28 + 2, 28 + 1), 230, 0);
    assert_near(AT(4 + 10, 24 + 38 + 10), 230, 0); /* the empty cell */
    assert_int_equal(gx_sheet_write(path, 0, 2, cells, NULL, &err), -GX_E_USAGE);
    assert_int_equal(gx_sheet_write("/nowhere/x.png", 2, 2, cells, NULL, &err), -GX_E_IO);
}

/* A caption above each picture, and columns as wide as their captions. */
static void sheets_with_captions(void **state)
{
    (void)state;
    static float red[20 * 20 * 3];
    for (int i = 0; i < 20 * 20 * 3; i++)
        red[i] = i % 3 ? -1 : 1;
    const struct gx_pixels cells[4] = {
        {red, 20, 20, 3, -1, 1}, {red, 20, 20, 3, -1, 1}, {red, 20, 20, 3, -1, 1}, {0}};
    const char *const wide[4] = {"", "a long name", NULL, NULL}, *const none[4] = {NULL};
    float *data;
    int w, h, plain;
    struct gx_err err;
    assert_int_equal(gx_sheet_draw(2, 2, cells, none, &data, &plain, &h, &err), 0);
    assert_int_equal(plain, 4 + 20 + 4 + 20 + 4);
    assert_int_equal(h, 2 * (24 + 4 + 20) + 4);
    free(data);
    assert_int_equal(gx_sheet_draw(2, 2, cells, wide, &data, &w, &h, &err), 0);
    assert_int_equal(h, 2 * (24 + 4 + 20) + 4);
    assert_near(data[((28 + 10) * w + 4 + 10) * 3], 1, 0); /* red */
    assert_near(data[((28 + 10) * w + 4 + 10) * 3 + 1], 0, 0);
    assert_near(data[((76 + 10) * w + 4 + 10) * 3 + 1], 0, 0); /* in the second row too */
    assert_near(data[((48 + 14) * w + 4 + 10) * 3 + 1], 230 / 255.0, 1e-6);
    float darkest = 1; /* of the caption's line */
    for (int y = 0; y < 24; y++)
        for (int x = 0; x < w; x++)
            darkest = fminf(darkest, data[(y * w + x) * 3]);
    if (w > plain) /* libvips has text here, and a font */
        assert_true(darkest < 0.5F);
    else
        assert_true(darkest > 0.8F);
    free(data);
    assert_int_equal(gx_sheet_draw(0, 2, cells, none, &data, &w, &h, &err), -GX_E_USAGE);
    assert_null(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(clipped_and_rounded),
        cmocka_unit_test(depth),
        cmocka_unit_test(scaled),
        cmocka_unit_test(alpha_is_carried),
        cmocka_unit_test(metadata_is_kept),
        cmocka_unit_test(profile_is_kept),
        cmocka_unit_test(grey_on_a_background),
        cmocka_unit_test(format_limits),
        cmocka_unit_test(failing_disk),
        cmocka_unit_test(descriptors),
        cmocka_unit_test(backgrounds),
        cmocka_unit_test(sheets),
        cmocka_unit_test(sheets_with_captions),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
