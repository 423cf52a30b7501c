#include "tiny.h"

#include "../scratch.h"
#include "ganx/image.h"
#include "util/file.h"

#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

#define TINY_WORDS                                                                                 \
    "--quiet data.workers=1 threads=1 data.load_size=18 data.crop_size=16 net.ngf=4 net.ndf=4 "    \
    "train.seed=5 "

static const struct tiny_family {
    const char *name, *data, *words;
    const char *family; /* NULL: the name */
} families[] = {
    {"pix2pix", "data", TINY_WORDS "net.generator=unet_16 net.n_layers=1"},
    {"cycle", "unpaired", TINY_WORDS "net.generator=unet_16 net.n_layers=1 train.pool=4"},
    {"star", "domains",
     TINY_WORDS "net.n_layers=2 net.blocks=1 train.n_critic=2 train.batch=3 data.center_crop=0"},
    {"sr", "photos",
     TINY_WORDS "data.load_size=0 net.generator=srresnet net.blocks=1 net.scale=2 net.hidden=8 "
                "train.batch=2 optim.ema=0 optim.schedule=constant val.crop=16"},
    {"unpaired-sr", "pairless",
     TINY_WORDS "data.preprocess=crop data.rotate=true net.generator=msrresnet net.scale=2 "
                "net.blocks=1 net.down_blocks=1 net.n_layers=2 net.init=sr train.pool=4 "
                "train.batch=2 val.metric=psnr_y val.crop=16",
     "cycle"},
};
static const struct tiny_family *family = families;

void tiny_family(const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (!strcmp(families[i].name, name))
            family = &families[i];
    assert_string_equal(family->name, name);
}

static const char *family_name(void)
{
    return family->family ? family->family : family->name;
}

const char *tiny_path(const char *format, ...)
{
    static char paths[8][512];
    static int next;
    char *path = paths[next++ % 8];
    int at = snprintf(path, sizeof paths[0], "%s/", folder);
    va_list args;
    va_start(args, format);
    vsnprintf(path + at, sizeof paths[0] - (size_t)at, format, args);
    va_end(args);
    return path;
}

/* ---- data ---- */

/* Waves with a key's own length and phase; `turned`: with channels turned and dimmed. */
static void wave(float *pixel, int x, int y, int key, bool turned)
{
    float a[3];
    for (int c = 0; c < 3; c++)
        a[c] = 0.5F + 0.45F * sinf(0.2F * (float)(x * (1 + key % 3) + c * y) +
                                   0.9F * (float)(key + 2 * c));
    for (int c = 0; c < 3; c++)
        pixel[c] = turned ? 0.1F + 0.6F * a[(c + 1) % 3] : a[c];
}

enum look { PLAIN, TURNED, PAIR };

static void write_picture(const char *path, int key, enum look look)
{
    int w = look == PAIR ? 2 * TINY_SIDE : TINY_SIDE;
    float *data = calloc((size_t)w * TINY_SIDE * 3, sizeof *data);
    struct gx_err err = {""};
    for (int y = 0; y < TINY_SIDE; y++)
        for (int x = 0; x < w; x++)
            wave(data + ((size_t)y * (size_t)w + (size_t)x) * 3, x % TINY_SIDE, y, key,
                 look == TURNED || x >= TINY_SIDE);
    struct gx_pixels pixels = {data, w, TINY_SIDE, 3, 0, 1};
    if (gx_picture_write(&pixels, NULL, &gx_write_defaults, path, &err))
        fail_msg("%s", err.text);
    free(data);
}

int tiny_setup(void **state)
{
    (void)state;
    static const struct {
        const char *folder;
        int count, key;
        enum look look;
    } sets[] = {
        {"data/train", TINY_PAIRS, 0, PAIR},
        {"data/val", TINY_HELD, TINY_PAIRS, PAIR},
        {"one", 1, 0, PAIR},
        {"unpaired/trainA", 5, 0, PLAIN},
        {"unpaired/trainB", 3, 20, TURNED},
        {"unpaired/testA", 2, 5, PLAIN},
        {"unpaired/testB", 2, 23, TURNED},
        {"photos/train", 5, 0, PLAIN},
        {"photos/val", 2, 7, PLAIN},
        {"pairless/train/LR", 4, 30, TURNED},
        {"pairless/train/HR", 3, 20, PLAIN},
        {"pairless/val/LR", 2, 34, TURNED},
        {"pairless/val/HR", 2, 34, PLAIN},
        {"domains/train/cool", 4, 0, PLAIN},
        {"domains/train/warm", 3, 4, TURNED},
        {"domains/train/hot", 4, 30, PLAIN},
        {"domains/test/cool", 1, 40, PLAIN},
        {"domains/test/warm", 1, 41, TURNED},
        {"domains/test/hot", 1, 42, PLAIN},
    };
    struct gx_err err;
    if (scratch_make(folder, sizeof folder) || gx_image_start(NULL, 1, &err))
        return -1;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (gx_folder_make(tiny_path("%s", sets[i].folder), &err))
            return -1;
        for (int k = 0; k < sets[i].count; k++)
            write_picture(tiny_path("%s/%d.png", sets[i].folder, k), sets[i].key + k, sets[i].look);
    }
    return 0;
}

int tiny_teardown(void **state)
{
    (void)state;
    return scratch_remove(folder);
}

/* ---- training ---- */

/* Every word that the command line has; a resumed run knows the tiny ones already. */
static char *all_words(const char *run, const char *words)
{
    char *text;
    const char *tiny = strstr(words, "--resume") ? "" : family->words;
    assert_true(asprintf(&text, "data.path=%s train.run=%s %s %s", tiny_path("%s", family->data),
                         tiny_path("runs/%s", run), tiny, words) > 0);
    return text;
}

void tiny_config(struct gx_config *config, const char *run, const char *words)
{
    char *text = all_words(run, words), *argv[128], set[] = "--set";
    struct gx_err err = {""};
    int argc = 0;
    for (char *word = strtok(text, " "); word && argc < 126; word = strtok(NULL, " ")) {
        if (strncmp(word, "--", 2))
            argv[argc++] = set;
        argv[argc++] = word;
    }
    if (gx_config_resolve(config, family_name(), GX_VERB_TRAIN, argc, argv, &err))
        fail_msg("%s", err.text);
    free(text);
}

/* The ganx beside this test program: build/tests/train/test_x -> build/ganx. */
const char *tiny_program(void)
{
    static char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 8);
    assert_true(size > 0);
    path[size] = '\0';
    for (int up = 0; up < 3; up++)
        *strrchr(path, '/') = '\0';
    return strcat(path, "/ganx");
}

char *tiny_command(const char *run, const char *words)
{
    char *text = all_words(run, words), *line;
    assert_true(asprintf(&line, "exec timeout 120 '%s' %s train", tiny_program(), family_name()) >
                0);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        char *longer;
        assert_true(
            asprintf(&longer, "%s %s%s", line, strncmp(word, "--", 2) ? "--set " : "", word) > 0);
        free(line);
        line = longer;
    }
    free(text);
    return line;
}

struct watch {
    struct tiny_outcome *outcome;
    int64_t step, stop_at;
};

static void say(void *user, bool warning, const char *event, const char *text)
{
    struct tiny_outcome *o = ((struct watch *)user)->outcome;
    size_t at = strlen(o->said);
    snprintf(o->said + at, sizeof o->said - at, "%s%s: %s\n", warning ? "! " : "", event, text);
}

static void progress(void *user, int64_t step, int64_t total, const char *losses)
{
    (void)total, (void)losses;
    ((struct watch *)user)->step = step;
}

static int stop(void *user)
{
    struct watch *w = user;
    return w->stop_at && w->step >= w->stop_at ? SIGTERM : 0;
}

struct tiny_outcome tiny_try(const char *run, int64_t stop_at, const char *words)
{
    struct tiny_outcome outcome = {.err = {""}};
    struct watch watch = {.outcome = &outcome, .stop_at = stop_at};
    struct gx_train_events events = {&watch, say, progress, stop};
    struct gx_config config;
    tiny_config(&config, run, words);
    outcome.code = gx_train(&config, &events, &outcome.result, &outcome.err);
    gx_config_clear(&config);
    return outcome;
}

void tiny_train(const char *run, const char *words)
{
    struct tiny_outcome o = tiny_try(run, 0, words);
    if (o.code || o.result.signal)
        fail_msg("%s: %s\n%s", run, o.err.text, o.said);
}

void tiny_stop(const char *run, int64_t stop_at, const char *words)
{
    struct tiny_outcome o = tiny_try(run, stop_at, words);
    if (o.code)
        fail_msg("%s: %s\n%s", run, o.err.text, o.said);
    assert_int_equal(o.result.signal, SIGTERM);
    assert_int_equal(o.result.step, stop_at);
}

/* ---- what a run left ---- */

char *tiny_read(const char *run, const char *file)
{
    char *text = NULL;
    size_t size;
    struct gx_err err = {""};
    if (gx_file_read(tiny_path("runs/%s/%s", run, file), 1 << 22, &text, &size, &err))
        fail_msg("%s", err.text);
    return text;
}

char *tiny_metrics(const char *run)
{
    static const char mark[] = ",\"s_per_step\":";
    char *text = tiny_read(run, "metrics.jsonl");
    for (char *at = text; (at = strstr(at, mark));) {
        char *end = strchr(at, '}');
        assert_non_null(end);
        memmove(at, end, strlen(end) + 1);
    }
    return text;
}

int tiny_curve(const char *run, const char *name, double *value)
{
    char *text = tiny_read(run, "metrics.jsonl"), *rest = NULL;
    int count = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        json_t *number = json_object_get(object, name);
        number = number ? number : json_object_get(json_object_get(object, "loss"), name);
        number = number ? number : json_object_get(json_object_get(object, "measure"), name);
        number = number ? number : json_object_get(json_object_get(object, "val"), name);
        if (!object)
            fail_msg("not JSON: %s", line);
        if (number && count < TINY_LINES)
            value[count++] = json_number_value(number);
        json_decref(object);
    }
    free(text);
    return count;
}

static struct gx_weights *open_file(const char *run, const char *file)
{
    struct gx_weights *w = NULL;
    struct gx_err err = {""};
    if (gx_weights_open(&w, tiny_path("runs/%s/%s", run, file), &err))
        fail_msg("%s", err.text);
    return w;
}

static float *read_tensor(struct gx_weights *w, int i)
{
    struct gx_err err = {""};
    float *data = malloc((size_t)gx_weights_info(w, i)->count * sizeof *data + 1);
    if (gx_weights_read(w, i, data, &err))
        fail_msg("%s", err.text);
    return data;
}

int64_t tiny_tensor(const char *run, const char *file, const char *name, float **data)
{
    struct gx_weights *w = open_file(run, file);
    int i = gx_weights_find(w, name);
    int64_t count = i < 0 ? 0 : gx_weights_info(w, i)->count;
    *data = i < 0 ? NULL : read_tensor(w, i);
    gx_weights_close(&w);
    return count;
}

int64_t tiny_tensors(const char *run, const char *file, const char *prefix, float **data)
{
    struct gx_weights *w = open_file(run, file);
    int64_t count = 0;
    *data = NULL;
    for (int i = 0; i < gx_weights_count(w); i++) {
        const struct gx_tensor_info *info = gx_weights_info(w, i);
        if (strncmp(info->name, prefix, strlen(prefix)))
            continue;
        float *one = read_tensor(w, i);
        *data = realloc(*data, (size_t)(count + info->count) * sizeof **data);
        memcpy(*data + count, one, (size_t)info->count * sizeof *one);
        count += info->count;
        free(one);
    }
    gx_weights_close(&w);
    return count;
}

char *tiny_text(const char *run, const char *file, const char *key)
{
    struct gx_weights *w = open_file(run, file);
    const char *text = gx_weights_metadata(w, key);
    if (!text)
        fail_msg("'%s' has no '%s'", file, key);
    char *copy = strdup(text);
    gx_weights_close(&w);
    return copy;
}

void tiny_assert_same(const char *run, const char *other, const char *file)
{
    struct gx_weights *a = open_file(run, file), *b = open_file(other, file);
    assert_int_equal(gx_weights_count(a), gx_weights_count(b));
    for (int i = 0; i < gx_weights_count(a); i++) {
        const struct gx_tensor_info *info = gx_weights_info(a, i);
        assert_string_equal(info->name, gx_weights_info(b, i)->name);
        float *x = read_tensor(a, i), *y = read_tensor(b, i);
        if (memcmp(x, y, (size_t)info->count * sizeof *x))
            fail_msg("%s: '%s' of '%s' and '%s' differ", file, info->name, run, other);
        free(x);
        free(y);
    }
    for (int i = 0; i < gx_weights_metadata_count(a); i++) {
        const char *key, *text;
        gx_weights_metadata_at(a, i, &key, &text);
        bool own = !strcmp(key, "ganx.config") || !strcmp(key, "ganx.crc32");
        if (!own) /* the folder's name is in them */
            assert_string_equal(text, gx_weights_metadata(b, key));
    }
    gx_weights_close(&a);
    gx_weights_close(&b);
}

void tiny_assert_same_metrics(const char *run, const char *other)
{
    char *a = tiny_metrics(run), *b = tiny_metrics(other);
    assert_string_equal(a, b);
    free(a);
    free(b);
}

void tiny_assert_same_link(const char *run, const char *other, const char *name)
{
    char a[64] = "", b[64] = "";
    assert_true(readlink(tiny_path("runs/%s/%s", run, name), a, sizeof a - 1) > 0);
    assert_true(readlink(tiny_path("runs/%s/%s", other, name), b, sizeof b - 1) > 0);
    assert_string_equal(a, b);
}

double tiny_distance(const char *run, const char *other, const char *file)
{
    struct gx_weights *a = open_file(run, file), *b = open_file(other, file);
    double worst = 0;
    for (int i = 0; i < gx_weights_count(a); i++) {
        float *x = read_tensor(a, i), *y = read_tensor(b, i);
        double most = 1e-30, apart = 0;
        for (int64_t k = 0; k < gx_weights_info(a, i)->count; k++) {
            most = fmax(most, fabs((double)x[k]));
            apart = fmax(apart, fabs((double)x[k] - (double)y[k]));
        }
        worst = fmax(worst, apart / most);
        free(x);
        free(y);
    }
    gx_weights_close(&a);
    gx_weights_close(&b);
    return worst;
}
