/* Networks: what can be built, with which sizes, and how a weight file tells which one it is.
 *
 * A network is a row of src/net/list.h: its name, the table of its sizes, a builder that reads like
 * the paper's figure, and a rule that recognises it from a file's keys and shapes. Its sizes live
 * in a struct gx_network_spec, as integers by name ("ngf" = 64), so that the same table reads them
 * from JSON, writes them into a model's metadata, checks their ranges and prints them. */
#ifndef GANX_NETWORK_H
#define GANX_NETWORK_H

#include "ganx/graph.h"
#include "ganx/params.h"
#include "ganx/weights.h"

enum gx_norm_kind { GX_NORM_NONE, GX_NORM_BATCH, GX_NORM_INSTANCE };
enum gx_init_kind {
    GX_INIT_NORMAL,
    GX_INIT_XAVIER,
    GX_INIT_KAIMING,
    GX_INIT_ORTHOGONAL,
    GX_INIT_TORCH,
    GX_INIT_SR
};

enum { GX_SIZES_MAX = 12 };

struct gx_size_rule { /* one size of a network */
    const char *name; /* as in the reference's fixtures: cin, cout, ngf, downs, norm ... */
    int initial, low, high;
    const char *const *words; /* values by name (norm: none, batch ...; flags: no, yes), or NULL */
    const char *help;
};

struct gx_network;

struct gx_network_spec {
    const struct gx_network *network;
    int size[GX_SIZES_MAX]; /* in the order of network->sizes */
};

/* Where normalisation takes its statistics from, and whether random and moving parts are on. */
enum gx_stats {
    GX_STATS_BATCH,  /* of the tensor at hand: training, and "--norm-stats image" */
    GX_STATS_RUNNING /* the stored ones */
};
struct gx_build {
    struct gx_graph *graph;
    struct gx_params *params; /* declared on the first build, found again on later ones */
    const struct gx_network_spec *spec;
    enum gx_stats stats;
    bool dropout;        /* on, where the network has it */
    bool update_running; /* batch norm moves its running statistics (training) */
};

enum { GX_OUTPUTS_MAX = 8 };

struct gx_network {
    const char *name, *help;
    bool generator; /* picture to picture */
    bool apart;     /* what it makes of a picture never depends on the others of the batch */
    const struct gx_size_rule *sizes; /* ends with a NULL name */
    /* Builds it once more over x; label (n,1,1,c) or NULL. Gives the number of outputs. */
    int (*build)(const struct gx_build *b, struct gx_node *x, struct gx_node *label,
                 struct gx_node **out);
    /* Sets spec->size from a file's keys and shapes; 0, or -GX_E_FORMAT: it is not this network. */
    int (*infer)(struct gx_network_spec *spec, const struct gx_weights *file, const char *prefix);
    /* Pictures must have sides that are a multiple of this. */
    int (*multiple)(const struct gx_network_spec *spec);
    /* How many times larger the sides of its output are; NULL: as large as the input's. */
    int (*scale)(const struct gx_network_spec *spec);
    /* How many times smaller, of a network that makes pictures small; NULL: it does not. */
    int (*shrink)(const struct gx_network_spec *spec);
    /* How far an output pixel sees: pixels of the input on each side, beyond the one (or the
     * shrink x shrink) that it lies in, that it can depend on. NULL: as far as the picture goes (statistics over all of it). */
    int (*reach)(const struct gx_network_spec *spec);
    /* Recognises the names that people use for it with some sizes ("unet_256") and sets these; 0,
     * or -GX_E_CONFIG. May be NULL. */
    int (*named)(struct gx_network_spec *spec, const char *name);
    /* The size that a number after its name is, as in "rrdbnet_23"; NULL: there are no such names. */
    const char *numbered;
    const char *names; /* such names, for messages; NULL: just its own */
};

const struct gx_network *gx_network_find(const char *name);
const struct gx_network *gx_network_at(int i); /* NULL past the end */

/* All sizes at their initial values. */
struct gx_network_spec gx_network_spec_of(const struct gx_network *network);
/* One size by name; the getter gives 0 for a size that the network lacks. */
int gx_spec_get(const struct gx_network_spec *spec, const char *name);
bool gx_spec_has(const struct gx_network_spec *spec, const char *name);
GX_MUST_CHECK int gx_spec_set(struct gx_network_spec *spec, const char *name, int value,
                              struct gx_err *err);
/* The same; nothing where the network has no such size. */
GX_MUST_CHECK int gx_spec_set_if_any(struct gx_network_spec *spec, const char *name, int value,
                                     struct gx_err *err);
/* The same for a size whose values have words: "norm" = "instance". */
GX_MUST_CHECK int gx_spec_set_word(struct gx_network_spec *spec, const char *name, const char *word,
                                   struct gx_err *err);
/* {"network": "unet", "cin": 3, ...} and back; gives a text to free. Unknown keys, wrong types and
 * values out of range are -GX_E_CONFIG. */
char *gx_spec_to_json(const struct gx_network_spec *spec);
GX_MUST_CHECK int gx_spec_from_json(struct gx_network_spec *spec, const char *json,
                                    struct gx_err *err);
/* The names people use: unet_256, unet_128, resnet_9blocks, resnet_6blocks, patchgan, pixel ... */
GX_MUST_CHECK int gx_spec_from_name(struct gx_network_spec *spec, const char *name,
                                    struct gx_err *err);

/* How many times larger the sides of the output are; 1 for most networks. */
int gx_network_scale(const struct gx_network_spec *spec);
/* How many times smaller they are; 1 for most networks. */
int gx_network_shrink(const struct gx_network_spec *spec);
/* As gx_network.reach with these statistics; -1: as far as the picture goes. */
int gx_network_reach(const struct gx_network_spec *spec, enum gx_stats stats);

/* Declares every parameter without keeping a graph. */
GX_MUST_CHECK int gx_network_declare(const struct gx_network_spec *spec, struct gx_params *params,
                                     struct gx_err *err);

/* "normal", "xavier", "kaiming", "orthogonal", "torch", "sr"; -1 for another name. */
int gx_init_kind_named(const char *name);

/* First weights. normal: N(0, gain) for convolutions, N(1, gain) for norm weights, 0 for biases, as
 * the reference implementation; the others scale by fan as torch.nn.init does. torch: as PyTorch's
 * layers are made, uniform within 1 / sqrt(fan in), biases too, norm weights 1; no gain. sr: the
 * same, but for the convolutions of residual and dense blocks, which are kaiming's times 0.1 with
 * biases of 0, as BasicSR does. Running statistics become 0 and 1. Keyed by (seed, network name, tensor name): adding a tensor moves no other. */
void gx_params_initialise(struct gx_params *params, enum gx_init_kind kind, double gain,
                          uint64_t seed, const char *network);

/* Which network a file holds under a key prefix ("" or "G."). -GX_E_FORMAT says what was seen. */
GX_MUST_CHECK int gx_network_infer(struct gx_network_spec *spec, const struct gx_weights *file,
                                   const char *prefix, struct gx_err *err);
/* Reads every declared parameter from `prefix` + name. Missing or misshapen tensors and values that
 * are not finite: -GX_E_FORMAT, with the first five differences. Keys left over that the network
 * does not know are differences too, but for num_batches_tracked, an instance norm's running_*, and
 * the heads that a file has on VGG's features (torchvision's classifier, LPIPS' weights). Missing
 * running statistics keep 0 and 1. */
GX_MUST_CHECK int gx_params_load(struct gx_params *params, struct gx_weights *file,
                                 const char *prefix, struct gx_err *err);
/* The same check of names and shapes alone: nothing is read, and params need no memory yet. */
GX_MUST_CHECK int gx_params_fit(const struct gx_params *params, const struct gx_weights *file,
                                const char *prefix, struct gx_err *err);

/* ---- the same for other blocks of that layout: averaged weights, an optimizer's moments ---- */

enum gx_params_part {
    GX_PARTS_ALL,    /* a block as params->data: trained weights, then statistics */
    GX_PARTS_TRAINED /* a block as params->grad: trained weights only */
};

/* As gx_params_load, into `block`. On failure the block's contents are unspecified. */
GX_MUST_CHECK int gx_params_load_block(const struct gx_params *params, enum gx_params_part part,
                                       float *block, struct gx_weights *file, const char *prefix,
                                       struct gx_err *err);

/* The rows of a weight file to be, from as many networks and blocks as it holds:
 *   struct gx_entries rows = {0};
 *   gx_params_entries(&rows, g, GX_PARTS_ALL, "G.", GX_F32);   (and others)
 *   gx_weights_write_begin(&writer, path, rows.row, rows.count, ...);
 *   gx_params_write(g, GX_PARTS_ALL, g->data, writer, err);    (and others, in the same order)
 *   gx_weights_write_commit(&writer, err); gx_entries_clear(&rows); */
struct gx_entries {
    struct gx_weights_entry *row; /* owned, and their names too */
    int count;
};
/* Appends one row; `name` is copied. */
void gx_entries_add(struct gx_entries *entries, const char *name, enum gx_dtype dtype, int rank,
                    const int64_t *dims);
/* Appends prefix + name and the sizes on disk of every parameter of the part. */
void gx_params_entries(struct gx_entries *entries, const struct gx_params *params,
                       enum gx_params_part part, const char *prefix, enum gx_dtype dtype);
void gx_entries_clear(struct gx_entries *entries);
/* Writes the block's tensors, one at a time, in the order of gx_params_entries. */
GX_MUST_CHECK int gx_params_write(const struct gx_params *params, enum gx_params_part part,
                                  const float *block, struct gx_weights_writer *writer,
                                  struct gx_err *err);

#endif
