/* Completion for bash: a script of lists, made from the two tables. */
#include "cmd/cmd.h"

#include <string.h>

static void commands(FILE *to, bool of_family)
{
    const char *before = "";
    for (int i = 0; gx_commands[i]; i++)
        if (of_family ? gx_commands[i]->of_family : gx_commands[i]->alone) {
            fprintf(to, "%s%s", before, gx_commands[i]->name);
            before = " ";
        }
}

/* `"pix2pix train") flags=...; keys=... ;;` */
static void one_command(FILE *to, const struct gx_command *command, const char *family)
{
    const char *before = "";
    if (command->other_name)
        fprintf(to, "    \"%s%s%s\" | \\\n", family, *family ? " " : "", command->other_name);
    fprintf(to, "    \"%s%s%s\")\n        flags=\"", family, *family ? " " : "", command->name);
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        if (!gx_shows_flag(option, family, command->verb))
            continue;
        if (option->letter)
            fprintf(to, "%s-%c", before, option->letter);
        fprintf(to, "%s--%s", option->letter || *before ? " " : "", option->flag);
        before = " ";
    }
    fputs("\"\n        keys=\"", to);
    before = "";
    for (int i = 0; i < gx_options_count; i++)
        if (gx_shows_key(&gx_options[i], family, command->verb)) {
            fprintf(to, "%s%s=", before, gx_options[i].key);
            before = " ";
        }
    fputs("\"\n        case $previous in\n", to);
    for (int i = 0; i < gx_options_count; i++) {
        const struct gx_option *option = &gx_options[i];
        if (!gx_shows_flag(option, family, command->verb) || option->type == GX_TYPE_BOOL)
            continue;
        if (option->letter)
            fprintf(to, "        -%c | --%s)", option->letter, option->flag);
        else
            fprintf(to, "        --%s)", option->flag);
        if (option->type == GX_TYPE_SET)
            fputs(" words=\"$keys\"; compopt -o nospace", to);
        else if (option->choices)
            for (int j = 0; option->choices[j]; j++)
                fprintf(to, "%s%s", j ? " " : " words=\"", option->choices[j]);
        fprintf(to, "%s; value=yes ;;\n",
                option->choices               ? "\""
                : option->type == GX_TYPE_SET ? ""
                                              : " :");
    }
    fputs("        esac\n        ;;\n", to);
}

void gx_completion_bash(FILE *to)
{
    fputs("# bash completion for ganx, made by 'ganx help --completion bash'\n"
          "_ganx()\n{\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local command=${COMP_WORDS[1]} at=2 words='' flags='' keys='' value=''\n"
          "    local families='",
          to);
    for (int i = 0; gx_family_names[i]; i++)
        fprintf(to, "%s%s", i ? " " : "", gx_family_names[i]);
    fputs("' verbs='", to);
    commands(to, true);
    fputs("' others='", to);
    commands(to, false);
    fputs(
        "'\n"
        "    if ((COMP_CWORD == 1)); then\n"
        "        COMPREPLY=($(compgen -W \"$families $others --help --version\" -- \"$current\"))\n"
        "        return\n"
        "    fi\n"
        "    if [[ \" $families \" == *\" $command \"* ]]; then\n"
        "        if ((COMP_CWORD == 2)); then\n"
        "            COMPREPLY=($(compgen -W \"$verbs --help\" -- \"$current\"))\n"
        "            return\n"
        "        fi\n"
        "        command=\"$command ${COMP_WORDS[2]}\"\n"
        "        at=3\n"
        "    fi\n"
        "    case $command in\n",
        to);
    for (int i = 0; gx_commands[i]; i++) {
        if (gx_command_of(gx_commands[i], ""))
            one_command(to, gx_commands[i], "");
        for (int f = 0; gx_family_names[f]; f++)
            if (gx_command_of(gx_commands[i], gx_family_names[f]))
                one_command(to, gx_commands[i], gx_family_names[f]);
    }
    fputs("    esac\n"
          "    if [[ -n $value ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
          "    elif [[ $command == help ]] && ((COMP_CWORD >= at)); then\n"
          "        words=\"$families $others $flags\"\n"
          "        [[ \" $families \" == *\" $previous \"* ]] && words=$verbs\n"
          "        COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
          "    elif [[ $current == -* ]]; then\n"
          "        COMPREPLY=($(compgen -W \"$flags\" -- \"$current\"))\n"
          "    fi\n"
          "}\n"
          "complete -o default -F _ganx ganx\n",
          to);
}
