/* Pieces that networks are built from. Each declares its parameters under a printf-formed name (the
 * reference state_dict's key without ".weight") and appends its nodes; errors are the graph's. */
#ifndef GX_NET_LAYERS_H
#define GX_NET_LAYERS_H

#include "ganx/network.h"

struct gx_layer_conv { /* a convolution's own sizes; channels come from the call */
    int kernel, stride, pad;
    int output_padding; /* transposed only */
};

/* x (n,h,w,i) -> (n,h',w',out): parameters NAME.weight and, if asked, NAME.bias. */
struct gx_node *gx_layer_conv(const struct gx_build *b, struct gx_node *x, int out,
                              struct gx_layer_conv conv, bool bias, const char *format, ...)
    GX_PRINTF(6, 7);
/* The same with spectral norm (see spectral.h). gx_layer_conv has it too, where the network's size
 * "spectral" says so. */
struct gx_node *gx_layer_conv_spectral(const struct gx_build *b, struct gx_node *x, int out,
                                       struct gx_layer_conv conv, bool bias, const char *format,
                                       ...) GX_PRINTF(6, 7);
struct gx_node *gx_layer_conv_transposed(const struct gx_build *b, struct gx_node *x, int out,
                                         struct gx_layer_conv conv, bool bias, const char *format,
                                         ...) GX_PRINTF(6, 7);

/* Batch norm: affine, with running statistics (momentum 0.1, unbiased variance). Instance norm:
 * neither. None: x. eps 1e-5. */
struct gx_node *gx_layer_norm(const struct gx_build *b, struct gx_node *x, enum gx_norm_kind kind,
                              const char *format, ...) GX_PRINTF(4, 5);
/* StarGAN's instance norm: affine, with running statistics that are the mean over the batch. */
struct gx_node *gx_layer_instance_norm_tracked(const struct gx_build *b, struct gx_node *x,
                                               const char *format, ...) GX_PRINTF(3, 4);

/* Reflects `side` pixels on every side. */
struct gx_node *gx_layer_reflect(const struct gx_build *b, struct gx_node *x, int side);

#endif
