/* Option lists of the manual pages, in mdoc. */
#include "cmd/cmd.h"

#include <ctype.h>
#include <string.h>

/* Text as roff takes it: backslashes doubled, hyphens that are to be copied kept. */
static void text(FILE *to, const char *words)
{
    for (const char *p = words; *p; p++) {
        if (*p == '\\')
            fputs("\\e", to);
        else if (*p == '-' && p[1] != ' ')
            fputs("\\-", to);
        else
            fputc(*p, to);
    }
}

static void sentence(FILE *to, const struct gx_option *option, const char *family)
{
    char first[2] = {(char)toupper((unsigned char)option->help[0]), '\0'};
    const char *initial = gx_option_initial(option, family);
    text(to, first);
    text(to, option->help + 1);
    fputs(".\n", to);
    if (option->choices) {
        fputs("One of\n", to);
        for (int i = 0; option->choices[i]; i++)
            fprintf(to, ".Cm %s%s\n", option->choices[i],
                    option->choices[i + 1]           ? " ,"
                    : option->flags & GX_OPTION_OPEN ? " ..."
                                                     : " .");
    }
    bool number = option->type == GX_TYPE_INT || option->type == GX_TYPE_REAL;
    if (number && !option->choices && option->high < 1e6)
        fprintf(to, "From %.9g to %.9g.\n", option->low, option->high);
    bool flag_off = option->type == GX_TYPE_BOOL && (option->flags & GX_OPTION_FLAG_ONLY);
    if (*initial && !flag_off)
        fprintf(to, "The default is\n.Cm %s .\n", initial);
}

/* One argument; choices as Cm, names as Ar. */
static void argument(FILE *to, const struct gx_option *option)
{
    fprintf(to, " Ar %s", option->metavar);
}

void gx_mdoc_options(FILE *to, const struct gx_command *command, const char *family)
{
    fputs(".Bl -tag -width Ds\n", to);
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        if (!gx_shows_flag(command, family, option))
            continue;
        fputs(".It", to);
        if (option->letter)
            fprintf(to, " Fl %c ,", option->letter);
        fprintf(to, " Fl \\-%s", option->flag);
        if (option->type != GX_TYPE_BOOL)
            argument(to, option);
        fputc('\n', to);
        sentence(to, option, family);
    }
    fputs(".El\n", to);
}

void gx_mdoc_keys(FILE *to, const struct gx_command *command, const char *family)
{
    fputs(".Bl -tag -width Ds\n", to);
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        if (!gx_shows_key(command, family, option))
            continue;
        fprintf(to, ".It Cm %s", option->key);
        if (option->type == GX_TYPE_BOOL)
            fputs(" Ar true|false", to);
        else
            argument(to, option);
        fputc('\n', to);
        sentence(to, option, family);
    }
    fputs(".El\n", to);
}
