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
        fputs(option->flags & GX_OPTION_OPEN ? "Among others\n" : "One of\n", to);
        for (int i = 0; option->choices[i]; i++)
            fprintf(to, ".Cm %s%s\n", option->choices[i], option->choices[i + 1] ? " ," : " .");
    }
    bool number = option->type == GX_TYPE_INT || option->type == GX_TYPE_REAL;
    if (number && !option->choices && option->high < 1e6)
        fprintf(to, "From %.9g to %.9g.\n", option->low, option->high);
    bool flag_off = option->type == GX_TYPE_BOOL && (option->flags & GX_OPTION_FLAG_ONLY);
    if (*initial && !flag_off)
        fprintf(to, "The default is\n.Cm %s .\n", initial);
}

static void list(FILE *to, const char *family, enum gx_verb verb, bool keys)
{
    fputs(".Bl -tag -width Ds\n", to);
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        if (!(keys ? gx_shows_key : gx_shows_flag)(option, family, verb))
            continue;
        fputs(".It", to);
        if (option->letter && !keys)
            fprintf(to, " Fl %c ,", option->letter);
        if (keys)
            fprintf(to, " Cm %s", option->key);
        else
            fprintf(to, " Fl \\-%s", option->flag);
        if (option->type != GX_TYPE_BOOL)
            fprintf(to, " Ar %s", option->metavar);
        else if (keys)
            fputs(" Ar true|false", to);
        fputc('\n', to);
        sentence(to, option, family);
    }
    fputs(".El\n", to);
}

int gx_mdoc(FILE *to, const char *family, const char *verb, bool keys, struct gx_err *err)
{
    for (int i = 0; gx_commands[i]; i++)
        if (!strcmp(gx_commands[i]->name, verb)) {
            list(to, family, gx_commands[i]->verb, keys);
            return 0;
        }
    return gx_fail(err, GX_E_USAGE, "'%s' is not a verb", verb);
}
