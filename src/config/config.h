/* The configuration of one command, after defaults, the YAML file and the flags.
 *
 * Every field here has one row in the option table (options.c), which says its YAML key, its flag,
 * type, default, range and help text; nothing else in the program knows a key by name. The struct
 * is plain data: texts belong to its arena and are never NULL ("" where nothing was said).
 *
 * resolve.h fills it from a command line, dump.h writes it and reads it back. */
#ifndef GX_CONFIG_CONFIG_H
#define GX_CONFIG_CONFIG_H

#include "ganx/error.h"
#include "util/arena.h"

#include <stdbool.h>
#include <stdint.h>

enum gx_direction { GX_A_TO_B, GX_B_TO_A };

/* How pictures are brought to one size; in the order of the option's choices. */
enum gx_preprocess {
    GX_RESIZE_AND_CROP,
    GX_SCALE_WIDTH_AND_CROP,
    GX_SCALE_WIDTH_ONLY,
    GX_CROP_ONLY,
    GX_PREPROCESS_NONE
};

/* One stage of degrade.*, in the options' order. Texts are numbers between commas. */
struct gx_degrade_options {
    double blur_prob;
    const char *blur_size, *shape_prob;
    double sinc_prob;
    const char *blur_sigma, *betag_range, *betap_range, *resize_prob, *resize_range;
    double noise_prob, gaussian_prob;
    const char *gaussian_range, *poisson_range;
    double grey_prob, jpeg_prob;
    const char *jpeg_range;
};

enum gx_source { GX_FROM_DEFAULT, GX_FROM_SAVED, GX_FROM_FILE, GX_FROM_FLAG };

struct gx_origin { /* where one value came from */
    enum gx_source source;
    const char *name; /* the file, or the flag as "--lr" or "--set optim.lr"; NULL for a default */
    int line, column; /* in the file, from 1; else 0 */
};

struct gx_config {
    struct gx_arena arena;
    const char *family;       /* "pix2pix", ...; "" for a command without one */
    struct gx_origin *origin; /* where each value came from, by index in the option table */
    const char **operand;     /* what the command line had besides options */
    int operands;

    struct {                    /* data.* : what is learnt from */
        const char *path;       /* --data, "data" */
        const char *labels;     /* star: an attribute table; "": a folder is a domain */
        const char *attributes; /* ... its columns "a,b,c" that are learnt; "": all */
        const char *exclusive;  /* ... groups "a,b;c,d" of which a picture has one each */
        int direction;          /* --direction AtoB|BtoA: enum gx_direction */
        int center_crop;    /* the middle square of this size is taken before all else; 0: all */
        int preprocess;     /* enum gx_preprocess */
        int load_size;      /* pictures are scaled to this square, or width; 0: left as they are */
        int crop_size;      /* random crop; 0: none; at most load_size */
        bool flip, shuffle; /* mirrored at random; random order each epoch */
        bool rotate;        /* sr, cycle: turned at random */
        int holdout;        /* with no val/ or test/: every n-th pair is held out; 0: none */
        int workers;        /* decoding threads */
    } data;

    struct {               /* degrade.*: sr: how small pictures are made of sharp ones */
        int kind;          /* enum gx_degrade_kind (image/degrade.h) */
        const char *model; /* learnt: a model that makes pictures small */
        bool eight_bit;
        int margin;
        bool usm; /* targets are sharpened */
        int usm_radius;
        double usm_weight, usm_threshold;
        struct gx_degrade_options first, second;
        double final_sinc_prob;
    } degrade;

    struct {                   /* net.* */
        const char *generator; /* unet_256, unet_128, unet_N (a power of two), resnet_9blocks ... */
        const char *discriminator; /* patchgan, pixel */
        int ngf, ndf, n_layers;
        int blocks; /* star, sr, cycle: residual blocks of the generator (srvgg: its convolutions) */
        int down_blocks; /* cycle: of the generator that makes pictures small */
        int scale;       /* sr, cycle: how many times larger the output's sides are */
        int growth; /* sr, cycle: rrdbnet: channels that each convolution of a dense block adds */
        int hidden; /* sr: srgan_discriminator: width of its dense layer */
        int input_channels, output_channels; /* 1, 3 or 4 */
        const char *norm;                    /* batch, instance, none */
        bool dropout;
        const char *init; /* normal, xavier, kaiming, orthogonal, torch */
        double init_gain;
        bool spectral_norm; /* of the discriminator's convolutions */
    } net;

    struct {               /* loss.* */
        const char *gan;   /* a row of loss/list.h; vanilla is non_saturating */
        const char *pixel; /* l1, l2, smooth_l1, charbonnier */
        double gan_weight; /* of the adversarial loss in the generator's, 1; 0: none */
        double l1;         /* pix2pix: weight of the pixel loss, 100 */
        double pix;        /* sr: weight of the pixel loss, 1 */
        double perceptual; /* pix2pix, sr: weight of the distance in VGG's layers; 0: none */
        double style;      /* ... of the distance of their Gram matrices; 0: none */
        const char *perceptual_layers;    /* "conv5_3=1,conv1_2=0.1": layers and their weights */
        const char *perceptual_criterion; /* l1, l2 */
        const char *perceptual_model;     /* a file of VGG16 or VGG19; "": the installed VGG16 */
        double cycle;                     /* cycle: weight of the way there and back, 10 */
        double identity; /* weight of leaving alone what is there, times `cycle` (0.5) or `rec` */
        double cls, rec; /* star: weights of the domain's recognition, 1, and of the way back, 10 */
        double d;        /* weight of the discriminator's loss, 0.5 */
        double gp;       /* weight of the gradient penalty, 10 */
        const char
            *penalty;     /* where it looks: auto (wgan_gp's own), none, interpolates, real, fake */
        double gp_centre; /* the slope that it asks for, 1; 0 on real pictures is R1 */
        bool gp_one_sided; /* only steeper slopes are punished */
        double clip;       /* weight clipping of D after each step; 0: none (wgan: 0.01) */
        double orthogonal; /* weight of orthogonal regularisation of generators; 0: none */
        double smooth;     /* what a real picture's label lacks to 1; 0: nothing */
        double lsgan_fake, lsgan_real,
            lsgan_target;   /* labels: D's two, and what G wants: 0, 1, 1 */
        double noise;       /* deviation of the noise on all that D sees, at the start; 0: none */
        double noise_until; /* share of the run over which it falls to 0 */
    } loss;

    struct {              /* optim.* */
        const char *name; /* adam, rmsprop, sgd */
        double lr, beta1, beta2, eps, momentum, alpha, weight_decay;
        double lr_d;                /* the discriminators' rate; 0: lr */
        double clip_norm;           /* gradients longer than this are scaled down; 0: never */
        double ema;                 /* decay of the averaged generator weights; 0: none */
        double pixel_lr;            /* sr: rate of the first train.pixel_steps; 0: lr */
        const char *pixel_schedule; /* its course: constant, linear, cosine */
        const char *schedule;       /* constant, linear, step, multistep, cosine, cosine_restarts,
                                 plateau */
        double decay_from;      /* linear: the share of the run after which lr falls to 0, 0.5 */
        double gamma;           /* step, multistep, plateau: factor */
        int decay_every;        /* step: steps; plateau: validations without progress */
        const char *milestones; /* multistep, cosine_restarts: rising steps, separated by commas;
                                   "" for none */
        const char *restart_weights; /* cosine_restarts: of each period, by commas; "": all 1 */
        double min_lr;               /* cosine, cosine_restarts, plateau */
    } optim;

    struct {             /* train.* */
        const char *run; /* --run, "runs/FAMILY" */
        bool resume;
        const char *init;    /* --init: weights to start from */
        int64_t steps;       /* --steps: generator updates; 0: by epochs */
        int64_t epochs;      /* --epochs */
        int64_t pixel_steps; /* sr: the first of them, taken with the pixel loss alone */
        int batch;
        int pool; /* earlier generated pictures that discriminators see */
        uint64_t seed;
        int n_critic;
        int log_every, sample_every, checkpoint_every, keep;
        int samples; /* pictures in a sample grid */
    } train;

    struct {                /* val.* */
        int every;          /* steps; 0: at each checkpoint */
        const char *metric; /* ssim, psnr, l1, ssim_y, psnr_y, lpips */
        bool lpips;         /* sr: measured beside the others */
        int crop;           /* sr, and cycle with net.scale: the middle square of held-out pictures
                               that is looked at */
    } val;

    struct {       /* health.* */
        int every; /* steps between looks at the game's health; 0: never */
    } health;

    struct {                    /* translate: flags only */
        const char *model;      /* -m, --model */
        const char *direction;  /* --direction AtoB|BtoA; "": the model's own */
        int size;               /* --size: work at this size, then scale back; 0: as it is */
        const char *format;     /* --format png|jpg|webp|tiff|gif|ppm */
        int quality;            /* --quality; 0: the format's own */
        const char *norm_stats; /* --norm-stats image|running|default (the model's) */
        const char *dropout;    /* --dropout on|off|default */
        bool recursive, force, allow_truncated, strip;
        const char *failed_list, *files_from, *loaders, *background;
        const char *to, *edit; /* --to, --edit: a line each; "" for none */
        const char *labels;    /* --labels FILE: what the pictures have now */
        const char *domains;   /* --domains a,b,c: for models that name none */
        bool grid;             /* --grid: one sheet for each picture */
        int64_t max_pixels, max_temp;
    } translate;

    struct {                /* upscale: flags only, besides those of translate */
        const char *models; /* -m, --model MODEL[=WEIGHT]: a line each; "" for the installed one */
        double denoise;     /* --denoise: share of the first of two models */
        double scale;       /* --scale; 0: the network's */
        int width, height;  /* --width, --height; 0: as the other one, or the scale, has it */
        const char *fit;    /* --fit WxH, or "" */
        int tile, tile_pad; /* --tile; 0: chosen. --tile-pad */
        bool tta;
        const char *alpha;  /* --alpha network|bicubic */
        int64_t max_memory; /* --max-memory */
    } upscale;

    struct {                 /* bench: flags only */
        const char *network; /* --network unet_256 */
        const char *model;   /* -m MODEL */
        const char *size;    /* --size N, or WxH */
        int batch, repeat, width;
        bool training, profile;
    } bench;

    struct {          /* info: flags only */
        bool tensors; /* --tensors: list them all */
        bool models;  /* --models: the installed ones */
    } info;

    struct {                  /* eval: flags only */
        const char *metrics;  /* --metrics all, or a list */
        const char *channels; /* --channels rgb|y|both */
        int crop_border;      /* --crop-border N */
    } eval;

    struct {                   /* convert: flags only */
        const char *dtype;     /* --dtype f32|f16|bf16 */
        const char *direction; /* --direction: only that generator; "": all of them */
        const char *card;      /* --card: a file of text */
        bool force;
    } convert;

    struct {                    /* help: flags only */
        const char *completion; /* --completion bash */
        bool mdoc;              /* --mdoc: the option list of a manual page */
    } manual;

    /* every command */
    int threads;           /* 0: as many as this process may use */
    int64_t max_memory;    /* bytes; 0: no limit */
    const char *cpu;       /* kernel tier; "auto" */
    const char *precision; /* --precision f32|f16|bf16, of inference */
    bool json, quiet, dry_run, help;
    const char *config; /* --config FILE */
};

#endif
