/* What a weight file says about the generators in it, without reading any weights: from the metadata
 * of our own files (family/model_keys.h), from names and shapes of others. */
#ifndef GX_MODEL_CARD_H
#define GX_MODEL_CARD_H

#include "ganx/network.h"

enum { GX_GENERATORS_MAX = 2 };

struct gx_generator {      /* one that the file holds */
    const char *name;      /* "G_A"; "" where the names of its tensors are bare */
    const char *prefix;    /* of its tensors: "", "G_A.", "average.G_A." */
    const char *direction; /* AtoB, BtoA; "": the file does not say, or it means nothing */
    struct gx_network_spec spec;
};

struct gx_card {
    const char *family; /* the likeliest one where the file does not say */
    bool said;          /* the file says it */
    struct gx_generator generator[GX_GENERATORS_MAX];
    int generators; /* 1, or 2: there and back */
    /* of the generator that is used, the first one until gx_card_choose */
    const char *prefix;
    struct gx_network_spec spec;
    const char *direction;
    /* of all */
    bool running;                 /* normalise by the stored statistics */
    bool dropout;                 /* stays on, where a network has it */
    const char *domains, *groups; /* names of the label's numbers, and which exclude each other: as
                                   * the file has them (model/domains.h), NULL where it says nothing */
    int size;                     /* of the training squares; 0: unknown */
    float low, high;              /* values of black and white */
};

/* Texts are constants or belong to `file`. -GX_E_FORMAT: no generator that is known, or metadata
 * that contradict themselves. */
GX_MUST_CHECK int gx_card_read(struct gx_card *card, const struct gx_weights *file,
                               struct gx_err *err);

/* Uses the generator of that direction ("AtoB", "BtoA"; NULL or "": the first). One whose file does
 * not say what it does is taken at the asker's word. -GX_E_FORMAT: there is only the other one, or
 * it translates between domains; -GX_E_USAGE: no such direction. */
GX_MUST_CHECK int gx_card_choose(struct gx_card *card, const char *direction, struct gx_err *err);

/* Whether a command of that family may use it: what the file says, or what the network fits. */
bool gx_card_fits(const struct gx_card *card, const char *family);

/* gx_network_reach with the statistics that it is used with. */
int gx_card_reach(const struct gx_card *card);

/* The metadata of a model file of these generators, a single one under bare names:
 * GX_CARD_TEXTS_MAX pairs at most, `count` of them set. Free the texts with gx_card_texts_free. */
enum { GX_CARD_TEXTS_MAX = 11 };
struct gx_card_texts {
    struct gx_text_pair pair[GX_CARD_TEXTS_MAX];
    int count;
    char *network[GX_GENERATORS_MAX], key[GX_GENERATORS_MAX][32], size[16], range[40];
};
void gx_card_texts(struct gx_card_texts *texts, const struct gx_card *card);
void gx_card_texts_free(struct gx_card_texts *texts);

#endif
