/* Readers side by side: each failure has its own reason, whoever else fails or reads well. */
#include "pictures.h"

#include <pthread.h>

enum { ROUNDS = 200, SIDE = 24, READERS = 4 };

struct reader {
    char path[256];
    const char *reason; /* NULL: it reads well */
    int wrong;
    char text[512]; /* the first that is wrong */
};

static void *read_often(void *arg)
{
    struct reader *r = arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct gx_err err;
        int result = read_error(r->path, NULL, &err);
        bool right = r->reason ? result == -GX_E_FORMAT && strstr(err.text, r->path) &&
                                     strstr(err.text, r->reason)
                               : result == 0;
        if (!right && !r->wrong++)
            snprintf(r->text, sizeof r->text, "%s", err.text);
    }
    vips_thread_shutdown();
    return NULL;
}

static void reasons_stay_apart(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double share;
        const char *reason;
    } files[READERS] = {{"a.png", 0.6, "png read error)"},
                        {"b.jpg", 0.6, ": truncated (VipsJpeg: "},
                        {"c.ppm", 0.6, "too small"},
                        {"d.png", 1, NULL}};
    struct reader readers[READERS] = {{{0}}};
    pthread_t threads[READERS];
    for (int i = 0; i < READERS; i++) {
        const char *whole = save_image(make_image(SIDE, SIDE, 3), files[i].name);
        readers[i].reason = files[i].reason;
        snprintf(readers[i].path, sizeof readers[i].path, "%s",
                 cut_file(whole, files[i].share, files[i].name));
    }
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_often, &readers[i]), 0);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < READERS; i++)
        if (readers[i].wrong)
            fail_msg("%s: %d of %d wrong: %s", files[i].name, readers[i].wrong, ROUNDS,
                     readers[i].text);
}

/* A second attempt sees the file as it is then, and nobody a picture of another size. */
static void written_to_after_opening(void **state)
{
    (void)state;
    static float to[SIDE * SIDE * 3];
    struct gx_picture *picture;
    struct gx_err err = {""};
    const char *path = save_image(make_image(SIDE, SIDE, 3), "now.png");
    const char *larger = save_image(make_image(2 * SIDE, 2 * SIDE, 3), "then.png");
    assert_int_equal(gx_picture_open(&picture, path, NULL, &err), 0);
    cut_file(larger, 1, "now.png");
    for (int i = 0; i < 2; i++) { /* and it stays */
        assert_int_equal(gx_picture_read(picture, 3, 0, 1, to, &err), -GX_E_FORMAT);
        assert_non_null(strstr(err.text, "now.png': damaged or truncated (ganx: it has changed"));
    }
    gx_picture_free(&picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons_stay_apart),
        cmocka_unit_test(written_to_after_opening),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
