/* ganx eval OUT REF: how far pictures are from their references, each and on average. Pictures
 * belong together by name, else by name without suffix; what has no partner, or another size, is
 * named. */
#include "cmd/cmd.h"
#include "cmd/figures.h"

#include "ganx/image.h"
#include "util/arena.h"
#include "util/file.h"
#include "util/memory.h"
#include "util/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct eval {
    struct gx_report *report;
    struct gx_figures figures;
    int64_t room; /* bytes for a pair */
    int crop;     /* pixels on every side that are left out */
    int failed;
    bool mismatched; /* one of them was read, but has no partner, or one of another size */
};

static void fail(struct eval *e, bool mismatched, const char *text)
{
    e->failed++;
    e->mismatched |= mismatched;
    gx_report(e->report, GX_ERROR, "failed", "%s", text);
}

/* ---- one pair ---- */

/* Whether both can be compared; else it is said why not. */
static bool check_sizes(struct eval *e, const char *out, const char *ref, const struct gx_facts *a,
                        const struct gx_facts *b)
{
    char text[640];
    int64_t needed = gx_figures_bytes(&e->figures, b->width, b->height);
    if (a->width != b->width || a->height != b->height)
        snprintf(text, sizeof text, "'%.200s' is %d x %d, '%.200s' is %d x %d", out, a->width,
                 a->height, ref, b->width, b->height);
    else if (2 * e->crop >= a->width || 2 * e->crop >= a->height)
        snprintf(text, sizeof text, "'%.200s' is %d x %d: --crop-border %d leaves nothing of it",
                 out, a->width, a->height, e->crop);
    else if (needed > e->room)
        snprintf(text, sizeof text,
                 "'%.200s' is %d x %d: comparing it takes %.1f MiB of memory, and %.1f may be used",
                 out, a->width, a->height, (double)needed / 0x1p20, (double)e->room / 0x1p20);
    else
        return true;
    fail(e, true, text);
    return false;
}

/* Colour in 0..1, to free; NULL after a report. */
static float *read_colour(struct eval *e, struct gx_picture *picture)
{
    const struct gx_facts *facts = gx_picture_facts(picture);
    struct gx_err err;
    float *pixels = malloc((size_t)facts->width * (size_t)facts->height * 3 * sizeof *pixels);
    if (pixels && !gx_picture_read(picture, 3, 0, 1, pixels, &err))
        return pixels;
    fail(e, false, pixels ? err.text : "not enough memory for a picture");
    free(pixels);
    return NULL;
}

static void compare(struct eval *e, const char *name, struct gx_picture *out,
                    struct gx_picture *ref)
{
    const struct gx_facts *facts = gx_picture_facts(ref);
    struct gx_err err;
    float *x = read_colour(e, out), *y = x ? read_colour(e, ref) : NULL;
    if (x && y) {
        struct gx_pair pair = {x, y, 1, facts->height, facts->width, 3, 0, 1};
        gx_pair_crop(&pair, e->crop, x, y);
        if (gx_figures_add(&e->figures, name, &pair, &err)) {
            gx_context(&err, -1, "cannot compare '%s'", name);
            fail(e, false, err.text);
        }
    }
    free(x);
    free(y);
}

static void measure(struct eval *e, const char *name, const char *out, const char *ref)
{
    struct gx_picture *a = NULL, *b = NULL;
    struct gx_err err;
    if (gx_picture_open(&a, out, NULL, &err) || gx_picture_open(&b, ref, NULL, &err))
        fail(e, false, err.text);
    else if (check_sizes(e, out, ref, gx_picture_facts(a), gx_picture_facts(b)))
        compare(e, name, a, b);
    gx_picture_free(&a);
    gx_picture_free(&b);
}

/* ---- pairs of folders ---- */

static int find(const struct gx_names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (!strcmp(names->name[i], name))
            return (int)i;
    return -1;
}

static bool same_stem(const char *a, const char *b)
{
    size_t length = gx_stem_length(a);
    return gx_stem_length(b) == length && !strncmp(a, b, length);
}

/* Of `outs`: the reference's namesake; else the one picture that differs in its suffix alone and is
 * no other reference's namesake. -1: none, or *several. All of them are marked: they are somebody's.
 */
static int partner(const struct gx_names *outs, const struct gx_names *refs, const char *name,
                   bool *marked, bool *several)
{
    int namesake = find(outs, name), found = namesake, others = 0;
    for (size_t i = 0; i < outs->count && namesake < 0; i++) {
        const char *other = outs->name[i];
        if (!gx_picture_name(other) || !same_stem(other, name) || find(refs, other) >= 0)
            continue;
        marked[i] = true;
        if (!others++)
            found = (int)i;
    }
    *several = others > 1;
    if (found >= 0)
        marked[found] = true;
    return *several ? -1 : found;
}

/* References in their order, then the pictures that belong to none. */
static void measure_names(struct eval *e, const char *out, const char *ref,
                          const struct gx_names *outs, const struct gx_names *refs)
{
    struct gx_arena arena = {0};
    bool *marked = gx_new((outs->count + 1) * sizeof *marked), several;
    for (size_t i = 0; i < refs->count; i++) {
        const char *name = refs->name[i];
        if (!gx_picture_name(name))
            continue;
        int mine = partner(outs, refs, name, marked, &several);
        if (mine >= 0)
            measure(e, outs->name[mine], gx_arena_format(&arena, "%s/%s", out, outs->name[mine]),
                    gx_arena_format(&arena, "%s/%s", ref, name));
        else
            fail(e, true,
                 gx_arena_format(&arena, "'%s/%s' has %s in '%s'", ref, name,
                                 several ? "several partners" : "no partner", out));
    }
    for (size_t i = 0; i < outs->count; i++)
        if (gx_picture_name(outs->name[i]) && !marked[i])
            fail(
                e, true,
                gx_arena_format(&arena, "'%s/%s' has no partner in '%s'", out, outs->name[i], ref));
    free(marked);
    gx_arena_clear(&arena);
}

static int measure_folders(struct eval *e, const char *out, const char *ref, struct gx_err *err)
{
    struct gx_names outs = {0}, refs = {0};
    int code = gx_folder_list(out, &outs, err);
    if (!code)
        code = gx_folder_list(ref, &refs, err);
    if (!code)
        measure_names(e, out, ref, &outs, &refs);
    gx_names_free(&outs);
    gx_names_free(&refs);
    return code;
}

/* ---- the command ---- */

/* A limit, or most of what is free; LPIPS has the other half of it. */
static int64_t room_for_pairs(const struct eval *e, const struct gx_config *config)
{
    int64_t all = config->max_memory ? config->max_memory : gx_memory_available() / 10 * 9;
    return e->figures.lpips ? all / 2 : all;
}

static int run(struct eval *e, const struct gx_config *config)
{
    const char *out = config->operand[0], *ref = config->operand[1];
    struct gx_err err = {""};
    enum gx_stage stage = GX_AT_START;
    int code = gx_image_start(NULL, 1, &err);
    if (!code)
        code = gx_figures_begin(&e->figures, config, &stage, &err);
    if (code)
        return gx_fail_at(e->report, code, stage, &err);
    e->room = room_for_pairs(e, config);
    if (gx_is_folder(out))
        code = measure_folders(e, out, ref, &err);
    else
        measure(e, out, out, ref);
    if (code)
        return gx_fail_at(e->report, code, GX_AT_INPUT, &err);
    if (e->figures.done) {
        gx_figures_print(&e->figures, e->failed);
        return e->failed ? GX_EXIT_SOME_FAILED : GX_EXIT_DONE;
    }
    gx_report(e->report, GX_ERROR, "error", "no picture could be compared");
    return e->mismatched ? GX_EXIT_SOME_FAILED : GX_EXIT_NO_INPUT;
}

static int run_eval(struct gx_config *config, struct gx_report *report)
{
    struct eval e = {.report = report, .crop = config->eval.crop_border};
    if (config->operands != 2) {
        gx_report(report, GX_ERROR, "error", "eval compares two things: ganx eval OUT REF");
        return GX_EXIT_USAGE;
    }
    if (gx_is_folder(config->operand[0]) != gx_is_folder(config->operand[1])) {
        for (int i = 0; i < 2; i++)
            if (access(config->operand[i], F_OK)) {
                gx_report(report, GX_ERROR, "error", "cannot open '%s': %s", config->operand[i],
                          strerror(errno));
                return GX_EXIT_USAGE;
            }
        gx_report(report, GX_ERROR, "error", "'%s' and '%s' must both be files or both folders",
                  config->operand[0], config->operand[1]);
        return GX_EXIT_USAGE;
    }
    int exit_code = run(&e, config);
    gx_figures_clear(&e.figures);
    return exit_code;
}

const struct gx_command gx_command_eval = {
    .name = "eval",
    .verb = GX_VERB_EVAL,
    .of_family = true,
    .alone = true,
    .summary = "compare pictures with their references: L1, PSNR, SSIM, MS-SSIM, LPIPS, sharpness",
    .usage = (const char *const[]){"[options] OUT REF", NULL},
    .run = run_eval,
};
