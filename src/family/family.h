/* What a family of GANs gives the training loop: its networks, one training step as a graph in
 * phases, and a view of what the generator does. A family is a row of list.h and a file of its own;
 * the loop (src/train) never asks which one it runs.
 *
 * A step is a list of phases split by optimizer steps. The loop loads a batch, runs phase 0, lets
 * the networks that the phase names take an optimizer step, runs phase 1, and so on; what an
 * earlier phase computed stays readable in later ones. */
#ifndef GX_FAMILY_FAMILY_H
#define GX_FAMILY_FAMILY_H

#include "config/config.h"
#include "ganx/network.h"

enum {
    GX_TRAINEES_MAX = 4,
    GX_SLOTS_MAX = 2, /* pictures in a sample: A and B */
    GX_PHASES_MAX = 4,
    GX_LOSSES_MAX = 16,
    GX_COLUMNS_MAX = 8
};

/* A network that is being trained. */
struct gx_trainee {
    const char *name; /* "G", "D": its tensors are "G.…" in checkpoints */
    struct gx_network_spec spec;
    struct gx_params params;
    bool generator; /* belongs into the model file; EMA averages it */
};

struct gx_game {
    const struct gx_family *family;
    const struct gx_config *config; /* borrowed */
    struct gx_trainee net[GX_TRAINEES_MAX];
    int nets;
    int slots, channels[GX_SLOTS_MAX]; /* of the pictures in a sample, in [-1, 1] */
};

struct gx_phase {
    unsigned update; /* bit k: network k takes an optimizer step afterwards */
    int repeat;      /* runs so often in one step, each on a batch of its own (n_critic) */
};

struct gx_loss {
    const char *name;      /* as the reference implementation logs it */
    struct gx_node *value; /* (1,1,1,1), kept */
};

struct gx_step {
    struct gx_graph *graph;
    struct gx_node *input[GX_SLOTS_MAX];
    struct gx_phase phase[GX_PHASES_MAX];
    int phases;
    struct gx_loss loss[GX_LOSSES_MAX];
    int losses;
};

/* Columns of a sample grid; the pair that validation measures. */
struct gx_preview {
    struct gx_graph *graph;
    struct gx_node *input[GX_SLOTS_MAX];
    struct {
        const char *title;
        struct gx_node *value; /* kept */
    } column[GX_COLUMNS_MAX];
    int columns;
    struct gx_node *output, *target;
};

struct gx_family {
    const char *name, *summary;
    const char *layout; /* of its data sets: a row of src/image's layout table */
    /* Chooses the networks (spec and name of each) and the slots. -GX_E_CONFIG. */
    int (*setup)(struct gx_game *game, struct gx_err *err);
    /* The graph of one step over pictures (batch, h, w). Errors are the graph's. */
    void (*build_step)(struct gx_game *game, int batch, int h, int w, struct gx_step *step);
    /* The generator at work, as `translate` would use it. */
    void (*build_preview)(struct gx_game *game, int batch, int h, int w,
                          struct gx_preview *preview);
};

extern const struct gx_family *const gx_families[]; /* ends with NULL */
const struct gx_family *gx_family_find(const char *name);

/* setup, then every network's parameters declared and laid out; nothing is allocated. */
GX_MUST_CHECK int gx_game_init(struct gx_game *game, const struct gx_family *family,
                               const struct gx_config *config, struct gx_err *err);
void gx_game_clear(struct gx_game *game);

/* For families: the k-th network applied to x, as training does (batch statistics, dropout, running
 * statistics moved) or as translation does. Gives its first output. */
struct gx_node *gx_game_train(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *x);
struct gx_node *gx_game_use(struct gx_game *game, struct gx_graph *g, int net, struct gx_node *x);

/* Adds a loss that is logged: named, kept, and given back. */
struct gx_node *gx_step_log(struct gx_step *step, const char *name, struct gx_node *value);

#endif
