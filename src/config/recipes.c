/* Recipes: what each family's defaults are where they differ from the option table's. The table
 * below the head of each family is the reference implementation's published recipe. */
#include "config/options.h"

#include <string.h>

struct recipe_line {
    const char *family, *key, *value;
};

static const struct recipe_line recipes[] = {
    /* Isola et al. 2017, facades: U-Net with dropout, batch norm, 286 -> 256 with flips, vanilla
     * GAN + 100 L1, Adam 2e-4 (0.5, 0.999), batch 1, 100 + 100 epochs. */
    {"pix2pix", "train.run", "runs/pix2pix"},
    {"pix2pix", "net.generator", "unet_256"},
    {"pix2pix", "net.norm", "batch"},
    {"pix2pix", "net.dropout", "true"},
    {"pix2pix", "loss.gan", "vanilla"},
    {"pix2pix", "loss.l1", "100"},
    {"pix2pix", "loss.d", "0.5"},
    {"pix2pix", "optim.lr", "0.0002"},
    {"pix2pix", "optim.beta1", "0.5"},
    {"pix2pix", "optim.schedule", "linear"},
    {"pix2pix", "optim.decay_from", "0.5"},
    {"pix2pix", "train.batch", "1"},
    {"pix2pix", "train.epochs", "200"},

    /* Zhu et al. 2017, horse2zebra: nine blocks, instance norm, LSGAN, cycle 10, identity 0.5, a
     * pool of 50, Adam 2e-4 (0.5, 0.999), batch 1, 100 + 100 epochs. */
    {"cycle", "train.run", "runs/cycle"},
    {"cycle", "data.rotate", "false"},
    {"cycle", "net.generator", "resnet_9blocks"},
    {"cycle", "net.scale", "1"},
    {"cycle", "net.norm", "instance"},
    {"cycle", "loss.gan", "lsgan"},
    {"cycle", "loss.d", "0.5"},
    {"cycle", "optim.lr", "0.0002"},
    {"cycle", "optim.beta1", "0.5"},
    {"cycle", "optim.schedule", "linear"},
    {"cycle", "optim.decay_from", "0.5"},
    {"cycle", "train.batch", "1"},
    {"cycle", "train.pool", "50"},
    {"cycle", "train.epochs", "200"},

    /* Choi et al. 2018, CelebA at 128 x 128: WGAN-GP 10, classification 1, reconstruction 10, five
     * critic steps, Adam 1e-4 (0.5, 0.999), batch 16, 200,000 steps of the critic, the rate falling
     * over the second half. The largest square in the middle of a picture is what CelebA's 178
     * pixels are. */
    {"star", "train.run", "runs/star"},
    {"star", "data.center_crop", "16384"},
    {"star", "data.load_size", "128"},
    {"star", "data.crop_size", "128"},
    {"star", "net.generator", "star_generator"},
    {"star", "net.discriminator", "star_discriminator"},
    {"star", "net.n_layers", "6"},
    {"star", "net.init", "torch"},
    {"star", "loss.gan", "wgan_gp"},
    {"star", "loss.identity", "0"},
    {"star", "loss.d", "1"},
    {"star", "optim.lr", "0.0001"},
    {"star", "optim.beta1", "0.5"},
    {"star", "optim.schedule", "linear"},
    {"star", "optim.decay_from", "0.5"},
    {"star", "train.batch", "16"},
    {"star", "train.n_critic", "5"},
    {"star", "train.steps", "40000"},

    /* BasicSR's MSRResNet x4, the pixel-only network that its GANs start from: 16 blocks of 64, L1
     * alone, crops of 128, batch 16, Adam 2e-4 (0.9, 0.99), four cosine periods of 250,000 steps,
     * averaged with 0.999. What the game adds (D, features) is off until it is asked for. */
    {"sr", "train.run", "runs/sr"},
    {"sr", "data.preprocess", "crop"},
    {"sr", "data.load_size", "0"},
    {"sr", "data.crop_size", "128"},
    {"sr", "net.generator", "msrresnet"},
    {"sr", "net.discriminator", "srgan_discriminator"},
    {"sr", "net.blocks", "16"},
    {"sr", "net.init", "torch"},
    {"sr", "loss.gan_weight", "0"},
    {"sr", "loss.d", "1"},
    {"sr", "optim.beta1", "0.9"},
    {"sr", "optim.beta2", "0.99"},
    {"sr", "optim.ema", "0.999"},
    {"sr", "optim.schedule", "cosine_restarts"},
    {"sr", "optim.milestones", "250000,500000,750000"},
    {"sr", "optim.min_lr", "1e-07"},
    {"sr", "train.batch", "16"},
    {"sr", "train.steps", "1000000"},
    {"sr", "train.sample_every", "5000"},
    {"sr", "train.checkpoint_every", "5000"},
    {"sr", "val.metric", "psnr_y"},
};

const char *gx_option_initial(const struct gx_option *option, const char *family)
{
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++)
        if (!strcmp(recipes[i].family, family) && !strcmp(recipes[i].key, option->key))
            return recipes[i].value;
    return option->initial;
}
