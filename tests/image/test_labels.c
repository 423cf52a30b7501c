/* Attribute tables: both layouts read, lookups, and every malformed one refused with its line. */
#include "image/labels.h"
#include "pictures.h"

static int parse(struct gx_labels *labels, const char *text, struct gx_err *err)
{
    err->text[0] = 0;
    return gx_labels_parse(labels, "t", strdup(text), strlen(text), err);
}

static void parse_ok(struct gx_labels *labels, const char *text)
{
    struct gx_err err;
    if (parse(labels, text, &err))
        fail_msg("%s", err.text);
}

static int value(const struct gx_labels *labels, const char *file, const char *column)
{
    const struct gx_label_row *row = gx_labels_find(labels, file);
    assert_non_null(row);
    return row->value[gx_labels_column(labels, column)];
}

static void celeba(void **state)
{
    (void)state;
    struct gx_labels l;
    struct gx_err err = {""};
    const char *text = "3\r\nBald Black_Hair Young \r\n000002.jpg -1  1 -1\r\n"
                       "000001.jpg  1 -1  1\r\n\r\n000003.jpg -1 -1 1";
    assert_int_equal(gx_labels_read(&l, save_bytes(text, strlen(text), "list_attr.txt"), &err), 0);
    assert_int_equal(l.columns, 3);
    assert_int_equal(l.rows, 3);
    assert_string_equal(l.column[1].name, "Black_Hair");
    assert_int_equal(gx_labels_column(&l, "Old"), -1);
    assert_int_equal(value(&l, "000001.jpg", "Bald"), 1);
    assert_int_equal(value(&l, "000001.jpg", "Black_Hair"), 0);
    assert_int_equal(value(&l, "some/where/000002.jpg", "Black_Hair"), 1);
    assert_int_equal(value(&l, "000003.png", "Young"), 1); /* by its stem */
    assert_null(gx_labels_find(&l, "000004.jpg"));
    assert_int_equal(gx_labels_find(&l, "000003")->line, 6);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gx_labels_check(&l, i, &err), 0);
    gx_labels_clear(&l);
    gx_labels_clear(&l);
}

static void commas(void **state)
{
    (void)state;
    struct gx_labels l;
    struct gx_err err = {""};
    parse_ok(&l, "\xef\xbb\xbf"
                 "file , smiling,\"age, in years\",\"a \"\"b\"\"\"\n"
                 "x/one.png,TRUE,31,0\n\"two, too.png\" , -1 ,1,1\nthree.png,false,0,\"1\"\n"
                 "one.jpg,0,0,0\n.hidden,1,1,1\n");
    assert_int_equal(l.columns, 3);
    assert_string_equal(l.column[1].name, "age, in years");
    assert_string_equal(l.column[2].name, "a \"b\"");
    assert_int_equal(value(&l, "one.png", "smiling"), 1);
    assert_int_equal(value(&l, "two, too.png", "smiling"), 0);
    assert_int_equal(value(&l, "three.webp", "a \"b\""), 1);
    assert_int_equal(value(&l, ".hidden", "smiling"), 1);
    assert_null(gx_labels_find(&l, "one.webp")); /* one.png, or one.jpg? */
    assert_int_equal(gx_labels_check(&l, 0, &err), 0);
    assert_int_equal(gx_labels_check(&l, 1, &err), -GX_E_CONFIG);
    assert_string_equal(err.text, "t:2: 'age, in years' is '31'; an attribute is 1 or 0, 1 or -1, "
                                  "true or false");
    gx_labels_clear(&l);
}

static void malformed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } wrong[] = {
        {"", "'t' is empty"},
        {" \n\r\n", "'t' is empty"},
        {"hello\nworld\n", "t:1: neither a header with commas, nor a number of pictures"},
        {"5\n", "t:1: no line of names follows"},
        {"1\na b\nx.png 1 1\ny.png 1 1\n", "t:1: it says 1 pictures, and 2 rows follow"},
        {"2\na b\nx.png 1 1\n", "t:1: it says 2 pictures, and 1 rows follow: is its end missing?"},
        {"1\na b\nx.png 1\n", "t:3: 1 values where there are 2 columns"},
        {"1\na a\nx.png 1\n", "t:2: there are two columns 'a'"},
        {"\nfile,a\n\nx.png,1,1\n", "t:4: 2 values where there are 1 columns"},
        {"file,a\n,1\n", "t:2: the name of the file is missing"},
        {"file,a\nx/,1\n", "t:2: the name of the file is missing"},
        {"file,\nx,1\n", "t:1: column 1 has no name"},
        {"file,a\n", "'t' has no rows"},
        {"0\na\n", "'t' has no rows"},
        {"file,a\nx.png,1\ny.png,1\nd/x.png,0\n", "t:4: 'x.png' comes twice, first in line 2"},
        {"file,a\nx.png,\"1\n", "t:2: a quote is not closed"},
        {"file,a\n\"x.png\"x,1\n", "t:2: a quote is not closed, or text follows it"},
        {"file,\"a\nx.png,1\n", "t:1: a quote is not closed"},
        {"\x89PNG\r\n\x1a\n", "'t' is not a table: it is not text"},
    };
    struct gx_labels l;
    struct gx_err err;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(parse(&l, wrong[i].text, &err), -GX_E_CONFIG);
        if (!strstr(err.text, wrong[i].says))
            fail_msg("'%s' does not say '%s'", err.text, wrong[i].says);
        assert_null(l.text);
    }
    assert_int_equal(gx_labels_parse(&l, "t", calloc(4, 1), 3, &err), -GX_E_CONFIG);
    assert_int_equal(gx_labels_read(&l, in_folder("none.txt"), &err), -GX_E_IO);
}

static void limits(void **state)
{
    (void)state;
    struct gx_labels l;
    struct gx_err err;
    char *wide = calloc(1, 16 * GX_LABELS_COLUMNS), *at = wide;
    at += sprintf(at, "file");
    for (int i = 0; i <= GX_LABELS_COLUMNS; i++)
        at += sprintf(at, ",c%d", i);
    assert_int_equal(parse(&l, wide, &err), -GX_E_CONFIG);
    assert_non_null(strstr(err.text, "t:1: more than 1000 columns"));
    free(wide);
    char *many = malloc(30000 * 12 + 16);
    at = many + sprintf(many, "f,a\n");
    for (int i = 0; i < 30000; i++)
        at += sprintf(at, "%05d.png,%d\n", (i * 7919) % 30000, i % 2);
    parse_ok(&l, many);
    assert_int_equal(l.rows, 30000);
    for (int i = 0; i < 30000; i++) {
        char name[16];
        sprintf(name, "%05d.jpg", (i * 7919) % 30000);
        assert_int_equal(value(&l, name, "a"), i % 2);
    }
    gx_labels_clear(&l);
    free(many);
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *says; /* NULL: it can be asked for */
    } row[] = {
        {"black hair", NULL},      {"5_o_Clock_Shadow", NULL},
        {"h\xc3\xa4nde", NULL},    {"-x", NULL},
        {"", "needs a name"},      {"a,b", "'a,b' cannot be"},
        {"a=1", "'=' has a mean"}, {"+a", "'+' has"},
        {"a/b", "'/' has"},        {"a;b", "';' has"},
        {"all", "--to all"},       {"..", "--to .."},
        {"a\nb", "one line"},      {"\xff", "UTF-8"},
    };
    for (size_t i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct gx_err err = {""};
        assert_int_equal(gx_label_name_check(row[i].name, &err), row[i].says ? -GX_E_CONFIG : 0);
        if (row[i].says && !strstr(err.text, row[i].says))
            fail_msg("'%s' does not say '%s'", err.text, row[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(celeba), cmocka_unit_test(commas), cmocka_unit_test(malformed),
        cmocka_unit_test(limits), cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
