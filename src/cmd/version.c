/* ganx version: what this build runs on. */
#include "cmd/cmd.h"

#include "image/version.h"
#include "kernel/kernel.h"

#include <jansson.h>
#include <stdlib.h>
#include <yaml.h>
#include <zlib.h>

static int run_version(struct gx_config *config, struct gx_report *report)
{
    if (config->operands) {
        gx_report(report, GX_ERROR, "error", "'version' takes no operand");
        return GX_EXIT_USAGE;
    }
    const struct gx_kernels *kernels = gx_kernels_best();
    struct gx_cpu_facts cpu;
    gx_cpu_describe(&cpu);
    const char *const facts[][2] = {
        {"ganx", GX_VERSION},
        {"libvips", gx_image_library_version()},
        {"openblas", cpu.blas},
        {"openblas_core", cpu.blas_core},
        {"libyaml", yaml_get_version_string()},
        {"jansson", jansson_version_str()},
        {"zlib", zlibVersion()},
        {"cpu", cpu.model},
        {"cpu_features", cpu.features},
        {"kernels", kernels->name},
    };
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++) {
        json_object_set_new(object, facts[i][0], json_string(facts[i][1]));
        if (!config->json)
            printf("%-14s %s\n", facts[i][0], facts[i][1]);
    }
    json_object_set_new(object, "threads", json_integer(cpu.threads));
    if (!config->json)
        printf("%-14s %d\n", "threads", cpu.threads);
    char *text = config->json ? json_dumps(object, JSON_INDENT(2)) : NULL;
    if (text)
        puts(text);
    free(text);
    json_decref(object);
    return GX_EXIT_DONE;
}

const struct gx_command gx_command_version = {
    .name = "version",
    .verb = GX_VERB_VERSION,
    .alone = true,
    .summary = "versions of ganx and its libraries, the processor, the kernels chosen",
    .usage = (const char *const[]){"[--json]", NULL},
    .run = run_version,
};
