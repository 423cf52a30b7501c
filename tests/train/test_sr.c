/* Super-resolution through the loop: what the model file says, what is measured, the two phases of a
 * run, networks that nobody trains, and what is refused before a folder is made. */
#include "tiny.h"

#include "family/model_keys.h"
#include "util/file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GAME "loss.gan_weight=0.01 loss.perceptual=0.1 " TINY_VGG " "

static int setup(void **state)
{
    int code = tiny_setup(state);
    tiny_family("sr");
    return code;
}

static int64_t floats(const char *run, const char *file, const char *prefix)
{
    float *data = NULL;
    int64_t count = tiny_tensors(run, file, prefix, &data);
    free(data);
    return count;
}

static void pixels_alone_need_nothing_else(void **state)
{
    (void)state;
    double value[TINY_LINES];
    tiny_train("alone", "train.steps=2");
    const struct {
        const char *key, *value;
    } row[] = {{GX_KEY_FAMILY, "sr"},
               {GX_KEY_RANGE, "0,1"},
               {GX_KEY_SIZE, "16"},
               {GX_KEY_NORM_STATS, "running"}};
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        char *text = tiny_text("alone", "model.safetensors", row[i].key);
        assert_string_equal(text, row[i].value);
        free(text);
    }
    assert_int_equal(floats("alone", "latest", "D."), 0);
    assert_int_equal(floats("alone", "latest", "optim.D."), 0);
    assert_true(floats("alone", "latest", "G.") > 0);
    const char *const figures[] = {"psnr", "psnr_y", "ssim", "ssim_y"};
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        assert_int_equal(tiny_curve("alone", figures[i], value), 1);
        assert_true(isfinite(value[0]));
    }
    assert_true(gx_is_file(tiny_path("runs/alone/samples/000002.png")));
}

static void nobody_trains_or_saves_vgg(void **state)
{
    (void)state;
    double value[TINY_LINES];
    tiny_train("frozen", "train.steps=2 train.checkpoint_every=1 " GAME);
    assert_int_equal(floats("frozen", "latest", "VGG"), 0);
    assert_int_equal(floats("frozen", "latest", "optim.VGG"), 0);
    assert_true(floats("frozen", "latest", "D.") > 0);
    assert_int_equal(tiny_curve("frozen", "G_perc", value), 2);
    assert_true(value[0] > 0);
}

/* The first steps are those of a run by the pixel loss alone, at a rate of their own; D is as it was
 * made until the game begins, which goes on from pixel.safetensors. */
static void the_game_goes_on_from_the_pixels(void **state)
{
    (void)state;
    double pix[TINY_LINES], alone[TINY_LINES], other[TINY_LINES];
    tiny_train("pixels", "train.steps=3 optim.lr=0.01");
    tiny_train("phases",
               "train.steps=5 train.pixel_steps=3 optim.pixel_lr=0.01 optim.lr=0.001 "
               "optim.schedule=multistep optim.milestones=1 train.checkpoint_every=3 " GAME);
    assert_int_equal(tiny_curve("phases", "G_pix", pix), 5);
    assert_int_equal(tiny_curve("pixels", "G_pix", alone), 3);
    for (int i = 0; i < 3; i++)
        assert_true(pix[i] == alone[i]);
    assert_int_equal(tiny_curve("phases", "D_real", other), 2);
    assert_int_equal(tiny_curve("phases", "lr", other), 5);
    assert_true(other[2] == 0.01 && other[3] == 0.001 && fabs(other[4] - 0.0001) < 1e-12);

    float *model, *then, *d, *later;
    int64_t count = tiny_tensors("phases", "pixel.safetensors", "", &model);
    assert_int_equal(count, tiny_tensors("pixels", "model.safetensors", "", &then));
    assert_memory_equal(model, then, (size_t)count * sizeof *model);
    count = tiny_tensors("phases", "checkpoints/000003.safetensors", "optim.D.", &d);
    assert_true(count > 0);
    for (int64_t i = 0; i < count; i++)
        assert_true(d[i] == 0);
    assert_int_equal(count, tiny_tensors("phases", "latest", "optim.D.", &later));
    assert_true(memcmp(d, later, (size_t)count * sizeof *d) != 0);
    free(model);
    free(then);
    free(d);
    free(later);
}

/* The averaged weights are the first phase's result. */
static void the_average_enters_the_game(void **state)
{
    (void)state;
    tiny_train("averaged", "train.steps=4 train.pixel_steps=4 optim.ema=0.5 loss.gan_weight=0.01");
    tiny_train("averaged", "--resume train.steps=5 optim.lr=0");
    float *pixel, *after;
    int64_t count = tiny_tensors("averaged", "pixel.safetensors", "stem.0.", &pixel);
    assert_int_equal(count, tiny_tensors("averaged", "latest", "G.stem.0.", &after));
    assert_true(count > 0);
    assert_memory_equal(pixel, after, (size_t)count * sizeof *pixel);
    free(pixel);
    free(after);
}

static void a_pixel_run_can_be_the_start(void **state)
{
    (void)state;
    char words[600];
    double pix[TINY_LINES], first[TINY_LINES];
    tiny_train("start", "train.steps=20 optim.lr=0.01");
    snprintf(words, sizeof words, "train.steps=1 train.init=%s " GAME, tiny_path("runs/start"));
    tiny_train("started", words);
    assert_int_equal(tiny_curve("start", "G_pix", first), 20);
    assert_int_equal(tiny_curve("started", "G_pix", pix), 1);
    assert_true(pix[0] < 0.9 * first[0]);
}

static const struct {
    const char *words, *says;
    int code;
} wrong[] = {
    {"loss.pix=0", "nothing to learn from", -GX_E_CONFIG},
    {"train.pixel_steps=1", "come before a game", -GX_E_CONFIG},
    {"train.pixel_steps=1 loss.pix=0 loss.gan_weight=1", "loss.pix is 0", -GX_E_CONFIG},
    {"loss.perceptual=1 loss.perceptual_layers=conv5_4 loss.perceptual_model="
     "tests/reference/forward/vgg16_narrow/weights.pth",
     "has no layer 'conv5_4'", -GX_E_CONFIG},
    {"loss.perceptual=1 loss.perceptual_layers=conv1_2=", "not a list like", -GX_E_CONFIG},
    {"loss.perceptual=1 loss.perceptual_model=none.pth", "none.pth", -GX_E_CONFIG},
    {"loss.perceptual=1 loss.perceptual_model=tests/reference/weights/types.pth",
     "neither VGG16 nor VGG19", -GX_E_CONFIG},
    {"val.metric=lpips", "LPIPS needs held-out pictures of 20 pixels", -GX_E_CONFIG},
    {"net.generator=unet_16", "is not a generator for sr", -GX_E_CONFIG},
    {"net.generator=msrresnet net.scale=1", "scale", -GX_E_CONFIG},
    {"data.crop_size=15", "do not fit network G", -GX_E_CONFIG},
    {"optim.schedule=cosine_restarts optim.milestones=1 optim.restart_weights=1",
     "one weight for each period", -GX_E_CONFIG},
};

static void what_cannot_be_is_refused_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char words[400];
        snprintf(words, sizeof words, "train.steps=2 %s", wrong[i].words);
        struct tiny_outcome o = tiny_try("wrong", 0, words);
        print_message("%s -> %s\n", wrong[i].words, o.err.text);
        assert_int_equal(o.code, wrong[i].code);
        assert_non_null(strstr(o.err.text, wrong[i].says));
        assert_true(access(tiny_path("runs/wrong"), F_OK) != 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_alone_need_nothing_else),
        cmocka_unit_test(nobody_trains_or_saves_vgg),
        cmocka_unit_test(the_game_goes_on_from_the_pixels),
        cmocka_unit_test(the_average_enters_the_game),
        cmocka_unit_test(a_pixel_run_can_be_the_start),
        cmocka_unit_test(what_cannot_be_is_refused_first),
    };
    return cmocka_run_group_tests(tests, setup, tiny_teardown);
}
