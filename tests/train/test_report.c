/* The report of a run: metrics read back as curves, the page whole, closed and escaped. */
#include "../scratch.h"
#include "../test.h"
#include "train/chart.h"
#include "train/metrics.h"
#include "train/report.h"
#include "util/file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[256];
static struct gx_err err;

static int setup(void **state)
{
    (void)state;
    return scratch_make(root, sizeof root);
}

static int teardown(void **state)
{
    (void)state;
    return scratch_remove(root);
}

static const char *in_root(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void put(const char *name, const char *data, size_t size)
{
    FILE *file = fopen(in_root(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void put_text(const char *name, const char *text)
{
    put(name, text, strlen(text));
}

static char *page(void)
{
    char *data;
    size_t size;
    if (gx_report_write(root, "pix<2>pix", &err))
        fail_msg("%s", err.text);
    assert_int_equal(gx_file_read(in_root("report.html"), 1 << 24, &data, &size, &err), 0);
    assert_int_equal(strlen(data), size);
    return data;
}

static void expect(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("the page lacks '%s'", part);
}

static int occurrences(const char *text, const char *part)
{
    int count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

static const struct gx_curve *curve(const struct gx_metrics *m, const char *name)
{
    for (int i = 0; i < m->count; i++)
        if (!strcmp(m->curve[i].name, name))
            return &m->curve[i];
    fail_msg("no curve '%s'", name);
    return NULL;
}

static void metrics_become_curves(void **state)
{
    (void)state;
    struct gx_metrics m;
    put_text("metrics.jsonl",
             "{\"step\":10,\"epoch\":0,\"lr\":0.0002,\"loss\":{\"G_GAN\":0.5,\"G_L1\":20},"
             "\"s_per_step\":0.5}\n"
             "{\"step\":20,\"epoch\":1,\"lr\":0.0001,\"loss\":{\"G_GAN\":0.25,\"D_cls\":null},"
             "\"s_per_step\":0.25}\n"
             "not json\n[1]\n{\"loss\":{\"G_GAN\":9}}\n"
             "{\"step\":20,\"val\":{\"psnr\":18,\"l1\":\"no\"}}\n"
             "{\"step\":30,\"loss\":{\"G_GA");
    assert_int_equal(gx_metrics_read(&m, in_root("metrics.jsonl"), &err), 0);
    assert_int_equal(m.count, 4);
    assert_int_equal(m.steps, 20);
    assert_int_equal(m.epochs, 2);
    assert_true(m.seconds == 10 * 0.5 + 10 * 0.25);
    const struct gx_curve *c = curve(&m, "G_GAN");
    assert_int_equal(c->kind, GX_CURVE_ADVERSARIAL);
    assert_int_equal(c->count, 2);
    assert_true(c->step[1] == 20 && c->value[1] == 0.25);
    assert_int_equal(curve(&m, "G_L1")->kind, GX_CURVE_PIXEL);
    assert_int_equal(curve(&m, "psnr")->kind, GX_CURVE_VALIDATION);
    assert_int_equal(curve(&m, "learning rate")->kind, GX_CURVE_RATE);
    gx_metrics_clear(&m);
    assert_int_equal(gx_metrics_read(&m, in_root("absent"), &err), 0);
    assert_int_equal(m.count, 0);
    assert_int_equal(gx_metrics_read(&m, root, &err), -GX_E_IO);
}

static void health_has_curves_and_spells(void **state)
{
    (void)state;
    struct gx_metrics m;
    put_text("metrics.jsonl",
             "{\"step\":1,\"health\":{\"separation\":0.5,\"gradient\":2,\"diversity\":null,"
             "\"state\":\"ok\"}}\n"
             "{\"step\":50,\"health\":{\"separation\":0.75,\"diversity\":0.1,"
             "\"state\":\"mode collapse\"}}\n"
             "{\"step\":100,\"health\":{\"separation\":0.75,\"state\":\"mode collapse\"}}\n"
             "{\"step\":150,\"health\":{\"separation\":1,\"state\":\"mode collapse, what<new>\"}}\n"
             "{\"step\":200,\"health\":{\"state\":\"ok\"}}\n");
    assert_int_equal(gx_metrics_read(&m, in_root("metrics.jsonl"), &err), 0);
    const struct gx_curve *c = curve(&m, "separation");
    assert_true(c->kind == GX_CURVE_SHARE && c->count == 4 && c->value[1] == 0.75);
    assert_int_equal(curve(&m, "diversity")->count, 1);
    assert_int_equal(curve(&m, "gradient")->kind, GX_CURVE_GRADIENT);
    assert_int_equal(m.spells, 3);
    assert_true(m.spell[0].step == 50 && m.spell[1].step == 150 && m.spell[2].step == 200);
    assert_string_equal(m.spell[2].state, "ok");
    gx_metrics_clear(&m);
    char *text = page();
    expect(text, "<h2>Health</h2>");
    expect(text, "<b>Step 50</b> the generator answers nearly the same for different inputs: try");
    expect(text, "train.batch; what&lt;new&gt;</li>");
    expect(text, "<b>Step 200</b> all is well again</li>");
    assert_int_equal(occurrences(text, "<li><b>Step"), 3);
    free(text);

    put_text("metrics.jsonl",
             "{\"step\":50,\"health\":{\"A\":{\"separation\":0.5,\"state\":\"ok\"},"
             "\"B\":{\"separation\":0.6,\"state\":\"input ignored\"}}}\n");
    assert_int_equal(gx_metrics_read(&m, in_root("metrics.jsonl"), &err), 0);
    assert_true(curve(&m, "A: separation")->value[0] == 0.5);
    assert_true(curve(&m, "B: separation")->value[0] == 0.6);
    assert_int_equal(m.spells, 1);
    assert_string_equal(m.spell[0].watch, "B");
    gx_metrics_clear(&m);
    text = page();
    expect(text, "<b>Step 50</b> B: the generator's pictures do not depend on its input");
    free(text);

    put_text("metrics.jsonl", "{\"step\":1,\"loss\":{\"G_GAN\":1}}\n");
    text = page(); /* without measures there is nothing to say */
    assert_null(strstr(text, "<h2>Health"));
    free(text);
}

static void kinds_of_losses(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum gx_curve_kind kind;
    } rows[] = {
        {"D_A", GX_CURVE_ADVERSARIAL},    {"cycle_A", GX_CURVE_PIXEL}, {"idt_B", GX_CURVE_PIXEL},
        {"D_real", GX_CURVE_ADVERSARIAL}, {"G_rec", GX_CURVE_PIXEL},   {"G_cls", GX_CURVE_CLASS},
        {"D_gp", GX_CURVE_ADVERSARIAL},   {"G_perc", GX_CURVE_PIXEL},  {"D_cls", GX_CURVE_CLASS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gx_metrics m;
        char line[128];
        snprintf(line, sizeof line, "{\"step\":1,\"loss\":{\"%s\":1}}\n", rows[i].name);
        put_text("metrics.jsonl", line);
        assert_int_equal(gx_metrics_read(&m, in_root("metrics.jsonl"), &err), 0);
        assert_int_equal(curve(&m, rows[i].name)->kind, rows[i].kind);
        gx_metrics_clear(&m);
    }
}

static void an_empty_run_has_a_page(void **state)
{
    (void)state;
    char *text = page();
    expect(text, "<!DOCTYPE html>");
    expect(text, "</html>");
    assert_int_equal(occurrences(text, "<svg"), 0);
    assert_int_equal(occurrences(text, "<img"), 0);
    assert_int_equal(occurrences(text, "<pre"), 0);
    free(text);
    assert_int_equal(gx_report_write("/nowhere", "x", &err), -GX_E_IO);
}

static void the_page_says_it_all(void **state)
{
    (void)state;
    FILE *file = fopen(in_root("metrics.jsonl"), "w");
    assert_non_null(file);
    for (int step = 1; step <= 1200; step++) {
        fprintf(file,
                "{\"step\":%d,\"epoch\":%d,\"lr\":%g,\"loss\":{\"G_GAN\":%g,\"G_L1\":%g,"
                "\"D_<i>&\":1},\"s_per_step\":0.1}\n",
                step, step / 100, 1e-4 * (1200 - step), 1 + sin(step), 50.0 / step);
        if (step % 400 == 0)
            fprintf(file, "{\"step\":%d,\"val\":{\"l1\":%g,\"ssim\":%g}}\n", step,
                    step == 800 ? 0.125 : 0.5, step == 400 ? 0.875 : 0.5);
    }
    assert_int_equal(fclose(file), 0);
    put_text("config.yaml", "a: \"<script>\" # b & c\n");
    char *text = page();
    expect(text, "<title>pix&lt;2&gt;pix</title>");
    expect(text, "a: &quot;&lt;script&gt;&quot; # b &amp; c");
    expect(text, "D_&lt;i&gt;&amp;");
    assert_int_equal(occurrences(text, "<script"), 0);
    assert_int_equal(occurrences(text, "<i>&"), 0);
    assert_int_equal(occurrences(text, "http"), 0);
    assert_int_equal(occurrences(text, "nan"), 0);
    expect(text, "<dd>1200<small>in 13 epochs</small>");
    expect(text, "<dd>2 min 00 s<small>0.1 s a step</small>");
    expect(text, "Best L1</dt><dd>0.125<small>at step 800; last 0.5<");
    expect(text, "Best SSIM</dt><dd>0.875<small>at step 400; last 0.5<");
    static const char *const titles[] = {"Adversarial losses", "Pixel losses", "Validation: L1",
                                         "Validation: SSIM", "Learning rate"};
    for (int i = 0; i < 5; i++)
        expect(text, titles[i]);
    static const char *const tags[] = {"figure", "svg", "div", "g", "ul", "dl", "main", "pre"};
    for (int i = 0; i < 8; i++) {
        char open[32], bare[32], close[32];
        snprintf(open, sizeof open, "<%s ", tags[i]);
        snprintf(bare, sizeof bare, "<%s>", tags[i]);
        snprintf(close, sizeof close, "</%s>", tags[i]);
        assert_int_equal(occurrences(text, open) + occurrences(text, bare),
                         occurrences(text, close));
    }
    assert_int_equal(occurrences(text, "<svg"), 5);
    assert_true(strlen(text) < 100000); /* long curves are thinned */
    free(text);
}

static void samples_lie_within(void **state)
{
    (void)state;
    assert_int_equal(gx_folder_make(in_root("samples"), &err), 0);
    char name[64];
    for (int i = 1; i <= 20; i++) {
        snprintf(name, sizeof name, "samples/%06d.png", 100 * i);
        put(name, "Man\xff", (size_t)(i % 2 ? 4 : 3));
    }
    put_text("samples/1000000.png", "Ma");
    put_text("samples/notes.txt", "x");
    char *text = page();
    assert_int_equal(occurrences(text, "<img"), 7);
    expect(text, "base64,TWFu/w==\"");
    expect(text, "base64,TWE=\"><figcaption>Step 1000000, the newest<");
    expect(text, "<figcaption>Step 100<");
    assert_true(strstr(text, "Step 1000000,") < strstr(text, "Step 100<"));
    assert_int_equal(occurrences(text, "notes"), 0);
    free(text);
}

/* Every kind of curve gives a drawing with finite numbers: one point, constants, two, many. */
static void charts_of_any_curve(void **state)
{
    (void)state;
    static const int counts[] = {1, 2, 15, 16, 519, 520, 5000};
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        for (int constant = 0; constant < 2; constant++) {
            int n = counts[k];
            double *step = calloc((size_t)n, sizeof *step);
            double *value = calloc((size_t)n, sizeof *value);
            for (int i = 0; i < n; i++) {
                step[i] = 10.0 * i;
                value[i] = constant ? 0 : 1e-3 * i - 1e5 * (i == 77);
            }
            struct gx_curve c = {(char *)"loss", GX_CURVE_ADVERSARIAL, step, value, n};
            const struct gx_curve *list[] = {&c};
            char *text = NULL;
            size_t size;
            FILE *to = open_memstream(&text, &size);
            gx_chart_write(to, 1, "t", list, 1);
            fclose(to);
            assert_int_equal(occurrences(text, "nan"), 0);
            assert_int_equal(occurrences(text, "inf"), 0);
            assert_int_equal(occurrences(text, "</svg>"), 1);
            assert_int_equal(occurrences(text, "<polyline"), n >= 16 ? 2 : n > 1);
            assert_int_equal(occurrences(text, "<circle"), n < 16 ? n : 0);
            assert_true(occurrences(text, "class=\"grid\"") >= 2);
            assert_true(size < 20000);
            free(text);
            free(step);
            free(value);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(metrics_become_curves, setup, teardown),
        cmocka_unit_test_setup_teardown(health_has_curves_and_spells, setup, teardown),
        cmocka_unit_test_setup_teardown(kinds_of_losses, setup, teardown),
        cmocka_unit_test_setup_teardown(an_empty_run_has_a_page, setup, teardown),
        cmocka_unit_test_setup_teardown(the_page_says_it_all, setup, teardown),
        cmocka_unit_test_setup_teardown(samples_lie_within, setup, teardown),
        cmocka_unit_test_setup_teardown(charts_of_any_curve, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
