/* The parity walker: networks, objectives, penalties and training steps held against PyTorch's.
 *
 * A fixture is a folder with a fixture.json that says by machine what to build and run, and files
 * of PyTorch's tensors (NCHW) and PNG pictures. Everything is read from those files: widths,
 * depths, seeds, tolerances. A kind of fixture is one file here and one row in parity.c. */
#ifndef GX_TESTS_PARITY_H
#define GX_TESTS_PARITY_H

#include "ganx/network.h"
#include "image/metrics.h"

#include <jansson.h>

/* ---- what is said, and counted ---- */

struct parity {
    int passed, failed, skipped;
};

struct fixture {
    const char *folder, *name; /* where it is, and what it is called */
    const json_t *json;        /* fixture.json */
    struct parity *parity;     /* counts */
};

/* One comparison: a line, and ok when deviation <= tolerance (not a number is not). */
void parity_check(const struct fixture *f, double deviation, double tolerance, const char *format,
                  ...) GX_PRINTF(4, 5);
/* Something that could not be compared and should have been. */
void parity_failed(const struct fixture *f, const char *why);
/* What this program does not know yet. */
void parity_skipped(const struct fixture *f, const char *format, ...) GX_PRINTF(2, 3);
/* For information; not counted. */
void parity_note(const struct fixture *f, double value, const char *format, ...) GX_PRINTF(3, 4);

/* The kinds. Errors are of the fixture as a whole: what was compared before stays counted. */
GX_MUST_CHECK int parity_forward(const struct fixture *f, struct gx_err *err);
GX_MUST_CHECK int parity_bicubic(const struct fixture *f, struct gx_err *err); /* of metrics */
GX_MUST_CHECK int parity_gradient_penalty(const struct fixture *f, struct gx_err *err);
GX_MUST_CHECK int parity_lpips(const struct fixture *f, struct gx_err *err);
GX_MUST_CHECK int parity_metrics(const struct fixture *f, struct gx_err *err);
GX_MUST_CHECK int parity_objectives(const struct fixture *f, struct gx_err *err);
GX_MUST_CHECK int parity_spectral_norm(const struct fixture *f, struct gx_err *err);
GX_MUST_CHECK int parity_train(const struct fixture *f, struct gx_err *err);

/* ---- reading fixtures ---- */

struct fixture_tensor { /* NHWC; (n,c) is (n,1,1,c), and (n) is (n,1,1,1) */
    struct gx_shape shape;
    float *data; /* free it */
};

/* A text, a number, a file of the fixture by key; -GX_E_FORMAT when it is not there. */
GX_MUST_CHECK int fixture_text(const json_t *object, const char *key, const char **text,
                               struct gx_err *err);
GX_MUST_CHECK int fixture_number(const json_t *object, const char *key, double *number,
                                 struct gx_err *err);
GX_MUST_CHECK int fixture_open(const struct fixture *f, const char *file,
                               struct gx_weights **weights, struct gx_err *err);
/* A text or number that may be absent. */
const char *fixture_word(const json_t *object, const char *key, const char *otherwise);
double fixture_value(const json_t *object, const char *key, double otherwise);

GX_MUST_CHECK int fixture_tensor(struct gx_weights *file, const char *name,
                                 struct fixture_tensor *t, struct gx_err *err);
/* "FILE:TENSOR". */
GX_MUST_CHECK int fixture_tensor_at(const struct fixture *f, const char *where,
                                    struct fixture_tensor *t, struct gx_err *err);

/* Whether every network of the description is one that this program knows; says so if not. */
bool fixture_networks_known(const struct fixture *f, const json_t *net);
/* The network of a description such as {"network": "unet", "downs": 6, ...}. */
GX_MUST_CHECK int fixture_spec(struct gx_network_spec *spec, const json_t *net, struct gx_err *err);
/* Declares, allocates and loads its parameters from the tensors under a prefix. */
GX_MUST_CHECK int fixture_params(const struct gx_network_spec *spec, struct gx_params *params,
                                 struct gx_weights *file, const char *prefix, struct gx_err *err);

/* The largest difference over the largest magnitude of what was expected. */
double fixture_deviation(const float *got, const float *want, int64_t count);

/* ---- pictures ---- */

struct fixture_picture { /* 8 bits a channel: grey, grey + alpha, RGB or RGBA */
    int w, h, c;
    unsigned char *data; /* free it */
};

/* Reads an 8-bit PNG without interlacing or palette, and makes it `channels` wide (0: as it is):
 * colour becomes grey as PIL's convert("L"), missing alpha is opaque. */
GX_MUST_CHECK int fixture_picture(const char *path, int channels, struct fixture_picture *picture,
                                  struct gx_err *err);

/* The pictures called "a" and "b" in `names`, relative to a folder, as colour in 0..1. */
struct fixture_pair {
    struct gx_pair of;
    float *data[2];
};
GX_MUST_CHECK int fixture_pair(const char *folder, const json_t *names, struct fixture_pair *pair,
                               struct gx_err *err);
void fixture_pair_free(struct fixture_pair *pair);

#endif
