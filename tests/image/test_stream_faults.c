/* Streams when things go wrong: a full disk, a reader that has gone, damaged files, ends that come
 * early; nothing may hang, stay on the disk, or leave a thread or descriptor behind. And memory that
 * does not grow with the height. */
#include "pictures.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

enum { W = 200, H = 300, ROOM = W * H * 4 };

static float noise[ROOM];
static const struct gx_stream_shape shape = {W, H, 3, 0, 1};
static const char *const formats[] = {"png", "jpg", "webp", "tiff", "gif", "ppm"};
enum { FORMATS = sizeof formats / sizeof *formats };

static int begin(void **state)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    uint32_t bits = 1; /* nothing that can be compressed */
    for (int i = 0; i < ROOM; i++)
        noise[i] = (float)((bits = bits * 1664525u + 1013904223u) >> 8) / (1 << 24);
    return setup(state);
}

static size_t files_in_folder(void)
{
    struct gx_names list;
    assert_int_equal(gx_folder_list(folder, &list, NULL), 0);
    size_t count = list.count;
    gx_names_free(&list);
    return count;
}

static int count_entries(const char *path)
{
    struct gx_names list;
    assert_int_equal(gx_folder_list(path, &list, NULL), 0);
    int count = (int)list.count;
    gx_names_free(&list);
    return count;
}

/* Writes bands until that fails, commits if it did not; whatever the result, the stream is gone. */
static int write_all(struct gx_stream_out *out, struct gx_err *err)
{
    int result = 0;
    for (int y = 0; y < H && !result; y += 10)
        result = gx_stream_write(out, 10, noise + (size_t)y * W * 3, err);
    if (!result)
        return gx_stream_commit(&out, err);
    assert_int_equal(gx_stream_write(out, 0, noise, NULL), result); /* stays so */
    gx_stream_abandon(&out);
    return result;
}

static void full_disk(void **state)
{
    (void)state;
    struct gx_write_options options = gx_write_defaults;
    struct gx_stream_out *out;
    for (int f = 0; f < FORMATS; f++) {
        struct gx_err err = {""};
        bool closed = true;
        int fd = open("/dev/full", O_WRONLY);
        options.format = formats[f];
        assert_int_equal(gx_stream_begin_fd(&out, &shape, NULL, &options, fd, "-", &closed, &err),
                         0);
        assert_int_equal(write_all(out, &err), -GX_E_IO);
        assert_non_null(strstr(err.text, "no space left"));
        assert_false(closed);
        assert_int_equal(close(fd), 0);
    }
}

static void file_too_large(void **state)
{
    (void)state;
    struct gx_write_options options = gx_write_defaults;
    struct gx_stream_out *out;
    save_bytes("old", 3, "out");
    size_t count = files_in_folder();
    struct rlimit all, small;
    getrlimit(RLIMIT_FSIZE, &all);
    static const rlim_t limits[] = {0, 1, 400, 5000, 15000};
    for (int i = 0; i < FORMATS * 5; i++) {
        struct gx_err err = {""};
        small = (struct rlimit){limits[i % 5], all.rlim_max};
        options.format = formats[i / 5];
        setrlimit(RLIMIT_FSIZE, &small);
        int result = gx_stream_begin(&out, &shape, NULL, &options, in_folder("out"), &err);
        assert_int_equal(result, 0);
        result = write_all(out, &err);
        setrlimit(RLIMIT_FSIZE, &all);
        if (result != -GX_E_IO)
            fail_msg("%s at %d: %d", formats[i / 5], (int)limits[i % 5], result);
        assert_non_null(strstr(err.text, "out"));
        assert_int_equal(files_in_folder(), count);
    }
    char *data;
    size_t size;
    assert_int_equal(gx_file_read(in_folder("out"), 100, &data, &size, NULL), 0);
    assert_int_equal(size, 3);
    free(data);
    struct gx_err err;
    assert_int_equal(gx_stream_begin(&out, &shape, NULL, NULL, "/nowhere/at/all.png", &err),
                     -GX_E_IO);
    assert_string_equal(err.text, "cannot write '/nowhere/at/all.png': no such file or directory");
    assert_null(out);
}

static void *read_a_little(void *of)
{
    char bytes[1000];
    int fd = *(int *)of;
    ssize_t got = read(fd, bytes, sizeof bytes);
    (void)got;
    close(fd);
    return NULL;
}

static void reader_goes(void **state)
{
    (void)state;
    struct gx_write_options options = gx_write_defaults;
    struct gx_stream_out *out;
    for (int f = 0; f < FORMATS; f++)
        for (int some = 0; some < 2; some++) {
            struct gx_err err = {""};
            bool closed = false;
            int ends[2];
            pthread_t reader;
            options.format = formats[f];
            options.bits = 16;
            assert_int_equal(pipe(ends), 0);
            assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
            if (some)
                pthread_create(&reader, NULL, read_a_little, &ends[0]);
            else
                close(ends[0]);
            assert_int_equal(
                gx_stream_begin_fd(&out, &shape, NULL, &options, ends[1], "-", &closed, &err), 0);
            assert_int_equal(write_all(out, &err), -GX_E_IO);
            assert_true(closed);
            if (some)
                pthread_join(reader, NULL);
            close(ends[1]);
        }
}

static void to_a_descriptor(void **state)
{
    (void)state;
    struct gx_write_options options = gx_write_defaults;
    struct gx_stream_out *out;
    static float back[ROOM];
    for (int f = 0; f < FORMATS; f++) {
        struct gx_err err = {""};
        int fd = open(in_folder("fd"), O_CREAT | O_TRUNC | O_WRONLY, 0600);
        options.format = formats[f];
        assert_int_equal(gx_stream_begin_fd(&out, &shape, NULL, &options, fd, "-", NULL, &err), 0);
        assert_int_equal(write_all(out, &err), 0);
        close(fd);
        assert_string_equal(read_floats(in_folder("fd"), 3, 0, 1, back).format, formats[f]);
        bool lossless = f == 0 || f == 3 || f == 5;
        for (int i = 0; i < W * H * 3 && lossless; i++)
            assert_true(fabsf(back[i] - noise[i]) < 0.51f / 255);
    }
}

/* Abandoned, or committed too early, at any time: again and again, nothing remains. */
static void ends_early(void **state)
{
    (void)state;
    struct gx_write_options options = gx_write_defaults;
    struct gx_stream_out *out;
    struct gx_err err;
    int descriptors = 0, threads = 0;
    size_t count = files_in_folder();
    for (int round = 0; round < 12; round++) {
        for (int f = 0; f < FORMATS; f++) {
            struct gx_stream_shape scaled = shape;
            scaled.to_width = round % 2 ? W / 2 : 0;
            options.format = formats[f];
            assert_int_equal(
                gx_stream_begin(&out, &scaled, NULL, &options, in_folder("early"), &err), 0);
            int rows = round % 4 * H / 3;
            assert_int_equal(gx_stream_write(out, rows, noise, &err), 0);
            if (round % 3 || rows == H)
                gx_stream_abandon(&out);
            else
                assert_int_equal(gx_stream_commit(&out, &err), -GX_E_USAGE);
            assert_null(out);
            assert_int_equal(files_in_folder(), count);
        }
        if (round == 3) { /* libvips keeps some threads for later */
            descriptors = count_entries("/proc/self/fd");
            threads = count_entries("/proc/self/task");
        }
    }
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
    assert_true(count_entries("/proc/self/task") <= threads + 2);
    gx_stream_abandon(&out); /* NULL */
}

static void reading_ends_early(void **state)
{
    (void)state;
    static float back[W * 20 * 3];
    VipsImage *image = make_image(W, H, 3);
    save_image(image, "in.png");
    int descriptors = count_entries("/proc/self/fd");
    for (int round = 0; round < 40; round++) {
        struct gx_picture *picture;
        struct gx_stream_in *in;
        struct gx_err err;
        assert_int_equal(gx_picture_open(&picture, in_folder("in.png"), NULL, &err), 0);
        assert_int_equal(gx_stream_open(&in, picture, 3, 0, 1, &err), 0);
        assert_int_equal(gx_stream_read(in, round % 20, back, &err), 0);
        gx_stream_close(&in);
        gx_picture_free(&picture);
    }
    assert_int_equal(count_entries("/proc/self/fd"), descriptors);
}

/* ---- damaged files ---- */

/* Rows that came before something went wrong. */
static int rows_until(const char *path, const struct gx_open_options *options, int *result,
                      struct gx_err *err)
{
    static float row[W * 4];
    struct gx_picture *picture;
    struct gx_stream_in *in = NULL;
    int rows = 0;
    *result = gx_picture_open(&picture, path, options, err);
    if (!*result)
        *result = gx_stream_open(&in, picture, 3, 0, 1, err);
    while (!*result && rows < H) {
        *result = gx_stream_read(in, 1, row, err);
        rows += !*result;
    }
    if (*result && in)
        assert_int_equal(gx_stream_read(in, 1, row, NULL), *result); /* stays so */
    gx_stream_close(&in);
    gx_picture_free(&picture);
    return rows;
}

static void damaged(void **state)
{
    (void)state;
    static const char *const names[] = {"a.png",  "a.jpg", "a.tif",           "a.gif",
                                        "a.webp", "a.ppm", "i.png[interlace]"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (int part = 1; part < 10; part += 4) {
            const struct gx_open_options lenient = {.allow_truncated = true};
            struct gx_err err = {""};
            int result;
            const char *path =
                cut_file(save_image(make_image(W, H, 3), names[n]), part / 10.0, "cut");
            int rows = rows_until(path, NULL, &result, &err);
            if (result != -GX_E_FORMAT || rows >= H || !strstr(err.text, path))
                fail_msg("%s, %d: %d after %d rows: %s", names[n], part, result, rows, err.text);
            rows = rows_until(path, &lenient, &result, &err);
            if (n < 2 && part > 1)
                assert_int_equal(rows, H);
        }
}

static void wrong_use(void **state)
{
    (void)state;
    struct gx_picture *picture;
    struct gx_stream_in *in;
    struct gx_stream_out *out;
    struct gx_err err;
    save_image(make_image(W, H, 3), "in.png");
    assert_int_equal(gx_picture_open(&picture, in_folder("in.png"), NULL, &err), 0);
    assert_int_equal(gx_stream_open(&in, picture, 5, 0, 1, &err), -GX_E_USAGE);
    assert_null(in);
    gx_picture_free(&picture);
    struct gx_stream_shape bad = shape;
    bad.channels = 0;
    assert_int_equal(gx_stream_begin(&out, &bad, NULL, NULL, in_folder("x.png"), &err),
                     -GX_E_USAGE);
    bad = shape;
    bad.height = 0;
    assert_int_equal(gx_stream_begin(&out, &bad, NULL, NULL, in_folder("x.png"), &err),
                     -GX_E_USAGE);
    bad = shape;
    bad.to_width = 17000;
    assert_int_equal(gx_stream_begin(&out, &bad, NULL, NULL, in_folder("x.webp"), &err),
                     -GX_E_LIMIT);
    bad = shape;
    bad.frames = 1 << 20;
    assert_int_equal(gx_stream_begin(&out, &bad, NULL, NULL, in_folder("x.gif"), &err),
                     -GX_E_LIMIT);
    assert_int_equal(gx_stream_begin(&out, &shape, NULL, NULL, in_folder("x.png"), &err), 0);
    assert_int_equal(gx_stream_write(out, H + 1, noise, &err), -GX_E_USAGE);
    gx_stream_abandon(&out);
}

/* ---- memory ---- */

static long most_memory(void) /* KiB */
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* Writes, reads and scales a picture of W x height. */
static void pass_through(int height)
{
    struct gx_stream_shape tall = {W, height, 1, 0, 1};
    struct gx_picture *picture;
    struct gx_stream_in *in;
    struct gx_stream_out *out;
    struct gx_err err;
    static float rows[W * 100];
    assert_int_equal(gx_stream_begin(&out, &tall, NULL, NULL, in_folder("tall.png"), &err), 0);
    for (int y = 0; y < height; y += 100)
        assert_int_equal(gx_stream_write(out, 100, noise, &err), 0);
    assert_int_equal(gx_stream_commit(&out, &err), 0);
    tall.to_width = W / 3;
    tall.to_height = height / 3;
    assert_int_equal(gx_picture_open(&picture, in_folder("tall.png"), NULL, &err), 0);
    assert_int_equal(gx_stream_open(&in, picture, 1, 0, 1, &err), 0);
    assert_int_equal(gx_stream_begin(&out, &tall, picture, NULL, in_folder("small.jpg"), &err), 0);
    for (int y = 0; y < height; y += 100) {
        assert_int_equal(gx_stream_read(in, 100, rows, &err), 0);
        assert_int_equal(gx_stream_write(out, 100, rows, &err), 0);
    }
    assert_int_equal(gx_stream_commit(&out, &err), 0);
    gx_stream_close(&in);
    gx_picture_free(&picture);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    pass_through(20000); /* queues that are full */
    long before = most_memory();
    pass_through(150000); /* 30 million pixels, as floats 120 MB */
    long grown = most_memory() - before;
#ifndef __SANITIZE_ADDRESS__ /* keeps what was freed for a while */
    if (grown > 16 << 10)
        fail_msg("%ld KiB more", grown);
#else
    (void)grown;
#endif
}

/* A picture on its side that is too large to be turned in memory. */
static void turned_in_a_file(void **state)
{
    (void)state;
    enum { WIDE = 1100, HIGH = 8000, PIXEL = 4 };
    uint16_t *data = malloc((size_t)WIDE * HIGH * PIXEL * sizeof *data);
    float *back = malloc((size_t)HIGH * 50 * PIXEL * sizeof *back);
    assert_true(data && back);
    for (size_t i = 0; i < (size_t)WIDE * HIGH; i++) {
        uint16_t pixel[PIXEL] = {(uint16_t)(i % WIDE), (uint16_t)(i / WIDE), 7, 65535};
        memcpy(data + i * PIXEL, pixel, sizeof pixel);
    }
    VipsImage *image = vips_image_new_from_memory(data, (size_t)WIDE * HIGH * sizeof(uint16_t[4]),
                                                  WIDE, HIGH, PIXEL, VIPS_FORMAT_USHORT);
    image->Type = VIPS_INTERPRETATION_RGB16;
    vips_image_set_int(image, VIPS_META_ORIENTATION, 6); /* to be turned clockwise */
    save_image(image, "side.tif");
    int descriptors = count_entries("/proc/self/fd");
    struct gx_picture *picture;
    struct gx_stream_in *in;
    struct gx_err err;
    assert_int_equal(gx_picture_open(&picture, in_folder("side.tif"), NULL, &err), 0);
    assert_int_equal(gx_picture_facts(picture)->width, HIGH);
    assert_int_equal(gx_stream_open(&in, picture, 4, 0, 65535, &err), 0);
    for (int y = 0; y < WIDE; y += 50) {
        assert_int_equal(gx_stream_read(in, 50, back, &err), 0);
        for (int i = 0; i < HIGH * 50; i += 13) {
            assert_true(fabsf(back[(size_t)i * 4] - (float)(y + i / HIGH)) < 0.1f);
            assert_true(fabsf(back[(size_t)i * 4 + 1] - (float)(HIGH - 1 - i % HIGH)) < 0.1f);
        }
    }
    gx_stream_close(&in);
    gx_picture_free(&picture);
    assert_true(count_entries("/proc/self/fd") <= descriptors);
    setenv("TMPDIR", "/nowhere", 1);
    assert_int_equal(gx_picture_open(&picture, in_folder("side.tif"), NULL, &err), 0);
    assert_int_equal(gx_stream_open(&in, picture, 4, 0, 65535, &err), -GX_E_IO);
    assert_non_null(strstr(err.text, "/nowhere"));
    unsetenv("TMPDIR");
    gx_picture_free(&picture);
    free(data);
    free(back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_disk),         cmocka_unit_test(file_too_large),
        cmocka_unit_test(reader_goes),       cmocka_unit_test(to_a_descriptor),
        cmocka_unit_test(ends_early),        cmocka_unit_test(reading_ends_early),
        cmocka_unit_test(damaged),           cmocka_unit_test(wrong_use),
        cmocka_unit_test(memory_is_bounded), cmocka_unit_test(turned_in_a_file),
    };
    return cmocka_run_group_tests(tests, begin, teardown);
}
