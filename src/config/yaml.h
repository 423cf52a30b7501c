/* YAML as ganx takes it: one document, mappings of scalars, and lists of scalars; plain data. */
#ifndef GX_CONFIG_YAML_H
#define GX_CONFIG_YAML_H

#include "ganx/error.h"
#include "util/arena.h"

#include <stdbool.h>
#include <stddef.h>

enum { GX_YAML_BYTES_MAX = 1 << 20, GX_YAML_DEPTH_MAX = 8 };

enum gx_yaml_kind { GX_YAML_PLAIN, GX_YAML_QUOTED, GX_YAML_LIST, GX_YAML_SECTION };

struct gx_yaml_entry {
    enum gx_yaml_kind kind;
    const char *key;   /* the whole path: "data.load_size" */
    const char *value; /* a list's scalars are joined with commas; "" for a section */
    int line, column;  /* of the key, from 1 */
    int value_line, value_column;
};

struct gx_yaml {
    struct gx_yaml_entry *entry;
    int count;
};

/* Reads all entries in their order into the arena (the array itself too). -GX_E_CONFIG, with the
 * place as "name:line:col: ": text over a MiB, nesting over 8 levels, broken syntax or encoding, a
 * second document, anchors, aliases, tags, directives, merge keys, a key given twice. */
GX_MUST_CHECK int gx_yaml_read(struct gx_yaml *yaml, struct gx_arena *arena, const char *text,
                               size_t size, const char *name, struct gx_err *err);

#endif
