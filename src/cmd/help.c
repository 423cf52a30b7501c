/* ganx help: the texts of --help, and what is made from the same tables for man and the shell. */
#include "cmd/cmd.h"

#include <string.h>

static int run_help(struct gx_config *config, struct gx_report *report)
{
    struct gx_call_line line;
    struct gx_err err;
    if (*config->manual.completion) {
        gx_completion_bash(stdout);
        return GX_EXIT_DONE;
    }
    int code = gx_command_find(&line, 0, config->operands, (char *const *)config->operand, &err);
    if (code)
        return gx_fail_at(report, code, GX_AT_START, &err);
    bool keys = config->manual.mdoc && line.words + 1 == config->operands &&
                !strcmp(config->operand[line.words], "keys");
    if (line.words + keys != config->operands) {
        gx_report(report, GX_ERROR, "error", "'help' takes one command, not '%s' too",
                  config->operand[line.words]);
        return GX_EXIT_USAGE;
    }
    if (!line.command)
        *line.family ? gx_usage_family(stdout, line.family) : gx_usage_top(stdout);
    else if (keys)
        gx_mdoc_keys(stdout, line.command, line.family);
    else if (config->manual.mdoc)
        gx_mdoc_options(stdout, line.command, line.family);
    else
        gx_usage_command(stdout, line.command, line.family);
    return GX_EXIT_DONE;
}

const struct gx_command gx_command_help = {
    .name = "help",
    .verb = GX_VERB_HELP,
    .alone = true,
    .summary = "what a command does, and its options",
    .usage = (const char *const[]){"[[FAMILY] COMMAND]", "--completion bash", NULL},
    .run = run_help,
};
