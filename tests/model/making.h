/* Model files of the tests' own, with random weights. */
#ifndef GX_TESTS_MODEL_MAKING_H
#define GX_TESTS_MODEL_MAKING_H

struct recipe {
    const char *network, *sizes; /* "ngf=4,downs=6" */
    const char *key, *value;     /* one more text, or NULL */
    float gain;
    const char *more_key, *more_value; /* and another */
};

/* Writes folder/name; the path is good until the next call. */
const char *make_model(const char *folder, const char *name, const struct recipe *recipe);

#endif
