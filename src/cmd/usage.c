/* --help, from the table of commands and the option table. */
#include "cmd/cmd.h"

#include <string.h>

enum { MARGIN = 2, HELP_AT = 26, WIDTH = 90 };

bool gx_shows_flag(const struct gx_option *option, const char *family, enum gx_verb verb)
{
    return option->flag && !(option->flags & GX_OPTION_HIDDEN) &&
           gx_option_shown(option, family, verb);
}

bool gx_shows_key(const struct gx_option *option, const char *family, enum gx_verb verb)
{
    return !(option->flags & GX_OPTION_FLAG_ONLY) && strcmp(option->key, "family") &&
           gx_option_shown(gx_option_by_key("set"), family, verb) &&
           gx_option_applies(option, family);
}

/* Words of `text` from column `at` on, wrapped, indented to HELP_AT. */
static void wrap(FILE *to, int at, const char *text)
{
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (at > HELP_AT && at + 1 + length > WIDTH)
            at = fprintf(to, "\n") - 1;
        while (at < HELP_AT)
            at += fprintf(to, " ");
        at += fprintf(to, "%s%.*s", at > HELP_AT ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', to);
}

/* What follows a name that ends in column `at`; `listed`: its metavar has shown the choices. */
static void describe(FILE *to, int at, const struct gx_option *option, const char *family,
                     bool listed)
{
    char text[512];
    const char *initial = gx_option_initial(option, family);
    size_t used = (size_t)snprintf(text, sizeof text, "%s", option->help);
    if (option->choices && !listed) {
        used += (size_t)snprintf(text + used, sizeof text - used, ":");
        for (int i = 0; option->choices[i] && used < sizeof text; i++)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s %s", i ? "," : "",
                                     option->choices[i]);
        if ((option->flags & GX_OPTION_OPEN) && used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, " ...");
    }
    bool flag_off = option->type == GX_TYPE_BOOL && (option->flags & GX_OPTION_FLAG_ONLY);
    if (*initial && !flag_off && used < sizeof text)
        snprintf(text + used, sizeof text - used, " (default: %s)", initial);
    if (at >= HELP_AT - 1) { /* a blank between them at least */
        fputc('\n', to);
        at = 0;
    }
    wrap(to, at, text);
}

static void list_flags(FILE *to, const struct gx_command *command, const char *family)
{
    fputs("\nOptions:\n", to);
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        if (!gx_shows_flag(option, family, command->verb))
            continue;
        int at = fprintf(to, "%*s", MARGIN, "");
        if (option->letter)
            at += fprintf(to, "-%c, ", option->letter);
        at += fprintf(to, "--%s", option->flag);
        if (option->type != GX_TYPE_BOOL)
            at += fprintf(to, " %s", option->metavar);
        describe(to, at, option, family, option->metavar && strchr(option->metavar, '|'));
    }
}

static void list_keys(FILE *to, const struct gx_command *command, const char *family)
{
    bool any = false;
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        if (!gx_shows_key(option, family, command->verb))
            continue;
        if (!any)
            fprintf(to, "\nKeys of the configuration file (./%s.yaml, --config) and of --set:\n",
                    family);
        any = true;
        int at = fprintf(to, "%*s%s", MARGIN, "", option->key);
        describe(to, at, option, family, false);
    }
}

static void list_command(FILE *to, const struct gx_command *command)
{
    fprintf(to, "  %-12s %s\n", command->name, command->summary);
}

static void list_commands(FILE *to, const char *family)
{
    for (int i = 0; gx_commands[i]; i++)
        if (gx_command_of(gx_commands[i], family))
            list_command(to, gx_commands[i]);
}

void gx_usage_command(FILE *to, const struct gx_command *command, const char *family)
{
    for (int i = 0; command->usage[i]; i++)
        fprintf(to, "%s ganx %s%s%s %s\n", i ? "      " : "usage:", family, *family ? " " : "",
                command->name, command->usage[i]);
    fprintf(to, "\n%s\n", command->summary);
    if (command->other_name)
        fprintf(to, "Other name: %s\n", command->other_name);
    list_flags(to, command, family);
    list_keys(to, command, family);
}

void gx_usage_family(FILE *to, const char *family)
{
    fprintf(to, "usage: ganx %s COMMAND [options]\n\nCommands:\n", family);
    list_commands(to, family);
    fprintf(to, "\n'ganx help %s COMMAND' lists a command's options.\n", family);
}

void gx_usage_top(FILE *to)
{
    fputs("usage: ganx FAMILY COMMAND [options]\n"
          "       ganx COMMAND [options]\n\n"
          "Trains and runs image-to-image GANs on the CPU.\n\nFamilies:\n ",
          to);
    for (int i = 0; gx_family_names[i]; i++)
        fprintf(to, " %s", gx_family_names[i]);
    fputs("\n\nCommands of a family:\n", to);
    for (int i = 0; gx_commands[i]; i++)
        if (gx_commands[i]->of_family)
            list_command(to, gx_commands[i]);
    fputs("\nOther commands:\n", to);
    list_commands(to, "");
    fputs("\n'ganx help COMMAND' lists a command's options.\n", to);
}
