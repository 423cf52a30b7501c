/* Every command: a row each, in the order of the help text. */
GX_COMMAND(train)
GX_COMMAND(translate)
GX_COMMAND(bench)
GX_COMMAND(info)
GX_COMMAND(convert)
GX_COMMAND(eval)
GX_COMMAND(version)
GX_COMMAND(help)
