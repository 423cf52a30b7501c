/* The names of a label's numbers: the domains or attributes that a model was trained on, and which
 * of them exclude each other. */
#ifndef GX_MODEL_DOMAINS_H
#define GX_MODEL_DOMAINS_H

#include "ganx/error.h"
#include "util/arena.h"

struct gx_domains { /* in an arena */
    int count;
    const char *const *name; /* in the label's order */
    const int *group;        /* from 1; 0 for a domain that goes with every other */
};

/* Names and groups of a label of `count` numbers. `names` and `groups` are a model file's metadata
 * ("ganx.domains": a JSON array of names, "ganx.domain_groups": of arrays of names), each may be
 * NULL; without names they are "1", "2", ... `asked` (may be NULL) is a list separated by commas
 * that takes the names' place.
 * -GX_E_FORMAT: metadata that are no such lists, or name another number of domains, one twice, or
 * one in two groups; -GX_E_USAGE: `asked` has another number of names, an empty one or one twice. */
GX_MUST_CHECK int gx_domains_read(struct gx_domains *domains, struct gx_arena *arena, int count,
                                  const char *names, const char *groups, const char *asked,
                                  struct gx_err *err);

#endif
