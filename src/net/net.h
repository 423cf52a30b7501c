/* What the network files share: their rows, the words of a norm, and reading sizes off a file. */
#ifndef GX_NET_NET_H
#define GX_NET_NET_H

#include "ganx/network.h"

#define GX_NETWORK(name) extern const struct gx_network gx_network_##name;
#include "net/list.h"
#undef GX_NETWORK

extern const char *const gx_norm_words[]; /* none, batch, instance: enum gx_norm_kind */
extern const char *const gx_flag_words[]; /* no, yes */

/* Rows that several size tables have: a generator's pictures, a discriminator's, the norm. */
#define GX_SIZES_TRANSLATED                                                                        \
    {"cin", 3, 1, 64, NULL, "channels of the input"},                                              \
    {                                                                                              \
        "cout", 3, 1, 64, NULL, "channels of the output"                                           \
    }
/* Of SRResNet and what came of it. */
#define GX_SIZES_RESIDUAL                                                                          \
    GX_SIZES_TRANSLATED, {"nf", 64, 1, 1024, NULL, "channels of the convolutions"},                \
        {"nb", 16, 1, 256, NULL, "residual blocks"},                                               \
    {                                                                                              \
        "scale", 4, 2, 4, NULL, "how many times larger the output's sides are"                     \
    }
#define GX_SIZES_JUDGED                                                                            \
    {                                                                                              \
        "cin", 3, 1, 128, NULL, "channels of what is judged: input and output together in pix2pix" \
    }
#define GX_SIZE_NORM(initial)                                                                      \
    {                                                                                              \
        "norm", (initial), 0, GX_NORM_INSTANCE, gx_norm_words, "normalisation"                     \
    }

#define GX_SIZE_SPECTRAL                                                                           \
    {                                                                                              \
        "spectral", 0, 0, 1, gx_flag_words, "spectral norm of every convolution"                   \
    }

/* ---- for infer: what a file says ---- */

/* The tensor `prefix` + the printf-formed name, if it is there with this rank; else NULL. */
const struct gx_tensor_info *gx_seen(const struct gx_weights *file, const char *prefix, int rank,
                                     const char *format, ...) GX_PRINTF(4, 5);
/* A convolution's weight, which is NAME.weight_orig under spectral norm; NULL: neither. */
const struct gx_tensor_info *gx_seen_conv(const struct gx_weights *file, const char *prefix,
                                          const char *format, ...) GX_PRINTF(3, 4);
/* Whether the convolution has spectral norm. */
bool gx_seen_spectral(const struct gx_weights *file, const char *prefix, const char *conv);
/* The norm after a convolution: batch norm has weights of its own, instance norm leaves the
 * convolution its bias, and without a norm the reference has neither. Old files keep running
 * statistics for instance norms too: they say nothing. */
enum gx_norm_kind gx_seen_norm(const struct gx_weights *file, const char *prefix, const char *conv,
                               const char *norm);
/* Sets a size that a file claims; true if it is in range. */
bool gx_seen_size(struct gx_network_spec *spec, const char *name, int64_t value);

/* A multiple() for networks that take any picture. */
int gx_multiple_one(const struct gx_network_spec *spec);
/* A scale() for networks with a size of that name. */
int gx_scale_size(const struct gx_network_spec *spec);
/* SRResNet's way to scale 2, 3 or 4: pixel-shuffles, of which x4 has two, and the factor of each. */
int gx_enlargings(const struct gx_network_spec *spec);
int gx_enlarging_factor(const struct gx_network_spec *spec);

/* ---- for reach: the walk back from an output pixel ---- */

/* Pixels of a layer, along one side, on which the output pixel depends. */
struct gx_sight {
    int from, to; /* both are among them */
};
/* Of a layer's output -> of its input. */
struct gx_sight gx_before_conv(struct gx_sight s, int kernel);      /* odd, stride 1, same size */
struct gx_sight gx_before_enlarging(struct gx_sight s, int factor); /* nearest, pixel-shuffle */
struct gx_sight gx_before_unshuffle(struct gx_sight s, int factor);
/* A reach(): `before` goes back from a pixel of the output to the network's input. What is true of
 * the first `period` output pixels is true of all. */
int gx_reach_of(const struct gx_network_spec *spec, int period,
                struct gx_sight (*before)(const struct gx_network_spec *spec, struct gx_sight s));

#endif
