/* A training fixture's recipe as the configuration of a family: what its weights and its log mean
 * there. A family that the walker knows is a row in recipe.c. */
#ifndef GX_TESTS_PARITY_RECIPE_H
#define GX_TESTS_PARITY_RECIPE_H

#include "parity.h"

#include "config/config.h"
#include "family/family.h"

/* What of the recipe this program cannot follow, in `text`; NULL: nothing. */
const char *recipe_unknown(const struct fixture *f, char *text, size_t size);

/* The fixture's recipe in a configuration of its family; the labels of its data. Sizes that no
 * configuration names (a norm for D of its own) are left to the caller. */
GX_MUST_CHECK int recipe_configure(const struct fixture *f, struct gx_config *config,
                                   struct gx_label_kind *labels, struct gx_err *err);

/* What the fixture logs of a loss that the family logs as `value`: weighted or not. */
double recipe_as_logged(const struct fixture *f, const struct gx_config *config, const char *name,
                        double value);

#endif
