/* Pickles, interpreted and never executed: a stack machine for the opcodes of protocols 2 to 5 that
 * builds plain values. The globals that a saved state_dict needs are known by name (the table in
 * pickle.c); any other is refused by its name. Everything is bounded: see the limits below.
 *
 * Nothing here reads tensor data: a tensor is a reference to a storage. */
#ifndef GX_WEIGHTS_PICKLE_H
#define GX_WEIGHTS_PICKLE_H

#include "weights/weights.h"

enum {
    GX_PICKLE_OPCODES = 4000000, /* of one file */
    GX_PICKLE_STACK = 1000000,   /* values on the stack */
    GX_PICKLE_MEMO = 1000000,    /* remembered values */
    GX_PICKLE_MARKS = 10000,     /* open marks, so nesting */
    GX_PICKLE_BYTES = 64 << 20,  /* of values and texts */
    GX_PICKLE_TEXT = 65536       /* longer texts are skipped, and stand as NULL */
};

enum gx_value_kind {
    GX_V_NONE,
    GX_V_BOOL,
    GX_V_INT,
    GX_V_FLOAT,
    GX_V_TEXT, /* text or bytes, and integers of more than 8 bytes */
    GX_V_TUPLE,
    GX_V_LIST,   /* lists and sets */
    GX_V_DICT,   /* keys and values in turn in list.item */
    GX_V_GLOBAL, /* global: its row */
    GX_V_STORAGE,
    GX_V_TENSOR
};

struct gx_value {
    enum gx_value_kind kind;
    enum gx_dtype dtype; /* of a storage, or of a GLOBAL that is a storage type */
    union {
        int64_t integer; /* also BOOL */
        struct {
            const char *bytes;
            size_t length;
        } text;
        struct {
            struct gx_value **item;
            size_t count, room;
        } list;
        int global;
        struct {
            const struct gx_value *key; /* TEXT */
            int64_t count, offset;      /* elements; offset: a view's place in its storage */
            int64_t number;             /* which storage of the file: set by the format */
        } storage;
        struct {
            const struct gx_value *storage, *size, *stride; /* TUPLE */
            int64_t offset;                                 /* elements */
        } tensor;
    };
};

struct gx_pickle {
    struct gx_weights *w;
    int64_t at, end; /* the bytes to interpret; `at` moves past the last STOP */
    struct gx_arena arena;
    size_t bytes; /* taken from the arena */
    int64_t opcodes;
    /* Every storage that was met, in order; not unique. */
    struct gx_value **storage;
    size_t storages, storage_room;
    uint8_t buffer[2 * GX_PICKLE_TEXT];
    int64_t buffer_at; /* file position of buffer[0] */
    size_t buffered;
};

/* Zero the struct, set w, at and end; then each call interprets one pickle. Values live in p->arena
 * until gx_pickle_clear. */
int gx_pickle_load(struct gx_pickle *p, struct gx_value **value, struct gx_err *err);
void gx_pickle_clear(struct gx_pickle *p);

#endif
