#include "weights/machine.h"

#include <stdlib.h>
#include <string.h>

/* ---- the globals that may be asked for ---- */

enum global {
    ORDERED_DICT,
    SIZE,
    TENSOR_V1,
    TENSOR_V2,
    PARAMETER,
    COUNTER,
    SET,
    SET_OF_PYTHON2,
    STORAGE_TYPE
};

static const struct {
    const char *module, *name;
} globals[] = {
    [ORDERED_DICT] = {"collections", "OrderedDict"},
    [SIZE] = {"torch", "Size"},
    [TENSOR_V1] = {"torch._utils", "_rebuild_tensor"},
    [TENSOR_V2] = {"torch._utils", "_rebuild_tensor_v2"},
    [PARAMETER] = {"torch._utils", "_rebuild_parameter"},
    /* Of schedulers in training checkpoints: known so that they can be passed over. */
    [COUNTER] = {"collections", "Counter"},
    [SET] = {"builtins", "set"},
    [SET_OF_PYTHON2] = {"__builtin__", "set"},
};

/* And torch.XStorage, for these X. */
static const struct {
    const char *name;
    enum gx_dtype dtype;
} storages[] = {
    {"FloatStorage", GX_F32},  {"HalfStorage", GX_F16}, {"BFloat16Storage", GX_BF16},
    {"DoubleStorage", GX_F64}, {"LongStorage", GX_I64}, {"IntStorage", GX_I32},
    {"ShortStorage", GX_I16},  {"CharStorage", GX_I8},  {"ByteStorage", GX_U8},
    {"BoolStorage", GX_BOOL},
};

static struct gx_value none = {.kind = GX_V_NONE};

/* ---- containers ---- */

static int extend(struct gx_machine *m, struct gx_value *list, struct gx_value **items,
                  size_t count)
{
    if (list->list.room - list->list.count < count) {
        size_t room = 2 * list->list.room > list->list.count + count ? 2 * list->list.room
                                                                     : list->list.count + count;
        int result = 0;
        struct gx_value **more = gx_machine_take(m, room * sizeof *more, &result);
        if (!more)
            return result;
        if (list->list.count)
            memcpy(more, list->list.item, list->list.count * sizeof *more);
        list->list.item = more;
        list->list.room = room;
    }
    if (count)
        memcpy(list->list.item + list->list.count, items, count * sizeof *items);
    list->list.count += count;
    return 0;
}

static int push_tuple(struct gx_machine *m, enum gx_value_kind kind, struct gx_value **items,
                      size_t count)
{
    if (kind == GX_V_DICT && count % 2)
        return gx_machine_bad(m, "a key without a value");
    struct gx_value tuple = {.kind = kind};
    int result = extend(m, &tuple, items, count);
    return result ? result : gx_machine_push_new(m, tuple);
}

static int tuple_of_top(struct gx_machine *m, size_t count)
{
    if (gx_machine_available(m) < count)
        return gx_machine_bad(m, "stack underflow");
    m->depth -= count;
    return push_tuple(m, GX_V_TUPLE, m->stack + m->depth, count);
}

static int collect(struct gx_machine *m, enum gx_value_kind kind)
{
    struct gx_value **items;
    size_t count;
    if (!gx_machine_pop_mark(m, &items, &count))
        return gx_machine_bad(m, "no mark");
    return push_tuple(m, kind, items, count);
}

/* APPENDS, SETITEMS, ADDITEMS (to the last mark), APPEND and SETITEM (count values). */
static int add_items(struct gx_machine *m, enum gx_value_kind kind, size_t count, bool marked)
{
    struct gx_value **items, *to;
    if (marked) {
        if (!gx_machine_pop_mark(m, &items, &count))
            return gx_machine_bad(m, "no mark");
    } else {
        if (gx_machine_available(m) < count)
            return gx_machine_bad(m, "stack underflow");
        m->depth -= count;
        items = m->stack + m->depth;
    }
    to = gx_machine_top(m);
    if (!to || to->kind != kind || (kind == GX_V_DICT && count % 2))
        return gx_machine_bad(m, "items for something that takes none");
    return extend(m, to, items, count);
}

/* ---- globals ---- */

static int push_global(struct gx_machine *m, const char *module, size_t module_length,
                       const char *name, size_t name_length)
{
    for (int i = 0; i < STORAGE_TYPE; i++)
        if (strlen(globals[i].module) == module_length && strlen(globals[i].name) == name_length &&
            !memcmp(globals[i].module, module, module_length) &&
            !memcmp(globals[i].name, name, name_length))
            return gx_machine_push_new(m, (struct gx_value){.kind = GX_V_GLOBAL, .global = i});
    bool torch = (module_length == 5 && !memcmp(module, "torch", 5)) ||
                 (module_length == 10 && !memcmp(module, "torch.cuda", 10));
    for (size_t i = 0; torch && i < sizeof storages / sizeof *storages; i++)
        if (strlen(storages[i].name) == name_length && !memcmp(storages[i].name, name, name_length))
            return gx_machine_push_new(m, (struct gx_value){.kind = GX_V_GLOBAL,
                                                            .dtype = storages[i].dtype,
                                                            .global = STORAGE_TYPE});
    char shown[2][120];
    return gx_fail(m->err, GX_E_FORMAT, "the pickle asks for '%s.%s', which is not allowed",
                   gx_printable(shown[0], sizeof shown[0], module, module_length),
                   gx_printable(shown[1], sizeof shown[1], name, name_length));
}

/* A line of text, as GLOBAL and INST have it; gives a copy. */
static char *get_line(struct gx_machine *m, size_t *length, int *result)
{
    enum { LINE = 256 };
    char line[LINE];
    for (*length = 0; *length < LINE; ++*length) {
        const uint8_t *byte = gx_machine_get(m, 1, result);
        if (!byte)
            return NULL;
        if (*byte == '\n') {
            char *copy = gx_machine_take(m, *length + 1, result);
            return copy ? memcpy(copy, line, *length) : NULL;
        }
        line[*length] = (char)*byte;
    }
    *result = gx_machine_bad(m, "a global's name is too long");
    return NULL;
}

static int global_by_lines(struct gx_machine *m)
{
    int result = 0;
    size_t module_length, name_length;
    char *module = get_line(m, &module_length, &result);
    char *name = module ? get_line(m, &name_length, &result) : NULL;
    return name ? push_global(m, module, module_length, name, name_length) : result;
}

static int global_by_stack(struct gx_machine *m)
{
    const struct gx_value *name = gx_machine_pop(m), *module = gx_machine_pop(m);
    if (!name || !module || name->kind != GX_V_TEXT || module->kind != GX_V_TEXT ||
        !name->text.bytes || !module->text.bytes)
        return gx_machine_bad(m, "a global without a name");
    return push_global(m, module->text.bytes, module->text.length, name->text.bytes,
                       name->text.length);
}

/* ---- calls of what is allowed ---- */

static bool is_integers(const struct gx_value *tuple)
{
    if (tuple->kind != GX_V_TUPLE && tuple->kind != GX_V_LIST)
        return false;
    for (size_t i = 0; i < tuple->list.count; i++)
        if (tuple->list.item[i]->kind != GX_V_INT)
            return false;
    return true;
}

/* _rebuild_tensor(storage, offset, size, stride), and v2 with requires_grad, hooks, metadata after.
 * Whether it fits into its storage is checked by torch.c, which knows its name. */
static int rebuild_tensor(struct gx_machine *m, const struct gx_value *arguments, size_t least)
{
    struct gx_value **a = arguments->list.item;
    if (arguments->list.count < least || a[0]->kind != GX_V_STORAGE || a[1]->kind != GX_V_INT ||
        !is_integers(a[2]) || !is_integers(a[3]) || a[2]->list.count != a[3]->list.count)
        return gx_machine_bad(m, "a tensor with arguments of the wrong kind");
    struct gx_value tensor = {.kind = GX_V_TENSOR, .dtype = a[0]->dtype};
    tensor.tensor.storage = a[0];
    tensor.tensor.offset = a[1]->integer;
    tensor.tensor.size = a[2];
    tensor.tensor.stride = a[3];
    return gx_machine_push_new(m, tensor);
}

/* OrderedDict(), or as Python 2 has it, OrderedDict([[key, value], ...]). */
static int ordered_dict(struct gx_machine *m, const struct gx_value *arguments)
{
    struct gx_value dict = {.kind = GX_V_DICT};
    const struct gx_value *pairs = arguments->list.count ? arguments->list.item[0] : NULL;
    if (arguments->list.count > 1 || (pairs && pairs->kind != GX_V_LIST))
        return gx_machine_bad(m, "a dictionary with arguments of the wrong kind");
    for (size_t i = 0; pairs && i < pairs->list.count; i++) {
        struct gx_value *pair = pairs->list.item[i];
        if ((pair->kind != GX_V_LIST && pair->kind != GX_V_TUPLE) || pair->list.count != 2)
            return gx_machine_bad(m, "a dictionary with arguments of the wrong kind");
        int result = extend(m, &dict, pair->list.item, 2);
        if (result)
            return result;
    }
    return gx_machine_push_new(m, dict);
}

static int call(struct gx_machine *m)
{
    struct gx_value *arguments = gx_machine_pop(m), *callee = gx_machine_pop(m);
    if (!arguments || !callee)
        return gx_machine_bad(m, "stack underflow");
    if (callee->kind != GX_V_GLOBAL || arguments->kind != GX_V_TUPLE)
        return gx_machine_bad(m, "a call of something that is no function");
    size_t count = arguments->list.count;
    switch (callee->global) {
    case ORDERED_DICT:
        return ordered_dict(m, arguments);
    case TENSOR_V1:
        return rebuild_tensor(m, arguments, 4);
    case TENSOR_V2:
        return rebuild_tensor(m, arguments, 6);
    case PARAMETER:
        if (count < 1 || arguments->list.item[0]->kind != GX_V_TENSOR)
            return gx_machine_bad(m, "a parameter that is no tensor");
        return gx_machine_push(m, arguments->list.item[0]);
    case SIZE:
        if (count != 1 || !is_integers(arguments->list.item[0]))
            return gx_machine_bad(m, "a size that is none");
        return gx_machine_push(m, arguments->list.item[0]);
    case COUNTER:
    case SET:
    case SET_OF_PYTHON2:
        return gx_machine_push(m, &none);
    default:
        return gx_machine_bad(m, "a storage that is called");
    }
}

/* BUILD sets attributes; an OrderedDict's (torch's _metadata) are of no use here. */
static int build(struct gx_machine *m)
{
    struct gx_value *attributes = gx_machine_pop(m), *object = gx_machine_top(m);
    if (!attributes || !object)
        return gx_machine_bad(m, "stack underflow");
    return object->kind == GX_V_DICT ? 0
                                     : gx_machine_bad(m, "attributes for something that has none");
}

/* ('storage', type, key, location, count) and, in legacy files, the view: (key, offset, count). */
static int persistent(struct gx_machine *m)
{
    struct gx_value *id = gx_machine_pop(m);
    if (!id || id->kind != GX_V_TUPLE || id->list.count < 5)
        return gx_machine_bad(m, "a reference to something that is no storage");
    struct gx_value **a = id->list.item;
    if (a[0]->kind != GX_V_TEXT || a[0]->text.length != 7 ||
        memcmp(a[0]->text.bytes, "storage", 7) || a[1]->kind != GX_V_GLOBAL ||
        a[1]->global != STORAGE_TYPE || a[2]->kind != GX_V_TEXT || !a[2]->text.bytes ||
        a[4]->kind != GX_V_INT || a[4]->integer < 0)
        return gx_machine_bad(m, "a reference to something that is no storage");
    struct gx_value storage = {.kind = GX_V_STORAGE, .dtype = a[1]->dtype};
    storage.storage.key = a[2];
    storage.storage.count = a[4]->integer;
    const struct gx_value *view = id->list.count > 5 ? a[5] : &none;
    if (view->kind == GX_V_TUPLE && view->list.count == 3 && view->list.item[1]->kind == GX_V_INT &&
        view->list.item[1]->integer >= 0)
        storage.storage.offset = view->list.item[1]->integer;
    else if (view->kind != GX_V_NONE)
        return gx_machine_bad(m, "a view of a storage that makes no sense");
    int result = gx_machine_push_new(m, storage);
    struct gx_pickle *p = m->p;
    if (!result && p->storages == p->storage_room) {
        p->storage_room = p->storage_room ? 2 * p->storage_room : 256;
        p->storage = gx_grow(p->storage, p->storage_room * sizeof *p->storage);
    }
    if (!result)
        p->storage[p->storages++] = gx_machine_top(m);
    return result;
}

/* ---- opcodes with data ---- */

static int push_text(struct gx_machine *m, int length_bytes)
{
    int result = 0;
    const uint8_t *data = gx_machine_get(m, (size_t)length_bytes, &result);
    if (!data)
        return result;
    uint64_t length = gx_little(data, length_bytes);
    if (length > (uint64_t)(m->p->end - m->p->at))
        return gx_machine_bad(m, "a text that ends past the end (the file is truncated)");
    struct gx_value text = {.kind = GX_V_TEXT};
    text.text.length = (size_t)length;
    if (length > GX_PICKLE_TEXT) {
        m->p->at += (int64_t)length;
        return gx_machine_push_new(m, text);
    }
    data = gx_machine_get(m, (size_t)length, &result);
    char *copy = data ? gx_machine_take(m, (size_t)length + 1, &result) : NULL;
    if (!copy)
        return result;
    memcpy(copy, data, (size_t)length);
    text.text.bytes = copy;
    return gx_machine_push_new(m, text);
}

static int push_integer(struct gx_machine *m, int bytes)
{
    int result = 0;
    const uint8_t *data = gx_machine_get(m, (size_t)bytes, &result);
    if (!data)
        return result;
    uint64_t value = gx_little(data, bytes);
    if (bytes == 4)
        value = (uint64_t)(int64_t)(int32_t)value; /* BININT alone is signed */
    return gx_machine_push_new(m, (struct gx_value){.kind = GX_V_INT, .integer = (int64_t)value});
}

/* LONG1: two's complement. More than 8 bytes (legacy files begin so) are kept as text. */
static int push_long(struct gx_machine *m)
{
    int result = 0;
    const uint8_t *data = gx_machine_get(m, 1, &result);
    if (!data)
        return result;
    int bytes = *data;
    if (bytes > 8) {
        m->p->at--;
        return push_text(m, 1);
    }
    data = gx_machine_get(m, (size_t)bytes, &result);
    if (!data)
        return result;
    uint64_t value = gx_little(data, bytes);
    if (bytes > 0 && bytes < 8 && data[bytes - 1] & 0x80)
        value |= ~UINT64_C(0) << 8 * bytes;
    return gx_machine_push_new(m, (struct gx_value){.kind = GX_V_INT, .integer = (int64_t)value});
}

static int with_index(struct gx_machine *m, int bytes, int (*act)(struct gx_machine *, uint64_t))
{
    int result = 0;
    const uint8_t *data = gx_machine_get(m, (size_t)bytes, &result);
    return data ? act(m, gx_little(data, bytes)) : result;
}

static int skip(struct gx_machine *m, size_t bytes)
{
    int result = 0;
    return gx_machine_get(m, bytes, &result) ? 0 : result;
}

static int push_float(struct gx_machine *m)
{
    int result = skip(m, 8); /* numbers beside tensors are of no use */
    return result ? result : gx_machine_push_new(m, (struct gx_value){.kind = GX_V_FLOAT});
}

static int push_bool(struct gx_machine *m, bool value)
{
    return gx_machine_push_new(m, (struct gx_value){.kind = GX_V_BOOL, .integer = value});
}

static int discard(struct gx_machine *m, bool to_mark)
{
    struct gx_value **items;
    size_t count;
    if (to_mark ||
        (!gx_machine_available(m) && m->mark_count)) /* POP right after MARK removes the mark */
        return gx_machine_pop_mark(m, &items, &count) ? 0 : gx_machine_bad(m, "no mark");
    return gx_machine_pop(m) ? 0 : gx_machine_bad(m, "stack underflow");
}

static int unknown(struct gx_machine *m, uint8_t opcode)
{
    return gx_fail(m->err, GX_E_FORMAT,
                   "the pickle has opcode 0x%02x at byte %lld, which no state_dict needs", opcode,
                   (long long)m->p->at - 1);
}

/* INST makes an object of a class: named if it is not allowed, refused in any case. */
static int instance(struct gx_machine *m)
{
    int result = global_by_lines(m);
    return result ? result : unknown(m, 'i');
}

static int duplicate(struct gx_machine *m)
{
    struct gx_value *top = gx_machine_top(m);
    return top ? gx_machine_push(m, top) : gx_machine_bad(m, "stack underflow");
}

/* clang-format off */
/* One opcode, named as in Python's pickletools. */
static int step(struct gx_machine *m, uint8_t opcode)
{
    switch (opcode) {
    case 0x80: return skip(m, 1);                                 /* PROTO */
    case 0x95: return skip(m, 8);                                 /* FRAME */
    case '(':  return gx_machine_push_mark(m);                    /* MARK */
    case '0':  return discard(m, false);                          /* POP */
    case '1':  return discard(m, true);                           /* POP_MARK */
    case '2':  return duplicate(m);                               /* DUP */
    case 'N':  return gx_machine_push(m, &none);                  /* NONE */
    case 0x88: return push_bool(m, true);                         /* NEWTRUE */
    case 0x89: return push_bool(m, false);                        /* NEWFALSE */
    case 'J':  return push_integer(m, 4);                         /* BININT */
    case 'K':  return push_integer(m, 1);                         /* BININT1 */
    case 'M':  return push_integer(m, 2);                         /* BININT2 */
    case 0x8a: return push_long(m);                               /* LONG1 */
    case 0x8b: return push_text(m, 4);                            /* LONG4 */
    case 'G':  return push_float(m);                              /* BINFLOAT */
    case 'T':                                                     /* BINSTRING */
    case 'X':                                                     /* BINUNICODE */
    case 'B':  return push_text(m, 4);                            /* BINBYTES */
    case 'U':                                                     /* SHORT_BINSTRING */
    case 0x8c:                                                    /* SHORT_BINUNICODE */
    case 'C':  return push_text(m, 1);                            /* SHORT_BINBYTES */
    case 0x8d:                                                    /* BINUNICODE8 */
    case 0x8e:                                                    /* BINBYTES8 */
    case 0x96: return push_text(m, 8);                            /* BYTEARRAY8 */
    case ')':  return push_tuple(m, GX_V_TUPLE, NULL, 0);         /* EMPTY_TUPLE */
    case 't':  return collect(m, GX_V_TUPLE);                     /* TUPLE */
    case 0x85: return tuple_of_top(m, 1);                         /* TUPLE1 */
    case 0x86: return tuple_of_top(m, 2);                         /* TUPLE2 */
    case 0x87: return tuple_of_top(m, 3);                         /* TUPLE3 */
    case 0x8f:                                                    /* EMPTY_SET */
    case ']':  return push_tuple(m, GX_V_LIST, NULL, 0);          /* EMPTY_LIST */
    case 0x91:                                                    /* FROZENSET */
    case 'l':  return collect(m, GX_V_LIST);                      /* LIST */
    case 'a':  return add_items(m, GX_V_LIST, 1, false);          /* APPEND */
    case 0x90:                                                    /* ADDITEMS */
    case 'e':  return add_items(m, GX_V_LIST, 0, true);           /* APPENDS */
    case '}':  return push_tuple(m, GX_V_DICT, NULL, 0);          /* EMPTY_DICT */
    case 'd':  return collect(m, GX_V_DICT);                      /* DICT */
    case 's':  return add_items(m, GX_V_DICT, 2, false);          /* SETITEM */
    case 'u':  return add_items(m, GX_V_DICT, 0, true);           /* SETITEMS */
    case 'q':  return with_index(m, 1, gx_machine_remember);      /* BINPUT */
    case 'r':  return with_index(m, 4, gx_machine_remember);      /* LONG_BINPUT */
    case 0x94: return gx_machine_remember(m, m->memo_count);      /* MEMOIZE */
    case 'h':  return with_index(m, 1, gx_machine_recall);        /* BINGET */
    case 'j':  return with_index(m, 4, gx_machine_recall);        /* LONG_BINGET */
    case 'i':  return instance(m);                                /* INST */
    case 'c':  return global_by_lines(m);                         /* GLOBAL */
    case 0x93: return global_by_stack(m);                         /* STACK_GLOBAL */
    case 'R':                                                     /* REDUCE */
    case 0x81: return call(m);                                    /* NEWOBJ */
    case 'b':  return build(m);                                   /* BUILD */
    case 'Q':  return persistent(m);                              /* BINPERSID */
    default:   return unknown(m, opcode);
    }
}
/* clang-format on */

int gx_pickle_load(struct gx_pickle *p, struct gx_value **value, struct gx_err *err)
{
    struct gx_machine *m = gx_new(sizeof *m);
    m->p = p;
    m->err = err;
    int result = 0;
    for (;;) {
        const uint8_t *opcode = gx_machine_get(m, 1, &result);
        if (!opcode || *opcode == '.')
            break;
        if (++p->opcodes > GX_PICKLE_OPCODES)
            result =
                gx_fail(err, GX_E_LIMIT, "the pickle has more than %d opcodes", GX_PICKLE_OPCODES);
        if (!result)
            result = step(m, *opcode);
        if (result)
            break;
    }
    if (!result && (m->depth != 1 || m->mark_count))
        result = gx_machine_bad(m, "it stops with values left over or none");
    if (!result)
        *value = m->stack[0];
    free(m->stack);
    free(m->memo);
    free(m);
    return result;
}

void gx_pickle_clear(struct gx_pickle *p)
{
    gx_arena_clear(&p->arena);
    free(p->storage);
}
