/* What a weight file says about the generator in it, without reading any weights: from the metadata
 * of our own files (family/model_keys.h), from names and shapes of others. */
#ifndef GX_MODEL_CARD_H
#define GX_MODEL_CARD_H

#include "ganx/network.h"

struct gx_card {
    const char *family;           /* the likeliest one where the file does not say */
    bool said;                    /* the file says it */
    const char *prefix;           /* of the generator's tensors */
    struct gx_network_spec spec;  /* of the generator */
    const char *direction;        /* AtoB, BtoA; "" where that means nothing */
    bool running;                 /* normalise by the stored statistics */
    bool dropout;                 /* stays on */
    const char *domains, *groups; /* names of the label's numbers, and which exclude each other: as
                                   * the file has them (model/domains.h), NULL where it says nothing */
    int size;                     /* of the training squares; 0: unknown */
    float low, high;              /* values of black and white */
};

/* Texts are constants or belong to `file`. -GX_E_FORMAT: no generator that is known, or metadata
 * that contradict themselves. */
GX_MUST_CHECK int gx_card_read(struct gx_card *card, const struct gx_weights *file,
                               struct gx_err *err);

/* Whether a command of that family may use it: what the file says, or what the network fits. */
bool gx_card_fits(const struct gx_card *card, const char *family);

/* The metadata of a model file with bare names: GX_CARD_TEXTS_MAX pairs at most, `count` of them
 * set. Free the texts with gx_card_texts_free. */
enum { GX_CARD_TEXTS_MAX = 10 };
struct gx_card_texts {
    struct gx_text_pair pair[GX_CARD_TEXTS_MAX];
    int count;
    char *network, size[16], range[40];
};
void gx_card_texts(struct gx_card_texts *texts, const struct gx_card *card);
void gx_card_texts_free(struct gx_card_texts *texts);

/* A path as people give it, a weight file or the folder of a run (its model.safetensors, else the
 * checkpoint that `best` or `latest` points to), as a file's path to free. -GX_E_IO. */
GX_MUST_CHECK int gx_model_find(const char *path, char **file, struct gx_err *err);

#endif
