/* What a family of GANs gives the training loop: its networks, one training step as a graph in
 * phases, what the health of the game is measured by, and a view of what the generator does. A family is a row of list.h and a file of its own;
 * the loop (src/train) never asks which one it runs.
 *
 * A step is a list of phases split by optimizer steps. The loop loads a batch, runs phase 0, lets
 * the networks that the phase names take an optimizer step, runs phase 1, and so on; what an
 * earlier phase computed stays readable in later ones. Between phases, generated pictures may go
 * through a pool of earlier ones. After the last phase, every now and then, comes one that only
 * looks at the game's health. */
#ifndef GX_FAMILY_FAMILY_H
#define GX_FAMILY_FAMILY_H

#include "config/config.h"
#include "ganx/network.h"
#include "ganx/plan.h"

enum {
    GX_TRAINEES_MAX = 4,
    GX_SLOTS_MAX = 3, /* pictures in a sample: A and B, and the sharpened B of super-resolution */
    GX_PHASES_MAX = 4,
    GX_LOSSES_MAX = 16,
    GX_POOLS_MAX = 2,
    GX_WATCHES_MAX = 2,
    GX_COLUMNS_MAX = 26
};

/* What the pictures of a data set are labelled with: named domains or attributes. */
struct gx_label_kind {
    int count;      /* numbers in a label; 0: no labels */
    bool exclusive; /* each picture belongs to exactly one: softmax; else attributes: sigmoid */
    const char *const *name; /* [count], borrowed; NULL: numbered (benchmarks) */
    const int *group; /* [count], borrowed: equal numbers from 1 exclude each other, 0 goes with
                         every other; NULL: all 0 */
};

/* A network that is being trained. */
struct gx_trainee {
    const char *name; /* "G", "D": its tensors are "G.…" in checkpoints */
    struct gx_network_spec spec;
    struct gx_params params;
    bool generator;     /* belongs into the model file; EMA averages it */
    bool fixed;         /* never trained, not in checkpoints: its weights come from `file` */
    const char *file;   /* borrowed: a path, a run's folder, or the name of an installed model */
    const char *prefix; /* of its tensors there; NULL: none */
};

struct gx_game {
    const struct gx_family *family;
    const struct gx_config *config; /* borrowed */
    struct gx_label_kind labels;
    struct gx_trainee net[GX_TRAINEES_MAX];
    int nets;
    int slots, channels[GX_SLOTS_MAX]; /* of the pictures in a sample */
    int shrink[GX_SLOTS_MAX]; /* a slot's sides are 1/shrink of the sample's; never 0 after init */
    float low, high;          /* range of their values: -1 and 1 unless the family says otherwise */
    bool photos;           /* held-out pictures have sizes of their own: val.crop is seen of each */
    bool running;          /* generators in use take their norms' stored statistics */
    int down;              /* the network that makes pictures small; 0: none */
    int vgg;               /* the network that perceptual losses measure by; 0: none */
    bool pixels_only;      /* the step that is being built is one of the first train.pixel_steps */
    struct gx_node *noise; /* of the step that is being built */
};

struct gx_phase {
    unsigned update; /* bit k: network k takes an optimizer step afterwards */
    int repeat;      /* runs so often in one step, each on a batch of its own (n_critic) */
};

struct gx_loss {
    const char *name;      /* as the reference implementation logs it */
    struct gx_node *value; /* (1,1,1,1), kept */
};

/* After the phase that made it, a picture goes through the pool of train.pool pictures (Shrivastava
 * et al. 2017), and what comes out is written into an input of a later phase. */
struct gx_pool_tap {
    struct gx_node *made;  /* (batch,h,w,c), kept */
    struct gx_node *shown; /* an input of the same shape */
};

/* What the health measures look at: one discriminator and the generator that it plays against. */
struct gx_watch {
    const char *name;      /* "" or what tells it from the others: "A", "B" */
    int net, maker;        /* the discriminator, the generator */
    struct gx_node *label; /* that the generator was given, (batch,1,1,c); NULL: none */
    struct gx_node *r, *f; /* its raw outputs in its own turn, kept */
    struct gx_node *input, *output, *target; /* pictures of the generator's turn, kept: what it saw,
                                                what it made, real ones of that kind */
    struct gx_node *real, *fake; /* what D sees of target and output in the generator's turn; left
                                    NULL: them alone */
    /* Made by the health phase (family/health.c), kept, (1,1,1,1): the length of the adversarial
     * loss's gradient to `output`; the sum of its absolute gradients to D's outputs, which is 1 for
     * a loss that is as steep as its argument (both NULL without an adversarial loss); and how far
     * apart the generator's answers to two inputs are, and these inputs: mean absolute
     * differences. */
    struct gx_node *gradient, *slope, *moved, *differ;
    struct gx_node *earlier; /* an input for the second of these, where a batch is one picture */
};

struct gx_step {
    struct gx_graph *graph;
    struct gx_node *input[GX_SLOTS_MAX];
    /* (batch,1,1,labels.count): the pictures' labels, and those that they shall get, which are a
     * permutation of the batch's; NULL for families without. */
    struct gx_node *label, *wanted;
    struct gx_node *noise; /* (1,1,1,1): deviation of the noise on what D sees; NULL: none */
    struct gx_pool_tap pool[GX_POOLS_MAX];
    int pools;
    struct gx_watch watch[GX_WATCHES_MAX];
    int watches;
    int health; /* number of the health phase, which is not among `phases`; -1: none */
    struct gx_phase phase[GX_PHASES_MAX];
    int phases;
    struct gx_loss loss[GX_LOSSES_MAX];
    int losses;
    struct gx_loss measure[GX_LOSSES_MAX]; /* logged beside the losses: accuracies */
    int measures;
};

/* Columns of a sample grid; the pair that validation measures. */
struct gx_preview {
    struct gx_graph *graph;
    struct gx_node *input[GX_SLOTS_MAX];
    struct gx_node *label; /* of the picture; NULL for families without */
    struct {
        const char *title;
        struct gx_node *value; /* kept */
    } column[GX_COLUMNS_MAX];
    int columns;
    int left_out;                    /* more of them that did not fit */
    struct gx_node *output, *target; /* target is of use where held-out pictures are pairs */
};

struct gx_family {
    const char *name, *summary;
    const char *layout;           /* of its data sets: a row of src/image's layout table */
    const char *layout_enlarging; /* the same where net.scale is over 1; NULL: no other */
    /* Chooses the networks (spec and name of each) and the slots. -GX_E_CONFIG. */
    int (*setup)(struct gx_game *game, struct gx_err *err);
    /* The graph of one step over samples of (batch, h, w); slot k has h / shrink[k] by w / shrink[k].
     * Errors are the graph's. */
    void (*build_step)(struct gx_game *game, int batch, int h, int w, struct gx_step *step);
    /* The generator at work, as `translate` would use it. */
    void (*build_preview)(struct gx_game *game, int batch, int h, int w,
                          struct gx_preview *preview);
};

extern const struct gx_family *const gx_families[]; /* ends with NULL */
const struct gx_family *gx_family_find(const char *name);

/* setup, then every network's parameters declared and laid out; nothing is allocated. `labels`: of
 * the data set; NULL: it has none. */
GX_MUST_CHECK int gx_game_init(struct gx_game *game, const struct gx_family *family,
                               const struct gx_config *config, const struct gx_label_kind *labels,
                               struct gx_err *err);
void gx_game_clear(struct gx_game *game);

/* The family's build_step, and the health phase behind it. */
void gx_game_build_step(struct gx_game *game, int batch, int h, int w, struct gx_step *step);
/* The same for the first train.pixel_steps, which see the pixel loss alone. */
void gx_game_build_pixel_step(struct gx_game *game, int batch, int h, int w, struct gx_step *step);

/* For the plan of the step: which phases repeat (gx_plan_settings.repeated_phases); and the
 * operations of a whole step, with every repetition. */
uint64_t gx_step_repeated(const struct gx_step *step);
double gx_step_flops(const struct gx_step *step, const struct gx_plan *plan);

/* ---- for families ---- */

/* A network by the name that people use, in the role it is wanted for, and of the kind that has the
 * size `has` ("ngf"). -GX_E_CONFIG: another, with the names of those that the family can take. */
GX_MUST_CHECK int gx_game_choose(struct gx_game *game, int net, const char *name, bool generator,
                                 const char *has, struct gx_err *err);
/* The same for translators between pictures of c channels and their judges: name, channels, and the
 * sizes that net.* says for it. */
GX_MUST_CHECK int gx_game_choose_translator(struct gx_game *game, int net, int cin, int cout,
                                            struct gx_err *err);
GX_MUST_CHECK int gx_game_choose_judge(struct gx_game *game, int net, int cin, struct gx_err *err);
/* And for networks that enlarge pictures net.scale times. */
GX_MUST_CHECK int gx_game_choose_enlarger(struct gx_game *game, int net, struct gx_err *err);

/* The k-th network applied to x, as training does (batch statistics, dropout, running statistics
 * moved) or as translation does. Gives its first output. */
struct gx_node *gx_game_train(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *x);
struct gx_node *gx_game_use(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *x);
/* The same for networks with a label (NULL: none) or several outputs. */
void gx_game_apply(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *x,
                   struct gx_node *label, bool training, struct gx_node *out[GX_OUTPUTS_MAX]);

/* Adds a loss that is logged: named, kept, and given back. */
struct gx_node *gx_step_log(struct gx_step *step, const char *name, struct gx_node *value);
/* Likewise a measure: no player minimises it. */
struct gx_node *gx_step_measure(struct gx_step *step, const char *name, struct gx_node *value);
/* The picture that a pool of train.pool earlier ones gives for `made`: an input that the loop fills
 * between phases. `made` itself, without gradient, where train.pool is 0. */
struct gx_node *gx_step_pool(struct gx_game *game, struct gx_step *step, struct gx_node *made);
/* Names what the health measures shall look at. */
void gx_step_watch(struct gx_step *step, const struct gx_watch *watch);
/* Adds a column to the sample grid: kept, and given back. */
struct gx_node *gx_preview_column(struct gx_preview *preview, const char *title,
                                  struct gx_node *value);

#endif
