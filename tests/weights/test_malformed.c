/* What is no sound weight file is refused in words, at once, and with no large allocation: broken
 * safetensors, pickles that attack, damaged zip archives, and things that are no weights at all. */
#include "bytes.h"
#include "ganx/weights.h"

#include <sys/stat.h>
#include <time.h>

#define FOLDER       "tests/reference/weights/"
#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* Opens the bytes and expects this refusal, in less than a second of processor time (it takes less
 * than a tenth; sanitizers and old machines get the rest). */
static void expect_refusal(const struct bytes *b, int code, const char *fragment, const char *what)
{
    char path[64];
    struct gx_err err = {""};
    struct gx_weights *w;
    int fd = bytes_to_file(b, path);
    clock_t start = clock();
    int result = gx_weights_open(&w, path, &err);
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    close(fd);
    if (result != -code || !strstr(err.text, fragment))
        fail_msg("%s: %d, '%s' lacks '%s'", what, result, err.text, fragment);
    assert_null(w);
    if (seconds > 1)
        fail_msg("%s takes %g seconds", what, seconds);
}

/* ---- what is no weight file at all ---- */

static void other_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *fragment;
    } cases[] = {
        {"", "the file is empty"},
        {"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git-LFS pointer"},
        {"<!DOCTYPE html>\n<html>", "HTML page"},
        {"\xef\xbb\xbf\n  <HTML><body>", "HTML page"},
        {"\x89PNG\r\n\x1a\n", "a picture (PNG)"},
        {"\x1f\x8b\x08", "gzip archive"},
        {"GGUF", "GGUF"},
        {"x", "not a weight file"},
        {"{\"a\": 1}, and more text", "not a weight file"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        struct bytes b = {0};
        put_text(&b, cases[i].text);
        expect_refusal(&b, GX_E_FORMAT, cases[i].fragment, cases[i].text);
        bytes_free(&b);
    }
    struct bytes tar = {0};
    put_text(&tar, "sys_info");
    put_little(&tar, 0, 8);
    while (tar.size < 257)
        put(&tar, "\0", 1);
    put_text(&tar, "ustar  ");
    while (tar.size < 1024)
        put(&tar, "\0", 1);
    expect_refusal(&tar, GX_E_FORMAT, "old tar form", "tar");
    bytes_free(&tar);
}

static void what_cannot_be_opened(void **state)
{
    (void)state;
    struct gx_err err;
    struct gx_weights *w;
    assert_int_equal(gx_weights_open(&w, "no/such/file", &err), -GX_E_IO);
    assert_string_equal(err.text, "cannot open 'no/such/file': no such file or directory");
    assert_int_equal(gx_weights_open(&w, "tests", &err), -GX_E_IO);
    assert_string_equal(err.text, "cannot open 'tests': it is a folder");
    char path[] = "/tmp/ganx-test-XXXXXX";
    assert_non_null(mkdtemp(path));
    char pipe_path[64];
    snprintf(pipe_path, sizeof pipe_path, "%s/pipe", path);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    assert_int_equal(gx_weights_open(&w, pipe_path, &err), -GX_E_IO);
    assert_non_null(strstr(err.text, "it is not a regular file"));
    unlink(pipe_path);
    rmdir(path);
}

/* ---- safetensors ---- */

#define TENSOR(name, dtype, shape, a, b)                                                           \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #a "," #b "]" \
    "}"

static void safetensors(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int data;
        int64_t claim; /* of the header's length; 0: as it is */
        enum gx_error code;
        const char *fragment;
    } cases[] = {
        {"{", 0, 1000, GX_E_FORMAT, "header ends past the end of the file"},
        {"{", 0, 100000001, GX_E_LIMIT, "has 100000001 bytes; at most 100000000"},
        {"{", 0, -1, GX_E_LIMIT, "bytes; at most 100000000"},
        {" {}", 0, 0, GX_E_FORMAT, "does not start with '{'"},
        {"{", 0, 0, GX_E_FORMAT, "not sound JSON"},
        {"{} x", 0, 0, GX_E_FORMAT, "not sound JSON"},
        {"{\"a\":\"\xff\"}", 0, 0, GX_E_FORMAT, "not sound JSON"},
        {"{}", 4, 0, GX_E_FORMAT, "4 bytes at the end belong to no tensor"},
        {"{" TENSOR("a", "F32", "1", 0, 4) "," TENSOR("a", "F32", "1", 4, 8) "}", 8, 0, GX_E_FORMAT,
         "duplicate"},
        {"{" TENSOR("a", "F32", "2", 0, 8) "," TENSOR("b", "F32", "2", 4, 12) "}", 12, 0,
         GX_E_FORMAT, "tensor 'b' overlaps tensor 'a'"},
        {"{" TENSOR("a", "F32", "1", 0, 4) "," TENSOR("b", "F32", "1", 0, 4) "}", 4, 0, GX_E_FORMAT,
         "overlaps tensor"},
        {"{" TENSOR("a", "F32", "1", 0, 4) "," TENSOR("b", "F32", "1", 8, 12) "}", 12, 0,
         GX_E_FORMAT, "hole of 4 bytes before tensor 'b'"},
        {"{" TENSOR("a", "F32", "1", 4, 8) "}", 8, 0, GX_E_FORMAT, "hole of 4 bytes"},
        {"{" TENSOR("a", "F32", "1", 0, 4) "}", 8, 0, GX_E_FORMAT, "4 bytes at the end"},
        {"{" TENSOR("a", "F32", "2", 0, 8) "}", 4, 0, GX_E_FORMAT,
         "tensor 'a' ends past the end of the file"},
        {"{" TENSOR("a", "F32", "3", 0, 8) "}", 8, 0, GX_E_FORMAT,
         "tensor 'a' has 8 bytes where its shape needs 12"},
        {"{" TENSOR("a", "F32", "4294967296,4294967296", 0, 0) "}", 0, 0, GX_E_FORMAT,
         "tensor 'a' has an impossible shape"},
        {"{" TENSOR("a", "F32", "2305843009213693952", 0, 0) "}", 0, 0, GX_E_FORMAT,
         "tensor 'a' has an impossible shape"},
        {"{" TENSOR("a", "F32", "9223372036854775807,0,2", 0, 0) "}", 0, 0, GX_E_FORMAT,
         "tensor 'a' has an impossible shape"},
        {"{" TENSOR("a", "F32", "99999999999999999999", 0, 4) "}", 4, 0, GX_E_FORMAT, "JSON"},
        {"{" TENSOR("a", "F32", "-1", 0, 4) "}", 4, 0, GX_E_FORMAT, "impossible shape"},
        {"{" TENSOR("a", "F32", "1.0", 0, 4) "}", 4, 0, GX_E_FORMAT, "impossible shape"},
        {"{" TENSOR("a", "F32", "\"1\"", 0, 4) "}", 4, 0, GX_E_FORMAT, "impossible shape"},
        {"{" TENSOR("a", "F32", "1,1,1,1,1,1,1,1,1", 0, 4) "}", 4, 0, GX_E_LIMIT,
         "tensor 'a' has 9 dimensions"},
        {"{" TENSOR("a", "F32", "1", 4, 0) "}", 4, 0, GX_E_FORMAT, "impossible data_offsets"},
        {"{" TENSOR("a", "F32", "1", -4, 0) "}", 4, 0, GX_E_FORMAT, "impossible data_offsets"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 4, 0, GX_E_FORMAT,
         "impossible data_offsets"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, 0, GX_E_FORMAT, "'a' lacks dtype"},
        {"{\"a\":3}", 0, 0, GX_E_FORMAT, "'a' lacks dtype"},
        {"{" TENSOR("a", "F8_E4M3", "4", 0, 4) "}", 4, 0, GX_E_FORMAT,
         "tensor 'a' has type 'F8_E4M3', which is not supported"},
        {"{" TENSOR("", "F32", "1", 0, 4) "}", 4, 0, GX_E_FORMAT, "name that is not text"},
        {"{" TENSOR("a\\u001b[2J", "F32", "1", 0, 4) "}", 4, 0, GX_E_FORMAT,
         "tensor 'a?[2J' has a name that is not text"},
        {"{" TENSOR("module.a", "F32", "1", 0, 4) "," TENSOR("a", "F32", "1", 4, 8) "}", 8, 0,
         GX_E_FORMAT, "two tensors are named 'a'"},
        {"{\"__metadata__\":{\"k\":1}}", 0, 0, GX_E_FORMAT, "metadata 'k' is not text"},
        {"{\"__metadata__\":[]}", 0, 0, GX_E_FORMAT, "__metadata__ is not an object"},
    };
    static const char zeros[16];
    for (int i = 0; i < COUNT(cases); i++) {
        struct bytes b = {0};
        int64_t claim = cases[i].claim ? cases[i].claim : (int64_t)strlen(cases[i].header);
        put_little(&b, (uint64_t)claim, 8);
        put_text(&b, cases[i].header);
        put(&b, zeros, (size_t)cases[i].data);
        expect_refusal(&b, cases[i].code, cases[i].fragment, cases[i].header);
        bytes_free(&b);
    }
}

static void deep_json_is_refused(void **state)
{
    (void)state;
    struct bytes b = {0};
    put_little(&b, 100005, 8);
    put_text(&b, "{\"a\":");
    for (int i = 0; i < 100000; i++)
        put(&b, "[", 1);
    expect_refusal(&b, GX_E_FORMAT, "not sound JSON", "100000 brackets");
    bytes_free(&b);
}

/* ---- pickles ---- */

#define DICT "ccollections\nOrderedDict\n)R"
#define STORAGE(n)                                                                                 \
    "(X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0"                                             \
    "0X\3\0\0\0cpuK" n "NtQ"
#define VIEW(n, offset, size, stride)                                                              \
    "ctorch._utils\n_rebuild_tensor_v2\n(" STORAGE(n) offset size stride "\x89" DICT "tR"
#define SAVED(tensor) "}X\1\0\0\0w" tensor "s."

static const char legacy_head[] = "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
                                  "\x80\2M\xe9\3."
                                  "\x80\2}.";
/* The key of the one storage, and its four floats. */
static const char legacy_tail[] = "\x80\2]X\1\0\0\0"
                                  "0a."
                                  "\4\0\0\0\0\0\0\0"
                                  "\0\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40";

static void put_legacy(struct bytes *b, const void *pickle, size_t size)
{
    put(b, legacy_head, sizeof legacy_head - 1);
    put(b, "\x80\2", 2);
    put(b, pickle, size);
    if (memmem(pickle, size, "Storage", 7))
        put(b, legacy_tail, sizeof legacy_tail - 1);
    else
        put(b, "\x80\2].", 4);
}

static void pickles(void **state)
{
    (void)state;
#define P(text) text, sizeof text - 1
    static const struct {
        const char *pickle;
        size_t size;
        enum gx_error code;
        const char *fragment;
    } cases[] = {
        {P("cposix\nsystem\nX\7\0\0\0echo hi\x85R."), GX_E_FORMAT,
         "the pickle asks for 'posix.system', which is not allowed"},
        {P("X\5\0\0\0posixX\6\0\0\0system\x93."), GX_E_FORMAT, "asks for 'posix.system'"},
        {P("(X\2\0\0\0lsios\nsystem\n."), GX_E_FORMAT, "asks for 'os.system'"},
        {P("(icollections\nOrderedDict\n."), GX_E_FORMAT, "opcode 0x69"},
        {P("c__builtin__\neval\n."), GX_E_FORMAT, "asks for '__builtin__.eval'"},
        {P("ctorch._utils\n_rebuild_tensor_v2.system\n."), GX_E_FORMAT, "is not allowed"},
        {P("ctorch\n\x1b[2J\n."), GX_E_FORMAT, "asks for 'torch.?[2J'"},
        {P("cmodels.networks\nUnetGenerator\n."), GX_E_FORMAT,
         "asks for 'models.networks.UnetGenerator'"},
        {P("ctorch\nFloatStorage\n)R."), GX_E_FORMAT, "a storage that is called"},
        {P("N)R."), GX_E_FORMAT, "a call of something that is no function"},
        {P(DICT "K\1b."), GX_E_FORMAT, "holds no tensor"},
        {P("]K\1b."), GX_E_FORMAT, "attributes for something that has none"},
        {P("R."), GX_E_FORMAT, "stack underflow"},
        {P("0."), GX_E_FORMAT, "stack underflow"},
        {P("N(R."), GX_E_FORMAT, "stack underflow"},
        {P("t."), GX_E_FORMAT, "no mark"},
        {P("1."), GX_E_FORMAT, "no mark"},
        {P("."), GX_E_FORMAT, "stops with values left over or none"},
        {P("NN."), GX_E_FORMAT, "stops with values left over or none"},
        {P("N(."), GX_E_FORMAT, "stops with values left over or none"},
        {P("}(K\1u."), GX_E_FORMAT, "takes none"},
        {P("(K\1d."), GX_E_FORMAT, "a key without a value"},
        {P("h\0."), GX_E_FORMAT, "a memo that was never set"},
        {P("j\xff\xff\xff\xff."), GX_E_FORMAT, "a memo that was never set"},
        {P("Nr\xff\xff\xff\xff."), GX_E_LIMIT, "memo grows past 1000000"},
        {P("\x8d\xff\xff\xff\xff\xff\xff\xff\x7f."), GX_E_FORMAT, "a text that ends past the end"},
        {P("\x8e\xff\xff\xff\xff\xff\xff\xff\xff."), GX_E_FORMAT, "a text that ends past the end"},
        {P("X\xff\xff\xff\xff."), GX_E_FORMAT, "a text that ends past the end"},
        {P("I1\n."), GX_E_FORMAT, "opcode 0x49"},
        {P("\x97."), GX_E_FORMAT, "opcode 0x97"},
        {P("\x82\1."), GX_E_FORMAT, "opcode 0x82"},
        {P("K\1Q."), GX_E_FORMAT, "no storage"},
        {P("N."), GX_E_FORMAT, "holds no tensor"},
        {P("]q\0h\0a."), GX_E_LIMIT, "nested deeper than 16"},
        {P("}N" VIEW("\4", "K\0", "K\4\x85", "K\1\x85") "s."), GX_E_FORMAT, "name is not text"},
        {P(SAVED(VIEW("\4", "K\0", "K\5\x85", "K\1\x85"))), GX_E_FORMAT,
         "tensor 'w' reaches outside its storage"},
        {P(SAVED(VIEW("\4", "K\1", "K\4\x85", "K\1\x85"))), GX_E_FORMAT, "'w' reaches outside"},
        {P(SAVED(VIEW("\4", "K\0", "K\2\x85", "K\4\x85"))), GX_E_FORMAT, "'w' reaches outside"},
        {P(SAVED(VIEW("\4", "J\xff\xff\xff\xff", "K\2\x85", "K\1\x85"))), GX_E_FORMAT,
         "'w' reaches outside"},
        {P(SAVED(VIEW("\4", "K\3", "K\2\x85", "J\xff\xff\xff\xff\x85"))), GX_E_FORMAT,
         "'w' reaches outside"},
        {P(SAVED(VIEW("\4", "K\0", "K\3\x85", "\x8a\x8\xff\xff\xff\xff\xff\xff\xff\x7f\x85"))),
         GX_E_FORMAT, "'w' reaches outside"},
        {P(SAVED(VIEW("\4", "\x8a\x8\xff\xff\xff\xff\xff\xff\xff\x7f", "K\2\x85", "K\1\x85"))),
         GX_E_FORMAT, "'w' reaches outside"},
        {P(SAVED(VIEW("\4", "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85"))), GX_E_FORMAT,
         "'w' has an impossible shape"},
        {P(SAVED(VIEW("\4", "K\0", "J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x87",
                      "K\0K\0K\0\x87"))),
         GX_E_FORMAT, "'w' has an impossible shape"},
        {P(SAVED(VIEW("\4", "K\0", "J\xff\xff\xff\x7f\x85", "K\0\x85"))), GX_E_FORMAT,
         "'w' is an expanded view"},
        {P(SAVED(VIEW("\4", "K\0", "K\2K\2\x86", "K\1\x85"))), GX_E_FORMAT,
         "arguments of the wrong kind"},
        {P(SAVED(VIEW("\4", "N", "K\2\x85", "K\1\x85"))), GX_E_FORMAT,
         "arguments of the wrong kind"},
        {P(SAVED(
             VIEW("\4", "K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t"))),
         GX_E_LIMIT, "'w' has 9 dimensions"},
        {P(SAVED(VIEW("\5", "K\0", "K\4\x85", "K\1\x85"))), GX_E_FORMAT,
         "tensor 'w' has a storage of 16 bytes; it needs 20"},
        {P("}(X\1\0\0\0w" VIEW("\4", "K\0", "K\4\x85", "K\1\x85") "X\1\0\0\0w" VIEW(
             "\4", "K\0", "K\4\x85", "K\1\x85") "u."),
         GX_E_FORMAT, "two tensors are named 'w'"},
        {P("}X\1\0\0\0\n" VIEW("\4", "K\0", "K\4\x85", "K\1\x85") "s."), GX_E_FORMAT,
         "name that is not text"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        struct bytes b = {0};
        put_legacy(&b, cases[i].pickle, cases[i].size);
        expect_refusal(&b, cases[i].code, cases[i].fragment, cases[i].fragment);
        bytes_free(&b);
    }
}

/* The frame of the cases above, with nothing wrong in it, opens: the faults shown are theirs. */
static void a_sound_one_opens(void **state)
{
    (void)state;
    static const char pickle[] = SAVED(VIEW("\4", "K\0", "K\4\x85", "K\1\x85"));
    struct bytes b = {0};
    char path[64];
    struct gx_err err = {""};
    struct gx_weights *w;
    put_legacy(&b, pickle, sizeof pickle - 1);
    int fd = bytes_to_file(&b, path);
    if (gx_weights_open(&w, path, &err))
        fail_msg("%s", err.text);
    float x[4];
    assert_int_equal(gx_weights_read(w, 0, x, &err), 0);
    assert_true(x[0] == 0 && x[1] == 1 && x[2] == 2 && x[3] == 3);
    gx_weights_close(&w);
    close(fd);
    bytes_free(&b);
}

/* Other faults of the stacked form, by what stands at its start or its end. */
static void legacy_frames(void **state)
{
    (void)state;
    static const char sound[] = "\x80\2" SAVED(VIEW("\4", "K\0", "K\4\x85", "K\1\x85"));
    static const struct {
        const char *head, *tail;
        size_t head_size, tail_size;
        const char *fragment;
    } cases[] = {
        {.head = "\x80\2K\1.", .head_size = 5, .fragment = "not one that torch.save made"},
        {.head = "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xea\3.",
         .head_size = 21,
         .fragment = "protocol is not 1001"},
        {.head = "\x80\2\x8a\n\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3."
                 "\x80\2}X\r\0\0\0little_endian\x89s.",
         .head_size = 45,
         .fragment = "not little-endian"},
        {.tail = "\x80\2].", .tail_size = 4, .fragment = "tensor 'w': the file lacks its data"},
        {.tail = "\x80\2N.", .tail_size = 4, .fragment = "list of storages makes no sense"},
        {.tail = "\x80\2]K\1a.", .tail_size = 7, .fragment = "list of storages makes no sense"},
        {.tail = "\x80\2]X\1\0\0\0"
                 "1a.",
         .tail_size = 11,
         .fragment = "names one that is unknown"},
        {.tail = "\x80\2]X\1\0\0\0"
                 "0a.\4\0\0\0\0\0\0\0zzzz",
         .tail_size = 23,
         .fragment = "the file is truncated: storage 1 of 1"},
        {.tail = "\x80\2]X\1\0\0\0"
                 "0a.\xff\xff\xff\xff\xff\xff\xff\xff",
         .tail_size = 19,
         .fragment = "the file is truncated: storage 1 of 1"},
        {.tail = "\x80\2]X\1\0\0\0"
                 "0a.\4\0\0",
         .tail_size = 14,
         .fragment = "the file is truncated"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        struct bytes b = {0};
        if (cases[i].head)
            put(&b, cases[i].head, cases[i].head_size);
        else
            put(&b, legacy_head, sizeof legacy_head - 1);
        put(&b, sound, sizeof sound - 1);
        if (cases[i].tail)
            put(&b, cases[i].tail, cases[i].tail_size);
        expect_refusal(&b, GX_E_FORMAT, cases[i].fragment, cases[i].fragment);
        bytes_free(&b);
    }
}

static void bomb(const char *before, const char *unit, size_t unit_size, int times,
                 const char *fragment)
{
    struct bytes body = {0}, b = {0};
    put_text(&body, before);
    for (int i = 0; i < times; i++)
        put(&body, unit, unit_size);
    put_text(&body, ".");
    put_legacy(&b, body.data, body.size);
    expect_refusal(&b, GX_E_LIMIT, fragment, fragment);
    bytes_free(&body);
    bytes_free(&b);
}

static void pickle_bombs(void **state)
{
    (void)state;
    bomb("", "N", 1, 1000001, "stack grows past 1000000 values");
    bomb("", "(", 1, 10001, "more than 10000 open marks");
    bomb("", "N0", 2, 2000001, "more than 4000000 opcodes");
    bomb("", "}0", 2, 1800000, "more than 67108864 bytes of memory");
    bomb(")", "\x85", 1, 500000, "nested deeper than 16");
    bomb("]", "Na", 2, 1100000, "more than 1000000 values");
    /* A hundred references to the same list of a hundred references, and so on: 100^15 values. */
    struct bytes body = {0}, b = {0};
    put(&body, "]q\0", 3);
    for (int level = 0; level < 14; level++) {
        put_text(&body, "](");
        for (int i = 0; i < 100; i++) {
            put_text(&body, "h");
            put_little(&body, (uint64_t)level, 1);
        }
        put_text(&body, "eq");
        put_little(&body, (uint64_t)level + 1, 1);
    }
    /* What lies below the last list is dropped: a tuple of all would be no different. */
    put_text(&body, "r");
    put_little(&body, 100, 4);
    for (int level = 0; level < 15; level++)
        put_text(&body, "0");
    put_text(&body, "j");
    put_little(&body, 100, 4);
    put_text(&body, ".");
    put_legacy(&b, body.data, body.size);
    expect_refusal(&b, GX_E_LIMIT, "more than 1000000 values", "a bomb of references");
    bytes_free(&body);
    bytes_free(&b);
}

/* ---- zip archives ---- */

struct edit {
    const char *find;
    int nth, offset;
    const char *bytes;
    int size;
};

static void apply(struct bytes *b, const struct edit *e)
{
    uint8_t *at = b->data;
    for (int n = 0;; n++, at++) {
        at = memmem(at, b->size - (size_t)(at - b->data), e->find, strlen(e->find));
        assert_non_null(at);
        if (n == e->nth)
            break;
    }
    memcpy(at + e->offset, e->bytes, (size_t)e->size);
}

static void zip_archives(void **state)
{
    (void)state;
    /* ema.pth holds ema/data.pkl first, then ..., ema/data/0 to 3, ... Offsets within the records:
     * local 6 flags, 8 method, 30 name; central 8 flags, 10 method, 16 CRC, 20 and 24 sizes, 42
     * place. */
    static const struct {
        struct edit edit[4];
        int cut; /* bytes taken from the end */
        const char *fragment;
    } cases[] = {
        {{{"PK\3\4", 0, 30, "X", 1}}, 0, "'ema/data.pkl' has two headers that differ"},
        {{{"PK\3\4", 0, 6, "\0", 1}}, 0, "two headers that differ"},
        {{{"PK\3\4", 1, 0, "X", 1}}, 0, "two headers that differ"},
        {{{"PK\1\2", 0, 10, "\10", 1}}, 0, "two headers that differ"},
        {{{"PK\1\2", 0, 10, "\10", 1}, {"PK\3\4", 0, 8, "\10", 1}}, 0, "data.pkl' is compressed"},
        {{{"PK\1\2", 0, 24, "\1\1", 2}}, 0, "data.pkl' is compressed"},
        {{{"PK\1\2", 0, 8, "\1", 1}}, 0, "data.pkl' is encrypted"},
        {{{"PK\1\2", 0, 20, "\0\3\0\0\0\3", 6}}, 0, "overlaps another"},
        {{{"PK\1\2", 0, 20, "\0\0\0\x7f\0\0\0\x7f", 8}}, 0, "data.pkl' lies outside the file"},
        {{{"PK\1\2", 0, 42, "\xfe\xff\xff\xff", 4}}, 0, "data.pkl' lies outside the file"},
        {{{"PK\1\2", 0, 42, "\xff\xff\xff\xff", 4}}, 0, "data.pkl' has a bad zip64 field"},
        {{{"PK\1\2", 0, 0, "X", 1}}, 0, "the zip directory is damaged"},
        {{{"PK\1\2", 0, 28, "\xff\xff", 2}}, 0, "the zip directory is damaged"},
        {{{"ema/data/1", 0, 9, "0", 1}, {"ema/data/1", 0, 9, "0", 1}},
         0,
         "two zip entries are named 'ema/data/0'"},
        {{{"ema/data/2", 0, 9, "9", 1}, {"ema/data/2", 0, 9, "9", 1}},
         0,
         "tensor 'conv.weight': the archive lacks its data"},
        {{{"ema/data.pkl", 0, 4, "X", 1}, {"ema/data.pkl", 0, 4, "X", 1}}, 0, "it has no data.pkl"},
        {{{"ema/version", 0, 0, "e/data.pkl", 10}}, 0, "two headers that differ"},
        {{{"torch._utils", 0, 0, "T", 1}}, 0, "'ema/data.pkl' does not match its CRC-32"},
        {{{"little", 0, 0, "big   ", 6}}, 0, "not little-endian"},
        {{{"PK\5\6", 0, 10, "\1", 1}}, 0, "two end records that differ"},
        {{{"PK\6\7", 0, 8, "\xff\xff\xff\xff\xff", 5}}, 0, "zip64 locator makes no sense"},
        {{{"PK\6\6", 0, 0, "X", 1}}, 0, "zip64 end record makes no sense"},
        {{{"PK\6\7", 0, 0, "X", 1}}, 0, "the zip directory is not where it should be"},
        {{{"PK\5\6", 0, 0, "X", 1}}, 0, "the file is truncated or damaged"},
        {{{NULL}}, 1, "the file is truncated or damaged"},
        {{{NULL}}, 1000, "the file is truncated or damaged"},
        /* Without its CRC the pickle can be changed: a storage of 18 elements claims 127. */
        {{{"PK\1\2", 0, 16, "\0\0\0\0", 4}, {"K\22", 0, 1, "\x7f", 1}, {"K\22", 0, 1, "\x7f", 1}},
         0,
         "tensor 'conv.weight' has a storage of 72 bytes; it needs 508"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        struct bytes b = {0};
        bytes_of_file(&b, FOLDER "ema.pth");
        for (int e = 0; e < 4 && cases[i].edit[e].find; e++)
            apply(&b, &cases[i].edit[e]);
        b.size -= (size_t)cases[i].cut;
        expect_refusal(&b, GX_E_FORMAT, cases[i].fragment, cases[i].fragment);
        bytes_free(&b);
    }
}

/* Tensor data are not read on opening; the CRC tells when they are. */
static void damaged_data_fail_when_read(void **state)
{
    (void)state;
    struct bytes b = {0};
    char path[64];
    struct gx_err err;
    struct gx_weights *w;
    bytes_of_file(&b, FOLDER "tensor.pth");
    uint8_t *first = memmem(b.data, b.size, "\0\0\xb0\xbf", 4); /* -11/8 */
    assert_non_null(first);
    *first ^= 1;
    int fd = bytes_to_file(&b, path);
    assert_int_equal(gx_weights_open(&w, path, &err), 0);
    float x[3];
    assert_int_equal(gx_weights_read(w, 0, x, &err), -GX_E_FORMAT);
    assert_non_null(strstr(err.text, "tensor 'tensor': the data do not match their CRC-32"));
    assert_int_equal(gx_weights_verify(w, &err), -GX_E_FORMAT);
    assert_non_null(strstr(err.text, "zip entry 'tensor/data/0' does not match its CRC-32"));
    gx_weights_close(&w);
    close(fd);
    bytes_free(&b);
}

static void objects_are_refused_by_class(void **state)
{
    (void)state;
    static const struct {
        const char *file, *fragment;
    } cases[] = {
        {FOLDER "module.pth", "asks for 'torch.nn.modules.linear.Linear', which is not allowed"},
        {FOLDER "module_legacy.pth", "asks for 'torch.nn.modules.linear.Linear'"},
        {FOLDER "script.pt", "TorchScript program"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        struct bytes b = {0};
        bytes_of_file(&b, cases[i].file);
        expect_refusal(&b, GX_E_FORMAT, cases[i].fragment, cases[i].file);
        bytes_free(&b);
    }
}

/* Whatever the place where a file ends, it is refused. */
static void every_truncation_is_refused(void **state)
{
    (void)state;
    static const char *const files[] = {FOLDER "ema.pth", FOLDER "types_legacy.pth",
                                        FOLDER "types.safetensors"};
    for (int i = 0; i < COUNT(files); i++) {
        struct bytes b = {0};
        bytes_of_file(&b, files[i]);
        for (size_t size = b.size; size-- > 0;) {
            struct bytes part = {b.data, size, size};
            char path[64];
            struct gx_weights *w;
            int fd = bytes_to_file(&part, path);
            if (gx_weights_open(&w, path, NULL) != -GX_E_FORMAT)
                fail_msg("%s opens with %d bytes", files[i], (int)size);
            close(fd);
        }
        bytes_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(other_files),
        cmocka_unit_test(what_cannot_be_opened),
        cmocka_unit_test(safetensors),
        cmocka_unit_test(deep_json_is_refused),
        cmocka_unit_test(pickles),
        cmocka_unit_test(a_sound_one_opens),
        cmocka_unit_test(legacy_frames),
        cmocka_unit_test(pickle_bombs),
        cmocka_unit_test(zip_archives),
        cmocka_unit_test(damaged_data_fail_when_read),
        cmocka_unit_test(objects_are_refused_by_class),
        cmocka_unit_test(every_truncation_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
