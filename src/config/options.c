#include "config/options.h"

#include <string.h>

/* Each macro gives type and place of a field, and does not compile when the field's C type is
 * another one. */
#define FIELD(t, ctype, f)                                                                         \
    .type = (t), .offset = _Generic(((struct gx_config *)0)->f, ctype                              \
                                    : offsetof(struct gx_config, f))
#define BOOL(f)    FIELD(GX_TYPE_BOOL, bool, f)
#define INT(f)     FIELD(GX_TYPE_INT, int, f)
#define COUNT(f)   FIELD(GX_TYPE_COUNT, int64_t, f)
#define BYTES(f)   FIELD(GX_TYPE_BYTES, int64_t, f)
#define SEED(f)    FIELD(GX_TYPE_SEED, uint64_t, f)
#define REAL(f)    FIELD(GX_TYPE_REAL, double, f)
#define TEXT(f)    FIELD(GX_TYPE_TEXT, const char *, f)
#define PATH(f)    FIELD(GX_TYPE_PATH, const char *, f)
#define WORD(f)    FIELD(GX_TYPE_WORD, const char *, f)
#define LIST(f)    FIELD(GX_TYPE_LIST, const char *, f)
#define NUMBERS(f) FIELD(GX_TYPE_NUMBERS, const char *, f)
#define CHOICE(f)  FIELD(GX_TYPE_CHOICE, int, f)

#define RANGE(l, h) .low = (l), .high = (h)
#define WORDS(...)                                                                                 \
    .choices = (const char *const[])                                                               \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }
#define BIG 1e15 /* whole numbers stay exact in a double below 2^53 */

#define TRAIN     GX_VERB_TRAIN
#define TRANSLATE GX_VERB_TRANSLATE
#define BENCH     GX_VERB_BENCH
#define UPSCALE   GX_VERB_UPSCALE
#define PICTURES  (TRANSLATE | UPSCALE)
#define WORK      (TRAIN | PICTURES | BENCH)
#define LEARN     (TRAIN | BENCH)

/* Families whose networks people choose among. */
#define CHOOSING  (GX_IN(pix2pix) | GX_IN(cycle))
#define ENLARGING (GX_IN(sr) | GX_IN(cycle))   /* whose outputs may be larger */
#define TARGETED  (GX_IN(pix2pix) | GX_IN(sr)) /* whose outputs have pictures to equal */

#define ONLY   GX_OPTION_FLAG_ONLY
#define RESUME GX_OPTION_RESUME
#define OPEN   GX_OPTION_OPEN

/* Names of rows that live higher up: the lists are data alone, and read here so that a new row is
 * known to flags, files and completion at once. "vanilla" is non_saturating's other name. */
static const char *const gan_names[] = {"vanilla",
#define GX_ADVERSARIAL(name) #name,
#include "loss/list.h"
                                        NULL};
static const char *const pixel_names[] = {
#define GX_PIXEL(name) #name,
#include "loss/list.h"
    NULL};

/* clang-format off */
const struct gx_option gx_options[] = {
    {"family", .initial = "", TEXT(family), .metavar = "NAME", .verbs = TRAIN,
     .help = "the family that a saved configuration belongs to"},

    {"data.path", "data", PATH(data.path), .initial = "data", .metavar = "DIR", .verbs = TRAIN,
     .flags = RESUME, .help = "folder of the training pictures"},
    {"data.direction", "direction", CHOICE(data.direction), .initial = "AtoB",
     WORDS("AtoB", "BtoA"), .metavar = "AtoB|BtoA", .verbs = TRAIN, .families = CHOOSING,
     .help = "which side of a pair is the input"},
    {"data.labels", "labels", PATH(data.labels), .initial = "", .metavar = "FILE", .verbs = TRAIN,
     .families = GX_IN(star), .flags = RESUME,
     .help = "table of the pictures' attributes: CelebA's list, or CSV with a header"},
    {"data.attributes", TEXT(data.attributes), .initial = "", .metavar = "NAME,NAME,...",
     .verbs = TRAIN, .families = GX_IN(star),
     .help = "columns of the table that are learnt, in this order; else all"},
    {"data.exclusive", TEXT(data.exclusive), .initial = "", .metavar = "A,B;C,D",
     .verbs = TRAIN, .families = GX_IN(star),
     .help = "groups of attributes that exclude each other, such as colours of hair"},
    {"data.center_crop", INT(data.center_crop), .initial = "0", RANGE(0, 16384), .metavar = "N",
     .verbs = TRAIN,
     .help = "take the square of this size in the middle, at most the largest there is, before all "
             "else; 0 takes all"},
    {"data.preprocess", CHOICE(data.preprocess), .initial = "resize_and_crop",
     WORDS("resize_and_crop", "scale_width_and_crop", "scale_width", "crop", "none"),
     .metavar = "MODE", .verbs = TRAIN,
     .help = "how pictures come to one size; none rounds their sides to multiples of 4"},
    {"data.load_size", INT(data.load_size), .initial = "286", RANGE(0, 16384), .metavar = "N",
     .verbs = TRAIN,
     .help = "scale pictures to this square first (scale_width: to this width); 0 leaves them as "
             "they are"},
    {"data.crop_size", INT(data.crop_size), .initial = "256", RANGE(0, 16384), .metavar = "N",
     .verbs = TRAIN, .help = "then cut a square of this size at a random place; 0 cuts nothing"},
    {"data.flip", BOOL(data.flip), .initial = "true", .verbs = TRAIN,
     .help = "mirror every other picture at random"},
    {"data.rotate", BOOL(data.rotate), .initial = "true", .verbs = TRAIN, .families = ENLARGING,
     .help = "turn pictures by right angles at random"},
    {"data.shuffle", BOOL(data.shuffle), .initial = "true", .verbs = TRAIN,
     .help = "take the pictures in another order each epoch"},
    {"data.holdout", INT(data.holdout), .initial = "20", RANGE(0, 1e6), .metavar = "N",
     .verbs = TRAIN,
     .help = "without val/ or test/, keep every N-th picture for validation; 0 keeps none"},
    {"data.workers", INT(data.workers), .initial = "2", RANGE(1, 64), .metavar = "N",
     .verbs = TRAIN, .flags = RESUME, .help = "threads that decode pictures ahead"},

#include "config/options_degrade.h"

    {"net.generator", TEXT(net.generator), .initial = "unet_256",
     WORDS("unet_256", "unet_128", "resnet_9blocks", "resnet_6blocks", "star_generator", "srresnet",
           "msrresnet", "rrdbnet", "srvgg"),
     .metavar = "NAME", .verbs = LEARN, .flags = OPEN, .help = "network that makes the pictures"},
    {"net.discriminator", TEXT(net.discriminator), .initial = "patchgan",
     WORDS("patchgan", "pixel", "star_discriminator", "srgan_discriminator", "vgg_discriminator",
           "unet_discriminator_sn"),
     .metavar = "NAME", .verbs = LEARN, .flags = OPEN,
     .help = "network that judges them"},
    {"net.ngf", INT(net.ngf), .initial = "64", RANGE(1, 1024), .metavar = "N", .verbs = LEARN,
     .help = "channels of the generator's first layer"},
    {"net.ndf", INT(net.ndf), .initial = "64", RANGE(1, 1024), .metavar = "N", .verbs = LEARN,
     .help = "channels of the discriminator's first layer"},
    {"net.n_layers", INT(net.n_layers), .initial = "3", RANGE(1, 8), .metavar = "N",
     .verbs = LEARN, .help = "halvings by the discriminator: 3 of patchgan see patches of 70x70 pixels"},
    {"net.blocks", INT(net.blocks), .initial = "6", RANGE(1, 64), .metavar = "N", .verbs = LEARN,
     .families = GX_IN(star) | ENLARGING,
     .help = "residual blocks of a generator; of srvgg its convolutions; a name like rrdbnet_6 "
             "says it itself"},
    {"net.down_blocks", INT(net.down_blocks), .initial = "4", RANGE(1, 64), .metavar = "N",
     .verbs = LEARN, .families = GX_IN(cycle),
     .help = "with net.scale: residual blocks of the generator that makes pictures small"},
    {"net.scale", INT(net.scale), .initial = "4", WORDS("1", "2", "3", "4"), RANGE(1, 4),
     .metavar = "1|2|3|4", .verbs = LEARN, .families = ENLARGING,
     .help = "how many times larger the sides of the output are"},
    {"net.growth", INT(net.growth), .initial = "32", RANGE(1, 1024), .metavar = "N",
     .verbs = LEARN, .families = ENLARGING,
     .help = "rrdbnet: channels that each convolution of a dense block adds"},
    {"net.hidden", INT(net.hidden), .initial = "1024", RANGE(1, 16384), .metavar = "N",
     .verbs = LEARN, .families = GX_IN(sr),
     .help = "width of srgan_discriminator's dense layer"},
    {"net.input_channels", INT(net.input_channels), .initial = "3", WORDS("1", "3", "4"),
     RANGE(1, 4), .metavar = "1|3|4", .verbs = LEARN, .families = CHOOSING,
     .help = "channels of the input pictures"},
    {"net.output_channels", INT(net.output_channels), .initial = "3", WORDS("1", "3", "4"),
     RANGE(1, 4), .metavar = "1|3|4", .verbs = LEARN, .families = CHOOSING,
     .help = "channels of the output pictures"},
    {"net.norm", WORD(net.norm), .initial = "batch", WORDS("batch", "instance", "none"),
     .metavar = "batch|instance|none", .verbs = LEARN, .families = CHOOSING, .help = "normalisation between layers"},
    {"net.dropout", BOOL(net.dropout), .initial = "false", .verbs = LEARN,
     .families = CHOOSING, .help = "dropout in the generator's inner layers"},
    {"net.init", WORD(net.init), .initial = "normal",
     WORDS("normal", "xavier", "kaiming", "orthogonal", "torch", "sr"),
     .metavar = "normal|xavier|kaiming|orthogonal|torch|sr", .verbs = TRAIN,
     .help = "distribution of the first weights"},
    {"net.init_gain", REAL(net.init_gain), .initial = "0.02", RANGE(0, 100), .metavar = "X",
     .verbs = TRAIN, .help = "its deviation, or for the others but torch and sr its gain"},
    {"net.spectral_norm", BOOL(net.spectral_norm), .initial = "false", .verbs = LEARN,
     .help = "divide each convolution of the discriminator by its largest singular value"},

    {"loss.gan", WORD(loss.gan), .initial = "non_saturating",
     .choices = gan_names, .metavar = "NAME", .verbs = LEARN,
     .help = "adversarial loss; vanilla is another name of non_saturating"},
    {"loss.pixel", WORD(loss.pixel), .initial = "l1", .choices = pixel_names, .metavar = "NAME",
     .verbs = LEARN, .help = "how pictures are compared with those they should equal"},
    {"loss.gan_weight", REAL(loss.gan_weight), .initial = "1", RANGE(0, 1e6), .metavar = "X",
     .verbs = LEARN, .help = "weight of the adversarial loss in the generator's; 0 leaves it out"},
    {"loss.l1", REAL(loss.l1), .initial = "100", RANGE(0, 1e6), .metavar = "X", .verbs = LEARN,
     .families = GX_IN(pix2pix), .help = "weight of that comparison"},
    {"loss.pix", REAL(loss.pix), .initial = "1", RANGE(0, 1e6), .metavar = "X", .verbs = LEARN,
     .families = GX_IN(sr), .help = "weight of that comparison"},
    {"loss.perceptual", REAL(loss.perceptual), .initial = "0", RANGE(0, 1e6), .metavar = "X",
     .verbs = LEARN, .families = TARGETED,
     .help = "weight of the distance between the pictures' features in VGG; 0: none"},
    {"loss.perceptual_layers", TEXT(loss.perceptual_layers), .initial = "conv5_3=1",
     .metavar = "NAME=X,...", .verbs = LEARN, .families = TARGETED,
     .help = "layers that count and their weights: convB_K before, reluB_K after activation"},
    {"loss.perceptual_criterion", WORD(loss.perceptual_criterion), .initial = "l1",
     WORDS("l1", "l2"), .metavar = "l1|l2", .verbs = LEARN, .families = TARGETED,
     .help = "how features are compared"},
    {"loss.perceptual_model", PATH(loss.perceptual_model), .initial = "", .metavar = "FILE",
     .verbs = LEARN, .families = TARGETED, .flags = RESUME,
     .help = "a VGG16 or VGG19 as torchvision has them, instead of the VGG16 that comes with ganx"},
    {"loss.style", REAL(loss.style), .initial = "0", RANGE(0, 1e6), .metavar = "X",
     .verbs = LEARN, .families = TARGETED,
     .help = "weight of the distance between the Gram matrices of these layers; 0: none"},
    {"loss.cycle", REAL(loss.cycle), .initial = "10", RANGE(0, 1e6), .metavar = "X",
     .verbs = LEARN, .families = GX_IN(cycle),
     .help = "weight of coming back to the input through both generators"},
    {"loss.identity", REAL(loss.identity), .initial = "0.5", RANGE(0, 1e6), .metavar = "X",
     .verbs = LEARN, .families = GX_IN(cycle) | GX_IN(star),
     .help = "weight of leaving alone what is of the target kind, times loss.cycle or loss.rec"},
    {"loss.cls", REAL(loss.cls), .initial = "1", RANGE(0, 1e6), .metavar = "X", .verbs = LEARN,
     .families = GX_IN(star),
     .help = "weight of telling domains apart, and of being taken for the wanted one"},
    {"loss.rec", REAL(loss.rec), .initial = "10", RANGE(0, 1e6), .metavar = "X", .verbs = LEARN,
     .families = GX_IN(star), .help = "weight of coming back to the input by its own label"},
    {"loss.d", REAL(loss.d), .initial = "0.5", RANGE(0, 1e6), .metavar = "X", .verbs = LEARN,
     .help = "weight of the discriminator's loss"},
    {"loss.penalty", WORD(loss.penalty), .initial = "auto",
     WORDS("auto", "none", "interpolates", "real", "fake"), .metavar = "WHERE", .verbs = LEARN,
     .help = "pictures at which the discriminator's gradient is penalised; auto: interpolates with wgan_gp, else none"},
    {"loss.gp", REAL(loss.gp), .initial = "10", RANGE(0, 1e6), .metavar = "X", .verbs = LEARN,
     .help = "weight of the gradient penalty"},
    {"loss.gp_centre", REAL(loss.gp_centre), .initial = "1", RANGE(0, 1e6), .metavar = "X",
     .verbs = LEARN,
     .help = "length that the penalty wants the gradient to have; 0 at real pictures is R1"},
    {"loss.gp_one_sided", BOOL(loss.gp_one_sided), .initial = "false", .verbs = LEARN,
     .help = "penalise only gradients that are longer"},
    {"loss.clip", REAL(loss.clip), .initial = "0", RANGE(0, 1e6), .metavar = "X", .verbs = TRAIN,
     .help = "cut the discriminator's weights to [-X, X] after each step; 0 does not (wgan: 0.01)"},
    {"loss.orthogonal", REAL(loss.orthogonal), .initial = "0", RANGE(0, 1e6), .metavar = "X",
     .verbs = LEARN,
     .help = "weight of making the generator's filters orthogonal; 0 does not, 0.0001 is usual"},
    {"loss.smooth", REAL(loss.smooth), .initial = "0", RANGE(0, 0.5), .metavar = "X",
     .verbs = LEARN, .help = "label real pictures 1 - X: cross-entropy and lsgan"},
    {"loss.lsgan_fake", REAL(loss.lsgan_fake), .initial = "0", RANGE(-1e3, 1e3), .metavar = "X",
     .verbs = LEARN, .help = "lsgan: the discriminator's label of generated pictures"},
    {"loss.lsgan_real", REAL(loss.lsgan_real), .initial = "1", RANGE(-1e3, 1e3), .metavar = "X",
     .verbs = LEARN, .help = "lsgan: the discriminator's label of real pictures"},
    {"loss.lsgan_target", REAL(loss.lsgan_target), .initial = "1", RANGE(-1e3, 1e3),
     .metavar = "X", .verbs = LEARN, .help = "lsgan: the label that the generator wants"},
    {"loss.noise", REAL(loss.noise), .initial = "0", RANGE(0, 1e3), .metavar = "X",
     .verbs = LEARN,
     .help = "deviation of noise on all that the discriminator sees, at the start; 0: none"},
    {"loss.noise_until", REAL(loss.noise_until), .initial = "1", RANGE(0, 1), .metavar = "X",
     .verbs = LEARN, .help = "share of the run over which that noise falls to 0"},

    {"optim.name", WORD(optim.name), .initial = "adam", WORDS("adam", "rmsprop", "sgd"),
     .metavar = "adam|rmsprop|sgd", .verbs = LEARN, .help = "optimizer of all networks"},
    {"optim.lr", REAL(optim.lr), .initial = "0.0002", RANGE(0, 100), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME, .help = "learning rate"},
    {"optim.lr_d", REAL(optim.lr_d), .initial = "0", RANGE(0, 100), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME,
     .help = "learning rate of the discriminators, on the same course; 0: that of all"},
    {"optim.beta1", REAL(optim.beta1), .initial = "0.5", RANGE(0, 0.999999), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME, .help = "adam: decay of the mean gradient"},
    {"optim.beta2", REAL(optim.beta2), .initial = "0.999", RANGE(0, 0.99999999), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME, .help = "adam: decay of the mean squared gradient"},
    {"optim.eps", REAL(optim.eps), .initial = "1e-08", RANGE(1e-30, 1), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME, .help = "adam, rmsprop: added to the divisor"},
    {"optim.momentum", REAL(optim.momentum), .initial = "0.9", RANGE(0, 0.999999), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME, .help = "sgd: momentum"},
    {"optim.alpha", REAL(optim.alpha), .initial = "0.99", RANGE(0, 0.99999999), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME, .help = "rmsprop: decay of the mean squared gradient"},
    {"optim.weight_decay", REAL(optim.weight_decay), .initial = "0", RANGE(0, 1), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME, .help = "this share of a weight is added to its gradient"},
    {"optim.clip_norm", REAL(optim.clip_norm), .initial = "0", RANGE(0, 1e9), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME,
     .help = "scale a network's gradient down to this length; 0 never does"},
    {"optim.ema", REAL(optim.ema), .initial = "0", RANGE(0, 0.99999999), .metavar = "X",
     .verbs = TRAIN, .help = "decay of the averaged generator that becomes the model; 0: none"},
    {"optim.pixel_lr", REAL(optim.pixel_lr), .initial = "0", RANGE(0, 100), .metavar = "X",
     .verbs = TRAIN, .families = GX_IN(sr), .flags = RESUME,
     .help = "learning rate of the first train.pixel_steps; 0: optim.lr"},
    {"optim.pixel_schedule", WORD(optim.pixel_schedule), .initial = "constant",
     WORDS("constant", "linear", "cosine"), .metavar = "constant|linear|cosine", .verbs = TRAIN,
     .families = GX_IN(sr), .flags = RESUME,
     .help = "course of that rate: linear falls to 0, cosine to optim.min_lr"},
    {"optim.schedule", WORD(optim.schedule), .initial = "linear",
     WORDS("constant", "linear", "step", "multistep", "cosine", "cosine_restarts", "plateau"), .metavar = "NAME",
     .verbs = TRAIN, .flags = RESUME,
     .help = "course of the learning rate"},
    {"optim.decay_from", REAL(optim.decay_from), .initial = "0.5", RANGE(0, 1), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME,
     .help = "linear: share of the run after which the rate falls to 0"},
    {"optim.gamma", REAL(optim.gamma), .initial = "0.1", RANGE(0, 1), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME, .help = "step, multistep, plateau: factor of each fall"},
    {"optim.decay_every", INT(optim.decay_every), .initial = "10000", RANGE(1, 1e9),
     .metavar = "N", .verbs = TRAIN, .flags = RESUME,
     .help = "step: steps between falls; plateau: validations without progress before one"},
    {"optim.milestones", LIST(optim.milestones), .initial = "", RANGE(1, BIG),
     .metavar = "N,N,...", .verbs = TRAIN, .flags = RESUME,
     .help = "multistep: steps that fall; cosine_restarts: steps that begin anew"},
    {"optim.restart_weights", TEXT(optim.restart_weights), .initial = "", .metavar = "X,X,...",
     .verbs = TRAIN, .flags = RESUME,
     .help = "cosine_restarts: factor of each period's rate; empty: all 1"},
    {"optim.min_lr", REAL(optim.min_lr), .initial = "0", RANGE(0, 100), .metavar = "X",
     .verbs = TRAIN, .flags = RESUME, .help = "cosine, cosine_restarts, plateau: lowest rate"},

    {"train.run", "run", PATH(train.run), .initial = "run", .metavar = "DIR", .verbs = TRAIN,
     .flags = RESUME, .help = "folder that the run is written to"},
    {"resume", "resume", BOOL(train.resume), .initial = "false", .verbs = TRAIN, .flags = ONLY,
     .help = "go on with the run that is there, from its newest checkpoint"},
    {"train.init", "init", PATH(train.init), .initial = "", .metavar = "FILE", .verbs = TRAIN,
     .flags = RESUME, .help = "start from these weights (.safetensors or .pth)"},
    {"train.steps", "steps", COUNT(train.steps), .initial = "0", RANGE(0, BIG), .metavar = "N",
     .verbs = TRAIN, .flags = RESUME, .help = "generator updates in all; 0: as many as --epochs make"},
    {"train.epochs", "epochs", COUNT(train.epochs), .initial = "200", RANGE(1, 1e9),
     .metavar = "N", .verbs = TRAIN, .flags = RESUME, .help = "times that every picture is seen"},
    {"train.pixel_steps", COUNT(train.pixel_steps), .initial = "0", RANGE(0, BIG), .metavar = "N",
     .verbs = TRAIN, .families = GX_IN(sr),
     .help = "the first of these updates see the pixel loss alone; the game begins after them"},
    {"train.batch", INT(train.batch), .initial = "1", RANGE(1, 4096), .metavar = "N",
     .verbs = TRAIN, .help = "pictures in a step"},
    {"train.pool", INT(train.pool), .initial = "0", RANGE(0, 10000), .metavar = "N",
     .verbs = TRAIN, .families = GX_IN(cycle),
     .help = "earlier generated pictures that the discriminators are shown too; 0: only the latest"},
    {"train.seed", "seed", SEED(train.seed), .initial = "0", .metavar = "N",
     .verbs = TRAIN | TRANSLATE | BENCH, .help = "the same seed gives the same result"},
    {"train.n_critic", INT(train.n_critic), .initial = "1", RANGE(1, 100), .metavar = "N",
     .verbs = TRAIN, .help = "discriminator updates for each of the generator"},
    {"train.log_every", INT(train.log_every), .initial = "1", RANGE(1, 1e9), .metavar = "N",
     .verbs = TRAIN, .flags = RESUME, .help = "steps between lines of metrics.jsonl"},
    {"train.sample_every", INT(train.sample_every), .initial = "500", RANGE(0, 1e9),
     .metavar = "N", .verbs = TRAIN, .flags = RESUME,
     .help = "steps between sample grids; 0 draws none"},
    {"train.checkpoint_every", INT(train.checkpoint_every), .initial = "500", RANGE(0, 1e9),
     .metavar = "N", .verbs = TRAIN, .flags = RESUME,
     .help = "steps between checkpoints; 0 saves only at the end"},
    {"train.keep", INT(train.keep), .initial = "3", RANGE(1, 1e6), .metavar = "N",
     .verbs = TRAIN, .flags = RESUME, .help = "newest checkpoints that are kept"},
    {"train.samples", INT(train.samples), .initial = "4", RANGE(1, 64), .metavar = "N",
     .verbs = TRAIN, .flags = RESUME, .help = "pictures in a sample grid"},

    {"val.every", INT(val.every), .initial = "0", RANGE(0, 1e9), .metavar = "N", .verbs = TRAIN,
     .families = CHOOSING | GX_IN(sr), .flags = RESUME,
     .help = "steps between validations; 0: at each checkpoint"},
    {"val.metric", WORD(val.metric), .initial = "ssim",
     WORDS("ssim", "psnr", "l1", "ssim_y", "psnr_y", "lpips"), .metavar = "NAME", .verbs = TRAIN,
     .families = CHOOSING | GX_IN(sr), .flags = RESUME,
     .help = "measure that chooses the best checkpoint: ssim, psnr, l1, of lightness alone ssim_y, "
             "psnr_y, or lpips"},
    {"val.lpips", BOOL(val.lpips), .initial = "false", .verbs = TRAIN,
     .families = CHOOSING | GX_IN(sr), .flags = RESUME,
     .help = "measure LPIPS too, which takes VGG16 about a second a picture"},
    {"val.crop", INT(val.crop), .initial = "256", RANGE(16, 16384), .metavar = "N",
     .verbs = TRAIN, .families = ENLARGING, .flags = RESUME,
     .help = "side of the square in the middle of held-out pictures that is looked at"},

    {"health.every", INT(health.every), .initial = "50", RANGE(0, 1e6), .metavar = "N",
     .verbs = TRAIN, .help = "steps between looks at the health of the training; 0: none"},

    {"model", "model", 'm', PATH(translate.model), .initial = "", .metavar = "MODEL",
     .verbs = TRANSLATE, .flags = ONLY,
     .help = "model file, a run's folder, or the name of an installed model; without it that of the family"},
    {"translate-direction", "direction", WORD(translate.direction), .initial = "",
     WORDS("AtoB", "BtoA"), .metavar = "AtoB|BtoA", .verbs = TRANSLATE, .flags = ONLY,
     .families = GX_IN(pix2pix) | GX_IN(cycle),
     .help = "what the model shall do, if it can do both; a model that does not say what it does is used for either"},
    {"to", "to", TEXT(translate.to), .initial = "", .metavar = "NAME[=X],...", .verbs = TRANSLATE,
     .flags = ONLY | GX_OPTION_REPEATS, .families = GX_IN(star),
     .help = "domain or attributes to give the picture, with strengths if not 1, or all for one output each; may be repeated"},
    {"edit", "edit", TEXT(translate.edit), .initial = "", .metavar = "+NAME,-NAME,...",
     .verbs = TRANSLATE, .flags = ONLY | GX_OPTION_REPEATS, .families = GX_IN(star),
     .help = "attributes to add to and take from what --labels says the picture has; may be repeated"},
    {"grid", "grid", BOOL(translate.grid), .initial = "false", .verbs = TRANSLATE, .flags = ONLY,
     .families = GX_IN(star),
     .help = "one sheet for each picture, with every domain, or with what --to and --edit ask for"},
    {"labels", "labels", PATH(translate.labels), .initial = "", .metavar = "FILE",
     .verbs = TRANSLATE, .flags = ONLY, .families = GX_IN(star),
     .help = "table of the attributes that the pictures have now, by their file names"},
    {"domains", "domains", TEXT(translate.domains), .initial = "", .metavar = "NAME,NAME,...",
     .verbs = TRANSLATE, .flags = ONLY, .families = GX_IN(star),
     .help = "names of the model's domains, in its order, if the file names none"},
    {"size", "size", INT(translate.size), .initial = "0", RANGE(0, 16384), .metavar = "N",
     .verbs = TRANSLATE, .flags = ONLY,
     .help = "work at this size, as in training, and scale the result back; 0: as it is"},
    {"upscale-model", "model", 'm', TEXT(upscale.models), .initial = "", .metavar = "MODEL[=W]",
     .verbs = UPSCALE, .flags = ONLY | GX_OPTION_REPEATS, .families = GX_IN(sr),
     .help = "model file, a run's folder, or the name of an installed model; without it realesr-general-x4v3; several of one network are blended, by the weights W from 0 to 1 that some may have, the others in equal parts"},
    {"denoise", "denoise", REAL(upscale.denoise), .initial = "0.5", RANGE(0, 1), .metavar = "S",
     .verbs = UPSCALE, .flags = ONLY, .families = GX_IN(sr),
     .help = "of two models that are blended, the weight of the first; the second has the rest"},
    {"scale", "scale", REAL(upscale.scale), .initial = "0", RANGE(0, 64), .metavar = "X",
     .verbs = UPSCALE, .flags = ONLY, .families = GX_IN(sr),
     .help = "how many times larger each side becomes, any number; 0: as the network makes it"},
    {"upscale-width", "width", INT(upscale.width), .initial = "0", RANGE(0, 1e6), .metavar = "N",
     .verbs = UPSCALE, .flags = ONLY, .families = GX_IN(sr),
     .help = "width of the result; its height follows, unless it is given too"},
    {"upscale-height", "height", INT(upscale.height), .initial = "0", RANGE(0, 1e6), .metavar = "N",
     .verbs = UPSCALE, .flags = ONLY, .families = GX_IN(sr),
     .help = "height of the result; its width follows, unless it is given too"},
    {"fit", "fit", TEXT(upscale.fit), .initial = "", .metavar = "WxH",
     .verbs = UPSCALE, .flags = ONLY, .families = GX_IN(sr),
     .help = "the largest result that fits into so many pixels"},
    {"tile", "tile", INT(upscale.tile), .initial = "0", RANGE(0, 1e6), .metavar = "N",
     .verbs = UPSCALE, .flags = ONLY, .families = GX_IN(sr),
     .help = "side of the tiles that are computed at once, in pixels of the input; 0: what makes the least work within the memory"},
    {"tile-pad", "tile-pad", INT(upscale.tile_pad), .initial = "32", RANGE(0, 4096), .metavar = "N",
     .verbs = UPSCALE, .flags = ONLY, .families = GX_IN(sr),
     .help = "border around each tile that is computed too; without this option it is what the network sees, if that is at most 64 pixels, and the result is exact"},
    {"tta", "tta", BOOL(upscale.tta), .initial = "false", .verbs = UPSCALE, .flags = ONLY,
     .families = GX_IN(sr),
     .help = "the mean of the results of the picture turned and mirrored in all 8 ways: a little better, 8 times the work"},
    {"alpha", "alpha", WORD(upscale.alpha), .initial = "network", WORDS("network", "bicubic"),
     .metavar = "network|bicubic", .verbs = UPSCALE, .flags = ONLY, .families = GX_IN(sr),
     .help = "how transparency is enlarged; where it is flat it stays as it is"},
    {"format", "format", WORD(translate.format), .initial = "",
     WORDS("png", "jpg", "webp", "tiff", "gif", "ppm"), .metavar = "png|jpg|webp|tiff|gif|ppm",
     .verbs = PICTURES, .flags = ONLY, .help = "format of the output, whatever its name says"},
    {"quality", "quality", INT(translate.quality), .initial = "0", RANGE(0, 100), .metavar = "N",
     .verbs = PICTURES, .flags = ONLY,
     .help = "quality of jpg and webp, 1 to 100; 0: 95 for jpg, 90 for webp"},
    {"norm-stats", "norm-stats", WORD(translate.norm_stats), .initial = "default",
     WORDS("default", "image", "running"), .metavar = "default|image|running",
     .verbs = PICTURES, .flags = ONLY,
     .help = "normalise by the picture's own statistics or the stored ones; default: the model's choice"},
    {"dropout", "dropout", WORD(translate.dropout), .initial = "default",
     WORDS("default", "on", "off"), .metavar = "default|on|off", .verbs = TRANSLATE, .flags = ONLY,
     .help = "dropout while translating; default: the model's choice"},
    {"recursive", "recursive", 'r', BOOL(translate.recursive), .initial = "false", .verbs = PICTURES, .flags = ONLY,
     .help = "go into subfolders and make them in the output"},
    {"force", "force", 'f', BOOL(translate.force), .initial = "false", .verbs = PICTURES, .flags = ONLY,
     .help = "write over outputs that exist"},
    {"allow-truncated", "allow-truncated", BOOL(translate.allow_truncated), .initial = "false", .verbs = PICTURES,
     .flags = ONLY, .help = "take pictures whose end is missing"},
    {"strip", "strip", BOOL(translate.strip), .initial = "false", .verbs = PICTURES, .flags = ONLY,
     .help = "leave metadata out of the output"},
    {"background", "background", TEXT(translate.background), .initial = "white",
     .metavar = "COLOUR", .verbs = PICTURES, .flags = ONLY,
     .help = "what shows through where the output format has no transparency"},
    {"failed-list", "failed-list", PATH(translate.failed_list), .initial = "", .metavar = "FILE",
     .verbs = PICTURES, .flags = ONLY, .help = "write the names of inputs that failed to this file or -, one a line"},
    {"files-from", "files-from", PATH(translate.files_from), .initial = "", .metavar = "LIST",
     .verbs = PICTURES, .flags = ONLY,
     .help = "read names of inputs from this file or -, one a line or separated by NUL"},
    {"loaders", "loaders", TEXT(translate.loaders), .initial = "", .metavar = "NAMES",
     .verbs = PICTURES, .flags = ONLY,
     .help = "open these formats too, separated by commas: heif, svg and others"},
    {"max-pixels", "max-pixels", COUNT(translate.max_pixels), .initial = "512M", RANGE(1, BIG),
     .metavar = "N", .verbs = PICTURES, .flags = ONLY, .help = "refuse pictures with more pixels"},
    {"max-temp", "max-temp", BYTES(translate.max_temp), .initial = "16GiB", RANGE(0, BIG),
     .metavar = "SIZE", .verbs = TRANSLATE, .flags = ONLY,
     .help = "most disk space for pictures that do not fit into memory"},

    {"network", "network", TEXT(bench.network), .initial = "",
     WORDS("unet_256", "unet_128", "resnet_9blocks", "resnet_6blocks", "srresnet", "msrresnet",
           "rrdbnet", "srvgg"),
     .metavar = "NAME", .verbs = BENCH, .flags = ONLY | OPEN,
     .help = "generator or discriminator to measure instead of the configuration's generator"},
    {"bench-model", "model", 'm', PATH(bench.model), .initial = "", .metavar = "MODEL",
     .verbs = BENCH, .flags = ONLY,
     .help = "measure this model's network, with its weights: a file, a run's folder, or an installed model's name"},
    {"bench-size", "size", TEXT(bench.size), .initial = "256", .metavar = "N|WxH",
     .verbs = BENCH, .flags = ONLY, .help = "side of the picture, or its width and height: 640x360"},
    {"bench-batch", "batch", INT(bench.batch), .initial = "1", RANGE(1, 4096), .metavar = "N",
     .verbs = BENCH, .flags = ONLY, .help = "pictures at a time"},
    {"width", "width", INT(bench.width), .initial = "0", RANGE(0, 1024), .metavar = "N",
     .verbs = BENCH, .flags = ONLY, .help = "channels of the first layers; 0: net.ngf and net.ndf"},
    {"repeat", "repeat", INT(bench.repeat), .initial = "5", RANGE(1, 100000), .metavar = "N",
     .verbs = BENCH, .flags = ONLY, .help = "times that it is run; the median, the fastest and the slowest are told"},
    {"training", "training", BOOL(bench.training), .initial = "false", .verbs = BENCH, .flags = ONLY,
     .help = "measure a whole training step instead of inference"},
    {"profile", "profile", BOOL(bench.profile), .initial = "false", .verbs = BENCH, .flags = ONLY,
     .help = "list the time of each operator"},

    {"tensors", "tensors", BOOL(info.tensors), .initial = "false", .verbs = GX_VERB_INFO, .flags = ONLY,
     .help = "list every tensor with its type and shape"},
    {"models", "models", BOOL(info.models), .initial = "false", .verbs = GX_VERB_INFO, .flags = ONLY,
     .help = "list the installed models instead"},
    {"metrics", "metrics", TEXT(eval.metrics), .initial = "all",
     WORDS("all", "l1", "psnr", "ssim", "ms_ssim", "lpips", "sharpness"),
     .metavar = "LIST", .verbs = GX_VERB_EVAL, .flags = ONLY | OPEN,
     .help = "what to measure, separated by commas; \"all\" has lpips, the slow one, where the model vgg16 is installed"},
    {"channels", "channels", WORD(eval.channels), .initial = "both", WORDS("rgb", "y", "both"),
     .metavar = "rgb|y|both", .verbs = GX_VERB_EVAL, .flags = ONLY,
     .help = "psnr, ssim and ms_ssim of the colours, of luma (psnr_y, ...), or both"},
    {"crop-border", "crop-border", INT(eval.crop_border), .initial = "0", RANGE(0, 1 << 20),
     .metavar = "N", .verbs = GX_VERB_EVAL, .flags = ONLY,
     .help = "leave out that many pixels on every side; for super-resolution usually the scale"},
    {"dtype", "dtype", WORD(convert.dtype), .initial = "f32", WORDS("f32", "f16", "bf16"),
     .metavar = "f32|f16|bf16", .verbs = GX_VERB_CONVERT, .flags = ONLY,
     .help = "number type of the output; f16 and bf16 halve the file"},
    {"convert-direction", "direction", WORD(convert.direction), .initial = "",
     WORDS("AtoB", "BtoA"), .metavar = "AtoB|BtoA", .verbs = GX_VERB_CONVERT, .flags = ONLY,
     .help = "of a model for both directions keep this one, under the reference implementation's names"},
    {"card", "card", PATH(convert.card), .initial = "", .metavar = "FILE", .verbs = GX_VERB_CONVERT,
     .flags = ONLY, .help = "put this text, which describes the model, into the output"},
    {"convert-force", "force", 'f', BOOL(convert.force), .initial = "false", .verbs = GX_VERB_CONVERT, .flags = ONLY,
     .help = "write over an output that exists"},
    {"completion", "completion", WORD(manual.completion), .initial = "", WORDS("bash"),
     .metavar = "bash", .verbs = GX_VERB_HELP, .flags = ONLY,
     .help = "print the completion script of a shell"},
    {"mdoc", "mdoc", BOOL(manual.mdoc), .initial = "false", .verbs = GX_VERB_HELP, .flags = ONLY | GX_OPTION_HIDDEN,
     .help = "print the option list of a manual page"},

    {"threads", "threads", 'j', INT(threads), .initial = "0", RANGE(0, 1024), .metavar = "N",
     .verbs = WORK | GX_VERB_EVAL, .flags = RESUME, .help = "threads for the arithmetic; 0: as many as may be used"},
    {"max_memory", "max-memory", BYTES(max_memory), .initial = "0", RANGE(0, BIG),
     .metavar = "SIZE", .verbs = TRAIN | TRANSLATE | BENCH | GX_VERB_EVAL, .flags = RESUME,
     .help = "refuse work whose plan needs more memory, as 4GiB; training first trades time "
             "for memory; 0: no limit"},
    {"upscale-memory", "max-memory", BYTES(upscale.max_memory), .initial = "1GiB", RANGE(1, BIG),
     .metavar = "SIZE", .verbs = UPSCALE, .flags = ONLY, .families = GX_IN(sr),
     .help = "memory that all of it may take, about; tiles are made as large as that allows"},
    {"cpu", "cpu", TEXT(cpu), .initial = "auto", WORDS("auto", "reference", "generic", "v3", "v4"),
     .metavar = "TIER", .verbs = WORK | GX_VERB_EVAL, .flags = RESUME | OPEN,
     .help = "kernels to use, instead of the best that this processor runs"},
    {"precision", "precision", WORD(precision), .initial = "f32", WORDS("f32", "f16", "bf16"),
     .metavar = "f32|f16|bf16", .verbs = PICTURES | BENCH, .flags = ONLY,
     .help = "f16: weights of 16 bits, in half the memory; bf16: the same, and products of bfloat16 numbers where the processor has AMX"},
    {"config", "config", PATH(config), .initial = "", .metavar = "FILE", .verbs = LEARN,
     .flags = ONLY, .help = "read this configuration instead of ./FAMILY.yaml"},
    {"set", "set", .type = GX_TYPE_SET, .initial = "", .metavar = "key=value", .verbs = LEARN,
     .flags = ONLY, .help = "set any key of the configuration; may be repeated"},
    {"dry-run", "dry-run", 'n', BOOL(dry_run), .initial = "false", .verbs = TRAIN | PICTURES, .flags = ONLY,
     .help = "say what would be done and what memory it needs, and stop"},
    {"json", "json", BOOL(json), .initial = "false", .verbs = WORK | GX_VERB_INFO | GX_VERB_CONVERT | GX_VERB_EVAL | GX_VERB_VERSION,
     .flags = ONLY, .help = "messages, or the result of info, eval, bench and version, as JSON"},
    {"quiet", "quiet", 'q', BOOL(quiet), .initial = "false", .verbs = WORK | GX_VERB_CONVERT | GX_VERB_EVAL, .flags = ONLY,
     .help = "only warnings and errors, no progress bar"},
    {"help", "help", 'h', BOOL(help), .initial = "false", .verbs = GX_VERBS_ALL, .flags = ONLY,
     .help = "show this list"},
};
/* clang-format on */
const int gx_options_count = (int)(sizeof gx_options / sizeof gx_options[0]);

const char *const gx_family_names[] = {
#define GX_FAMILY(name) #name,
#include "family/list.h"
#undef GX_FAMILY
    NULL};

unsigned gx_family_bit(const char *name)
{
    for (int i = 0; i < GX_FAMILIES; i++)
        if (!strcmp(gx_family_names[i], name))
            return 1u << i;
    return 0;
}

bool gx_option_applies(const struct gx_option *option, const char *family)
{
    return !option->families || (option->families & gx_family_bit(family));
}

bool gx_option_shown(const struct gx_option *option, const char *family, unsigned verbs)
{
    return (option->verbs & verbs) && gx_option_applies(option, family);
}

const struct gx_option *gx_option_by_key(const char *key)
{
    for (int i = 0; i < gx_options_count; i++)
        if (!strcmp(gx_options[i].key, key))
            return &gx_options[i];
    return NULL;
}

const struct gx_option *gx_option_by_flag(const char *flag, const char *family, unsigned verbs)
{
    for (int i = 0; i < gx_options_count; i++)
        if (gx_options[i].flag && !strcmp(gx_options[i].flag, flag) &&
            gx_option_shown(&gx_options[i], family, verbs))
            return &gx_options[i];
    return NULL;
}

const struct gx_option *gx_option_by_letter(char letter, const char *family, unsigned verbs)
{
    for (int i = 0; i < gx_options_count; i++)
        if (gx_options[i].letter == letter && gx_option_shown(&gx_options[i], family, verbs))
            return &gx_options[i];
    return NULL;
}
