/* The texts in a model's or checkpoint's metadata: what training writes and translation reads.
 *
 * A file of two generators has "G_A.…", which does what ganx.direction says (AtoB where it says
 * nothing), and "G_B.…", which does the opposite. */
#ifndef GX_FAMILY_MODEL_KEYS_H
#define GX_FAMILY_MODEL_KEYS_H

#define GX_KEY_FAMILY     "ganx.family"    /* "pix2pix" */
#define GX_KEY_NETWORK    "ganx.network"   /* sizes as JSON; of prefixed tensors "ganx.network.G" */
#define GX_KEY_DIRECTION  "ganx.direction" /* "AtoB", "BtoA": of the only generator, or of G_A */
#define GX_KEY_NORM_STATS "ganx.norm_stats" /* "image", "running": the default of translate */
#define GX_KEY_DROPOUT    "ganx.dropout"    /* "on", "off": likewise */
#define GX_KEY_SIZE       "ganx.size"       /* pictures in training had sides of this many pixels */
#define GX_KEY_RANGE      "ganx.value_range" /* "-1,1" */
#define GX_KEY_DOMAINS    "ganx.domains"     /* ["black_hair", ...]: names in the label's order */
#define GX_KEY_DOMAIN_GROUPS                                                                       \
    "ganx.domain_groups"            /* [["black_hair", "blond_hair"]]: one of each at most */
#define GX_KEY_STEP   "ganx.step"   /* generator updates */
#define GX_KEY_CARD   "ganx.card"   /* what the model is and was made of, in words (models/) */
#define GX_KEY_CONFIG "ganx.config" /* checkpoints: the resolved configuration, YAML */

/* What names of tensors start with: of a lone generator in a checkpoint "G.", where a model file
 * has bare names; of two, in both, "G_A." and "G_B.". Where a checkpoint has averaged weights
 * ("average.G.", "average.G_A.") they are the model. */
#define GX_PREFIX_AVERAGE "average."

#endif
