/* ganx help: the texts of --help, and what is made from the same tables for man and the shell. */
#include "cmd/cmd.h"

#include <string.h>

/* help --mdoc [FAMILY] VERB [keys], for the manual pages; needs no row in list.h. */
static int print_mdoc(const struct gx_config *config, struct gx_err *err)
{
    const char *const *word = config->operand;
    int count = config->operands;
    const char *family = count && gx_family_bit(*word) ? (count--, *word++) : "";
    if (!count || count > 2 || (count == 2 && strcmp(word[1], "keys")))
        return gx_fail(err, GX_E_USAGE, "expected help --mdoc [FAMILY] VERB [keys]");
    return gx_mdoc(stdout, family, word[0], count == 2, err);
}

static int run_help(struct gx_config *config, struct gx_report *report)
{
    struct gx_call_line line = {0};
    struct gx_err err;
    if (*config->manual.completion) {
        gx_completion_bash(stdout);
        return GX_EXIT_DONE;
    }
    int code = config->manual.mdoc ? print_mdoc(config, &err)
                                   : gx_command_find(&line, 0, config->operands,
                                                     (char *const *)config->operand, &err);
    if (code || config->manual.mdoc)
        return code ? gx_fail_at(report, code, GX_AT_START, &err) : GX_EXIT_DONE;
    if (line.words != config->operands) {
        gx_report(report, GX_ERROR, "error", "'help' takes one command, not '%s' too",
                  config->operand[line.words]);
        return GX_EXIT_USAGE;
    }
    if (line.command)
        gx_usage_command(stdout, line.command, line.family);
    else if (*line.family)
        gx_usage_family(stdout, line.family);
    else
        gx_usage_top(stdout);
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
