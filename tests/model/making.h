/* Model files of the tests' own, with random weights. */
#ifndef GX_TESTS_MODEL_MAKING_H
#define GX_TESTS_MODEL_MAKING_H

#include "ganx/model.h"

struct recipe {
    const char *network, *sizes; /* "ngf=4,downs=6" */
    const char *key, *value;     /* one more text, or NULL */
    float gain;
    const char *more_key, *more_value; /* and another */
};

/* A test program's own folder, from when its group is set up until it is torn down. */
extern char made[256];
int make_folder(void **state);
int remove_folder(void **state);

/* Writes folder/name; the path is good until the next call. */
const char *make_model(const char *folder, const char *name, const struct recipe *recipe);

/* A model that must open. */
struct gx_model *open_model(const char *path, const struct gx_model_settings *settings);
/* The error that opening gives, which must have this code. */
const char *refused(const char *path, const struct gx_model_settings *settings, int code);

#endif
