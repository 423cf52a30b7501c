/* Pieces that networks are built from. Each declares its parameters under a printf-formed name (the
 * reference state_dict's key without ".weight") and appends its nodes; errors are the graph's. */
#ifndef GX_NET_LAYERS_H
#define GX_NET_LAYERS_H

#include "ganx/network.h"

struct gx_layer_conv { /* a convolution's own sizes; channels come from the call */
    int kernel, stride, pad;
    int output_padding; /* transposed only */
    bool small;         /* starts near zero where the initialisation is "sr" (gx_param.small) */
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

/* PReLU: NAME.weight has a slope for each channel, or one for all. */
struct gx_node *gx_layer_prelu(const struct gx_build *b, struct gx_node *x, int slopes,
                               const char *format, ...) GX_PRINTF(4, 5);
/* x (n,1,1,i) -> (n,1,1,out): NAME.weight and NAME.bias. */
struct gx_node *gx_layer_linear(const struct gx_build *b, struct gx_node *x, int out,
                                const char *format, ...) GX_PRINTF(4, 5);
/* (n,h,w,c) -> (n,side,side,c): means of windows that may overlap, as torch's AdaptiveAvgPool2d:
 * window i of a side of s pixels is from floor(i s / side) up to ceil((i + 1) s / side). */
struct gx_node *gx_layer_adaptive_pool(const struct gx_build *b, struct gx_node *x, int side);
/* (n,h,w,c) -> (n,1,1,chw) in PyTorch's order: c outermost. */
struct gx_node *gx_layer_flatten(const struct gx_build *b, struct gx_node *x);

/* Reflects `side` pixels on every side. */
struct gx_node *gx_layer_reflect(const struct gx_build *b, struct gx_node *x, int side);

#endif
