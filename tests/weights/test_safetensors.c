/* safetensors written and read again: every type, rounding, metadata, the checksum, and that
 * nothing is left when writing stops half way. */
#include "bytes.h"
#include "ganx/weights.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <zlib.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static char path[] = "/tmp/ganx-test-XXXXXX";

static int make_path(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_path(void **state)
{
    (void)state;
    return unlink(path);
}

static const struct gx_weights_entry entries[] = {
    {"conv.weight", GX_F32, 4, {2, 1, 1, 3}},
    {"half", GX_F16, 1, {7}},
    {"brain", GX_BF16, 1, {7}},
    {"steps", GX_I64, 0, {0}},
    {"none", GX_F32, 2, {0, 5}},
    {"\xc3\xa9 \"quoted\"", GX_F32, 1, {1}},
};
/* The last ones: ties to even both ways, the smallest half and below, overflow. */
static const float data[COUNT(entries)][7] = {
    {1, -2, 3, 0.1f, INFINITY, -0.0f},
    {0.1f, 2049, 2051, 0x1p-24f, 0x1p-26f, 65519, 65520},
    {0.1f, 257, 259, 3.4e38f, 0x1p-133f, -1, 1e-10f},
    {123456},
    {0},
    {-7},
};
static const float rounded[2][7] = {
    {0.0999755859375f, 2048, 2052, 0x1p-24f, 0, 65504, INFINITY},
    {0.10009765625f, 256, 260, INFINITY, 0x1p-133f, -1, 1.00044417195022106170654296875e-10f},
};
static const struct gx_text_pair metadata[] = {
    {"ganx.family", "pix2pix"}, {"config", "a: \"b\"\nc: \xc3\xa9\n"}, {"ganx.crc32", "stale"}};

static void write_it(const char *to)
{
    struct gx_err err = {""};
    struct gx_weights_writer *writer;
    if (gx_weights_write_begin(&writer, to, entries, COUNT(entries), metadata, COUNT(metadata),
                               &err))
        fail_msg("%s", err.text);
    for (int i = 0; i < COUNT(entries); i++)
        assert_int_equal(gx_weights_write_next(writer, data[i], &err), 0);
    assert_int_equal(gx_weights_write_commit(&writer, &err), 0);
    assert_null(writer);
}

static void round_trip(void **state)
{
    (void)state;
    struct gx_err err = {""};
    struct gx_weights *w;
    write_it(path);
    if (gx_weights_open(&w, path, &err) || gx_weights_verify(w, &err))
        fail_msg("%s", err.text);
    assert_int_equal(gx_weights_count(w), COUNT(entries));
    for (int i = 0; i < COUNT(entries); i++) {
        const struct gx_tensor_info *info = gx_weights_info(w, gx_weights_find(w, entries[i].name));
        assert_string_equal(info->name, entries[i].name);
        assert_int_equal(info->dtype, entries[i].dtype);
        assert_int_equal(info->rank, entries[i].rank);
        for (int d = 0; d < info->rank; d++)
            assert_int_equal(info->dims[d], entries[i].dims[d]);
        float back[8];
        assert_int_equal(gx_weights_read(w, gx_weights_find(w, info->name), back, &err), 0);
        const float *e = i == 1 || i == 2 ? rounded[i - 1] : data[i];
        assert_memory_equal(back, e, (size_t)info->count * sizeof *e);
    }
    assert_int_equal(gx_weights_metadata_count(w), 3);
    assert_string_equal(gx_weights_metadata(w, "config"), metadata[1].value);
    gx_weights_close(&w);
}

static void not_a_number_stays_one(void **state)
{
    (void)state;
    struct gx_err err = {""};
    static const struct gx_weights_entry e[] = {{"h", GX_F16, 1, {1}}, {"b", GX_BF16, 1, {1}}};
    struct gx_weights_writer *writer;
    struct gx_weights *w;
    float nan_bits, back;
    memcpy(&nan_bits, &(uint32_t){0x7f800001}, 4); /* its payload would be rounded away */
    assert_int_equal(gx_weights_write_begin(&writer, path, e, 2, NULL, 0, &err), 0);
    assert_int_equal(gx_weights_write_next(writer, &nan_bits, &err), 0);
    assert_int_equal(gx_weights_write_next(writer, &nan_bits, &err), 0);
    assert_int_equal(gx_weights_write_commit(&writer, &err), 0);
    assert_int_equal(gx_weights_open(&w, path, &err), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gx_weights_read(w, i, &back, &err), 0);
        assert_true(isnan(back));
    }
    gx_weights_close(&w);
}

static void same_bytes_and_layout(void **state)
{
    (void)state;
    struct bytes a = {0}, b = {0};
    write_it(path);
    bytes_of_file(&a, path);
    write_it(path);
    bytes_of_file(&b, path);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    uint64_t length;
    memcpy(&length, a.data, 8);
    assert_int_equal((length + 8) % 64, 0);
    assert_int_equal(a.data[8], '{');
    /* The checksum by its definition: the whole file with the digits as zeros. */
    static const char mark[] = "\"ganx.crc32\":\"";
    uint8_t *digits = memmem(a.data, a.size, mark, sizeof mark - 1);
    assert_non_null(digits);
    digits += sizeof mark - 1;
    char stored[9] = "", computed[9];
    memcpy(stored, digits, 8);
    memset(digits, '0', 8);
    snprintf(computed, sizeof computed, "%08lx", crc32(0, a.data, (uInt)a.size));
    assert_string_equal(stored, computed);
    bytes_free(&a);
    bytes_free(&b);
}

/* Every single flipped bit is noticed: the file does not open, or does not verify, or has no
 * checksum any more. */
static void every_flipped_bit_is_noticed(void **state)
{
    (void)state;
    struct bytes b = {0};
    char name[64];
    write_it(path);
    bytes_of_file(&b, path);
    for (size_t i = 0; i < 8 * b.size; i++) {
        b.data[i / 8] ^= (uint8_t)(1 << i % 8);
        int fd = bytes_to_file(&b, name);
        struct gx_weights *w;
        if (!gx_weights_open(&w, name, NULL)) {
            if (gx_weights_metadata(w, "ganx.crc32") && !gx_weights_verify(w, NULL))
                fail_msg("bit %d of byte %d", (int)(i % 8), (int)(i / 8));
            gx_weights_close(&w);
        }
        close(fd);
        b.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    bytes_free(&b);
}

static void writing_can_stop(void **state)
{
    (void)state;
    struct gx_err err = {""};
    struct gx_weights_writer *writer;
    struct bytes before = {0}, after = {0};
    write_it(path);
    bytes_of_file(&before, path);
    assert_int_equal(gx_weights_write_begin(&writer, path, entries, 2, NULL, 0, &err), 0);
    assert_int_equal(gx_weights_write_next(writer, data[0], &err), 0);
    assert_int_equal(gx_weights_write_commit(&writer, &err), -GX_E_USAGE);
    assert_null(writer);
    assert_non_null(strstr(err.text, "only 1 of 2 tensors were written"));
    assert_int_equal(gx_weights_write_begin(&writer, path, entries, 1, NULL, 0, &err), 0);
    assert_int_equal(gx_weights_write_next(writer, data[0], &err), 0);
    assert_int_equal(gx_weights_write_next(writer, data[0], &err), -GX_E_USAGE);
    gx_weights_write_abort(&writer);
    assert_null(writer);
    gx_weights_write_abort(&writer);
    bytes_of_file(&after, path);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, after.size);
    bytes_free(&before);
    bytes_free(&after);
}

/* A file size limit stands for the full disk. */
static void a_full_disk_keeps_the_old(void **state)
{
    (void)state;
    static float big[20000];
    struct gx_weights_entry entry = {"a", GX_F32, 1, {20000}};
    struct gx_err err = {""};
    struct gx_weights_writer *writer;
    struct bytes before = {0}, after = {0};
    write_it(path);
    bytes_of_file(&before, path);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 40000;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    int begun = gx_weights_write_begin(&writer, path, &entry, 1, NULL, 0, &err);
    int written = begun ? 0 : gx_weights_write_next(writer, big, &err);
    gx_weights_write_abort(&writer);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(begun, 0);
    assert_int_equal(written, -GX_E_IO);
    assert_non_null(strstr(err.text, "file too large"));
    bytes_of_file(&after, path);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, after.size);
    bytes_free(&before);
    bytes_free(&after);
}

static void bad_entries_are_refused(void **state)
{
    (void)state;
    static const struct {
        struct gx_weights_entry e[2];
        int count;
        struct gx_text_pair pair;
        const char *fragment;
    } cases[] = {
        {{{"a", GX_F32, 1, {1}}, {"a", GX_F32, 1, {1}}}, 2, {"k", "v"}, "given twice"},
        {{{"\xff", GX_F32, 1, {1}}}, 1, {"k", "v"}, "not UTF-8"},
        {{{"__metadata__", GX_F32, 1, {1}}}, 1, {"k", "v"}, "given twice"},
        {{{"a", GX_I8, 1, {1}}}, 1, {"k", "v"}, "tensor 'a' cannot be written"},
        {{{"a", GX_F32, 2, {1, -1}}}, 1, {"k", "v"}, "tensor 'a' cannot be written"},
        {{{"a", GX_F32, 2, {INT64_MAX, 2}}}, 1, {"k", "v"}, "tensor 'a' cannot be written"},
        {{{"a", GX_F32, 9, {1}}}, 1, {"k", "v"}, "tensor 'a' cannot be written"},
        {{{"a", GX_F32, 1, {1}}}, 1, {"k", "\xff"}, "metadata 'k'"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        struct gx_err err = {""};
        struct gx_weights_writer *writer;
        assert_int_equal(gx_weights_write_begin(&writer, path, cases[i].e, cases[i].count,
                                                &cases[i].pair, 1, &err),
                         -GX_E_USAGE);
        assert_null(writer);
        if (!strstr(err.text, cases[i].fragment))
            fail_msg("case %d: %s", i, err.text);
    }
    struct gx_err err;
    struct gx_weights_writer *writer;
    assert_int_equal(gx_weights_write_begin(&writer, "/tmp/no/such/x", entries, 1, NULL, 0, &err),
                     -GX_E_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(not_a_number_stays_one),
        cmocka_unit_test(same_bytes_and_layout),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(writing_can_stop),
        cmocka_unit_test(a_full_disk_keeps_the_old),
        cmocka_unit_test(bad_entries_are_refused),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
