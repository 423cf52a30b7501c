/* Finding the command that a line names, and exit codes. */
#include "cmd/cmd.h"

#include <string.h>

const struct gx_command *const gx_commands[] = {
#define GX_COMMAND(name) &gx_command_##name,
#include "cmd/list.h"
#undef GX_COMMAND
    NULL};

bool gx_command_of(const struct gx_command *command, const char *family)
{
    if (!*family)
        return command->alone;
    return command->of_family &&
           (!command->families || (command->families & gx_family_bit(family)));
}

static bool is_called(const struct gx_command *command, const char *name)
{
    return !strcmp(command->name, name) ||
           (command->other_name && !strcmp(command->other_name, name));
}

static const struct gx_command *find(const char *name, const char *family)
{
    for (int i = 0; gx_commands[i]; i++)
        if (is_called(gx_commands[i], name) && gx_command_of(gx_commands[i], family))
            return gx_commands[i];
    return NULL;
}

/* The first family that has a command of that name, or NULL. */
static const char *family_with(const char *name)
{
    for (int i = 0; gx_family_names[i]; i++)
        if (find(name, gx_family_names[i]))
            return gx_family_names[i];
    return NULL;
}

/* The nearest of the commands, and of the families unless one was given. */
static const char *nearest(const char *word, const char *family)
{
    const char *names[64];
    int count = 0;
    for (int i = 0; gx_commands[i] && count < 40; i++)
        if (gx_command_of(gx_commands[i], family))
            names[count++] = gx_commands[i]->name;
    for (int i = 0; !*family && gx_family_names[i] && count < 60; i++)
        names[count++] = gx_family_names[i];
    names[count] = NULL;
    return gx_suggest(word, names);
}

int gx_command_find(struct gx_call_line *line, int from, int argc, char *const *argv,
                    struct gx_err *err)
{
    int at = from;
    *line = (struct gx_call_line){.family = ""};
    if (at < argc && gx_family_bit(argv[at])) {
        line->family = argv[at++];
        line->words = 1;
    }
    if (at >= argc)
        return 0;
    const char *word = argv[at];
    if (word[0] == '-') {
        if (!strcmp(word, "--help") || !strcmp(word, "-h"))
            return 0;
        return gx_fail(err, GX_E_USAGE, "expected a command before '%s'; see 'ganx --help'", word);
    }
    if ((line->command = find(word, line->family))) {
        line->words++;
        return 0;
    }
    const char *near = nearest(word, line->family);
    const char *has_it = family_with(word);
    if (has_it && !*line->family)
        return gx_fail(err, GX_E_USAGE, "'%s' needs a family before it: ganx %s %s", word, has_it,
                       word);
    if (has_it)
        return gx_fail(err, GX_E_USAGE, "'%s' is no command of '%s', but of others: ganx %s %s",
                       word, line->family, has_it, word);
    return gx_fail(err, GX_E_USAGE, "unknown command '%s%s%s'; %s%s%s", line->family,
                   *line->family ? " " : "", word, near ? "did you mean '" : "see 'ganx --help",
                   near ? near : "", near ? "'?" : "'");
}

enum gx_exit gx_exit_of(int code, enum gx_stage stage)
{
    static const enum gx_exit of_stage[] = {
        [GX_AT_START] = GX_EXIT_CONFIG,   [GX_AT_MODEL] = GX_EXIT_MODEL,
        [GX_AT_INPUT] = GX_EXIT_NO_INPUT, [GX_AT_OUTPUT] = GX_EXIT_CANNOT_WRITE,
        [GX_AT_WORK] = GX_EXIT_CONFIG, /* sizes or files that do not fit together */
    };
    switch (-code) {
    case 0:
        return GX_EXIT_DONE;
    case GX_E_USAGE:
        return GX_EXIT_USAGE;
    case GX_E_CONFIG:
        return stage == GX_AT_MODEL ? GX_EXIT_MODEL : GX_EXIT_CONFIG;
    case GX_E_NOMEM:
    case GX_E_LIMIT:
        return GX_EXIT_LIMIT;
    case GX_E_NUMERIC:
        return stage == GX_AT_MODEL ? GX_EXIT_MODEL : GX_EXIT_DIVERGED;
    case GX_E_IO:
        return stage == GX_AT_WORK ? GX_EXIT_CANNOT_WRITE : of_stage[stage];
    default:
        return of_stage[stage];
    }
}

enum gx_exit gx_fail_at(struct gx_report *report, int code, enum gx_stage stage,
                        const struct gx_err *err)
{
    gx_report(report, GX_ERROR, "error", "%s", err->text);
    return gx_exit_of(code, stage);
}
