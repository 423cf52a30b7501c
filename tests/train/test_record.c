/* Records: what is written comes back bit for bit, into the same places and nowhere else; a file
 * that is damaged or that belongs to another network changes nothing. */
#include "../scratch.h"
#include "../test.h"
#include "train/record.h"
#include "util/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { POOL = 11 };

struct model { /* a small network, its first moment, and a plain array */
    struct gx_params params;
    float *moment, pool[POOL];
};

static char path[256];

static int make_path(void **state)
{
    (void)state;
    if (scratch_make(path, sizeof path - sizeof "/r.safetensors"))
        return -1;
    strcat(path, "/r.safetensors");
    return 0;
}

/* rmdir fails when a temporary file was forgotten. */
static int remove_path(void **state)
{
    (void)state;
    if (unlink(path))
        return -1;
    *strrchr(path, '/') = 0;
    return rmdir(path);
}

/* Bits that a detour through text, double or another order would not keep. */
static void fill(float *to, int64_t count, uint32_t seed)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = seed * 2654435761U + (uint32_t)i * 40503U;
        bits &= 0xbfffffffU; /* no infinities and no NaN; subnormals and -0 may be */
        memcpy(&to[i], &bits, sizeof bits);
    }
}

static void model_init(struct model *m, int width, uint32_t seed)
{
    struct gx_params *p = &m->params;
    gx_params_init(p);
    assert_non_null(
        gx_params_declare(p, "c.weight", GX_PARAM_CONV, (struct gx_shape){3, 3, 5, width}));
    assert_non_null(
        gx_params_declare(p, "c.mean", GX_PARAM_RUNNING_MEAN, (struct gx_shape){1, 1, 1, width}));
    assert_non_null(gx_params_declare(p, "t.weight", GX_PARAM_CONV_TRANSPOSED,
                                      (struct gx_shape){4, 4, width, 3}));
    assert_non_null(
        gx_params_declare(p, "l.weight", GX_PARAM_LINEAR, (struct gx_shape){1, 1, 3, width}));
    assert_non_null(gx_params_declare(p, "l.bias", GX_PARAM_BIAS, (struct gx_shape){1, 1, 1, 3}));
    assert_int_equal(gx_params_allocate(p, NULL), 0);
    m->moment = calloc((size_t)p->trained, sizeof *m->moment);
    assert_non_null(m->moment);
    fill(p->data, p->total, seed);
    fill(m->moment, p->trained, seed + 1);
    fill(m->pool, POOL, seed + 2);
}

static void model_clear(struct model *m)
{
    gx_params_clear(&m->params);
    free(m->moment);
}

static void enlist(struct gx_record *record, struct model *m)
{
    gx_record_init(record);
    gx_record_add_params(record, "G.", &m->params, GX_PARTS_ALL, m->params.data);
    gx_record_add_params(record, "optim.G.m.", &m->params, GX_PARTS_TRAINED, m->moment);
    gx_record_add_array(record, "pool", POOL, m->pool);
    gx_record_add_array(record, "nothing", 0, NULL);
}

/* Weights and moments, padding between the tensors left out. */
static bool same(const struct model *a, const struct model *b)
{
    for (int i = 0; i < a->params.count; i++) {
        const struct gx_param *p = a->params.param[i], *q = b->params.param[i];
        size_t bytes = (size_t)gx_count(p->shape) * sizeof(float);
        if (memcmp(p->data, q->data, bytes) != 0)
            return false;
        if (gx_param_trained(p) && memcmp(a->moment + p->offset, b->moment + q->offset, bytes) != 0)
            return false;
    }
    return !memcmp(a->pool, b->pool, sizeof a->pool);
}

static void save(struct model *m)
{
    struct gx_record record;
    struct gx_err err;
    enlist(&record, m);
    gx_record_set(&record, "ganx.step", "%d", 12);
    gx_record_set(&record, "config", "a: 1\nb: \"%s\"\n", "\xc3\xa9");
    assert_int_equal(gx_record_write(&record, path, &err), 0);
    gx_record_clear(&record);
}

static void round_trip(void **state)
{
    (void)state;
    struct model a, b;
    struct gx_record record;
    struct gx_err err;
    model_init(&a, 7, 1);
    model_init(&b, 7, 2);
    assert_false(same(&a, &b));
    save(&a);
    enlist(&record, &b);
    gx_record_set(&record, "stale", "x");
    assert_null(gx_record_get(&record, "ganx.step"));
    assert_int_equal(gx_record_read(&record, path, &err), 0);
    assert_true(same(&a, &b));
    assert_string_equal(gx_record_get(&record, "ganx.step"), "12");
    assert_string_equal(gx_record_get(&record, "config"), "a: 1\nb: \"\xc3\xa9\"\n");
    assert_null(gx_record_get(&record, "stale"));
    /* Read and written again, the file is the same to the byte. */
    char *first, *second;
    size_t size, size2;
    assert_int_equal(gx_file_read(path, 1 << 20, &first, &size, &err), 0);
    assert_int_equal(gx_record_write(&record, path, &err), 0);
    assert_int_equal(gx_file_read(path, 1 << 20, &second, &size2, &err), 0);
    assert_int_equal(size, size2);
    assert_memory_equal(first, second, size);
    free(first);
    free(second);
    gx_record_clear(&record);
    model_clear(&a);
    model_clear(&b);
}

static void names_and_order_are_pytorch(void **state)
{
    (void)state;
    struct model a;
    struct gx_weights *file;
    struct gx_err err;
    model_init(&a, 7, 1);
    save(&a);
    assert_int_equal(gx_weights_open(&file, path, &err), 0);
    int at = gx_weights_find(file, "G.c.weight");
    assert_true(at >= 0);
    const struct gx_tensor_info *info = gx_weights_info(file, at);
    assert_int_equal(info->rank, 4);
    assert_int_equal(info->dims[0], 7);
    assert_int_equal(info->dims[1], 5);
    float disk[7 * 5 * 9];
    assert_int_equal(gx_weights_read(file, at, disk, &err), 0);
    const struct gx_param *p = gx_params_find(&a.params, "c.weight");
    for (int o = 0; o < 7; o++)
        for (int i = 0; i < 5; i++)
            for (int t = 0; t < 9; t++)
                assert_memory_equal(&disk[(o * 5 + i) * 9 + t], &p->data[(t * 5 + i) * 7 + o],
                                    sizeof(float));
    assert_true(gx_weights_find(file, "G.c.mean") >= 0);
    assert_true(gx_weights_find(file, "optim.G.m.c.mean") < 0);
    gx_weights_close(&file);
    model_clear(&a);
}

/* Reads into a model that differs: it fails with the code, leaves the model alone, and says so. */
static void expect_refused(int width, int code, const char *words)
{
    struct model b, before;
    struct gx_record record;
    struct gx_err err = {""};
    model_init(&b, width, 3);
    model_init(&before, width, 3);
    enlist(&record, &b);
    gx_record_set(&record, "kept", "yes");
    int result = gx_record_read(&record, path, &err);
    assert_int_equal(result, -code);
    if (!strstr(err.text, words))
        fail_msg("'%s' does not say '%s'", err.text, words);
    assert_true(same(&b, &before));
    if (code == GX_E_SHAPE) /* the texts are the file's */
        assert_null(gx_record_get(&record, "kept"));
    else
        assert_string_equal(gx_record_get(&record, "kept"), "yes");
    gx_record_clear(&record);
    model_clear(&b);
    model_clear(&before);
}

static void damage_is_noticed(void **state)
{
    (void)state;
    struct model a;
    char *data;
    size_t size;
    model_init(&a, 7, 1);
    save(&a);
    assert_int_equal(gx_file_read(path, 1 << 20, &data, &size, NULL), 0);
    for (size_t at = 0; at < size; at += 1 + size / 600) { /* header and data */
        struct model b, before;
        struct gx_record record;
        model_init(&b, 7, 3);
        model_init(&before, 7, 3);
        enlist(&record, &b);
        data[at] ^= (char)(1 << at % 8);
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(data, 1, size, file), size);
        assert_int_equal(fclose(file), 0);
        int result = gx_record_read(&record, path, NULL);
        if (result != -GX_E_FORMAT && result != -GX_E_LIMIT)
            fail_msg("a flip in byte %zu gives %d", at, result);
        assert_true(same(&b, &before));
        data[at] ^= (char)(1 << at % 8);
        gx_record_clear(&record);
        model_clear(&b);
        model_clear(&before);
    }
    free(data);
    save(&a);
    static const long lengths[] = {0, 5, 8, 200, -1};
    for (int i = 0; i < 5; i++) {
        save(&a);
        assert_int_equal(truncate(path, lengths[i] < 0 ? (long)size - 1 : lengths[i]), 0);
        expect_refused(7, GX_E_FORMAT, path);
    }
    model_clear(&a);
}

static void other_networks_are_refused(void **state)
{
    (void)state;
    struct model a;
    model_init(&a, 7, 1);
    save(&a);
    expect_refused(8, GX_E_SHAPE, "'G.c.weight' is (7, 5, 3, 3), should be (8, 5, 3, 3)");
    expect_refused(8, GX_E_SHAPE, "7 differences");
    expect_refused(8, GX_E_SHAPE, "; ...");
    /* Something missing, something more. */
    struct gx_record record;
    struct gx_err err;
    gx_record_init(&record);
    gx_record_add_params(&record, "G.", &a.params, GX_PARTS_ALL, a.params.data);
    gx_record_add_params(&record, "E.", &a.params, GX_PARTS_TRAINED, a.moment);
    assert_int_equal(gx_record_read(&record, path, &err), -GX_E_SHAPE);
    assert_non_null(strstr(err.text, "'E.c.weight' is missing (7, 5, 3, 3)"));
    gx_record_clear(&record);
    gx_record_init(&record);
    gx_record_add_params(&record, "G.", &a.params, GX_PARTS_ALL, a.params.data);
    assert_int_equal(gx_record_read(&record, path, &err), -GX_E_SHAPE);
    assert_non_null(strstr(err.text, "is unexpected"));
    gx_record_clear(&record);
    model_clear(&a);
}

/* What an older version did not save, or saved in another size, stays as it is. */
static void optional_arrays_may_be_missing(void **state)
{
    (void)state;
    float kept[3] = {1, 2, 3}, read[4] = {7, 8, 9, 10};
    struct gx_record record;
    struct gx_err err = {""};
    gx_record_init(&record);
    gx_record_add_array(&record, "a", 2, kept);
    gx_record_add_optional(&record, "b", 3, kept);
    assert_int_equal(gx_record_write(&record, path, &err), 0);
    gx_record_clear(&record);
    for (int size = 3; size <= 4; size++) {
        float a[2] = {0}, lacking = 5;
        gx_record_init(&record);
        gx_record_add_array(&record, "a", 2, a);
        gx_record_add_optional(&record, "b", size, read);
        gx_record_add_optional(&record, "c", 1, &lacking);
        if (gx_record_read(&record, path, &err))
            fail_msg("%s", err.text);
        gx_record_clear(&record);
        assert_true(a[0] == 1 && a[1] == 2 && lacking == 5);
        for (int i = 0; i < 3; i++)
            assert_true(read[i] == (size == 3 ? kept[i] : 20));
        for (int i = 0; i < 4; i++)
            read[i] = 20;
    }
}

static void half_precision_is_for_use_only(void **state)
{
    (void)state;
    struct model a;
    struct gx_record record;
    struct gx_weights *file;
    struct gx_err err;
    model_init(&a, 7, 1);
    for (int64_t i = 0; i < a.params.total; i++)
        a.params.data[i] = (float)(i % 64) / 8;
    gx_record_init(&record);
    gx_record_add_params(&record, "", &a.params, GX_PARTS_ALL, a.params.data);
    assert_int_equal(gx_record_write_as(&record, path, GX_F16, &err), 0);
    assert_int_equal(gx_weights_open(&file, path, &err), 0);
    int at = gx_weights_find(file, "l.bias");
    float bias[3];
    assert_int_equal(gx_weights_info(file, at)->dtype, GX_F16);
    assert_int_equal(gx_weights_read(file, at, bias, &err), 0);
    assert_memory_equal(bias, gx_params_find(&a.params, "l.bias")->data, sizeof bias);
    gx_weights_close(&file);
    assert_int_equal(gx_record_read(&record, path, &err), -GX_E_SHAPE);
    assert_non_null(strstr(err.text, "not float32"));
    gx_record_clear(&record);
    model_clear(&a);
}

static void what_cannot_be_written(void **state)
{
    (void)state;
    struct model a;
    struct gx_record record;
    struct gx_err err;
    model_init(&a, 7, 1);
    save(&a);
    enlist(&record, &a);
    gx_record_add_array(&record, "pool", POOL, a.pool);
    assert_int_equal(gx_record_write(&record, path, &err), -GX_E_USAGE);
    assert_non_null(strstr(err.text, "'pool'"));
    gx_record_clear(&record);
    enlist(&record, &a);
    assert_int_equal(gx_record_write(&record, "/nowhere/r.safetensors", &err), -GX_E_IO);
    assert_int_equal(gx_record_read(&record, path, &err), 0); /* the older file is whole */
    gx_record_clear(&record);
    model_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(names_and_order_are_pytorch),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(other_networks_are_refused),
        cmocka_unit_test(optional_arrays_may_be_missing),
        cmocka_unit_test(half_precision_is_for_use_only),
        cmocka_unit_test(what_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
