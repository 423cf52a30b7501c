/* Spectral norm of a convolution's weights (Miyato et al. 2018, "Spectral normalization for
 * generative adversarial networks"): W / sigma, with sigma the largest singular value of W seen as
 * a matrix (o, i kh kw), found by power iteration.
 *
 * A training pass (b->update_running) first takes one iteration, v = W^T u / |.|, u = W v / |.|,
 * and keeps u and v; others take them as they are. Gradients go through sigma = u^T W v to W, not
 * to u and v. Parity: torch.nn.utils.spectral_norm, its names and its order of v (i, kh, kw). */
#ifndef GX_NET_SPECTRAL_H
#define GX_NET_SPECTRAL_H

#include "ganx/network.h"

/* The normalised weight (kh,kw,i,o) from NAME.weight_orig, with the state NAME.weight_u (o) and
 * NAME.weight_v (i kh kw). */
struct gx_node *gx_spectral_weight(const struct gx_build *b, struct gx_shape shape,
                                   const char *name);

#endif
