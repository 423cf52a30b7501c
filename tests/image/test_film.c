/* Films: y4m and PNG streams in and out, in every kind; headers that lie, streams that break off. */
#include "image/film.h"
#include "pictures.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <unistd.h>

enum { ROOM = 1 << 16 };

static float pixels[ROOM], back[ROOM];

/* A descriptor that gives these bytes and ends. */
static int giving(const void *data, size_t size)
{
    const char *path = save_bytes(data, size, "given");
    return open(path, O_RDONLY);
}

static struct gx_film_in *open_bytes(const void *data, size_t size)
{
    struct gx_film_in *film;
    struct gx_picture *picture;
    struct gx_err err = {""};
    if (gx_film_open(&film, &picture, giving(data, size), "-", NULL, &err))
        fail_msg("%s", err.text);
    assert_null(picture);
    return film;
}

/* Bytes of a film with `count` frames. */
static char *film_bytes(const struct gx_film_facts *facts, int count, size_t *size)
{
    struct gx_film_out *out;
    struct gx_err err = {""};
    char *data;
    int fd = open(in_folder("film"), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    if (gx_film_begin(&out, facts, fd, "film", &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < count; i++)
        if (gx_film_write(out, pixels, NULL, &err))
            fail_msg("%s", err.text);
    gx_film_end(&out);
    close(fd);
    assert_int_equal(gx_file_read(in_folder("film"), 1 << 24, &data, size, NULL), 0);
    return data;
}

static void slope(int w, int h, int channels)
{
    for (int i = 0; i < w * h; i++)
        for (int k = 0; k < channels; k++) {
            float across = ((float)(i % w) + 0.5f) / (float)w;
            float down = ((float)(i / w) + 0.5f) / (float)h;
            pixels[i * channels + k] = k == 0   ? across
                                       : k == 1 ? down
                                       : k == 2 ? 1 - across
                                                : 0.5f * (down + across);
        }
}

/* ---- y4m ---- */

/* A slope comes back, but for rounding, and for steps of it at the edges where chroma is shared. */
static void round_trips(void **state)
{
    (void)state;
    static const int sizes[][2] = {{1, 1}, {1, 9}, {9, 1}, {64, 48}, {63, 47}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int chroma = GX_CHROMA_420JPEG; chroma <= GX_CHROMA_MONO; chroma++)
            for (int bits = 8; bits <= 16; bits += 2)
                for (int full = 0; full < 2; full++) {
                    bool narrow = chroma == GX_CHROMA_420JPEG || chroma == GX_CHROMA_420PALDV;
                    if (bits > 8 && narrow)
                        continue; /* deep 420 is on the left */
                    int w = sizes[s][0], h = sizes[s][1];
                    struct gx_film_facts facts = {.format = "y4m",
                                                  .width = w,
                                                  .height = h,
                                                  .channels = 3,
                                                  .bits = bits,
                                                  .chroma = (enum gx_chroma)chroma,
                                                  .full = full,
                                                  .interlacing = 'p',
                                                  .rate = {30000, 1001},
                                                  .aspect = {8, 9}};
                    slope(w, h, 3);
                    size_t size;
                    char *data = film_bytes(&facts, 2, &size);
                    struct gx_film_in *film = open_bytes(data, size);
                    assert_memory_equal(gx_film_facts(film)->rate, facts.rate, sizeof facts.rate);
                    assert_memory_equal(gx_film_facts(film)->aspect, facts.aspect,
                                        sizeof facts.aspect);
                    assert_int_equal(gx_film_facts(film)->chroma, chroma);
                    assert_int_equal(gx_film_facts(film)->bits, bits);
                    assert_int_equal(gx_film_facts(film)->full, full);
                    assert_int_equal(gx_film_facts(film)->interlacing, 'p');
                    bool more;
                    for (int frame = 0; frame < 2; frame++) {
                        assert_int_equal(gx_film_read(film, back, &more, NULL), 0);
                        assert_true(more);
                        float rounding = 2.2f / (float)(1 << bits);
                        float shared = chroma < GX_CHROMA_444 ? 2.0f / (float)(w < h ? w : h) : 0;
                        for (int i = 0; i < w * h * 3; i++) {
                            const float *from = pixels + i / 3 * 3;
                            float wanted =
                                chroma == GX_CHROMA_MONO
                                    ? 0.299f * from[0] + 0.587f * from[1] + 0.114f * from[2]
                                    : pixels[i];
                            int x = i / 3 % w, y = i / 3 / w;
                            bool inner = x > 1 && x < w - 2 && y > 1 && y < h - 2;
                            if (!(fabsf(back[i] - wanted) <= rounding + (inner ? 0 : shared)))
                                fail_msg("%dx%d chroma %d bits %d full %d: %g is not %g at %d", w,
                                         h, chroma, bits, full, back[i], wanted, i);
                        }
                    }
                    assert_int_equal(gx_film_read(film, back, &more, NULL), 0);
                    assert_false(more);
                    gx_film_close(&film);
                    free(data);
                }
}

/* Colours whose bytes others have computed: ffmpeg, the standards' colour bars. */
static void known_colours(void **state)
{
    (void)state;
    static const struct {
        int matrix;
        bool full;
        unsigned char yuv[3];
        float rgb[3];
    } rows[] = {
        {601, false, {16, 128, 128}, {0, 0, 0}}, {601, false, {235, 128, 128}, {1, 1, 1}},
        {601, false, {81, 90, 240}, {1, 0, 0}},  {601, false, {145, 54, 34}, {0, 1, 0}},
        {601, false, {41, 240, 110}, {0, 0, 1}}, {709, false, {63, 102, 240}, {1, 0, 0}},
        {709, false, {173, 42, 26}, {0, 1, 0}},  {709, false, {32, 240, 118}, {0, 0, 1}},
        {601, true, {76, 85, 255}, {1, 0, 0}},   {601, true, {255, 128, 128}, {1, 1, 1}},
        {601, false, {1, 128, 128}, {0, 0, 0}},  {601, false, {255, 128, 128}, {1, 1, 1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gx_film_facts facts = {.format = "y4m",
                                      .width = 1,
                                      .height = 1,
                                      .channels = 3,
                                      .bits = 8,
                                      .chroma = GX_CHROMA_444,
                                      .full = rows[i].full,
                                      .matrix = rows[i].matrix};
        float rgb[3], scratch[2];
        unsigned char yuv[3];
        gx_yuv_to_rgb(&facts, rows[i].yuv, scratch, rgb);
        for (int k = 0; k < 3; k++)
            assert_true(fabsf(rgb[k] - rows[i].rgb[k]) < 0.012f);
        if (i >= 10)
            continue; /* out of range */
        gx_rgb_to_yuv(&facts, rows[i].rgb, yuv);
        for (int k = 0; k < 3; k++)
            assert_true(abs(yuv[k] - rows[i].yuv[k]) <= 1);
    }
    struct gx_film_facts facts = {
        .width = 640, .height = 576, .channels = 3, .bits = 8, .chroma = GX_CHROMA_444};
    const float red[3] = {1, 0, 0};
    unsigned char *planes = malloc(1300 * 600 * 3);
    float *rgb = calloc(1300 * 600 * 3, sizeof *rgb);
    memcpy(rgb, red, sizeof red);
    gx_rgb_to_yuv(&facts, rgb, planes);
    assert_int_equal(planes[0], 81); /* standard definition: BT.601 */
    facts.width = 1280;
    gx_rgb_to_yuv(&facts, rgb, planes);
    assert_int_equal(planes[0], 63);
    free(planes);
    free(rgb);
}

/* Where a chroma sample stands: a step of colour spreads about it as its siting says. */
static void sitings(void **state)
{
    (void)state;
    static const struct {
        enum gx_chroma chroma;
        float blue[4]; /* U, of four pixels in a row, samples 0 and 1 */
    } rows[] = {{GX_CHROMA_420JPEG, {0, 0.25f, 0.75f, 1}},
                {GX_CHROMA_420MPEG2, {0, 0.5f, 1, 1}},
                {GX_CHROMA_422, {0, 0.5f, 1, 1}},
                {GX_CHROMA_444, {0, 0, 0, 0}}};
    for (int i = 0; i < 3; i++) {
        struct gx_film_facts facts = {.width = 4,
                                      .height = 1,
                                      .channels = 3,
                                      .bits = 8,
                                      .full = true,
                                      .chroma = rows[i].chroma};
        const unsigned char planes[8] = {128, 128, 128, 128, 128, 168, 128, 128};
        float rgb[12], scratch[8];
        gx_yuv_to_rgb(&facts, planes, scratch, rgb);
        for (int x = 0; x < 4; x++)
            assert_true(fabsf((rgb[x * 3 + 2] - rgb[x * 3]) - rows[i].blue[x] * 40 / 255 * 1.772f) <
                        1e-5f);
    }
}

/* As ffmpeg heads its frames; what it gives comes back as it is read. */
static void heads(void **state)
{
    (void)state;
    static const struct {
        const char *head;
        enum gx_chroma chroma;
        int bits, bytes;
    } rows[] = {
        {"YUV4MPEG2 W3 H2 F25:1 Ip A1:1 C420jpeg XYSCSS=420JPEG XCOLORRANGE=FULL\n",
         GX_CHROMA_420JPEG, 8, 10},
        {"YUV4MPEG2 W3 H2\n", GX_CHROMA_420JPEG, 8, 10},
        {"YUV4MPEG2 W3 H2 C420\n", GX_CHROMA_420JPEG, 8, 10},
        {"YUV4MPEG2 H2 W3 C420mpeg2 F0:0\n", GX_CHROMA_420MPEG2, 8, 10},
        {"YUV4MPEG2 W3 H2 C420paldv It\n", GX_CHROMA_420PALDV, 8, 10},
        {"YUV4MPEG2 W3 H2 C422 A0:0\n", GX_CHROMA_422, 8, 14},
        {"YUV4MPEG2 W3 H2 C444\n", GX_CHROMA_444, 8, 18},
        {"YUV4MPEG2 W3 H2 Cmono\n", GX_CHROMA_MONO, 8, 6},
        {"YUV4MPEG2 W3 H2 C420p10 XYSCSS=420P10\n", GX_CHROMA_420MPEG2, 10, 20},
        {"YUV4MPEG2 W3 H2 C422p10\n", GX_CHROMA_422, 10, 28},
        {"YUV4MPEG2 W3 H2 C444p12\n", GX_CHROMA_444, 12, 36},
        {"YUV4MPEG2 W3 H2 Cmono16\n", GX_CHROMA_MONO, 16, 12},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char data[256];
        size_t size = strlen(strcpy(data, rows[i].head));
        for (int frame = 0; frame < 2; frame++) {
            size += strlen(strcpy(data + size, frame ? "FRAME Ip\n" : "FRAME\n"));
            memset(data + size, frame ? 0x60 : 0, (size_t)rows[i].bytes);
            size += (size_t)rows[i].bytes;
        }
        struct gx_film_in *film = open_bytes(data, size);
        const struct gx_film_facts *facts = gx_film_facts(film);
        bool more;
        assert_int_equal(facts->width, 3);
        assert_int_equal(facts->height, 2);
        assert_int_equal(facts->chroma, rows[i].chroma);
        assert_int_equal(facts->bits, rows[i].bits);
        assert_int_equal(facts->full, i == 0);
        for (int frame = 0; frame < 3; frame++) {
            assert_int_equal(gx_film_read(film, back, &more, NULL), 0);
            assert_int_equal(more, frame < 2);
        }
        gx_film_close(&film);
    }
}

static void hostile_heads(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "YUV4MPEG2 W0 H2\n",
        "YUV4MPEG2 W3\n",
        "YUV4MPEG2 \n",
        "YUV4MPEG2 W-3 H2\n",
        "YUV4MPEG2 W3x H2\n",
        "YUV4MPEG2 W3 H2 C411\n",
        "YUV4MPEG2 W3 H2 C420p8\n",
        "YUV4MPEG2 W3 H2 C420p17\n",
        "YUV4MPEG2 W3 H2 C444alpha\n",
        "YUV4MPEG2 W3 H2 C\n",
        "YUV4MPEG2 W3 H2 F25\n",
        "YUV4MPEG2 W3 H2 F25:x\n",
        "YUV4MPEG2 W3 H2 F99999999999:1\n",
        "YUV4MPEG2 W3 H2 A:\n",
        "YUV4MPEG2 W3 H2 I\n",
        "YUV4MPEG2 W3 H2",
        "YUV4MPEG2 W99999999999999999999 H2\n",
    };
    struct gx_film_in *film;
    struct gx_picture *picture;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct gx_err err = {""};
        int fd = giving(heads[i], strlen(heads[i]));
        if (gx_film_open(&film, &picture, fd, "the name", NULL, &err) != -GX_E_FORMAT)
            fail_msg("%s", heads[i]);
        assert_null(film);
        assert_null(picture);
        assert_non_null(strstr(err.text, "the name"));
        close(fd);
    }
    static const char *const large[] = {"YUV4MPEG2 W60000 H60000\n", "YUV4MPEG2 W1 H2000000\n",
                                        "YUV4MPEG2 W2147483647 H2147483647\n"};
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        struct gx_err err = {""};
        int fd = giving(large[i], strlen(large[i]));
        assert_int_equal(gx_film_open(&film, &picture, fd, "-", NULL, &err), -GX_E_LIMIT);
        close(fd);
    }
    char *endless = malloc(1 << 20); /* no end of the line */
    memset(endless, 'X', 1 << 20);
    memcpy(endless, "YUV4MPEG2 W3 H2 ", 16);
    int fd = giving(endless, 1 << 20);
    assert_int_equal(gx_film_open(&film, &picture, fd, "-", NULL, NULL), -GX_E_FORMAT);
    close(fd);
    free(endless);
}

/* ---- PNG streams ---- */

static void png_streams(void **state)
{
    (void)state;
    for (int channels = 3; channels <= 4; channels++)
        for (int bits = 8; bits <= 16; bits += 8) {
            struct gx_film_facts facts = {
                .format = "png", .width = 31, .height = 17, .channels = channels, .bits = bits};
            size_t size;
            bool more;
            slope(31, 17, channels);
            char *data = film_bytes(&facts, 3, &size);
            struct gx_film_in *film = open_bytes(data, size);
            assert_string_equal(gx_film_facts(film)->format, "png");
            assert_int_equal(gx_film_facts(film)->width, 31);
            assert_int_equal(gx_film_facts(film)->height, 17);
            assert_int_equal(gx_film_facts(film)->channels, channels);
            assert_int_equal(gx_film_facts(film)->bits, bits);
            for (int frame = 0; frame < 4; frame++) {
                assert_int_equal(gx_film_read(film, back, &more, NULL), 0);
                assert_int_equal(more, frame < 3);
                for (int i = 0; i < 31 * 17 * channels; i++)
                    assert_true(fabsf(back[i] - pixels[i]) <= 0.51f / (float)((1 << bits) - 1));
            }
            gx_film_close(&film);
            free(data);
        }
}

/* One picture is no film, whatever lies behind it; nor is what is no picture at all. */
static void single_pictures(void **state)
{
    (void)state;
    static const char *const names[] = {"s.png", "s.jpg", "s.gif", "s.tif"};
    struct gx_film_in *film;
    struct gx_picture *picture;
    struct gx_err err = {""};
    for (int i = 0; i < 5; i++) {
        const char *path = save_image(make_image(9, 7, 3), names[i % 4]);
        if (i == 4) {
            FILE *file = fopen(path, "ab");
            assert_non_null(file);
            fputs("something behind it", file);
            fclose(file);
        }
        int fd = open(path, O_RDONLY);
        if (gx_film_open(&film, &picture, fd, path, NULL, &err))
            fail_msg("%s", err.text);
        close(fd);
        assert_null(film);
        assert_int_equal(gx_picture_facts(picture)->width, 9);
        assert_int_equal(gx_picture_read(picture, 3, 0, 1, back, &err), 0);
        gx_picture_free(&picture);
    }
    const char *cut = cut_file(save_image(make_image(40, 40, 3), "w.png"), 0.5, "cut.png");
    int fd = open(cut, O_RDONLY);
    assert_int_equal(gx_film_open(&film, &picture, fd, cut, NULL, &err), 0); /* told by reading */
    assert_int_equal(gx_picture_read(picture, 3, 0, 1, back, &err), -GX_E_FORMAT);
    gx_picture_free(&picture);
    close(fd);
    static const char *const others[] = {"", "hello", "YUV4MPEG1 W3 H2\n"};
    for (int i = 0; i < 3; i++) {
        fd = giving(others[i], strlen(others[i]));
        assert_int_equal(gx_film_open(&film, &picture, fd, "-", NULL, &err), -GX_E_FORMAT);
        assert_null(film);
        assert_null(picture);
        close(fd);
    }
}

/* ---- streams that break off ---- */

static void broken_off(void **state)
{
    (void)state;
    for (int png = 0; png < 2; png++) {
        struct gx_film_facts facts = {
            .format = png ? "png" : "y4m", .width = 31, .height = 17, .channels = 3, .bits = 8};
        size_t size, whole;
        slope(31, 17, 3);
        char *data = film_bytes(&facts, 2, &whole);
        free(data);
        data = film_bytes(&facts, 3, &size);
        size_t cuts[] = {whole + 1, whole + 5, whole + 20, (whole + size) / 2, size - 1};
        for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
            struct gx_film_in *film = open_bytes(data, cuts[c]);
            struct gx_err err = {""};
            bool more;
            for (int frame = 0; frame < 2; frame++) {
                assert_int_equal(gx_film_read(film, back, &more, &err), 0);
                assert_true(more);
            }
            assert_int_equal(gx_film_read(film, back, &more, &err), -GX_E_FORMAT);
            assert_false(more);
            assert_non_null(strstr(err.text, "truncated"));
            assert_non_null(strstr(err.text, "frame 3"));
            gx_film_close(&film);
        }
        memset(data + whole, 'x', size - whole);
        struct gx_film_in *film = open_bytes(data, size);
        struct gx_err err = {""};
        bool more;
        assert_int_equal(gx_film_read(film, back, &more, &err), 0);
        assert_int_equal(gx_film_read(film, back, &more, &err), 0);
        assert_int_equal(gx_film_read(film, back, &more, &err), -GX_E_FORMAT);
        assert_non_null(strstr(err.text, "damaged"));
        gx_film_close(&film);
        free(data);
    }
}

static void other_sizes(void **state)
{
    (void)state;
    size_t one, two;
    struct gx_film_facts facts = {
        .format = "png", .width = 31, .height = 17, .channels = 3, .bits = 8};
    slope(31, 17, 3);
    char *first = film_bytes(&facts, 1, &one);
    facts.width = 30;
    char *second = film_bytes(&facts, 1, &two);
    char *both = malloc(one + two);
    memcpy(both, first, one);
    memcpy(both + one, second, two);
    struct gx_film_in *film = open_bytes(both, one + two);
    struct gx_err err = {""};
    bool more;
    assert_int_equal(gx_film_read(film, back, &more, &err), 0);
    assert_int_equal(gx_film_read(film, back, &more, &err), -GX_E_FORMAT);
    assert_non_null(strstr(err.text, "frame 2"));
    gx_film_close(&film);
    free(first);
    free(second);
    free(both);
}

static void nobody_reads(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    for (int png = 0; png < 2; png++) {
        struct gx_film_facts facts = {
            .format = png ? "png" : "y4m", .width = 31, .height = 17, .channels = 3, .bits = 8};
        struct gx_film_out *out;
        struct gx_err err = {""};
        bool closed = false;
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        close(ends[0]);
        assert_int_equal(gx_film_begin(&out, &facts, ends[1], "-", &err), 0);
        assert_int_equal(gx_film_write(out, pixels, &closed, &err), -GX_E_IO);
        assert_true(closed);
        gx_film_end(&out);
        close(ends[1]);
        int full = open("/dev/full", O_WRONLY);
        assert_int_equal(gx_film_begin(&out, &facts, full, "-", &err), 0);
        assert_int_equal(gx_film_write(out, pixels, &closed, &err), -GX_E_IO);
        assert_false(closed);
        gx_film_end(&out);
        close(full);
        facts.width = 0;
        assert_int_equal(gx_film_begin(&out, &facts, 1, "-", &err), -GX_E_USAGE);
        assert_null(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),     cmocka_unit_test(known_colours),
        cmocka_unit_test(sitings),         cmocka_unit_test(heads),
        cmocka_unit_test(hostile_heads),   cmocka_unit_test(png_streams),
        cmocka_unit_test(single_pictures), cmocka_unit_test(broken_off),
        cmocka_unit_test(other_sizes),     cmocka_unit_test(nobody_reads),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
