/* VGG16 and VGG19 (Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale
 * image recognition", configurations D and E) without their classifiers: what perceptual losses and
 * LPIPS measure by.
 *
 * Five blocks of 3x3 convolutions with ReLU, a 2x2 max pool between blocks (odd sides lose a row or
 * column). Layers are called convB_K (before ReLU) and reluB_K (after), B from 1 to 5, K from 1 to
 * the convolutions of that block: 2 2 3 3 3 in VGG16, 2 2 4 4 4 in VGG19. Parameters are named as
 * torchvision's, and its classifier is ignored where a file has it. The size "width" is that of the
 * first block: 64 as published. */
#ifndef GX_NET_VGG_H
#define GX_NET_VGG_H

#include "ganx/network.h"

/* The named layers over x, RGB (or grey) in [0,1]; ImageNet's mean and deviation are applied
 * inside. Only what the layers need is built. 0, or a negative code with the error in the graph: an
 * unknown layer is -GX_E_CONFIG; x too small for a layer (4_x takes 8 pixels, 5_x 16) is found by
 * gx_graph_check. */
GX_MUST_CHECK int gx_vgg_features(const struct gx_build *b, struct gx_node *x,
                                  const char *const *layer, int layers, struct gx_node **out);

/* The same over what is normalised already; the network rows' own build does this for the last
 * ReLU of each block (LPIPS' layers in VGG16). */
GX_MUST_CHECK int gx_vgg_features_normalised(const struct gx_build *b, struct gx_node *x,
                                             const char *const *layer, int layers,
                                             struct gx_node **out);

/* One layer further on: x is the value of the layer `after` (NULL: the normalised picture), and
 * `layer` a later one; where it is none, x is given back. For those who use each layer at once, and
 * need not keep the others until then. */
struct gx_node *gx_vgg_next(const struct gx_build *b, struct gx_node *x, const char *after,
                            const char *layer);

/* (x - mean) / deviation by channel; a grey x becomes three channels. */
struct gx_node *gx_vgg_normalise(struct gx_graph *g, struct gx_node *x, const float mean[3],
                                 const float deviation[3]);

/* Whether the network is one of the two. */
bool gx_is_vgg(const struct gx_network *network);

#endif
