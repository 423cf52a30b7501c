/* What degrade.* of the configuration means for the data set's samples. */
#ifndef GX_TRAIN_DEGRADATION_H
#define GX_TRAIN_DEGRADATION_H

#include "config/config.h"
#include "image/degrade.h"

struct gx_degrading {
    struct gx_degradation training, held; /* held-out pictures: bicubic, whatever the kind is */
    struct gx_usm usm;                    /* of use where config->degrade.usm */
};

/* -GX_E_CONFIG names the key. */
GX_MUST_CHECK int gx_degrading_init(struct gx_degrading *d, const struct gx_config *config,
                                    struct gx_err *err);

#endif
