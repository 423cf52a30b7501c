/* ganx eval OUT REF: how far pictures are from their references, each and on average. Pictures
 * belong together by name, else by name without suffix; what has no partner, or another size, is
 * named. */
#include "cmd/cmd.h"

#include "ganx/image.h"
#include "image/metrics.h"
#include "util/arena.h"
#include "util/file.h"
#include "util/text.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS_MAX = 16 };

struct eval {
    struct gx_report *report;
    json_t *pictures;        /* of each pair, in --json */
    double sum[METRICS_MAX]; /* over the finite values, by metric and then the two sharpnesses */
    int finite[METRICS_MAX];
    int done, failed;
    bool json;
};

/* The columns: the metric table, then the sharpness of both. */
static int metric_count(void)
{
    int count = 0;
    while (gx_metrics[count].name)
        count++;
    return count;
}

static const char *column_name(int i)
{
    int metrics = metric_count();
    return i < metrics ? gx_metrics[i].name : i == metrics ? "sharpness" : "ref_sharpness";
}

static void fail(struct eval *e, const char *text)
{
    e->failed++;
    gx_report(e->report, GX_ERROR, "failed", "%s", text);
}

/* ---- one pair ---- */

/* Colour floats in 0..1 to free, or NULL after a report. */
static float *read_colour(struct eval *e, const char *path, struct gx_facts *facts)
{
    struct gx_picture *picture;
    struct gx_err err;
    float *pixels = NULL;
    if (gx_picture_open(&picture, path, NULL, &err)) {
        fail(e, err.text);
        return NULL;
    }
    *facts = *gx_picture_facts(picture);
    pixels = malloc((size_t)facts->width * (size_t)facts->height * 3 * sizeof *pixels);
    if (!pixels || gx_picture_read(picture, 3, 0, 1, pixels, &err)) {
        fail(e, pixels ? err.text : "not enough memory for a picture");
        free(pixels);
        pixels = NULL;
    }
    gx_picture_free(&picture);
    return pixels;
}

static void add_result(struct eval *e, const char *name, const struct gx_pair *pair)
{
    int metrics = metric_count();
    double value[METRICS_MAX];
    for (int i = 0; i < metrics; i++)
        value[i] = gx_metrics[i].measure(pair);
    value[metrics] = gx_sharpness(pair->a, 1, pair->h, pair->w, pair->c, 0, 1);
    value[metrics + 1] = gx_sharpness(pair->b, 1, pair->h, pair->w, pair->c, 0, 1);
    json_t *row = json_pack("{ss}", "name", name);
    for (int i = 0; i < metrics + 2; i++) {
        bool finite = isfinite(value[i]);
        e->sum[i] += finite ? value[i] : 0;
        e->finite[i] += finite;
        json_object_set_new(row, column_name(i), finite ? json_real(value[i]) : json_null());
        if (!e->json)
            printf("%10.4f", value[i]);
    }
    if (!e->json)
        printf("  %s\n", name);
    json_array_append_new(e->pictures, row);
    e->done++;
}

static void measure(struct eval *e, const char *name, const char *out, const char *ref)
{
    struct gx_facts a, b;
    float *x = read_colour(e, out, &a), *y = x ? read_colour(e, ref, &b) : NULL;
    if (x && y && (a.width != b.width || a.height != b.height)) {
        char text[512];
        snprintf(text, sizeof text, "'%.200s' is %d x %d, '%.200s' is %d x %d", out, a.width,
                 a.height, ref, b.width, b.height);
        fail(e, text);
    } else if (x && y) {
        struct gx_pair pair = {x, y, 1, a.height, a.width, 3, 0, 1};
        add_result(e, name, &pair);
    }
    free(x);
    free(y);
}

/* ---- pairs of folders ---- */

static bool holds(const struct gx_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (!strcmp(names->name[i], name))
            return true;
    return false;
}

/* Of `outs`: the reference's namesake; else the one picture that differs in its suffix alone and is
 * no other reference's namesake. NULL: none, or *several. */
static const char *partner(const struct gx_names *outs, const struct gx_names *refs,
                           const char *name, bool *several)
{
    size_t length = gx_stem_length(name);
    const char *found = NULL;
    *several = false;
    if (holds(outs, name))
        return name;
    for (size_t i = 0; i < outs->count && !*several; i++) {
        const char *other = outs->name[i];
        if (!gx_picture_name(other) || gx_stem_length(other) != length ||
            strncmp(other, name, length) != 0 || holds(refs, other))
            continue;
        *several = found != NULL;
        found = other;
    }
    return *several ? NULL : found;
}

static int measure_folders(struct eval *e, const char *out, const char *ref, struct gx_err *err)
{
    struct gx_names outs = {0}, refs = {0};
    struct gx_arena arena = {0};
    int code = gx_folder_list(out, &outs, err);
    if (!code)
        code = gx_folder_list(ref, &refs, err);
    for (size_t i = 0; i < refs.count && !code; i++) {
        const char *name = refs.name[i];
        bool several;
        if (!gx_picture_name(name))
            continue;
        const char *mine = partner(&outs, &refs, name, &several);
        if (mine)
            measure(e, mine, gx_arena_format(&arena, "%s/%s", out, mine),
                    gx_arena_format(&arena, "%s/%s", ref, name));
        else
            fail(e, gx_arena_format(&arena, "'%s/%s' has %s in '%s'", ref, name,
                                    several ? "several partners" : "no partner", out));
    }
    gx_names_free(&outs);
    gx_names_free(&refs);
    gx_arena_clear(&arena);
    return code;
}

/* ---- the result ---- */

static void print_mean(const struct eval *e)
{
    int columns = metric_count() + 2;
    json_t *mean = json_object();
    for (int i = 0; i < columns; i++) {
        double value = e->finite[i] ? e->sum[i] / e->finite[i] : INFINITY;
        json_object_set_new(mean, column_name(i), e->finite[i] ? json_real(value) : json_null());
        if (!e->json)
            printf("%10.4f", value);
    }
    if (!e->json) {
        printf("  mean of %d\n", e->done);
        for (int i = 0; i < columns; i++)
            printf("%10s", i == columns - 1 ? "(of ref)" : column_name(i));
        printf("\n");
        json_decref(mean);
        return;
    }
    json_t *all = json_pack("{si si so sO}", "count", e->done, "failed", e->failed, "mean", mean,
                            "pictures", e->pictures);
    char *text = json_dumps(all, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    puts(text);
    free(text);
    json_decref(all);
}

static int run_eval(struct gx_config *config, struct gx_report *report)
{
    struct eval e = {.report = report, .json = config->json};
    struct gx_err err = {""};
    if (config->operands != 2) {
        gx_report(report, GX_ERROR, "error", "eval compares two things: ganx eval OUT REF");
        return GX_EXIT_USAGE;
    }
    const char *out = config->operand[0], *ref = config->operand[1];
    int code = gx_image_start(NULL, 1, &err);
    if (code)
        return gx_fail_at(report, code, GX_AT_START, &err);
    if (gx_is_folder(out) != gx_is_folder(ref)) {
        gx_report(report, GX_ERROR, "error", "'%s' and '%s' must both be files or both folders",
                  out, ref);
        return GX_EXIT_USAGE;
    }
    e.pictures = json_array();
    if (gx_is_folder(out))
        code = measure_folders(&e, out, ref, &err);
    else
        measure(&e, out, out, ref);
    if (!code && e.done)
        print_mean(&e);
    json_decref(e.pictures);
    if (code)
        return gx_fail_at(report, code, GX_AT_INPUT, &err);
    if (!e.done) {
        gx_report(report, GX_ERROR, "error", "no picture could be compared");
        return GX_EXIT_NO_INPUT;
    }
    return e.failed ? GX_EXIT_SOME_FAILED : GX_EXIT_DONE;
}

const struct gx_command gx_command_eval = {
    .name = "eval",
    .verb = GX_VERB_EVAL,
    .of_family = true,
    .alone = true,
    .summary = "compare pictures with their references: L1, PSNR, SSIM, sharpness",
    .usage = (const char *const[]){"[--json] OUT REF", NULL},
    .run = run_eval,
};
