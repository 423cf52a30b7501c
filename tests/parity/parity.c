/* parity [DIR]: walks a folder, runs every fixture in it, says a line for each comparison.
 *
 *   NAME  WHAT  DEVIATION  TOLERANCE  ok|NOT OK        and at the end
 *   N passed, N failed, N skipped
 *
 * Exits with 0 when something was compared and everything that was is within its tolerance. Without
 * DIR it walks the project's own copies, tests/reference. */
#include "parity.h"

#include "util/file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 16 };

static const struct {
    const char *name;
    int (*run)(const struct fixture *f, struct gx_err *err);
} kinds[] = {
    {"forward", parity_forward},       {"gradient_penalty", parity_gradient_penalty},
    {"lpips", parity_lpips},           {"metrics", parity_metrics},
    {"objectives", parity_objectives}, {"spectral_norm", parity_spectral_norm},
    {"train", parity_train},
};

/* ---- lines ---- */

#define SAY(f, format)                                                                             \
    do {                                                                                           \
        char what[256];                                                                            \
        va_list arguments;                                                                         \
        va_start(arguments, format);                                                               \
        vsnprintf(what, sizeof what, format, arguments);                                           \
        va_end(arguments);                                                                         \
        printf("%-36s %-40s ", (f)->name, what);                                                   \
    } while (0)

void parity_check(const struct fixture *f, double deviation, double tolerance, const char *format,
                  ...)
{
    bool ok = deviation <= tolerance;
    *(ok ? &f->parity->passed : &f->parity->failed) += 1;
    SAY(f, format);
    printf("%9.2e %9.2e  %s\n", deviation, tolerance, ok ? "ok" : "NOT OK");
}

void parity_note(const struct fixture *f, double value, const char *format, ...)
{
    SAY(f, format);
    printf("%9.2e %9s  for information\n", value, "");
}

void parity_failed(const struct fixture *f, const char *why)
{
    f->parity->failed++;
    printf("%-36s NOT OK: %s\n", f->name, why);
}

void parity_skipped(const struct fixture *f, const char *format, ...)
{
    char why[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    f->parity->skipped++;
    printf("%-36s skipped: %s\n", f->name, why);
}

/* ---- the walk ---- */

static int run_kind(const struct fixture *f, struct gx_err *err)
{
    const char *kind;
    int r = fixture_text(f->json, "kind", &kind, err);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !r; i++)
        if (!strcmp(kinds[i].name, kind))
            return kinds[i].run(f, err);
    if (!r)
        parity_skipped(f, "kind %s is not known yet", kind);
    return r;
}

static void run_fixture(const char *folder, const char *name, struct parity *parity)
{
    char path[4096];
    json_error_t why;
    struct gx_err err = {""};
    snprintf(path, sizeof path, "%s/fixture.json", folder);
    json_t *json = json_load_file(path, 0, &why);
    struct fixture f = {.folder = folder, .name = name, .json = json, .parity = parity};
    int before = parity->passed + parity->failed + parity->skipped;
    if (!json)
        parity_failed(&f, why.text);
    else if (run_kind(&f, &err))
        parity_failed(&f, err.text);
    else if (before == parity->passed + parity->failed + parity->skipped)
        parity_failed(&f, "it compares nothing");
    json_decref(json);
    fflush(stdout);
}

/* `name` is the folder's path from where the walk began. */
static int walk(const char *folder, const char *name, int depth, struct parity *parity,
                struct gx_err *err)
{
    struct gx_names names;
    int r = gx_folder_list(folder, &names, err);
    if (r)
        return r;
    for (size_t i = 0; i < names.count && !r; i++) {
        char path[4096], inner[4096];
        snprintf(path, sizeof path, "%s/%s", folder, names.name[i]);
        snprintf(inner, sizeof inner, "%s%s%s", name, *name ? "/" : "", names.name[i]);
        if (!strcmp(names.name[i], "fixture.json"))
            run_fixture(folder, *name ? name : folder, parity);
        else if (depth < DEPTH_MAX && gx_is_folder(path))
            r = walk(path, inner, depth + 1, parity, err);
    }
    gx_names_free(&names);
    return r;
}

int main(int argc, char **argv)
{
    struct parity parity = {0};
    struct gx_err err = {""};
    if (argc > 2) {
        fprintf(stderr, "usage: parity [DIR]\n");
        return 2;
    }
    int r = walk(argc > 1 ? argv[1] : "tests/reference", "", 0, &parity, &err);
    if (r)
        fprintf(stderr, "parity: %s\n", err.text);
    printf("%d passed, %d failed, %d skipped\n", parity.passed, parity.failed, parity.skipped);
    return r || parity.failed || !parity.passed;
}
